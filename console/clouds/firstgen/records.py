"""Records of the first generation, v1.0, as the model's nouns.

Numbers become texts, since elsewhere an id is one. What v1.0 does not tell stays None: no times, no networks, no power
state. A record is read field by field, and a field of the wrong type is left out.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.place import Key, Origin, Row
from console.model.quota import Limit
from console.model.schedule import OFF, Schedule
from console.model.server import Address, FlavorReference, Reference, Server
from console.text import clean_tree

R = TypeVar("R", bound=Row)
Record = Mapping[str, Any]

_NETWORKS = ("public", "private")  # the order in which an address is worth trying
_LIMITS = {
    "maxTotalRAMSize": ("ram", "MB"),
    "maxIPGroups": ("ip_groups", ""),
    "maxIPGroupMembers": ("ip_group_members", ""),
}


class Reader:
    """Makes rows of records, signed with where they came from."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def of(self, kind: str, read: Callable[[Record], R]) -> Callable[[Iterable[bytes]], Iterator[R]]:
        """What reads many records of one kind; those without an id are none."""

        def many(records: Iterable[bytes]) -> Iterator[R]:
            for record in records:
                tree = clean_tree(msgspec.json.decode(record))
                if isinstance(tree, dict) and (id := text_id(tree.get("id"))) is not None:
                    key = Key(self.origin.endpoint, "", kind, id)
                    yield msgspec.structs.replace(read(tree), key=key, place=self.origin.place, record=record)

        return many

    def server(self, tree: Record) -> Server:
        """A server."""
        flavor, image = text_id(tree.get("flavorId")), text_id(tree.get("imageId"))
        return Server(
            id=text_id(tree["id"]) or "",
            name=_text(tree, "name") or "",
            word=_text(tree, "status"),
            progress=_number(tree, "progress"),
            addresses=addresses(tree.get("addresses")),
            flavor=FlavorReference(flavor) if flavor else None,
            image=Reference(image) if image else None,
            host_id=_text(tree, "hostId"),
            metadata=_pairs(tree.get("metadata")),
            ip_group=text_id(tree.get("sharedIpGroupId")),
            project_id=self.origin.project_id or None,
        )


def text_id(value: object) -> str | None:
    """An id, which v1.0 writes as a number, as the text that an id is everywhere else."""
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return None
    return str(value)


def image(tree: Record) -> Image:
    """An image; one with a server is that server's snapshot, and goes with it."""
    server = text_id(tree.get("serverId"))
    return Image(
        id=text_id(tree["id"]) or "",
        name=_text(tree, "name") or "",
        word=_text(tree, "status"),
        progress=_number(tree, "progress"),
        created=moment(tree.get("created")),
        updated=moment(tree.get("updated")),
        min_disk=_number(tree, "minDisk"),
        min_ram=_number(tree, "minRam"),
        server_id=server,
        image_type="snapshot" if server else None,
        visibility="private" if server else "public",
    )


def flavor(tree: Record) -> Flavor:
    """A flavor: memory and disk, and of the processor only a share that nobody tells."""
    return Flavor(
        id=text_id(tree["id"]) or "",
        name=_text(tree, "name") or "",
        ram=_number(tree, "ram"),
        disk=_number(tree, "disk"),
    )


def ip_group(tree: Record) -> IpGroup:
    """A shared IP group; the reply to its creation leaves its servers out at times."""
    told = tree.get("servers")
    servers = [id for one in told if (id := text_id(one)) is not None] if isinstance(told, list) else []
    return IpGroup(id=text_id(tree["id"]) or "", name=_text(tree, "name") or "", servers=servers)


def schedule(tree: Record, server: Server) -> Schedule:
    """A server's backup schedule; one that was never set is disabled."""
    daily, weekly = (_text(tree, name) or OFF for name in ("daily", "weekly"))
    return Schedule(
        id=server.id,
        name=server.name,
        key=Key(server.key.endpoint, server.key.region, "schedule", server.id),
        place=server.place,
        record=msgspec.json.encode(tree),
        what="backup schedule",
        enabled=tree.get("enabled") is True,
        daily="" if daily == OFF else daily,
        weekly="" if weekly == OFF else weekly,
    )


def absolute_limits(tree: object) -> dict[str, Limit]:
    """What the account may have in all; what it uses is not told."""
    told = tree if isinstance(tree, dict) else {}
    return {
        name: Limit(name, told[word], None, unit)
        for word, (name, unit) in _LIMITS.items()
        if isinstance(told.get(word), int)
    }


def addresses(tree: object) -> dict[str, list[Address]]:
    """Public addresses, then private ones; they are known from the first reply on."""
    told = tree if isinstance(tree, dict) else {}
    names = [*(name for name in _NETWORKS if name in told), *(name for name in told if name not in _NETWORKS)]
    return {
        name: [Address(text, 6 if ":" in text else 4, "fixed") for text in told[name] if isinstance(text, str)]
        for name in names
        if isinstance(told[name], list)
    }


def moment(value: object) -> dt.datetime | None:
    """A time, with an offset or Z; one without either is UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def _text(tree: Record, name: str) -> str | None:
    value = tree.get(name)
    return value if isinstance(value, str) else None


def _number(tree: Record, name: str) -> int | None:
    value = tree.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _pairs(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    return {str(key): item for key, item in value.items() if isinstance(item, str)}


def inner(body: bytes, word: str) -> bytes:
    """The record under a word of an answer, as its bytes; b"" where there is none."""
    try:
        tree = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b""
    return bytes(tree.get(word, b""))
