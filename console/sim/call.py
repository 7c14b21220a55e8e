"""One request to the embedded cloud on its way through a service: what was asked, by whom, and the plain answers.

Routes, faults and JSON replies are made here; what they mean is each service's own affair.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from console.sim.identity import Token

UNAUTHORIZED = (
    b'{"error": {"code": 401, "title": "Unauthorized", '
    b'"message": "The request you have made requires authentication."}}'
)


class Fault(Exception):
    """An answer other than success; the service puts it into its own words."""

    def __init__(self, status: int, message: str, *, kind: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = headers or {}


@dataclass(slots=True)
class Call:
    """One request on its way through a service.

    `plain` answers come from before the service proper (version documents, refused logins) and carry no request id;
    `behind` ones come from behind the auth middleware.
    """

    request: web.Request
    path: str
    request_id: str
    query: list[tuple[str, str]]
    body: bytes = b""
    token: Token | None = None
    minor: int = 1
    plain: bool = False
    behind: bool = True
    names: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def who(self) -> Token:
        """The caller's login; only routes that need one may ask."""
        if self.token is None:
            raise Fault(401, "The request you have made requires authentication.")
        return self.token

    @property
    def admin(self) -> bool:
        """Whether the caller has the admin role."""
        return self.token is not None and "admin" in self.token.roles

    def first(self, key: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        return next((value for name, value in self.query if name == key), default)

    def all(self, key: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for name, value in self.query if name == key]

    def json(self) -> dict[str, Any]:
        """The request's JSON object; a 400 where it is none."""
        try:
            found = msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            raise Fault(400, "Malformed request body") from None
        if not isinstance(found, dict):
            raise Fault(400, "Malformed request body")
        return found


Answer = Callable[[Call], Awaitable[web.Response]]


class Router:
    """Finds the answer for a method and a path; `{name}` stands for one segment."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, int], list[tuple[list[str], Answer]]] = {}

    def add(self, method: str, pattern: str, answer: Answer) -> None:
        """Send this method and pattern to `answer`; the first that was added wins."""
        parts = pattern.strip("/").split("/")
        self._routes.setdefault((method, len(parts)), []).append((parts, answer))

    def table(self, routes: Mapping[str, Answer]) -> None:
        """Take in routes written as "METHOD /pattern"."""
        for route, answer in routes.items():
            method, pattern = route.split(" ")
            self.add(method, pattern, answer)

    def find(self, method: str, path: str) -> tuple[Answer, dict[str, str]] | None:
        """The answer, and what stands for its names; None where there is none."""
        segments = path.strip("/").split("/")
        for parts, answer in self._routes.get((method, len(segments)), ()):
            if all(p == s or p[:1] == "{" for p, s in zip(parts, segments, strict=True)):
                names = {p[1:-1]: s for p, s in zip(parts, segments, strict=True) if p[:1] == "{"}
                return answer, names
        return None


def reply(status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer; bytes are taken as already encoded."""
    data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    merged = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(status=status, body=data, headers=merged)


def nothing() -> web.Response:
    """An answer without a body that does not say what kind the body would be."""
    return web.Response(status=204)


def error_page(call: Call, status: int, title: str, text: str) -> web.Response:
    """What WebOb makes of an error: a page, JSON where only that is accepted, or text where neither is."""
    accepted = call.request.headers.get("Accept") or "*/*"
    if "*/*" in accepted or "text/html" in accepted or "text/*" in accepted:
        return html(status, title, text)
    if "application/json" in accepted or "application/*" in accepted:
        return reply(status, {"message": f"{text}<br /><br />\n\n\n", "code": f"{status} {title}", "title": title})
    return web.Response(status=status, text=f"{status} {title}\n\n{text}\n\n\n\n ")


def html(status: int, title: str, text: str) -> web.Response:
    """The page that WebOb makes of an error."""
    page = (
        f"<html>\n <head>\n  <title>{status} {title}</title>\n </head>\n <body>\n"
        f"  <h1>{status} {title}</h1>\n  {text}<br /><br />\n\n\n\n </body>\n</html>"
    )
    return web.Response(status=status, body=page.encode(), headers={"Content-Type": "text/html; charset=UTF-8"})
