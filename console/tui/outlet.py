"""The way out to the terminal: how much is under way to it, when more may follow, and a file that outlives it.

Plain counting, without Textual: `writer.py` puts it to use.
"""

import threading
from contextlib import suppress
from typing import IO, Any

QUICK = 0.02  # seconds in which a terminal answers that need not be asked after each frame
UNASKED = 2048  # bytes that a quick one is sent before it is asked again
PATIENCE = 5.0  # seconds for an answer, after which the next frame goes without
FIRST_PATIENCE = 0.3  # the same for a terminal that has never answered


class Line:
    """The way to the terminal: how much was given to it, what the system took, and what the terminal has answered."""

    def __init__(self) -> None:
        self.given = 0
        self.taken = 0
        self.away = False  # the terminal is lent to somebody else
        self.asked: float | None = None
        self.answered = threading.Event()
        self.round_trip: float | None = None  # the last one; None as long as no terminal has ever answered
        self._unasked = 0

    def free(self, now: float) -> bool:
        """Whether a frame may be sent."""
        return not self.away and self.given == self.taken and (self.asked is None or now >= self.until)

    @property
    def until(self) -> float:
        """When a frame may be sent though nothing was answered."""
        patience = FIRST_PATIENCE if self.round_trip is None else PATIENCE
        return (self.asked or 0.0) + patience

    def asks(self, size: int, now: float) -> bool:
        """Whether a frame of this size ends in a question."""
        self._unasked += size
        quick = self.round_trip is not None and self.round_trip < QUICK
        if quick and self._unasked < UNASKED:
            return False
        self._unasked = 0
        self.asked = now
        self.answered.clear()
        return True

    def heard(self, now: float) -> None:
        """The terminal has shown what it was sent."""
        if self.asked is not None:
            self.round_trip = now - self.asked
        self.asked = None


class Lasting:
    """A terminal's file that takes what it is given also when the terminal is gone.

    An error would end the thread that writes; then its queue fills, and the next write blocks the whole program.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, later."""
        with suppress(OSError, ValueError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Return when the system has taken it all, or takes no more."""
        with suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Gauge(Lasting):
    """One that tells how much of what it was given has left."""

    def __init__(self, file: IO[str], line: Line, left: Any) -> None:
        super().__init__(file)
        self._line, self._left = line, left
        self._written = 0

    def write(self, text: str) -> int:
        """Write, later."""
        self._written += len(text)
        return super().write(text)

    def flush(self) -> None:
        """Return when the system has taken it all, or takes no more."""
        super().flush()
        self._line.taken = self._written
        self._left()
