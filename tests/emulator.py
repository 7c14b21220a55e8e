"""A terminal emulator for tests, and programs that run in it: pyte, with what it lacks of a terminal of today."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyte
from rich.cells import cell_len

UNKNOWN = re.compile(r"\x1b\[[<>=][0-9;]*[a-zA-Z]")  # the kitty keyboard's, which pyte takes for others
PATIENCE = 30.0
OUTER = ("NO_COLOR", "TMUX", "COLORTERM", "COLUMNS", "LINES")  # what holds for the terminal that the tests run in


class Terminal(pyte.Screen):
    """A terminal that also repeats characters and clears in colour, which pyte's own does not."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(width, height)
        self.last = ""
        self.reset_mode(7, private=True)  # no line wrap, as Textual sets it

    def draw(self, data: str) -> None:
        self.last = data[-1:]
        super().draw(data)

    def erase_in_display(self, how: int = 0, *args: object, **kwargs: object) -> None:
        super().erase_in_display(how, *args, **kwargs)
        if how == 2:  # in the ground of now, also where nothing was ever written
            for y in range(self.lines):
                for x in range(self.columns):
                    self.buffer[y][x] = self.cursor.attrs

    def repeat(self, count: int = 1) -> None:
        for _ in range(count):
            super().draw(self.last)


class Stream(pyte.Stream):
    """pyte's parser, with the one sequence more."""

    csi = pyte.Stream.csi | {"b": "repeat"}
    events = pyte.Stream.events | {"repeat"}


def shown(terminal: Terminal) -> list[list[tuple[object, ...]]]:
    """What a user sees: where nothing is written neither foreground nor weight, and no half of a wide character."""
    return [[_seen(terminal, x, y) for x in range(terminal.columns)] for y in range(terminal.lines)]


def _seen(terminal: Terminal, x: int, y: int) -> tuple[object, ...]:
    line = terminal.buffer[y]
    cell = line[x]
    data = cell.data
    if (data == "" and not (x and _wide(line[x - 1].data))) or (
        _wide(data) and x + 1 < terminal.columns and line[x + 1].data
    ):
        data = " "
    lined = cell.underscore or cell.reverse or cell.strikethrough
    if data == " " and not lined:
        return " ", cell.bg
    return (data, cell.fg if data or lined else "", cell.bg, cell.underscore, cell.reverse)


def _wide(data: str) -> bool:
    return data != "" and cell_len(data[0]) == 2


class Program:
    """A program in a terminal that draws what it is sent, and answers where its cursor stands."""

    def __init__(self, pid: int, fd: int, width: int, height: int, answers: bool) -> None:
        self.pid, self.fd, self.answers = pid, fd, answers
        self.screen = Terminal(width, height)
        self.stream = Stream(self.screen)
        self.raw = b""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode

    def read(self, seconds: float = 0.05, most: int = 65536) -> int:
        """Draw what comes within that time; how many bytes, -1 at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return 0
        try:
            data = os.read(self.fd, most)
        except OSError:
            return -1
        self.raw += data
        self.stream.feed(UNKNOWN.sub("", self._decode(data)))
        if self.answers:
            for _ in range(data.count(b"\x1b[6n")):
                os.write(self.fd, b"\x1b[%d;%dR" % (self.screen.cursor.y + 1, self.screen.cursor.x + 1))
        return len(data) or -1

    def until(self, holds: str | Callable[[str], object]) -> None:
        """Draw until the screen has this text, or this holds of it, and nothing more comes."""
        end, size = time.monotonic() + PATIENCE, 0
        while time.monotonic() < end:
            size = self.read()
            there = holds in self.text() if isinstance(holds, str) else holds(self.text())
            if there and size <= 0:
                return
            if size < 0:
                break
        how = "it ended" if size < 0 else f"it runs, and its last bytes are {self.raw[-200:]!r}"
        raise AssertionError(f"never: {holds}; {how}\n{self.text()}")

    def text(self) -> str:
        """What the screen shows, as text."""
        lines = (self.screen.buffer[y] for y in range(self.screen.lines))
        return "\n".join("".join(line[x].data for x in range(self.screen.columns)).rstrip() for line in lines)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.fd, keys.encode())

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(height, width)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        while self.read(1.0) >= 0:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def program(
    argv: Sequence[str], width: int = 80, height: int = 24, *, answers: bool = True, **environment: str
) -> Iterator[Program]:
    """Run Python with these arguments in a terminal of that size."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in OUTER}
        told = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | environment
        os.execve(sys.executable, [sys.executable, *argv], kept | told)
    try:
        yield Program(pid, fd, width, height, answers)
    finally:
        os.close(fd)
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
