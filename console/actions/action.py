"""The one gate: whatever is done to a cloud is done by `perform`, and nothing passes it unasked or unrecorded.

Allowed? read-only? audit "asked" -> run -> audit "accepted" or "failed", with the request id -> "ended" where it was
waited for -> the store is told that its row is old, and the place is asked anew. Many rows go side by side, a few at
a time: each has its own outcome, and one that fails hides no other. It refuses to guess: a value that could be meant
two ways, or a state that forbids the verb, ends before any call.
"""

import asyncio
import datetime as dt
import os
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from console.actions import legal, rules
from console.actions.asks import checked
from console.actions.declared import ACTIONS, Action, Ask, Ends, Order, Outcome, Progress, Step
from console.actions.ground import Ground
from console.actions.held import hold
from console.actions.legal import Refusal
from console.actions.waits import Wait
from console.clouds.dialect import Accepted
from console.errors import ActionRefused, AuditError, CloudError, ConsoleError
from console.model.image import Image
from console.model.place import Place, Row
from console.model.server import Server
from console.text import names_secret

__all__ = [
    "ACTIONS",
    "Action",
    "Ask",
    "Ends",
    "Ground",
    "Order",
    "Outcome",
    "Progress",
    "Refusal",
    "Step",
    "Terms",
    "demands",
    "failed",
    "find_action",
    "perform",
    "refusal",
    "verdict",
]

AT_ONCE = 8  # orders under way at the same time
DOWN = ("down", "refused", "needs-secret")


def find_action(name: str | Action) -> Action:
    """The declared action of that name."""
    if isinstance(name, Action):
        return name
    if name not in ACTIONS:
        raise ActionRefused(f"There is no action {name!r}.", hint=f"There are {', '.join(ACTIONS)}.")
    return ACTIONS[name]


def refusal(ground: Ground, action: str | Action, row: Row) -> Refusal | None:
    """Why this action would be refused for this row now, or None; no call is made."""
    return _way(ground, find_action(action), row)[1]


def verdict(ground: Ground, action: str | Action, row: Row) -> str:
    """`refusal` as one string: "" when the action is allowed, else the reason and the way out."""
    found = refusal(ground, action, row)
    return str(found) if found else ""


def _way(ground: Ground, action: Action, row: Row) -> tuple[Place, Refusal | None]:
    """The best place to act on this row by, and the reason against it, if no place has none."""
    places = list(ground.store.ways(row.key)) or [row.place]
    first: tuple[Place, Refusal | None] | None = None
    for place in places:
        found = _refusal_at(ground, action, row, place)
        if found is None:
            return place, None
        first = first or (place, found)
    return first or (row.place, None)


def _refusal_at(ground: Ground, action: Action, row: Row, place: Place) -> Refusal | None:
    """The reason against acting on this row by this place."""
    closed = "" if action.reads else read_only(ground, place)
    try:
        dialect = ground.dialect(place)
    except CloudError as error:
        return Refusal(closed) if closed else Refusal(str(error))
    known: dict[str, Any] = {
        "privilege": dialect.origin.privilege,
        "read_only": closed,
        "stale": stale(ground, place),
    }
    if action.needs and action.needs not in dialect.verbs:
        return legal.not_offered(dialect.origin.dialect, action.needs, f"{place} offers no {action.title}.")
    if isinstance(row, Server):
        return legal.refusal(action.name, row, **known)
    if isinstance(row, Image):
        return legal.image_refusal(action.name, row, **known)
    if reason := closed or known["stale"]:
        return Refusal(reason)
    return Refusal(f"Your role at {place} only reads.") if dialect.origin.privilege < 1 else None


def read_only(ground: Ground, place: Place) -> str:
    """Why nothing may be changed at this place, or ""."""
    if os.environ.get("NOVADECK_READ_ONLY", "").lower() not in ("", "0", "no", "false"):
        return "NOVADECK_READ_ONLY is set: nothing may be changed."
    if ground.read_only:
        return "This run is read-only."
    cloud = ground.settings.clouds.get(place.cloud)
    return f"{place.cloud} is read-only by your settings." if cloud is not None and cloud.read_only else ""


def stale(ground: Ground, place: Place) -> str:
    """Why what we know of this place is old, or ""."""
    health = ground.store.health.get(place)
    if health is None or health.state not in DOWN:
        return ""
    return f"{place} is {health.state}: {health.reason}".rstrip(": .") + "."


