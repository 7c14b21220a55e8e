"""What is limited, whichever service limits it: read from the clouds, kept to before an order, told by command."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scripted_cloud import PROJECT, ScriptedCloud, serving
from small_ground import SmallGround, ground_on

from console.actions.action import perform
from console.clouds.connect import connect
from console.clouds.openstack.cloud import OpenStack
from console.errors import ActionRefused, BadReply, CloudFault
from console.model.quota import Limit
from console.model.server import Server
from console.sim.estate import Estate

SAMPLE = Path(__file__).parents[2] / "shared" / "api" / "samples" / "cinder" / "limits__limits-show-response.json"
ABSOLUTE = {"maxTotalVolumes": 10, "totalVolumesUsed": 3, "maxTotalVolumeGigabytes": -1, "totalGigabytesUsed": 60}
GIVEN: dict[str, Any] = {"image": "debian-12", "flavor": "m1.tiny", "network": "private"}


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with Estate(servers=4, clouds=1, regions=1, guests=0, speed=60) as estate:
        yield estate


@pytest.fixture
async def ground(estate: Estate, tmp_path: Path) -> AsyncIterator[SmallGround]:
    name = next(iter(estate.clouds))
    async with ground_on(estate.write_clouds_yaml(tmp_path), tmp_path / "state", name) as ground:
        yield ground


def volumes(estate: Estate) -> dict[str, int]:
    """The quota of volumes of the one region, to be changed."""
    ((_, place),) = estate.places
    quota: dict[str, int] = place.volume.quota
    return quota


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (f"/volume/v3/{PROJECT}", f"/volume/v3/{PROJECT}/limits"),
        ("/volume/v3", f"/volume/v3/{PROJECT}/limits"),  # an older Cinder wants the project in the path
        ("/volume", f"/volume/v3/{PROJECT}/limits"),
    ],
)
async def test_cinder_is_asked_for_the_projects_limits(path: str, asked: str) -> None:
    async with serving() as cloud:
        cloud.offer("volumev3", path)
        cloud.answers[asked] = {"limits": {"rate": [], "absolute": ABSOLUTE}}
        found = await opened(cloud)
        assert "quota.list" in found.verbs
        assert (await found.quotas()).absolute == {
            "volumes": Limit("volumes", 10, 3),
            "volume_gigabytes": Limit("volume_gigabytes", None, 60, "GB"),
        }
        for answer in ({"limits": []}, {}, []):
            cloud.answers[asked] = answer
            with pytest.raises(BadReply, match="no list of limits"):
                await found.quotas()
        cloud.answers[asked] = (403, {"forbidden": {"code": 403, "message": "no"}})
        assert (await found.quotas()).absolute == {}
        await found.close()


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample bodies are not here")
async def test_the_published_answer_is_read_whole() -> None:
    async with serving() as cloud:
        cloud.offer("block-storage", "/volume/v3")
        cloud.answers[f"/volume/v3/{PROJECT}/limits"] = json.loads(SAMPLE.read_text())
        found = await opened(cloud)
        told = (await found.quotas()).absolute
        assert {name: (limit.used, limit.most) for name, limit in told.items()} == {
            "volumes": (0, 10), "volume_gigabytes": (0, 1000), "volume_snapshots": (0, 10), "volume_backups": (0, 10),
            "backup_gigabytes": (0, 1000),
        }  # fmt: skip
        await found.close()


async def opened(cloud: ScriptedCloud) -> OpenStack:
    """The scripted cloud, logged in."""
    found = await connect(cloud.account())
    assert isinstance(found, OpenStack)
    return found


async def test_one_service_that_is_away_hides_no_other(ground: SmallGround, estate: Estate) -> None:
    dialect = ground.dialect(ground.places[0])
    whole = (await dialect.quotas()).absolute
    assert {"ports", "volumes"} <= whole.keys()
    rule = estate.control.status(503, service="block-storage")
    assert (await dialect.quotas()).absolute.keys() == {name for name in whole if not name.startswith(("vol", "back"))}
    estate.control.status(503, service="network")
    with pytest.raises(CloudFault):
        await dialect.quotas()
    assert rule.met


async def test_volumes_that_the_quota_has_no_room_for_are_refused_before_the_call(
    ground: SmallGround, estate: Estate
) -> None:
    rule = estate.control.cause("latency", seconds=0.0, service="compute", method="POST", path="/servers")
    volumes(estate).update(volumes=2, gigabytes=100)
    given = {"name": "vol", **GIVEN}
    with pytest.raises(ActionRefused, match="It needs 101 more GB of volumes, and the quota leaves 100 of 100"):
        await perform(ground, "server.create", boot_from_volume=101, **given)
    with pytest.raises(ActionRefused, match="It needs 3 more volumes, and the quota leaves 2 of 2"):
        await perform(ground, "server.create", boot_from_volume=10, count=3, **given)
    with pytest.raises(ActionRefused, match="120 more GB"):
        await perform(ground, "server.create", boot_from_volume=60, count=2, **given)
    assert rule.met == 0 and ground.events() == []
    planned = await perform(ground, "server.create", boot_from_volume=40, count=2, dry_run=True, **given)
    assert all("of 2 together: the quota then leaves" in one.plan for one in planned)
    assert all("0 volumes, 20 GB of volumes" in one.plan for one in planned)
    await perform(ground, "server.create", boot_from_volume=100, wait=True, timeout=60, **given)


async def test_an_image_of_volumes_needs_room_for_their_snapshots(ground: SmallGround, estate: Estate) -> None:
    outcome = await perform(ground, "server.create", name="vol", boot_from_volume=10, wait=True, timeout=60, **GIVEN)
    row = outcome.row
    assert isinstance(row, Server)
    volumes(estate)["snapshots"] = 0
    with pytest.raises(ActionRefused, match="It needs 1 more snapshots of volumes, and the quota leaves 0 of 0"):
        await perform(ground, "server.snapshot", row, name="x")
    with pytest.raises(ActionRefused, match="snapshots of volumes"):
        await perform(ground, "server.clone", row, name="x")
    volumes(estate)["snapshots"] = 1
    planned = await perform(ground, "server.snapshot", row, name="x", dry_run=True)
    assert "(the quota then leaves 0 snapshots of volumes. Not a backup" in planned.plan
