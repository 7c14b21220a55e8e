"""All that can be done to a server, by the library, to its end, on both clouds."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from doings import audited, clock_of, guest_up, named, new_key_pair, witness_of
from ground import Cloud

import console
from console import ActionFailed, ActionRefused, Console, NotFound, Server

FOLLOWED = ["asked", "accepted", "ended"]


def opened(cloud: Cloud, *entries: str, regions: tuple[str, ...] | None = None) -> Any:
    """A console on these entries, the member's if none is named, in the first region if none is."""
    wanted = list(entries) or [cloud.member]
    return console.open(wanted, regions=regions or cloud.regions[:1], clock=clock_of(cloud))


async def make(ops: Console, cloud: Cloud, word: str, flavor: str, **more: Any) -> Server:
    """A new server, made by the console and followed until it runs."""
    given = {"name": cloud.name(word), "image": cloud.image, "flavor": flavor, "network": cloud.network} | more
    outcome = await ops.perform("server.create", ops.places[0], wait=True, timeout=300, **given)
    assert outcome.request_id.startswith("req-")
    server = await ops.servers.get(outcome.id)
    assert (server.status, server.name) == ("ACTIVE", given["name"])
    return server


async def do(ops: Console, action: str, server: Server, status: str = "ACTIVE", **given: Any) -> Server:
    """Do it, follow it to its end, and give the server as the cloud has it then."""
    outcome = await ops.perform(action, server, wait=True, timeout=300, **given)
    assert outcome.ok
    assert outcome.request_id.startswith("req-")
    now = await ops.servers.get(server)
    assert (now.status, now.task_state) == (status, None)
    return now


async def actions(ops: Console, server: Server) -> list[str]:
    """What the cloud itself says was asked of a server, the oldest first, and that nothing of it failed."""
    records = await ops.dialect(server.place).instance_actions(server.id)
    assert not [record for record in records if record.get("message")]
    return [record["action"] for record in records][::-1]


async def restarted_and_pictured(ops: Console, cloud: Cloud, folder: Path) -> None:
    """Check, soft reboot, hard reboot, snapshot, delete."""
    pair = await new_key_pair(cloud, folder)
    server = await make(ops, cloud, "web", cloud.tiny, key_name=pair.name)
    if cloud.guests:
        await guest_up(cloud, server.id)
        outcome = await ops.perform("server.check", server, user="root", identity=str(pair.file), deadline=60)
        report = outcome.result
        assert report.ready, report
        assert (report.user, report.host_key.grade) == ("root", "console")
        assert [rung.name for rung in report.rungs][:5] == ["address", "port", "banner", "host key", "login"]
    server = await do(ops, "server.reboot", server)
    server = await do(ops, "server.hard_reboot", server)
    outcome = await ops.perform("server.snapshot", server, name=cloud.name("{name}"), wait=True, timeout=300)
    image = await ops.images.get(outcome.id)
    assert (image.status, image.server_id) == ("active", server.id)
    assert image.name == cloud.name(server.name)
    assert await actions(ops, server) == ["create", "reboot", "reboot", "createImage"]
    await ops.perform("server.delete", server, wait=True, timeout=300)
    assert named((await ops.servers.list(name=server.name)).rows, server.name) == []
    seen = audited(ops.audit.lines(), server.id)
    verbs = ("create", "reboot", "hard_reboot", "snapshot", "delete")
    assert {verb: seen[f"server.{verb}"] for verb in verbs} == dict.fromkeys(verbs, FOLLOWED)


async def resized(ops: Console, cloud: Cloud, then: str, flavor: str) -> None:
    """Resize, and then confirm or revert."""
    server = await make(ops, cloud, then, cloud.tiny)
    server = await do(ops, "server.resize", server, "VERIFY_RESIZE", flavor=cloud.small)
    assert server.flavor is not None
    assert server.flavor.name == cloud.small
    with pytest.raises(ActionRefused, match="VERIFY_RESIZE"):
        await ops.perform("server.resize", server, flavor=cloud.medium)
    server = await do(ops, f"server.{then}", server)
    assert server.flavor is not None
    assert server.flavor.name == flavor
    assert await actions(ops, server) == ["create", "resize", f"{then}Resize"]
    seen = audited(ops.audit.lines(), server.id)
    assert seen == dict.fromkeys(("server.create", "server.resize", f"server.{then}"), FOLLOWED)


