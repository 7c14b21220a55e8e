"""The embedded first generation: logins, formats, limits, caches, faults, and what can be done with servers."""

import gzip
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from old_client import Old, first_of, firstgen

from console.sim.estate import Estate
from console.sim.firstgen_lives import DAY

NAMESPACE = 'xmlns="http://docs.rackspacecloud.com/servers/api/v1.0"'
XML = "application/xml"
WEB_A, WEB_B, MYSQL, CMS = 1234, 1235, 1236, 1238
NEW = {"name": "new", "imageId": 1, "flavorId": 1}


async def sequence(estate: Estate, old: Old, id: int, seconds: float = 6.0) -> list[str]:
    """The statuses that a server goes through, seen by moving the clock in small steps."""
    seen: list[str] = []
    for _ in range(int(seconds / 0.1)):
        status = await old.status(id)
        if not seen or seen[-1] != status:
            seen.append(status)
        await estate.clock.advance(0.1)
    return seen


async def create(old: Old, **more: Any) -> dict[str, Any]:
    answer = await old.ask("POST", "/servers", {"server": NEW | more})
    assert answer.status == 202, answer
    made: dict[str, Any] = answer.body["server"]
    return made


def kind(answer: Any) -> tuple[int, str]:
    """Status and name of a fault."""
    ((name, told),) = answer.body.items()
    assert told["code"] == answer.status and told["message"]
    return answer.status, name


# The face


async def test_the_old_login() -> None:
    async with firstgen() as (estate, old):
        url = estate.clouds_yaml()["clouds"]["legacy"]["auth"]["auth_url"]
        for headers in ({}, {"X-Auth-User": "demo"}, {"X-Auth-User": "demo", "X-Auth-Key": "wrong"}):
            async with old.session.get(url, headers=headers) as reply:
                assert reply.status == 401
        assert (await old.ask("GET", "/servers")).status == 200
        assert kind(await Old(old.session, old.url, "no-token").ask("GET", "/servers")) == (401, "unauthorized")
        assert kind(await Old(old.session, old.url + "1", old.token).ask("GET", "/servers")) == (401, "unauthorized")
        estate.control.expire_tokens("rackspace")
        assert kind(await old.ask("GET", "/servers")) == (401, "unauthorized")


async def test_versions_need_no_login() -> None:
    async with firstgen() as (_, old):
        root = Old(old.session, old.url.partition("/v1.0")[0], "")
        assert (await root.get("/"))["versions"] == [{"id": "v1.0", "status": "CURRENT"}]
        moved = await root.ask("GET", "/v1.0")
        assert moved.status == 302 and moved.headers["Location"] == root.url + "/v1.0/"
        assert (await root.get("/v1.0/"))["version"]["id"] == "v1.0"
        assert "<version " in (await root.ask("GET", "/v1.0/.xml")).text


async def test_the_suffix_is_stronger_than_the_header() -> None:
    async with firstgen() as (_, old):
        for path, accept, wanted in (
            ("/servers", "", "application/json"),
            ("/servers", XML, XML),
            ("/servers.xml", "application/json", XML),
            ("/servers/.json", XML, "application/json"),
        ):
            answer = await old.ask("GET", path, Accept=accept)
            assert answer.status == 200 and answer.headers["Content-Type"].startswith(wanted), path
        assert kind(await old.ask("POST", "/servers", b"name=x", Content_Type="text/plain")) == (415, "badMediaType")


async def test_a_server_in_xml_is_the_same_server() -> None:
    async with firstgen() as (_, old):
        body = (
            f'<server {NAMESPACE} name="from xml" imageId="1" flavorId="1" sharedIpGroupId="1234">'
            '<metadata><meta key="Label">Web &amp; more</meta></metadata>'
            '<personality><file path="/etc/motd">\n aGVsbG8=\n</file></personality>'
            '<addresses><public><ip addr="127.67.0.2"/></public></addresses></server>'
        ).encode()
        made = await old.ask("POST", "/servers.xml", body, Content_Type=XML)
        assert made.status == 202 and 'status="BUILD"' in made.text and "adminPass=" in made.text
        assert '<meta key="Label">Web &amp; more</meta>' in made.text
        assert made.text.index("<metadata>") < made.text.index("<addresses>"), "the published schema's order"
        (server,) = [s for s in (await old.get("/servers/detail"))["servers"] if s["name"] == "from xml"]
        assert (server["imageId"], server["flavorId"], server["sharedIpGroupId"]) == (1, 1, 1234)
        assert server["addresses"]["public"] == ["127.67.0.2"] and server["metadata"] == {"Label": "Web & more"}


