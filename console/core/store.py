"""What is known of every cloud now: one row for each thing, however many ways lead to it.

Listings come in from pollers and actions, each with the moment at which it was asked; what differs is noted in the
mailboxes of those who watch, and nobody hears of the rest. The store asks no cloud and writes no file.

* A row that was touched (an action was sent, or it was read by itself) after a listing was asked is not overwritten
  by that listing.
* Only a complete listing takes rows away, and where a cell of the cloud may be down it only names those it missed.
* A screen has changes gathered (`gather`), and then all who watch hear of them together: waking up costs more than
  what is done once awake.
* Of several ways to a thing the best is shown and acted by: one that answers, writable before read-only, then the
  most privileged, then the first in the settings.
"""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from console.core.clock import Clock, Timer
from console.core.health import Health
from console.core.watch import HealthWatch, Watch
from console.model.place import Key, Place, Row

R = TypeVar("R", bound=Row)

# A change that comes this share of `gather` before its time is told at once: the one who brought it is awake already.
_EARLY = 0.2
# No request takes longer, so that a touch older than this can be forgotten.
_LONGEST_REQUEST = 600.0


@dataclass(frozen=True, slots=True)
class Listing:
    """What one place answered to one question that was asked at `asked_at` (monotonic)."""

    place: Place
    kind: type[Row]
    rows: Sequence[Row]
    asked_at: float
    complete: bool
    partial_cells: bool = False  # a row that is missing may only be out of sight


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account may do at its place."""

    privilege: int = 1
    writable: bool = True


class _Way:
    """The rows of one kind as one place tells them."""

    def __init__(self, place: Place) -> None:
        self.rows: dict[str, Row] = {}
        self.alone = (place,)  # shared by all keys that no other place knows
        self.last: Sequence[Row] | None = None  # the last complete listing, where it holds exactly `rows`
        self.asked_at = float("-inf")

    def same(self, rows: Sequence[Row]) -> bool:
        """Whether these are the very objects of the last complete listing, in its order."""
        return self.last is not None and len(self.last) == len(rows) and all(map(is_, self.last, rows))


class _Table(Generic[R]):
    """All of one kind."""

    def __init__(self) -> None:
        self.rows: dict[Key, R] = {}
        self.ways: dict[Place, _Way] = {}
        self.holders: dict[Key, tuple[Place, ...]] = {}
        self.watches: list[weakref.ref[Watch[R]]] = []  # one that nobody holds any more drops out by itself
        self.moved: dict[Key, R | None] = {}  # what moved since they were told, as it was before
        self.told_at = float("-inf")
        self.timer: Timer | None = None  # when they will be told

    def way(self, place: Place) -> _Way:
        if place not in self.ways:
            self.ways[place] = _Way(place)
        return self.ways[place]

    def show(self, key: Key, row: R) -> None:
        before = self.rows.get(key)
        if before is row:
            return
        self.rows[key] = row
        if before is None or not equal(before, row):
            self.moved.setdefault(key, before)

    def hide(self, key: Key) -> None:
        before = self.rows.pop(key, None)
        self.holders.pop(key, None)
        if before is not None:
            self.moved.setdefault(key, before)

    def tell(self, now: float) -> None:
        """Tell those who watch what has moved, all of it at once."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer, self.told_at = None, now
        moved, self.moved = self.moved, {}
        for reference in tuple(self.watches):  # one that is collected meanwhile drops out of it
            watch = reference()
            if watch is not None:
                watch.note(moved)


def equal(one: Row, other: Row) -> bool:
    """Whether two rows of one thing say the same: by their records' bytes where both have one."""
    if one.place != other.place:
        return False
    return one.record == other.record if one.record and other.record else one == other


def kind_name(kind: type[Row]) -> str:
    """The word for a kind in keys, messages and files: "server", "image", "flavor", "keypair"."""
    return kind.__name__.lower()


