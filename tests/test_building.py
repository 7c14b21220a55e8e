"""A new server, over the embedded cloud: everything it may be given, and never two servers for one order."""

import base64
import email
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from small_ground import SmallGround, ground_on

from console.actions import building, injected
from console.actions.action import perform
from console.errors import ActionRefused, CloudError, NotFound
from console.model.place import Place
from console.model.server import Server
from console.sim.estate import Estate

GIVEN: dict[str, Any] = {"image": "debian-12", "flavor": "512 MB Standard Instance", "network": "private"}


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with Estate(servers=6, clouds=1, regions=1, guests=0, speed=60) as estate:
        yield estate


@pytest.fixture
async def ground(estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallGround]:
    monkeypatch.setattr(building, "LOOKS", (0.0, 0.02, 0.05))
    name = next(iter(estate.clouds))
    async with ground_on(estate.write_clouds_yaml(tmp_path), tmp_path / "state", name) as ground:
        yield ground


async def servers(ground: SmallGround, name: str) -> list[Server]:
    pages = ground.dialect(ground.places[0]).servers()
    return [row async for page in pages for row in page if row.name.startswith(name)]


@pytest.mark.parametrize(
    "trouble",
    [{"does": "lost_reply"}, {"does": "cut"}, {"does": "empty"}, {"does": "types"}],
    ids=lambda trouble: trouble["does"],
)
async def test_a_lost_reply_makes_no_second_server(
    ground: SmallGround, estate: Estate, trouble: dict[str, Any]
) -> None:
    where = {"service": "compute", "method": "POST", "path": "/servers", "times": 1}
    if trouble["does"] == "lost_reply":
        where = {"times": 1}
    rule = estate.control.cause(trouble["does"], **where)
    outcome = await perform(ground, "server.create", name="once", wait=True, timeout=60, **GIVEN)
    assert rule.met == 1
    (made,) = await servers(ground, "once")
    assert (outcome.id, made.status) == (made.id, "ACTIVE")
    assert made.metadata is not None and made.metadata[building.MARK] == outcome.order
    assert ground.events() == ["asked", "accepted", "ended"]


@pytest.mark.parametrize("does", ["reset", "html", "garbage"])
async def test_an_order_that_was_never_taken_says_so_and_is_not_sent_again(
    ground: SmallGround, estate: Estate, does: str
) -> None:
    rule = estate.control.cause(does, service="compute", method="POST", path="/servers")
    with pytest.raises(CloudError, match="may be ordered again"):
        await perform(ground, "server.create", name="never", **GIVEN)
    assert rule.met == 1
    assert await servers(ground, "never") == []
    assert ground.events() == ["asked", "failed"]


async def test_where_nobody_can_tell_the_mark_is_told(ground: SmallGround, estate: Estate) -> None:
    networks = await ground.dialect(ground.places[0]).networks()
    estate.control.cause("status", status=500, service="compute", path="/servers")
    given = {**GIVEN, "network": str(networks[0]["id"])}
    with pytest.raises(CloudError, match=f"look for the metadata {building.MARK}="):
        await perform(ground, "server.create", name="unknown", **given)


async def test_a_clear_refusal_of_the_cloud_is_no_lost_reply(ground: SmallGround, estate: Estate) -> None:
    rule = estate.control.status(403, service="compute", method="POST", path="/servers")
    with pytest.raises(CloudError) as caught:
        await perform(ground, "server.create", name="no", **GIVEN)
    assert rule.met == 1 and "mark" not in str(caught.value)


async def test_everything_that_can_be_given(ground: SmallGround) -> None:
    outcome = await perform(
        ground,
        "server.create",
        name="whole",
        fixed_ip=f"private={await free_address(ground)}",
        metadata={"role": "web"},
        file={"/etc/motd": "hello\n"},
        user_data=b"#!/bin/sh\necho hi\n",
        password="pass-word-1",
        access_ipv4="10.1.2.3",
        access_ipv6="::babe:67.23.10.132",
        availability_zone=(await ground.dialect(ground.places[0]).zones())[0].name,
        security_group="default",
        config_drive=True,
        tag=["one", "two"],
        description="a test",
        hostname="whole-host",
        wait=True,
        timeout=60,
        **GIVEN,
    )
    made = outcome.row
    assert (made.description, made.hostname, sorted(made.tags)) == ("a test", "whole-host", ["one", "two"])
    assert (made.access_ipv4, made.metadata["role"], bool(made.config_drive)) == ("10.1.2.3", "web", True)
    assert made.access_ipv6 == "::babe:4317:a84"
    assert outcome.admin_pass.reveal() == "pass-word-1"
    written = ground.audit.path.read_text()
    assert (
        "pass-word-1" not in written
        and "hello" not in written
        and "••••" in json.loads(written.split("\n")[0])["given"]["password"]
    )


