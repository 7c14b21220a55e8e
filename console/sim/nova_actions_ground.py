"""What every action of Nova needs: to start a life for it, or to note that it is over already."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, reply
from console.sim.job import Job
from console.sim.nova_api import Nova
from console.sim.records import Event, Server


class ActionGround:
    """Starts and notes the actions of one region's Nova."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.region = nova.place
        self.store = nova.store

    def begin(self, call: Call, server: Server, life: str, name: str, **given: Any) -> None:
        """Start a life for an action, and note it."""
        action = self.store.noted(server, name, call.who, call.request_id)
        given.setdefault("vm_state", server.vm_state)
        self.nova.machine.run(server, Job(life, action, given))

    def note(self, call: Call, server: Server, name: str, event: str = "") -> None:
        """Note an action that is over at once."""
        action = self.store.noted(server, name, call.who, call.request_id)
        if event:
            action.events.append(Event(event, action.start, action.start, "Success", server.host))

    def noted(self, call: Call, server: Server, name: str) -> web.Response:
        """An action that is over at once and bumps updated_at: note it and answer 202."""
        server.touch(self.nova.clock.time())
        self.note(call, server, name, f"api_{name}" if name in ("lock", "unlock") else "")
        return reply(202)
