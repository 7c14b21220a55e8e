"""A mailbox that notes which rows moved, not what happened to them: who reads slowly reads less, never late.

A burst of a hundred thousand changes between two readings is one batch; a row that changed and changed back is
not in it, and neither is one that came and went unseen. There is no queue that could grow.
"""

import asyncio
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from console.core.health import Health
from console.model.place import Key, Place, Row

R = TypeVar("R", bound=Row)


class Batch(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """What moved since the last batch, in the order of its first move; `before` has the rows as last told."""

    kind: type[R]
    changed: tuple[R, ...] = ()
    gone: tuple[Key, ...] = ()
    before: Mapping[Key, R] = {}
    reset: bool = False  # these are all rows; forget what was known


class Watch(Generic[R]):
    """An asynchronous iterator of batches over one kind; the first one holds all that is known."""

    def __init__(self, kind: type[R], rows: Mapping[Key, R]) -> None:
        self._kind = kind
        self._rows = rows
        self._moved: dict[Key, R | None] = {}
        self._news = asyncio.Event()
        self._begun = False
        self._closed = False

    def note(self, moved: Mapping[Key, R | None]) -> None:
        """Remember that these rows moved, and what they were; the store calls it after each change."""
        if not self._begun:  # the first batch is all there is, and until then nothing need be remembered
            return
        if self._moved:
            for key, before in moved.items():
                self._moved.setdefault(key, before)
        else:
            self._moved.update(moved)
            self._news.set()

    def close(self) -> None:
        """End the iteration; a reader gets what is left, and ends."""
        self._closed = True
        self._news.set()

    def __aiter__(self) -> "Watch[R]":
        return self

    async def __anext__(self) -> Batch[R]:
        while True:
            batch = self._take()
            if batch is not None:
                return batch
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    def _take(self) -> Batch[R] | None:
        moved, self._moved = self._moved, {}
        if not self._begun:
            self._begun = True
            return Batch(kind=self._kind, changed=tuple(self._rows.values()), reset=True)
        get, changed, gone, told = self._rows.get, [], [], {}
        for key, before in moved.items():
            row = get(key)
            if before is not None:
                told[key] = before
                if row is None:
                    gone.append(key)
            if row is not None and row is not before:
                changed.append(row)
        if not changed and not gone:
            return None
        return Batch(kind=self._kind, changed=tuple(changed), gone=tuple(gone), before=told)


class HealthWatch:
    """An asynchronous iterator of the places whose health changed visibly; all of them at first."""

    def __init__(self, health: Mapping[Place, Health]) -> None:
        self._health = health
        self._moved: dict[Place, None] = dict.fromkeys(health)
        self._news = asyncio.Event()
        self._news.set()

    def note(self, place: Place) -> None:
        """Remember that this place's health moved."""
        self._moved[place] = None
        self._news.set()

    def __aiter__(self) -> "HealthWatch":
        return self

    async def __anext__(self) -> Mapping[Place, Health | None]:
        await self._news.wait()
        self._news.clear()
        moved, self._moved = self._moved, {}
        return {place: self._health.get(place) for place in moved}