async def test_xml_that_cannot_be_read_is_a_bad_request() -> None:
    async with firstgen() as (_, old):
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><server name="&a;" imageId="1" flavorId="1"/>'
        for body in (b"<server", bomb, b"<server/>"):
            answer = await old.ask("POST", "/servers", body, Content_Type=XML, Accept=XML)
            assert answer.status == 400 and f'<badRequest {NAMESPACE} code="400"><message>' in answer.text


async def test_bodies_are_compressed_for_those_who_ask() -> None:
    async with firstgen() as (_, old):
        headers = {"X-Auth-Token": old.token, "Accept-Encoding": "gzip"}
        async with old.session.get(old.url + "/servers", headers=headers, auto_decompress=False) as reply:
            assert reply.headers["Content-Encoding"] == "gzip"
            assert b"web-a" in gzip.decompress(await reply.read())


async def test_pages_end_in_nothing() -> None:
    async with firstgen() as (_, old):
        whole = (await old.get("/servers"))["servers"]
        assert (await old.get("/servers?limit=3&offset=2"))["servers"] == whole[2:5]
        assert (await old.get("/servers?offset=5000"))["servers"] == []
        assert kind(await old.ask("GET", "/servers?limit=many")) == (400, "badRequest")


async def test_a_stale_cache_says_so() -> None:
    async with firstgen() as (estate, old):
        estate.control.account.cached(30)
        before = await old.ask("GET", f"/servers/{WEB_A}")
        await old.ask("PUT", f"/servers/{WEB_A}", {"server": {"name": "renamed"}})
        stale = await old.ask("GET", f"/servers/{WEB_A}")
        assert (before.status, stale.status) == (200, 203) and stale.body == before.body
        assert parsedate_to_datetime(stale.headers["Last-Modified"]).timestamp() <= estate.clock.time()
        fresh = await old.ask("GET", f"/servers/{WEB_A}?fresh=1")
        assert fresh.status == 200 and fresh.body["server"]["name"] == "renamed"
        await estate.clock.advance(31)
        assert (await old.get(f"/servers/{WEB_A}"))["server"]["name"] == "renamed"


# Limits


async def test_ten_posts_a_minute() -> None:
    async with firstgen(limited=True) as (estate, old):
        body = {"reboot": {"type": "HARD"}}
        answers = [await old.ask("POST", f"/servers/{WEB_A}/action", body) for _ in range(11)]
        assert [answer.status for answer in answers] == [202, *[409] * 9, 413]
        over, now = answers[-1], estate.clock.time()
        assert kind(over) == (413, "overLimit")
        wait = int(over.headers["Retry-After"])
        assert 0 < wait <= 60 and abs(parsedate_to_datetime(over.headers["Reply-After"]).timestamp() - now - wait) < 2
        told = datetime.fromisoformat(over.body["overLimit"]["retryAfter"])
        assert told.tzinfo is not None and abs(told.timestamp() - now - wait) < 2
        rate = (await old.get("/limits"))["limits"]["rate"][0]
        assert (rate["verb"], rate["URI"], rate["value"], rate["remaining"], rate["unit"]) == (
            "POST",
            "*",
            10,
            0,
            "MINUTE",
        )
        assert abs(rate["resetTime"] - now - wait) < 2
        await estate.clock.advance(wait)
        assert await old.act(WEB_A, "reboot", {"type": "HARD"}) == 202


async def test_three_changes_since_a_minute_and_what_they_tell() -> None:
    async with firstgen(limited=True) as (estate, old):
        now = int(estate.clock.time())
        nothing = await old.ask("GET", f"/servers/detail?changes-since={now + 5}")
        assert (nothing.status, nothing.text) == (304, "")
        await estate.clock.advance(10)
        await old.ask("PUT", f"/servers/{WEB_A}", {"server": {"name": "renamed"}})
        await old.ask("DELETE", f"/servers/{MYSQL}")
        changed = (await old.get(f"/servers/detail?changes-since={now + 5}"))["servers"]
        assert {row["id"]: row["status"] for row in changed} == {WEB_A: "ACTIVE", MYSQL: "DELETED"}
        assert (await old.ask("GET", "/images?changes-since=nonsense")).status == 400
        assert kind(await old.ask("GET", f"/servers?changes-since={now}")) == (413, "overLimit")
        assert MYSQL not in [row["id"] for row in (await old.get("/servers"))["servers"]]
        assert kind(await old.ask("GET", f"/servers/{MYSQL}")) == (404, "itemNotFound")


