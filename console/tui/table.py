"""A table of lines: draws the rows that are on the screen, and repaints only the cells that differ.

It knows nothing of clouds: an `Index` says which row stands where, a `PaneSpec` what its cells are. Ten thousand rows
cost what the forty visible ones cost. Where the cursor stands is `walking.py`. Nothing here is a widget per row, and
nothing reads markup.
"""

from collections.abc import Iterable, Sequence

from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from console.model.place import Key, Row
from console.tui.columns import Placed, place_columns
from console.tui.drawing import Drawing, Look, Painted
from console.tui.index import Block, Index, Pair
from console.tui.paint import Line, Span, age, spans, to_strip
from console.tui.spec import Group, PaneSpec, Scene
from console.tui.theme import Ink
from console.tui.walking import Walked

QUICK, SLOW = 1.0, 16.0  # seconds between two looks at a row whose ages run, and at one where they stand
FRESH = 3.0  # seconds for which a row that changed its status is bold
AT_ONCE = 1000  # rows that are measured without a key having to wait


class Table(Walked):
    """The rows of one pane."""

    def __init__(self, spec: PaneSpec, scene: Scene, ink: Ink) -> None:
        super().__init__(Index(spec, scene))
        self.spec = spec
        self.ink = ink
        self.drawing = Drawing(ink)
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
        self._seen_top = 0  # where rows were looked for last
        self._seen_blocks: Sequence[Block] = ()
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
        anchor = self.standing()
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
                self.drop(key)
            repaint, shifted = self.index.apply(changed, gone, moved)
        more = self._measure(changed, moved)
        if shifted:
            self.rearranged(anchor)
        elif more:
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

    def _measure(self, changed: Sequence[Row], moved: Iterable[Pair]) -> bool:
        """See how much room new rows and those on the screen take; the others are measured when they are drawn.

        Whether any takes more than there was.
        """
        painted = self._painted
        drawn = [row for row in changed if row.key in painted]
        new = [row for before, row in moved if before is None]
        self._unmeasured.update([row.key for row in changed])
        self._unmeasured.difference_update([row.key for row in (*drawn, *new)])
        more = [self._need(row) for row in (*drawn, *new)]
        return any(more)

    def _need(self, row: Row) -> bool:
        """See how much room the row's texts take; whether it is more than any has taken so far."""
        more = False
        for name, size in self.spec.needs(row, self.scene):
            if size > self.needs.get(name, 0):
                self.needs[name], more = size, True
        return more

    def settle(self, *, hold_cursor: bool) -> None:
        """Move rows that changed group to where they belong."""
        anchor = self.standing()
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
        if now + QUICK / 2 < self._due and self.top == self._seen_top and self.index.blocks is self._seen_blocks:
            return
        looked = {}
        for key in self.visible_keys():
            due, pause = self._looked.get(key, (now, QUICK / 2))
            if due <= now + QUICK / 2:
                pause = QUICK if self.repaint(key) else min(SLOW, 2 * pause)
                due = now + pause
            looked[key] = due, pause
        self._looked, self._seen_top, self._seen_blocks = looked, self.top, self.index.blocks
        self._due = min((due for due, _ in looked.values()), default=now + SLOW)

    def repaint(self, key: Key) -> bool:
        """Draw the cells of one row that differ from what stands there; whether any did."""
        regions = self._differing(key, self.size)
        if regions:
            self.paint(*regions)
        return regions is None or bool(regions)

    def _repaint_those(self, keys: Iterable[Key]) -> None:
        """The same for several rows."""
        drawn = [key for key in keys if key in self._painted]
        if not drawn:
            return
        size = self.size
        regions = [region for key in drawn for region in self._differing(key, size) or ()]
        if regions:
            self.paint(*regions)

    def _differing(self, key: Key, size: Size) -> list[Region] | None:
        """What has to be painted again of a row; None where it has to be drawn before that can be told."""
        position, before = self.index.position.get(key), self._painted.get(key)
        y = -1 if position is None else self.index.line_of(position) - self.top
        if before is None or not 0 <= y < size.height:
            self.drop(key)
            return None
        now = self._paint(key)
        if now == before:
            return []
        self.drop(key)
        self._painted[key] = now
        # What has begun to move, or tells anything beside its words, may have a time that runs.
        if before.mood != now.mood or any(
            cell.right and cell != old for cell, old in zip(now.cells, before.cells, strict=False)
        ):
            self._looked.pop(key, None)
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

    def drop(self, key: Key) -> None:
        """Forget how the row was drawn."""
        self._painted.pop(key, None)
        for here in (False, True):
            for marked in (False, True):
                self._strips.pop((key, here, marked), None)

    def renamed(self) -> None:
        """Other nouns have other names, maybe longer ones; of many rows, those not seen are measured when drawn."""
        self.index.forget_words()
        rows = self.index.rows
        seen = list(rows) if len(rows) <= AT_ONCE else [key for key in self._painted if key in rows]
        self._unmeasured.update(rows)
        self._unmeasured.difference_update(seen)
        for key in seen:
            self._need(rows[key])
        self._looked.clear()
        self._due = 0.0
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

    # drawing -------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Columns come and go with the width, rows with the height."""
        self._due = 0.0
        self.clamp()
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
