"""The guest's ladder as a step of a runbook: ACTIVE is not ready, and what was asked for must hold for a while."""

from collections.abc import Sequence
from typing import Any

from console.actions.check import PATIENT, examine
from console.actions.declared import ACTIONS, Ask
from console.errors import ActionFailed
from console.runbooks.runbook import Facts, Run

_WANTED = ("user", "port", "identity", "jump", "check", "url", "need", "tries", "stable", "deadline")
LADDER: tuple[Ask, ...] = tuple(ask for ask in ACTIONS["server.check"].asks if ask.name in _WANTED)
WAY: tuple[Ask, ...] = tuple(ask for ask in LADDER if ask.name in _WANTED[:4])  # how to get in, and no own checks


async def climb(
    run: Run, id: str, asks: Sequence[Ask] = LADDER, *, new_key: bool = False, most: float = PATIENT
) -> Facts:
    """Climb until the guest is ready or its time (at most so many seconds) is over: {"ready", "took", "why"}."""
    told = {ask.name: run.given[ask.name] for ask in asks if ask.name in run.given}
    given: dict[str, Any] = {"deadline": most, **told}
    clock = run.ground.clock
    began = clock.monotonic()
    report = await examine(
        run.ground,
        run.place,
        id,
        given,
        told=lambda rung: run.tell(f"{rung.name}: {rung.text or rung.state}"),
        until_ready=True,
        new_key=new_key,
    )
    failed = report.failed
    why = f"{failed.name}: {failed.text.rstrip('.')}" if failed else "" if report.ready else "it was not ready"
    return {"ready": report.ready, "took": round(clock.monotonic() - began, 1), "why": why}


async def demand(run: Run, id: str, **how: Any) -> Facts:
    """The same; a guest that is not ready is a failure."""
    found = await climb(run, id, **how)
    if not found["ready"]:
        raise ActionFailed(f"The check of {run.name} failed after {found['took']:g} s: {found['why']}.")
    return found