async def test_fifty_new_servers_a_day_and_so_much_ram() -> None:
    async with firstgen(limited=True) as (estate, old):
        estate.control.account.rate("POST", "*/servers", 2)
        await create(old)
        await create(old)
        over = await old.ask("POST", "/servers", {"server": NEW})
        assert over.status == 413 and int(over.headers["Retry-After"]) > 86_000
        await estate.clock.advance(DAY)
        first_of(estate).store.limits["maxTotalRAMSize"] = 16_000
        greedy = await old.ask("POST", "/servers", {"server": NEW | {"flavorId": 7}})
        assert kind(greedy) == (413, "overLimit"), "a quota: there is no time to come again"
        assert not {"Reply-After", "Retry-After"} & set(greedy.headers) and "retryAfter" not in greedy.body["overLimit"]


# Servers


async def test_a_server_is_built_and_its_addresses_are_known_at_once() -> None:
    async with firstgen() as (estate, old):
        made = await create(old, metadata={"role": "web"}, personality=[{"path": "/a", "contents": "aGk="}])
        assert made["status"] == "BUILD" and made["progress"] == 0 and len(made["adminPass"]) >= 8
        assert made["addresses"]["public"][0].startswith("127.") and made["metadata"] == {"role": "web"}
        await estate.clock.advance(1.5)
        half = (await old.get(f"/servers/{made['id']}"))["server"]
        assert half["progress"] == 50 and half["addresses"] == made["addresses"] and "adminPass" not in half
        assert await sequence(estate, old, made["id"]) == ["BUILD", "ACTIVE"]
        assert "progress" not in (await old.get(f"/servers/{made['id']}"))["server"]
        assert first_of(estate).store.servers[made["id"]].files == {"/a": b"hi"}


@pytest.mark.parametrize(
    ("name", "given", "seen"),
    [
        ("reboot", {"type": "SOFT"}, ["REBOOT", "ACTIVE"]),
        ("reboot", {"type": "HARD"}, ["HARD_REBOOT", "ACTIVE"]),
        ("rebuild", {"imageId": 2}, ["REBUILD", "ACTIVE"]),
        ("rebuild", None, ["REBUILD", "ACTIVE"]),
        ("resize", {"flavorId": 3}, ["QUEUE_RESIZE", "PREP_RESIZE", "RESIZE", "VERIFY_RESIZE"]),
    ],
)
async def test_what_an_action_goes_through(name: str, given: Any, seen: list[str]) -> None:
    async with firstgen() as (estate, old):
        before = (await old.get(f"/servers/{WEB_A}"))["server"]
        assert await old.act(WEB_A, name, given) == 202
        assert await sequence(estate, old, WEB_A) == seen
        after = (await old.get(f"/servers/{WEB_A}"))["server"]
        assert after["addresses"] == before["addresses"]
        assert after["imageId"] == ((given or {}).get("imageId") or before["imageId"])


async def test_name_and_password_in_one_call() -> None:
    async with firstgen() as (estate, old):
        answer = await old.ask("PUT", f"/servers/{WEB_A}", {"server": {"name": "other", "adminPass": "Secret-1"}})
        assert (answer.status, answer.text) == (204, "")
        assert await sequence(estate, old, WEB_A) == ["PASSWORD", "ACTIVE"]
        assert (await old.get(f"/servers/{WEB_A}"))["server"]["name"] == "other"
        assert first_of(estate).store.servers[WEB_A].admin_pass == "Secret-1"


async def test_confirm_and_revert() -> None:
    async with firstgen() as (estate, old):
        for answer, status, flavor in (("confirmResize", 204, 3), ("revertResize", 202, 3)):
            assert await old.act(WEB_A, "resize", {"flavorId": 3 if status == 204 else 4}) == 202
            await estate.clock.advance(5)
            assert await old.act(WEB_A, answer) == status
            server = (await old.get(f"/servers/{WEB_A}"))["server"]
            assert (server["status"], server["flavorId"]) == ("ACTIVE", flavor)
            again = await old.ask("POST", f"/servers/{WEB_A}/action", {answer: None})
            assert kind(again) == (403, "resizeNotAllowed")


