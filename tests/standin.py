"""A console without clouds, for tests of the screen's drawing alone: the real store, filled by hand, at a still time.

What the keys do to a cloud is proven over the embedded cloud (`test_pilot.py`), never here.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from console.core.health import Health
from console.core.resizes import Resizes
from console.core.settings import CloudSettings, Paths, Saved, Settings
from console.core.store import Listing, Store
from console.errors import Unreachable
from console.model.deed import Deed
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.model.place import Key, Place, Row
from console.model.quota import Allowance
from console.model.schedule import Schedule
from console.model.server import Address, Fault, FlavorReference, Reference, Server
from console.model.zone import Zone
from console.runbooks.ready import Ready
from console.session.stops import Stops
from console.testing import MovedClock

NOW = dt.datetime(2026, 11, 20, 14, 2, 11, tzinfo=dt.UTC)
DFW, BER, LEGACY, WAW = Place("prod", "dfw"), Place("lab", "ber"), Place("legacy"), Place("edge", "waw")
PLACES = (DFW, BER, LEGACY, WAW)
DAY = 86400.0


def ago(seconds: float) -> dt.datetime:
    """A moment so many seconds before now."""
    return NOW - dt.timedelta(seconds=seconds)


def key(kind: str, id: str) -> Key:
    """All places lead to one cloud here, so that each server's image and flavor have their names."""
    return Key("https://standin.example", "", kind, id)


def server(
    name: str, status: str, place: Place, age: float, flavor: str, image: str, address: str = "", **more: Any
) -> Server:
    """One server."""
    task, since = more.pop("task", None), more.pop("since", age)
    addresses = {"net": [Address(address, 6 if ":" in address else 4)]} if address else None
    return Server(
        id=f"id-{name}",
        name=name,
        key=key("server", f"id-{name}"),
        place=place,
        word=status,
        task_state=task,
        addresses=addresses,
        flavor=FlavorReference(name=flavor),
        image=Reference(f"image-{image}"),
        created=ago(age),
        updated=ago(since),
        record=f'{{"id": "id-{name}", "name": "{name}", "status": "{status}", "task": "{task}"}}'.encode(),
        **more,
    )


