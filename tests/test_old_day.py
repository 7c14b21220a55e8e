"""A day and more of the old clouds at many times its speed: what happens by itself there shows in our rows.

The clouds' clock is moved in steps of an hour or two, and the library is asked after each as any script would.
"""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from old_client import LONG, Old, first_of, log_in, to_midnight

import console
from console.model.image import Image
from console.model.server import Server
from console.session import Console
from console.sim.estate import Estate

HOUR = 3600.0


@pytest.fixture(autouse=True)
async def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Estate]:
    """Both generations, alone; the clock stands."""
    for name in os.environ:
        if name.startswith(("OS_", "NOVADECK_")):
            monkeypatch.delenv(name)
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True, rackspace=True, token_seconds=LONG) as estate:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(estate.write_clouds_yaml(tmp_path)))
        yield estate


async def order(estate: Estate, service: str, method: str, path: str, body: object) -> None:
    """An order by plain HTTP to one of the catalog's compute services (in its first region)."""
    async with aiohttp.ClientSession() as session:
        access = await log_in(session, estate)
        entry = next(row for row in access["serviceCatalog"] if row["name"] == service)
        answer = await Old(session, entry["endpoints"][0]["publicURL"], access["token"]["id"]).ask(method, path, body)
        assert answer.status < 300, answer


async def row(ops: Console, name: str) -> Server:
    return await ops.servers.find(name=name)


async def images(ops: Console, word: str) -> dict[str, Image]:
    """The images whose names begin so."""
    listed = await ops.images.list()
    return {image.id: image for image in listed.rows if (image.name or "").startswith(word)}


async def test_a_resize_that_is_left_alone_shows_as_confirmed_after_24_hours(estate: Estate) -> None:
    async with console.open(clouds=["legacy", "rackspace"]) as ops:
        for name, flavor in (("ftp", "512 MB Server"), ("shop-web-1", "4 GB General Purpose v1")):
            await ops.perform("server.resize", await row(ops, name), flavor=flavor)
        await estate.clock.advance(10)
        for hour in range(25):
            rows = [await row(ops, name) for name in ("ftp", "shop-web-1")]
            wanted = "VERIFY_RESIZE" if hour < 24 else "ACTIVE"
            assert [server.status for server in rows] == [wanted, wanted], hour
            await estate.clock.advance(HOUR)


async def test_daily_and_weekly_images_appear_in_their_windows_and_the_oldest_go(estate: Estate) -> None:
    begun = await to_midnight(estate)
    days = [(begun + timedelta(days=n)).strftime("%A").upper() for n in range(7)]
    ftp = next(server.id for server in first_of(estate).store.alive() if server.name == "ftp")
    schedule = {"backupSchedule": {"enabled": True, "weekly": days[2], "daily": "H_0600_0800"}}
    await order(estate, "cloudServers", "POST", f"/servers/{ftp}/backup_schedule", schedule)
    async with console.open(clouds=["legacy", "rackspace"]) as ops:
        web = (await row(ops, "shop-web-1")).id
        path = f"/servers/{web}/rax-si-image-schedule"
        await order(estate, "cloudServersOpenStack", "POST", path, {"image_schedule": {"retention": 2}})
        old: dict[str, Image] = {}
        new: dict[str, Image] = {}
        for _ in range(4 * 12):
            await estate.clock.advance(2 * HOUR)
            old |= await images(ops, "daily") | await images(ops, "weekly")
            listed = await images(ops, "daily-shop-web-1-")  # it had a schedule before, too
            new |= {id: image for id, image in listed.items() if image.created and image.created >= begun}
        mine = {id: image for id, image in old.items() if image.server_id == str(ftp)}
        daily = sorted(image.created for image in mine.values() if image.name == "daily" and image.created)
        assert len(daily) == 4 and all(6 <= moment.hour < 8 for moment in daily)
        (weekly,) = (image.created for image in mine.values() if image.name == "weekly")
        assert weekly is not None and weekly.strftime("%A").upper() == days[2]
        assert [image.name for image in (await images(ops, "daily")).values() if image.server_id == str(ftp)] == [
            "daily"
        ]
        ages = sorted(new, key=lambda id: new[id].created or begun)
        assert len(ages) == 4 and set(await images(ops, "daily-shop-web-1-")) == set(ages[-2:])
        assert all(image.server_id == web for image in new.values())
