"""Addresses that several servers have in turn, as far as Neutron has a word for it.

There is no shared address and no group of servers that share. The nearest is a port that belongs to no server, so that
nobody else is given its address, and the same address let in at each member's own port; who of them answers to it is
settled inside the guests, by keepalived or its like. A floating IP needs nothing inside: it is moved from outside.
"""

import ipaddress
from typing import Any

from console.clouds.dialect import Accepted
from console.clouds.openstack.neutron import Neutron
from console.errors import CloudFault, Conflict, Forbidden, NotFound
from console.text import clean_tree
from console.wire.message import read_json, refuse_body, request_id

NAME = "novadeck vip"  # how the ports that reserve an address are called
_NOT_OURS = (
    "Its network is the provider's, and only a network's owner chooses addresses there or lets further ones in: use a"
    " network of your own, or move a floating IP instead."
)
_RACED = 412


class Addresses:
    """The orders of one account about its servers' addresses."""

    def __init__(self, neutron: Neutron) -> None:
        self._neutron = neutron
        self._service = neutron.service

    async def share(self, server_id: str, address: str) -> Accepted:
        """Reserve this address, where nobody has yet, and let it in at the server's port on its network."""
        ports = await self._neutron.ports(server_id)
        reserved = await self._reserved(address)
        port = await self._port_for(ports, address, reserved)
        if reserved is None:
            await self._reserve(port["network_id"], address)
        return await self._let_in(port["id"], address, wanted=True)

    async def unshare(self, server_id: str, address: str) -> Accepted:
        """Let this address in no more at the server's ports; the port that reserves it stays for the others."""
        done = Accepted()
        for port in await self._neutron.ports(server_id):
            if address in _let_in_at(port):
                done = await self._let_in(port["id"], address, wanted=False)
        return done

    async def move(self, server_id: str, address: str) -> Accepted:
        """Bring a floating IP to this server, from whichever has it."""
        found = await self._neutron.floating_ips(address)
        if not found:
            raise NotFound(f"there is no floating IP {address} here.", place=self._service.place)
        ports = [port for port in await self._neutron.ports(server_id) if port.get("fixed_ips")]
        if not ports:
            raise Conflict("the server has no port with an address.", place=self._service.place)
        reply = await self._service.put(f"floatingips/{found[0]['id']}", {"floatingip": {"port_id": ports[0]["id"]}})
        return Accepted(request_id(reply.headers))

    async def _reserved(self, address: str) -> dict[str, Any] | None:
        """The port that has this address, if it is no server's."""
        known = await self._neutron.ports_with(address)
        if taken := [port for port in known if port.get("device_id")]:
            told = f"{address} belongs to a port of {taken[0].get('device_owner') or 'something else'}."
            raise Conflict(told, place=self._service.place)
        return known[0] if known else None

    async def _port_for(
        self, ports: list[dict[str, Any]], address: str, reserved: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The server's port on the network that the address belongs to."""
        if reserved is not None:
            found = [port for port in ports if port.get("network_id") == reserved.get("network_id")]
        else:
            wanted = ipaddress.ip_address(address)
            nets = {net["id"]: net for net in await self._neutron.subnets()}
            found = [
                port
                for port in ports
                for fixed in port.get("fixed_ips") or ()
                if (cidr := nets.get(fixed.get("subnet_id"), {}).get("cidr")) and wanted in ipaddress.ip_network(cidr)
            ]
        if not found:
            raise Conflict(f"the server is on no network to which {address} belongs.", place=self._service.place)
        return found[0]

    async def _reserve(self, network_id: str, address: str) -> None:
        """Make the port; where another order has done so in the same moment, that one is as good."""
        port = {"network_id": network_id, "name": f"{NAME} {address}", "fixed_ips": [{"ip_address": address}]}
        try:
            await self._service.post("ports", {"port": port})
        except Conflict:
            if await self._reserved(address) is None:
                raise
        except Forbidden as error:
            error.hint = _NOT_OURS
            raise

    async def _let_in(self, port_id: str, address: str, *, wanted: bool) -> Accepted:
        """Change what a port lets in; read again, once, where somebody else has changed it in between."""
        for attempt in (1, 2):
            port = await self._port(port_id)
            pairs = [pair for pair in port.get("allowed_address_pairs") or () if pair.get("ip_address") != address]
            pairs += [{"ip_address": address}] if wanted else []
            guard = {"If-Match": f"revision_number={port['revision_number']}"} if "revision_number" in port else {}
            body = {"port": {"allowed_address_pairs": pairs}}
            try:
                reply = await self._service.put(f"ports/{port_id}", body, headers=guard)
            except Forbidden as error:
                error.hint = _NOT_OURS
                raise
            except CloudFault as error:
                if error.status != _RACED or attempt == 2:
                    raise
            else:
                return Accepted(request_id(reply.headers))
        raise AssertionError("the second attempt returns or raises")

    async def _port(self, id: str) -> dict[str, Any]:
        reply = await self._service.get(f"ports/{id}")
        tree = clean_tree(read_json(reply, self._service.place))
        found = tree.get("port") if isinstance(tree, dict) else None
        if not isinstance(found, dict):
            refuse_body(reply, self._service.place, "something that is no port")
        return found


def _let_in_at(port: dict[str, Any]) -> list[str]:
    return [str(pair.get("ip_address")) for pair in port.get("allowed_address_pairs") or ()]
