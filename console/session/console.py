"""The `Console` itself: what is known, what moves, and the one way to act.

Looking needs nothing but the core; the rooms that act are loaded when something is done.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.collection import Collection
from console.core.fleet import Fleet
from console.core.health import Health
from console.core.lane import Account
from console.core.resizes import Resizes
from console.core.settings import Paths, Saved, Settings, load_saved, save
from console.core.store import Store
from console.core.watch import Watch
from console.errors import ConfigError, ConsoleError
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.model.place import Key, Place, Row
from console.model.quota import Allowance
from console.model.schedule import Schedule
from console.model.server import Server
from console.model.zone import Zone
from console.session.stops import Stops
from console.text import Secret

if TYPE_CHECKING:
    from console.actions.action import Action
    from console.actions.audit import Audit
    from console.actions.held import Promise
    from console.actions.trail import Trail
    from console.core.timeline import Change, Timeline
    from console.runbooks.journal import Journal
    from console.runbooks.keeper import Keeper
    from console.runbooks.ready import Ready
    from console.runbooks.schedule import Scheduler
    from console.runbooks.schedule_rows import AllSchedules


R = TypeVar("R", bound=Row)
T = TypeVar("T")


class AccountsFound(Protocol):
    """What a look at clouds.yaml and the OS_* variables gave."""

    @property
    def accounts(self) -> Sequence[Account]:
        """One for each entry and region."""

    @property
    def problems(self) -> Sequence[ConfigError]:
        """What is wrong with the others."""

    @property
    def looked_for(self) -> Sequence[str]:
        """The files and variables that were looked at."""

    @property
    def names(self) -> Sequence[str]:
        """All entries that there are."""


class Console:
    """All clouds that were opened: what is known, what moves, and the one way to act. Made by `open`."""

    def __init__(
        self,
        accounts: AccountsFound,
        settings: Settings,
        paths: Paths,
        clock: Clock,
        store: Store,
        fleet: Fleet,
        checks: bool = True,
    ) -> None:
        self.accounts, self.settings, self.paths = accounts, settings, paths
        self.clock, self.store, self.fleet = clock, store, fleet
        self.checks = checks  # whether what we build is checked by itself
        self.servers = Collection(Server, fleet, store, clock)
        self.images = Collection(Image, fleet, store, clock)
        self.flavors = Collection(Flavor, fleet, store, clock)
        self.keypairs = Collection(KeyPair, fleet, store, clock)
        self.allowances = Collection(Allowance, fleet, store, clock)
        self.zones = Collection(Zone, fleet, store, clock)
        self.ipgroups = Collection(IpGroup, fleet, store, clock)
        self.schedules = Collection(Schedule, fleet, store, clock)
        self.passwords: dict[str, Secret] = {}
        self.promised: dict[str, Promise] = {}
        self.resizes = Resizes(clock, settings, self.history, self._time_at)
        self.stops = Stops(fleet.dialect)
        self._moving: tuple[Watch[Server], Watch[Image]] = store.watch(Server), store.watch(Image)
        self._tasks: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._group: asyncio.TaskGroup | None = None
        self._following: asyncio.Task[None] | None = None

    def of(self, kind: type[R]) -> Collection[R]:
        """The collection of a noun."""
        known = (self.servers, self.images, self.flavors, self.keypairs, self.allowances, self.zones)
        for collection in (*known, self.ipgroups, self.schedules):
            if issubclass(kind, collection.row):
                return collection  # type: ignore[return-value]
        return Collection(kind, self.fleet, self.store, self.clock)

    @property
    def places(self) -> tuple[Place, ...]:
        """All places, in the settings' order."""
        return self.fleet.places

    @property
    def health(self) -> Mapping[Place, Health]:
        """How each place does."""
        return self.store.health

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        """What is wrong with settings, entries and files, one sentence each; the rest works."""
        timeline = self.__dict__.get("timeline")
        own = (ConfigError(timeline.problem),) if timeline is not None and timeline.problem else ()
        return (*self.accounts.problems, *own)

    @property
    def read_only(self) -> bool:
        """Whether this run may change nothing anywhere."""
        return self.settings.read_only

    # Acting

    async def perform(
        self,
        action: "str | Action",
        target: Row | Place | Sequence[Row] | None = None,
        *,
        wait: bool = False,
        timeout: float | None = None,
        progress: Any = None,
        **given: Any,
    ) -> Any:
        """Do it: an `Outcome` for one target, which raises on failure, or a list of them, errors inside, for several.

        `wait` follows it to its end, for at most `timeout` seconds. See `actions.action.perform` for `why`, `typed`,
        `dry_run`, `at_once` and a new server's `count`.
        """
        from console.actions.action import perform

        def heard(step: Any) -> None:
            if step.action == "server.check":
                self.readiness.saw(step)
            if progress is not None:
                progress(step)

        return await perform(self, action, target, wait=wait, timeout=timeout, progress=heard, **given)

    def verdict(self, action: "str | Action", row: Row) -> str:
        """ "" when the action is allowed for this row now, else the reason why not; nothing is sent."""
        from console.actions.action import verdict

        return verdict(self, action, row)

    def dialect(self, place: Place) -> Dialect:
        """What to send by; raises a `CloudError` with the reason while there is none."""
        return self.fleet.dialect(place)

    def wake(self, place: Place) -> None:
        """Ask that place now, and often for some seconds."""
        self.fleet.wake(place)

    @cached_property
    def audit(self) -> "Audit":
        """What was asked, and what became of it."""
        from console.actions.audit import Audit

        audit = Audit(self.paths.audit_file)
        if self.checks:
            audit.listeners.append(self._heard)
        return audit

    @cached_property
    def deeds(self) -> "Trail":
        """The audit as rows that can be followed: what was asked from here, and what became of it."""
        from console.actions.trail import Trail

        return Trail(self.audit, self.clock)

    @cached_property
    def plans(self) -> "AllSchedules":
        """The schedules of images: those that the clouds keep, and those of this console's state folder."""
        from console.runbooks.schedule_book import book_in
        from console.runbooks.schedule_rows import AllSchedules

        return AllSchedules(self.schedules.watch, book_in(self.paths.state), self.clock)

    # Checking what we built

    @cached_property
    def readiness(self) -> "Ready":
        """How far the checked servers have come: those that we built, rebuilt or resized are checked by themselves."""
        from console.runbooks.ready import Ready

        return Ready(self, self.store, self.fleet.interest)

    def _heard(self, line: Mapping[str, Any]) -> None:
        """An order was written down: follow it to a ready guest where it makes or changes one."""
        if line.get("event") != "accepted" or self._group is None:
            return
        if self.readiness.heard(line) and self._following is None:
            self._following = self._group.create_task(self.readiness.follow(), name="readiness")

    # Operations

    @cached_property
    def journal(self) -> "Journal":
        """The operations of this state folder, and what they have done."""
        from console.runbooks.journal import Journal

        return Journal(self.paths.journal_file)

    @cached_property
    def keeper(self) -> "Keeper":
        """Carries operations out, ours and those whose keeper is gone, from the first time that this is asked for."""
        from console.runbooks.keeper import Keeper

        keeper = Keeper(self, self.journal, self.clock)
        self.spawn(keeper.keep(), "keeper")
        return keeper

    @cached_property
    def scheduler(self) -> "Scheduler":
        """Begins the images that are planned, from the first time that this is asked for."""
        from console.runbooks.schedule import Scheduler

        scheduler = Scheduler(self, self.journal, self.clock)
        self.spawn(scheduler.keep(), "schedules")
        return scheduler

    # Remembering

    @cached_property
    def timeline(self) -> "Timeline":
        """What changed when, on disk."""
        from console.core.timeline import Timeline

        return Timeline(self.paths.timeline_file, self.clock)

    async def history(self, key: Key) -> "list[Change]":
        """What is remembered of one thing, oldest first."""
        return await self.timeline.history(key)

    @property
    def saved(self) -> Saved:
        """What the last run kept."""
        return load_saved(self.paths)

    def save(self, change: Callable[[Saved], Mapping[str, Any]]) -> None:
        """Keep for the next run the fields of `Saved` that `change` makes of what is kept now.

        Raises `ConfigError` where that cannot be.
        """
        save(self.paths, change)

    # Living

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin everything that runs by itself, as tasks of this group."""
        self._group = group
        self.fleet.start(group)
        servers, images = self._moving
        self._tasks.append(group.create_task(self._follow_servers(servers), name="servers"))
        self._tasks.append(group.create_task(self._follow_images(images), name="images"))

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Do this beside all else, as a task of the open console, which ends with it."""
        if self._group is None:
            work.close()
            raise ConfigError("This console is not open.")
        task = self._group.create_task(work, name=name)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task

    def stop(self) -> None:
        """End it, after what is left was written."""
        self._stopping = True
        if self._following is not None:
            self._following.cancel()
        for errand in self._errands:
            errand.cancel()
        self.fleet.stop()
        self.store.tell()
        for watch in self._moving:
            watch.close()
        for task in self._tasks:
            if not self.fleet.watched.is_set():
                task.cancel()

    async def close(self) -> None:
        """Let go of the files."""
        if "timeline" in self.__dict__:
            await self.timeline.close()

    def _time_at(self, place: Place) -> dt.datetime:
        """The time as the place's cloud tells it; ours while it tells none."""
        try:
            return self.fleet.dialect(place).now()
        except ConsoleError:
            return self.clock.now()

    async def _follow_servers(self, watch: Watch[Server]) -> None:
        """Remember what changes, and ask why servers went off, from the moment at which anybody watches."""
        await self.fleet.watched.wait()
        async for batch in watch:
            await self.resizes.saw(batch)
            stopped = self.stops.saw(batch)
            if stopped and not self._stopping:
                self.spawn(self.stops.ask(stopped), "stops")
            await self.timeline.write(batch)

    async def _follow_images(self, watch: Watch[Image]) -> None:
        """Remember what changes."""
        await self.fleet.watched.wait()
        async for batch in watch:
            await self.timeline.write(batch)


OPENED: list[Console] = []  # those of this process; a row is read again by the one that it came from
