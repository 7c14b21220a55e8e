"""The audit's pane, declared: who asked what of which cloud from here, when, and what became of it."""

import datetime as dt
from typing import Any

from console.model.deed import Deed
from console.text import cells
from console.tui.columns import Column
from console.tui.paint import since
from console.tui.spec import Cell, Cells, Group, PaneSpec, Scene

_ROLES = {"failed": "error", "done": "muted", "accepted": "muted", "asked": "warn"}


def when(moment: dt.datetime | None, now: dt.datetime) -> str:
    """The time of a moment of today, else its date too."""
    if moment is None:
        return "?"
    same = moment.astimezone(dt.UTC).date() == now.astimezone(dt.UTC).date()
    return f"{moment.astimezone(dt.UTC):%H:%M:%S}" if same else f"{moment.astimezone(dt.UTC):%m-%d %H:%M}"


def words(deed: Deed) -> str:
    """What is to be said of it: the failure's reason, else why it was done."""
    return deed.message if not deed.ok else deed.why


def _cells(deed: Deed, scene: Scene) -> Cells:
    role = _ROLES.get(deed.outcome, "muted")
    none = scene.glyphs.none
    return (
        Cell(when(deed.at, scene.now)),
        Cell(deed.action, "text"),
        Cell(deed.name or deed.target_id or none, "strong" if role == "error" else "text", bold=role == "error"),
        Cell(deed.outcome, role),
        Cell(scene.label(deed.place)),
        Cell(deed.user or none),
        Cell(words(deed), "error" if not deed.ok else "muted"),
        Cell(deed.request_id or none),
        Cell(deed.id),
    )


def _mood(deed: Deed, scene: Scene) -> tuple[str, str]:
    if not deed.ok:
        return scene.glyphs.broken, "error"
    if deed.outcome == "asked":
        return scene.glyphs.moving, "busy"
    return scene.glyphs.done, "ok"


def _newest_first(deed: Deed, scene: Scene) -> tuple[Any, ...]:
    return (-deed.at.timestamp() if deed.at else 0.0, deed.id)


def _needs(deed: Deed, scene: Scene) -> tuple[tuple[str, int], ...]:
    return ("name", cells(deed.name)), ("place", len(scene.label(deed.place))), ("who", cells(deed.user))


AUDIT = PaneSpec(
    name="audit",
    title="Audit",
    collection="deeds",
    kind=Deed,
    columns=(
        Column("at", 12),
        Column("action", 20, gives=14, cut="end"),
        Column("name", 16, cut="middle", grows=32),
        Column("outcome", 10),
        Column("place", 16, cut="middle", gives=8, least=98),
        Column("who", 12, cut="middle", gives=6, least=78),
        Column("words", 10, grows=120, least=98),
        Column("request", 42, wide=True),
        Column("order", 13, wide=True),
    ),
    cells=_cells,
    group=lambda deed, scene: Group.CALM,
    order=_newest_first,
    mood=_mood,
    grouped=False,
    while_shown=True,
    nothing="Nothing was asked of any cloud from here yet.",
    needs=_needs,
    searched=("name", "action", "outcome", "who", "place", "words", "request", "id"),
    facts=lambda deed, scene: [
        [("asked", deed.action), ("outcome", deed.outcome), ("message", deed.message), ("why", deed.why)],
        [("of", f"{deed.target_kind} {deed.name}".strip()), ("its id", deed.target_id), ("place", str(deed.place))],
        [("at", _moment(deed.at)), ("last line", _moment(deed.ended))],
        [("who", deed.user), ("process", deed.pid or None)],
        [("request id", deed.request_id), ("order", deed.id)],
    ],
    fields={
        "name": lambda row, scene: row.name,
        "action": lambda row, scene: row.action,
        "outcome": lambda row, scene: row.outcome,
        "status": lambda row, scene: row.outcome,
        "who": lambda row, scene: row.user,
        "place": lambda row, scene: str(row.place),
        "words": lambda row, scene: f"{row.message} {row.why}".strip(),
        "request": lambda row, scene: row.request_id,
        "id": lambda row, scene: row.target_id,
        "order": lambda row, scene: row.id,
        "at": lambda row, scene: since(row.at, scene.now),
        "age": lambda row, scene: since(row.at, scene.now),
    },
)


def _moment(moment: dt.datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
