"""The face of Rackspace's next-generation compute: /v2 and an account number, no microversions, rates through Repose.

What its frozen Nova has in common with today's is taken from there; what differs is here: fewer actions, resizes by
the flavor's class, the account's limits, and networks under a name of their own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.clock import Clock, zulu
from console.sim.machine import Machine
from console.sim.nova_actions import Actions
from console.sim.nova_api import Nova
from console.sim.nova_extras import Extras
from console.sim.nova_images import OldImages
from console.sim.nova_resources import Resources
from console.sim.nova_servers import Servers
from console.sim.nova_volumes import Plugs
from console.sim.rackspace_catalog import RESIZES, Resizes
from console.sim.rackspace_schedule import ImageSchedules, ScheduleRoutes
from console.sim.rackspace_views import RackspaceViews
from console.sim.rates import Rate, Rates
from console.sim.records import Network, Server
from console.sim.region import Region
from console.sim.trouble import Trouble

PATH = re.compile(r"^/v2(?:/([0-9]+))?(/.*)?$")
OFFERED = {
    "reboot", "resize", "confirmResize", "revertResize", "rebuild", "createImage", "changePassword", "rescue",
    "unrescue", "os-start", "os-stop", "os-getConsoleOutput", "os-getVNCConsole",
}  # fmt: skip
NOT_ON_METAL = {"resize", "confirmResize", "revertResize", "rebuild", "createImage", "changePassword"}
DEFAULT_RATES = (
    ("GET", "*", ".*", 1000, "MINUTE"),
    ("POST", "*", ".*", 100, "MINUTE"),
    ("POST", "*/servers", "^/servers$", 1000, "DAY"),
)


class RackspaceNova(Nova):
    """One region's next-generation compute service."""

    default_disk_config = "AUTO"
    joins_all_networks = True
    clears_access = True

    def __init__(self, region: Region, machine: Machine, clock: Clock, trouble: Trouble, account: str) -> None:
        super().__init__(region, machine, clock, trouble)
        self.account = account
        self.schedules = ImageSchedules(clock)
        self.views = RackspaceViews(self.schedules)
        self.rates = Rates(clock, [Rate(*row) for row in DEFAULT_RATES])

    def name_links(self, host: str) -> None:
        self.views.bare, self.views.root = f"{host}/{self.account}", f"{host}/v2/{self.account}"

    async def handle(self, call: Call) -> web.Response:
        path = call.path.rstrip("/")
        if path == "":
            return reply(200, {"versions": [self._about()]})
        if path == "/v2":
            return reply(200, {"version": self._about()})
        found = PATH.match(call.path)
        if found is None:
            return reply(300, {"choices": [self._about()]})
        refused = self.admit(call)
        if refused is not None:
            return refused
        if found[1] != call.who.project_id:
            raise Fault(401, "This token is not for that account.")
        call.path = found[2] or "/"
        self._count(call)
        return await self._routed(call)

    def _count(self, call: Call) -> None:
        wait = self.rates.spend(self.account, call.request.method, call.path)
        if wait is not None:
            headers = {"Retry-After": str(wait), "Via": "1.1 Repose (Repose/2.12)"}
            raise Fault(413, "OverLimit Retry...", headers=headers)

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        if fault.status == 413 and "Via" in fault.headers:
            later = datetime.fromtimestamp(int(self.clock.time()) + int(fault.headers["Retry-After"]), UTC)
            body = {"code": 413, "message": fault.message, "details": "Error Details...",
                    "retryAt": later.strftime("%Y-%m-%dT%H:%M:%SZ")}  # fmt: skip
            return reply(413, {"overLimit": body})
        return super().fault_reply(call, fault)

    def _about(self) -> dict[str, Any]:
        links = [{"rel": "self", "href": f"{self.base}/v2/"}]
        return {"id": "v2.0", "status": "CURRENT", "updated": "2011-01-21T11:33:21Z", "links": links}


