"""What every face holds: one `Console` with all clouds, for the screen, the command line, the library and the tests.

`open` reads where the clouds are and starts a lane for each; it waits for none of them. Leaving the context ends every
task that was begun in it. Looking needs nothing but the core; the rooms that act are loaded when something is done.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property, partial
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

import msgspec

from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.collection import Collection, Found
from console.core.fleet import Fleet
from console.core.health import Health
from console.core.lane import Account, Connect
from console.core.resizes import Resizes
from console.core.settings import Paths, Saved, Settings, load_saved, load_settings, save
from console.core.store import Store
from console.core.until import Until
from console.core.watch import Batch, Watch
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
from console.text import Secret

if TYPE_CHECKING:
    from console.actions.action import Action
    from console.actions.audit import Audit
    from console.actions.trail import Trail
    from console.core.timeline import Change, Timeline
    from console.runbooks.journal import Journal
    from console.runbooks.keeper import Keeper
    from console.runbooks.ready import Ready
    from console.runbooks.schedule import Scheduler
    from console.runbooks.schedule_rows import AllSchedules

__all__ = ["AccountsFound", "Batch", "Collection", "Console", "Found", "choose", "open", "wait_for_build", "wait_until"]

R = TypeVar("R", bound=Row)
T = TypeVar("T")

# Asks a person one question, such as "The password for prod", and gives the answer.
AskPerson = Callable[[str], Awaitable[str]]


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
        self.resizes = Resizes(clock, settings, self.history)
        self._resizing = store.watch(Server)
        self._remembered: list[Watch[Any]] = [store.watch(Server), store.watch(Image)]
        self._tasks: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[Any]] = set()
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

    def save(self, **changed: Any) -> None:
        """Keep these fields of `Saved` for the next run. Raises `ConfigError` where that cannot be."""
        save(self.paths, msgspec.structs.replace(load_saved(self.paths), **changed))

    # Living

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin everything that runs by itself, as tasks of this group."""
        self._group = group
        self.fleet.start(group)
        for watch in self._remembered:
            self._tasks.append(group.create_task(self._remember(watch), name="timeline"))
        self._tasks.append(group.create_task(self._follow_resizes(), name="resizes"))

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
        if self._following is not None:
            self._following.cancel()
        for errand in self._errands:
            errand.cancel()
        self.fleet.stop()
        for watch in (*self._remembered, self._resizing):
            watch.close()
        for task in self._tasks:
            if not self.fleet.watched.is_set():
                task.cancel()

    async def close(self) -> None:
        """Let go of the files."""
        if "timeline" in self.__dict__:
            await self.timeline.close()

    async def _follow_resizes(self) -> None:
        """Note when resizes begin to wait for an answer, from the moment at which anybody watches."""
        await self.fleet.watched.wait()
        await self.resizes.follow(self._resizing)

    async def _remember(self, watch: Watch[Any]) -> None:
        """Put what changes into the timeline, from the moment at which anybody watches."""
        await self.fleet.watched.wait()
        async for batch in watch:
            await self.timeline.write(batch)


_opened: list[Console] = []


@asynccontextmanager
async def open(
    clouds: Sequence[str] | None = None,
    *,
    regions: Sequence[str] | None = None,
    settings: Settings | None = None,
    paths: Paths | None = None,
    clock: Clock | None = None,
    all_projects: bool | None = None,
    read_only: bool = False,
    ask: AskPerson | None = None,
    accounts: AccountsFound | None = None,
    connect: Connect | None = None,
    trace: Callable[[str], None] | None = None,
    checks: bool = True,
) -> AsyncIterator[Console]:
    """Open these clouds of clouds.yaml, or the one that OS_CLOUD or the last run chose; waits for none of them.

    `ask` is asked for a password that is written nowhere. `accounts` and `connect` take the place of clouds.yaml and
    of its login; `trace` gets each exchange as one masked line; without `checks` what is built
    is not checked by itself. Raises `ConfigError` where nothing tells which cloud,
    or the settings are wrong.
    """
    paths = paths or Paths()
    settings = settings or load_settings(paths)
    if read_only:
        settings = msgspec.structs.replace(settings, read_only=True)
    clock = clock or Clock()
    if accounts is None:
        accounts = await _look(clouds, regions, paths)
    store = Store(clock)
    if connect is None:
        from console.clouds.connect import beside
        from console.clouds.connect import connect as log_in

        files = CloudFiles(accounts.looked_for, regions, paths)
        fleet_parts: dict[str, Any] = {
            "connect": partial(log_in, clock_now=clock.now, trace=trace, runtime=paths.runtime),
            "beside": beside,
            "files": files,
        }
    else:
        fleet_parts = {"connect": connect}
    fleet = Fleet(accounts.accounts, store, clock, settings, all_projects=all_projects, ask=ask, **fleet_parts)
    console = Console(accounts, settings, paths, clock, store, fleet, checks)
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        console.start(group)
        _opened.append(console)
        try:
            yield console
        except Exception as error:  # carried past the group, which would wrap it
            failure = error
        finally:
            _opened.remove(console)
            console.stop()
    await console.close()
    if failure is not None:
        raise failure


