"""Lists to choose from: what cannot be done looks so, and what is said of a choice can be read in whole."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from standin import DFW, StandIn, flavors, images, sample, server
from still_screen import running, screen_text

from console.tui.asking import choices_of
from console.tui.paint import Span
from console.tui.pickers import Palette, Pick, shorter
from console.tui.theme import load_theme, theme_files
from console.tui.theming import HEADS


def roles(palette: Palette, title: str) -> set[str]:
    """The roles in which an entry's key and title are drawn."""
    entry = next(entry for entry in palette.found if entry[1] == title)
    return {span.role for span in palette._row(entry, False) if span.text.strip() in (entry[1], entry[2])}


async def test_the_palette_dims_what_would_be_refused() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        await pilot.press(":")
        palette = app.screen
        assert isinstance(palette, Palette)
        assert roles(palette, "resize") == {"faint"}  # the first row is in ERROR: its build has failed
        assert roles(palette, "explain") == {"accent", "text"}
        await pilot.press(*"resize")
        assert Span("enter", "faint") in palette.answer()
        await pilot.press("ctrl+u", *"explain")
        assert Span("enter", "accent", True) in palette.answer()


async def test_the_palette_tells_in_whole_what_its_line_cuts() -> None:
    async with running(sample(), (80, 24)) as (app, pilot):
        await pilot.press(":", *"incident")
        text = screen_text(app)
        assert "Write what is known and was done into one file, without secrets." not in text.splitlines()
        assert "into one file, without secrets." in text and "esc close" in text


async def test_the_palette_reads_words_of_what_is_said_and_not_letters_from_here_and_there() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        await pilot.press(":", *"vol")
        palette = app.screen
        assert isinstance(palette, Palette)
        titles = [entry[1] for entry in palette.found]
        assert "new server" in titles, "it may boot from a volume"
        assert not {"zoom", "its servers", "confirm resize"} & set(titles)
        await pilot.press("ctrl+u", *"rbld")
        assert palette.found[0][1] == "rebuild", "of a title a few letters will do"


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (60, "quota: needs 7 more vcpu, 6 are left"),
        (30, "quota: needs 7 more vcpu"),
        (10, "quota"),
        (3, "quota"),
    ],
)
def test_a_reason_loses_its_last_clauses_first(room: int, words: str) -> None:
    assert shorter("quota: needs 7 more vcpu, 6 are left", room) == words


async def test_pages_and_ends_of_a_list() -> None:
    row = server("web-1", "ACTIVE", DFW, 60, "m1.tiny", "debian-12")
    async with running(StandIn([row, *flavors()], (DFW,)), (80, 24)) as (app, pilot):
        await pilot.press("f")
        await pilot.pause(0.1)
        pick = app.screen
        assert isinstance(pick, Pick)
        first = pick.at
        await pilot.press("G")
        last = pick.at
        assert last > first and pick.choices[last].fits
        await pilot.press("g")
        assert pick.at <= first
        await pilot.press("pagedown")
        assert pick.at > first
        await pilot.press("/", "G")  # while a name is looked for, letters are letters
        assert pick.finding is not None and pick.finding.text == "G"


@pytest.mark.parametrize("name", sorted(theme_files()))
def test_what_a_theme_says_of_itself_fits_80_columns(name: str) -> None:
    assert 0 < len(load_theme(name).about) <= 70 - 4 - 3 - sum(size for _, size, _ in HEADS)


async def test_no_reason_of_a_resize_is_cut_in_a_word_at_80_columns() -> None:
    row = server("web-1", "ACTIVE", DFW, 60, "m1.small", "debian-12")
    async with running(StandIn([row, *flavors()], (DFW,)), (80, 24)) as (app, pilot):
        await pilot.press("f")
        await pilot.pause(0.1)
        text = "\n".join(line for line in screen_text(app).splitlines() if "▌" in line)
        assert "disk too small" in text and "…" not in text
        assert "No disk shrinks: replace makes an image, and builds anew from it." in text


def test_base_images_stand_in_the_order_that_people_look_for() -> None:
    names = ("CentOS 10", "alpine", "CentOS 9", "debian-12")
    found = [replace(images()[1], name=name) for name in names]
    choices = choices_of(found, SimpleNamespace(kind="image"), lambda row: "")
    assert [choice.value.name for choice in choices] == ["alpine", "CentOS 9", "CentOS 10", "debian-12"]
