"""What may be done to the embedded cloud's servers, and the states on the way, as a real Nova showed them."""

from __future__ import annotations

from typing import Any

import pytest
from sim_client import Client, brief, lab, sequence

SNAPSHOT = ["image_snapshot_pending", "image_snapshot", "image_pending_upload", "image_uploading"]


async def server_named(member: Client, name: str) -> str:
    rows = (await member.nova("GET", f"/servers?name=^{name}$")).body["servers"]
    assert len(rows) == 1
    return str(rows[0]["id"])


def states(status: str, tasks: list[str], end: str) -> list[str]:
    return [f"{status}/{task}" for task in tasks] + [f"{end}/None"]


SEQUENCES = [
    ("reboot", {"type": "SOFT"}, "db-primary",
     states("REBOOT", ["rebooting", "reboot_pending", "reboot_started"], "ACTIVE")),
    ("reboot", {"type": "HARD"}, "db-primary",
     states("HARD_REBOOT", ["rebooting_hard", "reboot_pending_hard", "reboot_started_hard"], "ACTIVE")),
    ("os-stop", None, "db-primary", ["ACTIVE/powering-off", "SHUTOFF/None"]),
    ("os-start", None, "staging-api", ["SHUTOFF/powering-on", "ACTIVE/None"]),
    ("pause", None, "db-primary", ["ACTIVE/pausing", "PAUSED/None"]),
    ("unpause", None, "build-arm", ["PAUSED/unpausing", "ACTIVE/None"]),
    ("suspend", None, "db-primary", ["ACTIVE/suspending", "SUSPENDED/None"]),
    ("resume", None, "batch-nightly", ["SUSPENDED/resuming", "ACTIVE/None"]),
    ("unrescue", None, "broken-fs", ["RESCUE/unrescuing", "ACTIVE/None"]),
    ("createImage", {"name": "shot"}, "db-primary", states("ACTIVE", SNAPSHOT, "ACTIVE")),
    ("createBackup", {"name": "b", "backup_type": "daily", "rotation": 2}, "db-primary",
     states("ACTIVE", ["image_backup", "image_pending_upload", "image_uploading"], "ACTIVE")),
    ("resize", {"flavorRef": "5"}, "db-primary",
     states("RESIZE", ["resize_prep", "resize_migrating", "resize_migrated", "resize_finish"], "VERIFY_RESIZE")),
    ("changePassword", {"adminPass": "n3w"}, "db-primary", states("PASSWORD", ["updating_password"], "ACTIVE")),
    ("shelve", None, "db-primary",
     [*states("ACTIVE", ["shelving", "shelving_image_pending_upload", "shelving_image_uploading"], "x")[:3],
      "SHELVED/shelving_offloading", "SHELVED_OFFLOADED/None"]),
]  # fmt: skip


@pytest.mark.parametrize(("action", "given", "name", "wanted"), SEQUENCES)
async def test_an_action_goes_through_the_states_of_a_real_one(
    action: str, given: Any, name: str, wanted: list[str]
) -> None:
    async with lab() as (estate, member, _):
        id = await server_named(member, name)
        assert (await member.act(id, action, given)).status == 202
        assert await sequence(estate, member, id, 5) == wanted
        told = (await member.nova("GET", f"/servers/{id}/os-instance-actions")).body["instanceActions"][0]
        assert told["action"] == action.removeprefix("os-") and told["message"] is None
        path = f"/servers/{id}/os-instance-actions/{told['request_id']}"
        events = (await member.nova("GET", path)).body["instanceAction"]["events"]
        assert events and {e["result"] for e in events} == {"Success"}


async def test_a_resize_moves_confirms_and_reverts() -> None:
    async with lab() as (estate, member, admin):
        id = await server_named(member, "db-primary")
        before = await admin.show(id)
        for end in ("revertResize", "confirmResize"):
            assert (await member.act(id, "resize", {"flavorRef": "5"})).status == 202
            await estate.clock.advance(4)
            there = await admin.show(id)
            assert (there["status"], there["flavor"]["original_name"]) == ("VERIFY_RESIZE", "m1.xlarge")
            assert there["OS-EXT-SRV-ATTR:host"] != before["OS-EXT-SRV-ATTR:host"]
            reply = await member.act(id, end)
            assert reply.status == (204 if end == "confirmResize" else 202)
            if end == "revertResize":
                assert await sequence(estate, member, id, 3) == ["REVERT_RESIZE/resize_reverting", "ACTIVE/None"]
                assert (await admin.show(id))["flavor"] == before["flavor"]
            else:
                assert await sequence(estate, member, id, 3) == ["VERIFY_RESIZE/None", "ACTIVE/None"]
        moves = (await admin.nova("GET", f"/os-migrations?instance_uuid={id}")).body["migrations"]
        assert [(m["migration_type"], m["status"]) for m in moves] == [("resize", "confirmed"), ("resize", "reverted")]


