"""Recordings from the command line: one made without a screen, and one shown again on it."""

import asyncio
from pathlib import Path

from console.cli import reach
from console.cli.main import Exit
from console.cli.parse import Given
from console.cli.screen import demand_terminal, new_file
from console.cli.voice import say
from console.core.settings import Paths, load_settings


def record(given: Given) -> int:
    """Write down what is there and every change, until interrupted."""
    return reach.run(_record(given))


async def _record(given: Given) -> int:
    from console.core.recording import record

    path = new_file(given.names[0])
    async with reach.reach(given) as ops:
        failed = reach.tell_troubles(ops, {})
        say(f"recording to {path}")
        try:
            async with asyncio.timeout(given.get("timeout")):
                await record(ops, path)
        except TimeoutError:
            say(f"recorded to {path}")
    return reach.verdict(failed, 1)


def replay(given: Given) -> int:
    """Show a recording on the screen."""
    demand_terminal()
    from console.replay import Replay
    from console.tui.app import run as show

    paths = Paths()
    settings = load_settings(paths)
    # What this machine did is no part of the recording: its state folder stays out of sight.
    nowhere = Paths(paths.config, paths.runtime / "replay", paths.runtime)
    recording = Replay(Path(given.names[0]).expanduser(), settings, nowhere)

    places, lean = [str(place) for place in recording.places], True if given.get("lean") else None
    show(recording.opened, settings, folders=[paths.config / "themes"], opening=places, lean=lean)
    return Exit.DONE
