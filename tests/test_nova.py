"""Nova's verbs: what is asked for, at which microversion, and what becomes of the odd answers that clouds give."""

import base64
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from scripted_cloud import ScriptedCloud, compute, serving

from console.clouds.connect import connect
from console.clouds.dialect import of_down_cell
from console.clouds.openstack.cloud import OpenStack
from console.errors import BadReply, CloudFault, Conflict, Forbidden, NotFound


@asynccontextmanager
async def opened(highest: str = "2.96", **answers: Any) -> AsyncIterator[tuple[ScriptedCloud, OpenStack]]:
    async with serving() as cloud:
        cloud.answers["/compute/v2.1/"] = compute(highest=highest)
        dialect = await connect(cloud.account())
        assert isinstance(dialect, OpenStack)
        try:
            yield cloud, dialect
        finally:
            await dialect.close()


async def rows(pages: Any) -> list[Any]:
    return [row async for page in pages for row in page]


def version(request: web.Request) -> str | None:
    assert request.headers.get("OpenStack-API-Version", "compute ").startswith("compute ")
    assert request.headers.get("OpenStack-API-Version", "").removeprefix("compute ") == (
        request.headers.get("X-OpenStack-Nova-API-Version") or ""
    )
    return request.headers.get("X-OpenStack-Nova-API-Version")


SERVER = {
    "id": "s1",
    "name": "web",
    "status": "ACTIVE",
    "updated": "2026-11-20T23:00:00Z",
    "OS-EXT-STS:vm_state": "active",
}


async def test_servers_come_page_by_page_and_no_limit_is_named() -> None:
    async with opened() as (cloud, nova):
        link = {"rel": "next", "href": "http://10.0.0.1:8774/v2.1/servers/detail?marker=s1"}
        cloud.answers["/compute/v2.1/servers/detail"] = {"servers": [SERVER], "servers_links": [link]}
        cloud.answers["/compute/v2.1/servers/detail?marker=s1"] = {"servers": []}
        found = await rows(nova.servers())
        assert [row.name for row in found] == ["web"]
        assert cloud.paths("/compute/v2.1/servers") == [
            "GET /compute/v2.1/servers/detail",
            "GET /compute/v2.1/servers/detail?marker=s1",
        ]
        assert (await rows(nova.servers()))[0] is found[0]


async def test_filters_windows_and_projects_are_asked_for_by_novas_names() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["/compute/v2.1/servers/detail"] = {"servers": []}
        since = dt.datetime(2026, 11, 20, 12, 0, 5, tzinfo=dt.timezone(dt.timedelta(hours=2)))
        await rows(nova.servers(filters={"status": ["ACTIVE", "ERROR"], "image_id": "i", "flavor_id": "1"}))
        await rows(nova.servers(changes_since=since))
        await rows(nova.servers(all_projects=True))
    assert cloud.paths("/compute/v2.1/servers") == [
        "GET /compute/v2.1/servers/detail?status=ACTIVE&status=ERROR&image=i&flavor=1",
        "GET /compute/v2.1/servers/detail?changes-since=2026-11-20T10%3A00%3A05Z",
        "GET /compute/v2.1/servers/detail?all_tenants=1",
    ]


async def test_a_filtered_or_partial_listing_gives_the_known_rows() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["/compute/v2.1/servers/detail"] = {"servers": [SERVER, SERVER | {"id": "s2"}]}
        first = await rows(nova.servers())
        cloud.answers["/compute/v2.1/servers/detail"] = {"servers": [SERVER | {"id": "s2"}]}
        assert (await rows(nova.servers(filters={"name": "x"})))[0] is first[1]
        assert (await rows(nova.servers(changes_since=dt.datetime.now(dt.UTC))))[0] is first[1]


async def test_a_server_of_a_cell_that_is_down_is_a_row_with_what_is_known() -> None:
    part = {"id": "s3", "status": "UNKNOWN", "tenant_id": "p", "created": "2026-11-20T23:00:00Z", "links": []}
    async with opened() as (cloud, nova):
        cloud.answers["/compute/v2.1/servers/detail"] = {"servers": [SERVER, part]}
        whole, partial = await rows(nova.servers())
    assert (of_down_cell(whole), of_down_cell(partial)) == (False, True)
    assert (partial.status, partial.name, partial.project_id) == ("UNKNOWN", "", "p")


@pytest.mark.parametrize(("highest", "spoken"), [("2.104", "2.96"), ("2.47", "2.47"), ("2.1", "2.1"), ("", None)])
async def test_the_lower_of_both_newest_microversions_is_spoken(highest: str, spoken: str | None) -> None:
    async with opened(highest) as (cloud, nova):
        cloud.answers["/compute/v2.1/servers/s1"] = {"server": SERVER}
        assert (await nova.server("s1")).name == "web"
        assert version(cloud.last()[0]) == spoken
        assert str(nova.version or "") == (spoken or "")


