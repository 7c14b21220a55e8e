"""The actions of Nova that are an administrator's, and the few that are nobody's any more."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import invalid
from console.sim.nova_actions_ground import ActionGround
from console.sim.records import Server


class AdminActions(ActionGround):
    """Resetting, moving and forcing."""

    def reset_state(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action os-resetState."""
        state = given.get("state") if isinstance(given, dict) else None
        if state not in ("active", "error"):
            raise invalid("state", state, f"{state!r} is not one of ['active', 'error']")
        server.vm_state, server.task_state = state, None
        server.motion += 1
        return self.noted(call, server, "resetState")

    def migrate(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action migrate."""
        host = given.get("host") if isinstance(given, dict) and call.minor >= 56 else None
        self.begin(call, server, "migrate", "migrate", host=self._host(host))
        return reply(202)

    def live_migrate(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action os-migrateLive."""
        host = given.get("host") if isinstance(given, dict) else None
        self.begin(call, server, "live_migrate", "live-migration", host=self._host(host))
        return reply(202)

    def _host(self, host: str | None) -> str | None:
        if host is not None and host not in self.store.hosts:
            raise Fault(400, f"Compute host {host} could not be found.")
        return host

    def evacuate(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action evacuate."""
        host = self.store.hosts.get(server.host)
        if host is not None and not host.forced_down:
            raise Fault(400, f"Compute service of {server.host} is still in use.")
        target = given.get("host") if isinstance(given, dict) else None
        self.begin(call, server, "evacuate", "evacuate", host=self._host(target))
        return reply(200) if call.minor >= 14 else reply(200, {"adminPass": server.admin_pass})

    def force_delete(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action forceDelete."""
        self.begin(call, server, "delete", "forceDelete")
        return reply(202)

    def inject_network(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action injectNetworkInfo."""
        return reply(202)

    def reset_network(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action resetNetwork."""
        raise Fault(410, "This resource is no longer available. No forwarding address is given.")
