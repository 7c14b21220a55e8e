"""The real app over the real console over the embedded cloud, for tests that press keys.

With `speed=0` nothing happens by itself: the cloud's clock and the console's own are moved together while one waits.
"""

import datetime as dt
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from console.sim.records import Image as CloudImage
from console.testing import MovedClock
from console.tui.app import NovadeckApp
from console.tui.dialogs import AskText, Confirm, Dialog
from console.tui.pickers import Pages, Palette, Pick
from console.tui.theme import UNICODE, Glyphs, load_theme

PATIENCE = 30.0
PORT = 22200 + os.getpid() % 9000  # of guests, so that tests of other processes have none at the same addresses
STEP = 0.5  # seconds that moved clocks go on while one waits


@dataclass
class Deck:
    """The app, the pilot, the console and the clouds that it shows."""

    app: NovadeckApp
    pilot: Pilot[Any]
    estate: Estate
    consoles: list[console.Console]
    clock: MovedClock | None = None

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
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if holds():
                return
            await self.turn()
        raise AssertionError(f"never: {what}\n{self.text()}")

    async def turn(self) -> None:
        """Let the screen and the clouds go on a little; by moved clocks where there are."""
        if self.clock is None:
            await self.pilot.pause(0.05)
            return
        await self.estate.clock.advance(STEP)
        await self.clock.advance(STEP)
        self.app.main.tick()
        await self.pilot.pause(0.005)

    async def keys(self, *keys: str) -> None:
        """Press keys, as a user would."""
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()

    async def on(self, name: str, pane: str = "servers") -> None:
        """Put the cursor of a pane on the row of this name."""
        await self.until(lambda: self._position(name, pane) is not None, f"{name} is on the screen")
        table = self.app.main.panes[pane].table
        table.go(self._position(name, pane) or 0)
        await self.pilot.pause()
        row = table.cursor_row
        assert row is not None and row.name == name

    def _position(self, name: str, pane: str) -> int | None:
        index = self.app.main.panes[pane].table.index
        return next((index.position.get(key) for key, row in index.rows.items() if row.name == name), None)

    async def command(self, name: str) -> None:
        """Choose a command or an action in the palette, found by its title."""
        await self.keys(":")
        palette = self.app.screen
        assert isinstance(palette, Palette)
        title = next(entry[1] for entry in palette.found if entry[0] == name)
        await self.keys(*title)
        at = [entry[0] for entry in palette.found].index(name)
        assert at < 4, f"{title} is found under {[entry[1] for entry in palette.found[:at]]}"
        await self.keys(*["down"] * at, "enter")

    async def answer(self, told: Mapping[str, str] | None = None) -> list[type[Dialog[Any]]]:
        """Answer each dialog that comes, by what is told under its label, else as it stands; gives their kinds.

        A page to read is no question: it stays open.
        """
        seen: list[Dialog[Any]] = []
        operations = self.app.main.operations

        def over() -> bool:
            return bool(operations.all) or isinstance(self.app.screen, Pages) or bool(self.refused)

        while True:
            await self.until(lambda: over() or self._asks(seen), "a question, or the order")
            screen = self.app.screen
            if not self._asks(seen) or not isinstance(screen, Dialog):
                return [type(one) for one in seen]
            seen.append(screen)
            await self._answer(screen, told or {})

    def _asks(self, seen: Sequence[Dialog[Any]]) -> bool:
        screen = self.app.screen
        return isinstance(screen, AskText | Pick | Confirm) and screen not in seen

    async def _answer(self, dialog: Dialog[Any], told: Mapping[str, str]) -> None:
        if isinstance(dialog, AskText) and dialog._label in told:
            await self.keys("end", "ctrl+u", *told[dialog._label])
        elif isinstance(dialog, Pick) and dialog._verb.rstrip(":") in told:
            await self.keys("/", *told[dialog._verb.rstrip(":")])
        elif isinstance(dialog, Confirm):
            await self.keys(*dialog._typed, *["enter"] * dialog._twice)
        await self.keys("enter")

    @property
    def refused(self) -> str:
        """The line above the footer."""
        return self.app.main._refusal[0]

    async def dialog(self) -> Dialog[Any]:
        """The dialog that is open."""
        await self.until(lambda: isinstance(self.app.screen, Dialog), "a dialog opens")
        assert isinstance(self.app.screen, Dialog)
        return self.app.screen

    async def ended(self, title: str, *, well: bool = True) -> None:
        """Wait for the end of the operations of this title, which must be good, or bad."""
        operations = self.app.main.operations

        def those() -> list[Any]:
            return [one for one in operations.all if one.title == title]

        await self.until(lambda: those() and not any(one.running for one in those()), f"{title} ends")
        assert all(one.failed != well for one in those()), [one.message for one in those()]

    def text(self) -> str:
        """What the screen shows."""
        return screen_text(self.app)

    async def rest(self) -> None:
        """Let the clouds end what they are in the middle of, so that nothing in them moves by itself."""
        await self.estate.clock.advance(300)

    # what the cloud itself says, past everything that is tested

    @property
    def places(self) -> list[Any]:
        """The regions of the estate."""
        return [place for _, place in self.estate.places]

    def server(self, name: str) -> Any:
        """The server of that name as the cloud has it; deleted ones are not."""
        return next(one for one in self.alive() if one.name == name)

    def alive(self) -> list[Any]:
        """All servers that the clouds have, of every generation."""
        return alive(self.estate)

    @property
    def first(self) -> Any:
        """What the first-generation cloud has."""
        return next(cloud.first.store for cloud in self.estate.clouds.values() if getattr(cloud, "first", None))

    def has(self, name: str) -> bool:
        """Whether the cloud has a server of that name."""
        return any(one.name == name for one in self.alive())

    def image(self, name: str) -> CloudImage:
        """The image of that name as the cloud has it."""
        return next(one for place in self.places for one in place.glance.images.values() if one.name == name)

    def state(self) -> dict[str, Any]:
        """All that an order could change, in short: the same before and after means that nothing was changed."""
        found: dict[str, Any] = {}
        for place in self.places:
            for one in place.nova.servers.values():
                asked = [action.action for action in one.actions or () if action.action != "create"]
                facts = (one.name, one.flavor.id, one.locked, sorted(one.tags), dict(one.metadata), one.deleted)
                found[one.id] = (one.motion, one.updated, one.admin_pass, asked, *facts)
            found |= {one.id: (one.status, one.updated, dict(one.properties)) for one in place.glance.images.values()}
            found[f"key pairs of {place.name}"] = sorted(map(str, place.nova.keypairs))
            found[f"ports of {place.name}"] = sorted(place.neutron.ports)
        for one in self.alive():
            found[str(one.id)] = found.get(str(one.id)) or (one.motion, one.updated, one.name, dict(one.metadata))
        return found


