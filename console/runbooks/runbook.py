"""A runbook: many steps done as one operation, declared once, that no terminal, crash or network can lose.

The steps are walked forward, once. Before a step the journal says that it is begun; after it, what it found out. So a
keeper that dies leaves at most one step of which nobody knows how far it came, and the contract for that one is:

* a step that only looks, or may be repeated without harm, declares no `found`: it is entered again;
* a step that changes the world declares `found`, which READS the world and gives the step's facts if it was done
  (also by somebody else), None if it was not, and asks a person (`run.ask`) where the world does not tell. `before`
  is read and journalled before the first try, so that `found` can tell new from old. No order is sent again before
  `found` has said None; the same path is taken after a lost reply.

A failure (any `ConsoleError` of `do`) or an abort ends the forward walk; from there only steps marked `cleanup` are
done, which put the world in order: thaw, revert, take the mark away.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from console.actions.action import Order, Outcome, find_action, perform
from console.actions.declared import Ask, action
from console.actions.ground import Ground
from console.actions.legal import RULES
from console.actions.waits import Wait
from console.clouds.dialect import Accepted, Dialect
from console.errors import (
    ActionRefused,
    BadReply,
    CloudError,
    CloudFault,
    Conflict,
    ConsoleError,
    OverLimit,
    Unauthorized,
    Unreachable,
)
from console.model.operation import MARK as MARK
from console.model.place import Place, Row
from console.model.server import Server
from console.text import Secret

if TYPE_CHECKING:
    from console.core.timeline import Timeline

Facts = Mapping[str, Any]  # what JSON can hold; known to all later steps
Do = Callable[["Run"], Awaitable[Facts | None]]


class Known(Ground, Protocol):
    """The console, as far as runbooks know it."""

    @property
    def timeline(self) -> "Timeline":
        """What is remembered."""


@dataclass(frozen=True)
class Step:
    """One step; see the contract above."""

    name: str
    do: Do
    found: Do | None = None
    before: Do | None = None
    when: Callable[["Run"], bool] = lambda run: True  # must depend on the run's facts alone
    cleanup: bool = False


@dataclass(frozen=True)
class Runbook:
    """A declared sequence of steps; give it another version whenever a step's meaning changes."""

    name: str
    version: int
    title: str
    steps: tuple[Step, ...]

    @property
    def names(self) -> list[str]:
        """The steps' names: a run that began by others is not resumed unasked."""
        return [step.name for step in self.steps]


RUNBOOKS: dict[str, Runbook] = {}


class Aborted(ConsoleError):
    """Somebody has asked the run to end."""


class Ways(Protocol):
    """What a run asks of its keeper."""

    async def ask(
        self, run: "Run", text: str, choices: Sequence[str], unless: Callable[[], Awaitable[str | None]] | None
    ) -> str:
        """Ask a person, and wait."""

    async def abort_wanted(self, run: "Run") -> bool:
        """Whether somebody has asked for the end."""

    def tell_password(self, run: "Run", name: str, password: Secret) -> bool:
        """Tell it to whoever is there; whether anybody is."""


