"""The little of Neutron v2.0 that a server's console needs: networks to order servers on, and a server's ports."""

from collections.abc import Sequence
from typing import Any

from console.clouds.openstack.records import next_of
from console.clouds.openstack.service import Service
from console.errors import Forbidden, NotFound
from console.model.quota import Limit
from console.text import clean_tree
from console.wire.message import Reply, read_json, refuse_body

# Neutron's words for what it limits, and those that the console shows.
_QUOTAS = {
    "network": "networks",
    "subnet": "subnets",
    "port": "ports",
    "router": "routers",
    "floatingip": "floating_ips",
    "security_group": "security_groups",
    "security_group_rule": "security_group_rules",
}


def _whole(value: Any) -> int | None:
    """A count; -1 is no limit."""
    return value if isinstance(value, int) and value >= 0 else None


class Neutron:
    """What one account reads at one network service."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def networks(self, *, external: bool | None = None, name: str | None = None) -> list[dict[str, Any]]:
        """The networks that the project may see, cleaned: all, or those that lead outside, or those that do not."""
        outside = None if external is None else str(external).lower()
        return await self._all("networks", {"router:external": outside, "name": name})

    async def ports(self, server_id: str) -> list[dict[str, Any]]:
        """The ports of one server, cleaned."""
        return await self._all("ports", {"device_id": server_id})

    async def ports_with(self, address: str) -> list[dict[str, Any]]:
        """The ports that have this address, cleaned."""
        found = await self._all("ports", {"fixed_ips": f"ip_address={address}"})
        return [port for port in found if address in [one.get("ip_address") for one in port.get("fixed_ips") or ()]]

    async def floating_ips(self, address: str) -> list[dict[str, Any]]:
        """The floating IPs of this address, cleaned: one or none."""
        found = await self._all("floatingips", {"floating_ip_address": address})
        return [one for one in found if one.get("floating_ip_address") == address]

    async def subnets(self) -> list[dict[str, Any]]:
        """The subnets that the project may see, cleaned."""
        return await self._all("subnets", {})

    async def rules(self, groups: Sequence[str]) -> list[dict[str, Any]]:
        """What these security groups let in, cleaned."""
        found = [
            await self._all("security-group-rules", {"security_group_id": id}, "security_group_rules") for id in groups
        ]
        return [rule for rules in found for rule in rules if rule.get("direction") == "ingress"]

    async def quotas(self, project_id: str) -> dict[str, Limit]:
        """The project's limits and use; none where the service does not tell them, or not to us."""
        try:
            reply = await self.service.get(f"quotas/{project_id}/details.json")
        except (NotFound, Forbidden):
            return {}
        tree = clean_tree(read_json(reply, self.service.place))
        told = tree.get("quota") if isinstance(tree, dict) else None
        if not isinstance(told, dict):
            refuse_body(reply, self.service.place, "something that is no list of quotas")
        return {
            name: Limit(name, _whole(told[word].get("limit")), _whole(told[word].get("used")))
            for word, name in _QUOTAS.items()
            if isinstance(told.get(word), dict)
        }

    async def _all(self, kind: str, filters: dict[str, Any], word: str = "") -> list[dict[str, Any]]:
        """All pages of a list: some operators let no more than a few hundred be told at once."""

        def read(reply: Reply) -> tuple[list[Any], str | None]:
            tree = clean_tree(read_json(reply, self.service.place))
            found = tree.get(word or kind) if isinstance(tree, dict) else None
            if not isinstance(found, list):
                refuse_body(reply, self.service.place, f"something that is no list of {kind}")
            return found, next_of(tree.get(f"{word or kind}_links"))

        pages = self.service.pages(kind, filters, read)
        return [item async for page in pages for item in page if isinstance(item, dict)]
