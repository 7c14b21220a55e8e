"""Which of a plan's images may go: only its own, only above the number to keep, and never the last good one.

Pure, so that it can be tried on any list of images that anybody can think of. An image is a plan's own if it carries
the plan's mark and was made of the plan's server: the one alone can be copied by hand, the other is everybody's.
"""

import datetime as dt
from collections.abc import Iterable

from console.model.image import Image

STALE = dt.timedelta(days=2)  # after which an image that never got its data is taken for given up
_OLDEST = dt.datetime.min.replace(tzinfo=dt.UTC)


def own(images: Iterable[Image], schedule: str, server_id: str) -> list[Image]:
    """The plan's own images, newest first."""
    mine = [image for image in images if image.schedule == schedule and image.server_id == server_id and schedule]
    return sorted(mine, key=lambda image: (image.created or _OLDEST, image.id), reverse=True)


def surplus(images: Iterable[Image], schedule: str, server_id: str, keep: int, now: dt.datetime) -> list[Image]:
    """The images to delete, oldest first: good ones above `keep`, and those that came to nothing long ago."""
    mine = own(images, schedule, server_id)
    good = [image for image in mine if image.status == "active"]
    lost = [image for image in mine if image.status in ("queued", "killed", "error") and _old(image, now)]
    doomed = good[max(1, keep) :] + (lost if good else [])
    doomed.sort(key=lambda image: (image.created or _OLDEST, image.id))
    return [image for image in doomed if not image.protected]


def _old(image: Image, now: dt.datetime) -> bool:
    return image.created is not None and now - image.created > STALE
