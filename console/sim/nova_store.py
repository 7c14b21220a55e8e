"""What one region's Nova knows: servers, flavors, key pairs, hosts, groups, aggregates and migrations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from console.sim.clock import Clock
from console.sim.records import Flavor, Ids, InstanceAction, KeyPair, Migration, Server


@dataclass(slots=True)
class ComputeHost:
    """A machine that servers run on (nova-compute), with its service and hypervisor."""

    name: str
    number: int
    service_id: str
    hypervisor_id: str
    zone: str = "nova"
    vcpus: int = 1000
    memory_mb: int = 800000
    disk_gb: int = 600000
    disabled: bool = False
    disabled_reason: str | None = None
    forced_down: bool = False


@dataclass(slots=True)
class ServerGroup:
    """Servers that should be together or apart."""

    id: str
    name: str
    project_id: str
    user_id: str
    policy: str
    rules: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Aggregate:
    """Hosts that belong together."""

    id: int
    uuid: str
    name: str
    created: float
    updated: float | None = None
    zone: str | None = None
    hosts: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


class Compute:
    """The records of one region's Nova."""

    def __init__(self, clock: Clock, ids: Ids, quota: dict[str, int]) -> None:
        self.clock = clock
        self.ids = ids
        self.quota = quota
        self.servers: dict[str, Server] = {}
        self.flavors: dict[str, Flavor] = {}
        self.keypairs: dict[tuple[str, str], KeyPair] = {}
        self.groups: dict[str, ServerGroup] = {}
        self.aggregates: dict[int, Aggregate] = {}
        self.migrations: list[Migration] = []
        self.hosts: dict[str, ComputeHost] = {}
        self.project_quota: dict[str, dict[str, int]] = {}
        self.cells_down = False
        self.shelved_offload = True
        self.reclaim_deleted = False
        self.confirm_after = 0.0  # seconds until a resize that is left alone is confirmed; 0: never
        self.link_base = ""
        self._order: list[Server] | None = None
        self._places: dict[str, int] = {}

    def add(self, server: Server) -> None:
        """Take a server in."""
        server.number = len(self.servers) + 1
        self.servers[server.id] = server
        self._order = None

    def forget_order(self) -> None:
        """Servers came or went: the listing's order must be made anew."""
        self._order = None

    def ordered(self) -> list[Server]:
        """Every server, deleted ones too, newest first."""
        if self._order is None:
            self._order = sorted(self.servers.values(), key=lambda s: (s.created, s.id), reverse=True)
            self._places = {server.id: index for index, server in enumerate(self._order)}
        return self._order

    def place_in_order(self, server_id: str) -> int | None:
        """Where a server stands in `ordered`."""
        self.ordered()
        return self._places.get(server_id)

    def alive(self, project_id: str | None = None) -> list[Server]:
        """The servers that are not deleted, of one project or of all."""
        wanted = (s for s in self.servers.values() if not s.deleted)
        return [s for s in wanted if project_id is None or s.project_id == project_id]

    def add_host(self, name: str, zone: str = "nova") -> ComputeHost:
        """A new compute host."""
        host = ComputeHost(name, len(self.hosts) + 1, self.ids.uuid(), self.ids.uuid(), zone)
        self.hosts[name] = host
        return host

    def zone_of(self, host: str) -> str:
        """The availability zone of a host."""
        found = self.hosts.get(host)
        return found.zone if found else ""

    def pick_host(self, server: Server, avoid: str = "") -> str | None:
        """Where this server should run; None where no host will do."""
        fit = [h for h in self.hosts.values() if not (h.disabled or h.forced_down) and h.name != avoid]
        if server.pinned_zone:
            fit = [h for h in fit if h.zone == server.pinned_zone]
        fit = [h for h in fit if self._group_allows(server, h.name)]
        return fit[server.number % len(fit)].name if fit else None

    def _group_allows(self, server: Server, host: str) -> bool:
        group = self.groups.get(server.group_id or "")
        if group is None:
            return True
        others = [s for s in self.members(group) if s is not server and s.host]
        if group.policy == "anti-affinity":
            return sum(s.host == host for s in others) < group.rules.get("max_server_per_host", 1)
        if group.policy == "affinity":
            return not others or others[0].host == host
        return True

    def members(self, group: ServerGroup) -> list[Server]:
        """The servers of a group."""
        return [s for s in self.servers.values() if s.group_id == group.id and not s.deleted]

    def limits(self, project_id: str) -> dict[str, int]:
        """What a project may have."""
        return self.quota | self.project_quota.get(project_id, {})

    def used(self, project_id: str) -> dict[str, int]:
        """What a project has: instances, cores, ram."""
        mine = [server for server in self.alive(project_id) if server.vm_state != "soft-delete"]
        return {
            "instances": len(mine),
            "cores": sum(s.flavor.vcpus for s in mine),
            "ram": sum(s.flavor.ram for s in mine),
        }

    def actions(self, server: Server) -> list[InstanceAction]:
        """What was asked of a server, oldest first; made up from its record where nobody asked before."""
        if server.actions is None:
            end = server.launched or server.created
            made = InstanceAction(
                "create", f"req-{self.ids.uuid()}", server.user_id, server.project_id, server.created, end
            )
            server.actions = [made]
        return server.actions

    def noted(self, server: Server, name: str, who: Any, request_id: str) -> InstanceAction:
        """Note that something was asked of a server."""
        now = self.clock.time()
        action = InstanceAction(name, request_id, who.user.id, who.project_id, now, now)
        if name == "create":
            server.actions = [action]
        else:
            self.actions(server).append(action)
        return action

    def noticed(self, server: Server, name: str) -> InstanceAction:
        """Note what Nova has asked of a server by itself: an action of nobody, of no project."""
        now = self.clock.time()
        action = InstanceAction(name, f"req-{self.ids.uuid()}", None, None, now, now)
        self.actions(server).append(action)
        return action
