"""What a user can do, declared once: the table that keys, menus, dialogs, help, sub-commands and tests are made from.

An `Action` tells all that a face must know of a verb, and holds the coroutine that sends it. It does not act by
itself: `action.perform` is the only way. Add a verb by declaring it; nothing else has to be told.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from console.actions.ground import Ground
from console.clouds.dialect import Dialect
from console.errors import ConsoleError
from console.model.place import Key, Place, Row
from console.model.server import Server
from console.text import Secret

AskKind = Literal[
    "text",
    "flag",
    "secret",
    "file",
    "files",
    "number",
    "choice",
    "flavor",
    "image",
    "keypair",
    "network",
    "address",
    "group",
    "metadata",
]


@dataclass(frozen=True)
class Ask:
    """One thing to be told before an action can run; `title` is a field's label, `help` a flag's line of help."""

    name: str
    kind: AskKind
    title: str
    help: str
    required: bool = False
    default: Any = None
    many: bool = False  # may be given several times
    most: int = 255  # characters, for a text
    least: int = 0  # for a number
    choices: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()  # required, unless one of these is given
    called: str = ""  # the command line's word for it, where that is another one
    rest: bool = False  # what stands behind -- on the command line
    clears: bool = False  # "" is an answer too: it takes away what is there
    offered: bool = False  # a dialog asks for it, though it may be left out

    @property
    def flag(self) -> str:
        """How the command line calls it, such as "--key-name"."""
        return "--" + (self.called or self.name).replace("_", "-")


@dataclass(frozen=True)
class Ends:
    """Where a server comes to rest after an order, so that it can be waited for.

    `good` are the statuses that mean done. A status that the server already had counts only once motion was seen (a
    task state, another status, a newer `updated`) or the cloud's patience is over, since an answer may be older than
    the order; `why` says how this verb begins and ends on a real cloud.
    """

    good: tuple[str, ...] = ()
    why: str = ""
    gone: bool = False  # to vanish is the good end
    image: bool = False  # the image that it makes must become active
    flavor: bool = False  # at rest with the new flavor is done too, whoever confirmed it
    made: bool = False  # the server that it makes is followed, and not the one that it was made of
    record: bool = False  # only the cloud's record of the order tells that it failed
    deadline: float = 600.0  # seconds, unless the caller says


@dataclass(frozen=True)
class Step:
    """One thing that happened to an order under way, for whoever watches it."""

    action: str
    name: str
    phase: Literal["asked", "accepted", "seen", "rung", "failed", "ended"]
    text: str = ""
    key: Key | None = None
    row: Row | None = None
    detail: Any = None


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Order:
    """One action on one row, as the coroutine of that action gets it; `given` is checked and looked up."""

    ground: Ground
    action: "Action"
    place: Place
    given: Mapping[str, Any]
    row: Any = None  # None where the action makes something new
    progress: Progress | None = None
    id: str = ""  # joins the audit's lines

    @property
    def dialect(self) -> Dialect:
        """The dialect of the place that this order goes to."""
        return self.ground.dialect(self.place)

    @property
    def name(self) -> str:
        """What the target is called."""
        if self.row is not None:
            return str(self.row.name or self.row.id)
        return str(self.given.get("name") or "")

    def tell(self, phase: Any, text: str = "", *, row: Row | None = None, detail: Any = None) -> None:
        """Tell the watcher, if there is one."""
        if self.progress is not None:
            key = self.row.key if self.row is not None else None
            self.progress(Step(self.action.name, self.name, phase, text, key, row, detail))


Run = Callable[[Order], Awaitable[Any]]

# Looks once more before anything is sent; gives what is worth saying of a plan, or raises `ActionRefused`.
Look = Callable[[Order], Awaitable[str]]


# What is worth knowing before it is done to these rows, in sentences; pure.
Warns = Callable[[Sequence[Any]], Sequence[str]]


@dataclass(frozen=True)
class Action:
    """One thing that a user can do to one kind of row."""

    name: str  # "server.reboot"
    title: str
    help: str
    on: type[Row]
    run: Run
    command: tuple[str, ...]
    key: str | None = None
    needs: str = ""  # the verb that the dialect must offer
    asks: tuple[Ask, ...] = ()
    confirm: str = ""  # a question before it is done; may hold {name}; "" asks nothing
    type_name: bool = False  # the name must be typed
    reversible: bool = True
    many: bool = True
    creates: bool = False  # it has no target, but a place
    reads: bool = False  # it changes nothing, and read-only allows it
    ends: Ends | None = None
    look: Look | None = None
    warns: Warns | None = None

    def ask(self, name: str) -> Ask | None:
        """The ask of that name."""
        return next((ask for ask in self.asks if ask.name == name), None)


@dataclass
class Outcome:
    """What became of one order on one row."""

    action: str
    name: str
    place: Place
    key: Key | None = None
    id: str | None = None  # of what it made, where it made something
    request_id: str = ""
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    row: Row | None = None  # as last seen
    error: ConsoleError | None = None
    result: Any = None  # what it found out: a report, a text, a link
    admin_pass: Secret | None = None  # told once, kept nowhere
    order: str = ""  # joins the audit's lines; a new server carries it as a mark
    plan: str = ""  # of a dry run: what would have been sent
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it was done, as far as it was waited for."""
        return self.error is None

    @property
    def took(self) -> float | None:
        """Seconds from the order to its end."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None


ACTIONS: dict[str, Action] = {}


def action(
    name: str, *, title: str, command: str, on: type[Row] = Server, asks: Sequence[Ask] = (), **more: Any
) -> Callable[[Run], Run]:
    """Declare the coroutine below as an action; its docstring's first line is its help. See `Action`."""

    def declare(run: Run) -> Run:
        if name in ACTIONS:
            raise ValueError(f"two actions are called {name}")
        help = (run.__doc__ or "").strip().partition("\n")[0]
        ACTIONS[name] = Action(
            name=name, title=title, help=help, on=on, run=run, command=tuple(command.split()), asks=tuple(asks), **more
        )
        return run

    return declare
