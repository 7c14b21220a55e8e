"""One noun over all places: what is known now, what moves, and what the clouds say when asked."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.fleet import Fleet
from console.core.kinds import Question, kind_of
from console.core.lane import Lane
from console.core.store import Listing, Store
from console.core.watch import Batch
from console.errors import AmbiguousName, CloudError, ConfigError, ConsoleError, NotFound
from console.model.flavor import Flavor
from console.model.place import Key, Place, Row

R = TypeVar("R", bound=Row)
T = TypeVar("T")

_PLAIN = re.compile(r"[A-Za-z0-9_ :@-]+")  # means the same as a name and as a pattern
_ID = re.compile(r"(?!\.+$)[A-Za-z0-9_. -]{1,255}")  # whatever is none of this is no id of any cloud


@dataclass(frozen=True, slots=True)
class Found(Generic[R]):
    """What the places that answered said, and the errors of those that did not."""

    rows: list[R] = field(default_factory=list)
    troubles: dict[Place, ConsoleError] = field(default_factory=dict)


class Collection(Generic[R]):
    """All servers, or images, or flavors ... of a console."""

    def __init__(self, row: type[R], fleet: Fleet, store: Store, clock: Clock) -> None:
        self.kind = kind_of(row)
        self.row, self._fleet, self._store, self._clock = row, fleet, store, clock

    def rows(self) -> list[R]:
        """What is known now; nothing is asked."""
        return list(self._store.rows(self.row).values())

    async def watch(self) -> AsyncGenerator[Batch[R], None]:
        """Batches of what moved, all that is known first; the places are asked while this is iterated."""
        # A server of a flavor that nobody knows is a reason to ask for flavors, so those come along.
        along = (Flavor,) if self.row is not Flavor else ()
        watch = self._store.watch(self.row)
        with self._fleet.interest(self.row, *along):
            try:
                async for batch in watch:
                    yield batch
            finally:
                watch.close()

    async def list(self, *, places: Sequence[Place] | None = None, **filters: Any) -> Found[R]:
        """Ask the places now, all at once; `filters` are in the model's names and sent to the clouds."""
        if not self._fleet.lanes:
            raise ConfigError("no cloud is open.")
        found: Found[R] = Found()
        answers = await self._each(
            lambda lane: self._ask(lane, filters), lambda lane: places is None or lane.place in places
        )
        best: dict[Key, R] = {}
        for lane, answer in answers:
            if isinstance(answer, ConsoleError):
                found.troubles[lane.place] = answer
                continue
            if len(answers) == 1:
                return Found(list(answer))
            for row in answer:
                if row.key not in best or self._store.best(row.key) == lane.place:
                    best[row.key] = row
        found.rows.extend(best.values())
        return found

    async def find(
        self, name: str | None = None, *, id: str | None = None, contains: str | None = None, **by: Any
    ) -> R:
        """The one row of that name (or id), or with these fields; `contains` is a part of the name.

        Raises `AmbiguousName` with the candidates, or `NotFound`, or why the clouds could not be asked.
        """
        if id is not None:
            return await self.get(id)
        sent = {key: value for key, value in by.items() if key in self.kind.filters}
        if name is not None and "name" in self.kind.filters and (_PLAIN.fullmatch(name) or not self.kind.patterns):
            sent["name"] = name
        answer = await self.list(**sent)
        rows = [row for row in answer.rows if _fits(row, name, contains, by)]
        if not rows and name is not None:
            rows = [*await self._by_id(name, answer)]
        wanted = name or contains or ", ".join(f"{key}={value}" for key, value in by.items())
        if len(rows) == 1:
            return rows[0]
        if rows:
            candidates = [f"{row.id} {row.place}" for row in rows]
            raise AmbiguousName(
                f"{len(rows)} {self.kind.name}s are meant by {wanted}: {', '.join(candidates[:10])}.",
                candidates=candidates,
            )
        raise self._nowhere(wanted, answer.troubles)

    async def get(self, wanted: R | str) -> R:
        """Read one again, now, by its best way; by its id alone at all places. Raises `NotFound`."""
        if isinstance(wanted, str):
            return await self._anywhere(wanted)
        places = self._store.ways(wanted.key) or (wanted.place,)
        error: CloudError | None = None
        for place in places:
            try:
                return await self._read(await self._fleet.ready(place), place, wanted.id)
            except NotFound:
                self._store.remove(wanted.key)
                raise
            except CloudError as failed:
                error = error or failed
        assert error is not None
        raise error

    # How

    async def _each(
        self, ask: Callable[[Lane], Awaitable[T]], wanted: Callable[[Lane], bool]
    ) -> Sequence[tuple[Lane, T]]:
        """What each of these lanes answers; a first login may tell of further regions, and those are asked then."""
        told: list[tuple[Lane, T]] = []
        asked: set[Lane] = set()
        while lanes := [lane for lane in self._fleet.lanes if lane not in asked and wanted(lane)]:
            asked.update(lanes)
            told += zip(lanes, await asyncio.gather(*map(ask, lanes)), strict=True)
        return told

    async def _ask(self, lane: Lane, filters: dict[str, Any]) -> Sequence[R] | ConsoleError:
        try:
            dialect = await lane.ready()
            if self.kind.verb not in dialect.verbs:
                return []
            asked_at = self._clock.monotonic()
            question = Question(filters=filters or None, all_projects=lane.asks_all_projects(dialect))
            rows: list[R] = []
            latency = 0.0
            async for page in self.kind.list(dialect, question):
                latency = latency or self._clock.monotonic() - asked_at
                rows.extend(page)
        except CloudError as error:
            return error
        self._apply(lane.place, rows, asked_at, complete=not filters)
        lane.pulse.answered(self.kind.name, latency, asked_at)
        return rows

    async def _read(self, dialect: Dialect, place: Place, id: str) -> R:
        asked_at = self._clock.monotonic()
        if self.kind.read is None:
            rows = [row async for page in self.kind.list(dialect, Question()) for row in page if row.id == id]
            if not rows:
                raise NotFound(f"there is no {self.kind.name} {id}.", place=str(place), status=404)
            row = rows[0]
        else:
            row = await self.kind.read(dialect, id)
        self._apply(place, [row], asked_at)
        return row

    async def _anywhere(self, id: str) -> R:
        found: Found[R] = Found()
        rows = await self._by_id(id, found)
        if len(rows) == 1:
            return rows[0]
        if rows:
            candidates = [f"{row.id} {row.place}" for row in rows]
            raise AmbiguousName(f"{id} is at several places: {', '.join(candidates)}.", candidates=candidates)
        raise self._nowhere(id, found.troubles)

    async def _by_id(self, id: str, found: Found[R]) -> Sequence[R]:
        """The rows of this id, each thing once; troubles are put into `found`."""
        if not _ID.fullmatch(id):
            return []

        async def one(lane: Lane) -> R | CloudError:
            try:
                return await self._read(await lane.ready(), lane.place, id)
            except CloudError as error:
                return error

        best: dict[Key, R] = {}
        for lane, answer in await self._each(one, lambda lane: lane.place not in found.troubles):
            if isinstance(answer, Row):
                if answer.key not in best or self._store.best(answer.key) == lane.place:
                    best[answer.key] = answer
            elif not isinstance(answer, NotFound) and answer.status != 400:  # an id of no form that it knows
                found.troubles[lane.place] = answer
        return list(best.values())

    def _apply(self, place: Place, rows: Sequence[R], asked_at: float, complete: bool = False) -> None:
        kept = [row for row in rows if not self.kind.deleted(row)]
        self._store.apply(Listing(place, self.row, kept, asked_at, complete, partial_cells=self.kind.confirm))

    def _nowhere(self, wanted: str, troubles: dict[Place, ConsoleError]) -> ConsoleError:
        silent = ", ".join(map(str, troubles))
        if troubles and len(troubles) == len(self._fleet.lanes):
            return next(iter(troubles.values()))
        hint = f"Not answered: {silent}." if silent else ""
        return NotFound(f"there is no {self.kind.name} {wanted}.", status=404, hint=hint)


def _fits(row: Row, name: str | None, contains: str | None, by: dict[str, Any]) -> bool:
    if name is not None and row.name != name:
        return False
    if contains is not None and contains.lower() not in row.name.lower():
        return False
    return all(_says(getattr(row, key), value) for key, value in by.items())


def _says(have: Any, wanted: Any) -> bool:
    if isinstance(have, str) and isinstance(wanted, str):
        return have.lower() == wanted.lower()
    return bool(have == wanted)
