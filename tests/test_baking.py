"""Baked or bootstrapped: what a console's own times say of an image, over real builds and their guests' real logins."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from small_keeper import FastClock

import console
from console import Console
from console.core.settings import Paths
from console.model.image import Image
from console.runbooks.build import compare
from console.runbooks.journal import RunRecord
from console.sim.estate import Estate

SPEED = 30.0
SLOW = "45"  # seconds until the sshd of a guest that sets itself up answers
SAVES = re.compile(
    r"ready in [\d.]+ s; baking saves (\d+) s: (\d+) s baked \(1 measured\) against (\d+) s bootstrapped \(2\)"
)


@pytest.fixture
async def ops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Console]:
    async with Estate(servers=0, clouds=1, regions=1, guests=20, speed=SPEED) as estate:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(estate.write_clouds_yaml(tmp_path)))
        cloud = next(iter(estate.clouds))
        paths = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "runtime")
        paths.config.mkdir()
        paths.config_file.write_text(f'[clouds.{cloud}.ssh]\nkey = "{tmp_path / "id_demo"}"\ncheck = false\n')
        async with console.open([cloud], paths=paths, clock=FastClock(SPEED), checks=False) as ops:
            await ops.fleet.ready(ops.places[0])
            yield ops


async def built(ops: Console, name: str, image: str, **given: Any) -> RunRecord:
    """A server that is built and checked, once it is ready."""
    given = {"name": name, "image": image, "flavor": "m1.tiny", "network": "private", "key_name": "demo", **given}
    started = await ops.perform("server.create_checked", ops.places[0], **given)
    async with asyncio.timeout(60):
        while (run := ops.journal.run(started.result)).open:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert run.state == "done", run.failure
    return run


async def baked_of(ops: Console, run: RunRecord) -> Image:
    """An image of the server that the run has made."""
    server = await ops.servers.get(run.facts["made"])
    made = await ops.perform("server.snapshot", server, name="baked", wait=True, timeout=600)
    image: Image = await ops.dialect(ops.places[0]).image(made.id)
    assert image.base_image_id == server.image_id
    return image


async def test_a_baked_image_is_measured_against_its_base(ops: Console) -> None:
    slow = {"metadata": {"lab_ssh_delay": SLOW}}
    first = await built(ops, "base-1", "debian-12", **slow)
    assert re.fullmatch(r"ready in [\d.]+ s", first.facts["end"])  # no image of somebody's: there is nothing to say
    await built(ops, "base-2", "debian-12", **slow)
    run = await built(ops, "from-baked", (await baked_of(ops, first)).id)
    found = SAVES.fullmatch(run.facts["end"])
    assert found is not None, run.facts["end"]
    saved, baked, base = (int(number) for number in found.groups())
    assert base >= int(SLOW) and saved >= int(SLOW) / 2 and abs(base - baked - saved) <= 1


async def test_where_both_are_ready_as_soon_baking_does_not_pay(ops: Console) -> None:
    first = await built(ops, "base", "debian-12", metadata={"lab_ssh_delay": "1"})
    run = await built(ops, "from-baked", (await baked_of(ops, first)).id, metadata={"lab_ssh_delay": SLOW})
    assert "baking does not pay: " in run.facts["end"], run.facts["end"]


async def test_times_of_another_flavor_say_nothing(ops: Console) -> None:
    first = await built(ops, "base", "debian-12")
    run = await built(ops, "from-baked", (await baked_of(ops, first)).id, flavor="m1.small")
    unknown = "no server of its base image was measured yet, so what baking saves is not known"
    assert run.facts["end"].endswith(f"; {unknown}")


@pytest.mark.parametrize(
    ("baked", "base", "told"),
    [
        (10.0, 60.0, "baking saves 50 s: 10 s baked (3 measured) against 60 s bootstrapped (4)"),
        (57.0, 60.0, "baking does not pay: 57 s baked (3 measured) against 60 s bootstrapped (4)"),
        (60.0, 10.0, "baking does not pay: 60 s baked (3 measured) against 10 s bootstrapped (4)"),
        (0.5, 1.4, "baking does not pay: 0 s baked (3 measured) against 1 s bootstrapped (4)"),
    ],
)
def test_a_tenth_and_a_second_are_noise(baked: float, base: float, told: str) -> None:
    assert compare(baked, base, 3, 4) == told
