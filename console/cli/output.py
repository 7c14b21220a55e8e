"""Data on stdout, in the form that was asked for: a table for people, the others for programs.

Columns have stable ids, which are the keys of JSON and the words after `-c`. Times are ISO 8601 in UTC, a value that
the cloud did not tell is null (empty in text), and a secret is dots, since whoever may see it reveals it before.
No form but the table is ever cut, and the table only where a terminal is too narrow for it.
"""

import datetime as dt
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from console.text import Secret, cells, clean

NARROWEST = 8  # cells that a cut column keeps
AS_THEY_ARE = frozenset((str, int, float, bool, type(None)))  # what JSON has already


class Column(NamedTuple):
    """One column: its id and how a row tells it; `long` ones are shown when asked for; `cut` ones may be shortened."""

    id: str
    value: Callable[[Any], Any]
    long: bool = False
    cut: bool = True


class Sheet(NamedTuple):
    """Rows ready to be printed: plain values under column ids."""

    ids: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    fixed: frozenset[str] = frozenset()  # ids of columns that are never cut

    def objects(self) -> Iterator[dict[str, Any]]:
        """Each row as one object."""
        for row in self.rows:
            yield dict(zip(self.ids, row, strict=True))


def write(sheet: Sheet, form: str, stream: TextIO | None = None) -> None:
    """Print the rows: table, json, yaml, csv, value or ndjson."""
    out = stream or sys.stdout
    for part in FORMS[form](sheet, out):
        out.write(part)
    out.flush()


def write_one(values: Mapping[str, Any], form: str, stream: TextIO | None = None) -> None:
    """Print one thing: its fields below each other, or one object."""
    out = stream or sys.stdout
    if form in ("table", "value", "csv"):
        rows = [(key, value) for key, value in values.items() if value not in (None, "", [], {})]
        plain = (
            Sheet(("field", "value"), rows) if form != "value" else Sheet(("value",), [(v,) for v in values.values()])
        )
        write(plain, form, out)
        return
    write_objects([dict(values)], form, out, alone=True)


def write_objects(
    objects: Sequence[Mapping[str, Any]], form: str, stream: TextIO | None = None, *, alone: bool = False
) -> None:
    """Print objects of any depth as json, yaml or ndjson; `alone` leaves the list around a single one away."""
    out = stream or sys.stdout
    if form == "yaml":
        out.write(_yaml(objects[0] if alone else list(objects)))
    elif form == "ndjson":
        out.writelines(to_json(item) + "\n" for item in objects)
    elif alone:
        out.write(to_json(objects[0], indent=2) + "\n")
    else:
        out.writelines(_json_list(objects))
    out.flush()


def to_json(value: Any, indent: int = 0) -> str:
    """A value as JSON text; in one line unless indented."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(plain(value)), indent=indent).decode()


def plain(value: Any) -> Any:
    """A value as JSON has them: times as ISO text in UTC, secrets as dots, tuples and sets as lists."""
    kind = type(value)
    if kind in AS_THEY_ARE:
        return value
    if kind is dict:  # by far the most frequent, and an abstract class is slow to ask
        return {
            key if type(key) is str else str(key): item if type(item) in AS_THEY_ARE else plain(item)
            for key, item in value.items()
        }
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return plain(dict(value))
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    return value if isinstance(value, (str, int, float)) else str(value)


def iso(moment: dt.datetime) -> str:
    """A time in UTC to the second, as every form prints it: 2026-11-20T23:01:06Z."""
    known = moment.astimezone(dt.UTC) if moment.tzinfo else moment
    return f"{known:%Y-%m-%dT%H:%M:%S}Z"


def text(value: Any) -> str:
    """A value as one cell of text, cleaned."""
    if value is None:
        return ""
    if type(value) is str:
        return clean(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(str(key))}={text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(text(item) for item in value)
    return clean(str(plain(value)))


def _json_list(objects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """An array with one object per line: fast, short, and kind to diff and grep."""
    between = "[\n  "
    for item in objects:
        yield between + to_json(item)
        between = ",\n  "
    yield "[]\n" if between.startswith("[") else "\n]\n"


def _yaml(value: Any) -> str:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(plain(value), Dumper=dumper, sort_keys=False, allow_unicode=True, default_flow_style=False))


def _json(sheet: Sheet, out: TextIO) -> Iterator[str]:
    return _json_list(sheet.objects())


def _ndjson(sheet: Sheet, out: TextIO) -> Iterator[str]:
    return (to_json(item) + "\n" for item in sheet.objects())


def _yaml_list(sheet: Sheet, out: TextIO) -> Iterator[str]:
    yield _yaml(list(sheet.objects()))


def _csv(sheet: Sheet, out: TextIO) -> Iterator[str]:
    import csv

    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(sheet.ids)
    writer.writerows([text(value) for value in row] for row in sheet.rows)
    return iter(())


def _value(sheet: Sheet, out: TextIO) -> Iterator[str]:
    return (" ".join(text(value) for value in row) + "\n" for row in sheet.rows)


def _table(sheet: Sheet, out: TextIO) -> Iterator[str]:
    """Columns two cells apart, without lines; numbers to the right."""
    if not sheet.rows:
        return
    values = list(zip(*sheet.rows, strict=True))
    columns = [
        [name.upper().replace("_", " "), *map(text, column)] for name, column in zip(sheet.ids, values, strict=True)
    ]
    widths = [max(map(cells, column)) for column in columns]
    if out.isatty():
        fixed = [name in sheet.fixed for name in sheet.ids]
        widths = fit(widths, fixed, shutil.get_terminal_size().columns)
    right = [all(map(_number, column)) for column in values]
    padded = [_padded(*column) for column in zip(columns, widths, right, strict=True)]
    for line in zip(*padded, strict=True):
        yield "  ".join(line).rstrip() + "\n"


def _padded(column: Sequence[str], width: int, right: bool) -> list[str]:
    """A column's texts in exactly so many cells each."""
    if not right and all(content.isascii() and len(content) <= width for content in column):
        return [content.ljust(width) for content in column]
    return [_cell(content, width, right) for content in column]


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _cell(content: str, width: int, right: bool) -> str:
    taken = cells(content)
    if taken > width:
        return shorten(content, width)
    return " " * (width - taken) + content if right else content + " " * (width - taken)


def shorten(content: str, width: int) -> str:
    """The text in exactly so many cells, its end an ellipsis."""
    kept, taken = "", 0
    for character in content:
        taken += cells(character)
        if taken > width - 1:
            break
        kept += character
    return kept + "…" + " " * (width - 1 - cells(kept))


def fit(widths: Sequence[int], fixed: Sequence[bool], most: int) -> list[int]:
    """Widths that together (two cells between them) take at most `most`: the widest one gives first."""
    fitted = list(widths)
    over = sum(fitted) + 2 * (len(fitted) - 1) - most
    while over > 0:
        able = [at for at, width in enumerate(fitted) if not fixed[at] and width > NARROWEST]
        if not able:
            break
        widest = max(able, key=lambda at: fitted[at])
        others = [fitted[at] for at in able if at != widest]
        step = min(over, fitted[widest] - max([NARROWEST, *(w for w in others if w < fitted[widest])]))
        fitted[widest] -= max(1, step)
        over -= max(1, step)
    return fitted


FORMS: dict[str, Callable[[Sheet, TextIO], Iterator[str]]] = {
    "table": _table,
    "json": _json,
    "yaml": _yaml_list,
    "csv": _csv,
    "value": _value,
    "ndjson": _ndjson,
}
