"""What every face holds: one `Console` with all clouds, for the screen, the command line, the library and the tests.

`open` reads where the clouds are and starts a lane for each; it waits for none of them. Leaving the context ends every
task that was begun in it. Looking needs nothing but the core; the rooms that act are loaded when something is done.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.collection import Collection, Found
from console.core.fleet import Fleet
from console.core.health import Health
from console.core.lane import Account, Connect
from console.core.settings import Paths, Saved, Settings, load_saved, load_settings, save
from console.core.store import Store
from console.core.watch import Batch, Watch
from console.errors import ConfigError, WaitTimeout
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.keypair import KeyPair
from console.model.place import Key, Place, Row
from console.model.server import Server

if TYPE_CHECKING:
    from console.actions.action import Action
    from console.actions.audit import Audit
    from console.core.timeline import Change, Timeline

__all__ = ["AccountsFound", "Batch", "Collection", "Console", "Found", "choose", "open", "wait_until"]

R = TypeVar("R", bound=Row)

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
        self, accounts: AccountsFound, settings: Settings, paths: Paths, clock: Clock, store: Store, fleet: Fleet
    ) -> None:
        self.accounts, self.settings, self.paths = accounts, settings, paths
        self.clock, self.store, self.fleet = clock, store, fleet
        self.servers = Collection(Server, fleet, store, clock)
        self.images = Collection(Image, fleet, store, clock)
        self.flavors = Collection(Flavor, fleet, store, clock)
        self.keypairs = Collection(KeyPair, fleet, store, clock)
        self._remembered: list[Watch[Any]] = [store.watch(Server), store.watch(Image)]
        self._tasks: list[asyncio.Task[None]] = []

    def of(self, kind: type[R]) -> Collection[R]:
        """The collection of a noun."""
        for collection in (self.servers, self.images, self.flavors, self.keypairs):
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

        return await perform(self, action, target, wait=wait, timeout=timeout, progress=progress, **given)

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

        return Audit(self.paths.audit_file)

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
        self.fleet.start(group)
        for watch in self._remembered:
            self._tasks.append(group.create_task(self._remember(watch), name="timeline"))

    def stop(self) -> None:
        """End it, after what is left was written."""
        self.fleet.stop()
        for watch in self._remembered:
            watch.close()
        for task in self._tasks:
            if not self.fleet.watched.is_set():
                task.cancel()

    async def close(self) -> None:
        """Let go of the files."""
        if "timeline" in self.__dict__:
            await self.timeline.close()

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
) -> AsyncIterator[Console]:
    """Open these clouds of clouds.yaml, or the one that OS_CLOUD or the last run chose; waits for none of them.

    `ask` is asked for a password that is written nowhere. `accounts` and `connect` take the place of clouds.yaml and
    of its login; `trace` gets each exchange as one masked line. Raises `ConfigError` where nothing tells which cloud,
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

        files = CloudFiles(accounts.looked_for, regions)
        fleet_parts: dict[str, Any] = {
            "connect": partial(log_in, clock_now=clock.now, trace=trace),
            "beside": beside,
            "files": files,
        }
    else:
        fleet_parts = {"connect": connect}
    fleet = Fleet(accounts.accounts, store, clock, settings, all_projects=all_projects, ask=ask, **fleet_parts)
    console = Console(accounts, settings, paths, clock, store, fleet)
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

    def __init__(self, looked_for: Sequence[str], regions: Sequence[str] | None) -> None:
        self._regions = regions
        named = [Path(text.rpartition("=")[2]) for text in looked_for]
        found = [path for path in named if path.is_absolute()]
        self._paths = [*found, *(path.with_name(f"secure{path.suffix}") for path in found)]

    def stamp(self) -> tuple[int, ...]:
        """When each of them was changed."""
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in self._paths)

    async def read(self, cloud: str) -> Sequence[Account]:
        """What they say of this entry now."""
        from console.clouds.accounts import find_accounts, in_thread

        return (await in_thread(lambda: find_accounts([cloud], regions=self._regions))).accounts


async def _look(clouds: Sequence[str] | None, regions: Sequence[str] | None, paths: Paths) -> AccountsFound:
    """What clouds.yaml and the OS_* variables say of the wanted clouds."""
    from console.clouds.accounts import find_accounts, in_thread

    if clouds is None:
        found = await in_thread(lambda: find_accounts(()))
        chosen = choose(found.names, found.default, load_saved(paths).clouds)
        if chosen is None:
            raise ConfigError(
                f"There are several clouds: {', '.join(found.names)}.", hint="Name the ones to open, or set OS_CLOUD."
            )
        if not chosen:
            return found
        clouds = chosen
    wanted = list(clouds)
    return await in_thread(lambda: find_accounts(wanted, regions=regions))


def choose(names: Sequence[str], default: str | None, last: Sequence[str] = ()) -> list[str] | None:
    """The clouds to open when nobody names any: the default, else those of the last run; None: ask somebody."""
    if default:
        return [default]
    again = [name for name in last if name in names]
    if again:
        return again
    return None if names else []


async def wait_until(
    obj: R,
    attribute: str,
    desired: Any,
    *,
    interval: float = 5,
    attempts: int = 0,
    deadline: float | None = None,
    callback: Callable[[R], Any] | None = None,
    verbose: bool = False,
) -> R:
    """Read a row again every `interval` seconds until its attribute is the desired value, or one of them.

    `attempts` (0: no limit) and `deadline` (seconds) end it with `WaitTimeout`; `callback` gets each row as it was
    read; `verbose` prints one line for each. Needs the console that the row came from to be open.
    """
    console = next((one for one in reversed(_opened) if obj.place in one.places), None)
    if console is None:
        raise ConfigError(f"{obj.name or obj.id} came from a console that is no longer open.")
    wanted = [desired] if isinstance(desired, str) or not isinstance(desired, Sequence) else list(desired)
    begun, asked = console.clock.monotonic(), 0
    while True:
        obj = await console.of(type(obj)).get(obj)
        asked += 1
        have = getattr(obj, attribute)
        passed = console.clock.monotonic() - begun
        if verbose:
            print(f"{obj.name}: {attribute} is {have} after {passed:.0f} s")
        if callback is not None:
            callback(obj)
        if any(_same(have, value) for value in wanted):
            return obj
        if (attempts and asked >= attempts) or (deadline is not None and passed + interval > deadline):
            told = ", ".join(map(str, wanted))
            raise WaitTimeout(f"{obj.name}: {attribute} is {have} after {passed:.0f} s, not {told}.", last=str(have))
        await console.clock.sleep(interval)


def _same(have: Any, wanted: Any) -> bool:
    if isinstance(have, str) and isinstance(wanted, str):
        return have.upper() == wanted.upper()
    return bool(have == wanted)
