"""`server.check`: gathers what the guest's ladder needs from the cloud and the settings, and climbs it.

The guests' room fetches nothing; here its evidence is fetched: addresses as they are now, the whole console log for
the host keys, and who may log in.
"""

import asyncio
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.actions.action import read_only
from console.actions.declared import Ask, Order, action
from console.errors import ActionRefused, CloudError, Forbidden, Unauthorized
from console.model.image import Image
from console.model.server import Server
from console.text import Secret

if TYPE_CHECKING:  # asyncssh takes a tenth of a second to import: only when a check starts
    from console.guests.probe import Report
    from console.guests.route import Route


@action(
    "server.check",
    title="check over SSH",
    command="server check",
    key="t",
    reads=True,
    asks=(
        Ask("user", "text", "user", "who logs in, instead of the usual names"),
        Ask("port", "number", "port", "sshd's port"),
        Ask("identity", "text", "key", "a private key's file", most=4096),
        Ask("password", "secret", "password", "a password, where no key is let in"),
        Ask("check", "text", "own check", "a command that must end with 0 in the guest", many=True, most=4096),
        Ask("deadline", "number", "deadline", "seconds for the whole ladder", default=30),
    ),
)
async def check(order: Order) -> "Report":
    """Test a guest over SSH: address, port, banner, host key, login, cloud-init."""
    from console.guests.hostkeys import Evidence, KnownHosts
    from console.guests.probe import probe

    if order.given.get("check") and (closed := read_only(order.ground, order.place)):
        raise ActionRefused(f"{closed} A command of yours might change the guest.")
    server = await order.dialect.server(order.row.id)
    route = await asyncio.to_thread(_route, order, server, await _image_user(order, server))
    own = KnownHosts(order.ground.paths.state / "known_hosts")
    evidence = Evidence(server.id, await _console(order), own, route.known_hosts)
    password: Secret | None = order.given.get("password")
    return await probe(
        route,
        evidence,
        password=password,
        checks=order.given.get("check", ()),
        deadline=float(order.given["deadline"]),
        told=lambda rung: order.tell("rung", rung.text, row=server, detail=rung),
    )


def _route(order: Order, server: Server, image_user: str | None) -> "Route":
    from console.guests.route import find_route

    given = order.given
    users = [given["user"]] if "user" in given else [user for user in (image_user, _set(order, "user")) if user]
    key = given.get("identity") or _set(order, "key")
    here, port = on_this_machine(server)
    return find_route(
        server.name,
        [here] if here else candidates(server),
        users=users,
        port=port or given.get("port") or _set(order, "port"),
        key=Path(key).expanduser() if key else None,
        key_name=server.key_name,
    )


def _set(order: Order, name: str) -> Any:
    """What the settings of this cloud say of ssh's user, port or key; None where they leave it to ssh's own."""
    cloud = order.ground.settings.clouds.get(order.place.cloud)
    said = getattr(cloud.ssh, name) if cloud is not None else None
    return None if said in ("", 22) else said


def on_this_machine(server: Server) -> tuple[str, int | None]:
    """Where a guest of the embedded cloud listens when its own address could not be had; never beyond loopback."""
    host, _, port = (server.metadata or {}).get("lab_ssh_at", "").rpartition(":")
    try:
        return (host, int(port)) if ipaddress.ip_address(host).is_loopback else ("", None)
    except ValueError:
        return "", None


def candidates(server: Server) -> Sequence[str]:
    """Where to try: the access addresses, floating before fixed, version 4 before 6."""
    access = [address for address in (server.access_ipv4, server.access_ipv6) if address]
    return list(dict.fromkeys([*access, *(address.addr for address in server.all_addresses())]))


async def _image_user(order: Order, server: Server) -> str | None:
    """The login that the server's image names."""
    known: list[Image] = [row for row in order.ground.store.rows(Image).values() if row.id == server.image_id]
    if known or server.image_id is None:
        return known[0].os_admin_user if known else None
    try:
        return (await order.dialect.image(server.image_id)).os_admin_user
    except (Unauthorized, Forbidden):
        raise
    except CloudError:  # a deleted image names nobody
        return None


async def _console(order: Order) -> str:
    """The whole console log, where the cloud has one to show."""
    try:
        return await order.dialect.console_log(order.row.id)
    except Unauthorized:
        raise
    except CloudError:  # no console yet, none on this host, or not for us: then nobody vouches
        return ""