async def test_a_406_steps_down_to_what_it_names_once_and_for_all() -> None:
    def old_node(request: web.Request) -> Any:
        if version(request) == "2.96":
            told = "Version 2.96 is not supported by the API. Minimum is 2.1 and maximum is 2.60."
            return 406, {"computeFault": {"code": 406, "message": told}}
        return {"server": SERVER}

    async with opened() as (cloud, nova):
        cloud.answers["/compute/v2.1/servers/s1"] = old_node
        await nova.server("s1")
        await nova.server("s1")
        assert [version(request) for request in cloud.asked[-3:]] == ["2.96", "2.60", "2.60"]
        cloud.answers["/compute/v2.1/servers/s1"] = (406, {"computeFault": {"code": 406, "message": "No."}})
        with pytest.raises(CloudFault, match=r"No\."):
            await nova.server("s1")


async def test_a_cloud_that_only_speaks_what_we_do_not_is_told_plainly() -> None:
    async with serving() as cloud:
        cloud.answers["/compute/v2.1/"] = compute("2.200", "2.300")
        with pytest.raises(CloudFault, match=r"speaks 2\.200 and later, we up to 2\.96"):
            await connect(cloud.account())


async def test_a_server_is_ordered_with_what_was_given() -> None:
    made = {"server": {"id": "s9", "links": [], "adminPass": "hunter2"}}
    async with opened() as (cloud, nova):
        cloud.answers["POST /compute/v2.1/servers"] = (202, made)
        accepted = await nova.create_server(
            "web",
            image_id="i",
            flavor_id="1",
            networks=["n1", {"port": "p1"}],
            key_name="k",
            metadata={"a": "b"},
            user_data="#cloud-config",
            security_groups=["default"],
            description=None,
            tags=["blue"],
            hints={"group": "g"},
        )
        request, body = cloud.last()
    assert (accepted.id, accepted.request_id) == ("s9", "req-1")
    assert accepted.admin_pass is not None
    assert accepted.admin_pass.reveal() == "hunter2"
    assert "hunter2" not in repr(accepted)
    assert version(request) == "2.96"
    assert body == {
        "server": {
            "name": "web",
            "imageRef": "i",
            "flavorRef": "1",
            "key_name": "k",
            "metadata": {"a": "b"},
            "tags": ["blue"],
            "networks": [{"uuid": "n1"}, {"port": "p1"}],
            "security_groups": [{"name": "default"}],
            "user_data": base64.b64encode(b"#cloud-config").decode(),
        },
        "os:scheduler_hints": {"group": "g"},
    }


async def test_without_networks_nova_picks_the_only_one_and_files_need_an_older_version() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["POST /compute/v2.1/servers"] = (202, {"server": {"id": "s9"}})
        await nova.create_server("web", image_id="i", flavor_id="1")
        request, body = cloud.last()
        assert (version(request), "networks" in body["server"]) == ("2.36", False)
        await nova.create_server("web", image_id="i", flavor_id="1", networks="none", personality={"/etc/motd": b"hi"})
        request, body = cloud.last()
        assert version(request) == "2.56"
        assert body["server"]["personality"] == [{"path": "/etc/motd", "contents": "aGk="}]
        with pytest.raises(TypeError, match="colour"):
            await nova.create_server("web", colour="red")


async def test_an_order_whose_answer_is_nonsense_is_a_bad_reply() -> None:
    async with opened() as (cloud, nova):
        for answer in ({"server": {}}, {}, [], {"server": {"id": 5}}):
            cloud.answers["POST /compute/v2.1/servers"] = (202, answer)
            with pytest.raises(BadReply, match="no new server"):
                await nova.create_server("web")


async def test_each_order_is_sent_as_nova_wants_it() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["POST /compute/v2.1/servers/s1/action"] = (202, {})
        sent = []
        for order in (
            nova.reboot("s1"),
            nova.reboot("s1", hard=True),
            nova.resize("s1", "2"),
            nova.confirm_resize("s1"),
            nova.revert_resize("s1"),
        ):
            assert (await order).request_id == "req-1"
            sent.append(cloud.last()[1])
    assert sent == [
        {"reboot": {"type": "SOFT"}},
        {"reboot": {"type": "HARD"}},
        {"resize": {"flavorRef": "2"}},
        {"confirmResize": None},
        {"revertResize": None},
    ]


async def test_an_images_id_comes_in_the_body_or_as_the_end_of_an_address() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["POST /compute/v2.1/servers/s1/action"] = (202, {"image_id": "i9"})
        assert (await nova.create_image("s1", "snap", metadata={"a": "b"})).id == "i9"
        assert cloud.last()[1] == {"createImage": {"name": "snap", "metadata": {"a": "b"}}}
        for location in ("http://glance.internal:9292/images/i8", "/v2/images/i8/", "http://x/images/i8?a=b"):
            cloud.answers["POST /compute/v2.1/servers/s1/action"] = lambda request, location=location: web.Response(
                status=202, headers={"Location": location}
            )
            assert (await nova.create_image("s1", "snap")).id == "i8"


