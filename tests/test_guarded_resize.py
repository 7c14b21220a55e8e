"""A guarded resize while the cloud's own clock confirms behind our back: every journal ends in what is true.

The cloud's clock stands still but for what a test moves it by; the console's own runs fast. Nova's confirming is a
short time at which the server still shows VERIFY_RESIZE and every answer to it is refused: both sides of it are met.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from small_ground import SmallGround, ground_on
from small_keeper import FastClock, begin, keeping, until

from console.core.settings import CloudSettings, Settings, SshSettings
from console.model import fitting
from console.model.flavor import Flavor
from console.model.server import Server
from console.runbooks.journal import Journal, RunRecord
from console.runbooks.keeper import Keeper
from console.runbooks.marks import mark_of
from console.sim.estate import Estate

DAY = 86_400.0
KINDS: dict[str, dict[str, Any]] = {
    "openstack": {"clouds": 1, "regions": 1},
    "rackspace": {"clouds": 0, "rackspace": True},
    "legacy": {"clouds": 0, "firstgen": True},
}
BY_THE_CLOUD = "confirmed, by the cloud, or somebody else: it has {}"
TOO_LATE = "it was confirmed already, by the cloud, or somebody else: it has {}"


class Scene(NamedTuple):
    """One server with a guest on a cloud that confirms after a day, and both clocks."""

    estate: Estate
    ground: SmallGround
    server: Server
    flavor: Flavor  # that it is to have
    kind: str

    @property
    def journal(self) -> Journal:
        return Journal(self.ground.paths.state / "journal.sqlite")

    async def begin(self, **given: Any) -> str:
        ways = {"deadline": 5, **given}
        return await begin(self.ground, "server.resize_guarded", self.server, flavor=self.flavor.name, **ways)

    def strike(self, order: str, do: Callable[[], Any]) -> list[str]:
        """Do it once, as this order comes to the cloud and before it is heard; what was struck is in the list."""
        cloud = next(iter(self.estate.clouds.values()))
        found = getattr(cloud, "first", None) or next(iter(cloud.regions.values())).compute
        handle, struck = found.handle, []

        async def told(call: Any) -> Any:
            if call.request.method == "POST" and order in (await call.request.text()) and not struck:
                struck.append(order)
                await do()
            return await handle(call)

        found.handle = told
        return struck

    async def at_step(self, keeper: Keeper, id: str, name: str) -> None:
        """Move the cloud's clock on until this step has begun."""
        async with asyncio.timeout(60):
            while not any(step.name == name for step in await asyncio.to_thread(self.journal.steps, id)):
                await self.estate.clock.advance(0.25)
                await asyncio.sleep(0.02)

    async def end(self, keeper: Keeper, id: str) -> RunRecord:
        """Move the cloud's clock on until the run has ended."""
        ending = asyncio.create_task(until(keeper, id))
        try:
            async with asyncio.timeout(90):
                while not ending.done():
                    await self.estate.clock.advance(0.25)
                    await asyncio.sleep(0.02)
                return await ending
        except TimeoutError:
            raise AssertionError(f"never ended: {self.journal.run(id)}\n{self.journal.steps(id)}") from None

    async def now(self) -> Server:
        row: Server = await self.ground.dialect(self.server.place).server(self.server.id)
        return row

    async def orders(self) -> list[str]:
        """What was asked of the server, as its cloud has it; nothing where it keeps no record."""
        if self.kind == "legacy":
            return []
        records = await self.ground.dialect(self.server.place).instance_actions(self.server.id)
        return sorted(record["action"] for record in records if record["action"] != "create")


@pytest.fixture(params=list(KINDS))
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    kind = request.param
    async with Estate(servers=4, guests=20, speed=0, seed=3, token_seconds=1e9, **KINDS[kind]) as estate:
        file = estate.write_clouds_yaml(tmp_path)
        if kind == "openstack":
            estate.control.confirm_after(estate.places[0][1].name, DAY)
        await estate.clock.advance(10)
        cloud = next(name for name in estate.clouds_yaml()["clouds"] if "admin" not in name)
        async with ground_on(file, tmp_path / "state", cloud) as ground:
            ground.clock = FastClock(10)
            place = ground.places[0]
            await ground.refresh(place)
            way = SshSettings(user="root", key=str(tmp_path / "id_demo"), check=False)
            ground.settings = Settings(clouds={place.cloud: CloudSettings(ssh=way)})
            yield Scene(estate, ground, *await fit(estate, ground), kind)