async def test_while_resizing_the_host_is_new_before_the_flavor_is() -> None:
    async with lab() as (estate, member, admin):
        id = await server_named(member, "db-primary")
        before = await admin.show(id)
        await member.act(id, "resize", {"flavorRef": "5"})
        while (await admin.show(id))["OS-EXT-STS:task_state"] != "resize_migrated":
            await estate.clock.advance(0.1)
        there = await admin.show(id)
        assert there["OS-EXT-SRV-ATTR:host"] != before["OS-EXT-SRV-ATTR:host"]
        assert there["flavor"] == before["flavor"]


async def test_a_stopped_server_is_stopped_again_after_a_resize() -> None:
    async with lab() as (estate, member, _):
        id = await server_named(member, "staging-api")
        for end, status in (("revertResize", "SHUTOFF"), ("confirmResize", "SHUTOFF")):
            await member.act(id, "resize", {"flavorRef": "4"})
            await estate.clock.advance(4)
            await member.act(id, end)
            await estate.clock.advance(4)
            assert brief(await member.show(id)) == f"{status}/None"


REFUSED = [
    ("staging-api", "reboot", {"type": "SOFT"}, "Cannot 'reboot' instance {id} while it is in vm_state stopped"),
    ("db-primary", "confirmResize", None, "Cannot 'confirmResize' instance {id} while it is in vm_state active"),
    ("db-primary", "os-start", None, "Cannot 'start' instance {id} while it is in vm_state active"),
    ("ci-runner-07", "reboot", {"type": "SOFT"}, "Cannot 'reboot' instance {id} while it is in vm_state building"),
    ("ci-runner-07", "os-getConsoleOutput", {}, "Instance {id} is not ready"),
    ("bastion", "reboot", {"type": "SOFT"}, "Instance {id} is locked"),
]


@pytest.mark.parametrize(("name", "action", "given", "message"), REFUSED)
async def test_what_is_not_possible_now_is_a_409_with_novas_words(
    name: str, action: str, given: Any, message: str
) -> None:
    async with lab() as (_, member, _admin):
        id = await server_named(member, name)
        reply = await member.act(id, action, given)
        text = message.format(id=id)
        assert (reply.status, reply.body) == (409, {"conflictingRequest": {"code": 409, "message": text}})


async def test_while_an_image_is_taken_nothing_else_may_be_done() -> None:
    async with lab() as (_, member, _admin):
        id = await server_named(member, "db-primary")
        await member.act(id, "createImage", {"name": "one"})
        for action, given in (("reboot", {"type": "SOFT"}), ("reboot", {"type": "HARD"}), ("os-stop", None)):
            reply = await member.act(id, action, given)
            assert reply.status == 409
            assert reply.body["conflictingRequest"]["message"].endswith("in task_state image_snapshot_pending")


async def test_an_image_is_queued_saving_active_and_knows_its_server() -> None:
    async with lab() as (estate, member, _):
        id = await server_named(member, "db-primary")
        made = await member.act(id, "createImage", {"name": "shot", "metadata": {"why": "test"}})
        image = made.body["image_id"]
        seen = []
        for _ in range(40):
            found = (await member.glance("GET", f"/v2/images/{image}")).body
            if not seen or seen[-1] != found["status"]:
                seen.append(found["status"])
            await estate.clock.advance(0.1)
        assert seen == ["queued", "saving", "active"]
        assert (found["instance_uuid"], found["image_type"], found["why"]) == (id, "snapshot", "test")
        old = await member.act(id, "createImage", {"name": "again"}, mv="2.1")
        assert old.text == "" and "/images/" in old.headers["Location"]


async def test_backups_rotate() -> None:
    async with lab() as (estate, member, _):
        id = await server_named(member, "db-primary")
        for number in range(4):
            given = {"name": f"night-{number}", "backup_type": "daily", "rotation": 2}
            assert (await member.act(id, "createBackup", given)).status == 202
            await estate.clock.advance(5)
        images = (await member.glance("GET", "/v2/images?image_type=backup")).body["images"]
        assert {i["name"] for i in images} == {"night-2", "night-3"}


