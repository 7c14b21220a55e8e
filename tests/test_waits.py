"""When a wait is over: the pure judge over every way that servers go, and the loop around it at its deadline."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from small_ground import SmallGround

from console.actions.declared import ACTIONS, Ends, Order
from console.actions.waits import PATIENCE, Seen, Wait, judge, look
from console.clouds.dialect import Accepted
from console.errors import (
    ActionFailed,
    ConsoleError,
    Forbidden,
    NotFound,
    OverLimit,
    Unauthorized,
    Unreachable,
    WaitTimeout,
)
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Key, Place
from console.model.server import Fault, FlavorReference, Server
from console.testing import MovedClock

PLACE = Place("lab", "one")
T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SMALL, LARGE = FlavorReference(name="m1.small"), FlavorReference(name="m1.large")


def server(status: str = "ACTIVE", task: str | None = None, **more: Any) -> Server:
    fields = {"flavor": SMALL, "updated": T0, **more}
    return Server(id="id", name="web-1", key=Key("e", "r", "server", "id"), place=PLACE, word=status, task_state=task,
                  **fields)  # fmt: skip


def read(words: str) -> Server | None:
    """A reading from words such as "REBOOT/rebooting", "gone", or "ACTIVE+" for one whose `updated` is newer."""
    if words == "gone":
        return None
    status, _, task = words.rstrip("+*").partition("/")
    updated = T0 + dt.timedelta(seconds=words.count("+"))
    return server(status, task or None, updated=updated, flavor=LARGE if "*" in words else SMALL)


def story(action: str, before: str, readings: Iterable[str], flavor: str | None = "m1.large") -> str:
    """What is said at the end of these readings, one a second, and that nothing was said before it."""
    ends = ACTIONS[action].ends or Ends()
    was, last, seen, said = read(before), None, Seen(), "wait"
    for second, words in enumerate(readings):
        assert said == "wait", f"it was over before {words}: {said}"
        now = read(words)
        seen = look(was, last, now, seen, float(second))
        said = judge(ends, was, now, seen, flavor if ends.flavor else None)
        last = now or last
    return said


@pytest.mark.parametrize(
    ("action", "before", "readings", "said"),
    [
        ("server.reboot", "ACTIVE", ["REBOOT/rebooting", "ACTIVE"], "done"),
        ("server.reboot", "ACTIVE", ["ACTIVE+"], "done"),
        ("server.reboot", "ACTIVE", ["ACTIVE", "ACTIVE", "REBOOT/rebooting", "ACTIVE"], "done"),
        ("server.reboot", "ACTIVE", ["ACTIVE"] * 3, "wait"),
        ("server.reboot", "ACTIVE", ["ACTIVE"] * (int(PATIENCE) + 1), "done"),
        ("server.reboot", "ACTIVE", ["REBOOT/rebooting", "ERROR"], "failed"),
        ("server.reboot", "ACTIVE", ["REBOOT/rebooting", "SHUTOFF", "SHUTOFF"], "fell back"),
        ("server.reboot", "ACTIVE", ["REBOOT/rebooting", "gone"], "gone"),
        ("server.reboot", "ACTIVE", ["REBOOT/rebooting", "DELETED"], "gone"),
        ("server.reboot", "ACTIVE", ["REBOOT/rebooting", "VANISHED"], "wait"),
        ("server.hard_reboot", "ERROR", ["ERROR/rebooting_hard", "ACTIVE"], "done"),
        ("server.hard_reboot", "ERROR", ["ERROR", "ERROR/rebooting_hard", "ACTIVE"], "done"),
        ("server.hard_reboot", "ERROR", ["ERROR/rebooting_hard", "ERROR", "ERROR"], "failed"),
        ("server.hard_reboot", "SHUTOFF", ["SHUTOFF/rebooting_hard", "ACTIVE"], "done"),
        ("server.resize", "ACTIVE", ["RESIZE/resize_prep", "RESIZE/resize_finish*", "VERIFY_RESIZE*"], "done"),
        ("server.resize", "ACTIVE", ["ACTIVE", "RESIZE/resize_prep", "VERIFY_RESIZE*"], "done"),
        ("server.resize", "ACTIVE", ["RESIZE/resize_prep", "ACTIVE", "ACTIVE"], "fell back"),
        ("server.resize", "ACTIVE", ["ACTIVE"] * 20, "wait"),
        ("server.resize", "ACTIVE", ["RESIZE/resize_migrating", "ACTIVE*"], "done"),
        ("server.resize", "SHUTOFF", ["RESIZE/resize_migrating", "SHUTOFF*"], "done"),
        ("server.resize", "ACTIVE", ["RESIZE/resize_finish", "ERROR"], "failed"),
        ("server.confirm", "VERIFY_RESIZE", ["VERIFY_RESIZE", "VERIFY_RESIZE+", "ACTIVE+"], "done"),
        ("server.confirm", "VERIFY_RESIZE", ["VERIFY_RESIZE+", "SHUTOFF+"], "done"),
        ("server.confirm", "VERIFY_RESIZE", ["VERIFY_RESIZE+"] * 30, "wait"),
        ("server.confirm", "VERIFY_RESIZE", ["ERROR"], "failed"),
        ("server.revert", "VERIFY_RESIZE*", ["REVERT_RESIZE/resize_reverting*", "ACTIVE"], "done"),
        ("server.revert", "VERIFY_RESIZE*", ["REVERT_RESIZE/x*", "ACTIVE/powering-off", "SHUTOFF"], "done"),
        ("server.delete", "ACTIVE", ["ACTIVE/deleting", "gone"], "done"),
        ("server.delete", "ACTIVE", ["ACTIVE", "DELETED"], "done"),
        ("server.delete", "ACTIVE", ["ACTIVE/deleting", "SOFT_DELETED"], "done"),
        ("server.delete", "ACTIVE", ["ACTIVE/deleting", "ERROR"], "failed"),
        ("server.delete", "ERROR", ["ERROR", "ERROR/deleting", "gone"], "done"),
        ("server.restore", "SOFT_DELETED", ["SOFT_DELETED/restoring", "ACTIVE"], "done"),
        ("server.restore", "SOFT_DELETED", ["SOFT_DELETED", "SOFT_DELETED/restoring"], "wait"),
        ("server.restore", "SOFT_DELETED", ["SOFT_DELETED/restoring", "SOFT_DELETED", "SOFT_DELETED"], "fell back"),
        ("server.restore", "SOFT_DELETED", ["SOFT_DELETED/restoring", "gone"], "gone"),
        ("server.force_delete", "SOFT_DELETED", ["SOFT_DELETED", "SOFT_DELETED/deleting"], "wait"),
        ("server.force_delete", "SOFT_DELETED", ["SOFT_DELETED/deleting", "gone"], "done"),
    ],
)  # fmt: skip
def test_stories(action: str, before: str, readings: list[str], said: str) -> None:
    assert story(action, before, readings) == said


def test_a_server_that_was_off_is_not_taken_for_on() -> None:
    was = server("VERIFY_RESIZE", power_state=4)
    ends = ACTIONS["server.revert"].ends or Ends()
    passing = look(was, None, server("ACTIVE"), Seen(motion=True), 3.0)
    assert judge(ends, was, server("ACTIVE"), passing) == "wait"
    assert judge(ends, was, server("SHUTOFF"), passing) == "done"


def test_a_build_has_no_state_before_it() -> None:
    ends = ACTIONS["server.create"].ends or Ends()
    for word, said in (("BUILD", "wait"), ("ACTIVE", "done"), ("ERROR", "failed"), (None, "wait")):
        now = Server(id="id", word=word)
        assert judge(ends, None, now, look(None, None, now, Seen(), 1.0)) == said


def test_a_build_that_ends_while_it_is_deleted_is_not_yet_done() -> None:
    ends = ACTIONS["server.create"].ends or Ends()
    seen, last = Seen(), None
    told = []
    for word, task in (("BUILD", "deleting"), ("ACTIVE", None), ("ACTIVE", None), ("ACTIVE", None)):
        now = Server(id="id", word=word, task_state=task)
        seen = look(None, last, now, seen, 1.0)
        told.append(judge(ends, None, now, seen))
        last = now
    assert told == ["wait", "wait", "wait", "done"]  # the last where the deletion came to nothing
    assert judge(ends, None, None, seen) == "gone"


class Told:
    """A dialect that gives these readings, the last one for ever; an error among them is raised."""

    def __init__(self, *readings: str | ConsoleError, image: Iterable[Image | None] = (), record: str | None = None):
        self.readings, self.images, self.record = list(readings), list(image), record
        self.asked = 0

    async def server(self, id: str) -> Server:
        self.asked += 1
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(reading, ConsoleError):
            raise reading
        found = read(reading)
        if found is None:
            raise NotFound("gone")
        return found

    async def image(self, id: str) -> Image:
        found = self.images.pop(0) if len(self.images) > 1 else self.images[0]
        if found is None:
            raise NotFound("gone")
        return found

    async def instance_actions(self, id: str) -> list[dict[str, Any]]:
        return [{"request_id": "req-other", "message": "Error"}, {"request_id": "req-1", "message": self.record}]


async def follow(tmp_path: Path, action: str, before: str, told: Told, seconds: float = 120, **given: Any) -> Any:
    """Wait by a clock that is moved until the wait is over."""
    ground = SmallGround(tmp_path)
    clock = MovedClock()
    ground.clock = clock
    ground.dialects[PLACE] = told  # type: ignore[assignment]
    order = Order(ground, ACTIONS[action], PLACE, given, read(before))
    wait = Wait(order, ACTIONS[action].ends or Ends(), Accepted("req-1", given.pop("id", None)), seconds)
    task = asyncio.create_task(wait.run())
    for _ in range(int(seconds) + 5):
        await clock.advance(1.0)
        if task.done():
            return task.result()
    raise AssertionError("it waits for ever")


async def test_a_cloud_that_is_away_for_a_while_ends_no_wait(tmp_path: Path) -> None:
    told = Told(
        "REBOOT/rebooting", Unreachable("down"), OverLimit("slow", retry_after=20), Unreachable("down"), "ACTIVE"
    )
    assert (await follow(tmp_path, "server.reboot", "ACTIVE", told)).status == "ACTIVE"
    assert told.asked == 5


@pytest.mark.parametrize("error", [Unauthorized("no"), Forbidden("no")])
async def test_a_refusal_ends_it(tmp_path: Path, error: ConsoleError) -> None:
    with pytest.raises(type(error)):
        await follow(tmp_path, "server.reboot", "ACTIVE", Told("REBOOT/rebooting", error))


@pytest.mark.parametrize("last", ["REBOOT/rebooting", "ACTIVE/image_uploading", "STRANGE"])
async def test_never_for_ever(tmp_path: Path, last: str) -> None:
    with pytest.raises(WaitTimeout) as caught:
        await follow(tmp_path, "server.reboot", "ACTIVE", Told(last), seconds=30)
    assert caught.value.last == ("UNKNOWN" if last == "STRANGE" else last.replace("/", " "))
    assert "30 s" in str(caught.value)


async def test_unreachable_until_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(WaitTimeout, match="nothing was heard"):
        await follow(tmp_path, "server.reboot", "ACTIVE", Told(Unreachable("down")), seconds=30)


async def test_deleted_by_somebody_else(tmp_path: Path) -> None:
    with pytest.raises(ActionFailed, match="web-1 was deleted while we waited for VERIFY_RESIZE"):
        await follow(tmp_path, "server.resize", "ACTIVE", Told("RESIZE/resize_prep", "gone"))


async def test_the_record_tells_of_a_confirm_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ActionFailed, match="record of it says Error"):
        await follow(tmp_path, "server.confirm", "VERIFY_RESIZE", Told("VERIFY_RESIZE", record="Error"))
    with pytest.raises(WaitTimeout):
        await follow(tmp_path, "server.confirm", "VERIFY_RESIZE", Told("VERIFY_RESIZE"), seconds=30)


async def test_confirmed_behind_our_back(tmp_path: Path) -> None:
    flavor = Flavor(id="4", name="m1.large")
    told = Told("RESIZE/resize_finish", "ACTIVE*")
    assert (await follow(tmp_path, "server.resize", "ACTIVE", told, flavor=flavor)).status == "ACTIVE"


@pytest.mark.parametrize("told_by", [{"id": "4"}, {"name": "m1.large"}])
async def test_a_resize_that_nobody_saw_begin_is_known_by_its_flavor(
    tmp_path: Path, told_by: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a keeper that takes over: of the server as it was only the id is known."""
    flavor = Flavor(id="4", name="m1.large")
    told = Told("ACTIVE*")
    monkeypatch.setitem(follow.__globals__, "LARGE", FlavorReference(**told_by))
    monkeypatch.setitem(follow.__globals__, "SMALL", None)
    assert (await follow(tmp_path, "server.resize", "ACTIVE", told, flavor=flavor)).status == "ACTIVE"


