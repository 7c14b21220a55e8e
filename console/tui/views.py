"""What the detail view says of one row: pure functions from a row and a scene to lines.

Whole ids and addresses stand here, and what the table had no room for. What nobody told is a dash, never a guess.
"""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Row
from console.model.server import Server
from console.model.status import Mood
from console.text import clean_lines, clean_tree, masked
from console.tui import readiness
from console.tui.paint import (
    Line,
    Span,
    age,
    byte_size,
    cut_end,
    fit,
    gigabytes,
    megabytes,
    pad,
    since,
    spans,
    width,
    word_lines,
)
from console.tui.panes import PANES
from console.tui.server_pane import flavor_name, image_name
from console.tui.spec import Scene

Facts = list[tuple[str, Any]]
VALUES = 16  # the cell in which values begin
LEAST_VALUE = 20  # cells that a value has at least
NO_LOG: Line = (Span("  Its console has told nothing yet.", "muted"),)
ASKING: Line = (Span("  asking …", "muted"),)


def spec_of(row: Row) -> Any:
    """The pane that shows this kind of row."""
    return next(spec for spec in PANES.values() if isinstance(row, spec.kind))


def overview(row: Row, scene: Scene, size: int = 80) -> list[Line]:
    """What it is, as labels and values, in lines of at most so many cells."""
    return _blocks(_facts(row, scene), scene, max(LEAST_VALUE, size - VALUES))


def _facts(row: Row, scene: Scene) -> Sequence[Facts]:
    if isinstance(row, Server):
        return server_facts(row, scene)
    if isinstance(row, Image):
        return _image_facts(row, scene)
    if isinstance(row, Flavor):
        return _flavor_facts(row, scene)
    told: Callable[[Row, Scene], Sequence[Facts]] | None = spec_of(row).facts
    return told(row, scene) if told else [[("name", row.name), ("place", row.place)]]


def _blocks(blocks: Sequence[Facts], scene: Scene, room: int) -> list[Line]:
    found: list[Line] = [spans("  ", Span("What it is", "strong", True)), ()]
    for block in blocks:
        for label, value in block:
            found += _fact(label, value, scene, room)
        found.append(())
    return found


def _fact(label: str, value: Any, scene: Scene, room: int) -> list[Line]:
    """A label and its value, which goes on below where it began."""
    head = spans("  ", Span(pad(cut_end(label, 13), VALUES - 2), "muted"))
    if value is None or value == "" or value == []:
        return [spans(head, Span(scene.glyphs.none, "muted"))]
    values = [
        one if isinstance(one, Span) else Span(str(one)) for one in (value if isinstance(value, list) else [value])
    ]
    lines = [one._replace(text=line) for one in values for line in _lines_of(one.text, room)]
    return [spans(" " * VALUES if at else head, line) for at, line in enumerate(lines)]


def _lines_of(text: str, room: int) -> list[str]:
    return [text] if cell_len(text) <= room else word_lines(text, room)


def server_facts(server: Server, scene: Scene) -> list[Facts]:
    """A server's facts, in blocks."""
    role = scene.glyphs.of(server.mood)[1]
    stale = scene.is_stale(server)
    status = server.status if server.status != "UNKNOWN" or not server.word else f"UNKNOWN ({server.word})"
    state: Facts = [
        ("status", Span(f"last known {status}" if stale else status, "stale" if stale else role)),
        ("task", server.task_state or "none"),
        ("power", server.power),
        ("progress", f"{server.progress}%" if server.progress and server.mood is Mood.MOVING else None),
    ]
    if scene.off_from_inside(server):
        state.append(("why", "powered off from inside"))
    if ready := readiness.fact(server, scene):
        state.append(("guest", ready))
    if server.fault:
        state.append(("fault", Span(server.fault.message, "error")))
        if server.fault.details:
            state.append(("details", server.fault.details.splitlines()[-1:]))
    return [
        [fact for fact in state if fact[1] is not None],
        _network_facts(server),
        _making_facts(server, scene),
        _time_facts(server, scene),
    ]


def _network_facts(server: Server) -> Facts:
    found: Facts = [("address", server.address)]
    for network, addresses in (server.addresses or {}).items():
        for address in addresses:
            kind = f"  {address.kind}" if address.kind else ""
            mac = f"  {address.mac}" if address.mac else ""
            found.append((network, f"{address.addr}{kind}{mac}"))
    groups = sorted({group.name for group in server.security_groups or ()})
    return [*found, ("groups", ", ".join(groups))]


def _making_facts(server: Server, scene: Scene) -> Facts:
    flavor = server.flavor
    figures = ""
    if flavor is not None and flavor.vcpus is not None:
        figures = f"{flavor.vcpus} vcpu · {megabytes(flavor.ram)} · {gigabytes(flavor.disk)}"
    return [
        ("flavor", [told for told in (flavor_name(server, scene), figures) if told]),
        ("image", image_name(server, scene)),
        ("image id", server.image_id),
        ("key pair", server.key_name),
        ("volumes", [volume.id for volume in server.volumes or ()] or "none"),
        ("tags", ", ".join(server.tags or ())),
        ("description", server.description),
    ]


def _time_facts(server: Server, scene: Scene) -> Facts:
    locked = None if server.locked is None else "no" if not server.locked else server.locked_reason or "yes"
    return [
        ("place", server.place),
        ("zone", server.zone),
        ("host", server.host),
        ("project", server.project_id),
        ("locked", locked),
        ("created", moment(server.created, scene)),
        ("updated", moment(server.updated, scene)),
    ]


