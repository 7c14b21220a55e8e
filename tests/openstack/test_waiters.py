"""How a wait ends, by command: stuck in BUILD, broken, deleted or confirmed by somebody else; and with which exit code.

Each ends at once, or at its deadline, and says what was seen last.
"""

import asyncio
from pathlib import Path

import pytest
from doings import audit_lines
from ground import Cloud
from shell import run

LONG = {False: 900, True: 60}  # the embedded cloud lives fast; the real one must be rid of it behind the test


def words_of(cloud: Cloud, *more: str) -> tuple[str, ...]:
    return ("--os-cloud", cloud.member, "--os-region-name", cloud.regions[0], *more)


def order(cloud: Cloud, word: str, flavor: str) -> tuple[str, ...]:
    """The words that order a server and wait for it."""
    given = ("--image", cloud.image, "--flavor", flavor, "--network", cloud.network, "--wait")
    return ("server", "create", cloud.name(word), *given)


async def appeared(cloud: Cloud, word: str) -> str:
    """The id of the server of that name, once the cloud has it."""
    async with asyncio.timeout(60):
        while True:
            found = (await cloud.witness.ask("compute", f"/servers?name={cloud.name(word)}"))["servers"]
            if found:
                return str(found[0]["id"])
            await asyncio.sleep(0.1)


def last_event(id: str) -> tuple[str, bool]:
    """The audit's last line of a server that was ordered or acted upon."""
    orders = {line["order"] for line in audit_lines() if id in (line["target"]["id"], line.get("made"))}
    line = [line for line in audit_lines() if line["order"] in orders][-1]
    return line["event"], line.get("ok", True)


@pytest.mark.long
async def test_one_that_never_leaves_build_ends_at_the_deadline(cloud: Cloud) -> None:
    slow = ("--metadata", f"lab_build_seconds={LONG[cloud.real]}")
    said = await run(*order(cloud, "slow", cloud.tiny), *slow, "--timeout", "4", *words_of(cloud))
    assert (said.code, "did not come within 4 s; last seen: BUILD" in said.err) == (3, True), said
    assert last_event(await appeared(cloud, "slow")) == ("ended", False)


async def test_one_that_goes_to_error_ends_with_the_clouds_reason(cloud: Cloud) -> None:
    said = await run(*order(cloud, "big", cloud.impossible), "--timeout", "120", *words_of(cloud))
    assert (said.code, "No valid host was found" in said.err) == (1, True), said
    assert last_event(await appeared(cloud, "big")) == ("ended", False)


@pytest.mark.long
async def test_one_that_somebody_else_deletes_ends_at_once(cloud: Cloud) -> None:
    slow = ("--metadata", f"lab_build_seconds={LONG[cloud.real]}")
    words = (*order(cloud, "lost", cloud.tiny), *slow, "--timeout", "300", *words_of(cloud))
    waiting = asyncio.create_task(run(*words))
    id = await appeared(cloud, "lost")
    also = asyncio.create_task(
        run("wait", "server", id, "--for", "status=ACTIVE", "--timeout", "300", *words_of(cloud))
    )
    async with asyncio.timeout(240):
        while not audit_lines() or audit_lines()[-1]["event"] != "accepted":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        # In an earlier step Nova itself may call the build failed before it notices that the server is unwanted.
        while (await cloud.witness.server(id) or {}).get("OS-EXT-STS:task_state") != "spawning":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await cloud.witness.delete(id)
    said, told = await waiting, await also
    assert (said.code, "was deleted while we waited" in said.err) == (1, True), said
    assert told.code == 1, told


async def test_one_that_was_confirmed_behind_our_back_is_done(cloud: Cloud, tmp_path: Path) -> None:
    id = await cloud.witness.create(cloud.name("quick"))
    await cloud.witness.until(id, "ACTIVE")
    hurry = asyncio.create_task(confirm_at_once(cloud, id))
    said = await run("server", "resize", id, "--flavor", cloud.small, "--wait", "--timeout", "120", *words_of(cloud))
    await hurry
    await cloud.witness.until(id, "ACTIVE")
    assert said.code == 0, said
    assert last_event(id) == ("ended", True)
    late = await run("server", "resize", "confirm", id, *words_of(cloud))
    assert (late.code, "There is no resize to confirm" in late.err) == (1, True), late


async def confirm_at_once(cloud: Cloud, id: str) -> None:
    """Somebody else, who confirms the resize as soon as that can be."""
    await cloud.witness.until(id, "VERIFY_RESIZE")
    assert await cloud.witness.act(id, {"confirmResize": None}) == 204


@pytest.mark.parametrize("field", ["status=SHUTOFF", "task_state=x"])
async def test_what_never_comes_ends_at_the_deadline(cloud: Cloud, field: str) -> None:
    id = await cloud.witness.create(cloud.name("calm"))
    said = await run("wait", "server", id, "--for", field, "--timeout", "2", *words_of(cloud))
    assert (said.code, "after 2 s" in said.err) == (3, True), said
