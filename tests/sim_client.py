"""A client of the embedded cloud that knows nothing of the product: plain HTTP, for the embedded cloud's own tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from console.sim.cloud import Cloud
from console.sim.estate import Estate


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: Any
    text: str


class Client:
    """One login in one region."""

    def __init__(self, session: aiohttp.ClientSession, entry: dict[str, Any]) -> None:
        self.session = session
        self.entry = entry
        self.token = ""
        self.catalog: list[dict[str, Any]] = []
        self.region = entry.get("region_name") or entry["regions"][0]
        self.project = ""

    async def login(self) -> Client:
        auth = self.entry["auth"]
        domain = {"name": "Default"}
        user = {"name": auth["username"], "domain": domain, "password": auth["password"]}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": auth["project_name"], "domain": domain}},
            }
        }
        async with self.session.post(auth["auth_url"] + "/auth/tokens", json=body) as reply:
            assert reply.status == 201
            self.token = reply.headers["X-Subject-Token"]
            token = (await reply.json())["token"]
        self.catalog, self.project = token["catalog"], token["project"]["id"]
        return self

    def url(self, kind: str) -> str:
        rows = next(s for s in self.catalog if s["type"] == kind)["endpoints"]
        return next(e["url"] for e in rows if e["interface"] == "public" and e["region"] == self.region)

    async def ask(
        self, method: str, url: str, body: Any = None, mv: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        sent = {"X-Auth-Token": self.token, **(headers or {})}
        if mv is not None:
            sent["OpenStack-API-Version"] = f"compute {mv}"
        async with self.session.request(method, url, json=body, headers=sent, allow_redirects=False) as reply:
            text = await reply.text()
            is_json = "json" in reply.headers.get("Content-Type", "") and text
            return Answer(reply.status, reply.headers, await reply.json() if is_json else None, text)

    async def nova(self, method: str, path: str, body: Any = None, mv: str | None = "2.96") -> Answer:
        return await self.ask(method, self.url("compute") + path, body, mv)

    async def glance(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.ask(method, self.url("image") + path, body, headers=headers)

    async def neutron(self, method: str, path: str, body: Any = None) -> Answer:
        return await self.ask(method, self.url("network") + "/v2.0" + path, body)

    async def cinder(self, method: str, path: str, body: Any = None) -> Answer:
        return await self.ask(method, f"{self.url('block-storage')}/{self.project}{path}", body)

    async def image(self, name: str = "debian-12") -> str:
        return (await self.glance("GET", f"/v2/images?name={name}")).body["images"][0]["id"]

    async def network(self, name: str = "private") -> str:
        return (await self.neutron("GET", f"/networks?name={name}")).body["networks"][0]["id"]

    async def create(self, name: str = "new", **more: Any) -> Answer:
        body = {"name": name, "flavorRef": "1", "imageRef": await self.image()}
        body["networks"] = [{"uuid": await self.network()}]
        return await self.nova("POST", "/servers", {"server": body | more})

    async def show(self, id: str, mv: str = "2.96") -> dict[str, Any]:
        return (await self.nova("GET", f"/servers/{id}", mv=mv)).body["server"]

    async def act(self, id: str, name: str, given: Any = None, mv: str = "2.96") -> Answer:
        return await self.nova("POST", f"/servers/{id}/action", {name: given}, mv)


def brief(server: dict[str, Any]) -> str:
    """STATUS/task state."""
    return f"{server['status']}/{server['OS-EXT-STS:task_state']}"


async def sequence(estate: Estate, client: Client, id: str, seconds: float = 6.0) -> list[str]:
    """The states that a server goes through, seen by moving the cloud's clock in small steps."""
    seen: list[str] = []
    for _ in range(int(seconds / 0.1)):
        reply = await client.nova("GET", f"/servers/{id}")
        state = brief(reply.body["server"]) if reply.status == 200 else str(reply.status)
        if not seen or seen[-1] != state:
            seen.append(state)
        await estate.clock.advance(0.1)
    return seen


@asynccontextmanager
async def lab(cloud: str = "lab", **given: Any) -> AsyncIterator[tuple[Estate, Client, Client]]:
    """An estate whose clock stands, with a member and an administrator of one cloud."""
    async with Estate(**{"guests": 0, "speed": 0, **given}) as estate, aiohttp.ClientSession() as session:
        entries = estate.clouds_yaml()["clouds"]
        member = await Client(session, entries[cloud]).login()
        admin = await Client(session, entries[f"{cloud}-admin"]).login()
        yield estate, member, admin


def cloud_of(estate: Estate, name: str = "lab") -> Cloud:
    return estate.clouds[name]
