"""Dialogs: one raised rectangle with an edge at its left, and lines in the order in which one decides.

What and where; which ones; what will change; what cannot be undone; the answer. No frame, no buttons, nothing that
blinks. A dialog asks and answers; it never acts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from console.tui.edit import Edit
from console.tui.keys import key_of
from console.tui.lanes import badge
from console.tui.paint import EMPTY, Line, Span, cut_middle, fit, folded, pad, spans, spread, width, word_lines, wrapped
from console.tui.shape import LEAST
from console.tui.sheet import Sheet
from console.tui.theme import Glyphs, Ink

T = TypeVar("T")
MOST = 104
LISTED = 12  # lines of a list that a question shows at once
LEAST_LISTED = 4  # so many it shows at least
SCROLL = {"up": -1, "down": 1, "pageup": 1 - LISTED, "pagedown": LISTED - 1}


@dataclass(frozen=True)
class Topic:
    """The first line of a dialog: what and where, and how grave it is."""

    title: str
    place: str = ""
    production: str = ""  # the role that marks it
    reversible: bool = True
    right: str = ""

    @property
    def edge(self) -> str:
        """The role of the dialog's edge."""
        if self.reversible:
            return "accent"
        return self.production or "error"


class Dialog(ModalScreen[T], Generic[T]):
    """What all dialogs share: the rectangle, the edge, the first and the last line."""

    AUTO_FOCUS = ""
    BINDINGS = []
    asks = True  # else there is only something to read

    def __init__(self, ink: Ink, glyphs: Glyphs, topic: Topic) -> None:
        super().__init__(classes="dialog-screen")
        self.ink, self.glyphs, self.topic = ink, glyphs, topic
        self.sheet = Sheet(ink, classes="dialog", ground="raised")
        self._top = 0  # of a list that scrolls

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield self.sheet

    def on_mount(self) -> None:
        """Draw it."""
        self.draw()

    def on_resize(self) -> None:
        """Draw it for another size."""
        self.draw()

    @property
    def room(self) -> int:
        """How many cells a line of the dialog has."""
        return self.total - 8

    @property
    def total(self) -> int:
        """How many cells wide the dialog is."""
        screen = self.app.size.width
        return min(MOST, screen - 8) if screen >= 100 else screen - 2

    @property
    def field(self) -> int:
        """How many cells a line to type into has."""
        return min(48, self.room - 14)

    @property
    def rows(self) -> int:
        """How many lines there are for the dialog's middle."""
        return max(3, self.app.size.height - 8)

    @property
    def cramped(self) -> bool:
        """Whether the terminal has no room for a question: what cannot be read is not answered."""
        return self.asks and (self.app.size.width < LEAST[0] or self.app.size.height < LEAST[1])

    def _all(self) -> list[Line]:
        if not self.cramped:
            return [self._head(), *self.middle(), EMPTY, self.answer()]
        size = self.app.size
        words = f"This question needs {LEAST[0]} by {LEAST[1]}; this is {size.width} by {size.height}."
        told = [spans(Span(line, "text")) for line in word_lines(words, self.room)]
        return [self._head(), *told, EMPTY, spans(Span("esc", "accent", True), " leave it")]

    def draw(self) -> None:
        """Draw all lines; only those that differ are painted."""
        lines = self._all()
        edge = Span(self.glyphs.edge, self.topic.edge)
        framed = [spans(edge, "   ", line) for line in [EMPTY, *(fit(line, self.room) for line in lines), EMPTY]]
        self.sheet.styles.width, self.sheet.styles.height = self.total, min(len(framed), self.app.size.height - 2)
        self.sheet.show(framed)

    def _head(self) -> Line:
        """What and where; a long name is cut in the middle, and hides no production cloud."""
        where = spans(Span(f"   {self.topic.place}" if self.topic.place else "", "muted"))
        if self.topic.production:
            where = spans(where, "  ", badge(self.topic.production, self.ink.theme.kind == "mono"))
        right = spans(Span(self.topic.right, "muted"))
        title = cut_middle(self.topic.title, max(12, self.room - width(where) - width(right) - 2), self.glyphs.cut)
        return spread(spans(Span(title, "strong", True), where), right, self.room)

    def middle(self) -> list[Line]:
        """Everything between the first line and the answer."""
        return []

    def answer(self) -> Line:
        """The last line: what enter does, and what esc keeps."""
        return EMPTY

    def on_key(self, event: events.Key) -> None:
        """Every key is the dialog's."""
        event.stop()
        event.prevent_default()
        if not self.is_current:  # pressed while it went away: another one would be closed in its place
            return
        if event.key in ("escape", "ctrl+c"):
            self.dismiss(None)
        elif not self.cramped:
            self.press(key_of(event), event)
            if self.is_attached:
                self.draw()

    def press(self, key: str, event: events.Key) -> None:
        """Take a key."""

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel is an arrow key."""
        event.stop()
        self._arrow("down")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel is an arrow key."""
        event.stop()
        self._arrow("up")

    def _arrow(self, key: str) -> None:
        self.press(key, events.Key(key, None))
        self.draw()

    def whole(self, lines: Sequence[Line]) -> list[Line]:
        """These lines, the long ones going on below."""
        return [part for line in lines for part in folded(line, self.room)]

    def window(self, listed: Sequence[Line], room: int, of: str = "") -> list[Line]:
        """As much of a list as there is room for, and where it is in the whole."""
        count, room = len(listed), max(2, min(room, LISTED))
        if count <= room:
            return list(listed)
        shown = room - 1
        self._top = max(0, min(self._top, count - shown))
        keys = Span(f"{self.glyphs.up} {self.glyphs.down}", "accent", True)
        where = f"  {self._top + 1} to {self._top + shown} of {count:,}{of}   "
        return [*listed[self._top : self._top + shown], spans(Span(where, "muted"), keys, " the others")]

    def answers(self, does: Line, keeps: str, *others: Line, ready: bool = True) -> Line:
        """The answer line; `enter` is dim until it is ready. The last of the others leave where room is short."""
        role = "accent" if ready else "faint"
        left = spans(Span("enter", role, ready), " ", *(does if ready else (Span(s.text, "faint") for s in does)))
        right = spans(Span("esc", "accent", True), f" {keeps}")
        for other in others:
            more = spans(left, "     ", other)
            if width(more) + 2 + width(right) > self.room:
                break
            left = more
        return spread(left, right, self.room)


