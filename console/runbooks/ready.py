"""ACTIVE is not ready: what we built, rebuilt or resized is checked by itself as soon as the cloud calls it done.

It hears of our orders from the audit's lines and follows the store; only looks, and changes nothing. What it finds is
kept by server for whoever shows it, rung by rung, and how long a good guest took is remembered in the timeline, so
that the next one of its image, flavor and region has an expectation. A server whose order fails is let go.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from console.actions.approach import known_hosts
from console.actions.check import PATIENT, examine
from console.actions.ground import Ground
from console.core.store import Store
from console.core.timeline import Timeline
from console.core.watch import Batch
from console.errors import ConsoleError
from console.model.place import Key, Place
from console.model.server import Server, deleted

AFTER = {
    "server.create": ("ACTIVE",),
    "server.clone": ("ACTIVE",),
    "server.rebuild": ("ACTIVE",),
    "server.resize": ("VERIFY_RESIZE", "ACTIVE"),
}
AT_ONCE = 64  # ladders under way at the same time
LOOK = 2.0  # seconds between two looks at rows that do not change
PATIENCE = 6.0  # seconds after an order from which an unchanged row is believed
MUCH = 3.0  # times the usual time: worth telling


@dataclass(frozen=True)
class Readiness:
    """How far one server has come; times in seconds since the cloud called it done."""

    key: Key
    name: str
    place: Place
    state: Literal["checking", "ready", "not ready"]
    began: float  # monotonic
    rungs: tuple[Any, ...] = ()  # `guests.report.Rung`, as they are told
    usual: float | None = None
    took: float | None = None
    report: Any = None
    text: str = ""  # the failing rung in words, or why nothing could be found out

    def slow(self, now: float) -> str:
        """ "" while all is as usual, else how much longer it takes."""
        passed = self.took if self.took is not None else now - self.began
        if not self.usual or passed < MUCH * self.usual:
            return ""
        return f"this is {passed / self.usual:.0f} times the usual {self.usual:.0f} s"


class Known(Ground, Protocol):
    """The console, as far as this room knows it."""

    @property
    def timeline(self) -> Timeline:
        """What is remembered."""


@dataclass
class Expected:
    """A server that an order of ours is about to change."""

    action: str
    before: Server | None
    heard_at: float = field(default_factory=time.monotonic)


@dataclass
class Ready(Mapping[Key, Readiness]):
    """The readiness of the servers that we built, rebuilt or resized in this run; a mapping that can be watched."""

    ground: Known
    store: Store
    interest: Callable[[type[Server]], AbstractContextManager[None]]
    _known: dict[Key, Readiness] = field(default_factory=dict)
    _expected: dict[str, Expected] = field(default_factory=dict)
    _moved: dict[int, dict[Key, None]] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _ladders: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._hope = asyncio.Event()

    def __getitem__(self, key: Key) -> Readiness:
        return self._known[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    async def watch(self) -> AsyncIterator[list[Readiness]]:
        """What moved since the last look, coalesced; at first all that is known."""
        mine: dict[Key, None] = dict.fromkeys(self._known)
        self._moved[id(mine)] = mine
        try:
            while True:
                async with self._news:
                    await self._news.wait_for(lambda: mine)
                moved = [self._known[key] for key in mine]
                mine.clear()
                yield moved
        finally:
            del self._moved[id(mine)]

    async def of(self, key: Key) -> Readiness:
        """Wait until a server's check is over, and give what it found."""
        async with self._news:
            await self._news.wait_for(lambda: key in self._known and self._known[key].state != "checking")
        return self._known[key]

    # Hearing of orders

    def heard(self, line: Mapping[str, Any]) -> bool:
        """Take in one line of the audit; whether it gives something to wait for."""
        action = str(line.get("action"))
        if line.get("event") != "accepted" or action not in AFTER:
            return False
        target: Mapping[str, Any] = line.get("target") or {}
        id = str(line.get("made") or target.get("id") or "")
        if not id or not self._asked_for(str(line.get("place"))):
            return False
        made = bool(line.get("made"))
        before = None if made else next((row for row in self.store.rows(Server).values() if row.id == id), None)
        self._expected[id] = Expected(action, before)
        self._hope.set()
        return True

    def _asked_for(self, place: str) -> bool:
        cloud = self.ground.settings.clouds.get(place.partition("/")[0])
        return cloud is None or bool(cloud.ssh.check)

    # Following the store

    async def follow(self) -> None:
        """Follow the store for ever; polls servers only while there is something to wait for."""
        try:
            while True:
                await self._hope.wait()
                self._hope.clear()
                with self.interest(Server):
                    await self._until_met()
        finally:
            for task in self._ladders:
                task.cancel()
            await asyncio.gather(*self._ladders, return_exceptions=True)

    async def _until_met(self) -> None:
        watch = self.store.watch(Server)
        while self._expected:
            try:
                async with asyncio.timeout(LOOK):
                    self._meet(await anext(watch))
            except TimeoutError:  # what is as it was before the order may be its end all the same
                rows = tuple(row for row in self.store.rows(Server).values() if row.id in self._expected)
                self._meet(Batch(kind=Server, changed=rows))

    def _meet(self, batch: Batch[Server]) -> None:
        for key in batch.gone:
            self._expected.pop(key.id, None)
        for row in batch.changed:
            expected = self._expected.get(row.id)
            if expected is None or not self._moved_on(row, expected):
                continue
            if deleted(row) or row.status == "ERROR":
                del self._expected[row.id]
            elif row.status in AFTER[expected.action] and not row.in_flight:
                del self._expected[row.id]
                self._begin(row, expected.action)

    def _moved_on(self, row: Server, expected: Expected) -> bool:
        """Whether this row tells of the time after the order: it differs, or enough time has passed to believe it."""
        return row != expected.before or time.monotonic() - expected.heard_at > PATIENCE

    # Checking

    def _begin(self, row: Server, action: str) -> None:
        task = asyncio.create_task(self._check(row, action), name=f"ready {row.name}")
        self._ladders.add(task)
        task.add_done_callback(self._ladders.discard)

    async def _check(self, row: Server, action: str) -> None:
        began = time.monotonic()
        self._known.pop(row.key, None)
        await self._tell(Readiness(row.key, row.name, row.place, "checking", began))
        usual = await self.usual(row)
        rebuilt = action == "server.rebuild"
        try:
            if rebuilt:
                await asyncio.to_thread(known_hosts(self.ground).forget, row.id)
            async with self._gate:
                report = await examine(
                    self.ground,
                    row.place,
                    row.id,
                    {"deadline": PATIENT},
                    told=lambda rung: self._rung(row.key, rung),
                    until_ready=True,
                    new_key=rebuilt,
                )
        except (ConsoleError, OSError) as error:
            found = replace(self._known[row.key], state="not ready", text=str(error), usual=usual)
            return await self._tell(found)
        took = time.monotonic() - began
        failed = report.failed
        state: Literal["ready", "not ready"] = "ready" if report.ready else "not ready"
        await self._tell(
            replace(
                self._known[row.key],
                state=state,
                rungs=report.rungs,
                report=report,
                took=took,
                usual=usual,
                text=f"{failed.name}: {failed.text}" if failed is not None else "",
            )
        )
        if report.ready:
            await self.ground.timeline.keep_time(row.key, row.name, str(row.place), _kind(row), took)

    def _rung(self, key: Key, rung: Any) -> None:
        """Put one rung as it is now into what is known; those above it are yet to be climbed again."""
        before = self._known[key]
        names = [one.name for one in before.rungs]
        at = names.index(rung.name) if rung.name in names and rung.name != "check" else len(names)
        self._known[key] = replace(before, rungs=(*before.rungs[:at], rung), text=rung.text)
        task = asyncio.create_task(self._tell(self._known[key]), name=f"tell {before.name}")
        self._ladders.add(task)
        task.add_done_callback(self._ladders.discard)

    async def _tell(self, found: Readiness) -> None:
        if found.state != "checking" or found.key not in self._known:
            self._known[found.key] = found
        for moved in self._moved.values():
            moved[found.key] = None
        async with self._news:
            self._news.notify_all()

    async def usual(self, row: Server) -> float | None:
        """The usual seconds of a server of this image, flavor and region; None where none is remembered."""
        times = await self.ground.timeline.times(_kind(row), row.key.region)
        return statistics.median(times) if times else None


def _kind(row: Server) -> str:
    flavor = (row.flavor.name or row.flavor.id) if row.flavor else ""
    return f"{row.image_id or 'volume'} {flavor}"