def servers() -> list[Server]:
    """The 29 servers of the pictures in look.md."""
    small, medium, large, xlarge = "m1.small", "m1.medium", "m1.large", "m1.xlarge"
    g14, g9, ub, deb = "golden-web-v14", "golden-api-v9", "ubuntu-24.04", "debian-12"
    no_host = Fault("No valid host was found. There are not enough hosts available.", 500)
    ports = Fault("Quota exceeded for resources: ['port'].", 413)
    return [
        server("db-1", "ERROR", DFW, 120, large, deb, fault=no_host),
        server("batch-17", "ERROR", BER, 26 * 60, small, ub, fault=ports),
        server("web-2", "VERIFY_RESIZE", DFW, 41 * DAY, medium, g14, "10.20.4.12", since=134),
        server("www-2", "VERIFY_RESIZE", LEGACY, 3 * 365 * DAY, "1024 MB", "centos-5.2", "67.23.10.132", since=1140),
        server("web-6", "ACTIVE", DFW, 112, small, g14, "10.20.4.71", task="powering-on", since=70),
        server("web-7", "BUILD", DFW, 90, small, g14, "10.20.4.72", task="spawning", since=41),
        server("web-8", "BUILD", DFW, 80, small, g14, task="networking", since=6),
        server("web-9", "BUILD", DFW, 70, small, g14, task="scheduling", since=2),
        server("db-3", "ACTIVE", DFW, 211 * DAY, large, deb, "10.20.8.3", task="image_uploading", progress=63),
        server("api-2", "REBOOT", DFW, 88 * DAY, medium, g9, "10.20.5.2", task="rebooting", since=8),
        server("ci-11", "REBUILD", BER, 9 * DAY, xlarge, ub, "2001:db8:40::1b", task="rebuild_spawning", since=12),
        server("mail-1", "RESIZE", LEGACY, 4 * 365 * DAY, "512 MB", "debian-5.0", "67.23.10.140", progress=38),
        server("api-1", "ACTIVE", DFW, 88 * DAY, medium, g9, "10.20.5.1"),
        server("api-3", "ACTIVE", DFW, 88 * DAY, medium, g9, "10.20.5.3"),
        server("bastion-1", "ACTIVE", DFW, 365 * DAY, "m1.tiny", deb, "198.51.100.7", locked=True),
        server("cache-1", "ACTIVE", DFW, 140 * DAY, medium, ub, "10.20.6.1"),
        server("cache-2", "ACTIVE", DFW, 140 * DAY, medium, ub, "10.20.6.2"),
        server("db-2", "ACTIVE", DFW, 211 * DAY, large, deb, "10.20.8.2"),
        server("queue-1", "ACTIVE", DFW, 19 * DAY, medium, deb, "10.20.7.1"),
        server("web-1", "ACTIVE", DFW, 41 * DAY, small, g14, "10.20.4.11"),
        server("web-3", "ACTIVE", DFW, 41 * DAY, small, g14, "10.20.4.13"),
        server("ci-8", "ACTIVE", BER, 9 * DAY, xlarge, ub, "2001:db8:40::18"),
        server("ci-9", "SHUTOFF", BER, 9 * DAY, xlarge, ub, "2001:db8:40::19"),
        server("ci-10", "SHUTOFF", BER, 9 * DAY, xlarge, ub, "2001:db8:40::1a"),
        server("www-1", "ACTIVE", LEGACY, 3 * 365 * DAY, "512 MB", "centos-5.2", "67.23.10.131"),
        server("www-3", "ACTIVE", LEGACY, 3 * 365 * DAY, "512 MB", "centos-5.2", "67.23.10.133"),
        server("edge-1", "ACTIVE", WAW, 77 * DAY, "e1.small", "alpine-3.20", "10.90.1.4"),
        server("edge-2", "ACTIVE", WAW, 77 * DAY, "e1.small", "alpine-3.20", "10.90.1.5"),
        server("edge-3", "SHUTOFF", WAW, 77 * DAY, "e1.small", "alpine-3.20", "10.90.1.6"),
    ]


def images() -> list[Image]:
    """Nine images, one of them on its way."""
    table = (
        ("golden-web-v15", "saving", None, 60, 63),
        ("golden-web-v14", "active", 2_100_000_000, 2 * DAY, None),
        ("golden-api-v9", "active", 1_800_000_000, 9 * DAY, None),
        ("daily-web-1-1120", "active", 2_200_000_000, 11 * 3600, None),
        ("daily-web-1-1119", "active", 2_200_000_000, DAY, None),
        ("ubuntu-24.04", "active", 622_000_000, 31 * DAY, None),
        ("debian-12", "active", 418_000_000, 44 * DAY, None),
        ("alpine-3.20", "active", 129_000_000, 90 * DAY, None),
        ("centos-5.2", "active", 391_000_000, 3 * 365 * DAY, None),
    )
    return [
        Image(
            id=f"image-{name}",
            name=name,
            key=key("image", f"image-{name}"),
            place=DFW,
            word=word,
            size=size,
            created=ago(age),
            progress=progress,
        )
        for name, word, size, age, progress in table
    ]


def flavors() -> list[Flavor]:
    """Eleven flavors."""
    table = (
        ("m1.tiny", 1, 512, 1),
        ("m1.small", 1, 2048, 20),
        ("m1.medium", 2, 4096, 40),
        ("m1.large", 4, 8192, 80),
        ("m1.xlarge", 8, 16384, 160),
        ("m2.medium", 2, 8192, 40),
        ("g1.large", 4, 16384, 80),
        ("m1.ceph", 2, 4096, 0),
        ("e1.small", 1, 1024, 8),
        ("512 MB", None, 512, 20),
        ("1024 MB", None, 1024, 40),
    )
    return [
        Flavor(
            id=f"flavor-{name}",
            name=name,
            key=key("flavor", f"flavor-{name}"),
            place=DFW,
            vcpus=vcpus,
            ram=ram,
            disk=disk,
        )
        for name, vcpus, ram, disk in table
    ]