async def test_the_clouds_fault_is_told(tmp_path: Path) -> None:
    class Faulty(Told):
        async def server(self, id: str) -> Server:
            return msgspec.structs.replace(await super().server(id), fault=Fault("No valid host was found. "))

    with pytest.raises(ActionFailed, match=r"web-1 ended in ERROR: No valid host was found\.$"):
        await follow(tmp_path, "server.reboot", "ACTIVE", Faulty("REBOOT/rebooting", "ERROR"))


def image(status: str) -> Image:
    return Image(id="img", name="x", word=status)


@pytest.mark.parametrize(
    ("readings", "images", "words"),
    [
        (["ACTIVE/image_uploading", "ACTIVE"], [image("queued"), image("saving"), image("active")], ""),
        (["ACTIVE"], [image("active")], ""),
        (["ACTIVE/image_uploading"], [image("active")], "its image did not come within"),
        (["ACTIVE/image_uploading", "ACTIVE"], [image("queued"), None], "the cloud removed it"),
        (["ACTIVE/image_uploading", "ACTIVE"], [image("killed")], "it is killed"),
        (["ACTIVE/image_uploading", "ACTIVE"], [image("queued")], "never got any data"),
        (["ACTIVE/image_uploading", "gone"], [image("saving")], "was deleted while we waited"),
    ],
)
async def test_images(tmp_path: Path, readings: list[str], images: list[Image | None], words: str) -> None:
    told = Told(*readings, image=images)
    if not words:
        assert (await follow(tmp_path, "server.snapshot", "ACTIVE", told, id="img")).status == "ACTIVE"
        return
    with pytest.raises((ActionFailed, WaitTimeout), match=words):
        await follow(tmp_path, "server.snapshot", "ACTIVE", told, id="img")


async def test_an_image_whose_id_nobody_told(tmp_path: Path) -> None:
    told = Told("ACTIVE/image_snapshot", "ACTIVE/image_uploading", "ACTIVE")
    assert (await follow(tmp_path, "server.snapshot", "ACTIVE", told)).task_state is None


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.ends is not None])
def test_each_end_says_why(name: str) -> None:
    ends = ACTIONS[name].ends
    assert ends is not None and ends.why and ends.deadline > 0
    assert ends.good or ends.gone or ends.image
