"""One cloud of the estate: its people, its regions with their services, where they listen and what its catalog says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from console.sim.cinder_api import Cinder
from console.sim.cinder_extras import CinderExtras
from console.sim.clock import Clock
from console.sim.front import Front
from console.sim.glance_api import Glance
from console.sim.glance_members import Members
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

KINDS = (
    ("compute", "nova", "compute", "/v2.1"),
    ("image", "glance", "image", ""),
    ("network", "neutron", "network", ""),
    ("block-storage", "cinder", "block-storage", "/v3"),
    ("volumev3", "cinderv3", "block-storage", "/v3"),
)


PATHS = {"compute": "compute", "image": "image", "network": "networking", "block-storage": "volume"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What all clouds of an estate share."""

    clock: Clock
    trouble: Trouble
    guests: GuestHouse
    seed: int
    token_seconds: float


class Place(Region):
    """A region with its services."""

    def __init__(self, name: str, ground: Ground, identity: Identity, cloud: str, ids: Ids) -> None:
        clock, trouble = ground.clock, ground.trouble
        super().__init__(name, clock, identity, ground.guests, ids)
        self.machine = Machine(self)
        self.compute: Nova = self._compute(clock, trouble)
        self.volume = Cinder(self, clock, trouble)
        CinderExtras(self.volume)
        image = Glance(self, clock, trouble)
        Members(image)
        self.services: dict[str, Service] = {
            "compute": self.compute,
            "image": image,
            "network": Neutron(self, clock, trouble),
            "block-storage": self.volume,
        }
        for service in self.services.values():
            service.cloud = cloud
        self.after_resize = self.await_answer

    def await_answer(self, server: Server) -> None:
        """A resize that is left alone is confirmed by the calendar, at any speed of the clock, where Nova does that."""
        motion = server.motion

        def confirm() -> None:
            if server.motion == motion and server.vm_state == "resized" and not server.deleted:
                self.machine.run(server, Job("confirm", self.nova.noticed(server, "confirmResize")))

        if self.nova.confirm_after:
            self.clock.at(self.clock.time() + self.nova.confirm_after, confirm)

    def _compute(self, clock: Clock, trouble: Trouble) -> Nova:
        return nova_service(self, self.machine, clock, trouble)


class Cloud:
    """One cloud: its people, and its regions by name."""

    has_own_fleet = False  # otherwise the estate's servers are dealt out among its clouds

    def __init__(self, ground: Ground, name: str, regions: list[str], by_port: bool) -> None:
        self.name = name
        self.by_port = by_port
        self.ids = Ids(f"{ground.seed}/{name}")
        self.identity = Identity(ground.clock, self.ids, ground.token_seconds)
        self.keystone: Service = self._identity_service(ground)
        self.admin_project, self.project = self._projects()
        self.admin, self.user = self._people()
        self.regions: dict[str, Place] = {region: self._region(region, ground) for region in regions}
        self.keystone.cloud = name
        self.fronts: list[Front] = []
        self.service_ids = {
            kind: self.ids.hex() for kind in ("identity", "compute", "image", "network", "block-storage", "volumev3")
        }
        self.identity.catalog = self.catalog

    def _identity_service(self, ground: Ground) -> Service:
        return Keystone(ground.clock, self.identity, ground.trouble)

    def _region(self, region: str, ground: Ground) -> Place:
        return Place(region, ground, self.identity, self.name, Ids(f"{ground.seed}/{self.name}/{region}"))

    def seed(self, place: Place, number: int) -> Seed:
        """What fills a region of this cloud; `number` sets it apart from the estate's other regions."""
        return Seed(place, place.machine, number, self.admin_project, self.user, self.project)

    def first_guests(self, public_key: str) -> None:
        """The guests that it begins with, beside those of its regions; they let this key in."""

    def _projects(self) -> tuple[Project, Project]:
        return self.identity.add_project("admin", "Administration"), self.identity.add_project("demo", "The fleet")

    def _people(self) -> tuple[User, User]:
        admin = self.identity.add_user("admin", f"{self.name}-admin-secret")
        user = self.identity.add_user("demo", f"{self.name}-secret")
        self.identity.grant(admin, self.admin_project, "admin", "member", "reader")
        self.identity.grant(user, self.project, "member", "reader")
        return admin, user

    def _layout(self) -> list[dict[str, Service]]:
        if self.by_port:
            services = [service for place in self.regions.values() for service in place.services.values()]
            return [{"": service} for service in (self.keystone, *services)]
        shared: dict[str, Service] = {"/identity": self.keystone}
        for place in self.regions.values():
            prefix = f"/{place.name}" if len(self.regions) > 1 else ""
            shared |= {f"{prefix}/{PATHS[kind]}": service for kind, service in place.services.items()}
        return [shared]

    async def open(self) -> None:
        """Listen: a port for each service, or one port with a path for each."""
        for mounts in self._layout():
            front = Front(mounts)
            self.fronts.append(front)
            await front.open()
        self.identity.url = self.keystone.base
        self._tell_places()

    def _tell_places(self) -> None:
        for place in self.regions.values():
            place.compute.name_links(place.compute.base)
            place.compute.views.image_base = place.services["image"].base

    async def close(self) -> None:
        """Stop listening."""
        await asyncio.gather(*(front.close() for front in self.fronts))
        self.fronts.clear()

    def catalog(self, project_id: str) -> list[dict[str, Any]]:
        """The services and where they are, as Keystone tells."""
        rows = [self._entry("identity", "keystone", dict.fromkeys(self.regions, f"{self.keystone.base}/v3/"))]
        for kind, name, service, suffix in KINDS:
            urls = {r: place.services[service].base + suffix for r, place in self.regions.items()}
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

    @property
    def further(self) -> dict[str, str]:
        """What else of it listens, and where."""
        return {}

    def entries(self) -> dict[str, dict[str, Any]]:
        """Its entries of a clouds.yaml: as the user and as the administrator."""
        return {
            self.name: self.entry(self.user, self.project),
            f"{self.name}-admin": self.entry(self.admin, self.admin_project),
        }

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
