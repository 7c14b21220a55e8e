"""Nova's server groups: servers that should be together or apart; every member may have them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import invalid
from console.sim.nova_api import Nova
from console.sim.nova_store import ServerGroup

POLICIES = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")


class ServerGroups:
    """The routes of one region's Nova for server groups."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        nova.router.table(
            {
                "GET /os-server-groups": self.groups,
                "POST /os-server-groups": self.add_group,
                "GET /os-server-groups/{id}": self.group,
                "DELETE /os-server-groups/{id}": self.drop_group,
            }
        )

    def _group(self, call: Call) -> ServerGroup:
        found = self.store.groups.get(call.names["id"])
        if found is None or not (call.admin or found.project_id == call.who.project_id):
            raise Fault(404, f"Instance group {call.names['id']} could not be found.")
        return found

    def _group_row(self, found: ServerGroup, minor: int) -> dict[str, Any]:
        record: dict[str, Any] = {"id": found.id, "name": found.name}
        if minor >= 64:
            record |= {"policy": found.policy, "rules": found.rules}
        else:
            record |= {"policies": [found.policy], "metadata": {}}
        record["members"] = [s.id for s in self.store.members(found)]
        if minor >= 13:
            record |= {"project_id": found.project_id, "user_id": found.user_id}
        return record

    async def groups(self, call: Call) -> web.Response:
        """GET /os-server-groups."""
        every = call.admin and call.first("all_projects") is not None
        rows = [g for g in self.store.groups.values() if every or g.project_id == call.who.project_id]
        return reply(200, {"server_groups": [self._group_row(g, call.minor) for g in rows]})

    async def group(self, call: Call) -> web.Response:
        """GET /os-server-groups/{id}."""
        return reply(200, {"server_group": self._group_row(self._group(call), call.minor)})

    async def add_group(self, call: Call) -> web.Response:
        """POST /os-server-groups."""
        body = call.json().get("server_group") or {}
        policy = body.get("policy") if call.minor >= 64 else next(iter(body.get("policies") or []), None)
        if not isinstance(body.get("name"), str):
            raise invalid("server_group", body, "'name' is a required property")
        if policy not in POLICIES:
            raise invalid("policy", policy, f"{policy!r} is not one of {list(POLICIES)}")
        mine = [g for g in self.store.groups.values() if g.project_id == call.who.project_id]
        if 0 <= self.store.limits(call.who.project_id)["server_groups"] <= len(mine):
            raise Fault(403, "Quota exceeded, too many server groups.")
        made = ServerGroup(
            self.store.ids.uuid(), body["name"], call.who.project_id, call.who.user.id, policy, body.get("rules") or {}
        )
        self.store.groups[made.id] = made
        return reply(200, {"server_group": self._group_row(made, call.minor)})

    async def drop_group(self, call: Call) -> web.Response:
        """DELETE /os-server-groups/{id}."""
        del self.store.groups[self._group(call).id]
        return reply(204)
