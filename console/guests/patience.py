"""Looking again until a guest is ready: the ladder is climbed anew, and the last report names what did not hold.

A ready guest ends it, and so does a host key that contradicts its witnesses, unless a new key was to be expected: then
the console may only be slower than the guest.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from console.guests.report import Report, Rung, Told

ONE_TRY = 30.0  # seconds for one climb
BETWEEN = (0.5, 3.0)  # seconds between two climbs, at first and at last

Climb = Callable[[float, Told], Awaitable[Report]]


async def until_ready(climb: Climb, deadline: float, told: Told | None = None, *, new_key: bool = False) -> Report:
    """Climb until it is ready or `deadline` seconds are over; `told` gets what differs from the climb before."""
    until, pause = time.monotonic() + deadline, BETWEEN[0]
    said: dict[str, Rung] = {}

    def tell(rung: Rung) -> None:
        before = said.get(rung.name)
        said[rung.name] = rung
        same = before is not None and (before.state, before.text) == (rung.state, rung.text)
        if told is not None and not same and rung.state != "skipped":
            told(rung)

    while True:
        left = until - time.monotonic()
        report = await climb(max(0.2, min(ONE_TRY, left)), tell)
        if report.ready or (report.final and not new_key) or time.monotonic() + pause >= until:
            return report
        await asyncio.sleep(pause)
        pause = min(BETWEEN[1], pause * 1.5)
