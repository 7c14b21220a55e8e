"""What Cinder has beside its volumes: snapshots, types, limits, quotas, zones and messages."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.cinder_api import Cinder
from console.sim.cinder_store import VolumeSnapshot
from console.sim.clock import naive


class CinderExtras:
    """Those routes of one region's block storage."""

    def __init__(self, cinder: Cinder) -> None:
        self.cinder, self.type_id = cinder, cinder.place.ids.uuid()
        cinder.router.table(
            {
                "GET /snapshots": self.snapshots,
                "GET /snapshots/detail": self.snapshots,
                "POST /snapshots": self.add_snapshot,
                "GET /snapshots/{id}": self.snapshot,
                "DELETE /snapshots/{id}": self.drop_snapshot,
                "GET /types": self.types,
                "GET /types/{id}": self.type,
                "GET /limits": self.limits,
                "GET /os-quota-sets/{project}": self.quotas,
                "GET /os-availability-zone": self.zones,
                "GET /messages": self.messages,
                "GET /extensions": self.extensions,
            }
        )

    def _snapshot_row(self, found: VolumeSnapshot) -> dict[str, Any]:
        return {
            "id": found.id,
            "name": found.name,
            "description": found.description,
            "volume_id": found.volume_id,
            "status": found.status,
            "size": found.size,
            "created_at": naive(found.created),
            "updated_at": naive(found.updated),
            "metadata": found.metadata,
            "os-extended-snapshot-attributes:project_id": found.project_id,
            "os-extended-snapshot-attributes:progress": "100%" if found.status == "available" else "0%",
        }

    async def snapshots(self, call: Call) -> web.Response:
        """GET /snapshots."""
        rows = self.cinder.seen(call, self.cinder.store.snapshots.values())
        return self.cinder.page(call, "snapshots", rows, self._snapshot_row)

    def _snapshot(self, call: Call) -> VolumeSnapshot:
        found = self.cinder.store.snapshots.get(call.names["id"])
        if found is None or not (call.admin or found.project_id == call.who.project_id):
            raise Fault(404, f"Snapshot {call.names['id']} could not be found.")
        return found

    async def snapshot(self, call: Call) -> web.Response:
        """GET /snapshots/{id}."""
        return reply(200, {"snapshot": self._snapshot_row(self._snapshot(call))})

    async def add_snapshot(self, call: Call) -> web.Response:
        """POST /snapshots."""
        body = call.json().get("snapshot") or {}
        volume = self.cinder.volume(call, str(body.get("volume_id")))
        forced = body.get("force") in (True, "true", "True", "1") or call.minor >= 66
        if volume.status != "available" and not (forced and volume.status == "in-use"):
            raise Fault(400, f"Invalid volume: Volume {volume.id} status must be available, but current status is: "
                             f"{volume.status}.")  # fmt: skip
        mine = [s for s in self.cinder.store.snapshots.values() if s.project_id == call.who.project_id]
        self.cinder.spend(call, "snapshots", len(mine), 1)
        made = self.cinder.store.snapshot(volume, body.get("name") or "")
        made.description, made.metadata = body.get("description"), body.get("metadata") or {}
        row = {k: v for k, v in self._snapshot_row(made).items() if not k.startswith("os-")}
        return reply(202, {"snapshot": row | {"updated_at": None}})

    async def drop_snapshot(self, call: Call) -> web.Response:
        """DELETE /snapshots/{id}."""
        found = self._snapshot(call)
        if found.status not in ("available", "error"):
            raise Fault(400, "Invalid snapshot: Snapshot status must be available or error.")
        self.cinder.store.drop_snapshot(found)
        return reply(202)

    # The rest

    def _type(self) -> dict[str, Any]:
        return {"id": self.type_id, "name": "__DEFAULT__", "is_public": True, "description": "Default Volume Type",
                "extra_specs": {}, "os-volume-type-access:is_public": True}  # fmt: skip

    async def types(self, call: Call) -> web.Response:
        """GET /types."""
        return reply(200, {"volume_types": [self._type()]})

    async def type(self, call: Call) -> web.Response:
        """GET /types/{id}."""
        if call.names["id"] not in (self.type_id, "default", "__DEFAULT__"):
            raise Fault(404, f"Volume type {call.names['id']} could not be found.")
        return reply(200, {"volume_type": self._type()})

    async def limits(self, call: Call) -> web.Response:
        """GET /limits."""
        used = self.cinder.store.used(call.who.project_id)
        absolute = {
            "maxTotalVolumes": self.cinder.quota["volumes"],
            "maxTotalSnapshots": self.cinder.quota["snapshots"],
            "maxTotalVolumeGigabytes": self.cinder.quota["gigabytes"],
            "maxTotalBackups": self.cinder.quota["backups"],
            "maxTotalBackupGigabytes": self.cinder.quota["backup_gigabytes"],
            "totalVolumesUsed": used["volumes"],
            "totalGigabytesUsed": used["gigabytes"],
            "totalSnapshotsUsed": used["snapshots"],
            "totalBackupsUsed": 0,
            "totalBackupGigabytesUsed": 0,
        }
        return reply(200, {"limits": {"rate": [], "absolute": absolute}})

    async def quotas(self, call: Call) -> web.Response:
        """GET /os-quota-sets/{project}."""
        project = call.names["project"]
        used = self.cinder.store.used(project)
        if str(call.first("usage")).lower() not in ("true", "1"):
            return reply(200, {"quota_set": {**self.cinder.quota, "id": project}})
        every = self.cinder.quota | {f"{k}___DEFAULT__": -1 for k in ("volumes", "gigabytes", "snapshots")}
        rows = {k: {"limit": n, "in_use": used.get(k, 0), "reserved": 0} for k, n in every.items()}
        return reply(200, {"quota_set": {**rows, "id": project}})

    async def zones(self, call: Call) -> web.Response:
        """GET /os-availability-zone."""
        return reply(200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]})

    async def messages(self, call: Call) -> web.Response:
        """GET /messages."""
        rows = [
            {"id": v.id, "resource_uuid": v.id, "resource_type": "VOLUME", "message_level": "ERROR",
             "user_message": v.message, "created_at": naive(v.updated)}
            for v in self.cinder.seen(call, self.cinder.store.volumes.values())
            if v.message
        ]  # fmt: skip
        return reply(200, {"messages": rows})

    async def extensions(self, call: Call) -> web.Response:
        """GET /extensions."""
        return reply(200, {"extensions": []})
