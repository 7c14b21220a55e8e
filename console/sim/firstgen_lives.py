"""What happens to first-generation servers and images over time: their statuses, declared, and what they bring about.

v1.0 knows no task states: the status alone says what is going on.  Waits are in seconds at speed 1, but for the day
after which a resize is confirmed: that is a promise to people, and kept by the calendar at any speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from console.sim.firstgen_guests import OldGuests
from console.sim.firstgen_store import OldCloud, OldImage, OldServer

DAY = 86_400.0
Given = dict[str, Any]
Effect = Callable[["Lives", OldServer, Given], None]


@dataclass(frozen=True, slots=True)
class OldLife:
    """Each status with how long it lasts, the status at the end, what is done there, and what the guest notices."""

    steps: tuple[tuple[str, float], ...]
    end: str = "ACTIVE"
    then: str = ""
    guest: str = ""  # "boots": off, and on again at the end; "new": another disk


LIVES = {
    "build": OldLife((("BUILD", 3.0),), then="built", guest="new"),
    "rebuild": OldLife((("REBUILD", 3.0),), then="rebuilt", guest="new"),
    "reboot_soft": OldLife((("REBOOT", 1.5),), guest="boots"),
    "reboot_hard": OldLife((("HARD_REBOOT", 2.0),), guest="boots"),
    "password": OldLife((("PASSWORD", 1.0),), then="password"),
    "resize": OldLife(
        (("QUEUE_RESIZE", 0.6), ("PREP_RESIZE", 0.6), ("RESIZE", 2.0)), "VERIFY_RESIZE", "resized", "boots"
    ),
    "resize_failed": OldLife((("QUEUE_RESIZE", 0.6),)),
    "confirm": OldLife((), then="confirmed"),
    "revert": OldLife((), then="reverted", guest="boots"),
    "share_ip": OldLife((("SHARE_IP", 1.5),), then="shared", guest="boots"),
    "share_ip_no_config": OldLife((("SHARE_IP_NO_CONFIG", 0.8),), then="shared"),
    "delete_ip": OldLife((("DELETE_IP", 0.8),), then="unshared"),
    "move": OldLife((("QUEUE_MOVE", 0.6), ("PREP_MOVE", 0.6), ("MOVE", 1.5)), end="VERIFY_MOVE"),
    "restore": OldLife((("RESTORING", 2.0),)),
    "add_ip": OldLife((("ADD_IP", 1.5),)),
    "add_ip_no_config": OldLife((("ADD_IP_NO_CONFIG", 0.8),)),
}
IMAGE_STEPS = (("QUEUED", 0.6), ("PREPARING", 0.6), ("SAVING", 2.5))
COUNTED = {"BUILD", "REBUILD", "QUEUE_RESIZE", "PREP_RESIZE", "RESIZE", "MOVE", "QUEUED", "PREPARING", "SAVING"}


class Lives:
    """Runs the lives of one account's servers and images."""

    def __init__(self, store: OldCloud, guests: OldGuests) -> None:
        self.store = store
        self.guests = guests
        self.clock = store.clock

    def run(self, server: OldServer, name: str, **given: Any) -> None:
        """Begin a life; its first status is there when this returns."""
        server.motion += 1
        life = LIVES[name]
        if life.guest:
            self.guests.off(server)
        server.began = self.clock.time()
        server.ends = server.began + sum(wait for _, wait in life.steps) / (self.clock.speed or 1.0)
        self._take(server, life, 0, given, server.motion)

    def _take(self, server: OldServer, life: OldLife, index: int, given: Given, motion: int) -> None:
        if server.motion != motion or server.deleted:
            return
        if index == len(life.steps):
            self.become(server, life.end)
            if life.then:
                EFFECTS[life.then](self, server, given)
            self._wake(server, life)
            return
        status, wait = life.steps[index]
        self.become(server, status)
        self.clock.after(wait, lambda: self._take(server, life, index + 1, given, motion))

    def _wake(self, server: OldServer, life: OldLife) -> None:
        if server.status == "ERROR" or not life.guest:
            return
        if life.guest == "new":
            self.guests.create(server)
        else:
            self.guests.boot(server)

    def become(self, server: OldServer, status: str) -> None:
        """Show this status from now on."""
        server.status, server.updated = status, self.clock.time()

    def progress(self, thing: OldServer | OldImage) -> int | None:
        """How far it has come, in percent; None where nothing is counted."""
        if thing.status not in COUNTED:
            return None
        whole = thing.ends - thing.began
        return 0 if whole <= 0 else max(0, min(99, int(100 * (self.clock.time() - thing.began) / whole)))

    def await_answer(self, server: OldServer, seconds: float = DAY) -> None:
        """A resized server waits to be confirmed; what is left alone is confirmed in the end."""
        motion = server.motion
        self.clock.at(self.clock.time() + seconds, lambda: self._confirm_late(server, motion))

    def _confirm_late(self, server: OldServer, motion: int) -> None:
        if server.motion == motion and server.status == "VERIFY_RESIZE" and not server.deleted:
            self.run(server, "confirm")

    def delete(self, server: OldServer) -> None:
        """The server is gone at once, and every image that was made from it."""
        server.motion += 1
        self.become(server, "DELETED")
        self.guests.forget(server)
        server.deleted, server.group_id, server.schedule.enabled = True, None, False
        for image in [i for i in self.store.images.values() if i.server_id == server.id]:
            del self.store.images[image.id]

    def image(self, server: OldServer, name: str) -> OldImage:
        """Begin an image of a server; one of the same name and server is replaced once the new one is there."""
        image = self.store.add_image(name, server)
        image.began = self.clock.time()
        image.ends = image.began + sum(wait for _, wait in IMAGE_STEPS) / (self.clock.speed or 1.0)
        self._save(image, server, 0)
        return image

    def _save(self, image: OldImage, server: OldServer, index: int) -> None:
        if image.id not in self.store.images:
            return
        image.updated = self.clock.time()
        if index == len(IMAGE_STEPS):
            self._saved(image, server)
            return
        image.status, wait = IMAGE_STEPS[index]
        self.clock.after(wait, lambda: self._save(image, server, index + 1))

    def _saved(self, image: OldImage, server: OldServer) -> None:
        if server.metadata.get("lab_fail") == "snapshot":
            image.status = "FAILED"
            return
        image.status = "ACTIVE"
        for old in [i for i in self.store.images.values() if i.server_id == server.id and i.name == image.name]:
            if old is not image:
                del self.store.images[old.id]


