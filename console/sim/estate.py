"""The whole embedded estate: clouds with their regions, listening on loopback until it is left again.

    async with Estate(servers=28) as estate:
        estate.write_clouds_yaml(folder)

Everything is in this process and in memory; nothing is left behind.
"""

from __future__ import annotations

import asyncio
from hashlib import md5
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh
import yaml

from console.sim import catalog
from console.sim.clock import Clock
from console.sim.front import Front
from console.sim.glance_api import Glance
from console.sim.guest import GuestHouse
from console.sim.identity import Identity, Project, User
from console.sim.job import Job
from console.sim.keystone_api import Keystone
from console.sim.machine import Machine
from console.sim.neutron_api import Neutron
from console.sim.nova import nova_service
from console.sim.nova_api import Nova
from console.sim.records import Ids, Server
from console.sim.region import Region
from console.sim.seed import Seed
from console.sim.service import Service
from console.sim.trouble import Trouble

KINDS = (("compute", "nova"), ("image", "glance"), ("network", "neutron"))


class Place(Region):
    """A region with its services."""

    def __init__(self, name: str, cloud: Cloud, ids: Ids) -> None:
        estate = cloud.estate
        super().__init__(name, estate.clock, cloud.identity, estate.guests, ids)
        self.machine = Machine(self)
        self.compute: Nova = nova_service(self, self.machine, estate.clock, estate.control)
        self.services: dict[str, Service] = {
            "compute": self.compute,
            "image": Glance(self, estate.clock, estate.control),
            "network": Neutron(self, estate.clock, estate.control),
        }


