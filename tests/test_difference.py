"""The differences lead a terminal to the same picture as writing all of it; a terminal emulator is the judge.

Each run makes its own random screens; the seed stands in the failure, and NOVADECK_SEED repeats it.
"""

import os
import random
from collections.abc import Iterator
from functools import cache

import pytest
from emulator import Stream, Terminal, shown
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from console.tui.difference import Able, Screen
from console.tui.pen import Cell, Cells, Pen, change

SEED = int(os.environ.get("NOVADECK_SEED", random.SystemRandom().randrange(10**9)))
SCREENS = int(os.environ.get("NOVADECK_SCREENS", "3000"))
ALL = Able(True, True, True, True, True)
KINDS = {
    "xterm": ALL,
    "linux": ALL._replace(repeats=False),
    "tmux": Able(erases_line=True, scrolls=True),
    "vt100": Able(erases_line=True),
    "nothing": Able(),
}
PENS = [
    Pen(),
    Pen((), "38;2;200;200;200", "48;2;16;20;24"),
    Pen(("1",), "31", "48;2;16;20;24"),
    Pen(("1", "4"), "32", ""),
    Pen(("7",), "", "44"),
    Pen((), "38;5;120", ""),
    Pen(("4",), "", "48;2;16;20;24"),
]
WORDS = ["web-1", "ACTIVE", "─────────────", "  ", "            ", "日本語", "é", "e\u0301a", "|", "한글", "x" * 9, "•"]


@cache
def alone(cell: Cell) -> tuple[tuple[object, ...], ...]:
    """What a user sees of this cell where it is written plainly."""
    terminal = Terminal(4, 1)
    Stream(terminal).feed(change(None, cell.pen) + cell.text)
    return tuple(shown(terminal)[0][: cell_len(cell.text)])


@cache
def cells_of(text: str, pen: Pen) -> list[Cell]:
    """Cells of a text, made as those of a strip are."""
    codes = change(None, pen)
    return Cells(lambda style, x: f"{codes}{x}").of([Segment(text, Style(bold=True, meta={"pen": str(pen)}))])


class Picture:
    """A random screen that changes in random ways, as lines of cells."""

    def __init__(self, chance: random.Random, width: int, height: int) -> None:
        self.chance, self.width, self.height = chance, width, height
        self.lines = [self.line() for _ in range(height)]

    def line(self) -> list[Cell]:
        cells: list[Cell] = []
        ground = self.chance.choice(PENS[:2])
        while len(cells) < self.width:
            cells += cells_of(self.chance.choice(WORDS), self.chance.choice([ground, self.chance.choice(PENS)]))
        cut = cells[: self.width]
        return cut if len(cells) == self.width or cells[self.width].text else self.line()

    def change(self) -> None:
        """Replace some cells or lines, scroll a part, or leave all as it is."""
        for _ in range(self.chance.randrange(4)):
            what = self.chance.choice(("cells", "cells", "line", "scroll", "scroll", "all"))
            if what == "cells":
                self._cells()
            elif what == "line":
                self.lines[self.chance.randrange(self.height)] = self.line()
            elif what == "scroll":
                self._scroll()
            else:
                self.lines = [self.line() for _ in self.lines]

    def _cells(self) -> None:
        y, x = self.chance.randrange(self.height), self.chance.randrange(self.width - 1)
        line = self.lines[y]
        new = cells_of(self.chance.choice(WORDS), self.chance.choice(PENS))[: self.width - x]
        end = x + len(new)
        edges = (line[x].text, line[end].text if end < self.width else "x", new[-1].text)
        if all(edges) and len(cells_of(new[-1].text, PENS[0])) == 1:
            line[x:end] = new

    def _scroll(self) -> None:
        top = self.chance.randrange(self.height - 1)
        bottom = self.chance.randrange(top + 1, self.height + 1)
        by = self.chance.choice((-3, -1, 1, 1, 2, 5))
        part = self.lines[top:bottom]
        fresh = [self.line() for _ in range(min(abs(by), len(part)))]
        part = part[by:] + fresh if by > 0 else fresh + part[:by]
        self.lines[top:bottom] = part[: bottom - top]

    def seen(self) -> list[list[tuple[object, ...]]]:
        """What a user shall see of it."""
        return [[part for cell in line if cell.text for part in alone(cell)] for line in self.lines]

    def whole(self) -> str:
        """All of it, written plainly: each line from its first to its last cell."""
        lines = []
        for y, line in enumerate(self.lines):
            lines.append(f"\x1b[{y + 1};1H" + "".join(change(None, cell.pen) + cell.text for cell in line))
        return "\x1b[0m\x1b[2J" + "".join(lines)


def walk(seed: int, kind: str, screens: int) -> Iterator[tuple[int, int]]:
    """Go through random screens, comparing each; gives the bytes of both ways."""
    chance = random.Random(f"{seed} {kind}")
    width, height = chance.choice(((20, 6), (30, 8), (40, 10)))
    picture, screen = Picture(chance, width, height), Screen(width, height, KINDS[kind])
    ours, plain = Terminal(width, height), Terminal(width, height)
    stream = Stream(ours)
    stream.feed("rubbish from before \x1b[31;44m that nobody \x1b[2;2H knows\x1b[0m")
    for number in range(screens):
        if chance.random() < 0.02:
            stream.feed("\x1b[41mwritten by somebody else\x1b[0m")
            screen.forget()
        for y, line in enumerate(picture.lines):
            cut = chance.randrange(width)
            cut -= not line[cut].text
            screen.put(0, y, line[:cut])
            screen.put(cut, y, line[cut:])
        frame, whole = screen.frame(), picture.whole()
        stream.feed(frame)
        assert shown(ours) == picture.seen(), f"screen {number} of NOVADECK_SEED={seed} on {kind}: {frame!r}"
        assert screen.frame() == ""
        if number % 20 == 0:
            Stream(plain).feed(whole)
            assert shown(plain) == shown(ours)
        yield len(frame.encode()), len(whole.encode())
        picture.change()


@pytest.mark.parametrize("kind", KINDS)
def test_random_screens_end_as_if_all_had_been_written(kind: str) -> None:
    print(f"NOVADECK_SEED={SEED}")
    sizes = [size for part in range(10) for size in walk(SEED + part, kind, SCREENS // 10 // len(KINDS))]
    assert sum(ours for ours, _ in sizes) < 0.8 * sum(plain for _, plain in sizes)