async def perform(
    ground: Ground,
    action: str | Action,
    /,
    target: Row | Place | Sequence[Row] | None = None,
    *,
    wait: bool = False,
    timeout: float | None = None,
    progress: Progress | None = None,
    dry_run: bool = False,
    at_once: int = AT_ONCE,
    why: str = "",
    typed: str = "",
    errors_inside: bool = False,
    **given: Any,
) -> Any:
    """Do it: one `Outcome` for one target, which raises on failure; a list of them, errors inside, for several rows.

    `timeout` is in seconds, for the wait alone. With `dry_run` all is checked, and nothing is sent or written. `why`
    is kept by the audit, and `typed` is the name (of several: their number) that a person has typed; the user's rules
    may demand them. With `errors_inside` the outcome for one target holds its error too, beside what was made before
    a wait failed and the password that was told of it. A `count` above one makes so many new things, NAME-1,
    NAME-2 ..., each with its own outcome.
    """
    found = find_action(action)
    ways = _ways(ground, found, target, given)
    rules.enforce(ground.settings, found, ways, why=why, typed=typed)
    crowd: Counter[Place] = Counter()
    gate = asyncio.Semaphore(max(1, at_once))
    terms = Terms(wait, timeout, progress, dry_run, why)
    orders = [_Performance(ground, found, place, row, told, terms, crowd, gate) for place, row, told in ways]
    if found.creates and len(orders) > 1:  # what there is no room for together is not begun
        note = await _Performance(ground, found, ways[0][0], None, dict(given), terms, crowd, gate).check()
        for one in orders:
            one.terms = replace(terms, note=f"of {len(orders)} together: {note}" if note else "")
    if len(orders) == 1 and (isinstance(target, Row | Place) or target is None):
        outcome = await orders[0].run()
        if outcome.error is not None and not errors_inside:
            raise outcome.error
        return outcome
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(), name=f"{found.name} {one.order.name}") for one in orders]
    return [task.result() for task in tasks]


def demands(
    ground: Ground, action: str | Action, target: Row | Place | Sequence[Row], given: Mapping[str, Any]
) -> rules.Demands:
    """What the user's rules want to hear before `perform` does this; nothing is sent."""
    found = find_action(action)
    return rules.demands(ground.settings, found, _ways(ground, found, target, given))


def failed(outcomes: Sequence[Outcome]) -> list[Row]:
    """The rows of the orders that failed, as they were: to look at, or to try again."""
    return [outcome.row for outcome in outcomes if outcome.error is not None and outcome.row is not None]


@dataclass(frozen=True)
class Terms:
    """How orders are to be carried out."""

    wait: bool = False
    timeout: float | None = None
    progress: Progress | None = None
    dry_run: bool = False
    why: str = ""
    note: str = ""  # what is worth saying of several together, instead of each


Way = tuple[Place, Row | None, dict[str, Any]]


def _ways(
    ground: Ground, action: Action, target: Row | Place | Sequence[Row] | None, given: Mapping[str, Any]
) -> list[Way]:
    """Each order's place, row, and what it is given."""
    if not (isinstance(target, Row | Place) or target is None):
        return [(_way(ground, action, row)[0], row, dict(given)) for row in target]
    place, row = _target(ground, action, target)
    count = given.get("count")
    if not action.creates or not isinstance(count, int) or count <= 1:
        return [(place, row, dict(given))]
    return [(place, row, {**given, "count": 1, "name": f"{given.get('name', '')}-{n}"}) for n in range(1, count + 1)]


def _target(ground: Ground, action: Action, target: Row | Place | None) -> tuple[Place, Row | None]:
    """Where to act, and on what. A new thing has no row, but needs a place."""
    if isinstance(target, Row):
        return _way(ground, action, target)[0], target
    if not action.creates:
        raise ActionRefused(f"{action.title} needs a {action.on.__name__.lower()} to act on.")
    if target is not None:
        return target, None
    if len(ground.places) == 1:
        return ground.places[0], None
    names = ", ".join(str(place) for place in ground.places)
    raise ActionRefused(f"{action.title} needs a place.", hint=f"Give one of {names or 'none: no cloud is open'}.")


