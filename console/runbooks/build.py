"""Build and check: a new server is done when its guest is, and what happens otherwise was said beforehand.

create -> ACTIVE -> the ladder and the user's checks -> ready; or it is kept as it is, deleted, or built anew once.
A new server carries the run's id under `novadeck_op` from its first moment, so that it is never made twice. What the
guest took is remembered, and tells whether baking more into the image pays.
"""

import statistics
from dataclasses import replace
from typing import Any

from console.actions import building
from console.actions.asks import read_file
from console.actions.declared import Ask, Order
from console.actions.held import Promise
from console.actions.injected import files
from console.errors import ActionFailed, ActionRefused, CloudError, NotFound
from console.model.place import own_name
from console.model.server import Server, deleted
from console.runbooks.ladder import LADDER, climb
from console.runbooks.marks import UNMARKED, looked, mark_of, new_order, orders
from console.runbooks.passwords import LOST, told
from console.runbooks.runbook import MARK, Facts, Run, Step, runbook

KEEP, DELETE, REBUILD = "keep", "delete", "rebuild"
ON_FAILURE = Ask(
    "on_failure", "choice", "on failure", "what becomes of a server that is not ready", default=KEEP,
    choices=(KEEP, DELETE, REBUILD),
)  # fmt: skip
FILES = Ask("file", "text", "file", "PATH=FILE: a text to be found in the guest at PATH", many=True, most=4096)
USER_DATA = Ask("user_data", "text", "user data", "a file for cloud-init", most=4096)  # the journal keeps paths
CHECKS: tuple[Ask, ...] = tuple(ask for ask in LADDER if ask.name != "port")  # which is a network's port here
_NOT_KEPT = ("password", "file", "user_data")  # secrets and contents do not belong into a journal
CREATE: tuple[Ask, ...] = tuple(ask for ask in building.ASKS if ask.name not in _NOT_KEPT)


async def made_by(run: Run, name: str) -> Server | None:
    """The server of that name that this run has made."""
    plain = name.replace("-", "").isalnum()
    async for page in run.dialect.servers(filters={"name": f"^{name}"} if plain else {}):
        for row in page:
            if mark_of(row) == run.id and row.id != run.target and not deleted(row):
                return row
    return None


async def _create(run: Run) -> Facts:
    given = {ask.name: run.given[ask.name] for ask in CREATE if ask.name in run.given and ask.name != "count"}
    given |= {name: run.given[name] for name in ("user_data", "file") if name in run.given}
    given["metadata"] = {**given.get("metadata", {}), MARK: f"{run.id} {run.runbook.title} by {run.who}"[:255]}
    outcome = await run.perform("server.create", run.place, **given)
    return {"made": outcome.id, "ordered": outcome.request_id, **told(run, outcome)}


async def _created(run: Run) -> Facts | None:
    row = await looked(run, lambda: made_by(run, run.name))
    return {"made": row.id, "ordered": "", LOST: True} if row is not None else None


async def _built(run: Run) -> Facts:
    """Follow it to ACTIVE; a build that fails is no error yet, since what becomes of it was said beforehand."""
    try:
        await run.follow("server.create", {"request_id": run.facts["ordered"], "made": run.facts["made"]})
    except ActionFailed as error:
        return {"up": False, "ready": False, "why": str(error)}
    return {"up": True}


async def _check(run: Run) -> Facts:
    id = run.facts["made"]
    _remember(run, id)
    found = await climb(run, id, CHECKS, new_key="rebuilt" in run.facts)
    if not found["ready"]:
        return found
    row = await run.server(id)
    of = _kind(row.image_id, row)
    await run.ground.timeline.keep_time(row.key, row.name, str(row.place), of, found["took"])
    return {**found, "verdict": await verdict(run, row)}


def _remember(run: Run, id: str) -> None:
    """Whoever takes over from the one that ordered the files reads them anew, to look for them in the guest."""
    name = own_name(run.place, id)
    if "file" not in run.given or name in run.ground.promised:
        return
    try:
        run.ground.promised[name] = Promise(files(run.given["file"]), anew="rebuilt" in run.facts)
    except ActionRefused as refused:
        run.tell(f"the files are not looked for: {refused}")


