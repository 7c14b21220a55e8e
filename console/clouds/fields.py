"""Records that are read field by field, where a service's shape is too far from the model's to be decoded at once.

A field of the wrong type is left out: a record loses what does not fit, and never itself or its page.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from console.model.place import Key, Origin, Row
from console.text import clean_tree, read_tree

R = TypeVar("R", bound=Row)
Record = Mapping[str, Any]


def reader(
    kind: str, read: Callable[[Record], R], origin: Origin, region: str = ""
) -> Callable[[Iterable[bytes]], Iterator[R]]:
    """What makes rows of records of one kind, signed with where they came from; a record without an id is none."""

    def many(records: Iterable[bytes]) -> Iterator[R]:
        for record in records:
            tree = clean_tree(read_tree(record))
            if isinstance(tree, dict) and (id := text_id(tree.get("id"))) is not None:
                key = Key(origin.endpoint, region, kind, id)
                own = {"key": key, "place": origin.place, "record": record, "dialect": origin.dialect}
                yield msgspec.structs.replace(read(tree), **own)

    return many


def inner(body: bytes, word: str) -> bytes:
    """The record under a word of an answer, as its bytes; b"" where there is none."""
    try:
        tree = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    return bytes(tree.get(word, b""))


def text_id(value: object) -> str | None:
    """An id, which the first generation writes as a number, as the text that an id is everywhere else."""
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return None
    return str(value)


def moment(value: object) -> dt.datetime | None:
    """A time, with an offset or Z; one without either is UTC."""
    if not isinstance(value, str):
        return None
    try:
        found = dt.datetime.fromisoformat(value)
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):  # the first or the last of all days, elsewhere
        return None


def text(tree: Record, name: str) -> str | None:
    """A text."""
    value = tree.get(name)
    return value if isinstance(value, str) else None


def number(tree: Record, name: str) -> int | None:
    """A whole number."""
    value = tree.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def pairs(value: object) -> dict[str, str] | None:
    """Texts by name, such as metadata."""
    if not isinstance(value, dict):
        return None
    return {str(key): item for key, item in value.items() if isinstance(item, str)}
