"""Help, written from the declarations, so that it cannot promise what is not there."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from console.cli.commands import Command, Option

INTRO = "novadeck: every server of every cloud, region and project in one live terminal table."
CODES = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 deadline passed, 4 some of many failed, 130 interrupted. "
    "Data goes to stdout, everything else to stderr. Without a command the screen opens."
)


def overview(commands: Sequence[Command], words: Sequence[str] = ()) -> str:
    """All commands that begin with these words, one line each."""
    said = " ".join(["novadeck", *words])
    listed = [(" ".join([*c.words, c.names]).strip(), c.help) for c in sorted(commands) if c.words]
    parts = [f"usage: {said} COMMAND [OPTIONS]" if words else f"{INTRO}\n\nusage: novadeck [COMMAND] [OPTIONS]"]
    parts += ["commands:\n" + "".join(_lines(listed))]
    if not words:
        from console.cli.commands import GLOBALS

        parts += ["options of every command:\n" + "".join(_lines(_told(GLOBALS))), _wrapped(CODES)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def of_command(command: Command) -> str:
    """What one command does, takes and knows."""
    from console.cli.commands import GLOBALS

    said = " ".join(filter(None, ["novadeck", *command.words, command.names, "[OPTIONS]"]))
    parts = [f"usage: {said}", _wrapped(command.help[:1].upper() + command.help[1:].rstrip(".") + ".")]
    if command.choices:
        parts += [_wrapped(f"{command.names.strip('[].')}: {', '.join(command.choices)}")]
    if command.options:
        parts += ["options:\n" + "".join(_lines(_told(command.options)))]
    parts += ["options of every command:\n" + "".join(_lines(_told(GLOBALS)))]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _told(options: Sequence[Option]) -> list[tuple[str, str]]:
    return [(f"{', '.join(option.flags)} {option.value}".strip(), _help(option)) for option in options]


def _help(option: Option) -> str:
    choices = f": {', '.join(option.choices)}" if option.choices else ""
    return f"{option.help}{choices}{' (required)' if option.required else ''}"


def _lines(told: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Two columns, the second one wrapped."""
    left = min(max((len(words) for words, _ in told), default=0), 34) + 4
    for words, help in told:
        lines = textwrap.wrap(help, max(20, _width() - left)) or [""]
        if len(words) + 4 > left:
            yield f"  {words}\n"
        else:
            yield f"  {words:{left - 2}}{lines.pop(0)}\n"
        yield from (" " * left + line + "\n" for line in lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _width())


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 110)
