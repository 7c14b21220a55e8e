"""Which row stands on which line: filter, groups and order over the rows that a pane knows.

A row that changes is not moved at once: it keeps its line until `settle`, since nothing may slip away under the
cursor. Only rows that changed are looked at again, so that ten thousand rows feel like fifty. No terminal in here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from console.core.filters import Filter
from console.model.place import Key, Row
from console.tui.ordering import Head, SortKey, head_of, in_order, name_and_id
from console.tui.spec import Group, PaneSpec, Scene

Pair = tuple[Row | None, Row]  # what a row was, and what it is


class Block(NamedTuple):
    """Some rows in a run under one title."""

    group: Group | None
    first: int  # position of its first row
    size: int
    line: int  # the line of its first row


@dataclass(frozen=True)
class Sorting:
    """Sorted by one field of the pane."""

    field: str
    reverse: bool = False


class Index:
    """The rows of one pane, in the order in which they are shown."""

    def __init__(self, spec: PaneSpec, scene: Scene) -> None:
        self.spec = spec
        self.scene = scene
        self.rows: dict[Key, Row] = {}
        self.order: list[Key] = []
        self.position: dict[Key, int] = {}
        self.blocks: list[Block] = []
        self.lines = 0
        self.counts: dict[Group, int] = {}
        self.filter: Filter | None = None
        self.sorting: Sorting | None = None
        self.problems = False
        self.titled = True
        self.roomy = True
        self._placed: dict[Key, SortKey] = {}  # the sort key of every row that is shown
        self._late: dict[Key, SortKey | None] = {}  # where rows belong that stand elsewhere; None is nowhere
        self._words: dict[Key, str] = {}
        self._orders: dict[Key, SortKey] = {}  # each row's own sort key, until it changes
        self._heads: dict[Head, Head] = {}  # the one of each kind, shared by all rows that have it
        self._folds: dict[Any, dict[Key, None]] = {}  # rows that are shown as one, the first of them

    # what stands where ---------------------------------------------------------------------------------------

    def line_of(self, position: int) -> int:
        """The line on which the row at this position stands."""
        for block in reversed(self.blocks):
            if position >= block.first:
                return block.line + position - block.first
        return 0

    def at(self, line: int) -> int | Group | None:
        """What a line holds: a position, a group's title, or None (blank)."""
        for block in reversed(self.blocks):
            if line >= block.line:
                inside = line - block.line
                return block.first + inside if inside < block.size else None
            if block.group is not None and line == block.line - 1:
                return block.group
        return None

    def row(self, position: int) -> Row | None:
        """The row at a position."""
        return self.rows.get(self.order[position]) if 0 <= position < len(self.order) else None

    @property
    def unsettled(self) -> bool:
        """Whether some rows stand where they no longer belong."""
        return bool(self._late)

    # changes -------------------------------------------------------------------------------------------------

    def moved(self, changed: Sequence[Row]) -> list[Pair]:
        """Those of the changed rows that may stand or look otherwise, with what they were; None is a new one.

        The very row that is known is one of them: it is told again because the scene has changed.
        """
        known, decides = self.rows.get, self.spec.decides
        if decides is None:
            return [(known(row.key), row) for row in changed]
        return [
            (before, row)
            for row in changed
            if (before := known(row.key)) is None or before is row or decides(before) != decides(row)
        ]

    def apply(
        self, changed: Sequence[Row], gone: Iterable[Key] = (), moved: Sequence[Pair] | None = None
    ) -> tuple[list[Key], bool]:
        """Take in changes; gives the keys to repaint where they stand, and whether lines have shifted.

        `moved` is what the method of that name has found; the other rows stand where they stood, unless a filter or a
        column that they are sorted by looks at more of them.
        """
        gone, keys = list(gone), [row.key for row in changed]
        anew = [row for _, row in (self.moved(changed) if moved is None else moved)]
        others = self._leave_folds(anew, gone)
        if self._words:
            for key in keys:
                self._words.pop(key, None)
        self.rows.update(zip(keys, changed, strict=True))
        shifted = False
        for row in anew:
            self._orders.pop(row.key, None)
            shifted = self._fold(row) or shifted
        for row in (*others, *(anew if self.filter is None and self.sorting is None else changed)):
            shifted = self._look(row) or shifted
        for key in gone:
            self.rows.pop(key, None)
            self._late.pop(key, None)
            self._words.pop(key, None)
            self._orders.pop(key, None)
            shifted = self._placed.pop(key, None) is not None or shifted
        if shifted:
            self._arrange()
        placed = self._placed
        return [key for key in (*(row.key for row in others), *keys) if key in placed], shifted

    def _look(self, row: Row) -> bool:
        """Look where a row belongs; whether it is shown from now on."""
        belongs, stands = self._belongs(row), self._placed.get(row.key)
        if stands is None:
            if belongs is not None:
                self._placed[row.key] = belongs
            return belongs is not None
        if belongs == stands:
            self._late.pop(row.key, None)
        else:
            self._late[row.key] = belongs
        return False

    def replace(self, rows: Iterable[Row]) -> None:
        """Forget everything and take these rows."""
        self.rows = {row.key: row for row in rows}
        self._words.clear()
        self._orders.clear()
        self._heads.clear()
        self._folds.clear()
        for row in self.rows.values():
            self._fold(row)
        self.rebuild()

    def rebuild(self) -> None:
        """Look at every row again: after another filter, sorting or scene."""
        self._late.clear()
        self._placed = self._places()
        self._arrange()

    def rescan(self) -> None:
        """Look at every row again after the scene changed, but move none before `settle`."""
        self._orders.clear()
        self._heads.clear()
        for key, row in self.rows.items():
            belongs = self._belongs(row)
            if key not in self._placed:
                if belongs is not None:
                    self._late[key] = belongs
            elif belongs != self._placed[key]:
                self._late[key] = belongs

    def settle(self, keep: Key | None = None) -> bool:
        """Move the rows that changed to where they belong, all but `keep`; whether any moved."""
        held = {key: to for key, to in self._late.items() if key == keep}
        moved = len(self._late) > len(held)
        for key, to in self._late.items():
            if key == keep:
                continue
            if to is None:
                self._placed.pop(key, None)
            else:
                self._placed[key] = to
        self._late = held
        if moved:
            self._arrange()
        return moved

    def _fold(self, row: Row) -> bool:
        """Put a row into its fold; whether another one, that was shown, gives way to it."""
        fold = self.spec.fold(row)
        if fold is None:
            return False
        held = self._folds.setdefault(fold, {})
        before = self._first(held)
        held[row.key] = None
        if before is None or self._first(held) == before:
            return False
        self._late.pop(before, None)
        return self._placed.pop(before, None) is not None

    def _first(self, held: Iterable[Key]) -> Key | None:
        """The one that is shown for all of a fold: whose place comes first, whichever has answered first."""
        known = [key for key in held if key in self.rows]
        return min(known, key=lambda key: (self.rows[key].place, key), default=None)

    def _leave_folds(self, changed: Iterable[Row], gone: Iterable[Key]) -> list[Row]:
        """Take rows out of the folds that they no longer belong to; gives the rows that now stand for the rest."""
        leaving = [(key, None) for key in gone] + [(row.key, self.spec.fold(row)) for row in changed]
        found: list[Row] = []
        for key, fold in leaving:
            row = self.rows.get(key)
            before = self.spec.fold(row) if row is not None else None
            if before is None or before == fold:
                continue
            held = self._folds.get(before, {})
            held.pop(key, None)
            other = self._first(held)
            found += [self.rows[other]] if other is not None else []
        return found

    def _belongs(self, row: Row) -> SortKey | None:
        """The sort key of a row; None where filter, `z` or a fold hide it."""
        if self._folds and self._folded(row):
            return None
        order = self._order(row)
        if self.problems and self.spec.grouped and order[0][0] > Group.IN_MOTION:
            return None
        if self.filter is not None:
            words = self.words(row) if self.filter.bare else ""  # put together only where they are looked at
            if not self.filter.lets(row, self.scene, words):
                return None
        return order if self.sorting is None else (self._head(row), order[1])

    def _order(self, row: Row) -> SortKey:
        """A row's own sort key, whatever the rows are sorted by."""
        order = self._orders.get(row.key)
        if order is None:
            group = int(self.spec.group(row, self.scene)) if self.spec.grouped else 0
            head = (group, *self.spec.order(row, self.scene))
            order = self._orders[row.key] = self._heads.setdefault(head, head), name_and_id(row)
        return order

    def _head(self, row: Row) -> Head:
        """What the rows are sorted by; names stand in the tail already."""
        assert self.sorting is not None
        field = self.sorting.field
        return () if field == "name" else head_of(self.spec.fields[field](row, self.scene))

    def _places(self) -> dict[Key, SortKey]:
        """What `_belongs` says of every row: question by question, since of fifty thousand each call counts."""
        shown: Sequence[Row] = list(self.rows.values())
        if self._folds:
            shown = [row for row in shown if not self._folded(row)]
        if self.filter is not None:
            words = self.words if self.filter.bare else None
            shown = self.filter.among(shown, self.scene, words)
        known, order = self._orders.get, self._order
        placed = {row.key: known(row.key) or order(row) for row in shown}
        if self.problems and self.spec.grouped:
            placed = {key: order for key, order in placed.items() if order[0][0] <= Group.IN_MOTION}
        if self.sorting is None:
            return placed
        if self.sorting.field == "name":
            return {key: ((), order[1]) for key, order in placed.items()}
        rows, scene, read = self.rows, self.scene, self.spec.fields[self.sorting.field]
        return {key: (head_of(read(rows[key], scene)), order[1]) for key, order in placed.items()}

    def _folded(self, row: Row) -> bool:
        """Whether another row stands for it."""
        fold = self.spec.fold(row)
        return fold is not None and self._first(self._folds.get(fold, {})) not in (None, row.key)

    def words(self, row: Row) -> str:
        """The words of a row that a bare filter term is looked for in."""
        found = self._words.get(row.key)
        if found is None:
            fields, scene = self.spec.fields, self.scene
            told = (fields[name](row, scene) for name in self.spec.searched if name in fields)
            found = self._words[row.key] = " ".join(str(value) for value in told if value)
        return found

    def forget_words(self) -> None:
        """Names that rows are searched by have changed."""
        self._words.clear()

    def _arrange(self) -> None:
        reverse = self.sorting is not None and self.sorting.reverse
        self.order = in_order(self._placed, reverse=reverse)
        self.position = dict(zip(self.order, range(len(self.order)), strict=True))
        self._block()

    def _block(self) -> None:
        top = 1 if self.roomy else 0
        if not (self.spec.grouped and self.sorting is None):
            self.blocks = [Block(None, 0, len(self.order), top)]
            self.lines = top + len(self.order)
            return
        tally = count_groups(self._placed.values())
        self.counts = tally
        self.blocks, line, first = [], 0, 0
        for group, count in tally.items():
            line += 2 if self.titled else 0
            line += 0 if self.titled or self.blocks else top
            self.blocks.append(Block(group if self.titled else None, first, count, line))
            first, line = first + count, line + count
        self.lines = line

    def reshape(self, *, titled: bool, roomy: bool) -> None:
        """Titles and blank lines, as the terminal's height allows."""
        if (titled, roomy) != (self.titled, self.roomy):
            self.titled, self.roomy = titled, roomy
            self._block()

    @property
    def known(self) -> int:
        """How many rows there are, folded ones once."""
        folded = sum(max(0, len(held) - 1) for held in self._folds.values())
        return len(self.rows) - folded


def count_groups(keys: Iterable[SortKey]) -> dict[Group, int]:
    """How many of the sort keys stand in each group, in the groups' order."""
    numbers = [0] * len(Group)
    for key in keys:
        numbers[key[0][0]] += 1
    return {group: numbers[group] for group in Group if numbers[group]}


def nearest(order: Sequence[Key], wanted: int) -> Key | None:
    """The key at a position, or at the nearest one there is."""
    return order[min(max(0, wanted), len(order) - 1)] if order else None
