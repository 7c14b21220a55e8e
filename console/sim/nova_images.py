"""Nova's old proxy to Glance, as it was until 2.36 (its metadata until 2.39): images in words of 2011.

It changes images through the same store as Glance does, and keeps nothing of its own.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import checked_metadata
from console.sim.clock import parse, zulu
from console.sim.nova_api import Nova
from console.sim.nova_resources import paged
from console.sim.records import Image
from console.sim.wanted import visible

OLD_STATUS = {"queued": ("SAVING", 25), "saving": ("SAVING", 50), "active": ("ACTIVE", 100), "killed": ("ERROR", 0),
              "deleted": ("DELETED", 0), "pending_delete": ("DELETED", 0)}  # fmt: skip
ENDED = 36
METADATA_ENDED = 39


class OldImages:
    """The /images routes of one region's Nova."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.glance = nova.place.glance
        nova.router.table(
            {
                "GET /images": self.images,
                "GET /images/detail": self.images_detail,
                "GET /images/{id}": self.image,
                "DELETE /images/{id}": self.drop_image,
                "GET /images/{id}/metadata": self.metadata,
                "POST /images/{id}/metadata": self.merge_metadata,
                "PUT /images/{id}/metadata": self.replace_metadata,
                "GET /images/{id}/metadata/{key}": self.item,
                "PUT /images/{id}/metadata/{key}": self.put_item,
                "DELETE /images/{id}/metadata/{key}": self.drop_item,
            }
        )

    def _until(self, call: Call, end: int) -> None:
        if call.minor >= end:
            raise Fault(404, "The resource could not be found.")

    def _links(self, image: Image) -> list[dict[str, str]]:
        glance = f"{self.nova.views.image_base}//images/{image.id}"
        kind = "application/vnd.openstack.image"
        return [*self.nova.views.links("images", image.id), {"rel": "alternate", "type": kind, "href": glance}]

    def _shown(self, image: Image) -> dict[str, Any]:
        status, progress = OLD_STATUS.get(image.status, ("UNKNOWN", 0))
        record: dict[str, Any] = {
            "id": image.id,
            "name": image.name,
            "minRam": image.min_ram,
            "minDisk": image.min_disk,
            "metadata": image.properties,
            "created": zulu(image.created),
            "updated": zulu(image.updated),
            "status": status,
            "progress": progress,
            "OS-EXT-IMG-SIZE:size": image.size or 0,
            "links": self._links(image),
        }
        server = image.properties.get("instance_uuid")
        if server is not None:
            record["server"] = {"id": server, "links": self.nova.views.links("servers", server)}
        return record

    # Lists

    def _page(self, call: Call) -> tuple[list[Image], dict[str, Any]]:
        self._until(call, ENDED)
        rows = [i for i in self.glance.images.values() if visible(i, call) and self._matches(i, call)]
        rows.sort(key=lambda i: (i.created, i.id), reverse=True)
        rows, more = paged(call, rows, "images", lambda i: i.id)
        return rows, self.nova.next_link(call, *more, "images_links") if more and call.first("limit") else {}

    def _matches(self, image: Image, call: Call) -> bool:
        since = call.first("changes-since")
        wanted = {
            "name": image.name,
            "status": OLD_STATUS.get(image.status, ("UNKNOWN",))[0],
            "server": image.properties.get("instance_uuid"),
            "type": image.properties.get("image_type", "base"),
            "minRam": str(image.min_ram),
            "minDisk": str(image.min_disk),
        } | {f"property-{key}": value for key, value in image.properties.items()}
        for key, value in call.query:
            plain = value.rsplit("/", 1)[-1] if key == "server" else value.upper() if key == "status" else value
            if (key in wanted or key.startswith("property-")) and wanted.get(key) != plain:
                return False
        try:
            return since is None or int(image.updated) >= parse(since)
        except ValueError:
            raise Fault(400, f"Invalid changes-since: {since}") from None

    async def images(self, call: Call) -> web.Response:
        """GET /images."""
        rows, link = self._page(call)
        return reply(200, {"images": [{"id": i.id, "name": i.name, "links": self._links(i)} for i in rows]} | link)

    async def images_detail(self, call: Call) -> web.Response:
        """GET /images/detail."""
        rows, link = self._page(call)
        return reply(200, {"images": [self._shown(i) for i in rows]} | link)

    # One image

    def _image(self, call: Call, end: int = ENDED) -> Image:
        self._until(call, end)
        found = self.glance.images.get(call.names["id"])
        if found is None or not visible(found, call):
            raise Fault(404, "Image not found.")
        return found

    def _own(self, call: Call, end: int, what: str) -> Image:
        image = self._image(call, end)
        if not (call.admin or image.owner == call.who.project_id) or (what == "delete" and image.protected):
            raise Fault(403, f"You are not allowed to {what} the image.")
        return image

    async def image(self, call: Call) -> web.Response:
        """GET /images/{id}."""
        return reply(200, {"image": self._shown(self._image(call))})

    async def drop_image(self, call: Call) -> web.Response:
        """DELETE /images/{id}."""
        self.glance.drop(self._own(call, ENDED, "delete").id)
        return reply(204)

    # Its metadata: Glance's properties

    def _keep(self, call: Call, image: Image, found: Any) -> None:
        most = self.nova.store.limits(call.who.project_id)["metadata_items"]
        image.properties = checked_metadata(found, most)
        self.glance.touch(image)

    def _item(self, call: Call, image: Image) -> str:
        if call.names["key"] not in image.properties:
            raise Fault(404, "Metadata item was not found")
        return image.properties[call.names["key"]]

    async def metadata(self, call: Call) -> web.Response:
        """GET /images/{id}/metadata."""
        return reply(200, {"metadata": self._image(call, METADATA_ENDED).properties})

    async def merge_metadata(self, call: Call) -> web.Response:
        """POST /images/{id}/metadata."""
        image = self._own(call, METADATA_ENDED, "modify")
        self._keep(call, image, image.properties | checked_metadata(call.json().get("metadata"), 10_000))
        return reply(200, {"metadata": image.properties})

    async def replace_metadata(self, call: Call) -> web.Response:
        """PUT /images/{id}/metadata."""
        image = self._own(call, METADATA_ENDED, "modify")
        self._keep(call, image, call.json().get("metadata"))
        return reply(200, {"metadata": image.properties})

    async def item(self, call: Call) -> web.Response:
        """GET /images/{id}/metadata/{key}."""
        return reply(200, {"meta": {call.names["key"]: self._item(call, self._image(call, METADATA_ENDED))}})

    async def put_item(self, call: Call) -> web.Response:
        """PUT /images/{id}/metadata/{key}."""
        image = self._own(call, METADATA_ENDED, "modify")
        given = call.json().get("meta")
        if not isinstance(given, dict) or list(given) != [call.names["key"]]:
            raise Fault(400, "Request body and URI mismatch")
        self._keep(call, image, image.properties | checked_metadata(given, 1))
        return reply(200, {"meta": given})

    async def drop_item(self, call: Call) -> web.Response:
        """DELETE /images/{id}/metadata/{key}."""
        image = self._own(call, METADATA_ENDED, "modify")
        self._item(call, image)
        self._keep(call, image, {k: v for k, v in image.properties.items() if k != call.names["key"]})
        return reply(204)
