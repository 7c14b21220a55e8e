"""Fills a region: hosts, networks, flavors, images, key pairs and servers in every state that a console shows."""

from __future__ import annotations

from console.sim import catalog
from console.sim.identity import Project, User
from console.sim.job import Job
from console.sim.machine import Machine
from console.sim.nova_resources import fingerprint
from console.sim.records import Flavor, Image, InstanceAction, KeyPair, Migration, Network, Server
from console.sim.region import Region
from console.sim.wanted import hostname_of

HOUR = 3600.0


class Seed:
    """One region's first content; `number` sets its addresses apart from other regions'."""

    def __init__(self, region: Region, machine: Machine, number: int, admin: Project, user: User, project: Project):
        self.region = region
        self.machine = machine
        self.number = number
        self.admin = admin
        self.user = user
        self.project = project
        self.private: Network
        self.public: Network
        self.backend: Network | None = None
        self.images: dict[str, Image] = {}
        self.flavors: list[Flavor] = []

    def offer(self, classic: bool, public_key: str) -> None:
        """What every project finds: hosts, networks, flavors, images, and the user's key pair."""
        nova, now = self.region.nova, self.region.clock.time()
        for index in range(2 if not classic else 4):
            nova.add_host(f"compute-{index + 1}")
        self._networks(dual=classic)
        for id, name, ram, vcpus, disk in catalog.CLASSIC_FLAVORS if classic else catalog.LAB_FLAVORS:
            nova.flavors[id] = Flavor(id, name, ram, vcpus, disk)
            self.flavors.append(nova.flavors[id])
        for name, size, min_disk, min_ram in (catalog.CLASSIC_IMAGES if classic else ()) + catalog.TODAY_IMAGES:
            self._image(name, size, min_disk, min_ram)
        key = KeyPair("demo", self.user.id, public_key, fingerprint(public_key), now - 9000 * HOUR)
        nova.keypairs[self.user.id, "demo"] = key

    def _networks(self, dual: bool) -> None:
        neutron, admin = self.region.neutron, self.admin.id
        first = 88 + self.number * 3 % 150
        self.public = neutron.add_network("public", admin, [f"127.{first + 2}.0.0/16"], shared=False, external=True)
        self.private = neutron.add_network("private", admin, [f"127.{first}.0.0/16"])
        if dual:
            ranges = [f"127.{first + 1}.0.0/16", f"2001:db8:{first:x}::/64"]
            self.backend = neutron.add_network("backend", admin, ranges)

    def _image(self, name: str, size: int, min_disk: int, min_ram: int) -> None:
        distro = catalog.DISTROS.get(name.split("-")[0].split(" ")[0].lower())
        image = self.region.glance.add(
            name, self.admin.id, size=size * 1_048_576, min_disk=min_disk, min_ram=min_ram,
            properties={"os_type": "linux"} | ({"os_distro": distro} if distro else {}),
        )  # fmt: skip
        image.created = image.updated = self.region.clock.time() - (300 + 7 * len(self.images)) * 24 * HOUR
        self.images[name] = image

    def populate(self, first: int, step: int, total: int) -> None:
        """The servers first, first+step ... below total."""
        for index in range(first, total, step):
            if index < len(catalog.FLEET):
                name, state, hours, flavor, image = catalog.FLEET[index]
                self._server(name, state, hours, flavor, image, index)
            else:
                self._server(*self._any(index), index)
        self.region.nova.forget_order()
        room = max(100, 2 * len(self.region.nova.servers))
        self.region.nova.quota |= {"instances": room, "cores": 4 * room, "ram": 8192 * room}

    def _any(self, index: int) -> tuple[str, str, float, int, str]:
        chance = index * 2654435761 % 1000
        role = catalog.ROLES[index % len(catalog.ROLES)]
        team = catalog.TEAMS[index // 7 % len(catalog.TEAMS)]
        state = "stopped" if chance < 60 else "error" if chance < 70 else "verify" if chance < 75 else "active"
        names = [n for n, *_ in catalog.TODAY_IMAGES[:5]]
        return f"{team}-{role}-{index:05d}", state, 1 + chance * 7.3, chance % 3, names[chance % len(names)]

    def _server(self, name: str, state: str, hours: float, flavor: int, image: str, index: int) -> None:
        region, nova = self.region, self.region.nova
        born = region.clock.time() - hours * HOUR - index % 600
        wanted = self.images.get(image) or self.images["debian-12"]
        server = Server(
            region.ids.uuid(), name, self.project.id, self.user.id, self.flavors[flavor], wanted.id, born, born + 41
        )
        server.hostname = hostname_of(name)
        server.key_name, server.key_data = "demo", nova.keypairs[self.user.id, "demo"].public_key
        server.reservation_id = f"r-{index:08x}"
        server.admin_pass = f"seeded-{server.id[:8]}"
        nova.add(server)
        if state == "building":
            server.metadata["lab_build_seconds"] = "90"
            server.created = server.updated = region.clock.time()
            server.actions = [self._created(server)]
            job = Job("create", server.actions[0], {"networks": [{"network": self.private}]})
            self.machine.run(server, job)
            return
        self._place(server, index)
        if index < len(catalog.FLEET):
            server.metadata["role"] = name.rstrip("-0123456789") or name
        getattr(self, f"_{state}")(server)

    def _created(self, server: Server) -> InstanceAction:
        request = f"req-{self.region.ids.uuid()}"
        return InstanceAction("create", request, server.user_id, server.project_id, server.created, server.created + 41)

    def _place(self, server: Server, index: int) -> None:
        region = self.region
        hosts = list(region.nova.hosts.values())
        server.host, server.zone = hosts[index % len(hosts)].name, "nova"
        server.launched = server.created + 41
        server.vm_state, server.power_state = "active", 1
        wants = [self.private, self.backend] if self.backend is not None and index % 4 == 2 else [self.private]
        for network in wants:
            if network is not None:
                port = region.neutron.add_port(network, server.project_id)
                region.neutron.plug(port, server)
                port.created = port.updated = server.created + 5
        if index % 5 == 0 and index < 2000:
            extra = region.neutron.add_floating(self.public, server.project_id)
            region.neutron.associate(extra, server.ports[0])

    def _active(self, server: Server) -> None:
        pass

    def _locked(self, server: Server) -> None:
        server.locked, server.locked_reason, server.locked_by = True, "the way in: ask before you touch it", "owner"

    def _stopped(self, server: Server) -> None:
        server.vm_state, server.power_state = "stopped", 4

    def _suspended(self, server: Server) -> None:
        server.vm_state, server.power_state = "suspended", 7

    def _paused(self, server: Server) -> None:
        server.vm_state, server.power_state = "paused", 3

    def _rescued(self, server: Server) -> None:
        server.vm_state = "rescued"

    def _shelved(self, server: Server) -> None:
        server.vm_state, server.power_state, server.host, server.zone = "shelved_offloaded", 0, "", ""

    def _error(self, server: Server) -> None:
        server.vm_state, server.power_state = "error", 0
        text = "Timed out waiting for a reply to message ID 8f3c1e6b"
        server.fault = {"code": 500, "created": server.updated + HOUR, "message": text}

    def _failed(self, server: Server) -> None:
        self.region.neutron.release(server)
        server.vm_state, server.power_state, server.launched, server.host, server.zone = "error", 0, None, "", ""
        text = "No valid host was found. There are not enough hosts available."
        server.fault = {"code": 500, "created": server.created + 3, "message": text}
        action = self._created(server)
        action.message = "Error"
        server.actions = [action]

    def _volume(self, server: Server) -> None:
        cinder = self.region.cinder
        volume = cinder.add(f"{server.name}-root", server.project_id, server.user_id, 40)
        volume.bootable, volume.created = True, server.created
        cinder.reserve(server, volume, "/dev/vda")
        cinder.attached(server, volume)
        server.image_id = None

    def _verify(self, server: Server) -> None:
        now, nova = self.region.clock.time(), self.region.nova
        bigger = self.flavors[self.flavors.index(server.flavor) + 1]
        server.old_flavor, server.old_host, server.old_state = server.flavor, server.host, "active"
        server.host = nova.pick_host(server, avoid=server.host) or server.host
        asked = InstanceAction("resize", f"req-{self.region.ids.uuid()}", server.user_id, server.project_id,
                               now - 1200, now - 1180)  # fmt: skip
        server.actions = [self._created(server), asked]
        nova.migrations.append(
            Migration(
                len(nova.migrations) + 1, self.region.ids.uuid(), server.id, "resize", "finished", server.old_host,
                server.host, server.flavor, bigger, server.user_id, server.project_id, now - 1200, now - 1180,
            )
        )  # fmt: skip
        server.flavor, server.vm_state, server.updated = bigger, "resized", now - 1180

    def _imaging(self, server: Server) -> None:
        image = self.region.glance.add(
            f"{server.name}-before-upgrade", server.project_id, status="saving", visibility="private",
            disk_format="raw",
            properties={"instance_uuid": server.id, "image_type": "snapshot", "user_id": server.user_id,
                        "base_image_ref": server.image_id or ""},
        )  # fmt: skip
        now = self.region.clock.time()
        action = InstanceAction("createImage", f"req-{self.region.ids.uuid()}", server.user_id, server.project_id,
                                now - 40, now - 40)  # fmt: skip
        server.actions = [self._created(server), action]
        server.metadata["lab_snapshot_seconds"] = "240"
        self.machine.resume(server, Job("snapshot", action, {"image": image.id}), 3)