async def test_a_resize_that_is_left_alone_is_confirmed_after_24_hours() -> None:
    async with firstgen() as (estate, old):
        await old.act(WEB_A, "resize", {"flavorId": 3})
        await estate.clock.advance(3.2)
        assert await old.status(WEB_A) == "VERIFY_RESIZE"
        await estate.clock.advance(DAY - 1)
        assert await old.status(WEB_A) == "VERIFY_RESIZE"
        await estate.clock.advance(1)
        server = (await old.get(f"/servers/{WEB_A}"))["server"]
        assert (server["status"], server["flavorId"]) == ("ACTIVE", 3)


async def test_an_answered_resize_is_not_confirmed_by_an_older_clock() -> None:
    async with firstgen() as (estate, old):
        await old.act(WEB_A, "resize", {"flavorId": 3})
        await estate.clock.advance(5)
        await old.act(WEB_A, "revertResize")
        await estate.clock.advance(DAY / 2)
        await old.act(WEB_A, "resize", {"flavorId": 4})
        await estate.clock.advance(DAY / 2 + 60)
        assert await old.status(WEB_A) == "VERIFY_RESIZE"


async def test_the_resize_that_the_demo_begins_with_has_four_hours_left() -> None:
    async with firstgen() as (estate, old):
        await estate.clock.advance(4 * 3600 - 1)
        assert await old.status(CMS) == "VERIFY_RESIZE"
        await estate.clock.advance(1)
        assert await old.status(CMS) == "ACTIVE"


async def test_a_deletion_takes_the_images_along() -> None:
    async with firstgen() as (_, old):
        assert MYSQL in [image.get("serverId") for image in (await old.get("/images/detail"))["images"]]
        answer = await old.ask("DELETE", f"/servers/{MYSQL}")
        assert (answer.status, answer.text) == (202, "")
        assert MYSQL not in [image.get("serverId") for image in (await old.get("/images/detail"))["images"]]


@pytest.mark.parametrize(
    ("fails", "order", "seen"),
    [
        ("build", None, ["BUILD", "ERROR"]),
        ("rebuild", ("rebuild", {}), ["REBUILD", "ERROR"]),
        ("resize", ("resize", {"flavorId": 2}), ["QUEUE_RESIZE", "ACTIVE"]),
    ],
)
async def test_what_goes_wrong_shows(fails: str, order: tuple[str, Any] | None, seen: list[str]) -> None:
    async with firstgen() as (estate, old):
        made = await create(old, metadata={"lab_fail": fails})
        if order is not None:
            await estate.clock.advance(5)
            assert await old.act(made["id"], *order) == 202
        assert await sequence(estate, old, made["id"]) == seen


async def test_a_build_that_hangs_and_a_reply_that_is_lost() -> None:
    async with firstgen() as (estate, old):
        estate.control.cause("build_hang", times=1)
        stuck = await create(old)
        estate.control.cause("lost_reply", times=1)
        lost = await old.ask("POST", "/servers", {"server": NEW | {"name": "lost"}})
        assert kind(lost) == (500, "cloudServersFault")
        await estate.clock.advance(DAY)
        assert await old.status(stuck["id"]) == "BUILD"
        (made,) = [row for row in (await old.get("/servers/detail"))["servers"] if row["name"] == "lost"]
        assert made["status"] == "ACTIVE"


async def test_statuses_that_nobody_can_ask_for() -> None:
    async with firstgen() as (estate, old):
        account = estate.control.account
        account.put(WEB_A, life="move")
        assert await sequence(estate, old, WEB_A) == ["QUEUE_MOVE", "PREP_MOVE", "MOVE", "VERIFY_MOVE"]
        for life, status in (("restore", "RESTORING"), ("add_ip", "ADD_IP"), ("add_ip_no_config", "ADD_IP_NO_CONFIG")):
            account.put(WEB_A, life=life)
            assert await old.status(WEB_A) == status
        account.put(WEB_A, status="PENDING")
        await estate.clock.advance(60)
        assert await old.status(WEB_A) == "PENDING", "a life that was going on is over"