async def test_a_delete_of_what_is_gone_is_done() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["DELETE /compute/v2.1/servers/s1"] = lambda request: web.Response(status=204)
        await nova.delete_server("s1")
        await nova.delete_server("s2")
        with pytest.raises(NotFound):
            await nova.server("s2")


async def test_a_race_and_a_policy_are_told_with_the_request_that_failed() -> None:
    async with opened() as (cloud, nova):
        told = "Cannot 'reboot' instance s1 while it is in task_state image_uploading"
        cloud.answers["POST /compute/v2.1/servers/s1/action"] = (409, {"conflictingRequest": {"message": told}})
        with pytest.raises(Conflict) as conflict:
            await nova.reboot("s1")
        assert str(conflict.value) == f"lab/one: {told} (req-1)"
        cloud.answers["/compute/v2.1/servers/detail"] = (
            403,
            {"forbidden": {"code": 403, "message": "Policy doesn't."}},
        )
        with pytest.raises(Forbidden):
            await rows(nova.servers(all_projects=True))


async def test_console_text_is_plain_lines() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["POST /compute/v2.1/servers/s1/action"] = {"output": "\x1b[32mok\x1b[0m\r\nlogin: \x07"}
        assert await nova.console_log("s1", lines=50) == "ok\nlogin: \ufffd" or "␇" in await nova.console_log("s1")
        assert cloud.bodies[3 - 4] in ({"os-getConsoleOutput": {"length": 50}}, {"os-getConsoleOutput": {}})
        cloud.answers["POST /compute/v2.1/servers/s1/action"] = {"output": None}
        assert await nova.console_log("s1") == ""


async def test_limits_history_and_key_pairs_are_read_and_cleaned() -> None:
    async with opened() as (cloud, nova):
        absolute = {
            "maxTotalInstances": -1,
            "totalInstancesUsed": 3,
            "maxTotalCores": 20,
            "totalCoresUsed": 4,
            "new": 1,
        }
        cloud.answers["/compute/v2.1/limits"] = {"limits": {"rate": [], "absolute": absolute}}
        limits = await nova.limits()
        assert limits.absolute["instances"].most is None
        assert limits.absolute["cores"].left == 16
        cloud.answers["/compute/v2.1/servers/s1/os-instance-actions"] = {
            "instanceActions": [{"action": "reboot\x1b", "message": None}, "rubbish"]
        }
        assert await nova.instance_actions("s1") == [{"action": "reboot␛", "message": None}]
        pair = {"keypair": {"name": "k", "public_key": "ssh-ed25519 A", "fingerprint": "f", "type": 5}}
        cloud.answers["/compute/v2.1/os-keypairs"] = {"keypairs": [pair, {"keypair": {}}, 7]}
        (found,) = await rows(nova.keypairs())
        assert (found.id, found.public_key, found.type) == ("k", "ssh-ed25519 A", None)
        assert found.key.id == "u1/k"
        assert (await rows(nova.keypairs()))[0] is found
        for path in ("limits", "servers/s1/os-instance-actions", "os-keypairs"):
            cloud.answers[f"/compute/v2.1/{path}"] = {"something": "else"}
        for question in (nova.limits(), nova.instance_actions("s1"), rows(nova.keypairs())):
            with pytest.raises(BadReply):
                await question


async def test_a_key_pair_with_broken_text_costs_no_list() -> None:
    async with opened() as (cloud, nova):
        body = b'{"keypairs": [{"keypair": {"name": "k\xff"}}, {"keypair": {"name": "sound"}}]}'
        cloud.answers["/compute/v2.1/os-keypairs"] = lambda request: web.Response(
            body=body, content_type="application/json"
        )
        assert [row.id for row in await rows(nova.keypairs())] == ["k\N{REPLACEMENT CHARACTER}", "sound"]


async def test_the_answer_for_one_server_must_be_one() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["/compute/v2.1/servers/deep"] = lambda request: web.Response(
            body=b'{"server": ' + b"[" * 5000 + b"]" * 5000 + b"}", content_type="application/json"
        )
        with pytest.raises(BadReply, match="no server"):
            await nova.server("deep")
        for answer in ({}, {"server": None}, {"server": {}}, [1], {"server": []}):
            cloud.answers["/compute/v2.1/servers/s1"] = answer
            with pytest.raises(BadReply, match="no server"):
                await nova.server("s1")


async def test_an_administrator_sees_private_flavors_too() -> None:
    async with serving() as cloud:
        cloud.roles = ["admin"]
        cloud.answers["/compute/v2.1/flavors/detail"] = {"flavors": [{"id": "1", "os-flavor-access:is_public": False}]}
        dialect = await connect(cloud.account())
        found = await rows(dialect.flavors())
        await rows(dialect.flavors(filters={"min_ram": 512}))
        await dialect.close()
    assert found[0].public is False
    assert cloud.paths("/compute/v2.1/flavors") == [
        "GET /compute/v2.1/flavors/detail?is_public=None",
        "GET /compute/v2.1/flavors/detail?minRam=512",
    ]
