"""The rest of v1.0: flavors, images, addresses, backup schedules, shared IP groups and limits."""

from __future__ import annotations

from aiohttp import web

from console.sim.call import Call, Fault
from console.sim.firstgen_api import FirstGen, done, number
from console.sim.firstgen_backup import DAILY, WEEKLY, Backups
from console.sim.firstgen_servers import find_flavor, find_group, find_server, ready
from console.sim.firstgen_store import OldImage, OldServer, Schedule, SharedIpGroup
from console.sim.firstgen_views import addresses, brief, limits, schedule

TAKEN = "backupOrResizeInProgress"


class Offers:
    """The /flavors, /images and /limits routes."""

    def __init__(self, cloud: FirstGen) -> None:
        self.cloud = cloud
        self.store = cloud.store
        self.views = cloud.views
        cloud.router.table(
            {
                "GET /flavors": self.brief_flavors,
                "GET /flavors/detail": self.flavors,
                "GET /flavors/{id}": self.flavor,
                "GET /images": self.brief_images,
                "GET /images/detail": self.images,
                "GET /images/{id}": self.image,
                "POST /images": self.create_image,
                "DELETE /images/{id}": self.drop_image,
                "GET /limits": self.limits,
            }
        )

    async def brief_flavors(self, call: Call) -> web.Response:
        """GET /flavors."""
        return self.cloud.listing(call, "flavors", [brief(flavor) for flavor in self.store.flavors.values()])

    async def flavors(self, call: Call) -> web.Response:
        """GET /flavors/detail."""
        rows = [self.views.flavor(flavor) for flavor in self.store.flavors.values()]
        return self.cloud.listing(call, "flavors", rows)

    async def flavor(self, call: Call) -> web.Response:
        """GET /flavors/{id}."""
        flavor = find_flavor(self.cloud, number(call.names["id"], "flavor"))
        return self.cloud.say(call, 200, {"flavor": self.views.flavor(flavor)})

    def _images(self, call: Call) -> list[OldImage]:
        since = self.cloud.since(call) or 0.0
        return [image for image in self.store.images.values() if image.updated >= since]

    async def brief_images(self, call: Call) -> web.Response:
        """GET /images."""
        return self.cloud.listing(call, "images", [brief(image) for image in self._images(call)])

    async def images(self, call: Call) -> web.Response:
        """GET /images/detail."""
        return self.cloud.listing(call, "images", [self.views.image(image) for image in self._images(call)])

    def _image(self, call: Call) -> OldImage:
        found = self.store.images.get(number(call.names["id"], "image"))
        if found is None:
            raise Fault(404, f"There is no image {call.names['id']}.")
        return found

    async def image(self, call: Call) -> web.Response:
        """GET /images/{id}."""
        return self.cloud.say(call, 200, {"image": self.views.image(self._image(call))})

    async def create_image(self, call: Call) -> web.Response:
        """POST /images."""
        wanted = self.cloud.given(call, "image")
        if not isinstance(wanted.get("name"), str) or not wanted["name"].strip():
            raise Fault(400, "An image has a name.")
        call.names = {"id": str(wanted.get("serverId", ""))}
        server = _can_be_imaged(self.cloud, find_server(self.cloud, call))
        image = self.cloud.lives.image(server, wanted["name"])
        return self.cloud.say(call, 202, {"image": self.views.image(image)})

    async def drop_image(self, call: Call) -> web.Response:
        """DELETE /images/{id}: at once; what is on offer to everybody stays."""
        image = self._image(call)
        if image.server_id is None:
            raise Fault(401, f"Image {image.id} is not yours.")
        del self.store.images[image.id]
        return done(204)

    async def limits(self, call: Call) -> web.Response:
        """GET /limits."""
        tree = limits(self.cloud.rates, self.store.account, self.store.limits)
        return self.cloud.say(call, 200, {"limits": tree})


class Schedules:
    """The /servers/{id}/backup_schedule routes."""

    def __init__(self, cloud: FirstGen, backups: Backups) -> None:
        self.cloud = cloud
        self.backups = backups
        cloud.router.table(
            {
                "GET /servers/{id}/backup_schedule": self.show,
                "POST /servers/{id}/backup_schedule": self.change,
                "DELETE /servers/{id}/backup_schedule": self.disable,
            }
        )

    async def show(self, call: Call) -> web.Response:
        """GET: what was set last, or that nothing ever was."""
        return self.cloud.say(call, 200, {"backupSchedule": schedule(find_server(self.cloud, call).schedule)})

    async def change(self, call: Call) -> web.Response:
        """POST: creates and updates alike; what is left out is disabled."""
        server = _can_be_imaged(self.cloud, find_server(self.cloud, call))
        wanted = self.cloud.given(call, "backupSchedule")
        weekly, daily = wanted.get("weekly", "DISABLED"), wanted.get("daily", "DISABLED")
        if weekly not in WEEKLY or daily not in DAILY or not isinstance(wanted.get("enabled"), bool):
            raise Fault(400, "A backup schedule has enabled, a weekly day and a daily window.")
        self.backups.change(server, Schedule(wanted["enabled"], weekly, daily))
        return done(204)

    async def disable(self, call: Call) -> web.Response:
        """DELETE: the schedule is disabled and remains."""
        server = _can_be_imaged(self.cloud, find_server(self.cloud, call))
        self.backups.change(server, Schedule(False, server.schedule.weekly, server.schedule.daily))
        return done(204)


