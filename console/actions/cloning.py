"""A new server like another one: an image of its disk, and a server made of that image with the same everything else.

Both steps pass the gate as orders of their own, so each has its lines in the audit; the image stays, since the new
server names it as what it was made from.
"""

from dataclasses import replace
from typing import Any

from console.actions import building, limits
from console.actions.action import perform
from console.actions.asks import checked
from console.actions.building import MARK
from console.actions.contents import image_warns
from console.actions.declared import ACTIONS, Ask, Ends, Order, action
from console.clouds.dialect import Accepted
from console.errors import ActionRefused
from console.model import operation
from console.model.fitting import held
from console.model.image import Image
from console.model.server import Server

_OF_THIS_ONE = (MARK, operation.MARK, "lab_ssh_at")  # metadata that tells of this one server alone


async def look(order: Order) -> str:
    """Refuse before the image is made what the new server would be refused after it."""
    server = await order.dialect.server(order.row.id)
    disk = server.flavor.disk if server.flavor is not None and not server.boots_from_volume else None
    image = Image(id="", name=f"the image of {server.name}", place=order.place, word="active", min_disk=disk)
    create = ACTIONS["server.create"]
    given = await checked(create, {**await likeness(order, server), "image": image}, order.ground, order.place)
    told = await building.look(replace(order, action=create, given=given, row=None))
    if server.boots_from_volume:
        needed = dict.fromkeys(("volumes", "volume_snapshots"), max(1, len(server.volumes or ())))
        limits.check(await limits.quotas(order), **needed)
    return told


@action(
    "server.clone",
    title="clone",
    command="server clone",
    needs="server.create",
    many=False,
    confirm="Make an image of {name}, and a new server of it?",
    asks=(
        Ask("name", "text", "new name", "what the new server is called", required=True),
        Ask("image_name", "text", "image name", "what the image is called", default="{name}-clone-{time}"),
        Ask("flavor", "flavor", "flavor", "another flavor than the one that it has"),
        Ask("network", "network", "network", "other networks than those that it is on", many=True),
        Ask("key_name", "keypair", "key pair", "another key pair than the one that it was made with"),
        Ask("metadata", "metadata", "metadata", "key=value, beside those that it has", many=True),
    ),
    ends=Ends(("ACTIVE", "SHUTOFF"), "As a new server; the image is complete before it is ordered.", made=True,
              deadline=4 * 3600),
    look=look,
    warns=image_warns,
)  # fmt: skip
async def clone(order: Order) -> Accepted:
    """Make an image of the server, and a new server of it that has all that it has."""
    server = await order.dialect.server(order.row.id)
    given = await likeness(order, server)
    taken = await perform(
        order.ground, "server.snapshot", server, wait=True, progress=order.progress, name=order.given["image_name"]
    )
    order.tell("seen", f"image {taken.id} is complete")
    image = await order.dialect.image(taken.id)
    made = await perform(order.ground, "server.create", order.place, progress=order.progress, image=image, **given)
    return Accepted(made.request_id, made.id, made.admin_pass)


async def likeness(order: Order, server: Server) -> dict[str, Any]:
    """What the new server is given: all that can be told of the old one, and what was said otherwise."""
    given = order.given
    pairs = {key: text for key, text in (server.metadata or {}).items() if key not in _OF_THIS_ONE}
    found: dict[str, Any] = {
        "name": given["name"],
        "flavor": given.get("flavor") or await _flavor(order, server),
        "network": given.get("network") or await _networks(order, server),
        "metadata": {**pairs, **given.get("metadata", {})},
        "key_name": given.get("key_name") or server.key_name,
        "description": server.description if server.description != server.name else None,
        "tag": server.tags if "server.new_tags" in order.dialect.verbs else None,
    }
    groups = sorted({group.name for group in server.security_groups or ()})
    if groups and groups != ["default"]:
        found["security_group"] = groups
    return {name: value for name, value in found.items() if value}


async def _flavor(order: Order, server: Server) -> Any:
    flavors = [row async for page in order.dialect.flavors() for row in page]
    found = held(server, flavors)
    if found is None or found not in flavors:
        name = found.name if found else "its flavor"
        raise ActionRefused(f"{server.name} has {name}, which no longer exists.", hint="Give --flavor.")
    return found


async def _networks(order: Order, server: Server) -> list[str]:
    """The networks that it is on, by its ports where they can be seen, else by their names."""
    if "port.list" in order.dialect.verbs:
        ports = await order.dialect.ports(server.id)
        return list(dict.fromkeys(str(port["network_id"]) for port in ports if port.get("network_id"))) or ["none"]
    return list(server.addresses or {}) or ["none"]
