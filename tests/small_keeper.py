"""Keepers for tests: on a small ground, by a clock that runs fast, and runs begun as an action begins them."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from small_ground import SmallGround

from console.actions.action import perform
from console.core.clock import Clock
from console.runbooks.journal import Journal, RunRecord, State
from console.runbooks.keeper import Keeper


class FastClock(Clock):
    """The real time, so many times as fast."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._began = time.monotonic()
        self._at = dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        return self._began + (time.monotonic() - self._began) * self.speed

    def now(self) -> dt.datetime:
        return self._at + dt.timedelta(seconds=self.monotonic() - self._began)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        return asyncio.get_running_loop().call_later(seconds / self.speed, callback)


@asynccontextmanager
async def keeping(
    ground: SmallGround, journal: Journal, passed: Callable[[str], None] = lambda point: None
) -> AsyncIterator[Keeper]:
    """A keeper at work; leaving the context ends it as a closed console does."""
    keeper = Keeper(ground, journal, ground.clock, passed)  # type: ignore[arg-type]
    ground.keeper = keeper
    task = asyncio.create_task(keeper.keep())
    try:
        yield keeper
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def begin(ground: SmallGround, name: str, target: Any, /, **given: Any) -> str:
    """Begin a run as a face does; gives its id."""
    outcome = await perform(ground, name, target, **given)
    return str(outcome.result)


async def until(keeper: Keeper, id: str, *states: State) -> RunRecord:
    """The run, once it is in one of these states; without any, once it has ended."""
    while True:
        run = await asyncio.to_thread(keeper.journal.run, id)
        if run.state in states or (not states and not run.open):
            return run
        await keeper.clock.sleep(1.0)


async def when(true: Callable[[], bool]) -> None:
    """Come back when it is true."""
    while not await asyncio.to_thread(true):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
