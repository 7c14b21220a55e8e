"""Themes: what every file must hold, and the floors of contrast below which a fact is not readable."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
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
    depth,
    load_theme,
    read_theme,
    theme_files,
    wants_ascii,
)
from console.tui.tones import palette
from console.tui.wardrobe import Wardrobe

NAMES = sorted(theme_files())
HEX = [name for name in NAMES if load_theme(name).kind == "hex"]
FACTS = ("muted", "accent", "ok", "busy", "warn", "error", "production")


def test_the_themes_of_the_design_are_there() -> None:
    assert {"nocturne", "vellum", "contrast", "safe", "mono", "ansi16"} <= set(NAMES)
    assert len(NAMES) >= 8
    assert {load_theme(name).dark for name in HEX} == {True, False}
    assert all(load_theme(name).about for name in NAMES)


@pytest.mark.parametrize("tones", ["full", "256"])
@pytest.mark.parametrize("name", HEX)
def test_contrast_holds_its_floors(name: str, tones: str) -> None:
    colours = Wardrobe(colours=tones).load(name).colours
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


def _below(colours: Mapping[str, str], role: str, ground: str, floor: float) -> list[str]:
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


@pytest.mark.parametrize("name", HEX)
def test_grounds_stay_apart_in_256_colours(name: str) -> None:
    full, fewer = load_theme(name).colours, Wardrobe(colours="256").load(name).colours
    assert set(fewer.values()) <= set(palette())
    grounds = [fewer[ground] for ground in ("background", "surface", "cursor", "tint")]
    assert len(set(grounds)) == 4
    assert fewer["raised"] != fewer["background"] or contrast(full["raised"], full["background"]) < 1.05


# How each of the three kinds of colour blindness mixes red, green and blue of linear light (Machado et al., 2009).
BLIND = {
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("tones", ["full", "256"])
def test_the_safe_theme_keeps_statuses_apart_for_the_colour_blind(kind: str, tones: str) -> None:
    colours = Wardrobe(colours=tones).load("safe").colours
    seen = [_lab(_seen(colours[role], BLIND[kind])) for role in ("ok", "busy", "warn", "error")]
    assert min(math.dist(one, other) for one, other in itertools.combinations(seen, 2)) > 20


def _seen(colour: str, mix: tuple[tuple[float, ...], ...]) -> list[float]:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return [min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in mix]


def _lab(rgb: list[float]) -> tuple[float, float, float]:
    """The place of a linear colour in CIE L*a*b*, where distances are as the eye sees them."""
    red, green, blue = rgb
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def test_the_depth_of_a_terminal() -> None:
    assert depth({"TERM": "xterm-256color", "COLORTERM": "truecolor"}) == "full"
    assert depth({"TERM": "tmux-256color"}) == depth({"TERM": "xterm-kitty"}) == "256"
    assert depth({"TERM": "xterm"}) == depth({"TERM": "linux"}) == "16"
    assert depth({"TERM": "vt100", "COLORTERM": "truecolor"}) == "none"
    assert depth({"TERM": "xterm-256color", "NO_COLOR": "1"}) == "none"


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
    broken.write_text(own.replace("#ffffff", "white"))
    with pytest.raises(ConfigError, match=r"mine\.toml: accent must be like #0f1218"):
        read_theme(broken)
    broken.write_text('kind = "neon"')
    with pytest.raises(ConfigError, match=r"mine\.toml: kind must be one of hex, ansi, mono"):
        read_theme(broken)
    with pytest.raises(ConfigError, match="There is no theme 'none'"):
        load_theme("none")


def test_every_mark_of_our_own_has_a_plain_one() -> None:
    root = Path(__file__).parents[1] / "console"
    texts = [path.read_text(encoding="utf-8") for path in (*(root / "tui").glob("*.py"), root / "replay.py")]
    marks = {letter for text in texts for letter in text if not letter.isascii()}
    alone = {glyph for glyph in dataclasses.astuple(UNICODE) if isinstance(glyph, str)} - set("•━✓✕…→—·↑↓")
    ink = Ink(load_theme("mono"), ascii=True)
    assert {mark for mark in marks - alone if not ink.text(mark).isascii()} == set()  # the others are ASCII's own
