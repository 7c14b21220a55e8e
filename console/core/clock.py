"""Time as the console knows it: monotonic for sleeps and ages, aware UTC for records; a cloud's own is its dialect's.

All of the core asks a `Clock` and never the `time` module, so that a test can move the time of everything at once.
Every sleep can be cut short by a `Bell`. No file may ever hold a monotonic time.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something that will happen, and can be called off."""

    def cancel(self) -> None:
        """Call it off."""


class Bell:
    """What wakes a sleeper before its time; a ring that found nobody asleep is kept for the next sleep."""

    def __init__(self) -> None:
        self._rung = False
        self._sleeper: asyncio.Future[bool] | None = None

    def ring(self) -> None:
        """Wake whoever sleeps by this bell, now or at the next sleep."""
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(True)
        else:
            self._rung = True

    def lay(self, sleeper: asyncio.Future[bool]) -> None:
        """Let the sleeper be woken by this bell; at once where it was rung before."""
        self._sleeper = sleeper
        if self._rung:
            self._rung = False
            sleeper.set_result(True)


class Clock:
    """The real time."""

    def monotonic(self) -> float:
        """Seconds of a clock that never steps; comparable within this process only."""
        return time.monotonic()

    def now(self) -> dt.datetime:
        """The wall clock's time, aware, in UTC."""
        return dt.datetime.now(dt.UTC)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back after that many seconds, unless cancelled."""
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def sleep(self, seconds: float | None, bell: Bell | None = None) -> bool:
        """Sleep that long (None: until rung); whether the bell cut it short."""
        sleeper: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if bell is not None:
            bell.lay(sleeper)
        timer = None if seconds is None else self.call_later(max(0.0, seconds), lambda: _end(sleeper))
        try:
            return await sleeper
        finally:
            if timer is not None:
                timer.cancel()


def _end(sleeper: asyncio.Future[bool]) -> None:
    if not sleeper.done():
        sleeper.set_result(False)
