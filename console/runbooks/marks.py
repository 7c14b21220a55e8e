"""Marks in the world, by which a run finds its own work again and others see that it is at work.

A server under a run carries `novadeck_op` in its metadata: whose it is and what it does. What a run makes carries its
id under the same name. And each order that a cloud took stands in its record of the server (instance actions), so
that an order of ours can be told from those that were there before.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from console.actions.action import find_action
from console.errors import ActionRefused, Conflict, Forbidden, NotFound
from console.model.operation import mark_of as mark_of
from console.model.operation import under as under
from console.runbooks.runbook import MARK, Facts, Run, Step

T = TypeVar("T")

LOOKS = (0.0, 0.5, 1.0, 2.0, 3.0)  # seconds before each look for what an order may have done that is still on its way
MOST = 255  # characters that a cloud takes


async def looked(run: Run, look: Callable[[], Awaitable[T | None]]) -> T | None:
    """What a look gives, looked for during some seconds, since a dead keeper's order may still be on its way."""
    for pause in LOOKS:
        await run.ground.clock.sleep(pause)
        if (found := await look()) is not None:
            return found
    return None


# The mark on a server


async def mark(run: Run) -> Facts:
    """Put the mark on the server. Refuses one that is under another run."""
    row = await run.server()
    if mark_of(row) not in ("", run.id):
        way = f"Wait for it, or, if it is no more: novadeck server metadata set {row.name} --remove {MARK}."
        raise ActionRefused(f"{under(row)}.", hint=way)
    if "server.metadata" not in run.dialect.verbs:
        return {}
    if not mark_of(row):
        told = f"{run.id} {run.runbook.title} by {run.who}"[:MOST]
        await run.perform("server.metadata", row, metadata={MARK: told})
    if mark_of(now := await run.server()) != run.id:  # two keepers of two state folders at the same moment
        raise ActionRefused(f"{under(now) or now.name + ' lost its mark'}.", hint="Try again later.")
    return {"marked": True}


async def unmark(run: Run) -> Facts:
    """Take the mark off, where it is ours and the server takes metadata in its state."""
    if not run.subject:
        return {}
    try:
        row = await run.server()
        if mark_of(row) == run.id:
            await run.perform("server.metadata", row, remove=[MARK])
    except NotFound:
        return {}
    except (ActionRefused, Conflict) as error:
        run.tell(f"the mark stays: {error}")
    return {}


MARKED = Step("mark", mark)
UNMARKED = Step("unmark", unmark, cleanup=True)


# Orders in the cloud's record


async def orders(run: Run) -> Facts:
    """Which orders the cloud has recorded of the server: a `before`."""
    return {"orders": [record.get("request_id") for record in await recorded(run) or ()]}


async def new_order(run: Run, word: str) -> str | None:
    """The request id of an order of this kind ("resize") that was not there before; None where there is none."""
    old = set(run.before.get("orders", ()))
    for record in await recorded(run) or ():
        if record.get("action") == word and record.get("request_id") not in old:
            return str(record["request_id"])
    return None


async def recorded(run: Run) -> list[dict[str, Any]] | None:
    """The cloud's record; None where it keeps none, or not for us."""
    try:
        return await run.dialect.instance_actions(run.subject)
    except (Forbidden, NotFound):
        return None


async def told_apart(run: Run) -> bool:
    """Whether the cloud's record can tell an order of ours from one that never came."""
    return await recorded(run) is not None


def order(name: str, call: str, word: str, **step: Any) -> Step:
    """A step that sends the action `call` to the run's server, found again by its `word` in the cloud's record."""

    async def do(run: Run) -> Facts:
        outcome = await run.perform(call)
        return {f"{name}_order": outcome.request_id}

    async def found(run: Run) -> Facts | None:
        request = await looked(run, lambda: new_order(run, word))
        if request is not None:
            return {f"{name}_order": request}
        if await told_apart(run):
            return None
        return await _ask_whether(run, find_action(call).title)

    return Step(name, do, found, orders, **step)


async def _ask_whether(run: Run, title: str) -> Facts | None:
    text = f"Whether the cloud has taken the order to {title} {run.name} cannot be told. Send it?"
    return None if await run.ask(text, "send", "do not send") == "send" else {}
