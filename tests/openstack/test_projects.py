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
    teller = Teller(cloud, cloud.name("back"), tmp_path)
    teller.id = await cloud.witness.create(teller.name)
    await cloud.witness.until(teller.id, "ACTIVE")
    if cloud.real:
        return await offloads_and_deletes_at_once(teller)
    for _, place in cloud.estate.places:
        place.nova.shelved_offload, place.nova.reclaim_deleted = False, True
    here, as_admin = teller.here(), teller.here(admin=True)
    for words, status in (
        (("shelve", teller.id, *WAIT, *here), "SHELVED"),
        (("shelve", "offload", teller.id, *WAIT, *as_admin), "SHELVED_OFFLOADED"),
        (("unshelve", teller.id, *WAIT, *here), "ACTIVE"),
        (("delete", teller.id, "--yes", *WAIT, *here), "gone"),
        (("restore", teller.id, *WAIT, *here), "ACTIVE"),
    ):
        said = await ok("server", *words, "-f", "json")
        assert said.json["status"] == status, (words, said)
    assert (await cloud.witness.server(teller.id) or {})["status"] == "ACTIVE"


async def offloads_and_deletes_at_once(teller: Teller) -> None:
    """The lab's Nova has its defaults: no shelved server stays on its host, and no deleted one comes back."""
    said = await ok("server", "shelve", teller.id, *WAIT, "-f", "json", *teller.here())
    assert said.json["status"] == "SHELVED_OFFLOADED"
    late = await run("server", "shelve", "offload", teller.id, *teller.here(admin=True))
    assert (late.code, "It is off its host already." in late.err) == (1, True), late
    await ok("server", "delete", teller.id, "--yes", *WAIT, *teller.here())
    gone = await run("server", "restore", teller.id, *teller.here())
    assert (gone.code, f"there is no server {teller.id}" in gone.err) == (1, True), gone
