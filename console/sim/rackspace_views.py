"""How Rackspace's next generation shows its records: a frozen Nova without microversions, and its own extensions."""

from __future__ import annotations

from hashlib import sha224
from typing import Any

import msgspec

from console.sim.lives import status_of
from console.sim.nova_views import Views, addresses, fault
from console.sim.rackspace_schedule import ImageSchedules
from console.sim.records import Flavor, Server


class RackspaceViews(Views):
    """One region's ways of showing."""

    def __init__(self, schedules: ImageSchedules) -> None:
        super().__init__()
        self.schedules = schedules
        self.clock = schedules.clock

    def encoded(self, server: Server, minor: int, admin: bool, detail: bool) -> bytes:
        """A server's whole record, encoded; while its progress counts, it is another one each time."""
        if self.progress(server) < 100:
            return msgspec.json.encode(self.server(server, minor, admin, detail))
        return super().encoded(server, minor, admin, detail)

    def progress(self, server: Server) -> int:
        """How far it has come with what is done to it, in percent; it really counts."""
        if server.vm_state != "building" and not (server.task_state or "").startswith(("resize_", "rebuil")):
            return 100
        whole = server.ends - server.began
        return 0 if whole <= 0 else max(0, min(99, int(100 * (self.clock.time() - server.began) / whole)))

    def server(self, server: Server, minor: int, admin: bool, detail: bool = False) -> dict[str, Any]:
        """A server's whole record."""
        status = status_of(server.vm_state, server.task_state)
        record = self._core(server, minor, status)
        record["addresses"] = addresses(server, short=True)
        for key, version in (("accessIPv4", 4), ("accessIPv6", 6)):
            mine = (row["addr"] for row in record["addresses"].get("public", []) if row["version"] == version)
            record[key] = record[key] or next(mine, "")
        if status in ("ERROR", "DELETED") and server.fault:
            record["fault"] = fault(server.fault, admin)
        record |= {
            "progress": self.progress(server),
            "OS-DCF:diskConfig": server.disk_config,
            "OS-EXT-STS:task_state": server.task_state,
            "OS-EXT-STS:vm_state": server.vm_state,
            "OS-EXT-STS:power_state": server.power_state,
            "config_drive": server.config_drive,
            "key_name": server.key_name,
            "rax-bandwidth:bandwidth": [],
        }
        if server.host:
            record["RAX-PUBLIC-IP-ZONE-ID:publicIPZoneId"] = sha224(f"zone/{server.host}".encode()).hexdigest()
        schedule = self.schedules.of(server)
        return record | ({"RAX-SI:image_schedule": schedule.shown()} if schedule is not None else {})

    def update(self, server: Server, minor: int, admin: bool) -> dict[str, Any]:
        """What PUT and rebuild answer."""
        return self.server(server, minor, admin)

    def created(self, server: Server) -> dict[str, Any]:
        """What POST answers."""
        record = super().created(server)
        del record["security_groups"]
        return record

    def flavor(self, flavor: Flavor, minor: int, detail: bool = True) -> dict[str, Any]:
        """A flavor, with the class that says how it can be resized."""
        links = self.links("flavors", flavor.id)
        if not detail:
            return {"id": flavor.id, "name": flavor.name, "links": links}
        return {
            "id": flavor.id,
            "name": flavor.name,
            "ram": flavor.ram,
            "vcpus": flavor.vcpus,
            "disk": flavor.disk,
            "swap": "",
            "rxtx_factor": flavor.rxtx_factor,
            "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
            "OS-FLV-WITH-EXT-SPECS:extra_specs": flavor.extra_specs,
            "links": links,
        }
