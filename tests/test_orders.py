"""Every order of the table as Nova's own schema wants it, and what its answer tells."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from scripted_cloud import ScriptedCloud, compute, serving

from console.clouds.connect import connect
from console.clouds.openstack.cloud import OpenStack
from console.clouds.openstack.orders import ORDERS
from console.errors import BadReply, NotFound
from console.text import Secret

ACTION = "POST /compute/v2.1/servers/s1/action"


@asynccontextmanager
async def opened(highest: str = "2.96") -> AsyncIterator[tuple[ScriptedCloud, OpenStack]]:
    async with serving() as cloud:
        cloud.answers["/compute/v2.1/"] = compute(highest=highest)
        dialect = await connect(cloud.account())
        assert isinstance(dialect, OpenStack)
        try:
            yield cloud, dialect
        finally:
            await dialect.close()


@pytest.mark.parametrize(
    ("verb", "given", "sent"),
    [
        ("server.start", {}, {"os-start": None}),
        ("server.stop", {}, {"os-stop": None}),
        ("server.shelve_offload", {}, {"shelveOffload": None}),
        ("server.unshelve", {}, {"unshelve": None}),
        ("server.unshelve", {"zone": "az1"}, {"unshelve": {"availability_zone": "az1"}}),
        ("server.rescue", {"image_id": None}, {"rescue": None}),
        ("server.rescue", {"admin_pass": Secret("pw")}, {"rescue": {"adminPass": "pw"}}),
        ("server.lock", {"reason": "mine"}, {"lock": {"locked_reason": "mine"}}),
        ("server.rebuild", {"image_id": "i", "user_data": "x"}, {"rebuild": {"imageRef": "i", "user_data": "eA=="}}),
        ("server.change_password", {"admin_pass": "pw"}, {"changePassword": {"adminPass": "pw"}}),
        (
            "server.backup",
            {"name": "b", "backup_type": "daily", "rotation": 0},
            {"createBackup": {"name": "b", "backup_type": "daily", "rotation": 0}},
        ),
        ("server.reset_state", {"state": "ACTIVE"}, {"os-resetState": {"state": "active"}}),
        ("server.live_migrate", {}, {"os-migrateLive": {"host": None, "block_migration": "auto"}}),
        ("server.live_migrate", {"host": "h"}, {"os-migrateLive": {"host": "h", "block_migration": "auto"}}),
        ("server.force_delete", {}, {"forceDelete": None}),
    ],
)
async def test_an_order_is_sent_as_nova_wants_it(verb: str, given: dict[str, Any], sent: dict[str, Any]) -> None:
    async with opened() as (cloud, nova):
        cloud.answers[ACTION] = (202, {})
        assert (await nova.act(verb, "s1", **given)).request_id == "req-1"
        assert cloud.last()[1] == sent


async def test_every_order_of_the_table_is_offered_and_can_be_sent() -> None:
    async with opened() as (cloud, nova):
        cloud.answers[ACTION] = lambda request: web.Response(status=202)
        assert set(ORDERS) <= nova.verbs
        for verb in ORDERS:
            assert (await nova.act(verb, "s1")).id is None
        with pytest.raises(TypeError, match="colour"):
            await nova.act("server.start", "s1", colour="red")


async def test_what_an_old_cloud_does_not_know_is_refused_and_never_dropped() -> None:
    async with opened("2.20") as (cloud, nova):
        assert not {"server.live_migrate", "server.tags", "migration.list"} & nova.verbs
        asked = len(cloud.asked)
        with pytest.raises(NotFound, match=r"no reason for server.lock: it does not speak 2\.73"):
            await nova.act("server.lock", "s1", reason="mine")
        assert len(cloud.asked) == asked


async def test_a_password_or_an_image_that_an_order_makes_is_told() -> None:
    async with opened() as (cloud, nova):
        cloud.answers[ACTION] = {"adminPass": "hunter2"}
        rescued = await nova.act("server.rescue", "s1")
        cloud.answers[ACTION] = (202, {"server": {"id": "s1", "adminPass": "hunter3"}})
        rebuilt = await nova.act("server.rebuild", "s1", image_id="i")
        cloud.answers[ACTION] = (202, {"image_id": "i9"})
        backup = await nova.act("server.backup", "s1", name="b")
    assert [order.admin_pass and order.admin_pass.reveal() for order in (rescued, rebuilt, backup)] == [
        "hunter2",
        "hunter3",
        None,
    ]
    assert (rebuilt.id, backup.id) == (None, "i9")


async def test_metadata_tags_and_names_are_changed() -> None:
    async with opened() as (cloud, nova):
        cloud.answers |= {f"/compute/v2.1/servers/s1{path}": {} for path in ("", "/metadata", "/tags")}
        sent = []
        for order in (
            nova.update_server("s1", name="new", access_ipv4="10.0.0.1"),
            nova.set_metadata("s1", {"a": "b"}),
            nova.set_metadata("s1", {"a": "b"}, replace=True),
            nova.set_tags("s1", ["x"]),
        ):
            await order
            sent.append((cloud.last()[0].method, cloud.last()[1]))
        await nova.delete_metadata("s1", "a/../b c")
        assert cloud.last()[0].path_qs.endswith("/metadata/a%2F..%2Fb%20c")
    assert sent == [
        ("PUT", {"server": {"name": "new", "accessIPv4": "10.0.0.1"}}),
        ("POST", {"metadata": {"a": "b"}}),
        ("PUT", {"metadata": {"a": "b"}}),
        ("PUT", {"tags": ["x"]}),
    ]


async def test_a_key_pair_is_made_at_the_last_version_that_can_or_taken_in() -> None:
    async with opened() as (cloud, nova):
        cloud.answers["POST /compute/v2.1/os-keypairs"] = {"keypair": {"name": "k", "private_key": "-----BEGIN"}}
        made = await nova.create_keypair("k")
        assert cloud.last()[0].headers["X-OpenStack-Nova-API-Version"] == "2.91"
        assert made.admin_pass is not None
        assert "BEGIN" not in repr(made)
        await nova.create_keypair("k", "ssh-ed25519 A")
        assert cloud.last()[0].headers["X-OpenStack-Nova-API-Version"] == "2.96"
        assert cloud.last()[1] == {"keypair": {"name": "k", "public_key": "ssh-ed25519 A", "type": "ssh"}}
        await nova.delete_keypair("gone")


@pytest.mark.parametrize(("highest", "path"), [("2.96", "remote-consoles"), ("2.1", "action")])
async def test_a_remote_console_is_asked_for_in_the_old_and_the_new_way(highest: str, path: str) -> None:
    async with opened(highest) as (cloud, nova):
        cloud.answers[f"POST /compute/v2.1/servers/s1/{path}"] = {"remote_console": {"url": "http://x/?token=t"}}
        assert await nova.remote_console("s1") == "http://x/?token=t"
        cloud.answers[f"POST /compute/v2.1/servers/s1/{path}"] = {}
        with pytest.raises(BadReply):
            await nova.remote_console("s1")


async def test_zones_migrations_and_volumes() -> None:
    async with opened() as (cloud, nova):
        zones = [
            {"zoneName": "az1", "zoneState": {"available": True}},
            {"zoneName": "az2", "zoneState": {"available": False}},
            {"zoneName": "az3\x1b", "zoneState": None},
        ]
        cloud.answers["/compute/v2.1/os-availability-zone"] = {"availabilityZoneInfo": zones}
        assert [zone["zoneName"] for zone in await nova.zone_records()] == ["az1", "az2", "az3␛"]
        cloud.answers["/compute/v2.1/os-migrations?instance_uuid=s1"] = {"migrations": [{"id": 1, "status": "done"}]}
        assert await nova.migrations(instance_uuid="s1") == [{"id": 1, "status": "done"}]
        cloud.answers["POST /compute/v2.1/servers/s1/os-volume_attachments"] = {"volumeAttachment": {}}
        await nova.attach_volume("s1", "v1")
        assert cloud.last()[1] == {"volumeAttachment": {"volumeId": "v1"}}
        await nova.detach_volume("s1", "v1")
