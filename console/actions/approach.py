"""What the way into a guest needs from the cloud and the settings, fetched anew for each try.

The guests' room fetches nothing; here its evidence is gathered: addresses as they are now, the whole console log for
the host keys, who may log in, through which jump hosts, and what the security groups let in.
"""

import asyncio
import ipaddress
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.actions.ground import Ground
from console.clouds.dialect import Dialect
from console.errors import CloudError, Forbidden, Unauthorized
from console.model.image import Image
from console.model.keypair import KeyPair
from console.model.place import Place, own_name
from console.model.server import Server
from console.text import clean

if TYPE_CHECKING:  # asyncssh takes a tenth of a second to import: only when a check starts
    from console.guests.hostkeys import Evidence, KnownHosts
    from console.guests.probe import Why
    from console.guests.route import Route

CONSOLE_SECONDS = 5.0  # that an order may wait for a console
_PUBLIC = re.compile(r"\S+ ([A-Za-z0-9+/]+={0,3})")


@dataclass(frozen=True)
class Approach:
    """All that a ladder to one guest stands on."""

    server: Server
    route: "Route"
    evidence: "Evidence"
    windows: bool
    why_silent: "Why"


def known_hosts(ground: Ground) -> "KnownHosts":
    """Our own file of host keys."""
    from console.guests.hostkeys import KnownHosts

    return KnownHosts(ground.paths.state / "known_hosts")


async def keys_on_console(ground: Ground, place: Place, id: str) -> frozenset[str]:
    """The fingerprints on a console, before its disk is made anew; none where the cloud does not tell soon."""
    text = ""
    with suppress(CloudError, TimeoutError):  # the order is worth more
        async with asyncio.timeout(CONSOLE_SECONDS):
            text = await _console(ground.dialect(place), id)
    return await asyncio.to_thread(_printed, text) if "SSH HOST KEY" in text else frozenset()


def _printed(text: str) -> frozenset[str]:
    from console.guests.hostkeys import printed

    return frozenset[str]().union(*printed(text))


async def expect_new_key(ground: Ground, place: Place, id: str, shown: frozenset[str]) -> None:
    """Have every later check, of whichever run, expect another host key: the disk is made anew by our own order.

    `shown` are the fingerprints on its console till now, of keys that we may never have met.
    """
    if shown or (ground.paths.state / "known_hosts").exists():
        with suppress(OSError):  # what cannot be noted is told as a changed key
            await asyncio.to_thread(known_hosts(ground).expect_another, own_name(place, id), shown)


async def approach(
    ground: Ground,
    place: Place,
    id: str,
    given: Mapping[str, Any],
    *,
    renewed: bool = False,
    pairs: dict[str, str] | None = None,
) -> Approach:
    """Ask the cloud for it, now; what is given goes before the settings, and those before ~/.ssh/config.

    `pairs` keeps the public halves of key pairs for the next try; without it they are not asked for.
    """
    from console.guests.hostkeys import Evidence

    dialect = ground.dialect(place)
    server = await dialect.server(id)
    image = await _image(ground, place, server)
    ways = _ways(ground, place, server, image)
    route = await asyncio.to_thread(_route, server, image, given, ways)
    if server.key_name and pairs is not None:
        public = await _key_pair(ground, place, server.key_name, pairs)
        route = replace(route, pair=server.key_name if public else "", pair_key=public)
    own, name = known_hosts(ground), own_name(place, id)
    renewed = renewed or await asyncio.to_thread(own.another_expected, name)
    evidence = Evidence(name, await _console(dialect, id), own, route.known_hosts, renewed)
    windows = (image is not None and image.os_type == "windows") and not (given.get("port") or _of(ways, "port"))
    return Approach(server, route, evidence, windows, _why(dialect, id))


def _ways(ground: Ground, place: Place, server: Server, image: Image | None) -> Sequence[Any]:
    cloud = ground.settings.clouds.get(place.cloud)
    if cloud is None:
        return []
    words = [word for word in (image.name if image else "", server.image_id or "") if word]
    found: Sequence[Any] = cloud.ssh.ways(list(server.addresses or {}), words)
    return found


def _of(ways: Sequence[Any], name: str) -> Any:
    """What the settings say of ssh's user, port, key or jump hosts; None where they leave it to ssh's own."""
    return next((said for way in ways if (said := getattr(way, name))), None)


