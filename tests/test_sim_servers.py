"""The embedded cloud's servers, asked for over HTTP: what is listed, shown, refused and made."""

from __future__ import annotations

from typing import Any

import pytest
from sim_client import brief, lab, sequence

GONE = "00000000-0000-0000-0000-000000000000"
BUILDING = ["BUILD/scheduling", "BUILD/None", "BUILD/networking", "BUILD/block_device_mapping", "BUILD/spawning"]


async def test_a_build_goes_through_the_states_of_a_real_one() -> None:
    async with lab(servers=0) as (estate, member, _):
        made = await member.create(metadata={"a": "1"})
        assert made.status == 202
        server = made.body["server"]
        assert set(server) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
        assert made.headers["Location"] == server["links"][0]["href"]
        first = await member.show(server["id"])
        assert (brief(first), first["addresses"], first["hostId"]) == ("BUILD/scheduling", {}, "")
        assert "security_groups" not in first
        assert await sequence(estate, member, server["id"]) == [*BUILDING, "ACTIVE/None"]
        done = await member.show(server["id"])
        assert done["addresses"]["private"][0]["addr"].startswith("127.")
        assert done["security_groups"] == [{"name": "default"}]
        assert done["OS-SRV-USG:launched_at"] is not None


async def test_a_deleted_server_is_deleting_then_gone_but_told_of_by_changes_since() -> None:
    async with lab(servers=3) as (estate, member, _):
        rows = (await member.nova("GET", "/servers/detail")).body["servers"]
        id = rows[0]["id"]
        await estate.clock.advance(100)
        before = estate.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (await member.nova("DELETE", f"/servers/{id}")).status == 204
        assert (await member.nova("DELETE", f"/servers/{id}")).status == 204
        assert (await member.show(id))["OS-EXT-STS:task_state"] == "deleting"
        await estate.clock.advance(2)
        gone = await member.nova("GET", f"/servers/{id}")
        assert gone.status == 404
        assert gone.body == {"itemNotFound": {"code": 404, "message": f"Instance {id} could not be found."}}
        assert id not in [s["id"] for s in (await member.nova("GET", "/servers")).body["servers"]]
        changed = (await member.nova("GET", f"/servers/detail?changes-since={before}")).body["servers"]
        assert [(s["id"], s["status"], s["addresses"]) for s in changed] == [(id, "DELETED", {})]
        assert changed[0]["OS-SRV-USG:terminated_at"] is not None


async def test_pages_follow_one_another_and_a_full_last_page_has_a_next() -> None:
    async with lab(servers=18) as (_, member, _admin):
        seen: list[str] = []
        url = "/servers/detail?limit=2"
        for _ in range(10):
            body = (await member.nova("GET", url)).body
            seen += [s["id"] for s in body["servers"]]
            if "servers_links" not in body:
                break
            url = body["servers_links"][0]["href"].partition("/v2.1")[2]
        assert len(seen) == len(set(seen)) == 6
        assert body == {"servers": []}
        assert (await member.nova("GET", "/servers?limit=0")).body == {"servers": []}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=^D", {"db-primary", "dns-2"}),
        ("status=SHUTOFF", {"staging-api"}),
        ("status=shutoff&status=PAUSED", {"staging-api", "build-arm"}),
        ("flavor=1", {"bastion", "dns-2"}),
        ("locked=true", {"bastion"}),
        ("vm_state=suspended", {"batch-nightly"}),
        ("name=^b&sort_key=display_name&sort_dir=asc&limit=2", {"bastion", "batch-nightly"}),
    ],
)
async def test_filters_keep_what_they_say(query: str, names: set[str]) -> None:
    async with lab() as (_, member, _admin):
        rows = (await member.nova("GET", f"/servers/detail?{query}")).body["servers"]
        assert {s["name"] for s in rows} == names


