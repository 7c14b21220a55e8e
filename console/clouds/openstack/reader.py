"""Records to rows: decoded, cleaned, and signed with where they came from.

A record that does not fit its shape loses the fields that do not fit, never itself, its page or its neighbours.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec.structs import force_setattr

from console.model.place import Key, Origin, Row
from console.text import clean_tree, is_plain, read_tree

R = TypeVar("R", bound=Row)


class Plain(list[bytes]):
    """Records of a page that was looked through: none of them needs cleaning."""


class Sparse(NamedTuple, Generic[R]):
    """Another shape of a row, for records that need no cleaning, and what makes a row of what was decoded to it."""

    shape: type[R]
    later: Sequence[str]  # the fields that are left in the record
    complete: Callable[[R, bytes, dict[Any, Any]], None]


class Reader(Generic[R]):
    """Makes a row of one record: decoded, cleaned, and signed with where it came from."""

    def __init__(
        self,
        shape: type[R],
        kind: str,
        origin: Origin,
        *,
        region: str,
        naive: Sequence[str] = (),
        sparse: Sparse[R] | None = None,
    ) -> None:
        self._shape = shape
        self._kind = kind
        self._origin = origin
        self._region = region
        # Times that the service writes without a zone, and means in UTC.
        self._naive = tuple(naive)
        self._read_now = tuple(name for name in naive if sparse is None or name not in sparse.later)
        self._decode = msgspec.json.Decoder(sparse.shape if sparse else shape).decode
        self._complete = sparse.complete if sparse else None
        self._shared: dict[Any, Any] = {}
        self._fields = msgspec.structs.fields(shape)

    def __call__(self, record: bytes) -> R | None:
        """The row, or None for what has no id and so is none."""
        return next(iter(self.many((record,))), None)

    def many(self, records: Iterable[bytes]) -> Iterator[R]:
        """The rows of many records, those left out that are none; written as one loop because it runs the most."""
        decode, every, read_now = self._decode, self._naive, self._read_now
        endpoint, region, kind, place = self._origin.endpoint, self._region, self._kind, self._origin.place
        dialect = self._origin.dialect
        plain, complete, shared = isinstance(records, Plain), self._complete, self._shared
        for record in records:
            row: R | None
            naive = read_now
            try:
                if not (plain or is_plain(record)):
                    row, naive = self._carefully(record), every
                else:
                    row = decode(record)
                    if complete is not None:
                        complete(row, record, shared)
            except (msgspec.DecodeError, UnicodeDecodeError):
                row, naive = self._carefully(record), every
            if row is None or not row.id:
                continue
            force_setattr(row, "key", Key(endpoint, region, kind, row.id))
            force_setattr(row, "place", place)
            force_setattr(row, "record", record)
            force_setattr(row, "dialect", dialect)
            for name in naive:
                value = getattr(row, name)
                if value is not None and value.tzinfo is None:
                    force_setattr(row, name, value.replace(tzinfo=dt.UTC))
            yield row

    def _carefully(self, record: bytes) -> R | None:
        tree = read_tree(record)
        if not isinstance(tree, dict):
            return None
        tree = clean_tree(tree)
        try:
            return msgspec.convert(tree, self._shape)
        except msgspec.ValidationError:
            return self._field_by_field(tree)

    def _field_by_field(self, tree: dict[str, Any]) -> R | None:
        kept: dict[str, Any] = {}
        for field in self._fields:
            if field.encode_name not in tree:
                continue
            try:
                kept[field.name] = msgspec.convert(tree[field.encode_name], field.type, strict=False)
            except msgspec.ValidationError:
                continue  # a field of the wrong type tells nothing
        if "id" not in kept and isinstance(tree.get("id"), int):
            kept["id"] = str(tree["id"])
        return self._shape(**kept) if kept.get("id") else None