async def impossible(ops: Console, cloud: Cloud) -> None:
    """A server that fits nowhere: the cloud's own words."""
    given = {"name": cloud.name("big"), "image": cloud.image, "flavor": cloud.impossible, "network": cloud.network}
    with pytest.raises(ActionFailed, match=r"ended in ERROR: No valid host was found"):
        await ops.perform("server.create", ops.places[0], wait=True, timeout=300, **given)
    server = await ops.servers.find(name=given["name"])
    assert server.status == "ERROR"
    assert server.fault is not None
    assert server.fault.code == 500
    assert audited(ops.audit.lines(), server.id) == {"server.create": FOLLOWED}


async def test_every_verb_ends_where_it_should(cloud: Cloud, tmp_path: Path) -> None:
    async with opened(cloud) as ops:
        await ops.fleet.ready(ops.places[0])
        async with asyncio.TaskGroup() as group:
            group.create_task(restarted_and_pictured(ops, cloud, tmp_path))
            group.create_task(resized(ops, cloud, "confirm", cloud.small))
            group.create_task(resized(ops, cloud, "revert", cloud.tiny))
            group.create_task(impossible(ops, cloud))


async def test_what_is_refused_never_reaches_the_cloud(cloud: Cloud) -> None:
    id = await cloud.witness.create(cloud.name("web"))
    await cloud.witness.until(id, "ACTIVE")
    async with opened(cloud) as ops:
        server = await ops.servers.get(id)
        for action in ("server.confirm", "server.revert"):
            assert "no resize" in ops.verdict(action, server)
            with pytest.raises(ActionRefused, match="no resize"):
                await ops.perform(action, server)
        with pytest.raises(NotFound, match="no flavor 'm1-nosuch'"):
            await ops.perform("server.resize", server, flavor="m1-nosuch")
        with pytest.raises(ActionRefused, match="image name"):
            await ops.perform("server.snapshot", server)
    async with console.open([cloud.member], regions=cloud.regions[:1], read_only=True) as ops:
        server = await ops.servers.get(id)
        with pytest.raises(ActionRefused, match="read-only"):
            await ops.perform("server.reboot", server)
        records = (await cloud.witness.ask("compute", f"/servers/{id}/os-instance-actions"))["instanceActions"]
        assert [record["action"] for record in records] == ["create"]
        assert ops.audit.lines() == []


async def test_member_and_admin_of_both_regions_see_each_server_once(cloud: Cloud) -> None:
    async with witness_of(cloud, cloud.member, region=cloud.regions[1]) as second:
        first_id, second_id = await asyncio.gather(
            cloud.witness.create(cloud.name("web")), second.create(cloud.name("web"))
        )
        async with opened(cloud, cloud.member, cloud.admin, regions=cloud.regions) as ops:
            assert len(ops.places) == 4
            found = await ops.servers.list()
            assert found.troubles == {}
            mine = named(found.rows, cloud.name("web"))
            assert {(row.id, row.place.region) for row in mine} == {
                (first_id, cloud.regions[0]),
                (second_id, cloud.regions[1]),
            }
            assert len(mine) == 2
            assert len(found.rows) == len({row.key for row in found.rows})
            for kind in (ops.images, ops.flavors):
                rows = (await kind.list()).rows
                assert len(rows) == len({row.key for row in rows})
            flavors = [row.name for row in (await ops.flavors.list()).rows if row.name == cloud.tiny]
            assert len(flavors) == len(cloud.regions)


async def test_an_administrator_acts_on_what_others_own(cloud: Cloud) -> None:
    id = await cloud.witness.create(cloud.name("web"))
    await cloud.witness.until(id, "ACTIVE")
    entries = [cloud.member, cloud.admin]
    async with console.open(entries, regions=cloud.regions[:1], all_projects=True, clock=clock_of(cloud)) as ops:
        found = await ops.servers.list()
        (server,) = named(found.rows, cloud.name("web"))
        assert {place.cloud for place in ops.store.ways(server.key)} == {cloud.member, cloud.admin}
        assert ops.store.best(server.key).cloud == cloud.admin
        outcome = await ops.perform("server.reboot", server, wait=True, timeout=300)
        assert outcome.place.cloud == cloud.admin
