"""Rackspace's next generation: a frozen Nova without microversions, and what Rackspace put beside it.

Read like any OpenStack, but found by its service's name, since the first generation is listed under the same type.
Images come through compute's own list of them, which tells whose schedule made one. What a flavor allows is told by its
class and is data here: what Rackspace allowed changed over the years, so a class that is not listed is left to it.
"""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from console.clouds.accounts import Account
from console.clouds.dialect import Accepted, Filters
from console.clouds.fields import Record, inner, moment, number, pairs, reader, text, text_id
from console.clouds.login import Access
from console.clouds.openstack.catalog import Endpoint, put_together, take_apart
from console.clouds.openstack.cloud import Opening, OpenStack
from console.clouds.openstack.nova import Nova
from console.clouds.openstack.orders import accepted
from console.clouds.openstack.records import Memo
from console.clouds.openstack.service import Service
from console.errors import BadReply, CloudError, NotFound
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Key, Origin
from console.model.quota import Limits
from console.model.schedule import Schedule
from console.model.server import Server
from console.text import clean_tree
from console.wire.message import read_json, refuse_body
from console.wire.transport import Transport

SERVICE = "cloudServersOpenStack"
MARK = "scheduled_images_service"
MARKS = ("org.openstack__1__created_by", "org.openstack__1__created-by")  # as it is, and as the guide spells it
RESIZES = {
    "standard_flavor": "any",
    "general_flavor": "up",
    "memory_flavor": "up",
    "performance_flavor": "none",
    "io_flavor": "none",
    "onmetal_flavor": "none",
}
_CHANGES = "/servers/detail?changes-since="
_WANTED = 20 / 60  # questions in a second that three consoles ask about what has changed
_OFFERED = frozenset(
    f"{noun}.{verb}"
    for noun, words in {
        "server": "list changes get create delete files reboot resize confirm revert rebuild snapshot rescue unrescue"
        " start stop change_password update metadata remote_console console_log history image_schedule attach_volume"
        " detach_volume",
        "flavor": "list",
        "image": "list get delete keep",
        "keypair": "list create delete",
        "schedule": "list",
    }.items()
    for verb in words.split()
) | {"limits"}


class Images:
    """Compute's own list of images, with Glance's verbs."""

    def __init__(self, service: Service, origin: Origin, region: str) -> None:
        self.service = service
        self._images = Memo("images", reader("image", image, origin, region), service.place)

    async def images(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Image]]:
        """Pages of images."""
        names = {"server_id": "server", "status": "status", "name": "name"}
        params = [(names.get(name, name), value) for name, value in (filters or {}).items() if value is not None]
        turn = self._images.turn("part" if params else "")
        async for rows in self.service.pages("images/detail", params, turn.page):
            yield rows
        if not params:
            turn.done(whole=True)

    async def image(self, id: str) -> Image:
        """One image, read now."""
        reply = await self.service.get(f"images/{id}")
        row = self._images.row(inner(reply.body, "image"), alone=True)
        if row is None:
            refuse_body(reply, self.service.place, "something that is no image")
        return row

    async def set_image(self, id: str, properties: Mapping[str, str]) -> Accepted:
        """Give an image these properties."""
        return accepted(await self.service.post(f"images/{id}/metadata", {"metadata": dict(properties)}))

    async def delete_image(self, id: str) -> Accepted:
        """Order an image's end; one that is gone already is no error."""
        try:
            return accepted(await self.service.delete(f"images/{id}"))
        except NotFound as error:
            return Accepted(error.request_id)

    async def keep(self, id: str) -> Accepted:
        """Take the schedule's mark off an image, so that no retention counts it."""
        done = Accepted()
        for mark in MARKS:
            try:
                done = accepted(await self.service.delete(f"images/{id}/metadata/{mark}"))
            except NotFound as error:
                done = done if done.request_id else Accepted(error.request_id)
        return done


class Rackspace(OpenStack):
    """The verbs of one account in one region."""

    nowhere: Mapping[str, str] = {}  # this old Nova takes an access address away

    def __init__(self, origin: Origin, nova: Nova, images: Images, **own: Any) -> None:
        super().__init__(origin, nova, images, None, **own)
        self._own_images = images
        self.verbs = _OFFERED

    async def limits(self) -> Limits:
        """What the account may use and uses; the rates that come with it are obeyed from now on."""
        found = await self.nova.limits(self.pace)
        if any(limit.counts("GET", _CHANGES) and limit.most / limit.seconds < _WANTED for limit in self.pace.limits):
            self.verbs = _OFFERED - {"server.changes"}  # so few that plain lists are the sane poll
        return found

    async def schedules(self) -> AsyncIterator[Sequence[Schedule]]:
        """The schedules of all servers that have one: the list of servers tells them."""
        async for page in self.servers():
            yield [schedule_of(server) for server in page if server.image_schedule is not None]

    async def schedule(self, server_id: str) -> Schedule:
        """One server's schedule; one without has none that is enabled."""
        server = await self.server(server_id)
        try:
            reply = await self.nova.service.get(f"servers/{server_id}/rax-si-image-schedule")
        except NotFound:
            return schedule_of(server, {})
        tree = clean_tree(read_json(reply, self.nova.service.place))
        found = tree.get("image_schedule") if isinstance(tree, dict) else None
        if not isinstance(found, dict):
            refuse_body(reply, self.nova.service.place, "something that is no schedule of images")
        return schedule_of(server, found)

    async def act(self, verb: str, id: str, **given: Any) -> Accepted:
        """As any OpenStack, and what Rackspace has beside it."""
        if verb == "server.image_schedule":
            return await self._set_schedule(id, **given)
        if verb == "image.keep":
            return await self._own_images.keep(id)
        return await super().act(verb, id, **given)

    async def _set_schedule(self, id: str, enabled: bool, keeps: int = 0, day: str = "") -> Accepted:
        path = f"servers/{id}/rax-si-image-schedule"
        if not enabled:
            return accepted(await self.nova.service.delete(path))
        asked = {"retention": keeps} | ({"day_of_week": day} if day else {})
        return accepted(await self.nova.service.post(path, {"image_schedule": asked}))


