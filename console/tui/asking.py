"""The words of the dialogs: which rows, what is special about each, what cannot be undone, what must be typed. Pure."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.operation import under
from console.model.place import Row
from console.model.server import Server
from console.tui.deck import Deck
from console.tui.image_pane import kind_words
from console.tui.operations import Operation
from console.tui.paint import Line, Span, age, byte_size, cut_middle, pad, since, spans, word_lines
from console.tui.pickers import Choice
from console.tui.server_pane import flavor_name
from console.tui.spec import natural

MOST_HOSTS = 3  # whose servers are named
NARROWEST = 68  # cells that a line of a dialog has at least
NOUNS = {"keypair": "key pair", "allowance": "limit", "ipgroup": "shared IP group"}  # kinds that are no words
NAMES = (("name", 40, False), ("", 12, True))  # the columns of a picker that has only names


def default_of(action: Any, ask: Any, able: Sequence[Row]) -> str:
    """What stands in the line before anything is typed."""
    if ask.default is not None:
        return str(ask.default)
    if action.name == "server.set":
        return str(getattr(able[0], ask.name) or "") if len(able) == 1 else ""
    if ask.name != "name":
        return ""
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
    return counted(len(rows), rows[0].key.kind)


def counted(number: int, kind: str) -> str:
    """So many rows of a kind, in words: 2 key pairs."""
    return f"{number:,} {NOUNS.get(kind, kind) or 'row'}{'' if number == 1 else 's'}"


def row_lines(rows: Sequence[Row], deck: Deck, glyph_of: Any) -> list[Line]:
    """A line for each row, with what is special about it."""
    found: list[Line] = []
    for row in rows:
        made = since(getattr(row, "created", None), deck.now())
        glyph, role = glyph_of(row.mood) if isinstance(row, Server) else (" ", "muted")
        facts = [row.address or deck.glyphs.none, row.status] if isinstance(row, Server) else []
        if isinstance(row, Image):
            facts = [byte_size(row.size), row.status]
        special = "locked" if getattr(row, "locked", False) else ""
        line = spans(Span(f"{glyph} ", role), Span(pad(cut_middle(row.name or row.id, 24), 26), "strong"))
        for fact in facts:
            line = spans(line, Span(pad(fact, 18), "text"))
        line = spans(line, Span(f"{'' if made is None else age(made):>5}", "muted"))
        found.append(spans(line, Span(f"  {special}", "warn")) if special else line)
    return found


def told_of(action: Any, rows: Sequence[Row]) -> list[Line]:
    """What is worth knowing before it is done to these rows: what the action says, and who shares a host."""
    from console.actions.legal import same_host

    said = list(action.warns(rows)) if action.warns else []
    if not action.reads:
        said += [f"{told}." for row in rows if isinstance(row, Server) and (told := under(row))]
    groups = same_host(row for row in rows if isinstance(row, Server)) if not action.reads else []
    for group in groups[:MOST_HOSTS]:
        names = ", ".join(cut_middle(server.name or server.id, 24) for server in group[:6])
        more = f" and {len(group) - 6} more" if len(group) > 6 else ""
        said.append(f"On one host together: {names}{more}.")
    if len(groups) > MOST_HOSTS:
        others = len(groups) - MOST_HOSTS
        said.append(f"So it is on {others} other host{'' if others == 1 else 's'}.")
    return [spans(Span(line, "warn")) for sentence in said for line in word_lines(sentence, NARROWEST)]


def warning(action: Any, rows: Sequence[Row]) -> list[Line]:
    """What it does, and whether it can be taken back."""
    name = (rows[0].name or rows[0].id) if len(rows) == 1 else names_of(rows)
    question = (action.confirm or f"{action.title[:1].upper()}{action.title[1:]} {{name}}?").replace("{name}", name)
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
    if len(rows) > 1:
        number, noun = counted(len(rows), rows[0].key.kind).split(" ", 1)
        return str(len(rows)), f"to {action.title} {number} {'production ' if production else ''}{noun}"
    return (rows[0].name or rows[0].id, f"to {action.title} it") if production else ("", "")


def detail_of(row: Row | None, given: Mapping[str, Any], deck: Deck) -> str:
    """What an operation is told apart by: the flavor that becomes of the old one, or a name that was given."""
    value = given.get("flavor")
    if isinstance(value, Flavor) and isinstance(row, Server):
        now = flavor_name(row, deck.scene())
        return f"{now} {deck.glyphs.becomes} {value.name}" if now else value.name
    if isinstance(value, Flavor):
        return value.name
    return str(given["name"]) if row is not None and "name" in given else ""


def by_name(image: Any) -> str:
    """What base images stand in the order of: letters, be they large or small, and numbers by their worth."""
    return natural((image.name or image.id).casefold())


def choices_of(
    rows: Sequence[Any], ask: Any, server_name: Callable[[Any], str], now: str | None = None
) -> list[Choice]:
    """The rows to choose from; base images first, then those of servers, newest first; `now` is what it has."""
    if ask.kind != "image":
        return [Choice(row, (cut_middle(row.name or row.id, 38), "")) for row in rows]
    newest = sorted(rows, key=lambda image: image.created.timestamp() if image.created else 0.0, reverse=True)
    usable = sorted(newest, key=lambda image: (image.kind != "base", "" if image.kind != "base" else by_name(image)))
    return [
        Choice(
            image,
            (cut_middle(image.name or image.id, 38), byte_size(image.size)),
            image.status == "active",
            kind_words(image, server_name(image)) if image.status == "active" else image.status,
            image.id == now,
        )
        for image in usable
    ]