class Store:
    """All rows and the health of all places; for one event loop."""

    def __init__(self, clock: Clock | None = None, pace: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._pace = pace or Clock()  # what is gathered goes by real time, also where a recording's time stands still
        self.gather = 0.0  # seconds between two times of telling those who watch; 0 tells each change at once
        self._tables: dict[str, _Table[Any]] = {}
        self._touched: dict[Key, float] = {}
        self._touches_kept = 1000
        self._standing: dict[Place, Standing] = {}
        self._health: dict[Place, Health] = {}
        self._order: dict[Place, int] = {}
        self._health_watches: weakref.WeakSet[HealthWatch] = weakref.WeakSet()

    # What others read

    @property
    def health(self) -> Mapping[Place, Health]:
        """The health of every place, in the order of the settings."""
        return MappingProxyType(self._health)

    def rows(self, kind: type[R]) -> Mapping[Key, R]:
        """A live view of all rows of a kind, each thing once."""
        return MappingProxyType(self._table(kind).rows)

    def get(self, key: Key) -> Row | None:
        """The row of this identity, if it is known."""
        table = self._tables.get(key.kind)
        return table.rows.get(key) if table else None

    def count(self, kind: type[Row], place: Place) -> int:
        """How many rows of a kind this place tells."""
        way = self._table(kind).ways.get(place)
        return len(way.rows) if way else 0

    def told_by(self, kind: type[R], place: Place) -> Iterable[R]:
        """The rows of a kind as this place tells them."""
        way = self._table(kind).ways.get(place)
        return way.rows.values() if way else ()  # type: ignore[return-value]

    def told(self, row: R, place: Place) -> R | None:
        """The row of the same id as this place told it last."""
        table = self._tables.get(row.key.kind)
        way = table.ways.get(place) if table else None
        return way.rows.get(row.id) if way else None  # type: ignore[return-value]

    def ways(self, key: Key) -> tuple[Place, ...]:
        """The places that lead to this thing, the best one first."""
        table = self._tables.get(key.kind)
        holders = table.holders.get(key, ()) if table else ()
        return holders if len(holders) < 2 else tuple(sorted(holders, key=self._rank, reverse=True))

    def best(self, key: Key) -> Place | None:
        """The place to act by."""
        return next(iter(self.ways(key)), None)

    def watch(self, kind: type[R]) -> Watch[R]:
        """A mailbox of what moves from now on; its first batch holds all that is known."""
        table = self._table(kind)
        watch = Watch(kind, table.rows)
        table.watches.append(weakref.ref(watch, table.watches.remove))
        return watch

    def watch_health(self) -> HealthWatch:
        """A mailbox of places whose health changes; at first all of them."""
        watch = HealthWatch(self._health)
        self._health_watches.add(watch)
        return watch

    # What pollers and actions write

    def admit(self, place: Place, standing: Standing) -> None:
        """Say what an account may do at its place, so that the best of several ways is known."""
        if self._standing.get(place) != standing:
            self._standing[place] = standing
            self._rerank(place)

    def apply(self, listing: Listing) -> tuple[Row, ...]:
        """Take a listing in; gives the rows that it missed and that must be asked for one by one."""
        table = self._table(listing.kind)
        way = table.way(listing.place)
        if listing.asked_at < way.asked_at:
            return ()
        if listing.complete:
            way.asked_at = listing.asked_at
            self._forget_touches(listing.asked_at)
            if way.same(listing.rows):
                return ()
        missed = self._merge_in(table, way, listing)
        self._tell(table)
        return missed

    def _merge_in(self, table: _Table[Any], way: _Way, listing: Listing) -> tuple[Row, ...]:
        whole = self._take_in(table, way, listing)
        way.last = None
        if not listing.complete:
            return ()
        present = {row.id for row in listing.rows}
        missed = tuple(row for id, row in way.rows.items() if id not in present and self._newer(row.key, listing))
        if not listing.partial_cells:
            for row in missed:
                self._drop(table, row.key, listing.asked_at)
        if whole and len(way.rows) == len(present):
            way.last = listing.rows
        return missed if listing.partial_cells else ()

    def learn(self, kind: type[R], row: R, place: Place, asked_at: float) -> None:
        """Take in one row that somebody asked a place for by itself."""
        self.apply(Listing(place, kind, (row,), asked_at, complete=False))

    def touch(self, key: Key, at: float | None = None) -> None:
        """From now (or `at`) on, believe nothing of this row that was asked before."""
        moment = self._clock.monotonic() if at is None else at
        self._touched[key] = max(moment, self._touched.get(key, moment))

    def remove(self, key: Key, at: float | None = None) -> None:
        """It is gone (a 404, or a record that says so), whichever way it was reached by."""
        moment = self._clock.monotonic() if at is None else at
        self.touch(key, moment)  # also of what is not known yet: a listing under way may still hold it
        table = self._tables.get(key.kind)
        if table is not None and key in table.rows:
            self._drop(table, key, moment)
            self._tell(table)

    def forget(self, place: Place) -> None:
        """Drop a place: its health, and all rows to which only it leads."""
        for table in self._tables.values():
            way = table.ways.pop(place, None)
            for row in way.rows.values() if way else ():
                self._leave(table, row.key, place)
            self._tell(table)
        self._standing.pop(place, None)
        if self._health.pop(place, None) is not None:
            self._tell_health(place)

    def set_health(self, place: Place, health: Health) -> None:
        """Say how a place does; those who watch hear of it where a reader would see a difference."""
        before = self._health.get(place)
        self._health[place] = health
        self._order.setdefault(place, len(self._order))
        if before is not None and before.mute != health.mute:
            self._rerank(place)
        if health.tells(before):
            self._tell_health(place)

    def tell(self) -> None:
        """Tell now what is being gathered."""
        for table in self._tables.values():
            if table.moved:
                table.tell(self._pace.monotonic())

    # How

    def _tell(self, table: _Table[Any]) -> None:
        """Tell those who watch what has moved, or have them told when it is time."""
        if not table.moved:
            return
        if not self.gather:
            table.tell(0.0)
            return
        now = self._pace.monotonic()
        left = table.told_at + self.gather - now
        if left <= _EARLY * self.gather:
            table.tell(now)
        elif table.timer is None:
            table.timer = self._pace.call_later(left, lambda: table.tell(self._pace.monotonic()))

    def _table(self, kind: type[R]) -> _Table[R]:
        name = kind_name(kind)
        if name not in self._tables:
            self._tables[name] = _Table[R]()
        return self._tables[name]

    def _newer(self, key: Key, listing: Listing) -> bool:
        return listing.asked_at >= self._touched.get(key, listing.asked_at)

    def _take_in(self, table: _Table[Any], way: _Way, listing: Listing) -> bool:
        """Take in what differs by identity; whether every row was taken."""
        known, touched, asked_at = way.rows, self._touched, listing.asked_at
        fresh = [row for row in listing.rows if known.get(row.id) is not row]
        whole = True
        for row in fresh:
            if touched and touched.get(row.key, asked_at) > asked_at:
                whole = False
                newer = table.rows.get(row.key)
                if row.id in known or newer is None:
                    continue
                row = replace(newer, place=listing.place)  # what it says is old, but it does lead there
            known[row.id] = row
            self._merge(table, way, row, listing.place)
        if not listing.complete:
            touched.update((row.key, asked_at) for row in listing.rows if touched.get(row.key, asked_at) <= asked_at)
        return whole

    def _merge(self, table: _Table[Any], way: _Way, row: Row, place: Place) -> None:
        holders = table.holders.get(row.key)
        if holders is None:
            table.holders[row.key] = way.alone
        elif place not in holders:
            table.holders[row.key] = (*holders, place)
        if holders is None or holders is way.alone:
            table.show(row.key, row)
        else:
            self._show_best(table, row.key)

    def _show_best(self, table: _Table[Any], key: Key) -> None:
        best = max(table.holders[key], key=self._rank)
        table.show(key, table.ways[best].rows[key.id])

    def _drop(self, table: _Table[Any], key: Key, at: float) -> None:
        """It is gone as of `at`: by every way that has not been asked since."""
        self.touch(key, at)
        for place in table.holders.get(key, ()):
            way = table.ways[place]
            if way.asked_at <= at:
                way.rows.pop(key.id, None)
                way.last = None
                self._leave(table, key, place)

    def _leave(self, table: _Table[Any], key: Key, place: Place) -> None:
        left = tuple(other for other in table.holders.get(key, ()) if other != place)
        if left:
            table.holders[key] = left
            self._show_best(table, key)
        else:
            table.hide(key)

    def _rank(self, place: Place) -> tuple[bool, bool, int, int]:
        standing = self._standing.get(place, Standing())
        health = self._health.get(place)
        answers = health is None or not health.mute
        return (answers, standing.writable, standing.privilege, -self._order.get(place, len(self._order)))

    def _rerank(self, place: Place) -> None:
        for table in self._tables.values():
            way = table.ways.get(place)
            for row in list(way.rows.values()) if way else ():
                if len(table.holders.get(row.key, ())) > 1:
                    self._show_best(table, row.key)
            self._tell(table)

    def _forget_touches(self, at: float) -> None:
        if len(self._touched) > self._touches_kept:
            self._touched = {key: moment for key, moment in self._touched.items() if moment > at - _LONGEST_REQUEST}
            self._touches_kept = max(1000, 2 * len(self._touched))  # so that few listings pay for looking through all

    def _tell_health(self, place: Place) -> None:
        for watch in self._health_watches:
            watch.note(place)
