"""The columns that a user adds to a pane in the settings: each one a value of the cloud's own record, by its path.

They are columns like any other: shown where there is room, filtered by their name, sorted by `s`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from console.core.jsonpath import reader
from console.core.settings import OwnColumn
from console.text import clean
from console.tui.columns import Column
from console.tui.spec import Cell, Cells, PaneSpec, Scene

LEAST = 98  # cells of pane from which on there is room beside the columns that never leave
KEPT = 77  # cells that those take


def with_columns(specs: Mapping[str, PaneSpec], own: Mapping[str, Sequence[OwnColumn]]) -> dict[str, PaneSpec]:
    """These panes with the user's columns in them."""
    return {name: _extended(spec, own[name]) if own.get(name) else spec for name, spec in specs.items()}


def _extended(spec: PaneSpec, own: Sequence[OwnColumn]) -> PaneSpec:
    """A pane with more columns, before the age; those that leave on narrow screens leave a little earlier for it."""
    at = next((n for n, column in enumerate(spec.columns) if column.name == "age"), len(spec.columns))
    total = sum(one.width for one in own)
    columns = [replace(column, least=column.least + total if column.least >= LEAST else 0) for column in spec.columns]
    mine = [_column(one, sum(other.width for other in own[: n + 1])) for n, one in enumerate(own)]
    reads = {one.name: _reading(one.path) for one in own}

    def cells(row: Any, scene: Scene) -> Cells:
        known = spec.cells(row, scene)
        return (*known[:at], *(_cell(read(row, scene), scene) for read in reads.values()), *known[at:])

    return replace(
        spec,
        columns=(*columns[:at], *mine, *columns[at:]),
        cells=cells,
        fields={**spec.fields, **reads},
    )


def _column(own: OwnColumn, before: int) -> Column:
    return Column(own.name, own.width, align=own.align, gives=4, least=max(LEAST, KEPT + before), wide=own.wide)


def _reading(path: str) -> Callable[[Any, Scene], str | float | None]:
    read = reader(path)

    def of(row: Any, scene: Scene) -> str | float | None:
        value = read(row.record)
        return clean(value) if isinstance(value, str) else value

    return of


def _cell(value: str | float | None, scene: Scene) -> Cell:
    return Cell(scene.glyphs.none if value is None else str(value))
