"""How Neutron shows its records."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from console.sim.clock import zulu
from console.sim.neutron_store import Rule, SecurityGroup
from console.sim.records import FloatingAddress, Network, Port, Subnet


def network(found: Network) -> dict[str, Any]:
    """A network."""
    record = {
        "id": found.id,
        "name": found.name,
        "tenant_id": found.project_id,
        "project_id": found.project_id,
        "admin_state_up": True,
        "mtu": found.mtu,
        "status": "ACTIVE",
        "subnets": [s.id for s in found.subnets],
        "shared": found.shared,
        "availability_zone_hints": [],
        "availability_zones": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "router:external": found.external,
        "qinq": False,
        "vlan_transparent": False,
        "description": "",
        "port_security_enabled": True,
        "tags": [],
        "created_at": zulu(found.created),
        "updated_at": zulu(found.created),
        "revision_number": 2,
    }
    return record | ({"is_default": False} if found.external else {})


def subnet(found: Subnet, external: bool = False) -> dict[str, Any]:
    """A subnet."""
    block = ip_network(found.cidr)
    return {
        "id": found.id,
        "name": found.name,
        "project_id": found.project_id,
        "tenant_id": found.project_id,
        "network_id": found.network_id,
        "ip_version": found.version,
        "subnetpool_id": None,
        "enable_dhcp": False,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "gateway_ip": found.gateway,
        "cidr": found.cidr,
        "allocation_pools": [{"start": str(block[2]), "end": str(block[-2])}],
        "host_routes": [],
        "dns_nameservers": [],
        "description": "",
        "router:external": external,
        "service_types": [],
        "tags": [],
        "created_at": zulu(found.created),
        "updated_at": zulu(found.created),
        "revision_number": 0,
    }


def port(found: Port, admin: bool) -> dict[str, Any]:
    """A port; where it is bound is an administrator's."""
    record: dict[str, Any] = {
        "id": found.id,
        "name": found.name,
        "network_id": found.network.id,
        "project_id": found.project_id,
        "tenant_id": found.project_id,
        "mac_address": found.mac,
        "admin_state_up": found.admin_state_up,
        "status": found.status,
        "device_id": found.device_id,
        "device_owner": found.device_owner,
        "fixed_ips": [{"subnet_id": s, "ip_address": a} for s, a in found.fixed],
        "allowed_address_pairs": found.pairs,
        "extra_dhcp_opts": [],
        "security_groups": found.security_groups,
        "description": found.description,
        "binding:vnic_type": "normal",
        "port_security_enabled": found.port_security,
        "tags": [],
        "created_at": zulu(found.created),
        "updated_at": zulu(found.updated),
        "revision_number": found.revision,
    }
    if admin:
        record |= {
            "binding:profile": {},
            "binding:host_id": found.host,
            "binding:vif_type": "ovs" if found.host else "unbound",
            "binding:vif_details": {"port_filter": True} if found.host else {},
        }
    return record


def floating(found: FloatingAddress) -> dict[str, Any]:
    """A floating IP."""
    at = found.port
    details = None
    if at is not None:
        details = {
            "status": at.status,
            "name": at.name,
            "admin_state_up": at.admin_state_up,
            "network_id": at.network.id,
            "device_owner": at.device_owner,
            "mac_address": at.mac,
            "device_id": at.device_id,
        }
    return {
        "id": found.id,
        "tenant_id": found.project_id,
        "project_id": found.project_id,
        "floating_ip_address": found.address,
        "floating_network_id": found.network.id,
        "router_id": found.network.id if at is not None else None,
        "port_id": at.id if at is not None else None,
        "fixed_ip_address": found.fixed,
        "status": "ACTIVE" if at is not None else "DOWN",
        "description": found.description,
        "port_details": details,
        "tags": [],
        "created_at": zulu(found.created),
        "updated_at": zulu(found.updated),
        "revision_number": found.revision,
    }


def rule(found: Rule, of_default: bool | None = False) -> dict[str, Any]:
    """A security group's rule; `of_default` is what it says of whose it is (nothing in listings)."""
    return {
        "id": found.id,
        "project_id": found.project_id,
        "tenant_id": found.project_id,
        "security_group_id": found.group_id,
        "ethertype": found.ethertype,
        "direction": found.direction,
        "protocol": found.protocol,
        "port_range_min": found.port_min,
        "port_range_max": found.port_max,
        "remote_ip_prefix": found.prefix,
        "remote_address_group_id": None,
        "normalized_cidr": found.prefix,
        "remote_group_id": found.remote_group,
        "standard_attr_id": int(found.id[:6], 16),
        "belongs_to_default_sg": of_default,
        "description": found.description,
        "tags": [],
        "created_at": zulu(found.created),
        "updated_at": zulu(found.created),
        "revision_number": 0,
    }


def group(found: SecurityGroup, listed: bool = False) -> dict[str, Any]:
    """A security group with its rules; `listed` is the form of listings."""
    return {
        "id": found.id,
        "name": found.name,
        "stateful": found.stateful,
        "tenant_id": found.project_id,
        "project_id": found.project_id,
        "description": found.description,
        "shared": False,
        "security_group_rules": [rule(r, None if listed else found.name == "default") for r in found.rules],
        "tags": [],
        "created_at": zulu(found.created),
        "updated_at": zulu(found.updated),
        "revision_number": found.revision,
    }
