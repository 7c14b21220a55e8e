"""A recording as a console: the same faces look at it, time goes as they say, and nothing can be done to it.

It is a `Console` whose rows come from the frames of a recording. Forth, the store is told only what moved; back, the
rows of that moment are put together anew and told as complete listings, so that what came later is gone again.
"""

import asyncio
import bisect
import datetime as dt
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.fleet import Fleet
from console.core.health import Health
from console.core.news import differences, told
from console.core.recording import KINDS, Frame, Head, read_recording
from console.core.settings import CloudSettings, Paths, Saved, Settings
from console.core.store import Listing, Store
from console.errors import ActionRefused, ConfigError, Unreachable
from console.model.place import Key, Place, Row
from console.session import Console

STEP = 0.1  # seconds between two looks at what has come due
SPEEDS = (0.25, 1.0, 2.0, 5.0, 20.0, 60.0, 600.0)
REFUSAL = "This is a recording: nothing can be done to it."


class ReplayClock(Clock):
    """The time of the recording, which stands wherever it was put."""

    def __init__(self, start: dt.datetime) -> None:
        self.start = self.at = start

    def now(self) -> dt.datetime:
        """Where the recording stands."""
        return self.at

    def monotonic(self) -> float:
        """Seconds of the recording, so that ages are those of the moment that is shown."""
        return self.seconds(self.at)

    def seconds(self, moment: dt.datetime) -> float:
        """A moment as seconds of this clock."""
        return 1e6 + (moment - self.start).total_seconds()


class _Still(Fleet):
    """No cloud is behind it."""

    def dialect(self, place: Place) -> NoReturn:
        """There is none."""
        raise Unreachable("This is a recording: no cloud is asked.", place=str(place))

    def wake(self, place: Place) -> None:
        """There is nothing to wake."""

    def retry(self, place: Place) -> None:
        """There is nothing to ask again."""


class _Nothing:
    """No clouds.yaml was looked at."""

    accounts: Sequence[Any] = ()
    problems: Sequence[ConfigError] = ()
    looked_for: Sequence[str] = ()
    names: Sequence[str] = ()
    default = None


