"""The first run, with no cloud at hand: what was looked for, and three ways on."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from console.tui.edit import Edit
from console.tui.paint import EMPTY, Line, Span, fit, spans
from console.tui.sheet import Sheet
from console.tui.theme import Glyphs, Ink

HINT = "A demo cloud runs on this machine alone, and leaves nothing behind."
LOOKED = ("clouds.yaml", "OS_CLOUD and the other OS_* variables")


class FirstRun(Screen[tuple[str, str]]):
    """Title, three sentences, three choices."""

    AUTO_FOCUS = ""
    BINDINGS = []

    def __init__(
        self,
        ink: Ink,
        glyphs: Glyphs,
        message: str = "",
        hint: str = "",
        looked: Sequence[str] = (),
        problems: Sequence[str] = (),
    ) -> None:
        super().__init__(id="first")
        self.ink, self.glyphs = ink, glyphs
        self.message, self.hint, self.looked, self.problems = message, hint, tuple(looked), tuple(problems)
        self.edit: Edit | None = None
        self.sheet = Sheet(ink)

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield self.sheet

    def on_mount(self) -> None:
        """It takes the whole screen."""
        self.sheet.styles.height = "100%"
        self.draw()

    def on_resize(self) -> None:
        """Another size."""
        self.draw()

    def draw(self) -> None:
        """Draw all lines; where there is little room, what was looked for gives way to what can be done."""
        width, height = self.app.size
        title: list[Line] = [spans(Span("novadeck", "strong", True)), EMPTY]
        ways = [*self._wrapped(self.hint or HINT, "text"), EMPTY, *self._choices()]
        room = height - len(title) - len(ways)
        told = self._matter()[: max(1, room)]
        looked = self._wrapped(f"Looked for: {', '.join(self.looked or LOOKED)}.", "muted")
        room -= len(told)
        margin = max(0, min(2, room - len(looked)))
        if len(looked) > room:
            looked = [*looked[: max(0, room - 1)], spans(Span(self.glyphs.cut, "muted"))] if room > 0 else []
        lines = [*[EMPTY] * margin, *title, *told, *looked, *ways]
        self.sheet.show([spans(" " * 5, fit(line, width - 7, self.glyphs.cut)) for line in lines])

    def _matter(self) -> list[Line]:
        """What is the matter, in warn where something is wrong."""
        problems = [problem for problem in (self.message, *self.problems) if problem]
        told = "No cloud could be opened." if problems else "There is no cloud to show yet."
        return [spans(Span(told)), *(line for problem in problems for line in self._wrapped(problem, "warn"))]

    def _wrapped(self, text: str, role: str) -> list[Line]:
        room, lead = max(20, self.app.size.width - 10), "  " if role == "warn" else ""
        return [spans(Span(line, role)) for line in textwrap.wrap(text, room, subsequent_indent=lead)]

    def _choices(self) -> list[Line]:
        if self.edit is not None:
            field = spans(Span("clouds.yaml  ", "muted"), self.edit.spans("surface", 60))
            keys = spans(Span("enter", "accent", True), " open it     ", Span("esc", "accent", True), " back")
            return [field, EMPTY, keys]
        choices = (("d", "see a demo cloud"), ("o", "point at a clouds.yaml"), ("q", "quit"))
        return [spans(Span(key, "accent", True), f"  {words}") for key, words in choices]

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed."""
        if self.edit is not None:
            self.edit.insert(event.text)
            self.draw()

    def on_key(self, event: events.Key) -> None:
        """d, o and q; or the path."""
        event.stop()
        event.prevent_default()
        if self.edit is not None:
            self._type(self.edit, event)
        elif event.key == "d":
            self.dismiss(("demo", ""))
        elif event.key == "o":
            self.edit = Edit("~/")
        elif event.key in ("q", "ctrl+c", "ctrl+q"):
            self.dismiss(("quit", ""))
        if self.is_attached:
            self.draw()

    def _type(self, edit: Edit, event: events.Key) -> None:
        if event.key == "enter" and edit.text.strip():
            path = edit.text.strip()
            if Path(path).expanduser().is_file():
                self.dismiss(("config", path))
            else:
                self.message = f"There is no file {path}."
        elif event.key == "escape":
            self.edit = None
        else:
            edit.press(event)
