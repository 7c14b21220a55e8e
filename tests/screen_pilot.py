"""The real app over the real console over the embedded cloud, for tests that press keys."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from still_screen import screen_text
from textual.pilot import Pilot

import console
from console.core.settings import CloudSettings, Paths, Rule, Settings, SshSettings
from console.model.server import Server
from console.sim.estate import Estate
from console.tui.app import NovadeckApp
from console.tui.dialogs import Dialog
from console.tui.theme import UNICODE, Glyphs, load_theme

PATIENCE = 30.0


@dataclass
class Deck:
    """The app, the pilot, the console and the clouds that it shows."""

    app: NovadeckApp
    pilot: Pilot[Any]
    estate: Estate
    consoles: list[console.Console]

    @property
    def console(self) -> console.Console:
        """The open console."""
        return self.consoles[0]

    @property
    def rows(self) -> dict[str, Server]:
        """What the store knows of servers, by name."""
        return {row.name: row for row in self.console.store.rows(Server).values()}

    async def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait until it holds; fail with what is on the screen."""
        for _ in range(int(PATIENCE / 0.05)):
            if holds():
                return
            await self.pilot.pause(0.05)
        raise AssertionError(f"never: {what}\n{self.text()}")

    async def keys(self, *keys: str) -> None:
        """Press keys, as a user would."""
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()

    async def on(self, name: str) -> None:
        """Put the cursor on this server."""
        await self.until(lambda: name in self.rows and self._position(name) is not None, f"{name} is on the screen")
        table = self.app.main.panes["servers"].table
        table.go(self._position(name) or 0)
        await self.pilot.pause()
        row = table.cursor_row
        assert row is not None and row.name == name

    def _position(self, name: str) -> int | None:
        index = self.app.main.panes["servers"].table.index
        return index.position.get(self.rows[name].key) if name in self.rows else None

    async def dialog(self) -> Dialog[Any]:
        """The dialog that is open."""
        await self.until(lambda: isinstance(self.app.screen, Dialog), "a dialog opens")
        assert isinstance(self.app.screen, Dialog)
        return self.app.screen

    def text(self) -> str:
        """What the screen shows."""
        return screen_text(self.app)


@asynccontextmanager
async def deck(
    folder: Path,
    *,
    size: tuple[int, int] = (160, 50),
    theme: str = "nocturne",
    glyphs: Glyphs = UNICODE,
    rules: Sequence[Rule] = (),
    entries: Sequence[str] = (),
    **knobs: Any,
) -> AsyncIterator[Deck]:
    """The app over two clouds of the embedded estate, which live faster than real ones, under the user's rules."""
    knobs = {"servers": 28, "clouds": 2, "regions": 2, "guests": 0, "speed": 8.0, "seed": 1} | knobs
    consoles: list[console.Console] = []
    async with Estate(**knobs) as estate:
        kept, os.environ["OS_CLIENT_CONFIG_FILE"] = (
            os.environ.get("OS_CLIENT_CONFIG_FILE"),
            str(estate.write_clouds_yaml(folder)),
        )
        ssh = SshSettings(key=str(folder / "id_demo"))
        names = list(entries) or list(estate.clouds)
        clouds = {name: CloudSettings(production=name == names[0], ssh=ssh) for name in names}

        @asynccontextmanager
        async def opened() -> AsyncIterator[console.Console]:
            paths = Paths(folder / "config", folder / "state", folder / "run")
            async with console.open(names, settings=Settings(clouds=clouds, rules=list(rules)), paths=paths) as one:
                consoles.append(one)
                yield one

        app = NovadeckApp(opened, load_theme(theme), glyphs)
        try:
            async with app.run_test(size=size) as pilot:
                found = Deck(app, pilot, estate, consoles)
                await found.until(lambda: len(consoles) == 1 and len(found.rows) >= knobs["servers"], "all rows")
                await found.until(lambda: app.main.panes["flavors"].table.index.order, "flavors")
                yield found
                app.leave()
            await asyncio.sleep(0)
            if app.failure is not None:
                raise app.failure
        finally:
            if kept is None:
                del os.environ["OS_CLIENT_CONFIG_FILE"]
            else:
                os.environ["OS_CLIENT_CONFIG_FILE"] = kept
