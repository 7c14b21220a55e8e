"""What stands where on the main screen, for the terminal there is: header, panes, Operations, refusal line, footer.

It draws what the deck, the panes and the operations know, and decides nothing: what comes from the clouds and from the
keyboard arrives in `screen.py`, which is this frame brought to life. Nothing idle moves: only lines that differ are
painted.
"""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.screen import Screen

from console.core.settings import OwnColumn
from console.model.place import Row
from console.tui import footer
from console.tui.custom import with_columns
from console.tui.detail import Detail
from console.tui.keys import COMMANDS, Keymap, make_keymap
from console.tui.lanes import Header, Lane
from console.tui.link import Link
from console.tui.operations import Operations
from console.tui.paint import Line, Span, fit, spans
from console.tui.pane import BESIDE, ResourcePane
from console.tui.panes import PANES
from console.tui.shape import ASIDE, GAP, LEAST, MARGIN, shape_of
from console.tui.sheet import Sheet
from console.tui.spec import Scene
from console.tui.table import Table
from console.tui.theme import Glyphs, Ink

if TYPE_CHECKING:
    from console.tui.deck import Deck


class Frame(Screen[None]):
    """Everything that is seen when no dialog is open."""

    AUTO_FOCUS = ""
    BINDINGS = []

    def __init__(self, ink: Ink, glyphs: Glyphs, columns: Mapping[str, Sequence[OwnColumn]] | None = None) -> None:
        super().__init__(id="main")
        self.specs = with_columns(PANES, columns or {})
        self.zoomed = False
        self.aside = False  # whether the row under the cursor is shown beside the table, where there is room
        self.link = Link()
        self.recording = False
        self.ink, self.glyphs = ink, glyphs
        self.deck: Deck | None = None
        self.keymap: Keymap = make_keymap(())
        self.operations = Operations()
        self.layout_shape = shape_of(80, 24)
        self.header = Header()
        self.panes: dict[str, ResourcePane] = {}
        self.shown: tuple[ResourcePane, ...] = ()  # those that stand on the screen
        self.active = "servers"
        self.main = "servers"
        self.opening: tuple[str, ...] = ()
        self._refusal: tuple[str, str] = ("", "")
        self._refused_at = 0.0
        self._side: tuple[int, int] = (0, 0)
        self._laid_out: Size | None = None

    @property
    def pane(self) -> ResourcePane:
        """The pane that keys go to."""
        return self.panes[self.active]

    @cached_property
    def detail(self) -> Detail:
        """The view of one row."""
        return self.query_one("#detail", Detail)

    @cached_property
    def preview(self) -> Detail:
        """The same beside the table, of the row under the cursor."""
        return self.query_one("#aside", Detail)

    @cached_property
    def _head(self) -> Sheet:
        return self.query_one("#header", Sheet)

    @cached_property
    def _strip(self) -> Sheet:
        return self.query_one("#operations", Sheet)

    @property
    def follows_cursor(self) -> bool:
        """Whether the row under the cursor is shown beside the table now."""
        return self.aside and self.layout_shape.beside and not self.detail.is_open

    def compose(self) -> ComposeResult:
        """Everything is there from the first frame on; layouts show and hide."""
        ink, glyphs = self.ink, self.glyphs
        for name, spec in self.specs.items():
            self.panes[name] = ResourcePane(spec, Scene(glyphs=glyphs), ink)
        yield Sheet(ink, id="header", ground="surface")
        yield Sheet(ink, id="gap")
        with Horizontal(id="body"):
            with Vertical(id="mainside"):
                yield from (pane for name, pane in self.panes.items() if name not in BESIDE)
            with Vertical(id="side"):
                yield self.panes["images"]
                yield Sheet(ink, id="between")
                yield self.panes["flavors"]
                yield Detail(ink, glyphs, id="aside", rests=True)
        yield Detail(ink, glyphs, id="detail")
        yield Sheet(ink, id="operations", ground="surface")
        yield Sheet(ink, id="refusal")
        yield Sheet(ink, id="footer", ground="surface")
        yield Sheet(ink, id="small")

    # the layout ----------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Another size: another layout. Textual says so several times before the first frame."""
        if self.size != self._laid_out:
            self.lay_out()

    def lay_out(self) -> None:
        """Show and hide what this terminal has room for."""
        self._laid_out = size = self.size or self.app.size  # before the first frame it has none of its own
        shape = shape_of(size.width, size.height)
        shape = replace(shape, beside=shape.beside and not self.zoomed, padded=shape.padded and not self.link.lean)
        self.layout_shape = shape
        self.query_one("#small").display = not shape.enough
        for name in ("header", "gap", "body", "operations", "refusal", "footer"):
            self.query_one(f"#{name}").display = shape.enough
        self.query_one("#header").styles.height = shape.header
        self.show_panes()
        for pane in self.panes.values():
            pane.reshape(shape)
        self.draw()

    def zoom(self) -> None:
        """Give the whole width to the pane that has the keys, or share it again."""
        self.zoomed = not self.zoomed
        self.lay_out()

    def show_panes(self) -> None:
        """Show the pane that has the keys, and those that stand beside it; or the view of one row."""
        shape, detail = self.layout_shape, self.detail.is_open
        self.query_one("#body").display = shape.enough and not detail
        self.detail.display = shape.enough and detail
        if detail:  # what was asked to be painted while it was hidden is lost
            for sheet in self.detail.query(Sheet):
                sheet.paint()
        beside, aside = shape.beside, shape.beside and self.aside
        if aside and self.active in BESIDE:
            self.active = self.main
        taken = ASIDE if aside else shape.side
        self.query_one("#mainside").styles.width = shape.main - (taken - shape.side if aside else 0)
        side = beside or self.active in BESIDE
        self.query_one("#side").display = side
        self.query_one("#side").styles.width = taken if beside else shape.width - MARGIN
        self.query_one("#side").styles.margin = (0, 0, 0, GAP if beside else 0)
        self.query_one("#mainside").display = beside or self.active not in BESIDE
        self.query_one("#between").display = beside and not aside
        self.preview.display = aside
        for name, pane in self.panes.items():
            shown = (self.main,) if aside else (*BESIDE, self.main)
            pane.display = (beside and name in shown) or name == self.active
            pane.table.activate(name == self.active)
        self.shown = tuple(pane for pane in self.panes.values() if pane.display)
        self.follow_cursor()
        self._side = (0, 0)
        self._divide_side()

    def _divide_side(self) -> None:
        """Images take the lines they fill, flavors the rest; where both want more, they share."""
        if not self.layout_shape.beside:
            self.panes["images"].styles.height = self.panes["flavors"].styles.height = "1fr"
            return
        total = self.query_one("#body").size.height or self.layout_shape.height - 10
        images, flavors = (self.panes[name].natural_height for name in BESIDE)
        if images + flavors + 2 > total:
            flavors = min(flavors, max(8, total // 2))
            images = max(5, total - 2 - flavors)
        if (images, flavors) != self._side:
            self._side = (images, flavors)
            self.query_one("#between").styles.height = 2
            self.panes["images"].styles.height = images
            self.panes["flavors"].styles.height = "1fr"

    def choose_pane(self, name: str) -> None:
        """Give the keys to this pane, and show it."""
        if name not in self.panes:
            return
        self.active = name
        if name not in BESIDE:
            self.main = name
        self.show_panes()
        for pane in self.panes.values():
            pane.show_head()
        self.draw_footer()

    def toggle_aside(self) -> bool:
        """Show the row under the cursor beside the table, or no more; whether there is room for it."""
        if not self.aside and not self.layout_shape.beside:
            return False
        self.aside = not self.aside
        self.lay_out()
        return True

    def follow_cursor(self) -> None:
        """Show the row under the cursor beside the table, where that is wanted."""
        row, preview = self.pane.table.cursor_row, self.preview
        if self.deck is None or not self.follows_cursor:
            preview.close()
        elif row is None:
            preview.close()
            preview.blank()
        elif preview.row is None or preview.row.key != row.key:
            preview.open(row, self.pane.scene, self.deck.readers(), preview.tab)

    def next_pane(self, step: int = 1) -> None:
        """Give the keys to the next pane, or show the next tab of what stands beside it."""
        if self.follows_cursor:
            self.preview.next_tab(step)
            return
        names = [self.main, *BESIDE]
        at = names.index(self.active) if self.active in names else 0
        self.choose_pane(names[(at + step) % len(names)])

    # drawing -------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw everything that is not a pane."""
        self.draw_header()
        self.draw_operations()
        self.draw_footer()
        shape = self.layout_shape
        words = f"novadeck needs {LEAST[0]} by {LEAST[1]}; this is {shape.width} by {shape.height}."
        self.query_one("#small", Sheet).show([fit(spans(Span(words, "text")), shape.width), (), *self._way_out()])

    def _way_out(self) -> list[Line]:
        return [spans(Span("q", "accent", True), " quit   ", Span("?", "accent", True), " help")]

    def draw_header(self) -> None:
        """Lanes, count and clock."""
        shape = self.layout_shape
        lanes = self.deck.lanes() if self.deck else [Lane(name) for name in self.opening]
        count = len(self.panes["servers"].table.index.rows)
        lines = self.header.lines(
            lanes,
            shape,
            self.glyphs,
            under=f"{count:,} server{'' if count == 1 else 's'}" if self.panes["servers"].loaded else "",
            time=self._time(),
            corner=self._corner(),
            mono=self.ink.theme.kind == "mono",
        )
        self._head.show(lines)

    def _time(self) -> Line:
        """The clock; for a recording, where it stands."""
        now = self.deck.now() if self.deck else dt.datetime.now(dt.UTC)
        brief = self.layout_shape.lane_lines == 1
        short = self.layout_shape.width < 100 or self.link.lean
        text = now.time().isoformat("minutes" if short else "seconds")
        if self.deck is not None and self.deck.replay is not None:
            pause = "" if self.deck.replay.playing or not brief else " paused"
            return spans(Span(f"replay {text}{pause}", "warn"))
        if brief:  # there is no corner for it
            return spans(Span("rec " if self.recording else "", "accent"), Span(text, "muted"))
        return spans(Span(text, "text"), Span(" UTC", "muted"))

    def _corner(self) -> Line:
        """What holds for the whole run."""
        if self.deck is not None and self.deck.replay is not None:
            return spans(Span(self.deck.replay.standing, "warn"))
        told = [Span("recording", "accent")] if self.recording else []
        told += [Span("read only", "warn")] if self.deck and self.deck.read_only else []
        return spans(*(part for one in told for part in (one, Span("  "))))

    def draw_operations(self) -> None:
        """What is under way, and what has just ended."""
        strip, now = self._strip, time.monotonic()
        height = self.operations.height(self.layout_shape, now) if self.layout_shape.enough else 0
        if not height and not strip.display:
            return
        if strip.styles.height is None or strip.styles.height.value != height:
            strip.styles.height = height
        strip.display = height > 0
        refusal = self.query_one("#refusal", Sheet)
        ground = "surface" if height and self.layout_shape.padded else "background"
        if refusal.ground != ground:
            refusal.ground = ground
            refusal.restyle()
        strip.show(self.operations.lines(self.layout_shape, self.glyphs, now, self._second_column()))

    def _second_column(self) -> int:
        columns = self.panes["servers"].table.columns
        return columns[1].x if len(columns) > 1 else 18

    def draw_footer(self) -> None:
        """The keys of the rows that they would act on, and those of the screen."""
        shape = self.layout_shape
        rows = self.targets()
        kind = self.kind
        acts = self.deck.row_keys(kind, rows, self.keymap) if self.deck else []
        line = footer.lines(acts, self._screen_keys(), shape.width, mono=self.ink.theme.kind == "mono")
        self.query_one("#footer", Sheet).show([line])

    def _screen_keys(self) -> list[footer.Key]:
        known = self.deck.commands if self.deck is not None else COMMANDS
        names = {command.name: command for command in known if command.footer}
        if self.detail.is_open:
            return [
                footer.Key(self.keymap.key("next_pane"), "next tab", rank=2),
                footer.Key(self.keymap.key("back"), "back", rank=3),
                footer.Key(self.keymap.key("help"), "help", rank=4),
            ]
        return [footer.Key(self.keymap.key(c.name), c.title, rank=c.footer) for c in names.values()]

    @property
    def kind(self) -> type[Row]:
        """The noun that keys act on."""
        return self.pane.spec.kind

    def targets(self) -> list[Row]:
        """The rows that a key would act on."""
        if self.detail.is_open and self.detail.row is not None:
            return [self.detail.row]
        return self.pane.table.targets()

    def text(self) -> str:
        """What the screen shows, as text."""
        strips = self._compositor.render_strips(self.size)
        return "\n".join(strip.text.rstrip() for strip in strips)

    def restyle(self) -> None:
        """Draw all again, with another theme."""
        for sheet in self.query(Sheet):
            sheet.restyle()
        for pane in self.panes.values():
            pane.restyle()
        self.detail.restyle()
        self.preview.restyle()
        self.draw()

    def refuse(self, reason: str, way_out: str = "") -> None:
        """Say for some seconds why not; "" takes it away."""
        self._refusal, self._refused_at = (reason, way_out), time.monotonic()
        line = spans(" " * 5, Span(reason, "warn"), Span(f" {way_out}" if way_out else "", "text"))
        self.query_one("#refusal", Sheet).show([fit(line, self.layout_shape.width - 2)] if reason else [])

    def say(self, words: str) -> None:
        """Tell something that went well, in the same line."""
        self._refusal, self._refused_at = (words, ""), time.monotonic()
        self.query_one("#refusal", Sheet).show([fit(spans(" " * 5, Span(words, "text")), self.layout_shape.width - 2)])

    def on_table_moved(self, event: Table.Moved) -> None:
        """Another row is under the cursor, or columns stand elsewhere: keys and heads follow."""
        event.stop()
        for pane in self.panes.values():
            if pane.display:
                pane.show_head()
        self.follow_cursor()
        self.draw_footer()
