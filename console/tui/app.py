"""The full-screen face: `run` paints at once, then opens the console and shows it.

Nothing that the first frame can do without is imported before it: the console comes from `open_console`, which the
caller made, and what only a key or an open console needs is brought along where that is met. What a user may meet
(`ConsoleError`) is told on the screen; anything else is a bug, ends the app, restores the terminal and shows its
traceback. The embedded cloud is not started here: `run` gives an `ExitRequest` to its caller.
"""

import asyncio
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.filter import ANSIToTruecolor, LineFilter, Monochrome

from console.core import memory
from console.core.clock import Clock
from console.core.settings import OwnColumn
from console.errors import ConfigError, ConsoleError
from console.tui.hangup import Hangup
from console.tui.link import Facts, Link
from console.tui.modest import disbelieve
from console.tui.paint import Span, spans
from console.tui.screen import MainScreen
from console.tui.theme import ASCII, UNICODE, Glyphs, Ink, Theme, choose_theme, depth, theme_files, wants_ascii
from console.tui.wardrobe import Wardrobe
from console.tui.writer import SparingApp

if TYPE_CHECKING:
    from console.tui.commands import Commands

TURN = 0.001  # seconds that the thread which hears a key or sends a frame waits for its turn at most
CLOSING = 3.0  # seconds for the console to be closed behind the screen
KEEP = 30.0  # seconds between two looks whether the session differs from what is kept of it

OpenConsole = Callable[..., AbstractAsyncContextManager[Any]]


@dataclass(frozen=True)
class ExitRequest:
    """What the screen asks of its caller: "demo" starts the embedded cloud; "config" opens the clouds.yaml `value`."""

    what: str
    value: str = ""


