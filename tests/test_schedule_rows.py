"""All schedules in one list: those of clouds, and plans that other processes write, neither in the other's way."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from console.core.watch import Batch
from console.model.schedule import Schedule
from console.runbooks.schedule_rows import AllSchedules
from console.testing import MovedClock


class Book:
    """Plans, and how often they were looked at."""

    looks = 0

    def read(self) -> dict[str, Any]:
        self.looks += 1
        return {}


async def test_clouds_that_tell_much_put_off_no_look_at_the_plans() -> None:
    clock, book = MovedClock(), Book()

    async def clouds() -> AsyncGenerator[Batch[Schedule], None]:
        while True:
            yield Batch(kind=Schedule)
            await clock.sleep(1)

    async def tick() -> None:
        while True:
            await clock.advance(1)

    time = asyncio.create_task(tick())
    told = AllSchedules(clouds, book, clock).watch()  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        async for _ in told:
            if book.looks > 2:
                break
    await told.aclose()
    time.cancel()
    assert clock.sleepers == 0
    first = AllSchedules(clouds, book, clock).watch()  # type: ignore[arg-type]
    assert (await anext(first)).reset
    await first.aclose()  # before anything was waited for
