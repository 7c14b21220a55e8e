"""Addresses that several servers have in turn, on clouds with Neutron: what comes nearest to a shared IP address.

It says what it is not: nothing inside the guests is configured, so that one of them must take the address by itself.
"""

import ipaddress
from collections.abc import Sequence

from console.actions.declared import Ask, Order, action
from console.clouds.dialect import Accepted
from console.errors import ActionRefused
from console.model.place import Row
from console.text import clean

_ADDRESS = Ask("address", "text", "address", "the address", required=True, most=45)


def of_vip(rows: Sequence[Row]) -> tuple[str, ...]:
    """What this cannot do."""
    return ("Nothing in the guest is configured: keepalived or its like must take the address there.",)


async def look(order: Order) -> str:
    """Refuse what is no address."""
    try:
        ipaddress.ip_address(order.given["address"])
    except ValueError:
        raise ActionRefused(f"{clean(order.given['address'])!r} is no address.") from None
    return ""


@action(
    "server.add_vip",
    title="share address by port",
    command="server vip add",
    needs="server.vip",
    asks=(_ADDRESS,),
    confirm="Let {name} answer to this address too?",
    look=look,
    warns=of_vip,
)
async def add_vip(order: Order) -> Accepted:
    """Reserve an address by a port of its own, and let it in at the server's port."""
    return await order.dialect.act("server.add_vip", order.row.id, address=order.given["address"])


@action(
    "server.remove_vip",
    title="unshare address by port",
    command="server vip remove",
    needs="server.vip",
    asks=(_ADDRESS,),
    confirm="Let {name} answer to this address no more?",
    look=look,
)
async def remove_vip(order: Order) -> Accepted:
    """Let the address in no more at the server's port; the port that reserves it stays."""
    return await order.dialect.act("server.remove_vip", order.row.id, address=order.given["address"])


@action(
    "server.move_ip",
    title="move floating IP here",
    command="server floating ip move",
    needs="server.move_ip",
    many=False,
    asks=(_ADDRESS,),
    confirm="Take the floating IP from whichever server has it, and bring it to {name}?",
    look=look,
)
async def move_ip(order: Order) -> Accepted:
    """Bring a floating IP to this server, from whichever has it."""
    return await order.dialect.act("server.move_ip", order.row.id, address=order.given["address"])
