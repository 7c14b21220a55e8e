"""The embedded cloud's time: one clock that every region shares, that can run faster, and that tests move by hand.

It knows nothing of servers: it calls back what is due, in order, each at its own moment.  With `speed=0` it stands
still but for `advance`, so that a test sees every state for as long as it likes.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

Due = Callable[[], None]
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


class Clock:
    """The cloud's time.  `speed` divides every delay of a life cycle; 0 means that only `advance` moves time."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._offset = 0.0
        self._stands_at = time.time()
        self._queue: list[tuple[float, int, Due]] = []
        self._order = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._running = False
        self.settlers: list[Callable[[], Awaitable[None]]] = []

    def time(self) -> float:
        """Seconds since 1970 in the cloud."""
        return (time.time() if self.speed else self._stands_at) + self._offset

    def now(self) -> datetime:
        """The cloud's time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.time(), UTC)

    def date_header(self) -> str:
        """The cloud's time as an HTTP Date header."""
        return formatdate(self.time(), usegmt=True)

    def after(self, seconds: float, do: Due) -> None:
        """Call `do` once that many seconds of a life cycle (at speed 1) have passed."""
        self.at(self.time() + seconds / (self.speed or 1.0), do)

    def at(self, moment: float, do: Due) -> None:
        """Call `do` when it is that time in the cloud: what a calendar or a promised deadline names, at any speed."""
        heapq.heappush(self._queue, (moment, next(self._order), do))
        self._arm()

    async def advance(self, seconds: float) -> None:
        """Move the cloud's time; everything that falls due happens, in order, before this returns."""
        target = self.time() + seconds
        while self._queue and self._queue[0][0] <= target:
            due, _, do = heapq.heappop(self._queue)
            self._offset += max(0.0, due - self.time())
            do()
        self._offset += max(0.0, target - self.time())
        for settled in self.settlers:
            await settled()
        self._arm()

    def start(self) -> None:
        """Begin to ring by itself on the running loop."""
        self._running = True
        self._arm()

    def stop(self) -> None:
        """Forget everything that is still to come."""
        self._running = False
        self._queue.clear()
        self._disarm()

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _arm(self) -> None:
        self._disarm()
        if self._running and self.speed and self._queue:
            wait = max(0.0, self._queue[0][0] - self.time())
            self._alarm = asyncio.get_running_loop().call_later(wait, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        while self._queue and self._queue[0][0] <= self.time():
            heapq.heappop(self._queue)[2]()
        self._arm()


def next_time(now: datetime, hour: int, minute: int, day: str | None = None) -> datetime:
    """When it is next that hour and minute (UTC), on any day or on this day of the week."""
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if day is not None:
        moment += timedelta(days=(DAYS.index(day) - moment.weekday()) % 7)
    return moment if moment > now else moment + timedelta(days=1 if day is None else 7)


def zulu(moment: float) -> str:
    """Whole seconds with a Z, as Nova and Glance write created and updated."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def naive(moment: float | None) -> str | None:
    """Microseconds and no zone, as Nova writes launched_at and the times of actions."""
    if moment is None:
        return None
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def parse(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time (UTC where it has no zone); ValueError where it is none."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
