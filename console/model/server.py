"""A server as one moment saw it: frozen, with None for whatever the cloud did not say.

The shape follows the record that Nova sends, under the field's plain names, so that a dialect whose
records are alike can decode ten thousand of them without touching each (`clouds/openstack`). Another
dialect builds one field by field. Nothing is guessed: a server just ordered has an id and little else.
"""

import datetime as dt

import msgspec

from console.model.place import Key, Row
from console.model.status import POWER_STATES, Mood, in_flight, known, mood

NOWHERE = ("0.0.0.0", "::")  # access addresses that say that there is none


class Address(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"kind": "OS-EXT-IPS:type", "mac": "OS-EXT-IPS-MAC:mac_addr"},
):
    """One address of a server; `kind` is "fixed", "floating" or None where the cloud does not tell."""

    addr: str
    version: int = 4
    kind: str | None = None
    mac: str | None = None


class Reference(msgspec.Struct, frozen=True, gc=False):
    """Another thing, named by its id alone."""

    id: str | None = None


class FlavorReference(msgspec.Struct, frozen=True, gc=False, rename={"name": "original_name"}):
    """A server's flavor: an id, or (from 2.47 on) the flavor itself as it was when the server was made."""

    id: str | None = None
    name: str | None = None
    vcpus: int | None = None
    ram: int | None = None  # MB
    disk: int | None = None  # GB
    ephemeral: int | None = None  # GB
    swap: int | str | None = None  # MB; "" is none
    extra_specs: dict[str, str] | None = None


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Why a server is in ERROR, in the cloud's words."""

    message: str = ""
    code: int = 0
    created: dt.datetime | None = None
    details: str | None = None


class Attached(msgspec.Struct, frozen=True, gc=False):
    """A volume that is attached to a server."""

    id: str
    delete_on_termination: bool | None = None


class Named(msgspec.Struct, frozen=True, gc=False):
    """A thing that a record names and tells nothing else of, such as a security group."""

    name: str = ""


class ImageSchedule(msgspec.Struct, frozen=True, gc=False):
    """Images that the cloud makes by itself: daily, or weekly on one day; the newest `retention` of them are kept."""

    retention: int = 0
    day_of_week: str | None = None


class Server(Row, frozen=True, kw_only=True, gc=False):
    """One server of one cloud. Times are aware UTC; sizes are in MB (ram, swap) and GB (disk)."""

    word: str | None = None  # the cloud's own status word
    task_state: str | None = None
    vm_state: str | None = None
    power_state: int | None = None
    progress: int | None = None
    fault: Fault | None = None
    addresses: dict[str, list[Address]] | None = None
    access_ipv4: str | None = None
    access_ipv6: str | None = None
    flavor: FlavorReference | None = None
    image: Reference | str | None = None  # "" when it boots from a volume
    key_name: str | None = None
    created: dt.datetime | None = None
    updated: dt.datetime | None = None
    launched_at: dt.datetime | None = None
    terminated_at: dt.datetime | None = None
    host_id: str | None = None  # compare within one project only
    host: str | None = None
    hypervisor: str | None = None
    host_status: str | None = None
    zone: str | None = None
    locked: bool | None = None
    locked_reason: str | None = None
    metadata: dict[str, str] | None = None
    tags: list[str] | None = None
    description: str | None = None
    hostname: str | None = None
    config_drive: str | bool | None = None
    security_groups: list[Named] | None = None
    volumes: list[Attached] | None = None
    user_id: str | None = None
    project_id: str | None = None
    disk_config: str | None = None
    ip_group: str | None = None  # the shared IP group that it was launched into
    image_schedule: ImageSchedule | None = None

    @property
    def status(self) -> str:
        """The status word, or UNKNOWN for one that the console does not know (`word` keeps it)."""
        return known(self.word)

    @property
    def mood(self) -> Mood:
        """What this row asks of its reader."""
        return mood(self.status, self.task_state)

    @property
    def in_flight(self) -> bool:
        """Whether the cloud is about to change this server."""
        return in_flight(self.status, self.task_state)

    @property
    def power(self) -> str | None:
        """The power state in words."""
        return None if self.power_state is None else POWER_STATES.get(self.power_state, str(self.power_state))

    @property
    def image_id(self) -> str | None:
        """The image that it was made from; None when it boots from a volume or nobody told."""
        return self.image.id if isinstance(self.image, Reference) else None

    @property
    def boots_from_volume(self) -> bool:
        """Whether its root disk is a volume."""
        return self.image == ""

    @property
    def flavor_id(self) -> str | None:
        """The flavor's id, which clouds do not tell from microversion 2.47 on."""
        return self.flavor.id if self.flavor else None

    def all_addresses(self) -> list[Address]:
        """Every address: floating before fixed, version 4 before 6, in the networks' order."""
        found = [address for group in (self.addresses or {}).values() for address in group]
        return sorted(found, key=lambda a: (a.kind != "floating", a.version))

    def same_addresses(self, other: "Server") -> bool:
        """Whether both have the same addresses in their networks."""
        return self.addresses == other.addresses

    @property
    def access(self) -> list[str]:
        """The access addresses, v4 first; 0.0.0.0 and :: say that there is none."""
        return [address for address in (self.access_ipv4, self.access_ipv6) if address and address not in NOWHERE]

    @property
    def address(self) -> str | None:
        """The one address to show and to try first: the access address, else floating, else fixed; v4 first."""
        if (self.access_ipv4 or self.access_ipv6) and (access := self.access):
            return access[0]
        found = self.all_addresses()
        return found[0].addr if found else None


def deleted(server: Server) -> bool:
    """Whether this record says that the server is gone."""
    return server.word in ("DELETED", "SOFT_DELETED")


def server_key(endpoint: str, region: str, id: str) -> Key:
    """The identity of a server."""
    return Key(endpoint, region, "server", id)
