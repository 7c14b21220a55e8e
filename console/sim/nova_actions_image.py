"""The actions of Nova that make images: createImage, createBackup, and the shelf."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import checked_metadata, checked_name, invalid
from console.sim.nova_actions_ground import ActionGround
from console.sim.records import Image, Server

OWN = {"backup_type", "image_state", "bdm_v2", "root_device_name", "mappings", "block_device_mapping"}


class ImageActions(ActionGround):
    """Images out of servers."""

    snapshot_life = "snapshot"

    def create_image(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action createImage."""
        if not isinstance(given, dict) or "name" not in given:
            raise invalid("createImage", given, "'name' is a required property")
        if server.image_id is None:
            return self._volume_image(call, server, given)
        image = self.new_image(call, server, given, "snapshot")
        self.begin(call, server, self.snapshot_life, "createImage", image=image.id)
        return self._image_reply(call, image)

    def create_backup(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action createBackup."""
        for key in ("name", "backup_type", "rotation"):
            if not isinstance(given, dict) or key not in given:
                raise invalid("createBackup", given, f"{key!r} is a required property")
        rotation = str(given["rotation"])
        if not rotation.isdigit():
            raise invalid("rotation", rotation, f"{rotation!r} does not match '^[0-9]+$'")
        if server.image_id is None:
            raise Fault(400, f"Backup is not supported for volume-backed instances: {server.id}.")
        image = self.new_image(call, server, given, "backup")
        image.properties["backup_type"] = str(given["backup_type"])
        self.begin(
            call, server, "backup", "createBackup", image=image.id, backup_type=str(given["backup_type"]),
            rotation=int(rotation),
        )  # fmt: skip
        return reply(202) if int(rotation) == 0 and call.minor < 45 else self._image_reply(call, image)

    def new_image(self, call: Call, server: Server, given: dict[str, Any], kind: str) -> Image:
        """A queued Glance image with the properties that Nova gives to a snapshot."""
        limit = self.store.limits(server.project_id)["metadata_items"]
        extra = checked_metadata(given.get("metadata") or {}, limit)
        base = self.region.glance.images.get(server.image_id or "")
        image = self.region.glance.add(checked_name(given["name"]), call.who.project_id, status="queued")
        image.visibility, image.disk_format, image.container_format = "private", None, None
        image.min_disk = server.flavor.disk
        image.properties = {
            **({k: v for k, v in base.properties.items() if k not in OWN} if base else {}),
            "base_image_ref": (base.properties.get("base_image_ref") or base.id) if base else "",
            "owner_user_name": call.who.user.name,
            "owner_project_name": call.who.project.name if call.who.project else "",
            "boot_roles": ",".join(call.who.roles),
            "instance_uuid": server.id,
            "user_id": call.who.user.id,
            "image_type": kind,
            **extra,
        }
        return image

    def _volume_image(self, call: Call, server: Server, given: dict[str, Any]) -> web.Response:
        if self.region.cinder.exceeded(server.project_id, "snapshots", len(server.volumes)):
            raise Fault(403, "Quota exceeded for resources: snapshots")
        image = self.new_image(call, server, given, "snapshot")
        self.region.glance.fill(image, 0)
        image.virtual_size = None
        image.properties["bdm_v2"] = "True"
        rows = []
        for at, volume in enumerate(server.volumes):
            made = self.region.cinder.snapshot(volume, f"snapshot for {given['name']}")
            ends = any(a.delete_on_termination for a in volume.attachments if a.server_id == server.id)
            row: dict[str, Any] = {"source_type": "snapshot", "destination_type": "volume", "snapshot_id": made.id}
            row |= {"volume_size": volume.size, "boot_index": None if at else 0, "delete_on_termination": ends}
            rows.append(row)
        image.properties["block_device_mapping"] = json.dumps(rows)
        self.note(call, server, "createImage")
        return self._image_reply(call, image)

    def _image_reply(self, call: Call, image: Image) -> web.Response:
        if call.minor >= 45:
            return reply(202, {"image_id": image.id})
        where = f"{self.nova.views.image_base}//images/{image.id}"
        return reply(202, None, {"Location": where, "Content-Type": "text/html; charset=UTF-8"})

    def shelve(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action shelve."""
        image = self.new_image(call, server, {"name": f"{server.name}-shelved"}, "snapshot")
        server.shelved_image = image.id
        life = "shelve" if self.store.shelved_offload else "shelve_keep"
        self.begin(call, server, life, "shelve", image=image.id)
        return reply(202)
