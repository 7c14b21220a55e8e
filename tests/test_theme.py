"""Themes: what every file must hold, and the floors of contrast below which a fact is not readable."""

import dataclasses
from pathlib import Path

import pytest
from rich.cells import cell_len

from console.errors import ConfigError
from console.model.status import Mood
from console.tui.theme import (
    ASCII,
    GROUNDS,
    ROLES,
    UNICODE,
    Ink,
    choose_theme,
    contrast,
    load_theme,
    read_theme,
    theme_files,
    wants_ascii,
)

NAMES = sorted(theme_files())
HEX = [name for name in NAMES if load_theme(name).kind == "hex"]
FACTS = ("muted", "accent", "ok", "busy", "warn", "error", "production")


def test_the_themes_of_the_design_are_there() -> None:
    assert {"nocturne", "vellum", "contrast", "mono", "ansi16"} <= set(NAMES)


@pytest.mark.parametrize("name", HEX)
def test_contrast_holds_its_floors(name: str) -> None:
    colours = load_theme(name).colours
    below = []
    for ground in GROUNDS:
        for role in ("text", "strong"):
            below += _below(colours, role, ground, 7.0)
        for role in FACTS:
            below += _below(colours, role, ground, 4.0 if ground == "cursor" else 4.5)
    for ground in ("background", "surface"):
        below += _below(colours, "stale", ground, 3.9) + _below(colours, "faint", ground, 3.0)
    below += _below(colours, "production", "tint", 4.5)
    assert below == []


def _below(colours: dict[str, str], role: str, ground: str, floor: float) -> list[str]:
    found = contrast(colours[role], colours[ground])
    return [] if round(found, 1) >= floor else [f"{role} on {ground}: {found:.2f} < {floor}"]


def test_contrast_is_the_measure_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_high_contrast_has_nothing_fainter_than_a_fact() -> None:
    colours = load_theme("contrast").colours
    assert colours["faint"] == colours["stale"] == colours["muted"]


@pytest.mark.parametrize("name", NAMES)
def test_every_role_has_a_style_on_every_ground(name: str) -> None:
    ink = Ink(load_theme(name))
    for role in ROLES:
        for ground in (*GROUNDS, "tint"):
            assert ink.style(role, ground, bold=True).bold


def test_faint_and_stale_become_muted_under_the_cursor() -> None:
    ink = Ink(load_theme("nocturne"))
    assert ink.style("faint", "cursor") == ink.style("stale", "cursor") == ink.style("muted", "cursor")


def test_mono_has_no_hue_and_says_by_weight() -> None:
    ink = Ink(load_theme("mono"))
    for role in ROLES:
        style = ink.style(role)
        assert style.color is None
        assert style.bgcolor is None
    assert ink.style("stale").dim
    assert ink.style("text", "cursor").reverse


def test_glyphs_take_one_cell_each() -> None:
    for glyphs in (UNICODE, ASCII):
        for field in dataclasses.fields(glyphs):
            text = getattr(glyphs, field.name)
            if field.name not in ("becomes", "up", "down"):
                assert cell_len(text) == 1, field.name
    assert all(getattr(ASCII, field.name).isascii() for field in dataclasses.fields(ASCII))


def test_every_mood_has_its_own_glyph() -> None:
    for glyphs in (UNICODE, ASCII):
        assert len({glyphs.of(mood)[0] for mood in Mood}) == len(Mood)


def test_no_color_and_poor_terminals_outrank_the_settings() -> None:
    assert choose_theme("vellum", environment={"TERM": "xterm-256color"}).name == "vellum"
    assert choose_theme("vellum", environment={"NO_COLOR": "1"}).kind == "mono"
    assert choose_theme("vellum", environment={"TERM": "vt100"}).kind == "mono"
    assert choose_theme("vellum", environment={"TERM": "linux"}).kind == "ansi"


def test_ascii_where_the_terminal_cannot_be_trusted() -> None:
    assert not wants_ascii({"TERM": "xterm", "LANG": "en_US.UTF-8"})
    assert wants_ascii({"TERM": "xterm", "LANG": "ja_JP.UTF-8"})
    assert wants_ascii({"TERM": "xterm", "LC_ALL": "C"})
    assert wants_ascii({"TERM": "linux", "LANG": "en_US.UTF-8"})


def test_a_users_theme_wins_and_a_broken_one_is_named(tmp_path: Path) -> None:
    own = (theme_files()["nocturne"]).read_text().replace("#a3adff", "#ffffff")
    (tmp_path / "nocturne.toml").write_text(own)
    assert load_theme("nocturne", [tmp_path]).colours["accent"] == "#ffffff"
    broken = tmp_path / "mine.toml"
    broken.write_text('name = "mine"\n[colours]\ntext = "#ffffff"\n')
    with pytest.raises(ConfigError, match=r"mine\.toml: no colour for background"):
        read_theme(broken)
    with pytest.raises(ConfigError, match="There is no theme 'none'"):
        load_theme("none")
