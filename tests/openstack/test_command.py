"""The command line in processes of its own, on both clouds: what it sends, does, prints and ends with."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from doings import actions_of, audit_lines, audited, guest_up, new_key_pair
from ground import Cloud
from shell import ok, run
from witness import Json


@pytest.fixture
async def here(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, ...]]:
    """The words that choose the member's entry and the first region."""
    monkeypatch.setenv("OS_CLOUD", cloud.member)
    yield ("--os-region-name", cloud.regions[0])


async def done(*words: str) -> Json:
    """What became of an order that must succeed, followed to its end."""
    told: Json = (await ok(*words, "--wait", "--timeout", "300", "-f", "json")).json
    assert (told["ok"], told["result"], told["error"]) == (True, "done", None)
    assert told["request_id"].startswith("req-")
    return told


async def make(cloud: Cloud, here: tuple[str, ...], word: str, *more: str) -> str:
    """The id of a new server."""
    given = ("--image", cloud.image, "--flavor", cloud.tiny, "--network", cloud.network, *more)
    told = await done("server", "create", cloud.name(word), *given, *here)
    assert told["status"] == "ACTIVE"
    return str(told["id"])


async def restarted_and_pictured(cloud: Cloud, here: tuple[str, ...], folder: Path) -> str:
    """Check, soft reboot, hard reboot, snapshot."""
    pair = await new_key_pair(cloud, folder)
    server = await make(cloud, here, "web", "--key-name", pair.name)
    name = cloud.name("web")
    if cloud.guests:
        await guest_up(cloud, server)
        said = await run("server", "check", name, "--user", "root", "--identity", str(pair.file), "-f", "json", *here)
        told = said.json
        assert (said.code, told["ready"], told["host_key"]["grade"]) == (0, True, "console"), said
        assert [rung["name"] for rung in told["rungs"]][:5] == ["address", "port", "banner", "host key", "login"]
    assert (await done("server", "reboot", name, *here))["status"] == "ACTIVE"
    assert (await done("server", "reboot", name, "--hard", *here))["action"] == "server.hard_reboot"
    image = await done("server", "image", "create", name, "--name", cloud.name("picture"), *here)
    made = await cloud.witness.ask("image", f"/v2/images/{image['id']}")
    assert (made["name"], made["status"], made["instance_uuid"]) == (cloud.name("picture"), "active", server)
    (listed,) = [
        row for row in (await ok("image", "list", "--snapshots", "-f", "json", *here)).json if row["id"] == image["id"]
    ]
    assert listed["name"] == cloud.name("picture")
    return server


async def resized(cloud: Cloud, here: tuple[str, ...], then: str, flavor: str) -> str:
    """Resize, and then confirm or revert."""
    server, name = await make(cloud, here, then), cloud.name(then)
    assert (await done("server", "resize", name, "--flavor", cloud.small, *here))["status"] == "VERIFY_RESIZE"
    assert (await done("server", "resize", then, name, *here))["status"] == "ACTIVE"
    record = await cloud.witness.until(server, "ACTIVE")
    assert record["flavor"]["original_name"] == flavor
    return server


async def test_every_verb_ends_where_it_should(cloud: Cloud, here: tuple[str, ...], tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(restarted_and_pictured(cloud, here, tmp_path)),
            group.create_task(resized(cloud, here, "confirm", cloud.small)),
            group.create_task(resized(cloud, here, "revert", cloud.tiny)),
        ]
    servers = [task.result() for task in tasks]
    said = await ok("server", "delete", *servers, "--yes", "--wait", "--timeout", "300", "-f", "json", *here)
    assert {row["id"]: row["status"] for row in said.json} == dict.fromkeys(servers, "gone")
    assert [await cloud.witness.server(server) for server in servers] == [None, None, None]
    followed = ["asked", "accepted", "ended"]
    seen = [audited(audit_lines(), server) for server in servers]
    verbs = ("create", "reboot", "hard_reboot", "snapshot", "delete")
    assert {f"server.{verb}": followed for verb in verbs}.items() <= seen[0].items()
    for each, then in zip(seen[1:], ("confirm", "revert"), strict=True):
        assert each == {f"server.{verb}": followed for verb in ("create", "resize", then, "delete")}


async def test_what_it_prints_and_how_it_ends(cloud: Cloud, here: tuple[str, ...]) -> None:
    web, big = await asyncio.gather(
        cloud.witness.create(cloud.name("web")), cloud.witness.create(cloud.name("big"), flavor=cloud.impossible)
    )
    record, _ = await asyncio.gather(cloud.witness.until(web, "ACTIVE"), cloud.witness.until(big, "ERROR"))
    await forms(cloud, here, web)
    await narrowed(cloud, here, web)
    await ends(cloud, here, web, big)
    (address,) = [address["addr"] for network in record["addresses"].values() for address in network]
    found = (await ok("find", address, "-f", "json", *here)).json
    assert [row["id"] for row in found] == [web]
    records = (await cloud.witness.ask("compute", f"/servers/{web}/os-instance-actions"))["instanceActions"]
    assert actions_of(records) == {"create"}


