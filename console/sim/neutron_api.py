"""Neutron v2.0 as its clients meet it: networks, subnets, ports, floating IPs, security groups, quotas."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim import neutron_views as views
from console.sim.call import Call, Fault, nothing, reply
from console.sim.clock import Clock
from console.sim.neutron_groups import Groups
from console.sim.neutron_store import NoAddress
from console.sim.records import FloatingAddress, Port
from console.sim.region import Region
from console.sim.trouble import Trouble

EXTENSIONS = {
    "allowed-address-pairs": "Allowed Address Pairs",
    "binding": "Port Binding",
    "external-net": "Neutron external network",
    "floating-ip-port-forwarding": "Floating IP Port Forwarding",
    "fip-port-details": "Floating IP Port Details Extension",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "project-id": "project_id field enabled",
    "quotas": "Quota management support",
    "quota_details": "Quota details management support",
    "revision-if-match": "If-Match constraints based on revision_number",
    "router": "Neutron L3 Router",
    "security-group": "security-group",
    "sorting": "Sorting support",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-timestamp": "Resource timestamps",
}
QUOTA = {
    "network": 100, "subnet": 100, "subnetpool": -1, "port": 5000, "router": 10, "floatingip": 200,
    "router_route": 30,
    "rbac_policy": 10, "security_group": 100, "security_group_rule": 100,
}  # fmt: skip
PAIRS_DENIED = (
    "(rule:update_port and (rule:update_port:allowed_address_pairs and "
    "(rule:update_port:allowed_address_pairs:ip_address))) is disallowed by policy"
)


class Neutron(Groups):
    """One region's network service."""

    def __init__(self, region: Region, clock: Clock, trouble: Trouble) -> None:
        super().__init__(region, clock, trouble, dict(QUOTA))
        routes = {
            "GET /v2.0": self.resources,
            "GET /v2.0/extensions": self.extensions,
            "GET /v2.0/extensions/{alias}": self.extension,
            "GET /v2.0/networks": self.networks,
            "GET /v2.0/networks/{id}": self.network,
            "GET /v2.0/subnets": self.subnets,
            "GET /v2.0/subnets/{id}": self.subnet,
            "GET /v2.0/routers": self.routers,
            "GET /v2.0/ports": self.ports,
            "POST /v2.0/ports": self.add_port,
            "GET /v2.0/ports/{id}": self.port,
            "PUT /v2.0/ports/{id}": self.change_port,
            "DELETE /v2.0/ports/{id}": self.drop_port,
            "GET /v2.0/floatingips": self.floatings,
            "POST /v2.0/floatingips": self.add_floating,
            "GET /v2.0/floatingips/{id}": self.floating,
            "PUT /v2.0/floatingips/{id}": self.change_floating,
            "DELETE /v2.0/floatingips/{id}": self.drop_floating,
            "GET /v2.0/security-groups": self.groups,
            "POST /v2.0/security-groups": self.add_group,
            "GET /v2.0/security-groups/{id}": self.group,
            "PUT /v2.0/security-groups/{id}": self.change_group,
            "DELETE /v2.0/security-groups/{id}": self.drop_group,
            "GET /v2.0/security-group-rules": self.rules,
            "POST /v2.0/security-group-rules": self.add_rule,
            "GET /v2.0/security-group-rules/{id}": self.rule,
            "DELETE /v2.0/security-group-rules/{id}": self.drop_rule,
            "GET /v2.0/quotas/{project}": self.quotas,
            "GET /v2.0/quotas/{project}/{details}": self.quota_details,
        }
        self.router.table(routes)

    async def handle(self, call: Call) -> web.Response:
        call.plain = call.path.strip("/") == ""
        if call.path == "/v2.0" and self.identity.token(call.request.headers.get("X-Auth-Token", "")):
            return self.not_routed(call)
        if call.plain:
            links = [{"rel": "self", "href": f"{self.base}/v2.0/"}]
            return reply(200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})
        if call.path.endswith(".json"):
            call.path = call.path.removesuffix(".json")
        return await super().handle(call)

    async def resources(self, call: Call) -> web.Response:
        """GET /v2.0."""
        names = {"networks": "network", "subnets": "subnet", "ports": "port"}
        rows = [
            {"name": one, "collection": many, "links": [{"rel": "self", "href": f"{self.base}/v2.0/{many}"}]}
            for many, one in names.items()
        ]
        return reply(200, {"resources": rows})

    async def extensions(self, call: Call) -> web.Response:
        """GET /v2.0/extensions."""
        return reply(200, {"extensions": [_extension(alias) for alias in EXTENSIONS]})

    async def extension(self, call: Call) -> web.Response:
        """GET /v2.0/extensions/{alias}."""
        if call.names["alias"] not in EXTENSIONS:
            raise Fault(404, "The resource could not be found.")
        return reply(200, {"extension": _extension(call.names["alias"])})

    async def networks(self, call: Call) -> web.Response:
        """GET /v2.0/networks."""
        seen = self.store.visible(call.who.project_id, call.admin)
        return self._list(call, "networks", [views.network(n) for n in seen])

    async def network(self, call: Call) -> web.Response:
        """GET /v2.0/networks/{id}."""
        seen = {n.id: n for n in self.store.visible(call.who.project_id, call.admin)}
        found = seen.get(call.names["id"])
        if found is None:
            raise Fault(404, f"Network {call.names['id']} could not be found.", kind="NetworkNotFound")
        return reply(200, {"network": views.network(found)})

    async def subnets(self, call: Call) -> web.Response:
        """GET /v2.0/subnets."""
        seen = self.store.visible(call.who.project_id, call.admin)
        return self._list(call, "subnets", [views.subnet(s, n.external) for n in seen for s in n.subnets])

    async def subnet(self, call: Call) -> web.Response:
        """GET /v2.0/subnets/{id}."""
        for network in self.store.visible(call.who.project_id, call.admin):
            for found in network.subnets:
                if found.id == call.names["id"]:
                    return reply(200, {"subnet": views.subnet(found, network.external)})
        raise Fault(404, f"Subnet {call.names['id']} could not be found.", kind="SubnetNotFound")

    async def routers(self, call: Call) -> web.Response:
        """GET /v2.0/routers."""
        return self._list(call, "routers", [])

    # Ports

    async def ports(self, call: Call) -> web.Response:
        """GET /v2.0/ports."""
        device = set(call.all("device_id"))
        rows: list[Port] = self._mine(call, self.store.ports.values())
        if device:
            rows = [p for p in rows if p.device_id in device]
        return self._list(call, "ports", [views.port(p, call.admin) for p in rows])

    def _port(self, call: Call) -> Port:
        found: Port = self._one(call, self.store.ports.get(call.names["id"]), "Port")
        return found

    async def port(self, call: Call) -> web.Response:
        """GET /v2.0/ports/{id}."""
        return reply(200, {"port": views.port(self._port(call), call.admin)})

    async def add_port(self, call: Call) -> web.Response:
        """POST /v2.0/ports."""
        body = self._body(call, "port")
        seen = {n.id: n for n in self.store.visible(call.who.project_id, call.admin)}
        network = seen.get(body.get("network_id", ""))
        if network is None:
            raise Fault(404, f"Network {body.get('network_id')} could not be found.", kind="NetworkNotFound")
        self._spend(call, "port", len(self._mine(call, self.store.ports.values())))
        wanted = next((f.get("ip_address") for f in body.get("fixed_ips") or []), None)
        try:
            port = self.store.add_port(network, call.who.project_id, wanted)
        except NoAddress as full:
            raise Fault(409, str(full), kind="IpAddressAlreadyAllocated") from None
        port.name, port.description = body.get("name") or "", body.get("description") or ""
        port.status, port.preserved = "DOWN", True
        groups = body.get("security_groups")
        port.security_groups = groups if groups is not None else [self.store.group(call.who.project_id, "default").id]
        self._set_pairs(call, port, body)
        return reply(201, {"port": views.port(port, call.admin)})

    async def change_port(self, call: Call) -> web.Response:
        """PUT /v2.0/ports/{id}."""
        port, body = self._port(call), self._body(call, "port")
        self._match(call, port.revision)
        self._set_pairs(call, port, body)
        for key in ("name", "description", "admin_state_up"):
            if key in body:
                setattr(port, key, body[key])
        if "port_security_enabled" in body:
            port.port_security = bool(body["port_security_enabled"])
        if "security_groups" in body:
            port.security_groups = list(body["security_groups"])
            self._rename_groups(port)
        self.store.touch(port)
        return reply(200, {"port": views.port(port, call.admin)})

    def _rename_groups(self, port: Port) -> None:
        server = self.place.nova.servers.get(port.device_id)
        if server is not None:
            known = self.store.groups
            server.security_groups = [known[g].name for g in port.security_groups if g in known]
            server.stale()

    def _match(self, call: Call, revision: int) -> None:
        wanted = call.request.headers.get("If-Match", "")
        if wanted.startswith("revision_number=") and wanted.removeprefix("revision_number=") != str(revision):
            raise Fault(412, f"Constrained to {wanted.split('=')[1]}, but current revision is {revision}")

    def _set_pairs(self, call: Call, port: Port, body: dict[str, Any]) -> None:
        pairs = body.get("allowed_address_pairs")
        if pairs is None:
            return
        if not (call.admin or port.network.project_id == call.who.project_id):
            raise Fault(403, PAIRS_DENIED)
        if len(pairs) > 10:
            raise Fault(400, "Exceeded maximum amount of address pairs 10.", kind="AddressPairsExhausted")
        if pairs and not port.port_security:
            raise Fault(409, "Port Security must be enabled in order to have allowed address pairs on a port.")
        port.pairs = [{"mac_address": p.get("mac_address", port.mac), "ip_address": p["ip_address"]} for p in pairs]

    async def drop_port(self, call: Call) -> web.Response:
        """DELETE /v2.0/ports/{id}."""
        port = self._port(call)
        server = self.place.nova.servers.get(port.device_id)
        if server is not None and port in server.ports:
            port.preserved = False
            self.store.unplug(port, server)
        else:
            self.store.drop_port(port)
        return nothing()

    # Floating IPs

    async def floatings(self, call: Call) -> web.Response:
        """GET /v2.0/floatingips."""
        rows = self._mine(call, self.store.floating.values())
        return self._list(call, "floatingips", [views.floating(f) for f in rows])

    def _floating(self, call: Call) -> FloatingAddress:
        found = self.store.floating.get(call.names["id"])
        if found is None or not (call.admin or found.project_id == call.who.project_id):
            raise Fault(404, f"Floating IP {call.names['id']} could not be found", kind="FloatingIPNotFound")
        return found

    async def floating(self, call: Call) -> web.Response:
        """GET /v2.0/floatingips/{id}."""
        return reply(200, {"floatingip": views.floating(self._floating(call))})

    async def add_floating(self, call: Call) -> web.Response:
        """POST /v2.0/floatingips."""
        body = self._body(call, "floatingip")
        network = self.store.networks.get(body.get("floating_network_id", ""))
        if network is None or not network.external:
            text = f"Network {body.get('floating_network_id')} is not a valid external network."
            raise Fault(400, f"Bad floatingip request: {text}", kind="BadRequest")
        self._spend(call, "floatingip", len(self._mine(call, self.store.floating.values())))
        try:
            extra = self.store.add_floating(network, call.who.project_id, body.get("floating_ip_address"))
        except NoAddress as full:
            raise Fault(409, str(full), kind="IpAddressGenerationFailure") from None
        extra.description = body.get("description") or ""
        if body.get("port_id"):
            self._associate(call, extra, body["port_id"])
        return reply(201, {"floatingip": views.floating(extra)})

    async def change_floating(self, call: Call) -> web.Response:
        """PUT /v2.0/floatingips/{id}."""
        extra, body = self._floating(call), self._body(call, "floatingip")
        if "description" in body:
            extra.description = body["description"]
        if "port_id" in body:
            self._associate(call, extra, body["port_id"])
        return reply(200, {"floatingip": views.floating(extra)})

    def _associate(self, call: Call, extra: FloatingAddress, port_id: str | None) -> None:
        port = self.store.ports.get(port_id) if port_id is not None else None
        if port_id is not None and (port is None or not (call.admin or port.project_id == call.who.project_id)):
            raise Fault(404, f"Port {port_id} could not be found.", kind="PortNotFound")
        before = extra.port
        self.store.associate(extra, port)
        for touched in (before, port):
            server = self.place.nova.servers.get(touched.device_id) if touched is not None else None
            if server is not None:
                server.stale()

    async def drop_floating(self, call: Call) -> web.Response:
        """DELETE /v2.0/floatingips/{id}."""
        extra = self._floating(call)
        self._associate(call, extra, None)
        self.store.taken.discard(extra.address)
        del self.store.floating[extra.id]
        return nothing()

    # Quotas

    async def quotas(self, call: Call) -> web.Response:
        """GET /v2.0/quotas/{project}."""
        return reply(200, {"quota": self.quota})

    async def quota_details(self, call: Call) -> web.Response:
        """GET /v2.0/quotas/{project}/{details}."""
        project = call.names["project"]
        store = self.store
        used = {
            "port": sum(p.project_id == project for p in store.ports.values()),
            "floatingip": sum(f.project_id == project for f in store.floating.values()),
            "security_group": sum(g.project_id == project for g in store.groups.values()),
            "network": sum(n.project_id == project for n in store.networks.values()),
        }
        rows = {k: {"limit": n, "used": used.get(k, 0), "reserved": 0} for k, n in self.quota.items()}
        return reply(200, {"quota": rows})


def _extension(alias: str) -> dict[str, Any]:
    text = EXTENSIONS[alias]
    return {"name": text, "alias": alias, "description": text, "updated": "2020-01-01T00:00:00-00:00", "links": []}
