"""For tests of the console and of code that uses it: a clock that stands still until it is moved."""

import asyncio
import datetime as dt
import heapq
import itertools
from collections.abc import Callable

from console.core.clock import Clock, Timer

# How often the event loop turns after each step of the clock, so that whoever woke gets to its next sleep.
_TURNS = 50


class MovedClock(Clock):
    """A clock whose time moves by `advance` alone; sleepers wake in the order of their times."""

    def __init__(self, start: dt.datetime | None = None) -> None:
        self._begin = start or dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
        self._passed = 0.0
        self._due: list[tuple[float, int, _Moved]] = []
        self._count = itertools.count()

    def monotonic(self) -> float:
        """Seconds, from 1000 on."""
        return 1000.0 + self._passed

    def now(self) -> dt.datetime:
        """The start, and as much as the clock was moved since."""
        return self._begin + dt.timedelta(seconds=self._passed)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back when the clock has been moved that far."""
        timer = _Moved(callback)
        heapq.heappush(self._due, (self._passed + seconds, next(self._count), timer))
        return timer

    @property
    def sleepers(self) -> int:
        """How many wait for this clock."""
        return sum(not timer.cancelled for _, _, timer in self._due)

    async def settle(self) -> None:
        """Let everything that can run without time or network run."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move on, stopping at each sleeper's time so that it runs when its time is."""
        await self.settle()
        end = self._passed + seconds
        while self._due and self._due[0][0] <= end:
            at, _, timer = heapq.heappop(self._due)
            if timer.cancelled:
                continue
            self._passed = max(self._passed, at)
            timer.callback()
            await self.settle()
        self._passed = end
        await self.settle()


class _Moved:
    """A callback that waits for a `MovedClock`."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
