"""Rotation, on any lists of images: it deletes no foreign image, never the last good one, and never too few remain."""

import datetime as dt
import random

from console.model.image import Image
from console.model.place import Place
from console.runbooks.rotation import STALE, own, surplus

PLACE = Place("lab", "one")
NOW = dt.datetime(2027, 1, 20, tzinfo=dt.UTC)
STATES = ("active", "active", "active", "queued", "saving", "killed", "deactivated", "uploading")


def image(number: int, source: random.Random) -> Image:
    """Any image: ours or not, good or not, protected or not."""
    return Image(
        id=f"i{number}",
        name="x",
        place=PLACE,
        word=source.choice(STATES),
        schedule=source.choice(["plan", "plan", "plan", "other", None, ""]),
        server_id=source.choice(["web", "web", "web", "db", None]),
        protected=source.choice([None, False, False, True]),
        created=source.choice([None, NOW - dt.timedelta(hours=source.randrange(400))]),
        image_type="snapshot",
    )


def test_whatever_there_is_only_our_own_surplus_goes() -> None:
    source = random.Random(5)
    for _ in range(3000):
        images = [image(number, source) for number in range(source.randrange(12))]
        keep = source.randrange(0, 5)
        doomed = surplus(images, "plan", "web", keep, NOW)
        mine = {one.id for one in images if one.schedule == "plan" and one.server_id == "web"}
        good = [one for one in own(images, "plan", "web") if one.status == "active"]
        left = [one for one in good if one not in doomed]
        assert {one.id for one in doomed} <= mine
        assert not any(one.protected or one.status in ("saving", "uploading", "deactivated") for one in doomed)
        assert len(left) >= min(len(good), max(1, keep))
        assert not good or good[0] in left
        unprotected = [one for one in good if not one.protected]
        assert sum(one in doomed for one in unprotected) <= max(0, len(good) - max(1, keep))
        assert all(one.created is not None and NOW - one.created > STALE for one in doomed if one.status != "active")


def test_the_oldest_go_first_and_nothing_goes_without_a_mark() -> None:
    ours = [
        Image(
            id=f"i{day}",
            name="x",
            place=PLACE,
            word="active",
            schedule="plan",
            server_id="web",
            created=NOW - dt.timedelta(days=day),
        )
        for day in range(5)
    ]
    assert [one.id for one in surplus(ours, "plan", "web", 2, NOW)] == ["i4", "i3", "i2"]
    assert surplus(ours, "", "web", 1, NOW) == [] and surplus(ours, "plan", "", 1, NOW) == []
    unmarked = [Image(id=one.id, name="x", place=PLACE, word="active", server_id="web") for one in ours]
    assert surplus(unmarked, "", "web", 1, NOW) == []
