"""Neutron's security groups and their rules."""

from __future__ import annotations

from aiohttp import web

from console.sim import neutron_views as views
from console.sim.call import Call, Fault, nothing, reply
from console.sim.neutron_ground import NeutronGround
from console.sim.neutron_store import Rule, SecurityGroup


class Groups(NeutronGround):
    """Security groups and rules."""

    async def groups(self, call: Call) -> web.Response:
        """GET /v2.0/security-groups."""
        if call.who.project_id:
            self.store.group(call.who.project_id, "default")
        rows = self._mine(call, self.store.groups.values())
        return self._list(call, "security_groups", [views.group(g, listed=True) for g in rows])

    def _group(self, call: Call) -> SecurityGroup:
        found = self.store.groups.get(call.names["id"])
        if found is None or not (call.admin or found.project_id == call.who.project_id):
            raise Fault(404, f"Security group {call.names['id']} does not exist", kind="SecurityGroupNotFound")
        return found

    async def group(self, call: Call) -> web.Response:
        """GET /v2.0/security-groups/{id}."""
        return reply(200, {"security_group": views.group(self._group(call))})

    async def add_group(self, call: Call) -> web.Response:
        """POST /v2.0/security-groups."""
        body = self._body(call, "security_group")
        name = body.get("name") or ""
        if name == "default":
            raise Fault(409, "Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
        self._spend(call, "security_group", len(self._mine(call, self.store.groups.values())))
        made = self.store.add_group(call.who.project_id, name, body.get("description") or "")
        return reply(201, {"security_group": views.group(made)})

    async def change_group(self, call: Call) -> web.Response:
        """PUT /v2.0/security-groups/{id}."""
        group, body = self._group(call), self._body(call, "security_group")
        old = group.name
        group.name = body.get("name", group.name)
        group.description = body.get("description", group.description)
        group.updated, group.revision = self.clock.time(), group.revision + 1
        for server in self.place.nova.alive(group.project_id) if group.name != old else ():
            server.security_groups = [group.name if n == old else n for n in server.security_groups]
            server.stale()
        return reply(200, {"security_group": views.group(group)})

    async def drop_group(self, call: Call) -> web.Response:
        """DELETE /v2.0/security-groups/{id}."""
        group = self._group(call)
        if any(group.id in port.security_groups for port in self.store.ports.values()):
            raise Fault(409, f"Security Group {group.id} in use.", kind="SecurityGroupInUse")
        del self.store.groups[group.id]
        return nothing()

    def _rules(self, call: Call) -> list[Rule]:
        return [rule for g in self._mine(call, self.store.groups.values()) for rule in g.rules]

    async def rules(self, call: Call) -> web.Response:
        """GET /v2.0/security-group-rules."""
        return self._list(call, "security_group_rules", [views.rule(r, None) for r in self._rules(call)])

    def _rule(self, call: Call) -> Rule:
        for rule in self._rules(call):
            if rule.id == call.names["id"]:
                return rule
        text = f"Security group rule {call.names['id']} does not exist"
        raise Fault(404, text, kind="SecurityGroupRuleNotFound")

    async def rule(self, call: Call) -> web.Response:
        """GET /v2.0/security-group-rules/{id}."""
        return reply(200, {"security_group_rule": views.rule(self._rule(call))})

    async def add_rule(self, call: Call) -> web.Response:
        """POST /v2.0/security-group-rules."""
        body = self._body(call, "security_group_rule")
        call.names["id"] = str(body.get("security_group_id"))
        group = self._group(call)
        if body.get("direction") not in ("ingress", "egress"):
            raise Fault(400, f"Invalid input for direction. Reason: '{body.get('direction')}' is not in valid_values.")
        made = Rule(
            self.place.ids.uuid(), group.id, group.project_id, body["direction"], body.get("ethertype") or "IPv4",
            self.clock.time(), body.get("protocol"), body.get("port_range_min"), body.get("port_range_max"),
            body.get("remote_ip_prefix"), body.get("remote_group_id"), body.get("description") or "",
        )  # fmt: skip
        for rule in group.rules:
            if rule.same() == made.same():
                text = f"Security group rule already exists. Rule id is {rule.id}."
                raise Fault(409, text, kind="SecurityGroupRuleExists")
        self._spend(call, "security_group_rule", len(self._rules(call)))
        group.rules.append(made)
        group.revision += 1
        row = {k: v for k, v in views.rule(made).items() if k not in ("standard_attr_id", "tags")}
        return reply(201, {"security_group_rule": row})

    async def drop_rule(self, call: Call) -> web.Response:
        """DELETE /v2.0/security-group-rules/{id}."""
        rule = self._rule(call)
        self.store.groups[rule.group_id].rules.remove(rule)
        return nothing()
