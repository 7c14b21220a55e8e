"""Images of Glance v2: its pages, its filters, and the properties that tell a snapshot from a base image."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from console.clouds.dialect import Accepted, Filters
from console.clouds.openstack.reader import Reader
from console.clouds.openstack.records import Memo
from console.clouds.openstack.service import Service
from console.clouds.openstack.shapes import GlanceImage
from console.errors import NotFound
from console.model.image import Image
from console.model.place import Origin
from console.wire.message import refuse_body, request_id

PAGE = 1000  # images; left to itself Glance gives 25

_FILTERS = {
    "server_id": "instance_uuid",
    "hidden": "os_hidden",
    "base_image_id": "base_image_ref",
    "operation": "novadeck_op",
    "schedule": "novadeck_schedule",
}
_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


class Glance:
    """What one account reads and orders at one image service."""

    def __init__(self, service: Service, origin: Origin, *, region: str) -> None:
        self.service = service
        self._images = Memo("images", Reader(GlanceImage, "image", origin, region=region).many, service.place)

    async def images(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Image]]:
        """Pages of images: public ones, the project's own, and those shared with it and accepted."""
        params: list[tuple[str, Any]] = [("limit", PAGE), *_query(filters or {})]
        whole = not filters
        turn = self._images.turn("" if whole else "part")
        async for rows in self.service.pages("images", params, turn.page):
            yield rows
        if whole:
            turn.done(whole=True)

    async def image(self, id: str) -> Image:
        """One image, read now. Raises `NotFound`: a failed snapshot just goes away."""
        reply = await self.service.get(f"images/{id}")
        row = self._images.row(reply.body.strip(), alone=True)
        if row is None:
            refuse_body(reply, self.service.place, "something that is no image")
        return row

    async def set_image(self, id: str, properties: Mapping[str, str]) -> Accepted:
        """Give an image these properties, each in the place of one that it has already."""
        changes = [{"op": "add", "path": f"/{_step(name)}", "value": value} for name, value in properties.items()]
        return Accepted(request_id((await self.service.patch(f"images/{id}", changes, headers=_PATCH)).headers))

    async def delete_image(self, id: str) -> Accepted:
        """Order an image's end; one that is gone already is no error."""
        try:
            return Accepted(request_id((await self.service.delete(f"images/{id}")).headers))
        except NotFound as error:
            return Accepted(error.request_id)


def _step(name: str) -> str:
    """One step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _query(filters: Filters) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in filters.items():
        if isinstance(value, list | tuple):
            value = "in:" + ",".join(map(str, value))
        if isinstance(value, bool):
            value = "true" if value else "false"
        if value is not None:
            found.append((_FILTERS.get(name, name), value.lower() if name in ("status", "visibility") else value))
    return found
