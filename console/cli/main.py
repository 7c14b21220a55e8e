"""The command `novadeck`: from words to an exit code.

It loads what the chosen command needs and nothing else: `--version` waits for no library at all. Every error of
ours becomes one sentence on stderr; anything else is a bug and shows its traceback.
"""

import io
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.cli.parse import Given


class Exit(IntEnum):
    """What the exit code tells a script."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DEADLINE = 3
    SOME_FAILED = 4
    INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code is the answer."""
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's alphabet lacks is shown as a question mark: better than an error in its place.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _guarded(list(sys.argv[1:] if words is None else words))
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _guarded(words: list[str]) -> int:
    """Run the words, and turn our errors into sentences."""
    if words == ["--version"]:
        return _version()
    from console.cli.voice import complain
    from console.errors import ConsoleError

    try:
        return _dispatch(words)
    except ConsoleError as error:
        complain(error)
        return exit_code(error)


def _dispatch(words: list[str]) -> int:
    from console.cli import parse, usage

    given = parse.parse(words)
    if isinstance(given, parse.Unfinished):
        text = usage.overview(given.commands, given.words)
        (sys.stdout if given.help else sys.stderr).write(text)
        return Exit.DONE if given.help else Exit.USAGE
    if given.get("version"):
        return _version()
    if given.get("help"):
        from console.cli.commands import every

        sys.stdout.write(usage.of_command(given.command) if given.command.words else usage.overview(every()))
        return Exit.DONE
    return _run(given)


def _run(given: "Given") -> int:
    """Call the function that the command names."""
    import importlib

    module, _, function = given.command.run.partition(":")
    return int(getattr(importlib.import_module(f"console.cli.{module}"), function)(given))


def exit_code(error: BaseException) -> int:
    """The exit code that an error of ours ends with."""
    from console.cli.parse import UsageError
    from console.errors import WaitTimeout

    if isinstance(error, UsageError):
        return Exit.USAGE
    return Exit.DEADLINE if isinstance(error, WaitTimeout) else Exit.FAILED


def _version() -> int:
    from importlib.metadata import version

    print(f"novadeck {version('novadeck')}")
    return Exit.DONE


def _forget_stdout() -> None:
    """Let nothing be flushed into a pipe that nobody reads any more."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, sys.stdout.fileno())
    os.close(quiet)


if __name__ == "__main__":
    sys.exit(main())
