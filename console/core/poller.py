"""Keeps one kind of one place fresh: a public single turn, and a loop around it that never gives up.

The first turn takes the complete list, page by page as it comes. Later turns ask for what changed, over a window in
the cloud's own time that overlaps the last one, and for the complete list now and then, since not every change can be
seen in that window. While rows are about to change, they are asked for every one to two seconds, by the cheaper of
the two ways. A cloud that fails is asked ever less often, but never not at all; a refused login is not asked again.
"""

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from operator import is_
from typing import Generic, TypeVar, cast

import msgspec

from console.clouds.dialect import Dialect
from console.core.clock import Bell, Clock
from console.core.kinds import Kind, Question
from console.core.pulse import Pulse
from console.core.store import Listing, Store
from console.errors import BadReply, CloudError, CloudFault, Forbidden, NotFound, OverLimit, Unauthorized
from console.model.place import Place, Row

R = TypeVar("R", bound=Row)

OVERLAP = dt.timedelta(seconds=120)
CEILING = 60.0  # seconds between questions to a place that does not answer
ATTENTION = 12.0  # seconds for which a place is asked often after an action there
PATIENCE = 900.0  # seconds after which a row that is about to change, and does not, is no reason for haste
CONFIRMED_AT_ONCE = 8
CONFIRMED_A_TURN = 50
_OF_ONE = (BadReply, CloudFault, Forbidden)  # what a single row can be at fault for, and no reason to call a place down
_A_REQUEST = 10  # what a request costs a cloud, counted in rows


