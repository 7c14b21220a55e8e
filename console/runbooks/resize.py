"""Guarded resize, and guarded cold migration: kept if the guest proves itself, else taken back by itself.

plan -> mark -> resize -> VERIFY_RESIZE -> the ladder and the user's checks -> confirm; or revert, and look at the old
one. The cloud's own clock may confirm at any moment (a provider's window): then it is kept, and said so. From the
order on, no way out of this file leaves a server in VERIFY_RESIZE that nobody is asked about.
"""

import datetime as dt
from typing import Any

from console.actions.declared import Ask, Order
from console.actions.servers import FLAVOR, fits
from console.core.resizes import KEPT_AFTER
from console.errors import ActionFailed, ActionRefused, CloudError, NotFound
from console.model.server import Server
from console.runbooks.ladder import LADDER, WAY, climb, demand
from console.runbooks.marks import MARKED, UNMARKED, looked, new_order, orders, recorded, under
from console.runbooks.runbook import Facts, Run, Step, runbook

RESTING = ("ACTIVE", "SHUTOFF")
CONFIRM, REVERT = "confirm", "revert"
OTHERS = "the cloud, or somebody else"
REFUSED = (400, 403, 409)  # how clouds answer what has been answered already
OLD_ONE = 120.0  # seconds for the old server to come back to
HOLD = Ask("hold", "flag", "hold", "ask before it is confirmed, also when all checks hold")
HOST = Ask("host", "text", "host", "the host to move to; the scheduler chooses otherwise")


async def _look(order: Order) -> str:
    """What a resize looks at, and that nobody else is at work on the server."""
    await free(order)
    return await fits(order)


async def free(order: Order) -> str:
    """Refuse a server that is under an operation."""
    if told := under(order.row):
        raise ActionRefused(f"{told}.", hint="novadeck ops list shows ours; wait for its end.")
    return ""


# Where the server is


def _moved(run: Run, row: Server) -> bool:
    """Whether the server is the new one: another flavor (of a migration: another host) than before."""
    before = run.facts["old"]
    if run.given.get("flavor") is None:
        return bool(row.host_id) and row.host_id != before["host_id"]
    now = [row.flavor.id, row.flavor.name] if row.flavor else [None, None]
    return bool(now != before["flavor"])


async def _settled(run: Run) -> Server:
    """The server once nothing moves it."""
    while True:
        row = await run.server()
        if not row.in_flight:
            return row
        run.tell(f"waiting for the end of {row.task_state or row.status}")
        await run.ground.clock.sleep(1.0)


# The steps


async def _plan(run: Run) -> Facts:
    row = await run.server()
    flavor = [row.flavor.id, row.flavor.name] if row.flavor else [None, None]
    return {"old": {"flavor": flavor, "host_id": row.host_id, "status": row.status}}


def _send(call: str, word: str) -> Step:
    async def do(run: Run) -> Facts:
        names = ("flavor", "host")
        outcome = await run.perform(call, **{name: run.given[name] for name in names if name in run.given})
        return {"ordered": outcome.request_id}

    async def seen(run: Run) -> Facts | None:
        request = await new_order(run, word)
        row = await run.server()
        taken = request or row.status in ("RESIZE", "QUEUE_RESIZE", "PREP_RESIZE", "VERIFY_RESIZE")
        return {"ordered": request or ""} if taken else None

    async def found(run: Run) -> Facts | None:
        return await looked(run, lambda: seen(run))

    return Step("order", do, found, orders)


def _arrive(call: str) -> Step:
    async def do(run: Run) -> Facts:
        flavor = run.given.get("flavor")
        order = {"request_id": run.facts["ordered"]}
        wanted: dict[str, Any] = {"flavor": await run.dialect.flavor(flavor)} if flavor else {}
        row = await run.follow(call, order, **wanted)
        status = row.status if isinstance(row, Server) else ""
        return {"arrived": status, "since": run.dialect.now().isoformat(timespec="seconds")}

    return Step("arrive", do)


