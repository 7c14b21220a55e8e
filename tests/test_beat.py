"""The screen's clock strikes each second and leaves out what was slept through."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from console.tui.beat import Beat


@asynccontextmanager
async def struck(each: Callable[[], None] = lambda: None) -> AsyncIterator[tuple[Beat, list[float]]]:
    """A clock that goes, and the seconds after its start at which it has struck."""
    loop, found = asyncio.get_running_loop(), list[float]()
    began = loop.time()

    def strike() -> None:
        found.append(loop.time() - began)
        each()

    beat = Beat(strike, failures.append)
    failures.clear()
    beat.start()
    try:
        yield beat, found
    finally:
        beat.stop()


failures: list[Exception] = []


def stand_still(seconds: float) -> None:
    """As where the process was stopped."""
    time.sleep(seconds)


async def strikes(found: list[float], times: int) -> None:
    for _ in range(1000):
        if len(found) >= times:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(found)


async def test_it_strikes_each_second_and_never_early_until_it_is_stopped() -> None:
    async with struck() as (beat, found):
        await strikes(found, 2)
        beat.stop()
        assert found[0] >= 1 and found[1] >= 2
        await asyncio.sleep(1.2)
        assert len(found) == 2


async def test_seconds_that_were_slept_through_are_left_out() -> None:
    async with struck() as (_, found):
        stand_still(2.3)
        await strikes(found, 2)
        assert found[0] >= 2 and int(found[1]) > int(found[0])


async def test_it_goes_on_after_a_failure_and_tells_of_it() -> None:
    async with struck(lambda: [][1]) as (_, found):
        await strikes(found, 2)
        assert {type(failure) for failure in failures} == {IndexError} and len(failures) == len(found)
