"""What else may be asked of a server and what belongs to it: one table of Nova's actions, and the few that are none.

Each is sent once and judged by nobody here: whether it is allowed now is told beforehand by the floor above, and
afterwards by Nova's own 409.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from console.clouds.dialect import Accepted
from console.clouds.openstack.ordering import base64_text
from console.clouds.openstack.service import Service, Version
from console.errors import NotFound
from console.text import Secret, clean, clean_tree
from console.wire.message import Reply, read_json, refuse_body, request_id

_GENERATED_KEYS = Version(2, 91)  # the last at which Nova makes a key pair's private half
_CONSOLES = (2, 6)
_NO_FILES = (2, 57)  # from here on Nova puts no files into a new server
_ACCESS = {"access_ipv4": "0.0.0.0", "access_ipv6": "::"}  # Nova keeps an access address: what stands for none


class Order(NamedTuple):
    """One action of Nova: its name on the wire, what is sent with it, and since which microversion it is there.

    `given` maps the console's names to Nova's; an order without any is sent with null. `newer` are names that need a
    later microversion, and are refused rather than dropped where it is not spoken.
    """

    action: str
    given: Mapping[str, str] = {}
    always: Mapping[str, Any] = {}
    newer: Mapping[str, tuple[int, int]] = {}
    since: tuple[int, int] = (2, 1)


_REBUILD = {
    "image_id": "imageRef",
    "name": "name",
    "admin_pass": "adminPass",
    "metadata": "metadata",
    "description": "description",
    "key_name": "key_name",
    "user_data": "user_data",
    "hostname": "hostname",
    "preserve_ephemeral": "preserve_ephemeral",
    "disk_config": "OS-DCF:diskConfig",
}
ORDERS: dict[str, Order] = {
    "server.start": Order("os-start"),
    "server.stop": Order("os-stop"),
    "server.pause": Order("pause"),
    "server.unpause": Order("unpause"),
    "server.suspend": Order("suspend"),
    "server.resume": Order("resume"),
    "server.shelve": Order("shelve"),
    "server.shelve_offload": Order("shelveOffload"),
    "server.unshelve": Order(
        "unshelve",
        {"zone": "availability_zone", "host": "host"},
        newer={"zone": (2, 77), "host": (2, 91)},
    ),
    "server.rescue": Order("rescue", {"admin_pass": "adminPass", "image_id": "rescue_image_ref"}),
    "server.unrescue": Order("unrescue"),
    "server.lock": Order("lock", {"reason": "locked_reason"}, newer={"reason": (2, 73)}),
    "server.unlock": Order("unlock"),
    "server.rebuild": Order(
        "rebuild",
        _REBUILD,
        newer={"description": (2, 19), "key_name": (2, 54), "user_data": (2, 57), "hostname": (2, 90)},
    ),
    "server.change_password": Order("changePassword", {"admin_pass": "adminPass"}),
    "server.backup": Order(
        "createBackup",
        {"name": "name", "backup_type": "backup_type", "rotation": "rotation", "metadata": "metadata"},
    ),
    "server.reset_state": Order("os-resetState", {"state": "state"}),
    "server.migrate": Order("migrate", {"host": "host"}, newer={"host": (2, 56)}),
    "server.live_migrate": Order(
        "os-migrateLive", {"host": "host"}, {"host": None, "block_migration": "auto"}, {}, (2, 25)
    ),
    "server.force_delete": Order("forceDelete"),
    "server.restore": Order("restore"),
    "server.add_security_group": Order("addSecurityGroup", {"name": "name"}),
    "server.add_floating_ip": Order("addFloatingIp", {"address": "address"}),
    "server.remove_security_group": Order("removeSecurityGroup", {"name": "name"}),
}
# What is no action, and since when there is such a thing.
OTHERS: dict[str, tuple[int, int]] = {
    "server.update": (2, 1),
    "server.description": (2, 19),
    "server.new_tags": (2, 52),
    "server.hostname": (2, 90),
    "server.domain": (2, 94),
    "server.metadata": (2, 1),
    "server.tags": (2, 26),
    "server.remote_console": (2, 1),
    "server.attach_volume": (2, 1),
    "server.detach_volume": (2, 1),
    "keypair.create": (2, 1),
    "keypair.delete": (2, 1),
    "zone.list": (2, 1),
    "migration.list": (2, 23),
}


class Orders:
    """The orders of one account at one compute service."""

    nowhere: Mapping[str, str] = _ACCESS  # what is sent instead of an access address that is taken away

    def __init__(self, service: Service) -> None:
        self._service = service

    def offered(self) -> frozenset[str]:
        """The verbs of this file that the service knows at the microversion spoken."""
        actions = {verb for verb, order in ORDERS.items() if self._knows(order.since)}
        others = {verb for verb, since in OTHERS.items() if self._knows(since)}
        files = set() if self._knows(_NO_FILES) else {"server.files"}
        return frozenset(actions | others | files)

    def _knows(self, since: tuple[int, int]) -> bool:
        return since <= (2, 1) or self._service.knows(*since)

    async def act(self, verb: str, id: str, **given: Any) -> Accepted:
        """Order what `ORDERS` names; the answer may hold a new image's id, or a password that is told only now."""
        order = ORDERS[verb]
        reply = await self._service.post(f"servers/{id}/action", {order.action: self._asked(verb, order, given)})
        return accepted(reply)

    def _asked(self, verb: str, order: Order, given: Mapping[str, Any]) -> Any:
        asked = dict(order.always)
        for name, value in given.items():
            if value is None:
                continue
            if name not in order.given:
                raise TypeError(f"{verb} is not ordered with {name!r}")
            if not self._knows(order.newer.get(name, (2, 1))):
                wanted = ".".join(map(str, order.newer[name]))
                told = f"this cloud knows no {name} for {verb}: it does not speak {wanted}."
                raise NotFound(told, place=self._service.place)
            asked[order.given[name]] = _WORDS.get(name, _as_it_is)(value)
        return asked or None

    async def update_server(self, id: str, **given: str) -> Accepted:
        """Change a server's name, description, hostname or access addresses."""
        names = {"access_ipv4": "accessIPv4", "access_ipv6": "accessIPv6", "disk_config": "OS-DCF:diskConfig"}
        server = {names.get(name, name): value or self.nowhere.get(name, "") for name, value in given.items()}
        return accepted(await self._service.put(f"servers/{id}", {"server": server}))

    async def set_metadata(self, id: str, metadata: Mapping[str, str], *, replace: bool = False) -> Accepted:
        """Add to a server's metadata, or make it what is given."""
        send = self._service.put if replace else self._service.post
        return accepted(await send(f"servers/{id}/metadata", {"metadata": dict(metadata)}))

    async def delete_metadata(self, id: str, key: str) -> Accepted:
        """Take one key out of a server's metadata; one that is not there is no error."""
        return await self._gone(f"servers/{id}/metadata/{_step(key)}")

    async def set_tags(self, id: str, tags: Sequence[str]) -> Accepted:
        """Make a server's tags what is given."""
        return accepted(await self._service.put(f"servers/{id}/tags", {"tags": list(tags)}))

    async def remote_console(self, id: str, kind: str = "novnc") -> str:
        """The address of a server's console for a browser; whoever has it is in."""
        protocol = {"novnc": "vnc", "xvpvnc": "vnc", "spice-html5": "spice", "rdp-html5": "rdp", "serial": "serial"}
        if self._service.knows(*_CONSOLES):
            asked = {"remote_console": {"protocol": protocol.get(kind, kind), "type": kind}}
            reply = await self._service.post(f"servers/{id}/remote-consoles", asked)
        else:
            reply = await self._service.post(f"servers/{id}/action", {"os-getVNCConsole": {"type": kind}})
        tree = read_json(reply, self._service.place)
        console = next(iter(tree.values()), None) if isinstance(tree, dict) and tree else None
        url = console.get("url") if isinstance(console, dict) else None
        if not isinstance(url, str):
            refuse_body(reply, self._service.place, "no address of a console")
        return clean(url)

    async def create_keypair(self, name: str, public_key: str | None = None) -> Accepted:
        """Take in a public key, or have one made: then the answer's secret is the private half, told only now."""
        pair = {"name": name} | ({"public_key": public_key} if public_key else {})
        pair |= {"type": "ssh"} if self._service.knows(2, 2) else {}
        reply = await self._service.post("os-keypairs", {"keypair": pair}, most=None if public_key else _GENERATED_KEYS)
        made = _inner(reply, "keypair")
        secret = made.get("private_key")
        return Accepted(request_id(reply.headers), name, Secret(secret) if isinstance(secret, str) else None)

    async def delete_keypair(self, name: str) -> Accepted:
        """Forget a key pair; servers keep what they were given."""
        return await self._gone(f"os-keypairs/{_step(name)}")

    async def attach_volume(self, id: str, volume_id: str, *, device: str | None = None) -> Accepted:
        """Attach a volume to a server."""
        asked = {"volumeId": volume_id} | ({"device": device} if device else {})
        return accepted(await self._service.post(f"servers/{id}/os-volume_attachments", {"volumeAttachment": asked}))

    async def detach_volume(self, id: str, volume_id: str) -> Accepted:
        """Detach a volume; one that is not attached is no error."""
        return await self._gone(f"servers/{id}/os-volume_attachments/{_step(volume_id)}")

    async def zone_records(self, *, hosts: bool = False) -> list[dict[str, Any]]:
        """The availability zones, cleaned; with their hosts, which only an administrator may see."""
        found = await self._list(f"os-availability-zone{'/detail' if hosts else ''}", "availabilityZoneInfo")
        return [zone for zone in found if zone.get("zoneName")]

    async def server_groups(self) -> list[dict[str, Any]]:
        """The server groups of the project, cleaned."""
        return await self._list("os-server-groups", "server_groups")

    async def instance_action(self, id: str, request_id: str) -> dict[str, Any]:
        """One of a server's instance actions with its events, oldest first, cleaned."""
        reply = await self._service.get(f"servers/{id}/os-instance-actions/{_step(request_id)}")
        tree = clean_tree(read_json(reply, self._service.place))
        found = tree.get("instanceAction") if isinstance(tree, dict) else None
        if not isinstance(found, dict):
            refuse_body(reply, self._service.place, "something that is no action")
        return found

    async def migrations(self, **filters: Any) -> list[dict[str, Any]]:
        """The migrations and resizes that the cloud tells of, cleaned; an administrator's matter by default."""
        return await self._list("os-migrations", "migrations", filters)

    async def _list(self, path: str, key: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        reply = await self._service.get(path, params or {})
        tree = clean_tree(read_json(reply, self._service.place))
        found = tree.get(key) if isinstance(tree, dict) else None
        if not isinstance(found, list):
            refuse_body(reply, self._service.place, f"something that is no list of {key}")
        return [item for item in found if isinstance(item, dict)]

    async def _gone(self, path: str) -> Accepted:
        try:
            return accepted(await self._service.delete(path))
        except NotFound as error:
            return Accepted(error.request_id)


def accepted(reply: Reply) -> Accepted:
    """What an order's answer tells: its request, what it makes, and a password that is told only now."""
    body = _body(reply)
    inner = body.get("server") if isinstance(body.get("server"), dict) else body
    secret = inner.get("adminPass") if isinstance(inner, dict) else None
    location = reply.headers.get("location", "")
    id = body.get("image_id") or (_end_of(location) if "/images/" in location else None)
    return Accepted(
        request_id(reply.headers),
        clean(id) if isinstance(id, str) and id else None,
        Secret(secret) if isinstance(secret, str) else None,
    )


def _end_of(address: str) -> str:
    return address.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2]


def _body(reply: Reply) -> dict[str, Any]:
    try:
        tree = msgspec.json.decode(reply.body) if reply.body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _inner(reply: Reply, name: str) -> dict[str, Any]:
    found = _body(reply).get(name)
    return found if isinstance(found, dict) else {}


def _step(text: str) -> str:
    """One step of a path: a name may hold a slash, and must not lead elsewhere."""
    return quote(text, safe="")


def _as_it_is(value: Any) -> Any:
    return value


# Nova knows the states to reset to in lower case only; a secret goes out as what it is.
_WORDS: dict[str, Callable[[Any], Any]] = {
    "state": lambda value: str(value).lower(),
    "admin_pass": lambda value: value.reveal() if isinstance(value, Secret) else value,
    "user_data": base64_text,
}
