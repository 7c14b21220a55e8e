"""A new server, ordered once: whatever becomes of the reply, there are never two servers for one order.

To order a server twice makes two, so every order carries a mark of its own in the new server's metadata. Where the
reply is lost (no answer, a reset, a fault of a proxy), the cloud is asked for the server with that mark; the order is
never sent a second time by itself, since the first may still be on its way.
"""

import ipaddress
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from console.actions import injected, limits
from console.actions.declared import Ask, Ends, Order, action
from console.actions.ground import Clock
from console.clouds.dialect import Accepted, Dialect
from console.errors import (
    ActionRefused,
    BadReply,
    CloudError,
    CloudFault,
    NotFound,
    Unreachable,
)
from console.model import fitting
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.quota import Limit
from console.model.server import Server, deleted
from console.text import clean

MARK = "novadeck_order"  # the metadata key; its value is the order's id in the audit
LOOKS = (0.3, 0.7, 1.5, 3.0, 5.0)  # seconds before each look for a server whose reply was lost
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]")
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NEWER = {"description": "server.description", "hostname": "server.hostname", "tag": "server.new_tags"}
_TAG_MOST = 50
_NEVER_SENT = ("refused", "name", "tls", "proxy")  # the ways to be unreachable in which nothing was sent
_PASSED_ON = (
    "key_name", "metadata", "availability_zone", "config_drive", "description", "hostname", "access_ipv4",
    "access_ipv6",
)  # fmt: skip
ROOTS = ("volume",)

ASKS = (
    Ask("name", "text", "name", "what the server is called", required=True),
    Ask("image", "image", "image", "the image to boot, by name or id", required=True, unless=ROOTS),
    Ask("flavor", "flavor", "flavor", "the flavor, by name or id", required=True),
    Ask("network", "network", "network", "a network by name or id, or auto, or none", many=True),
    Ask("port", "text", "port", "a port that there is, by id", many=True),
    Ask("fixed_ip", "address", "fixed address", "an address of its own on a network, by name or id", many=True),
    Ask("key_name", "keypair", "key pair", "the key pair that may log in"),
    Ask("boot_from_volume", "number", "volume size", "boot from a new volume of so many GB", least=1),
    Ask("volume", "text", "volume", "boot from this volume (its id) instead of an image"),
    Ask("delete_volume", "flag", "delete volume", "the volume goes when the server goes"),
    Ask("metadata", "metadata", "metadata", "key=value", many=True),
    Ask("file", "files", "file", "PATH=FILE: a text to be found in the guest at PATH", many=True),
    Ask("user_data", "file", "user data", "a file for cloud-init"),
    Ask("password", "secret", "password", "the administrator's password, instead of the cloud's choice"),
    Ask("access_ipv4", "text", "access IPv4", "the address to reach it at"),
    Ask("access_ipv6", "text", "access IPv6", "the version 6 address to reach it at"),
    Ask("availability_zone", "text", "zone", "the availability zone"),
    Ask("security_group", "text", "security group", "a security group's name", many=True),
    Ask("config_drive", "flag", "config drive", "give it its metadata on a drive"),
    Ask("tag", "text", "tag", "a tag", many=True, most=60),
    Ask("description", "text", "description", "what it is for"),
    Ask("hostname", "text", "host name", "its own host name"),
    Ask("server_group", "group", "server group", "a server group, by name or id"),
    Ask("count", "number", "count", "how many: NAME-1, NAME-2 ...", default=1, least=1),
)  # fmt: skip


async def look(order: Order) -> str:
    """Refuse what can be known to be wrong, and what would not fit; gives what the quota then leaves."""
    given = order.given
    check_texts(order)
    check_tags(given.get("tag", ()))
    _check_connections(given)
    _check_disk(given)
    if not any(name in given for name in ("network", "port", "fixed_ip")):
        await _only_network(order)
    known = await check_contents(order)
    await _check_zone(order)
    flavor, count = given["flavor"], given.get("count", 1)
    needed = {"instances": count, "cores": count * (flavor.vcpus or 0), "ram": count * (flavor.ram or 0)}
    if size := given.get("boot_from_volume"):
        known = {**known, **await limits.quotas(order)}
        needed |= {"volumes": count, "volume_gigabytes": count * size}
    return limits.check(known, **needed)


async def check_contents(order: Order) -> Mapping[str, Limit]:
    """Refuse files and metadata that a new server cannot have; gives the limits that say so."""
    given, known = order.given, await limits.limits(order)
    if "server.files" in order.dialect.verbs:
        injected.check(given.get("file", {}), limits.most(known))
    else:
        _whole_user_data(given)
    pairs, most = given.get("metadata", {}), limits.most(known)("metadata")
    if most is not None and len(pairs) > most:
        raise ActionRefused(f"{len(pairs)} metadata pairs were given, and {most} are the most.")
    return known


