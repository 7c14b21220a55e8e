"""A sheet: lines of text that repaint only where they differ. Header, Operations, footer and dialogs are sheets."""

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip

from console.tui.lines import Lines
from console.tui.paint import EMPTY, Line, to_strip
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
        width, height = self.size
        if not height or len(lines) != len(before):
            self.paint()
            return
        differ = [y for y in range(height) if _at(before, y + self.top) != _at(lines, y + self.top)]
        if differ:
            self.paint(*(Region(0, y, width, 1) for y in differ))

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


def _at(lines: Sequence[Line], number: int) -> Line:
    return lines[number] if 0 <= number < len(lines) else EMPTY