class Collection:
    """One noun of the stand-in."""

    def __init__(self, store: Store, kind: type[Row]) -> None:
        self.store, self.kind = store, kind

    def watch(self) -> Any:
        """The store's own mailbox."""
        return self.store.watch(self.kind)


class StandIn:
    """What the screen reads of a `Console`; it acts on nothing."""

    def __init__(
        self, rows: list[Row], places: tuple[Place, ...] = PLACES, health: dict[Place, Health] | None = None
    ) -> None:
        self.clock = MovedClock(NOW)
        self.store = Store(self.clock)
        self.places, self.problems, self.read_only = places, (), False
        self.paths = Paths(*[Path("/dev/null/nowhere")] * 3)
        self.settings = Settings(clouds={"prod": CloudSettings(production=True)}, theme="nocturne")
        self.accounts = SimpleNamespace(looked_for=("./clouds.yaml",), names=())
        self.fleet = SimpleNamespace(retry=lambda place: None, refresh=lambda: None, dialect=self.dialect)
        self.servers, self.images = Collection(self.store, Server), Collection(self.store, Image)
        self.flavors, self.keypairs = Collection(self.store, Flavor), Collection(self.store, KeyPair)
        self.allowances, self.zones = Collection(self.store, Allowance), Collection(self.store, Zone)
        self.deeds = Collection(self.store, Deed)
        self.ipgroups, self.plans = Collection(self.store, IpGroup), Collection(self.store, Schedule)
        self.resizes = Resizes(self.clock, self.settings, lambda key: asyncio.sleep(0, []))
        self.stops = Stops(self.dialect)
        self.readiness = Ready(self, self.store, lambda kind: nullcontext())  # type: ignore[arg-type]
        self._saved = Saved()
        self.refusals: dict[tuple[str, str], str] = {}
        for place in places:
            self.store.set_health(place, (health or {}).get(place, Health(state="well", rows_at=998.0)))
        self.put(rows)

    def dialect(self, place: Place) -> Any:
        """Nothing to send by."""
        raise Unreachable("This is a stand-in.", place=str(place))

    @property
    def saved(self) -> Saved:
        """What was kept, in memory alone."""
        return self._saved

    def save(self, change: Any) -> None:
        """Keep it in memory."""
        self._saved = msgspec.structs.replace(self._saved, **change(self._saved))

    @property
    def health(self) -> Any:
        """The store's."""
        return self.store.health

    def put(self, rows: list[Row], complete: bool = False) -> None:
        """Let the clouds tell these rows."""
        for place in self.places:
            for kind in (Server, Image, Flavor, KeyPair, Allowance, Zone, Deed):
                told = [row for row in rows if isinstance(row, kind) and row.place == place]
                if told:
                    self.store.apply(Listing(place, kind, told, self.clock.monotonic(), complete))

    async def history(self, key: Key) -> list[Any]:
        """Nothing is remembered."""
        return []

    def verdict(self, action: Any, row: Row) -> str:
        """What the real rules say of a server's state, and nothing of clouds."""
        from console.actions import legal

        if isinstance(row, Server):
            return self.refusals.get((action.name, row.name)) or legal.verdict(action.name, row)
        return ""


def health() -> dict[Place, Health]:
    """The four lanes of the pictures: well and production, slow, well, unreachable."""
    return {
        DFW: Health(state="well", rows_at=998.0, left=69, most=100, counts={"server": 16}),
        BER: Health(state="slow", rows_at=996.0, latency=2.1, counts={"server": 5}),
        LEGACY: Health(state="well", rows_at=992.0, left=51, most=60, counts={"server": 5}),
        WAW: Health(state="down", rows_at=760.0, reason="refused", next_try=1026.0, counts={"server": 3}),
    }


def sample() -> StandIn:
    """The fleet of the pictures."""
    return StandIn([*servers(), *images(), *flavors()], health=health())


@asynccontextmanager
async def opened(console: StandIn) -> AsyncIterator[StandIn]:
    """As `console.open()`."""
    yield console
