"""Readiness as the screen shows it: in the server's row by glyph and words, in its detail view rung by rung.

ACTIVE is not ready: a server that is being checked stands with what moves, one that is not ready with what needs you,
and one whose host key has changed looks as broken as it is. Pure: what is known and a scene in, cells and lines out.
"""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from console.model.server import Server
from console.model.status import Mood
from console.tui.paint import Line, Span, age, clock, since, spans, ticking
from console.tui.spec import Cell, Scene

if TYPE_CHECKING:
    from console.runbooks.ready import Readiness

SHOWN = ("ACTIVE", "VERIFY_RESIZE")
CALM_AFTER = 3600.0  # seconds after which a ready guest is nothing new any more
BAR = 30  # cells
GRADES = {
    "console": "the one that its console shows",
    "known": "the one in your known_hosts",
    "first-use": "seen for the first time: nobody vouches for it",
    "changed": "CHANGED: do not log in before you know why",
    "revoked": "revoked in your known_hosts: do not log in",
}


def of(server: Server, scene: Scene) -> "Readiness | None":
    """What is known of a server's readiness, as long as it says something of what the server is now."""
    found = scene.readiness.get(server.key)
    if found is None or server.status not in SHOWN or server.task_state or scene.is_stale(server):
        return None
    return found


def mood(server: Server, scene: Scene) -> Mood:
    """What a server asks of its reader, its guest included."""
    found = of(server, scene)
    if found is None or found.state == "ready":
        return server.mood
    if found.distrusted:
        return Mood.BROKEN
    if found.state == "checking":
        return min(Mood.MOVING, server.mood)
    return Mood.ASKS


def cell(server: Server, scene: Scene) -> Cell | None:
    """What stands beside the status; None where readiness has nothing to say."""
    found = of(server, scene)
    if found is None:
        return None
    passed = since(found.at, scene.now) or 0.0
    if found.state == "checking":
        slow = "warn" if found.slow(scene.now) else "text"
        return Cell(f"check {found.rung}", "text", right=ticking(passed), right_role=slow)
    if found.distrusted:
        return Cell("host key changed", "error", right=age(passed))
    if found.state == "not ready":
        return Cell(f"{found.rung} fails" if found.rung else "not checked", "warn", right=age(passed))
    if server.status != "ACTIVE":
        return Cell("keep or revert", "text", right="ready", right_role="ok")
    return Cell("ready", "muted", right=age(passed), right_role="muted") if passed < CALM_AFTER else None


def word(server: Server, scene: Scene) -> str:
    """The state in a word, to filter by; "" where it was not checked."""
    found = of(server, scene)
    return "" if found is None else found.state


def fact(server: Server, scene: Scene) -> Span | None:
    """The verdict in a line, for the overview."""
    found = scene.readiness.get(server.key)
    if found is None:
        return None
    text, role = verdict(found, scene)
    return Span(f"{text}; {found.text}" if found.state == "not ready" else text, role)


def verdict(found: "Readiness", scene: Scene) -> tuple[str, str]:
    """The verdict in words with its age, and its role."""
    passed = since(found.at, scene.now) or 0.0
    if found.state == "checking":
        return f"checking {found.rung}, {ticking(passed)}", "busy"
    took = f", took {clock(found.took)}" if found.took is not None else ""
    role = "ok" if found.state == "ready" else "error" if found.distrusted else "warn"
    return f"{found.state}, {age(passed)} ago{took}", role


def lines(found: "Readiness | None", scene: Scene, width: int = 80) -> list[Line]:
    """All of it: the verdict, what is usual, each rung with its time, and who vouches for the host key."""
    if found is None:
        way = spans("  ", Span("t", "accent", True), " tests it over SSH; what is built from here is tested by itself.")
        return [spans("  ", Span("It was not checked in this run.", "muted")), (), way]
    text, role = verdict(found, scene)
    head: list[Line] = [spans("  ", Span("Ready?", "strong", True), "   ", Span(text, role, True))]
    if slow := found.slow(scene.now):
        head.append(spans(" " * 11, Span(slow, "warn")))
    elif found.usual:
        head.append(spans(" " * 11, Span(f"usual is {clock(found.usual)}", "muted")))
    told = [*rungs(found.rungs, scene), ()] if found.rungs else []
    failing = found.state == "not ready" or (found.rungs and found.rungs[-1].state == "failed")
    if failing and found.text and not found.distrusted:  # its line has seldom room for the whole sentence
        told += [spans("  ", Span(line, "warn")) for line in wrap(found.text, max(20, width - 4))] + [()]
    return [*head, (), *told, *_host_key(getattr(found.report, "host_key", None))]


def rungs(known: Any, scene: Scene) -> list[Line]:
    """The rungs of a check, with times and bars."""
    found: list[Line] = []
    total = sum(rung.took or 0.0 for rung in known) or 1.0
    at = 0.0
    for rung in known:
        glyph, role = {
            "ok": (scene.glyphs.done, "ok"),
            "failed": (scene.glyphs.broken, "error"),
        }.get(rung.state, (scene.glyphs.coming, "faint"))
        took = rung.took or 0.0
        lead, bar = round(BAR * at / total), max(1 if took else 0, round(BAR * took / total))
        at += took
        found.append(
            spans(
                "  ",
                Span(glyph, role),
                Span(f" {rung.name:<10} ", "strong" if role == "error" else "text"),
                Span(f"{took:6.2f}s  " if took else " " * 9, "muted"),
                Span(" " * lead + scene.glyphs.bar * bar + " " * max(0, BAR + 1 - lead - bar), role),
                Span(rung.text, "error" if role == "error" else "muted"),
            )
        )
    return found


def _host_key(judged: Any) -> list[Line]:
    """Whose key it is; where it is not the expected one, both fingerprints one below the other."""
    if judged is None:
        return []
    role = "text" if judged.trusted else "error"
    found: list[Line] = [spans("  ", Span(f"{'host key':<11}", "muted"), Span(GRADES[judged.grade], role))]
    found.append(spans("  ", Span(f"{'shows':<11}", "muted"), Span(judged.fingerprint, role)))
    for number, print in enumerate(judged.expected):
        found.append(spans("  ", Span(f"{'' if number else 'expected':<11}", "muted"), Span(print, "text")))
    return found