def moment(when: dt.datetime | None, scene: Scene) -> str | None:
    """A time in UTC with its age."""
    if when is None:
        return None
    seconds = since(when, scene.now) or 0.0
    return f"{when.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC, {age(seconds)} ago"


def _image_facts(image: Image, scene: Scene) -> list[Facts]:
    return [
        [
            ("status", image.status),
            ("size", byte_size(image.size)),
            ("kind", "snapshot" if image.snapshot else "base image"),
            ("of server", image.server_id),
        ],
        [
            ("visibility", image.visibility),
            ("protected", None if image.protected is None else "yes" if image.protected else "no"),
            ("min disk", gigabytes(image.min_disk)),
            ("min ram", megabytes(image.min_ram)),
            ("format", image.disk_format),
            ("system", image.os_distro),
            ("checksum", image.checksum),
        ],
        [("place", image.place), ("owner", image.owner), ("created", moment(image.created, scene))],
    ]


def _flavor_facts(flavor: Flavor, scene: Scene) -> list[Facts]:
    return [
        [
            ("vcpu", flavor.vcpus),
            ("ram", megabytes(flavor.ram)),
            ("disk", gigabytes(flavor.disk)),
            ("ephemeral", gigabytes(flavor.ephemeral)),
            ("swap", flavor.swap or None),
        ],
        [("public", None if flavor.public is None else "yes" if flavor.public else "no"), ("place", flavor.place)],
        [("extra specs", [f"{key} = {value}" for key, value in (flavor.extra_specs or {}).items()])],
    ]


def beside(left: Sequence[Line], right: Sequence[Line], split: int, total: int) -> list[Line]:
    """Two columns of lines as one; the second begins at `split`."""
    found = []
    for number in range(max(len(left), len(right))):
        one = fit(left[number], split - 2) if number < len(left) else ()
        two = right[number] if number < len(right) else ()
        found.append(fit(spans(one, " " * (split - width(one)), two), total))
    return found


def metadata(row: Row, scene: Scene) -> list[Line]:
    """Its metadata, one pair a line."""
    pairs = getattr(row, "metadata", None) or {}
    if not pairs:
        return [spans("  ", Span("It has no metadata.", "muted"))]
    size = min(40, max(map(cell_len, pairs)) + 2)
    return [spans("  ", Span(pad(key, size), "muted"), Span(value, "text")) for key, value in sorted(pairs.items())]


def raw(row: Row) -> list[Line]:
    """The record as the cloud sent it, printed in order; secrets are masked."""
    if not row.record:
        return [spans("  ", Span("The cloud has sent no record of it yet.", "muted"))]
    try:
        tree = clean_tree(json.loads(row.record))
    except ValueError:
        return [spans("  ", Span("The record cannot be read as JSON.", "warn"))]
    text = json.dumps(masked(tree), indent=2, ensure_ascii=False)
    return [_json_line(line) for line in text.splitlines()]


def _json_line(line: str) -> Line:
    key, sign, value = line.partition('": ')
    if sign and key.lstrip().startswith('"'):
        return spans("  ", Span(key + '":', "muted"), " ", Span(value, "text"))
    return spans("  ", Span(line, "text"))


def log_lines(text: str) -> list[Line]:
    """A console log, cleaned of escape codes."""
    lines = clean_lines(text).expandtabs(8).splitlines()
    return [spans("  ", Span(line, _log_role(line))) for line in lines]


def _log_role(line: str) -> str:
    lower = line.lower()
    if "ssh host key" in lower or "sha256:" in lower or "login:" in lower:
        return "strong"
    return "error" if "panic" in lower or "traceback" in lower or "error" in lower else "text"


def history_lines(happenings: Sequence[Any], scene: Scene, size: int = 200) -> list[Line]:
    """What was asked of a server, and what we saw of it, newest first, in lines of at most so many cells."""
    if not happenings:
        return [spans("  ", Span("Nothing is known of its past.", "muted"))]
    return [line for one in happenings for line in _happening(one, scene, size)]


def _happening(one: Any, scene: Scene, size: int) -> list[Line]:
    when = f"{one.at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}" if one.at else "?"
    seen = one.told_by == "seen"
    glyph, role = (scene.glyphs.broken, "error") if one.failed else (scene.glyphs.done, "ok")
    if seen:
        glyph, role = scene.glyphs.coming, "faint"
    head = spans(
        "  ",
        Span(f"{when:<21}", "muted"),
        Span(f"{glyph} ", role),
        Span(f"{one.what:<14}  ", "muted" if seen else "text"),
    )
    who = "the cloud itself" if one.unasked else _short_id(one.user_id, scene, 4)
    text = one.text.replace(" > ", f" {scene.glyphs.becomes} ")
    beside = "  ".join(filter(None, (_short_id(one.request_id, scene, 8), f"by {who}" if who else "")))
    room, begins = max(LEAST_VALUE, size - width(head)), " " * width(head)
    told = [Span(line, "error" if one.failed else "text") for line in _lines_of(text, room)] if text else []
    lines: list[Line] = [(line,) for line in told]
    if told and width(told[-1:]) + 2 + cell_len(beside) <= room:
        lines[-1] = (told[-1], Span(f"  {beside}" if beside else "", "muted"))
    elif beside or not told:
        lines.append((Span(beside, "muted"),))
    return [spans(begins if at else head, line) for at, line in enumerate(lines)]


def _short_id(id: str, scene: Scene, head: int) -> str:
    return f"{id[:head]}{scene.glyphs.cut}{id[-4:]}" if len(id) > head + 5 else id