class CloudFiles:
    """The files that the accounts came from, to be looked at again after a login was refused."""

    def __init__(self, looked_for: Sequence[str], regions: Sequence[str] | None, paths: Paths | None = None) -> None:
        self._regions = regions
        self._own = paths or Paths()
        named = [Path(text.rpartition("=")[2]) for text in looked_for]
        found = [path for path in named if path.is_absolute()]
        self._paths = [self._own.config_file, *found, *(path.with_name(f"secure{path.suffix}") for path in found)]

    def stamp(self) -> tuple[int, ...]:
        """When each of them was changed."""
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in self._paths)

    async def read(self, cloud: str) -> Sequence[Account]:
        """What they say of this entry now."""
        from console.clouds.accounts import in_thread
        from console.core.entries import look

        return (await in_thread(lambda: look([cloud], regions=self._regions, paths=self._own))).accounts


async def _look(clouds: Sequence[str] | None, regions: Sequence[str] | None, paths: Paths) -> AccountsFound:
    """What clouds.yaml and the OS_* variables say of the wanted clouds."""
    from console.clouds.accounts import in_thread
    from console.core.entries import look

    if clouds is None:
        found = await in_thread(lambda: look((), paths=paths))
        chosen = choose(found.names, found.default, load_saved(paths).clouds)
        if chosen is None:
            raise ConfigError(
                f"There are several clouds: {', '.join(found.names)}.", hint="Name the ones to open, or set OS_CLOUD."
            )
        if not chosen:
            return found
        clouds = chosen
    wanted = list(clouds)
    return await in_thread(lambda: look(wanted, regions=regions, paths=paths))


def choose(names: Sequence[str], default: str | None, last: Sequence[str] = ()) -> list[str] | None:
    """The clouds to open when nobody names any: the default, else those of the last run; None: ask somebody."""
    if default:
        return [default]
    again = [name for name in last if name in names]
    if again:
        return again
    return None if names else []


@overload
async def wait_until(
    obj: R,
    att: str,
    desired: Any,
    callback: None = None,
    interval: float = 5,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = (),
    *,
    deadline: float | None = None,
) -> R: ...


@overload
async def wait_until(
    obj: R,
    att: str,
    desired: Any,
    callback: Callable[[R], Any],
    interval: float = 5,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = (),
    *,
    deadline: float | None = None,
) -> "asyncio.Task[R]": ...


async def wait_until(
    obj: R,
    att: str,
    desired: Any,
    callback: Callable[[R], Any] | None = None,
    interval: float = 5,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = (),
    *,
    deadline: float | None = None,
) -> "R | asyncio.Task[R]":
    """Read a row again every `interval` seconds until its attribute is the desired value, or one of a list.

    `attempts` (0: no limit) and `deadline` (seconds) end it with `WaitTimeout`. `verbose` prints a line for each
    reading, with `verbose_atts` too. With a `callback` it neither waits nor prints: a task of the open console does
    the waiting, and gives the row as last read to the callback, whether it got there or not; the row's attribute
    tells. Needs the console that the row came from to be open.
    """
    console = next((one for one in reversed(_opened) if obj.place in one.places), None)
    if console is None:
        raise ConfigError(f"{obj.name or obj.id} came from a console that is no longer open.")
    more = (verbose_atts,) if isinstance(verbose_atts, str) else tuple(verbose_atts or ())
    loud = verbose and callback is None
    waiting = Until(obj, att, desired, interval, attempts, deadline, loud, more)
    read = console.of(type(obj)).get
    if callback is None:
        return await waiting.run(read, console.clock)
    return console.spawn(_quietly(waiting, read, console.clock, callback), f"wait for {obj.name or obj.id}")


async def wait_for_build(
    obj: R,
    att: str = "status",
    desired: Any = ("ACTIVE", "ERROR"),
    callback: Callable[[R], Any] | None = None,
    interval: float = 20,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = ("progress",),
    *,
    deadline: float | None = None,
) -> "R | asyncio.Task[R]":
    """As `wait_until`, for a server that is being built: until it is ACTIVE or in ERROR."""
    waiting: Any = wait_until
    found: R | asyncio.Task[R] = await waiting(
        obj, att, desired, callback, interval, attempts, verbose, verbose_atts, deadline=deadline
    )
    return found


async def _quietly(
    waiting: Until[R], read: Callable[[R], Awaitable[R]], clock: Clock, callback: Callable[[R], Any]
) -> R:
    """Wait, and tell the callback however it ended; a cloud's error ends it, and what was read last is told."""
    with suppress(ConsoleError):
        await waiting.run(read, clock)
    told = callback(waiting.row)
    if isawaitable(told):
        await told
    return waiting.row
