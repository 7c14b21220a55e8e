"""Servers that went off though nobody had ordered it: once one is seen to stop, the cloud's own record is asked why.

Nova stops a server whose guest has shut itself down, and records that stop as one that nobody asked for. What was off
already when we first looked is not asked about here: `server explain` tells of any server.
"""

import asyncio
from collections.abc import Callable, Sequence

from console.clouds.dialect import Dialect
from console.core.watch import Batch
from console.errors import ConsoleError
from console.model.place import Key, Place
from console.model.server import Server
from console.model.status import known

TOGETHER = 20  # servers that stop at one moment; where more do, it was no guest's own doing
OFF = "SHUTOFF"


class Stops:
    """Which servers were powered off from inside, of those that were seen to stop."""

    def __init__(self, dialect: Callable[[Place], Dialect]) -> None:
        self._dialect = dialect
        self._inside: set[Key] = set()

    def inside(self, server: Server) -> bool:
        """Whether it is off, and is known to have been powered off from inside."""
        return server.status == OFF and not server.task_state and server.key in self._inside

    def saw(self, batch: Batch[Server]) -> Sequence[Server]:
        """Those that have stopped, to be asked about; where many stop at one moment, none of them."""
        if self._inside:
            self._inside.difference_update(batch.gone)
            self._inside.difference_update(row.key for row in batch.changed if row.status != OFF)
        if OFF not in {known(word) for word in {row.word for row in batch.changed}}:
            return ()
        stopped = [row for row in batch.changed if row.status == OFF and _stopped(row, batch.before.get(row.key))]
        return stopped if len(stopped) <= TOGETHER else ()

    async def ask(self, stopped: Sequence[Server]) -> None:
        """Ask their clouds who stopped them."""
        await asyncio.gather(*map(self._ask, stopped))

    async def _ask(self, row: Server) -> None:
        from console.actions.explain import from_inside
        from console.actions.history import asked_of

        try:
            dialect = self._dialect(row.place)
            asked = await asked_of(dialect, row.id) if "server.history" in dialect.verbs else []
        except ConsoleError:  # a cloud that keeps no record, or cannot tell it now
            return
        if from_inside(row, asked[0] if asked else None):
            self._inside.add(row.key)


def _stopped(row: Server, before: Server | None) -> bool:
    """Whether one that is off was not when it was last told of."""
    return not row.task_state and before is not None and before.status != OFF
