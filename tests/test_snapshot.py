"""A quiet snapshot on the embedded cloud with its real SSH guests: how long the guest stands still, by event order.

The cloud's clock stands still but for what a test moves it by, so that each state lasts as long as the test likes; the
console's own runs fast.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_ground import SmallGround, ground_on
from small_keeper import FastClock, begin, keeping, until

from console.model.image import Image
from console.model.server import Server
from console.runbooks.journal import Journal, RunRecord
from console.runbooks.keeper import Keeper
from console.sim.estate import Estate
from console.sim.stillness import Stillness

UPLOAD = 60.0  # seconds of the cloud's clock


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with Estate(servers=4, clouds=1, regions=1, guests=4, speed=0, seed=3, token_seconds=1e9) as estate:
        yield estate


class Scene:
    """One server with a guest, the journal, and both clocks."""

    def __init__(self, estate: Estate, ground: SmallGround, server: Server) -> None:
        self.estate, self.ground, self.server = estate, ground, server
        self.journal = Journal(ground.paths.state / "journal.sqlite")
        guest = estate.guests.guests[server.id]
        self.still: Stillness = guest.still
        self.record = guest.server
        self.record.metadata["lab_snapshot_seconds"] = str(UPLOAD)

    async def begin(self, **given: Any) -> str:
        return await begin(self.ground, "server.quiet_snapshot", self.server, **{"name": "quiet", **given})

    async def task(self, state: str | None, *, but: Callable[[], bool] = lambda: False) -> None:
        """Wait until the server's task state is this, without moving the cloud's clock."""
        await soon(lambda: self.record.task_state == state or but(), f"task state {state}")

    async def images(self) -> list[Image]:
        dialect = self.ground.dialect(self.server.place)
        return [row async for page in dialect.images(filters={"server_id": self.server.id}) for row in page]

    def properties(self, id: str) -> dict[str, str]:
        (place,) = next(iter(self.estate.clouds.values())).regions.values()
        return place.glance.images[id].properties

    async def finish(self, keeper: Keeper, id: str) -> RunRecord:
        """Move the cloud's clock on until the run has ended."""
        ending = asyncio.create_task(until(keeper, id))
        try:
            async with asyncio.timeout(30):
                while not ending.done():
                    await self.estate.clock.advance(5)
                    await asyncio.sleep(0.02)
                return await ending
        except TimeoutError:
            raise AssertionError(f"never ended: {self.journal.run(id)}\n{self.journal.steps(id)}") from None


async def soon(there: Callable[[], Any], what: str) -> None:
    try:
        async with asyncio.timeout(30):
            while not there():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


@pytest.fixture
async def scene(estate: Estate, tmp_path: Path) -> AsyncIterator[Scene]:
    file = estate.write_clouds_yaml(tmp_path)
    await estate.clock.advance(10)
    async with ground_on(file, tmp_path / "state", next(iter(estate.clouds))) as ground:
        ground.clock = FastClock(10)
        place = ground.places[0]
        await ground.refresh(place)
        key = tmp_path / "key"
        key.write_text(estate.private_key())
        key.chmod(0o600)
        cloud = SimpleNamespace(read_only=False, ssh=SimpleNamespace(check=False, ways=lambda networks, images: [way]))
        way = SimpleNamespace(user="root", port="", key=str(key), jump="none")
        ground.settings.clouds[place.cloud] = cloud
        fit = [
            row
            for row in ground.store.rows(Server).values()
            if row.id in estate.guests.guests and row.status == "ACTIVE" and row.image_id and not row.task_state
        ]
        yield Scene(estate, ground, fit[0])


