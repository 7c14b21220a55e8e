"""Runbooks on both clouds, with real logins to the guests: kept when they prove themselves, else taken back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from doings import KeyPair, new_key_pair, settings_folder
from ground import Cloud

import console
from console import Console
from console.runbooks.journal import RunRecord
from console.runbooks.marks import mark_of


@pytest.fixture
async def pair(cloud: Cloud, tmp_path: Path) -> KeyPair:
    """A key pair of the test's own, named in the settings as the way into this cloud's guests."""
    if not cloud.guests:
        pytest.skip("the real cloud's guests need root")
    found = await new_key_pair(cloud, tmp_path)
    folder = settings_folder()
    folder.mkdir(parents=True)
    way = f'user = "root"\nkey = "{found.file}"\ncheck = false\n'
    (folder / "config.toml").write_text("".join(f"[clouds.{one}.ssh]\n{way}" for one in (cloud.member, cloud.admin)))
    return found


async def build(ops: Console, cloud: Cloud, pair: KeyPair, word: str) -> Any:
    """A server that is ACTIVE."""
    await ops.fleet.ready(ops.places[0])
    given = {"name": cloud.name(word), "image": cloud.image, "flavor": cloud.tiny, "network": cloud.network}
    made = await ops.perform("server.create", ops.places[0], key_name=pair.name, wait=True, timeout=300, **given)
    return await ops.servers.get(made.id)


async def ended(ops: Console, id: str, seconds: float = 300.0) -> RunRecord:
    """The operation, once it has ended."""
    async with asyncio.timeout(seconds):
        while (run := ops.journal.run(id)).open:
            assert run.state != "asking", run.question
            await asyncio.sleep(0.2)
    return run


async def resized(ops: Console, server: Any, **given: Any) -> RunRecord:
    """A guarded resize to its end."""
    started = await ops.perform("server.resize_guarded", server, **given)
    return await ended(ops, started.result)


async def test_a_guarded_resize_is_confirmed_when_the_guest_proves_itself(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "kept")
        run = await resized(ops, server, flavor=cloud.small, check=["true"], stable=2)
        assert (run.state, run.failure) == ("done", "")
        now = await ops.servers.get(server.id)
        assert (now.status, now.flavor.name or now.flavor.id) == ("ACTIVE", cloud.small)
        assert run.facts["end"] == f"confirmed: it has {cloud.small}"
        assert mark_of(now) == ""
        words = [record["action"] for record in await ops.dialect(server.place).instance_actions(server.id)]
        assert sorted(words) == ["confirmResize", "create", "resize"]


@pytest.mark.long
async def test_a_guarded_resize_is_taken_back_when_the_users_check_fails(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "back")
        run = await resized(ops, server, flavor=cloud.small, check=["exit 7"], deadline=45 if cloud.real else 4)
        assert run.state == "failed"
        assert "The check of" in run.failure and "exit 7" in run.failure
        now = await ops.servers.get(server.id)
        assert (now.status, now.flavor.name or now.flavor.id) == ("ACTIVE", cloud.tiny)
        assert run.facts["end"].startswith(f"reverted: it has {cloud.tiny}; the old one is ready in")
        assert mark_of(now) == ""
        words = [record["action"] for record in await ops.dialect(server.place).instance_actions(server.id)]
        assert sorted(words) == ["create", "resize", "revertResize"]


async def test_a_guarded_migration_comes_to_another_host(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "moved")
    async with console.open([cloud.admin], regions=cloud.regions[:1]) as ops:
        started = await ops.perform("server.migrate_guarded", await ops.servers.get(server.id))
        run = await ended(ops, started.result)
        assert (run.state, run.failure) == ("done", "")
        now = await ops.servers.get(server.id)
        assert now.status == "ACTIVE" and now.host_id != server.host_id


async def built(ops: Console, cloud: Cloud, pair: KeyPair, word: str, **given: Any) -> list[RunRecord]:
    """Servers that are built and checked, each to its end."""
    await ops.fleet.ready(ops.places[0])
    given = {"name": cloud.name(word), "image": cloud.image, "flavor": cloud.tiny, "network": cloud.network, **given}
    started = await ops.perform("server.create_checked", ops.places[0], key_name=pair.name, **given)
    several = started if isinstance(started, list) else [started]
    return await asyncio.gather(*(ended(ops, outcome.result) for outcome in several))


async def test_several_are_built_at_once_and_are_ready(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        runs = await built(ops, cloud, pair, "many", count=2)
        assert [run.state for run in runs] == ["done", "done"], runs
        assert all(run.facts["end"].startswith("ready in ") for run in runs)
        servers = [await ops.servers.get(run.facts["made"]) for run in runs]
        assert {server.name for server in servers} == {cloud.name("many-1"), cloud.name("many-2")}
        assert [mark_of(server) for server in servers] == ["", ""]


@pytest.mark.long
@pytest.mark.parametrize("becomes", ["keep", "delete", "rebuild"])
async def test_a_guest_that_is_not_ready_becomes_what_was_said(cloud: Cloud, pair: KeyPair, becomes: str) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        (run,) = await built(
            ops, cloud, pair, becomes, check=["exit 7"], deadline=45 if cloud.real else 4, on_failure=becomes
        )
        assert run.state == "failed" and "exit 7" in run.failure
        there = [row async for page in ops.dialect(ops.places[0]).servers() for row in page]
        ours = [row for row in there if row.name == cloud.name(becomes)]
        assert len(ours) == (0 if becomes == "delete" else 1)
        assert ("rebuilt" in run.facts) == (becomes == "rebuild")


@pytest.mark.parametrize("answer", ["keep both", "delete the old one"])
async def test_where_no_resize_can_be_it_is_built_anew_beside_the_old_one(
    cloud: Cloud, pair: KeyPair, answer: str
) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "old")
        started = await ops.perform("server.replace", server, name=cloud.name("new"), flavor=cloud.small)
        async with asyncio.timeout(600):
            while (run := ops.journal.run(started.result)).question is None:
                assert run.open, run.failure
                await asyncio.sleep(0.2)
        assert run.question.text.startswith(f"Old: {server.name} at {server.address}. New: {cloud.name('new')} at ")
        assert "ready in" in run.question.text and run.question.choices[0] == "keep both"
        ops.journal.answer(run.id, answer)
        async with asyncio.timeout(300):
            while ops.journal.run(run.id).open:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        there = [row async for page in ops.dialect(ops.places[0]).servers() for row in page]
        ours = {row.name: mark_of(row) for row in there if row.name.startswith(cloud.prefix)}
        both = {cloud.name("old"): "", cloud.name("new"): ""}
        assert ours == (both if answer == "keep both" else {cloud.name("new"): ""})
