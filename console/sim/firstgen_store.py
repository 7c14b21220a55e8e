"""What a first-generation cloud (Cloud Servers v1.0) knows: servers, images, flavors, shared IP groups, schedules.

Everything has a whole number for an id and belongs to one account; there is no region.  Plain records with no opinion:
what may be asked is the API's affair, what happens over time is `firstgen_lives`'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import md5
from itertools import count

from console.sim.clock import Clock
from console.sim.records import Ids

PUBLIC, PRIVATE = "127.67", "127.10"  # loopback, so that whoever connects to a server stays on this machine
HOSTS = 5


@dataclass(frozen=True, slots=True)
class OldFlavor:
    """A size on offer: RAM in MB, disk in GB."""

    id: int
    name: str
    ram: int
    disk: int


@dataclass(slots=True)
class Schedule:
    """When images of a server are made by themselves; every time is GMT."""

    enabled: bool = False
    weekly: str = "DISABLED"
    daily: str = "DISABLED"


@dataclass(slots=True)
class OldImage:
    """An image; only custom ones have the server that they were made from."""

    id: int
    name: str
    created: float
    updated: float
    status: str = "ACTIVE"
    server_id: int | None = None
    began: float = 0.0
    ends: float = 0.0


@dataclass(slots=True)
class OldServer:
    """A server; `motion` counts what was begun with it, so that a newer life ends an older one."""

    id: int
    name: str
    image_id: int
    flavor: OldFlavor
    created: float
    updated: float
    host: str
    status: str = "BUILD"
    admin_pass: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    public: list[str] = field(default_factory=list)
    private: list[str] = field(default_factory=list)
    group_id: int | None = None
    schedule: Schedule = field(default_factory=Schedule)
    old_flavor: OldFlavor | None = None
    deleted: bool = False
    motion: int = 0
    began: float = 0.0
    ends: float = 0.0


@dataclass(slots=True)
class SharedIpGroup:
    """Servers that may share their public addresses with each other."""

    id: int
    name: str
    updated: float


class OldCloud:
    """The records of one account."""

    def __init__(self, clock: Clock, ids: Ids, account: str) -> None:
        self.clock = clock
        self.ids = ids
        self.account = account
        self.servers: dict[int, OldServer] = {}
        self.images: dict[int, OldImage] = {}
        self.flavors: dict[int, OldFlavor] = {}
        self.groups: dict[int, SharedIpGroup] = {}
        self.limits = {"maxTotalRAMSize": 51_200, "maxIPGroups": 25, "maxIPGroupMembers": 25}
        self._server_ids, self._image_ids, self._group_ids = count(1234), count(743), count(1234)
        self._hosts = count(1)

    def add_server(self, name: str, image_id: int, flavor: OldFlavor) -> OldServer:
        """A new server, with its addresses: they are known from the first moment on."""
        id, number, now = next(self._server_ids), next(self._hosts), self.clock.time()
        server = OldServer(id, name, image_id, flavor, now, now, f"slice{number % HOSTS}")
        server.admin_pass = self.ids.word()
        tail = f"{number // 250}.{number % 250 + 1}"
        server.public, server.private = [f"{PUBLIC}.{tail}"], [f"{PRIVATE}.{tail}"]
        self.servers[id] = server
        return server

    def add_image(self, name: str, server: OldServer | None = None) -> OldImage:
        """A new image: one on offer, or of a server."""
        now, id = self.clock.time(), next(self._image_ids) if server is not None else len(self.images) + 1
        image = self.images[id] = OldImage(id, name, now, now)
        if server is not None:
            image.server_id, image.status = server.id, "QUEUED"
        return image

    def add_group(self, name: str) -> SharedIpGroup:
        """A new shared IP group, without servers."""
        id = next(self._group_ids)
        group = self.groups[id] = SharedIpGroup(id, name, self.clock.time())
        return group

    def alive(self) -> list[OldServer]:
        """The servers that are not deleted."""
        return [server for server in self.servers.values() if not server.deleted]

    def members(self, group: SharedIpGroup) -> list[OldServer]:
        """The servers of a group."""
        return [server for server in self.alive() if server.group_id == group.id]

    def holders(self, address: str) -> list[OldServer]:
        """The servers that have this public address: more than one where it is shared."""
        return [server for server in self.alive() if address in server.public]

    def in_flight(self, server: OldServer) -> bool:
        """Whether an image of this server is being made."""
        mine = (image for image in self.images.values() if image.server_id == server.id)
        return any(image.status in ("QUEUED", "PREPARING", "SAVING") for image in mine)

    def host_id(self, server: OldServer) -> str:
        """Where a server runs: the same for servers of one account on one host, and no name."""
        return md5(f"{self.account}/{server.host}".encode(), usedforsecurity=False).hexdigest()

    def ram(self) -> int:
        """The RAM of all servers, in MB."""
        return sum(server.flavor.ram for server in self.alive())
