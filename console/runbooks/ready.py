"""ACTIVE is not ready: what we built, rebuilt or resized is checked by itself as soon as the cloud calls it done.

It hears of our orders from the audit's lines and follows the store; only looks, and changes nothing. What it finds is
kept by server for whoever shows it, rung by rung, and how long a good guest took is remembered in the timeline, so
that the next one of its image, flavor and region has an expectation. A server whose order fails is let go.
"""

import asyncio
import datetime as dt
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from console.actions.check import PATIENT, examine
from console.actions.declared import Step
from console.actions.ground import Clock, Ground
from console.core.store import Store
from console.core.timeline import Timeline
from console.core.watch import Batch
from console.errors import ConsoleError
from console.guests.report import RUNGS, above
from console.model.place import Key, Place, own_name
from console.model.server import Server, deleted

AFTER = {
    "server.create": ("ACTIVE",),
    "server.clone": ("ACTIVE",),
    "server.launch": ("ACTIVE",),
    "server.rebuild": ("ACTIVE",),
    "server.resize": ("VERIFY_RESIZE", "ACTIVE"),
}
AT_ONCE = 64  # ladders under way at the same time
LOOK = 2.0  # seconds between two looks at rows that do not change
PATIENCE = 6.0  # seconds after an order from which an unchanged row is believed
MUCH = 3.0  # times the usual time: worth telling
SEVERAL = ("file", "http", "check")  # rungs of which there may be more than one


@dataclass(frozen=True)
class Readiness:
    """How far one server has come; times in seconds since the cloud called it done, or since a check was asked for."""

    key: Key
    name: str
    place: Place
    state: Literal["checking", "ready", "not ready"]
    began: float  # monotonic
    at: dt.datetime  # when it began, and after its end when that was
    rungs: tuple[Any, ...] = ()  # `guests.report.Rung`, as they are told
    usual: float | None = None
    took: float | None = None
    report: Any = None
    text: str = ""  # the failing rung in words, or why nothing could be found out

    @property
    def rung(self) -> str:
        """The rung at which it stands: the one that does not hold, else the one above the last that did."""
        failed = next((rung for rung in self.rungs if rung.state == "failed"), None)
        if failed is not None or self.state == "not ready":
            return str(failed.name) if failed is not None else ""
        return above(self.rungs[-1].name) if self.rungs else RUNGS[0]

    @property
    def distrusted(self) -> bool:
        """Whether a host key was shown that contradicts a witness, so that nobody should log in."""
        judged = getattr(self.report, "host_key", None)
        return judged is not None and not judged.trusted

    def slow(self, now: dt.datetime) -> str:
        """ "" while all is as usual, else how much longer it takes."""
        passed = self.took if self.took is not None else (now - self.at).total_seconds()
        if not self.usual or passed < MUCH * self.usual:
            return ""
        return f"this is {passed / self.usual:.0f} times the usual {self.usual:.0f} s"


class Hands(Clock, Protocol):
    """A clock that also knows the time of day."""

    def now(self) -> dt.datetime:
        """The time, in UTC."""


class Known(Ground, Protocol):
    """The console, as far as this room knows it."""

    @property
    def clock(self) -> Hands:
        """The clock."""

    @property
    def timeline(self) -> Timeline:
        """What is remembered."""


@dataclass
class Mail:
    """Whose readiness has moved since its reader last looked."""

    keys: dict[Key, None]
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, key: Key) -> None:
        """Another one."""
        self.keys[key] = None
        self.bell.set()


@dataclass
class Expected:
    """A server that an order of ours is about to change."""

    action: str
    before: Server | None
    heard_at: float = field(default_factory=time.monotonic)