class Sharing:
    """The /servers/{id}/ips and /shared_ip_groups routes."""

    def __init__(self, cloud: FirstGen) -> None:
        self.cloud = cloud
        self.store = cloud.store
        cloud.router.table(
            {
                "GET /servers/{id}/ips": self.ips,
                "GET /servers/{id}/ips/{kind}": self.ips_of,
                "PUT /servers/{id}/ips/public/{address}": self.share,
                "DELETE /servers/{id}/ips/public/{address}": self.unshare,
                "GET /shared_ip_groups": self.brief_groups,
                "GET /shared_ip_groups/detail": self.groups,
                "GET /shared_ip_groups/{id}": self.group,
                "POST /shared_ip_groups": self.create,
                "DELETE /shared_ip_groups/{id}": self.drop,
            }
        )

    async def ips(self, call: Call) -> web.Response:
        """GET /servers/{id}/ips."""
        return self.cloud.say(call, 200, {"addresses": addresses(find_server(self.cloud, call))})

    async def ips_of(self, call: Call) -> web.Response:
        """GET /servers/{id}/ips/public and /private."""
        found, kind = addresses(find_server(self.cloud, call)), call.names["kind"]
        if kind not in found:
            raise Fault(404, f"There are no {kind} addresses.")
        return self.cloud.say(call, 200, {kind: found[kind]})

    async def share(self, call: Call) -> web.Response:
        """PUT: another member's address becomes this server's too."""
        server, address = ready(find_server(self.cloud, call)), call.names["address"]
        wanted = self.cloud.given(call, "shareIp")
        group = find_group(self.cloud, wanted.get("sharedIpGroupId"))
        if server.group_id != group.id:
            raise Fault(400, f"Server {server.id} is not in shared IP group {group.id}.")
        holders = self.store.holders(address)
        if server in holders or not any(holder.group_id == group.id for holder in holders):
            raise Fault(400, f"{address} is no address of another server in shared IP group {group.id}.")
        life = "share_ip" if wanted.get("configureServer") is True else "share_ip_no_config"
        self.cloud.lives.run(server, life, address=address)
        return done()

    async def unshare(self, call: Call) -> web.Response:
        """DELETE: the address stays with the others that have it."""
        server, address = ready(find_server(self.cloud, call)), call.names["address"]
        holders = self.store.holders(address)
        if server not in holders:
            raise Fault(404, f"Server {server.id} has no public address {address}.")
        if len(holders) < 2:
            raise Fault(400, f"{address} is not shared.")
        self.cloud.lives.run(server, "delete_ip", address=address)
        return done()

    async def brief_groups(self, call: Call) -> web.Response:
        """GET /shared_ip_groups."""
        return self.cloud.listing(call, "sharedIpGroups", [brief(group) for group in self._groups(call)])

    async def groups(self, call: Call) -> web.Response:
        """GET /shared_ip_groups/detail."""
        rows = [self.cloud.views.group(group) for group in self._groups(call)]
        return self.cloud.listing(call, "sharedIpGroups", rows)

    def _groups(self, call: Call) -> list[SharedIpGroup]:
        since = self.cloud.since(call) or 0.0
        return [group for group in self.store.groups.values() if group.updated >= since]

    def _named(self, call: Call) -> SharedIpGroup:
        return find_group(self.cloud, number(call.names["id"], "shared IP group"))

    async def group(self, call: Call) -> web.Response:
        """GET /shared_ip_groups/{id}."""
        return self.cloud.say(call, 200, {"sharedIpGroup": self.cloud.views.group(self._named(call))})

    async def create(self, call: Call) -> web.Response:
        """POST /shared_ip_groups: empty, or with one server, which is the only one that may join late."""
        wanted = self.cloud.given(call, "sharedIpGroup")
        if not isinstance(wanted.get("name"), str) or not wanted["name"].strip() or "servers" in wanted:
            raise Fault(400, "A shared IP group has a name, and one server at most.")
        first = self._first(call, wanted.get("server"))
        if len(self.store.groups) >= self.store.limits["maxIPGroups"]:
            raise Fault(413, "The account has as many shared IP groups as it may have.")
        group = self.store.add_group(wanted["name"])
        if first is not None:
            first.group_id, first.updated = group.id, group.updated
        return self.cloud.say(call, 201, {"sharedIpGroup": self.cloud.views.group(group)})

    def _first(self, call: Call, id: object) -> OldServer | None:
        if id is None:
            return None
        call.names = {"id": str(id)}
        server = find_server(self.cloud, call)
        if server.group_id is not None:
            raise Fault(400, f"Server {server.id} is in shared IP group {server.group_id} already.")
        return server

    async def drop(self, call: Call) -> web.Response:
        """DELETE /shared_ip_groups/{id}: not while its servers share an address."""
        group = self._named(call)
        members = self.store.members(group)
        if any(len(self.store.holders(address)) > 1 for member in members for address in member.public):
            raise Fault(400, "Servers of this group share an address.", kind="cloudServersFault")
        for member in members:
            member.group_id, member.updated = None, self.cloud.clock.time()
        del self.store.groups[group.id]
        return done(204)


def _can_be_imaged(cloud: FirstGen, server: OldServer) -> OldServer:
    if server.status in ("BUILD", "REBUILD"):
        ready(server)
    if server.status != "ACTIVE" or cloud.store.in_flight(server):
        raise Fault(409, f"Server {server.id} is being imaged or resized.", kind=TAKEN)
    return server