def alive(estate: Estate) -> list[Any]:
    """All servers that the clouds of an estate have, of every generation."""
    firsts = [cloud.first.store for cloud in estate.clouds.values() if getattr(cloud, "first", None)]
    return [one for store in (*(place.nova for _, place in estate.places), *firsts) for one in store.alive()]


@asynccontextmanager
async def deck(
    folder: Path,
    *,
    size: tuple[int, int] = (160, 50),
    theme: str = "nocturne",
    glyphs: Glyphs = UNICODE,
    rules: Sequence[Rule] = (),
    entries: Sequence[str] = (),
    prepare: Callable[[Estate], object] = lambda estate: None,
    all_projects: bool = False,
    **knobs: Any,
) -> AsyncIterator[Deck]:
    """The app over two clouds of the embedded estate, which live faster than real ones, under the user's rules.

    `prepare` puts the clouds into some state before the console looks at them.
    """
    knobs = {"servers": 28, "clouds": 2, "regions": 2, "guests": 0, "speed": 8.0, "seed": 1, "guest_port": PORT} | knobs
    consoles: list[console.Console] = []
    clock = None if knobs["speed"] else MovedClock(dt.datetime.now(dt.UTC))
    async with Estate(**knobs) as estate:
        prepare(estate)
        await estate.guests.settled()
        kept, os.environ["OS_CLIENT_CONFIG_FILE"] = (
            os.environ.get("OS_CLIENT_CONFIG_FILE"),
            str(estate.write_clouds_yaml(folder)),
        )
        ssh = SshSettings(key=str(folder / "id_demo"), port=knobs["guest_port"])
        names = list(entries) or list(estate.clouds)
        clouds = {name: CloudSettings(production=name == names[0], ssh=ssh) for name in names}

        @asynccontextmanager
        async def opened() -> AsyncIterator[console.Console]:
            paths = Paths(folder / "config", folder / "state", folder / "run")
            settings = Settings(clouds=clouds, rules=list(rules))
            more = {"clock": clock, "all_projects": all_projects}
            async with console.open(names, settings=settings, paths=paths, **more) as one:
                consoles.append(one)
                yield one

        app = NovadeckApp(opened, load_theme(theme), glyphs)
        try:
            async with app.run_test(size=size) as pilot:
                found = Deck(app, pilot, estate, consoles, clock)
                await found.until(lambda: len(consoles) == 1 and len(found.rows) >= knobs["servers"], "all rows")
                await found.until(lambda: app.main.panes["flavors"].table.index.order, "flavors")
                yield found
                app.leave()
            if app.failure is not None:
                raise app.failure
        finally:
            if kept is None:
                del os.environ["OS_CLIENT_CONFIG_FILE"]
            else:
                os.environ["OS_CLIENT_CONFIG_FILE"] = kept
