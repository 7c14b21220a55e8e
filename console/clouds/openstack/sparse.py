"""Servers that hold what a table looks at, and read all else from their record when somebody asks for it.

A record decoded whole takes half as much memory again as the record itself, which is kept anyhow: for fifty thousand
servers that is most of what the program would need. So rarely read fields are left in the record, and each reading of
one decodes it anew, in two microseconds. To whoever reads a row there is no difference. What many rows have in common
(a flavor, a project, a host) is held once.
"""

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from msgspec.structs import force_setattr

from console.clouds.openstack.shapes import SERVER_NAMES, told_as
from console.model.server import FlavorReference, Reference, Server

LATER = (
    "addresses metadata security_groups volumes tags user_id hostname hypervisor host_status config_drive disk_config "
    "description locked_reason launched_at terminated_at vm_state zone key_name"
).split()
_SHARED_WORDS = ("word", "project_id", "host_id", "host")
_MOST = 10_000  # different flavors and images that are remembered


class _Unread:
    """Stands where a field was left in the record."""

    def __repr__(self) -> str:
        return "(in the record)"


UNREAD: Final = _Unread()


class _Later:
    """A field of a row that is read from the row's source each time it is asked for."""

    def __init__(self, member: Any, field: str, type: Any) -> None:
        self._member = member
        shape = msgspec.defstruct(
            "One", [(field, type, None)], rename={field: SERVER_NAMES.get(field, field)}, gc=False
        )
        self._field = field
        self._decode = msgspec.json.Decoder(shape).decode

    def __get__(self, row: Any, owner: Any = None) -> Any:
        if row is None:
            return self
        value = self._member.__get__(row)
        if value is not UNREAD:
            return value
        try:
            found = getattr(self._decode(row.source), self._field)
        except msgspec.DecodeError:
            return None  # a field of the wrong type tells nothing
        if isinstance(found, dt.datetime) and found.tzinfo is None:
            return found.replace(tzinfo=dt.UTC)
        return found


def _sparse() -> type[Server]:
    types = {field.name: field.type for field in msgspec.structs.fields(Server)}
    names = SERVER_NAMES | {name: f"novadeck:{name}" for name in (*LATER, "source")}
    fields: list[tuple[str, Any, Any]] = [(name, Any, UNREAD) for name in LATER]
    fields += [("flavor", msgspec.Raw, None), ("source", bytes, b"")]
    shape = told_as("SparseServer", Server, names, fields)
    for name in LATER:
        setattr(shape, name, _Later(getattr(Server, name), name, types[name]))
    setattr(shape, "same_addresses", _same_addresses)  # noqa: B010
    return shape


def _same_addresses(row: Any, other: Server) -> bool:
    """As any server tells it, but two rows of one record need not be read."""
    source = row.source
    return bool(source and source is getattr(other, "source", None)) or Server.same_addresses(row, other)


SparseServer = _sparse()


def complete(row: Server, record: bytes, shared: dict[Any, Any]) -> None:
    """Give a row that was just decoded its source, and share what it has in common with others."""
    force_setattr(row, "source", record)
    if len(shared) >= _MOST:
        shared.clear()
    if (raw := cast(Any, row.flavor)) is not None:
        told = bytes(raw)
        if told not in shared:
            shared[told] = _read_flavor(told)
        force_setattr(row, "flavor", shared[told])
    if isinstance(row.image, Reference):
        force_setattr(row, "image", shared.setdefault(row.image.id, row.image))
    for name in _SHARED_WORDS:
        word = getattr(row, name)
        if word is not None:
            force_setattr(row, name, sys.intern(word))


_read_flavor: Callable[[bytes], Any] = msgspec.json.Decoder(FlavorReference | None).decode
