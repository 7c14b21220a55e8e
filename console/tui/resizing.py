"""The flavor picker's knowledge: which flavors a server can be resized to, why others not, and what would change.

What we can know to be refused is said beforehand; what we cannot know is left to the cloud. Pure.
"""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from console.model.flavor import Flavor
from console.model.quota import Limit
from console.model.server import FlavorReference, Server
from console.tui.paint import Line, Span, cut_tail, gigabytes, megabytes, spans
from console.tui.pickers import Choice

PLENTY = 10_000  # a quota of which more than this is left is no quota worth telling


def heads(flavors: Sequence[Flavor]) -> tuple[tuple[str, int, bool], ...]:
    """The picker's columns: name, width, and whether it stands at the right."""
    longest = max((cell_len(flavor.name) for flavor in flavors), default=8)
    return ("flavor", min(30, max(12, longest)), False), ("vcpu", 6, True), ("ram", 9, True), ("disk", 9, True)


def flavor_of(server: Server, flavors: Sequence[Flavor]) -> Flavor | None:
    """The flavor that a server has now, as far as it can be told."""
    held = server.flavor
    if held is None:
        return None
    for flavor in flavors:
        if flavor.id == held.id or (held.name is not None and flavor.name == held.name):
            return flavor
    return _remembered(held, server)


def _remembered(held: FlavorReference, server: Server) -> Flavor | None:
    """A flavor that lists no longer show, from what the server itself tells."""
    if held.vcpus is None and held.ram is None:
        return None
    name = held.name or held.id or ""
    return Flavor(id=held.id or name, name=name, place=server.place, vcpus=held.vcpus, ram=held.ram, disk=held.disk)


def choices(
    servers: Sequence[Server], flavors: Sequence[Flavor], limits: Mapping[str, Limit] | None = None
) -> list[Choice]:
    """Every flavor as a choice for these servers."""
    now = [flavor_of(server, flavors) for server in servers]
    found = []
    for flavor in sorted(flavors, key=lambda f: (f.ram or 0, f.vcpus or 0, f.disk or 0, f.name)):
        current = bool(now) and all(held is not None and held.id == flavor.id for held in now)
        reason = "this is what it has" if current else _against(servers, now, flavor, limits or {})
        fits = not current and not reason
        cells = (cut_tail(flavor.name, 30), str(flavor.vcpus or "—"), megabytes(flavor.ram), gigabytes(flavor.disk))
        found.append(Choice(flavor, cells, fits, reason or _fits(now, flavor, limits or {}), current))
    return found


def _against(
    servers: Sequence[Server], now: Sequence[Flavor | None], flavor: Flavor, limits: Mapping[str, Limit]
) -> str:
    if flavor.disabled:
        return "switched off by the provider"
    for server, held in zip(servers, now, strict=True):
        if held is None:
            continue
        if held.id == flavor.id:
            return f"{server.name} has it already"
        volume = server.boots_from_volume
        if not volume and flavor.disk == 0 and held.disk:
            return "boots from a volume, this server has a disk"
        if not volume and flavor.disk is not None and held.disk is not None and flavor.disk < held.disk:
            return f"disk would shrink {held.disk} → {flavor.disk} GB: image it, build anew"
    return _quota(now, flavor, limits)


def _quota(now: Sequence[Flavor | None], flavor: Flavor, limits: Mapping[str, Limit]) -> str:
    for name, attribute, unit in (("cores", "vcpus", "vcpu"), ("ram", "ram", "MB")):
        left = limits[name].left if name in limits else None
        needed = sum(
            max(0, (getattr(flavor, attribute) or 0) - (getattr(held, attribute) or 0)) for held in now if held
        )
        if left is not None and needed > left:
            if unit == "MB":
                return f"quota: needs {megabytes(needed)} more, {megabytes(left)} are left"
            return f"quota: needs {needed} more {unit}, {left} are left"
    return ""


def _fits(now: Sequence[Flavor | None], flavor: Flavor, limits: Mapping[str, Limit]) -> str:
    cores, ram = (limits[name].left if name in limits else None for name in ("cores", "ram"))
    if cores is None or ram is None or cores > PLENTY:
        return "fits"
    cores -= sum(max(0, (flavor.vcpus or 0) - (held.vcpus or 0)) for held in now if held)
    ram -= sum(max(0, (flavor.ram or 0) - (held.ram or 0)) for held in now if held)
    return f"fits, quota leaves {cores} vcpu and {megabytes(ram)}"


def changes(server: Server, held: Flavor | None, flavor: Flavor, becomes: str = "→") -> list[Line]:
    """What a resize to this flavor would change, as labels and values."""
    found: list[tuple[str, str]] = []
    if held is not None:
        found.append(("vcpu", _step(str(held.vcpus), str(flavor.vcpus), becomes)))
        found.append(("ram", _step(megabytes(held.ram), megabytes(flavor.ram), becomes)))
        grows = (flavor.disk or 0) > (held.disk or 0) and not server.boots_from_volume
        disk = _step(gigabytes(held.disk), gigabytes(flavor.disk), becomes)
        found.append(("disk", f"{disk}; it cannot shrink again" if grows else disk))
    found.append(("downtime", "it stops, moves and starts again"))
    if server.address:
        found.append(("address", f"stays {server.address}"))
    found.append(("afterwards", "VERIFY_RESIZE, until you confirm or revert it"))
    head: Line = (Span("What changes", "strong", True),)
    return [head, *(spans(Span(f"{label:<13}", "muted"), Span(value, "text")) for label, value in found)]


def _step(before: str, after: str, becomes: str) -> str:
    return f"stays {before}" if before == after else f"{before} {becomes} {after}"
