"""Requests in an account's name: signed, renewed once, resent only where that is harmless, paged without loops."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from console.errors import BadReply, CloudFault, NotFound, OverLimit, Unauthorized, Unreachable
from console.wire.auth import Auth, Token
from console.wire.message import Reply, read_json
from console.wire.session import Session
from console.wire.transport import Transport


class Cloud:
    """A service that answers as it is told, one answer after the other, and remembers what it was asked."""

    def __init__(self, *answers: web.Response | Callable[[web.Request], web.Response]) -> None:
        self.answers = list(answers)
        self.asked: list[web.Request] = []
        self.logins = 0
        self.slept: list[float] = []
        self.refuse: set[str] = set()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked.append(request)
        if request.headers.get("X-Auth-Token") in self.refuse:
            return web.json_response(
                {"error": {"message": "The request you have requires authentication."}}, status=401
            )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request) if callable(answer) else answer

    async def login(self) -> Token:
        self.logins += 1
        return Token({"X-Auth-Token": f"t{self.logins}"}, 3600)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def paths(self) -> list[str]:
        return [request.path_qs for request in self.asked]


@asynccontextmanager
async def opened(cloud: Cloud, path: str = "/compute/v2.1/", **given: Any) -> AsyncIterator[Session]:
    runner = web.ServerRunner(web.Server(cloud))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    transport = Transport(place="lab/one")
    clock = given.pop("clock", None)
    auth = Auth(cloud.login, **({"clock": clock} if clock else {}))
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
    try:
        yield Session(transport, auth, url, sleep=cloud.sleep, **given)
    finally:
        await transport.close()
        await runner.cleanup()


def ok(body: Any = None, **given: Any) -> Callable[[web.Request], web.Response]:
    return lambda request: web.json_response({} if body is None else body, **given)


def answer(status: int, **headers: str) -> Callable[[web.Request], web.Response]:
    return lambda request: web.Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_a_request_is_signed_and_its_address_has_no_doubled_slash() -> None:
    cloud = Cloud(ok())
    async with opened(cloud) as session:
        await session.get("servers/detail", {"name": "a b", "status": ["X", "Y"], "none": None})
        await session.post("/servers", {"server": {"name": "ä"}})
    assert cloud.paths() == ["/compute/v2.1/servers/detail?name=a+b&status=X&status=Y", "/compute/v2.1/servers"]
    assert cloud.asked[0].headers["X-Auth-Token"] == "t1"
    assert cloud.asked[0].headers["Cache-Control"] == "no-cache"
    assert cloud.asked[1].headers["Content-Type"] == "application/json"
    assert json.loads(await cloud.asked[1].read()) == {"server": {"name": "ä"}}
    assert cloud.logins == 1


async def test_a_token_that_is_refused_is_replaced_once_and_the_order_sent_again() -> None:
    hand = [0.0]
    cloud = Cloud(ok())
    async with opened(cloud, clock=lambda: hand[0]) as session:
        await session.get("a")
        hand[0] = 60
        cloud.refuse.add("t1")
        await session.post("b")
        assert cloud.logins == 2
        cloud.refuse.add("t2")
        with pytest.raises(Unauthorized) as caught:
            await session.post("c")
    assert caught.value.place == "lab/one"
    assert cloud.logins == 2  # a fresh token that is refused is no reason to log in again


async def test_a_login_that_hangs_outlasts_no_deadline() -> None:
    class Silent(Cloud):
        async def login(self) -> Token:
            await asyncio.Event().wait()
            raise AssertionError

    cloud = Silent(ok())
    async with opened(cloud) as session, asyncio.timeout(20):
        with pytest.raises(Unreachable, match="the login gave no answer") as late:
            await session.get("a", deadline=0.1)
    assert (late.value.fault, late.value.place, cloud.asked) == ("timeout", "lab/one", [])


async def test_a_get_is_sent_again_and_an_order_is_not() -> None:
    cloud = Cloud(answer(503), answer(502), ok({"x": 1}))
    async with opened(cloud) as session:
        assert read_json(await session.get("a")) == {"x": 1}
        assert len(cloud.slept) == 2
        assert 0 < cloud.slept[0] < 0.5
    for method in ("post", "put", "patch", "delete"):
        cloud = Cloud(answer(503))
        async with opened(cloud) as session:
            with pytest.raises(CloudFault):
                await getattr(session, method)("a")
        assert len(cloud.asked) == 1, method


async def test_resends_are_bounded_and_some_failures_are_final_at_once() -> None:
    cloud = Cloud(answer(504))
    async with opened(cloud) as session:
        with pytest.raises(CloudFault) as caught:
            await session.get("a")
    assert (len(cloud.asked), caught.value.status) == (3, 504)
    for status, kind in ((404, NotFound), (500, CloudFault)):
        cloud = Cloud(answer(status))
        async with opened(cloud) as session:
            with pytest.raises(kind):
                await session.get("a")
        assert len(cloud.asked) == 1


async def test_a_get_waits_as_long_as_the_service_asks_if_it_has_the_time() -> None:
    cloud = Cloud(answer(429, Retry_After="0.01"), ok())
    async with opened(cloud) as session:
        await session.get("a")
    assert len(cloud.asked) == 2
    cloud = Cloud(answer(429, Retry_After="600"))
    async with opened(cloud) as session:
        with pytest.raises(OverLimit) as caught:
            await session.get("a")
        assert caught.value.retry_after == 600
        with pytest.raises(OverLimit) as caught:
            await session.post("a")
    assert 500 < caught.value.retry_after <= 600
    assert caught.value.place == "lab/one"
    assert len(cloud.asked) == 1  # the second was not even sent


def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def test_a_connection_that_is_cut_is_tried_again_for_a_get_only() -> None:
    cloud = Cloud(hang_up)
    async with opened(cloud) as session:
        with pytest.raises(Unreachable, match="closed the connection"):
            await session.post("a")
        assert len(cloud.asked) == 1
        with pytest.raises(Unreachable, match="closed the connection"):
            await session.get("a")
        assert len(cloud.asked) >= 4


async def test_the_clouds_time_comes_from_its_own_replies() -> None:
    cloud = Cloud(ok(headers={"Date": "Fri, 20 Nov 2099 23:00:00 GMT"}))
    async with opened(cloud) as session:
        ours = dt.datetime.now(dt.UTC)
        assert session.now(ours) == ours
        await session.get("a")
        told = session.now(ours)
        assert abs(told - dt.datetime(2099, 11, 20, 23, tzinfo=dt.UTC)) < dt.timedelta(seconds=30)
        cloud.answers = [ok(headers={"Date": "Fri, 31 Dec 9999 23:59:59 GMT"})]
        await session.get("a")
        assert session.now(ours + dt.timedelta(minutes=5)) == told + dt.timedelta(minutes=5)


def read(reply: Reply) -> tuple[list[int], str | None]:
    tree = read_json(reply)
    return tree["items"], tree.get("next")


async def walked(cloud: Cloud) -> list[int]:
    async with opened(cloud) as session:
        return [item async for items in session.pages("things", {"a": "1"}, read) for item in items]


async def test_of_a_link_only_the_query_is_used() -> None:
    cloud = Cloud(
        ok({"items": [1, 2], "next": "http://10.0.0.1:8774/v2.1/things?a=1&marker=2%2B"}),
        ok({"items": [3], "next": "http://[fd00::1:8774/v2.1/things?marker=3#end"}),
        ok({"items": [4]}),
    )
    assert await walked(cloud) == [1, 2, 3, 4]
    assert cloud.paths() == [
        "/compute/v2.1/things?a=1",
        "/compute/v2.1/things?a=1&marker=2%2B",
        "/compute/v2.1/things?marker=3",
    ]


async def test_an_empty_page_ends_the_walk() -> None:
    cloud = Cloud(ok({"items": [1], "next": "?marker=1"}), ok({"items": [], "next": "?marker=1"}))
    assert await walked(cloud) == [1]
    assert len(cloud.asked) == 2


async def test_a_link_that_comes_again_is_an_error_and_no_endless_loop() -> None:
    cloud = Cloud(ok({"items": [1], "next": "?marker=1"}))
    with pytest.raises(BadReply, match="read before"):
        await walked(cloud)
    assert len(cloud.asked) == 2
