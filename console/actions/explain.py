"""Why a server is as it is, and what can be done about it: facts from the cloud, and a ladder that fits its state.

A ladder's first step is the mildest. Nothing is done here and nothing is guessed: where neither the cloud nor our own
memory tells, it says so.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from console.actions.declared import ACTIONS, Order, action
from console.actions.history import Happening, asked_of
from console.actions.legal import doing
from console.clouds.dialect import Dialect
from console.errors import CloudError, Unauthorized
from console.model.server import Server

STUCK = 1800.0  # seconds of one task state after which it is worth asking why, where nothing tells what is usual
LONG = 3.0  # times the usual


class Fact(NamedTuple):
    """One thing that is known."""

    label: str
    text: str


class Rung(NamedTuple):
    """One step of the ladder: what to do, and the action that does it, if one does."""

    text: str
    action: str = ""


@dataclass(frozen=True)
class Explanation:
    """What is known of a server's state, what to do, and what to send to the provider."""

    headline: str
    facts: tuple[Fact, ...] = ()
    ladder: tuple[Rung, ...] = ()
    to_provider: str = ""
    columns: tuple[str, ...] = ("what", "text")

    def plain(self) -> dict[str, Any]:
        """As an object for programs."""
        return {
            "state": self.headline,
            "facts": {fact.label: fact.text for fact in self.facts},
            "ladder": [{"do": rung.text, "action": rung.action or None} for rung in self.ladder],
            "to_provider": self.to_provider or None,
        }

    def cells(self, way: Callable[[str], str] | None = None) -> list[list[Any]]:
        """As rows of a table, under `columns`; `way` tells how an action is done here, else it is a command."""
        steps = [[f"step {n}", _with_way(rung, way or _command)] for n, rung in enumerate(self.ladder, 1)]
        send = [["to send", self.to_provider]] if self.to_provider else []
        return [["state", self.headline], *([fact.label, fact.text] for fact in self.facts), *steps, *send]

    def lines(self, way: Callable[[str], str] | None = None) -> list[str]:
        """As lines to read."""
        return [": ".join(map(str, cells)) for cells in self.cells(way)]


def _command(name: str) -> str:
    return f"novadeck {' '.join(ACTIONS[name].command)}"


def _with_way(rung: Rung, way: Callable[[str], str]) -> str:
    return f"{rung.text} ({way(rung.action)})" if rung.action in ACTIONS else rung.text


@action("server.explain", title="explain", command="server explain", key="x", needs="server.get", reads=True)
async def explain(order: Order) -> Explanation:
    """Tell why the server is as it is, and what can be done about it."""
    server = await order.dialect.server(order.row.id)
    asked = await _asked(order.dialect, server.id)
    return explanation(server, asked, await order.ground.history(order.row.key), order.dialect.now())


async def _asked(dialect: Dialect, id: str) -> list[Happening]:
    if "server.history" not in dialect.verbs:
        return []
    try:
        found = await asked_of(dialect, id)
        if found and "server.history" in dialect.verbs:
            found[:1] = [await _with_events(dialect, id, found[0])]
    except Unauthorized:
        raise
    except CloudError:  # a cloud that keeps no record, or keeps it to itself
        return []
    return found


async def _with_events(dialect: Dialect, id: str, last: Happening) -> Happening:
    from console.actions.history import read

    try:
        return read(await dialect.instance_action(id, last.request_id))
    except Unauthorized:
        raise
    except CloudError:
        return last


