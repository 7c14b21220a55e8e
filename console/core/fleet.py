"""All places at once: a lane for each, one parent for all their tasks, and no waiting for any of them.

The fleet reads only. A kind is polled while somebody is interested in it, however many are: one fleet, many viewers.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.lane import Account, Connect, Lane
from console.core.settings import Settings
from console.core.store import Store
from console.errors import ConfigError, ConsoleError
from console.model.place import Place, Row

Beside = Callable[[Any], Sequence[Account]]

LOOK = 5.0  # seconds between two looks at whether the files with the logins changed


class Files(Protocol):
    """Where the accounts came from."""

    def stamp(self) -> Hashable:
        """Something that differs when a file has changed; may block."""

    async def read(self, cloud: str) -> Sequence[Account]:
        """What the files say of this entry now; nothing where they are wrong."""


class Fleet:
    """The lanes of a console. `beside` tells the further regions of an account that named none."""

    def __init__(
        self,
        accounts: Sequence[Account],
        store: Store,
        clock: Clock,
        settings: Settings,
        *,
        connect: Connect,
        beside: Beside = lambda account: (),
        all_projects: bool | None = None,
        ask: Callable[[str], Awaitable[str]] | None = None,
        files: Files | None = None,
    ) -> None:
        self._store, self._clock, self._settings = store, clock, settings
        self._connect, self._beside, self._all_projects = connect, beside, all_projects
        self._ask, self._files = ask, files
        self._asking = asyncio.Lock()
        self.watched = asyncio.Event()  # set from the first moment at which anybody watches
        self._interest: Counter[type[Row]] = Counter()
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.lanes: list[Lane] = []
        for account in accounts:
            self._add(account)

    @property
    def places(self) -> tuple[Place, ...]:
        """All places, in the order of the settings."""
        return tuple(lane.place for lane in self.lanes)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run every lane as a task of this group; returns at once."""
        self._group = group
        for lane in self.lanes:
            self._launch(lane)
        if self._files is not None:
            self._tasks.append(group.create_task(self._follow(self._files), name="clouds.yaml"))

    def stop(self) -> None:
        """End all lanes."""
        for task in self._tasks:
            task.cancel()

    def lane(self, place: Place) -> Lane:
        """The lane of a place. Raises `ConfigError` for one that is not open."""
        for lane in self.lanes:
            if lane.place == place:
                return lane
        raise ConfigError(f"{place} is not open.")

    def dialect(self, place: Place) -> Dialect:
        """What to send by; raises a `CloudError` with the lane's reason while there is no login."""
        return self.lane(place).now()

    async def ready(self, place: Place) -> Dialect:
        """The same, after waiting for a login that is under way."""
        return await self.lane(place).ready()

    def wake(self, place: Place) -> None:
        """Something was done there: ask now, and often for some seconds."""
        self.lane(place).wake()

    def refresh(self) -> None:
        """Ask every place now for complete lists of all that is watched."""
        for lane in self.lanes:
            lane.wake(whole=True)

    def retry(self, place: Place) -> None:
        """Log in again; where the login was refused, with what the files say now."""
        lane = self.lane(place)
        if lane.refused and self._files is not None and self._group is not None:
            work = self._reopen(place.cloud, self._files)
            self._tasks.append(self._group.create_task(work, name=f"reopen {place.cloud}"))
        else:
            lane.retry()

    def tell(self, place: Place, secrets: Mapping[str, str]) -> None:
        """Log in with what a person told, at this place and the other regions of its entry."""
        entry = getattr(self.lane(place).account, "entry", None)
        for lane in self.lanes:
            if lane.place == place or (entry is not None and getattr(lane.account, "entry", None) is entry):
                lane.tell(secrets)

    @contextmanager
    def interest(self, *kinds: type[Row]) -> Iterator[None]:
        """Poll these kinds while this context is open."""
        self._count(kinds, 1)
        try:
            yield
        finally:
            self._count(kinds, -1)

    def _count(self, kinds: Sequence[type[Row]], step: int) -> None:
        before = self._wanted()
        for kind in kinds:
            self._interest[kind] += step
        self.watched.set()
        if self._wanted() != before:
            for lane in self.lanes:
                lane.interest_changed()

    def _wanted(self) -> tuple[type[Row], ...]:
        return tuple(kind for kind, count in self._interest.items() if count > 0)

    def _add(self, account: Account) -> Lane:
        cloud = self._settings.cloud(account.place.cloud)
        lane = Lane(
            account,
            self._connect,
            self._store,
            self._clock,
            writable=not (cloud.read_only or self._settings.read_only),
            all_projects=cloud.all_projects if self._all_projects is None else self._all_projects,
            wanted=self._wanted,
            opened=self._opened,
            ask=None if self._ask is None else self._ask_person,
        )
        self.lanes.append(lane)
        return lane

    def _launch(self, lane: Lane) -> None:
        if self._group is not None:
            self._tasks.append(self._group.create_task(lane.run(), name=f"lane {lane.place}"))

    async def _reopen(self, cloud: str, files: Files) -> None:
        accounts = {account.place: account for account in await files.read(cloud)}
        for lane in self.lanes:
            if lane.place.cloud == cloud and lane.refused:
                lane.retry(_of_lane(lane, accounts))

    async def _follow(self, files: Files) -> None:
        """A login that was refused is tried again when the file that it came from has changed."""
        before = await asyncio.to_thread(files.stamp)
        while True:
            await self._clock.sleep(LOOK)
            now = await asyncio.to_thread(files.stamp)
            if now != before:
                before = now
                for cloud in {lane.place.cloud for lane in self.lanes if lane.refused}:
                    await self._reopen(cloud, files)

    async def _ask_person(self, lane: Lane) -> None:
        """Ask for what an entry lacks; one entry after the other, and each only once. No answer is an answer."""
        assert self._ask is not None
        async with self._asking:
            try:
                given = {name: await self._ask(f"The {name} for {lane.place.cloud}") for name in lane.account.missing}
            except ConsoleError:
                return
            if given and all(given.values()):
                self.tell(lane.place, given)

    def _opened(self, lane: Lane) -> None:
        """A login was granted, and its catalog may list further regions than an entry that named none was opened in."""
        for account in self._beside(lane.account):
            if account.place not in self.places:
                self._launch(self._add(account))


def _of_lane(lane: Lane, accounts: Mapping[Place, Account]) -> Account | None:
    """What the files say now for a lane, also for one in a region that only a login has told."""
    if found := accounts.get(lane.account.place) or accounts.get(lane.place):
        return found
    anywhere = accounts.get(Place(lane.place.cloud))
    return anywhere.at(lane.place.region) if anywhere is not None else None
