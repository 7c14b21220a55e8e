"""The memory of a listing, that makes an unchanged record cost a comparison of bytes.

A listing of ten thousand servers differs from the last one in a few records. So the last listing's records are kept in
their order. A page with the digest of one that we know is that page, and its rows are the rows, the very same objects.
Any other page is walked along the records: where the expected bytes stand, the expected row is the row. Only what
differs is parsed, and the walk finds its way again by the id that it meets there.
"""

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from xxhash import xxh3_128

from console.clouds.openstack.reader import Plain
from console.model.place import Row
from console.text import is_plain
from console.wire.message import Reply, refuse_body

R = TypeVar("R", bound=Row)

_raw_decode = json.JSONDecoder().raw_decode
_MOST_ODD = 32  # differing records of a page, above which splitting it whole is cheaper
_BYTES = ("record", "source")
_LONGEST_HEAD = 200  # bytes before a page's first record


class _Page(NamedTuple):
    """Where a page's rows stand in its listing, and what stood beside them."""

    first: int
    end: int
    beside: dict[str, Any]


class _Order(Generic[R]):
    """One listing as it stood: its records and their rows, side by side, and its pages by their digests."""

    __slots__ = ("_index", "head", "pages", "records", "rows", "separator")

    def __init__(self) -> None:
        self.pages: dict[bytes, _Page] = {}
        self.records: list[bytes] = []
        self.rows: list[R] = []
        self.head = b""
        self.separator = b", "
        self._index: dict[str, int] | None = None

    def place_of(self, id: str) -> int | None:
        """Where the row with this id stands."""
        if self._index is None:
            self._index = {row.id: place for place, row in enumerate(self.rows)}
        return self._index.get(id)