def _route(server: Server, image: Image | None, given: Mapping[str, Any], ways: Sequence[Any]) -> "Route":
    from console.guests.route import find_route

    users = [given["user"]] if "user" in given else [image.os_admin_user if image else None, _of(ways, "user")]
    key = given.get("identity") or _of(ways, "key")
    here, port = on_this_machine(server)
    return find_route(
        server.name,
        [here] if here else candidates(server),
        users=[user for user in users if user],
        port=port or given.get("port") or _of(ways, "port"),
        key=Path(key).expanduser() if key else None,
        key_name=server.key_name,
        jump=given.get("jump") or _of(ways, "jump"),
    )


def on_this_machine(server: Server) -> tuple[str, int | None]:
    """Where a guest of the embedded cloud listens when its own address could not be had; never beyond loopback."""
    host, _, port = (server.metadata or {}).get("lab_ssh_at", "").rpartition(":")
    try:
        return (host, int(port)) if ipaddress.ip_address(host).is_loopback else ("", None)
    except ValueError:
        return "", None


def candidates(server: Server) -> Sequence[str]:
    """Where to try: the access addresses, floating before fixed, version 4 before 6."""
    return list(dict.fromkeys([*server.access, *(address.addr for address in server.all_addresses())]))


async def _image(ground: Ground, place: Place, server: Server) -> Image | None:
    """The server's image, where it is known or can be asked for."""
    same: list[Image] = [row for row in ground.store.rows(Image).values() if row.id == server.image_id]
    known = [row for row in same if place in (row.place, *ground.store.ways(row.key))]
    if known or server.image_id is None:
        return known[0] if known else None
    try:
        return await ground.dialect(place).image(server.image_id)
    except (Unauthorized, Forbidden):
        raise
    except CloudError:  # a deleted image tells nothing
        return None


async def _console(dialect: Dialect, id: str) -> str:
    """The whole console log, where the cloud has one to show."""
    try:
        return await dialect.console_log(id)
    except Unauthorized:
        raise
    except CloudError:  # no console yet, none on this host, or not for us: then nobody vouches
        return ""


async def _key_pair(ground: Ground, place: Place, name: str, pairs: dict[str, str]) -> str:
    """The public half of our key pair of that name, in base64; "" where the cloud tells none."""
    if name not in pairs:
        known = [row for row in ground.store.rows(KeyPair).values() if row.name == name]
        rows = [row for row in known if place in (row.place, *ground.store.ways(row.key))]
        if not rows and "keypair.list" in ground.dialect(place).verbs:
            try:
                rows = [row async for page in ground.dialect(place).keypairs() for row in page if row.name == name]
            except Unauthorized:
                raise
            except CloudError:  # a cloud that keeps them to itself
                rows = []
        found = _PUBLIC.match(rows[0].public_key or "") if rows else None  # a line's end may hang on it
        pairs[name] = found[1] if found else ""
    return pairs[name]


def _why(dialect: Dialect, id: str) -> "Why":
    """Asks what the security groups have to do with an address that does not answer."""

    async def why(address: str, port: int) -> str:
        try:
            ports = await dialect.ports(id)
            guarded = [one for one in ports if one.get("port_security_enabled", True)]
            groups = sorted({str(group) for one in guarded for group in one.get("security_groups") or ()})
            rules = await dialect.let_in(groups) if guarded else []
        except CloudError:  # a cloud without Neutron, or one that keeps it to itself
            return ""
        return blocked(rules, address, port) if guarded else ""

    return why


def blocked(rules: Sequence[Mapping[str, Any]], address: str, port: int) -> str:
    """What these rules (of Neutron, for what comes in) say of a TCP port, as a sentence."""
    family = "IPv6" if ":" in address else "IPv4"
    fitting = [rule for rule in rules if _lets(rule, family, port)]
    if not fitting:
        return f"no security group rule lets tcp/{port} in."
    sources = [str(rule.get("remote_ip_prefix") or rule.get("remote_group_id") or "") for rule in fitting]
    if any(source in ("", "0.0.0.0/0", "::/0") for source in sources):
        return f"the security groups let tcp/{port} in, so it is off, not up yet, or filters by itself."
    return f"the security groups let tcp/{port} in only from {clean(', '.join(sorted(set(sources))))}."


def _lets(rule: Mapping[str, Any], family: str, port: int) -> bool:
    protocol = str(rule.get("protocol") or "any").lower()
    if rule.get("ethertype", family) != family or protocol not in ("any", "tcp", "6", "0"):
        return False
    least, most = rule.get("port_range_min"), rule.get("port_range_max")
    return least is None or int(least) <= port <= int(most if most is not None else least)
