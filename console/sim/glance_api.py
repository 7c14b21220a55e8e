"""Glance v2 as its clients meet it: images flat, properties at the top level, paging by relative links."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from console.sim.call import Call, Fault, error_page, html, reply
from console.sim.clock import Clock
from console.sim.glance_query import encoded, in_order, matches
from console.sim.records import Image
from console.sim.region import Region
from console.sim.service import Service
from console.sim.trouble import Trouble

PATCH = "application/openstack-images-v2.1-json-patch"
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
          413: "Request Entity Too Large", 415: "Unsupported Media Type"}  # fmt: skip
FIELDS = {
    "name": "name",
    "visibility": "visibility",
    "min_disk": "min_disk",
    "min_ram": "min_ram",
    "protected": "protected",
    "os_hidden": "hidden",
    "tags": "tags",
    "disk_format": "disk_format",
    "container_format": "container_format",
}
READ_ONLY = {
    "id", "status", "owner", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at",
    "updated_at", "self", "file", "schema",
}  # fmt: skip
DENIED = (
    "This server could not verify that you are authorized to access the document you requested. Either you supplied "
    "the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials "
    "required."
)


class Glance(Service):
    """One region's image service."""

    kind = "image"

    def __init__(self, region: Region, clock: Clock, trouble: Trouble) -> None:
        super().__init__(clock, region.identity, trouble, region.name)
        self.store = region.glance
        routes = {
            "GET /v2/images": self.listing,
            "POST /v2/images": self.create,
            "GET /v2/images/{id}": self.show,
            "PATCH /v2/images/{id}": self.patch,
            "DELETE /v2/images/{id}": self.delete,
            "PUT /v2/images/{id}/file": self.upload,
            "PUT /v2/images/{id}/tags/{tag}": self.add_tag,
            "DELETE /v2/images/{id}/tags/{tag}": self.drop_tag,
            "POST /v2/images/{id}/actions/{act}": self.act,
            "GET /v2/images/{id}/tasks": self.tasks,
            "GET /v2/schemas/image": self.schema,
            "GET /v2/schemas/images": self.schema,
        }
        self.router.table(routes)

    def is_open(self, call: Call) -> bool:
        return call.path.strip("/") in ("", "versions")

    async def handle(self, call: Call) -> web.Response:
        here = call.path.strip("/")
        call.plain = self.identity.token(call.request.headers.get("X-Auth-Token", "")) is None or here in (
            "",
            "versions",
        )
        if here in ("", "versions"):
            return reply(300 if here == "" else 200, {"versions": self._versions()})
        if call.path == "/v2" and self.identity.token(call.request.headers.get("X-Auth-Token", "")):
            moved = {"Location": f"{self.base}/v2/", "Content-Type": "text/plain; charset=utf8"}
            return web.Response(status=302, headers=moved)
        return await super().handle(call)

    def _versions(self) -> list[dict[str, Any]]:
        rows = []
        for minor in (17, 16, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0):
            status = "CURRENT" if minor == 17 else "SUPPORTED"
            links = [{"rel": "self", "href": f"{self.base}/v2/"}]
            rows.append({"id": f"v2.{minor}", "status": status, "links": links})
        return rows

    def refusal(self) -> web.Response:
        page = html(401, "Unauthorized", DENIED)
        page.headers["WWW-Authenticate"] = f'Keystone uri="{self.identity.url}/v3"'
        return page

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        return error_page(call, fault.status, TITLES.get(fault.status, "Error"), fault.message)

    # Which images

    def _seen(self, image: Image, call: Call, asked: bool = True) -> bool:
        project = call.who.project_id
        if call.admin or image.owner == project or image.visibility == "public":
            return True
        if image.visibility == "community":
            return asked
        member = image.members.get(project)
        return image.visibility == "shared" and member is not None and (asked or member["status"] == "accepted")

    def image(self, call: Call) -> Image:
        """The image that the path names."""
        image = self.store.images.get(call.names["id"])
        if image is None or not self._seen(image, call):
            raise Fault(404, f"No image found with ID {call.names['id']}")
        return image

    def own(self, call: Call, what: str) -> Image:
        """The image that the path names, if it is the caller's own."""
        image = self.image(call)
        if not (call.admin or image.owner == call.who.project_id):
            raise Fault(403, f"You are not authorized to complete {what} action.")
        return image

    async def listing(self, call: Call) -> web.Response:
        """GET /v2/images."""
        rows = in_order(call, [i for i in self.store.images.values() if self._listed(i, call)])
        rows = [image for image in rows if matches(image, call)]
        marker, limit = call.first("marker"), self._limit(call)
        if marker is not None:
            at = next((i for i, image in enumerate(rows) if image.id == marker), None)
            if at is None:
                raise Fault(400, f"Invalid marker: image {marker} could not be found.")
            rows = rows[at + 1 :]
        page = rows[:limit]
        body = b'{"images":[' + b",".join([encoded(image) for image in page]) + b"]"
        return reply(200, body + b"," + msgspec.json.encode(self._links(call, page, len(page) == limit))[1:])

    def _links(self, call: Call, page: list[Image], more: bool) -> dict[str, str]:
        query = [(k, v) for k, v in call.query if k != "marker"]
        text = urlencode(query)
        links = {"first": "/v2/images" + (f"?{text}" if text else ""), "schema": "/v2/schemas/images"}
        if more and page:
            links["next"] = "/v2/images?" + urlencode([*query, ("marker", page[-1].id)])
        return links

    def _limit(self, call: Call) -> int:
        asked = call.first("limit")
        if asked is None:
            return 25
        if not asked.isdigit():
            raise Fault(400, "limit param must be an integer")
        return min(1000, int(asked))

    def _listed(self, image: Image, call: Call) -> bool:
        asked = call.first("visibility")
        hidden = str(call.first("os_hidden", "false")).lower() == "true"
        if image.hidden != hidden:
            return False
        if asked == "all":
            return self._seen(image, call)
        if asked is not None and image.visibility != asked:
            return False
        if call.admin and asked is None:
            return True
        return self._seen(image, call, asked=asked == "community")

    # One image

    async def show(self, call: Call) -> web.Response:
        """GET /v2/images/{id}."""
        return reply(200, encoded(self.image(call)))

    async def create(self, call: Call) -> web.Response:
        """POST /v2/images."""
        body = call.json()
        bad = READ_ONLY & set(body) - {"id"}
        if bad:
            raise Fault(403, f"Attribute '{min(bad)}' is read-only.")
        if body.get("visibility") == "public" and not call.admin:
            raise Fault(403, "You are not authorized to complete publicize_image action.")
        image = self.store.add(body.get("name"), call.who.project_id, status="queued", visibility="shared")
        image.disk_format = image.container_format = None
        for key, value in body.items():
            if key in FIELDS:
                setattr(image, FIELDS[key], value)
            elif key != "id":
                image.properties[key] = str(value)
        self.store.touch(image)
        headers = {"Location": f"{self.base}/v2/images/{image.id}", "OpenStack-image-store-ids": "local"}
        headers["OpenStack-image-import-methods"] = "glance-direct,web-download,copy-image"
        return reply(201, encoded(image), headers)

    async def upload(self, call: Call) -> web.Response:
        """PUT /v2/images/{id}/file."""
        image = self.own(call, "upload_image")
        if image.status not in ("queued", "saving"):
            raise Fault(409, f"Image status transition from {image.status} to saving is not allowed")
        self.store.fill(image, len(call.body))
        return reply(204)

    async def patch(self, call: Call) -> web.Response:
        """PATCH /v2/images/{id}."""
        if call.request.content_type != PATCH:
            raise Fault(415, f"Unsupported media type: {call.request.content_type}", headers={"Accept-Patch": PATCH})
        image = self.own(call, "modify_image")
        try:
            changes = msgspec.json.decode(call.body, type=list[dict[str, Any]])
        except msgspec.DecodeError:
            raise Fault(400, "Malformed request body") from None
        for change in changes:
            self._change(call, image, change)
        self.store.touch(image)
        return reply(200, encoded(image))

    def _change(self, call: Call, image: Image, change: dict[str, Any]) -> None:
        op, name = change.get("op"), str(change.get("path", "")).lstrip("/").replace("~1", "/").replace("~0", "~")
        if op not in ("add", "replace", "remove") or not name or (op != "remove" and "value" not in change):
            raise Fault(400, "Operation objects must contain one of: add, replace, remove, and a value.")
        if name in READ_ONLY:
            raise Fault(403, f"Attribute '{name}' is read-only.")
        value = change.get("value")
        if name in FIELDS:
            if op == "remove":
                raise Fault(403, f"Property {name} may not be removed.")
            if name == "visibility" and value == "public" and not call.admin:
                raise Fault(403, "You are not authorized to complete publicize_image action.")
            setattr(image, FIELDS[name], value)
        elif op == "remove":
            if image.properties.pop(name, None) is None:
                raise Fault(409, f"Property {name} does not exist.")
        elif op == "replace" and name not in image.properties:
            raise Fault(409, f"Property {name} does not exist.")
        else:
            image.properties[name] = str(value)

    async def delete(self, call: Call) -> web.Response:
        """DELETE /v2/images/{id}."""
        image = self.own(call, "delete_image")
        if image.protected:
            raise Fault(403, f"Image {image.id} is protected and cannot be deleted.")
        self.store.drop(image.id)
        response = reply(204)
        response.headers["Content-Type"] = "text/html; charset=UTF-8"
        return response

    async def act(self, call: Call) -> web.Response:
        """POST /v2/images/{id}/actions/{act}."""
        image = self.own(call, call.names["act"])
        if not call.admin:
            raise Fault(403, f"You are not authorized to complete {call.names['act']} action.")
        states = {"deactivate": ("active", "deactivated"), "reactivate": ("deactivated", "active")}
        if call.names["act"] not in states:
            raise Fault(404, "The resource could not be found.")
        old, new = states[call.names["act"]]
        if image.status not in (old, new):
            raise Fault(403, f"Not allowed to {call.names['act']} image in status '{image.status}'")
        image.status = new
        self.store.touch(image)
        return reply(204)

    async def add_tag(self, call: Call) -> web.Response:
        """PUT /v2/images/{id}/tags/{tag}."""
        image = self.own(call, "modify_image")
        if call.names["tag"] not in image.tags:
            image.tags.append(call.names["tag"])
        self.store.touch(image)
        return reply(204, None, {"Content-Type": "text/html; charset=UTF-8"})

    async def drop_tag(self, call: Call) -> web.Response:
        """DELETE /v2/images/{id}/tags/{tag}."""
        image = self.own(call, "modify_image")
        if call.names["tag"] not in image.tags:
            raise Fault(404, "The tag could not be found.")
        image.tags.remove(call.names["tag"])
        self.store.touch(image)
        return reply(204)

    async def tasks(self, call: Call) -> web.Response:
        """GET /v2/images/{id}/tasks: imports, of which there are none."""
        self.image(call)
        return reply(200, {"tasks": []})

    async def schema(self, call: Call) -> web.Response:
        """GET /v2/schemas/image."""
        return reply(200, {"name": "image", "properties": {}, "additionalProperties": {"type": "string"}})
