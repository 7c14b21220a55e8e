"""A picture of each theme: which colours, and of which roles, every cell of the screen has.

Each file in `screens/themes` has the cells of two screens as letters, and what each letter stands for. A colour that
goes to a wrong role, a role that is drawn in a wrong place, and a theme that is changed all differ from what is kept.
After a wanted change: `SCREENS=write pytest tests/test_theme_pictures.py`, and read the difference before it is kept.
"""

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from standin import sample
from still_screen import running, screen_text
from test_screens import busy, kept_or_written, still_actions

from console.tui.theme import GROUNDS, ROLES, Ink, Theme, load_theme, theme_files

FOLDER = Path(__file__).parent / "screens" / "themes"
NAMES = sorted(theme_files())
SIZE = (110, 52)
LETTERS = string.ascii_letters + string.digits + "!#$%&*+=?@<>^~|:;"
__all__ = ["still_actions"]  # a fixture: the same actions in every picture


async def drawn(theme: str) -> list[list[Any]]:
    """Two screens in this theme: operations under a table with marks and a refusal, and a grave question over it."""
    found = []
    async with running(sample(), SIZE, theme) as (app, pilot):
        busy(app)
        app.main.tick()
        await pilot.press("j", "j", "space", "f")
        await pilot.pause(0.05)
        found.append(_strips(app))
        await pilot.press("escape", "g", "D")
        await pilot.pause(0.05)
        assert "once more" not in screen_text(app) and "Delete" in screen_text(app)
        found.append(_strips(app))
    return found


def _strips(app: Any) -> list[Any]:
    return list(app.screen._compositor.render_strips(app.size))[: SIZE[1]]


def told(style: Style | None, theme: Theme) -> str:
    """A style in words: the colours, the roles that have them, and the weights."""
    if style is None:
        return "nothing"
    marks = ("bold", "dim", "underline", "strike", "reverse")
    words = [*_colours(style, theme), *(mark for mark in marks if getattr(style, mark))]
    return " ".join(words) or "plain"


def _colours(style: Style, theme: Theme) -> Sequence[str]:
    fore = style.color.name if style.color else "default"
    back = style.bgcolor.name if style.bgcolor else "default"
    roles = "/".join(role for role in ROLES if theme.colours.get(role) == fore)
    grounds = "/".join(ground for ground in (*GROUNDS, "tint") if theme.colours.get(ground) == back)
    return [f"{fore} {roles}".strip(), "on", f"{back} {grounds}".strip()]


def picture(screens: list[list[Any]], theme: Theme) -> str:
    """All cells as letters, and the legend."""
    legend: dict[str, str] = {}
    lines = []
    for strips in screens:
        for strip in strips:
            line = ""
            for segment in strip:
                words = told(segment.style, theme)
                line += legend.setdefault(words, LETTERS[len(legend)]) * segment.cell_length
            lines.append(line)
        lines.append("")
    return "\n".join([*lines, *(f"{letter}  {words}" for words, letter in legend.items())])


@pytest.mark.parametrize("name", NAMES)
async def test_each_theme_is_worn_by_every_cell(name: str) -> None:
    kept_or_written(FOLDER / f"{name}.txt", picture(await drawn(name), load_theme(name)))


def test_every_picture_is_of_a_theme() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(NAMES)


def test_the_pictures_show_every_role_and_every_ground() -> None:
    for name in ("nocturne", "vellum"):
        text = (FOLDER / f"{name}.txt").read_text()
        legend = [line for line in text.splitlines() if " on " in line]
        assert [role for role in ROLES if not any(f" {role} on " in line for line in legend)] == []
        for ground in (*GROUNDS, "tint"):
            assert any(ground in line.partition(" on ")[2] for line in legend), ground


def test_two_colours_that_change_places_are_another_picture() -> None:
    theme = load_theme("moss")
    swapped = Theme(**vars(theme) | {"colours": {**theme.colours, "ok": theme.colours["error"]}})
    styles = [Ink(one).style("ok") for one in (theme, swapped)]
    assert told(styles[0], theme) != told(styles[1], swapped) and "ok" in told(styles[0], theme)
