"""The keys: what the screen itself can do, declared once, and which key stands for what after the settings.

An action brings its own key (`console.actions`); what is here moves, finds and shows. Bindings, footer, palette and
help are derived from these two tables, so that no text can promise a key that does something else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from textual import events

from console.model.place import Row


class Act(Protocol):
    """An action, as far as a key needs to know it."""

    @property
    def name(self) -> str:
        """Such as "server.reboot"."""

    @property
    def key(self) -> str | None:
        """Its key, before the settings."""

    @property
    def title(self) -> str:
        """What the footer calls it."""

    @property
    def help(self) -> str:
        """What it does, in one sentence."""

    @property
    def on(self) -> type[Row]:
        """The noun that it acts on."""


@dataclass(frozen=True)
class Command:
    """Something that the screen does, on one or more keys."""

    name: str
    keys: tuple[str, ...]
    title: str
    help: str
    section: str
    footer: int = 0  # the greater, the longer it stays in the footer; 0 is never there
    palette: bool = True


COMMANDS: tuple[Command, ...] = (
    Command("down", ("j", "down"), "down", "One row down.", "Move", palette=False),
    Command("up", ("k", "up"), "up", "One row up.", "Move", palette=False),
    Command("first", ("g", "home"), "first", "To the first row.", "Move", palette=False),
    Command("last", ("G", "end"), "last", "To the last row.", "Move", palette=False),
    Command("half_down", ("ctrl+d",), "half a page down", "Half a page down.", "Move", palette=False),
    Command("half_up", ("ctrl+u",), "half a page up", "Half a page up.", "Move", palette=False),
    Command("page_down", ("pagedown", "ctrl+f"), "page down", "A page down.", "Move", palette=False),
    Command("page_up", ("pageup", "ctrl+b"), "page up", "A page up.", "Move", palette=False),
    Command("next_pane", ("tab",), "next", "To the next pane, or the next tab of a detail view.", "Move"),
    Command("previous_pane", ("shift+tab",), "previous", "To the pane or tab before.", "Move"),
    Command("open", ("enter",), "open", "Open the row: all that is known of it.", "See"),
    Command(
        "back", ("escape",), "back", "Close what is open; else take away filter, then marks.", "See", palette=False
    ),
    Command("describe", ("d",), "describe", "The overview of the row.", "See"),
    Command("raw", ("y",), "raw record", "The record as the cloud sent it.", "See"),
    Command("log", ("l",), "console log", "The server's console log, following it.", "See"),
    Command("history", ("h",), "history", "What was asked of the server, and what became of it.", "See"),
    Command("filter", ("/",), "filter", "Show only rows that match: regex, !inverse, field:value, age<2h.", "Find", 3),
    Command("problems", ("z",), "only problems", "Only what needs you or is in motion.", "Find"),
    Command("sort", ("s",), "sort", "Sort by the next column; after the last one trouble is first again.", "Find"),
    Command("sort_reverse", ("o",), "turn the order", "Turn the sorting round.", "Find"),
    Command("wide", ("w",), "wide", "Show the columns that need room: id, host, zone, power, key.", "Find"),
    Command("mark", ("space",), "mark", "Mark the row: keys then act on all marked rows.", "Find", 1),
    Command("mark_all", ("*",), "mark all", "Mark every row that is shown; again takes the marks away.", "Find"),
    Command("failures", ("F",), "what failed", "What failed last, why, and enter to try it again.", "See"),
    Command("operations", ("O",), "operations", "The operations under way: answer, end or take over one.", "See"),
    Command("last_view", ("-",), "last view", "The view of before, and again back.", "Find"),
    Command("older_view", ("[",), "back", "Back through the views that you came from.", "Find"),
    Command("newer_view", ("]",), "forth", "Forth again through the views.", "Find"),
    Command("views", ("v",), "views", "The views that you gave a name.", "Find"),
    Command("keep_view", ("ctrl+s",), "keep view", "Give this view a name: pane, filter, order and width.", "Find"),
    Command("servers_of", ("U",), "its servers", "The servers of this flavor, or made from this image.", "Find"),
    Command("zoom", ("Z",), "zoom", "Give the whole width to this pane, or share it again.", "See"),
    Command("aside", ("P",), "beside", "The row under the cursor beside the table, following it, or not.", "See"),
    Command("copy", ("c",), "copy id", "Copy the id of the row.", "See"),
    Command("health", ("H",), "health", "How each place does: why it does not answer, its limits, its rows.", "Screen"),
    Command("refresh", ("ctrl+r",), "ask now", "Ask the clouds now, also those that refused a login.", "Screen"),
    Command(
        "palette", (":", "ctrl+p"), "command", "Find anything that can be done by a word of it.", "Screen", 2, False
    ),
    Command("help", ("?",), "help", "This page.", "Screen", 4),
    Command("secret", (), "last password", "Show the password that a cloud told last; it is kept nowhere.", "Screen"),
    Command("theme", ("T",), "theme", "Choose a theme, worn while the cursor stands on it.", "Screen"),
    Command("bundle", ("I",), "incident", "Write what is known and was done into one file, without secrets.", "Screen"),
    Command("link", ("L",), "link", "Bytes per second to this terminal, and how fast it answers.", "Screen"),
    Command("redraw", ("ctrl+l",), "redraw", "Draw the whole screen again.", "Screen", palette=False),
    Command("quit", ("q", "ctrl+c"), "quit", "Close what is open; else quit.", "Screen"),
)

# Only while a recording is played.
REPLAY: tuple[Command, ...] = (
    Command("pause", ("p",), "pause", "Stop, or go on; from the end on, from the beginning.", "Replay", 6),
    Command("faster", (">",), "faster", "The next greater speed.", "Replay", 3),
    Command("slower", ("<",), "slower", "The next smaller speed.", "Replay", 3),
    Command("next_change", (".",), "next change", "Stop at the next change.", "Replay", 5),
    Command("last_change", (",",), "change before", "Stop at the change before.", "Replay"),
    Command("skip_on", ("right",), "10 s on", "Ten seconds on.", "Replay", palette=False),
    Command("skip_back", ("left",), "10 s back", "Ten seconds back.", "Replay", palette=False),
    Command("leap_on", ("shift+right",), "5 min on", "Five minutes on.", "Replay", palette=False),
    Command("leap_back", ("shift+left",), "5 min back", "Five minutes back.", "Replay", palette=False),
    Command("seek", ("J",), "go to a time", "Go to a time such as 14:02, or +5m from here.", "Replay"),
    Command("mark_moment", ("a",), "mark A", "Remember this moment as A.", "Replay"),
    Command("compare", ("b",), "changed since A", "What changed between A (or the beginning) and here.", "Replay", 4),
)

NAMES = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "shift+tab": "shift+tab",
    "up": "↑",
    "down": "↓",
}


def shown(key: str) -> str:
    """A key as text."""
    return NAMES.get(key, key)


def key_of(event: events.Key) -> str:
    """The key as the tables name it: the character itself where it prints, else its name."""
    if event.character and event.character.isprintable() and event.character != " ":
        return event.character
    return event.key


@dataclass
class Keymap:
    """Which key does what, after the settings' own keys."""

    commands: dict[str, Command] = field(default_factory=dict)
    by_key: dict[tuple[str, type[Row] | None], str] = field(default_factory=dict)
    key_by_name: dict[str, str] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)

    def find(self, key: str, kind: type[Row] | None) -> str | None:
        """The command or action on this key, where a pane of this noun has the keys."""
        return self.by_key.get((key, kind)) or self.by_key.get((key, None))

    def key(self, name: str) -> str:
        """The key of a command or action as text; "" where it has none."""
        return shown(self.key_by_name.get(name, ""))