class Confirm(Dialog[bool]):
    """Shall it be done? Where it is grave, the name or the number must be typed."""

    def __init__(
        self,
        ink: Ink,
        glyphs: Glyphs,
        topic: Topic,
        lines: Sequence[Line],
        does: str,
        keeps: str = "leave it",
        typed: str = "",
        twice: bool = False,
        asks: str = "",
        *,
        listed: Sequence[Line] = (),
        after: Sequence[Line] = (),
        told: Sequence[Line] = (),
        first: str = "",
    ) -> None:
        """With `first`, tab leaves it for what is better done before."""
        super().__init__(ink, glyphs, topic)
        self.first_chosen = False
        self._first = first
        self._lines, self._does, self._keeps = list(lines), does, keeps
        self._typed, self._twice, self._asks = typed, twice, asks
        self._listed, self._after, self._told = list(listed), list(after), list(told)
        self.edit = Edit()
        self._once = False

    @property
    def ready(self) -> bool:
        """Whether enter does it."""
        return not self._typed or self.edit.text.strip() == self._typed

    def middle(self) -> list[Line]:
        """What it is about, and what must be typed; the list takes the lines that are left, and scrolls.

        What is worth knowing beside stands below the question; where there is no room for it, it scrolls with the list.
        """
        lines, after, told = (self.whole(some) for some in (self._lines, self._after, self._told))
        asked: list[Line] = []
        if self._typed:
            asks = spans("Type ", Span(self._typed, "strong", True), f" {self._asks}")
            asked = [EMPTY, *wrapped(asks, self.room), EMPTY, spans(self.edit.spans(room=self.field))]
        room = self.rows + 1 - len(lines) - len(after) - len(asked)
        if room - len(told) >= min(len(self._listed), LEAST_LISTED):
            listed = self.window(self._listed, room - len(told))
        else:
            listed, told = self.window([*self._listed, EMPTY, *told], room, " lines"), []
        return [*lines, *listed, *after, *told, *asked]

    def answer(self) -> Line:
        """What enter does."""
        again = "once more: " if self._twice and self._once else ""
        first = [spans(Span("tab", "accent", True), f" {self._first}")] if self._first else []
        return self.answers(spans(Span(again + self._does, "text")), self._keeps, *first, ready=self.ready)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed."""
        if self._typed:
            self.edit.insert(event.text)
            self.draw()

    def press(self, key: str, event: events.Key) -> None:
        """enter does it, once or twice; other keys type."""
        if key == "enter":
            if not self.ready:
                return
            if self._twice and not self._once:
                self._once = True
                return
            self.dismiss(True)
        elif key == "tab" and self._first:
            self.first_chosen = True
            self.dismiss(None)
        elif key in SCROLL:
            self._top += SCROLL[key]
        elif self._typed:
            self.edit.press(event)


class AskText(Dialog[str]):
    """One line of text: an image's name, a password."""

    def __init__(
        self,
        ink: Ink,
        glyphs: Glyphs,
        topic: Topic,
        lines: Sequence[Line],
        does: str,
        *,
        label: str = "",
        default: str = "",
        secret: bool = False,
        keeps: str = "leave it",
        required: bool = True,
        listed: Sequence[Line] = (),
    ) -> None:
        super().__init__(ink, glyphs, topic)
        self._lines, self._does, self._label, self._keeps = list(lines), does, label, keeps
        self._listed = list(listed)
        self._required = required
        self.edit = Edit(default, secret=secret)

    def middle(self) -> list[Line]:
        """What is asked, and the line to type into."""
        label = pad(self._label, max(12, cell_len(self._label) + 2)) if self._label else ""
        field, lines = spans(Span(label, "muted"), self.edit.spans(room=self.field)), self.whole(self._lines)
        return [*self.window(self._listed, self.rows - len(lines) - 2, " lines"), *lines, EMPTY, field]

    def answer(self) -> Line:
        """What enter does."""
        ready = bool(self.edit.text.strip()) or not self._required
        return self.answers(spans(Span(self._does, "text")), self._keeps, ready=ready)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed."""
        self.edit.insert(event.text)
        self.draw()

    def press(self, key: str, event: events.Key) -> None:
        """enter answers; other keys type."""
        if key == "enter":
            if self.edit.text.strip() or not self._required:
                self.dismiss(self.edit.text if self.edit.secret else self.edit.text.strip())
        elif key in SCROLL:
            self._top += SCROLL[key]
        else:
            self.edit.press(event)