async def forms(cloud: Cloud, here: tuple[str, ...], web: str) -> None:
    """The same rows in every form; one server as a whole."""
    name = cloud.name("web")
    columns = ("-c", "id", "-c", "name", "-c", "status")
    kinds = ("json", "yaml", "csv", "table")
    told = await asyncio.gather(
        *(ok("server", "list", "--name", f"^{name}$", *columns, "-f", kind, *here) for kind in kinds)
    )
    as_json, as_yaml, as_csv, table = (each.out for each in told)
    row = {"id": web, "name": name, "status": "ACTIVE"}
    assert json.loads(as_json) == yaml.safe_load(as_yaml) == [row]
    assert [dict(each) for each in csv.DictReader(io.StringIO(as_csv))] == [row]
    assert table.split() == ["ID", "NAME", "STATUS", *row.values()]
    shown, base = await asyncio.gather(
        ok("server", "show", name, "-f", "json", *here), ok("image", "list", "--base", "-f", "json", *here)
    )
    assert (shown.json["id"], shown.json["flavor"]["name"]) == (web, cloud.tiny)
    assert cloud.image in {image["name"] for image in base.json}


async def narrowed(cloud: Cloud, here: tuple[str, ...], web: str) -> None:
    """Filters are the cloud's work, by its own ids; the trace shows what was sent, and no secret."""
    words = ("--status", "active", "--image", cloud.image, "--flavor", cloud.tiny, "--name", f"^{cloud.prefix}")
    said, unknown = await asyncio.gather(
        ok("server", "list", *words, "--debug", "-f", "json", *here),
        run("server", "list", "--flavor", "m1.tinny", *here),
    )
    assert [row["id"] for row in said.json] == [web]
    image, flavor = (await cloud.witness.image(cloud.image))["id"], (await cloud.witness.flavor(cloud.tiny))["id"]
    (sent,) = [line.split()[1] for line in said.err.splitlines() if "/servers/detail?" in line.partition(" {")[0]]
    assert {f"image={image}", f"flavor={flavor}", "status=ACTIVE"} <= set(sent.partition("?")[2].split("&"))
    entry = yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"][cloud.member]
    assert "X-Auth-Token: ••••" in said.err
    assert entry["auth"]["password"] not in said.err
    assert "gAAAA" not in said.err
    assert (unknown.code, unknown.err) == (
        1,
        f"novadeck: There is no flavor 'm1.tinny'. Did you mean '{cloud.tiny}'?\n",
    )


async def ends(cloud: Cloud, here: tuple[str, ...], web: str, big: str) -> None:
    """Exit codes, and nothing done by what is refused or only tried."""
    name = cloud.name("web")
    plan, refused, wrong, late, some, waited, unsure = await asyncio.gather(
        run("server", "reboot", name, "--dry-run", *here),
        run("server", "resize", "confirm", name, *here),
        run("server", "reboot", *here),
        run("wait", "server", name, "--for", "status=SHUTOFF", "--timeout", "5", *here),
        run("server", "show", name, cloud.name("nosuch"), "-f", "json", *here),
        run("wait", "server", name, big, "--for", "status=ACTIVE,ERROR", "--timeout", "60", "-f", "json", *here),
        run("server", "delete", name, *here),
    )
    assert (plan.code, plan.out) == (0, f"would do: reboot {name} ({web}) at {cloud.member}/{cloud.regions[0]}\n")
    assert (refused.code, "There is no resize to confirm" in refused.err) == (1, True)
    assert (wrong.code, wrong.err) == (2, "novadeck: server reboot needs NAME.\n")
    assert (late.code, "is ACTIVE after 5 s" in late.err) == (3, True), late
    assert (some.code, [row["name"] for row in some.json]) == (4, [name])
    assert {row["id"]: row["status"] for row in waited.json} == {web: "ACTIVE", big: "ERROR"}
    assert (unsure.code, unsure.err) == (2, "novadeck: server delete needs --yes where nobody can be asked.\n")
    assert audit_lines() == []
    failed = await run("server", "create", cloud.name("huge"), "--image", cloud.image, "--flavor", cloud.impossible,
                       "--network", cloud.network, "--wait", *here)  # fmt: skip
    assert (failed.code, "ended in ERROR: No valid host was found" in failed.err) == (1, True), failed