class NovadeckApp(SparingApp[ExitRequest | None]):
    """The app: themes, the open console, and the way out."""

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = []
    AUTO_FOCUS = ""

    def __init__(
        self,
        open_console: OpenConsole,
        theme: Theme,
        glyphs: Glyphs = UNICODE,
        keys: Mapping[str, str] | None = None,
        folders: Sequence[Path] = (),
        opening: Sequence[str] = (),
        colours: str = "full",
        columns: Mapping[str, Sequence[OwnColumn]] | None = None,
        *,
        differences: bool = True,
        record: Path | None = None,
        lean: bool | None = None,
    ) -> None:
        super().__init__(differences=differences)
        self.animation_level = "none"
        self.ink, self.glyphs = Ink(theme, ascii=glyphs is ASCII), glyphs
        self.failure: BaseException | None = None
        self._open_console, self._keys = open_console, keys or {}
        self.wardrobe = Wardrobe(folders, colours)
        self._record = record
        self._opening = tuple(opening)
        self._leaving = asyncio.Event()
        self._living: asyncio.Task[None] | None = None
        self._console_open = False
        self._asking = asyncio.Lock()
        self.main = MainScreen(self.ink, glyphs, self._run, self._keys, columns)
        self.main.opening = self._opening
        self.main.link = Link(lean, self._link)
        self.main.to_terminal, self.main.lend_mouse = self._to_terminal, self._lend_mouse
        self._mouse_lent = False
        self._use(self.wardrobe.fitted(theme))

    @cached_property
    def commands_of_screen(self) -> "Commands":
        """What keys do; made behind the first frame, since it brings every dialog along."""
        from console.tui.commands import Commands

        return Commands(self.main, self.leave, self.choose_theme)

    def _run(self, name: str) -> None:
        self.commands_of_screen.run(name)

    def _link(self) -> Facts:
        """What is known of the way to the terminal."""
        return Facts() if self.writer is None else Facts(self.writer.line.round_trip, self.writer.line.given)

    def _to_terminal(self, text: str) -> None:
        """Send this to the terminal as it is: a bell, or a line for the desktop."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(text)

    def _lend_mouse(self, lent: bool) -> None:
        """Leave the mouse to the terminal, so that text can be selected with it, or take it back."""
        if self._driver is None or self.is_headless or lent == self._mouse_lent:
            return
        self._mouse_lent = lent
        way = getattr(self._driver, "_disable_mouse_support" if lent else "_enable_mouse_support", None)
        if way is not None:  # private: it also knows whether the mouse is wanted at all
            way()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own, but for two: that of NO_COLOR makes the terminal's background black, and mono has no hue.

        A theme's colours are those that the terminal shall be sent: none is to be made of another.
        """
        return [one for one in super().get_line_filters() if not isinstance(one, Monochrome | ANSIToTruecolor)]

    def get_default_screen(self) -> MainScreen:
        """The main screen is the first."""
        return self.main

    def on_mount(self) -> None:
        """Paint first; then open the console."""
        if not self.is_headless:
            Hangup(self._must_stay, self._deafen, self.leave).listen()
        self.set_timer(0.05, self._begin)

    def _must_stay(self) -> bool:
        """Whether something is under way that would end with this screen."""
        return any(one.running and not one.outlives for one in self.main.operations.all)

    def _deafen(self) -> None:
        """Read no keys any more."""
        if self._driver is not None:  # private: whose thread reads them
            self._driver.disable_input()

    async def on_unmount(self) -> None:
        """However the screen has ended: close what is open behind it; what takes long is cut short."""
        self._leaving.set()
        living = self._living
        if living is None or living.done():
            return
        if self._console_open:
            await asyncio.wait((living,), timeout=CLOSING)
        living.cancel()
        await asyncio.wait((living,), timeout=CLOSING)

    def _begin(self) -> None:
        # No worker: those are cancelled when the screen is left, and what has just changed would be forgotten.
        self._living = asyncio.create_task(self._live(), name="console")

    async def _live(self) -> None:
        """Hold the console open for as long as the screen lives."""
        await asyncio.sleep(0)
        try:
            async with self._opened() as console:
                self._console_open = True
                await self._show(console)
                await self._leaving.wait()
        except ConfigError as error:
            self.first_run(error.message, error.hint)
        except ConsoleError as error:
            self.first_run(str(error), "")
        except Exception as error:
            self.failure = error
            self.exit(return_code=1)

    def _opened(self) -> AbstractAsyncContextManager[Any]:
        """The console; where its opener wants to ask a person, it asks by a dialog."""
        if "ask" in inspect.signature(self._open_console).parameters:
            return self._open_console(ask=self.ask)
        return self._open_console()

    async def ask(self, question: str) -> str:
        """Ask for a secret that no file holds, such as "The password for prod"; "" when it is refused."""
        from console.tui.dialogs import AskText, Topic

        async with self._asking:
            topic, hint = Topic(question), spans(Span("It is kept in memory only.", "muted"))
            dialog = AskText(self.ink, self.glyphs, topic, [hint], "log in", secret=True, keeps="leave it closed")
            answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            def told(text: str | None) -> None:
                if not answer.done():
                    answer.set_result(text or "")

            self.push_screen(dialog, told)
            return await answer

    async def _show(self, console: Any) -> None:
        from console.tui.deck import Deck

        if not console.places:
            problems = [str(problem) for problem in console.problems]
            self.first_run("", "", looked=tuple(getattr(console.accounts, "looked_for", ())), problems=problems)
            return
        self.wardrobe.clouds = {name: one.colour for name, one in console.settings.clouds.items() if one.colour}
        if self.wardrobe.clouds:
            self._wear(self.ink.theme.name)
        self.main.connect(deck := Deck(console, self.glyphs))
        self.commands_of_screen.runs.begin(deck)
        if deck.replay is not None:
            self.run_worker(deck.replay.play(Clock()), name="replay", exit_on_error=True)
        elif self._record is not None:
            self.run_worker(self._write_down(console, self._record), name="record", exit_on_error=True)
        viewing = self.commands_of_screen.viewing
        viewing.begin()
        self.set_interval(KEEP, viewing.keep)
        for problem in console.problems:
            self.main.refuse(str(problem))

    async def _write_down(self, console: Any, path: Path) -> None:
        """Record for as long as the screen lives; the header says so."""
        from console.core.recording import record as write_recording

        try:
            self.main.recording = True
            await write_recording(console, path)
        except ConfigError as error:
            self.main.refuse(error.message)
        finally:
            self.main.recording = False

    def first_run(self, message: str, hint: str, looked: Sequence[str] = (), problems: Sequence[str] = ()) -> None:
        """No cloud: say what was looked for, and offer three ways on."""
        from console.tui.first import FirstRun

        self.push_screen(FirstRun(self.ink, self.glyphs, message, hint, looked, problems), self._answered)

    def _answered(self, answer: tuple[str, str] | None) -> None:
        what, value = answer or ("quit", "")
        self.exit(None if what == "quit" else ExitRequest(what, value))

    def leave(self) -> None:
        """Restore the terminal; what is open is closed behind it."""
        self.commands_of_screen.viewing.keep()
        self._leaving.set()
        self.exit(None)

    def _handle_exception(self, error: Exception) -> None:
        """A bug ends the app; its traceback is the caller's to show, without the values that frames hold."""
        bug = getattr(error, "error", error)
        self.failure = self.failure or (bug if isinstance(bug, BaseException) else error)
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    # themes --------------------------------------------------------------------------------------------------

    def _use(self, theme: Theme) -> None:
        self.ink.change(theme)
        made = theme.for_textual()
        self.register_theme(made)
        self.theme = made.name

    def choose_theme(self) -> None:
        """Let the user pick a theme, which is worn while the cursor stands on it."""
        from console.tui.theming import ThemePick, theme_choices

        worn = self.ink.theme
        dialog = ThemePick(self.ink, self.glyphs, theme_choices(self.wardrobe, worn.name), self._wear)

        def chosen(name: str | None) -> None:
            if name is None:
                self._use(worn)
                self.main.restyle()
            else:
                self._wear(name)
                self._keep_theme(name)

        self.push_screen(dialog, chosen)

    def _wear(self, name: str) -> None:
        self._use(self.wardrobe.load(name))
        self.main.restyle()

    def _keep_theme(self, name: str) -> None:
        """Wear it again at the next start; the user's own settings still outrank it, which is said."""
        deck = self.main.deck
        named = deck.console.settings.theme if deck is not None else ""
        if named and named != name:
            self.main.say(f"Theme {name}, for this run: the settings name {named}.")
            return
        self.main.say(f"Theme {name}.")
        if deck is not None:
            try:
                deck.console.save(lambda saved: {"theme": name})
            except ConfigError as error:
                self.main.refuse(f"Theme {name}, for this run: {error.message}")


