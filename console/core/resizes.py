"""The clock of a resize that a cloud keeps by itself: when it began, and how long there is to say otherwise.

Some clouds wait 24 hours, and the first generation tells no times at all. So the moment is the one at which this
console saw the resize come to rest, or an earlier one did and wrote it down. Where none did, it began before it was
first seen, and all that is known is how much time there is at most. A cloud's own time of the last change is believed
once, at the first sight and where no earlier sight belies it: any later change, such as a new name, moves it on.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from console.core.clock import Clock
from console.core.settings import Settings
from console.core.timeline import Change
from console.core.watch import Batch
from console.model.place import Key, Place
from console.model.server import Server
from console.model.status import Mood, known, mood

KEPT_AFTER = {"firstgen": 86400.0, "rackspace": 86400.0}  # seconds, by dialect; Nova itself tells nobody
LONGEST = dt.timedelta(hours=1)  # from the last sign of motion, for its end to count as seen
VERIFY = "VERIFY_RESIZE"

There = Callable[[Place], dt.datetime]  # the time at a place
History = Callable[[Key], Awaitable[Sequence[Change]]]


class Left(NamedTuple):
    """Seconds until the cloud keeps the new flavor; at most so many, where nobody saw the clock begin."""

    seconds: float
    exact: bool = True


class _Began(NamedTuple):
    at: dt.datetime
    exact: bool


class Resizes:
    """When the resizes began that are still to be confirmed."""

    def __init__(self, clock: Clock, settings: Settings, history: History, there: There | None = None) -> None:
        self._clock, self._settings, self._history = clock, settings, history
        self._there: There = there or (lambda place: clock.now())
        self._began: dict[Key, _Began] = {}

    def window(self, server: Server) -> float:
        """After how many seconds its cloud keeps this resize; 0 where it never does, or nobody knows."""
        if server.status != VERIFY:
            return 0.0
        return self._settings.cloud(server.place.cloud).confirms_after or KEPT_AFTER.get(server.dialect, 0.0)

    def left(self, server: Server) -> Left | None:
        """The time that is left; None where no clock runs."""
        window = self.window(server)
        if not window:
            return None
        now = self._clock.now()
        began = self._began.get(server.key) or self._told(server, now) or _Began(now, False)
        return Left(window - (now - began.at).total_seconds(), began.exact)

    def _told(self, server: Server, now: dt.datetime) -> _Began | None:
        """When the cloud says that it began, which counts by its own clock, on ours."""
        if server.updated is None:
            return None
        return _Began(now - (self._there(server.place) - server.updated), True)

    async def saw(self, batch: Batch[Server]) -> None:
        """Note which resizes have come to rest."""
        if not self._began and VERIFY not in {known(word) for word in {row.word for row in batch.changed}}:
            return
        if self._began:
            for key in (*batch.gone, *(row.key for row in batch.changed if row.status != VERIFY)):
                self._began.pop(key, None)
        for row in batch.changed:
            if row.status != VERIFY:
                continue
            before = batch.before.get(row.key)
            if row.key in self._began and _another(before, row):  # than the one that was seen, whose end nobody saw
                self._began[row.key] = self._told(row, self._clock.now()) or _Began(self._clock.now(), False)
            elif row.key not in self._began and self.window(row):
                self._began[row.key] = await self._first_seen(row, before)

    async def _first_seen(self, row: Server, before: Server | None) -> _Began:
        now = self._clock.now()
        if before is not None and before.status != VERIFY:
            return _Began(now, True)
        told, written = self._told(row, now), began(await self._history(row.key))
        if told is not None and (written is None or (told.at < written.at and not written.exact)):
            return told
        return written or _Began(now, False)


def _another(before: Server | None, row: Server) -> bool:
    """Whether this is another resize than the one that the row waited in before."""
    if before is None or before.status != VERIFY or before.flavor is None or row.flavor is None:
        return False
    return (before.flavor.id, before.flavor.name) != (row.flavor.id, row.flavor.name)


def began(changes: Sequence[Change]) -> _Began | None:
    """When the last of these changes brought a server to rest after a resize, and whether that was seen happen."""
    moved = [change for change in changes if "status" in change.fields]
    if not moved or known(moved[-1].fields["status"][1]) != VERIFY:
        return None
    last, before = moved[-1], moved[-2] if len(moved) > 1 else None
    was = last.fields["status"][0]
    seen = was is not None and mood(known(was)) is Mood.MOVING
    return _Began(last.at, seen and before is not None and last.at - before.at <= LONGEST)
