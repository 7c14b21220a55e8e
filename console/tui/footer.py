"""The footer: the keys of the row at the left, lit or not, and those of the screen at the right.

A key keeps its place whether it is lit or not; only what a row asks for (confirm, revert) comes to the front. Words
leave from the right group first, and never by half.
"""

from collections.abc import Sequence
from typing import NamedTuple

from console.tui.paint import Line, Span, fit, spans, width


class Key(NamedTuple):
    """One key of the footer."""

    key: str
    word: str
    lit: bool = True
    rank: int = 1  # the greater, the longer it stays
    first: bool = False


def lines(row: Sequence[Key], screen: Sequence[Key], total: int, *, mono: bool = False) -> Line:
    """The footer's one line."""
    gap = 3 if total >= 100 else 2
    row = sorted(row, key=lambda key: not key.first)
    left, right = list(row), list(screen)
    while _size(left, gap) + _size(right, gap) + gap > total and (left or right):
        _drop(left, right)
    one, two = _line(left, gap, mono), _line(right, gap, mono)
    margin = 2 if total >= 100 else 1
    room = total - 2 * margin - width(one) - width(two)
    return fit(spans(" " * margin, one, " " * max(0, room), two), total)


def _drop(left: list[Key], right: list[Key]) -> None:
    """Take the least needed key away: the screen's own down to two, then the row's."""
    if len(right) > 2 or not left:
        right.remove(min(right, key=lambda key: key.rank))
    else:
        least = min(key.rank for key in left)
        left.remove([key for key in left if key.rank == least][-1])


def _size(keys: Sequence[Key], gap: int) -> int:
    return sum(len(key.key) + 1 + len(key.word) + gap for key in keys)


def _line(keys: Sequence[Key], gap: int, mono: bool) -> Line:
    found: Line = ()
    for number, key in enumerate(keys):
        found = spans(found, " " * gap if number else "", *_key(key, mono))
    return found


def _key(key: Key, mono: bool) -> tuple[Span, Span, Span]:
    if key.lit:
        return Span(key.key, "accent", bold=True), Span(" "), Span(key.word, "text")
    return Span("-" if mono else key.key, "faint"), Span(" "), Span(key.word, "faint")
