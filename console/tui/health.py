"""How each place does, in whole: what the header's lanes have no room for on a narrow terminal.

Reasons are told as they were given, with the ages of rows and what is left of each limit. Pure.
"""

from collections.abc import Mapping, Sequence

from console.core.health import MUTE
from console.tui.asking import counted
from console.tui.lanes import Lane, badge, glyph_of, left_of
from console.tui.paint import EMPTY, Line, Span, age, spans
from console.tui.theme import Glyphs

STATES = {
    "asking": "is being asked",
    "well": "answers",
    "slow": "answers slowly",
    "throttled": "lets no more requests through for now",
    "down": "does not answer",
    "refused": "refuses the login, which is not tried again by itself",
    "needs-secret": "needs a password",
}
INDENT = " " * 4


def health_lines(
    lanes: Sequence[Lane], counts: Mapping[str, Mapping[str, int]], glyphs: Glyphs, *, mono: bool = False
) -> list[Line]:
    """Each place, those in trouble first; `counts` are its rows by kind."""
    found: list[Line] = []
    for lane in sorted(lanes, key=lambda lane: not lane.troubled):
        head = spans(glyph_of(lane, glyphs), " ", Span(lane.name, "strong", True), Span(f"  {STATES[lane.state]}"))
        found += [spans(head, "  ", badge(lane.production, mono)) if lane.production else head]
        found += [spans(INDENT, line) for line in _told(lane, glyphs)]
        rows = ", ".join(counted(number, kind) for kind, number in counts.get(lane.name, {}).items())
        found += [spans(INDENT, Span(rows, "muted"))] if rows else []
        found.append(EMPTY)
    return found[:-1]


def _seconds(latency: float) -> str:
    return f"{latency * 1000:.0f} ms" if latency < 1 else f"{latency:.1f} s"


def _told(lane: Lane, glyphs: Glyphs) -> list[Line]:
    reason = [spans(Span(lane.reason, "error" if lane.state in ("down", "refused") else "warn"))] if lane.reason else []
    facts = (
        "" if lane.age is None else f"its rows are {age(lane.age)} old",
        "" if lane.latency is None or lane.state in MUTE else f"answers in {_seconds(lane.latency)}",
        "" if lane.left is None or not lane.most else left_of(lane),
        "" if lane.again is None else f"asked again in {max(0, round(lane.again))} s",
    )
    told = f" {glyphs.dot} ".join(filter(None, facts))
    return [*reason, *([spans(Span(told, "muted"))] if told else [])]