async def test_asked_to_fail_it_fails_as_the_real_lab_does() -> None:
    async with lab(servers=0) as (estate, member, _):
        bad = (await member.create(metadata={"lab_fail": "build"})).body["server"]["id"]
        slow = (await member.create(metadata={"lab_build_seconds": "30"})).body["server"]["id"]
        shot = (await member.create(metadata={"lab_fail": "snapshot"})).body["server"]["id"]
        await estate.clock.advance(5)
        broken = await member.show(bad)
        assert broken["status"] == "ERROR"
        text = f"Build of instance {bad} aborted: asked to fail by lab_fail=build"
        assert broken["fault"]["message"] == text
        assert brief(await member.show(slow)) == "BUILD/spawning"
        image = (await member.act(shot, "createImage", {"name": "no"})).body["image_id"]
        await estate.clock.advance(30)
        assert (await member.glance("GET", f"/v2/images/{image}")).status == 404
        after = await member.show(shot)
        assert brief(after) == "ACTIVE/None" and "fault" not in after
        assert brief(await member.show(slow)) == "ACTIVE/None"


async def test_rescue_lock_rebuild_and_reset() -> None:
    async with lab() as (estate, member, admin):
        id = await server_named(member, "db-primary")
        rescue = await member.act(id, "rescue", {"adminPass": "secret"})
        assert (rescue.status, rescue.body) == (200, {"adminPass": "secret"})
        assert await sequence(estate, member, id, 3) == ["ACTIVE/rescuing", "RESCUE/None"]
        await member.act(id, "unrescue")
        await estate.clock.advance(3)
        assert (await member.act(id, "lock", {"locked_reason": "why"})).status == 202
        assert (await member.show(id))["locked_reason"] == "why"
        assert (await member.act(id, "os-stop")).status == 409
        assert (await member.act(id, "unlock")).status == 202
        rebuild = await member.act(id, "rebuild", {"imageRef": await member.image("rescue"), "metadata": {"b": "2"}})
        assert rebuild.status == 202 and rebuild.body["server"]["adminPass"]
        tasks = ["rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"]
        assert await sequence(estate, member, id, 4) == states("REBUILD", tasks, "ACTIVE")
        assert (await member.show(id))["metadata"] == {"b": "2"}
        assert (await member.act(id, "os-resetState", {"state": "error"})).status == 403
        assert (await admin.act(id, "os-resetState", {"state": "ERROR"})).status == 400
        assert (await admin.act(id, "os-resetState", {"state": "error"})).status == 202
        assert (await member.show(id))["status"] == "ERROR"


async def test_metadata_and_tags() -> None:
    async with lab() as (_, member, _admin):
        id = await server_named(member, "db-primary")
        base = f"/servers/{id}"
        assert (await member.nova("POST", f"{base}/metadata", {"metadata": {"a": "1"}})).body["metadata"]["a"] == "1"
        assert (await member.nova("PUT", f"{base}/metadata/b", {"meta": {"b": "2"}})).status == 200
        assert (await member.nova("DELETE", f"{base}/metadata/a")).status == 204
        assert (await member.nova("DELETE", f"{base}/metadata/a")).status == 404
        assert (await member.nova("PUT", f"{base}/metadata", {"metadata": {"c": "3"}})).body == {"metadata": {"c": "3"}}
        before = (await member.show(id))["updated"]
        assert (await member.nova("PUT", f"{base}/tags", {"tags": ["x", "y"]})).body == {"tags": ["x", "y"]}
        assert (await member.nova("PUT", f"{base}/tags/z")).status == 201
        shown = await member.show(id)
        assert shown["tags"] == ["x", "y", "z"] and shown["updated"] == before
        suspended = await server_named(member, "broken-fs")
        refused = await member.nova("POST", f"/servers/{suspended}/metadata", {"metadata": {"a": "1"}})
        assert refused.status == 409


async def test_a_host_that_is_down_is_evacuated() -> None:
    async with lab() as (estate, member, admin):
        id = await server_named(member, "db-primary")
        host = (await admin.show(id))["OS-EXT-SRV-ATTR:host"]
        assert (await admin.act(id, "evacuate", {})).status == 400
        rows = (await admin.nova("GET", f"/os-services?binary=nova-compute&host={host}")).body["services"]
        await admin.nova("PUT", f"/os-services/{rows[0]['id']}", {"forced_down": True})
        assert (await admin.show(id))["host_status"] == "DOWN"
        assert "host_status" not in await member.show(id)
        assert (await admin.act(id, "evacuate", {})).status == 200
        await estate.clock.advance(4)
        there = await admin.show(id)
        assert there["status"] == "SHUTOFF" and there["OS-EXT-SRV-ATTR:host"] != host