def _built(lives: Lives, server: OldServer, given: Given) -> None:
    if server.metadata.get("lab_fail") == "build":
        lives.become(server, "ERROR")


def _rebuilt(lives: Lives, server: OldServer, given: Given) -> None:
    if server.metadata.get("lab_fail") == "rebuild":
        lives.become(server, "ERROR")


def _password(lives: Lives, server: OldServer, given: Given) -> None:
    server.admin_pass = given["password"]
    lives.guests.learn(server)


def _resized(lives: Lives, server: OldServer, given: Given) -> None:
    server.old_flavor, server.flavor = server.flavor, given["flavor"]
    lives.await_answer(server)


def _confirmed(lives: Lives, server: OldServer, given: Given) -> None:
    server.old_flavor = None


def _reverted(lives: Lives, server: OldServer, given: Given) -> None:
    server.flavor, server.old_flavor = server.old_flavor or server.flavor, None


def _shared(lives: Lives, server: OldServer, given: Given) -> None:
    server.public.append(given["address"])


def _unshared(lives: Lives, server: OldServer, given: Given) -> None:
    server.public.remove(given["address"])


EFFECTS: dict[str, Effect] = {
    "built": _built,
    "rebuilt": _rebuilt,
    "password": _password,
    "resized": _resized,
    "confirmed": _confirmed,
    "reverted": _reverted,
    "shared": _shared,
    "unshared": _unshared,
}
