"""Servers, flavors, key pairs and limits of OpenStack Compute v2.1, and v2 without microversions."""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from console.clouds.dialect import Accepted, Filters
from console.clouds.openstack.ordering import new_server
from console.clouds.openstack.orders import accepted
from console.clouds.openstack.reader import Reader, Sparse
from console.clouds.openstack.records import Memo
from console.clouds.openstack.service import Service, Version
from console.clouds.openstack.shapes import NovaFlavor, NovaServer
from console.clouds.openstack.sparse import LATER, SparseServer, complete
from console.clouds.rates import obey
from console.errors import NotFound
from console.model.flavor import Flavor
from console.model.keypair import KeyPair
from console.model.place import Key, Origin, Row
from console.model.quota import Limit, Limits
from console.model.server import Server
from console.text import Secret, clean_lines, clean_tree, read_tree
from console.wire.message import Reply, read_json, refuse_body, request_id
from console.wire.pace import Pace

R = TypeVar("R", bound=Row)

LISTING_DEADLINE = 90.0  # seconds for one page: a busy control plane takes ten for a thousand servers
_NO_NETWORKS = Version(2, 36)  # the last at which Nova picks the only network by itself
_BINNED = "SOFT_DELETED"  # deleted, and to be had back for a while
_EVER = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_PERSONALITY = Version(2, 56)  # the last that takes files

_SERVER_FILTERS = {
    "name": "name",
    "status": "status",
    "image_id": "image",
    "flavor_id": "flavor",
    "host": "host",
    "project_id": "project_id",
    "user_id": "user_id",
    "ip": "ip",
    "ip6": "ip6",
    "tags": "tags",
    "locked": "locked",
    "deleted": "deleted",
    "uuid": "uuid",
    "key_name": "key_name",
    "zone": "availability_zone",
}
_FLAVOR_FILTERS = {"min_disk": "minDisk", "min_ram": "minRam", "is_public": "is_public"}
_LIMIT_NAMES = {
    "instances": ("maxTotalInstances", "totalInstancesUsed", ""),
    "cores": ("maxTotalCores", "totalCoresUsed", ""),
    "ram": ("maxTotalRAMSize", "totalRAMUsed", "MB"),
    "keypairs": ("maxTotalKeypairs", None, ""),
    "metadata": ("maxServerMeta", None, ""),
    "image_metadata": ("maxImageMeta", None, ""),
    "personality": ("maxPersonality", None, ""),
    "personality_size": ("maxPersonalitySize", None, "B"),
    "server_groups": ("maxServerGroups", "totalServerGroupsUsed", ""),
    "server_group_members": ("maxServerGroupMembers", None, ""),
    "floating_ips": ("maxTotalFloatingIps", "totalFloatingIpsUsed", ""),
    "security_groups": ("maxSecurityGroups", "totalSecurityGroupsUsed", ""),
    "security_group_rules": ("maxSecurityGroupRules", None, ""),
}


class _One(msgspec.Struct, gc=False):
    """The answer to a question for one thing."""

    server: msgspec.Raw = msgspec.Raw(b"")
    flavor: msgspec.Raw = msgspec.Raw(b"")


_read_one = msgspec.json.Decoder(_One).decode


