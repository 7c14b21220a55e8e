"""Another flavor where a resize cannot be: image the server, build anew, check, and show both.

A disk cannot shrink, and some clouds resize nothing. The new server is another one: its addresses differ, and that is
said before anything begins. Nothing old is taken away unasked; the image stays as the way back.
"""

from typing import Any

from console.actions.action import find_action
from console.actions.cloning import likeness
from console.actions.declared import Ask, Order
from console.actions.servers import FLAVOR
from console.errors import ActionFailed, NotFound
from console.model.image import Image
from console.model.server import Server
from console.runbooks.build import made_by
from console.runbooks.ladder import LADDER, climb
from console.runbooks.marks import MARKED, UNMARKED, looked, mark_of
from console.runbooks.passwords import LOST, told
from console.runbooks.resize import free
from console.runbooks.runbook import MARK, Facts, Run, Step, runbook

BOTH, OLD, NEW = "keep both", "delete the old one", "delete the new one"


async def _image(run: Run) -> Facts:
    name = f"{run.name}-before-{run.id}"
    taken = await run.perform("server.snapshot", name=name, metadata={MARK: run.id})
    return {"image": taken.id, "imaging": taken.request_id}


async def _imaged_by(run: Run) -> Image | None:
    async for page in run.dialect.images(filters={"operation": run.id}):
        for image in page:
            if image.operation == run.id:
                return image
    return None


async def _image_found(run: Run) -> Facts | None:
    image = await looked(run, lambda: _imaged_by(run))
    return {"image": image.id, "imaging": ""} if image is not None else None


async def _imaged(run: Run) -> None:
    await run.follow("server.snapshot", {"made": run.facts["image"], "request_id": run.facts["imaging"]})


async def _build(run: Run) -> Facts:
    given = {"name": run.given["name"], "flavor": await run.dialect.flavor(run.given["flavor"])}
    row = await run.server()
    order = Order(run.ground, find_action("server.clone"), run.place, given, row)
    like: dict[str, Any] = await likeness(order, row)
    like["metadata"] = {**like.get("metadata", {}), MARK: f"{run.id} {run.runbook.title} by {run.who}"[:255]}
    image = await run.dialect.image(run.facts["image"])  # what is known of it here may be older than its end
    made = await run.perform("server.create", run.place, image=image, **like)
    return {"new": made.id, "ordered": made.request_id, **told(run, made)}


async def _new(run: Run) -> Server | None:
    return await made_by(run, run.given["name"])


async def _build_found(run: Run) -> Facts | None:
    row = await looked(run, lambda: _new(run))
    return {"new": row.id, "ordered": "", LOST: True} if row is not None else None


async def _check(run: Run) -> Facts:
    """Follow it to ACTIVE and to a ready guest; what is not ready is shown, and decided by a person."""
    try:
        await run.follow("server.create", {"request_id": run.facts["ordered"], "made": run.facts["new"]})
    except ActionFailed as error:
        return {"ready": False, "why": str(error)}
    return await climb(run, run.facts["new"])


async def _choose(run: Run) -> Facts:
    old, new = await run.server(), await run.server(run.facts["new"])
    facts = run.facts
    state = f"ready in {facts['took']:g} s" if facts["ready"] else f"NOT ready ({facts['why']})"
    text = f"Old: {old.name} at {old.address}. New: {new.name} at {new.address}, {state}. What becomes of them?"
    return {"choice": await run.ask(text, BOTH, OLD, NEW)}


def _delete(which: str) -> Step:
    """Delete one of the two, since somebody has said so; an end that was ordered twice is one end."""

    async def do(run: Run) -> Facts:
        try:
            row = await run.server(run.target if which == OLD else run.facts["new"])
        except NotFound:
            return {}
        outcome = await run.perform("server.delete", row)
        await run.follow("server.delete", {"request_id": outcome.request_id}, row.id)
        return {}

    return Step(which, do, when=lambda run: run.facts["choice"] == which)


async def _told(run: Run) -> Facts:
    left = {BOTH: "both are there", OLD: "the old one is deleted", NEW: "the new one is deleted"}
    return {"end": f"{left[run.facts['choice']]}; the image {run.name}-before-{run.id} stays"}


async def _unmark_new(run: Run) -> None:
    try:
        row = await run.server(run.facts["new"])
    except NotFound:
        return
    if mark_of(row) == run.id and row.status in ("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"):
        await run.perform("server.metadata", row, remove=[MARK])


REPLACE = runbook(
    "server.replace",
    version=1,
    title="replace",
    help="Image it, build it anew with another flavor, check it, and ask what becomes of both.",
    command="server replace",
    like="server.clone",
    needs="server.create",
    many=False,
    confirm="Build a new server like {name}? Its addresses will be others.",
    asks=(Ask("name", "text", "new name", "what the new server is called", required=True), FLAVOR, *LADDER),
    look=free,
    steps=(
        MARKED,
        Step("image", _image, _image_found),
        Step("imaged", _imaged),
        Step("build", _build, _build_found),
        Step("check", _check),
        Step("choose", _choose),
        _delete(OLD),
        _delete(NEW),
        Step("told", _told),
        Step("unmark new", _unmark_new, when=lambda run: "new" in run.facts, cleanup=True),
        UNMARKED,
    ),
)
