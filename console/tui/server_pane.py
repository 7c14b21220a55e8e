"""The servers' pane, declared: columns, groups by attention, and the words for what a server does or suffers."""

import re
from operator import attrgetter
from typing import Any

from console.model.operation import mark_of
from console.model.place import Key
from console.model.server import Server, deleted
from console.model.status import Mood
from console.text import cells
from console.tui import readiness
from console.tui.columns import Column
from console.tui.paint import age, clock, since, ticking
from console.tui.spec import Cell, Cells, Group, PaneSpec, Scene

# Faults of Nova in the few words that fit beside an ERROR.
_FAULTS = (
    (re.compile(r"no valid host", re.I), "no valid host"),
    (re.compile(r"quota.*port|port.*quota", re.I), "port quota reached"),
    (re.compile(r"exceeded maximum number of retries", re.I), "no host took it"),
    (re.compile(r"build of instance .* aborted: *", re.I), ""),
)


def fault_words(message: str) -> str:
    """A fault in few words: its first sentence, without what every fault says."""
    for pattern, words in _FAULTS:
        if pattern.search(message):
            if words:
                return words
            message = pattern.sub("", message)
    words = re.split(r"[.\n;] ?", message.strip(), maxsplit=1)[0]
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


_GROUPS = {
    Mood.BROKEN: Group.NEEDS_YOU,
    Mood.ASKS: Group.NEEDS_YOU,
    Mood.MOVING: Group.IN_MOTION,
    Mood.UNKNOWN: Group.LAST_KNOWN,
}


def server_group(server: Server, scene: Scene) -> Group:
    """Which group a server stands in."""
    if scene.is_stale(server):
        return Group.LAST_KNOWN
    return _GROUPS.get(readiness.mood(server, scene), Group.CALM)


def server_mood(server: Server, scene: Scene) -> tuple[str, str]:
    """A server's glyph and its role."""
    return (scene.glyphs.stale, "stale") if scene.is_stale(server) else scene.glyphs.of(readiness.mood(server, scene))


def _task(server: Server, scene: Scene) -> Cell:
    mood = server.mood
    run = mark_of(server)
    if run and mood not in (Mood.BROKEN, Mood.MOVING):
        return Cell(f"operation {run}", "text")
    told = readiness.cell(server, scene)
    if told is not None:
        return told
    if mood is Mood.BROKEN:
        return Cell(fault_words(server.fault.message) if server.fault else "no reason given", "error")
    moved = since(server.updated or server.created, scene.now)
    ticks = ticking(moved) if moved is not None and 0 <= moved < 86400 else ""
    if mood is Mood.MOVING:
        progress = server.progress or 0
        return Cell(server.task_state or "", "text", right=f"{progress}%" if 0 < progress < 100 else ticks)
    if server.status in ("VERIFY_RESIZE", "VERIFY_MOVE"):
        left = scene.resize_left(server)
        if left is not None and left.seconds > 0:
            words = "auto confirm" if left.exact else "auto, at most"
            return Cell(words, "text", right=clock(left.seconds), right_role="warn")
        if left is not None:
            return Cell("auto confirm", "text", right="due", right_role="warn")
        return Cell("keep or revert", "text", right=age(moved) if moved is not None and moved >= 0 else "")
    if scene.off_from_inside(server):
        return Cell("off from inside", "text", right=age(moved) if moved is not None and moved >= 0 else "")
    if server.word and server.status == "UNKNOWN" and server.word.upper() != "UNKNOWN":
        return Cell(server.word, "stale")
    return Cell("locked", "muted") if server.locked else Cell()


def _status(server: Server, mood: Mood, role: str) -> Cell:
    calm = mood in (Mood.WELL, Mood.RESTS)
    return Cell(server.status, "muted" if calm else role, bold=mood is Mood.BROKEN, strike=deleted(server))


def flavor_name(server: Server, scene: Scene) -> str:
    """The name of a server's flavor; its id where no name is known; "" where the cloud did not tell."""
    if server.flavor is None:
        return ""
    id = server.flavor.id or ""
    return server.flavor.name or scene.names.get(_beside(server, "flavor", id)) or id


def image_name(server: Server, scene: Scene) -> str:
    """The name of the image that a server was made of, "volume", or "" where nobody told."""
    if server.boots_from_volume:
        return "volume"
    id = server.image_id
    return "" if id is None else scene.names.get(_beside(server, "image", id)) or f"{id[:4]}…{id[-4:]}"


def _beside(server: Server, kind: str, id: str) -> Key:
    """What the server's own cloud calls so: other clouds have flavors and images of the same id."""
    return Key(server.key.endpoint, server.key.region, kind, id)


