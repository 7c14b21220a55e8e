"""An app of random coloured lines, run by the tests of the terminal writer in a terminal of its own.

`python writer_app.py SEED`: n draws another picture, c draws other parts of some lines, p pushes a dialog over it, u
draws another one under the dialog, o takes it away, s lends the terminal to a shell command, z stops the process as
ctrl+z does, f floods it with pictures until the next key, a sends all anew, q leaves.
"""

import os
import random
import subprocess
import sys
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from console.tui import lines
from console.tui.writer import SparingApp

WORDS = ("web-1 ", "ACTIVE", "   ", "            ", "日本", "é", "한글 ", "e\u0301", "|", "────────", "•", "x")
COLOURS = ("#c8c8c8", "red", "#12ab34", "rgb(1,2,3)", "bright_blue", "color(120)")


class Lines(Widget):
    """Random lines that scroll and change."""

    DEFAULT_CSS = "Lines { height: 1fr; width: 1fr; background: #101418; }"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self.lines: list[Strip] = []
        self.number = 0

    def line(self) -> Strip:
        segments, size = [], 0
        while size < 80:
            word = self.chance.choice(WORDS)
            style = Style.parse(f"{self.chance.choice(COLOURS)} on #101418")
            if self.chance.random() < 0.2:
                style += Style(bold=self.chance.random() < 0.5, underline=True, reverse=self.chance.random() < 0.5)
            segments.append(Segment(word, style))
            size += segments[-1].cell_length
        return Strip(segments, size)

    def next(self) -> None:
        """Another picture: a few cells, a few lines, or all moved."""
        self.number += 1
        height = self.fill()
        what = self.chance.choice(("line", "lines", "scroll", "back", "all"))
        if what == "line":
            self.again(self.part())
            return
        if what == "lines":
            for _ in range(3):
                self.lines[self.chance.randrange(height)] = self.line()
        elif what == "scroll":
            self.lines = [*self.lines[2:], self.line(), self.line()]
        elif what == "back":
            self.lines = [self.line(), *self.lines[:-1]]
        else:
            self.lines = [self.line() for _ in range(height)]
        self.again()

    def fill(self) -> int:
        """Have as many lines as there is room for; how many that is."""
        height = max(2, self.size.height)
        self.lines += [self.line() for _ in range(height - len(self.lines))]
        return height

    def part(self) -> Region:
        """Another part of a line, and nothing else of it: whatever paints the whole line paints the same."""
        at, begin, size = (
            self.chance.randrange(self.size.height),
            self.chance.randrange(10),
            self.chance.randrange(5, 40),
        )
        before, new = self.lines[at], self.line()
        self.lines[at] = Strip.join([before.crop(0, begin), new.crop(begin, begin + size), before.crop(begin + size)])
        return Region(begin, at, size, 1)

    def again(self, *regions: Region) -> None:
        """Have these parts painted, or all."""
        self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        blank = Strip.blank(self.size.width, Style.parse("on #101418"))
        return self.lines[y].adjust_cell_length(self.size.width) if y < len(self.lines) else blank


class Direct(lines.Lines, Lines):
    """The same lines, now and then painted past Textual."""

    def again(self, *regions: Region) -> None:
        """Have these parts painted, or all, one way or the other."""
        (self.paint if self.chance.random() < 0.7 else self.refresh)(*regions)

    def pieces(self) -> None:
        """Other parts of some lines, each painted for itself."""
        self.number += 1
        if len(self.lines) < self.fill():
            self.refresh()
        for _ in range(6):
            x, y, size, _ = self.part()
            self.paint_part(x, y, self.render_line(y).crop(x, x + size))


class Over(ModalScreen[None]):
    """Something over the lines."""

    BINDINGS = [Binding("o", "app.go('out')"), Binding("u", "app.go('under')")]
    CSS = "Over { align: center middle; } Over Lines { width: 31; height: 7; border: round green; }"

    def compose(self) -> ComposeResult:
        lines = Lines(5)
        lines.lines = [lines.line() for _ in range(7)]
        yield lines


class Told(Widget):
    """One line that says which picture this is, so that a reader knows when it is whole."""

    DEFAULT_CSS = "Told { height: 1; background: #101418; }"
    words = "picture 0"

    def render(self) -> str:
        return self.words


class Pictures(SparingApp[None]):
    """The app; all its keys are told in the module's docstring."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [
        Binding("n", "go('next')"),
        Binding("c", "go('pieces')"),
        Binding("p", "go('over')"),
        Binding("o", "go('out')"),
        Binding("s", "go('shell')"),
        Binding("z", "suspend_process"),
        Binding("a", "go('anew')"),
        Binding("f", "go('flood')"),
        Binding("q", "quit"),
    ]

    def __init__(self, seed: int, **given: Any) -> None:
        super().__init__(**given)
        self.lines, self.told, self.flood = Direct(seed), Told(), False

    def compose(self) -> ComposeResult:
        yield self.told
        yield self.lines

    def tell(self) -> None:
        self.told.words = f"picture {self.lines.number} {self.lines.number}"
        self.told.refresh()

    def action_go(self, what: str) -> None:
        self.flood = False
        if what in ("next", "under"):
            self.lines.next()
            self.tell()
        elif what == "pieces":
            self.lines.pieces()
            self.tell()
        elif what == "over":
            self.push_screen(Over())
        elif what == "out":
            self.pop_screen()
        elif what == "shell":
            with self.suspend():
                subprocess.run(["sh", "-c", "echo lent; sleep 0.2"], check=True)
        elif what == "anew":
            self.send_all()
            self.refresh(layout=True)
        elif what == "flood":
            self.flood = True
            self.set_timer(0.001, self.pour)

    def pour(self) -> None:
        if self.flood:
            self.lines.lines = [self.lines.line() for _ in range(self.size.height)]
            self.lines.number += 1
            self.lines.again()
            self.tell()
            self.set_timer(0.001, self.pour)


if __name__ == "__main__":
    app: App[None] = Pictures(int(sys.argv[1]))
    app.run(mouse=False)
    print("left in order", os.environ.get("NOVADECK_WRITER", ""))
