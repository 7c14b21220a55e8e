"""A second pair of eyes on a cloud: plain HTTP with a password, knowing nothing of `console`.

It makes what a test needs, says what the cloud itself answers, and cleans up. It retries nothing and hides no status.
"""

import asyncio
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

Json = dict[str, Any]
PATIENCE = 120.0  # seconds until a wait is given up; never what a test measures
LOOK = 0.3  # seconds between two looks: one costs a real cloud a tenth of a second of work


class Answer(NamedTuple):
    """One reply of the cloud."""

    status: int
    body: Json
    headers: dict[str, str]


class Witness:
    """One account of one cloud, given as its entry in clouds.yaml, in one region at a time."""

    def __init__(self, entry: Json, region: str, microversion: str = "2.96") -> None:
        self.region = region
        self._auth: Json = entry["auth"]
        self._microversion = microversion
        self._endpoints: dict[str, str] = {}
        self._token = ""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
            connector=aiohttp.TCPConnector(force_close=True),  # the services drop an idle connection at any moment
        )
        try:
            await self._log_in()
        except BaseException:
            await self._http.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def _log_in(self) -> None:
        auth = self._auth
        user = {
            "name": auth["username"],
            "password": auth["password"],
            "domain": {"name": auth.get("user_domain_name", "Default")},
        }
        project = {"name": auth["project_name"], "domain": {"name": auth.get("project_domain_name", "Default")}}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project},
            }
        }
        url = auth["auth_url"].rstrip("/").removesuffix("/v3") + "/v3/auth/tokens"
        async with self._http.post(url, json=body) as reply:
            assert reply.status == 201, f"{reply.status} {await reply.text()}"
            self._token = reply.headers["X-Subject-Token"]
            token = (await reply.json())["token"]
        self._endpoints = {
            service["type"]: endpoint["url"].rstrip("/")
            for service in token["catalog"]
            for endpoint in service["endpoints"]
            if endpoint["interface"] == "public" and endpoint["region"] == self.region
        }

    async def call(self, method: str, service: str, path: str, body: Json | None = None) -> Answer:
        """Ask the service ("compute", "image", "network"); any status code is an answer."""
        headers = {"X-Auth-Token": self._token, "Accept": "application/json"}
        if service == "compute":  # Cinder refuses a version that is not its own
            headers["OpenStack-API-Version"] = f"compute {self._microversion}"
        async with self._http.request(method, self._endpoints[service] + path, json=body, headers=headers) as reply:
            decoded = await reply.json() if reply.content_type == "application/json" else {}
            return Answer(reply.status, decoded or {}, dict(reply.headers))

    async def ask(self, service: str, path: str) -> Json:
        """What a GET that must succeed answers."""
        answer = await self.call("GET", service, path)
        assert answer.status == 200, f"GET {path}: {answer}"
        return answer.body

    # ------------------------------------------------------------ servers

    async def flavor(self, name: str) -> Json:
        """The flavor of that name."""
        flavors = (await self.ask("compute", "/flavors/detail"))["flavors"]
        return next(flavor for flavor in flavors if flavor["name"] == name)

    async def image(self, name: str) -> Json:
        """The image of that name."""
        (image,) = (await self.ask("image", f"/v2/images?name={name}"))["images"]
        return dict(image)

    async def create(self, name: str, flavor: str = "m1.tiny", image: str = "debian-12", **more: Any) -> str:
        """Ask for a server on a network of the project; its id."""
        networks = (await self.ask("network", "/v2.0/networks"))["networks"]
        inner = next(network for network in networks if not network.get("router:external"))
        server = {
            "name": name,
            "flavorRef": (await self.flavor(flavor))["id"],
            "imageRef": (await self.image(image))["id"],
            "networks": [{"uuid": inner["id"]}],
            **more,
        }
        answer = await self.call("POST", "compute", "/servers", {"server": server})
        assert answer.status == 202, answer
        return str(answer.body["server"]["id"])

    async def server(self, server: str) -> Json | None:
        """The record of a server, or None when the cloud answers 404."""
        answer = await self.call("GET", "compute", f"/servers/{server}")
        return answer.body["server"] if answer.status == 200 else None

    async def gone(self, server: str) -> bool:
        """Whether it is deleted; for a moment Nova may still tell of such a one, and then it says so."""
        record = await self.server(server)
        return record is None or record["status"] == "DELETED"

    async def act(self, server: str, action: Json) -> int:
        """Ask for an action such as {"reboot": {"type": "SOFT"}}; the status code of the answer."""
        return (await self.call("POST", "compute", f"/servers/{server}/action", action)).status

    async def until(self, server: str, *statuses: str) -> Json:
        """Wait until the server rests, with no task, in one of the statuses; its record."""
        async with asyncio.timeout(PATIENCE):
            while True:
                record = await self.server(server)
                assert record is not None, f"{server} is gone"
                if record["status"] in statuses and record["OS-EXT-STS:task_state"] is None:
                    return record
                await asyncio.sleep(LOOK)

    async def host_keys(self, server: str) -> list[str]:
        """The public host keys that the guest has printed on its console, once it has."""
        async with asyncio.timeout(PATIENCE):
            while True:
                action: Json = {"os-getConsoleOutput": {}}
                answer = await self.call("POST", "compute", f"/servers/{server}/action", action)
                _, begin, keys = str(answer.body.get("output", "")).partition("-----BEGIN SSH HOST KEY KEYS-----")
                keys, end, _ = keys.partition("-----END SSH HOST KEY KEYS-----")
                if begin and end:
                    return keys.split("\n")[1:-1]
                await asyncio.sleep(LOOK)

    async def delete(self, server: str) -> None:
        """Delete a server, if there is one, and wait until it is gone; one that could be had back, for good."""
        await self.call("DELETE", "compute", f"/servers/{server}")
        async with asyncio.timeout(PATIENCE):
            while True:
                record = await self.server(server)
                if record is None or record["status"] == "DELETED":
                    return
                if record["status"] == "SOFT_DELETED" and record["OS-EXT-STS:task_state"] is None:
                    await self.act(server, {"forceDelete": None})
                await asyncio.sleep(LOOK)

    async def delete_image(self, image: str) -> None:
        """Delete an image and wait until it is gone."""
        answer = await self.call("DELETE", "image", f"/v2/images/{image}")
        assert answer.status in (204, 404), answer
        async with asyncio.timeout(PATIENCE):
            while True:
                if (await self.call("GET", "image", f"/v2/images/{image}")).status == 404:
                    return
                await asyncio.sleep(LOOK)

    # ------------------------------------------------------------ cleaning up

    async def clean(self, prefix: str) -> None:
        """Delete all servers, images and key pairs of this account whose name starts so."""
        for server in (await self.ask("compute", f"/servers?name=%5E{prefix}"))["servers"]:
            await self.delete(server["id"])
        told = "changes-since=2000-01-01T00:00:00Z"  # the one list that holds those which could be had back
        for server in (await self.ask("compute", f"/servers/detail?name=%5E{prefix}&{told}"))["servers"]:
            if server["status"] != "DELETED":
                await self.delete(server["id"])
        for image in await self._images():
            if (image["name"] or "").startswith(prefix):
                await self.delete_image(image["id"])
        for each in (await self.ask("compute", "/os-keypairs"))["keypairs"]:
            if each["keypair"]["name"].startswith(prefix):
                await self.call("DELETE", "compute", f"/os-keypairs/{each['keypair']['name']}")

    async def _images(self) -> list[Json]:
        images: list[Json] = []
        path: str | None = "/v2/images"
        while path:
            page = await self.ask("image", path)
            images += page["images"]
            path = page.get("next")
        return images
