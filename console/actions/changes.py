"""Orders that change what a server is: its disk, name, marks, password, record, and its end."""

from console.actions import limits
from console.actions.approach import expect_new_key, keys_on_console
from console.actions.building import check_tags, check_texts
from console.actions.contents import image_warns
from console.actions.declared import Ask, Ends, Order, action
from console.actions.servers import fill
from console.clouds.dialect import Accepted
from console.errors import ActionRefused


@action(
    "server.rebuild",
    title="rebuild",
    command="server rebuild",
    key="B",
    needs="server.rebuild",
    confirm="Build {name} anew? Everything on its disk is lost.",
    type_name=True,
    reversible=False,
    asks=(
        Ask("image", "image", "image", "the image to boot, by name or id", required=True),
        Ask("password", "secret", "password", "the administrator's new password"),
    ),
    ends=Ends(
        ("ACTIVE", "SHUTOFF"),
        "REBUILD, then ACTIVE, which counts after motion; a server that was off is then SHUTOFF again.",
        deadline=1800,
    ),
)
async def rebuild(order: Order) -> Accepted:
    """Make the server's disk anew from an image; its id and addresses stay."""
    given = {"image_id": order.given["image"].id, "admin_pass": order.given.get("password")}
    of = (order.ground, order.place, order.row.id)
    shown = await keys_on_console(*of)
    accepted = await order.dialect.act("server.rebuild", order.row.id, **given)
    await expect_new_key(*of, shown)
    return accepted


@action(
    "server.password",
    title="change password",
    command="server set password",
    needs="server.change_password",
    many=False,
    asks=(Ask("password", "secret", "password", "the administrator's new password", required=True),),
    ends=Ends(("ACTIVE",), "PASSWORD, then ACTIVE, which counts after motion; only the record tells of a failure."),
)
async def password(order: Order) -> Accepted:
    """Change the administrator's password inside the guest."""
    return await order.dialect.act("server.change_password", order.row.id, admin_pass=order.given["password"])


@action(
    "server.backup",
    title="backup",
    command="server backup create",
    needs="server.backup",
    asks=(
        Ask("name", "text", "image name", "what the image is called; may hold {name} and {time}", required=True),
        Ask("backup_type", "text", "type", "a word such as daily or weekly", default="daily"),
        Ask("rotation", "number", "keep", "how many of this type are kept", default=7, least=1),
        Ask("metadata", "metadata", "metadata", "key=value", many=True),
    ),
    ends=Ends(why="As an image; then the oldest beyond the number kept are deleted.", image=True, deadline=4 * 3600),
    warns=image_warns,
)
async def backup(order: Order) -> Accepted:
    """Make an image and delete the oldest of its type beyond a number."""
    given = {**order.given, "name": fill(order.given["name"], order.row, order)}
    return await order.dialect.act("server.backup", order.row.id, **given)


_TAKEN_AWAY = "an empty one takes it away: Nova then keeps what stands for none"


async def _look_at_changes(order: Order) -> str:
    """Refuse addresses and names that no cloud takes."""
    if not order.given:
        raise ActionRefused("Nothing was given to change.", hint="Give a name, or one of the others.")
    check_texts(order)
    for name, what in (("access_ipv4", "access IPv4"), ("access_ipv6", "access IPv6")):
        if order.given.get(name) == "" and getattr(order.row, name) not in order.row.access:
            raise ActionRefused(f"{order.name} has no {what} to be taken away.")
    return ""


@action(
    "server.set",
    title="edit",
    command="server set",
    key="e",
    needs="server.update",
    many=False,
    asks=(
        Ask("name", "text", "name", "a new name"),
        Ask("description", "text", "description", "a new description; an empty one takes it away", clears=True),
        Ask("hostname", "text", "host name", "a new host name"),
        Ask("access_ipv4", "text", "access IPv4", f"the address to reach it at; {_TAKEN_AWAY} (0.0.0.0)", clears=True),
        Ask("access_ipv6", "text", "access IPv6", f"the same of version 6; {_TAKEN_AWAY} (::)", clears=True),
    ),
    look=_look_at_changes,
)
async def change(order: Order) -> Accepted:
    """Change the server's name, description, host name or access addresses."""
    return await order.dialect.update_server(order.row.id, **order.given)