async def _check(run: Run) -> Facts:
    row = await run.server()
    if row.status == "SHUTOFF" or row.power_state == 4:
        run.tell("it is off: nothing can be tested")
        return {"tested": False}
    return {"tested": True, **await demand(run, run.target)}


async def _hold(run: Run) -> Facts:
    """Ask, until somebody answers or the cloud's own clock does."""

    async def over() -> str | None:
        row = await run.server()
        return None if row.status == "VERIFY_RESIZE" else CONFIRM

    tested = f"is ready after {run.facts['took']:g} s" if run.facts["tested"] else "is off, and could not be tested"
    answer = await run.ask(f"{run.name} {tested}. Keep it so?{await _clock(run)}", CONFIRM, REVERT, unless=over)
    if answer == REVERT:
        raise ActionRefused("It is taken back as asked.")
    return {"answer": answer}


async def _clock(run: Run) -> str:
    """When the cloud keeps it by itself, in words, where it does."""
    row = await run.server()
    window = run.ground.settings.cloud(run.place.cloud).confirms_after or KEPT_AFTER.get(row.dialect, 0.0)
    if not window:
        return ""
    at = dt.datetime.fromisoformat(run.facts["since"]) + dt.timedelta(seconds=window)
    return f" The cloud keeps it by itself at {at:%H:%M} UTC."


async def _answer(run: Run, call: str, row: Server) -> str | None:
    """Send our answer to the resize: its request id, or None where the cloud refuses it since there is another's."""
    try:
        return (await run.perform(call, row)).request_id
    except CloudError as error:
        if error.status not in REFUSED or not await _answered(run):
            raise
        return None


async def _answered(run: Run) -> bool:
    """Whether somebody else has answered the resize; the cloud is given the time to carry that out."""
    while (await run.server()).status == "VERIFY_RESIZE":
        if not await _answering(run):
            return False
        run.tell("waiting for the end of somebody else's answer")
        await run.ground.clock.sleep(1.0)
    return True


async def _answering(run: Run) -> bool:
    """Whether the cloud's record tells of an answer to this resize that has not failed."""
    records = await recorded(run) or ()
    moves = [str(one.get("start_time")) for one in records if one.get("action") in ("resize", "migrate")]
    since = max(moves, default="")
    later = [one for one in records if str(one.get("start_time")) >= since and one.get("message") != "Error"]
    return any(one.get("action") in ("confirmResize", "revertResize") for one in later)


async def _confirm(run: Run) -> Facts:
    row = await _settled(run)
    if row.status == "VERIFY_RESIZE":
        sent = await _answer(run, "server.confirm", row)
        if sent is not None:
            return {"confirmed": sent}
        row = await _settled(run)
    return _already(run, row)


def _already(run: Run, row: Server) -> Facts:
    """What it means that there is nothing left to confirm."""
    if row.status in RESTING and _moved(run, row):
        return {"confirmed": "", "by": OTHERS}
    raise ActionFailed(f"{run.name} is {row.status}, and not as it was ordered: somebody else has changed it.")


async def _confirm_found(run: Run) -> Facts | None:
    row = await run.server()
    if row.status != "VERIFY_RESIZE":
        return _already(run, row)
    request = await looked(run, lambda: new_order(run, "confirmResize"))
    return {"confirmed": request} if request else None


async def _kept(run: Run) -> Facts:
    if run.facts["confirmed"]:
        await run.follow("server.confirm", {"request_id": run.facts["confirmed"]})
    row = await _settled(run)
    by = run.facts.get("by") or await _by(run)
    return {"end": f"confirmed{by and f', by {by}'}: {await _name(run, row)}"}


async def _by(run: Run) -> str:
    """Who else confirmed it, where the cloud keeps a record and ours is not in it."""
    records = await recorded(run) if run.facts["confirmed"] else None
    ours = records is None or run.facts["confirmed"] in [one.get("request_id") for one in records]
    return "" if ours else OTHERS


