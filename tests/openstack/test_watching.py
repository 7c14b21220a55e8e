"""What others do is seen with nothing pressed, by the library, in `novadeck watch` and on the screen, at the same time.

The others use the client that they have, `openstack`. Both accounts and both regions are open, and each server is there
once. A lane that dies says why, delays none of the others, and heals by itself.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import others
import pytest
import yaml
from doings import clock_of, soon, witness_of
from ground import LAB, Cloud, start_embedded
from shell import changes
from terminal import terminal
from witness import PATIENCE, Json, Witness

import console
from console import Batch, Console, Key, Place, Server

SMALL, WIDE = (80, 24), (160, 45)
LAB_SCRIPTS = Path(__file__).parent / "lab"
KILL = 'source "$0/state.sh"; running nova-api-two && kill -- "-$(<"$state/run/nova-api-two.pid")"'


class Eyes:
    """What a program that watches the servers has been told."""

    def __init__(self, ops: Console) -> None:
        self.ops = ops
        self.told: list[Server] = []
        self.gone: list[Key] = []

    async def follow(self) -> None:
        """Until it is cancelled."""
        batch: Batch[Server]
        async for batch in self.ops.servers.watch():
            self.told.extend(batch.changed)
            self.gone.extend(batch.gone)

    def last(self, id: str) -> Server | None:
        """The server as it was told last."""
        return next((row for row in reversed(self.told) if row.id == id), None)


@asynccontextmanager
async def watching(ops: Console) -> AsyncIterator[Eyes]:
    """Eyes that are open as long as the context."""
    eyes = Eyes(ops)
    follower = asyncio.create_task(eyes.follow())
    try:
        yield eyes
    finally:
        follower.cancel()
        await asyncio.wait([follower])


def all_well(ops: Console) -> bool:
    """Whether every place has told its rows."""
    return len(ops.health) == len(ops.places) and all(one.rows_at is not None for one in ops.health.values())


def rows_of(text: str, name: str) -> list[str]:
    """The lines of the screen that show a server of that name."""
    return [line for line in text.splitlines() if re.match(rf"..?.?[•◐◆✕○◌] {re.escape(name)} ", line)]


@pytest.mark.long
async def test_what_others_do(cloud: Cloud) -> None:
    """One server comes, one is restarted, one is stopped, one goes."""
    came, restarted, stopped, gone = names = [cloud.name(letter) for letter in "crsg"]
    witness = cloud.witness
    ids = dict(zip(names[1:], await asyncio.gather(*map(witness.create, names[1:])), strict=True))
    await asyncio.gather(*(witness.until(id, "ACTIVE") for id in ids.values()))
    entries = ("--os-cloud", cloud.member, "--os-cloud", cloud.admin)
    async with AsyncExitStack() as stack:
        screen = await stack.enter_async_context(terminal(*SMALL))
        await screen.start(*entries)
        lines = await stack.enter_async_context(changes(*entries))
        ops = await stack.enter_async_context(console.open([cloud.member, cloud.admin], clock=clock_of(cloud)))
        async with watching(ops) as eyes:
            await soon(lambda: all_well(ops), "all well", lambda: ops.health)
            await screen.only(cloud.prefix)
            await screen.until(lambda text: [len(rows_of(text, name)) for name in ids] == [1, 1, 1], "each once")
            assert not [line for line in lines if line["id"] in ids.values()]

            ids[came] = await others.create(cloud, came)
            await others.reboot(cloud, ids[restarted])
            await others.stop(cloud, ids[stopped])
            await others.delete(cloud, ids[gone])
            now = await witness.until(ids[restarted], "ACTIVE")

            await by_the_library(eyes, ids[came], now, ids[stopped], ids[gone])
            await in_the_lines(lines, *(ids[name] for name in names))
            await screen.until(lambda text: rows_of(text, came) and not rows_of(text, gone), "one came, one went")
            await screen.until(lambda text: "ACTIVE" in "".join(rows_of(text, came)), f"{came} runs")
            await screen.until(lambda text: "SHUTOFF" in "".join(rows_of(text, stopped)), f"{stopped} is off")
            assert len(rows_of(await screen.text(), restarted)) == 1
            await screen.press("q")
            assert await screen.ended() == (0, True)


async def by_the_library(eyes: Eyes, came: str, restarted: Json, stopped: str, gone: str) -> None:
    """It appears, changes, and is gone; the timeline has it."""

    def changed() -> bool:
        row = eyes.last(restarted["id"])
        assert row is not None
        assert row.updated is not None
        return (row.updated.strftime("%Y-%m-%dT%H:%M:%SZ"), row.task_state) == (restarted["updated"], None)

    await soon(lambda: (row := eyes.last(came)) and row.status == "ACTIVE", "it appears")
    await soon(changed, "it changes")
    await soon(lambda: (row := eyes.last(stopped)) and row.status == "SHUTOFF", "it is off")
    key = await soon(lambda: next((key for key in eyes.gone if key.id == gone), None), "it is gone")
    row = eyes.last(came)
    assert row is not None
    assert (await remembered(eyes.ops, row.key, "seen"))[0].name == row.name
    assert (await remembered(eyes.ops, key, "gone"))[-1].what == "gone"


async def remembered(ops: Console, key: Key, what: str) -> list[Any]:
    """The timeline of a thing, once it has this."""
    async with asyncio.timeout(PATIENCE):
        history = await ops.history(key)
        while what not in [change.what for change in history]:
            await asyncio.sleep(0.1)
            history = await ops.history(key)
    return history


async def in_the_lines(lines: list[Json], came: str, restarted: str, stopped: str, gone: str) -> None:
    """One object per change, of each server its own kind."""

    def events(id: str) -> list[str]:
        return [line["event"] for line in lines if line["id"] == id]

    def told() -> bool:
        return bool(events(came) and events(restarted) and events(stopped) and "disappeared" in events(gone))

    await soon(told, "all of it in novadeck watch", lambda: lines)
    assert events(came)[0] == "appeared"
    assert set(events(restarted)) == set(events(stopped)) == {"changed"}
    assert events(gone)[-1] == "disappeared"
    assert {line["v"] for line in lines} == {1}
    assert {line["kind"] for line in lines if line["id"] in (came, restarted, stopped, gone)} == {"server"}


@asynccontextmanager
async def silenced(cloud: Cloud) -> AsyncIterator[None]:
    """The second region's nova-api is dead as long as the context: really, or as the embedded cloud plays it."""
    if not cloud.real:
        rule = cloud.estate.control.cause("reset", region=cloud.regions[1], service="compute")
        yield
        cloud.estate.control.trouble.clear(rule)
        return
    await in_the_lab("bash", "-c", KILL, str(LAB_SCRIPTS))
    try:
        yield
    finally:
        await in_the_lab(str(LAB_SCRIPTS / "up.sh"), "--services")


