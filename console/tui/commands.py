"""What the screen's own keys do. Actions on rows go through `acting.py`; both by the names that `keys.py` declares."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from console.core.filters import plain_word
from console.errors import ConfigError
from console.model.place import Key, Row
from console.model.server import Server
from console.tui.acting import Acting
from console.tui.clipboard import copy
from console.tui.deck import MOST_JUDGED
from console.tui.dialogs import Topic
from console.tui.health import health_lines
from console.tui.helping import help_lines
from console.tui.keys import COMMANDS
from console.tui.pane import BESIDE
from console.tui.panes import PANES
from console.tui.pickers import Pages, Palette
from console.tui.replaying import Replaying
from console.tui.runs import Runs
from console.tui.screen import MainScreen
from console.tui.shape import TALL, WIDE
from console.tui.viewing import Viewing, described
from console.tui.writer import SparingApp


class Commands:
    """Runs a command or an action by its name."""

    def __init__(self, screen: MainScreen, quit: Callable[[], None], choose_theme: Callable[[], None]) -> None:
        self.screen, self.quit = screen, quit
        self.acting = Acting(screen)
        self.viewing = Viewing(screen, self._reopen)
        self.replaying = Replaying(screen)
        self.runs = Runs(screen, self.acting.hear)
        screen.note_view = self.viewing.note
        page = screen.page
        self._do: dict[str, Callable[[], Any]] = {
            "down": lambda: screen.move(1),
            "up": lambda: screen.move(-1),
            "first": lambda: screen.edge(False),
            "last": lambda: screen.edge(True),
            "half_down": lambda: page(0.5),
            "half_up": lambda: page(-0.5),
            "page_down": lambda: page(1),
            "page_up": lambda: page(-1),
            "next_pane": lambda: self._next(1),
            "previous_pane": lambda: self._next(-1),
            "open": lambda: self._open(screen.preview.tab if screen.follows_cursor else "Overview", whole=True),
            "describe": lambda: self._open("Overview"),
            "raw": lambda: self._open("Raw"),
            "log": lambda: self._open("Console log"),
            "history": lambda: self._open("History"),
            "back": self._back,
            "filter": self._filter,
            "problems": lambda: self._pane("problems", "toggle_problems"),
            "sort": lambda: self._pane("sort", "sort_next"),
            "sort_reverse": lambda: self._pane("sort_reverse", "sort_reverse"),
            "wide": lambda: self._pane("wide", "toggle_wide"),
            "mark": self._mark,
            "mark_all": lambda: self._pane("mark_all", "mark_all"),
            "failures": self.acting.show_failures,
            "operations": self.runs.pick,
            "last_view": self.viewing.last,
            "older_view": self.viewing.back,
            "newer_view": self.viewing.forth,
            "views": self.viewing.pick,
            "keep_view": self.viewing.name_view,
            "servers_of": self._servers_of,
            "zoom": self._zoom,
            "aside": self._aside,
            "copy": self._copy,
            "refresh": self._refresh,
            "palette": self._palette,
            "help": self._help,
            "health": self._health,
            "secret": self.acting.show_secret,
            "theme": choose_theme,
            "bundle": self._bundle,
            "link": lambda: screen.say(screen.link.told()),
            "redraw": self._redraw,
            "quit": self._quit,
            **self.replaying.commands(),
        }

    def _redraw(self) -> None:
        app = self.screen.app
        if isinstance(app, SparingApp):
            app.send_all()
        app.refresh(repaint=True, layout=True)

    def run(self, name: str) -> None:
        """Do it."""
        if name.startswith("pane."):
            self.screen.refuse("")  # what was said of another pane
            self.screen.close_detail()
            self.screen.choose_pane(name.partition(".")[2])
        elif name.startswith("view."):
            self.viewing.show(name.partition(".")[2])
        elif name in self._do:
            self._do[name]()
        else:
            self.acting.start(name)
        self.viewing.note()

    def _pane(self, name: str, method: str) -> None:
        key = self.screen.keymap.key
        if self.screen.detail.is_open:
            self._not_in_a_row(name)
        elif name == "sort_reverse" and self.screen.pane.table.index.sorting is None:
            self.screen.refuse(f"{key(name)}: nothing is sorted by a column.", f"{key('sort')} sorts.")
        elif name == "wide" and not any(column.wide for column in self.screen.pane.spec.columns):
            self.screen.refuse(f"{key(name)}: {self.screen.pane.spec.title} have no columns that need more room.")
        else:
            getattr(self.screen.pane, method)()
            if name == "wide" and (left := self.screen.pane.left_out):
                self.screen.say(f"No room for {', '.join(left)}: {key('open')} shows all of a row.")

    def _not_in_a_row(self, name: str) -> None:
        keymap = self.screen.keymap
        words = f"{keymap.key(name)} {keymap.commands[name].title}: not in the view of one row."
        self.screen.refuse(words, f"{keymap.key('back')} leads back to the table.")

    def _next(self, step: int) -> None:
        if self.screen.detail.is_open:
            self.screen.detail.next_tab(step)
        else:
            self.screen.next_pane(step)

    def _open(self, tab: str, whole: bool = False) -> None:
        detail, deck = self.screen.detail, self.screen.deck
        if detail.is_open:
            if tab in detail.tabs():
                detail.choose(tab)
            return
        row = self.screen.pane.table.cursor_row
        if row is None or deck is None:
            return
        if self.screen.follows_cursor and not whole and tab in self.screen.preview.tabs():
            self.screen.preview.choose(tab)
            return
        self._open_row(row, tab)

    def _servers_of(self) -> None:
        """From a flavor or an image to the servers that have it; `-` leads back."""
        screen = self.screen
        row, field = next(iter(screen.targets()), None), screen.active.removesuffix("s")
        if row is None or screen.active not in BESIDE:
            screen.refuse("Only flavors and images have servers.")
            return
        screen.close_detail()
        screen.choose_pane("servers")
        screen.pane.set_filter(f"{field}:^{plain_word(row.name or row.id)}$")
        screen.draw_footer()

    def _zoom(self) -> None:
        shape = self.screen.layout_shape
        if self.screen.detail.is_open:
            self._not_in_a_row("zoom")
        elif shape.width < WIDE or shape.height < TALL:
            self.screen.refuse(f"This pane has the whole width: others stand beside it from {WIDE} by {TALL} on.")
        else:
            self.screen.zoom()

    def _aside(self) -> None:
        if self.screen.detail.is_open:
            self.screen.close_detail()
        elif not self.screen.toggle_aside():
            words = f"Nothing fits beside the table below {WIDE} by {TALL}."
            self.screen.refuse(words, f"{self.screen.keymap.key('open')} opens the row.")

    def _reopen(self, key: Key, tab: str) -> None:
        """Open a row again that was looked at before, if it is still there."""
        row = self.screen.pane.table.index.rows.get(key)
        if row is not None:
            self._open_row(row, tab)

    def _open_row(self, row: Row, tab: str) -> None:
        deck, detail = self.screen.deck, self.screen.detail
        assert deck is not None
        if tab in ("Console log", "History") and not isinstance(row, Server):
            self.screen.refuse(f"Only servers have a {tab.lower()}.")
            return
        detail.open(row, self.screen.pane.scene, deck.readers(), tab)
        self.screen.show_panes()
        self.screen.draw_footer()

    def _filter(self) -> None:
        if self.screen.detail.is_open:
            self.screen.detail.open_filter()
        else:
            self.screen.open_filter()

    def _back(self) -> None:
        screen = self.screen
        if screen.detail.is_open:
            if not screen.detail.show_all():
                screen.close_detail()
        elif not screen.pane.clear() and not screen.operations.hide_ended():
            screen.refuse("")
            if screen.follows_cursor:
                screen.toggle_aside()
        screen.draw_operations()
        screen.draw_footer()

    def _quit(self) -> None:
        if self.screen.detail.is_open:
            self.screen.close_detail()
        else:
            self.quit()

    def _mark(self) -> None:
        if self.screen.detail.is_open:
            self.screen.page(1)
        else:
            self.screen.pane.table.mark()
            self.screen.pane.show_head()

    def _copy(self) -> None:
        rows = self.screen.targets()
        if rows:
            self.screen.run_worker(self._copy_now("\n".join(row.id for row in rows)), name="copy")

    async def _copy_now(self, text: str) -> None:
        self.screen.say(await copy(text, self.screen.app.copy_to_clipboard))

    def _bundle(self) -> None:
        """Write an incident down, as the screen shows it now."""
        if self.screen.deck is None:
            self.screen.refuse("No cloud is open yet.")
            return
        lines = self.screen.text()
        self.screen.run_worker(self._bundle_now(lines), name="bundle", exit_on_error=True)

    async def _bundle_now(self, lines: str) -> None:
        assert self.screen.deck is not None
        from console.tui.bundle import write_bundle

        console = self.screen.deck.console
        try:
            path = await write_bundle(console, console.paths.audit_file, console.paths.state / "incidents", lines)
        except (OSError, ConfigError) as error:
            self.screen.refuse(f"The incident cannot be written: {error}")
        else:
            self.screen.say(f"Written to {str(path).replace(str(Path.home()), '~')}, with names and without secrets.")

    def _refresh(self) -> None:
        if self.screen.deck is not None:
            self.screen.deck.ask_now()
            self.screen.say("Asking every place now.")

    def _help(self) -> None:
        screen = self.screen
        lines = help_lines(screen.keymap, screen.deck, screen.glyphs, screen.active)
        screen.app.push_screen(Pages(screen.ink, screen.glyphs, Topic("Keys", right="novadeck"), lines))

    def _health(self) -> None:
        screen, deck = self.screen, self.screen.deck
        if deck is None:
            screen.refuse("No cloud is open yet.")
            return
        counts = {
            str(place): deck.console.health[place].counts for place in deck.places if place in deck.console.health
        }
        lines = health_lines(deck.lanes(), counts, screen.glyphs, mono=screen.ink.theme.kind == "mono")
        topic = Topic("Health", right=f"{deck.now():%H:%M:%S} UTC")
        screen.app.push_screen(Pages(screen.ink, screen.glyphs, topic, lines))

    def _palette(self) -> None:
        screen = self.screen
        screen.app.push_screen(Palette(screen.ink, screen.glyphs, self.entries(), self._verdicts()), self._chosen)

    def _chosen(self, name: str | None) -> None:
        if name is not None:
            self.run(name)

    def _actions(self) -> list[Any]:
        """The actions on what the pane shows; those without a command are begun by plans, not by people."""
        deck = self.screen.deck
        return [one for one in deck.actions().values() if one.on is self.screen.kind and one.command] if deck else []

    def _verdicts(self) -> dict[str, str]:
        """What cannot be done to any of the rows that a key would act on, and why not to the first."""
        deck, rows = self.screen.deck, self.screen.targets()[:MOST_JUDGED]
        if deck is None or not rows:
            return {}
        told = {one.name: [deck.verdict(one.name, row) for row in rows] for one in self._actions() if not one.creates}
        return {name: verdicts[0] for name, verdicts in told.items() if all(verdicts)}

    def entries(self) -> list[tuple[str, str, str, str]]:
        """Everything that the palette offers: name, title, key, and its help or the reason against it."""
        screen, keymap, against = self.screen, self.screen.keymap, self._verdicts()
        found = [
            (one.name, one.title, keymap.key(one.name), against.get(one.name) or one.help) for one in self._actions()
        ]
        for name, spec in PANES.items():
            found.append(
                (f"pane.{name}", spec.title.lower(), keymap.key(f"pane.{name}"), f"Show {spec.title.lower()}.")
            )
        views = self.viewing.named()
        found += [(f"view.{name}", name, "", f"{view.pane}: {described(view)}") for name, view in views.items()]
        commands = screen.deck.commands if screen.deck else COMMANDS
        return found + [(c.name, c.title, keymap.key(c.name), c.help) for c in commands if c.palette]
