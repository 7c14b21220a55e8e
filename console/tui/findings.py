"""What actions have found out, to be read: of each row what it told, all of them on one page.

A command's output, a server's past, the keys that it showed: whatever an action reads or brings back as text. What is
drawn elsewhere (a check's rungs, a run's journal) is none of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len

from console.text import clean_lines
from console.tui.paint import EMPTY, Line, Span, pad, spans


def told_by(outcome: Any, way: Callable[[str], str] | None = None) -> list[Line]:
    """What there is to read of one outcome; nothing where it found out nothing.

    `way` tells how an action is done on this screen.
    """
    from console.runbooks import RUNBOOKS

    result = outcome.result
    if outcome.action == "server.shell" or result is None:
        return []
    if hasattr(result, "ladder"):
        return _labelled(result.lines(way))
    if hasattr(result, "lines"):
        return _labelled(result.lines())
    if hasattr(result, "output"):
        return _ran(result)
    if isinstance(result, str) and outcome.action not in RUNBOOKS:
        return [spans(Span(result, "strong"))]
    if isinstance(result, list):
        return [spans(Span(line, "text")) for line in result] or [spans(Span("There are none.", "muted"))]
    return []


def page(outcomes: Sequence[Any], way: Callable[[str], str] | None = None) -> list[Line]:
    """All that was found out, under the name of each row where there are several."""
    found: list[Line] = []
    for outcome in outcomes:
        if lines := told_by(outcome, way):
            head = [spans(Span(outcome.name, "strong", True))] if len(outcomes) > 1 else []
            found += [*([EMPTY] if found else []), *head, *lines]
    return found


def _labelled(told: Sequence[str]) -> list[Line]:
    """Lines whose first word is their label."""
    pairs = [line.partition(": ") for line in told]
    room = max((cell_len(label) for label, _, _ in pairs), default=0) + 2
    return [spans(Span(pad(label, room), "muted"), Span(text, "text")) for label, _, text in pairs]


def ending(ran: Any) -> str:
    """How a command ended, in few words."""
    return "a signal ended it" if ran.code is None else f"exit {ran.code}"


def _ran(ran: Any) -> list[Line]:
    """How a command ended, and what it said."""
    role = "muted" if ran.code == 0 else "error"
    said = [spans(Span(line, "text")) for line in clean_lines(ran.output).expandtabs(8).splitlines()]
    cut = [spans(Span("Its output was longer than is kept.", "warn"))] if ran.cut else []
    return [spans(Span(ending(ran), role)), *(said or [spans(Span("It said nothing.", "muted"))]), *cut]