def server_age(server: Server, scene: Scene) -> str:
    """How long ago it was made."""
    seconds = since(server.created, scene.now)
    return scene.glyphs.none if seconds is None else age(seconds)


def server_cells(server: Server, scene: Scene) -> Cells:
    """A server's row, in the order of SERVERS.columns."""
    none = scene.glyphs.none
    wide = (
        Cell(server.id),
        Cell(server.host or none),
        Cell(server.zone or none),
        Cell(server.power or none),
        Cell(server.key_name or none),
        Cell(server.project_id or none),
    )
    if scene.is_stale(server):
        was = Cell(f"was {server.status}", "stale")
        rest = (flavor_name(server, scene), image_name(server, scene), scene.label(server.place))
        told = (server.name, "UNKNOWN", was, server.address or none, *rest, server_age(server, scene))
        shown = tuple(text if isinstance(text, Cell) else Cell(text, "stale") for text in told)
        return (*shown, *(cell._replace(role="stale") for cell in wide))
    mood = readiness.mood(server, scene)
    role = scene.glyphs.of(mood)[1]
    lively = mood not in (Mood.WELL, Mood.RESTS)
    return (
        Cell(server.name or server.id, "strong", bold=lively),
        _status(server, mood, role),
        _task(server, scene),
        Cell(server.address or none, "text" if server.address else "muted"),
        Cell(flavor_name(server, scene) or none),
        Cell(image_name(server, scene) or none),
        Cell(scene.label(server.place)),
        Cell(server_age(server, scene)),
        *wide,
    )


def _server_order(server: Server, scene: Scene) -> tuple[Any, ...]:
    mood = readiness.mood(server, scene)
    calm = mood in (Mood.WELL, Mood.RESTS)
    urgency = -1 if scene.resize_left(server) is not None else int(Mood.WELL if calm else mood)
    return (urgency, scene.rank(server.place), str(server.place))


def _server_needs(server: Server, scene: Scene) -> tuple[tuple[str, int], ...]:
    return (
        ("name", cells(server.name)),
        ("status", len(server.status)),
        ("address", len(server.address or "")),
        ("flavor", cells(flavor_name(server, scene))),
        ("image", cells(image_name(server, scene))),
        ("place", len(scene.label(server.place))),
        ("host", cells(server.host or "-")),
        ("zone", cells(server.zone or "")),
        ("power", len(server.power or "")),
        ("key", cells(server.key_name or "")),
    )


SERVERS = PaneSpec(
    name="servers",
    title="Servers",
    collection="servers",
    kind=Server,
    columns=(
        Column("name", 13, cut="middle", grows=32, gives=8),
        Column("status", 15, grows=18, narrow=(79, 14)),
        Column("task", 22, grows=36, late=True, narrow=(79, 21)),
        Column("address", 17, cut="never", gives=12, least=78),
        Column("flavor", 11, cut="head", grows=26, gives=8, least=114),
        Column("image", 16, cut="head", grows=32, gives=10, least=114),
        Column("place", 10, cut="middle", grows=24, gives=6, least=98, places=True),
        Column("age", 5, align="right"),
        Column("id", 37, wide=True),
        Column("host", 16, wide=True, cut="middle", gives=11),
        Column("zone", 10, wide=True, gives=8),
        Column("power", 10, wide=True, gives=9),
        Column("key", 14, wide=True, cut="middle", gives=8),
        Column("project", 33, wide=True, cut="middle", gives=10),
    ),
    cells=server_cells,
    group=server_group,
    order=_server_order,
    mood=server_mood,
    fields={
        "name": lambda row, scene: row.name,
        "id": lambda row, scene: row.id,
        "status": lambda row, scene: row.status,
        "task": lambda row, scene: row.task_state or "",
        "ready": readiness.word,
        "address": lambda row, scene: " ".join(a.addr for a in row.all_addresses()) or row.address or "",
        "flavor": flavor_name,
        "image": image_name,
        "place": lambda row, scene: str(row.place),
        "host": lambda row, scene: row.host or "",
        "zone": lambda row, scene: row.zone or "",
        "power": lambda row, scene: row.power or "",
        "key": lambda row, scene: row.key_name or "",
        "project": lambda row, scene: row.project_id or "",
        "locked": lambda row, scene: "yes" if row.locked else "no",
        "meta": lambda row, scene: " ".join(f"{k}={v}" for k, v in (row.metadata or {}).items()),
        "age": lambda row, scene: since(row.created, scene.now),
    },
    needs=_server_needs,
    decides=attrgetter("word", "task_state", "name", "place", "flavor"),
    new="server.create",
)
