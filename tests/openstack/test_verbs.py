"""Every verb by command, on each cloud: what it prints, where the server is then, and the lines of the audit.

A story is one server's way through several verbs. The last test holds that no action is left out.
"""

import asyncio
import io
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from doings import audit_lines, audited
from ground import Cloud
from shell import Said as Answer
from witness import Json

from console.actions.dialects import lacking
from console.cli.commands import every
from console.cli.main import main
from console.runbooks import ACTIONS, RUNBOOKS

WAIT = ("--wait", "--timeout", "300")
FOLLOWED = ["asked", "accepted", "ended"]


_one_at_a_time = threading.Lock()


async def run(*words: str) -> Answer:
    """Run a command in this process, where nobody is at its input; sixty processes would take a minute to start."""
    return await asyncio.to_thread(_run, words)


def _run(words: tuple[str, ...]) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with _one_at_a_time, redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return Answer(code, out.getvalue(), err.getvalue())


async def ok(*words: str) -> Answer:
    """Run what must succeed."""
    answer = await run(*words)
    assert answer.code == 0, f"{words}: {answer}"
    return answer


@pytest.fixture(autouse=True)
def nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal at the input."""
    monkeypatch.setattr("sys.stdin", io.StringIO())


class Said(NamedTuple):
    """One command of a story: its words ($ID, $NAME ... are filled in), its action, and how it must end."""

    words: str
    action: str
    status: tuple[str, ...] = ()  # where the server is then; () is not waited for
    admin: bool = False
    holds: Callable[[Json], bool] = lambda record: True  # of the server's record afterwards
    refused: str = ""  # the words of a refusal that is expected, and nothing is sent


ACTIVE, SHUTOFF = ("ACTIVE",), ("SHUTOFF",)
STORIES: dict[str, tuple[Said, ...]] = {
    "power": (
        Said("server stop $ID", "server.stop", SHUTOFF),
        Said("server start $ID", "server.start", ACTIVE),
        Said("server pause $ID", "server.pause", ("PAUSED",)),
        Said("server unpause $ID", "server.unpause", ACTIVE),
        Said("server suspend $ID", "server.suspend", ("SUSPENDED",)),
        Said("server resume $ID", "server.resume", ACTIVE),
        Said("server reboot $ID", "server.reboot", ACTIVE),
        Said("server reboot --hard $ID", "server.hard_reboot", ACTIVE),
    ),
    "away": (
        Said("server shelve offload $ID", "server.shelve_offload", admin=True, refused="It is not shelved"),
        Said("server shelve $ID", "server.shelve", ("SHELVED_OFFLOADED",)),
        Said("server unshelve $ID", "server.unshelve", ACTIVE),
        Said("server rescue $ID --password-file $FILE", "server.rescue", ("RESCUE",)),
        Said("server unrescue $ID", "server.unrescue", ACTIVE),
        Said("server restore $ID", "server.restore", refused="It is not deleted"),
    ),
    "marks": (
        Said("server lock $ID --reason payday", "server.lock", holds=lambda one: one["locked"] is True),
        Said("server reboot $ID", "server.reboot", refused="is locked: payday"),
        Said("server unlock $ID", "server.unlock", holds=lambda one: one["locked"] is False),
        Said(
            "server set $ID --name $NAME-2 --description words --access-ipv4 10.1.2.3 --access-ipv6"
            " ::babe:67.23.10.132 --hostname renamed",
            "server.set",
            holds=lambda one: (
                one["name"].endswith("-2")
                and (one["description"], one["accessIPv4"]) == ("words", "10.1.2.3")
                and one["accessIPv6"] == "::babe:4317:a84"
            ),
        ),
        Said("server set $ID --description=", "server.set", holds=lambda one: one["description"] in ("", None)),
        Said(
            "server set $ID --access-ipv4= --access-ipv6= --hostname renamed.example.org",
            "server.set",
            holds=lambda one: (one["accessIPv4"], one["accessIPv6"]) == ("0.0.0.0", "::"),  # Nova keeps what is there
        ),
        Said("server set $ID --access-ipv4=", "server.set", refused="has no access IPv4 to be taken away"),
        Said(
            "server metadata set $ID --metadata role=web --metadata x=y",
            "server.metadata",
            holds=lambda one: one["metadata"]["role"] == "web",
        ),
        Said("server metadata set $ID --remove x", "server.metadata", holds=lambda one: "x" not in one["metadata"]),
        Said("server tags set $ID --tag a --tag b", "server.tags", holds=lambda one: sorted(one["tags"]) == ["a", "b"]),
    ),
    "anew": (
        Said("server rebuild $ID --image $IMAGE --yes --password-file $FILE", "server.rebuild", ACTIVE),
        Said("server set password $ID --password correct-horse", "server.password", ACTIVE),
        Said("server image create $ID --name $NAME-image --metadata role=web", "server.snapshot", ACTIVE),
        Said("server backup create $ID --name $NAME-backup --rotation 1", "server.backup", ACTIVE),
        Said("server clone $ID --name $NAME-clone --image-name $NAME-of", "server.clone", ACTIVE),
    ),
    "sizes": (
        Said("server resize $ID --flavor $SMALL", "server.resize", ("VERIFY_RESIZE",)),
        Said("server resize confirm $ID", "server.confirm", ACTIVE),
        Said("server resize $ID --flavor $TINY", "server.resize", refused="the disk would shrink"),
        Said("server resize $ID --flavor $MEDIUM", "server.resize", ("VERIFY_RESIZE",)),
        Said("server resize revert $ID", "server.revert", ACTIVE),
    ),
    "administration": (
        Said("server migrate $ID", "server.migrate", admin=True, refused="Only an administrator"),
        Said("server migrate $ID", "server.migrate", ("VERIFY_RESIZE",), admin=True),
        Said("server resize confirm $ID", "server.confirm", ACTIVE),
        Said("server migrate live $ID", "server.live_migrate", ACTIVE, admin=True),
        Said("server reset state $ID --state ERROR", "server.reset_state", admin=True,
             holds=lambda one: one["status"] == "ERROR"),
        Said("server reset state $ID --state active", "server.reset_state", admin=True,
             holds=lambda one: one["status"] == "ACTIVE"),
    ),
}  # fmt: skip
GUESTS = ("server.hostkeys", "server.run", "server.shell")  # what is done inside, with guests of their own elsewhere
READS = ("server.check", "server.console_log", "server.remote_console", "server.history", "server.explain")
ELSEWHERE = {
    *READS, *GUESTS, "server.create", "server.delete", "server.force_delete", "image.delete", "keypair.create",
    "keypair.delete", "image.set", "server.schedule", "server.plan_images", *RUNBOOKS,
    "server.add_vip", "server.remove_vip", "server.move_ip",  # a project of the lab may not choose an address
    *(name for name, action in ACTIONS.items() if lacking("openstack", action.needs)),  # other dialects' own
}  # fmt: skip

# What the lab's driver (of Nova's own fakes) cannot do, in its own words.
NOT_ON_THE_LAB: dict[str, str] = {}


class Teller:
    """Runs the commands of one story on one server."""

    def __init__(self, cloud: Cloud, name: str, folder: Path, region: int = 0) -> None:
        self.cloud, self.name, self.folder, self.region = cloud, name, folder, cloud.regions[region]
        self.id = ""
        self.files = 0

    def here(self, admin: bool = False) -> tuple[str, ...]:
        """Which cloud, and where."""
        entry = self.cloud.admin if admin else self.cloud.member
        return ("--os-cloud", entry, "--os-region-name", self.region)

    def filled(self, words: str) -> list[str]:
        """The words with the names of this cloud."""
        self.files += "$FILE" in words
        known = {
            "$ID": self.id, "$NAME": self.name, "$IMAGE": self.cloud.image, "$TINY": self.cloud.tiny,
            "$SMALL": self.cloud.small, "$MEDIUM": self.cloud.medium,
            "$FILE": str(self.folder / f"{self.name}-{self.files}"),
        }  # fmt: skip
        for name, value in known.items():
            words = words.replace(name, value)
        return words.split()

    async def tell(self, said: Said) -> None:
        """Run one command, and look whether all is as it was promised."""
        words = [*self.filled(said.words), *self.here(said.admin and "administrator" not in said.refused)]
        if said.refused:
            answer = await run(*words)
            assert (answer.code, said.refused in answer.err) == (1, True), answer
            return
        before = len(audit_lines())
        answer = await run(*words, *(WAIT if said.status else ()), "-f", "json")
        reason = NOT_ON_THE_LAB.get(said.action)
        if self.cloud.real and reason is not None:
            assert (answer.code, reason in answer.err) == (1, True), answer
            return
        assert answer.code == 0, f"{said.words}: {answer}"
        if said.status and said.action != "server.clone":
            assert answer.json["status"] in said.status, answer
        record = await self.cloud.witness.server(self.id)
        assert record is not None and said.holds(record), f"{said.words}: {record}"
        lines = [line for line in audit_lines()[before:] if line["action"] == said.action]
        events = [line["event"] for line in lines if line["target"]["id"] == self.id]
        assert events == (FOLLOWED if said.status else FOLLOWED[:2]), lines


@pytest.mark.parametrize("story", STORIES)
async def test_a_story(cloud: Cloud, story: str, tmp_path: Path) -> None:
    teller = Teller(cloud, cloud.name(story), tmp_path)
    teller.id = await cloud.witness.create(teller.name)
    await cloud.witness.until(teller.id, "ACTIVE")
    for said in STORIES[story]:
        await teller.tell(said)
    kept_for_the_owner_alone(teller)
    if story == "anew":
        await same_as_the_first(cloud, teller)


def kept_for_the_owner_alone(teller: Teller) -> None:
    """The passwords that were told once are in their files, and nowhere else."""
    for file in teller.folder.glob(f"{teller.name}-*"):
        assert file.stat().st_mode & 0o777 == 0o600 and file.read_text().startswith(teller.id)
        assert file.read_text().split()[1] not in str(audit_lines())


async def same_as_the_first(cloud: Cloud, teller: Teller) -> None:
    """A clone has the flavor, the networks and the metadata; the image says whose it is, and can be deleted."""
    servers = (await cloud.witness.ask("compute", f"/servers/detail?name={teller.name}"))["servers"]
    first, second = sorted(servers, key=lambda one: len(one["name"]))
    assert second["name"] == f"{teller.name}-clone" and second["status"] == "ACTIVE"
    assert second["flavor"]["original_name"] == first["flavor"]["original_name"]
    assert list(second["addresses"]) == list(first["addresses"])
    image = await cloud.witness.image(f"{teller.name}-of")
    assert image["instance_uuid"] == teller.id and second["image"]["id"] == image["id"]
    picture = await cloud.witness.image(f"{teller.name}-image")
    assert picture["role"] == "web"
    said = await ok("image", "delete", picture["id"], "--yes", "-f", "json", *teller.here())
    assert said.json["ok"] is True


async def test_create_with_everything_and_every_end(cloud: Cloud, tmp_path: Path) -> None:
    here = Teller(cloud, "", tmp_path).here()
    motd, data, secret = tmp_path / "motd", tmp_path / "data", tmp_path / "secret"
    motd.write_text("hello\n")
    data.write_text("#!/bin/sh\necho hi\n")
    private = tmp_path / "id_new"
    pair = await ok("keypair", "create", cloud.name("pair"), "--private-key", str(private), "-f", "json", *here)
    assert private.stat().st_mode & 0o777 == 0o600 and "PRIVATE KEY" not in pair.out
    (zone, *_) = (await ok("availability", "zone", "list", "-f", "json", *here)).json
    words = [
        "--image", cloud.image, "--flavor", cloud.tiny, "--network", cloud.network, "--key-name", cloud.name("pair"),
        "--metadata", "role=web", "--file", f"/etc/motd={motd}", "--user-data", str(data), "--tag", "one",
        "--description", "whole", "--hostname", "whole-host", "--config-drive", "--security-group", "default",
        "--availability-zone", zone["name"], "--access-ipv4", "10.1.2.3", "--access-ipv6", "::babe:67.23.10.132",
        "--password-file", str(secret),
    ]  # fmt: skip
    said = await ok("server", "create", cloud.name("whole"), *words, *WAIT, "-f", "json", *here)
    record = await cloud.witness.server(said.json["id"])
    assert record is not None
    assert (record["description"], record["key_name"], record["tags"]) == ("whole", cloud.name("pair"), ["one"])
    assert (record["accessIPv4"], record["accessIPv6"]) == ("10.1.2.3", "::babe:4317:a84")
    assert record["metadata"]["role"] == "web" and record["metadata"]["novadeck_order"]
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text().split()[1] not in said.out + said.err + str(audit_lines())
    bare = ["--image", cloud.image, "--flavor", cloud.tiny, "--network", cloud.network]
    many = await ok("server", "create", cloud.name("two"), *bare, "--count", "2", *WAIT, "-f", "json", *here)
    assert [row["name"] for row in many.json] == [cloud.name("two-1"), cloud.name("two-2")]
    assert all(row["admin_pass"] for row in many.json) and many.json[0]["admin_pass"] not in str(audit_lines())
    await in_bulk(cloud, here)
    forced = await ok("server", "delete", "--force", record["id"], "--yes", *WAIT, "-f", "json", *here)
    assert forced.json["status"] == "gone"
    gone = await ok("keypair", "delete", cloud.name("pair"), "--yes", "-f", "json", *here)
    assert gone.json["ok"] is True


async def in_bulk(cloud: Cloud, here: tuple[str, ...]) -> None:
    """Those of an expression are deleted when their number was said, and not otherwise."""
    where = ("--where", f"name:^{cloud.name('two')}-[12]$")
    unsure, wrong, typo = await asyncio.gather(
        run("server", "delete", *where, "--yes", *here),
        run("server", "delete", *where, "--yes", "--expect", "3", *here),
        run("server", "delete", "--where", "!nme:web", "--expect", "3", *here),
    )
    assert (unsure.code, "say --expect 2" in unsure.err) == (2, True)
    assert (wrong.code, "2 servers are meant, and 3 were expected" in wrong.err) == (1, True)
    assert (typo.code, "knows no field 'nme'" in typo.err) == (2, True)
    said = await ok("server", "delete", *where, "--expect", "2", *WAIT, "-f", "json", *here)
    assert {row["status"] for row in said.json} == {"gone"}
    (none,) = [await run("server", "delete", *where, "--expect", "2", *here)]
    assert (none.code, "No server is meant by that" in none.err) == (1, True)


async def test_what_only_reads(cloud: Cloud, tmp_path: Path) -> None:
    teller = Teller(cloud, cloud.name("read"), tmp_path)
    here = teller.here()
    id = await cloud.witness.create(teller.name)
    await cloud.witness.until(id, "ACTIVE")
    await ok("server", "reboot", id, *WAIT, *here)
    log, link, history, explained, limits, table, late = await asyncio.gather(
        ok("console", "log", "show", id, "--lines", "5", *here),
        ok("console", "url", "show", id, *here),
        ok("server", "history", id, "--events", "-f", "json", *here),
        ok("server", "explain", id, "-f", "json", *here),
        ok("limits", "show", "-f", "json", *here),
        ok("server", "explain", id, *here),
        run("wait", "server", id, "--for", "status=SHUTOFF", "--timeout", "4", "--interval", "0.2", "-v", *here),
    )
    assert log.err == ""
    assert link.out.startswith("http://") and "token" in link.out and "token" not in str(audit_lines()), link
    happened = [one for one in history.json if one["told_by"] == "cloud"]
    assert [one["what"] for one in happened] == ["create", "reboot"]
    assert all(one["request_id"].startswith("req-") for one in happened)
    assert happened[1]["events"] and happened[1]["seconds"] is not None
    assert explained.json["facts"]["request id"] == happened[1]["request_id"]
    assert explained.json["ladder"][0]["action"] == "server.check"
    assert "(novadeck server check)" in table.out
    known = {row["name"]: row for row in limits.json}
    assert known["instances"]["used"] >= 1 and known["ports"]["used"] >= 1
    assert known["volumes"]["left"] + known["volumes"]["used"] == known["volumes"]["most"]
    assert known["volume_gigabytes"]["unit"] == "GB"
    zones = await ok("availability", "zone", "list", "-f", "json", *teller.here(admin=True))
    assert all(zone["state"] == "available" and zone["hosts"] >= zone["hosts_up"] >= 1 for zone in zones.json)
    assert (late.code, late.err.count("ACTIVE after") > 2) == (3, True)
    checked = await run("server", "check", id, "--deadline", "5", "-f", "json", *here)
    assert checked.json["id"] == id
    lines: Any = audited(audit_lines(), id)
    assert {lines[action][0] for action in READS if action in lines} == {"asked"}


def test_no_action_is_left_out() -> None:
    told = {said.action for story in STORIES.values() for said in story}
    assert told | ELSEWHERE >= set(ACTIONS)
    words = {command.words for command in every()}
    for said in (said for story in STORIES.values() for said in story):
        plain = said.words.partition(" $")[0].replace(" --hard", "")
        assert tuple(plain.split()) in words, said.words
