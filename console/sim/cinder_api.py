"""Cinder v3 as its clients meet it: volumes, snapshots, types, limits, quotas; attaching is Nova's affair."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, error_page, reply
from console.sim.cinder_store import Attachment, Volume
from console.sim.clock import Clock, naive
from console.sim.region import Region
from console.sim.service import Service
from console.sim.trouble import Trouble

KINDS = {400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit",
         503: "serviceUnavailable"}  # fmt: skip
MALFORMED = "The server could not comply with the request since it is either malformed or otherwise incorrect."


class Cinder(Service):
    """One region's block storage."""

    kind = "block-storage"

    def __init__(self, region: Region, clock: Clock, trouble: Trouble) -> None:
        super().__init__(clock, region.identity, trouble, region.name)
        self.place = region
        self.store = region.cinder
        self.quota = self.store.quota
        self.router.table(
            {
                "GET /volumes": self.brief_list,
                "POST /volumes": self.create,
                "GET /volumes/detail": self.detail_list,
                "GET /volumes/{id}": self.show,
                "PUT /volumes/{id}": self.update,
                "DELETE /volumes/{id}": self.delete,
                "POST /volumes/{id}/action": self.act,
                "GET /volumes/{id}/metadata": self.metadata,
            }
        )

    async def handle(self, call: Call) -> web.Response:
        self._choose_version(call)
        path = call.path.rstrip("/")
        if path == "":
            return reply(300, {"versions": [self._version()]})
        refused = self.admit(call)
        if refused is not None:
            call.headers.clear()
            call.behind = False
            return refused
        if call.path == "/v3":
            moved = {"Location": f"{self.base}/v3/", "Content-Type": "text/plain; charset=utf8"}
            call.headers.clear()
            call.behind = False
            return web.Response(status=302, headers=moved)
        if path == "/v3":
            return reply(200, {"versions": [self._version()]})
        parts = path.split("/")
        if parts[1] != "v3":
            return self.not_routed(call)
        own = len(parts) > 2 and len(parts[2]) == 32
        if own and parts[2] != call.who.project_id:
            raise Fault(400, "Malformed request url")
        call.path = "/" + "/".join(parts[3 if own else 2 :])
        return await self._routed(call)

    async def _routed(self, call: Call) -> web.Response:
        found = self.router.find(call.request.method, call.path)
        if found is None:
            return self.not_routed(call)
        answer, call.names = found
        return await answer(call)

    def _choose_version(self, call: Call) -> None:
        asked = call.request.headers.get("OpenStack-API-Version", "").removeprefix("volume ")
        call.minor = 0
        if asked.startswith("3.") and asked[2:].isdigit():
            call.minor = int(asked[2:])
            if call.minor > 71:
                text = f"Version {asked} is not supported by the API. Minimum is 3.0 and maximum is 3.71."
                raise Fault(406, text)
        call.headers["OpenStack-API-Version"] = f"volume 3.{call.minor}"
        call.headers["Vary"] = "OpenStack-API-Version"

    def finish(self, call: Call, response: web.StreamResponse) -> None:
        super().finish(call, response)
        if call.behind:
            response.headers["x-compute-request-id"] = call.request_id

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        kind = fault.kind or KINDS.get(fault.status, "computeFault")
        return reply(fault.status, {kind: {"code": fault.status, "message": fault.message}})

    def not_routed(self, call: Call) -> web.Response:
        return error_page(call, 404, "Not Found", "The resource could not be found.")

    def _version(self) -> dict[str, Any]:
        media = "application/vnd.openstack.volume+json;version=3"
        return {
            "id": "v3.0",
            "status": "CURRENT",
            "version": "3.71",
            "min_version": "3.0",
            "updated": "2023-08-31T00:00:00Z",
            "links": [
                {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                {"rel": "self", "href": f"{self.base}/v3/"},
            ],
            "media-types": [{"base": "application/json", "type": media}],
        }

    # Volumes

    def _links(self, kind: str, id: str) -> list[dict[str, str]]:
        return [
            {"rel": "self", "href": f"{self.base}/v3/{kind}/{id}"},
            {"rel": "bookmark", "href": f"{self.base}/{kind}/{id}"},
        ]

    def _attachment(self, volume: Volume, place: Attachment, admin: bool) -> dict[str, Any]:
        return {
            "id": volume.id,
            "attachment_id": place.id,
            "volume_id": volume.id,
            "server_id": place.server_id,
            "host_name": place.host if admin else None,
            "device": place.device,
            "attached_at": naive(place.attached),
        }

    def shown(self, volume: Volume, admin: bool, fresh: bool = False) -> dict[str, Any]:
        """A volume as Cinder shows it."""
        connected = volume.status in ("in-use", "detaching")
        record = {
            "id": volume.id,
            "status": volume.status,
            "size": volume.size,
            "availability_zone": volume.zone,
            "created_at": naive(volume.created),
            "updated_at": None if fresh else naive(volume.updated),
            "name": volume.name,
            "description": volume.description,
            "volume_type": "__DEFAULT__",
            "snapshot_id": volume.snapshot_id,
            "source_volid": volume.source_id,
            "metadata": volume.metadata,
            "links": self._links("volumes", volume.id),
            "user_id": volume.user_id,
            "bootable": "true" if volume.bootable else "false",
            "encrypted": False,
            "replication_status": None,
            "consistencygroup_id": None,
            "multiattach": volume.multiattach,
            "attachments": [self._attachment(volume, a, admin) for a in volume.attachments] if connected else [],
        }
        if fresh:
            return record
        record["os-vol-tenant-attr:tenant_id"] = volume.project_id
        if volume.image_metadata:
            record["volume_image_metadata"] = volume.image_metadata
        if admin:
            record["os-vol-host-attr:host"] = "storage-1@loopback"
        return record

    def seen(self, call: Call, rows: Any) -> list[Any]:
        """The rows that the caller may see and asked for."""
        every = call.admin and call.first("all_tenants") in ("1", "true", "True")
        found = [row for row in rows if every or row.project_id == call.who.project_id]
        for key in ("name", "status", "volume_id"):
            wanted = call.first(key)
            if wanted is not None:
                found = [row for row in found if getattr(row, key, None) == wanted]
        found.sort(key=lambda row: (row.created, row.id), reverse=True)
        return found

    def page(self, call: Call, key: str, rows: list[Any], show: Any) -> web.Response:
        """One page of the rows, with the link to the next."""
        marker, asked = call.first("marker"), call.first("limit")
        if asked is not None and not asked.isdigit():
            raise Fault(400, "limit param must be an integer")
        limit = min(1000, int(asked)) if asked is not None else 1000
        if marker is not None:
            at = next((i for i, row in enumerate(rows) if row.id == marker), None)
            if at is None:
                raise Fault(404, f"Volume {marker} could not be found.")
            rows = rows[at + 1 :]
        body: dict[str, Any] = {key: [show(row) for row in rows[:limit]]}
        if rows and len(rows) >= limit > 0:
            href = f"{self.base}/v3{call.path}?limit={limit}&marker={rows[limit - 1].id}"
            body[f"{key}_links"] = [{"rel": "next", "href": href}]
        return reply(200, body)

    async def brief_list(self, call: Call) -> web.Response:
        """GET /volumes."""
        rows = self.seen(call, self.store.volumes.values())
        return self.page(
            call, "volumes", rows, lambda v: {"id": v.id, "name": v.name, "links": self._links("volumes", v.id)}
        )

    async def detail_list(self, call: Call) -> web.Response:
        """GET /volumes/detail."""
        rows = self.seen(call, self.store.volumes.values())
        return self.page(call, "volumes", rows, lambda v: self.shown(v, call.admin))

    def volume(self, call: Call, id: str | None = None) -> Volume:
        """The volume that the path names, or this one."""
        id = id if id is not None else call.names["id"]
        found = self.store.volumes.get(id)
        if found is None or not (call.admin or found.project_id == call.who.project_id):
            raise Fault(404, f"Volume {id} could not be found.")
        return found

    async def show(self, call: Call) -> web.Response:
        """GET /volumes/{id}."""
        return reply(200, {"volume": self.shown(self.volume(call), call.admin)})

    async def metadata(self, call: Call) -> web.Response:
        """GET /volumes/{id}/metadata."""
        return reply(200, {"metadata": self.volume(call).metadata})

    def spend(self, call: Call, what: str, used: int, more: int) -> None:
        """Refuse what the quota does not leave."""
        most = self.quota[what]
        if 0 <= most < used + more:
            text = f"Maximum number of {what} allowed ({most}) exceeded for quota '{what}'."
            raise Fault(413, text, headers={"Retry-After": "0"})

    async def create(self, call: Call) -> web.Response:
        """POST /volumes."""
        body = call.json().get("volume")
        if not isinstance(body, dict):
            raise Fault(400, "Missing required element 'volume' in request body.")
        size = self._size(call, body)
        mine = [v for v in self.store.volumes.values() if v.project_id == call.who.project_id]
        self.spend(call, "volumes", len(mine), 1)
        self.spend(call, "gigabytes", sum(v.size for v in mine), size)
        volume = self.store.add(body.get("name") or "", call.who.project_id, call.who.user.id, size)
        volume.description = body.get("description")
        volume.metadata = {str(k): str(v) for k, v in (body.get("metadata") or {}).items()}
        volume.snapshot_id, volume.source_id = body.get("snapshot_id"), body.get("source_volid")
        image = self.place.glance.images.get(str(body.get("imageRef") or ""))
        if image is not None:
            volume.bootable = True
            volume.image_metadata = {"image_id": image.id, "image_name": image.name or ""}
        self.store.make(volume)
        return reply(202, {"volume": self.shown(volume, call.admin, fresh=True)})

    def _size(self, call: Call, body: dict[str, Any]) -> int:
        snapshot, image = body.get("snapshot_id"), body.get("imageRef")
        if snapshot is not None and snapshot not in self.store.snapshots:
            raise Fault(404, f"Snapshot {snapshot} could not be found.")
        if body.get("source_volid") is not None:
            self.volume(call, body["source_volid"])
        if image and image not in self.place.glance.images:
            raise Fault(400, "Invalid image identifier or unable to access requested image.")
        size = body.get("size")
        if size is None and snapshot is not None:
            return self.store.snapshots[snapshot].size
        if size is None and body.get("source_volid") is not None:
            return self.store.volumes[body["source_volid"]].size
        if size is None:
            raise Fault(400, MALFORMED)
        if not str(size).lstrip("-").isdigit():
            raise Fault(
                400, f"Invalid input for field/attribute size. Value: {size}. {size!r} does not match '^[0-9]+$'"
            )
        if int(str(size)) < 1:
            text = f"Invalid input for field/attribute size. Value: {size}. {size} is less than the minimum of 1"
            raise Fault(400, text)
        return int(str(size))

    async def update(self, call: Call) -> web.Response:
        """PUT /volumes/{id}."""
        volume = self.volume(call)
        body = call.json().get("volume") or {}
        volume.name = body.get("name", volume.name)
        volume.description = body.get("description", volume.description)
        volume.metadata = body.get("metadata", volume.metadata)
        volume.updated = self.clock.time()
        return reply(200, {"volume": self.shown(volume, call.admin)})

    async def delete(self, call: Call) -> web.Response:
        """DELETE /volumes/{id}."""
        volume = self.volume(call)
        has_snapshots = any(s.volume_id == volume.id for s in self.store.snapshots.values())
        if volume.status not in ("available", "error", "error_extending", "error_deleting") or has_snapshots:
            raise Fault(400, "Invalid volume: Volume status must be available or error or error_restoring or "
                             "error_extending or error_managing and must not be migrating, attached, belong to a "
                             "group, have snapshots, awaiting a transfer, or be disassociated from snapshots after "
                             "volume transfer.")  # fmt: skip
        self.store.delete(volume)
        return reply(202, None, {"Content-Type": "text/html; charset=UTF-8"})

    async def act(self, call: Call) -> web.Response:
        """POST /volumes/{id}/action."""
        volume, body = self.volume(call), call.json()
        name, given = next(iter(body.items()))
        if name == "os-extend":
            self._extend(call, volume, int(given.get("new_size", 0)))
            return reply(202)
        if name == "os-set_bootable":
            volume.bootable = str(given.get("bootable")).lower() == "true"
            return reply(200)
        if name == "os-reset_status":
            if not call.admin:
                raise Fault(403, "Policy doesn't allow volume_extension:volume_admin_actions:reset_status to be "
                                 "performed.")  # fmt: skip
            self.store.become(volume, str(given.get("status")))
            return reply(202)
        raise Fault(400, f"There is no such action: {name}")

    def _extend(self, call: Call, volume: Volume, size: int) -> None:
        if volume.status != "available" and not (volume.status == "in-use" and call.minor >= 42):
            raise Fault(400, f"Invalid volume: Volume {volume.id} status must be '('available',)' to extend, currently "
                             f"{volume.status}.")  # fmt: skip
        if size <= volume.size:
            raise Fault(400, f"Invalid input received: New size for extend must be greater than current size. "
                             f"(current: {volume.size}, extended: {size}).")  # fmt: skip
        self.store.extend(volume, size)
        for place in volume.attachments:
            server = self.place.nova.servers.get(place.server_id)
            if server is not None:
                self.place.nova.noted(server, "extend_volume", call.who, call.request_id)
