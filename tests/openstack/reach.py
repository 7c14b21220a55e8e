"""How a server is brought into a state by orders through the API alone, on any cloud with our knobs, and asked."""

import asyncio
from typing import NamedTuple

from matrix import ADMIN, MEMBER, VERBS, Json, fill, filled
from witness import PATIENCE, Witness

HOLD = 45  # seconds that a task state is held open, for all verbs to be asked meanwhile

Step = str | Json | tuple[str, Json]


class Reach(NamedTuple):
    """A way into a state: what a server is created with, and the steps from there.

    A step is an order of the member's (or a pair, to say whose), "=WORD" to wait for rest in that status, "~task" to
    wait for a task state, or "slow" to have what follows take its time.
    """

    steps: tuple[Step, ...]
    metadata: Json = {}
    flavor: str = "m1.tiny"


def _slow(seconds: int = HOLD) -> Json:
    return {"lab_task_seconds": str(seconds)}


_UP = "=ACTIVE"
_OFF: tuple[Step, ...] = (_UP, {"os-stop": None}, "=SHUTOFF")
_RESIZED: tuple[Step, ...] = (_UP, {"resize": {"flavorRef": "$flavor"}}, "=VERIFY_RESIZE")
_IMAGE: Step = {"createImage": {"name": "$name"}}
_LOCK: Step = {"lock": None}
_IMAGING = {"lab_snapshot_seconds": str(HOLD)}
_BUILDING = {"lab_build_seconds": str(HOLD)}

REACHED: dict[str, Reach] = {
    "active": Reach((_UP,)),
    "active locked": Reach((_UP, _LOCK)),
    "stopped": Reach(_OFF),
    "stopped locked": Reach((*_OFF, _LOCK)),
    "paused": Reach((_UP, {"pause": None}, "=PAUSED")),
    "paused locked": Reach((_UP, {"pause": None}, "=PAUSED", _LOCK)),
    "suspended": Reach((_UP, {"suspend": None}, "=SUSPENDED")),
    "rescued": Reach((_UP, {"rescue": None}, "=RESCUE")),
    "rescued locked": Reach((_UP, {"rescue": None}, "=RESCUE", _LOCK)),
    "resized": Reach(_RESIZED),
    "resized locked": Reach((*_RESIZED, _LOCK)),
    "resized power-4": Reach((*_OFF, {"resize": {"flavorRef": "$flavor"}}, "=VERIFY_RESIZE")),
    "shelved_offloaded": Reach((_UP, {"shelve": None}, "=SHELVED_OFFLOADED")),
    "shelved_offloaded locked": Reach((_UP, {"shelve": None}, "=SHELVED_OFFLOADED", _LOCK)),
    "error": Reach((_UP, (ADMIN, {"os-resetState": {"state": "error"}}), "=ERROR")),
    "error locked": Reach((_UP, (ADMIN, {"os-resetState": {"state": "error"}}), "=ERROR", _LOCK)),
    "error unlaunched hostless": Reach(("=ERROR",), flavor="m1.impossible"),
    "active power-4": Reach((*_OFF, (ADMIN, {"os-resetState": {"state": "active"}}), _UP)),
    "building spawning unlaunched": Reach(("~spawning",), _BUILDING),
    "building spawning locked unlaunched": Reach(("~spawning", _LOCK), _BUILDING),
    "active image_pending_upload": Reach((_UP, _IMAGE, "~image_pending_upload"), _IMAGING),
    "stopped image_pending_upload": Reach((*_OFF, _IMAGE, "~image_pending_upload"), _IMAGING),
    "active shelving_image_pending_upload": Reach(
        (_UP, {"shelve": None}, "~shelving_image_pending_upload"), _IMAGING
    ),
    "active reboot_started": Reach((_UP, "slow", {"reboot": {"type": "SOFT"}}, "~reboot_started")),
    "active reboot_started_hard": Reach((_UP, "slow", {"reboot": {"type": "HARD"}}, "~reboot_started_hard")),
    "active powering-off": Reach((_UP, "slow", {"os-stop": None}, "~powering-off")),
    "active pausing": Reach((_UP, "slow", {"pause": None}, "~pausing")),
    "active suspending": Reach((_UP, "slow", {"suspend": None}, "~suspending")),
    "active rescuing": Reach((_UP, "slow", {"rescue": None}, "~rescuing")),
    "active resize_migrating": Reach((_UP, "slow", {"resize": {"flavorRef": "$flavor"}}, "~resize_migrating")),
    "active resize_finish": Reach((_UP, "slow", {"resize": {"flavorRef": "$flavor"}}, "~resize_finish")),
    "stopped resize_migrating": Reach((*_OFF, "slow", {"resize": {"flavorRef": "$flavor"}}, "~resize_migrating")),
    "active rebuilding": Reach((_UP, "slow", {"rebuild": {"imageRef": "$image"}}, "~rebuilding")),
    "active migrating": Reach(
        (_UP, "slow", (ADMIN, {"os-migrateLive": {"host": None, "block_migration": "auto"}}), "~migrating")
    ),
    "active shelving": Reach((_UP, "slow", {"shelve": None}, "~shelving")),
    "active deleting": Reach((_UP, "slow", {"forceDelete": None}, "~deleting")),
    "stopped powering-on": Reach((*_OFF, "slow", {"os-start": None}, "~powering-on")),
    "stopped deleting": Reach((*_OFF, "slow", {"forceDelete": None}, "~deleting")),
    "paused unpausing": Reach((_UP, {"pause": None}, "=PAUSED", "slow", {"unpause": None}, "~unpausing")),
    "suspended resuming": Reach((_UP, {"suspend": None}, "=SUSPENDED", "slow", {"resume": None}, "~resuming")),
    "rescued unrescuing": Reach((_UP, "slow", {"rescue": None}, "=RESCUE", {"unrescue": None}, "~unrescuing")),
    "resized resize_reverting": Reach((_UP, "slow", *_RESIZED[1:], {"revertResize": None}, "~resize_reverting")),
}  # fmt: skip