async def _look(order: Order) -> str:
    """As for a new server, with what the files hold that are only named here."""
    given = dict(order.given)
    if "file" in given:
        given["file"] = files(given["file"])
    if "user_data" in given:
        given["user_data"] = read_file(USER_DATA, given["user_data"])
    return await building.look(replace(order, given=given))


def _wants(choice: str) -> Any:
    return lambda run: run.given.get("on_failure") == choice and run.facts.get("ready") is False


async def _rebuild(run: Run) -> Facts:
    row = await run.server(run.facts["made"])
    outcome = await run.perform("server.rebuild", row, image=run.given["image"])
    return {"rebuilt": outcome.request_id, **told(run, outcome)}


async def _rebuild_found(run: Run) -> Facts | None:
    request = await looked(run, lambda: new_order(run, "rebuild"))
    return {"rebuilt": request, LOST: True} if request else None


async def _rebuilt(run: Run) -> Facts:
    try:
        await run.follow("server.rebuild", {"request_id": run.facts["rebuilt"]}, run.facts["made"])
    except ActionFailed as error:
        return {"up": False, "ready": False, "why": str(error)}
    return {"up": True}


async def _judge(run: Run) -> Facts:
    """What came of it, in a sentence; a server that is not ready is a failure."""
    facts = run.facts
    if not facts["ready"]:
        raise ActionFailed(f"{run.name} is not ready: {facts['why'].rstrip('.')}.")
    return {"end": f"ready in {facts['took']:g} s" + (f"; {facts['verdict']}" if facts.get("verdict") else "")}


async def _delete(run: Run) -> Facts:
    """Delete what this run has made, and nothing else; an end that was ordered twice is one end."""
    try:
        row = await run.server(run.facts["made"])
    except NotFound:
        return {"end": "it was deleted", LOST: False}
    if mark_of(row) != run.id:
        return {"end": "it was not deleted: it does not carry our mark any more"}
    outcome = await run.perform("server.delete", row)
    await run.follow("server.delete", {"request_id": outcome.request_id}, row.id)
    return {"end": "it was deleted", LOST: False}


def _given_up(run: Run) -> bool:
    return run.given.get("on_failure") == DELETE and bool(run.failure) and "made" in run.facts


# Baked or bootstrapped


async def verdict(run: Run, row: Server) -> str:
    """What our own times say about the image: how much sooner its servers are ready than those of its base."""
    try:
        image = await run.dialect.image(row.image_id or "")
    except CloudError:
        return ""
    if not image.base_image_id:
        return ""
    baked = await run.ground.timeline.times(_kind(image.id, row), row.key.region)
    base = await run.ground.timeline.times(_kind(image.base_image_id, row), row.key.region)
    if not base:
        return "no server of its base image was measured yet, so what baking saves is not known"
    return compare(statistics.median(baked), statistics.median(base), len(baked), len(base))


def compare(baked: float, base: float, many: int, many_base: int) -> str:
    """The verdict in words."""
    measured = f"{baked:.0f} s baked ({many} measured) against {base:.0f} s bootstrapped ({many_base})"
    saved = base - baked
    if saved <= max(1.0, 0.1 * base):
        return f"baking does not pay: {measured}"
    return f"baking saves {saved:.0f} s: {measured}"


def _kind(image: str | None, row: Server) -> str:
    flavor = (row.flavor.name or row.flavor.id) if row.flavor else ""
    return f"{image or 'volume'} {flavor}"


BUILD = runbook(
    "server.create_checked",
    version=1,
    title="build and check",
    help="Order a new server and test its guest until it is ready.",
    command="server create --guard",
    needs="server.create",
    creates=True,
    many=False,
    asks=(*CREATE, FILES, USER_DATA, ON_FAILURE, *CHECKS),
    look=_look,
    steps=(
        Step("create", _create, _created),
        Step("build", _built),
        Step("check", _check, when=lambda run: run.facts["up"]),
        Step("rebuild", _rebuild, _rebuild_found, orders, when=_wants(REBUILD)),
        Step("built anew", _rebuilt, when=lambda run: "rebuilt" in run.facts),
        Step("check again", _check, when=lambda run: "rebuilt" in run.facts and run.facts["up"]),
        Step("judge", _judge),
        Step("delete", _delete, when=_given_up, cleanup=True),
        UNMARKED,
    ),
)