def image(tree: Record) -> Image:
    """An image as compute tells it: its properties are metadata, and one with a server is a snapshot."""
    metadata = pairs(tree.get("metadata")) or {}
    told = tree.get("server")
    server = text_id(told.get("id")) if isinstance(told, dict) else None
    return Image(
        id=text_id(tree["id"]) or "",
        name=text(tree, "name") or "",
        word=text(tree, "status"),
        progress=number(tree, "progress"),
        created=moment(tree.get("created")),
        updated=moment(tree.get("updated")),
        min_disk=number(tree, "minDisk"),
        min_ram=number(tree, "minRam"),
        size=number(tree, "OS-EXT-IMG-SIZE:size"),
        image_type=metadata.get("image_type"),
        server_id=metadata.get("instance_uuid") or server,
        base_image_id=metadata.get("base_image_ref"),
        os_distro=metadata.get("os_distro") or metadata.get("org.openstack__1__os_distro"),
        os_type=metadata.get("os_type"),
        visibility="private" if server or metadata.get("image_type") == "snapshot" else "public",
        scheduled=any(metadata.get(mark, "").replace("-", "_") == MARK for mark in MARKS),
    )


def flavor(tree: Record) -> Flavor:
    """A flavor, and what its class allows."""
    specs = pairs(tree.get("OS-FLV-WITH-EXT-SPECS:extra_specs")) or {}
    return Flavor(
        id=text_id(tree["id"]) or "",
        name=text(tree, "name") or "",
        vcpus=number(tree, "vcpus"),
        ram=number(tree, "ram"),
        disk=number(tree, "disk"),
        ephemeral=number(tree, "OS-FLV-EXT-DATA:ephemeral"),
        swap=number(tree, "swap"),
        extra_specs=specs or None,
        resizes=RESIZES.get(specs.get("resize_policy_class") or specs.get("policy_class") or ""),
    )


def schedule_of(server: Server, told: Record | None = None) -> Schedule:
    """A server's schedule, as its own record tells it or as it was `told` alone."""
    known = server.image_schedule
    if told is None and known is not None:
        told = {"retention": known.retention, "day_of_week": known.day_of_week}
    told = told or {}
    day = text(told, "day_of_week") or ""
    return Schedule(
        id=server.id,
        name=server.name,
        key=Key(server.key.endpoint, server.key.region, "schedule", server.id),
        place=server.place,
        dialect=server.dialect,
        what="scheduled images",
        enabled=bool(told),
        daily="" if day or not told else "any hour",
        weekly=day,
        keeps=number(told, "retention"),
    )


class _Opening(Opening):
    """The steps from an account to Rackspace's verbs: nothing is discovered, since nothing there ever changes."""

    dialect = "rackspace"
    names: Mapping[str, str] = {"compute": SERVICE}

    async def _compute(self, endpoint: Endpoint, access: Access) -> Service:
        address = take_apart(endpoint.url, access.project_id)
        return self._session(put_together(address.root, address.version or "v2", address.project or access.project_id))

    def _privilege(self, access: Access) -> int:
        """Nobody administers Rackspace's cloud; an observer only reads."""
        own = {role.rpartition(":")[2] for role in access.roles if role.startswith("compute:") or ":" not in role}
        return 0 if own and own <= {"observer"} else 1

    def _cloud(self, origin: Origin, service: Service, access: Access, region: str) -> OpenStack:
        nova = Nova(
            service, origin, region=region, user_id=access.user_id, flavors=reader("flavor", flavor, origin, region)
        )
        return Rackspace(origin, nova, Images(service, origin, region), **self._own(region))


async def open_rackspace(account: Account, transport: Transport, clock_now: Callable[[], dt.datetime]) -> OpenStack:
    """Log in, find the region's service, and learn how often it may be asked. Raises a `CloudError`."""
    try:
        cloud = await _Opening(account, transport, clock_now).run()
    except ValueError as error:
        raise BadReply(f"the catalog lists an address that is none: {error}.", place=str(account.place)) from error
    try:
        await cloud.limits()
    except CloudError as error:
        if error.status not in (404, 501):
            raise
    return cloud
