"""Trouble on request: what a real cloud does on a bad day, declared as rules that match requests.

A rule names what it meets (cloud, region, service, method, part of the path) and what it does, for ever or so many
times.  The rules are set from Python (`estate.control`) or over HTTP on the estate's control port.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault

PAGE = (
    "<html>\r\n<head><title>{status} {text}</title></head>\r\n<body>\r\n<center><h1>{status} {text}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
PHRASES = {429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Time-out", 413: "Request Entity Too Large"}  # fmt: skip
DEEDS = {
    "latency": "answer after `seconds`",
    "status": "answer with `status` in the service's own words, with Retry-After where `retry_after` is given",
    "proxy": "answer with `status` and a proxy's HTML page",
    "reset": "reset the connection instead of answering",
    "hang": "never answer (the connection stays open)",
    "garbage": "answer 200 with bytes that are no JSON",
    "html": "answer 200 with an HTML page",
    "empty": "answer with the right status and an empty body",
    "cut": "announce the whole body, send half of it and close",
    "types": "answer JSON of the right keys with wrong types",
    "lost_reply": "make the server that was asked for, then answer 500",
    "build_hang": "leave a new server in BUILD for ever",
}


@dataclass(slots=True)
class Rule:
    """One kind of trouble: what it meets, what it does, how often still (None: always)."""

    id: int
    does: str
    cloud: str = ""
    region: str = ""
    service: str = ""
    method: str = ""
    path: str = ""
    times: int | None = None
    status: int = 503
    retry_after: str | None = None
    message: str = ""
    seconds: float = 0.0
    met: int = 0

    def meets(self, cloud: str, region: str, service: str, method: str, path: str) -> bool:
        """Whether this rule is about such a request."""
        if self.times is not None and self.met >= self.times:
            return False
        pairs = ((self.cloud, cloud), (self.region, region), (self.service, service), (self.method, method))
        return all(not mine or mine == theirs for mine, theirs in pairs) and self.path in path


class Trouble:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self.rules: dict[int, Rule] = {}
        self._numbers = itertools.count(1)

    def add(self, does: str, **given: Any) -> Rule:
        """A new rule; ValueError for a deed that is not one of DEEDS, TypeError for an unknown field."""
        if does not in DEEDS:
            raise ValueError(f"no such trouble: {does}; known are {', '.join(DEEDS)}")
        if does == "status" and "status" not in given:
            raise ValueError("a status rule needs a status")
        rule = Rule(next(self._numbers), does, **given)
        self.rules[rule.id] = rule
        return rule

    def clear(self, rule: Rule | None = None) -> None:
        """End one rule, or all of them."""
        if rule is None:
            self.rules.clear()
        else:
            self.rules.pop(rule.id, None)

    def shown(self) -> list[dict[str, Any]]:
        """The rules as JSON."""
        return [asdict(rule) for rule in self.rules.values()]

    def meeting(self, cloud: str, region: str, service: str, method: str, path: str) -> list[Rule]:
        """The rules that befall this request; each counts it."""
        if not self.rules:
            return []
        found = [r for r in self.rules.values() if r.does not in LATER]
        found = [r for r in found if r.meets(cloud, region, service, method, path)]
        for rule in found:
            rule.met += 1
        return found

    def takes(self, does: str, cloud: str, region: str) -> bool:
        """Whether a rule of this kind befalls a server that is just being made."""
        for rule in self.rules.values():
            if rule.does == does and rule.meets(cloud, region, "compute", "POST", "/servers" + rule.path):
                rule.met += 1
                return True
        return False


LATER = {"lost_reply", "build_hang"}


async def strike(rule: Rule, call: Call) -> web.StreamResponse | None:
    """What a rule does before the request is answered; an answer of its own ends it there."""
    if rule.does == "latency":
        await asyncio.sleep(rule.seconds)
    elif rule.does == "status":
        headers = {"Retry-After": rule.retry_after} if rule.retry_after is not None else {}
        raise Fault(rule.status, rule.message or PHRASES.get(rule.status, "Trouble"), headers=headers)
    elif rule.does == "proxy":
        return _page(rule.status)
    elif rule.does == "hang":
        await asyncio.Event().wait()
    elif rule.does == "reset":
        _reset(call)
        return web.Response(status=503)
    elif rule.does == "garbage":
        return web.Response(body=b"\x00\xff{]\x1b[31m" * 40, headers={"Content-Type": "application/json"})
    elif rule.does == "html":
        return _page(200)
    return None


def spoil(rule: Rule, response: web.Response, call: Call) -> web.Response:
    """What a rule does to the answer."""
    body = response.body if isinstance(response.body, bytes) else b""
    if rule.does == "empty":
        response.body = b""
    elif rule.does == "types":
        response.body = b'{"servers": "none", "server": [], "images": 7, "flavors": {"id": null}, "token": 1}'
    elif rule.does == "cut" and call.request.transport is not None:
        head = f"HTTP/1.1 {response.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        call.request.transport.write(head.encode() + body[: len(body) // 2])
        call.request.transport.close()
    return response


def _page(status: int) -> web.Response:
    text = PAGE.format(status=status, text=PHRASES.get(status, "OK"))
    return web.Response(status=status, text=text, content_type="text/html")


def _reset(call: Call) -> None:
    transport = call.request.transport
    if transport is None:
        return
    plug = transport.get_extra_info("socket")
    if plug is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