def explanation(server: Server, asked: Sequence[Happening], changes: Sequence[Any], now: dt.datetime) -> Explanation:
    """From what the cloud tells of a server, its record (newest first) and what we saw change; pure."""
    last = asked[0] if asked else None
    since = _since(server, last, changes)
    waited = (now - since).total_seconds() if since else None
    usual = usual_seconds(last, asked[1:]) if last else None
    facts = [
        *_own_facts(server),
        *_facts_of(last),
        *([Fact("since", f"{_ago(waited)} ago")] if waited is not None and waited >= 0 else []),
        *([Fact("usual", f"{last.what} took {_long(usual)} before")] if last and usual is not None else []),
    ]
    stuck = waited is not None and waited > max(LONG * usual if usual else 0.0, 60.0 if usual else STUCK)
    ladder = next(make(server, stuck) for fits, make in LADDERS if fits(server))
    if inside := from_inside(server, last):
        ladder = FROM_INSIDE
    words = f"{server.status} {server.task_state}" if server.task_state else server.status
    plain = f", {doing(server.task_state)}" if server.task_state else ""
    headline = f"{server.name or server.id} is {words}{plain or (', powered off from inside' if inside else '')}"
    if stuck and server.task_state:
        headline += ", longer than it should be"
    wants_help = any("provider" in rung.text for rung in ladder)
    return Explanation(headline, tuple(facts), tuple(ladder), _letter(server, last, since) if wants_help else "")


def from_inside(server: Server, last: Happening | None) -> bool:
    """Whether it is off though nobody ordered that: Nova then stops it by itself, as a `stop` that nobody asked for."""
    return server.status == "SHUTOFF" and last is not None and last.what == "stop" and last.unasked


def _own_facts(server: Server) -> list[Fact]:
    found = []
    if server.word and server.status == "UNKNOWN":
        found.append(Fact("cloud's word", server.word))
    if server.fault is not None and server.fault.message:
        found.append(Fact("fault", f"{server.fault.message.strip()} ({server.fault.code})"))
    if server.power:
        found.append(Fact("power", server.power))
    if server.locked:
        found.append(Fact("locked", server.locked_reason or "yes"))
    if server.host_status and server.host_status != "UP":
        found.append(Fact("its host", server.host_status))
    return found


def _facts_of(last: Happening | None) -> list[Fact]:
    if last is None:
        return [Fact("last order", "the cloud keeps no record of it, or not for us")]
    when = f" at {last.at:%Y-%m-%d %H:%M:%S} UTC" if last.at else ""
    found = [Fact("last order", f"{last.what}{when}{', and it failed' if last.failed else ''}")]
    if last.text:
        found.append(Fact("its message", last.text))
    if last.request_id:
        found.append(Fact("request id", last.request_id))
    if last.user_id or last.unasked:
        found.append(Fact("asked by", last.user_id or "nobody: the cloud did it by itself"))
    if (open_event := next((event for event in last.events if event.ended is None), None)) is not None:
        found.append(Fact("not finished", open_event.name))
    return found


