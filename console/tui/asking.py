"""The words of the dialogs: which rows, what is special about each, what cannot be undone, what must be typed. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Row
from console.model.server import Server
from console.tui.deck import Deck
from console.tui.operations import Operation
from console.tui.paint import Line, Span, age, byte_size, cut_middle, since, spans
from console.tui.pickers import Choice

NAMES = (("name", 40, False), ("", 12, True))  # the columns of a picker that has only names


def default_of(action: Any, ask: Any, able: Sequence[Row]) -> str:
    """What stands in the line before anything is typed."""
    if ask.default is not None:
        return str(ask.default)
    if ask.name != "name":
        return ""
    if action.name == "server.set":
        return able[0].name if len(able) == 1 else ""
    return f"{able[0].name}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M}" if len(able) == 1 else "{name}-{time}"


def rung(operation: Operation, rung: Any, now: float) -> None:
    if rung is None:
        return
    operation.step(rung.name, now)
    step = operation.steps[-1]
    step.began, step.ended, step.failed = now - (rung.took or 0.0), now, rung.state == "failed"
    if rung.state == "skipped":
        operation.steps.pop()


def names_of(rows: Sequence[Row]) -> str:
    if len(rows) == 1:
        return rows[0].name or rows[0].id
    return f"{len(rows)} {rows[0].key.kind or 'row'}s"


def rows_lines(rows: Sequence[Row], deck: Deck, glyph_of: Any, most: int = 8) -> list[Line]:
    found: list[Line] = []
    for row in rows[:most]:
        made = since(getattr(row, "created", None), deck.now())
        glyph, role = glyph_of(row.mood) if isinstance(row, Server) else (" ", "muted")
        facts = [row.address or deck.glyphs.none, row.status] if isinstance(row, Server) else []
        if isinstance(row, Image):
            facts = [byte_size(row.size), row.status]
        special = "locked" if getattr(row, "locked", False) else ""
        line = spans(Span(f"{glyph} ", role), Span(f"{cut_middle(row.name or row.id, 24):<26}", "strong"))
        for fact in facts:
            line = spans(line, Span(f"{fact:<18}", "text"))
        line = spans(line, Span(f"{'' if made is None else age(made):>5}", "muted"))
        found.append(spans(line, Span(f"  {special}", "warn")) if special else line)
    if len(rows) > most:
        found.append(spans(Span(f"  and {len(rows) - most} more", "muted")))
    return found


def warning(action: Any, rows: Sequence[Row]) -> list[Line]:
    """What it does, and whether it can be taken back."""
    question = action.confirm.replace("{name}", rows[0].name if len(rows) == 1 else names_of(rows))
    if len(rows) > 1:
        question = (
            question.replace(" its disk ", " their disks ").replace(" it is ", " they are ").replace(" it ", " them ")
        )
    found: list[Line] = [spans(Span(question, "text"))]
    if not action.reversible:
        found.append(spans(Span("Nothing here can take it back.", "warn")))
    return found


def typed_for(action: Any, rows: Sequence[Row], production: bool) -> tuple[str, str]:
    """What must be typed, and for what: a name in production, the number where there are several."""
    if not action.type_name:
        return "", ""
    kind = "production servers" if production else "servers"
    if len(rows) > 1:
        return str(len(rows)), f"to {action.title} {len(rows)} {kind}"
    return (rows[0].name or rows[0].id, f"to {action.title} it") if production else ("", "")


def detail_of(row: Row | None, given: Mapping[str, Any], deck: Deck) -> str:
    value = given.get("flavor")
    if isinstance(value, Flavor) and isinstance(row, Server):
        held = (
            row.flavor.name
            if row.flavor and row.flavor.name
            else deck.flavors.get((row.flavor.id or "") if row.flavor else "", "")
        )
        return f"{held} {deck.glyphs.becomes} {value.name}" if held else value.name
    if isinstance(value, Flavor):
        return value.name
    return str(given["name"]) if row is not None and "name" in given else ""


def choices_of(rows: Sequence[Any], ask: Any) -> list[Choice]:
    if ask.kind == "image":
        usable = sorted(rows, key=lambda image: (image.snapshot, image.name))
        return [
            Choice(
                image,
                (cut_middle(image.name or image.id, 38), byte_size(image.size)),
                image.status == "active",
                "" if image.status == "active" else image.status,
            )
            for image in usable
        ]
    return [Choice(row, (cut_middle(row.name or row.id, 38), "")) for row in rows]
