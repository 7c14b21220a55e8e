"""One account of one OpenStack in one region: its services found, their versions settled, their verbs together."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from console.clouds.absent import Absent
from console.clouds.accounts import Account, log_in
from console.clouds.dialect import Accepted, Filters
from console.clouds.login import Access
from console.clouds.openstack.addresses import Addresses
from console.clouds.openstack.catalog import (
    Address,
    Endpoint,
    canonical,
    find_endpoint,
    put_together,
    regions,
    take_apart,
)
from console.clouds.openstack.cinder import Cinder
from console.clouds.openstack.glance import Glance
from console.clouds.openstack.neutron import Neutron
from console.clouds.openstack.nova import Nova
from console.clouds.openstack.orders import Orders
from console.clouds.openstack.service import Service, Spoken, Version, discover, not_offered
from console.errors import BadReply, CloudError
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.keypair import KeyPair
from console.model.place import Key, Origin
from console.model.quota import Limits
from console.model.server import Server
from console.model.zone import Zone
from console.wire.pace import Pace
from console.wire.session import DEADLINE
from console.wire.transport import Transport

_TYPES = {
    "compute": ("compute",),
    "image": ("image",),
    "network": ("network",),
    "volume": ("block-storage", "volumev3", "block-store", "volume", "volumev2"),
}
_PROJECT_IN_PATH = Version(2, 18)  # up to the one before, an endpoint must name the project
_NO_PROXIES = (2, 44)  # from here on Nova hands floating IPs to nobody
_ADDRESSES: Mapping[str, Callable[..., Awaitable[Accepted]]] = {
    "server.add_vip": Addresses.share,
    "server.remove_vip": Addresses.unshare,
    "server.move_ip": Addresses.move,
}
_READ = tuple(
    "server.list server.changes server.get flavor.list keypair.list limits server.console_log server.history".split()
)
_ORDERS = ("server.reboot", "server.resize", "server.confirm", "server.revert", "server.snapshot")
_COMPUTE_VERBS = frozenset((*_READ, *_ORDERS, "server.create", "server.delete"))
_INTERNAL = "internal"  # the zone of Nova's own services, which takes no servers
_VERBS = {
    "compute": _COMPUTE_VERBS,
    "image": frozenset(("image.list", "image.get", "image.delete", "image.set")),
    "network": frozenset(("network.list", "port.list", "quota.list", "server.vip", "server.move_ip")),
    "volume": frozenset(("quota.list",)),
}


class Imaging(Protocol):
    """Where images are listed: the image service, or what takes its place."""

    def images(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Image]]:
        """Pages of images."""

    async def image(self, id: str) -> Image:
        """One image, read now."""

    async def set_image(self, id: str, properties: Mapping[str, str]) -> Accepted:
        """Give an image these properties."""

    async def delete_image(self, id: str) -> Accepted:
        """Order an image's end."""


