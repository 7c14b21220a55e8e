"""What an image of a server holds and what it does not, said before it is made: an image is no backup. Pure."""

from collections.abc import Iterator, Sequence

from console.model.server import Server

DISK = "Not a backup: it holds the system disk as it is at one moment."
VOLUME = (
    "Not a backup: {name} boots from a volume, so the image holds no data; it only names snapshots of the volumes,"
    " and is worth nothing without them."
)


def image_warns(servers: Sequence[Server]) -> list[str]:
    """What whoever images these servers should know."""
    on_volumes = [server for server in servers if server.boots_from_volume]
    found = [DISK] if len(on_volumes) < len(servers) else []
    if on_volumes:
        name = on_volumes[0].name if len(on_volumes) == 1 else f"{len(on_volumes)} of them"
        found.append(VOLUME.format(name=name).replace("them boots", "them boot"))
    return [*found, f"Left out: {', '.join(left_out(servers))}."]


def left_out(servers: Sequence[Server]) -> list[str]:
    """What no image of these servers has."""
    found = ["what is in memory"]
    for server in servers:
        found += [what for what in _beside_the_disk(server) if what not in found]
    return found


def _beside_the_disk(server: Server) -> Iterator[str]:
    flavor = server.flavor
    if flavor is not None and flavor.ephemeral:
        yield f"the ephemeral disk ({flavor.ephemeral} GB)"
    if flavor is not None and flavor.swap:
        yield f"swap ({flavor.swap} MB)"
    if server.volumes and not server.boots_from_volume:
        count = len(server.volumes)
        yield "the attached volume" if count == 1 else f"{count} attached volumes"