def make_keymap(
    actions: Sequence[Act],
    chosen: Mapping[str, str] | None = None,
    panes: Sequence[str] = (),
    commands: Sequence[Command] = COMMANDS,
) -> Keymap:
    """The keymap of these actions under the settings' keys; two things on one key are a conflict that is told."""
    chosen = chosen or {}
    keymap = Keymap(commands={command.name: command for command in commands})
    for number, pane in enumerate(panes[:9], 1):
        _bind(keymap, chosen.get(f"pane.{pane}", str(number)), None, f"pane.{pane}", chosen)
    for command in commands:
        keys = (chosen[command.name],) if command.name in chosen else command.keys
        for key in keys:
            _bind(keymap, key, None, command.name, chosen)
    for action in actions:
        key = chosen.get(action.name, action.key or "")
        if key:
            _bind(keymap, key, action.on, action.name, chosen)
    replay = {command.name for command in REPLAY}
    known = {*keymap.commands, *replay, *(action.name for action in actions), *(f"pane.{pane}" for pane in panes)}
    keymap.conflicts += [f"There is nothing called {name} to bind." for name in chosen if name not in known]
    return keymap


def _bind(keymap: Keymap, key: str, kind: type[Row] | None, name: str, chosen: Mapping[str, str]) -> None:
    """Put a name on a key; what the settings chose wins over what came with the program."""
    taken = keymap.by_key.get((key, kind)) or keymap.by_key.get((key, None))
    if taken and taken != name:
        loser, winner = (taken, name) if name in chosen or taken not in chosen else (name, taken)
        keymap.conflicts.append(f"{shown(key)} is {winner}; {loser} has lost it.")
        if winner == taken:
            return
        keymap.by_key = {at: held for at, held in keymap.by_key.items() if not (at[0] == key and held == taken)}
        if keymap.key_by_name.get(taken) == key:
            del keymap.key_by_name[taken]
    keymap.by_key[key, kind] = name
    keymap.key_by_name.setdefault(name, key)