# Faults by name


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ({"flavorId": "1"}, (400, "badRequest")),
        ({"flavorId": 99}, (404, "itemNotFound")),
        ({"imageId": 99}, (404, "itemNotFound")),
        ({"name": " "}, (400, "badRequest")),
        ({"metadata": {str(n): "x" for n in range(6)}}, (413, "overLimit")),
        ({"metadata": {"key": "x" * 256}}, (400, "badRequest")),
        ({"metadata": {"key": 1}}, (400, "badRequest")),
        ({"personality": [{"path": "/x", "contents": "###"}]}, (400, "badRequest")),
        ({"personality": [{"path": "/x", "contents": "QUJD" * 4000}]}, (400, "badRequest")),
        ({"personality": [{"path": f"/{n}", "contents": ""} for n in range(6)]}, (413, "overLimit")),
        ({"sharedIpGroupId": 99}, (404, "itemNotFound")),
        ({"addresses": {"public": ["127.67.0.2"]}}, (400, "badRequest")),
        ({"sharedIpGroupId": 1234, "addresses": {"public": ["127.67.9.9"]}}, (400, "badRequest")),
        ({"metadata": {"lab_fail": "capacity"}}, (503, "serverCapacityUnavailable")),
    ],
)
async def test_servers_that_are_not_made(wanted: dict[str, Any], fault: tuple[int, str]) -> None:
    async with firstgen() as (_, old):
        assert kind(await old.ask("POST", "/servers", {"server": NEW | wanted})) == fault
        assert len((await old.get("/servers"))["servers"]) == 8


async def test_the_other_faults() -> None:
    async with firstgen() as (estate, old):
        made = (await create(old))["id"]
        action = f"/servers/{made}/action"
        for method, path, body, fault in (
            ("POST", action, {"reboot": {"type": "HARD"}}, (409, "buildInProgress")),
            ("DELETE", f"/servers/{made}", None, (409, "buildInProgress")),
            ("POST", "/images", {"image": {"serverId": made, "name": "x"}}, (409, "buildInProgress")),
            ("POST", "/images", {"image": {"serverId": CMS, "name": "x"}}, (409, "backupOrResizeInProgress")),
            ("POST", f"/servers/{WEB_A}/action", {"confirmResize": None}, (403, "resizeNotAllowed")),
            ("POST", f"/servers/{WEB_A}/action", {"resize": {"flavorId": 2}}, (403, "resizeNotAllowed")),
            ("POST", f"/servers/{WEB_A}/action", {"os-start": None}, (400, "badRequest")),
            ("POST", f"/servers/{WEB_A}/action", {"reboot": {"type": "WARM"}}, (400, "badRequest")),
            ("PUT", f"/servers/{WEB_A}", {"server": {}}, (400, "badRequest")),
            ("PATCH", f"/servers/{WEB_A}", None, (405, "badMethod")),
            ("GET", "/volumes", None, (404, "itemNotFound")),
            ("GET", "/servers/web-a", None, (404, "itemNotFound")),
            ("DELETE", "/images/1", None, (401, "unauthorized")),
        ):
            assert kind(await old.ask(method, path, body)) == fault, (method, path, body)
        estate.control.account.only_openstack()
        for path in ("/shared_ip_groups", f"/servers/{WEB_A}/backup_schedule"):
            assert kind(await old.ask("GET", path)) == (501, "notImplemented")
        for status, name in ((503, "serviceUnavailable"), (500, "cloudServersFault")):
            rule = estate.control.status(status, service="firstgen")
            assert kind(await old.ask("GET", "/servers")) == (status, name)
            estate.control.clear(rule)


async def test_the_control_port_rules_it_too() -> None:
    async with firstgen() as (estate, old):
        control = Old(old.session, estate.control.url, "")
        told = (await control.get("/", X_Novadeck_Control="1"))["clouds"]["rackspace"]
        assert old.url.startswith(told["firstgen"]) and told["regions"] == {}
        for path, body in (
            ("/rates", {"verb": "POST", "uri": "*", "value": 0}),
            ("/caches", {"seconds": 60}),
            ("/firstgen", {"only_openstack": True}),
            (f"/firstgen/{WEB_A}", {"status": "UNKNOWN"}),
        ):
            answer = await control.ask("POST", path, body, X_Novadeck_Control="1")
            assert answer.status == 200, answer
        assert await old.status(WEB_A) == "UNKNOWN"
        assert (await old.ask("GET", f"/servers/{WEB_A}")).status == 203
        assert (await old.ask("POST", "/servers", {"server": NEW})).status == 413
        assert (await old.ask("GET", "/shared_ip_groups")).status == 501
        wrong = await control.ask("POST", "/rates", {"verb": "PATCH", "uri": "*", "value": 1}, X_Novadeck_Control="1")
        assert wrong.status == 400
        for life in ("resize", "nonsense"):
            wrong = await control.ask("POST", f"/firstgen/{WEB_A}", {"life": life}, X_Novadeck_Control="1")
            assert wrong.status == 400, life