async def reach(who: dict[str, Witness], server: str, way: Reach, things: Json) -> Json:
    """Go the whole way with a server that was just ordered; its record at the end of it."""
    record: Json | None = None
    for step in way.steps:
        if step == "slow":
            metadata = {"metadata": _slow()}
            answer = await who[MEMBER].call("POST", "compute", f"/servers/{server}/metadata", metadata)
            assert answer.status == 200, answer
        elif isinstance(step, str):
            record = await _until(who[MEMBER], server, step)
        else:
            name, action = step if isinstance(step, tuple) else (MEMBER, step)
            code = await who[name].act(server, fill(action, things))
            assert code < 300, f"{action}: {code}"
    if not isinstance(way.steps[-1], str):
        record = await who[MEMBER].server(server)
    assert record is not None
    return record


async def _until(witness: Witness, server: str, step: str) -> Json:
    async with asyncio.timeout(PATIENCE):
        while True:
            record = await witness.server(server)
            assert record is not None, f"{server} is gone before {step}"
            task = record["OS-EXT-STS:task_state"]
            if task == step[1:] or (step[0] == "=" and task is None and record["status"] == step[1:]):
                return record
            assert record["status"] != "ERROR" or step == "=ERROR" or task, f"{server}: {record.get('fault')}"
            await asyncio.sleep(0.1)


async def send(to: Witness, server: str, verb: str, things: Json) -> tuple[int, str]:
    """One order: the status code and the words of a refusal."""
    wanted = filled(VERBS[verb], things)
    answer = await to.call(wanted.method, "compute", f"/servers/{server}{wanted.path}", wanted.body)
    fault = next(iter(answer.body.values()), None) if answer.status >= 400 and answer.body else None
    return answer.status, str(fault.get("message", "")) if isinstance(fault, dict) else ""
