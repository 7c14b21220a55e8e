"""The embedded cloud's nouns: what it knows of each server, flavor, image, port and key pair.

Plain records with no opinion: who may see them is policy (the APIs), how they change is a life (`machine`).
A server keeps its encoded replies beside it, so that ten thousand of them list quickly; whoever changes a server
says so with `touch` (Nova bumps updated_at) or `stale` (Nova does not).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from hashlib import sha224
from typing import Any

Encoded = dict[tuple[Any, ...], bytes]


class Ids:
    """Identifiers that a seed repeats."""

    def __init__(self, seed: object) -> None:
        self.random = random.Random(str(seed))

    def uuid(self) -> str:
        """A version 4 uuid, with hyphens."""
        text = f"{self.random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"

    def hex(self) -> str:
        """A uuid without hyphens, as Keystone numbers its projects and users."""
        return f"{self.random.getrandbits(128):032x}"

    def mac(self) -> str:
        """A hardware address in OpenStack's own range."""
        return "fa:16:3e:" + ":".join(f"{self.random.getrandbits(8):02x}" for _ in range(3))

    def word(self, length: int = 12) -> str:
        """Letters and digits, for passwords and reservation ids."""
        return "".join(self.random.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=length))


@dataclass(slots=True)
class Flavor:
    """A size on offer.  RAM in MB, disks in GB, swap in MB."""

    id: str
    name: str
    ram: int
    vcpus: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    public: bool = True
    description: str | None = None
    rxtx_factor: float = 1.0
    extra_specs: dict[str, str] = field(default_factory=dict)
    access: set[str] = field(default_factory=set)


@dataclass(slots=True)
class KeyPair:
    """A user's public key."""

    name: str
    user_id: str
    public_key: str
    fingerprint: str
    created: float
    type: str = "ssh"


@dataclass(slots=True)
class Image:
    """A Glance image; `properties` are its top-level string keys."""

    id: str
    name: str | None
    owner: str
    created: float
    updated: float
    status: str = "active"
    visibility: str = "public"
    size: int | None = None
    virtual_size: int | None = None
    disk_format: str | None = "qcow2"
    container_format: str | None = "bare"
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    hidden: bool = False
    checksum: str | None = None
    hash_value: str | None = None
    tags: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    encoded: bytes | None = None


@dataclass(slots=True)
class Subnet:
    """A range of addresses of a network."""

    id: str
    name: str
    network_id: str
    cidr: str
    version: int
    gateway: str
    created: float
    project_id: str
    next_host: int = 10
    base: int = 0
    room: int = 0
    tags: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Network:
    """A Neutron network."""

    id: str
    name: str
    project_id: str
    created: float
    shared: bool = True
    external: bool = False
    subnets: list[Subnet] = field(default_factory=list)
    mtu: int = 1450


@dataclass(slots=True)
class Port:
    """A Neutron port; its fixed addresses are pairs of subnet id and address."""

    id: str
    network: Network
    project_id: str
    mac: str
    created: float
    updated: float
    fixed: list[tuple[str, str]] = field(default_factory=list)
    device_id: str = ""
    device_owner: str = ""
    name: str = ""
    status: str = "ACTIVE"
    host: str = ""
    security_groups: list[str] = field(default_factory=list)
    pairs: list[dict[str, str]] = field(default_factory=list)
    port_security: bool = True
    admin_state_up: bool = True
    description: str = ""
    revision: int = 1
    floating: list[FloatingAddress] = field(default_factory=list)
    tag: str | None = None
    preserved: bool = False


@dataclass(slots=True)
class FloatingAddress:
    """A floating IP, on a port or waiting for one."""

    id: str
    address: str
    network: Network
    project_id: str
    created: float
    updated: float
    port: Port | None = None
    fixed: str | None = None
    description: str = ""
    revision: int = 0


@dataclass(slots=True)
class Event:
    """One step of an instance action on a host."""

    event: str
    start: float
    finish: float | None = None
    result: str | None = None
    host: str = ""
    details: str | None = None
    traceback: str | None = None


@dataclass(slots=True)
class InstanceAction:
    """What was asked of a server, by whom, and what became of it."""

    action: str
    request_id: str
    user_id: str | None  # None: nobody asked, Nova did it by itself
    project_id: str | None
    start: float
    updated: float
    message: str | None = None
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class Migration:
    """A move of a server between hosts, or between flavors."""

    id: int
    uuid: str
    server_id: str
    kind: str
    status: str
    source: str
    dest: str
    old_flavor: Flavor
    new_flavor: Flavor
    user_id: str
    project_id: str
    created: float
    updated: float


@dataclass(slots=True)
class Server:
    """A server, with everything that any microversion shows of it."""

    id: str
    name: str
    project_id: str
    user_id: str
    flavor: Flavor
    image_id: str | None
    created: float
    updated: float
    number: int = 0
    vm_state: str = "building"
    task_state: str | None = None
    power_state: int = 0
    launched: float | None = None
    terminated: float | None = None
    host: str = ""
    zone: str = ""
    pinned_zone: str | None = None
    key_name: str | None = None
    key_data: str | None = None
    ports: list[Port] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    fault: dict[str, Any] | None = None
    locked: bool = False
    locked_by: str = ""
    locked_reason: str | None = None
    description: str | None = None
    hostname: str = ""
    config_drive: str = ""
    user_data: str | None = None
    personality: dict[str, bytes] = field(default_factory=dict)
    admin_pass: str = ""
    disk_config: str = "MANUAL"
    access_v4: str = ""
    access_v6: str = ""
    progress: int = 0
    security_groups: list[str] = field(default_factory=lambda: ["default"])
    volumes: list[Any] = field(default_factory=list)
    group_id: str | None = None
    hints: dict[str, Any] = field(default_factory=dict)
    reservation_id: str = ""
    in_request: bool = False
    deleted: bool = False
    hidden_by_cell: bool = False
    stuck: bool = False
    old_flavor: Flavor | None = None
    old_host: str = ""
    old_state: str = ""
    shelved_image: str = ""
    motion: int = 0
    began: float = 0.0
    ends: float = 0.0
    actions: list[InstanceAction] | None = None
    console: str | None = None
    encoded: Encoded = field(default_factory=dict)

    @property
    def addresses(self) -> dict[str, list[tuple[str, str, str]]]:
        """Network name to (address, kind, mac) triples; nothing while the server is building."""
        if self.vm_state == "building":
            return {}
        found: dict[str, list[tuple[str, str, str]]] = {}
        for port in self.ports:
            for _, address in port.fixed:
                found.setdefault(port.network.name, []).append((address, "fixed", port.mac))
            for extra in port.floating:
                found.setdefault(port.network.name, []).append((extra.address, "floating", port.mac))
        return found

    @property
    def host_id(self) -> str:
        """Nova's per-project hash of the host's name."""
        return sha224((self.project_id + self.host).encode()).hexdigest() if self.host else ""

    def stale(self) -> None:
        """Forget the encoded replies: something changed that Nova does not count as an update."""
        self.encoded.clear()

    def touch(self, now: float) -> None:
        """Something changed that Nova counts as an update."""
        self.updated = now
        self.encoded.clear()
