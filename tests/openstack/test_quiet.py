"""Quiet snapshots and planned images on both clouds, with real logins to the guests.

The real cloud's guests are OpenSSH servers on this machine: there a file system on a loop device is frozen for true,
and a script of the guest's own is called, under names that no shell may take apart. The embedded one's have a data
disk. What is compared is the order of events: the guest goes on after the cloud has its copy, and long before the
upload has ended.
"""

import asyncio
import base64
import datetime as dt
import shlex
import time
from typing import Any, NamedTuple

import msgspec
import pytest
from doings import KeyPair, guest_up
from ground import Cloud
from shell import ok, run
from test_runbooks import ended, pair

import console
from console import Console
from console.runbooks.schedule import Scheduler
from console.runbooks.snapshot import HELD

__all__ = ["pair"]

UPLOAD = "20"  # seconds of the cloud's time
DISK = "/srv/it's a $(disk)"
HOOK = '/srv/quiesce\'s "hook"'
HOOK_TEXT = '#!/bin/sh\necho "$1 $(date +%s.%N)" >>/srv/asked\n'
PREPARE = f"""
set -e
mount -t tmpfs tmpfs /srv
truncate -s 16M /srv/disk.img
mkfs.ext4 -q /srv/disk.img
mkdir {shlex.quote(DISK)}
mount -o loop /srv/disk.img {shlex.quote(DISK)}
echo {base64.b64encode(HOOK_TEXT.encode()).decode()} | base64 -d >{shlex.quote(HOOK)}
chmod 755 {shlex.quote(HOOK)}
"""


class Seen(NamedTuple):
    """What plain HTTP showed of the server at one moment of this machine's clock."""

    at: float
    task: str | None


async def build(ops: Console, cloud: Cloud, pair: KeyPair, word: str) -> Any:
    """A server whose guest can be entered, and whose images take their time to be uploaded."""
    await ops.fleet.ready(ops.places[0])
    given = {"name": cloud.name(word), "image": cloud.image, "flavor": cloud.tiny, "network": cloud.network}
    more = {"metadata": {"lab_snapshot_seconds": UPLOAD}, "key_name": pair.name, "wait": True, "timeout": 300}
    made = await ops.perform("server.create", ops.places[0], **given, **more)
    await guest_up(cloud, made.id)
    return await ops.servers.get(made.id)


async def watch(cloud: Cloud, server: str, seen: list[Seen]) -> None:
    """Note the task state as often as can be, by other eyes than the console's."""
    while True:
        record = await cloud.witness.server(server)
        seen.append(Seen(time.time(), record["OS-EXT-STS:task_state"] if record else None))
        await asyncio.sleep(0.05)


async def properties(cloud: Cloud, image: str) -> dict[str, Any]:
    return await cloud.witness.ask("image", f"/v2/images/{image}")


def in_guest(cloud: Cloud) -> dict[str, Any]:
    """What can be held still in this cloud's guests."""
    # The embedded guest's timer goes by its cloud's clock, which runs fast.
    return {"freeze": [DISK], "hook": HOOK} if cloud.real else {"freeze": ["/data"], "hold": 600}


async def test_the_guest_stands_still_no_longer_than_the_copy(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "quiet")
        if cloud.real:
            prepared = await ops.perform("server.run", server, command=PREPARE)
            if prepared.result.code != 0:
                pytest.skip(f"this machine's guests cannot mount a loop device: {prepared.result.output}")
        seen: list[Seen] = []
        watching = asyncio.create_task(watch(cloud, server.id, seen))
        started = await ops.perform("server.quiet_snapshot", server, name=cloud.name("image"), **in_guest(cloud))
        done = await ended(ops, started.result)
        watching.cancel()
        assert (done.state, done.failure) == ("done", "")
        told = await properties(cloud, done.facts["made"])
        asked = (await ops.perform("server.run", server, command="cat /srv/asked")).result.output.split()
    assert told["status"] == "active" and told["novadeck_op"] == done.id
    assert told["novadeck_grade"] == ("application" if cloud.real else "file-system") + "-consistent"
    copied = [one.at for one in seen if one.task in HELD]
    uploaded = [one.at for one in seen if one.task in ("image_pending_upload", "image_uploading")]
    frozen = int(told["novadeck_frozen_ms"]) / 1000
    assert uploaded and frozen < uploaded[-1] - uploaded[0]
    if cloud.real:
        assert asked[0::2] == ["freeze", "thaw"]
        freeze, thaw = map(float, asked[1::2])
        print(f"frozen {frozen:.2f} s, the copy was seen for {copied[-1] - copied[0] if copied else 0:.2f} s")
        assert not copied or freeze < copied[0] <= copied[-1] < thaw + 0.1
        assert thaw < uploaded[-1]


