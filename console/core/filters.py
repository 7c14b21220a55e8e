"""The filter line: what `/` and `--where` take, and which rows it lets through.

Terms stand between spaces and all must hold. A bare term is a regular expression over the row's words; `!term` must not
match; `field:value` looks into one field; `age<2h` and `ram>=4096` compare. A term that is no valid expression is
looked for as it stands: a filter never fails while it is typed. `doubts` tells what of it is hardly what was meant.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TERM = re.compile(r"(?P<no>!?)(?:(?P<field>[a-z_]+)(?P<op><=|>=|!=|<|>|:|=))?(?P<value>.*)", re.S)
_ADDRESS = re.compile(r"[0-9a-f:.]+")  # of IPv6 or a card: what stands before its colons is no field
_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[a-zA-Z]*)")
_DURATIONS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_SIZES = {"": 1.0, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}

Field = Callable[[Any, Any], Any]
Test = Callable[[Any, Any, str], bool]  # row, scene, haystack


@dataclass(frozen=True)
class Filter:
    """A filter as it was typed, ready to be asked."""

    text: str
    tests: tuple[Test, ...]
    bare: bool = True  # whether some word is looked for in all of a row's words

    def lets(self, row: Any, scene: Any, haystack: str) -> bool:
        """Whether the row passes; `haystack` is its words in lower case."""
        for test in self.tests:  # noqa: SIM110  # a generator would cost as much as a test, for each of the rows
            if not test(row, scene, haystack):
                return False
        return True

    def among(self, rows: Sequence[Any], scene: Any, words: Callable[[Any], str] | None) -> Sequence[Any]:
        """Those of the rows that pass; `words` tells the haystack of one, where any is looked into."""
        for test in self.tests:
            if words is None:
                rows = [row for row in rows if test(row, scene, "")]
            else:
                rows = [row for row in rows if test(row, scene, words(row))]
        return rows


def parse(text: str, fields: Mapping[str, Field]) -> Filter | None:
    """The filter of that text; None where it holds nothing."""
    words = [word for part in text.split() for word in _split_inverse(part) if word not in ("", "!")]
    tests = tuple(_test(word, fields) for word in words)
    return Filter(text, tests, not all(_names_field(word, fields) for word in words)) if tests else None


def doubts(text: str, fields: Mapping[str, Field]) -> list[str]:
    """What of a filter is hardly what was meant, and what to write instead; a sentence for each such term."""
    words = [word for part in text.split() for word in _split_inverse(part)]
    return [doubt for word in words if (doubt := _doubt(word, fields))]


def _doubt(word: str, fields: Mapping[str, Field]) -> str:
    match = _TERM.fullmatch(word)
    if match is None or match["field"] is None:
        return _no_expression(word.removeprefix("!"))
    name, sign, value = match["field"], match["op"], match["value"]
    if _ADDRESS.fullmatch(word):
        return ""
    if name not in fields:
        return f"There is no field {name}; there are {', '.join(fields)}."
    if sign in _COMPARE and amount(value, _SIZES if name == "size" else _DURATIONS) is None:
        return f"{value or 'Nothing'} is no number to compare with: 30, {'2gb' if name == 'size' else '2h, 5d'}."
    return _no_expression(value) if sign == ":" else ""


def _no_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        return f"{text} is no regular expression, so it is looked for as it stands."
    return ""


def _split_inverse(word: str) -> list[str]:
    """`web!test` is `web !test`; a leading mark stays with its word, and `!=` with its field."""
    first, *others = re.split(r"(?<=.)(?=!(?!=))", word)
    return [first, *others]


def _names_field(word: str, fields: Mapping[str, Field]) -> bool:
    match = _TERM.fullmatch(word)
    return match is not None and match["field"] in fields


def _test(word: str, fields: Mapping[str, Field]) -> Test:
    match = _TERM.fullmatch(word)
    name = match["field"] if match else None
    if match is None or name is None or name not in fields:
        inverse = word.startswith("!")
        return _inverted(_searching(word[1:] if inverse else word), inverse)
    inner = _in_field(fields[name], name, match["op"], match["value"])
    return _inverted(inner, bool(match["no"]) is not (match["op"] == "!="))


def _inverted(test: Test, inverse: bool) -> Test:
    return (lambda row, scene, haystack: not test(row, scene, haystack)) if inverse else test


def expression(text: str) -> re.Pattern[str]:
    """The text as a regular expression without case; as plain text where it is none."""
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        return re.compile(re.escape(text), re.IGNORECASE)


def plain_word(text: str) -> str:
    """The text as an expression in one word of a filter, which neither a blank nor a mark parts."""
    return re.sub(r"\\?[\s!]", ".", re.escape(text))


def _searching(text: str) -> Test:
    search = expression(text).search
    return lambda row, scene, haystack: search(haystack) is not None


def _in_field(read: Field, name: str, sign: str, value: str) -> Test:
    if sign in _COMPARE:
        compare, bound = _COMPARE[sign], amount(value, _SIZES if name == "size" else _DURATIONS)
        return lambda row, scene, haystack: _holds(compare, read(row, scene), bound)
    if sign in ("=", "!="):
        return lambda row, scene, haystack: _words(read(row, scene)).lower() == value.lower()
    search = expression(value).search

    def found(row: Any, scene: Any, haystack: str) -> bool:
        told = read(row, scene)
        return search(told if told.__class__ is str else _words(told)) is not None

    return found


def _holds(compare: Callable[[Any, Any], bool], value: Any, bound: float | None) -> bool:
    return isinstance(value, int | float) and bound is not None and compare(value, bound)


def _words(value: Any) -> str:
    return "" if value is None else str(value)


def amount(text: str, units: Mapping[str, float]) -> float | None:
    """A number with a unit: 2h is 7200; None where it is not one."""
    match = _AMOUNT.fullmatch(text)
    factor = units.get(match["unit"].lower()) if match else None
    return float(match["number"]) * factor if match and factor is not None else None
