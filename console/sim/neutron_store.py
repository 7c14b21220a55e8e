"""What one region's Neutron knows: networks, ports with their addresses, floating IPs and security groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from console.sim.clock import Clock
from console.sim.records import FloatingAddress, Ids, Network, Port, Server, Subnet


@dataclass(slots=True)
class Rule:
    """One rule of a security group."""

    id: str
    group_id: str
    project_id: str
    direction: str
    ethertype: str
    created: float
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None
    prefix: str | None = None
    remote_group: str | None = None
    description: str | None = None

    def same(self) -> tuple[Any, ...]:
        """What makes two rules of a group the same rule."""
        return (
            self.direction, self.ethertype, self.protocol, self.port_min, self.port_max, self.prefix, self.remote_group,
        )  # fmt: skip


@dataclass(slots=True)
class SecurityGroup:
    """A named set of rules."""

    id: str
    name: str
    project_id: str
    created: float
    updated: float
    description: str = ""
    rules: list[Rule] = field(default_factory=list)
    revision: int = 1
    stateful: bool = True


class NoAddress(Exception):
    """A network has no such address, or none left."""


class Networks:
    """The networks of one region."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self.clock = clock
        self.ids = ids
        self.networks: dict[str, Network] = {}
        self.ports: dict[str, Port] = {}
        self.floating: dict[str, FloatingAddress] = {}
        self.groups: dict[str, SecurityGroup] = {}
        self.taken: set[str] = set()

    def add_network(self, name: str, project_id: str, cidrs: list[str], **given: Any) -> Network:
        """A new network with a subnet for each range of addresses."""
        now = self.clock.time()
        network = Network(self.ids.uuid(), name, project_id, now, **given)
        for cidr in cidrs:
            block = ip_network(cidr)
            label, gateway = f"{name}-v{block.version}", str(block[1])
            made = Subnet(self.ids.uuid(), label, network.id, cidr, block.version, gateway, now, project_id)
            made.base, made.room = int(block.network_address), min(block.num_addresses, 1 << 17)
            network.subnets.append(made)
        self.networks[network.id] = network
        return network

    def visible(self, project_id: str, admin: bool = False) -> list[Network]:
        """The networks that a project may see."""
        return [n for n in self.networks.values() if admin or n.shared or n.external or n.project_id == project_id]

    def take(self, subnet: Subnet, wanted: str | None = None) -> str:
        """An address of a subnet that nobody has."""
        if wanted is not None:
            if ip_address(wanted) not in ip_network(subnet.cidr) or wanted in self.taken:
                raise NoAddress(f"IP address {wanted} already allocated in subnet {subnet.id}")
            self.taken.add(wanted)
            return wanted
        for _ in range(subnet.room):
            host = subnet.next_host
            subnet.next_host = host + 1 if host + 2 < subnet.room else 10
            address = dotted(subnet.base + host) if subnet.version == 4 else str(ip_address(subnet.base + host))
            if host & 0xFF not in (0, 255) and address not in self.taken:
                self.taken.add(address)
                return address
        raise NoAddress(f"No more IP addresses available on network {subnet.network_id}.")

    def add_port(self, network: Network, project_id: str, wanted: str | None = None, **given: Any) -> Port:
        """A new port with an address of each of the network's subnets, or with the wanted one."""
        now = self.clock.time()
        subnets = network.subnets
        if wanted is not None:
            subnets = [s for s in subnets if ip_address(wanted) in ip_network(s.cidr)][:1]
            if not subnets:
                raise NoAddress(f"IP address {wanted} is not a valid IP for any of the subnets")
        fixed = [(s.id, self.take(s, wanted)) for s in subnets]
        port = Port(self.ids.uuid(), network, project_id, self.ids.mac(), now, now, fixed, **given)
        self.ports[port.id] = port
        return port

    def bind(self, server: Server, wanted: list[dict[str, Any]]) -> None:
        """Give a server its ports on the networks that were asked for."""
        for want in wanted:
            port = want.get("port")
            if port is None:
                port = self.add_port(want["network"], server.project_id, want.get("fixed_ip"), tag=want.get("tag"))
                port.security_groups = [self.group(server.project_id, g).id for g in server.security_groups]
            else:
                port.preserved = True
            self.plug(port, server)

    def plug(self, port: Port, server: Server) -> None:
        """Put a port into a server."""
        port.device_id, port.device_owner = server.id, f"compute:{server.zone or 'nova'}"
        port.host, port.status = server.host, "ACTIVE"
        self.touch(port)
        server.ports.append(port)
        server.stale()

    def unplug(self, port: Port, server: Server) -> None:
        """Take a port out of a server; it goes away unless it was there before."""
        server.ports.remove(port)
        server.stale()
        if port.preserved:
            port.device_id = port.device_owner = port.host = ""
            port.status = "DOWN"
            self.touch(port)
        else:
            self.drop_port(port)

    def drop_port(self, port: Port) -> None:
        """The port is gone; its floating IPs stay, without a port."""
        for extra in list(port.floating):
            self.associate(extra, None)
        self.taken -= {address for _, address in port.fixed}
        self.ports.pop(port.id, None)

    def touch(self, port: Port) -> None:
        """The port changed."""
        port.updated = self.clock.time()
        port.revision += 1

    def release(self, server: Server) -> None:
        """A server is gone: so are its ports."""
        for port in list(server.ports):
            self.unplug(port, server)

    def add_floating(self, network: Network, project_id: str, wanted: str | None = None) -> FloatingAddress:
        """A new floating IP."""
        now = self.clock.time()
        address = self.take(network.subnets[0], wanted)
        extra = FloatingAddress(self.ids.uuid(), address, network, project_id, now, now)
        self.floating[extra.id] = extra
        return extra

    def associate(self, extra: FloatingAddress, port: Port | None) -> None:
        """Move a floating IP to a port, or take it off."""
        if extra.port is not None:
            extra.port.floating.remove(extra)
        extra.port = port
        extra.fixed = port.fixed[0][1] if port is not None and port.fixed else None
        if port is not None:
            port.floating.append(extra)
        extra.updated = self.clock.time()
        extra.revision += 1

    def group(self, project_id: str, name: str) -> SecurityGroup:
        """A project's security group by name or id; KeyError where there is none."""
        mine = [g for g in self.groups.values() if g.project_id == project_id]
        for group in mine:
            if name in (group.id, group.name):
                return group
        if name != "default":
            raise KeyError(name)
        return self.add_group(project_id, "default", "Default security group")

    def add_group(self, project_id: str, name: str, description: str = "") -> SecurityGroup:
        """A new security group that lets everything out (and, for the default one, its own members in)."""
        now = self.clock.time()
        group = SecurityGroup(self.ids.uuid(), name, project_id, now, now, description)
        self.groups[group.id] = group
        for kind in ("IPv4", "IPv6"):
            group.rules.append(Rule(self.ids.uuid(), group.id, project_id, "egress", kind, now))
            if name == "default":
                inward = Rule(self.ids.uuid(), group.id, project_id, "ingress", kind, now)
                inward.remote_group = group.id
                group.rules.append(inward)
        return group


def dotted(number: int) -> str:
    """An IPv4 address from its number."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
