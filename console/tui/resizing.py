"""The flavor picker's knowledge: which flavors a server can be resized to, why others not, and what would change.

What we can know to be refused is said beforehand; what we cannot know is left to the cloud. Pure.
"""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from console.model import fitting
from console.model.fitting import held
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.quota import Limit
from console.model.server import Server
from console.tui.paint import Line, Span, cut_tail, gigabytes, megabytes, spans
from console.tui.pickers import Choice

TOO_SMALL = "disk too small"
SHRINKING = "No disk shrinks: replace makes an image, and builds anew from it."
WAITS = "VERIFY_RESIZE, until you confirm or revert it"
PLENTY = 10_000  # a quota of which more than this is left is no quota worth telling


def heads(flavors: Sequence[Flavor]) -> tuple[tuple[str, int, bool], ...]:
    """The picker's columns: name, width, and whether it stands at the right."""
    longest = max((cell_len(flavor.name) for flavor in flavors), default=8)
    return ("flavor", min(30, max(12, longest)), False), ("vcpu", 6, True), ("ram", 9, True), ("disk", 9, True)


def choices(
    servers: Sequence[Server],
    flavors: Sequence[Flavor],
    limits: Mapping[str, Limit] | None = None,
    image: Image | None = None,
) -> list[Choice]:
    """Every flavor as a choice for these servers; where there are none, for a new one of that image."""
    now: list[Flavor | None] = [held(server, flavors) for server in servers] or [None]
    found = []
    for flavor in sorted(flavors, key=lambda f: (f.ram or 0, f.vcpus or 0, f.disk or 0, f.name)):
        current = all(one is not None and fitting.same(one, flavor) for one in now)
        small = fitting.too_small(image, flavor) if image is not None else ""
        reason = "it has this" if current else small or _against(servers, now, flavor, limits or {})
        fits = not current and not reason
        cells = (cut_tail(flavor.name, 30), str(flavor.vcpus or "—"), megabytes(flavor.ram), gigabytes(flavor.disk))
        told = [reason or _fits(now, flavor, limits or {}), fitting.priority(flavor)]
        found.append(Choice(flavor, cells, fits, ", ".join(filter(None, told)), current))
    return found


def _against(
    servers: Sequence[Server], now: Sequence[Flavor | None], flavor: Flavor, limits: Mapping[str, Limit]
) -> str:
    for server, one in zip(servers, now, strict=False):
        if one is not None and fitting.shrinks(server, one, flavor):
            return TOO_SMALL
        if reason := fitting.against(server, one, flavor):
            return reason
    if flavor.disabled:
        return "switched off by the provider"
    return _quota({**_needed(now, flavor), "instances": int(not servers)}, limits)


def _needed(now: Sequence[Flavor | None], flavor: Flavor) -> dict[str, int]:
    """What all of them together need more of each limit."""
    each = [fitting.needed(one, flavor) for one in now]
    return {name: sum(one[name] for one in each) for name in ("cores", "ram")}


def _quota(more: Mapping[str, int], limits: Mapping[str, Limit]) -> str:
    name = fitting.short(limits, more)
    if not name:
        return ""
    left = max(0, limits[name].left or 0)
    if name == "ram":
        return f"quota: needs {megabytes(more[name])} more, {megabytes(left)} are left"
    if name == "instances":
        return f"quota: {limits[name].used} of {limits[name].most} servers are there already"
    return f"quota: needs {more[name]} more vcpu, {left} are left"


def _fits(now: Sequence[Flavor | None], flavor: Flavor, limits: Mapping[str, Limit]) -> str:
    cores, ram = (limits[name].left if name in limits else None for name in ("cores", "ram"))
    if cores is None or ram is None or cores > PLENTY:
        return "fits"
    more = _needed(now, flavor)
    return f"fits, quota leaves {cores - more['cores']} vcpu and {megabytes(ram - more['ram'])}"


def changes(
    server: Server, now: Flavor | None, flavor: Flavor, becomes: str = "→", *, guarded: bool = False
) -> list[Line]:
    """What a resize to this flavor would change, as labels and values."""
    found: list[tuple[str, str]] = []
    if now is not None:
        found.append(("vcpu", _step(str(now.vcpus), str(flavor.vcpus), becomes)))
        found.append(("ram", _step(megabytes(now.ram), megabytes(flavor.ram), becomes)))
        grows = (flavor.disk or 0) > (now.disk or 0) and not server.boots_from_volume
        disk = _step(gigabytes(now.disk), gigabytes(flavor.disk), becomes)
        found.append(("disk", f"{disk}; it cannot shrink again" if grows else disk))
        before, after = fitting.priority(now), fitting.priority(flavor)
        if before != after:
            found.append(("cpu", _step(before or "as usual", after or "as usual", becomes)))
    found.append(("downtime", "it stops, moves and starts again"))
    if server.address:
        found.append(("address", f"stays {server.address}"))
    after = "its guest is tested, then it is confirmed; reverted if that fails" if guarded else WAITS
    found.append(("afterwards", after))
    head: Line = (Span("What changes", "strong", True),)
    return [head, *(spans(Span(f"{label:<13}", "muted"), Span(value, "text")) for label, value in found)]


def _step(before: str, after: str, becomes: str) -> str:
    return f"stays {before}" if before == after else f"{before} {becomes} {after}"
