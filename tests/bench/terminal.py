"""Programs driven in a terminal from outside: what they write, how long a key takes to be seen, what they burn.

The terminal answers as a real one does (cursor reports, synchronised output), draws nothing, and can be as slow as a
thin link. CPU is read of the kernel, all threads together.
"""

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
from pathlib import Path

WIDTH, HEIGHT = 160, 45
DOWN, UP, PAGE_DOWN, HOME, F2, F3 = b"\x1b[B", b"\x1b[A", b"\x1b[6~", b"\x1b[H", b"\x1bOQ", b"\x1bOR"
Seen = Callable[[bytes], object]


class Driven:
    """One program in a terminal."""

    def __init__(self, pid: int, fd: int, began: float, speed: float | None) -> None:
        self.pid, self.fd, self.began, self.speed = pid, fd, began, speed
        self.bytes = 0
        self._last = b""
        self._allowed, self._then = 0.0, began

    def read(self, seconds: float, until: Seen | None = None, quiet: float | None = None) -> tuple[bytes, float | None]:
        """What comes within that time, and when `until` held of it; ends early then, or when it was `quiet`."""
        ends = time.monotonic() + seconds
        data, last = bytearray(), time.monotonic()
        while (now := time.monotonic()) < ends and not (quiet and now - last >= quiet):
            part = self._part(min(ends - now, 0.05 if quiet else 0.2))
            if part:
                data += part
                last = time.monotonic()
                if until is not None and until(bytes(data)):
                    return bytes(data), last
        return bytes(data), None

    def _part(self, seconds: float) -> bytes:
        most = 1 << 16
        if self.speed is not None:
            now = time.monotonic()
            self._allowed = min(self.speed / 20, self._allowed + (now - self._then) * self.speed)
            self._then, most = now, int(self._allowed)
            if most < 32:
                time.sleep(0.003)
                return b""
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        try:
            part = os.read(self.fd, most)
        except OSError:
            return b""
        self._allowed -= len(part)
        self.bytes += len(part)
        self._answer(part)
        return part

    def _answer(self, part: bytes) -> None:
        """Answer what is asked; a question may have come in two parts."""
        for asked, answer in ((b"\x1b[6n", b"\x1b[45;160R"), (b"\x1b[?2026$p", b"\x1b[?2026;2$y")):
            begun = self._last[-(len(asked) - 1) :]
            if count := (begun + part).count(asked):
                os.write(self.fd, answer * count)
        self._last = (self._last + part)[-16:]

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self.fd, key)

    def cpu(self) -> float:
        """CPU seconds so far, of all threads."""
        spent = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                spent += int((task / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
        return spent / 1e9

    def mib(self) -> float:
        """Its memory now."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def driven(
    argv: Sequence[str], *, speed: float | None = None, size: tuple[int, int] = (WIDTH, HEIGHT), **environment: str
) -> Iterator[Driven]:
    """Run Python with these arguments in a terminal, from which it is thrown out at the end."""
    began = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        told = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"} | environment
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "NO_COLOR", "TMUX")}
        os.execve(sys.executable, [sys.executable, *argv], kept | told)
    try:
        yield Driven(pid, fd, began, speed)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
