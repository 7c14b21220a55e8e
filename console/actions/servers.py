"""What can be done to a server most often: delete, restart, resize and image it.

Each declaration says what Nova does with the order, so that a wait cannot take the state before it for its end.
"""

from console.actions import limits
from console.actions.contents import image_warns
from console.actions.declared import Ask, Ends, Order, action
from console.actions.dialects import deletion_warns
from console.clouds.dialect import Accepted
from console.errors import ActionRefused, CloudError
from console.model import fitting
from console.model.flavor import Flavor
from console.model.place import Row

FLAVOR = Ask("flavor", "flavor", "flavor", "the flavor, by name or id", required=True)
REBOOTED = "Nova sets a task state before it answers, and clears it when the guest is up: ACTIVE counts after motion."


@action(
    "server.delete",
    title="delete",
    command="server delete",
    key="D",
    needs="server.delete",
    confirm="Delete {name} and its disk for good?",
    type_name=True,
    reversible=False,
    warns=deletion_warns,
    ends=Ends(why="The old status with task state deleting, then the cloud knows it no more.", gone=True),
)
async def delete(order: Order) -> Accepted:
    """Delete the server and its disk for good."""
    return await order.dialect.delete_server(order.row.id)


@action(
    "server.reboot",
    title="reboot",
    command="server reboot",
    key="r",
    needs="server.reboot",
    confirm="Reboot {name}?",
    ends=Ends(("ACTIVE",), REBOOTED),
)
async def reboot(order: Order) -> Accepted:
    """Restart the guest by its own shutdown."""
    return await order.dialect.reboot(order.row.id)


@action(
    "server.hard_reboot",
    title="hard reboot",
    command="server reboot --hard",
    key="R",
    needs="server.reboot",
    confirm="Pull the plug of {name} and start it again?",
    ends=Ends(("ACTIVE",), REBOOTED + " From SHUTOFF or ERROR the status stays until it runs."),
)
async def hard_reboot(order: Order) -> Accepted:
    """Restart the server by its power; what was not written to disk is lost."""
    return await order.dialect.reboot(order.row.id, hard=True)


async def fits(order: Order) -> str:
    """Refuse a flavor that the server cannot have, or that the quota has no room for; gives what will change."""
    wanted: Flavor = order.given["flavor"]
    known = [row for row in order.ground.store.rows(Flavor).values() if order.place in order.ground.store.ways(row.key)]
    now = fitting.held(order.row, known) or await _held(order)
    if reason := fitting.against(order.row, now, wanted):
        way = "Image it and build a new one." if "shrink" in reason else ""
        raise ActionRefused(f"{order.action.title} {order.name}: {reason}.", hint=way)
    left = limits.check(await limits.limits(order), **fitting.needed(now, wanted))
    changes = [f"{what} {before} > {after}" for what, before, after in fitting.changes(now, wanted)]
    return "; ".join([*changes, *([left] if left else [])])


async def _held(order: Order) -> Flavor | None:
    """The flavor of a server whose record tells its id alone, where nobody has listed flavors yet."""
    if order.row.flavor_id is None:
        return None
    try:
        return await order.dialect.flavor(order.row.flavor_id)
    except CloudError:
        return None  # a flavor that was deleted: the cloud itself decides


@action(
    "server.resize",
    title="resize",
    command="server resize",
    key="f",
    needs="server.resize",
    confirm="Resize {name}? It is shut down and moved; then confirm or revert.",
    asks=(FLAVOR,),
    look=fits,
    ends=Ends(
        ("VERIFY_RESIZE",),
        "RESIZE, then VERIFY_RESIZE. Confirmed behind our back it is ACTIVE with the new flavor; fallen back it is"
        " ACTIVE with the old one, no fault, and only the instance action says Error.",
        flavor=True,
        deadline=3600,
    ),
)
async def resize(order: Order) -> Accepted:
    """Move the server to another flavor; it then asks to be confirmed or reverted."""
    return await order.dialect.resize(order.row.id, order.given["flavor"].id)


@action(
    "server.confirm",
    title="confirm resize",
    command="server resize confirm",
    key="C",
    needs="server.confirm",
    confirm="Keep the new flavor of {name}? The old disk is given up.",
    reversible=False,
    ends=Ends(
        ("ACTIVE", "SHUTOFF"),
        "VERIFY_RESIZE without a task state until it is done, so leaving that status is the proof; ACTIVE, or SHUTOFF"
        " when the guest is off. A failure is told by the instance action alone, or by ERROR.",
        record=True,
    ),
)
async def confirm(order: Order) -> Accepted:
    """Keep the new flavor and give the old disk up."""
    try:
        return await order.dialect.confirm_resize(order.row.id)
    except CloudError as error:
        if error.status in (400, 409) and await _confirmed(order):
            return Accepted(request_id=error.request_id)
        raise


async def _confirmed(order: Order) -> bool:
    """Whether somebody, or the cloud's own clock, has confirmed this resize already."""
    now = await order.dialect.server(order.row.id)
    kept = now.flavor is None or order.row.flavor is None or now.flavor == order.row.flavor
    return now.status in ("ACTIVE", "SHUTOFF") and now.task_state is None and kept


@action(
    "server.revert",
    title="revert resize",
    command="server resize revert",
    key="V",
    needs="server.revert",
    confirm="Take {name} back to its old flavor? What was written since the resize is lost.",
    reversible=False,
    ends=Ends(
        ("ACTIVE", "SHUTOFF"),
        "REVERT_RESIZE, then ACTIVE; a server that was off is ACTIVE for a moment and then SHUTOFF.",
        deadline=3600,
    ),
)
async def revert(order: Order) -> Accepted:
    """Go back to the old flavor and the old disk."""
    return await order.dialect.revert_resize(order.row.id)


async def _room_for_snapshots(order: Order) -> str:
    """Refuse an image of volumes whose snapshots the quota has no room for."""
    if not order.row.boots_from_volume:
        return ""
    return limits.check(await limits.quotas(order), volume_snapshots=max(1, len(order.row.volumes or ())))


@action(
    "server.snapshot",
    title="image",
    command="server image create",
    key="i",
    needs="server.snapshot",
    asks=(
        Ask("name", "text", "image name", "what the image is called; may hold {name} and {time}", required=True),
        Ask("metadata", "metadata", "metadata", "key=value", many=True),
    ),
    ends=Ends(
        why="The status stays and the task state walks through image_*; the image goes queued, saving, active. Both"
        " are followed: a failure leaves the server as it was and removes the image.",
        image=True,
        deadline=4 * 3600,
    ),
    look=_room_for_snapshots,
    warns=image_warns,
)
async def snapshot(order: Order) -> Accepted:
    """Make an image of the server's disk."""
    name = fill(order.given["name"], order.row, order)
    return await order.dialect.create_image(order.row.id, name, metadata=order.given.get("metadata"))


def fill(template: str, row: Row, order: Order) -> str:
    """A name made for this row: {name} and {time} are filled in, so that one answer fits many rows."""
    moment = order.dialect.now().strftime("%Y%m%d-%H%M%S")
    return template.replace("{name}", row.name).replace("{time}", moment)