def run(
    open_console: OpenConsole,
    settings: Any = None,
    *,
    theme: str = "",
    ascii: bool | None = None,
    folders: Sequence[Path] = (),
    opening: Sequence[str] = (),
    saved: Any = None,
    record: Path | None = None,
    lean: bool | None = None,
) -> ExitRequest | None:
    """Show the screen until it is left; `opening` are the names of the places that are about to be asked.

    `saved` is what the last run kept: its theme is worn where the settings name none. `record` is a
    new file to record to.

    Raises `ConfigError` for a theme that there is not, and whatever bug ended the app, once the terminal is restored.
    """
    disbelieve()
    kept = str(getattr(saved, "theme", "") or "")
    kept = kept if kept in theme_files(folders) else ""
    name = theme or str(getattr(settings, "theme", "") or kept or "nocturne")
    plain = ascii if ascii is not None else bool(getattr(settings, "ascii", False))
    chosen = choose_theme(name, folders)
    glyphs = ASCII if plain or wants_ascii() else UNICODE
    keys = dict(getattr(settings, "keys", None) or {})
    own, differences = getattr(settings, "columns", None), bool(getattr(settings, "differences", True))
    app = NovadeckApp(
        *(open_console, chosen, glyphs, keys, folders, opening, depth(), own),
        differences=differences,
        record=record,
        lean=lean if lean is not None else getattr(settings, "lean", None),
    )
    memory.expect_much()
    sys.setswitchinterval(TURN)
    app.main.first_load_over = memory.settle
    answer = app.run(mouse=bool(getattr(settings, "mouse", True)))
    if app.failure is not None:
        raise app.failure
    if app.return_code:
        raise SystemExit(app.return_code)
    return answer
