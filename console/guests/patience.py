"""Looking again until a guest is ready: the ladder is climbed anew, and the last report names what did not hold.

A ready guest ends it, and so does a host key that contradicts its witnesses, unless a new key was to be expected: then
the console may only be slower than the guest, and is waited for until it has had its say, as far as that can be told.
A climb that the deadline cuts short says nothing of the guest where the one before it came further.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from console.guests.report import Report, Rung, Told

WAY_IN = 30.0  # seconds for one climb up to the login
BETWEEN = (0.5, 3.0)  # seconds between two climbs, at first and at last

# Climbs once: within so many seconds, of which so many for the way in.
Climb = Callable[[float, float, Told], Awaitable[Report]]

# Whether looking again would find nothing else.
Enough = Callable[[Report], bool]


async def until_ready(
    climb: Climb,
    deadline: float,
    told: Told | None = None,
    *,
    new_key: bool = False,
    enough: Enough | None = None,
) -> Report:
    """Climb until it is ready or `deadline` seconds are over; `told` gets what differs from the climb before.

    With a `new_key` to be expected, only `enough` can tell that a console which contradicts it is not merely late.
    """
    until, pause = time.monotonic() + deadline, BETWEEN[0]
    said: dict[str, Rung] = {}
    before: Report | None = None

    def tell(rung: Rung) -> None:
        known = said.get(rung.name)
        same = known is not None and (known.state, known.text) == (rung.state, rung.text)
        if not same and known is not None:  # those above it are news again
            names = list(said)
            for above in names[names.index(rung.name) :]:
                del said[above]
        said[rung.name] = rung
        if told is not None and not same and rung.state != "skipped":
            told(rung)

    while True:
        left = max(0.2, until - time.monotonic())
        report = await climb(left, min(WAY_IN, left), tell)
        awaited = new_key and report.host_key is not None and report.host_key.grade == "changed"
        if report.ready or (report.final and not awaited) or (enough is not None and enough(report)):
            return report
        if time.monotonic() + pause >= until:
            return before if before is not None and time.monotonic() >= until and _further(before, report) else report
        await asyncio.sleep(pause)
        before, pause = report, min(BETWEEN[1], pause * 1.5)


def _further(one: Report, other: Report) -> bool:
    """Whether more rungs held in the one than in the other."""
    held = [sum(rung.state == "ok" for rung in report.rungs) for report in (one, other)]
    return held[0] > held[1]