class _Performance:
    """One order on its way through the gate."""

    def __init__(
        self,
        ground: Ground,
        action: Action,
        place: Place,
        row: Row | None,
        given: dict[str, Any],
        terms: Terms,
        crowd: Counter[Place],
        gate: asyncio.Semaphore,
    ) -> None:
        self.ground, self.action, self.given, self.terms = ground, action, given, terms
        self.crowd, self.gate = crowd, gate
        self.order = Order(ground, action, place, given, row, terms.progress, uuid.uuid4().hex[:12])
        self.outcome = Outcome(action.name, self.order.name, place, row.key if row else None, row.id if row else None)
        self.outcome.started = dt.datetime.now(dt.UTC)
        self.outcome.row, self.outcome.order = row, self.order.id

    async def run(self) -> Outcome:
        """Through the gate; every failure that can be told ends in the outcome."""
        try:
            async with self.gate:
                note = await self.check()
                note = self.terms.note or note
                if self.terms.dry_run:
                    self.outcome.plan = plan(self.order) + (f" ({note})" if note else "")
                    return self.outcome
                answer = await self._send()
            if self.terms.wait and self.action.ends is not None and isinstance(answer, Accepted):
                await self._follow(answer)
        except ConsoleError as error:
            self.outcome.error = error
            self.order.tell("failed", str(error))
        self.outcome.ended = dt.datetime.now(dt.UTC)
        return self.outcome

    async def check(self) -> str:
        """Everything that can be known before the call; gives what is worth saying of it."""
        place, row = self.order.place, self.order.row
        found = _refusal_at(self.ground, self.action, row, place) if row is not None else self._closed(place)
        if found is not None:
            raise ActionRefused(f"{self.action.title} {self.order.name}: {found.reason}", hint=found.way_out)
        given = await checked(self.action, self.given, self.ground, place)
        self.order = replace(self.order, given=given)
        self.outcome.name, self.outcome.given = self.order.name, given
        told = await self.action.look(self.order) if self.action.look is not None else ""
        warned = self.action.warns([row]) if self.action.warns is not None and row is not None else ()
        return " ".join([*([f"{told}." if warned else told] if told else []), *warned])

    def _closed(self, place: Place) -> Refusal | None:
        """The reason against making something new at this place."""
        if reason := read_only(self.ground, place) or stale(self.ground, place):
            return Refusal(reason)
        dialect = self.ground.dialect(place)
        if self.action.needs and self.action.needs not in dialect.verbs:
            why = f"{place} offers no {self.action.title}."
            return legal.not_offered(dialect.origin.dialect, self.action.needs, why)
        return Refusal(f"Your role at {place} only reads.") if dialect.origin.privilege < 1 else None

    async def _send(self) -> Any:
        """Write that it was asked, send it, write what became of it."""
        why = {"why": self.terms.why} if self.terms.why else {}
        self._write("asked", given=self.order.given, **why)
        self.order.tell("asked")
        try:
            answer = await self.action.run(self.order)
        except ConsoleError as error:
            self.outcome.request_id = getattr(error, "request_id", "")
            self._write("failed", request_id=self.outcome.request_id, error=type(error).__name__, message=str(error))
            self._wake()
            raise
        except asyncio.CancelledError:
            self._write("failed", error="Cancelled", message="broken off: it may have been sent")
            raise
        self._note(answer)
        self._write("accepted", request_id=self.outcome.request_id, made=self._made(answer))
        self._wake()
        self.order.tell("accepted", self.outcome.request_id)
        return answer

    def _made(self, answer: Any) -> str | None:
        return answer.id if isinstance(answer, Accepted) else None

    def _note(self, answer: Any) -> None:
        if isinstance(answer, Accepted):
            self.outcome.request_id = answer.request_id
            self.outcome.id = answer.id or self.outcome.id
            if self.action.ends is not None and self.action.ends.made:
                self.outcome.name = str(self.order.given["name"])
            self.outcome.admin_pass = answer.admin_pass
            hold(self.order, self.outcome.id, answer)
        else:
            self.outcome.result = answer

    async def _follow(self, accepted: Accepted) -> None:
        """Wait for the end, and write down which it was."""
        assert self.action.ends is not None
        place = self.order.place
        timeout = self.action.ends.deadline if self.terms.timeout is None else self.terms.timeout
        order = replace(self.order, row=None) if self.action.ends.made else self.order  # told under the new one's name
        waiting = Wait(order, self.action.ends, accepted, timeout, crowd=lambda: self.crowd[place])
        self.crowd[place] += 1
        try:
            row = await waiting.run()
        except ConsoleError as error:
            self._write("ended", ok=False, request_id=accepted.request_id, message=str(error))
            raise
        finally:
            self.crowd[place] -= 1
            self._wake()
        self.outcome.row = row or self.outcome.row
        status = row.status if isinstance(row, Server) else ""
        self._write("ended", ok=True, request_id=accepted.request_id, status=status)
        self.order.tell("ended", status, row=row)

    def _write(self, event: str, **fields: Any) -> None:
        row = self.order.row
        target = {"kind": self.action.on.__name__.lower(), "id": row.id if row else None, "name": self.order.name}
        place = str(self.order.place)
        try:
            self.ground.audit.write(event, self.order.id, action=self.action.name, place=place, target=target, **fields)
        except AuditError as error:
            if self.action.reads:
                return self.order.tell("seen", str(error))
            what = "Nothing was sent" if event == "asked" else f"The order was {event}"
            raise AuditError(f"{error.message} {what}.", hint=error.hint) from error

    def _wake(self) -> None:
        """What is known of the row is old now, and the place is worth asking."""
        if self.action.reads:
            return
        if self.order.row is not None:
            self.ground.store.touch(self.order.row.key, self.ground.clock.monotonic())
        self.ground.wake(self.order.place)


def plan(order: Order) -> str:
    """What would be sent, in one line."""
    row = order.row
    target = f" {order.name} ({row.id})" if row is not None else f" {order.name}"
    words = [
        f"{ask.name}={_word(order.given[ask.name])}"
        for ask in order.action.asks
        if ask.name in order.given and not (row is None and ask.name == "name")
    ]
    return f"{order.action.title}{target} at {order.place}" + (f": {', '.join(words)}" if words else "")


def _word(value: Any) -> str:
    if isinstance(value, Row):
        return f"{value.name} ({value.id})"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, list):
        return "+".join(_word(item) for item in value)
    if isinstance(value, Mapping):  # metadata as it is, files by their paths: their contents are nobody's business
        return "+".join(f"{name}={'••••' if names_secret(name) else _word(item)}" for name, item in value.items())
    return str(value)
