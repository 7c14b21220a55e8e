"""Copying text out of the terminal: through tmux where we are inside of it, else by the terminal itself.

tmux drops a raw OSC 52 by its defaults, so that inside of it the text goes to `tmux load-buffer -w -`.
"""

import asyncio
import os
from collections.abc import Callable

MOST = 100_000  # bytes; many terminals drop a longer OSC 52


async def copy(text: str, by_terminal: Callable[[str], None]) -> str:
    """Copy the text; says in a few words where it went, or why it did not."""
    if len(text.encode()) > MOST:
        return f"Not copied: {len(text):,} characters are too many for a terminal."
    if os.environ.get("TMUX"):
        if await _to_tmux(text):
            return "Copied, through tmux."
        return "Not copied: tmux did not take it."
    by_terminal(text)
    return "Copied, if this terminal allows it (OSC 52)."


async def _to_tmux(text: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *("tmux", "load-buffer", "-w", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await asyncio.wait_for(process.communicate(text.encode()), 2.0)
    except (OSError, TimeoutError):
        return False
    return process.returncode == 0