@dataclass
class Ready(Mapping[Key, Readiness]):
    """The readiness of the servers that were checked in this run, by order or by themselves; it can be watched."""

    ground: Known
    store: Store
    interest: Callable[[type[Server]], AbstractContextManager[None]]
    _known: dict[Key, Readiness] = field(default_factory=dict)
    _expected: dict[str, Expected] = field(default_factory=dict)
    _mails: list[Mail] = field(default_factory=list)
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

    async def watch(self) -> AsyncGenerator[list[Readiness], None]:
        """What moved since the last look, coalesced; at first all that is known."""
        mail = Mail({})
        for key in self._known:
            mail.put(key)
        self._mails.append(mail)
        try:
            while True:
                await mail.bell.wait()
                mail.bell.clear()
                moved = [self._known[key] for key in mail.keys]
                mail.keys.clear()
                yield moved
        finally:
            self._mails.remove(mail)

    async def of(self, key: Key) -> Readiness:
        """Wait until a server's check is over, and give what it found."""
        async with aclosing(self.watch()) as watch:
            async for moved in watch:
                for found in moved:
                    if found.key == key and found.state != "checking":
                        return found
        raise AssertionError("a watch never ends")

    # Hearing of orders

    def heard(self, line: Mapping[str, Any]) -> bool:
        """Take in one line of the audit; whether it gives something to wait for."""
        action = str(line.get("action"))
        if line.get("event") != "accepted" or action not in AFTER:
            return False
        target: Mapping[str, Any] = line.get("target") or {}
        id = str(line.get("made") or target.get("id") or "")
        cloud, _, region = str(line.get("place")).partition("/")
        if not id or not self._asked_for(cloud):
            return False
        made, name = bool(line.get("made")), own_name(Place(cloud, region), id)
        before = None if made else next((row for row in self.store.rows(Server).values() if _name(row) == name), None)
        self._expected[name] = Expected(action, before)
        self._hope.set()
        return True

    def _asked_for(self, name: str) -> bool:
        cloud = self.ground.settings.clouds.get(name)
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
                rows = tuple(row for row in self.store.rows(Server).values() if _name(row) in self._expected)
                self._meet(Batch(kind=Server, changed=rows))

    def _meet(self, batch: Batch[Server]) -> None:
        for key in batch.gone:
            self._expected.pop(_name(batch.before[key]) if key in batch.before else key.id, None)
        for row in batch.changed:
            expected = self._expected.get(_name(row))
            if expected is None or not self._moved_on(row, expected):
                continue
            if deleted(row) or row.status == "ERROR":
                del self._expected[_name(row)]
            elif row.status in AFTER[expected.action] and not row.in_flight:
                del self._expected[_name(row)]
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
        known = getattr(getattr(self._known.get(row.key), "report", None), "host_key", None)
        self._start(row)
        self._put(replace(self._known[row.key], usual=await self.usual(row)))
        try:
            async with self._gate:
                report = await examine(
                    self.ground,
                    row.place,
                    row.id,
                    {"deadline": PATIENT},
                    told=lambda rung: self._rung(row.key, rung),
                    until_ready=True,
                    new_key=action == "server.rebuild",
                    before=() if known is None else (known.fingerprint, *known.expected),
                )
        except (ConsoleError, OSError) as error:
            return self._end(row.key, None, str(error))
        self._end(row.key, report)
        took = self._known[row.key].took
        if report.ready and took is not None:
            await self.ground.timeline.keep_time(row.key, row.name, str(row.place), _kind(row), took)

    def saw(self, step: Step) -> None:
        """Take in a step of a check that somebody ordered: it counts as much as one that began by itself."""
        if step.phase == "rung" and isinstance(step.row, Server):
            known = self._known.get(step.row.key)
            if known is None or known.state != "checking":
                self._start(step.row)
            self._rung(step.row.key, step.detail)
        elif step.key in self._known and self._known[step.key].state == "checking":
            if step.phase == "failed":
                self._end(step.key, None, step.text)
            elif step.detail is not None:
                self._end(step.key, step.detail)

    def _start(self, row: Server) -> None:
        now = self.ground.clock.now()
        self._put(Readiness(row.key, row.name, row.place, "checking", self.ground.clock.monotonic(), now))

    def _rung(self, key: Key, rung: Any) -> None:
        """Put one rung as it is now into what is known; those above it are yet to be climbed again."""
        before = self._known[key]
        names = [one.name for one in before.rungs]
        at = names.index(rung.name) if rung.name in names and rung.name not in SEVERAL else len(names)
        if before.state == "checking" and rung.state != "skipped":
            self._put(replace(before, rungs=(*before.rungs[:at], rung), text=rung.text))

    def _end(self, key: Key, report: Any, text: str = "") -> None:
        """What a check found, or why it found nothing."""
        before, now = self._known[key], self.ground.clock.now()
        ended = replace(before, state="not ready", took=self.ground.clock.monotonic() - before.began, at=now, text=text)
        if report is not None:
            failed = report.failed
            text = f"{failed.name}: {failed.text}" if failed is not None else ""
            state: Literal["ready", "not ready"] = "ready" if report.ready else "not ready"
            ended = replace(ended, state=state, rungs=report.rungs, report=report, text=text)
        self._put(ended)

    def _put(self, found: Readiness) -> None:
        self._known[found.key] = found
        for mail in self._mails:
            mail.put(found.key)

    async def usual(self, row: Server) -> float | None:
        """The usual seconds of a server of this image, flavor and region; None where none is remembered."""
        times = await self.ground.timeline.times(_kind(row), row.key.region)
        return statistics.median(times) if times else None


def _name(row: Server) -> str:
    return own_name(row.place, row.id)


def _kind(row: Server) -> str:
    flavor = (row.flavor.name or row.flavor.id) if row.flavor else ""
    return f"{row.image_id or 'volume'} {flavor}"