class Memo(Generic[R]):
    """The rows of one kind at one service as they were last told."""

    def __init__(self, key: str, read: Callable[[Iterable[bytes]], Iterable[R]], place: str = "") -> None:
        self.key = key  # the collection's name in a page: "servers"
        self.place = place
        self.read = read
        self.rows: dict[str, R] = {}
        self._alone: set[str] = set()  # the ids of rows that came of a question for one thing
        self._orders: dict[str, _Order[R]] = {}
        self._split = _splitter(key)

    def turn(self, name: str = "") -> "Turn[R]":
        """Begin to read one listing; listings that differ in what they ask for have different names."""
        return Turn(self, name, self._orders.get(name))

    def row(self, record: bytes, *, alone: bool = False) -> R | None:
        """The row of a record, `alone` or of a listing: the very one we have, where it says the same.

        A thing asked for alone has a few fields more than in a listing, so that the two never agree to the byte;
        there the fields decide. Between two of a kind any byte does, since a person may look at the record itself.
        """
        row = next(iter(self.read((record,))), None)
        if row is None:
            return None
        known = self.rows.get(row.id)
        if known is not None and (known.record == record or self._same(known, row, alone)):
            return known
        self.rows[row.id] = row
        (self._alone.add if alone else self._alone.discard)(row.id)
        return row

    def first(self, records: Sequence[bytes]) -> tuple[Sequence[bytes], list[R]]:
        """The rows of records of which none can be known yet, beside those records that are rows."""
        rows = list(self.read(records))
        self.rows.update([(row.id, row) for row in rows])
        return records if len(rows) == len(records) else [row.record for row in rows], rows

    def _same(self, known: R, row: R, alone: bool) -> bool:
        return (row.id in self._alone) != alone and all(
            getattr(row, name) == getattr(known, name) for name in row.__struct_fields__ if name not in _BYTES
        )

    def split(self, reply: Reply) -> tuple[list[bytes], dict[str, Any]]:
        """A page's records, and what stands beside them. Raises `BadReply`."""
        try:
            page = self._split(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            refuse_body(reply, self.place, f"something that is no list of {self.key}")
        return [bytes(record) for record in page.records], {"next": page.next, "links": page.links}

    def keep(self, name: str, order: "_Order[R]", whole: bool) -> None:
        """Remember a listing that was read to its end; a whole one tells also which rows are no more."""
        self._orders[name] = order
        if whole:
            self.rows = {row.id: row for row in order.rows}
            self._alone &= self.rows.keys()


class Turn(Generic[R]):
    """One reading of a listing, page by page, along the last one."""

    def __init__(self, memo: Memo[R], name: str, old: _Order[R] | None) -> None:
        self._memo = memo
        self._name = name
        self._old: _Order[R] = old or _Order()
        self._new: _Order[R] = _Order()
        self._new.head, self._new.separator = self._old.head, self._old.separator
        self._moved = False  # whether any record was not the expected one
        self._first = False  # whether nothing at all was known before
        self._at = 0  # the place in the old listing that is expected next

    def page(self, reply: Reply) -> tuple[list[R], str | None]:
        """A page's rows, and the link to the next page as the page wrote it. Raises `BadReply`."""
        start = len(self._new.rows)
        digest = _digest(reply.parts)
        known = self._old.pages.get(digest)
        with _no_collection():
            beside = self._read(reply) if known is None else self._pass(known)
        self._new.pages[digest] = _Page(start, len(self._new.rows), beside)
        return self._new.rows[start:], _next_link(beside)

    def _pass(self, page: _Page) -> dict[str, Any]:
        """The page stands in the old listing to the byte."""
        self._moved |= page.first != self._at
        self._new.records += self._old.records[page.first : page.end]
        self._new.rows += self._old.rows[page.first : page.end]
        self._at = page.end
        return page.beside

    def _read(self, reply: Reply) -> dict[str, Any]:
        start, at = len(self._new.rows), self._at
        beside = self._walk(reply.body)
        if beside is None:
            del self._new.rows[start:], self._new.records[start:]
            self._at = at
            beside = self._read_whole(reply)
        return beside

    def done(self, *, whole: bool = False) -> None:
        """The listing was read to its end."""
        same = len(self._new.rows) == len(self._old.rows) == self._at and not self._moved
        if same:
            # Else another turn that began with these rows would find the new pages and take the old rows for theirs.
            self._old.pages = self._new.pages
        self._memo.keep(self._name, self._old if same else self._new, whole and not same)

    def _walk(self, page: bytes) -> dict[str, Any] | None:
        """Read a page along the old listing; None when it does not look like the pages before."""
        old = self._old
        if not old.head or not page.startswith(old.head):
            return None
        position, text, odd = len(old.head), "", 0
        while True:
            position, ended = self._run(page, position)
            if ended or page.startswith(b"]", position):
                break
            odd += 1
            if odd > _MOST_ODD:
                return None
            text = text or page.decode("latin-1")  # one character a byte, so that places agree
            try:
                _, end = _raw_decode(text, position)
            except (ValueError, RecursionError):
                return None
            self._meet(page[position:end])
            position = end
            if page.startswith(old.separator, position):
                position += len(old.separator)
            else:
                break
        return _beside(old.head, page, position)

    def _run(self, page: bytes, position: int) -> tuple[int, bool]:
        """Pass over all records that stand as expected; the place after them, and whether the list ends there."""
        records, separator = self._old.records, self._old.separator
        at = first = self._at
        ended = False
        for record in records[at:] if at else records:
            if not page.startswith(record, position):
                break
            at += 1
            position += len(record)
            if page.startswith(separator, position):
                position += len(separator)
            else:
                ended = True
                break
        self._new.records += records[first:at]
        self._new.rows += self._old.rows[first:at]
        self._at = at
        return position, ended

    def _meet(self, record: bytes) -> None:
        """A record that was not expected: new, changed, or moved up because those before it are gone."""
        self._moved = True
        row = self._memo.row(record)
        if row is None:
            return
        self._new.records.append(record)
        self._new.rows.append(row)
        old = self._old
        if self._at < len(old.rows) and old.rows[self._at].id == row.id:
            self._at += 1
        elif (place := old.place_of(row.id)) is not None:
            self._at = place + 1

    def _read_whole(self, reply: Reply) -> dict[str, Any]:
        records, beside = self._memo.split(reply)
        old = self._old
        if not self._memo.rows or self._first:
            self._first = True
            told, rows = self._memo.first(Plain(records) if is_plain(reply.body) else records)
            self._new.records += told
            self._new.rows += rows
            self._learn(reply.body, records)
            return beside
        for record in records:
            if self._at < len(old.records) and old.records[self._at] == record:
                self._new.records.append(record)
                self._new.rows.append(old.rows[self._at])
                self._at += 1
            else:
                self._meet(record)
        self._learn(reply.body, records)
        return beside

    def _learn(self, page: bytes, records: Sequence[bytes]) -> None:
        """How this service writes its pages, for the next walk."""
        if not records or (start := page.find(records[0])) < 0 or start > _LONGEST_HEAD:
            return
        self._new.head = page[:start]
        if len(records) > 1:
            end = start + len(records[0])
            self._new.separator = page[end : page.index(records[1], end)]


def _digest(parts: Iterable[bytes]) -> bytes:
    """The digest of a body that came in these parts."""
    whole = xxh3_128()
    for part in parts:
        whole.update(part)
    return whole.digest()


def _beside(head: bytes, page: bytes, position: int) -> dict[str, Any] | None:
    """What stands beside the records, read from the page without them; None when that is no JSON object."""
    try:
        tree = msgspec.json.decode(head + page[position:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(tree, dict):
        return None
    links = next((value for name, value in tree.items() if name.endswith("_links")), None)
    return {"next": tree.get("next"), "links": links}


def _next_link(beside: dict[str, Any]) -> str | None:
    if isinstance(beside["next"], str):
        return beside["next"] or None
    return next_of(beside["links"])


def next_of(links: Any) -> str | None:
    """The address of the next page among a page's links."""
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
            return str(link["href"])
    return None


def _splitter(key: str) -> Callable[[bytes], Any]:
    shape = msgspec.defstruct(
        "Page",
        [("records", list[msgspec.Raw]), ("links", Any, None), ("next", Any, None)],
        rename={"records": key, "links": f"{key}_links"},
        gc=False,
    )
    return msgspec.json.Decoder(shape).decode


@contextmanager
def _no_collection() -> Iterator[None]:
    """A page makes thousands of objects and no garbage: looking for some after every 700 costs more than the page."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
