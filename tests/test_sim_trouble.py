"""The embedded cloud on a bad day: every kind of trouble, from Python and over the control port."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest
from sim_client import Client, brief, lab

from console.sim.control import HEADER
from console.sim.estate import Estate


async def control(estate: Estate, client: Client, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    url = estate.control.url + path
    async with client.session.request(method, url, json=body, headers={HEADER: "1"}) as reply:
        return reply.status, await reply.json()


async def test_statuses_come_as_often_as_was_asked_and_where() -> None:
    async with lab() as (estate, member, _):
        rule = estate.control.status(503, service="compute", times=2)
        answers = [(await member.nova("GET", "/servers")).status for _ in range(3)]
        assert answers == [503, 503, 200] and rule.met == 2
        estate.control.status(429, retry_after="7", path="/servers/detail")
        slow = await member.nova("GET", "/servers/detail")
        assert (slow.status, slow.headers["Retry-After"], slow.body["overLimit"]["retryAfter"]) == (429, "7", "7")
        assert (await member.nova("GET", "/servers")).status == 200
        estate.control.clear()
        assert (await member.nova("GET", "/servers/detail")).status == 200


async def fresh(member: Client, path: str) -> Any:
    """Status and body over a connection of its own, however often the client tried; or the error."""
    headers = {"X-Auth-Token": member.token}
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(member.url("compute") + path, headers=headers) as reply:
                return reply.status, await reply.read()
        except aiohttp.ClientError as error:
            return error


async def test_bodies_of_every_bad_kind() -> None:
    async with lab() as (estate, member, _):
        for deed in ("garbage", "html", "empty", "types", "cut", "proxy", "reset"):
            rule = estate.control.cause(deed, service="compute")
            seen = await fresh(member, "/servers")
            if deed in ("cut", "reset"):
                assert isinstance(seen, aiohttp.ClientError)
            elif deed == "proxy":
                assert seen[0] == 503 and b"nginx" in seen[1]
            else:
                wanted = {"garbage": b"\x00\xff", "html": b"<html>", "empty": b"", "types": b'{"servers": "none"'}[deed]
                assert seen[0] == 200 and seen[1].startswith(wanted) and (wanted or not seen[1])
            assert rule.met >= 1
            estate.control.clear(rule)


async def test_one_region_dies_and_the_other_lives() -> None:
    async with lab("nimbus") as (estate, member, _):
        rule = estate.control.dead("dfw")
        with pytest.raises(aiohttp.ClientError):
            await member.nova("GET", "/servers")
        member.region = "ord"
        assert (await member.nova("GET", "/servers")).status == 200
        member.region = "dfw"
        estate.control.clear(rule)
        assert (await member.nova("GET", "/servers")).status == 200


async def test_an_error_reply_although_the_server_was_made_and_a_build_that_hangs() -> None:
    async with lab(servers=0) as (estate, member, _):
        estate.control.cause("lost_reply", times=1)
        assert (await member.create("ghost")).status == 500
        assert [s["name"] for s in (await member.nova("GET", "/servers")).body["servers"]] == ["ghost"]
        estate.control.cause("build_hang", region="ber", times=1)
        id = (await member.create("stuck")).body["server"]["id"]
        await estate.clock.advance(10_000)
        await member.login()
        assert brief(await member.show(id)) == "BUILD/spawning"


async def test_an_older_nova_knows_less() -> None:
    async with lab(servers=0) as (estate, member, _):
        estate.control.newest_microversion("ber", "2.60")
        assert (await member.nova("GET", "/servers", mv="2.61")).status == 406
        assert (await member.nova("GET", "/servers", mv="2.60")).status == 200


async def test_the_control_port_does_the_same_and_keeps_web_pages_out() -> None:
    async with lab() as (estate, member, _):
        async with member.session.get(estate.control.url + "/rules") as reply:
            assert reply.status == 403
        status, told = await control(estate, member, "GET", "/")
        assert status == 200 and set(told["clouds"]) == {"nimbus", "lab"}
        status, made = await control(
            estate, member, "POST", "/rules", {"does": "status", "status": 500, "region": "ber"}
        )
        assert status == 200 and (await member.nova("GET", "/servers")).status == 500
        assert (await control(estate, member, "DELETE", f"/rules/{made['id']}"))[1] == {"rules": []}
        assert (await control(estate, member, "POST", "/rules", {"does": "magic"}))[0] == 400
        id = (await member.create("x")).body["server"]["id"]
        assert (await control(estate, member, "POST", "/clock/advance", {"seconds": 5}))[0] == 200
        assert brief(await member.show(id)) == "ACTIVE/None"
        states = {"vm_state": "error", "task_state": None}
        assert (await control(estate, member, "POST", f"/servers/{id}", states))[0] == 200
        assert (await member.show(id))["status"] == "ERROR"
        assert (await control(estate, member, "POST", "/tokens/expire", {}))[0] == 200
        assert (await member.nova("GET", "/servers")).status == 401


async def test_everything_that_the_control_port_documents_is_there_and_nothing_else() -> None:
    async with lab() as (estate, member, _):
        _, told = await control(estate, member, "GET", "/")
        lines = [line for line in told["help"].splitlines() if line.startswith("    ")]
        written = {tuple(pair) for line in lines for pair in re.findall(r"(GET|POST|DELETE) +(/\S*)", line)}
        known = {(method, _path(name, length)) for method, name, length in estate.control._acts()}
        assert {(method, re.sub(r"\{\w+\}", "*", path)) for method, path in written} == known


def _path(name: str, length: int) -> str:
    """The path of an act by its first word and its length, with * for what is named."""
    words = {"clock": "advance", "tokens": "expire", "guests": "*/shutdown"}
    return f"/{name}" if length == 1 else f"/{name}/{words.get(name, '*')}"


async def test_a_resize_that_is_left_alone_is_confirmed_where_the_cloud_does_that() -> None:
    async with lab(servers=0) as (estate, member, _):
        given = {"region": "ber", "seconds": 600}
        assert (await control(estate, member, "POST", "/confirm", given))[0] == 200
        id = (await member.create("small")).body["server"]["id"]
        await estate.clock.advance(5)
        assert (await member.act(id, "resize", {"flavorRef": "2"})).status == 202
        await estate.clock.advance(500)
        assert brief(await member.show(id)) == "VERIFY_RESIZE/None"
        await estate.clock.advance(103)
        for order in ("confirmResize", "revertResize"):  # the answer is on its way: there is none to give any more
            refused = await member.act(id, order)
            assert (refused.status, refused.body["badRequest"]["message"]) == (400, "Instance has not been resized.")
        await estate.clock.advance(1)
        assert brief(await member.show(id)) == "ACTIVE/None"
        actions = (await member.nova("GET", f"/servers/{id}/os-instance-actions")).body["instanceActions"]
        assert [(one["action"], one["user_id"] is None) for one in actions] == [
            ("confirmResize", True), ("resize", False), ("create", False)
        ]  # fmt: skip
