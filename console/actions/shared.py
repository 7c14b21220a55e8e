"""What the first generation alone can do to addresses and names: groups of servers that share an address.

Its rules are kept before anything is sent: a server is launched into its group, all but the first; it is in one group
at most; and an address is shared within the group of its owner alone.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from console.actions.asks import row_of
from console.actions.building import check_contents, marked_pairs, send_once
from console.actions.declared import Ask, Ends, Order, action
from console.clouds.dialect import Accepted
from console.errors import ActionRefused
from console.model.ipgroup import IpGroup
from console.model.place import Row
from console.model.server import Server
from console.text import clean

_GROUP = Ask("ip_group", "text", "group", "the shared IP group, by name or id", required=True)
_ADDRESS = Ask("address", "text", "address", "the public address", required=True, most=15)
_CONFIGURE = Ask(
    "configure",
    "choice",
    "configure",
    "whether the cloud writes it into the guest, which then reboots",
    required=True,
    choices=("no", "yes"),
)
_SHARED = "SHARE_IP, then ACTIVE, which counts after motion; with configure the guest restarts on the way."


def of_configure(rows: Sequence[Row]) -> tuple[str, ...]:
    """What a shared address means for the guest."""
    return (
        "With configure the cloud writes the address into the guest and reboots it; the address stays down there.",
        "Without it nothing in the guest changes.",
    )


async def look_at_share(order: Order) -> str:
    """Refuse an address that this server may not share."""
    row, address = order.row, order.given["address"]
    if row.ip_group is None:
        raise ActionRefused(
            f"{row.name} is in no shared IP group.", hint="A server is launched into one: server launch."
        )
    if address in public(row):
        raise ActionRefused(f"{row.name} has {clean(address)} already.")
    owners = [one for one in await _servers(order) if address in public(one)]
    if not owners:
        raise ActionRefused(f"No server of {order.place} has the public address {clean(address)}.")
    if all(one.ip_group != row.ip_group for one in owners):
        where = "in no group" if owners[0].ip_group is None else "in another group"
        raise ActionRefused(f"{clean(address)} is {owners[0].name}'s, which is {where}: an address is shared in one.")
    return f"shared with {', '.join(one.name for one in owners)}"


@action(
    "server.share_ip",
    title="share IP",
    command="server share ip",
    needs="server.share_ip",
    many=False,
    confirm="Have {name} share an address?",
    asks=(_ADDRESS, _CONFIGURE),
    look=look_at_share,
    warns=of_configure,
    ends=Ends(("ACTIVE",), _SHARED),
)
async def share_ip(order: Order) -> Accepted:
    """Let the server share a public address with another one of its group."""
    given = {"address": order.given["address"], "configure": order.given["configure"] == "yes"}
    return await order.dialect.act("server.share_ip", order.row.id, group=order.row.ip_group, **given)


async def look_at_unshare(order: Order) -> str:
    """Refuse an address that is not shared."""
    row, address = order.row, order.given["address"]
    if address not in public(row):
        raise ActionRefused(f"{row.name} does not have {clean(address)}.", hint=f"It has {', '.join(public(row))}.")
    others = [one.name for one in await _servers(order) if one.id != row.id and address in public(one)]
    if not others:
        raise ActionRefused(f"{clean(address)} is {row.name}'s own, and shared with nobody.")
    return f"stays with {', '.join(others)}"


@action(
    "server.unshare_ip",
    title="unshare IP",
    command="server unshare ip",
    needs="server.unshare_ip",
    many=False,
    confirm="Take a shared address away from {name}?",
    asks=(_ADDRESS,),
    look=look_at_unshare,
    ends=Ends(("ACTIVE",), "DELETE_IP, then ACTIVE, which counts after motion."),
)
async def unshare_ip(order: Order) -> Accepted:
    """Take a shared address away from the server; the others keep it."""
    return await order.dialect.act("server.unshare_ip", order.row.id, address=order.given["address"])


async def look_at_launch(order: Order) -> str:
    """Refuse a group that there is not, an address that nobody in it has, and contents that are too many."""
    group = await group_of(order)
    await check_contents(order)
    if "address" in order.given:
        address = check_address(order.given["address"])
        members = [one for one in await _servers(order) if one.ip_group == group.id]
        if not any(address in public(one) for one in members):
            raise ActionRefused(f"No server of {group.name} has the public address {clean(address)}.")
        return f"with {address} as its only public address"
    return ""


@action(
    "server.launch",
    title="new server in a group",
    command="server launch",
    needs="server.create_in_group",
    creates=True,
    many=False,
    asks=(
        Ask("name", "text", "name", "what the server is called", required=True),
        Ask("image", "image", "image", "the image to boot, by name or id", required=True),
        Ask("flavor", "flavor", "flavor", "the flavor, by name or id", required=True),
        _GROUP,
        Ask("address", "text", "address", "a shared address, as its only public one", most=15),
        Ask("metadata", "metadata", "metadata", "key=value", many=True),
        Ask("file", "files", "file", "PATH=FILE: a text to be found in the guest at PATH", many=True),
    ),
    look=look_at_launch,
    ends=Ends(("ACTIVE",), "It is in BUILD until it runs; ERROR tells that it never will.", deadline=1800),
)
async def launch(order: Order) -> Accepted:
    """Order a new server into a shared IP group, which is the only way into one."""
    given = order.given
    asked: dict[str, Any] = {"image_id": given["image"].id, "flavor_id": given["flavor"].id}
    asked |= {"ip_group": (await group_of(order)).id, "address": given.get("address")}
    asked |= {"metadata": await marked_pairs(order), "personality": given.get("file")}
    return await send_once(order, asked)


@action(
    "server.name_password",
    title="name and password",
    command="server set both",
    needs="server.update_password",
    many=False,
    asks=(
        Ask("name", "text", "name", "a new name", required=True),
        Ask("password", "secret", "password", "the administrator's new password", required=True),
    ),
    ends=Ends(("ACTIVE",), "PASSWORD, then ACTIVE, which counts after motion."),
)
async def name_password(order: Order) -> Accepted:
    """Change the server's name and its administrator's password in one call."""
    both: Mapping[str, Any] = {"name": order.given["name"], "admin_pass": order.given["password"]}
    return await order.dialect.update_server(order.row.id, **both)


async def look_at_group(order: Order) -> str:
    """Refuse a first member that is in a group already."""
    if "server" in order.given:
        member = await first_member(order)
        if member.ip_group is not None:
            raise ActionRefused(f"{member.name} is in a shared IP group already, and in one at most.")
    return ""


@action(
    "ipgroup.create",
    title="new shared IP group",
    command="ipgroup create",
    on=IpGroup,
    key="n",
    needs="ipgroup.create",
    creates=True,
    many=False,
    asks=(
        Ask("name", "text", "name", "what the group is called", required=True),
        Ask("server", "text", "first server", "the one server that joins it after its launch, by name or id"),
    ),
    look=look_at_group,
)
async def create_group(order: Order) -> Accepted:
    """Make a group of servers that may share public addresses."""
    first = (await first_member(order)).id if "server" in order.given else None
    return await order.dialect.act("ipgroup.create", "", name=order.given["name"], server=first)


async def look_at_group_end(order: Order) -> str:
    """Refuse to take a group away whose servers share an address now."""
    members = [one for one in await _servers(order) if one.ip_group == order.row.id]
    for address in {address for one in members for address in public(one)}:
        sharers = [one.name for one in members if address in public(one)]
        if len(sharers) > 1:
            raise ActionRefused(f"{' and '.join(sharers)} share {address}.", hint="Unshare it first.")
    return ""


@action(
    "ipgroup.delete",
    title="delete",
    command="ipgroup delete",
    on=IpGroup,
    key="D",
    needs="ipgroup.delete",
    confirm="Delete the shared IP group {name}? Its servers can be put into no other one.",
    reversible=False,
    look=look_at_group_end,
)
async def delete_group(order: Order) -> Accepted:
    """Delete a group whose servers share no address."""
    return await order.dialect.act("ipgroup.delete", order.row.id)


def public(server: Server) -> list[str]:
    """The public addresses of a server of the first generation."""
    return [address.addr for address in (server.addresses or {}).get("public", ())]


def check_address(text: str) -> str:
    """Refuse what is no IPv4 address, which all that are shared are."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ActionRefused(f"{clean(text)!r} is no IPv4 address.") from None


async def group_of(order: Order) -> IpGroup:
    """The group that was named."""
    pages = order.dialect.ip_groups()
    return row_of(IpGroup, order.given["ip_group"], [row async for page in pages for row in page], order.place)


async def first_member(order: Order) -> Server:
    """The server that was named."""
    return row_of(Server, order.given["server"], await _servers(order), order.place)


async def _servers(order: Order) -> list[Server]:
    """The servers of the order's place, as they are now."""
    pages = order.dialect.servers()
    return [row async for page in pages for row in page]