class Poller(Generic[R]):
    """One kind at one place."""

    def __init__(
        self,
        kind: Kind[R],
        dialect: Dialect,
        store: Store,
        clock: Clock,
        pulse: Pulse,
        *,
        place: Place | None = None,
        all_projects: bool = False,
        seen: Callable[[Sequence[R]], None] = lambda rows: None,
        refused: Callable[[], bool] = lambda: True,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.kind, self.dialect, self.place = kind, dialect, place or dialect.origin.place
        self.all_projects = all_projects
        self._changes_told = kind.changes and f"{kind.name}.changes" in dialect.verbs
        self._whole_every = kind.whole if self._changes_told else min(kind.whole, kind.settled)
        self.bell = Bell()
        self._store, self._clock, self._pulse = store, clock, pulse
        self._seen, self._refused, self._chance = seen, refused, chance
        self._whole_at = float("-inf")  # when the last complete listing was asked for
        self._stale = True  # ask for a complete listing, whatever the time
        self._changes_at = float("-inf")
        self._window: dt.datetime | None = None  # the cloud's time when the last listing began
        self._window_rows = 0  # how many rows the last list of changes held
        self._attention_until = float("-inf")
        self._failures = 0
        self._due = clock.monotonic()
        self._latency = 0.0
        self._rows: Sequence[R] = ()  # the last complete listing
        self._moving: dict[str, R] = {}
        self._motion_at = clock.monotonic()  # when a row that is about to change was last seen to
        self._unseen_at = float("-inf")

    @property
    def loaded(self) -> bool:
        """Whether all rows were listed at least once."""
        return self._whole_at > float("-inf")

    def wake(self, *, whole: bool = False) -> None:
        """Ask now, and often for some seconds; with `whole` for the complete list."""
        now = self._clock.monotonic()
        self._changes_at = float("-inf")
        if self.kind.changes:
            self._attention_until = now + ATTENTION
        if whole or not self._changes_told:
            self._stale = True
        self._due = now
        self.bell.ring()

    async def run(self) -> None:
        """Turn after turn, until the login is refused (`Unauthorized`)."""
        while True:
            pause = await self.poll()
            if await self._clock.sleep(pause, self.bell):
                self._due = self._clock.monotonic()

    async def poll(self) -> float:
        """One turn; gives the seconds until the next one. Raises nothing but `Unauthorized`, which is final."""
        asked_at = self._clock.monotonic()
        try:
            await self._turn(asked_at)
        except CloudError as error:
            return self._failed(error)
        self._failures = 0
        self._pulse.answered(self.kind.name, self._latency, asked_at)
        return self._pause()

    # What is asked

    async def _turn(self, now: float) -> None:
        moving = len(self._moving) * (_A_REQUEST + 1)
        if self._stale or now - self._whole_at >= self._whole_every - 1:
            await self._whole(now)
        elif self._changes_told:
            due = now - self._changes_at >= self.kind.settled - 1
            if due or not moving or moving >= _A_REQUEST + self._window_rows or not await self._singles():
                await self._changes(now)
        elif not (moving and self.kind.read and moving <= _A_REQUEST + len(self._rows)) or not await self._singles():
            await self._whole(now)

    async def _whole(self, asked_at: float) -> None:
        first = not self._store.count(self.kind.row, self.place)
        rows: list[R] = []
        with self._granting(asked_at, whole=True):
            async for page in self._pages(Question(all_projects=self.all_projects)):
                rows.extend(page)
                if first:
                    self._apply(page, asked_at)
        self._whole_at = asked_at
        self._window = self._cloud_time(asked_at)
        rows, fresh = self._sifted(rows)
        missed = self._apply(rows, asked_at, complete=True)
        if fresh or len(rows) != len(self._rows):
            present = {row.id for row in rows} if self._moving else frozenset()
            self._follow(fresh, {id: row for id, row in self._moving.items() if id in present})
            self._seen(fresh)
        self._rows = rows
        if missed:
            await self._confirm(missed)

    def _sifted(self, rows: list[R]) -> tuple[list[R], list[R]]:
        """The rows of a complete list as they are to be told, and those of them that the last list did not have."""
        if len(rows) == len(self._rows) and all(map(is_, rows, self._rows)):
            return rows, []
        known = set(map(id, self._rows))
        fresh = [row for row in rows if id(row) not in known]
        odd = {id(row) for row in fresh if self.kind.deleted(row) or self.kind.hollow(row)}
        if odd:
            rows = [self._mended(row) if id(row) in odd else row for row in rows if not self.kind.deleted(row)]
            fresh = [row for row in rows if id(row) not in known]
        return rows, fresh

    async def _changes(self, asked_at: float) -> None:
        if self._window is None:
            return await self._whole(asked_at)
        question = Question(changes_since=self._window - OVERLAP, all_projects=self.all_projects)
        rows: list[R] = []
        try:
            with self._granting(asked_at):
                async for page in self._pages(question):
                    rows.extend(page)
        except CloudFault as error:
            if error.status != 400:
                raise
            return await self._whole(asked_at)  # this cloud cannot tell what changed
        self._window, self._window_rows = self._cloud_time(asked_at), len(rows)
        self._take(rows, asked_at)
        await self._look_for_unseen({row.id for row in rows}, asked_at)

    async def _look_for_unseen(self, told: Set[str], now: float) -> None:
        """A row about to change that no list of changes tells of may be gone from the cloud's memory altogether."""
        unseen = [row for id, row in self._moving.items() if id not in told]
        if unseen and now - self._unseen_at >= self.kind.settled - 1:
            self._unseen_at = now
            for row in unseen[:CONFIRMED_A_TURN]:
                with suppress(*_OF_ONE):
                    await self._single(row)

    async def _singles(self) -> bool:
        """Read those that are about to change; False where the cloud stumbles over one, so that a list must tell."""
        try:
            for row in list(self._moving.values()):
                await self._single(row)
        except _OF_ONE:
            return False
        return True

    async def _single(self, row: R) -> None:
        assert self.kind.read is not None
        asked_at = self._clock.monotonic()
        try:
            found = await self.kind.read(self.dialect, row.id)
        except NotFound:
            self._moving.pop(row.id, None)
            self._store.remove(row.key, asked_at)
        else:
            self._latency = self._clock.monotonic() - asked_at
            self._take([found], asked_at)

    async def _confirm(self, missed: Sequence[Row]) -> None:
        """Rows that a complete listing did not show are gone only when the cloud says so of each."""
        gate = asyncio.Semaphore(CONFIRMED_AT_ONCE)
        before = self._store.count(self.kind.row, self.place)

        async def one(row: R) -> None:
            async with gate:
                try:
                    await self._single(row)
                except CloudError:
                    return  # its cell may be down: the row stays until the cloud knows better

        asked = missed[:CONFIRMED_A_TURN]
        async with asyncio.TaskGroup() as group:
            for row in asked:
                group.create_task(one(cast(R, row)), name=f"confirm {self.place} {row.id}")
        gone = before - self._store.count(self.kind.row, self.place)
        # Where all that were asked for are gone, so are most likely the others; where not, a cell is down.
        self._stale |= len(missed) > len(asked) and gone >= len(asked)

    @contextmanager
    def _granting(self, asked_at: float, *, whole: bool = False) -> Iterator[None]:
        """A question that grants every wish of before it; one that comes meanwhile stays, and all do where it fails."""
        stale, changes_at = self._stale, self._changes_at
        self._stale, self._changes_at = stale and not whole, asked_at
        try:
            yield
        except BaseException:
            self._stale |= stale
            self._changes_at = min(changes_at, self._changes_at)
            raise

    async def _pages(self, question: Question) -> AsyncIterator[Sequence[R]]:
        began: float | None = self._clock.monotonic()
        async for page in self.kind.list(self.dialect, question):
            if began is not None:
                self._latency, began = self._clock.monotonic() - began, None
            yield page
            await asyncio.sleep(0)  # others get their turn between two pages

    # What is told

    def _take(self, rows: Sequence[R], asked_at: float) -> None:
        """Rows that were asked for by themselves; those that the cloud calls deleted leave."""
        self._apply([self._mended(row) for row in rows if not self.kind.deleted(row)], asked_at)
        for row in rows:
            if self.kind.deleted(row):
                self._store.remove(row.key, asked_at)
        self._follow(rows, self._moving)
        self._seen(rows)

    def _follow(self, rows: Iterable[R], moving: dict[str, R]) -> None:
        """Note which rows are about to change, on top of those that are known to be."""
        followed = dict(moving)
        for row in rows:
            if self.kind.in_flight(row) and not self.kind.deleted(row):
                followed[row.id] = row
            else:
                followed.pop(row.id, None)
        if any(self._moving.get(id) is not row for id, row in followed.items()):
            self._motion_at = self._clock.monotonic()
        self._moving = followed

    def _mended(self, row: R) -> R:
        """A row whose cell is down, with what was known of it before; only its state is unknown now."""
        known = self._store.told(row, self.place) if self.kind.hollow(row) else None
        if known is None:
            return row
        return msgspec.structs.replace(known, word="UNKNOWN", task_state=None, record=row.record)

    def _apply(self, rows: Sequence[R], asked_at: float, complete: bool = False) -> tuple[Row, ...]:
        return self._store.apply(
            Listing(self.place, self.kind.row, rows, asked_at, complete, partial_cells=self.kind.confirm)
        )

    def _cloud_time(self, asked_at: float) -> dt.datetime:
        """The cloud's own time at that moment, as far as its last reply tells."""
        return self.dialect.now() - dt.timedelta(seconds=self._clock.monotonic() - asked_at)

    # When to ask again

    def _pause(self) -> float:
        now = self._clock.monotonic()
        moving = bool(self._moving) and now - self._motion_at < PATIENCE
        often = self._stale or moving or now < self._attention_until
        interval = self.kind.moving if often else self.kind.settled
        self._due += interval
        if self._due <= now:
            self._due = now + interval
        return max(0.0, self._due - now + interval * 0.1 * (self._chance() - 0.5))

    def _failed(self, error: CloudError) -> float:
        now = self._clock.monotonic()
        if isinstance(error, Forbidden) and self.all_projects:
            self.all_projects = False  # the role does not reach that far; the own project's are still ours to see
            return 0.0
        if isinstance(error, Unauthorized) and self._refused():
            self._pulse.failed(self.kind.name, error, None)
            raise error
        self._failures += 1
        pause = min(CEILING, 2.0**self._failures) * (0.8 + 0.2 * self._chance())
        if isinstance(error, OverLimit):
            pause = max(1.0, error.retry_after) + self._chance()
        elif isinstance(error, Forbidden | Unauthorized):  # this one service says no, and the login holds
            pause = CEILING
        self._due = now + pause
        self._pulse.failed(self.kind.name, error, self._due)
        return pause
