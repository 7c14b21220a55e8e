"""v1.0's servers: listing, creating, renaming, deleting, and what can be done with them."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault
from console.sim.firstgen_api import FirstGen, done, number
from console.sim.firstgen_store import OldFlavor, OldServer, SharedIpGroup
from console.sim.firstgen_views import brief

BUSY = "buildInProgress"
GONE_FROM = {"ACTIVE", "SUSPENDED", "ERROR", "VERIFY_RESIZE", "UNKNOWN", "RESCUE"}
REBOOTS = {"SOFT": "reboot_soft", "HARD": "reboot_hard"}
MOST_PAIRS, MOST_FILES, LONGEST, BIGGEST = 5, 5, 255, 10_240


class OldServers:
    """The /servers routes."""

    def __init__(self, cloud: FirstGen) -> None:
        self.cloud = cloud
        self.store = cloud.store
        self.lives = cloud.lives
        cloud.router.table(
            {
                "GET /servers": self.brief_list,
                "GET /servers/detail": self.detail_list,
                "POST /servers": self.create,
                "GET /servers/{id}": self.show,
                "PUT /servers/{id}": self.update,
                "DELETE /servers/{id}": self.delete,
                "POST /servers/{id}/action": self.act,
            }
        )

    async def brief_list(self, call: Call) -> web.Response:
        """GET /servers."""
        return self.cloud.listing(call, "servers", [brief(server) for server in self._asked_for(call)])

    async def detail_list(self, call: Call) -> web.Response:
        """GET /servers/detail."""
        rows = [self.cloud.views.server(server) for server in self._asked_for(call)]
        return self.cloud.listing(call, "servers", rows)

    def _asked_for(self, call: Call) -> list[OldServer]:
        since = self.cloud.since(call)
        if since is None:
            return self.store.alive()
        return [server for server in self.store.servers.values() if server.updated >= since]

    async def show(self, call: Call) -> web.Response:
        """GET /servers/{id}."""
        return self.cloud.say(call, 200, {"server": self.cloud.views.server(find_server(self.cloud, call))})

    async def create(self, call: Call) -> web.Response:
        """POST /servers."""
        wanted = self.cloud.given(call, "server")
        name, flavor = _name(wanted.get("name")), find_flavor(self.cloud, wanted.get("flavorId"))
        image_id = usable_image(self.cloud, wanted.get("imageId"))
        metadata, files = _metadata(wanted.get("metadata")), _files(wanted.get("personality"))
        group, address = self._place_in_group(wanted)
        if metadata.get("lab_fail") == "capacity":
            raise Fault(503, "There is no room for this server now.", kind="serverCapacityUnavailable")
        self._room_for(flavor.ram)
        server = self.store.add_server(name, image_id, flavor)
        server.metadata, server.files, server.group_id = metadata, files, group.id if group else None
        if address is not None:
            server.public = [address]
        self.lives.run(server, "build")
        if self.cloud.trouble.takes("build_hang", self.cloud.cloud, self.cloud.region):
            server.motion += 1  # and nothing follows
        if self.cloud.trouble.takes("lost_reply", self.cloud.cloud, self.cloud.region):
            raise Fault(500, "Fault!")
        return self.cloud.say(call, 202, {"server": self.cloud.views.server(server, with_password=True)})

    def _room_for(self, ram: int) -> None:
        if self.store.ram() + ram > self.store.limits["maxTotalRAMSize"]:
            raise Fault(413, "The total RAM of all servers would be over the account's limit.")

    def _place_in_group(self, wanted: dict[str, Any]) -> tuple[SharedIpGroup | None, str | None]:
        addresses = (wanted.get("addresses") or {}).get("public") or []
        if wanted.get("sharedIpGroupId") is None:
            if addresses:
                raise Fault(400, "A public address can only be given together with a sharedIpGroupId.")
            return None, None
        group = find_group(self.cloud, wanted["sharedIpGroupId"])
        members = self.store.members(group)
        if len(members) >= self.store.limits["maxIPGroupMembers"]:
            raise Fault(413, "The shared IP group is full.")
        known = {address for member in members for address in member.public}
        if len(addresses) > 1 or not set(addresses) <= known:
            raise Fault(400, "The public address is none of this shared IP group.")
        return group, addresses[0] if addresses else None

    async def update(self, call: Call) -> web.Response:
        """PUT /servers/{id}: name, password, or both."""
        server = ready(find_server(self.cloud, call))
        wanted = self.cloud.given(call, "server")
        if not {"name", "adminPass"} & wanted.keys():
            raise Fault(400, "Neither name nor adminPass is given.")
        if "name" in wanted:
            server.name, server.updated = _name(wanted["name"]), self.cloud.clock.time()
        if "adminPass" in wanted:
            self.lives.run(server, "password", password=str(wanted["adminPass"]))
        return done(204)

    async def delete(self, call: Call) -> web.Response:
        """DELETE /servers/{id}: its images go with it."""
        server = find_server(self.cloud, call)
        if server.status not in GONE_FROM:
            raise Fault(409, f"Server {server.id} is busy: {server.status}.", kind=BUSY)
        self.lives.delete(server)
        return done()

    async def act(self, call: Call) -> web.Response:
        """POST /servers/{id}/action."""
        server, body = find_server(self.cloud, call), call.json()
        doing = {
            "reboot": self._reboot,
            "rebuild": self._rebuild,
            "resize": self._resize,
            "confirmResize": self._confirm,
            "revertResize": self._revert,
        }
        name = next(iter(body), "")
        if len(body) != 1 or name not in doing:
            raise Fault(400, f"There is no such action: {name or 'none is named'}.")
        given = body[name] if isinstance(body[name], dict) else {}
        return doing[name](server, given)

    def _reboot(self, server: OldServer, given: dict[str, Any]) -> web.Response:
        life = REBOOTS.get(str(given.get("type")).upper())
        if life is None:
            raise Fault(400, "The type of a reboot is HARD or SOFT.")
        self.lives.run(ready(server), life)
        return done()

    def _rebuild(self, server: OldServer, given: dict[str, Any]) -> web.Response:
        if server.status != "ERROR":
            ready(server)
        if given.get("imageId") is not None:
            server.image_id = usable_image(self.cloud, given["imageId"])
        self.lives.run(server, "rebuild")
        return done()

    def _resize(self, server: OldServer, given: dict[str, Any]) -> web.Response:
        flavor = find_flavor(self.cloud, given.get("flavorId"))
        if server.status in ("BUILD", "REBUILD"):
            ready(server)
        if server.status != "ACTIVE":
            raise _not_allowed(f"Server {server.id} cannot be resized while it is {server.status}.")
        if flavor.id == server.flavor.id:
            raise _not_allowed("The server has this flavor already.")
        if self.store.in_flight(server):
            raise _not_allowed("An image of this server is being made.")
        self._room_for(flavor.ram - server.flavor.ram)
        fails = server.metadata.get("lab_fail") == "resize"
        self.lives.run(server, "resize_failed" if fails else "resize", flavor=flavor)
        return done()

    def _confirm(self, server: OldServer, given: dict[str, Any]) -> web.Response:
        self._answer(server, "confirm")
        return done(204)

    def _revert(self, server: OldServer, given: dict[str, Any]) -> web.Response:
        self._answer(server, "revert")
        return done()

    def _answer(self, server: OldServer, life: str) -> None:
        if server.status != "VERIFY_RESIZE":
            raise _not_allowed(f"Server {server.id} has no resize to {life}: it is {server.status}.")
        self.lives.run(server, life)


def find_server(cloud: FirstGen, call: Call) -> OldServer:
    """The server that a path names; 404 where there is none."""
    found = cloud.store.servers.get(number(call.names["id"], "server"))
    if found is None or found.deleted:
        raise Fault(404, f"There is no server {call.names['id']}.")
    return found


def ready(server: OldServer) -> OldServer:
    """The server, if nothing is under way with it; 409 otherwise."""
    if server.status != "ACTIVE":
        raise Fault(409, f"Server {server.id} is busy: {server.status}.", kind=BUSY)
    return server


def find_flavor(cloud: FirstGen, id: Any) -> OldFlavor:
    """The flavor with this number; 404 where there is none, 400 where it is no number."""
    found = cloud.store.flavors.get(_whole(id, "flavorId"))
    if found is None:
        raise Fault(404, f"There is no flavor {id}.")
    return found


def usable_image(cloud: FirstGen, id: Any) -> int:
    """The number of an image that servers can be made from."""
    found = cloud.store.images.get(_whole(id, "imageId"))
    if found is None:
        raise Fault(404, f"There is no image {id}.")
    if found.status != "ACTIVE":
        raise Fault(400, f"Image {id} is not ready: {found.status}.")
    return found.id


def find_group(cloud: FirstGen, id: Any) -> SharedIpGroup:
    """The shared IP group with this number; 404 where there is none."""
    found = cloud.store.groups.get(_whole(id, "sharedIpGroupId"))
    if found is None:
        raise Fault(404, f"There is no shared IP group {id}.")
    return found


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault(400, f"{what} is a whole number.")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Fault(400, "A server has a name.")
    return value


def _not_allowed(why: str) -> Fault:
    return Fault(403, why, kind="resizeNotAllowed")


def _metadata(wanted: Any) -> dict[str, str]:
    pairs = wanted or {}
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        raise Fault(400, "Metadata is pairs of text.")
    if len(pairs) > MOST_PAIRS:
        raise Fault(413, f"A server has {MOST_PAIRS} pairs of metadata at most.")
    if any(len(text.encode()) > LONGEST for pair in pairs.items() for text in pair):
        raise Fault(400, f"A key or value of metadata has {LONGEST} bytes at most.")
    return pairs


def _files(wanted: Any) -> dict[str, bytes]:
    rows = wanted or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Fault(400, "A personality is a list of files.")
    if len(rows) > MOST_FILES:
        raise Fault(413, f"A personality has {MOST_FILES} files at most.")
    return dict(_file(row) for row in rows)


def _file(row: dict[str, Any]) -> tuple[str, bytes]:
    path = str(row.get("path") or "")
    try:
        data = b64decode("".join(str(row.get("contents") or "").split()), validate=True)
    except Error:
        raise Fault(400, f"The contents of {path} are no base64.") from None
    if not path or len(path.encode()) > LONGEST or len(data) > BIGGEST:
        raise Fault(400, f"A file has a path of {LONGEST} bytes at most and {BIGGEST} bytes at most.")
    return path, data
