"""Every key that the screen itself has, pressed on the real app: each does what its help says, and none is forgotten.

What the keys of actions do to a cloud is proven over the embedded cloud, in `test_pilot.py` and its like.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from standin import sample
from still_screen import running, screen_text
from textual.events import Paste

from console.tui.app import NovadeckApp
from console.tui.keys import COMMANDS, make_keymap
from console.tui.panes import PANES
from console.tui.pickers import Pages, Palette, Pick
from console.tui.theming import ThemePick

Holds = Callable[[NovadeckApp], object]


class Key(NamedTuple):
    """What is pressed before, and what holds after the key."""

    before: tuple[str, ...]
    holds: Holds


def at(app: NovadeckApp) -> int:
    return app.main.pane.table.cursor_position


def says(words: str) -> Holds:
    return lambda app: words in screen_text(app)


def tab(name: str) -> Holds:
    return lambda app: app.main.detail.is_open and app.main.detail.tab == name


ON_WEB_1 = ("/", *"name:^web-1$", "enter")
KEYS: dict[str, Key] = {
    "down": Key(("g",), lambda app: at(app) == 1),
    "up": Key(("g", "j", "j"), lambda app: at(app) == 1),
    "first": Key(("j", "j"), lambda app: at(app) == 0),
    "last": Key((), lambda app: at(app) == len(app.main.pane.table.index.order) - 1),
    "half_down": Key(("g",), lambda app: at(app) > 5),
    "half_up": Key(("G",), lambda app: 0 < at(app) < 28),
    "page_down": Key(("g",), lambda app: at(app) > 10),
    "page_up": Key(("G",), lambda app: at(app) < 20),
    "next_pane": Key((), lambda app: app.main.active == "images"),
    "previous_pane": Key((), lambda app: app.main.active == "flavors"),
    "open": Key((), tab("Overview")),
    "describe": Key((), tab("Overview")),
    "raw": Key((), tab("Raw")),
    "log": Key((), tab("Console log")),
    "history": Key((), tab("History")),
    "back": Key(("enter",), lambda app: not app.main.detail.is_open),
    "filter": Key((), lambda app: app.main.pane.filtering is not None),
    "problems": Key((), lambda app: app.main.pane.table.index.problems and "web-1 " not in screen_text(app)),
    "sort": Key((), says("s name")),
    "sort_reverse": Key(("s",), lambda app: app.main.pane.table.index.sorting.reverse),  # type: ignore[union-attr]
    "wide": Key((), lambda app: app.main.pane.scene.wide),
    "mark": Key((), says("1 marked")),
    "mark_all": Key((), says("29 marked")),
    "failures": Key((), says("Nothing has failed")),
    "operations": Key((), lambda app: app.screen is not app.main or app.main.query_one("#refusal").lines),  # type: ignore[attr-defined]
    "last_view": Key(("2",), lambda app: app.main.active == "servers"),
    "older_view": Key(("2",), lambda app: app.main.active == "servers"),
    "newer_view": Key(("2", "["), lambda app: app.main.active == "images"),
    "views": Key((), says("No view was given a name yet.")),
    "keep_view": Key((), says("Keep this view")),
    "zoom": Key((), lambda app: app.main.zoomed and not app.main.panes["images"].display),
    "copy": Key((), says("opied")),
    "refresh": Key((), says("Asking every place now.")),
    "palette": Key((), lambda app: isinstance(app.screen, Palette)),
    "help": Key((), lambda app: isinstance(app.screen, Pages)),
    "theme": Key((), lambda app: isinstance(app.screen, ThemePick)),
    "bundle": Key((), says("cannot be written")),  # the stand-in has no folder
    "link": Key((), says("in all")),
    "redraw": Key((), says("needs you")),
    "quit": Key((), lambda app: app._exit),
}
WITHOUT_KEY = {"secret"}  # in the palette alone


def test_no_command_is_forgotten() -> None:
    assert {command.name for command in COMMANDS} == KEYS.keys() | WITHOUT_KEY
    assert {command.name for command in COMMANDS if not command.keys} == WITHOUT_KEY


@pytest.mark.parametrize(("name", "key"), [(c.name, key) for c in COMMANDS for key in c.keys])
async def test_each_key_does_what_it_says(name: str, key: str) -> None:
    async with running(sample(), (200, 30 if "page" in name or "half" in name else 60)) as (app, pilot):
        await pilot.press(*KEYS[name].before)
        await pilot.press(key)
        for _ in range(100):
            if KEYS[name].holds(app):
                return
            await pilot.pause(0.02)
        raise AssertionError(screen_text(app))


@pytest.mark.parametrize(("number", "pane"), list(enumerate(list(PANES)[:9], 1)))
async def test_each_pane_has_its_number_and_draws(number: int, pane: str) -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        await pilot.press(str(number))
        await pilot.pause(0.05)
        assert app.main.active == pane
        assert PANES[pane].title in screen_text(app)


async def test_the_palette_offers_and_runs_what_has_no_key() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        await pilot.press(":", *"last password", "enter")
        await pilot.pause(0.05)
        assert "No cloud has told a password in this run." in screen_text(app)


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("web-1", {"web-1"}),
        ("^web-[13]$|nothing", set()),  # all words of a row are one text
        ("name:^web-[13]$", {"web-1", "web-3"}),
        ("status:error", {"db-1", "batch-17"}),
        ("status=error name!=x", set()),
        ("!web !ci !db !www !edge !api !cache place:dfw", {"queue-1", "bastion-1"}),
        ("web!dfw", set()),
        ("age<2m status:build", {"web-7", "web-8", "web-9"}),
        ("age>=3y", {"www-1", "www-2", "www-3", "mail-1"}),
        ("locked:yes", {"bastion-1"}),
        ("place:ber flavor:xlarge age>8d status:shutoff", {"ci-9", "ci-10"}),
        ("address:10.20.4.7", {"web-6", "web-7"}),
        ("WEB-1", {"web-1"}),
        ("name:[", set()),  # no expression: looked for as it stands
    ],
)
async def test_every_form_of_filter(typed: str, names: set[str]) -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        await pilot.press("/")
        app.post_message(Paste(typed))
        await pilot.pause(0.05)
        await pilot.press("enter")
        index = app.main.pane.table.index
        assert {index.rows[key].name for key in index.order} == names
        assert f"/{typed}" in screen_text(app)
        await pilot.press("escape")
        assert len(index.order) == 29


def test_rebinding_tells_every_conflict() -> None:
    keymap = make_keymap((), {"zoom": "j", "nonsense": "x"})
    assert keymap.find("j", None) == "zoom"
    assert "j is zoom; down has lost it." in keymap.conflicts
    assert "There is nothing called nonsense to bind." in keymap.conflicts


async def test_conflicts_are_told_at_the_start_and_stand_in_the_help() -> None:
    async with running(sample(), (120, 40), keys={"zoom": "j", "theme": "k"}) as (app, pilot):
        text = screen_text(app)
        assert "j is zoom; down has lost it." in text and "There are 1 more." in text
        await pilot.press("?", *"G")
        await pilot.pause(0.05)
        lines = [span.text for line in app.screen._lines for span in line]  # type: ignore[attr-defined]
        assert "k is theme; up has lost it." in lines
        assert isinstance(app.screen, Pages) and not isinstance(app.screen, Pick)
