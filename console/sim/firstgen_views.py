"""How v1.0 shows its records: plain JSON trees, which `firstgen_xml` can write as XML as well."""

from __future__ import annotations

from typing import Any

from console.sim.clock import zulu
from console.sim.firstgen_lives import Lives
from console.sim.firstgen_store import OldCloud, OldFlavor, OldImage, OldServer, Schedule, SharedIpGroup
from console.sim.rates import Rates

Tree = dict[str, Any]


def brief(thing: OldServer | OldImage | OldFlavor | SharedIpGroup) -> Tree:
    """What the short listings tell."""
    return {"id": thing.id, "name": thing.name}


class OldViews:
    """One account's ways of showing."""

    def __init__(self, store: OldCloud, lives: Lives) -> None:
        self.store = store
        self.lives = lives

    def server(self, server: OldServer, with_password: bool = False) -> Tree:
        """A server; the password is told once, by the reply to its making."""
        tree: Tree = {
            "id": server.id,
            "name": server.name,
            "imageId": server.image_id,
            "flavorId": server.flavor.id,
            "hostId": self.store.host_id(server),
            "status": server.status,
            "metadata": server.metadata,  # before the addresses: the schema of the XML form wants this order
            "addresses": addresses(server),
        }
        progress = self.lives.progress(server)
        if progress is not None:
            tree["progress"] = progress
        if server.group_id is not None:
            tree["sharedIpGroupId"] = server.group_id
        return tree | ({"adminPass": server.admin_pass} if with_password else {})

    def image(self, image: OldImage) -> Tree:
        """An image."""
        tree: Tree = {"id": image.id, "name": image.name}
        if image.server_id is not None:
            tree["serverId"] = image.server_id
        tree |= {"updated": zulu(image.updated), "created": zulu(image.created), "status": image.status}
        progress = self.lives.progress(image)
        return tree | ({"progress": progress} if progress is not None else {})

    def flavor(self, flavor: OldFlavor) -> Tree:
        """A flavor."""
        return {"id": flavor.id, "name": flavor.name, "ram": flavor.ram, "disk": flavor.disk}

    def group(self, group: SharedIpGroup) -> Tree:
        """A shared IP group with its servers."""
        return brief(group) | {"servers": [server.id for server in self.store.members(group)]}


def addresses(server: OldServer) -> dict[str, list[str]]:
    """A server's addresses."""
    return {"public": server.public, "private": server.private}


def schedule(schedule: Schedule) -> Tree:
    """A backup schedule."""
    return {"enabled": schedule.enabled, "weekly": schedule.weekly, "daily": schedule.daily}


def limits(rates: Rates, account: str, absolute: dict[str, int]) -> Tree:
    """The limits: how often, and how much."""
    rows = []
    for rate in rates.table:
        left, until = rates.left(account, rate)
        rows.append({"verb": rate.verb, "URI": rate.uri, "regex": rate.regex, "value": rate.value,
                     "remaining": left, "unit": rate.unit, "resetTime": int(until)})  # fmt: skip
    return {"rate": rows, "absolute": absolute}
