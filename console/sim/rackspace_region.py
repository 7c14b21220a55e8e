"""One region of Rackspace's next generation: its services, and what they are filled with."""

from __future__ import annotations

from console.sim import rackspace_catalog as catalog
from console.sim.clock import Clock
from console.sim.cloud import Ground, Place
from console.sim.identity import Identity
from console.sim.nova_resources import fingerprint
from console.sim.rackspace_api import RackspaceNova, rackspace_nova
from console.sim.rackspace_schedule import ImageSchedule
from console.sim.records import Flavor, Ids, KeyPair, Network, Server
from console.sim.seed import HOUR, Seed
from console.sim.trouble import Trouble

PUBLIC_NET, SERVICE_NET = "00000000-0000-0000-0000-000000000000", "11111111-1111-1111-1111-111111111111"
CONFIRMED_AFTER = 24 * HOUR
QUOTA = {"instances": 100, "cores": -1, "ram": 131_072, "metadata_items": 40}


class RackspacePlace(Place):
    """A region: compute, images and networks."""

    def __init__(self, name: str, ground: Ground, identity: Identity, cloud: str, ids: Ids, account: str) -> None:
        self._account = account
        super().__init__(name, ground, identity, cloud, ids)
        del self.services["block-storage"]
        self.nova.confirm_after = CONFIRMED_AFTER
        self.nova.quota |= QUOTA

    def _compute(self, clock: Clock, trouble: Trouble) -> RackspaceNova:
        return rackspace_nova(self, self.machine, clock, trouble, self._account)


class RackspaceSeed(Seed):
    """One region's first content."""

    def offer(self, classic: bool, public_key: str) -> None:
        """What the account finds: hosts, the two networks, flavors by class, images, and its key pair."""
        nova, now = self.region.nova, self.region.clock.time()
        for index in range(3):
            nova.add_host(f"c-10-23-{self.number}-{index + 1}")
        self._networks(dual=True)
        for id, name, ram, vcpus, disk, data, disks, kind, policy in catalog.FLAVORS:
            specs = {"class": kind, "policy_class": policy, "resize_policy_class": policy}
            specs |= {"number_of_data_disks": str(disks), "disk_io_index": str(2 + vcpus)}
            flavor = Flavor(id, name, ram, vcpus, disk, data, rxtx_factor=80.0 * vcpus, extra_specs=specs)
            nova.flavors[id] = flavor
            self.flavors.append(flavor)
        for row in catalog.IMAGES:
            self._image(*row)
        key = KeyPair("demo", self.user.id, public_key, fingerprint(public_key), now - 9000 * HOUR)
        nova.keypairs[self.user.id, "demo"] = key

    def _networks(self, dual: bool) -> None:
        first = 11 + self.number * 2 % 40
        ranges = [f"127.{first}.0.0/16", f"2001:db8:{first:x}::/64"]
        self.public = self._known_as(PUBLIC_NET, "public", ranges)
        self.private = self._known_as(SERVICE_NET, "private", [f"127.{first + 1}.0.0/16"])

    def _known_as(self, id: str, label: str, ranges: list[str]) -> Network:
        neutron = self.region.neutron
        network = neutron.add_network(label, self.admin.id, ranges)
        neutron.networks[id] = neutron.networks.pop(network.id)
        network.id = id
        for subnet in network.subnets:
            subnet.network_id = id
        return network

    def populate(self, first: int, step: int, total: int) -> None:
        """The rows first, first+step ... of the account's own fleet."""
        places = {flavor.id: index for index, flavor in enumerate(self.flavors)}
        names = list(self.images)
        for index, (name, state, hours, flavor, image) in enumerate(catalog.FLEET):
            if index % step == first:
                self._server(name, state, hours, places[flavor], names[image], index)
        self.region.nova.forget_order()
        self._schedules()

    def _place(self, server: Server, index: int) -> None:
        server.disk_config = "AUTO"
        hosts = list(self.region.nova.hosts.values())
        server.host, server.zone = hosts[index % len(hosts)].name, "nova"
        server.launched, server.vm_state, server.power_state = server.created + 41, "active", 1
        for network in (self.public, self.private):
            port = self.region.neutron.add_port(network, server.project_id)
            self.region.neutron.plug(port, server)

    def _verify(self, server: Server) -> None:
        super()._verify(server)
        self.region.after_resize(server)

    def _schedules(self) -> None:
        compute = self.region.compute if isinstance(self.region, RackspacePlace) else None
        if isinstance(compute, RackspaceNova):
            wanted = {"shop-web-1": ImageSchedule(7), "report": ImageSchedule(5, "SATURDAY")}
            for server in self.region.nova.alive():
                if server.name in wanted:
                    compute.schedules.set(server, wanted[server.name], compute)
