"""The whole embedded estate: clouds with their regions, listening on loopback until it is left again.

    async with Estate(servers=28) as estate:
        estate.write_clouds_yaml(folder)

Everything is in this process and in memory; nothing is left behind.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh
import yaml

from console.sim import catalog
from console.sim.clock import Clock
from console.sim.cloud import Cloud, Ground, Place
from console.sim.control import Control
from console.sim.guest import GuestHouse
from console.sim.rackspace import RackspaceCloud
from console.sim.records import Server
from console.sim.trouble import Trouble


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
        firstgen: bool = False,
        rackspace: bool = False,
    ) -> None:
        self.size = servers
        self.clock = Clock(speed)
        self.guests = GuestHouse(self.clock, guests, guest_port)
        self.guests.image_name = self._image_name
        self.key = asyncssh.generate_private_key("ssh-ed25519", comment="demo@novadeck")
        self.clouds: dict[str, Cloud] = {}
        trouble = Trouble()
        self.control = Control(trouble, self.clock, self.clouds)
        self.guests.shut_down_from_inside = self.control.from_inside
        ground = Ground(self.clock, trouble, self.guests, seed, token_seconds)
        numbers = _shares(max(regions, clouds), clouds)
        names = iter([*catalog.REGIONS, *(f"region-{n}" for n in range(16, 1000))])
        for index in range(clouds):
            name = catalog.CLOUDS[index] if index < len(catalog.CLOUDS) else f"cloud-{index + 1}"
            self.clouds[name] = Cloud(ground, name, [next(names) for _ in range(numbers[index])], index % 2 == 0)
        if firstgen or rackspace:
            self.clouds[RackspaceCloud.called] = RackspaceCloud(ground, firstgen=firstgen, next_one=rackspace)

    async def __aenter__(self) -> Self:
        self._fill()
        for cloud in self.clouds.values():
            await cloud.open()
        await self.control.open()
        await self.guests.start()
        self.clock.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clock.stop()
        await self.control.close()
        await self.guests.stop()
        for cloud in self.clouds.values():
            await cloud.close()

    @property
    def places(self) -> list[tuple[Cloud, Place]]:
        """Every region, with its cloud."""
        return [(cloud, place) for cloud in self.clouds.values() for place in cloud.regions.values()]

    def _fill(self) -> None:
        public = self.key.export_public_key().decode().strip()
        shared = [cloud for cloud in self.clouds.values() if not cloud.has_own_fleet]
        for clouds in (shared, *([cloud] for cloud in self.clouds.values() if cloud.has_own_fleet)):
            places = [(cloud, place) for cloud in clouds for place in cloud.regions.values()]
            for number, (cloud, place) in enumerate(places):
                seed = cloud.seed(place, number)
                seed.offer(cloud.by_port, public)
                seed.populate(number, len(places), self.size)
        self._first_guests()
        for cloud in self.clouds.values():
            cloud.first_guests(public)

    def _first_guests(self) -> None:
        fleet = [s for _, place in self.places for s in list(place.nova.servers.values())[:20]]
        fleet = [s for s in fleet if s.vm_state == "active" and s.task_state is None]
        rows = [iter([s for s in fleet if s.id in place.nova.servers]) for _, place in self.places]
        for index in range((self.guests.room + 1) // 2 if rows else 0):
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

    def clouds_yaml(self) -> dict[str, Any]:
        """What a clouds.yaml for this estate says: each cloud as its user, and as its administrator."""
        return {"clouds": {name: entry for cloud in self.clouds.values() for name, entry in cloud.entries().items()}}

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
    return [total // parts + (index < total % parts) for index in range(parts)] if parts else []