async def _name(run: Run, row: Server) -> str:
    """What it is now, in words."""
    if run.given.get("flavor") is None:
        return "it is on another host" if _moved(run, row) else "it is on its old host"
    if row.flavor is None:
        return f"it is {row.status}"
    if row.flavor.name or row.flavor.id is None:
        return f"it has {row.flavor.name}"
    try:
        return f"it has {(await run.dialect.flavor(row.flavor.id)).name}"
    except CloudError:  # a flavor may be deleted while servers have it
        return f"it has flavor {row.flavor.id}"


def _may_be_taken_back(run: Run) -> bool:
    return "ordered" in run.facts and "confirmed" not in run.facts


async def _revert(run: Run) -> Facts:
    try:
        row = await _settled(run)
    except NotFound:
        return {"end": "it is gone"}
    if row.status == "VERIFY_RESIZE":
        sent = await _answer(run, "server.revert", row)
        if sent is not None:
            return {"reverted": sent}
        row = await _settled(run)
    return await _nothing_to_revert(run, row)


async def _nothing_to_revert(run: Run, row: Server) -> Facts:
    if row.status not in RESTING:
        raise ActionFailed(f"{run.name} is {row.status}: it cannot be taken back by itself.")
    if _moved(run, row):
        return {"end": f"it was confirmed already, by {OTHERS}: {await _name(run, row)}"}
    return {"end": f"it is as it was: {await _name(run, row)}"}


async def _revert_found(run: Run) -> Facts | None:
    row = await run.server()
    if row.status == "VERIFY_RESIZE" and not row.task_state:
        request = await looked(run, lambda: new_order(run, "revertResize"))
        return {"reverted": request} if request else None
    request = await new_order(run, "revertResize")
    return {"reverted": request or ""} if request or row.status == "REVERT_RESIZE" else None


async def _back(run: Run) -> Facts:
    await run.follow("server.revert", {"request_id": run.facts["reverted"]})
    row = await _settled(run)
    if _moved(run, row):
        raise ActionFailed(f"{run.name} was taken back, and is not what it was: {await _name(run, row)}.")
    if row.status == "SHUTOFF":
        return {"end": f"reverted, and off as it was: {await _name(run, row)}"}
    found = await climb(run, run.target, WAY, most=OLD_ONE)
    state = f"ready in {found['took']:g} s" if found["ready"] else f"NOT ready: {found['why']}"
    return {"end": f"reverted: {await _name(run, row)}; the old one is {state}"}


def _steps(call: str, word: str) -> tuple[Step, ...]:
    return (
        MARKED,
        Step("plan", _plan),
        _send(call, word),
        _arrive(call),
        Step("check", _check),
        Step("hold", _hold, when=lambda run: bool(run.given.get("hold")) or not run.facts["tested"]),
        Step("confirm", _confirm, _confirm_found, orders),
        Step("kept", _kept),
        Step("revert", _revert, _revert_found, orders, when=_may_be_taken_back, cleanup=True),
        Step("back", _back, when=lambda run: "reverted" in run.facts, cleanup=True),
        UNMARKED,
    )


RESIZE = runbook(
    "server.resize_guarded",
    version=1,
    title="guarded resize",
    help="Resize, test the guest, then confirm, or revert by itself.",
    command="server resize --guard",
    like="server.resize",
    needs="server.resize",
    confirm="Resize {name}, test it, and take it back if the test fails?",
    asks=(FLAVOR, HOLD, *LADDER),
    look=_look,
    steps=_steps("server.resize", "resize"),
)
MIGRATE = runbook(
    "server.migrate_guarded",
    version=1,
    title="guarded migration",
    help="Move to another host, test the guest, then confirm, or revert by itself.",
    command="server migrate --guard",
    like="server.migrate",
    needs="server.migrate",
    confirm="Move {name} to another host, test it, and take it back if the test fails?",
    asks=(HOST, HOLD, *LADDER),
    look=free,
    steps=_steps("server.migrate", "migrate"),
)
