"""The panes of how much room a place has, declared: its limits with what is used of them, and its zones.

What is nearly used up stands first, since it is what the next order fails of.
"""

from typing import Any

from console.model.quota import Allowance
from console.model.zone import Zone
from console.tui.columns import Column
from console.tui.paint import megabytes
from console.tui.spec import Cell, Cells, Group, PaneSpec, Scene

TIGHT = 0.9  # the share from which on a limit asks for attention
BAR = 14  # cells of a bar that is full
_ORDER = tuple(
    "instances cores ram volumes volume_gigabytes keypairs floating_ips ports networks security_groups".split()
)


def _words(allowance: Allowance) -> str:
    return allowance.name.replace("_", " ")


def amount(value: int | None, unit: str, none: str) -> str:
    """A number of things, or of megabytes."""
    if value is None:
        return none
    return megabytes(value) if unit == "MB" else f"{value:,}{f' {unit}' if unit else ''}"


def bar(share: float | None, used: str, free: str) -> str:
    """As many cells of the bar as there is used; something that is used at all has one, and a full bar is full."""
    if share is None:
        return ""
    cells = max(int(share > 0), min(BAR, int(share * BAR)))
    return used * cells + free * (BAR - cells)


def _role(allowance: Allowance) -> str:
    share = allowance.share or 0.0
    return "error" if share >= 1.0 else "warn" if share >= TIGHT else "text"


def _limit_cells(allowance: Allowance, scene: Scene) -> Cells:
    none, share = scene.glyphs.none, allowance.share
    most = "no limit" if allowance.most is None else amount(allowance.most, allowance.unit, none)
    left = None if allowance.most is None or allowance.used is None else max(0, allowance.most - allowance.used)
    role = "stale" if scene.is_stale(allowance) else _role(allowance)
    return (
        Cell(_words(allowance), "strong" if role in ("warn", "error") else role, bold=role in ("warn", "error")),
        Cell(amount(allowance.used, allowance.unit, none), role),
        Cell(most, "muted"),
        Cell(
            bar(share, scene.glyphs.bar, scene.glyphs.coming),
            role,
            right="" if share is None else f"{share:.0%}",
            right_role=role,
        ),
        Cell(amount(left, allowance.unit, none), "muted"),
        Cell(scene.label(allowance.place)),
    )


def _limit_group(allowance: Allowance, scene: Scene) -> Group:
    if scene.is_stale(allowance):
        return Group.LAST_KNOWN
    return Group.NEEDS_YOU if (allowance.share or 0.0) >= TIGHT else Group.CALM


def _limit_order(allowance: Allowance, scene: Scene) -> tuple[Any, ...]:
    rank = _ORDER.index(allowance.name) if allowance.name in _ORDER else len(_ORDER)
    counted = allowance.share is None
    return scene.rank(allowance.place), str(allowance.place), counted, rank


def _limit_mood(allowance: Allowance, scene: Scene) -> tuple[str, str]:
    if scene.is_stale(allowance):
        return scene.glyphs.stale, "stale"
    role = _role(allowance)
    return (" ", "muted") if role == "text" else (scene.glyphs.beware, role)


LIMITS = PaneSpec(
    name="limits",
    title="Limits",
    collection="allowances",
    kind=Allowance,
    columns=(
        Column("name", 21, cut="middle"),
        Column("used", 10, align="right"),
        Column("most", 10, align="right"),
        Column("bar", BAR + 6),
        Column("left", 10, align="right", least=88),
        Column("place", 11, cut="middle", grows=24, gives=8, places=True),
    ),
    cells=_limit_cells,
    group=_limit_group,
    order=_limit_order,
    needs=lambda allowance, scene: (("place", len(scene.label(allowance.place))),),
    mood=_limit_mood,
    while_shown=True,
    fields={
        "name": lambda row, scene: _words(row),
        "used": lambda row, scene: row.used,
        "most": lambda row, scene: row.most,
        "bar": lambda row, scene: row.share,
        "left": lambda row, scene: None if row.most is None or row.used is None else row.most - row.used,
        "place": lambda row, scene: str(row.place),
    },
)


def _zone_cells(zone: Zone, scene: Scene) -> Cells:
    hosts = scene.glyphs.none if zone.hosts is None else f"{zone.hosts_up} of {zone.hosts} up"
    state, role = ("available", "muted") if zone.available else ("not available", "error")
    less = zone.hosts is not None and zone.hosts_up != zone.hosts
    return (
        Cell(zone.name, "strong", bold=not zone.available),
        Cell(state, role),
        Cell(hosts, "warn" if less else "muted"),
        Cell(scene.label(zone.place)),
    )


def _zone_group(zone: Zone, scene: Scene) -> Group:
    if scene.is_stale(zone):
        return Group.LAST_KNOWN
    return Group.CALM if zone.available else Group.NEEDS_YOU


def _zone_mood(zone: Zone, scene: Scene) -> tuple[str, str]:
    if scene.is_stale(zone):
        return scene.glyphs.stale, "stale"
    return (scene.glyphs.well, "ok") if zone.available else (scene.glyphs.broken, "error")


ZONES = PaneSpec(
    name="zones",
    title="Zones",
    collection="zones",
    kind=Zone,
    columns=(
        Column("name", 24, cut="middle", grows=40),
        Column("state", 16),
        Column("hosts", 16),
        Column("place", 16, cut="middle", places=True),
    ),
    cells=_zone_cells,
    group=_zone_group,
    order=lambda zone, scene: (scene.rank(zone.place), str(zone.place)),
    mood=_zone_mood,
    while_shown=True,
    fields={
        "name": lambda row, scene: row.name,
        "state": lambda row, scene: "available" if row.available else "not available",
        "status": lambda row, scene: "available" if row.available else "not available",
        "hosts": lambda row, scene: row.hosts,
        "place": lambda row, scene: str(row.place),
    },
)
