"""Sort keys, and tens of thousands of rows put in their order by them.

A sort key is a head, which most rows share with many others, and a tail of name and id, which is each row's own. So
heads are compared once for all rows that share one, and tails as the plain strings that they are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from console.model.place import Key, Row
from console.tui.spec import natural

Head = tuple[Any, ...]
SortKey = tuple[Head, str]


def name_and_id(row: Row) -> str:
    """The tail of a row's sort key."""
    return f"{natural(row.name)}\0{row.id}"


def head_of(value: Any) -> Head:
    """A head under which nothing, numbers and words can stand in one list."""
    if value is None or value == "":
        return 2, ""
    return (0, value) if isinstance(value, int | float) else (1, natural(str(value)))


def in_order(placed: Mapping[Key, SortKey], *, reverse: bool = False) -> list[Key]:
    """The keys in the order of their sort keys."""
    shelves: dict[Head, list[tuple[str, Key]]] = defaultdict(list)
    for key, (head, tail) in placed.items():
        shelves[head].append((tail, key))
    found: list[Key] = []
    for head in sorted(shelves, reverse=reverse):
        found += _keys(sorted(shelves[head], key=itemgetter(0), reverse=reverse))
    return found


def _keys(shelf: Iterable[tuple[str, Key]]) -> Iterable[Key]:
    return map(itemgetter(1), shelf)