def usual_seconds(last: Happening, before: Sequence[Happening]) -> float | None:
    """How long the same action took this server before: the middle one; None where nothing tells."""
    took = sorted(one.took for one in before if one.what == last.what and one.took is not None and not one.failed)
    return took[len(took) // 2] if took else None


def _since(server: Server, last: Happening | None, changes: Sequence[Any]) -> dt.datetime | None:
    """Since when it is in this state: as we saw it come, else the last order's begin while a task is set.

    That we saw it first in this state says only that it has lasted longer.
    """
    for change in (change for change in reversed(changes) if change.what != "seen"):
        after = change.fields.get("task_state", (None, None))[1] if server.task_state else None
        if server.task_state and after == server.task_state:
            return _moment(change.at)
        if not server.task_state and change.fields.get("status", (None, None))[1] == server.word:
            return _moment(change.at)
    if server.task_state and last is not None and last.at is not None:
        return last.at
    return server.updated


def _moment(at: Any) -> dt.datetime | None:
    return at if isinstance(at, dt.datetime) else None


def _long(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _ago(seconds: float) -> str:
    """In whole units that have passed, as the table tells it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _letter(server: Server, last: Happening | None, since: dt.datetime | None) -> str:
    """What to send to the provider: everything by which they can find it."""
    parts = [f"Server {server.id} ({server.name}) at {server.place}"]
    parts.append(f"status {server.word}, task state {server.task_state or 'none'}, power {server.power or 'unknown'}")
    if since is not None:
        parts.append(f"since {since:%Y-%m-%d %H:%M} UTC")
    if server.fault is not None:
        parts.append(f"fault: {server.fault.message.strip().rstrip('.')}")
    if last is not None:
        parts.append(f"last order {last.what}, request {last.request_id or 'unknown'}")
    return "; ".join(parts) + "."


# The ladders --------------------------------------------------------------------------------------------------------

WAIT = Rung("Wait: it may still end by itself")
ASK = Rung("Ask the provider, with the text below")
FROM_INSIDE = [
    Rung("Read the end of its console log: the guest shut itself down, or its process died on the host"),
    Rung("Start it", "server.start"),
]
RESET = Rung("Have the record reset to ACTIVE (an administrator's order)", "server.reset_state")
HARD = Rung("Reboot it hard", "server.hard_reboot")


def _imaging(server: Server, stuck: bool) -> list[Rung]:
    bad = Rung("Delete the image that came of it, if it hangs in queued or saving", "image.delete")
    return [WAIT, bad, RESET, ASK] if stuck else [WAIT._replace(text="Wait: big disks take hours to upload")]


def _rebooting(server: Server, stuck: bool) -> list[Rung]:
    return [WAIT, HARD, RESET, ASK] if stuck or "hard" not in (server.task_state or "") else [WAIT]


def _unknown(server: Server, stuck: bool) -> list[Rung]:
    return [WAIT._replace(text="Wait some minutes: a part of the cloud may be away"), ASK]


def _building(server: Server, stuck: bool) -> list[Rung]:
    return [WAIT, Rung("Delete it and order it anew", "server.delete"), ASK] if stuck else [WAIT]


def _never_ran(server: Server, stuck: bool) -> list[Rung]:
    return [
        Rung("Read the fault: no valid host means that no host has room for this flavor, zone or group"),
        Rung("Delete it, and order it anew with another flavor or zone", "server.delete"),
        ASK,
    ]


def _broken(server: Server, stuck: bool) -> list[Rung]:
    return [HARD, RESET, Rung("Build it anew from an image; the disk is lost", "server.rebuild"), ASK]


def _moving(server: Server, stuck: bool) -> list[Rung]:
    return [WAIT, RESET, ASK] if stuck else [WAIT]


def _verify(server: Server, stuck: bool) -> list[Rung]:
    return [
        Rung("Look whether the guest does its work", "server.check"),
        Rung("Keep the new flavor", "server.confirm"),
        Rung("Or go back to the old one", "server.revert"),
    ]


def _off(server: Server, stuck: bool) -> list[Rung]:
    return [Rung("Start it; where nobody has stopped it here, it was powered off from inside", "server.start")]


def _undo(verb: str, text: str) -> Callable[[Server, bool], list[Rung]]:
    return lambda server, stuck: [Rung(text, verb)]


def _well(server: Server, stuck: bool) -> list[Rung]:
    return [Rung("The cloud sees nothing wrong: test the guest itself", "server.check")]


Fits = Callable[[Server], bool]
LADDERS: tuple[tuple[Fits, Callable[[Server, bool], list[Rung]]], ...] = (
    (lambda s: (s.task_state or "").startswith("image_"), _imaging),
    (lambda s: (s.task_state or "").startswith("reboot"), _rebooting),
    (lambda s: s.status == "UNKNOWN", _unknown),
    (lambda s: s.status == "BUILD", _building),
    (lambda s: s.status == "ERROR" and s.launched_at is None, _never_ran),
    (lambda s: bool(s.task_state), _moving),
    (lambda s: s.status == "ERROR", _broken),
    (lambda s: s.status in ("VERIFY_RESIZE", "VERIFY_MOVE"), _verify),
    (lambda s: s.status == "SHUTOFF", _off),
    (lambda s: s.status == "PAUSED", _undo("server.unpause", "Let it go on")),
    (lambda s: s.status == "SUSPENDED", _undo("server.resume", "Let it go on")),
    (lambda s: s.status == "RESCUE", _undo("server.unrescue", "Boot from its own disk again")),
    (lambda s: s.status.startswith("SHELVED"), _undo("server.unshelve", "Bring it back to a host")),
    (lambda s: s.status == "SOFT_DELETED", _undo("server.restore", "Take the deletion back")),
    (lambda s: True, _well),
)