class Replay(Console):
    """A recording that can be played, stopped, and put to any moment."""

    def __init__(self, path: Path, settings: Settings, paths: Paths) -> None:
        head, self.frames = read_recording(path)
        self.path, self._places = path, head.places
        self.begin, self.end = head.at, max((frame.at for frame in self.frames), default=head.at)
        clouds = {place.cloud: _looks(place.cloud, head, settings) for place in head.places}
        settings = msgspec.structs.replace(settings, clouds=clouds, read_only=True)
        self.time = ReplayClock(head.at)
        store = Store(self.time)
        fleet = _Still((), store, self.time, settings, connect=_no_login)
        super().__init__(_Nothing(), settings, paths, self.time, store, fleet, checks=False)
        self.playing, self.speed = True, 1.0
        self._moments = [frame.at for frame in self.frames]
        self._next = 0
        self._turn = 0.0
        self._state: dict[Key, Row] = {}
        self._listed: set[tuple[Place, type[Row]]] = set()
        for place in head.places:
            store.set_health(place, Health())
        self.begin = self._settled()
        self.seek(self.begin)

    @property
    def standing(self) -> str:
        """How it is played, and how far it is."""
        speed = f"×{self.speed:g}" if self.playing else "paused"
        done, whole = (str(moment - self.begin).partition(".")[0] for moment in (self.time.at, self.end))
        return f"{speed}  {done} of {whole}"

    def _settled(self) -> dt.datetime:
        """Where the first rows are there: before the first news, or at the end of a short recording."""
        news = (frame.at for frame in self.frames if frame.event not in ("seen", "place", "end"))
        seen = [frame.at for frame in self.frames if frame.event == "seen"]
        return min(next(news, self.end), max(seen, default=self.begin))

    # what a console has --------------------------------------------------------------------------------------

    @property
    def places(self) -> tuple[Place, ...]:
        """Those that were recorded."""
        return self._places

    def dialect(self, place: Place) -> Dialect:
        """There is none."""
        return self.fleet.dialect(place)

    def verdict(self, action: Any, row: Row) -> str:
        """Always the same."""
        return REFUSAL

    async def perform(self, action: Any, target: Any = None, **given: Any) -> Any:
        """Raises `ActionRefused`."""
        raise ActionRefused(REFUSAL)

    @property
    def saved(self) -> Saved:
        """A recording has no session."""
        return Saved()

    def save(self, change: Any) -> None:
        """A recording keeps nothing."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Replay"]:
        """Open it, as `console.open` does: what faces begin in it ends with it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield self
            finally:
                self.stop()
                self._group = None

    # time ----------------------------------------------------------------------------------------------------

    async def play(self, clock: Clock) -> None:
        """Let time go on, at the speed that is set, until cancelled; it stops at the end."""
        before = clock.monotonic()
        while True:
            await clock.sleep(STEP)
            now = clock.monotonic()
            if self.playing:
                self.skip((now - before) * self.speed)
                self.playing = self.time.at < self.end
            before = now

    def toggle(self) -> None:
        """Stop, or go on; from the end on, from the beginning."""
        if not self.playing and self.time.at >= self.end:
            self.seek(self.begin)
        self.playing = not self.playing

    def faster(self, steps: int) -> None:
        """Take another speed."""
        at = min(range(len(SPEEDS)), key=lambda n: abs(SPEEDS[n] - self.speed))
        self.speed = SPEEDS[max(0, min(at + steps, len(SPEEDS) - 1))]

    def skip(self, seconds: float) -> None:
        """Go so many seconds on, or back."""
        self.seek(self.time.at + dt.timedelta(seconds=seconds))

    def to_change(self, step: int) -> bool:
        """Go to the next change, or the one before; whether there is one."""
        changes = [frame.at for frame in self.frames if frame.event in ("appeared", "changed", "disappeared")]
        at = bisect.bisect_right(changes, self.time.at) if step > 0 else bisect.bisect_left(changes, self.time.at) - 1
        if not 0 <= at < len(changes):
            return False
        self.playing = False
        self.seek(changes[at])
        return True

    def seek(self, moment: dt.datetime) -> None:
        """Show what was known at that moment, or at the nearest one of the recording."""
        moment = min(max(moment, self.begin), self.end)
        back = moment < self.time.at
        self.time.at = moment
        self._turn += 1
        if back:
            self._next, self._state = 0, {}
        until = bisect.bisect_right(self._moments, moment)
        frames, self._next = self.frames[self._next : until], until
        _advance(self._state, frames)
        if back:
            self._tell_all()
        else:
            self._tell(frames)
        self._tell_health(frames, back)

    def _tell(self, frames: Sequence[Frame]) -> None:
        """What these frames moved, each row as it is in the end."""
        moved: dict[tuple[Place, type[Row]], dict[Key, Row]] = defaultdict(dict)
        for key in dict.fromkeys(frame.key for frame in frames if frame.key is not None):
            row = self._state.get(key)
            if row is None:
                self.store.remove(key, self._turn)
            else:
                moved[row.place, type(row)][key] = row
        for (place, kind), rows in moved.items():
            self._listed.add((place, kind))
            self.store.apply(Listing(place, kind, list(rows.values()), self._turn, complete=False))

    def _tell_all(self) -> None:
        """Everything that was known, and thereby that all else was not."""
        whole: dict[tuple[Place, type[Row]], list[Row]] = {listed: [] for listed in self._listed}
        for row in self._state.values():
            whole.setdefault((row.place, type(row)), []).append(row)
        for (place, kind), rows in whole.items():
            self.store.apply(Listing(place, kind, rows, self._turn, complete=True))

    def _tell_health(self, frames: Sequence[Frame], back: bool) -> None:
        told = {frame.place: frame for frame in frames if frame.health is not None}
        for place in self._places:
            frame = told.get(place)
            if frame is not None and frame.health is not None:
                self.store.set_health(place, self._aged(frame.health, self.time.seconds(frame.at)))
            elif back:
                self.store.set_health(place, Health())

    def _aged(self, health: Health, moment: float) -> Health:
        """A recorded health, whose times are ages, in seconds of this clock."""
        times = {name: moment - age for name in ("rows_at", "next_try") if (age := getattr(health, name)) is not None}
        return msgspec.structs.replace(health, **times)

    # what changed --------------------------------------------------------------------------------------------

    def between(self, one: dt.datetime, other: dt.datetime) -> list[dict[str, Any]]:
        """What differs between two moments, as `watch` would tell it, in the order of names."""
        first, last = sorted((one, other))
        before, after = self._state_at(first), self._state_at(last)
        found = []
        for key in before.keys() | after.keys():
            old, new = before.get(key), after.get(key)
            if old is None and new is not None:
                found.append(told("appeared", key.kind, new, last))
            elif old is not None and new is None:
                found.append(told("disappeared", key.kind, old, last))
            elif old is not None and new is not None and old is not new and (changed := differences(old, new)):
                found.append(told("changed", key.kind, new, last, changed))
        kinds = list(KINDS)
        return sorted(found, key=lambda change: (kinds.index(change["kind"]), change["name"], change["id"]))

    def _state_at(self, moment: dt.datetime) -> dict[Key, Row]:
        state: dict[Key, Row] = {}
        _advance(state, self.frames[: bisect.bisect_right(self._moments, moment)])
        return state


def _advance(state: dict[Key, Row], frames: Sequence[Frame]) -> None:
    for frame in frames:
        if frame.row is not None:
            state[frame.row.key] = frame.row
        elif frame.key is not None:
            state.pop(frame.key, None)


def _looks(cloud: str, head: Head, settings: Settings) -> CloudSettings:
    """What a cloud looks like: production where it was so, in the colour that the user gives it today."""
    production = cloud in head.production
    return CloudSettings(production=production, colour=settings.cloud(cloud).colour if production else "")


async def _no_login(*given: Any, **more: Any) -> NoReturn:
    raise Unreachable("This is a recording: no cloud is asked.", place="")
