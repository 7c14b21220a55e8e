"""What a sheet paints anew when its lines change: the spans that differ, and nothing that stands where it stood."""

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from console.tui.paint import Line, Span
from console.tui.sheet import Sheet, differing
from console.tui.theme import Ink, load_theme

NAME, ROOM, OLD, NEW = Span("lab", "strong"), Span("   "), Span("9s old", "muted"), Span("8s old", "muted")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ((NAME, ROOM, OLD), (NAME, ROOM, NEW), (6, (OLD,), (NEW,))),
        ((NAME, OLD, ROOM, OLD), (NAME, NEW, ROOM, OLD), (3, (OLD,), (NEW,))),
        ((OLD, NAME, OLD), (NEW, NAME, NEW), (0, (OLD, NAME, OLD), (NEW, NAME, NEW))),
        ((Span("界"), OLD), (Span("界"), NEW), (2, (OLD,), (NEW,))),
        ((NAME,), (NAME, OLD), (3, (), (OLD,))),
        ((NAME, OLD, OLD), (NAME, OLD), (9, (OLD,), ())),
        ((), (NAME,), (0, (), (NAME,))),
    ],
)
def test_what_differs_between_two_lines(old: Line, new: Line, told: tuple[int, Line, Line]) -> None:
    assert differing(old, new) == told


def test_a_role_alone_is_a_difference() -> None:
    assert differing((NAME,), (NAME._replace(role="error"),)) == (0, (NAME,), (NAME._replace(role="error"),))


class Noted(Sheet):
    """A sheet that notes what it has painted."""

    parts: list[tuple[int, int, Strip]] = []
    regions: list[Region] = []

    def paint_part(self, x: int, y: int, strip: Strip) -> None:
        self.parts.append((x, y, strip))

    def paint(self, *regions: Region) -> None:
        self.regions.extend(regions)


class Shown(App[None]):
    """No more than the sheet."""

    def compose(self) -> ComposeResult:
        yield Noted(Ink(load_theme("nocturne")))


async def test_a_part_is_painted_where_it_stands_in_its_line_and_all_of_it_where_others_move() -> None:
    app = Shown()
    async with app.run_test(size=(40, 3)):
        sheet = app.query_one(Noted)
        sheet.show([(NAME,), (NAME, ROOM, OLD, NAME)])
        sheet.parts, sheet.regions = [], []
        sheet.show([(NAME,), (NAME, ROOM, NEW, NAME)])
        ((x, y, strip),) = sheet.parts
        assert (x, y, strip.text, sheet.regions) == (6, 1, "8s old", [])
        assert list(sheet.render_line(1).crop(6, 12)) == list(strip)
        sheet.show([(NAME,), (NAME, ROOM, Span("10s old", "muted"), NAME)])
        assert (len(sheet.parts), sheet.regions) == (1, [Region(0, 1, 40, 1)])
