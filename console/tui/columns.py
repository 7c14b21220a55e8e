"""Which columns fit into a pane, and where each stands.

Columns leave in an order that was thought about, not by accident: what tells a server apart and what is wrong with it
stays to the last. An address is never cut. Pure arithmetic: no terminal, no rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: its width has the gap to the right in it; it is shown from `least` cells of pane on."""

    name: str
    size: int
    align: str = "left"
    cut: str = "end"  # end, middle, or never
    grows: int = 0  # up to this width, where there is room
    least: int = 0
    wide: bool = False  # only with `w`
    places: bool = False  # only with more than one place
    narrow: tuple[int, int] = (0, 0)  # below this many cells of pane: this width


@dataclass(frozen=True)
class Placed:
    """A column where it stands: its first cell from the pane's left edge, and its width with the gap."""

    column: Column
    number: int
    x: int
    size: int


EDGE = 5  # production, cursor, gap, glyph, gap


def place_columns(
    columns: Sequence[Column],
    total: int,
    *,
    places: bool,
    wide: bool,
    needs: Mapping[str, int] | None = None,
    label: int = 0,
) -> tuple[Placed, ...]:
    """Which columns fit into a pane of `total` cells, and where."""
    shown: list[tuple[int, Column, int]] = []
    for number, column in enumerate(columns):
        if (column.wide and not wide) or (column.places and not places):
            continue
        if not wide and total < column.least:
            continue
        size = column.narrow[1] if total < column.narrow[0] else column.size
        if column.name == "status" and total < 68:
            size = 9
        shown.append((number, column, size))
    sizes = {column.name: size for _, column, size in shown}
    if label and "place" in sizes:
        sizes["place"] = min(max(sizes["place"], label), 18)
    _widen_address(sizes, needs or {})
    _spend(sizes, shown, total)
    placed, x = [], EDGE
    for number, column, _ in shown:
        if sizes[column.name] <= 0:
            continue
        placed.append(Placed(column, number, x, sizes[column.name]))
        x += sizes[column.name]
    return tuple(placed)


def _widen_address(sizes: dict[str, int], needs: Mapping[str, int]) -> None:
    """An address is never cut: its column takes width from the image, then from the flavor."""
    for name, wanted in needs.items():
        lacking = wanted - sizes.get(name, wanted)
        spare = {"image": sizes.get("image", 0), "flavor": sizes.get("flavor", 0)}
        if lacking <= 0 or lacking > sum(spare.values()):
            continue
        for donor in ("image", "flavor"):
            given = min(lacking, spare[donor])
            rest = spare[donor] - given
            given = spare[donor] if 0 < rest < 6 else given
            if given:
                sizes[donor] -= given
                sizes[name] += given
                lacking -= given


def _spend(sizes: dict[str, int], shown: list[tuple[int, Column, int]], total: int) -> None:
    """Spare width goes to the name, then to the next column that grows."""
    spare = total - EDGE - sum(sizes.values())
    for _, column, size in shown:
        if column.grows and spare > 0 and sizes[column.name] > 0:
            given = min(spare, max(0, column.grows - size))
            sizes[column.name] += given
            spare -= given
        elif column.name == "name" and spare < 0:
            sizes["name"] = max(8, sizes["name"] + spare)
            spare = total - EDGE - sum(sizes.values())