@pytest.mark.parametrize(
    ("path", "mv", "status", "kind", "message"),
    [
        ("/servers", "2.999", 406, "computeFault",
         "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.104."),
        ("/servers", "abc", 400, "badRequest",
         "API Version String abc is of invalid format. Must be of format MajorNum.MinorNum."),
        (f"/servers/{GONE}", None, 404, "itemNotFound", f"Instance {GONE} could not be found."),
        ("/servers?marker=nope", None, 400, "badRequest", "marker [nope] not found"),
        ("/servers?changes-since=yesterday", None, 400, "badRequest",
         "Invalid input for query parameters changes-since. Value: yesterday. 'yesterday' is not a 'date-time'"),
        ("/servers?limit=x", None, 400, "badRequest",
         "Invalid input for query parameters limit. Value: x. 'x' does not match '^[0-9]*$'"),
        ("/servers?all_tenants=1", None, 403, "forbidden",
         "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed."),
        ("/servers?name=(", None, 400, "badRequest",
         "Invalid input for query parameters name. Value: (. '(' is not a 'regex'"),
        ("/servers?status=foo", "2.96", 400, "badRequest", "Invalid status value"),
        ("/servers?status=DELETED", "2.96", 403, "forbidden", "Only administrators may list deleted instances"),
        ("/servers?foo=1", "2.96", 400, "badRequest", "'foo' does not match any of the regexes: '^_'"),
        ("/flavors/77", None, 404, "itemNotFound", "Flavor 77 could not be found."),
        ("/os-hypervisors", None, 403, "forbidden",
         "Policy doesn't allow os_compute_api:os-hypervisors:list to be performed."),
        ("/os-migrations", None, 403, "forbidden",
         "Policy doesn't allow os_compute_api:os-migrations:index to be performed."),
    ],
)  # fmt: skip
async def test_refusals_are_worded_as_a_real_nova_words_them(
    path: str, mv: str | None, status: int, kind: str, message: str
) -> None:
    async with lab(servers=0) as (_, member, _admin):
        reply = await member.nova("GET", path, mv=mv)
        assert (reply.status, reply.body) == (status, {kind: {"code": status, "message": message}})
        assert reply.headers["x-openstack-request-id"] == reply.headers["x-compute-request-id"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"nam": "x"}, "Invalid input for field/attribute server. Value: {'nam': 'x'}. 'name' is a required property"),
        ({"name": "x", "flavorRef": "77", "networks": "none"}, "Flavor 77 could not be found."),
        ({"name": "x", "flavorRef": "1", "imageRef": GONE, "networks": "none"}, "Can not find requested image"),
        ({"name": "x", "flavorRef": "1", "networks": "none"}, "Missing imageRef attribute"),
        ({"name": "x", "flavorRef": "1", "imageRef": "?", "networks": "none", "key_name": "zz"},
         "Invalid key_name provided."),
    ],
)  # fmt: skip
async def test_a_bad_create_is_a_400_with_novas_words(body: dict[str, Any], message: str) -> None:
    async with lab(servers=0) as (_, member, _admin):
        if body.get("imageRef") == "?":
            body = body | {"imageRef": await member.image()}
        reply = await member.nova("POST", "/servers", {"server": body})
        assert (reply.status, reply.body["badRequest"]["message"]) == (400, message)


async def test_the_shapes_of_the_microversions() -> None:
    async with lab() as (_, member, admin):
        rows = (await member.nova("GET", "/servers/detail?name=bastion")).body["servers"]
        id = rows[0]["id"]
        old, new = await member.show(id, "2.1"), await member.show(id, "2.100")
        assert set(old["flavor"]) == {"id", "links"}
        assert "locked" not in old and "description" not in old
        assert "id" not in new["flavor"] and new["flavor"]["original_name"] == "m1.tiny"
        assert new["locked"] is True and new["locked_reason"]
        assert "OS-EXT-SRV-ATTR:host" not in new and new["OS-EXT-SRV-ATTR:hostname"] == "bastion"
        boss = await admin.show(id, "2.16")
        assert boss["OS-EXT-SRV-ATTR:host"].startswith("compute-") and boss["host_status"] == "UP"
        assert "server_groups" not in rows[0] and "server_groups" in await member.show(id)


