"""A cloud of a few lines that answers what a test has written down, over real HTTP on port 0.

Keystone gives tokens and a catalog; every other path is answered from a table, by the path alone or by "METHOD path".
It is for the odd replies of odd clouds: for a cloud that behaves there is the embedded one.
"""

import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from console.clouds.accounts import Account, Entry
from console.clouds.reach import Reach
from console.model.place import Place
from console.wire.transport import Tls

PROJECT = "0123456789abcdef0123456789abcdef"
Answer = Any  # a JSON tree, a (status, tree) pair, a web.Response, or a callable that takes the request and gives one


class ScriptedCloud:
    """The table of answers, and what was asked."""

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[web.Request] = []
        self.bodies: list[Any] = []
        self.roles = ["member", "reader"]
        self.endpoints: list[tuple[str, str, str, str]] = []  # type, region, interface, path
        self.logins = 0
        self.no_login: Answer | None = None  # what is said instead of a token
        self.password = "right"
        self.url = ""

    def offer(self, kind: str, path: str, region: str = "one", interface: str = "public") -> None:
        """List a service in the catalog; a path that is a whole URL is listed as it is."""
        self.endpoints.append((kind, region, interface, path))

    def paths(self, start: str = "") -> list[str]:
        """What was asked below a path, Keystone left out."""
        return [
            f"{r.method} {r.path_qs}" for r in self.asked if r.path.startswith(start or "/") and "/v3" not in r.path
        ]

    def last(self) -> tuple[web.Request, Any]:
        """The last request and its decoded body."""
        return self.asked[-1], self.bodies[-1]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.asked.append(request)
        self.bodies.append(json.loads(raw) if raw else None)
        if request.path.startswith("/identity"):
            return self._identity(request)
        for name in (
            f"{request.method} {request.path_qs}",
            f"{request.method} {request.path}",
            request.path_qs,
            request.path,
        ):
            if name in self.answers:
                return _response(self.answers[name], request)
        return web.json_response({"itemNotFound": {"code": 404, "message": f"no {request.path}"}}, status=404)

    def _identity(self, request: web.Request) -> web.StreamResponse:
        if request.path.rstrip("/") in ("/identity", "/identity/v3"):
            link = {"rel": "self", "href": f"{self.url}/identity/v3/"}
            version = {"id": "v3.14", "status": "stable", "links": [link]}
            if request.path.rstrip("/").endswith("v3"):
                return web.json_response({"version": version})
            return web.json_response({"versions": {"values": [version]}}, status=300)
        self.logins += 1
        if self.no_login is not None:
            return _response(self.no_login, request)
        return self._token(self.bodies[-1]["auth"])

    def _token(self, auth: Any) -> web.StreamResponse:
        password = auth["identity"].get("password", {}).get("user", {}).get("password")
        if "password" in auth["identity"]["methods"] and password != self.password:
            refusal = {"error": {"code": 401, "message": "The request you have made requires authentication."}}
            return web.json_response(refusal, status=401, headers={"x-openstack-request-id": "req-login"})
        token = {
            "methods": ["password"],
            "issued_at": "2026-11-20T23:00:00.000000Z",
            "expires_at": "2099-11-21T00:00:00.000000Z",
            "user": {"id": "u1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT, "name": "demo\x1b[2J", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": role, "name": role} for role in self.roles],
            "catalog": list(self._catalog()),
        }
        return web.json_response({"token": token}, status=201, headers={"X-Subject-Token": f"t{self.logins}"})

    def _catalog(self) -> Any:
        for kind, region, interface, path in self.endpoints:
            url = path if "://" in path else self.url + path
            endpoint = {"id": "e", "interface": interface, "region": region, "region_id": region, "url": url}
            yield {"type": kind, "name": kind, "id": kind, "endpoints": [endpoint]}

    def account(self, region: str | None = "one", **given: Any) -> Account:
        """An account here; what is given goes to its `Reach`."""
        options = {
            "auth_url": f"{self.url}/identity/v3",
            "username": "demo",
            "password": "right",
            "project_name": "demo",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        return Account(Place("lab", region or ""), region, Reach(**given), Entry("lab", "password", options, Tls(), 10))


def _response(answer: Answer, request: web.Request) -> web.StreamResponse:
    if callable(answer):
        answer = answer(request)
    if isinstance(answer, web.StreamResponse):
        return answer
    status, tree = answer if isinstance(answer, tuple) else (200, answer)
    return web.json_response(tree, status=status, headers={"x-openstack-request-id": "req-1"})


def compute(lowest: str = "2.1", highest: str = "2.96", id: str = "v2.1") -> dict[str, Any]:
    """The version document of a compute service."""
    return {"version": {"id": id, "status": "CURRENT", "version": highest, "min_version": lowest}}


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key, in a folder."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=cloud"
    extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *extra], check=True, capture_output=True)
    return cert, key


def tls_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """What a server needs to show this certificate."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(*certificate)
    return made


@asynccontextmanager
async def serving(
    prepare: Callable[[ScriptedCloud], None] | None = None, context: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedCloud]:
    """A scripted cloud that listens; without preparation it has all three services in region one."""
    cloud = ScriptedCloud()
    runner = web.ServerRunner(web.Server(cloud))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    cloud.url = f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    if prepare is None:
        cloud.offer("compute", "/compute/v2.1")
        cloud.offer("image", "/image")
        cloud.offer("network", "/network")
        cloud.answers["/compute/v2.1/"] = compute()
    else:
        prepare(cloud)
    try:
        yield cloud
    finally:
        await runner.cleanup()
