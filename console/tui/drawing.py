"""How a row of a table looks as a line of the terminal: production's gutter, cursor or mark, glyph, and its cells.

Most cells of a column look alike, so that each look is made once and shared by all rows that have it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from console.tui.banners import MARKED
from console.tui.columns import EDGE, NARROW_EDGE, Placed
from console.tui.paint import cut_end, cut_middle, cut_tail
from console.tui.spec import Cell, Cells
from console.tui.theme import Glyphs, Ink

KEPT = 5000  # looks of cells


class Painted(NamedTuple):
    """What is drawn of a row, to be compared with what was."""

    cells: Cells
    mood: tuple[str, str]
    bold: bool
    production: str  # its role, or ""


class Look(NamedTuple):
    """How a row stands out: the cursor is here, it is marked, and its mark warns."""

    here: bool = False
    marked: bool = False
    warned: bool = False


class Drawing:
    """Draws rows in the columns that are chosen."""

    def __init__(self, ink: Ink) -> None:
        self.ink = ink
        self.edge = EDGE
        self.columns: tuple[Placed, ...] = ()
        self._cells: dict[tuple[int, Cell, str, bool], Sequence[Segment]] = {}

    def forget(self) -> None:
        """Other columns, another theme: make all anew."""
        self._cells.clear()

    def draw(self, painted: Painted, look: Look, glyphs: Glyphs, width: int) -> Strip:
        """The row as a line of so many cells."""
        ground = "cursor" if look.here else "background"
        segments = self._lead(painted, look, glyphs, ground)
        for column in self.columns:
            bold = painted.bold and column.column.name == "name"
            segments += self._cell(column, painted.cells[column.number], ground, bold, glyphs)
        taken = self.columns[-1].x + self.columns[-1].size if self.columns else self.edge
        if taken < width:
            segments.append(Segment(" " * (width - taken), self.ink.style("text", ground)))
        strip = Strip(Segment.simplify(segments), max(taken, width))
        return strip if taken <= width else strip.crop(0, width)

    def _lead(self, painted: Painted, look: Look, glyphs: Glyphs, ground: str) -> list[Segment]:
        ink, (glyph, role) = self.ink, painted.mood
        mark = glyphs.cursor if look.here else " "
        if look.marked:
            mark = glyphs.beware if look.warned else glyphs.marked
        reverse = look.here and look.marked
        pointer = Segment(mark, ink.style("warn" if look.warned else "accent", ground, reverse=reverse))
        if self.edge == NARROW_EDGE:
            lead = pointer if look.here or look.marked else Segment(glyph, ink.style(role, ground))
            return [lead, Segment(" ", ink.style("text", ground))]
        gutter = Segment(
            glyphs.production if painted.production else " ", ink.style(painted.production or MARKED, ground)
        )
        return [gutter, pointer, Segment(f" {glyph} ", ink.style(role, ground))]

    def _cell(self, column: Placed, cell: Cell, ground: str, bold: bool, glyphs: Glyphs) -> Sequence[Segment]:
        known = self._cells.get((column.number, cell, ground, bold))
        if known is None:
            if len(self._cells) > KEPT:
                self._cells.clear()
            made = self._make(column, cell._replace(bold=cell.bold or bold), ground, glyphs)
            known = self._cells[column.number, cell, ground, bold] = tuple(made)
        return known

    def _make(self, column: Placed, cell: Cell, ground: str, glyphs: Glyphs) -> list[Segment]:
        gap = 0 if column is self.columns[-1] else 1
        room = column.size - gap
        right = cell.right
        text = _shorten(cell.text, room - (cell_len(right) + 1 if right else 0), column, glyphs.cut)
        style = self.ink.style(cell.role, ground, bold=cell.bold, strike=cell.strike)
        blank = self.ink.style("text", ground)
        pad = room - cell_len(text) - cell_len(right)
        if column.column.align == "right":
            return [Segment(" " * pad, blank), Segment(self.ink.text(text), style), Segment(" " * gap, blank)]
        segments = [Segment(self.ink.text(text), style)]
        if right:
            segments += [Segment(" " * pad, blank), Segment(right, self.ink.style(cell.right_role, ground))]
            pad = 0
        segments.append(Segment(" " * (pad + gap), blank))
        return segments


def _shorten(text: str, room: int, column: Placed, mark: str) -> str:
    if cell_len(text) <= room:
        return text
    if column.column.cut == "never":
        return "IPv6" if ":" in text else mark
    cut = {"middle": cut_middle, "head": cut_tail}.get(column.column.cut, cut_end)
    return cut(text, max(0, room), mark)