class RackspaceActions(Actions):
    """The actions that Rackspace offers; a flavor's class may forbid more."""

    snapshot_life = "snapshot_quiesced"

    async def act(self, call: Call) -> web.Response:
        """POST /servers/{id}/action."""
        name = next(iter(call.json()), "")
        if name not in OFFERED:
            raise Fault(400, f"There is no such action: {name}")
        kind = self.nova.server(call).flavor.extra_specs.get("class")
        if kind == "onmetal" and name in NOT_ON_METAL:
            raise Fault(400, f"{name} is not offered for OnMetal servers.")
        return await super().act(call)

    def resize(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action resize: within a flavor's class, and where the class allows it at all."""
        id = str(given.get("flavorRef")).rsplit("/", 1)[-1] if isinstance(given, dict) else ""
        flavor = self.store.flavors.get(id)
        old, new = (f.extra_specs.get("resize_policy_class") if f else None for f in (server.flavor, flavor))
        allowed = RESIZES.get(old or "", Resizes.NONE)
        smaller = flavor is not None and flavor.ram < server.flavor.ram
        if flavor is not None and (old != new or allowed is Resizes.NONE or (smaller and allowed is Resizes.UP)):
            text = f"Flavor {server.flavor.id} cannot be resized to {flavor.id}: make an image, and a server from it."
            raise Fault(403, text, kind="resizeNotAllowed")
        if smaller and server.disk_config != "AUTO":
            raise Fault(403, "A server with a manual disk cannot become smaller.", kind="resizeNotAllowed")
        return super().resize(call, server, given)

    def rebuild(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action rebuild; the flavor that old clients name with it is passed over."""
        if isinstance(given, dict):
            given = {key: value for key, value in given.items() if key not in ("flavorRef", "personality")}
        return super().rebuild(call, server, given)


class Account:
    """The routes for limits and networks, in Rackspace's own forms."""

    def __init__(self, nova: RackspaceNova) -> None:
        self.nova = nova
        self.place = nova.place
        nova.router.table(
            {
                "GET /limits": self.limits,
                "GET /os-networksv2": self.networks,
                "POST /os-networksv2": self.add_network,
                "GET /os-networksv2/{id}": self.network,
                "DELETE /os-networksv2/{id}": self.drop_network,
            }
        )

    async def limits(self, call: Call) -> web.Response:
        """GET /limits."""
        project = call.who.project_id
        most, used = self.nova.store.limits(project), self.nova.store.used(project)
        absolute = {
            "maxTotalRAMSize": most["ram"],
            "totalRAMUsed": used["ram"],
            "maxTotalInstances": most["instances"],
            "totalInstancesUsed": used["instances"],
            "maxTotalCores": most["cores"],
            "totalCoresUsed": used["cores"],
            "maxTotalKeypairs": most["key_pairs"],
            "maxServerMeta": most["metadata_items"],
            "maxImageMeta": most["metadata_items"],
            "maxPersonality": 5,
            "maxPersonalitySize": 1000,
        }
        return reply(200, {"limits": {"rate": self._rates(), "absolute": absolute}})

    def _rates(self) -> list[dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        for rate in self.nova.rates.table:
            left, until = self.nova.rates.left(self.nova.account, rate)
            row = rows.setdefault(rate.uri, {"uri": rate.uri, "regex": rate.regex, "limit": []})
            row["limit"].append({"verb": rate.verb, "value": rate.value, "remaining": left, "unit": rate.unit,
                                 "next-available": zulu(until if left == 0 else self.nova.clock.time())})  # fmt: skip
        return list(rows.values())

    def _shown(self, network: Network) -> dict[str, Any]:
        own = network.project_id == self.nova.account
        cidr = network.subnets[0].cidr if own and network.subnets else None
        return {"id": network.id, "label": network.name, "cidr": cidr}

    async def networks(self, call: Call) -> web.Response:
        """GET /os-networksv2."""
        found = [n for n in self.place.neutron.visible(call.who.project_id) if not n.external]
        return reply(200, {"networks": [self._shown(network) for network in found]})

    def _network(self, call: Call) -> Network:
        found = self.place.neutron.networks.get(call.names["id"])
        if found is None or found not in self.place.neutron.visible(call.who.project_id):
            raise Fault(404, f"Network {call.names['id']} could not be found.")
        return found

    async def network(self, call: Call) -> web.Response:
        """GET /os-networksv2/{id}."""
        return reply(200, {"network": self._shown(self._network(call))})

    async def add_network(self, call: Call) -> web.Response:
        """POST /os-networksv2."""
        wanted = call.json().get("network")
        if not isinstance(wanted, dict) or not wanted.get("label") or not wanted.get("cidr"):
            raise Fault(400, "A network has a label and a cidr.")
        try:
            made = self.place.neutron.add_network(
                str(wanted["label"]), self.nova.account, [str(wanted["cidr"])], shared=False
            )
        except ValueError as wrong:
            raise Fault(400, str(wrong)) from None
        return reply(200, {"network": self._shown(made)})

    async def drop_network(self, call: Call) -> web.Response:
        """DELETE /os-networksv2/{id}."""
        network = self._network(call)
        if network.project_id != self.nova.account:
            raise Fault(403, "This network is everybody's.")
        if any(port.network is network for port in self.place.neutron.ports.values()):
            raise Fault(403, "There are servers in this network.")
        del self.place.neutron.networks[network.id]
        return reply(202)


def rackspace_nova(region: Region, machine: Machine, clock: Clock, trouble: Trouble, account: str) -> RackspaceNova:
    """A next-generation compute service with all its routes; of two for one path the first counts."""
    nova = RackspaceNova(region, machine, clock, trouble, account)
    Account(nova)
    ScheduleRoutes(nova, nova.schedules)
    for part in (Servers, RackspaceActions, Resources, Extras, Plugs, OldImages):
        part(nova)
    return nova