async def in_the_lab(*words: str) -> None:
    """Run a command on the lab's state."""
    environment = {**os.environ, "NOVADECK_OPENSTACK": str(LAB)}
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stdout=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    assert await process.wait() == 0


async def with_another(cloud: Cloud, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """Put an embedded cloud called `aside` beside this one; a witness of it."""
    estate = await start_embedded(stack, guests=0, regions=1, seed=2)
    entry = next(iter(estate.clouds_yaml()["clouds"].values()))
    tree = yaml.safe_load(cloud.clouds_yaml.read_text())
    tree["clouds"]["aside"] = entry
    both = cloud.clouds_yaml.with_name("both.yaml")
    both.write_text(yaml.safe_dump(tree))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(both))
    return await stack.enter_async_context(Witness(entry, entry["region_name"]))


@pytest.mark.alone
async def test_a_dead_region_is_a_lane_with_its_reason(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are the last known ones, and cannot be acted upon; the others go on; it heals by itself."""
    name, new = cloud.name("w"), cloud.name("n")
    dead = Place(cloud.member, cloud.regions[1])
    async with AsyncExitStack() as stack:
        aside = await with_another(cloud, stack, monkeypatch)
        second = await stack.enter_async_context(witness_of(cloud, cloud.member, region=cloud.regions[1]))
        id = await second.create(name)
        await second.until(id, "ACTIVE")
        screen = await stack.enter_async_context(terminal(*WIDE))
        await screen.start("--os-cloud", cloud.member, "--os-cloud", "aside")
        ops = await stack.enter_async_context(console.open([cloud.member, "aside"], clock=clock_of(cloud)))
        async with watching(ops) as eyes:
            await soon(lambda: all_well(ops), "all well", lambda: ops.health)
            await screen.only(cloud.prefix)
            await screen.until(lambda text: "ACTIVE" in "".join(rows_of(text, name)), f"{name} runs")
            async with silenced(cloud):
                await soon(lambda: ops.health[dead].state == "down", "the lane is down", lambda: ops.health)
                assert re.match(r"127\.0\.0\.1:\d+ (refuses|closed)", ops.health[dead].reason)
                row = eyes.last(id)
                assert row is not None
                assert ops.health[dead].reason in ops.verdict("server.reboot", row)
                await screen.until(rf"✕ {dead}")
                await screen.until(lambda text: "UNKNOWN" in "".join(rows_of(text, name)), "its row is the last known")
                first = await cloud.witness.create(new)
                other = await aside.create(new)
                await soon(lambda: eyes.last(first) and eyes.last(other), "the others go on")
                await screen.until(lambda text: len(rows_of(text, new)) == 2, "the others go on")
                assert ops.health[dead].state == "down"
                assert {health.state for place, health in ops.health.items() if place != dead} <= {"well", "slow"}
            await soon(lambda: ops.health[dead].state in ("well", "slow"), "the lane is well", lambda: ops.health)
            await screen.until(lambda text: "ACTIVE" in "".join(rows_of(text, name)), "its row is alive")
            await screen.until(rf"[•▲] {dead}")
            assert ops.verdict("server.reboot", row) == ""
        await screen.press("q")
        assert await screen.ended() == (0, True)
