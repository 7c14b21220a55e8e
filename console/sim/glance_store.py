"""What one region's Glance knows: images, and what becomes of the snapshots that Nova uploads."""

from __future__ import annotations

from hashlib import md5, sha512

from console.sim.clock import Clock
from console.sim.records import Ids, Image, Server


class Images:
    """The images of one region."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self.clock = clock
        self.ids = ids
        self.images: dict[str, Image] = {}

    def add(self, name: str | None, owner: str, **given: object) -> Image:
        """Take a new image in."""
        now = self.clock.time()
        image = Image(self.ids.uuid(), name, owner, now, now)
        for key, value in given.items():
            setattr(image, key, value)
        if image.status == "active" and image.size is not None:
            self.fill(image, image.size)
        self.images[image.id] = image
        return image

    def fill(self, image: Image, size: int) -> None:
        """The image has data now."""
        seed = image.id.encode()
        image.size, image.virtual_size, image.status = size, size, "active"
        image.checksum = md5(seed, usedforsecurity=False).hexdigest()
        image.hash_value = sha512(seed).hexdigest()
        self.touch(image)

    def touch(self, image: Image) -> None:
        """The image changed."""
        image.updated = self.clock.time()
        image.encoded = None

    def saving(self, image_id: str) -> None:
        """Nova begins to upload."""
        image = self.images.get(image_id)
        if image is not None:
            image.status, image.disk_format, image.container_format = "saving", "raw", "bare"
            self.touch(image)

    def uploaded(self, image_id: str, server: Server) -> None:
        """Nova has uploaded the server's disk."""
        image = self.images.get(image_id)
        if image is not None:
            image.disk_format, image.container_format = "raw", "bare"
            image.properties["image_state"] = "available"
            self.fill(image, max(1, server.flavor.disk) * 181_000_000 + len(server.id))

    def drop(self, image_id: str) -> None:
        """The image is gone."""
        self.images.pop(image_id, None)

    def rotate(self, server: Server, backup_type: str, rotation: int) -> None:
        """Delete the oldest backups of this kind above `rotation`."""
        self.thin({"instance_uuid": server.id, "image_type": "backup", "backup_type": backup_type}, rotation)

    def thin(self, mark: dict[str, str], keep: int) -> None:
        """Of the images with all these properties keep the newest ones."""
        mine = [image for image in self.images.values() if mark.items() <= image.properties.items()]
        mine.sort(key=lambda image: image.created, reverse=True)
        for image in mine[keep:]:
            self.drop(image.id)