class OpenStack(Orders, Absent):
    """The verbs of one account. Made by `open_cloud`, which finds and asks the services."""

    def __init__(self, origin: Origin, nova: Nova, glance: Imaging | None, neutron: Neutron | None, **own: Any) -> None:
        super().__init__(nova.service)
        self.origin = origin
        self.region: str = own["region"]
        self.pace: Pace = own["pace"]
        self._close = own["close"]
        self._clock_now: Callable[[], dt.datetime] = own["clock_now"]
        self.nova = nova
        self._glance = glance
        self._neutron = neutron
        self._cinder: Cinder | None = own.get("cinder")
        offered = {"compute": nova, "image": glance, "network": neutron, "volume": self._cinder}
        self._proxied = neutron is None and not nova.service.knows(*_NO_PROXIES)
        self.verbs = self.offered() | {verb for kind, there in offered.items() if there for verb in _VERBS[kind]}
        if self._proxied:
            self.verbs |= {"server.move_ip"}

    async def act(self, verb: str, id: str, **given: Any) -> Accepted:
        """As `Orders.act`, and what the network service does to a server's addresses."""
        if verb == "server.move_ip" and self._proxied:
            return await super().act("server.add_floating_ip", id, **given)
        if verb in _ADDRESSES:
            return await _ADDRESSES[verb](Addresses(self.neutron), id, **given)
        return await super().act(verb, id, **given)

    @property
    def glance(self) -> Imaging:
        """The image service. Raises `NotFound` where there is none."""
        if self._glance is None:
            raise not_offered(str(self.origin.place), "image")
        return self._glance

    @property
    def neutron(self) -> Neutron:
        """The network service. Raises `NotFound` where there is none."""
        if self._neutron is None:
            raise not_offered(str(self.origin.place), "network")
        return self._neutron

    @property
    def version(self) -> Version | None:
        """The compute microversion that is spoken; None on a cloud without them."""
        return self.nova.service.version

    def now(self) -> dt.datetime:
        """The cloud's own time."""
        return self.nova.service.now(self._clock_now())

    def servers(
        self, *, changes_since: dt.datetime | None = None, filters: Filters | None = None, all_projects: bool = False
    ) -> AsyncIterator[Sequence[Server]]:
        """Pages of servers; see `Nova.servers`."""
        return self.nova.servers(changes_since=changes_since, filters=filters, all_projects=all_projects)

    def images(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Image]]:
        """Pages of images; see `Glance.images`."""
        return self.glance.images(filters=filters)

    def flavors(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Flavor]]:
        """Pages of flavors."""
        return self.nova.flavors(filters=filters)

    def keypairs(self) -> AsyncIterator[Sequence[KeyPair]]:
        """Pages of the user's key pairs."""
        return self.nova.keypairs()

    async def server(self, id: str) -> Server:
        """One server, read now."""
        return await self.nova.server(id)

    async def image(self, id: str) -> Image:
        """One image, read now."""
        return await self.glance.image(id)

    async def flavor(self, id: str) -> Flavor:
        """One flavor, read now."""
        return await self.nova.flavor(id)

    async def limits(self) -> Limits:
        """What the project may use and uses."""
        return await self.nova.limits()

    async def console_log(self, id: str, *, lines: int | None = None) -> str:
        """The console's text."""
        return await self.nova.console_log(id, lines=lines)

    async def create_server(self, name: str, **given: Any) -> Accepted:
        """Order a server."""
        return await self.nova.create_server(name, **given)

    async def delete_server(self, id: str) -> Accepted:
        """Order a server's end."""
        return await self.nova.delete_server(id)

    async def reboot(self, id: str, *, hard: bool = False) -> Accepted:
        """Restart a server."""
        return await self.nova.reboot(id, hard=hard)

    async def resize(self, id: str, flavor_id: str) -> Accepted:
        """Move a server to another flavor."""
        return await self.nova.resize(id, flavor_id)

    async def confirm_resize(self, id: str) -> Accepted:
        """Keep the new flavor."""
        return await self.nova.confirm_resize(id)

    async def revert_resize(self, id: str) -> Accepted:
        """Go back to the old flavor."""
        return await self.nova.revert_resize(id)

    async def create_image(self, id: str, name: str, *, metadata: Mapping[str, str] | None = None) -> Accepted:
        """Make an image of a server's disk."""
        return await self.nova.create_image(id, name, metadata=metadata)

    async def set_image(self, id: str, properties: Mapping[str, str]) -> Accepted:
        """Give an image these properties."""
        return await self.glance.set_image(id, properties)

    async def delete_image(self, id: str) -> Accepted:
        """Order an image's end."""
        return await self.glance.delete_image(id)

    async def networks(self, *, external: bool | None = None, name: str | None = None) -> list[dict[str, Any]]:
        """The networks that the project may see."""
        return await self.neutron.networks(external=external, name=name)

    async def ports(self, server_id: str) -> list[dict[str, Any]]:
        """The ports of one server."""
        return await self.neutron.ports(server_id)

    async def let_in(self, groups: Sequence[str]) -> list[dict[str, Any]]:
        """What these security groups let in."""
        return await self.neutron.rules(groups)

    async def zones(self) -> list[Zone]:
        """The availability zones; an administrator is told how many of their hosts are up."""
        records = await self.zone_records(hosts=self.origin.privilege > 1)
        return [read_zone(record, self.origin, self.region) for record in records if record["zoneName"] != _INTERNAL]

    async def quotas(self) -> Limits:
        """What else is limited in this project, by the services for networks and volumes; one may be away."""
        asked = [self._neutron.quotas(self.origin.project_id)] if self._neutron is not None else []
        asked += [self._cinder.limits()] if self._cinder is not None else []
        answers = await asyncio.gather(*asked, return_exceptions=True)
        told = {name: limit for answer in answers if isinstance(answer, dict) for name, limit in answer.items()}
        for error in answers:
            if isinstance(error, BaseException) and not (told and isinstance(error, CloudError)):
                raise error
        return Limits(self.origin.place, told)

    async def instance_actions(self, id: str) -> list[dict[str, Any]]:
        """What was asked of a server, newest first."""
        return await self.nova.instance_actions(id)

    async def close(self, *, for_good: bool = False) -> None:
        """Give back the connections; for good, nothing can be sent any more."""
        await self._close(for_good=for_good)


async def open_cloud(account: Account, transport: Transport, clock_now: Callable[[], dt.datetime]) -> OpenStack:
    """Log in, find the services and settle the versions. Raises a `CloudError`."""
    try:
        return await Opening(account, transport, clock_now).run()
    except ValueError as error:  # what is no URL in a catalog or an override
        raise BadReply(f"the catalog lists an address that is none: {error}.", place=str(account.place)) from error