async def test_the_guest_is_let_go_before_the_upload_begins(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(freeze=["/data"], hold=600)
        await scene.task("image_snapshot_pending")
        frozen = scene.still.changes[0]
        assert frozen.frozen and scene.still.frozen == {"/data"}
        await scene.estate.clock.advance(0.3)
        await scene.task("image_snapshot")
        looked = scene.ground.clock.monotonic()
        await soon(lambda: scene.ground.clock.monotonic() > looked + 5, "the console looks often meanwhile")
        assert scene.still.frozen == {"/data"}  # for as long as the cloud reads the disk
        await scene.estate.clock.advance(0.4)
        await scene.task("image_pending_upload")
        await soon(lambda: not scene.still.frozen, "the guest goes on, though the cloud's clock stands still")
        thawed = scene.still.changes[-1]
        assert not thawed.by_timer and thawed.at - frozen.at == pytest.approx(0.7, abs=0.02)
        assert scene.record.task_state == "image_pending_upload"  # an hour of upload would not have held it
        run = await scene.finish(keeper, id)
    assert run.state == "done", run.failure
    (image,) = await scene.images()
    told = scene.properties(image.id)
    assert (told["novadeck_grade"], told["novadeck_op"]) == ("file-system-consistent", id)
    assert int(told["novadeck_frozen_ms"]) == pytest.approx(700, abs=20)
    assert image.status == "active" and not scene.still.waiting
    assert "novadeck_op" not in scene.record.metadata


async def test_a_volume_is_let_go_at_once(scene: Scene) -> None:
    scene.record.image_id = None
    scene.record.stale()
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(freeze=["/data"])
        async with asyncio.timeout(30):
            run = await until(keeper, id)
    assert run.state == "done", run.failure
    assert run.facts["volume"] and run.facts["grade"] == "file-system-consistent"
    assert [change.frozen for change in scene.still.changes] == [True, False]


async def test_what_cannot_be_held_ends_the_run_before_any_image_unless_it_may_be_so(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(freeze=["/nowhere"])
        run = await scene.finish(keeper, id)
        assert run.state == "failed" and "/nowhere is no mount point" in run.failure
        assert await scene.images() == [] and "novadeck_op" not in scene.record.metadata
        id = await scene.begin(freeze=["/nowhere"], anyway=True)
        run = await scene.finish(keeper, id)
    assert run.state == "done" and "no mount point" in run.facts["loose"]
    (image,) = await scene.images()
    assert scene.properties(image.id)["novadeck_grade"] == "crash-consistent"
    assert "novadeck_frozen_ms" not in scene.properties(image.id)


async def test_an_order_that_the_cloud_refuses_lets_go(scene: Scene) -> None:
    scene.estate.control.trouble.add("status", method="POST", path=f"{scene.server.id}/action", status=403)
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(freeze=["/data"])
        run = await scene.finish(keeper, id)
    assert run.state == "failed"
    assert [change.frozen for change in scene.still.changes] == [True, False]
    assert not scene.still.waiting and not scene.still.frozen


async def test_the_timer_lets_go_of_a_copy_that_takes_too_long_and_the_image_says_so(scene: Scene) -> None:
    scene.record.metadata["lab_copy_seconds"] = "100"
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(freeze=["/data"], hold=30)
        await scene.task("image_snapshot_pending")
        await scene.estate.clock.advance(29)
        assert scene.still.frozen
        await scene.estate.clock.advance(1.5)
        assert not scene.still.frozen and scene.still.changes[-1].by_timer
        run = await scene.finish(keeper, id)
    assert run.state == "done", run.failure
    assert run.facts["grade"] == "crash-consistent" and "timer let go" in run.facts["note"]


async def test_another_console_goes_on_where_one_was_closed_in_the_middle(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal):
        id = await scene.begin(freeze=["/data"])
        await scene.task("image_snapshot_pending")
        assert scene.still.frozen
    assert not scene.still.frozen  # whoever leaves in the middle lets go, and the image is worth less for it
    async with keeping(scene.ground, scene.journal) as keeper:
        run = await scene.finish(keeper, id)
    assert run.state == "done", run.failure
    assert run.facts["grade"] == "crash-consistent"
    (image,) = await scene.images()
    assert image.operation == id and scene.properties(image.id)["novadeck_grade"] == "crash-consistent"


async def test_a_console_that_is_closed_during_the_upload_spoils_nothing(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal):
        id = await scene.begin(freeze=["/data"])
        await scene.task("image_snapshot_pending")
        await scene.estate.clock.advance(0.8)
        await soon(lambda: any(step.name == "follow" for step in scene.journal.steps(id)), "the upload is followed")
    async with keeping(scene.ground, scene.journal) as keeper:
        run = await scene.finish(keeper, id)
    assert (run.state, run.facts["grade"]) == ("done", "file-system-consistent"), run.failure
    assert len(await scene.images()) == 1


async def test_a_lost_reply_makes_no_second_image(scene: Scene) -> None:
    # The first to be cut is the console's text, without which the guest is entered all the same.
    lost = scene.estate.control.trouble.add("cut", method="POST", path=f"{scene.server.id}/action", times=2)
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(freeze=["/data"])
        await soon(lambda: "made" in scene.journal.run(id).facts, "the image is found")
        run = await scene.finish(keeper, id)
    assert run.state == "done", run.failure
    (image,) = await scene.images()
    assert image.id == run.facts["made"] and lost.met == 2