def check_texts(order: Order) -> None:
    """Refuse what is no address or host name, and what this cloud is too old for."""
    given, verbs = order.given, order.dialect.verbs
    for name, needs in _NEWER.items():
        if name in given and needs not in verbs:
            asked = order.action.ask(name)
            raise ActionRefused(f"{order.place} takes no {asked.title if asked else name}: its API is too old for it.")
    for name, version in (("access_ipv4", 4), ("access_ipv6", 6)):
        if given.get(name):
            check_address(given[name], version)
    if "hostname" in given:
        _check_hostname(given["hostname"], whole="server.domain" in verbs)


def _check_hostname(text: str, *, whole: bool) -> None:
    """Refuse what is no host name; a `whole` one may hold its domain."""
    if not (_DOMAIN if whole else _HOSTNAME).fullmatch(text):
        rule = "letters, digits and - inside" + (", with or without its domain" if whole else ", 2 to 63 of them")
        raise ActionRefused(f"Host name {clean(text)!r}: {rule}.")


def check_tags(tags: Sequence[str]) -> None:
    """Refuse tags that no cloud takes."""
    if wrong := [tag for tag in tags if "/" in tag or "," in tag]:
        raise ActionRefused(f"Tag {clean(wrong[0])!r} holds a slash or a comma.")
    if len(tags) > _TAG_MOST:
        raise ActionRefused(f"{len(tags)} tags were given, and {_TAG_MOST} are the most.")


def _check_connections(given: Mapping[str, Any]) -> None:
    """Refuse ports and volumes that are no ids, and networks that contradict each other."""
    for name in ("port", "volume"):
        for text in given.get(name, ()) if name == "port" else [given[name]] if name in given else []:
            if not _is_id(text):
                raise ActionRefused(f"{name} {clean(text)!r} is no id.")
    networks = given.get("network", [])
    if {"auto", "none"} & set(networks) and (len(networks) > 1 or "port" in given or "fixed_ip" in given):
        raise ActionRefused("Network auto or none stands alone, without other networks, ports or addresses.")


def check_address(text: str, version: int) -> None:
    """Refuse what is no address of this version; an IPv6 address may end in one of version 4."""
    try:
        right = ipaddress.ip_address(text).version == version
    except ValueError:
        right = False
    if not right:
        raise ActionRefused(f"{clean(text)!r} is no IPv{version} address.")


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _check_disk(given: Mapping[str, Any]) -> None:
    """Refuse an image that the flavor is too small for, and roots that contradict each other."""
    image: Image | None = given.get("image")
    flavor: Flavor = given["flavor"]
    size = given.get("boot_from_volume")
    if "volume" in given and (image is not None or size is not None):
        raise ActionRefused("A server boots from an image or from a volume: give one of them.")
    if image is not None and image.status not in ("active", "unknown"):
        raise ActionRefused(f"The image {image.name} is {image.status}: a server is made of an active one.")
    if image is not None and (reason := fitting.too_small(image, flavor, size)):
        raise ActionRefused(f"{reason}.")


async def _check_zone(order: Order) -> None:
    zone = str(order.given.get("availability_zone", "")).partition(":")[0]
    if not zone or "zone.list" not in order.dialect.verbs:
        return
    known = [one.name for one in await order.dialect.zones() if one.available]
    if known and zone not in known:
        raise NotFound(f"There is no zone {clean(zone)!r}.", place=str(order.place), hint=f"There are {_list(known)}.")


def _list(names: list[str]) -> str:
    return ", ".join(sorted(names)[:8])


def _whole_user_data(given: Mapping[str, Any]) -> bytes | None:
    """The user data to send where files must be written by cloud-init."""
    own: bytes | None = given.get("user_data")
    if files := given.get("file"):
        return injected.user_data(own, files)
    if own is not None:
        injected.check_user_data(own)
    return own


@action(
    "server.create",
    title="new server",
    command="server create",
    key="n",
    needs="server.create",
    creates=True,
    many=False,
    asks=ASKS,
    look=look,
    ends=Ends(("ACTIVE", "SHUTOFF"), "It is in BUILD until it runs; ERROR carries the fault.", deadline=1800),
)
async def create(order: Order) -> Accepted:
    """Order a new server from an image or a volume."""
    return await send_once(order, await body(order))


