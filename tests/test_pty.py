"""The screen in a real terminal, as pyte draws it: it paints, it is left in order, and a bug restores the terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest

TESTS = Path(__file__).parent
APP = """
import sys
sys.path.insert(0, {tests!r})
from standin import opened, sample
from console.tui.app import run
heavy = {{"aiohttp", "asyncssh", "openstack", "keystoneauth1"}} & set(sys.modules)
assert not heavy, heavy
{body}
"""
SHOW = "print('answer', run(lambda: opened(sample()), theme={theme!r}))"
BREAK = """
def broken():
    raise ZeroDivisionError('a bug of ours')
run(broken)
"""
LATE = """
from console.tui.feed import Fed
def broken(screen):
    raise ZeroDivisionError('a bug that takes a second')
Fed.draw_time = broken
run(lambda: opened(sample()))
"""


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, pid: int, fd: int, width: int, height: int) -> None:
        self.pid, self.fd = pid, fd
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""

    @classmethod
    @contextmanager
    def of(cls, words: Sequence[str], width: int, height: int, **environment: str) -> Iterator["Terminal"]:
        """A command in a terminal of that size, until the block ends."""
        pid, fd = pty.fork()
        if pid == 0:
            kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX", "COLORTERM")}
            told = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | environment
            os.execvpe(words[0], words, kept | told)
        found = cls(pid, fd, width, height)
        found.resize(width, height)
        try:
            yield found
        finally:
            os.close(fd)
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass

    def resize(self, width: int, height: int) -> None:
        """Make it another size."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def read(self, seconds: float = 0.2) -> bool:
        """Take in what it writes; whether it may write more."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.raw += data
        self.stream.feed(data.replace(b"\x1b[>25u", b"").replace(b"\x1b[<u", b"").replace(b"\x1b[>1u", b""))
        return bool(data)

    def until(self, text: str) -> None:
        """Read until the screen shows the text."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if text in self.text():
                return
            if not self.read():
                break
        assert text in self.text(), self.text()

    def until_sent(self, data: bytes) -> None:
        """Read until these bytes have come."""
        end = time.monotonic() + 60
        while data not in self.raw and time.monotonic() < end and self.read():
            pass
        assert data in self.raw, self.raw[-200:]

    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.fd, keys.encode())

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        while self.read(1.0):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def terminal(body: str, width: int = 100, height: int = 30, **environment: str) -> Iterator[Terminal]:
    """Run the app in a terminal of that size."""
    words = [sys.executable, "-c", APP.format(tests=str(TESTS), body=body)]
    with Terminal.of(words, width, height, **environment) as found:
        yield found


def test_it_paints_moves_and_is_left_in_order() -> None:
    with terminal(SHOW.format(theme="nocturne")) as one:
        one.until("cache-1")
        one.type("jj")
        one.until("▸ ◆ web-2")
        one.type("/")
        one.type("name:cache\r")
        one.until("2 of 29")
        one.type("q")
        one.until("answer None")
        assert one.ended() == 0
        assert b"\x1b[?1049l" in one.raw
        assert b"\x1b[?25h" in one.raw


def test_the_mouse_is_the_terminals_while_text_is_read() -> None:
    with terminal(SHOW.format(theme="nocturne")) as one:
        one.until("cache-1")
        assert b"\x1b[?1000h" in one.raw
        for opens, text in (("\r", "What it is"), ("?", "On a server")):
            one.raw = b""
            one.type(opens)
            one.until(text)
            one.until_sent(b"\x1b[?1000l")
            assert b"\x1b[?1000h" not in one.raw
            one.raw = b""
            one.type("\x1b")
            one.until_sent(b"\x1b[?1000h")
            assert b"\x1b[?1000l" not in one.raw
        one.type("q")
        one.until("answer None")


def test_ctrl_c_leaves_too() -> None:
    with terminal(SHOW.format(theme="nocturne")) as one:
        one.until("cache-1")
        one.type("\x03")
        one.until("answer None")
        assert one.ended() == 0


def test_a_bug_restores_the_terminal_and_shows_where_it_is() -> None:
    with terminal(BREAK) as one:
        one.until("ZeroDivisionError: a bug of ours")
        assert one.ended() == 1
        assert b"\x1b[?1049l" in one.raw


def test_a_bug_of_the_clock_ends_it_as_any_other() -> None:
    with terminal(LATE) as one:
        one.until("ZeroDivisionError: a bug that takes a second")
        assert one.ended() == 1
        assert b"\x1b[?1049l" in one.raw


@pytest.mark.parametrize(
    ("environment", "hue"),
    [({"NO_COLOR": "1"}, False), ({"TERM": "vt100", "COLORTERM": ""}, False), ({}, True)],
    ids=["NO_COLOR", "vt100", "xterm"],
)
def test_colour_is_used_only_where_it_is_wanted(environment: dict[str, str], hue: bool) -> None:
    with terminal(SHOW.format(theme="nocturne"), **environment) as one:
        one.until("cache-1")
        coloured = any(cell.fg != "default" for line in one.screen.buffer.values() for cell in line.values())
        assert coloured is hue
        one.type("q")


def test_nothing_idle_moves_but_the_clock() -> None:
    with terminal(SHOW.format(theme="nocturne")) as one:
        one.until("cache-1")
        for _ in range(10):
            one.read(0.3)
        one.raw = b""
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            one.read(0.1)
        assert len(one.raw) < 1500
        one.type("q")