async def free_address(ground: SmallGround) -> str:
    used = {address.addr for row in await servers(ground, "") for address in row.all_addresses()}
    # Of the private network, never of the floating ones: a port is refused an address of another network.
    fixed = [one.addr for row in await servers(ground, "") for one in row.all_addresses() if one.kind == "fixed"]
    network = min(address for address in fixed if "." in address).rsplit(".", 1)[0]
    return next(f"{network}.{n}" for n in range(200, 250) if f"{network}.{n}" not in used)


async def test_a_server_may_boot_from_a_volume_made_of_the_image(ground: SmallGround) -> None:
    outcome = await perform(
        ground, "server.create", name="vol", boot_from_volume=20, delete_volume=True, wait=True, timeout=60, **GIVEN
    )
    assert outcome.row.boots_from_volume and outcome.row.volumes


async def test_several_are_several_orders(ground: SmallGround) -> None:
    outcomes = await perform(ground, "server.create", name="many", count=3, wait=True, timeout=60, **GIVEN)
    assert [outcome.row.name for outcome in outcomes] == ["many-1", "many-2", "many-3"]
    assert len({outcome.order for outcome in outcomes}) == len(await servers(ground, "many")) == 3
    before = ground.audit.lines()
    with pytest.raises(ActionRefused, match="3000 more servers, and the quota leaves"):
        await perform(ground, "server.create", name="mass", count=3000, **GIVEN)
    assert ground.audit.lines() == before


async def test_several_may_use_up_the_quota(ground: SmallGround, estate: Estate) -> None:
    """What was made of an order so far is not counted against the rest of it."""
    used = (await ground.dialect(ground.places[0]).limits()).absolute["instances"].used or 0
    for _, place in estate.places:
        place.nova.quota["instances"] = used + 2
    outcomes = await perform(ground, "server.create", name="last", count=2, wait=True, timeout=60, at_once=1, **GIVEN)
    assert [outcome.error for outcome in outcomes] == [None, None]
    with pytest.raises(ActionRefused, match="1 more servers, and the quota leaves 0"):
        await perform(ground, "server.create", name="one", **GIVEN)


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"flavor": "m1.nothing"}, NotFound, "There is no flavor 'm1.nothing'"),
    ({"image": "nothing"}, NotFound, "There is no image 'nothing'"),
    ({"image": ""}, ActionRefused, "image is missing. Give --image or --volume."),
    ({"name": "x" * 300}, ActionRefused, "300 characters, and 255 are the most"),
    ({"name": " web"}, ActionRefused, "spaces at an end"),
    ({"name": "we\x1bb"}, ActionRefused, "cannot be seen"),
    ({"metadata": {f"k{n}": "v" for n in range(129)}}, ActionRefused, "129 metadata pairs were given, and 128"),
    ({"metadata": {"k": "v" * 256}}, ActionRefused, "256 characters, and 255"),
    ({"metadata": {"k/": "v"}}, ActionRefused, "letters, digits"),
    ({"file": {"/a": b"\x00\x01"}}, ActionRefused, "/a is no text"),
    ({"file": {"/a": b"\xff\xfe"}}, ActionRefused, "/a is no text"),
    ({"file": {"a": "x"}}, ActionRefused, "no whole path"),
    ({"file": {"/" + "a" * 300: "x"}}, ActionRefused, "301 bytes; 255 are the most"),
    ({"file": {"/a": "x" * 60_000}}, ActionRefused, "49151 are the most"),
    ({"file": "/etc/motd"}, ActionRefused, "no PATH=FILE"),
    ({"file": "/etc/motd=/does/not/exist"}, ActionRefused, "cannot be read"),
    ({"user_data": b"x" * 60_000}, ActionRefused, "user data"),
    ({"access_ipv4": "300.1.1.1"}, ActionRefused, "no IPv4 address"),
    ({"access_ipv6": "10.0.0.1"}, ActionRefused, "no IPv6 address"),
    ({"hostname": "-x"}, ActionRefused, "Host name"),
    ({"hostname": "web.-x.example"}, ActionRefused, "with or without its domain"),
    ({"tag": ["a/b"]}, ActionRefused, "slash"),
    ({"tag": [f"t{n}" for n in range(51)]}, ActionRefused, "51 tags"),
    ({"port": "web-port"}, ActionRefused, "no id"),
    ({"fixed_ip": "10.0.0.1"}, ActionRefused, "NETWORK=ADDRESS"),
    ({"fixed_ip": ["private=10.0.0.1", "nowhere=10.0.0.2"]}, NotFound, "There is no network 'nowhere'"),
    ({"server_group": "friends"}, NotFound, "There is no server group 'friends'"),
    ({"network": "nowhere"}, NotFound, "There is no network 'nowhere'"),
    ({"network": ["auto", "private"]}, ActionRefused, "stands alone"),
    ({"key_name": "nobody"}, NotFound, "There is no key pair 'nobody'"),
    ({"availability_zone": "moon"}, NotFound, "There is no zone 'moon'"),
    ({"volume": "00000000-0000-4000-8000-000000000000"}, ActionRefused, "give one of them"),
    ({"boot_from_volume": 0}, ActionRefused, "cannot be below 1"),
    ({"nonsense": 1}, ActionRefused, "'nonsense' is not asked for"),
]


