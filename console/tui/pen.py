"""Pens: how a run of cells looks, and the shortest words that make a terminal change from one look to another.

A cell is a text and a pen. Cells are made once and shared, so that lines are compared in C, by identity. A blank shows
neither its foreground nor boldness: its pen leaves them out, and so blanks that look alike are alike.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from rich.style import Style

Render = Callable[[Style, str], str]

_SEEN_ON_BLANKS = frozenset(("4", "7", "9", "21", "53"))  # lines above, below and through, and reverse
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")  # one letter of a flag
_RENDERED = re.compile(r"(?:\x1b\](8;[^\x1b\x07]*)\x1b\\)?(?:\x1b\[([\d;:]*)m)?x")


class Pen(NamedTuple):
    """A look: SGR attributes, the two colours as SGR parameters ("" is the terminal's own), and a link."""

    flags: tuple[str, ...] = ()
    front: str = ""
    ground: str = ""
    link: str = ""

    @property
    def blank(self) -> "Pen":
        """What is seen of this pen where nothing is written."""
        seen = tuple(flag for flag in self.flags if flag in _SEEN_ON_BLANKS)
        return Pen(seen, self.front if seen else "", self.ground, self.link)

    @property
    def erases(self) -> bool:
        """Whether a blank of this pen is what a terminal leaves where it erases with this ground."""
        return not self.flags and not self.link


class Cell(NamedTuple):
    """One cell of the screen; the second one of a wide character has no text."""

    text: str
    pen: Pen


PLAIN = Pen()
EMPTY = Cell(" ", PLAIN)


@lru_cache(10_000)
def change(old: Pen | None, new: Pen) -> str:
    """What to send so that the terminal goes from one look to the other; None is any look."""
    link = "" if old is not None and old.link == new.link else f"\x1b]{new.link or '8;;'}\x1b\\"
    if old is None:
        link = link if new.link else ""
    codes = _codes(old, new)
    return link + ("" if codes is None else f"\x1b[{codes}m")


def _codes(old: Pen | None, new: Pen) -> str | None:
    anew = ";".join(part for part in ("0", *new.flags, new.front, new.ground) if part)
    anew = "" if anew == "0" else anew
    if old is None or not set(old.flags) <= set(new.flags):
        return anew
    added = [flag for flag in new.flags if flag not in old.flags]
    front = [] if old.front == new.front else [new.front or "39"]
    ground = [] if old.ground == new.ground else [new.ground or "49"]
    parts = [*added, *front, *ground]
    if not parts:
        return None
    return min(";".join(parts), anew, key=len)


class Cells:
    """Makes cells of segments, for a terminal with as many colours as `render` gives them."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._tables: dict[Style | None, _Table] = {None: _Table(PLAIN)}

    def of(self, segments: Iterable[Segment]) -> list[Cell]:
        """The cells of a strip's segments."""
        cells: list[Cell] = []
        for text, style, control in segments:
            if control:
                continue
            table = self._tables.get(style) or self._new(style)
            if text.isascii():
                cells += map(table.__getitem__, text)
            else:
                _split(text, table, cells)
        return cells

    def _new(self, style: Style | None) -> "_Table":
        assert style is not None
        if len(self._tables) > 5000:
            self._tables = {None: self._tables[None]}
        table = self._tables[style] = _Table(pen_of(self._render(style, "x")))
        return table


class _Table(dict[str, Cell]):
    """The cells of one pen, by text."""

    def __init__(self, pen: Pen) -> None:
        super().__init__()
        self.pen = pen
        self[" "] = _cell(" ", pen.blank)
        self[""] = _cell("", pen)

    def __missing__(self, text: str) -> Cell:
        cell = self[text] = _cell(text, self.pen)
        return cell


@lru_cache(50_000)
def _cell(text: str, pen: Pen) -> Cell:
    """The one cell of this text and this pen, whatever style it came from."""
    return Cell(text, pen)


def _split(text: str, table: _Table, cells: list[Cell]) -> None:
    """Cells of a text in which not each character takes one; what takes none belongs to the one before it."""
    if _one_each(text):
        cells += map(table.__getitem__, text)
        return
    for start, end, size in split_graphemes(text)[0]:
        part = text[start:end]
        if cells and _FLAG.match(part) and _FLAG.fullmatch(cells[-1].text):
            cells[-1] = table[cells[-1].text + part]  # two letters are one flag, in the cells of both
            cells.append(table[""])
        elif size:
            cells.append(table[part])
            cells += [table[""]] * (size - 1)
        elif cells:
            _join(cells, part)


@lru_cache(5000)
def _one_each(text: str) -> bool:
    """Whether each character of a text takes one cell."""
    return cell_len(text) == len(text) and "\u200d" not in text and "\ufe0f" not in text and all(map(cell_len, text))


def _join(cells: list[Cell], mark: str) -> None:
    at = len(cells) - 1
    while at > 0 and not cells[at].text:
        at -= 1
    cells[at] = _cell(cells[at].text + mark, cells[at].pen)


def pen_of(rendered: str) -> Pen:
    """The pen of a rendered "x"."""
    found = _RENDERED.match(rendered)
    link, codes = (found[1] or "", found[2] or "") if found else ("", "")
    words = codes.split(";") if codes else []
    flags: list[str] = []
    front = ground = ""
    while words:
        word = words.pop(0)
        if word in ("38", "48"):
            word = ";".join([word, *(words.pop(0) for _ in range(2 if words[0] == "5" else 4))])
        number = int(word.partition(";")[0])
        if number in range(30, 39) or number in range(90, 98):
            front = word
        elif number in range(40, 49) or number in range(100, 108):
            ground = word
        elif number not in (0, 39, 49):
            flags.append(word)
    return Pen(tuple(flags), front, ground, link)