async def fit(estate: Estate, ground: SmallGround) -> tuple[Server, Flavor]:
    """A server with a guest, and a flavor that it may have."""
    dialect = ground.dialect(ground.places[0])
    flavors = [row async for page in dialect.flavors() for row in page]
    for row in ground.store.rows(Server).values():
        if row.status != "ACTIVE" or row.task_state or not {row.id, f"v1-{row.id}"} & set(estate.guests.guests):
            continue
        mine = next(one for one in flavors if (row.flavor and one.id == row.flavor.id) or one.name == row.flavor.name)
        for flavor in flavors:
            if (flavor.disk or 0) >= 10 and flavor.ram != mine.ram and not fitting.against(row, mine, flavor):
                return row, flavor
    raise AssertionError("no server has a guest")


MOMENTS = pytest.mark.parametrize("late", [0.0, 5.0], ids=["confirming", "confirmed"])


async def kept(scene: Scene, run: RunRecord, state: str, end: str) -> None:
    """The run ended so, and the server has the new flavor by one confirmation, at rest and without a mark."""
    assert (run.state, run.facts.get("end")) == (state, end), (run.failure, scene.journal.steps(run.id))
    now = await scene.now()
    assert (now.status, now.task_state, mark_of(now)) == ("ACTIVE", None, "")
    assert now.flavor is not None and (scene.flavor.id == now.flavor.id or scene.flavor.name == now.flavor.name)
    assert await scene.orders() in ([], ["confirmResize", "resize"])
    assert scene.journal.lease(run.id) is None


async def test_the_cloud_confirms_while_the_guest_is_tested_and_found_well(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(stable=3, deadline=60)
        await scene.at_step(keeper, id, "check")
        await scene.estate.clock.advance(DAY)
        run = await scene.end(keeper, id)
    await kept(scene, run, "done", BY_THE_CLOUD.format(scene.flavor.name))


async def test_the_cloud_confirms_while_the_guest_is_tested_and_found_ill(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(check=["exit 7"], deadline=3)
        await scene.at_step(keeper, id, "check")
        await scene.estate.clock.advance(DAY)
        run = await scene.end(keeper, id)
    assert "The check of" in run.failure and "exit 7" in run.failure
    await kept(scene, run, "failed", TOO_LATE.format(scene.flavor.name))


@MOMENTS
async def test_the_cloud_confirms_between_our_decision_and_our_order(scene: Scene, late: float) -> None:
    struck = scene.strike("confirmResize", lambda: scene.estate.clock.advance(DAY + late))
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin()
        run = await scene.end(keeper, id)
    assert struck
    await kept(scene, run, "done", BY_THE_CLOUD.format(scene.flavor.name))


@MOMENTS
async def test_the_cloud_confirms_what_we_want_to_take_back(scene: Scene, late: float) -> None:
    struck = scene.strike("revertResize", lambda: scene.estate.clock.advance(DAY + late))
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(check=["exit 7"], deadline=2)
        run = await scene.end(keeper, id)
    assert struck and "exit 7" in run.failure
    await kept(scene, run, "failed", TOO_LATE.format(scene.flavor.name))


async def test_the_cloud_answers_what_a_person_was_asked(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(hold=True)
        await scene.at_step(keeper, id, "hold")
        async with asyncio.timeout(30):
            run = await until(keeper, id, "asking")
        assert run.question is not None and "Keep it so?" in run.question.text
        assert ("The cloud keeps it by itself at" in run.question.text) == (scene.kind != "openstack")
        await scene.estate.clock.advance(DAY)
        run = await scene.end(keeper, id)
    await kept(scene, run, "done", BY_THE_CLOUD.format(scene.flavor.name))


async def test_the_cloud_confirms_while_no_keeper_lives(scene: Scene) -> None:
    async with keeping(scene.ground, scene.journal) as keeper:
        id = await scene.begin(check=["exit 7"], deadline=600)
        await scene.at_step(keeper, id, "check")
    await scene.estate.clock.advance(DAY)
    async with keeping(scene.ground, scene.journal) as keeper:
        scene.journal.abort(id)
        run = await scene.end(keeper, id)
    await kept(scene, run, "aborted", TOO_LATE.format(scene.flavor.name))
