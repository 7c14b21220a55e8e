"""The embedded estate as a whole: what it shows at first sight, what it leaves behind, how its clock runs."""

from __future__ import annotations

import asyncio
import stat
import threading
from pathlib import Path

import aiohttp
import pytest
import yaml
from sim_client import Client

from console.sim.clock import Clock
from console.sim.estate import Estate

WANTED = {"ACTIVE", "BUILD", "ERROR", "VERIFY_RESIZE", "SHUTOFF", "PAUSED", "SUSPENDED", "RESCUE", "SHELVED_OFFLOADED"}


async def test_the_default_estate_has_two_clouds_three_regions_and_servers_in_every_state() -> None:
    async with Estate(guests=0) as estate, aiohttp.ClientSession() as session:
        assert {name: list(c.regions) for name, c in estate.clouds.items()} == {
            "nimbus": ["dfw", "ord"],
            "lab": ["ber"],
        }
        rows = []
        for name in ("nimbus", "lab"):
            client = await Client(session, estate.clouds_yaml()["clouds"][name]).login()
            for region in estate.clouds[name].regions:
                client.region = region
                rows += (await client.nova("GET", "/servers/detail")).body["servers"]
        assert len(rows) == len({s["id"] for s in rows}) == 28
        assert {s["status"] for s in rows} >= WANTED
        assert any(s["OS-EXT-STS:task_state"] == "image_uploading" for s in rows)
        assert any(a["version"] == 6 for s in rows for group in s["addresses"].values() for a in group)
        assert any(s["image"] == "" for s in rows)


async def test_the_same_seed_gives_the_same_servers() -> None:
    async with Estate(guests=0, seed=7) as one, Estate(guests=0, seed=7) as two, Estate(guests=0, seed=8) as three:
        ids = [list(e.clouds["lab"].regions["ber"].nova.servers) for e in (one, two, three)]
        assert ids[0] == ids[1] != ids[2]


def own_threads() -> int:
    """Threads but for those that the event loop keeps for itself."""
    return sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())


async def test_nothing_is_left_behind() -> None:
    tasks, threads = len(asyncio.all_tasks()), own_threads()
    async with Estate(guests=3) as estate:
        url = estate.clouds["nimbus"].keystone.base
        await estate.clock.advance(5)
        assert any(estate.guests.where(id) for id in estate.guests.guests)
    assert (len(asyncio.all_tasks()), own_threads()) == (tasks, threads)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_the_clouds_yaml_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with Estate(servers=0, guests=0) as estate:
        path = estate.write_clouds_yaml(tmp_path)
        entries = yaml.safe_load(path.read_text())["clouds"]
        assert set(entries) == {"nimbus", "nimbus-admin", "lab", "lab-admin"}
        assert entries["nimbus"]["regions"] == ["dfw", "ord"] and entries["lab"]["region_name"] == "ber"
        for file in (path, tmp_path / "id_demo"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "OPENSSH PRIVATE KEY" in (tmp_path / "id_demo").read_text()


async def test_many_clouds_and_regions_have_names_of_their_own() -> None:
    async with Estate(servers=60, clouds=3, regions=7, guests=0) as estate:
        names = [r for c in estate.clouds.values() for r in c.regions]
        assert len(names) == len(set(names)) == 7
        assert sum(len(p.nova.servers) for c in estate.clouds.values() for p in c.regions.values()) == 60


async def test_a_standing_clock_rings_in_order_and_only_when_it_is_moved() -> None:
    clock, rung = Clock(speed=0), []
    clock.start()
    began = clock.time()
    clock.after(2, lambda: rung.append(("late", clock.time() - began)))
    clock.after(1, lambda: clock.after(0.5, lambda: rung.append(("chained", clock.time() - began))))
    await asyncio.sleep(0.01)
    await clock.advance(1.2)
    assert rung == []
    await clock.advance(5)
    assert [(name, round(at, 3)) for name, at in rung] == [("chained", 1.5), ("late", 2.0)]
    assert round(clock.time() - began, 3) == 6.2
    clock.stop()


async def test_a_fast_clock_rings_by_itself() -> None:
    clock, rung = Clock(speed=1000), asyncio.Event()
    clock.start()
    clock.after(20, rung.set)
    await rung.wait()
    clock.stop()
