"""The library as its readers are told of it: the examples run, on the embedded cloud."""

import inspect
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import console
from console.sim.estate import Estate


@pytest.fixture(autouse=True)
async def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Estate]:
    """The embedded cloud at twenty times the speed, as what clouds.yaml names, with OS_CLOUD set; and empty folders."""
    for name in os.environ:
        if name.startswith(("OS_", "NOVADECK_")):
            monkeypatch.delenv(name)
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    async with Estate(servers=28, guests=0, speed=20) as estate:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(estate.write_clouds_yaml(tmp_path)))
        monkeypatch.setenv("OS_CLOUD", "nimbus")
        yield estate


def a_name(estate: Estate) -> str:
    """The name of a server that can be resized, and that no other server has."""
    everything = [server for _, place in estate.places for server in place.nova.servers.values()]
    names = [server.name for server in everything]
    cloud = estate.clouds["nimbus"]
    for server in (server for place in cloud.regions.values() for server in place.nova.servers.values()):
        fine = server.vm_state == "active" and server.task_state is None and not server.locked
        if fine and server.project_id == cloud.project.id and names.count(server.name) == 1:
            return server.name
    raise AssertionError("no server can be resized")


async def test_changes_as_they_come() -> None:
    async with console.open() as ops:
        async for batch in ops.servers.watch():
            assert batch.reset or batch.changed or batch.gone
            if {server.place.region for server in ops.servers.rows()} == {"dfw", "ord"}:
                break


async def test_named_clouds() -> None:
    async with console.open(clouds=["nimbus", "lab"]) as ops:
        assert {place.cloud for place in ops.places} == {"nimbus", "lab"}


def _size(flavor: console.Flavor) -> tuple[int, int]:
    return flavor.ram or 0, flavor.disk or 0


async def test_find_resize_and_wait(estate: Estate) -> None:
    name = a_name(estate)
    async with console.open() as ops:
        server = await ops.servers.find(name=name)
        flavors = await ops.flavors.list(places=[server.place])
        assert server.flavor and server.flavor.ram and server.flavor.disk is not None
        least = (server.flavor.ram, server.flavor.disk)
        bigger = min((row for row in flavors.rows if _size(row) > least and _size(row)[1] >= least[1]), key=_size)
        await ops.perform("server.resize", server, flavor=bigger.name, wait=True, timeout=60)
        server = await console.wait_until(server, "status", ["VERIFY_RESIZE", "ERROR"], interval=0.1, deadline=60)
        assert server.status == "VERIFY_RESIZE"
        await ops.perform("server.confirm", server, wait=True, timeout=60)
        again = await ops.servers.get(server.id)
        assert again.status == "ACTIVE"
        assert again is not server


async def test_a_name_that_fits_several_raises_with_the_candidates() -> None:
    async with console.open() as ops:
        (place, _) = ops.places
        image = await ops.images.list(places=[place], status="active")
        flavor = await ops.flavors.list(places=[place])
        given = {"name": "twin", "image": image.rows[0].id, "flavor": flavor.rows[0].id}
        made = [await ops.perform("server.create", place, network=["none"], **given) for _ in range(2)]
        with pytest.raises(console.AmbiguousName) as error:
            await ops.servers.find(name="twin")
        assert sorted(error.value.candidates) == sorted(f"{outcome.id} {place}" for outcome in made)


async def test_ways_to_find(estate: Estate) -> None:
    name = a_name(estate)
    async with console.open() as ops:
        server = await ops.servers.find(name)
        assert (await ops.servers.find(server.id)).key == server.key
        assert (await ops.servers.find(id=server.id)).key == server.key
        assert (await ops.servers.find(contains=name[1:].upper(), id=None, key_name=server.key_name)).name
        with pytest.raises(console.NotFound, match="there is no server no-such"):
            await ops.servers.find("no-such")
        with pytest.raises(console.NotFound):
            await ops.servers.get("11111111-1111-4111-8111-111111111111")


@pytest.mark.parametrize("name", ["[bold]x[/]", "a/b", "../flavors", "x?y=1", "ü+ü", "100%", "web*", "(", "."])
async def test_a_name_is_a_name_whatever_its_letters(name: str) -> None:
    async with console.open() as ops:
        with pytest.raises(console.NotFound, match="there is no server"):
            await ops.servers.find(name)
        place = ops.places[0]
        image = await ops.images.list(places=[place], status="active")
        flavor = await ops.flavors.list(places=[place])
        given = {"name": name, "image": image.rows[0].id, "flavor": flavor.rows[0].id}
        outcome = await ops.perform("server.create", place, network=["none"], **given)
        assert (await ops.servers.find(name)).id == outcome.id


async def test_rows_are_snapshots(estate: Estate) -> None:
    async with console.open() as ops:
        server = await ops.servers.find(a_name(estate))
        with pytest.raises(AttributeError):
            server.name = "other"  # type: ignore[misc]


async def test_one_sentence_for_whatever_goes_wrong() -> None:
    async with console.open(["nimbus", "no-such-cloud"]) as ops:
        assert "no-such-cloud" in str(ops.problems[0])


def test_every_promised_name_is_there() -> None:
    for name in console.__all__:
        assert getattr(console, name) is not None
    assert dir(console) == console.__all__
    with pytest.raises(AttributeError):
        _ = console.no_such_name
    assert inspect.iscoroutinefunction(console.wait_until)
