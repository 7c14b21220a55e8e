"""One account: its login, and the pollers that run while it holds.

A lane tries to log in until it is granted; a refused login is final until `retry`, because accounts lock. Whoever
needs the dialect meanwhile gets the reason why there is none. A lane ends with the fleet and never by itself, and
nothing that happens to one lane is felt by another.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from console.clouds.dialect import Dialect
from console.core.clock import Bell, Clock
from console.core.kinds import KINDS
from console.core.poller import CEILING, Poller
from console.core.pulse import Pulse
from console.core.store import Standing, Store
from console.errors import CloudError, OverLimit, Unauthorized, Unreachable
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.keypair import KeyPair
from console.model.place import Place, Row
from console.model.server import Server

# What an action at a place may have changed.
_TOUCHED_BY_ACTIONS: tuple[type[Row], ...] = (Server, Image, KeyPair)


class Account(Protocol):
    """One entry of clouds.yaml in one region, as far as the core knows it."""

    @property
    def place(self) -> Place:
        """Its name and its region; no region where only the login tells."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What a person must tell before a login can be tried."""

    def at(self, region: str) -> "Account":
        """The same login in another region."""


Connect = Callable[[Any], Awaitable[Dialect]]


class Lane:
    """One account and all that is asked by it."""

    def __init__(
        self,
        account: Account,
        connect: Connect,
        store: Store,
        clock: Clock,
        *,
        writable: bool = True,
        all_projects: bool = False,
        wanted: Callable[[], Sequence[type[Row]]] = tuple,
        opened: Callable[["Lane"], None] = lambda lane: None,
        ask: Callable[["Lane"], Awaitable[None]] | None = None,
    ) -> None:
        self.account = account
        self.place = account.place
        self.dialect: Dialect | None = None
        self.error: CloudError | None = None
        self.pollers: dict[type[Row], Poller[Any]] = {}
        self._connect, self._store, self._clock = connect, store, clock
        self._writable, self._all_projects = writable, all_projects
        self._wanted, self._told = wanted, opened
        self._ask = ask
        self._bell = Bell()
        self._tried = asyncio.Event()
        self._failures = 0
        self._missed_flavors: set[str] = set()
        self.pulse = Pulse(self.place, store, clock)

    # What others ask of it

    async def ready(self) -> Dialect:
        """The dialect, after waiting for a login that is under way; raises the `CloudError` why there is none."""
        if self.dialect is None and isinstance(self.error, Unauthorized):
            raise self.error.with_traceback(None)
        if self.dialect is None and self.error is not None:
            self._tried.clear()
            self._bell.ring()
        await self._tried.wait()
        return self.now()

    def now(self) -> Dialect:
        """The dialect, if there is one now; raises the `CloudError` why there is none."""
        if self.dialect is not None:
            return self.dialect
        if self.error is not None:
            raise self.error.with_traceback(None)
        raise Unreachable("still logging in.", place=str(self.place))

    def asks_all_projects(self, dialect: Dialect) -> bool:
        """Whether to list what belongs to other projects too: asked for, and the role reaches that far."""
        return self._all_projects and dialect.origin.privilege >= 2

    def wake(self, *, whole: bool = False) -> None:
        """Ask now; with `whole` for complete lists of everything."""
        if self.dialect is None and not isinstance(self.error, Unauthorized):
            self._bell.ring()
        for row, poller in self.pollers.items():
            if whole or row in _TOUCHED_BY_ACTIONS:
                poller.wake(whole=whole)

    @property
    def refused(self) -> bool:
        """Whether the login was refused, or cannot be tried, until somebody says again."""
        return self.dialect is None and isinstance(self.error, Unauthorized)

    def retry(self, account: Account | None = None) -> None:
        """Log in again, also where the login was refused; with what `account` says, where it is given."""
        if self.dialect is None:
            self.account = account or self.account
            self._allow_login()
            self.error = None
            self._tried.clear()
        self._failures = 0
        self._bell.ring()
        self.wake()

    def _allow_login(self) -> None:
        entry = getattr(self.account, "entry", None)  # all regions of one entry share its login
        if entry is not None:
            entry.auth.retry()

    def _login_refused(self) -> bool:
        """Whether it is the login that was refused, and not one service that takes no token of it."""
        entry = getattr(self.account, "entry", None)
        return entry is None or bool(entry.auth.refused)

    def interest_changed(self) -> None:
        """Other kinds are wanted than before; that is no reason to log in before the time."""
        if self.dialect is not None:
            self._bell.ring()

    def tell(self, secrets: Mapping[str, str]) -> None:
        """Log in with what a person told; it is kept in memory alone."""
        self.account = self.account.with_secrets(**secrets)  # type: ignore[attr-defined]
        self.retry()

    # What it does

    async def run(self) -> None:
        """Log in, serve while that holds, and again; for ever."""
        dialects: list[Dialect] = []  # an order that waits goes on by the one that it was sent by, whatever came since
        try:
            while True:
                await self._turn(dialects)
        finally:
            for dialect in dialects:
                await dialect.close(for_good=True)

    async def _turn(self, dialects: list[Dialect]) -> None:
        """One login, and what comes of it."""
        if self.account.missing and self._ask is not None:
            await self._ask(self)
        try:
            dialect = await self._connect(self.account)
        except CloudError as error:
            await self._rest(error)
            return
        dialects.append(dialect)
        try:
            self._opened(dialect)
            await self._serve(dialect)
        finally:
            self.dialect = None
            self.pollers = {}
        await dialect.close()
        await self._until_retried()

    async def _rest(self, error: CloudError) -> None:
        """After a login that failed: a while, or until somebody says again where it was refused."""
        self.error = error
        self._failures += 1
        pause = min(CEILING, 2.0**self._failures) * (0.8 + 0.2 * random.random())
        if isinstance(error, OverLimit):
            pause = max(pause, error.retry_after)
        final = isinstance(error, Unauthorized)
        self.pulse.failed("", error, None if final else self._clock.monotonic() + pause)
        self._tried.set()
        if final:
            await self._until_retried()
        else:
            await self._clock.sleep(pause, self._bell)

    async def _until_retried(self) -> None:
        while isinstance(self.error, Unauthorized):
            await self._clock.sleep(None, self._bell)

    def _opened(self, dialect: Dialect) -> None:
        place = dialect.origin.place
        if place != self.place:
            self._store.forget(self.place)
            self.place = place
            self.pulse = Pulse(place, self._store, self._clock)
        self._store.admit(place, Standing(dialect.origin.privilege, self._writable))
        self.dialect, self.error, self._failures = dialect, None, 0
        self.pulse.connected(dialect, asking=bool(self._wanted()))
        self._told(self)
        self._tried.set()

    async def _serve(self, dialect: Dialect) -> None:
        """Run a poller for each kind that is wanted, until the login is refused."""
        tasks: dict[type[Row], asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while not isinstance(self.error, Unauthorized):
                wanted = [row for row in self._wanted() if KINDS[row].verb in dialect.verbs]
                for row in wanted:
                    if row not in tasks:
                        poller = self._poller(row, dialect)
                        self.pulse.begun()
                        tasks[row] = group.create_task(self._poll(poller), name=f"poll {self.place} {row.__name__}")
                for row in [row for row in tasks if row not in wanted]:
                    tasks.pop(row).cancel()
                    self.pulse.stopped(KINDS[row].name)
                await self._clock.sleep(None, self._bell)
            for task in tasks.values():
                task.cancel()

    def _poller(self, row: type[Row], dialect: Dialect) -> Poller[Any]:
        if row not in self.pollers:
            self.pollers[row] = Poller(
                KINDS[row],
                dialect,
                self._store,
                self._clock,
                self.pulse,
                place=self.place,
                all_projects=row is Server and self.asks_all_projects(dialect),
                seen=self._seen,
                refused=self._login_refused,
            )
        return self.pollers[row]

    async def _poll(self, poller: Poller[Any]) -> None:
        try:
            await poller.run()
        except Unauthorized as error:
            self.error = error
            self._bell.ring()

    def _seen(self, rows: Sequence[Row]) -> None:
        """A server of a flavor that no list had yet: ask for the flavors once more, but once only for each."""
        flavors = self.pollers.get(Flavor)
        if flavors is None or not flavors.loaded:
            return
        wanted = {row.flavor.id for row in rows if isinstance(row, Server) and row.flavor and row.flavor.id}
        known = {row.id for row in self._store.told_by(Flavor, self.place)}
        missing = wanted - known - self._missed_flavors
        if missing:
            self._missed_flavors |= missing
            flavors.wake(whole=True)
