"""A pane: title, heads and table of one noun. Written once for every `PaneSpec`.

The screen follows its collection and gives it each batch of changes (`take`), gathered over a tenth of a second; the
table draws the cells that differ.
"""

import time
from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical

from console.core.filters import doubts, parse
from console.model.place import Key
from console.tui.columns import EDGE, NARROW_EDGE
from console.tui.edit import Edit
from console.tui.index import Pair, Sorting
from console.tui.neighbours import sharing
from console.tui.paint import Line, Span, cut_end, fit, flowed, spans, spread
from console.tui.paint import width as cells
from console.tui.shape import Shape
from console.tui.sheet import Sheet
from console.tui.spec import Group, PaneSpec, Scene
from console.tui.table import Table
from console.tui.theme import Ink

BESIDE = ("images", "flavors")  # the panes that stand beside the servers where there is room
GATHER = 0.1  # seconds over which changes are gathered into one repaint


class ResourcePane(Vertical):
    """One noun of all places, live."""

    def __init__(self, spec: PaneSpec, scene: Scene, ink: Ink) -> None:
        super().__init__(id=f"pane-{spec.name}", classes="pane")
        self.spec = spec
        self.ink = ink
        self.head = Sheet(ink, classes="head")
        self.table = Table(spec, scene, ink)
        self.filtering: Edit | None = None
        self.asking: Sequence[str] = ()
        self.loaded = False
        self.expected: int | None = None
        self.where = ""
        self.roomy = True

    @property
    def scene(self) -> Scene:
        """What the cells need beside their row."""
        return self.table.scene

    def compose(self) -> ComposeResult:
        """The heads above the table."""
        yield self.head
        yield self.table

    def take(self, batch: Any) -> Sequence[Pair]:
        """Draw one batch of changes; gives the rows that are new or may stand otherwise, with what they were."""
        if batch.changed or batch.gone:
            self.loaded = True
        moved = self.table.take(batch.changed, batch.gone, reset=batch.reset, now=time.monotonic())
        if moved or batch.gone or self.table.marks:
            self.show_head()
        return moved

    # filter, sort and marks ----------------------------------------------------------------------------------

    def set_filter(self, text: str) -> None:
        """Show only rows that this filter lets through; "" shows all."""
        self.table.index.filter = parse(text, self.spec.fields)
        self._again()

    @property
    def filter_text(self) -> str:
        """The filter that holds, as it was typed."""
        held = self.table.index.filter
        return held.text if held else ""

    def mark_all(self) -> None:
        """Mark every row that the filter lets through; where all of them are, take the marks away."""
        self.table.mark_all()
        self.show_head()

    def toggle_problems(self) -> None:
        """Show only what needs you or moves, or all again."""
        self.table.index.problems = not self.table.index.problems
        self._again()

    def toggle_wide(self) -> None:
        """Show the columns that need room, or not."""
        self.scene.wide = not self.scene.wide
        self.table.restyle()
        self.show_head()

    @property
    def left_out(self) -> list[str]:
        """The columns that were asked for by `w` and find no room."""
        shown = {placed.column.name for placed in self.table.columns}
        wide = [column.name for column in self.spec.columns if column.wide] if self.scene.wide else []
        return [name for name in wide if name not in shown]

    def look(self, filter: str, sorting: Sorting | None, problems: bool, wide: bool) -> None:
        """Look at the rows in another way, all at once."""
        index = self.table.index
        index.filter, index.sorting, index.problems = parse(filter, self.spec.fields), sorting, problems
        if self.scene.wide != wide:
            self.scene.wide = wide
            self.table.restyle()
        self._again()

    def restore_marks(self, marks: Sequence[Sequence[str]]) -> None:
        """Mark again what was marked; rows that never come are not counted."""
        self.table.marks = {Key(*mark): None for mark in marks if len(mark) == 4}
        self.show_head()

    def sort_next(self) -> None:
        """Sort by the next column that is shown; after the last one, by attention."""
        names = [placed.column.name for placed in self.table.columns if placed.column.name in self.spec.fields]
        held = self.table.index.sorting
        at = names.index(held.field) + 1 if held and held.field in names else 0
        self.table.index.sorting = Sorting(names[at]) if at < len(names) else None
        self._again()

    def sort_reverse(self) -> None:
        """Turn the order of the sorted column round."""
        held = self.table.index.sorting
        self.table.index.sorting = Sorting(held.field, not held.reverse) if held else None
        self._again()

    def _again(self) -> None:
        self.table.index.rebuild()
        self.table.rearranged((self.table.cursor_position, self.table.size.height // 2))
        self.show_head()

    def clear(self) -> bool:
        """Take away the filter, else the marks, else `z`; whether there was one."""
        if self.table.index.filter is not None:
            self.set_filter("")
        elif self.table.marks:
            self.table.unmark()
            self.show_head()
        elif self.table.index.problems:
            self.toggle_problems()
        else:
            return False
        return True

    # drawing -------------------------------------------------------------------------------------------------

    def reshape(self, shape: Shape) -> None:
        """Take another layout."""
        self.roomy = shape.padded
        self.table.edge = NARROW_EDGE if shape.beside and not self.spec.grouped and self.spec.name in BESIDE else EDGE
        self.table.index.reshape(titled=shape.titled, roomy=shape.padded)
        self.table.paint()

    def on_resize(self) -> None:
        """The heads stand where the columns do."""
        self.call_after_refresh(self.show_head)

    def restyle(self) -> None:
        """Draw all again, with another theme or scene."""
        self.head.restyle()
        self.table.restyle()
        self.show_head()

    @property
    def natural_height(self) -> int:
        """How many lines it would fill."""
        return 2 + max(self.table.index.lines, 2 if self.roomy else 1)

    def show_head(self) -> None:
        """Draw title and heads, and what stands where no rows do."""
        width = self.table.size.width or self.size.width
        self.head.show([self._title(width), self._heads(width)])
        room = width - self.table.edge
        empty = tuple(fit(line, room, self.scene.glyphs.cut) for line in self._empty(room))
        if empty != self.table.empty_lines:
            self.table.empty_lines = empty
            if not self.table.index.order:
                self.table.paint()

    def _title(self, width: int) -> Line:
        index = self.table.index
        shown, known = len(index.order), index.known
        title = Span(self.spec.title, "strong" if self.table.active else "text", bold=True)
        count = f"{shown:,} of {known:,}" if shown != known else f"{known:,}"
        if self.expected is not None and self.expected > known and shown == known:
            count = f"{known:,} of {self.expected:,}"
        line = spans(" " * self.table.edge, title, Span(f"  {count}" if self.loaded else "", "muted"))
        needy = index.counts.get(Group.NEEDS_YOU, 0)
        if needy and not index.titled and index.sorting is None:
            line = spans(line, Span(f" · {needy} need{'s' if needy == 1 else ''} you", "muted"))
        line = spans(line, *self._marked())  # what marks hit is never cut off
        return spread(spans(line, *self._conditions(width - cells(line))), (), width)

    def _conditions(self, room: int) -> list[Line]:
        """What is shown of the rows, and in which order; of what is being typed, what the cursor stands in."""
        index, found = self.table.index, self._order()
        if self.filtering is not None:
            room -= sum(map(cells, found)) + 6
            line = self.filtering.spans()
            line = self.filtering.spans(room=max(8, room)) if cells(line) > room else line
            found.insert(0, spans(Span("   /", "accent", True), line))
        elif index.filter is not None:
            found.insert(0, spans(Span("   /", "accent", True), Span(index.filter.text, "strong")))
        return found

    def _order(self) -> list[Line]:
        index, found = self.table.index, []
        if index.problems:
            found.append(spans(Span("   z", "accent", True), Span(" only problems", "text")))
        if index.sorting is not None:
            arrow = self.scene.glyphs.up if index.sorting.reverse else self.scene.glyphs.down
            found.append(spans(Span("   s", "accent", True), Span(f" {index.sorting.field} {arrow}", "text")))
        return found

    def _marked(self) -> list[Line]:
        """How many rows are marked, and how many of those share a host."""
        index = self.table.index
        rows = [index.rows[key] for key in self.table.marks if key in index.rows]
        shared = sharing(rows)
        self.table.warn(shared)
        if not rows:
            return []
        found = [spans(Span(f"   {self.scene.glyphs.marked}", "accent"), f" {len(rows)} marked")]
        if shared:
            found.append(spans(Span(f"   {self.scene.glyphs.beware} {len(shared)} of them share a host", "warn")))
        return found

    def _heads(self, width: int) -> Line:
        found: list[Span] = [Span(" " * self.table.edge)]
        for number, placed in enumerate(self.table.columns):
            gap = 0 if number == len(self.table.columns) - 1 else 1
            room, name = placed.size - gap, placed.column.name
            name = cut_end(name, room)
            sorted_by = self.table.index.sorting is not None and self.table.index.sorting.field == placed.column.name
            text = name.rjust(room) if placed.column.align == "right" else name.ljust(room)
            found.append(Span(text + " " * gap, "text" if sorted_by else "faint"))
        return tuple(found)

    def _empty(self, room: int) -> tuple[Line, ...]:
        index = self.table.index
        if index.rows and not index.order:
            what = f"match {index.filter.text}" if index.filter else "need you or are in motion"
            told = [f"None of {index.known:,} {what}.", *doubts(self.filter_text, self.spec.fields)]
            lines = [part for words in told for part in flowed((Span(words, "muted"),), max(20, room - 2))]
            return *lines, spans(Span("esc", "accent", True), Span(" clear"))
        if not self.loaded:
            asked = ", ".join(self.asking)
            return ((Span(f"asking {asked} …" if asked else "opening …", "muted"),),)
        line: Line = (Span(self.spec.empty_words(self.where), "muted"),)
        return (line, spans(Span("n", "accent", True), Span(" new"))) if self.spec.new else (line,)