@pytest.mark.parametrize(("given", "error", "text"), BAD, ids=lambda value: value if isinstance(value, str) else None)
async def test_bad_input_is_refused_before_the_call(
    ground: SmallGround, estate: Estate, given: dict[str, Any], error: type[Exception], text: str
) -> None:
    rule = estate.control.cause("latency", seconds=0.0, service="compute", method="POST", path="/servers")
    with pytest.raises(error) as caught:
        await perform(ground, "server.create", **{"name": "bad", **GIVEN, **given})
    assert text in str(caught.value)
    assert rule.met == 0
    assert ground.events() == []
    with pytest.raises(error):  # and a plan of it is not made either
        await perform(ground, "server.create", dry_run=True, **{"name": "bad", **GIVEN, **given})


async def test_without_a_network_the_only_one_is_taken_and_of_several_none(
    ground: SmallGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {name: value for name, value in GIVEN.items() if name != "network"}
    dialect = ground.dialect(ground.places[0])
    inner = [one for one in await dialect.networks() if not one.get("router:external")]

    async def networks(**_: Any) -> list[dict[str, Any]]:
        return [*inner[:1], {"id": "n2", "name": "second"}]

    if len(inner) == 1:
        outcome = await perform(ground, "server.create", name="alone", hostname="alone", wait=True, timeout=60, **given)
        assert list(outcome.row.addresses) == [inner[0]["name"]]
    monkeypatch.setattr(dialect, "networks", networks)
    before = ground.events()
    with pytest.raises(ActionRefused, match="There are 2 networks, and none was named"):
        await perform(ground, "server.create", name="lost", **given)
    assert ground.events() == before


# Files ----------------------------------------------------------------------------------------------------------------


def test_files_come_from_texts_bytes_file_objects_and_files(tmp_path: Path) -> None:
    here = tmp_path / "motd"
    here.write_text("from a file")
    found = injected.files({"/a": "text", "/b": b"bytes", "/c": io.StringIO("object"), "/d": here})
    assert found == {"/a": b"text", "/b": b"bytes", "/c": b"object", "/d": b"from a file"}
    assert injected.files([f"/etc/motd={here}"]) == {"/etc/motd": b"from a file"}
    with pytest.raises(ActionRefused, match="twice"):
        injected.files([f"/a={here}", f"/a={here}"])


def config_of(data: bytes) -> dict[str, Any]:
    head, _, body = data.partition(b"\n")
    assert head == b"#cloud-config"
    found: dict[str, Any] = json.loads(body)
    return found


def test_cloud_init_renames_what_is_there_and_writes_for_root_alone() -> None:
    config = config_of(injected.user_data(None, {"/etc/my motd": "grüße\n".encode()}))
    (file,) = config["write_files"]
    assert (file["path"], file["owner"], file["permissions"]) == ("/etc/my motd", "root:root", "0440")
    assert base64.b64decode(file["content"]).decode() == "grüße\n"
    ((first, *_, script),) = config["bootcmd"]
    assert first == "cloud-init-per" and "'/etc/my motd'" in script and ".bak." in script


async def test_the_renaming_does_what_it_says(tmp_path: Path) -> None:
    import asyncio

    there, missing = tmp_path / "the re", tmp_path / "missing"
    there.write_text("old")
    config = config_of(injected.user_data(None, {str(there): b"new", str(missing): b"new"}))
    process = await asyncio.create_subprocess_exec(*config["bootcmd"][0][3:])
    assert await process.wait() == 0
    ((name, text),) = await asyncio.to_thread(lambda: [(file.name, file.read_text()) for file in tmp_path.iterdir()])
    assert name.startswith("the re.bak.20") and text == "old"


@pytest.mark.parametrize(
    ("own", "kind"),
    [
        (b"#!/bin/sh\necho\n", "text/x-shellscript"),
        (b"#cloud-config\npackages: [vim]\n", "text/cloud-config"),
        (b"## template: jinja\n#cloud-config\n", "text/jinja2"),
    ],
)
def test_the_users_own_data_goes_along_untouched(own: bytes, kind: str) -> None:
    document = email.message_from_bytes(injected.user_data(own, {"/a": b"x"}))
    mine, files = document.get_payload()  # type: ignore[misc]
    assert (mine.get_content_type(), mine.get_payload(decode=True)) == (kind, own)  # type: ignore[union-attr]
    assert files.get_content_type() == "text/cloud-config"  # type: ignore[union-attr]
    assert config_of(files.get_payload(decode=True))["merge_how"]  # type: ignore[union-attr,arg-type]


def test_a_document_of_parts_stays_one() -> None:
    inner = injected.user_data(b"#!/bin/sh\n", {"/a": b"x"})
    document = email.message_from_bytes(injected.user_data(inner, {"/b": b"y"}))
    kinds = [part.get_content_type() for part in document.walk()]
    assert kinds.count("text/cloud-config") == 2 and kinds.count("text/x-shellscript") == 1
    with pytest.raises(ActionRefused, match="cannot be joined"):
        injected.user_data(b"just words", {"/a": b"x"})


def test_a_cloud_that_takes_files_itself_has_its_limits() -> None:
    def most(name: str) -> int | None:
        return {"personality": 1, "personality_size": 4}.get(name)

    injected.check({"/a": b"1234"}, most)
    with pytest.raises(ActionRefused, match="2 files were given, and the cloud takes 1"):
        injected.check({"/a": b"", "/b": b""}, most)
    with pytest.raises(ActionRefused, match="/a has 5 bytes, and the cloud takes 4"):
        injected.check({"/a": b"12345"}, most)


@pytest.mark.parametrize(
    ("newest", "given", "text"),
    [
        ("2.18", {"description": "words"}, "takes no description: its API is too old for it"),
        ("2.51", {"tag": "a"}, "takes no tag: its API is too old for it"),
        ("2.89", {"hostname": "web"}, "takes no host name: its API is too old for it"),
        ("2.93", {"hostname": "web.example.org"}, "2 to 63 of them"),
    ],
)
async def test_what_an_older_cloud_does_not_take_is_refused_before_the_call(
    estate: Estate, tmp_path: Path, newest: str, given: dict[str, Any], text: str
) -> None:
    estate.control.newest_microversion(next(iter(next(iter(estate.clouds.values())).regions)), newest)
    async with ground_on(estate.write_clouds_yaml(tmp_path), tmp_path / "state", next(iter(estate.clouds))) as ground:
        with pytest.raises(ActionRefused, match=text):
            await perform(ground, "server.create", name="old", **{**GIVEN, "flavor": "m1.tiny"}, **given)
        assert ground.events() == []


async def test_a_host_name_may_have_its_domain(ground: SmallGround) -> None:
    made = await perform(ground, "server.create", name="x", hostname="web.example.org", wait=True, timeout=60, **GIVEN)
    assert made.row.hostname == "web.example.org"


async def test_a_server_may_have_several_addresses_of_its_own(ground: SmallGround) -> None:
    first = await free_address(ground)
    network, last = first.rsplit(".", 1)
    second = f"{network}.{int(last) + 1}"
    given = {**GIVEN, "fixed_ip": [f"private={first}", f"private={second}"]}
    made = await perform(ground, "server.create", name="two", wait=True, timeout=60, **given)
    assert {address.addr for address in made.row.all_addresses()} == {first, second}


async def test_an_older_cloud_takes_the_files_itself(estate: Estate, tmp_path: Path) -> None:
    estate.control.newest_microversion(next(iter(next(iter(estate.clouds.values())).regions)), "2.56")
    async with ground_on(estate.write_clouds_yaml(tmp_path), tmp_path / "state", next(iter(estate.clouds))) as ground:
        place: Place = ground.places[0]
        assert "server.files" in ground.dialect(place).verbs
        given = GIVEN
        outcome = await perform(ground, "server.create", name="old", file={"/etc/motd": "hi"}, **given)
        assert outcome.id
        with pytest.raises(ActionRefused, match="6 files were given, and the cloud takes 5"):
            await perform(ground, "server.create", name="o", file={f"/{n}": "" for n in range(6)}, **given)