async def send_once(order: Order, asked: dict[str, Any]) -> Accepted:
    """Order this server; where the reply is lost, look for what became of the order instead of sending it again."""
    try:
        return await order.dialect.create_server(order.given["name"], **asked)
    except (Unreachable, BadReply, CloudFault) as error:
        if MARK not in asked["metadata"] or not may_be_lost(error):
            raise
        found, told = await marked(order.dialect, order.ground.clock, order.given["name"], order.id)
        if found is None:
            error.hint = f"{error.hint} {told}".strip()
            raise
        order.tell("seen", f"the reply was lost, and the server is there: {found.id}")
        return Accepted(error.request_id, found.id)


async def body(order: Order) -> dict[str, Any]:
    """What the dialect is given for the order."""
    given, dialect = order.given, order.dialect
    asked: dict[str, Any] = {name: given[name] for name in _PASSED_ON if name in given}
    asked["flavor_id"] = given["flavor"].id
    asked["metadata"] = await marked_pairs(order)
    asked["networks"] = await _networks(order)
    asked |= _root(given)
    if "password" in given:
        asked["admin_pass"] = given["password"]
    if groups := given.get("security_group"):
        asked["security_groups"] = groups
    if tags := given.get("tag"):
        asked["tags"] = tags
    if "server_group" in given:
        asked["hints"] = {"group": given["server_group"]}
    if "server.files" in dialect.verbs:
        asked["personality"], asked["user_data"] = given.get("file"), given.get("user_data")
    else:
        asked["user_data"] = _whole_user_data(given)
    return {name: value for name, value in asked.items() if value is not None}


async def marked_pairs(order: Order) -> dict[str, str]:
    """The metadata, with the order's mark where there is room for one more."""
    pairs = dict(order.given.get("metadata", {}))
    if order.given.get("metadata"):
        known: Mapping[str, Limit] = await limits.limits(order)
        most = limits.most(known)("metadata")
        if most is not None and len(pairs) >= most:
            return pairs
    return {**pairs, MARK: order.id}


def _root(given: Mapping[str, Any]) -> dict[str, Any]:
    """The image, or the volume that it boots from."""
    ends = bool(given.get("delete_volume"))
    if "volume" in given:
        row = {"source_type": "volume", "destination_type": "volume", "uuid": given["volume"]}
    elif "boot_from_volume" in given:
        row = {"source_type": "image", "destination_type": "volume", "uuid": given["image"].id}
        row["volume_size"] = given["boot_from_volume"]
    else:
        return {"image_id": given["image"].id}
    return {"volumes": [{**row, "boot_index": 0, "delete_on_termination": ends}]}


async def _networks(order: Order) -> str | list[Any] | None:
    """Networks, ports and addresses as Nova's entries; the only network there is where none was named."""
    given = order.given
    named: list[str] = given.get("network", [])
    if named in (["auto"], ["none"]):
        return named[0]
    fixed = [pair.rpartition("=") for pair in given.get("fixed_ip", ())]
    found: list[Any] = [network for network in named if network not in {network for network, _, _ in fixed}]
    found += [{"uuid": network, "fixed_ip": address} for network, _, address in fixed]
    found += [{"port": port} for port in given.get("port", ())]
    return found or await _only_network(order)


async def _only_network(order: Order) -> list[Any] | None:
    """The one network that a server can be on; None leaves the choice to the cloud. Refuses to choose of several."""
    if "network.list" not in order.dialect.verbs:
        return None
    known = [one for one in await order.dialect.networks() if not one.get("router:external")]
    if len(known) > 1:
        names = _list([str(one.get("name") or one.get("id")) for one in known])
        raise ActionRefused(f"There are {len(known)} networks, and none was named: {names}.", hint="Give --network.")
    return [str(known[0]["id"])] if known else None


def may_be_lost(error: CloudError) -> bool:
    """Whether the order may have been taken although this came instead of its reply."""
    if isinstance(error, Unreachable):
        return error.fault not in _NEVER_SENT
    if isinstance(error, BadReply):
        return True
    return isinstance(error, CloudFault) and (error.status == 0 or error.status >= 500)


async def marked(dialect: Dialect, clock: Clock, name: str, mark: str) -> tuple[Server | None, str]:
    """The server that carries an order's mark, looked for during some seconds; and what to say if there is none."""
    plain = re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None
    asked = False
    for pause in LOOKS:
        await clock.sleep(pause)
        try:
            async for page in dialect.servers(filters={"name": f"^{name}"} if plain else {}):
                for row in page:
                    if (row.metadata or {}).get(MARK) == mark and not deleted(row):
                        return row, ""
            asked = True
        except CloudError:  # a cloud that has lost a reply may lose some more
            continue
    if asked:
        return None, f"No server with the mark {MARK}={mark} came of it, so it may be ordered again."
    return None, f"Whether it was made could not be asked: look for the metadata {MARK}={mark} before ordering again."
