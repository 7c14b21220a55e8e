"""The main screen, alive: keys and the mouse go where they belong, and what is to be said has its line.

Where things stand and how they are drawn is `frame.py`, what flows into it `feed.py`; what a key does is in `acting.py`
and `commands.py`. There is no focus to lose: keys go to the active pane.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from textual import events
from textual.widget import Widget

from console.core.settings import OwnColumn
from console.tui.edit import Edit
from console.tui.feed import Fed
from console.tui.keys import key_of
from console.tui.paint import Line, Span, fit, flowed, spans, width
from console.tui.pane import ResourcePane
from console.tui.pickers import Pages
from console.tui.sheet import Sheet
from console.tui.theme import Glyphs, Ink

WHEEL = 3  # lines
MOST_SAID = 3  # lines of one sentence above the footer


class MainScreen(Fed):
    """The fed screen under the keyboard and the mouse."""

    def __init__(
        self,
        ink: Ink,
        glyphs: Glyphs,
        run: Callable[[str], None],
        keys: Mapping[str, str],
        columns: Mapping[str, Sequence[OwnColumn]] | None = None,
    ) -> None:
        super().__init__(ink, glyphs, keys, columns)
        self.run_command = run
        self.note_view: Callable[[], None] = lambda: None

    # what is said --------------------------------------------------------------------------------------------

    def refuse(self, reason: str, way_out: str = "") -> None:
        """Say for some seconds why not; "" takes it away."""
        super().refuse(reason, way_out)
        self._in_whole(spans(Span(reason, "warn"), Span(f" {way_out}" if way_out else "", "text")))

    def say(self, words: str) -> None:
        """Tell something that went well, in the same line."""
        super().say(words)
        self._in_whole(spans(Span(words, "text")))

    def _in_whole(self, line: Line) -> None:
        """What is longer than the line has others, at the cost of rows; what is longer than all of them is cut."""
        sheet, room = self.query_one("#refusal", Sheet), self.layout_shape.width - 7
        lines = flowed(line, room) if width(line) > room else [line]
        if len(lines) > MOST_SAID:
            lines = [*lines[: MOST_SAID - 1], fit(spans(lines[MOST_SAID - 1], " ", self.glyphs.cut), room)]
        sheet.styles.height = len(lines)
        if len(lines) > 1:
            sheet.show([spans(" " * 5, part) for part in lines])

    # moving ----------------------------------------------------------------------------------------------------

    def close_detail(self) -> None:
        """Back from the row to the panes."""
        if self.detail.is_open:
            self.detail.close()
            self.show_panes()
            self.draw_footer()

    def move(self, rows: int) -> None:
        """Move the cursor, or the text of the detail view."""
        if self.detail.is_open:
            self.detail.scroll(rows)
        else:
            self.pane.table.move(rows)

    def page(self, pages: float) -> None:
        """Move by so many screens."""
        if self.detail.is_open:
            self.detail.scroll(round(pages * max(1, self.detail.sheet.size.height - 1)))
        else:
            self.pane.table.page(pages)

    def edge(self, end: bool) -> None:
        """To the first or the last row, or line."""
        if self.detail.is_open:
            self.detail.scroll_edge(end)
        else:
            self.pane.table.go(10**9 if end else 0)

    # keys ----------------------------------------------------------------------------------------------------

    async def on_key(self, event: events.Key) -> None:
        """A key goes to the filter line while that is open, else to what it stands for."""
        event.stop()
        event.prevent_default()
        self.last_key = time.monotonic()
        if self.detail.is_open and self.detail.filtering is not None:
            self.detail.filter_key(event)
            return
        if self.pane.filtering is not None:
            self._filter_key(self.pane, self.pane.filtering, event)
            return
        name = self.keymap.find(key_of(event), self.kind)
        if name is not None:
            self.run_command(name)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text goes into the filter line."""
        if self.detail.is_open:
            self.detail.paste(event.text)
            return
        edit = self.pane.filtering
        if edit is not None:
            edit.insert(event.text)
            self.pane.set_filter(edit.text)

    # the mouse -------------------------------------------------------------------------------------------------

    def on_screen_suspend(self) -> None:
        """Pages are for reading: the terminal may have the mouse, to select text with."""
        self.lend_mouse(isinstance(self.app.screen, Pages))

    def on_screen_resume(self) -> None:
        """So is the view of one row."""
        self.lend_mouse(self.detail.is_open)

    def on_click(self, event: events.Click) -> None:
        """The pane that was clicked into has the keys."""
        event.stop()
        name = next((name for name, pane in self.panes.items() if _inside(event.widget, pane)), self.active)
        if name != self.active:
            self.choose_pane(name)
            self.note_view()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three lines down, in what stands beside the table."""
        self._wheel(event, WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three lines up, in what stands beside the table."""
        self._wheel(event, -WHEEL)

    def _wheel(self, event: events.MouseEvent, lines: int) -> None:
        event.stop()
        if _inside(event.widget, self.preview):
            self.preview.scroll(lines)

    def _filter_key(self, pane: ResourcePane, edit: Edit, event: events.Key) -> None:
        if event.key == "enter":
            pane.filtering = None
        elif event.key in ("escape", "ctrl+c"):
            pane.filtering = None
            pane.set_filter("")
        elif event.key in ("up", "down"):
            pane.table.move(1 if event.key == "down" else -1)
        elif edit.press(event):
            pane.set_filter(edit.text)
        pane.show_head()
        self.note_view()

    def open_filter(self) -> None:
        """Type into the filter from now on."""
        self.pane.filtering = Edit(self.pane.filter_text)
        self.pane.show_head()


def _inside(widget: Widget | None, other: Widget) -> bool:
    """Whether the widget is the other one, or stands in it."""
    return widget is not None and other in widget.ancestors_with_self
