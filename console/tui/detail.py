"""The view of one row: tabs over what is known of it. It follows the row, and keeps what was on the screen in place."""

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from console.core.filters import expression
from console.errors import ConsoleError
from console.model.place import Key, Row
from console.model.server import Server
from console.tui import readiness, views
from console.tui.edit import Edit
from console.tui.lanes import badge
from console.tui.paint import Line, Span, cut_middle, fit, plain, spans, spread, width, wrapped
from console.tui.sheet import Sheet
from console.tui.spec import Scene
from console.tui.theme import Glyphs, Ink

TABS = ("Overview", "Readiness", "Console log", "History", "Metadata", "Raw")
WIDE = 140  # from this width on the overview has log and history beside it
SPLIT = 62
ROOMY = 100  # from this width on the tabs stand apart
NARROW = 76  # below this width they are words alone
REST = 0.4  # seconds for which the cursor rests on a row before more is asked of it than is known
LOG_EVERY = 5  # seconds between two readings of a log that is followed

Read = Callable[[Row], Awaitable[Any]]


class Detail(Vertical):
    """One row, whole."""

    def __init__(self, ink: Ink, glyphs: Glyphs, *, id: str, rests: bool = False) -> None:
        """With `rests` it follows a cursor: nothing is read before that has rested on a row."""
        super().__init__(id=id, classes="detail")
        self._rests = rests
        self._resting: Timer | None = None
        self.ink, self.glyphs = ink, glyphs
        self.row: Row | None = None
        self.tab = "Overview"
        self.scene = Scene(glyphs=glyphs)
        self.logs: dict[Key, str] = {}
        self.records: dict[Key, list[Any]] = {}
        self.troubles: dict[tuple[Key, str], str] = {}
        self.following = True
        self.filtering: Edit | None = None
        self.filter = ""
        self.gone = False
        self._matching = (0, 0)  # lines that the filter lets through, of how many
        self._ticks = 0
        self._readers: Mapping[str, Read] = {}

    def compose(self) -> ComposeResult:
        """Bread crumbs and tabs above the text."""
        yield Sheet(self.ink, id="crumbs", classes="sheet")
        yield Sheet(self.ink, id="sheet", classes="sheet")

    def on_mount(self) -> None:
        """The head takes its lines, the text the rest."""
        self.query_one("#crumbs").styles.height = 5
        self.query_one("#sheet").styles.height = "1fr"

    @property
    def is_open(self) -> bool:
        """Whether a row is shown."""
        return self.row is not None

    @property
    def sheet(self) -> Sheet:
        """The text below the tabs."""
        return self.query_one("#sheet", Sheet)

    def open(self, row: Row, scene: Scene, readers: Mapping[str, Read], tab: str = "Overview") -> None:
        """Show this row."""
        self.row, self.scene, self._readers, self.gone = row, scene, readers, False
        self.choose(tab if tab in self.tabs() else "Overview")

    def close(self) -> None:
        """Show nothing."""
        self.row = self.filtering = None

    def blank(self) -> None:
        """Take away what was shown last."""
        for sheet in self.query(Sheet):
            sheet.show([])

    def tabs(self) -> tuple[str, ...]:
        """The tabs that this row has."""
        if not isinstance(self.row, Server):
            return ("Overview", "Metadata", "Raw") if getattr(self.row, "metadata", None) else ("Overview", "Raw")
        return TABS

    def choose(self, tab: str) -> None:
        """Show another tab, all of it, from its beginning; a log from its end."""
        self.tab = tab
        self.filtering, self.filter = None, ""
        self.following = True
        self.sheet.top = 0
        self.draw()
        self._read_soon()

    def _read_soon(self) -> None:
        if self._resting is not None:
            self._resting.stop()
        if self._rests:
            self._resting = self.set_timer(REST, self._read)
        else:
            self.call_after_refresh(self._read)

    def next_tab(self, step: int = 1) -> None:
        """Show the next tab."""
        tabs = self.tabs()
        at = tabs.index(self.tab) if self.tab in tabs else 0
        self.choose(tabs[(at + step) % len(tabs)])

    def scroll(self, lines: int) -> None:
        """Move the text; a log that is not at its end is not followed."""
        self.sheet.scroll_by(lines)
        end = len(self.sheet.lines) - self.sheet.size.height
        self.following = self.sheet.top >= max(0, end)
        self._crumbs()

    def scroll_edge(self, end: bool) -> None:
        """To the beginning or the end of the text."""
        self.scroll(10**6 if end else -(10**6))

    # only lines that match -----------------------------------------------------------------------------------

    def open_filter(self) -> None:
        """Type from now on what a line must have to be shown."""
        self.filtering = Edit(self.filter)
        self._crumbs()

    def filter_key(self, event: events.Key) -> None:
        """A key of the filter line: enter keeps it, esc shows all again."""
        assert self.filtering is not None
        if event.key == "enter":
            self.filtering = None
            self._crumbs()
        elif event.key in ("escape", "ctrl+c"):
            self.show_all()
        elif event.key in ("up", "down"):
            self.scroll(1 if event.key == "down" else -1)
        elif self.filtering.press(event):
            self._look_for(self.filtering.text)

    def paste(self, text: str) -> None:
        """Pasted text goes into the filter line, while that is open."""
        if self.filtering is not None:
            self.filtering.insert(text)
            self._look_for(self.filtering.text)

    def show_all(self) -> bool:
        """Show every line again; whether some were left out."""
        held = bool(self.filter) or self.filtering is not None
        self.filtering = None
        self._look_for("")
        return held

    def _look_for(self, text: str) -> None:
        self.filter, self.sheet.top = text, 0
        self.draw()

    def _matches(self, lines: Sequence[Line]) -> list[Line]:
        """The lines that the filter lets through: a regular expression, as in the table; `!` turns it round."""
        wanted = self.filter.strip()
        if not wanted.strip("!"):
            return list(lines)
        inverse, search = wanted.startswith("!"), expression(wanted.removeprefix("!")).search
        found = [line for line in lines if (search(plain(line)) is None) == inverse]
        self._matching = (len(found), len(lines))
        return found

    # what changes --------------------------------------------------------------------------------------------

    def saw(self, batch: Any) -> None:
        """The row has changed, or is gone."""
        if self.row is None:
            return
        for row in batch.changed:
            if row.key == self.row.key:
                self.row = row
                self.draw()
        if self.row.key in batch.gone:
            self.gone = True
            self.draw()

    def checked(self, keys: Container[Key]) -> None:
        """More is known of what is inside these servers."""
        if self.row is not None and self.row.key in keys:
            self.draw()

    def tick(self) -> None:
        """Once a second: ages; a log that is followed is read again every few seconds."""
        if self.row is None:
            return
        self._ticks += 1
        if self.tab in ("Overview", "Readiness"):
            self.draw()
        follows = self.tab == "Overview" or (self.tab == "Console log" and self.following)
        if follows and self._ticks % LOG_EVERY == 0:
            self._read()

    def _read(self) -> None:
        """Read what this tab needs; the overview shows some of the log and of the history."""
        wanted = ("Console log", "History") if self.tab == "Overview" and self.size.width >= WIDE else (self.tab,)
        for tab in wanted:
            reader = self._readers.get(tab)
            if isinstance(self.row, Server) and reader is not None and not self.gone:
                self.run_worker(self._read_one(self.row, tab, reader), name=f"read {tab}", group="detail")

    async def _read_one(self, row: Row, tab: str, reader: Read) -> None:
        kept: dict[Key, Any] = self.logs if tab == "Console log" else self.records
        try:
            found = await reader(row)
            kept[row.key] = joined(kept.get(row.key, ""), found) if tab == "Console log" else found
            self.troubles.pop((row.key, tab), None)
        except ConsoleError as error:
            self.troubles[row.key, tab] = str(error)
        self.draw()

    # drawing -------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Another width."""
        self.draw()

    def restyle(self) -> None:
        """Draw all again, with another theme."""
        for sheet in self.query(Sheet):
            sheet.restyle()
        self.draw()

    def draw(self) -> None:
        """Draw head and text."""
        if self.row is None:
            return
        self.sheet.show(self._shown(self._matches(self._lines(self.row))))
        if self.tab == "Console log" and self.following:
            self.sheet.scroll_at(10**6)
        self._crumbs()

    def _crumbs(self) -> None:
        row = self.row
        if row is None:
            return
        spec = views.spec_of(row)
        glyph, role = spec.mood(row, self.scene)
        word = "gone" if self.gone else getattr(row, "status", "")
        state = spans("   ", Span(f"{glyph} {word}".strip(), "stale" if self.gone else role))
        if isinstance(row, Server) and row.task_state:
            state = spans(state, Span(f", {row.task_state}", role))
        state = spans(state, Span(f"   {self.scene.label(row.place)}", "muted"))
        if mark := self.scene.production(row.place):
            state = spans(state, "  ", badge(mark, self.ink.theme.kind == "mono"))
        right = spans(Span(row.id, "muted"), "   ", Span("c", "accent", True), " copy", "  ")
        total = self.size.width or 80
        room = total - 2 if total < 100 else total - width(right) - 2
        left = spans("  ", Span(spec.title, "muted"), Span("  /  ", "faint"))
        name = cut_middle(row.name or row.id, max(12, room - width(left) - width(state)), self.glyphs.cut)
        left = spans(left, Span(name, "strong", True), state)
        head = spread(left, right, total) if total >= 100 else fit(left, room)
        one, two = self._tab_lines()
        two = spread(two, spans(self._beyond(), "  "), total)
        self.query_one("#crumbs", Sheet).show([head, (), one, two, self._filter_line()])

    def _beyond(self) -> Line:
        """How many lines stand above and below what is seen."""
        above, below = self.sheet.top, max(0, len(self.sheet.lines) - self.sheet.top - self.sheet.size.height)
        told = [f"{sign} {count:,}" for sign, count in ((self.glyphs.up, above), (self.glyphs.down, below)) if count]
        return spans(Span("  ".join(told), "muted")) if told and self.sheet.size.height else ()

    def _filter_line(self) -> Line:
        if self.filtering is None and not self.filter:
            return ()
        typed = self.filtering.spans() if self.filtering is not None else (Span(self.filter, "strong"),)
        shown, known = self._matching
        count = f"   {shown:,} of {known:,} lines" if self.filter.strip("! ") else ""
        return spans("  ", Span("/", "accent", True), typed, Span(count, "muted"))

    def _tab_lines(self) -> list[Line]:
        one: Line = (Span("  "),)
        two: Line = (Span("  "),)
        gap = " " * (4 if self.size.width >= ROOMY else 2)
        for tab in self.tabs():
            here = tab == self.tab
            follows = tab == "Console log" and here and self.following and self.size.width >= NARROW
            title = "Console log (following)" if follows else tab
            one = spans(one, Span(title, "accent" if here else "muted", here, underline=here and self._flat), gap)
            two = spans(two, Span((self.glyphs.bar if here and not self._flat else " ") * len(title), "accent"), gap)
        return [one, two]

    @property
    def _flat(self) -> bool:
        return self.ink.theme.kind != "hex"

    @property
    def _room(self) -> int:
        """How many cells a line of the text has."""
        return max(20, (self.size.width or 80) - 2)

    def _shown(self, lines: Sequence[Line]) -> list[Line]:
        """The lines as they fit: what is read word by word goes on below, of all else the end is cut."""
        room = self._room
        if self.tab in ("Console log", "Metadata", "Raw"):
            return [part for line in lines for part in wrapped(line, room, "  ")]
        return [fit(line, room, self.glyphs.cut) for line in lines]

    def _lines(self, row: Row) -> list[Line]:
        trouble = self.troubles.get((row.key, self.tab))
        if trouble and self.tab in ("Console log", "History"):
            kept = self.logs.get(row.key, "")
            head: list[Line] = [spans("  ", Span(trouble, "warn")), ()]
            return head + (views.log_lines(kept) if kept and self.tab == "Console log" else [])
        if self.tab == "Console log":
            text = self.logs.get(row.key)
            return [views.ASKING] if text is None else views.log_lines(text) or [views.NO_LOG]
        if self.tab == "History":
            records = self.records.get(row.key)
            return [views.ASKING] if records is None else views.history_lines(records, self.scene, self._room)
        if self.tab == "Readiness":
            return readiness.lines(self.scene.readiness.get(row.key), self.scene, self.size.width)
        if self.tab == "Metadata":
            return views.metadata(row, self.scene)
        return views.raw(row) if self.tab == "Raw" else self._overview(row)

    def _overview(self, row: Row) -> list[Line]:
        """What it is; where there is room, its log and its history beside it."""
        width = self.size.width
        if width < WIDE or not isinstance(row, Server):
            return views.overview(row, self.scene, self._room)
        left = views.overview(row, self.scene, SPLIT - 2)
        text, records = self.logs.get(row.key), self.records.get(row.key)
        log = views.log_lines(text)[-10:] if text is not None else [views.ASKING]
        history = (
            views.history_lines(records, self.scene, width - SPLIT - 2)[:8] if records is not None else [views.ASKING]
        )
        right: list[Line] = []
        if row.key in self.scene.readiness:
            right += [*readiness.lines(self.scene.readiness[row.key], self.scene, width - SPLIT), ()]
        right += [self._title("Console log", "l", width - SPLIT - 2), (), *log, (), ()]
        right += [self._title("History", "h", width - SPLIT - 2), (), *history]
        return views.beside(left, right, SPLIT, width - 2)

    def _title(self, words: str, key: str, width: int) -> Line:
        right = spans(Span(key, "accent", True), " all of it")
        return spread(spans("  ", Span(words, "strong", True)), right, width)


def joined(before: str, now: str) -> str:
    """A log as it was kept and as it is now: a cloud forgets the beginning, and all of it at a reboot."""
    if not before or now.startswith(before):
        return now
    tail = before[-400:]
    at = now.find(tail)
    if at >= 0:
        return before + now[at + len(tail) :]
    return f"{before.rstrip()}\n\n--- read anew ---\n{now}"
