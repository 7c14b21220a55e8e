"""Trouble on request: what a real cloud does on a bad day, declared as rules that match requests.

A rule names what it meets (service, region, method, part of the path) and what it does.  The same rules are set
from Python (`estate.control`) and over HTTP on the estate's control port.
"""

from __future__ import annotations

from aiohttp import web

from console.sim.call import Call, Fault


class Ailment:
    """What one rule does to one request."""

    async def strike(self, call: Call) -> web.StreamResponse | None:
        """Act before the request is answered; an answer of its own ends it there."""
        return None

    def spoil(self, response: web.Response) -> web.Response:
        """Act on the answer."""
        return response


class Trouble:
    """The rules in force."""

    def meets(self, service: str, region: str, method: str, path: str) -> Ailment | None:
        """What befalls this request, if anything."""
        return None

    def after_create(self, region: str) -> Fault | None:
        """What to answer although the server was made."""
        return None
