"""The estate's controls: trouble, time and what only a cloud's operator could do, from Python and over HTTP.

The control port speaks JSON on a port of its own on 127.0.0.1:

    GET    /                  the clouds and regions with their URLs, and what trouble can be had
    GET    /rules             the rules in force          POST /rules {"does": "status", "status": 503, "region": "dfw"}
    DELETE /rules             end them all                DELETE /rules/{id}
    GET    /clock             {"now", "speed"}            POST /clock/advance {"seconds": 60}
    POST   /tokens/expire     {"cloud"?}                  every token given out so far is void
    POST   /links             {"region", "base"}          Nova's links and Locations name that host; "" ends it
    POST   /cells             {"region", "down", "share"?}  that share of the region's servers is in a cell that is down
    POST   /microversion      {"region", "maximum"}       an older Nova: 2.1 up to this
    POST   /confirm           {"region", "seconds"}       a resize left alone for so long is confirmed; 0: never
    POST   /guests/{server}/shutdown                      the guest shuts down from inside
    POST   /servers/{server}  {"vm_state"?, "task_state"?, "power_state"?}  put a server into any state
    POST   /firstgen/{server} {"status"?, "life"?}   put a first-generation server into any status, or let it move
    POST   /firstgen          {"only_openstack": true}   no backup schedules and shared IP groups there: 501
    POST   /caches            {"seconds"}            the first generation answers 203 and what it knew for so long
    POST   /rates             {"verb", "uri", "value", "region"?}   a rate limit of a region or the first generation

A request must carry the header X-Novadeck-Control (any value), so that no web page can use it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from console.sim.call import reply
from console.sim.clock import Clock
from console.sim.cloud import Cloud, Place
from console.sim.job import Job
from console.sim.rackspace_control import AccountControl
from console.sim.records import Server
from console.sim.trouble import DEEDS, Rule, Trouble

HEADER = "X-Novadeck-Control"


class Control:
    """Trouble, time and an operator's powers over an estate."""

    def __init__(self, trouble: Trouble, clock: Clock, clouds: dict[str, Cloud]) -> None:
        self.trouble = trouble
        self.clock = clock
        self.clouds = clouds
        self.account = AccountControl(clouds)
        self.url = ""
        self._runner: web.ServerRunner | None = None

    # From Python

    def cause(self, does: str, **where: Any) -> Rule:
        """Any rule of `trouble.DEEDS`; `where` takes cloud, region, service, method, path, times and its own fields."""
        return self.trouble.add(does, **where)

    def latency(self, seconds: float, **where: Any) -> Rule:
        """Answers take this many real seconds longer."""
        return self.trouble.add("latency", seconds=seconds, **where)

    def status(self, status: int, retry_after: str | None = None, **where: Any) -> Rule:
        """Answers are this status, such as 503, 429 or 413."""
        return self.trouble.add("status", status=status, retry_after=retry_after, **where)

    def reset(self, **where: Any) -> Rule:
        """Connections are reset."""
        return self.trouble.add("reset", **where)

    def dead(self, region: str) -> Rule:
        """Nothing in this region answers until the rule is cleared."""
        return self.trouble.add("reset", region=region)

    def clear(self, rule: Rule | None = None) -> None:
        """End one rule, or all of them."""
        self.trouble.clear(rule)

    def expire_tokens(self, cloud: str | None = None) -> None:
        """Every token given out so far, by one cloud or by all, is void."""
        for name, found in self.clouds.items():
            if cloud in (None, name):
                found.identity.revoke_all()

    def wrong_links(self, region: str, base: str) -> None:
        """Nova's links and Locations name this host ("" for the right one again)."""
        place = self.place(region)
        place.compute.name_links(base or place.compute.base)
        for server in place.nova.servers.values():
            server.stale()

    def cell_down(self, region: str, down: bool = True, share: float = 0.2) -> list[Server]:
        """That share of a region's servers is in a cell that cannot be reached; gives them."""
        place = self.place(region)
        place.nova.cells_down = down
        hidden = []
        for index, server in enumerate(place.nova.alive()):
            server.hidden_by_cell = down and index % 100 < share * 100
            server.stale()
            hidden += [server] if server.hidden_by_cell else []
        return hidden

    def newest_microversion(self, region: str, maximum: str) -> None:
        """This region's Nova is an older one."""
        self.place(region).compute.maximum = int(maximum.removeprefix("2."))

    def confirm_after(self, region: str, seconds: float) -> None:
        """Resizes that come to VERIFY_RESIZE from now on are confirmed after so many seconds; 0: never."""
        self.place(region).nova.confirm_after = seconds

    def guest_shuts_down(self, server_id: str) -> None:
        """Somebody typed `shutdown -h now` inside."""
        server, _ = self.server(server_id)
        self.from_inside(server, again=False)

    def from_inside(self, server: Server, again: bool) -> None:
        """A guest went down (or reboots) by itself."""
        if self.account.from_inside(server, again):
            return
        _, place = self.server(server.id)
        if again:
            place.guests.boot(server)
        elif server.vm_state == "active" and server.task_state is None:
            if server.metadata.get("lab_shutdown") == "terminate":
                place.machine.run(server, Job("shutdown_terminate"))
            else:
                place.machine.run(server, Job("guest_shutdown", place.nova.noticed(server, "stop")))

    def put(self, server_id: str, **states: Any) -> Server:
        """Put a server into any vm_state, task_state and power_state."""
        server, _ = self.server(server_id)
        for key in ("vm_state", "task_state", "power_state", "locked", "fault"):
            if key in states:
                setattr(server, key, states[key])
        server.motion += 1
        server.touch(self.clock.time())
        return server

    def place(self, region: str) -> Place:
        """A region by its name; KeyError where there is none."""
        for cloud in self.clouds.values():
            if region in cloud.regions:
                return cloud.regions[region]
        raise KeyError(region)

    def server(self, server_id: str) -> tuple[Server, Place]:
        """A server by its id, wherever it is; KeyError where there is none."""
        for cloud in self.clouds.values():
            for place in cloud.regions.values():
                if server_id in place.nova.servers:
                    return place.nova.servers[server_id], place
        raise KeyError(server_id)

    # Over HTTP

    async def open(self) -> None:
        """Listen on a port of its own."""
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if HEADER not in request.headers:
            return reply(403, {"error": f"the header {HEADER} is missing"})
        parts = request.path.strip("/").split("/")
        act = self._acts().get((request.method, parts[0], len(parts)))
        if act is None:
            return reply(404, {"error": f"no {request.method} {request.path}"})
        try:
            given = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            return reply(200, await act(parts[1:], given))
        except (KeyError, ValueError, TypeError, msgspec.DecodeError) as wrong:
            return reply(400, {"error": f"{type(wrong).__name__}: {wrong}"})

    def _acts(self) -> dict[tuple[str, str, int], Callable[[list[str], dict[str, Any]], Awaitable[Any]]]:
        return {
            ("GET", "", 1): self._tell,
            ("GET", "rules", 1): self._rules,
            ("POST", "rules", 1): self._add_rule,
            ("DELETE", "rules", 1): self._clear,
            ("DELETE", "rules", 2): self._clear,
            ("GET", "clock", 1): self._time,
            ("POST", "clock", 2): self._advance,
            ("POST", "tokens", 2): self._expire,
            ("POST", "links", 1): self._links,
            ("POST", "cells", 1): self._cells,
            ("POST", "microversion", 1): self._microversion,
            ("POST", "confirm", 1): self._confirm,
            ("POST", "guests", 3): self._shutdown,
            ("POST", "servers", 2): self._put,
            **self.account.acts(),
        }

    async def _tell(self, names: list[str], given: dict[str, Any]) -> Any:
        clouds = {
            cloud.name: {
                "keystone": cloud.keystone.base,
                **cloud.further,
                "regions": {r: {k: s.base for k, s in p.services.items()} for r, p in cloud.regions.items()},
            }
            for cloud in self.clouds.values()
        }
        return {"clouds": clouds, "trouble": DEEDS, "help": __doc__}

    async def _rules(self, names: list[str], given: dict[str, Any]) -> Any:
        return {"rules": self.trouble.shown()}

    async def _add_rule(self, names: list[str], given: dict[str, Any]) -> Any:
        rule = self.trouble.add(str(given.pop("does")), **given)
        return {"id": rule.id}

    async def _clear(self, names: list[str], given: dict[str, Any]) -> Any:
        self.trouble.clear(self.trouble.rules[int(names[0])] if names else None)
        return {"rules": self.trouble.shown()}

    async def _time(self, names: list[str], given: dict[str, Any]) -> Any:
        return {"now": self.clock.now().isoformat(), "speed": self.clock.speed}

    async def _advance(self, names: list[str], given: dict[str, Any]) -> Any:
        await self.clock.advance(float(given["seconds"]))
        return {"now": self.clock.now().isoformat(), "speed": self.clock.speed}

    async def _expire(self, names: list[str], given: dict[str, Any]) -> Any:
        self.expire_tokens(given.get("cloud"))
        return {}

    async def _links(self, names: list[str], given: dict[str, Any]) -> Any:
        self.wrong_links(given["region"], str(given["base"]))
        return {}

    async def _cells(self, names: list[str], given: dict[str, Any]) -> Any:
        hidden = self.cell_down(given["region"], bool(given["down"]), float(given.get("share", 0.2)))
        return {"servers": [server.id for server in hidden]}

    async def _microversion(self, names: list[str], given: dict[str, Any]) -> Any:
        self.newest_microversion(given["region"], str(given["maximum"]))
        return {}

    async def _confirm(self, names: list[str], given: dict[str, Any]) -> Any:
        self.confirm_after(given["region"], float(given["seconds"]))
        return {}

    async def _shutdown(self, names: list[str], given: dict[str, Any]) -> Any:
        self.guest_shuts_down(names[0])
        return {}

    async def _put(self, names: list[str], given: dict[str, Any]) -> Any:
        server = self.put(names[0], **given)
        return {"vm_state": server.vm_state, "task_state": server.task_state, "power_state": server.power_state}