@dataclass
class Run:
    """One run under way, as its steps see it."""

    id: str
    runbook: Runbook
    ground: Known
    place: Place
    target: str  # the server's id; "" where the run makes something new
    name: str
    given: Facts
    facts: dict[str, Any]
    ways: Ways
    who: str = ""
    failure: str = ""
    before: Facts = field(default_factory=dict)  # what the step's `before` found
    doing: str = ""  # what the step does now, in words; shown to whoever watches
    here: dict[str, Any] = field(default_factory=dict)  # what this keeper's steps hand on: open logins, no facts
    leaving: AsyncExitStack = field(default_factory=AsyncExitStack)  # lets go of it, however this keeper ends the run

    @property
    def dialect(self) -> Dialect:
        """The dialect of the run's place; raises a `CloudError` while there is none."""
        return self.ground.dialect(self.place)

    @property
    def subject(self) -> str:
        """The id of the server that it is about: the target, or what it has made; "" before that."""
        return self.target or str(self.facts.get("made") or "")

    async def server(self, id: str = "") -> Server:
        """The run's server (or another one), read now. Raises `NotFound`."""
        return await self.dialect.server(id or self.subject)

    async def perform(self, name: str, target: Row | Place | None = None, /, **given: Any) -> Outcome:
        """Send one order through the gate, once, and do not wait for its end."""
        place = self.place
        health = self.ground.store.health.get(place)
        if health is not None and health.state == "down":  # the gate would refuse for good what will pass
            raise Unreachable(f"It is down: {health.reason}", place=str(place), fault="refused")
        row = target if target is not None else await self.server()
        typed = row.name if isinstance(row, Row) else ""
        why = f"{self.runbook.title}, operation {self.id}"
        outcome: Outcome = await perform(self.ground, name, row, why=why, typed=typed, **given)
        return outcome

    async def follow(self, name: str, accepted: Facts, target: str = "", **given: Any) -> Row | None:
        """Follow an order that was taken to its end, also one of a keeper that is no more; gives the row as last seen.

        `accepted` holds the order's `request_id` and, where it made something, its `made`.
        """
        found = find_action(name)
        assert found.ends is not None
        id = target or self.subject
        row = None if found.ends.made or found.creates else Server(id=id, name=self.name, place=self.place)
        order = Order(self.ground, found, self.place, given, row, self._told)
        sent = Accepted(accepted.get("request_id") or "", accepted.get("made") or None)
        last: Row | None = await Wait(order, found.ends, sent, found.ends.deadline).run()
        return last

    def _told(self, step: Any) -> None:
        if step.text:
            self.tell(f"{step.detail.name}: {step.text}" if step.phase == "rung" and step.detail else step.text)

    def tell(self, text: str) -> None:
        """Say what is done now; the journal gets it at the keeper's next turn."""
        self.doing = text

    async def ask(self, text: str, *choices: str, unless: Callable[[], Awaitable[str | None]] | None = None) -> str:
        """Ask a person and wait for one of the choices, or for `unless` to give an answer out of the world.

        Asked again after a crash, it finds the answer that came meanwhile. Raises `Aborted`.
        """
        return await self.ways.ask(self, text, choices, unless)


def runbook(
    name: str,
    *,
    version: int,
    title: str,
    command: str,
    steps: Sequence[Step],
    help: str,
    asks: Sequence[Ask] = (),
    like: str = "",
    **more: Any,
) -> Runbook:
    """Declare a runbook, and with it the action that starts it: keys, menus, help and sub-commands follow.

    It is allowed for a server whenever the action `like` is.
    """
    declared = Runbook(name, version, title, tuple(steps))
    if len(set(declared.names)) != len(declared.names):
        raise ValueError(f"two steps of {name} have one name")

    async def start(order: Order) -> str:
        keeper = getattr(order.ground, "keeper", None)
        if keeper is None:
            raise ActionRefused(f"{title} needs a journal, and this console keeps none.")
        started: str = await keeper.start(declared, order)
        return started

    start.__doc__ = help
    action(name, title=title, command=command, asks=asks, **more)(start)
    if like:
        RULES[name] = RULES[like]
    RUNBOOKS[name] = declared
    return declared


def plain(value: Any) -> Any:
    """What was given, as the journal may keep it: rows by their ids; a secret is refused."""
    if isinstance(value, Secret):
        raise ActionRefused("An operation keeps what it was given in its journal, and a secret must not be there.")
    if isinstance(value, Row):
        return value.id
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        raise ActionRefused("An operation keeps no file's contents in its journal.", hint="Give the file's path.")
    return value


def passing(error: CloudError) -> bool:
    """Whether the same may succeed later although nothing is changed."""
    return isinstance(error, Unreachable | OverLimit | BadReply | Unauthorized | CloudFault | Conflict)
