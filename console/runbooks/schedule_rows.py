"""All schedules of images in one list: those that clouds keep by themselves, and those that a program of ours keeps.

Of the clouds' own the store tells; of ours a file, which other processes write too, so that it is looked at every few
seconds. It reads, and never writes.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Callable

import msgspec

from console.core.clock import Clock
from console.core.watch import Batch
from console.errors import ConfigError
from console.model.place import Key
from console.model.schedule import Schedule
from console.runbooks.schedule_book import PlanBook, Planned

LOOK = 3.0  # seconds between two looks at the file

Told = AsyncGenerator[Batch[Schedule], None]


class AllSchedules:
    """The schedules of all clouds, and the plans of one state folder."""

    def __init__(self, clouds: Callable[[], Told], book: PlanBook, clock: Clock) -> None:
        self._clouds, self._book, self._clock = clouds, book, clock

    async def watch(self) -> Told:
        """Batches of what moved, all that is known first; plans that are gone too."""
        told = self._clouds()
        plans: dict[Key, Schedule] = {}
        coming: asyncio.Task[Batch[Schedule]] | None = None
        look: asyncio.Task[object] | None = None  # which clouds that have much to tell must not put off
        try:
            yield msgspec.structs.replace(await self._look(plans), reset=True)
            while True:
                coming = coming or asyncio.ensure_future(anext(told))
                look = look or asyncio.ensure_future(self._clock.sleep(LOOK))
                await asyncio.wait((coming, look), return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    batch, coming = coming.result(), None
                    yield Batch(kind=Schedule, changed=batch.changed, gone=batch.gone)
                if look.done():
                    look = None
                    batch = await self._look(plans)
                    if batch.changed or batch.gone:
                        yield batch
        finally:
            left = [task for task in (coming, look) if task is not None]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await told.aclose()

    async def _look(self, before: dict[Key, Schedule]) -> Batch[Schedule]:
        """The plans that differ from those of the last look, which is brought up to date."""
        try:
            found = await asyncio.to_thread(self._book.read)
        except ConfigError:
            found = {}  # whoever keeps or changes plans says what is wrong with the file
        now = self._clock.now()
        plans = {row.key: row for row in (row_of(plan, now) for plan in found.values())}
        changed = tuple(row for key, row in plans.items() if before.get(key) != row)
        gone = tuple(before.keys() - plans.keys())
        before.clear()
        before.update(plans)
        return Batch(kind=Schedule, changed=changed, gone=gone)


def row_of(plan: Planned, now: dt.datetime) -> Schedule:
    """A plan of ours as a schedule like the others."""
    due = plan.next_run(now)
    return Schedule(
        id=plan.id,
        name=plan.name,
        key=Key("", "", "schedule", plan.id),
        place=plan.place,
        what="kept by novadeck",
        enabled=not plan.paused,
        rhythm=plan.word if plan.word != "cron" else plan.cron,
        keeps=plan.keep,
        due=due,
        trouble="" if plan.good else plan.result,
    )
