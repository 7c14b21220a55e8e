"""Nova's face: discovery, microversions, faults and routes.  What the routes do is in its neighbours.

Every path is served with and without a project id, as the real one does.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote_plus

from aiohttp import web

from console.sim.call import Call, Fault, Router, error_page, reply
from console.sim.clock import Clock
from console.sim.machine import Machine
from console.sim.nova_views import Views
from console.sim.records import Server
from console.sim.region import Region
from console.sim.service import Service
from console.sim.trouble import Trouble

MINIMUM, MAXIMUM = 1, 104
KINDS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
DATES = {"v2.0": "2025-07-04T12:00:00Z", "v2.1": "2013-07-23T11:33:21Z"}
PROJECT = re.compile(r"^/(v2\.1|v2)(?:/[0-9a-f]{32})?(/.*)?$")


class Nova(Service):
    """One region's compute service."""

    kind = "compute"
    default_disk_config = "MANUAL"
    joins_all_networks = False  # what a server gets that names no network, where there are several
    clears_access = False  # whether an empty access address takes it away

    def __init__(self, region: Region, machine: Machine, clock: Clock, trouble: Trouble) -> None:
        super().__init__(clock, region.identity, trouble, region.name)
        self.place = region
        self.store = region.nova
        self.machine = machine
        self.views = Views()
        self.maximum = MAXIMUM
        self.router = Router()

    def name_links(self, host: str) -> None:
        """Links and Locations name this host from now on."""
        self.views.bare, self.views.root = host, f"{host}/v2.1"

    def is_open(self, call: Call) -> bool:
        return call.path.rstrip("/") in ("", "/v2", "/v2.1")

    async def handle(self, call: Call) -> web.Response:
        path = call.path.rstrip("/")
        call.plain = not path.startswith("/v2")
        if path == "":
            return reply(200, {"versions": [self._version("v2.0"), self._version("v2.1")]})
        found = PROJECT.match(call.path)
        if found is None:
            return reply(300, {"choices": [self._choice(call, "v2.0"), self._choice(call, "v2.1")]})
        if found[1] == "v2.1":
            self._choose_version(call)
        if path in ("/v2", "/v2.1"):
            return reply(200, {"version": self._version("v2.0" if path == "/v2" else "v2.1", whole=True)})
        if not self.is_open(call) and (refused := self.admit(call)) is not None:
            call.headers.clear()
            return refused
        call.path = found[2] or "/"
        return await self._routed(call)

    async def _routed(self, call: Call) -> web.Response:
        route = self.router.find(call.request.method, call.path)
        if route is None:
            return self.not_routed(call)
        answer, call.names = route
        return await answer(call)

    def finish(self, call: Call, response: web.StreamResponse) -> None:
        super().finish(call, response)
        if not call.plain:
            response.headers["x-compute-request-id"] = call.request_id

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        kind = fault.kind or KINDS.get(fault.status, "computeFault")
        body: dict[str, Any] = {"code": fault.status, "message": fault.message}
        if "Retry-After" in fault.headers:
            body["retryAfter"] = fault.headers["Retry-After"]
        return reply(fault.status, {kind: body}, {"Content-Type": "application/json; charset=UTF-8"})

    def not_routed(self, call: Call) -> web.Response:
        call.headers.clear()
        return error_page(call, 404, "Not Found", "The resource could not be found.")

    def _choose_version(self, call: Call) -> None:
        asked = ""
        for part in call.request.headers.get("OpenStack-API-Version", "").split(","):
            service, _, version = part.strip().partition(" ")
            if service.lower() == "compute":
                asked = version.strip()
        asked = asked or call.request.headers.get("X-OpenStack-Nova-API-Version", "").strip()
        if asked == "latest":
            call.minor = self.maximum
        elif asked:
            found = re.fullmatch(r"(\d+)\.(\d+)", asked)
            if found is None:
                text = f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
                raise Fault(400, text)
            call.minor = int(found[2])
            if found[1] != "2" or not MINIMUM <= call.minor <= self.maximum:
                self._say_version(call, asked)
                raise Fault(406, f"Version {asked} is not supported by the API. Minimum is 2.1 and maximum is "
                                 f"2.{self.maximum}.")  # fmt: skip
        self._say_version(call, f"2.{call.minor}")

    def _say_version(self, call: Call, version: str) -> None:
        call.headers["OpenStack-API-Version"] = f"compute {version}"
        call.headers["X-OpenStack-Nova-API-Version"] = version
        call.headers["Vary"] = "OpenStack-API-Version, X-OpenStack-Nova-API-Version"

    def _version(self, id: str, whole: bool = False) -> dict[str, Any]:
        path = "v2" if id == "v2.0" else "v2.1"
        new = id == "v2.1"
        record: dict[str, Any] = {
            "id": id,
            "status": "CURRENT" if new else "DEPRECATED",
            "version": f"2.{self.maximum}" if new else "",
            "min_version": "2.1" if new else "",
            "updated": DATES[id],
            "links": [{"rel": "self", "href": f"{self.views.bare}/{path}/"}],
        }
        if whole:
            record["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
            media = f"application/vnd.openstack.compute+json;version={'2.1' if new else '2'}"
            record["media-types"] = [{"base": "application/json", "type": media}]
        return record

    def _choice(self, call: Call, id: str) -> dict[str, Any]:
        path, version = ("v2", "2") if id == "v2.0" else ("v2.1", "2.1")
        return {
            "id": id,
            "status": "CURRENT" if id == "v2.1" else "DEPRECATED",
            "links": [{"rel": "self", "href": f"{self.views.bare}/{path}{call.path}"}],
            "media-types": [
                {"base": "application/json", "type": f"application/vnd.openstack.compute+json;version={version}"}
            ],
        }

    # What the neighbours share

    def server(self, call: Call, key: str = "id") -> Server:
        """The server that a path names, if the caller may know of it; 404 otherwise."""
        found = self.store.servers.get(call.names[key])
        mine = found is not None and (call.admin or found.project_id == call.who.project_id)
        if found is None or found.deleted or not mine:
            raise Fault(404, f"Instance {call.names[key]} could not be found.")
        return found

    def only_admin(self, call: Call, rule: str) -> None:
        """403 for everybody else."""
        if not call.admin:
            raise Fault(403, f"Policy doesn't allow os_compute_api:{rule} to be performed.")

    def next_link(self, call: Call, marker: str, limit: int, key: str) -> dict[str, Any]:
        """The link to the page after this one."""
        query = [(k, v) for k, v in call.query if k not in ("marker", "limit")]
        pairs = sorted([*query, ("limit", str(limit)), ("marker", marker)])
        text = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in pairs)
        return {key: [{"rel": "next", "href": f"{self.views.root}{call.path}?{text}"}]}
