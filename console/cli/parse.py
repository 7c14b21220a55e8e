"""From the words of a command line to one command with its names and options.

The longest command wins, and `--` ends it: what follows are names, however they look, or the words of a command that
is to be run elsewhere. Options stand anywhere.
A word that nobody knows is answered with the nearest one that is known.
"""

import shlex
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from console.cli.commands import FIXED, FORMAT, GLOBALS, SCREEN, Command, Option, every
from console.errors import ConsoleError

NUMBERS: dict[str, tuple[Callable[[str], Any], str]] = {"number": (float, "a number"), "whole": (int, "a whole number")}


class UsageError(ConsoleError):
    """The command line cannot be understood: exit code 2."""


class Given(NamedTuple):
    """What was typed: the command, its names, and the options by name (those not given are absent)."""

    command: Command
    names: tuple[str, ...]
    options: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """An option's value."""
        return self.options.get(name, default)


class Unfinished(NamedTuple):
    """Words that lead to commands without being one; `help` is set where help was asked for."""

    words: tuple[str, ...]
    commands: tuple[Command, ...]
    help: bool


def parse(words: Sequence[str]) -> Given | Unfinished:
    """The command that these words mean. Raises `UsageError`."""
    leading = _leading(words)
    command, commands = _find(leading)
    if command is None:
        asked = any(word in ("-h", "--help") for word in _before_end(words))
        return Unfinished(leading, commands, asked)
    return _read(command, words)


def _before_end(words: Sequence[str]) -> Sequence[str]:
    return words[: words.index("--")] if "--" in words else words


def _leading(words: Sequence[str]) -> tuple[str, ...]:
    """The words that may name a command: those before `--` which are no options and no values of global ones."""
    table = _table((*GLOBALS, *FORMAT, *SCREEN))  # the last: novadeck alone has no word before its own
    found: list[str] = []
    rest = list(_before_end(words))[::-1]
    while rest:
        word = rest.pop()
        if not word.startswith("-"):
            found.append(word)
        elif (option := table.get(word)) is None:
            # A command's own option: whether a value follows is known once the command is.
            if "=" not in word and found:
                break
        elif option.value and rest:
            rest.pop()
    return tuple(found)


def _find(words: tuple[str, ...]) -> tuple[Command | None, tuple[Command, ...]]:
    """The longest command that the words begin with, else those that they lead to. Raises `UsageError`."""
    fixed = longest(words, FIXED)
    if fixed is not None and (fixed.words or not words):
        return fixed, ()
    commands = every()
    found = longest(words, commands)
    if found is not None and found.words:
        return found, ()
    within = tuple(command for command in commands if command.words[: len(words)] == words)
    if not within:
        raise UsageError(_unknown(words, commands))
    return None, within


def longest(words: Sequence[str], commands: Sequence[Command]) -> Command | None:
    """The command with the most words that these words begin with."""
    fitting = [command for command in commands if tuple(words[: len(command.words)]) == command.words]
    return max(fitting, key=lambda command: len(command.words), default=None)


def _unknown(words: Sequence[str], commands: Sequence[Command]) -> str:
    known = 0
    while any(command.words[: known + 1] == tuple(words[: known + 1]) for command in commands):
        known += 1
    before = tuple(words[:known])
    following = {c.words[known] for c in commands if c.words[:known] == before and len(c.words) > known}
    said = " ".join(words[: known + 1])
    return f"There is no command '{said}'." + nearest(words[known], following, before)


def nearest(word: str, known: "set[str] | Sequence[str]", before: Sequence[str] = ()) -> str:
    """A sentence with the known word that is most like this one, or all of them where none is like it."""
    import difflib

    like = difflib.get_close_matches(word, sorted(known), 1, 0.6)
    if like:
        return f" Did you mean '{' '.join([*before, like[0]])}'?"
    return f" There are: {', '.join(sorted(known))}." if known else ""


def _table(options: Sequence[Option]) -> dict[str, Option]:
    return {flag: option for option in options for flag in option.flags}


def _read(command: Command, words: Sequence[str]) -> Given:
    """The names and options behind a command's words."""
    table = _table(command.all_options())
    options: dict[str, Any] = {}
    names: list[str] = []
    pending = list(command.words)
    rest = list(words)[::-1]
    while rest:
        word = rest.pop()
        if word == "--":
            _keep_rest(command, rest[::-1], names, options)
            break
        if word.startswith("-") and word != "-":
            _option(command, word, rest, table, options)
        elif pending and word == pending[0]:
            del pending[0]
        else:
            names.append(word)
    if not (options.get("help") or options.get("version")):
        _check(command, names, options)
    return Given(command, tuple(names), options)


def _keep_rest(command: Command, rest: list[str], names: list[str], options: dict[str, Any]) -> None:
    """What stands behind --: names, or one line for a shell; a single word is one already, several keep apart."""
    if not command.rest:
        names += rest
    elif rest:
        options[command.rest] = rest[0] if len(rest) == 1 else shlex.join(rest)


def _option(command: Command, word: str, rest: list[str], table: dict[str, Option], options: dict[str, Any]) -> None:
    flag, joined, value = (
        word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:].removeprefix("="))
    )
    option = table.get(flag)
    if option is None:
        said = " ".join(command.words) or "novadeck"
        raise UsageError(f"{said} has no option {flag}." + nearest(flag, list(table)))
    if not option.value:
        if joined:
            raise UsageError(f"{flag} takes no value.")
        options[option.name] = True
        return
    if not joined:
        if not rest:
            raise UsageError(f"{flag} needs a value: {flag} {option.value}.")
        value = rest.pop()
    _keep(option, flag, value, options)


def _keep(option: Option, flag: str, value: str, options: dict[str, Any]) -> None:
    kept: Any = value
    if option.kind in NUMBERS:
        read, what = NUMBERS[option.kind]
        try:
            kept = read(value)
        except ValueError:
            raise UsageError(f"{flag} needs {what}, not '{value}'.") from None
        if not 0 <= kept < float("inf"):
            raise UsageError(f"{flag} needs {what} from 0 up, not '{value}'.")
    if option.kind == "pair":
        key, joined, text = value.partition("=")
        if not (key and joined):
            raise UsageError(f"{flag} needs {option.value}, not '{value}'.")
        options.setdefault(option.name, {})[key] = text
        return
    if option.choices:
        kept = next((choice for choice in option.choices if choice.casefold() == value.casefold()), None)
        if kept is None:
            raise UsageError(f"{flag} knows no '{value}'." + nearest(value, option.choices))
    if option.many:
        options.setdefault(option.name, []).append(kept)
    else:
        options[option.name] = kept


def _check(command: Command, names: Sequence[str], options: dict[str, Any]) -> None:
    """Raise `UsageError` where names or options are too few or too many."""
    said = " ".join(command.words) or "novadeck"
    if not command.names and names:
        raise UsageError(f"{said} takes no '{names[0]}'." if command.words else _unknown(names, every()))
    chosen = bool(options.get("all") or options.get("where"))
    if command.names and not command.names.startswith("[") and not names and not chosen:
        raise UsageError(f"{said} needs {command.names.removesuffix('...')}.")
    if command.names in ("NAME", "SHELL") and len(names) > 1:
        raise UsageError(f"{said} takes one {command.names}, not {len(names)}: {', '.join(names)}.")
    for name in names if command.choices else ():
        if name not in command.choices:
            raise UsageError(f"{said} knows no '{name}'." + nearest(name, command.choices))
    for option in command.options:
        if option.required and option.name not in options:
            raise UsageError(f"{said} needs {option.flags[-1]} {option.value}.")
