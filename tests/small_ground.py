"""A small real ground for actions: real accounts, dialects, store, clock and audit, without pollers."""

import datetime as dt
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from console.actions.audit import Audit
from console.clouds.accounts import find_accounts, in_thread
from console.clouds.connect import connect
from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.health import Health
from console.core.store import Listing, Store
from console.errors import Unreachable
from console.model.place import Key, Place
from console.model.server import Server
from console.runbooks.journal import Journal
from console.runbooks.keeper import Keeper
from console.text import Secret


class SmallGround:
    """What `perform` stands on, for tests."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = Store(self.clock)
        self.paths = SimpleNamespace(state=folder)
        self.audit = Audit(folder / "audit.ndjson")
        self.settings = SimpleNamespace(clouds={}, operations_kept=365)
        self.read_only = False
        self.passwords: dict[str, Secret] = {}
        self.promised: dict[str, Any] = {}
        self.dialects: dict[Place, Dialect] = {}
        self.woken: list[Place] = []
        self.remembered: list[Any] = []
        self.keeper = Keeper(self, Journal(folder / "journal.sqlite"), self.clock)  # type: ignore[arg-type]

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(self.dialects)

    def dialect(self, place: Place) -> Dialect:
        if place not in self.dialects:
            raise Unreachable("There is nothing there.", place=str(place))
        return self.dialects[place]

    def wake(self, place: Place) -> None:
        self.woken.append(place)

    async def history(self, key: Key) -> list[Any]:
        return self.remembered

    def events(self) -> list[str]:
        return [line["event"] for line in self.audit.lines()]

    async def refresh(self, place: Place, *kinds: type[Any]) -> None:
        """List the servers of a place into the store."""
        asked = self.clock.monotonic()
        rows = [row async for page in self.dialect(place).servers() for row in page]
        self.store.apply(Listing(place, Server, rows, asked, True))

    async def server(self, place: Place, name: str) -> Server:
        """The server of that name, read now."""
        await self.refresh(place)
        return next(row for row in self.store.rows(Server).values() if row.name == name)


@asynccontextmanager
async def ground_on(clouds_yaml: Path, folder: Path, *clouds: str) -> AsyncIterator[SmallGround]:
    """A ground over the places of these clouds."""
    before = os.environ.get("OS_CLIENT_CONFIG_FILE")
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(clouds_yaml)
    ground = SmallGround(folder)
    try:
        found = await in_thread(lambda: find_accounts(clouds or None))
        for account in found.accounts:
            ground.dialects[account.place] = await connect(account, clock_now=lambda: dt.datetime.now(dt.UTC))
            ground.store.set_health(account.place, Health(state="well"))
        yield ground
    finally:
        for dialect in ground.dialects.values():
            await dialect.close()
        if before is None:
            os.environ.pop("OS_CLIENT_CONFIG_FILE", None)
        else:
            os.environ["OS_CLIENT_CONFIG_FILE"] = before
