"""The panes of what servers share and of what is made of them by itself: shared IP groups, and schedules of images.

Pure declarations: a row and a `Scene` in, cells out.
"""

import datetime as dt
from collections import Counter
from typing import Any

from console.model.ipgroup import IpGroup
from console.model.schedule import Schedule
from console.text import cells
from console.tui.columns import Column
from console.tui.paint import clock
from console.tui.spec import Cell, Cells, Group, PaneSpec, Scene

# shared IP groups ------------------------------------------------------------------------------------------------


def _members(group: IpGroup, scene: Scene) -> str:
    return ", ".join(scene.server_of(group, id).name if scene.server_of(group, id) else id for id in group.servers)


def _shared(group: IpGroup, scene: Scene) -> str:
    """The addresses that more than one of the group's servers have."""
    found: Counter[str] = Counter()
    for id in group.servers:
        server = scene.server_of(group, id)
        found.update({address.addr for address in server.all_addresses()} if server else ())
    return ", ".join(sorted(addr for addr, count in found.items() if count > 1))


def _group_cells(group: IpGroup, scene: Scene) -> Cells:
    shared = _shared(group, scene)
    return (
        Cell(group.name or group.id, "strong"),
        Cell(_members(group, scene) or scene.glyphs.none, "text" if group.servers else "muted"),
        Cell(shared or scene.glyphs.none, "text" if shared else "muted"),
        Cell(scene.label(group.place)),
        Cell(group.id),
    )


IPGROUPS = PaneSpec(
    name="ipgroups",
    title="Shared IP groups",
    collection="ipgroups",
    kind=IpGroup,
    columns=(
        Column("name", 20, cut="middle", grows=32, gives=10),
        Column("servers", 24, grows=60, gives=12),
        Column("shares", 17, cut="never", grows=36, gives=9),
        Column("place", 14, cut="middle", places=True),
        Column("id", 12, wide=True),
    ),
    cells=_group_cells,
    group=lambda group, scene: Group.LAST_KNOWN if scene.is_stale(group) else Group.CALM,
    order=lambda group, scene: (scene.rank(group.place), str(group.place)),
    mood=lambda group, scene: (" ", "muted"),
    needs=lambda group, scene: (("name", cells(group.name)), ("shares", cells(_shared(group, scene)))),
    grouped=False,
    while_shown=True,
    new="ipgroup.create",
    fields={
        "name": lambda row, scene: row.name,
        "id": lambda row, scene: row.id,
        "servers": _members,
        "shares": _shared,
        "address": _shared,
        "place": lambda row, scene: str(row.place),
    },
)

# schedules -------------------------------------------------------------------------------------------------------


def _rhythm(row: Schedule) -> str:
    """How often, in words."""
    if row.rhythm:
        return row.rhythm
    hours = f"{row.daily[2:4]}-{row.daily[7:9]} GMT" if row.daily.startswith("H_") else row.daily
    daily = f"daily {hours}" if hours else ""
    weekly = f"weekly {row.weekly.title()}" if row.weekly else ""
    return " and ".join(filter(None, (daily, weekly))) or "never"


def _left(row: Schedule, scene: Scene) -> float | None:
    due = row.next_run(scene.now)
    return None if due is None else (due - scene.now).total_seconds()


def _schedule_cells(row: Schedule, scene: Scene) -> Cells:
    left, due = _left(row, scene), row.next_run(scene.now)
    off = not row.enabled
    return (
        Cell(row.name or row.id, "muted" if off else "strong"),
        Cell("off" if off else _rhythm(row), "muted" if off else "text"),
        Cell(scene.glyphs.none if row.keeps is None else str(row.keeps)),
        Cell(scene.glyphs.none if due is None else _moment(due), "text" if due else "muted"),
        Cell("" if left is None else clock(max(0.0, left)), "muted"),
        Cell(row.trouble or row.what, "error" if row.trouble else "muted"),
        Cell(scene.label(row.place)),
    )


def _moment(due: dt.datetime) -> str:
    return f"{due.astimezone(dt.UTC):%a %d %H:%M}"


def _schedule_group(row: Schedule, scene: Scene) -> Group:
    return Group.LAST_KNOWN if scene.is_stale(row) else Group.NEEDS_YOU if row.trouble else Group.CALM


def _soonest(row: Schedule, scene: Scene) -> tuple[Any, ...]:
    due = row.next_run(scene.now)
    return (due is None, due.timestamp() if due else 0.0)


SCHEDULES = PaneSpec(
    name="schedules",
    title="Schedules",
    collection="plans",
    kind=Schedule,
    columns=(
        Column("name", 16, cut="middle", grows=32, gives=8),
        Column("rhythm", 20, grows=36, gives=12),
        Column("keeps", 6, align="right"),
        Column("next", 13, gives=13),
        Column("in", 7, align="right", least=90),
        Column("kind", 18, grows=30, gives=12, least=78),
        Column("place", 14, cut="middle", places=True, least=90),
    ),
    cells=_schedule_cells,
    group=_schedule_group,
    order=_soonest,
    mood=lambda row, scene: (scene.glyphs.broken, "error") if row.trouble else (" ", "muted"),
    needs=lambda row, scene: (("name", cells(row.name)), ("rhythm", cells(_rhythm(row)))),
    while_shown=True,
    fields={
        "name": lambda row, scene: row.name,
        "server": lambda row, scene: row.name,
        "rhythm": lambda row, scene: _rhythm(row),
        "keeps": lambda row, scene: row.keeps,
        "next": lambda row, scene: _left(row, scene),
        "in": _left,
        "kind": lambda row, scene: row.what,
        "place": lambda row, scene: str(row.place),
        "status": lambda row, scene: "on" if row.enabled else "off",
    },
)
