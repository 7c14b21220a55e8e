"""The rows that one walks: which of them the cursor is on, which are marked, and which line is the first on the screen.

The cursor belongs to a row, not to a line: when rows come and go above it, the row stays where it is on the screen.
What a row looks like is `table.py`.
"""

from textual import events
from textual.geometry import Region
from textual.message import Message

from console.model.place import Key, Row
from console.tui.index import Index, nearest
from console.tui.lines import Lines
from console.tui.spec import Group


class Walked(Lines):
    """Lines of rows with a cursor and marks."""

    class Moved(Message, namespace="table"):
        """Another row is under the cursor, or the row under it has changed."""

    def __init__(self, index: Index) -> None:
        super().__init__(classes="table")
        self.index = index
        self.top = 0
        self.cursor: Key | None = None
        self.marks: dict[Key, None] = {}
        self.warned: frozenset[Key] = frozenset()  # marked rows that get in each other's way
        self.active = True
        self.touched = False

    def lay_out(self) -> None:
        """Choose columns for the width there is."""
        raise NotImplementedError

    def drop(self, key: Key) -> None:
        """Forget how the row was drawn."""
        raise NotImplementedError

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return None if self.cursor is None else self.index.rows.get(self.cursor)

    @property
    def cursor_position(self) -> int:
        """The position of the row under the cursor; 0 where there is none."""
        return self.index.position.get(self.cursor, 0) if self.cursor is not None else 0

    def targets(self) -> list[Row]:
        """The marked rows, else the row under the cursor."""
        marked = [self.index.rows[key] for key in self.marks if key in self.index.rows]
        return marked or ([self.cursor_row] if self.cursor_row is not None else [])

    def visible_keys(self) -> list[Key]:
        """The keys of the rows on the screen."""
        found = (self.index.at(line) for line in range(self.top, self.top + self.size.height))
        return [self.index.order[at] for at in found if isinstance(at, int) and not isinstance(at, Group)]

    def standing(self) -> tuple[int, int]:
        """Where the cursor stands: its position, and its line on the screen."""
        position = self.cursor_position
        return position, self.index.line_of(position) - self.top

    def rearranged(self, anchor: tuple[int, int]) -> None:
        """Lines have shifted: keep the cursor's row on its line of the screen."""
        position, y = anchor
        if not self.touched or self.cursor is None:
            self.cursor = nearest(self.index.order, 0)
        elif self.cursor not in self.index.position:
            self.cursor = nearest(self.index.order, position)
        self.top = self.index.line_of(self.cursor_position) - y if self.touched else 0
        self.clamp()
        self.lay_out()
        self.paint()
        self.post_message(self.Moved())

    def clamp(self) -> None:
        """Keep the table's end at the bottom, and the cursor's row on the screen."""
        height = max(1, self.size.height)
        self.top = max(0, min(self.top, self.index.lines - height))
        line = self.index.line_of(self.cursor_position)
        if line < self.top:
            self.top = line
        elif line >= self.top + height:
            self.top = line - height + 1
        if self.cursor_position == 0 and line < height:
            self.top = 0

    def go(self, position: int) -> None:
        """Put the cursor on the row at this position."""
        if not self.index.order:
            return
        self.touched = True
        position = max(0, min(position, len(self.index.order) - 1))
        before, old_top = self.cursor_position, self.top
        self.cursor = self.index.order[position]
        self.clamp()
        if self.top != old_top:
            self.paint()
        elif position != before:
            for at in (before, position):
                self.paint(Region(0, self.index.line_of(at) - self.top, self.size.width, 1))
        self.post_message(self.Moved())

    def move(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self.go(self.cursor_position + rows)

    def page(self, pages: float) -> None:
        """Move the cursor by so many screens."""
        self.move(round(pages * max(1, self.size.height - 1)))

    def mark(self) -> None:
        """Mark the row under the cursor, or take the mark away, and go on to the next."""
        if self.cursor is None:
            return
        if self.cursor in self.marks:
            del self.marks[self.cursor]
        else:
            self.marks[self.cursor] = None
        line = self.index.line_of(self.cursor_position) - self.top
        self.paint(Region(0, line, self.size.width, 1))
        self.move(1)

    def mark_all(self) -> None:
        """Mark every row that is shown; where all of them are marked, take the marks away."""
        shown = dict.fromkeys(self.index.order)
        self.marks = {} if shown.keys() <= self.marks.keys() else shown
        self.paint()
        self.post_message(self.Moved())

    def warn(self, keys: frozenset[Key]) -> None:
        """Draw the marks of these rows as a warning."""
        moved, self.warned = keys ^ self.warned, keys
        for key in moved:
            self.drop(key)
        if moved:
            self.paint()

    def unmark(self) -> None:
        """Take all marks away."""
        self.marks.clear()
        self.paint()
        self.post_message(self.Moved())

    def activate(self, active: bool) -> None:
        """Whether this is the pane that keys go to: only there is the cursor drawn."""
        if active != self.active:
            self.active = active
            if self.index.order:
                self.paint(Region(0, self.index.line_of(self.cursor_position) - self.top, self.size.width, 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        self.move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        self.move(-3)

    def on_click(self, event: events.Click) -> None:
        """The row that was clicked."""
        at = self.index.at(self.top + event.y)
        if isinstance(at, int) and not isinstance(at, Group):
            self.go(at)
