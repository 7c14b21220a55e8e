"""A real terminal to look at and to type into: a tmux of the test's own, with a plain shell in it.

What the screen shows is what tmux has understood of it, so that a wrong escape code is a wrong picture here too.
"""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ground import CLOUDS
from shell import NOVADECK
from witness import PATIENCE

PROMPT = "ready$"
SETTINGS = "set -g status off\nset -g escape-time 0\nset -g default-terminal tmux-256color\n"
MODES = "#{alternate_on} #{mouse_any_flag} #{cursor_flag} #{keypad_cursor_flag}"


class Terminal:
    """One terminal of that many cells, from `async with terminal(...)` to its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def tmux(self, *words: str) -> str:
        """Ask this terminal's tmux."""
        process = await asyncio.create_subprocess_exec(
            *("tmux", "-u", "-S", str(self.folder / "socket"), "-f", str(self.folder / "conf"), *words),
            env={name: value for name, value in os.environ.items() if name != "TMUX"} | {"LANG": "C.UTF-8"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def press(self, *keys: str) -> None:
        """Press keys by tmux's names: letters, Enter, Escape, Tab, C-u."""
        await self.tmux("send-keys", "--", *keys)

    async def type(self, text: str) -> None:
        """Type this text."""
        await self.tmux("send-keys", "-l", "--", text)

    async def text(self) -> str:
        """What is on the screen."""
        return await self.tmux("capture-pane", "-p")

    async def modes(self) -> str:
        """Whether the alternate screen, mouse reports, the cursor and its application keys are on."""
        return (await self.tmux("display-message", "-p", MODES)).strip()

    async def until(self, there: "str | Callable[[str], Any]", what: str = "") -> str:
        """Wait until the screen has a match of this expression, or this holds of it; fail with the screen."""
        holds = (lambda text: re.search(there, text, re.MULTILINE)) if isinstance(there, str) else there
        text = ""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    text = await self.text()
                    if holds(text):
                        return text
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"never on the screen: {what or there}\n{text}") from None

    async def start(self, *words: str) -> None:
        """Start novadeck as a user would, from the shell."""
        await self.until(rf"^{re.escape(PROMPT)}")
        await self.type("clear; stty -g; " + " ".join([NOVADECK, *words]) + "; echo code $?; stty -g")
        await self.press("Enter")

    async def only(self, words: str) -> None:
        """Filter the rows by these words."""
        await self.until("Servers")
        await self.type(f"/{words}")
        await self.press("Enter")

    async def ended(self) -> tuple[int, bool]:
        """Wait for the shell; novadeck's exit code, and whether it left the terminal as it found it."""
        text = await self.until(r"^code \d+\n\S+:\S+\n")
        found = re.search(r"^(\S+:\S+)\n(?:.*\n)*?code (\d+)\n(\S+:\S+)$", text, re.MULTILINE)
        assert found, text
        return int(found[2]), found[1] == found[3] and await self.modes() == "0 0 1 0"


@asynccontextmanager
async def terminal(width: int, height: int) -> AsyncIterator[Terminal]:
    """A terminal with a shell that says `ready$`."""
    if not shutil.which("tmux"):
        # On a bare system `make test` does without; the proof on a real cloud does not.
        missing = pytest.fail if len(CLOUDS) > 1 else pytest.skip
        missing("the screen is tested in a real terminal: apt-get install tmux")
    with tempfile.TemporaryDirectory(prefix="novadeck-terminal-") as name:
        one = Terminal(Path(name))
        (one.folder / "conf").write_text(SETTINGS)
        size = ("-x", str(width), "-y", str(height))
        shell = ("env", f"PS1={PROMPT} ", "bash", "--norc", "--noprofile")
        await one.tmux("new-session", "-d", *size, *shell)
        try:
            yield one
        finally:
            await one.tmux("kill-server")
