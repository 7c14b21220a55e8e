"""The columns of each kind of row: stable ids, and how a row tells each value. Pure.

The ids are the model's plain words. The names of images and flavors that a record does not tell come from tables by
id that the caller has looked up; where there is none the id itself is shown, never a guess.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from console.cli.output import Column, Sheet
from console.cli.parse import UsageError, nearest
from console.core.news import addresses
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.model.place import Row
from console.model.server import Server

Names = Mapping[tuple[str, str], str]  # (endpoint or place, id) -> name


def server_columns(images: Names, flavors: Names, *, projects: bool = False) -> tuple[Column, ...]:
    """A server's columns; the tables name images and flavors by (cloud/region, id). `projects` are compact, too."""
    return (
        Column("id", lambda s: s.id, cut=False),
        Column("name", lambda s: s.name),
        Column("status", lambda s: s.status if s.status != "UNKNOWN" else s.word or "UNKNOWN", cut=False),
        Column("task_state", lambda s: s.task_state),
        Column("address", lambda s: s.address),
        Column("flavor", lambda s: flavor_name(s, flavors)),
        Column("image", lambda s: image_name(s, images)),
        Column("place", lambda s: str(s.place)),
        Column("power", lambda s: s.power, long=True),
        Column("vm_state", lambda s: s.vm_state, long=True),
        Column("progress", lambda s: s.progress, long=True),
        Column("addresses", addresses, long=True),
        Column("key_name", lambda s: s.key_name, long=True),
        Column("zone", lambda s: s.zone, long=True),
        Column("host", lambda s: s.host, long=True),
        Column("locked", lambda s: s.locked, long=True),
        Column("project_id", lambda s: s.project_id, long=not projects),
        Column("metadata", lambda s: s.metadata, long=True),
        Column("tags", lambda s: s.tags, long=True),
        Column("created", lambda s: s.created, long=True),
        Column("updated", lambda s: s.updated, long=True),
        Column("image_id", lambda s: s.image_id, long=True),
        Column("flavor_id", lambda s: s.flavor_id, long=True),
        Column("cloud", lambda s: s.place.cloud, long=True),
        Column("region", lambda s: s.place.region, long=True),
    )


def flavor_name(server: Server, flavors: Names) -> str | None:
    """The flavor's name, or its id where nobody tells a name."""
    if server.flavor is None:
        return None
    return server.flavor.name or flavors.get((str(server.place), server.flavor.id or "")) or server.flavor.id


def image_name(server: Server, images: Names) -> str | None:
    """The image's name, or its id; a server that boots from a volume has none."""
    found = server.image_id
    return None if found is None else images.get((str(server.place), found), found)


IMAGE = (
    Column("id", lambda i: i.id, cut=False),
    Column("name", lambda i: i.name),
    Column("status", lambda i: i.status, cut=False),
    Column("size", lambda i: i.size),
    Column("visibility", lambda i: i.visibility),
    Column("created", lambda i: i.created, cut=False),
    Column("server_id", lambda i: i.server_id, long=True),
    Column("image_type", lambda i: i.image_type, long=True),
    Column("min_disk", lambda i: i.min_disk, long=True),
    Column("min_ram", lambda i: i.min_ram, long=True),
    Column("disk_format", lambda i: i.disk_format, long=True),
    Column("container_format", lambda i: i.container_format, long=True),
    Column("checksum", lambda i: i.checksum, long=True),
    Column("owner", lambda i: i.owner, long=True),
    Column("protected", lambda i: i.protected, long=True),
    Column("tags", lambda i: i.tags, long=True),
    Column("os_distro", lambda i: i.os_distro, long=True),
    Column("updated", lambda i: i.updated, long=True),
    Column("place", lambda i: str(i.place)),
)
FLAVOR = (
    Column("id", lambda f: f.id, cut=False),
    Column("name", lambda f: f.name),
    Column("ram", lambda f: f.ram),
    Column("vcpus", lambda f: f.vcpus),
    Column("disk", lambda f: f.disk),
    Column("ephemeral", lambda f: f.ephemeral, long=True),
    Column("swap", lambda f: f.swap or None, long=True),
    Column("public", lambda f: f.public),
    Column("disabled", lambda f: f.disabled, long=True),
    Column("description", lambda f: f.description, long=True),
    Column("extra_specs", lambda f: f.extra_specs, long=True),
    Column("place", lambda f: str(f.place)),
)
KEYPAIR = (
    Column("name", lambda k: k.name),
    Column("type", lambda k: k.type),
    Column("fingerprint", lambda k: k.fingerprint, cut=False),
    Column("public_key", lambda k: k.public_key, long=True),
    Column("place", lambda k: str(k.place)),
)
IPGROUP = (
    Column("id", lambda g: g.id, cut=False),
    Column("name", lambda g: g.name),
    Column("servers", lambda g: g.servers),
    Column("place", lambda g: str(g.place)),
)
FIXED_COLUMNS: dict[type[Row], tuple[Column, ...]] = {
    Image: IMAGE,
    Flavor: FLAVOR,
    KeyPair: KEYPAIR,
    IpGroup: IPGROUP,
}


def chosen(columns: Sequence[Column], wanted: Sequence[str], *, long: bool) -> tuple[Column, ...]:
    """The columns to show: those wanted in their order, else the compact or the long ones. Raises `UsageError`."""
    if not wanted:
        return tuple(column for column in columns if long or not column.long)
    return tuple(one_of(columns, word) for words in wanted for word in words.split(","))


def one_of(columns: Sequence[Column], word: str) -> Column:
    """The column with that id, however it is capitalised. Raises `UsageError`."""
    asked = word.strip().lower().replace(" ", "_").replace("-", "_")
    for column in columns:
        if column.id == asked:
            return column
    raise UsageError(f"There is no column '{word}'." + nearest(asked, [column.id for column in columns]))


def sheet(columns: Sequence[Column], rows: Sequence[Row]) -> Sheet:
    """The rows' values under these columns."""
    values: list[Callable[[Any], Any]] = [column.value for column in columns]
    fixed = frozenset(column.id for column in columns if not column.cut)
    return Sheet(tuple(column.id for column in columns), [[value(row) for value in values] for row in rows], fixed)


def narrowed(found: Sheet, wanted: Sequence[str]) -> Sheet:
    """Only the columns that were asked for, in their order, where any were. Raises `UsageError`."""
    if not wanted:
        return found
    ids = [column.id for column in chosen([Column(id, str) for id in found.ids], wanted, long=True)]
    places = [found.ids.index(id) for id in ids]
    return Sheet(tuple(ids), [[row[place] for place in places] for row in found.rows], found.fixed)


def ordered(rows: Sequence[Any], columns: Sequence[Column], by: Sequence[str]) -> list[Any]:
    """The rows sorted by these columns, what is unknown last; a leading '-' turns one round. Raises `UsageError`."""
    found = list(rows)
    for word in reversed(by):
        column = one_of(columns, word.removeprefix("-"))
        told = [(column.value(row), row) for row in found]
        unknown = [row for value, row in told if value is None]
        keyed = [(sort_key(value), row) for value, row in told if value is not None]
        keyed.sort(key=itemgetter(0), reverse=word.startswith("-"))
        known = [row for _, row in keyed]
        found = known + unknown
    return found


def sort_key(value: Any) -> Any:
    """What a value is sorted by: numbers and times as such, all else as text without case."""
    if isinstance(value, dt.datetime):
        value = value.timestamp()
    return (0, value, "") if isinstance(value, (int, float)) else (1, 0, str(value).casefold())
