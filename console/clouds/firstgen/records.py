"""Records of the first generation, v1.0, as the model's nouns.

Numbers become texts, since elsewhere an id is one. What v1.0 does not tell stays None: no times, no networks, no power
state. A record is read field by field, and a field of the wrong type is left out.
"""

import msgspec

from console.clouds.fields import Record, moment, number, pairs, text, text_id
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.place import Key
from console.model.quota import Limit
from console.model.schedule import OFF, Schedule
from console.model.server import Address, FlavorReference, Reference, Server

_NETWORKS = ("public", "private")  # the order in which an address is worth trying
_LIMITS = {
    "maxTotalRAMSize": ("ram", "MB"),
    "maxIPGroups": ("ip_groups", ""),
    "maxIPGroupMembers": ("ip_group_members", ""),
}
_OF_A_NEW_SERVER = (Limit("metadata", 5), Limit("personality", 5), Limit("personality_size", 10_240, None, "B"))


def server(tree: Record, project_id: str = "") -> Server:
    """A server."""
    flavor, image = text_id(tree.get("flavorId")), text_id(tree.get("imageId"))
    return Server(
        id=text_id(tree["id"]) or "",
        name=text(tree, "name") or "",
        word=text(tree, "status"),
        progress=number(tree, "progress"),
        addresses=addresses(tree.get("addresses")),
        flavor=FlavorReference(flavor) if flavor else None,
        image=Reference(image) if image else None,
        host_id=text(tree, "hostId"),
        metadata=pairs(tree.get("metadata")),
        ip_group=text_id(tree.get("sharedIpGroupId")),
        project_id=project_id or None,
    )


def image(tree: Record) -> Image:
    """An image; one with a server is that server's snapshot, and goes with it."""
    server = text_id(tree.get("serverId"))
    return Image(
        id=text_id(tree["id"]) or "",
        name=text(tree, "name") or "",
        word=text(tree, "status"),
        progress=number(tree, "progress"),
        created=moment(tree.get("created")),
        updated=moment(tree.get("updated")),
        min_disk=number(tree, "minDisk"),
        min_ram=number(tree, "minRam"),
        server_id=server,
        image_type="snapshot" if server else None,
        visibility="private" if server else "public",
    )


def flavor(tree: Record) -> Flavor:
    """A flavor: memory and disk, and of the processor only a share that nobody tells."""
    return Flavor(
        id=text_id(tree["id"]) or "",
        name=text(tree, "name") or "",
        ram=number(tree, "ram"),
        disk=number(tree, "disk"),
        resizes="any",
    )


def ip_group(tree: Record) -> IpGroup:
    """A shared IP group; the reply to its creation leaves its servers out at times."""
    told = tree.get("servers")
    servers = [id for one in told if (id := text_id(one)) is not None] if isinstance(told, list) else []
    return IpGroup(id=text_id(tree["id"]) or "", name=text(tree, "name") or "", servers=servers)


def schedule(tree: Record, server: Server) -> Schedule:
    """A server's backup schedule; one that was never set is disabled."""
    daily, weekly = (text(tree, name) or OFF for name in ("daily", "weekly"))
    return Schedule(
        id=server.id,
        name=server.name,
        key=Key(server.key.endpoint, server.key.region, "schedule", server.id),
        place=server.place,
        record=msgspec.json.encode(tree),
        dialect=server.dialect,
        what="backup schedule",
        enabled=tree.get("enabled") is True,
        daily="" if daily == OFF else daily,
        weekly="" if weekly == OFF else weekly,
    )


def absolute_limits(tree: object) -> dict[str, Limit]:
    """What the account may have in all, and a new server as the guide has it; what is used is not told."""
    told = tree if isinstance(tree, dict) else {}
    found = {
        name: Limit(name, told[word], None, unit)
        for word, (name, unit) in _LIMITS.items()
        if isinstance(told.get(word), int)
    }
    return found | {limit.name: limit for limit in _OF_A_NEW_SERVER}


def addresses(tree: object) -> dict[str, list[Address]]:
    """Public addresses, then private ones; they are known from the first reply on."""
    told = tree if isinstance(tree, dict) else {}
    names = [*(name for name in _NETWORKS if name in told), *(name for name in told if name not in _NETWORKS)]
    return {
        name: [Address(addr, 6 if ":" in addr else 4, "fixed") for addr in told[name] if isinstance(addr, str)]
        for name in names
        if isinstance(told[name], list)
    }
