"""Choosing a theme on the running screen: seen at once, kept when taken, and gone without a trace when not."""

from pathlib import Path

import pytest
from standin import StandIn, opened, sample
from textual.pilot import Pilot

from console.core.settings import Settings
from console.tui.app import NovadeckApp
from console.tui.theme import load_theme, theme_files
from console.tui.theming import ThemePick, theme_choices
from console.tui.wardrobe import Wardrobe


async def picking(app: NovadeckApp, pilot: Pilot[object]) -> ThemePick:
    """Open the picker, as a user would."""
    while app.main.deck is None:
        await pilot.pause(0.02)
    await pilot.press("T")
    await pilot.pause()
    assert isinstance(app.screen, ThemePick)
    return app.screen


def made(console: StandIn, *folders: Path, colours: str = "full") -> NovadeckApp:
    return NovadeckApp(lambda: opened(console), load_theme("nocturne"), folders=folders, colours=colours)


async def test_a_theme_is_worn_while_the_cursor_stands_on_it() -> None:
    console = sample()
    app = made(console)
    async with app.run_test(size=(120, 40)) as pilot:
        picker = await picking(app, pilot)
        assert picker.chosen is not None
        assert picker.chosen.value == "nocturne"
        await pilot.press("down")
        seen = app.ink.theme
        assert seen.name == picker.chosen.value != "nocturne"
        lines = app.main.panes["servers"].table.render_line(3)
        assert lines is not None
        assert {str(segment.style.bgcolor.name) for segment in lines if segment.style and segment.style.bgcolor} <= set(
            seen.colours.values()
        )
        await pilot.press("escape")
        assert app.ink.theme.name == "nocturne"
        assert console.saved.theme == ""


async def test_the_theme_that_is_taken_is_kept_for_the_next_start() -> None:
    console = sample()
    app = made(console)
    console.settings = Settings()
    async with app.run_test(size=(80, 24)) as pilot:
        picker = await picking(app, pilot)
        await pilot.press("down", "down")
        assert picker.chosen is not None
        wanted = picker.chosen.value
        await pilot.press("enter")
        assert app.ink.theme.name == wanted
        assert console.saved.theme == wanted


async def test_settings_that_name_a_theme_are_not_overruled_behind_their_back() -> None:
    console = sample()
    app = made(console)
    async with app.run_test(size=(80, 24)) as pilot:
        await picking(app, pilot)
        await pilot.press("down", "enter")
        assert app.ink.theme.name != "nocturne"
        assert console.saved.theme == ""
        assert app.main.query_one("#refusal").lines  # it says so


def test_own_themes_and_broken_ones_are_offered_with_their_reason(tmp_path: Path) -> None:
    own = theme_files()["moss"].read_text().replace("Forest", "My own")
    (tmp_path / "mine.toml").write_text(own)
    (tmp_path / "broken.toml").write_text('kind = "neon"')
    choices = {choice.value: choice for choice in theme_choices(Wardrobe([tmp_path]), "mine")}
    assert choices["mine"].fits and choices["mine"].current
    assert "My own" in choices["mine"].reason
    assert not choices["broken"].fits
    assert "kind must be one of" in choices["broken"].reason


@pytest.mark.parametrize(("colours", "kinds"), [("none", {"mono"}), ("16", {"ansi", "mono"})])
def test_a_poor_terminal_is_offered_what_it_can_show(colours: str, kinds: set[str]) -> None:
    choices = theme_choices(Wardrobe(colours=colours), "mono")
    assert {load_theme(choice.value).kind for choice in choices if choice.fits} == kinds
    assert all(choice.reason.startswith("this terminal") for choice in choices if not choice.fits)


async def test_no_color_leaves_every_cell_without_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = sample()
    app = NovadeckApp(lambda: opened(console), load_theme("mono"), colours="none")
    async with app.run_test(size=(160, 50)) as pilot:
        while app.main.deck is None:
            await pilot.pause(0.02)
        await pilot.press("j", "D")
        await pilot.pause(0.1)
        found = {
            colour.name
            for line in app.screen._compositor.render_strips(app.size)
            for segment in line
            if segment.style
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None
        }
        assert found <= {"default"}
        app.leave()
