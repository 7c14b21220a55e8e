"""A table of lines: draws the rows that are on the screen, and repaints only the cells that differ.

It knows nothing of clouds: an `Index` says which row stands where, a `PaneSpec` what its cells are. Ten thousand rows
cost what the forty visible ones cost. The cursor belongs to a row, not to a line: when rows come and go above it, the
row stays where it is on the screen. Nothing here is a widget per row, and nothing reads markup.
"""

from collections.abc import Iterable, Sequence

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from console.model.place import Key, Row
from console.tui.columns import Placed, place_columns
from console.tui.drawing import Drawing, Look, Painted
from console.tui.index import Block, Index, Pair, nearest
from console.tui.lines import Lines
from console.tui.paint import Line, Span, age, spans, to_strip
from console.tui.spec import Group, PaneSpec, Scene
from console.tui.theme import Ink

QUICK, SLOW = 1.0, 8.0  # seconds between two looks at a row whose ages run, and at one where they stand
FRESH = 3.0  # seconds for which a row that changed its status is bold


class Table(Lines):
    """The rows of one pane."""

    class Moved(Message):
        """Another row is under the cursor, or the row under it has changed."""

    def __init__(self, spec: PaneSpec, scene: Scene, ink: Ink) -> None:
        super().__init__(classes="table")
        self.spec = spec
        self.index = Index(spec, scene)
        self.ink = ink
        self.drawing = Drawing(ink)
        self.top = 0
        self.cursor: Key | None = None
        self.marks: dict[Key, None] = {}
        self.warned: frozenset[Key] = frozenset()  # marked rows that get in each other's way
        self.active = True
        self.touched = False
        self.quiet = False  # whether what has just changed looks like all else
        self.empty_lines: tuple[Line, ...] = ()
        self.needs: dict[str, int] = {}
        self.ages: dict[Group, float | None] = {}
        self._spoken: tuple[int, int, bool, bool, tuple[tuple[str, int], ...]] | None = None
        self._painted: dict[Key, Painted] = {}
        self._strips: dict[tuple[Key, bool, bool], Strip] = {}
        self._fresh: dict[Key, float] = {}
        self._unmeasured: set[Key] = set()  # rows that have changed since their texts were measured
        self._looked: dict[Key, tuple[float, float]] = {}  # when a row is looked at again for the time alone
        self._seen: tuple[int, int, Sequence[Block]] = (0, 0, ())  # where rows were looked for last
        self._due = 0.0

    @property
    def columns(self) -> tuple[Placed, ...]:
        """The columns that are shown."""
        return self.drawing.columns

    @property
    def edge(self) -> int:
        """How many cells stand before the first column."""
        return self.drawing.edge

    @edge.setter
    def edge(self, edge: int) -> None:
        self.drawing.edge = edge

    @property
    def scene(self) -> Scene:
        """What cells need beside their row."""
        return self.index.scene

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

    # changes -------------------------------------------------------------------------------------------------

    def take(
        self, changed: Iterable[Row], gone: Iterable[Key], *, reset: bool = False, now: float = 0.0
    ) -> Sequence[Pair]:
        """Draw what changed: cells where rows stand, the whole table only where lines shifted.

        Gives the rows that are new or may stand otherwise, with what they were. Of the others, those that are not on
        the screen cost little more than being put away: they are looked at when they come to be drawn.
        """
        changed = list(changed)
        moved = self.index.moved(changed)
        self._note(moved, now)
        anchor = self._anchor()
        if reset:
            self.index.replace(changed)
            self._unmeasured.clear()
            repaint: list[Key] = []
            shifted = True
        else:
            gone = list(gone)
            for key in gone:
                self.marks.pop(key, None)
                self._unmeasured.discard(key)
                self._drop(key)
            repaint, shifted = self.index.apply(changed, gone, moved)
        self._measure(changed, moved)
        if shifted:
            self.rearranged(anchor)
        elif changed:
            self.lay_out()
        self._repaint_those(repaint)
        if shifted or self.cursor in repaint:
            self.post_message(self.Moved())
        return moved

    def _note(self, moved: Iterable[Pair], now: float) -> None:
        """A row that looks otherwise than it did is bold for a while."""
        if self.quiet:
            return
        for before, row in moved:
            if before is not None and self.spec.mood(before, self.scene) != self.spec.mood(row, self.scene):
                self._fresh[row.key] = now + FRESH

    def _measure(self, changed: Iterable[Row], moved: Iterable[Pair]) -> None:
        """See how much room new rows and those on the screen take; the others are measured when they are drawn."""
        rows, new = {row.key: row for row in changed}, {row.key for before, row in moved if before is None}
        for key in new | (rows.keys() & self._painted.keys()):
            self._need(rows[key])
        self._unmeasured |= rows.keys() - self._painted.keys() - new

    def _need(self, row: Row) -> bool:
        """See how much room the row's texts take; whether it is more than any has taken so far."""
        more = False
        for name, size in self.spec.needs(row, self.scene):
            if size > self.needs.get(name, 0):
                self.needs[name], more = size, True
        return more

    def settle(self, *, hold_cursor: bool) -> None:
        """Move rows that changed group to where they belong."""
        anchor = self._anchor()
        if self.index.settle(self.cursor if hold_cursor else None):
            self.rearranged(anchor)

    def tick(self, now: float) -> None:
        """Once a second: what depends on the time, repainted where it differs."""
        over = [key for key, until in self._fresh.items() if until <= now]
        for key in over:
            del self._fresh[key]
            self.repaint(key)
        self._look_again(now)
        self._repaint_titles()

    def _look_again(self, now: float) -> None:
        """Draw the rows whose time has come; the next look is when the first of them is due, or other rows are seen."""
        seen = (self.top, self.size.height, self.index.blocks)
        if seen == self._seen and seen[2] is self._seen[2] and now + QUICK / 2 < self._due:
            return
        looked = {}
        for key in self.visible_keys():
            due, pause = self._looked.get(key, (now, QUICK / 2))
            if due <= now + QUICK / 2:
                pause = QUICK if self.repaint(key) else min(SLOW, 2 * pause)
                due = now + pause
            looked[key] = due, pause
        self._looked, self._seen = looked, seen
        self._due = min((due for due, _ in looked.values()), default=now + SLOW)

    def visible_keys(self) -> list[Key]:
        """The keys of the rows on the screen."""
        found = (self.index.at(line) for line in range(self.top, self.top + self.size.height))
        return [self.index.order[at] for at in found if isinstance(at, int) and not isinstance(at, Group)]

    def repaint(self, key: Key) -> bool:
        """Draw the cells of one row that differ from what stands there; whether any did."""
        regions = self._differing(key, self.size)
        if regions:
            self.paint(*regions)
        return regions is None or bool(regions)

    def _repaint_those(self, keys: Iterable[Key]) -> None:
        """The same for several rows."""
        size = self.size
        regions = [region for key in keys if key in self._painted for region in self._differing(key, size) or ()]
        if regions:
            self.paint(*regions)

    def _differing(self, key: Key, size: Size) -> list[Region] | None:
        """What has to be painted again of a row; None where it has to be drawn before that can be told."""
        position, before = self.index.position.get(key), self._painted.get(key)
        y = -1 if position is None else self.index.line_of(position) - self.top
        if before is None or not 0 <= y < size.height:
            self._drop(key)
            return None
        now = self._paint(key)
        if now == before:
            return []
        self._drop(key)
        self._painted[key] = now
        self._looked.pop(key, None)  # what has begun to move has a time that runs
        self._due = 0.0
        if before[1:] != now[1:]:
            return [Region(0, y, size.width, 1)]
        return [
            Region(column.x, y, column.size, 1)
            for column in self.columns
            if before.cells[column.number] != now.cells[column.number]
        ]

    def _repaint_titles(self) -> None:
        if self.index.counts.get(Group.LAST_KNOWN):
            width, height = self.size
            for y in range(height):
                if self.index.at(self.top + y) is Group.LAST_KNOWN:
                    self.paint(Region(0, y, width, 1))

    def _drop(self, key: Key) -> None:
        self._painted.pop(key, None)
        for here in (False, True):
            for marked in (False, True):
                self._strips.pop((key, here, marked), None)

    def renamed(self) -> None:
        """Other nouns have other names: texts may be longer now."""
        self.index.forget_words()
        for row in self.index.rows.values():
            self._need(row)
        self.lay_out()

    def restyle(self) -> None:
        """Forget every strip: another theme, scene or width."""
        self._forget()
        self._spoken = None
        self.lay_out()
        self.paint()

    def _forget(self) -> None:
        self._painted.clear()
        self._strips.clear()
        self.drawing.forget()

    # the cursor ----------------------------------------------------------------------------------------------

    def _anchor(self) -> tuple[int, int]:
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
        self._clamp()
        self.lay_out()
        self.paint()
        self.post_message(self.Moved())

    def _clamp(self) -> None:
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
        self._clamp()
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
            self._drop(key)
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

    # drawing -------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Columns come and go with the width."""
        self._clamp()
        self.lay_out()

    def lay_out(self) -> None:
        """Choose columns for the width there is."""
        places = len(self.scene.labels) > 1
        spoken = (self.size.width, self.edge, places, self.scene.wide, tuple(sorted(self.needs.items())))
        if spoken == self._spoken or not self.size.width:
            return
        self._spoken = spoken
        columns = place_columns(
            self.spec.columns,
            self.size.width,
            places=places,
            wide=self.scene.wide,
            needs=self.needs,
            edge=self.edge,
        )
        if columns != self.columns:
            self.drawing.columns = columns
            self._forget()
            self.paint()
            self.post_message(self.Moved())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return max(1, self.index.lines, len(self.empty_lines))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width = self.outer_size.width
        if not self.index.order:
            inside = y - (1 if self.index.roomy else 0)
            line = self.empty_lines[inside] if 0 <= inside < len(self.empty_lines) else ()
            return to_strip((Span(" " * self.edge), *line), self.ink, width)
        at = self.index.at(self.top + y)
        if at is None:
            return Strip.blank(width, self.ink.style("text"))
        if isinstance(at, Group):
            return to_strip(self._title(at), self.ink, width)
        return self._row(self.index.order[at], width)

    def _title(self, group: Group) -> Line:
        loud = group is Group.NEEDS_YOU
        known = self.ages.get(group)
        title = group.title if known is None else f"{group.title} {age(known)} ago"
        count = self.index.counts.get(group, 0)
        return spans(" " * self.edge, Span(title, "strong" if loud else "muted", loud), Span(f"  {count}", "muted"))

    def _paint(self, key: Key) -> Painted:
        row = self.index.rows[key]
        if key in self._unmeasured:
            self._unmeasured.discard(key)
            if self._need(row):
                self.call_later(self.lay_out)
        cells = self.spec.cells(row, self.scene)
        fresh = key in self._fresh
        mark = self.scene.production(row.place) if self.spec.grouped else ""
        return Painted(cells, self.spec.mood(row, self.scene), fresh, mark)

    def _row(self, key: Key, width: int) -> Strip:
        here, marked = self.active and key == self.cursor, key in self.marks
        strip = self._strips.get((key, here, marked))
        if strip is None or strip.cell_length != width:
            if len(self._strips) > 2000:
                self._strips.clear()
                self._painted.clear()
            painted = self._painted.get(key)
            if painted is None:
                painted = self._painted[key] = self._paint(key)
            look = Look(here, marked, key in self.warned)
            strip = self._strips[key, here, marked] = self.drawing.draw(painted, look, self.scene.glyphs, width)
        return strip