async def test_by_command_a_hook_that_fails_makes_no_image_unless_it_may(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "hook")
    words = ("--os-cloud", cloud.member, "--os-region-name", cloud.regions[0], "server", "image", "create", server.id)
    more = ("--quiet", "--hook", "/bin/false", "--wait", "-f", "json")
    refused = await run(*words, "--name", cloud.name("never"), *more)
    assert refused.code == 1 and refused.json["state"] == "failed"
    done = (await ok(*words, "--name", cloud.name("anyway"), *more, "--anyway")).json
    told = await properties(cloud, done["facts"]["made"])
    assert (told["name"], told["novadeck_grade"]) == (cloud.name("anyway"), "crash-consistent")
    assert "novadeck_frozen_ms" not in told
    images = (await cloud.witness.ask("image", f"/v2/images?instance_uuid={server.id}"))["images"]
    assert len(images) == 1


@pytest.mark.long
async def test_a_plan_makes_backups_and_the_cloud_keeps_so_many(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "plan")
        foreign = await ops.perform("server.snapshot", server, name=cloud.name("foreign"), wait=True, timeout=300)
        made = await ops.perform("server.plan_images", server, daily="03:30", keep=2, hold=600)
        scheduler = Scheduler(ops, ops.journal, ops.clock)
        images = []
        plan = scheduler.book.read()[made.id]
        with scheduler.book.locked():  # as if a day had passed: what was missed is made up for
            scheduler.book.keep(msgspec.structs.replace(plan, handled=plan.handled - dt.timedelta(days=2)))
        await scheduler.turn()
        for number in range(3):
            plan = scheduler.book.read()[made.id]
            run = await ended(ops, plan.run if number == 0 else await scheduler.run_now(plan))
            assert (run.state, run.failure) == ("done", "")
            await scheduler.turn()
            assert scheduler.book.read()[made.id].good
            images.append(run.facts["made"])
        there = (await cloud.witness.ask("image", f"/v2/images?instance_uuid={server.id}"))["images"]
        records = await ops.dialect(server.place).instance_actions(server.id)
    assert {image["id"] for image in there} == {foreign.id, *images[-2:]}
    assert all(image["backup_type"] == f"novadeck-{made.id}" for image in there if image["id"] != foreign.id)
    assert [record["action"] for record in records].count("createBackup") == 3


async def test_a_plan_by_command_runs_once_and_says_how_it_went(cloud: Cloud, pair: KeyPair) -> None:
    async with console.open([cloud.member], regions=cloud.regions[:1]) as ops:
        server = await build(ops, cloud, pair, "cli")
    where = ("--os-cloud", cloud.member, "--os-region-name", cloud.regions[0])
    await ok(*where, "schedule", "add", server.id, "--weekly", "sunday 03:30", "--keep", "1", "--hold", "600")
    (plan,) = (await ok("schedule", "list", "-f", "json")).json
    assert (plan["server"], plan["cron"], plan["run"]) == (server.id, "30 3 * * 0", "")
    assert "nothing is due" in (await ok("schedule", "run", plan["id"], "--due")).err
    done = (await ok("schedule", "run", plan["id"], "-f", "json")).json
    told = await properties(cloud, done["facts"]["made"])
    assert (told["novadeck_schedule"], told["image_type"]) == (plan["id"], "backup")
    (plan,) = (await ok("schedule", "list", "-f", "json")).json
    assert plan["good"] and plan["result"].startswith(told["name"])
    assert f"schedule run {plan['id']} --due" in (await ok("schedule", "lines", plan["id"], "--for", "cron")).out
    await ok("schedule", "remove", plan["id"], "--yes")
    assert (await ok("schedule", "list", "-f", "json")).json == []