class Nova:
    """What one account reads and orders at one compute service."""

    def __init__(
        self,
        service: Service,
        origin: Origin,
        *,
        region: str,
        user_id: str = "",
        flavors: Callable[[Iterable[bytes]], Iterable[Flavor]] | None = None,
    ) -> None:
        self.service = service
        self._origin = origin
        self._region = region
        self._user_id = user_id
        place = service.place
        times = ("created", "updated", "launched_at", "terminated_at")
        sparse = Sparse(SparseServer, LATER, complete)
        servers = Reader(NovaServer, "server", origin, region=region, naive=times, sparse=sparse)
        self._servers = Memo("servers", servers.many, place)
        flavors = flavors or Reader(NovaFlavor, "flavor", origin, region=region).many
        self._flavors = Memo("flavors", flavors, place)
        self._keypairs = Memo("keypairs", lambda records: filter(None, map(self._keypair, records)), place)

    def servers(
        self, *, changes_since: dt.datetime | None = None, filters: Filters | None = None, all_projects: bool = False
    ) -> AsyncIterator[Sequence[Server]]:
        """Pages of servers. No limit is named: with one, Nova leaves out the servers of cells that are down."""
        params = [*_query(filters or {}, _SERVER_FILTERS)]
        binned = changes_since is None and (filters or {}).get("status") == _BINNED
        if binned:  # Nova tells of them only in a list of changes
            changes_since = _EVER
        if changes_since is not None:
            params.append(("changes-since", changes_since.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
        whole = not params
        if all_projects:
            params.append(("all_tenants", "1"))
        pages = self._pages("servers/detail", params, self._servers, "all" if all_projects else "own", whole)
        return _only_binned(pages) if binned else pages

    def flavors(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Flavor]]:
        """Pages of flavors; an administrator sees the private ones too."""
        params = [*_query(filters or {}, _FLAVOR_FILTERS)]
        whole = not params
        if self._origin.privilege > 1 and whole:
            params.append(("is_public", "None"))
        return self._pages("flavors/detail", params, self._flavors, "", whole)

    def keypairs(self) -> AsyncIterator[Sequence[KeyPair]]:
        """Pages of the user's own key pairs."""
        return self._pages("os-keypairs", [], self._keypairs, "", True)

    async def _pages(
        self, path: str, params: list[tuple[str, Any]], memo: Memo[R], name: str, whole: bool
    ) -> AsyncIterator[Sequence[R]]:
        turn = memo.turn(name) if whole else memo.turn("part")
        async for rows in self.service.pages(path, params, turn.page, deadline=self._listing_deadline()):
            yield rows
        if whole:
            turn.done(whole=True)

    def _listing_deadline(self) -> float:
        return max(self.service.deadline, LISTING_DEADLINE) if self.service.patient else self.service.deadline

    async def server(self, id: str) -> Server:
        """One server, read now. Raises `NotFound`."""
        reply = await self.service.get(f"servers/{id}")
        return self._row(reply, "server", self._servers)

    async def flavor(self, id: str) -> Flavor:
        """One flavor. A deleted one is `NotFound`, though servers may still have it."""
        reply = await self.service.get(f"flavors/{id}")
        return self._row(reply, "flavor", self._flavors)

    def _row(self, reply: Reply, name: str, memo: Memo[R]) -> R:
        try:
            record = bytes(getattr(_read_one(reply.body), name))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            record = b""
        row = memo.row(record, alone=True) if record else None
        if row is None:
            refuse_body(reply, self.service.place, f"something that is no {name}")
        return row

    def _keypair(self, record: bytes) -> KeyPair | None:
        tree = clean_tree(read_tree(record))
        pair = tree.get("keypair", tree) if isinstance(tree, dict) else None
        if not isinstance(pair, dict) or not isinstance(pair.get("name"), str):
            return None
        own = pair["name"]
        told = {
            field: pair[field] for field in ("public_key", "fingerprint", "type") if isinstance(pair.get(field), str)
        }
        key = Key(self._origin.endpoint, self._region, "keypair", f"{self._user_id}/{own}")
        return KeyPair(id=own, name=own, key=key, place=self._origin.place, record=record, **told)

    async def limits(self, pace: Pace | None = None) -> Limits:
        """The project's limits and use; -1 is no limit. Rates, which old clouds tell with them, are given to `pace`."""
        reply = await self.service.get("limits")
        tree = read_json(reply, self.service.place)
        limits = tree.get("limits") if isinstance(tree, dict) else None
        told = limits.get("absolute") if isinstance(limits, dict) else None
        if not isinstance(told, dict):
            refuse_body(reply, self.service.place, "something that is no list of limits")
        if pace is not None and isinstance(limits, dict):
            obey(pace, limits.get("rate"))
        found = {name: _limit(name, told, *names) for name, names in _LIMIT_NAMES.items() if names[0] in told}
        return Limits(self._origin.place, found)

    async def console_log(self, id: str, *, lines: int | None = None) -> str:
        """The console's text; "" where there is none yet."""
        asked = {} if lines is None else {"length": lines}
        tree = read_json(await self._act(id, "os-getConsoleOutput", asked), self.service.place)
        return clean_lines(str(tree.get("output") or "")) if isinstance(tree, dict) else ""

    async def instance_actions(self, id: str) -> list[dict[str, Any]]:
        """What was asked of a server, newest first."""
        reply = await self.service.get(f"servers/{id}/os-instance-actions")
        tree = clean_tree(read_json(reply, self.service.place))
        found = tree.get("instanceActions") if isinstance(tree, dict) else None
        if not isinstance(found, list):
            refuse_body(reply, self.service.place, "something that is no list of actions")
        return [action for action in found if isinstance(action, dict)]

    async def create_server(self, name: str, **given: Any) -> Accepted:
        """Order a server; see `new_server` for what may be given."""
        most = _PERSONALITY if given.get("personality") else None
        if given.get("networks") is None and not given.get("tags") and not given.get("hostname"):
            most = _NO_NETWORKS
        reply = await self.service.post("servers", new_server(name, **given), most=most)
        tree = clean_tree(read_json(reply, self.service.place))
        server = tree.get("server") if isinstance(tree, dict) else None
        id = server.get("id") if isinstance(server, dict) else None
        if not isinstance(server, dict) or not isinstance(id, str):
            refuse_body(reply, self.service.place, "something that is no new server")
        secret = server.get("adminPass")
        return Accepted(request_id(reply.headers), id, Secret(secret) if isinstance(secret, str) else None)

    async def delete_server(self, id: str) -> Accepted:
        """Order a server's end; one that is gone already is no error."""
        try:
            return accepted(await self.service.delete(f"servers/{id}"))
        except NotFound as error:
            return Accepted(error.request_id)

    async def reboot(self, id: str, *, hard: bool = False) -> Accepted:
        """Restart by the guest's own shutdown, or by the power."""
        return accepted(await self._act(id, "reboot", {"type": "HARD" if hard else "SOFT"}))

    async def resize(self, id: str, flavor_id: str) -> Accepted:
        """Move to another flavor; it ends in VERIFY_RESIZE."""
        return accepted(await self._act(id, "resize", {"flavorRef": flavor_id}))

    async def confirm_resize(self, id: str) -> Accepted:
        """Keep the new flavor."""
        return accepted(await self._act(id, "confirmResize", None))

    async def revert_resize(self, id: str) -> Accepted:
        """Go back to the old flavor."""
        return accepted(await self._act(id, "revertResize", None))

    async def create_image(self, id: str, name: str, *, metadata: Mapping[str, str] | None = None) -> Accepted:
        """Make an image of a server's disk; its id comes in the body, or (before 2.45) as the end of an address."""
        asked: dict[str, Any] = {"name": name} | ({"metadata": dict(metadata)} if metadata else {})
        return accepted(await self._act(id, "createImage", asked))

    async def _act(self, id: str, action: str, asked: Any, *, most: Version | None = None) -> Reply:
        return await self.service.post(f"servers/{id}/action", {action: asked}, most=most)


async def _only_binned(pages: AsyncIterator[Sequence[Server]]) -> AsyncIterator[Sequence[Server]]:
    """Without those that were in the bin once, and are gone for good."""
    async for rows in pages:
        yield [row for row in rows if row.word == _BINNED]


def _query(filters: Filters, names: Mapping[str, str]) -> list[tuple[str, Any]]:
    """A filter's value may be a list, which fits any of them; a server_id is nothing that servers are filtered by."""
    return [(names.get(name, name), value) for name, value in filters.items() if value is not None]


def _limit(name: str, told: Mapping[str, Any], most: str, used: str | None, unit: str) -> Limit:
    top = told.get(most)
    count = told.get(used) if used else None
    top = top if isinstance(top, int) and top >= 0 else None
    return Limit(name, top, count if isinstance(count, int) else None, unit)
