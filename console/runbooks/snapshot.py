"""An image of a guest that stood still: as briefly as can be, and told truly how still it was.

Hold the guest, order the image, let go the moment the cloud has its copy of the disk, which the server's task state
tells, and not only when the image is uploaded, which may take hours. Whatever becomes of us meanwhile, the timer in the
guest lets go. How long it was held, and what the image is worth for that, is written on the image itself; where we
cannot prove that all was held until the copy was made, it says crash-consistent.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from console.actions.approach import approach
from console.actions.check import WAY
from console.actions.declared import Ask
from console.errors import ActionRefused, CloudError, NotFound, ProbeFailed
from console.model.image import Image
from console.model.server import Server
from console.runbooks.marks import MARKED, UNMARKED, looked
from console.runbooks.runbook import MARK, Facts, Run, Step, runbook

if TYPE_CHECKING:  # asyncssh takes a tenth of a second to import: only when a guest is entered
    from console.guests.freeze import Quiet, Thawed, Wanted

HELD = ("image_snapshot_pending", "image_snapshot", "image_backup")  # task states at which the disk is still read
LOOK = 0.25  # seconds between two looks at the task state while a guest stands still
LOGIN_SECONDS = 30.0
CRASH = "crash-consistent"

HOW = (
    Ask("freeze", "text", "mount", "a data disk to freeze, such as /data", many=True, most=4096, offered=True),
    Ask("database", "choice", "database", "a database to hold", many=True, choices=("mysql", "postgresql")),
    Ask("hook", "text", "script", "a script in the guest, called with freeze and with thaw", most=4096, offered=True),
    Ask("hold", "number", "most", "seconds after which the guest lets go by itself", default=30, least=1),
    Ask("anyway", "flag", "anyway", "image it also where the guest cannot be held still"),
    *(ask for ask in WAY if ask.kind != "secret"),  # the journal keeps no secrets
)


def wanted(run: Run, mark: str) -> "Wanted":
    """What shall stand still; raises `ProbeFailed` where that can never be."""
    from console.guests.freeze import Wanted

    given = run.given
    mounts, databases = tuple(given.get("freeze") or ()), tuple(given.get("database") or ())
    return Wanted(mounts, databases, given.get("hook") or "", int(given.get("hold") or 30), mark)


@asynccontextmanager
async def login(run: Run) -> AsyncIterator[Any]:
    """A connection into the run's guest, for as long as the block lasts; raises `ProbeFailed` where none is let in."""
    from console.guests.probe import probe

    found = await approach(run.ground, run.place, run.target, run.given)
    if found.windows:
        raise ProbeFailed(f"{run.name} runs Windows: it cannot be held still over SSH.", rung="freeze")
    there: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def within(connection: Any) -> None:
        there.set_result(connection)
        await leave.wait()

    climbing = asyncio.create_task(
        probe(
            found.route,
            found.evidence,
            last="login",
            deadline=LOGIN_SECONDS,
            why_silent=found.why_silent,
            within=within,
        ),
        name=f"{run.id} login",
    )
    try:
        await asyncio.wait({climbing, there}, return_when=asyncio.FIRST_COMPLETED)
        if not there.done():
            failed = climbing.result().failed
            raise ProbeFailed(f"{run.name}: {failed.text if failed else 'nobody lets us in'}", rung="login")
        yield there.result()
    finally:
        leave.set()
        if not there.done():
            climbing.cancel()
        with suppress(asyncio.CancelledError):
            await climbing


# The steps


async def check(run: Run) -> Facts:
    """Whether the server can be imaged now, and how it boots; what can never be held is told before anything is."""
    row = await run.server()
    wanted(run, run.id)
    if row.task_state:
        raise ActionRefused(f"{row.name} is under way ({row.task_state}).", hint="Try again when it is at rest.")
    return {"volume": row.image_id is None}


async def hold(run: Run) -> Facts:
    """Start the guest's own timer, and hold it still; where it cannot be, that ends the run, or only its worth."""
    from console.guests.freeze import Quiet

    try:
        connection = await run.leaving.enter_async_context(login(run))
        quiet = Quiet(connection, wanted(run, f"{run.id}{secrets.token_hex(2)}"))
        await quiet.look()
        run.here["row"] = await run.server()  # read now: from here on every moment counts
        run.tell("holding the guest still")
        await quiet.freeze()
    except ProbeFailed as error:
        if not run.given.get("anyway"):
            raise
        return {"loose": str(error)}
    run.here["quiet"] = quiet
    run.leaving.push_async_callback(_leave, run)
    return {"timer": quiet.timer, "began": quiet.began, "mark": quiet.wanted.mark}


async def let_go_of_before(run: Run) -> None:
    """A keeper that died in the middle of holding may have left the guest still: then it is let go, and held anew."""
    from console.guests.freeze import Quiet

    with suppress(ProbeFailed):  # the guest's timer does it
        async with login(run) as connection:
            quiet = Quiet(connection, wanted(run, run.id))
            await quiet.enter()
            await quiet.thaw()


async def order_image(run: Run) -> Facts:
    """Order the image, with our marks on it from the first moment."""
    row: Server = run.here.pop("row", None) or await run.server()
    given: dict[str, Any] = {"name": run.given["name"]}
    given["metadata"] = {**(run.given.get("metadata") or {}), **marks(run)}
    if rotates(run, row):
        given |= {"backup_type": f"novadeck-{run.given['schedule']}", "rotation": run.given["keep"]}
    outcome = await run.perform("server.backup" if rotates(run, row) else "server.snapshot", row, **given)
    return {"made": outcome.id, "image_order": outcome.request_id}


