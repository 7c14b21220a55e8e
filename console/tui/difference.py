"""What a terminal shows, what it shall show, and the fewest bytes that lead from one to the other.

It knows cells and what a kind of terminal understands, and nothing of who draws. Runs that differ are written, short
gaps between them too where that is cheaper than moving; blanks are erased, repeated characters counted; lines that
moved are moved by the terminal. Nothing is taken for granted that a terminal may do otherwise: after a character whose
width is disputed, and after the last column, the cursor is placed anew.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import compress, pairwise
from operator import is_not
from typing import NamedTuple

from rich.cells import cell_len

from console.tui.pen import EMPTY, PLAIN, Cell, Pen, change

A_RUN = 16  # bytes that it takes about to go somewhere and change the pen
GAP = 4  # equal cells between two runs that are written again rather than jumped over
SHIFTED = 6  # lines that must have moved before it is looked for
DISPUTED = 0x1F000  # from here on terminals of different age do not agree on widths

Row = list[Cell | None]


class Able(NamedTuple):
    """What a terminal understands beyond moving the cursor and colours."""

    erases_in_colour: bool = False  # bce
    erases_line: bool = False  # el
    erases_some: bool = False  # ech
    repeats: bool = False  # rep
    scrolls: bool = False  # csr, il and dl


class Screen:
    """The cells that a terminal shows, and those that it shall show; None is a cell that nobody knows."""

    def __init__(self, width: int, height: int, able: Able) -> None:
        self.width, self.height, self.able = width, height, able
        self._wanted: list[Row] = [[None] * width for _ in range(height)]
        self._shown: list[Row] = [[None] * width for _ in range(height)]
        self._dirty: set[int] = set()
        self._unknown = True

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return self.width, self.height

    @property
    def differs(self) -> bool:
        """Whether something may have to be sent."""
        return bool(self._dirty)

    def forget(self) -> None:
        """The terminal may show anything now."""
        self._shown = [[None] * self.width for _ in range(self.height)]
        self._dirty.update(range(self.height))
        self._unknown = True

    def put(self, x: int, y: int, cells: Sequence[Cell]) -> None:
        """These cells shall stand there."""
        if not (0 <= y < self.height and x < self.width):
            return
        row, end = self._wanted[y], min(self.width, x + len(cells))
        if end - x < len(cells):
            cells = _cut(cells, end - x)
        if row[x:end] != cells:
            row[x:end] = cells
            _mend(row, x)
            _mend(row, end)
            self._dirty.add(y)

    def frame(self) -> str:
        """What makes the terminal show what it shall; from now on it is taken to show it. It ends in the plain pen."""
        lines = [y for y in sorted(self._dirty) if self._wanted[y] != self._shown[y]]
        self._dirty.clear()
        if not lines:
            return ""
        words = _Words(self.able, self.width)
        if self._unknown:
            self._clear(words)
        elif len(lines) >= SHIFTED:
            self._scroll(lines, words)
        for y in range(lines[0], lines[-1] + 1):  # also those that were right before they were moved
            if self._wanted[y] != self._shown[y]:
                self._write_line(y, words)
        words.change(PLAIN)
        return words.text

    def _write_line(self, y: int, words: "_Words") -> None:
        wanted, shown = self._wanted[y], self._shown[y]
        for start, end in _runs(wanted, shown):
            words.run(wanted, start, end, y)
            shown[start:end] = wanted[start:end]

    def _clear(self, words: "_Words") -> None:
        """Begin with an empty terminal, in the ground that most of it shall have."""
        blanks = Counter(cell for row in self._wanted for cell in row if cell and cell.text == " " and cell.pen.erases)
        most = blanks.most_common(1)[0][0] if blanks and self.able.erases_in_colour else EMPTY
        words.clear(most.pen)
        self._shown = [[most] * self.width for _ in range(self.height)]
        self._unknown = False

    def _scroll(self, lines: Sequence[int], words: "_Words") -> None:
        """Have the terminal move lines, where that leaves less to be written."""
        if not self.able.scrolls:
            return
        shift = _shift(self._wanted, self._shown, lines)
        if shift is None:
            return
        by, top, bottom = shift
        moved = _moved(self._shown[top : bottom + 1], by, self.width)
        before = sum(map(_cost, self._wanted[top : bottom + 1], self._shown[top : bottom + 1]))
        after = sum(map(_cost, self._wanted[top : bottom + 1], moved))
        if after + A_RUN < before:
            words.scroll(top, bottom, by)
            self._shown[top : bottom + 1] = moved


def _mend(row: Row, x: int) -> None:
    """Where a wide character was cut in two before column `x`, its other half is a blank: so do terminals."""
    if not 0 < x < len(row):
        return
    before, after = row[x - 1], row[x]
    whole = before is not None and (not before.text or cell_len(before.text) == 2)
    if after is not None and not after.text and not whole:
        row[x] = Cell(" ", after.pen.blank)
    elif before is not None and before.text and cell_len(before.text) == 2 and (after is None or after.text):
        row[x - 1] = Cell(" ", before.pen.blank)


def _cut(cells: Sequence[Cell], size: int) -> list[Cell]:
    """The first cells; a wide character that is cut in two is left out."""
    kept = list(cells[:size])
    if kept and not cells[size].text:
        at = size - 1
        while at > 0 and not kept[at].text:
            at -= 1
        kept[at:] = [EMPTY] * (size - at)
    return kept


def _cost(wanted: Row, shown: Row) -> int:
    """About how many bytes lead from one row to the other."""
    differ = list(map(is_not, wanted, shown))
    return sum(differ) + A_RUN * sum(now and not before for before, now in pairwise((False, *differ)))


def _moved(rows: list[Row], by: int, width: int) -> list[Row]:
    """The rows after the terminal moved them up by so many lines, or down by as many where it is negative."""
    fresh: list[Row] = [[EMPTY] * width for _ in range(abs(by))]
    return [*rows[by:], *fresh] if by > 0 else [*fresh, *rows[:by]]


def _shift(wanted: list[Row], shown: list[Row], lines: Sequence[int]) -> tuple[int, int, int] | None:
    """By how many lines most lines have moved up, and the first and the last line that this is about."""
    left, right = _changed_columns(wanted, shown, lines)
    places: dict[tuple[str, ...], int] = {}
    twice: set[tuple[str, ...]] = set()
    for y in range(lines[0], lines[-1] + 1):
        text = _texts(shown[y], left, right)
        (twice.add(text) if text in places else None)
        places[text] = y
    votes: Counter[int] = Counter()
    for y in lines:
        text = _texts(wanted[y], left, right)
        if text in places and text not in twice:
            votes[places[text] - y] += 1
    if not votes:
        return None
    by, count = votes.most_common(1)[0]
    if not by or count * 2 < len(lines) - abs(by):
        return None
    return by, lines[0], lines[-1]


def _changed_columns(wanted: list[Row], shown: list[Row], lines: Sequence[int]) -> tuple[int, int]:
    """The columns that most of the changed lines have changed in."""
    firsts, lasts = [], []
    for y in lines:
        differ = list(map(is_not, wanted[y], shown[y]))
        if True in differ:
            firsts.append(differ.index(True))
            lasts.append(len(differ) - 1 - differ[::-1].index(True))
    firsts.sort()
    lasts.sort()
    return firsts[len(firsts) // 4], lasts[len(lasts) * 3 // 4]


def _texts(row: Row, left: int, right: int) -> tuple[str, ...]:
    return tuple(["" if cell is None else cell.text for cell in row[left : right + 1]])


def _runs(wanted: Row, shown: Row) -> Iterable[tuple[int, int]]:
    """The runs of cells to be written, from and up to; no wide character of either line is cut by them."""
    others = compress(range(len(wanted)), map(is_not, wanted, shown))
    differ = [x for x in others if wanted[x] is not None and wanted[x] != shown[x]]
    at = 0
    last = -1
    while at < len(differ):
        start = end = differ[at]
        while at < len(differ) and _near(wanted, end, differ[at]):
            end = differ[at]
            at += 1
        start, end = max(_begin(wanted, shown, start), last), _end(wanted, shown, end + 1)
        if end > start:
            yield start, end
        last = end


def _near(wanted: Row, x: int, next: int) -> bool:
    """Whether the cells between are written again rather than jumped over: few, and all of one pen."""
    pens = {cell and cell.pen for cell in wanted[x : next + 1]}
    return next - x <= 1 or (next - x <= GAP and len(pens) == 1 and None not in pens)


def _begin(wanted: Row, shown: Row, x: int) -> int:
    while x > 0 and (_second(wanted[x]) or _second(shown[x])):
        x -= 1
    return x


def _end(wanted: Row, shown: Row, x: int) -> int:
    while x < len(wanted) and (_second(wanted[x]) or _second(shown[x])):
        x += 1
    return x


def _second(cell: Cell | None) -> bool:
    return cell is not None and not cell.text


class _Words:
    """The bytes of one frame, and where they leave the terminal's cursor and pen."""

    def __init__(self, able: Able, width: int) -> None:
        self._able = able
        self._width = width
        self._parts: list[str] = []
        self._at: tuple[int | None, int] | None = None  # None: anywhere
        self._pen: Pen | None = PLAIN

    @property
    def text(self) -> str:
        """All of them."""
        return "".join(self._parts)

    def change(self, pen: Pen) -> None:
        """Write with this pen from now on."""
        if pen != self._pen:
            self._parts.append(change(self._pen, pen))
            self._pen = pen

    def move(self, x: int, y: int) -> None:
        """Go there, the shortest way."""
        if self._at == (x, y):
            return
        column, line = self._at or (None, None)
        words = f"\x1b[{y + 1};{x + 1}H"
        if x == 0 and line is not None and 0 <= y - line <= 1:
            words = "\r\n" if line < y else "\r"
        elif x == 0:
            words = f"\x1b[{y + 1}H"
        elif line == y and column is not None and column < x:
            words = "\x1b[C" if x - column == 1 else f"\x1b[{x - column}C"
        self._parts.append(words)
        self._at = (x, y)

    def clear(self, pen: Pen) -> None:
        """Empty the terminal, in this ground."""
        self._parts.append(change(None, pen) + "\x1b[2J")
        self._pen, self._at = pen, None

    def scroll(self, top: int, bottom: int, by: int) -> None:
        """Move the lines from `top` to `bottom` up, or down where it is negative; what comes in is empty."""
        self.change(PLAIN)
        lines = "" if abs(by) == 1 else str(abs(by))
        self._parts.append(f"\x1b[{top + 1};{bottom + 1}r\x1b[{top + 1}H\x1b[{lines}{'M' if by > 0 else 'L'}\x1b[r")
        self._at = None

    def run(self, row: Row, start: int, end: int, y: int) -> None:
        """Write these cells of a line."""
        x = start
        while x < end:
            cell = row[x]
            assert cell is not None
            size = _same(row, x, end)
            self.move(x, y)
            if size > 1:
                self._many(cell, x, size, y)
            else:
                while x + size < end and _second(row[x + size]):
                    size += 1
                self._whole(cell, x, size, y)
            x += size
        if x >= self._width and self._at == (x, y):
            self._at = (None, y)

    def _whole(self, cell: Cell, x: int, size: int, y: int) -> None:
        """One character in all of its cells; where a terminal may draw it narrower, nothing old stays beside it."""
        disputed = _disputed(cell.text)
        if disputed and size > 1:
            self._one(Cell(" " * size, cell.pen))
            self._at = (x + size, y)
            self.move(x, y)
        self._one(cell)
        self._at = (None if disputed else x + size, y)

    def _one(self, cell: Cell) -> None:
        if cell.text != " " or self._pen is None or self._pen.blank != cell.pen:
            self.change(cell.pen)
        self._parts.append(cell.text)

    def _many(self, cell: Cell, x: int, size: int, y: int) -> None:
        """The same cell several times: erased or counted, where that is shorter."""
        if cell.text == " " and self._erase(cell.pen, x, size):
            return
        self._one(cell)
        again, plain = f"\x1b[{size - 1}b", cell.text * (size - 1)
        if self._able.repeats and len(again) < len(plain.encode()):
            self._parts.append(again)
        else:
            self._parts.append(plain)
        self._at = (x + size, y)

    def _erase(self, pen: Pen, x: int, size: int) -> bool:
        """Erase so many blanks, if that is shorter; the cursor stays before them."""
        if not pen.erases or (pen.ground and not self._able.erases_in_colour):
            return False
        to_the_end = self._able.erases_line and x + size == self._width
        if not to_the_end and (not self._able.erases_some or self._able.repeats or size < 10):
            return False
        if self._pen is None or self._pen.ground != pen.ground or self._pen.flags:
            self.change(pen)
        self._parts.append("\x1b[K" if to_the_end else f"\x1b[{size}X")
        return True


def _same(row: Row, x: int, end: int) -> int:
    """How many cells from here on are this one."""
    cell, size = row[x], 1
    if cell is None or cell_len(cell.text) != 1 or len(cell.text) != 1:
        return 1
    while x + size < end and row[x + size] == cell:
        size += 1
    return size


def _disputed(text: str) -> bool:
    return len(text) > 1 or ord(text) >= DISPUTED
