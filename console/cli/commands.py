"""What can be typed: every command and option of the command line, as data.

Parsing, help and completion are derived from these declarations. The commands that act are not written here: they
are derived from the actions' own declarations, which are imported only when no command of this file was meant.
It must stay light, since `--version` and every start wait for it.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from console.actions.declared import Action, Ask

FORMATS = ("table", "json", "yaml", "csv", "value", "ndjson")


class Option(NamedTuple):
    """One option; without `value` (the word that help shows for it) it is a flag."""

    flags: tuple[str, ...]
    help: str
    value: str = ""
    kind: str = "text"  # text, number, whole or pair (KEY=VALUE)
    many: bool = False
    choices: tuple[str, ...] = ()
    dest: str = ""
    required: bool = False

    @property
    def name(self) -> str:
        """Under which name its value is found."""
        return self.dest or self.flags[-1].lstrip("-").replace("-", "_")


class Command(NamedTuple):
    """One command: its words, the function that runs it ("module:function"), its names and its options."""

    words: tuple[str, ...]
    run: str
    help: str
    names: str = ""  # "" takes none, "NAME" one, "NAME..." at least one, "[NAME...]" any
    options: tuple[Option, ...] = ()
    choices: tuple[str, ...] = ()  # what the names may be, where that is known beforehand
    action: str = ""
    flagged: tuple[tuple[str, str], ...] = ()  # a flag that turns it into another action: --hard
    rest: str = ""  # the option that takes what stands behind --; "" where those are names

    def all_options(self) -> tuple[Option, ...]:
        """Its own options and those that every command has."""
        return self.options + GLOBALS


GLOBALS = (
    Option(("--os-cloud",), "a cloud of clouds.yaml; may be given again", "CLOUD", many=True),
    Option(("--os-region-name",), "only this region; may be given again", "REGION", many=True),
    Option(("--all-projects",), "the servers of all projects (the account needs the role for it)"),
    Option(("--read-only",), "refuse everything that would change a cloud"),
    Option(("--debug",), "trace the HTTP calls on stderr, secrets masked"),
    Option(("--timing",), "tell on stderr where the time went"),
    Option(("-h", "--help"), "show this help"),
    Option(("--version",), "show the version"),
)
FORMAT = (
    Option(("-f", "--format"), "how to print", "FORMAT", choices=FORMATS),
    Option(("-c", "--column"), "only this column; may be given again", "COLUMN", many=True),
)
LISTED = (
    *FORMAT,
    Option(
        ("--sort-column",),
        "sort by this column (a leading '-' turns it round); may be given again",
        "COLUMN",
        many=True,
    ),
    Option(("--long",), "more columns"),
)
TIMEOUT = Option(("--timeout",), "give up after so many seconds (exit code 3)", "SECONDS", "number")
ACTED = (
    Option(("--wait",), "wait for the end; progress is told on stderr"),
    TIMEOUT,
    Option(("--dry-run",), "tell what would be done, and do nothing"),
    Option(("-y", "--yes"), "do not ask for confirmation"),
    *FORMAT,
)
BULK = (
    Option(("--all",), "every server of the clouds that were opened; the number must be typed"),
    Option(("--where",), "every server that the expression lets through, as in the screen's filter", "EXPRESSION"),
    Option(("--expect",), "go on unasked if there are exactly so many", "N", "whole"),
)
RULED = (
    Option(("--why",), "a reason, which the audit keeps", "TEXT"),
    Option(("--type-name",), "the name, where a rule of yours wants it typed", "NAME"),
)
PASSWORD_FILE = Option(("--password-file",), "a new file for the password that is told once", "FILE")
LEAN = Option(("--lean",), "spare the link: fewer repaints, no decoration (by itself where the link is slow)")
SCREEN = (
    Option(("--record",), "write down what is there and every change, for `novadeck replay`", "FILE"),
    LEAN,
)
DEMO = (
    *SCREEN,
    Option(("--serve",), "no screen: write a clouds.yaml, print its path, serve until interrupted"),
    Option(("--servers",), "how many servers", "N", "whole"),
    Option(("--clouds",), "how many clouds", "N", "whole"),
    Option(("--regions",), "how many regions", "N", "whole"),
    Option(("--guests",), "how many servers have a guest that can be reached by SSH", "N", "whole"),
    Option(("--speed",), "how much faster than life", "X", "number"),
    Option(("--seed",), "another number, another estate", "N", "whole"),
    Option(("--firstgen",), "with a first-generation cloud beside (Cloud Servers v1.0)"),
    Option(("--rackspace",), "with a cloud like Rackspace's next generation beside"),
)

FIXED: tuple[Command, ...] = (
    Command((), "screen:run", "open the screen", options=SCREEN),
    Command(
        ("server", "list"),
        "listing:servers",
        "list the servers of every cloud asked for",
        options=(
            Option(("--name",), "only names that match this expression (the cloud's own matching)", "NAME"),
            Option(("--status",), "only this status", "STATUS"),
            Option(("--image",), "only servers made from this image (name or id)", "IMAGE"),
            Option(("--flavor",), "only servers of this flavor (name or id)", "FLAVOR"),
            Option(("-n", "--no-name-lookup"), "do not ask for the names of images and flavors"),
            *LISTED,
        ),
    ),
    Command(("server", "show"), "listing:show_servers", "show all that is known of servers", "NAME...", FORMAT),
    Command(
        ("image", "list"),
        "listing:images",
        "list images",
        options=(
            Option(("--base",), "only images that were not made of a server"),
            Option(("--snapshots",), "only images that were made of a server"),
            Option(("--name",), "only the image of this name", "NAME"),
            Option(("--status",), "only this status", "STATUS"),
            *LISTED,
        ),
    ),
    Command(("image", "show"), "listing:show_images", "show all that is known of images", "NAME...", FORMAT),
    Command(("flavor", "list"), "listing:flavors", "list flavors", options=LISTED),
    Command(("flavor", "show"), "listing:show_flavors", "show all that is known of flavors", "NAME...", FORMAT),
    Command(("ipgroup", "list"), "listing:ipgroups", "list the groups of servers that share addresses", options=LISTED),
    Command(("keypair", "list"), "listing:keypairs", "list key pairs", options=LISTED),
    Command(("keypair", "show"), "listing:show_keypairs", "show key pairs with their public keys", "NAME...", FORMAT),
    Command(
        ("console", "log", "show"),
        "listing:console_log",
        "print a server's console log",
        "NAME",
        (
            Option(("--lines",), "only the last so many lines", "N", "whole"),
            Option(("--follow",), "go on with what comes, until interrupted"),
            Option(("--timeout",), "stop to follow after so many seconds", "SECONDS", "number"),
        ),
    ),
    Command(("limits", "show"), "quotas:limits", "show what may be used of each quota, and what is", options=LISTED),
    Command(("quota", "show"), "quotas:limits", "the same as limits show", options=LISTED),
    Command(
        ("availability", "zone", "list"),
        "quotas:zones",
        "list the availability zones that take servers",
        options=LISTED,
    ),
    Command(
        ("watch",),
        "watching:watch",
        "print every change as it happens, until interrupted",
        "[KIND...]",
        (
            Option(
                ("-f", "--format"), "lines for people, or an object per change", "FORMAT", choices=("lines", "ndjson")
            ),
            Option(("--timeout",), "stop after so many seconds", "SECONDS", "number"),
        ),
        choices=("server", "image", "flavor"),
    ),
    Command(
        ("wait", "server"),
        "watching:wait",
        "wait until servers have one of the values given",
        "NAME...",
        (
            Option(
                ("--for",),
                "what to wait for: status=ACTIVE,ERROR or task_state= or gone",
                "FIELD=VALUES",
                required=True,
            ),
            Option(("-v", "--verbose"), "tell each reading, not only what changes"),
            Option(("--interval",), "seconds between two readings", "SECONDS", "number"),
            TIMEOUT,
            *FORMAT,
        ),
    ),
    Command(
        ("find",),
        "listing:find",
        "find servers by address, MAC, id or a part of their name",
        "WORD...",
        FORMAT,
    ),
    Command(
        ("info",),
        "info:run",
        "tell paths, settings, clouds and versions, and what is wrong",
        options=(FORMAT[0]._replace(choices=("table", "json", "yaml")),),
    ),
    Command(
        ("record",),
        "replaying:record",
        "write down what is there and every change, without a screen",
        "FILE",
        (Option(("--timeout",), "stop after so many seconds", "SECONDS", "number"),),
    ),
    Command(("replay",), "replaying:replay", "show a recording on the screen", "FILE", (LEAN,)),
    Command(
        ("ops", "list"),
        "ops:list_",
        "list the operations that are open, and who carries them out",
        options=(Option(("--all",), "also those that have ended"), *FORMAT),
    ),
    Command(("ops", "show"), "ops:show", "show operations with their steps", "NAME...", FORMAT[:1]),
    Command(("ops", "answer"), "ops:answer", "answer what an operation asks: ID, and one of its choices", "NAME..."),
    Command(("ops", "abort"), "ops:abort", "end operations, and let them put the world in order", "NAME..."),
    Command(
        ("ops", "resume"),
        "ops:resume",
        "carry operations on in this terminal, those named or all",
        "[NAME...]",
        (Option(("--take",), "also from a keeper that lives"), *FORMAT[:1]),
    ),
    Command(
        ("keep",),
        "keep:run",
        "carry operations on without a terminal",
        options=(
            Option(("--until-done",), "end when no operation is open"),
            Option(("--service",), "print a systemd service that does this"),
        ),
    ),
    Command(
        ("schedule", "list"),
        "schedules:list_",
        "list what images are planned, when the next is made, and how the last one went",
        options=FORMAT,
    ),
    Command(
        ("schedule", "run"),
        "schedules:run",
        "make an image by a plan now, and carry it to its end",
        "NAME",
        (Option(("--due",), "only if it is due and was not made yet, for timers"), *FORMAT[:1]),
    ),
    Command(("schedule", "pause"), "schedules:pause", "make no images by plans until they are resumed", "NAME..."),
    Command(("schedule", "resume"), "schedules:resume", "make images by plans again, from now on", "NAME..."),
    Command(
        ("schedule", "remove"),
        "schedules:remove",
        "forget plans; their images stay",
        "NAME...",
        (Option(("-y", "--yes"), "do not ask for confirmation"),),
    ),
    Command(
        ("schedule", "lines"),
        "schedules:lines",
        "print what makes a plan's images where no keeper runs",
        "NAME",
        (Option(("--for",), "a systemd timer, or a crontab", "SYSTEM", choices=("systemd", "cron")),),
    ),
    Command(("demo",), "screen:demo", "open the screen on the embedded cloud", options=DEMO),
    Command(
        ("completion",),
        "completion:run",
        "print the completion script of a shell",
        "SHELL",
        choices=("bash", "zsh", "fish"),
    ),
)


def every() -> tuple[Command, ...]:
    """All commands: those of this file, and one per declared action."""
    from console.runbooks import ACTIONS

    taken = {command.words for command in FIXED}
    return FIXED + tuple(command for command in derive(ACTIONS.values()) if command.words not in taken)


def derive(actions: "Iterable[Action]") -> Iterator[Command]:
    """The commands of the actions; one whose words end in a flag (--hard) becomes a flag of the plain one."""
    plain: dict[tuple[str, ...], Command] = {}
    flagged: list[Action] = []
    for action in actions:
        if not action.command:
            continue
        if action.command[-1].startswith("-"):
            flagged.append(action)
        else:
            plain[action.command] = _command_of(action)
    for action in flagged:
        *words, flag = action.command
        command = plain[tuple(words)]
        option = Option((flag,), action.help.rstrip("."))
        known = {flag for other in command.options for flag in other.flags}
        more = [option_of(ask) for ask in action.asks if ask.flag not in known and ask.name != "name"]
        plain[tuple(words)] = command._replace(
            options=(option, *command.options, *(one._replace(required=False) for one in more)),
            flagged=(*command.flagged, (option.name, action.name)),
        )
    yield from plain.values()


# Actions whose answers are no rows of orders: the function that runs them, and its further options.
_OWN: dict[str, tuple[str, tuple[Option, ...]]] = {
    "server.run": (
        "inside:run",
        (
            Option(("--at-once",), "on so many servers at the same time (16)", "N", "whole"),
            Option(("--stop-on-failure",), "begin on no further server once one has failed"),
        ),
    ),
    "server.shell": ("inside:ssh", ()),
    "server.hostkeys": ("inside:hostkeys", ()),
}


def _command_of(action: "Action") -> Command:
    asks = [ask for ask in action.asks if not (action.creates and ask.name == "name")]
    run, more = _OWN.get(action.name, ("acting:run", ()))
    return Command(
        words=action.command,
        run=run,
        help=action.help[:1].lower() + action.help[1:].rstrip("."),
        names="NAME..." if action.many and not action.creates else "NAME",
        options=(*map(option_of, asks), *more, *_common(action)),
        action=action.name,
        rest=next((ask.name for ask in asks if ask.rest), ""),
    )


def _common(action: "Action") -> tuple[Option, ...]:
    """The options that every action has; without an end to wait for there is no `--wait`."""
    many = BULK[:2] if action.reads else BULK
    bulk = many if action.many and not action.creates and action.command[0] == "server" else ()
    if action.reads:
        return (*bulk, *FORMAT)
    tells = action.ends is not None and (action.ask("password") is not None or action.ends.made)
    told = (PASSWORD_FILE,) if tells else ()
    acted = ACTED if action.ends is not None else tuple(o for o in ACTED if o.name not in ("wait", "timeout"))
    return (*bulk, *told, *RULED, *acted)


def option_of(ask: "Ask") -> Option:
    """The option by which an action's question is answered beforehand."""
    kinds = {"number": "whole", "metadata": "pair"}
    return Option(
        flags=(ask.flag,),
        help=(ask.help or ask.title).rstrip(".") + "; may be given again" * ask.many,
        value="" if ask.kind == "flag" else _WORDS.get(ask.kind, ask.title.upper().replace(" ", "-")),
        kind=kinds.get(ask.kind, "text"),
        many=ask.many and ask.kind != "metadata",
        choices=ask.choices,
        dest=ask.name,
        required=ask.required and ask.default is None and ask.kind != "secret" and not ask.unless,
    )


_WORDS = {
    "file": "FILE",
    "files": "PATH=FILE",
    "number": "N",
    "metadata": "KEY=VALUE",
    "address": "NETWORK=ADDRESS",
    "flavor": "FLAVOR",
    "image": "IMAGE",
}