async def found_image(run: Run) -> Facts | None:
    """The image that carries this run's mark, which the cloud makes before it answers the order."""
    image = await looked(run, lambda: _ours(run))
    return {"made": image.id} if image is not None else None


async def let_go(run: Run) -> Facts:
    """Let the guest go the moment the cloud has its copy, or at once where nothing is copied."""
    if run.facts.get("made") and not run.failure:
        await _copied(run)
    thawed = await _thaw(run)
    grade = wanted(run, "").grade if thawed.held and run.facts.get("made") else CRASH
    ms = thawed.milliseconds
    note = "; ".join(thawed.notes)
    run.tell(f"stood still for {ms} ms, {grade}" if ms is not None else f"{note or 'let go'}, {grade}")
    return {"thawed": thawed.held, "frozen_ms": ms, "grade": grade, "note": note}


async def follow(run: Run) -> Facts:
    """Follow the image to its end."""
    accepted = {"made": run.facts["made"], "request_id": run.facts.get("image_order", "")}
    await run.follow("server.snapshot", accepted)
    return {}


async def note(run: Run) -> Facts:
    """Write on the image how still its guest was."""
    image = await run.dialect.image(run.facts["made"])
    ms = run.facts.get("frozen_ms")
    told = {"novadeck_grade": run.facts.get("grade", CRASH)} | ({} if ms is None else {"novadeck_frozen_ms": str(ms)})
    if "image.set" in run.dialect.verbs:
        await run.perform("image.set", image, property=told)
    text = f"{image.name} is {told['novadeck_grade']}" + (f", its guest stood still for {ms} ms" if ms else "")
    why = run.facts.get("loose") or run.facts.get("note")
    return {"image_name": image.name, "end": f"{text}: {why}" if why else text}


def rotates(run: Run, row: Server) -> bool:
    """Whether the cloud itself makes the image of a plan, and deletes the oldest: it does so of local disks alone."""
    return bool(run.given.get("schedule")) and row.image_id is not None and "server.backup" in run.dialect.verbs


def marks(run: Run) -> dict[str, str]:
    """What tells this run's image from all others, and the images of its plan."""
    plan = run.given.get("schedule")
    return {MARK: run.id} | ({"novadeck_schedule": plan} if plan else {})


async def _ours(run: Run) -> Image | None:
    async for page in run.dialect.images(filters={"operation": run.id}):
        for image in page:
            if image.operation == run.id:
                return image
    return None


async def _copied(run: Run) -> None:
    """Come back when the cloud no longer reads the disk, or when the guest has let go by itself."""
    clock = run.ground.clock
    until = clock.monotonic() + float(run.given.get("hold") or 30)
    while not run.facts.get("volume") and clock.monotonic() < until:
        try:
            row: Server = await run.server()
        except NotFound:
            return
        except CloudError as error:  # the guest stands still meanwhile: ask again sooner than the keeper would
            run.tell(f"asking again: {error}")
        else:
            if row.task_state not in HELD:
                return
            run.tell(f"the cloud copies the disk: {row.task_state}")
        await clock.sleep(LOOK)


async def _thaw(run: Run) -> "Thawed":
    """Let go over the connection that is open, else over a new one, else leave it to the guest's timer."""
    from console.guests.freeze import Quiet, Thawed

    try:
        if "quiet" in run.here:
            return await _thaw_here(run)
    except ProbeFailed as error:
        run.tell(f"entering the guest again: {error}")
    timer, began = int(run.facts.get("timer") or 0), run.facts.get("began")
    try:
        async with login(run) as connection:
            quiet = Quiet(connection, wanted(run, run.facts.get("mark") or run.id), timer, began)
            await quiet.enter()
            return await quiet.thaw()
    except (ProbeFailed, CloudError) as error:
        return Thawed(False, None, (f"the guest's own timer lets go: {error}",))


async def _thaw_here(run: Run) -> "Thawed":
    quiet: Quiet = run.here["quiet"]
    try:
        return await quiet.thaw()
    finally:
        run.here.pop("quiet", None)


async def _leave(run: Run) -> None:
    """This keeper ends in the middle: whoever goes on need not know how to thaw."""
    if "quiet" in run.here:
        with suppress(ProbeFailed):
            await _thaw_here(run)


QUIETLY = (
    Step("check", check),
    Step("hold", hold, found=let_go_of_before),
    Step("image", order_image, found=found_image),
    Step("let go", let_go, when=lambda run: bool(run.facts.get("timer")), cleanup=True),
    Step("follow", follow),
    Step("note", note),
)

SNAPSHOT = runbook(
    "server.quiet_snapshot",
    version=1,
    title="quiet snapshot",
    help="Make an image of a guest that stands still for as long as its disk is copied.",
    command="server image create --quiet",
    like="server.snapshot",
    needs="server.snapshot",
    asks=(
        Ask("name", "text", "image name", "what the image is called; may hold {name} and {time}", required=True),
        Ask("metadata", "metadata", "metadata", "key=value", many=True),
        *HOW,
    ),
    confirm="Hold {name} still, and make an image of it?",
    steps=(MARKED, *QUIETLY, UNMARKED),
)
