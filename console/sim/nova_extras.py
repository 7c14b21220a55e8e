"""What hangs on a server in Nova beside its actions: metadata, tags, security groups, consoles; and the zones."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import checked_metadata, invalid
from console.sim.clock import naive
from console.sim.neutron_store import Rule, SecurityGroup
from console.sim.nova_api import Nova
from console.sim.records import Server

HTML = {"Content-Type": "text/html; charset=UTF-8"}
# What Nova 34 answers where it meant to say 409.
UNEXPECTED = "Unexpected API Error. Please contact the administrator\n<class 'nova.exception.InstanceInvalidState'>"
TAGGING = "update tags"
META_STATES = ("active", "paused", "suspended", "stopped")


class Extras:
    """The routes of one region's Nova for what hangs on a server."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        self.views = nova.views
        nova.router.table(
            {
                "GET /servers/{id}/metadata": self.metadata,
                "POST /servers/{id}/metadata": self.merge_metadata,
                "PUT /servers/{id}/metadata": self.replace_metadata,
                "GET /servers/{id}/metadata/{key}": self.item,
                "PUT /servers/{id}/metadata/{key}": self.put_item,
                "DELETE /servers/{id}/metadata/{key}": self.drop_item,
                "GET /servers/{id}/tags": self.tags,
                "PUT /servers/{id}/tags": self.replace_tags,
                "DELETE /servers/{id}/tags": self.drop_tags,
                "GET /servers/{id}/tags/{tag}": self.tag,
                "PUT /servers/{id}/tags/{tag}": self.add_tag,
                "DELETE /servers/{id}/tags/{tag}": self.drop_tag,
                "GET /servers/{id}/os-security-groups": self.security_groups,
                "POST /servers/{id}/remote-consoles": self.remote_console,
                "GET /os-availability-zone": self.zones,
                "GET /os-availability-zone/detail": self.zones_detail,
                "GET /extensions": self.extensions,
            }
        )

    # Metadata and tags

    def _changeable(self, call: Call, what: str) -> Server:
        server = self.nova.server(call)
        if server.locked and not call.admin and what != TAGGING:  # Nova looks for no lock there
            raise Fault(409, f"Instance {server.id} is locked")
        if server.vm_state not in META_STATES:
            raise Fault(409, f"Cannot '{what}' instance {server.id} while it is in vm_state {server.vm_state}")
        return server

    def _set_metadata(self, call: Call, server: Server, found: dict[str, str]) -> None:
        limit = self.store.limits(server.project_id)["metadata_items"]
        server.metadata = checked_metadata(found, limit)
        server.touch(self.nova.clock.time())

    async def metadata(self, call: Call) -> web.Response:
        """GET /servers/{id}/metadata."""
        return reply(200, {"metadata": self.nova.server(call).metadata})

    async def merge_metadata(self, call: Call) -> web.Response:
        """POST /servers/{id}/metadata."""
        server = self._changeable(call, "update metadata")
        given = checked_metadata(call.json().get("metadata"), 10_000)
        self._set_metadata(call, server, server.metadata | given)
        return reply(200, {"metadata": server.metadata})

    async def replace_metadata(self, call: Call) -> web.Response:
        """PUT /servers/{id}/metadata."""
        server = self._changeable(call, "update metadata")
        self._set_metadata(call, server, checked_metadata(call.json().get("metadata"), 10_000))
        return reply(200, {"metadata": server.metadata})

    def _item(self, call: Call, server: Server) -> str:
        if call.names["key"] not in server.metadata:
            raise Fault(404, "Metadata item was not found")
        return server.metadata[call.names["key"]]

    async def item(self, call: Call) -> web.Response:
        """GET /servers/{id}/metadata/{key}."""
        server = self.nova.server(call)
        return reply(200, {"meta": {call.names["key"]: self._item(call, server)}})

    async def put_item(self, call: Call) -> web.Response:
        """PUT /servers/{id}/metadata/{key}."""
        server = self._changeable(call, "update metadata")
        given = call.json().get("meta")
        if not isinstance(given, dict) or list(given) != [call.names["key"]]:
            raise Fault(400, "Request body and URI mismatch")
        self._set_metadata(call, server, server.metadata | checked_metadata(given, 1))
        return reply(200, {"meta": given})

    async def drop_item(self, call: Call) -> web.Response:
        """DELETE /servers/{id}/metadata/{key}."""
        server = self._changeable(call, "delete metadata")
        self._item(call, server)
        kept = {k: v for k, v in server.metadata.items() if k != call.names["key"]}
        self._set_metadata(call, server, kept)
        return reply(204)

    def _tagged(self, call: Call) -> Server:
        if call.minor < 26:
            raise Fault(404, "The resource could not be found.")
        return self.nova.server(call)

    def _taggable(self, call: Call) -> Server:
        self._tagged(call)
        return self._changeable(call, TAGGING)

    async def tags(self, call: Call) -> web.Response:
        """GET /servers/{id}/tags."""
        return reply(200, {"tags": self._tagged(call).tags})

    async def replace_tags(self, call: Call) -> web.Response:
        """PUT /servers/{id}/tags."""
        server = self._taggable(call)
        tags = call.json().get("tags")
        if not isinstance(tags, list) or not all(isinstance(t, str) and t and not set(t) & set(",/") for t in tags):
            raise invalid("tags", tags, "does not match '^[^,/]*$'")
        if len(tags) > 50:
            raise Fault(400, "The number of tags exceeded the per-server limit 50")
        server.tags = list(dict.fromkeys(tags))
        server.stale()
        return reply(200, {"tags": server.tags})

    async def drop_tags(self, call: Call) -> web.Response:
        """DELETE /servers/{id}/tags."""
        server = self._taggable(call)
        server.tags = []
        server.stale()
        return reply(204)

    async def tag(self, call: Call) -> web.Response:
        """GET /servers/{id}/tags/{tag}."""
        server = self._tagged(call)
        if call.names["tag"] not in server.tags:
            raise Fault(404, f"Instance {server.id} has no tag '{call.names['tag']}'")
        return reply(204)

    async def add_tag(self, call: Call) -> web.Response:
        """PUT /servers/{id}/tags/{tag}."""
        server = self._taggable(call)
        if call.names["tag"] in server.tags:
            return reply(204, None, HTML)
        server.tags.append(call.names["tag"])
        server.stale()
        href = f"{self.views.root}/servers/{server.id}/tags/{call.names['tag']}"
        return reply(201, None, {"Location": href, **HTML})

    async def drop_tag(self, call: Call) -> web.Response:
        """DELETE /servers/{id}/tags/{tag}."""
        server = self._taggable(call)
        if call.names["tag"] not in server.tags:
            raise Fault(404, f"Instance {server.id} has no tag '{call.names['tag']}'")
        server.tags.remove(call.names["tag"])
        server.stale()
        return reply(204)

    async def security_groups(self, call: Call) -> web.Response:
        """GET /servers/{id}/os-security-groups."""
        server = self.nova.server(call)
        rows = []
        for name in server.security_groups:
            group = self.nova.place.neutron.group(server.project_id, name)
            rules = [self._old_rule(group, rule) for rule in group.rules if rule.direction == "ingress"]
            rows.append({"id": group.id, "name": group.name, "description": group.description,
                         "tenant_id": group.project_id, "rules": rules})  # fmt: skip
        return reply(200, {"security_groups": rows})

    def _old_rule(self, group: SecurityGroup, rule: Rule) -> dict[str, Any]:
        own = {"name": group.name, "tenant_id": group.project_id} if rule.remote_group else {}
        return {"id": rule.id, "parent_group_id": group.id, "ip_protocol": rule.protocol, "from_port": rule.port_min,
                "to_port": rule.port_max, "group": own,
                "ip_range": {"cidr": rule.prefix} if rule.prefix else {}}  # fmt: skip

    # Consoles and zones

    async def remote_console(self, call: Call) -> web.Response:
        """POST /servers/{id}/remote-consoles."""
        if call.minor < 6:
            raise Fault(404, "The resource could not be found.")
        server = self.nova.server(call)
        wanted = call.json().get("remote_console")
        if not isinstance(wanted, dict) or "protocol" not in wanted or "type" not in wanted:
            raise invalid("remote_console", wanted, "'protocol' is a required property")
        if not server.host:
            raise Fault(409, f"Instance {server.id} is not ready")
        if server.task_state in ("deleting", "migrating"):
            raise Fault(500, UNEXPECTED)
        token = self.nova.place.ids.uuid()
        url = f"http://127.0.0.1:6080/vnc_auto.html?path=%3Ftoken%3D{token}"
        return reply(200, {"remote_console": {"protocol": wanted["protocol"], "type": wanted["type"], "url": url}})

    async def zones(self, call: Call) -> web.Response:
        """GET /os-availability-zone."""
        names = sorted({h.zone for h in self.store.hosts.values()})
        rows = [{"zoneName": name, "zoneState": {"available": True}, "hosts": None} for name in names]
        return reply(200, {"availabilityZoneInfo": rows})

    async def zones_detail(self, call: Call) -> web.Response:
        """GET /os-availability-zone/detail."""
        self.nova.only_admin(call, "os-availability-zone:detail")
        now = naive(self.nova.clock.time())
        alive = {"available": True, "active": True, "updated_at": now}
        inner = {"vm": {"nova-scheduler": alive, "nova-conductor": alive}}
        rows: list[dict[str, Any]] = [{"zoneName": "internal", "zoneState": {"available": True}, "hosts": inner}]
        for zone in sorted({h.zone for h in self.store.hosts.values()}):
            hosts = {
                h.name: {"nova-compute": alive | {"available": not h.forced_down, "active": not h.disabled}}
                for h in self.store.hosts.values()
                if h.zone == zone
            }
            rows.append({"zoneName": zone, "zoneState": {"available": True}, "hosts": hosts})
        return reply(200, {"availabilityZoneInfo": rows})

    async def extensions(self, call: Call) -> web.Response:
        """GET /extensions."""
        return reply(200, {"extensions": []})
