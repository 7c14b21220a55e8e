"""The real screen over the real console on a cloud of made pages, with changes poured into its store from within.

`python tests/bench/screen_app.py '{"url": ..., "rate": 1000, "where": "all", "poll": false}'`: F2 begins and ends
the changes, F3 changes one visible cell. `where` is "all" rows or "visible" ones; `poll` asks for the complete list
each second in the screen's own loop.
"""

import asyncio
import collections
import datetime as dt
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from console.model.place import Key, Place

BATCH = 0.05  # seconds between two pourings
AHEAD = 160  # pourings over all rows that are made before the first: making them is no work of the screen's
PLACE = Place("bench", "one")


class Account:
    """One account of the cloud of pages."""

    place = PLACE
    missing = ()


class Accounts:
    """What a look at clouds.yaml would give."""

    accounts = (Account(),)
    problems = looked_for = names = ()


async def connect(account: Any, url: str, place: Place = PLACE) -> Any:
    """The real dialect, but for its login and the services that this cloud has not."""
    from console.clouds.openstack.cloud import OpenStack
    from console.clouds.openstack.nova import Nova
    from console.clouds.openstack.service import Service, Version
    from console.model.place import Origin
    from console.wire.auth import Auth, Token
    from console.wire.transport import Transport

    async def token() -> Token:
        return Token({"X-Auth-Token": "bench"}, 1e9)

    transport = Transport(place=str(place))
    service = Service(transport, Auth(token), f"{url}/v2.1")
    service.version = Version(2, 96)
    origin = Origin(place, url)
    own = {
        "region": "one",
        "pace": transport.pace,
        "close": transport.close,
        "clock_now": lambda: dt.datetime.now(dt.UTC),
    }
    cloud = OpenStack(origin, Nova(service, origin, region="one"), None, None, **own)
    cloud.verbs = frozenset(("server.list", "server.get", "server.changes"))
    return cloud


class Pouring:
    """Changes, so many a second."""

    def __init__(self, app: Any, rate: float, where: str) -> None:
        self.app, self.rate, self.where = app, rate, where
        self.on = False
        self.numbers = itertools.count()
        self.chance = random.Random(1)

    @property
    def store(self) -> Any:
        return self.app.main.deck.console.store

    def made(self, keys: Iterable[Key]) -> list[Any]:
        """These rows, each with another address."""
        from console.model.server import Server

        known, rows = self.store.rows(Server), []
        for key in keys:
            number = next(self.numbers)
            address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            rows.append(msgspec.structs.replace(known[key], access_ipv4=address, record=b""))
        return rows

    def change(self, rows: list[Any]) -> None:
        """Tell that the rows are so."""
        from console.core.store import Listing
        from console.model.server import Server

        self.store.apply(Listing(PLACE, Server, rows, asyncio.get_running_loop().time(), complete=False))

    def one(self) -> None:
        """Change one cell that is seen."""
        self.change(self.made([self.app.main.panes["servers"].table.visible_keys()[10]]))

    def toggle(self) -> None:
        """Begin, or end."""
        self.on = not self.on
        if self.on:
            self.app.run_worker(self.pour(), name="pouring")

    async def pour(self) -> None:
        """Change rows at the given rate, in batches, as pollers do."""
        loop, rows = asyncio.get_running_loop(), self.rows()
        ahead = collections.deque(itertools.islice(rows, AHEAD if self.where == "all" else 0))
        due = loop.time()
        while self.on:
            self.change(ahead.popleft() if ahead else next(rows))
            due += BATCH
            await asyncio.sleep(max(0.0, due - loop.time()))

    def rows(self) -> Iterator[list[Any]]:
        """One pouring after the other."""
        table, owed = self.app.main.panes["servers"].table, 0.0
        every = list(table.index.order)
        while True:
            owed += self.rate * BATCH
            keys = table.visible_keys() if self.where == "visible" else every
            yield self.made(dict.fromkeys(self.chance.choices(keys, k=int(owed))))
            owed -= int(owed)


async def poll(app: Any) -> None:
    """A whole listing each second, in this loop."""
    from console.core.store import Listing
    from console.model.server import Server

    while True:
        await asyncio.sleep(1.0)
        deck = app.main.deck
        if deck is None:
            continue
        asked_at = asyncio.get_running_loop().time()
        rows = [row async for page in deck.console.fleet.dialect(PLACE).servers() for row in page]
        deck.console.store.apply(Listing(PLACE, Server, rows, asked_at, complete=True))


def main() -> None:
    """Run the screen until it is left."""
    told = json.loads(sys.argv[1])
    from console.core.memory import expect_much

    expect_much()  # as the command's front door does
    from console.core.settings import Paths, Settings
    from console.tui import app as screen

    class BenchApp(screen.NovadeckApp):
        """The app, with two keys more."""

        CSS_PATH = Path(screen.__file__).with_name("console.tcss")

        def on_mount(self) -> None:  # Textual calls those of both classes
            self.pouring = Pouring(self, told.get("rate", 1000), told.get("where", "all"))
            if told.get("poll"):
                self.run_worker(poll(self), name="poll each second")

        async def on_event(self, event: Any) -> None:
            if getattr(event, "key", "") == "f2":
                self.pouring.toggle()
            elif getattr(event, "key", "") == "f3":
                self.pouring.one()
            else:
                await super().on_event(event)

    def opened(ask: Any = None) -> Any:
        import console

        paths = Paths(folder / "config", folder / "state", folder / "run")
        accounts: Any = Accounts()
        return console.open(accounts=accounts, connect=partial(connect, url=told["url"]), paths=paths, checks=False)

    with tempfile.TemporaryDirectory(prefix="novadeck-bench-") as name:
        folder = Path(name)
        screen.NovadeckApp = BenchApp  # type: ignore[misc]
        screen.run(opened, Settings(), opening=["bench"])


if __name__ == "__main__":
    main()
