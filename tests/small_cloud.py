"""A cloud in memory with a dialect of its own: for tests of the floors above the wire, on a clock that tests move."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from console.core.clock import Clock
from console.errors import CloudError, NotFound
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.keypair import KeyPair
from console.model.place import Key, Origin, Place, Row
from console.model.server import FlavorReference, Server

ENDPOINT = "https://small.example"


class SmallCloud:
    """One service: its rows, what it was asked, and what it does wrong."""

    def __init__(self, clock: Clock, endpoint: str = ENDPOINT, region: str = "one") -> None:
        self.clock, self.endpoint, self.region = clock, endpoint, region
        self.rows: dict[str, Row] = {}
        self.left: list[Server] = []  # deleted, and still in lists of changes
        self.asked: list[str] = []
        self.error: CloudError | None = None
        self.errors: dict[str, CloudError] = {}  # by what is asked
        self.gate = asyncio.Event()  # every answer waits for it
        self.gate.set()
        self.waiting = 0
        self.closed = 0
        self.page = 1000

    def key(self, kind: str, id: str) -> Key:
        return Key(self.endpoint, self.region, kind, id)

    def server(self, id: str, status: str = "ACTIVE", **fields: Any) -> Server:
        """Put a server in, or change it; `updated` is now."""
        known = self.rows.get(id)
        fields = {"name": id, "updated": self.clock.now(), "word": status, "project_id": "p"} | fields
        if isinstance(known, Server):
            row = msgspec.structs.replace(known, **fields)
        else:
            row = Server(id=id, key=self.key("server", id), **fields)
        self.rows[id] = row
        return row

    def image(self, id: str, status: str = "active", **fields: Any) -> None:
        self.rows[id] = Image(id=id, name=id, key=self.key("image", id), word=status, **fields)

    def flavor(self, id: str) -> None:
        self.rows[id] = Flavor(id=id, name=id, key=self.key("flavor", id))

    def delete(self, id: str, *, told: bool = True) -> None:
        """Take a row away; `told`: lists of changes say so."""
        row = self.rows.pop(id)
        if told and isinstance(row, Server):
            self.left.append(msgspec.structs.replace(row, word="DELETED", updated=self.clock.now()))

    async def answer(self, what: str) -> None:
        """Note the question, wait at the gate, fail if told to."""
        self.asked.append(what)
        self.waiting += 1
        try:
            await self.gate.wait()
        finally:
            self.waiting -= 1
        error = self.errors.get(what) or self.error
        if error is not None:
            raise error


class SmallDialect:
    """One account's way into a `SmallCloud`."""

    def __init__(self, cloud: SmallCloud, place: Place, *, privilege: int = 1, project: str = "p") -> None:
        self.cloud, self.project = cloud, project
        self.origin = Origin(place, cloud.endpoint, project, project, privilege)
        self.verbs = frozenset(
            {"server.list", "server.changes", "image.list", "flavor.list", "keypair.list", "server.reboot"}
        )
        self._told: dict[str, tuple[Row, Row]] = {}

    def now(self) -> dt.datetime:
        return self.cloud.clock.now()

    def _row(self, row: Row) -> Any:
        """The row as this place tells it; the very same object while it is the same."""
        known = self._told.get(row.id)
        if known is None or known[0] is not row:
            self._told[row.id] = known = (row, msgspec.structs.replace(row, place=self.origin.place))
        return known[1]

    def _pages(self, rows: Sequence[Row]) -> list[list[Any]]:
        page = self.cloud.page
        return [[self._row(row) for row in rows[i : i + page]] for i in range(0, len(rows), page)] or [[]]

    async def servers(
        self, *, changes_since: dt.datetime | None = None, filters: Any = None, all_projects: bool = False
    ) -> AsyncIterator[Sequence[Server]]:
        await self.cloud.answer("changes" if changes_since else "servers")
        rows = [row for row in self.cloud.rows.values() if isinstance(row, Server)]
        if changes_since is not None:
            rows = [row for row in [*rows, *self.cloud.left] if row.updated and row.updated >= changes_since]
        rows = [row for row in rows if all_projects or row.project_id == self.project]
        rows = [row for row in rows if not filters or all(getattr(row, key) == filters[key] for key in filters)]
        for page in self._pages(rows):
            yield page

    async def _list(self, what: str, kind: type[Row]) -> AsyncIterator[Any]:
        await self.cloud.answer(what)
        for page in self._pages([row for row in self.cloud.rows.values() if isinstance(row, kind)]):
            yield page

    def images(self, *, filters: Any = None) -> AsyncIterator[Sequence[Image]]:
        return self._list("images", Image)

    def flavors(self, *, filters: Any = None) -> AsyncIterator[Sequence[Flavor]]:
        return self._list("flavors", Flavor)

    def keypairs(self) -> AsyncIterator[Sequence[KeyPair]]:
        return self._list("keypairs", KeyPair)

    async def _one(self, id: str, kind: type[Row]) -> Any:
        await self.cloud.answer(f"{kind.__name__.lower()} {id}")
        row = self.cloud.rows.get(id)
        if not isinstance(row, kind) or (isinstance(row, Server) and row.project_id != self.project):
            raise NotFound(f"no {id}", place=str(self.origin.place), status=404)
        return self._row(row)

    async def server(self, id: str) -> Server:
        return await self._one(id, Server)  # type: ignore[no-any-return]

    async def image(self, id: str) -> Image:
        return await self._one(id, Image)  # type: ignore[no-any-return]

    async def flavor(self, id: str) -> Flavor:
        return await self._one(id, Flavor)  # type: ignore[no-any-return]

    async def close(self, *, for_good: bool = False) -> None:
        self.cloud.closed += 1


class SmallAccount:
    """An entry of clouds.yaml that leads into a `SmallCloud`."""

    def __init__(self, cloud: SmallCloud, name: str, region: str | None = None, **dialect: Any) -> None:
        self.cloud, self.given = cloud, dialect
        self.place = Place(name, cloud.region if region is None else region)
        self.missing: tuple[str, ...] = ()
        self.secrets: dict[str, str] = {}
        self.errors: list[CloudError] = []  # the logins that fail, in their order
        self.logins = 0
        self.gate = asyncio.Event()  # every login waits for it
        self.gate.set()

    def at(self, region: str) -> "SmallAccount":
        return SmallAccount(SmallCloud(self.cloud.clock, self.cloud.endpoint, region), self.place.cloud, **self.given)

    def with_secrets(self, **given: str) -> "SmallAccount":
        self.secrets.update(given)
        self.missing = tuple(name for name in self.missing if name not in given)
        return self


async def connect(account: Any) -> Any:
    """Log in."""
    account.logins += 1
    await account.gate.wait()
    if account.errors:
        raise account.errors.pop(0)
    place = Place(account.place.cloud, account.cloud.region)
    return SmallDialect(account.cloud, place, **account.given)


def flavor_of(id: str) -> FlavorReference:
    """A server's word of its flavor."""
    return FlavorReference(id=id, name=id)
