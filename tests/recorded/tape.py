"""A tape recorder for any OpenStack: it sends what the flows say, and keeps what was answered, made comparable.

It is no part of the console and uses none of it: plain aiohttp, plain JSON. What differs from run to run (ids, times,
tokens, hosts) is replaced by a word for its kind, so that a recording of a real cloud can be kept, and laid
beside what the embedded cloud answers.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|\b[0-9a-f]{56}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
FLAVOR = re.compile(r"'flavorRef': '[^']*'")
URL = re.compile(r"https?://[^/\s\"]+")
SECRETS = {"adminPass", "private_key", "public_key", "user_data", "OS-EXT-SRV-ATTR:user_data", "audit_ids", "details"}
HOSTS = set(
    "host hostname host_name host_ip dest_host source_node dest_node source_compute dest_compute hypervisor_hostname"
    " OS-EXT-SRV-ATTR:host OS-EXT-SRV-ATTR:hypervisor_hostname os-vol-host-attr:host hosts".split()
)
KEPT_HEADERS = ("location", "openstack-api-version", "x-openstack-nova-api-version", "vary", "content-type")
SHAPES = [
    "2.1",
    "2.3",
    "2.9",
    "2.16",
    "2.19",
    "2.26",
    "2.47",
    "2.63",
    "2.69",
    "2.71",
    "2.73",
    "2.75",
    "2.90",
    "2.96",
    "2.98",
    "2.100",
]


def plain(value: Any, key: str = "") -> Any:
    """The value with everything that belongs to one run replaced by a word for its kind."""
    if isinstance(value, dict):
        return {UUID.sub("<id>", k): plain(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(item, key) for item in value]
    if isinstance(value, str):
        if key in SECRETS:
            return "<secret>"
        if key in HOSTS:
            return "<host>"
        return FLAVOR.sub("<flavor>", URL.sub("<url>", TIME.sub("<time>", UUID.sub("<id>", value))))
    return value


async def moment() -> None:
    """The step of the polling."""
    await asyncio.sleep(0.005)


class Tape:
    """Calls, sequences and events of one run, by their labels.  `pause` is what happens between two looks."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        auth: dict[str, str],
        region: str,
        pause: Callable[[], Awaitable[None]] = moment,
    ) -> None:
        self.http = http
        self.auth = auth
        self.region = region
        self.pause = pause
        self.patience = 300.0
        self.calls: dict[str, Any] = {}
        self.sequences: dict[str, list[str]] = {}
        self.events: dict[str, list[str]] = {}
        self.token = ""
        self.project = ""
        self.endpoints: dict[str, str] = {}
        self.admin: Tape | None = None

    async def with_admin(self, auth: dict[str, str]) -> None:
        """Let the flows that need one have an administrator; what he is told goes onto this tape."""
        self.admin = Tape(self.http, auth, self.region, self.pause)
        self.admin.patience = self.patience
        self.admin.calls, self.admin.sequences, self.admin.events = self.calls, self.sequences, self.events
        await self.admin.login()

    def login_body(self, **other: str) -> dict[str, Any]:
        auth = self.auth | other
        user = {"name": auth["username"], "domain": {"name": "Default"}, "password": auth["password"]}
        return {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": auth["project_name"], "domain": {"name": "Default"}}},
            }
        }

    @property
    def keystone(self) -> str:
        return self.auth["auth_url"].rstrip("/").removesuffix("/v3") + "/v3"

    async def login(self) -> None:
        async with self.http.post(f"{self.keystone}/auth/tokens", json=self.login_body()) as reply:
            assert reply.status == 201, await reply.text()
            self.token = reply.headers["X-Subject-Token"]
            token = (await reply.json())["token"]
        self.project = token["project"]["id"]
        for service in token["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public" and endpoint["region"] == self.region:
                    self.endpoints[service["type"]] = endpoint["url"].rstrip("/")
        self.endpoints.setdefault("block-storage", self.endpoints.get("volumev3", ""))
        network = self.endpoints["network"]
        self.endpoints["network"] = network if network.endswith("/v2.0") else network + "/v2.0"
        image = self.endpoints["image"]
        self.endpoints["image"] = image if image.endswith("/v2") else image + "/v2"

    async def send(
        self, service: str, method: str, path: str, body: Any = None, mv: str = "2.96", **headers: str
    ) -> tuple[int, Any, Any]:
        """One call: status, headers, body (JSON where it is JSON)."""
        headers = {"X-Auth-Token": self.token, "Accept": "application/json"} | headers
        if service == "compute" and mv:
            headers["OpenStack-API-Version"] = f"compute {mv}"
        url = path if path.startswith("http") else self.endpoints[service] + path
        skip = [] if body else ["Content-Type"]
        async with self.http.request(method, url, json=body, headers=headers, skip_auto_headers=skip) as reply:
            text = await reply.text()
            try:
                read = await reply.json(content_type=None) if text else None
            except ValueError:
                read = text[:200]
            return reply.status, reply.headers, read

    async def call(self, label: str, service: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """One call that is kept under its label; gives the body as it came."""
        status, headers, read = await self.send(service, method, path, body, **more)
        kept = {name: plain(", ".join(sorted(headers.getall(name)))) for name in KEPT_HEADERS if name in headers}
        self.calls[label] = {"status": status, "headers": kept, "body": plain(read)}
        return read

    async def follow(self, label: str, server: str, *ends: str) -> None:
        """Keep the server's (status, task state) in their order until it rests in one of the ends, or is gone."""

        async def look() -> tuple[str, bool]:
            status, _, read = await self.send("compute", "GET", f"/servers/{server}")
            if status == 404:
                return "gone", True
            found = read["server"]
            task = found["OS-EXT-STS:task_state"]
            return f"{found['status']} {task or '-'}", found["status"] in ends and not task

        await self.watch(label, look)

    async def follow_status(self, label: str, service: str, path: str, key: str, end: str) -> None:
        """Keep the statuses of an image or volume in their order until it has this one, or is gone."""

        async def look() -> tuple[str, bool]:
            status, _, read = await self.send(service, "GET", path)
            if status == 404:
                return "gone", True
            found = (read[key] if key else read)["status"]
            return found, found == end

        await self.watch(label, look)

    async def watch(self, label: str, look: Callable[[], Awaitable[tuple[str, bool]]]) -> None:
        """Keep what each look sees, once for as long as it stays, until it is the end of something that moved."""
        kept = self.sequences.setdefault(label, [])
        until, looks = time.monotonic() + self.patience, 0
        while time.monotonic() < until:
            state, ended = await look()
            if not kept or kept[-1] != state:
                kept.append(state)
            looks += 1
            # What was over before the first look stays as it is: twenty looks are enough to know.
            if ended and (len(kept) > 1 or state == "gone" or looks > 20):
                return
            await self.pause()
        raise AssertionError(f"{label}: {kept} has no end")

    async def note_events(self, label: str, server: str) -> None:
        """Keep what was asked of the server, with what came of it and the events on its hosts, oldest first."""
        _, _, read = await self.send("compute", "GET", f"/servers/{server}/os-instance-actions")
        kept = self.events[label] = []
        for action in reversed(read["instanceActions"]):
            path = f"/servers/{server}/os-instance-actions/{action['request_id']}"
            _, _, whole = await self.send("compute", "GET", path)
            events = sorted(f"{event['event']}={event['result']}" for event in whole["instanceAction"]["events"])
            kept.append(f"{action['action']} {action['message'] or '-'}: {' '.join(events)}")
