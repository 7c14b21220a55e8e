"""Nova's servers: listing, showing, creating, updating and deleting them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import checked_address, checked_hostname, checked_name
from console.sim.job import Job
from console.sim.nova_api import Nova
from console.sim.nova_query import Query
from console.sim.nova_views import addresses
from console.sim.records import Event, Server
from console.sim.wanted import Wanted


class Servers:
    """The /servers routes of one region's Nova."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        add = nova.router.add
        add("GET", "/servers", self.brief_list)
        add("GET", "/servers/detail", self.detail_list)
        add("POST", "/servers", self.create)
        add("GET", "/servers/{id}", self.show)
        add("PUT", "/servers/{id}", self.update)
        add("DELETE", "/servers/{id}", self.delete)
        add("GET", "/servers/{id}/ips", self.ips)
        add("GET", "/servers/{id}/ips/{network}", self.ips_of)

    async def brief_list(self, call: Call) -> web.Response:
        """GET /servers."""
        return self._list(call, self.nova.views.brief)

    async def detail_list(self, call: Call) -> web.Response:
        """GET /servers/detail."""
        views, minor, admin = self.nova.views, call.minor, call.admin
        return self._list(call, lambda server: views.encoded(server, minor, admin, True))

    def _list(self, call: Call, show: Callable[[Server], bytes]) -> web.Response:
        query = Query(call, self.store)
        rows, limit = query.page()
        body = b'{"servers":[' + b",".join([show(server) for server in rows]) + b"]"
        if limit and len(rows) >= limit:
            asked = call.first("limit")
            shown = int(asked) if asked and int(asked) <= limit else limit
            link = self.nova.next_link(call, rows[-1].id, shown, "servers_links")
            body += b"," + msgspec.json.encode(link)[1:-1]
        return reply(200, body + b"}")

    async def show(self, call: Call) -> web.Response:
        """GET /servers/{id}."""
        server = self.nova.server(call)
        return reply(200, b'{"server":' + self.nova.views.encoded(server, call.minor, call.admin, False) + b"}")

    async def ips(self, call: Call) -> web.Response:
        """GET /servers/{id}/ips."""
        return reply(200, {"addresses": addresses(self.nova.server(call), short=True)})

    async def ips_of(self, call: Call) -> web.Response:
        """GET /servers/{id}/ips/{network}."""
        found = addresses(self.nova.server(call), short=True)
        name = call.names["network"]
        if name not in found:
            raise Fault(404, "Instance is not a member of specified network")
        return reply(200, {name: found[name]})

    async def create(self, call: Call) -> web.Response:
        """POST /servers."""
        wanted = Wanted(self.nova, call)
        servers = wanted.servers()
        hangs = self.nova.trouble.takes("build_hang", self.nova.cloud, self.nova.region)
        for server in servers:
            self.store.add(server)
            server.stuck = hangs
            self._begin(call, server, wanted.networks(server))
        first = servers[0]
        if self.nova.trouble.takes("lost_reply", self.nova.cloud, self.nova.region):
            raise Fault(500, "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/.")
        if wanted.reservation:
            return reply(202, {"reservation_id": first.reservation_id})
        body = self.nova.views.created(first)
        return reply(202, {"server": body}, {"Location": body["links"][0]["href"]})

    def _begin(self, call: Call, server: Server, networks: list[dict[str, Any]]) -> None:
        action = self.store.noted(server, "create", call.who, call.request_id)
        self.nova.machine.run(server, Job("create", action, {"networks": networks}))

    async def update(self, call: Call) -> web.Response:
        """PUT /servers/{id}: name, description, access addresses, hostname."""
        server = self.nova.server(call)
        body = call.json().get("server")
        if not isinstance(body, dict):
            raise Fault(400, "Invalid input for field/attribute server.")
        fields = {"name": "name", "accessIPv4": "access_v4", "accessIPv6": "access_v6"}
        fields |= {"OS-DCF:diskConfig": "disk_config"} | ({"description": "description"} if call.minor >= 19 else {})
        fields |= {"hostname": "hostname"} if call.minor >= 90 else {}
        unknown = [key for key in body if key not in fields]
        if unknown:
            names = ", ".join(f"'{key}'" for key in unknown)
            raise Fault(400, f"Additional properties are not allowed ({names} was unexpected)")
        if "name" in body:
            checked_name(body["name"])
        for key in {"accessIPv4", "accessIPv6"} & set(body):
            body[key] = checked_address(key, body[key], self.nova.clears_access)
        if "hostname" in body:
            checked_hostname(body["hostname"], call.minor)
        for key, value in body.items():
            setattr(server, fields[key], value if value is not None or key == "description" else "")
        server.touch(self.nova.clock.time())
        return reply(200, {"server": self.nova.views.update(server, call.minor, call.admin)})

    async def delete(self, call: Call) -> web.Response:
        """DELETE /servers/{id}: from any state, as often as one likes."""
        server = self.nova.server(call)
        if server.locked and not call.admin:
            raise Fault(409, f"Instance {server.id} is locked")
        if server.task_state == "deleting":
            return reply(204)
        if server.vm_state == "resized":
            self._confirmed(call, server)
        action = self.store.noted(server, "delete", call.who, call.request_id)
        self.nova.machine.run(server, Job(self._way_out(server), action))
        return reply(204)

    def _way_out(self, server: Server) -> str:
        if not server.host:
            return "delete_at_once"
        if server.vm_state == "resized":
            return "delete_resized"
        soft = self.store.reclaim_deleted and server.vm_state not in ("error", "building")
        return "soft_delete" if soft else "delete"

    def _confirmed(self, call: Call, server: Server) -> None:
        action = self.store.noted(server, "confirmResize", call.who, call.request_id)
        action.events.append(Event("compute_terminate_instance", action.start, action.start, "Success", server.host))
