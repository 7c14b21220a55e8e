"""Looking again until a guest is ready: the ladder is climbed anew, and the last report names what did not hold.

A ready guest ends it, and so does a host key that contradicts its witnesses, unless a new key was to be expected: then
the console may only be slower than the guest, and is waited for until it has had its say. A climb that the deadline
cuts short says nothing of the guest where the one before it came further.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from console.guests.report import Report, Rung, Told
from console.guests.testimony import Testimony

WAY_IN = 30.0  # seconds for one climb up to the login
BETWEEN = (0.5, 3.0)  # seconds between two climbs, at first and at last

# Climbs once: within so many seconds, of which so many for the way in.
Climb = Callable[[float, float, Told], Awaitable[Report]]


async def until_ready(
    climb: Climb,
    deadline: float,
    told: Told | None = None,
    *,
    new_key: bool = False,
    testimony: Testimony | None = None,
) -> Report:
    """Climb until it is ready or `deadline` seconds are over; `told` gets what differs from the climb before.

    With a `new_key` to be expected, the `testimony` tells when the console has said all; without it, it never has.
    """
    until, pause = time.monotonic() + deadline, BETWEEN[0]
    said: dict[str, Rung] = {}
    before: Report | None = None

    def tell(rung: Rung) -> None:
        known = said.get(rung.name)
        said[rung.name] = rung
        same = known is not None and (known.state, known.text) == (rung.state, rung.text)
        if told is not None and not same and rung.state != "skipped":
            told(rung)

    while True:
        left = max(0.2, until - time.monotonic())
        report = await climb(left, min(WAY_IN, left), tell)
        if report.ready or (report.final and not (new_key and _late(report, testimony))):
            return report
        if time.monotonic() + pause >= until:
            return before if before is not None and time.monotonic() >= until and _further(before, report) else report
        await asyncio.sleep(pause)
        before, pause = report, min(BETWEEN[1], pause * 1.5)


def _late(report: Report, testimony: Testimony | None) -> bool:
    """Whether the console that contradicts a rebuilt guest may only be slower than it."""
    changed = report.host_key is not None and report.host_key.grade == "changed"
    return changed and not (testimony is not None and testimony.complete(report.host_key))


def _further(one: Report, other: Report) -> bool:
    """Whether more rungs held in the one than in the other."""
    held = [sum(rung.state == "ok" for rung in report.rungs) for report in (one, other)]
    return held[0] > held[1]
