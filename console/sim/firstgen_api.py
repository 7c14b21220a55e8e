"""The face of Cloud Servers v1.0: formats, logins, rate limits, caches and faults.  The routes are in its neighbours.

Its account number is part of every path; JSON and XML are the same trees (`firstgen_xml`); a reply out of a stale
cache is a 203.  Where the guide and its real clients differ (a deletion answers 202), the clients are believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import msgspec
from aiohttp import web

from console.sim import firstgen_xml as xml
from console.sim.call import Call, Fault, nothing, reply
from console.sim.clock import Clock
from console.sim.firstgen_lives import Lives
from console.sim.firstgen_views import OldViews
from console.sim.identity import Identity
from console.sim.rates import Rate, Rates
from console.sim.service import Service
from console.sim.trouble import Trouble

KINDS = {
    400: "badRequest",
    401: "unauthorized",
    404: "itemNotFound",
    405: "badMethod",
    413: "overLimit",
    415: "badMediaType",
    501: "notImplemented",
    503: "serviceUnavailable",
}
DEFAULT_RATES = (
    ("POST", "*", ".*", 10, "MINUTE"),
    ("POST", "*/servers", "^/servers", 50, "DAY"),
    ("PUT", "*", ".*", 10, "MINUTE"),
    ("GET", "*changes-since*", "changes-since", 3, "MINUTE"),
    ("DELETE", "*", ".*", 100, "MINUTE"),
)
PATH = re.compile(r"^/v1\.0/([^/]+)(/.*)?$")
SUFFIX = re.compile(r"/?\.(xml|json)$")
RACKSPACE_ONLY = re.compile(r"^/shared_ip_groups|/backup_schedule$")
MOST = 1000


@dataclass(slots=True)
class Kept:
    """A reply that a cache has kept."""

    moment: float
    body: bytes
    kind: str


class FirstGen(Service):
    """One account's first-generation compute service."""

    kind = "firstgen"

    def __init__(self, lives: Lives, clock: Clock, identity: Identity, trouble: Trouble) -> None:
        super().__init__(clock, identity, trouble)
        self.store = store = lives.store
        self.lives = lives
        self.views = OldViews(store, self.lives)
        self.rates = Rates(clock, [Rate(*row) for row in DEFAULT_RATES])
        self.cache_seconds = 0.0
        self.only_openstack = False  # OpenStack's own v1.0 never had schedules and shared IP groups
        self._cache: dict[tuple[str, ...], Kept] = {}

    @property
    def url(self) -> str:
        """What a login is told, and the catalog: the account's own root."""
        return f"{self.base}/v1.0/{self.store.account}"

    async def handle(self, call: Call) -> web.Response:
        path = SUFFIX.sub("", call.path) or "/"
        if path in ("/", "/v1.0", "/v1.0/"):
            return self._versions(call, path)
        refused = self.admit(call)
        if refused is not None:
            return refused
        call.path = self._below_account(path)
        self._count(call)
        if call.body:
            self._take_in(call)
        return await self._cached(call)

    def _versions(self, call: Call, path: str) -> web.Response:
        call.plain = True
        about = {"id": "v1.0", "status": "CURRENT"}
        if path == "/":
            return self.say(call, 200, {"versions": [about]})
        if call.path == "/v1.0":
            return web.Response(status=302, headers={"Location": f"{self.base}/v1.0/"})
        guide = "http://docs.rackspacecloud.com/servers/api/v1.0/cs-devguide-20110415.pdf"
        return self.say(call, 200, {"version": about | {"docURL": guide, "wadl": f"{self.base}/v1.0/application.wadl"}})

    def refusal(self) -> web.Response:
        raise Fault(401, "This server could not verify that you are authorized to access the document you requested.")

    def _below_account(self, path: str) -> str:
        found = PATH.match(path)
        if found is None:
            raise Fault(404, "Not Found")
        if found[1] != self.store.account:
            raise Fault(401, "This token is not for that account.")
        return found[2] or "/"

    def _count(self, call: Call) -> None:
        asked = call.path + ("?" + call.request.query_string if call.request.query_string else "")
        wait = self.rates.spend(self.store.account, call.request.method, asked)
        if wait is not None:
            headers = {"Reply-After": formatdate(self.clock.time() + wait, usegmt=True), "Retry-After": str(wait)}
            raise Fault(413, "Rate limit exceeded: too many requests. Try again later.", headers=headers)

    def _take_in(self, call: Call) -> None:
        kind = call.request.content_type
        if kind == "application/xml":
            try:
                call.body = msgspec.json.encode(xml.read(call.body))
            except ValueError:
                raise Fault(400, "The XML document cannot be read.") from None
        elif kind != "application/json":
            raise Fault(415, f"The media type {kind} is not taken: application/json or application/xml.")

    async def _cached(self, call: Call) -> web.Response:
        request = call.request
        key = (call.path, request.query_string, form(call))
        kept = self._cache.get(key)
        if request.method == "GET" and kept is not None and self.clock.time() - kept.moment < self.cache_seconds:
            headers = {"Content-Type": kept.kind, "Last-Modified": formatdate(kept.moment, usegmt=True)}
            return web.Response(status=203, body=kept.body, headers=headers)
        response = await self._routed(call)
        if self.cache_seconds and request.method == "GET" and response.status == 200:
            body = response.body if isinstance(response.body, bytes) else b""
            self._cache[key] = Kept(self.clock.time(), body, response.headers["Content-Type"])
        return response

    async def _routed(self, call: Call) -> web.Response:
        if self.only_openstack and RACKSPACE_ONLY.search(call.path):
            raise Fault(501, "This cloud has neither backup schedules nor shared IP groups.")
        found = self.router.find(call.request.method, call.path)
        if found is not None:
            answer, call.names = found
            return await answer(call)
        if any(self.router.find(method, call.path) for method in ("GET", "POST", "PUT", "DELETE")):
            raise Fault(405, f"{call.request.method} is not allowed here.")
        raise Fault(404, "Not Found")

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        kind = fault.kind or KINDS.get(fault.status, "cloudServersFault")
        tree: dict[str, Any] = {"code": fault.status, "message": fault.message, "details": f"({call.request_id})"}
        if "Reply-After" in fault.headers:
            later = self.clock.time() + float(fault.headers["Retry-After"])
            tree["retryAfter"] = datetime.fromtimestamp(int(later), UTC).isoformat()
        return self.say(call, fault.status, {kind: tree})

    def finish(self, call: Call, response: web.StreamResponse) -> None:
        super().finish(call, response)
        response.headers.pop("x-openstack-request-id", None)
        has_body = isinstance(response, web.Response) and response.body
        if has_body and "gzip" in call.request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)

    # What the neighbours share

    def say(self, call: Call, status: int, tree: dict[str, Any]) -> web.Response:
        """A tree in the form that the caller asked for."""
        if form(call) == "xml":
            return reply(status, xml.written(tree), {"Content-Type": "application/xml; charset=UTF-8"})
        return reply(status, tree)

    def page(self, call: Call, rows: list[Any]) -> list[Any]:
        """The part of a listing that was asked for; beyond its end there is nothing."""
        numbers = [call.first("offset", "0") or "0", call.first("limit", str(MOST)) or str(MOST)]
        if not all(number.isdigit() for number in numbers):
            raise Fault(400, "offset and limit are whole numbers.")
        offset, limit = (int(number) for number in numbers)
        return rows[offset : offset + min(limit, MOST)]

    def since(self, call: Call) -> float | None:
        """The moment that changes are wanted from, in seconds since 1970."""
        text = call.first("changes-since")
        if text is None:
            return None
        if not text.isdigit():
            raise Fault(400, "changes-since is a number of seconds since 1970.")
        return float(text)

    def listing(self, call: Call, key: str, rows: list[dict[str, Any]]) -> web.Response:
        """A page of a listing; 304 where changes were asked for and there are none."""
        if call.first("changes-since") is not None and not rows:
            return web.Response(status=304)
        return self.say(call, 200, {key: self.page(call, rows)})

    def given(self, call: Call, key: str) -> dict[str, Any]:
        """What a request says under this key."""
        found = call.json().get(key)
        if not isinstance(found, dict):
            raise Fault(400, f"The request has no {key}.")
        return found


def form(call: Call) -> str:
    """Which form the caller wants: the path's suffix is stronger than the Accept header."""
    suffix = SUFFIX.search(call.request.path)
    if suffix is not None:
        return suffix[1]
    accepted = call.request.headers.get("Accept", "")
    return "xml" if "application/xml" in accepted and "application/json" not in accepted else "json"


def done(status: int = 202) -> web.Response:
    """Taken, and nothing to say."""
    return nothing() if status == 204 else web.Response(status=status)


def number(text: Any, what: str) -> int:
    """A whole number out of a path; 404 where it is none."""
    if not str(text).isdigit():
        raise Fault(404, f"There is no {what} {text}.")
    return int(text)
