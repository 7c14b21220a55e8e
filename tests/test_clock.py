"""Time that tests move, and sleeps that can be cut short."""

import asyncio
import datetime as dt

import pytest

from console.core.clock import Bell, Clock
from console.testing import MovedClock


@pytest.fixture(params=[Clock, MovedClock])
def any_clock(request: pytest.FixtureRequest) -> Clock:
    clock: Clock = request.param()
    return clock


async def test_a_bell_cuts_a_sleep_short(any_clock: Clock) -> None:
    bell = Bell()
    sleeping = asyncio.create_task(any_clock.sleep(3600, bell))
    await asyncio.sleep(0)
    bell.ring()
    assert await sleeping is True


async def test_a_ring_that_found_nobody_asleep_is_kept_once() -> None:
    clock, bell = Clock(), Bell()
    bell.ring()
    bell.ring()
    assert await clock.sleep(3600, bell) is True
    assert await clock.sleep(0.001, bell) is False


async def test_the_real_clock_sleeps_and_tells_aware_utc() -> None:
    clock = Clock()
    before = clock.monotonic()
    assert await clock.sleep(0.001) is False
    assert clock.monotonic() > before
    assert clock.now().tzinfo is dt.UTC


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    clock = MovedClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.monotonic() - 1000))

    tasks = [asyncio.create_task(sleeper("long", 10)), asyncio.create_task(sleeper("short", 3, 3, 3, 3))]
    await clock.advance(11)
    assert woken == [("short", 3), ("short", 6), ("short", 9), ("long", 10)]
    await clock.advance(1)
    assert woken[-1] == ("short", 12)
    await asyncio.gather(*tasks)


async def test_both_hands_of_a_moved_clock_move_together() -> None:
    clock = MovedClock(dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    begun = clock.monotonic()
    await clock.advance(90)
    assert clock.monotonic() - begun == 90
    assert clock.now() == dt.datetime(2030, 1, 1, 0, 1, 30, tzinfo=dt.UTC)


async def test_a_cancelled_sleep_leaves_no_sleeper() -> None:
    clock = MovedClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.settle()
    assert clock.sleepers == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert clock.sleepers == 0
