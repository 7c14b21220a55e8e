"""A client of the embedded Rackspace-like account that knows nothing of the product: plain HTTP, for its own tests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from sim_client import Answer

from console.sim.estate import Estate
from console.sim.firstgen_api import FirstGen
from console.sim.rackspace import RackspaceCloud

LONG = 10.0**9  # tokens that outlive every move of the clock


class Old:
    """A login, and an endpoint of the account."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self.session = session
        self.url = url
        self.token = token

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A call below the account's root; bytes are sent as they are, anything else as JSON."""
        sent = {"X-Auth-Token": self.token, **{name.replace("_", "-"): text for name, text in headers.items()}}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method, self.url + path, data=data, headers=sent, allow_redirects=False
        ) as reply:
            text = await reply.text()
            is_json = "json" in reply.headers.get("Content-Type", "") and text
            return Answer(reply.status, reply.headers, json.loads(text) if is_json else None, text)

    async def get(self, path: str, **headers: str) -> Any:
        """The body of a successful GET."""
        answer = await self.ask("GET", path, **headers)
        assert answer.status == 200, answer
        return answer.body

    async def act(self, id: Any, name: str, given: Any = None) -> int:
        """The status of an action's answer."""
        return (await self.ask("POST", f"/servers/{id}/action", {name: given})).status

    async def status(self, id: Any) -> str:
        """A server's status."""
        return str((await self.get(f"/servers/{id}"))["server"]["status"])


def account_of(estate: Estate) -> RackspaceCloud:
    """The estate's Rackspace-like cloud."""
    return estate.control.account.cloud


def first_of(estate: Estate) -> FirstGen:
    """Its first generation."""
    return estate.control.account.first


async def log_in(session: aiohttp.ClientSession, estate: Estate) -> Any:
    """What Identity v2.0 answers to the API key."""
    auth = estate.clouds_yaml()["clouds"]["rackspace"]["auth"]
    body = {"auth": {"RAX-KSKEY:apiKeyCredentials": {"username": auth["username"], "apiKey": auth["api_key"]}}}
    async with session.post(auth["auth_url"] + "/tokens", json=body) as reply:
        assert reply.status == 200
        return (await reply.json())["access"]


async def to_midnight(estate: Estate) -> datetime:
    """Move the clock to the next midnight (GMT)."""
    now = estate.clock.now()
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    await estate.clock.advance((midnight - now).total_seconds())
    return midnight


@asynccontextmanager
async def firstgen(limited: bool = False, guests: int = 0) -> AsyncIterator[tuple[Estate, Old]]:
    """The first generation alone, with the old login; its clock stands, its rates are high unless they are tested."""
    async with (
        Estate(clouds=0, guests=guests, speed=0, firstgen=True, token_seconds=LONG) as estate,
        aiohttp.ClientSession() as session,
    ):
        if not limited:
            for rate in first_of(estate).rates.table:
                rate.value = 10_000
        auth = estate.clouds_yaml()["clouds"]["legacy"]["auth"]
        headers = {"X-Auth-User": auth["username"], "X-Auth-Key": auth["api_key"]}
        async with session.get(auth["auth_url"], headers=headers) as reply:
            assert reply.status == 204
            yield estate, Old(session, reply.headers["X-Server-Management-Url"], reply.headers["X-Auth-Token"])


@asynccontextmanager
async def rackspace(region: str = "DFW") -> AsyncIterator[tuple[Estate, Old]]:
    """A region of the next generation; the clock stands."""
    async with (
        Estate(clouds=0, guests=0, speed=0, firstgen=True, rackspace=True, token_seconds=LONG) as estate,
        aiohttp.ClientSession() as session,
    ):
        access = await log_in(session, estate)
        compute = next(row for row in access["serviceCatalog"] if row["name"] == "cloudServersOpenStack")
        url = next(e["publicURL"] for e in compute["endpoints"] if e["region"] == region)
        yield estate, Old(session, url, access["token"]["id"])
