"""A sheet: lines of text that repaint only where they differ. Header, Operations, footer and dialogs are sheets."""

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip

from console.tui.lines import Lines
from console.tui.paint import EMPTY, Line, to_strip, width
from console.tui.theme import Ink


class Sheet(Lines):
    """Lines of spans; `show` compares them with what stands there."""

    def __init__(self, ink: Ink, *, id: str | None = None, classes: str = "sheet", ground: str = "background") -> None:
        super().__init__(id=id, classes=classes)
        self.ink, self.ground = ink, ground
        self.lines: list[Line] = []
        self.top = 0
        self._strips: dict[tuple[Line, int], Strip] = {}

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these lines; only those that differ are painted."""
        lines = list(lines)
        before, self.lines = self.lines, lines
        if lines == before:
            return
        total, height = self.outer_size
        if not height or len(lines) != len(before):
            self.paint()
            return
        for y in range(height):
            old, new = _at(before, y + self.top), _at(lines, y + self.top)
            if old != new:
                self._paint_difference(y, old, new, total)

    def _paint_difference(self, y: int, old: Line, new: Line, total: int) -> None:
        """Paint the spans that differ; the whole line where others have moved for them."""
        x, was, now = differing(old, new)
        size = width(now)
        if size != width(was) or x + size > total:
            self.paint(Region(0, y, total, 1))
        else:
            self.paint_part(x, y, to_strip(now, self.ink, size, self.ground))

    def scroll_by(self, lines: int) -> None:
        """Move what is seen by so many lines."""
        self.scroll_at(self.top + lines)

    def scroll_at(self, top: int) -> None:
        """Show the lines from this one on."""
        top = max(0, min(top, len(self.lines) - self.size.height))
        if top != self.top:
            self.top = top
            self.paint()

    def restyle(self) -> None:
        """Draw all again, with another theme."""
        self._strips.clear()
        self.paint()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line, width = _at(self.lines, y + self.top), self.outer_size.width
        strip = self._strips.get((line, width))
        if strip is None:
            if len(self._strips) > 500:
                self._strips.clear()
            strip = self._strips[line, width] = to_strip(line, self.ink, width, self.ground)
        return strip


def differing(old: Line, new: Line) -> tuple[int, Line, Line]:
    """The cell from which on two lines differ, and the spans of each up to where they are the same again."""
    shorter, first, last = min(len(old), len(new)), 0, 0
    while first < shorter and old[first] == new[first]:
        first += 1
    while last < shorter - first and old[-1 - last] == new[-1 - last]:
        last += 1
    return width(new[:first]), old[first : len(old) - last], new[first : len(new) - last]


def _at(lines: Sequence[Line], number: int) -> Line:
    return lines[number] if 0 <= number < len(lines) else EMPTY