async def test_no_room_is_no_http_error_but_a_server_in_error() -> None:
    async with lab(servers=0) as (estate, member, admin):
        made = await member.create(flavorRef="9")
        assert made.status == 202
        await estate.clock.advance(3)
        server = await member.show(made.body["server"]["id"])
        assert server["status"] == "ERROR"
        assert server["fault"]["message"].startswith("No valid host was found.")
        assert "details" not in server["fault"]
        assert "details" in (await admin.show(server["id"]))["fault"]
        stuck = await member.act(server["id"], "reboot", {"type": "HARD"})
        assert stuck.status == 409
        assert stuck.body["conflictingRequest"]["message"].endswith("is in an invalid state for 'reboot'")


async def test_quotas_count_and_one_request_makes_many() -> None:
    async with lab(servers=0) as (_, member, admin):
        limit = {"quota_set": {"instances": 3}}
        assert (await admin.nova("PUT", f"/os-quota-sets/{member.project}", limit)).status == 200
        assert (await member.create("mv", min_count=3)).status == 202
        names = [s["name"] for s in (await member.nova("GET", "/servers?name=^mv")).body["servers"]]
        assert sorted(names) == ["mv-1", "mv-2", "mv-3"]
        over = await member.create("one-more")
        assert over.status == 403
        text = "Quota exceeded for instances: Requested 1, but already used 3 of 3 instances"
        assert over.body["forbidden"]["message"] == text
        absolute = (await member.nova("GET", "/limits")).body["limits"]["absolute"]
        assert (absolute["maxTotalInstances"], absolute["totalInstancesUsed"]) == (3, 3)


async def test_a_third_member_of_an_anti_affinity_group_finds_no_host() -> None:
    async with lab(servers=0) as (estate, member, _):
        group = await member.nova(
            "POST", "/os-server-groups", {"server_group": {"name": "g", "policy": "anti-affinity"}}
        )
        assert group.status == 200
        ids = []
        for _ in range(3):
            body = {"name": "aa", "flavorRef": "1", "imageRef": await member.image(), "networks": "none"}
            hints = {"group": group.body["server_group"]["id"]}
            reply = await member.nova("POST", "/servers", {"server": body, "os:scheduler_hints": hints})
            ids.append(reply.body["server"]["id"])
            await estate.clock.advance(5)
        states = [(await member.show(id))["status"] for id in ids]
        assert states == ["ACTIVE", "ACTIVE", "ERROR"]
        fault = (await member.show(ids[2]))["fault"]["message"]
        assert fault == "No valid host was found. There are not enough hosts available."


async def test_a_down_cell_leaves_stubs_or_nothing() -> None:
    async with lab() as (estate, member, _):
        whole = len((await member.nova("GET", "/servers")).body["servers"])
        hidden = {s.id for s in estate.control.cell_down("ber", share=0.03)}
        rows = (await member.nova("GET", "/servers/detail")).body["servers"]
        stubs = [s for s in rows if s["id"] in hidden]
        assert len(rows) == whole and stubs
        assert set(stubs[0]) == {"id", "status", "tenant_id", "created", "links"} and stubs[0]["status"] == "UNKNOWN"
        filtered = (await member.nova("GET", "/servers/detail?limit=100")).body["servers"]
        assert not hidden & {s["id"] for s in filtered}
        assert (await member.nova("GET", f"/servers/{min(hidden)}")).status == 200


async def test_links_can_name_a_host_that_nobody_reaches() -> None:
    async with lab() as (estate, member, _):
        estate.control.wrong_links("ber", "http://nova.internal:8774")
        body = (await member.nova("GET", "/servers/detail?limit=1")).body
        assert body["servers"][0]["links"][0]["href"].startswith("http://nova.internal:8774/v2.1/servers/")
        assert body["servers_links"][0]["href"].startswith("http://nova.internal:8774/v2.1/servers/detail?limit=1&")
