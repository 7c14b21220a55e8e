"""Orders that change how a server runs, and keep what it is: on and off, frozen, shelved, in rescue, locked, moved.

Nova sets a task state before it answers each of these, and the status it ends in is another than the one before.
"""

from typing import Any

from console.actions.declared import Ask, Ends, Order, action
from console.clouds.dialect import Accepted

ANOTHER = "The end is another status than the one before, so to see it is the proof."


async def _act(order: Order, **more: Any) -> Accepted:
    """Send the action's own verb with what was given."""
    return await order.dialect.act(order.action.needs, order.row.id, **order.given, **more)


def _ends(*good: str, why: str = ANOTHER, deadline: float = 600.0) -> Ends:
    return Ends(good, why, deadline=deadline)


@action("server.start", title="start", command="server start", needs="server.start", ends=_ends("ACTIVE"))
async def start(order: Order) -> Accepted:
    """Switch the server on."""
    return await _act(order)


@action(
    "server.stop",
    title="stop",
    command="server stop",
    needs="server.stop",
    confirm="Stop {name}?",
    ends=_ends("SHUTOFF"),
)
async def stop(order: Order) -> Accepted:
    """Shut the guest down and switch the server off."""
    return await _act(order)


@action("server.pause", title="pause", command="server pause", needs="server.pause", ends=_ends("PAUSED"))
async def pause(order: Order) -> Accepted:
    """Freeze the server in its host's memory."""
    return await _act(order)


@action("server.unpause", title="unpause", command="server unpause", needs="server.unpause", ends=_ends("ACTIVE"))
async def unpause(order: Order) -> Accepted:
    """Let a paused server go on."""
    return await _act(order)


@action("server.suspend", title="suspend", command="server suspend", needs="server.suspend", ends=_ends("SUSPENDED"))
async def suspend(order: Order) -> Accepted:
    """Write the server's memory to disk and stop it."""
    return await _act(order)


@action("server.resume", title="resume", command="server resume", needs="server.resume", ends=_ends("ACTIVE"))
async def resume(order: Order) -> Accepted:
    """Let a suspended server go on."""
    return await _act(order)


@action(
    "server.shelve",
    title="shelve",
    command="server shelve",
    needs="server.shelve",
    confirm="Shelve {name}? It is stopped and stored as an image.",
    ends=_ends(
        "SHELVED_OFFLOADED",
        "SHELVED",
        why="SHELVED first, and at once or later SHELVED_OFFLOADED: SHELVED counts when it lasts.",
        deadline=3600,
    ),
)
async def shelve(order: Order) -> Accepted:
    """Stop the server, store it as an image and free its host."""
    return await _act(order)


@action(
    "server.unshelve",
    title="unshelve",
    command="server unshelve",
    needs="server.unshelve",
    asks=(Ask("zone", "text", "zone", "the availability zone to come back in"),),
    ends=_ends("ACTIVE", "SHUTOFF", deadline=3600),
)
async def unshelve(order: Order) -> Accepted:
    """Bring a shelved server back to a host."""
    return await _act(order)


@action(
    "server.shelve_offload",
    title="offload",
    command="server shelve offload",
    needs="server.shelve_offload",
    ends=_ends("SHELVED_OFFLOADED"),
)
async def shelve_offload(order: Order) -> Accepted:
    """Take a shelved server off its host."""
    return await _act(order)


@action(
    "server.rescue",
    title="rescue",
    command="server rescue",
    needs="server.rescue",
    confirm="Restart {name} from a rescue image?",
    many=False,
    asks=(
        Ask("image", "image", "image", "the image to boot, by name or id; the server's own otherwise"),
        Ask("password", "secret", "password", "root's password in the rescue system"),
    ),
    ends=_ends("RESCUE"),
)
async def rescue(order: Order) -> Accepted:
    """Boot a rescue system, with the server's disk beside it."""
    image = order.given.get("image")
    given = {"image_id": image.id if image else None, "admin_pass": order.given.get("password")}
    return await order.dialect.act("server.rescue", order.row.id, **given)


@action(
    "server.unrescue",
    title="unrescue",
    command="server unrescue",
    needs="server.unrescue",
    ends=_ends("ACTIVE", "SHUTOFF"),
)
async def unrescue(order: Order) -> Accepted:
    """Boot from the server's own disk again."""
    return await _act(order)


@action(
    "server.lock",
    title="lock",
    command="server lock",
    needs="server.lock",
    asks=(Ask("reason", "text", "reason", "why, for others to read"),),
)
async def lock(order: Order) -> Accepted:
    """Let nobody but administrators change the server."""
    return await _act(order)


@action("server.unlock", title="unlock", command="server unlock", needs="server.unlock")
async def unlock(order: Order) -> Accepted:
    """Let the server be changed again."""
    return await _act(order)


@action(
    "server.migrate",
    title="migrate",
    command="server migrate",
    needs="server.migrate",
    confirm="Move {name} to another host? It is shut down; then confirm or revert.",
    asks=(Ask("host", "text", "host", "the host to move to; the scheduler chooses otherwise"),),
    ends=_ends("VERIFY_RESIZE", deadline=3600),
)
async def migrate(order: Order) -> Accepted:
    """Move the server to another host while it is off."""
    return await _act(order)


@action(
    "server.live_migrate",
    title="live migrate",
    command="server migrate live",
    needs="server.live_migrate",
    confirm="Move {name} to another host while it runs?",
    asks=(Ask("host", "text", "host", "the host to move to; the scheduler chooses otherwise"),),
    ends=_ends("ACTIVE", "PAUSED", why="MIGRATING, then the status before: it counts after motion.", deadline=4 * 3600),
)
async def live_migrate(order: Order) -> Accepted:
    """Move the server to another host while it runs."""
    return await _act(order)
