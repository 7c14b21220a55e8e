"""What every service of the embedded cloud has in common: a base URL, logins, request ids, trouble on request.

A service answers requests below its own base URL and knows nothing of ports or of other services' insides.
Each kind of service says in its own words what went wrong (`fault_reply`), as the real ones do.
"""

from __future__ import annotations

from urllib.parse import parse_qsl
from uuid import uuid4

from aiohttp import web

from console.sim.call import UNAUTHORIZED, Call, Fault, Router, error_page, reply
from console.sim.clock import Clock
from console.sim.identity import Identity
from console.sim.trouble import Rule, Trouble, spoil, strike


class Service:
    """One API of the embedded cloud, wherever it is mounted."""

    kind = ""

    def __init__(self, clock: Clock, identity: Identity, trouble: Trouble, region: str = "") -> None:
        self.clock = clock
        self.identity = identity
        self.trouble = trouble
        self.region = region
        self.cloud = ""
        self.base = ""
        self.router = Router()

    async def answer(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer one request; `path` is what follows this service's base."""
        call = Call(request, path, f"req-{uuid4()}", parse_qsl(request.query_string, keep_blank_values=True))
        rules = self.trouble.meeting(self.cloud, self.region, self.kind, request.method, path)
        response = await self._troubled(call, rules)
        if isinstance(response, web.Response):
            for rule in rules:
                response = spoil(rule, response, call)
        self.finish(call, response)
        return response

    async def _troubled(self, call: Call, rules: list[Rule]) -> web.StreamResponse:
        try:
            for rule in rules:
                early = await strike(rule, call)
                if early is not None:
                    return early
        except Fault as fault:
            return self._faulty(call, fault)
        return await self._answered(call)

    async def _answered(self, call: Call) -> web.Response:
        call.body = await call.request.read()
        try:
            return await self.handle(call)
        except Fault as fault:
            return self._faulty(call, fault)

    def _faulty(self, call: Call, fault: Fault) -> web.Response:
        response = self.fault_reply(call, fault)
        response.headers.update(fault.headers)
        return response

    async def handle(self, call: Call) -> web.Response:
        """Find the route, log the caller in and answer; services with versions put more before it."""
        if not self.is_open(call):
            refused = self.admit(call)
            if refused is not None:
                return refused
        found = self.router.find(call.request.method, call.path)
        if found is None:
            return self.not_routed(call)
        answer, call.names = found
        return await answer(call)

    def is_open(self, call: Call) -> bool:
        """Whether this path needs no token."""
        return call.path in ("", "/")

    def admit(self, call: Call) -> web.Response | None:
        """Look the token up; the refusal of the auth middleware where there is no valid one."""
        call.token = self.identity.token(call.request.headers.get("X-Auth-Token", ""))
        return None if call.token is not None else self.refusal()

    def refusal(self) -> web.Response:
        """The auth middleware's 401."""
        return reply(401, UNAUTHORIZED, {"WWW-Authenticate": f'Keystone uri="{self.identity.url}/v3"'})

    def not_routed(self, call: Call) -> web.Response:
        """The answer to a path that does not exist."""
        return error_page(call, 404, "Not Found", "The resource could not be found.")

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        """The fault in this service's own words."""
        return reply(fault.status, {"error": {"code": fault.status, "message": fault.message}})

    def finish(self, call: Call, response: web.StreamResponse) -> None:
        """Put on the headers that every answer has; one that came from before the service proper has few."""
        if not call.plain:
            response.headers["x-openstack-request-id"] = call.request_id
        response.headers["Date"] = self.clock.date_header()
        for name, value in call.headers.items():
            response.headers.setdefault(name, value)