async def _look_at_metadata(order: Order) -> str:
    """Refuse an order without pairs, and one that makes more pairs than the cloud keeps."""
    pairs, remove = order.given.get("metadata", {}), order.given.get("remove", ())
    if not pairs and not remove:
        raise ActionRefused("Nothing was given to set or remove.", hint="Give key=value pairs.")
    most = limits.most(await limits.limits(order))("metadata") if pairs else None
    after = {*(order.row.metadata or {}), *pairs} - set(remove)
    if most is not None and len(after) > most:
        raise ActionRefused(f"{order.name} would have {len(after)} metadata pairs, and {most} are the most.")
    return ""


@action(
    "server.metadata",
    title="metadata",
    command="server metadata set",
    needs="server.metadata",
    asks=(
        Ask("metadata", "metadata", "metadata", "key=value", many=True),
        Ask("remove", "text", "remove", "a key to take away", many=True),
    ),
    look=_look_at_metadata,
)
async def metadata(order: Order) -> Accepted:
    """Set metadata of the server, or take keys away."""
    done = Accepted()
    if pairs := order.given.get("metadata"):
        done = await order.dialect.set_metadata(order.row.id, pairs)
    for key in order.given.get("remove", ()):
        done = await order.dialect.delete_metadata(order.row.id, key)
    return done


async def _look_at_tags(order: Order) -> str:
    """Refuse tags that no cloud takes."""
    check_tags(order.given.get("tag", ()))
    return ""


@action(
    "server.tags",
    title="tags",
    command="server tags set",
    needs="server.tags",
    asks=(Ask("tag", "text", "tag", "a tag; those not given are taken away", many=True, most=60),),
    look=_look_at_tags,
)
async def tags(order: Order) -> Accepted:
    """Make the server's tags what is given."""
    return await order.dialect.set_tags(order.row.id, order.given.get("tag", ()))


@action(
    "server.reset_state",
    title="reset state",
    command="server reset state",
    needs="server.reset_state",
    confirm="Overwrite the record of {name}? The guest itself is not touched.",
    asks=(Ask("state", "choice", "state", "what the record shall say", default="ACTIVE", choices=("ACTIVE", "ERROR")),),
)
async def reset_state(order: Order) -> Accepted:
    """Overwrite what the cloud believes of the server; mends the record, not the guest."""
    return await order.dialect.act("server.reset_state", order.row.id, **order.given)


@action(
    "server.force_delete",
    title="force delete",
    command="server delete --force",
    needs="server.force_delete",
    confirm="Delete {name} at once and for good, whatever is under way?",
    type_name=True,
    reversible=False,
    ends=Ends(why="As a deletion, without the days in which it could be restored.", gone=True),
)
async def force_delete(order: Order) -> Accepted:
    """Delete the server at once, past the days of grace."""
    return await order.dialect.act("server.force_delete", order.row.id)


@action(
    "server.restore",
    title="restore",
    command="server restore",
    needs="server.restore",
    ends=Ends(("ACTIVE", "SHUTOFF"), "SOFT_DELETED, then what it was: leaving that status is the proof."),
)
async def restore(order: Order) -> Accepted:
    """Take back a deletion that is not final yet."""
    return await order.dialect.act("server.restore", order.row.id)


@action(
    "server.remote_console",
    title="remote console",
    command="console url show",
    needs="server.remote_console",
    reads=True,
    many=False,
    asks=(
        Ask(
            "type", "choice", "type", "the console's kind", default="novnc", choices=("novnc", "spice-html5", "serial")
        ),
    ),
)
async def remote_console(order: Order) -> str:
    """Give a link to the server's console for a browser; whoever has it is in."""
    return await order.dialect.remote_console(order.row.id, order.given["type"])
