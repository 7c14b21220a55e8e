"""Whose it is: ids of another project, by a member and by an administrator; and what can be had back after its end."""

import io
from pathlib import Path

import pytest
from doings import audit_lines, witness_of
from ground import Cloud
from test_verbs import WAIT, Teller, ok, run
from witness import Witness


@pytest.fixture(autouse=True)
def nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal at the input."""
    monkeypatch.setattr("sys.stdin", io.StringIO())


async def private_image(admin: Witness, name: str) -> str:
    """An image record of the administrator's own project, that nobody else may see."""
    body = {"name": name, "visibility": "private", "disk_format": "raw", "container_format": "bare"}
    answer = await admin.call("POST", "image", "/v2/images", body)
    assert answer.status == 201, answer
    return str(answer.body["id"])


async def test_an_id_of_another_project(cloud: Cloud, tmp_path: Path) -> None:
    here = Teller(cloud, "", tmp_path).here()
    as_admin = Teller(cloud, "", tmp_path).here(admin=True)
    async with witness_of(cloud, cloud.admin) as admin:
        theirs = await admin.create(cloud.name("theirs"))
        image = await private_image(admin, cloud.name("private"))
        mine = await cloud.witness.create(cloud.name("mine"))
        await admin.until(theirs, "ACTIVE")
        await cloud.witness.until(mine, "ACTIVE")
        await refused_to_the_member(cloud, here, theirs, image)
        before = len(audit_lines())
        said = await ok("server", "stop", mine, *WAIT, "-f", "json", *as_admin)
        assert said.json["status"] == "SHUTOFF"
        assert (await cloud.witness.server(mine) or {})["status"] == "SHUTOFF"
        assert {line["target"]["id"] for line in audit_lines()[before:]} == {mine}
        listed = await ok("server", "list", "-f", "json", *as_admin)
        assert mine not in {row["id"] for row in listed.json}  # of other projects only by --all-projects, or by id
        everybody = await ok("server", "list", "--all-projects", "-f", "json", *as_admin)
        assert {mine, theirs} <= {row["id"] for row in everybody.json}


async def refused_to_the_member(cloud: Cloud, here: tuple[str, ...], theirs: str, image: str) -> None:
    """One clear sentence each, before anything is sent; what was meant stays as it was."""
    network = ("--network", cloud.network)
    for words, told in (
        (("server", "reboot", theirs), f"there is no server {theirs}"),
        (("server", "delete", theirs, "--yes"), f"there is no server {theirs}"),
        (("server", "resize", theirs, "--flavor", cloud.small), f"there is no server {theirs}"),
        (("image", "delete", image, "--yes"), f"there is no image {image}"),
        (
            ("server", "create", cloud.name("no"), "--image", image, "--flavor", cloud.tiny, *network),
            f"There is no image '{image}'",
        ),
    ):
        said = await run(*words, *here)
        assert (said.code, told in said.err, said.err.count("\n")) == (1, True, 1), (words, said)
    assert audit_lines() == []
    async with witness_of(cloud, cloud.admin) as admin:
        assert (await admin.server(theirs) or {})["status"] == "ACTIVE"


async def test_off_the_shelf_and_out_of_the_bin(cloud: Cloud, tmp_path: Path) -> None:
    """Where a cloud keeps shelved servers on their host, and deleted ones for a while, both verbs have an end."""
    teller = Teller(cloud, cloud.name("back"), tmp_path, region=1)
    here, as_admin = teller.here(), teller.here(admin=True)
    async with witness_of(cloud, cloud.member, region=cloud.regions[1]) as witness:
        teller.id = id = await witness.create(teller.name)
        await witness.until(id, "ACTIVE")
        for words, status in (
            (("shelve", id, *WAIT, *here), "SHELVED"),
            (("shelve", "offload", id, *WAIT, *as_admin), "SHELVED_OFFLOADED"),
            (("unshelve", id, *WAIT, *here), "ACTIVE"),
            (("shelve", id, *WAIT, *here), "SHELVED"),
            (("unshelve", id, *WAIT, *here), "ACTIVE"),
            (("delete", id, "--yes", *WAIT, *here), "gone"),
            (("restore", teller.name, *WAIT, *here), "ACTIVE"),
            (("stop", id, *WAIT, *here), "SHUTOFF"),
            (("delete", id, "--yes", *WAIT, *here), "gone"),
            (("restore", "--where", f"name:^{teller.name}$", "--expect", "1", *WAIT, *here), "ACTIVE"),
        ):
            said = await ok("server", *words, "-f", "json")
            assert (said.json["id"], said.json["status"]) == (id, status), (words, said)
            had_back = f"{teller.name} can be had back for a while: novadeck server restore {id}"
            assert (had_back in said.err) == (status == "gone"), said
        assert (await witness.server(id) or {})["status"] == "ACTIVE"
        await in_the_bin(teller, witness)


async def in_the_bin(teller: Teller, witness: Witness) -> None:
    """A deleted server is listed on request alone, not mistaken for one of its name, and can be deleted for good."""
    here = teller.here()
    await ok("server", "delete", teller.id, "--yes", *WAIT, *here)
    listed, binned = [
        await ok("server", "list", "--name", teller.name, *more, "-f", "json", *here)
        for more in ((), ("--status", "soft_deleted"))
    ]
    assert listed.json == [] and [row["id"] for row in binned.json] == [teller.id]
    late = await run("server", "reboot", teller.id, *here)
    assert (late.code, "Restore it first." in late.err) == (1, True), late
    second = await witness.create(teller.name)
    await witness.until(second, "ACTIVE")
    again = await ok("server", "restore", teller.name, *WAIT, "-f", "json", *here)
    assert again.json["id"] == teller.id
    for id in (second, teller.id):
        await ok("server", "delete", id, "--yes", *WAIT, *here)
    both = await run("server", "restore", teller.name, *here)
    assert (both.code, "2 deleted servers are called" in both.err) == (1, True), both
    for id in (second, teller.id):
        await ok("server", "delete", "--force", id, "--yes", *WAIT, *here)
        assert await witness.gone(id)
    gone = await run("server", "restore", teller.id, *here)
    assert (gone.code, f"there is no server {teller.id}" in gone.err) == (1, True), gone


async def test_off_the_shelf_and_gone_at_once(cloud: Cloud, tmp_path: Path) -> None:
    """With Nova's defaults no shelved server stays on its host, and no deleted one comes back."""
    teller = Teller(cloud, cloud.name("gone"), tmp_path)
    teller.id = await cloud.witness.create(teller.name)
    await cloud.witness.until(teller.id, "ACTIVE")
    said = await ok("server", "shelve", teller.id, *WAIT, "-f", "json", *teller.here())
    assert said.json["status"] == "SHELVED_OFFLOADED"
    late = await run("server", "shelve", "offload", teller.id, *teller.here(admin=True))
    assert (late.code, "It is off its host already." in late.err) == (1, True), late
    await ok("server", "delete", teller.id, "--yes", *WAIT, *teller.here())
    gone = await run("server", "restore", teller.id, *teller.here())
    assert (gone.code, f"there is no server {teller.id}" in gone.err) == (1, True), gone
