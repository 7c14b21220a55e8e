"""One value out of a record, by a path such as `metadata.role`, for columns that a user adds.

A small part of RFC 9535: names, names in brackets, positions and `*`, with or without `$.` before them. What a record
does not hold is nothing, never an error: clouds leave fields out as they like.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

Step = str | int | None  # a name, a position, or None for everything

_STEP = re.compile(
    r"""\.?(?:(?P<all>\*|\[\*\])|\[(?P<at>-?\d+)\]|\[(?P<quote>['"])(?P<quoted>.+?)(?P=quote)\]|(?P<name>[^.\[\]*]+))"""
)


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path. Raises `ValueError` that says from where on it is none."""
    rest = text.removeprefix("$")
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        match = _STEP.match(rest, at)
        if match is None:
            break
        steps.append(_step(match))
        at = match.end()
    if not steps or at < len(rest):
        raise ValueError(f"no path to a value: {text[len(text) - len(rest) + at :] or text!r}")
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["all"]:
        return None
    return int(match["at"]) if match["at"] else match["quoted"] or match["name"]


def reader(text: str) -> Callable[[bytes], str | float | None]:
    """What reads that path out of a record's bytes: a number where it is one, else its text, several with commas."""
    steps = parse_path(text)

    def read(record: bytes) -> str | float | None:
        try:
            tree = msgspec.json.decode(record) if record else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        found = [value for value in walk(tree, steps) if value not in (None, "")]
        if len(found) == 1 and isinstance(found[0], int | float) and not isinstance(found[0], bool):
            return found[0]
        return ", ".join(_text(value) for value in found) or None

    return read


def walk(tree: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    """Everything in the tree that the steps lead to."""
    if not steps:
        yield tree
        return
    step, rest = steps[0], steps[1:]
    if step is None:
        children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
        for child in children:
            yield from walk(child, rest)
    elif _has(tree, step):
        yield from walk(tree[step], rest)


def _has(tree: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(tree, dict) and step in tree
    return isinstance(tree, list) and -len(tree) <= step < len(tree)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