class Cloud:
    """One cloud: its people, and its regions by name."""

    def __init__(self, estate: Estate, name: str, regions: list[str], by_port: bool) -> None:
        self.estate = estate
        self.name = name
        self.by_port = by_port
        self.ids = Ids(f"{estate.seed}/{name}")
        self.identity = Identity(estate.clock, self.ids, estate.token_seconds)
        self.keystone = Keystone(estate.clock, self.identity, estate.control)
        self.admin_project, self.project = self._projects()
        self.admin, self.user = self._people()
        self.regions: dict[str, Place] = {r: Place(r, self, Ids(f"{estate.seed}/{name}/{r}")) for r in regions}
        self.fronts: list[Front] = []
        self.service_ids = {
            kind: self.ids.hex() for kind in ("identity", "compute", "image", "network", "block-storage", "volumev3")
        }
        self.identity.catalog = self.catalog

    def _projects(self) -> tuple[Project, Project]:
        return self.identity.add_project("admin", "Administration"), self.identity.add_project("demo", "The fleet")

    def _people(self) -> tuple[User, User]:
        admin = self.identity.add_user("admin", f"{self.name}-admin-secret")
        user = self.identity.add_user("demo", f"{self.name}-secret")
        self.identity.grant(admin, self.admin_project, "admin", "member", "reader")
        self.identity.grant(user, self.project, "member", "reader")
        return admin, user

    async def open(self) -> None:
        """Listen: a port for each service, or one port with a path for each."""
        layout: list[dict[str, Service]] = []
        if self.by_port:
            layout = [{"": self.keystone}]
            layout += [{"": service} for place in self.regions.values() for service in place.services.values()]
        else:
            shared: dict[str, Service] = {"/identity": self.keystone}
            for place in self.regions.values():
                prefix = f"/{place.name}" if len(self.regions) > 1 else ""
                shared |= {f"{prefix}/{kind}": service for kind, service in place.services.items()}
            layout = [shared]
        for mounts in layout:
            front = Front(mounts)
            self.fronts.append(front)
            await front.open()
        self.identity.url = self.keystone.base
        for place in self.regions.values():
            place.compute.views.bare = place.compute.base
            place.compute.views.root = place.compute.base + "/v2.1"

    async def close(self) -> None:
        """Stop listening."""
        await asyncio.gather(*(front.close() for front in self.fronts))
        self.fronts.clear()

    def catalog(self, project_id: str) -> list[dict[str, Any]]:
        """The services and where they are, as Keystone tells."""
        rows = [self._entry("identity", "keystone", dict.fromkeys(self.regions, f"{self.keystone.base}/v3/"))]
        for kind, name in KINDS:
            suffix = "/v2.1" if kind == "compute" else ""
            urls = {r: place.services[kind].base + suffix for r, place in self.regions.items()}
            rows.append(self._entry(kind, name, urls))
        return rows

    def _entry(self, kind: str, name: str, urls: dict[str, str]) -> dict[str, Any]:
        endpoints = [
            {
                "id": md5(f"{self.name}/{kind}/{region}/{interface}".encode(), usedforsecurity=False).hexdigest(),
                "interface": interface,
                "region_id": region,
                "region": region,
                "url": url,
            }
            for region, url in urls.items()
            for interface in ("public", "internal")
        ]
        return {"endpoints": endpoints, "id": self.service_ids[kind], "type": kind, "name": name}

    def entry(self, user: User, project: Project) -> dict[str, Any]:
        """A clouds.yaml entry."""
        found: dict[str, Any] = {
            "auth": {
                "auth_url": f"{self.keystone.base}/v3",
                "username": user.name,
                "password": user.password,
                "project_name": project.name,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "identity_api_version": "3",
        }
        if len(self.regions) > 1:
            return found | {"regions": list(self.regions)}
        return found | {"region_name": next(iter(self.regions))}


class Estate:
    """Every cloud of the demo, from `async with` to its end."""

    def __init__(
        self,
        *,
        servers: int = 28,
        clouds: int = 2,
        regions: int = 3,
        guests: int = 4,
        speed: float = 1.0,
        seed: int = 1,
        token_seconds: float = 3600,
        guest_port: int = 22,
    ) -> None:
        self.seed = seed
        self.token_seconds = token_seconds
        self.size = servers
        self.clock = Clock(speed)
        self.control = Trouble()
        self.guests = GuestHouse(self.clock, guests, guest_port)
        self.guests.image_name = self._image_name
        self.guests.shut_down_from_inside = self._from_inside
        self.key = asyncssh.generate_private_key("ssh-ed25519", comment="demo@novadeck")
        self.clouds: dict[str, Cloud] = {}
        numbers = _shares(max(regions, clouds), clouds)
        names = iter([*catalog.REGIONS, *(f"region-{n}" for n in range(16, 1000))])
        for index in range(clouds):
            name = catalog.CLOUDS[index] if index < len(catalog.CLOUDS) else f"cloud-{index + 1}"
            self.clouds[name] = Cloud(self, name, [next(names) for _ in range(numbers[index])], index % 2 == 0)

    async def __aenter__(self) -> Self:
        self._fill()
        for cloud in self.clouds.values():
            await cloud.open()
        await self.guests.start()
        self.clock.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clock.stop()
        await self.guests.stop()
        for cloud in self.clouds.values():
            await cloud.close()

    @property
    def places(self) -> list[tuple[Cloud, Place]]:
        """Every region, with its cloud."""
        return [(cloud, place) for cloud in self.clouds.values() for place in cloud.regions.values()]

    def _fill(self) -> None:
        public = self.key.export_public_key().decode().strip()
        places = self.places
        for number, (cloud, place) in enumerate(places):
            seed = Seed(place, place.machine, number, cloud.admin_project, cloud.user, cloud.project)
            seed.offer(cloud.by_port, public)
            seed.populate(number, len(places), self.size)
        self._first_guests()

    def _first_guests(self) -> None:
        fleet = [s for _, place in self.places for s in list(place.nova.servers.values())[:20]]
        fleet = [s for s in fleet if s.vm_state == "active" and s.task_state is None]
        rows = [iter([s for s in fleet if s.id in place.nova.servers]) for _, place in self.places]
        for index in range((self.guests.room + 1) // 2):
            server = next(rows[index % len(rows)], None)
            if server is not None:
                self.guests.create(server)
                self.guests.guests[server.id].booted = server.launched or server.created

    def _image_name(self, server: Server) -> str:
        for _, place in self.places:
            image = place.glance.images.get(server.image_id or "")
            if image is not None:
                return image.name or "Linux"
        return "Debian GNU/Linux 12"

    def _from_inside(self, server: Server, again: bool) -> None:
        for _, place in self.places:
            if server.id in place.nova.servers:
                if again:
                    place.guests.boot(server)
                elif server.vm_state == "active" and server.task_state is None:
                    terminate = server.metadata.get("lab_shutdown") == "terminate"
                    place.machine.run(server, Job("shutdown_terminate" if terminate else "guest_shutdown"))

    def clouds_yaml(self) -> dict[str, Any]:
        """What a clouds.yaml for this estate says: each cloud as its user and as its administrator."""
        entries: dict[str, Any] = {}
        for name, cloud in self.clouds.items():
            entries[name] = cloud.entry(cloud.user, cloud.project)
            entries[f"{name}-admin"] = cloud.entry(cloud.admin, cloud.admin_project)
        return {"clouds": entries}

    def write_clouds_yaml(self, folder: Path) -> Path:
        """Write clouds.yaml and the private key id_demo, for this user's eyes only."""
        path = folder / "clouds.yaml"
        _write_private(path, yaml.safe_dump(self.clouds_yaml(), sort_keys=False))
        _write_private(folder / "id_demo", self.private_key())
        return path

    def private_key(self) -> str:
        """The key pair "demo", as an OpenSSH private key."""
        return self.key.export_private_key().decode()


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (index < total % parts) for index in range(parts)]
