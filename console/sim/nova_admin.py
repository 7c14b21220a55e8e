"""What Nova shows and lets do to administrators: hypervisors, services, aggregates, migrations, diagnostics."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import invalid
from console.sim.clock import naive
from console.sim.nova_api import Nova
from console.sim.nova_resources import paged
from console.sim.nova_store import Aggregate, ComputeHost
from console.sim.records import Migration

CPU = {"arch": "x86_64", "model": "Nehalem", "vendor": "Intel", "features": ["pge", "clflush"],
       "topology": {"cores": 1, "threads": 1, "sockets": 4}}  # fmt: skip
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OCTETS = ("octets", "errors", "drop", "packets", "rate")


class Administration:
    """The administrators' routes of one region's Nova."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        nova.router.table(
            {
                "GET /os-hypervisors": self.hypervisors,
                "GET /os-hypervisors/detail": self.hypervisors_detail,
                "GET /os-hypervisors/statistics": self.statistics,
                "GET /os-hypervisors/{id}": self.hypervisor,
                "GET /os-services": self.services,
                "PUT /os-services/{id}": self.change_service,
                "GET /os-aggregates": self.aggregates,
                "POST /os-aggregates": self.add_aggregate,
                "GET /os-aggregates/{id}": self.aggregate,
                "PUT /os-aggregates/{id}": self.change_aggregate,
                "DELETE /os-aggregates/{id}": self.drop_aggregate,
                "POST /os-aggregates/{id}/action": self.act_aggregate,
                "GET /os-migrations": self.migrations,
                "GET /servers/{id}/migrations": self.server_migrations,
                "GET /servers/{id}/diagnostics": self.diagnostics,
            }
        )

    # Hosts

    def _used(self, host: ComputeHost) -> tuple[int, int, int, int]:
        mine = [s for s in self.store.alive() if s.host == host.name]
        return (
            len(mine), sum(s.flavor.vcpus for s in mine), sum(s.flavor.ram for s in mine),
            sum(s.flavor.disk for s in mine),
        )  # fmt: skip

    def _hypervisor(self, host: ComputeHost, minor: int, detail: bool) -> dict[str, Any]:
        record: dict[str, Any] = {
            "id": host.hypervisor_id if minor >= 53 else host.number,
            "hypervisor_hostname": host.name,
            "state": "down" if host.forced_down else "up",
            "status": "disabled" if host.disabled else "enabled",
        }
        if not detail:
            return record
        service = host.service_id if minor >= 53 else host.number + 2
        record |= {
            "hypervisor_type": "fake",
            "hypervisor_version": 1000,
            "host_ip": "127.0.0.1",
            "service": {"id": service, "host": host.name, "disabled_reason": host.disabled_reason},
        }
        return record | ({"uptime": None} if minor >= 88 else self._usage(host, minor))

    def _usage(self, host: ComputeHost, minor: int) -> dict[str, Any]:
        count, vcpus, ram, disk = self._used(host)
        return {
            "vcpus": host.vcpus,
            "memory_mb": host.memory_mb,
            "local_gb": host.disk_gb,
            "vcpus_used": vcpus,
            "memory_mb_used": 512 + ram,
            "local_gb_used": disk,
            "free_ram_mb": host.memory_mb - 512 - ram,
            "free_disk_gb": host.disk_gb - disk,
            "current_workload": 0,
            "running_vms": count,
            "disk_available_least": 0,
            "cpu_info": CPU if minor >= 28 else json.dumps(CPU),
        }

    def _hypervisors(self, call: Call, detail: bool) -> web.Response:
        self.nova.only_admin(call, "os-hypervisors:list-detail" if detail else "os-hypervisors:list")
        rows = list(self.store.hosts.values())
        pattern = call.first("hypervisor_hostname_pattern")
        if pattern is not None:
            rows = [h for h in rows if pattern in h.name]
        more = None
        if call.minor >= 33:
            rows, more = paged(call, rows, "hypervisors", lambda h: h.hypervisor_id)
        body: dict[str, Any] = {"hypervisors": [self._hypervisor(h, call.minor, detail) for h in rows]}
        asked = call.first("limit") is not None
        return reply(200, body | (self.nova.next_link(call, *more, "hypervisors_links") if more and asked else {}))

    async def hypervisors(self, call: Call) -> web.Response:
        """GET /os-hypervisors."""
        return self._hypervisors(call, detail=False)

    async def hypervisors_detail(self, call: Call) -> web.Response:
        """GET /os-hypervisors/detail."""
        return self._hypervisors(call, detail=True)

    async def hypervisor(self, call: Call) -> web.Response:
        """GET /os-hypervisors/{id}."""
        self.nova.only_admin(call, "os-hypervisors:show")
        if call.minor >= 53 and not UUID.fullmatch(call.names["id"]):
            raise Fault(400, f"Invalid uuid {call.names['id']}")
        for host in self.store.hosts.values():
            if call.names["id"] in (host.hypervisor_id, str(host.number)):
                return reply(200, {"hypervisor": self._hypervisor(host, call.minor, detail=True)})
        raise Fault(404, f"Hypervisor with ID '{call.names['id']}' could not be found.")

    async def statistics(self, call: Call) -> web.Response:
        """GET /os-hypervisors/statistics."""
        self.nova.only_admin(call, "os-hypervisors:statistics")
        if call.minor >= 88:
            raise Fault(404, "The resource could not be found.")
        rows = [self._usage(h, call.minor) for h in self.store.hosts.values()]
        summed = {k: sum(row[k] for row in rows) for k in rows[0] if k != "cpu_info"}
        return reply(200, {"hypervisor_statistics": summed | {"count": len(rows)}})

    # Services

    def _services(self) -> list[dict[str, Any]]:
        now = naive(self.nova.clock.time())
        inner = [
            {"binary": binary, "host": "vm", "id": number, "uuid": f"{number:08x}-0000-4000-8000-000000000000",
             "zone": "internal", "status": "enabled", "state": "up", "updated_at": now, "disabled_reason": None,
             "forced_down": False}
            for number, binary in ((1, "nova-scheduler"), (2, "nova-conductor"))
        ]  # fmt: skip
        for host in self.store.hosts.values():
            inner.append(
                {"binary": "nova-compute", "host": host.name, "id": host.number + 2, "uuid": host.service_id,
                 "zone": host.zone, "status": "disabled" if host.disabled else "enabled",
                 "state": "down" if host.forced_down else "up", "updated_at": now,
                 "disabled_reason": host.disabled_reason, "forced_down": host.forced_down}
            )  # fmt: skip
        return inner

    def _service(self, row: dict[str, Any], minor: int) -> dict[str, Any]:
        shown = {k: v for k, v in row.items() if k != "uuid"}
        if minor >= 53:
            shown["id"] = row["uuid"]
        if minor < 11:
            shown.pop("forced_down")
        return shown

    async def services(self, call: Call) -> web.Response:
        """GET /os-services."""
        self.nova.only_admin(call, "os-services:list")
        rows = self._services()
        for key in ("binary", "host"):
            wanted = call.first(key)
            if wanted is not None:
                rows = [row for row in rows if row[key] == wanted]
        return reply(200, {"services": [self._service(row, call.minor) for row in rows]})

    async def change_service(self, call: Call) -> web.Response:
        """PUT /os-services/{id}."""
        self.nova.only_admin(call, "os-services:update")
        body = call.json()
        name = call.names["id"]
        host = next((h for h in self.store.hosts.values() if h.service_id == name), None)
        if call.minor < 53:
            return self._old_change(call, name, body)
        if host is None:
            raise Fault(404, f"Service {name} could not be found.")
        if "status" in body:
            self._enable(host, body["status"] == "enabled", body.get("disabled_reason"))
        if "forced_down" in body:
            self._force(host, bool(body["forced_down"]))
        row = next(r for r in self._services() if r["uuid"] == name)
        return reply(200, {"service": self._service(row, call.minor)})

    def _old_change(self, call: Call, verb: str, body: dict[str, Any]) -> web.Response:
        host = self.store.hosts.get(str(body.get("host")))
        if host is None:
            raise Fault(404, f"Could not find binary {body.get('binary')} on host {body.get('host')}.")
        told = {"host": host.name, "binary": body.get("binary", "nova-compute")}
        if verb == "force-down":
            self._force(host, bool(body.get("forced_down")))
            return reply(200, {"service": told | {"forced_down": host.forced_down}})
        if verb not in ("enable", "disable", "disable-log-reason"):
            raise Fault(404, "Unknown action")
        self._enable(host, verb == "enable", body.get("disabled_reason"))
        told["status"] = "disabled" if host.disabled else "enabled"
        return reply(200, {"service": told})

    def _enable(self, host: ComputeHost, enabled: bool, reason: str | None) -> None:
        host.disabled, host.disabled_reason = not enabled, None if enabled else reason
        self._host_changed(host)

    def _force(self, host: ComputeHost, down: bool) -> None:
        host.forced_down = down
        self._host_changed(host)

    def _host_changed(self, host: ComputeHost) -> None:
        state = "DOWN" if host.forced_down else "MAINTENANCE" if host.disabled else "UP"
        self.nova.views.host_up[host.name] = state
        for server in self.store.alive():
            if server.host == host.name:
                server.stale()

    # Aggregates

    def _aggregate(self, call: Call) -> Aggregate:
        self.nova.only_admin(call, "os-aggregates:show")
        id = call.names["id"]
        found = self.store.aggregates.get(int(id)) if id.isdigit() else None
        if found is None:
            raise Fault(404, f"Aggregate {id} could not be found.")
        return found

    def _shown(self, found: Aggregate, minor: int) -> dict[str, Any]:
        zone = {"availability_zone": found.zone} if found.zone else {}
        record: dict[str, Any] = {
            "id": found.id,
            "name": found.name,
            "availability_zone": found.zone,
            "hosts": found.hosts,
            "metadata": found.metadata | zone,
            "created_at": naive(found.created),
            "updated_at": naive(found.updated),
            "deleted": False,
            "deleted_at": None,
        }
        return record | ({"uuid": found.uuid} if minor >= 41 else {})

    async def aggregates(self, call: Call) -> web.Response:
        """GET /os-aggregates."""
        self.nova.only_admin(call, "os-aggregates:index")
        return reply(200, {"aggregates": [self._shown(a, call.minor) for a in self.store.aggregates.values()]})

    async def aggregate(self, call: Call) -> web.Response:
        """GET /os-aggregates/{id}."""
        return reply(200, {"aggregate": self._shown(self._aggregate(call), call.minor)})

    async def add_aggregate(self, call: Call) -> web.Response:
        """POST /os-aggregates."""
        self.nova.only_admin(call, "os-aggregates:create")
        body = call.json().get("aggregate") or {}
        if not isinstance(body.get("name"), str):
            raise invalid("aggregate", body, "'name' is a required property")
        if any(a.name == body["name"] for a in self.store.aggregates.values()):
            raise Fault(409, f"Aggregate {body['name']} already exists.")
        number = max(self.store.aggregates, default=0) + 1
        made = Aggregate(number, self.store.ids.uuid(), body["name"], self.nova.clock.time())
        made.zone = body.get("availability_zone")
        self.store.aggregates[number] = made
        shown = {k: v for k, v in self._shown(made, call.minor).items() if k not in ("hosts", "metadata")}
        return reply(200, {"aggregate": shown})

    async def change_aggregate(self, call: Call) -> web.Response:
        """PUT /os-aggregates/{id}."""
        found = self._aggregate(call)
        body = call.json().get("aggregate") or {}
        found.name = body.get("name", found.name)
        found.zone = body.get("availability_zone", found.zone)
        found.updated = self.nova.clock.time()
        return reply(200, {"aggregate": self._shown(found, call.minor)})

    async def drop_aggregate(self, call: Call) -> web.Response:
        """DELETE /os-aggregates/{id}."""
        found = self._aggregate(call)
        if found.hosts:
            raise Fault(400, f"Cannot remove host from aggregate {found.id}. Reason: Host aggregate is not empty.")
        del self.store.aggregates[found.id]
        return reply(200)

    async def act_aggregate(self, call: Call) -> web.Response:
        """POST /os-aggregates/{id}/action."""
        found = self._aggregate(call)
        ((verb, given),) = call.json().items()
        host = given.get("host")
        if verb == "set_metadata":
            for key, value in given["metadata"].items():
                found.metadata |= {key: value} if value is not None else {}
                if value is None:
                    found.metadata.pop(key, None)
        elif verb == "add_host":
            if host not in self.store.hosts:
                raise Fault(404, f"Compute host {host} could not be found.")
            if host in found.hosts:
                raise Fault(409, f"Aggregate {found.id} already has host {host}.")
            found.hosts.append(host)
        elif verb == "remove_host":
            if host not in found.hosts:
                raise Fault(404, f"Cannot remove host {host} from aggregate {found.id}: not found.")
            found.hosts.remove(host)
        else:
            raise Fault(400, f"There is no such action: {verb}")
        found.updated = self.nova.clock.time() if verb == "set_metadata" else found.updated
        return reply(200, {"aggregate": self._shown(found, call.minor)})

    # Migrations, diagnostics

    def _migration(self, found: Migration, minor: int) -> dict[str, Any]:
        record: dict[str, Any] = {
            "id": found.id,
            "source_node": found.source,
            "dest_node": found.dest,
            "source_compute": found.source,
            "dest_compute": found.dest,
            "dest_host": "127.0.0.1",
            "status": found.status,
            "instance_uuid": found.server_id,
            "old_instance_type_id": int(found.old_flavor.id) if found.old_flavor.id.isdigit() else 1,
            "new_instance_type_id": int(found.new_flavor.id) if found.new_flavor.id.isdigit() else 2,
            "created_at": naive(found.created),
            "updated_at": naive(found.updated),
        }
        if minor >= 23:
            record["migration_type"] = found.kind
            if found.kind == "live-migration" and found.status not in ("completed", "error"):
                record["links"] = self.nova.views.links(f"servers/{found.server_id}/migrations", str(found.id))
        if minor >= 59:
            record["uuid"] = found.uuid
        if minor >= 80:
            record |= {"user_id": found.user_id, "project_id": found.project_id}
        return record

    async def migrations(self, call: Call) -> web.Response:
        """GET /os-migrations."""
        self.nova.only_admin(call, "os-migrations:index")
        rows = list(reversed(self.store.migrations))
        tests = {"status": "status", "instance_uuid": "server_id", "migration_type": "kind", "host": "source"}
        for key, attribute in tests.items():
            wanted = call.first(key)
            if wanted is not None:
                rows = [m for m in rows if getattr(m, attribute) == wanted]
        more = None
        if call.minor >= 59:
            rows, more = paged(call, rows, "migrations", lambda m: m.uuid)
        body: dict[str, Any] = {"migrations": [self._migration(m, call.minor) for m in rows]}
        return reply(200, body | (self.nova.next_link(call, *more, "migrations_links") if more else {}))

    async def server_migrations(self, call: Call) -> web.Response:
        """GET /servers/{id}/migrations."""
        self.nova.only_admin(call, "servers:migrations:index")
        server = self.nova.server(call)
        live = [m for m in self.store.migrations if m.server_id == server.id and m.kind == "live-migration"]
        rows = [self._migration(m, call.minor) for m in live if m.status == "migrating"]
        return reply(200, {"migrations": rows})

    async def diagnostics(self, call: Call) -> web.Response:
        """GET /servers/{id}/diagnostics."""
        self.nova.only_admin(call, "os-server-diagnostics")
        server = self.nova.server(call)
        if server.vm_state not in ("active", "paused", "rescued", "resized"):
            raise Fault(409, f"Cannot 'get_diagnostics' instance {server.id} while it is in vm_state {server.vm_state}")
        up = int(self.nova.clock.time() - (server.launched or server.created))
        if call.minor < 48:
            return reply(200, {"cpu0_time": up * 1_000_000, "memory": server.flavor.ram << 10, "vda_errors": -1})
        body = {
            "state": "paused" if server.vm_state == "paused" else "running",
            "driver": "libvirt",
            "hypervisor": "fake",
            "hypervisor_os": "linux",
            "uptime": up,
            "config_drive": bool(server.config_drive),
            "num_cpus": server.flavor.vcpus,
            "num_nics": len(server.ports),
            "num_disks": 1,
            "cpu_details": [{"id": n, "time": up * 1_000_000, "utilisation": 4} for n in range(server.flavor.vcpus)],
            "memory_details": {"maximum": server.flavor.ram, "used": server.flavor.ram // 3},
            "nic_details": [
                {"mac_address": p.mac, **{f"{way}_{what}": 0 for way in ("rx", "tx") for what in OCTETS}}
                for p in server.ports
            ],
            "disk_details": [
                {"read_bytes": 0, "read_requests": 0, "write_bytes": 0, "write_requests": 0, "errors_count": 0}
            ],
        }
        return reply(200, body)