class Opening:
    """The steps from an account to its verbs."""

    dialect = "openstack"
    names: Mapping[str, str] = {}  # of services, where a type is not enough

    def __init__(self, account: Account, transport: Transport, clock_now: Callable[[], dt.datetime]) -> None:
        self.account = account
        self.transport = transport
        self.clock_now = clock_now

    async def run(self) -> OpenStack:
        """The opened cloud."""
        access = await log_in(self.account)
        compute = self._find(access, "compute", self.account.region)
        if compute is None:
            raise not_offered(str(self.account.place), self._lacking(access))
        region = self.account.region or compute.region
        origin = Origin(
            place=self.account.place,
            endpoint=canonical(compute.public, access.project_id),
            project_id=access.project_id,
            project=access.project,
            privilege=self._privilege(access),
            dialect=self.dialect,
        )
        return self._cloud(origin, await self._compute(compute, access), access, region)

    def _privilege(self, access: Access) -> int:
        return privilege(access.roles)

    def _cloud(self, origin: Origin, service: Service, access: Access, region: str) -> OpenStack:
        nova = Nova(service, origin, region=region, user_id=access.user_id)
        image = self._service(access, "image", region, "v2")
        network = self._service(access, "network", region, "v2.0")
        volume = self._service(access, "volume", region, "v3", in_project=True)
        return OpenStack(
            origin,
            nova,
            Glance(image, origin, region=region) if image else None,
            Neutron(network) if network else None,
            cinder=Cinder(volume) if volume else None,
            **self._own(region),
        )

    def _own(self, region: str) -> dict[str, Any]:
        """What every cloud is given beside its services."""
        transport = self.transport
        return {"region": region, "pace": transport.pace, "close": transport.close, "clock_now": self.clock_now}

    def _find(self, access: Access, kind: str, region: str | None) -> Endpoint | None:
        settings, words = self.account.settings, (kind, *_TYPES[kind])
        found = find_endpoint(
            access.catalog,
            _TYPES[kind],
            interface=next(
                (settings.interfaces[word] for word in words if word in settings.interfaces), settings.interface
            ),
            region=region,
            name=self.names.get(kind, ""),
        )
        if override := next((settings.overrides[word] for word in words if word in settings.overrides), ""):
            override = override.replace("%(project_id)s", access.project_id).replace("%(tenant_id)s", access.project_id)
            return Endpoint(override, region or (found.region if found else ""), found.public if found else override)
        return found

    def _lacking(self, access: Access) -> str:
        there = ", ".join(regions(access.catalog, name=self.names.get("compute", "")))
        wanted = f"compute service in region {self.account.region}" if self.account.region else "compute"
        return f"{wanted} (regions with one: {there or 'none'}; case matters), so no" if there else wanted

    def _session(self, endpoint: str) -> Service:
        timeout = self.account.settings.timeout
        service = Service(self.transport, self.account.entry.auth, endpoint, deadline=timeout or DEADLINE)
        service.patient = timeout is None
        return service

    async def _compute(self, endpoint: Endpoint, access: Access) -> Service:
        """The compute service at its version, the project in its address where it was, or where it must be."""
        address = take_apart(endpoint.url, access.project_id)
        spoken = await discover(self._session(put_together(address.root, address.version)), address.version or "v2.1")
        version = address.version or spoken.step
        service = self._session(put_together(address.root, version, self._project(address, spoken, access)))
        service.settle(spoken)
        return service

    def _project(self, address: Address, spoken: Spoken, access: Access) -> str:
        """What follows the version: what the catalog says, and where it gives no version what that version wants."""
        if address.version or address.project or (spoken.highest or Version(0, 0)) >= _PROJECT_IN_PATH:
            return address.project
        return access.project_id

    def _service(
        self, access: Access, kind: str, region: str, version: str, *, in_project: bool = False
    ) -> Service | None:
        endpoint = self._find(access, kind, region)
        if endpoint is None:
            return None
        address = take_apart(endpoint.url, access.project_id)
        step = address.version if address.version.split(".")[0] == version.split(".")[0] else version
        project = address.project or access.project_id if in_project else ""
        service = self._session(put_together(address.root, step, project))
        service.kind = kind
        return service


def privilege(roles: frozenset[str]) -> int:
    """2 for an administrator, 0 for who may only read, 1 for all others."""
    if "admin" in roles:
        return 2
    return 0 if roles and roles <= {"reader", "auditor", "observer"} else 1


def read_zone(record: Mapping[str, Any], origin: Origin, region: str) -> Zone:
    """One availability zone of Nova's."""
    name, state, hosts = str(record["zoneName"]), record.get("zoneState"), record.get("hosts")
    services = [told for told in hosts.values() if isinstance(told, dict)] if isinstance(hosts, dict) else []
    return Zone(
        id=name,
        name=name,
        key=Key(origin.endpoint, region, "zone", name),
        place=origin.place,
        available=bool(state.get("available", True)) if isinstance(state, dict) else True,
        hosts=len(services) if isinstance(hosts, dict) else None,
        hosts_up=sum(map(_up, services)) if isinstance(hosts, dict) else None,
    )


def _up(services: Mapping[str, Any]) -> bool:
    """Whether a host's services run, and are let to."""
    return all(isinstance(one, dict) and one.get("available") and one.get("active") for one in services.values())
