"""Which columns fit into a pane, and where each stands.

Columns leave in an order that was thought about, not by accident: what tells a server apart and what is wrong with it
stays to the last. An address is never cut. Pure arithmetic: no terminal, no rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EDGE = 5  # production, cursor, gap, glyph, gap
NARROW_EDGE = 2  # cursor or glyph, gap: where a pane stands beside another


@dataclass(frozen=True)
class Column:
    """One column: its width has the gap to the right in it; it is shown from `least` cells of pane on."""

    name: str
    size: int
    align: str = "left"
    cut: str = "end"  # end, middle, head (mostly its beginning stays), or never
    grows: int = 0  # up to this width, where there is room and something to show
    late: bool = False  # grows with what the needs of the others leave, and before them
    gives: int = 0  # down to this width, where less is needed or another column needs it more
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


Shown = list[tuple[int, Column]]
LEAVES_EARLY = 90  # cells of pane from which on a column is shown that leaves for wide ones at once
ROOMY = 130  # cells of pane from which on what grows late does so
STAYS = 2  # columns that leave for no other: a name, a status
SMALL = 9  # cells of a column that leaves for no other
NAME = 20  # cells of a name that is not cut for columns that were asked for


def place_columns(
    columns: Sequence[Column],
    total: int,
    *,
    places: bool,
    wide: bool,
    needs: Mapping[str, int] | None = None,
    edge: int = EDGE,
) -> tuple[Placed, ...]:
    """Which columns fit into a pane of `total` cells, and where; `needs` is the width of the longest text of each."""
    needs = needs or {}
    shown = [
        (number, column)
        for number, column in enumerate(columns)
        if not (column.wide and not wide) and not (column.places and not places) and (wide or total >= column.least)
    ]
    if wide:
        shown = _fitting(shown, total, total - edge, needs)
    sizes = {column.name: _size(column, total) for _, column in shown}
    _give(sizes, shown, needs)
    _address(sizes, shown, needs)
    _spend(sizes, shown, needs, total - edge, late=total >= ROOMY)
    placed, x = [], edge
    for number, column in shown:
        if sizes[column.name] > 0:
            placed.append(Placed(column, number, x, sizes[column.name]))
            x += sizes[column.name]
    return tuple(placed)


def _size(column: Column, total: int) -> int:
    if column.name == "status" and total < 68:
        return 9
    return column.narrow[1] if total < column.narrow[0] else column.size


def _fitting(shown: Shown, total: int, room: int, needs: Mapping[str, int]) -> Shown:
    """Wide columns are asked for, so that others make room for them: those that leave first anyway, then the widest.

    The last two of the wide ones leave before an address or a task does; what comes first of both kinds (name, status,
    id) stays. What finds room in the end comes back.
    """
    kept = [column for _, column in shown]
    ours, theirs = ([column for column in kept if column.wide is wide] for wide in (False, True))
    ours = sorted(ours[STAYS:], key=lambda column: (column.least, column.size), reverse=True)
    early, late = ([one for one in ours if (one.least > LEAVES_EARLY) is first] for first in (True, False))
    others = theirs[:0:-1]
    sizes = {column: _least(column, total, needs, column is kept[0]) for column in kept}
    spare, left = room - sum(sizes.values()), list[Column]()
    for leaving in (*early, *others[:2], *[one for one in late if one.least or one.size > SMALL], *others[2:]):
        if spare >= 0:
            break
        kept.remove(leaving)
        left.append(leaving)
        spare += sizes[leaving]
    for column in reversed(left):
        if sizes[column] <= spare:
            kept.append(column)
            spare -= sizes[column]
    return [(number, column) for number, column in shown if column in kept]


def _least(column: Column, total: int, needs: Mapping[str, int], first: bool) -> int:
    """The width below which a column is not worth its room: names, places, ids and addresses are no use when cut."""
    size, need = _size(column, total), needs.get(column.name)
    if column.places and need is not None:
        return max(size, min(column.grows, need + 1))
    if column.cut == "never" and need is not None:
        return max(column.gives, need + 1)
    if first or column.name == "id":
        most = NAME if first and need is not None else size
        return max(column.gives, min(most, size if need is None else need + 1))
    return _worth(column, needs) or size


def _worth(column: Column, needs: Mapping[str, int]) -> int:
    """The width down to which a column gives; one that was asked for keeps to less where its texts need less."""
    need = needs.get(column.name)
    if not column.wide or need is None:
        return column.gives
    return min(column.gives, max(len(column.name), need) + 1)


def _give(sizes: dict[str, int], shown: Shown, needs: Mapping[str, int]) -> None:
    """A column that needs less than its width gives the rest away."""
    for _, column in shown:
        need = needs.get(column.name)
        if column.gives and need is not None:
            sizes[column.name] = min(sizes[column.name], max(_worth(column, needs), need + 1))


def _address(sizes: dict[str, int], shown: Shown, needs: Mapping[str, int]) -> None:
    """An address is never cut: its column takes width from the image, then from the flavor."""
    lacking = needs.get("address", 0) + 1 - sizes.get("address", 99)
    if lacking <= 0 or lacking > sizes.get("image", 0) + sizes.get("flavor", 0):
        return
    for donor in ("image", "flavor"):
        given = min(lacking, sizes.get(donor, 0))
        if given and sizes[donor] - given < 6:
            given = sizes[donor]
        if given > 0:
            sizes[donor] -= given
            sizes["address"] += given
            lacking -= given


def _spend(sizes: dict[str, int], shown: Shown, needs: Mapping[str, int], room: int, *, late: bool) -> None:
    """Spare width goes to what is cut, the name first; then to what grows late, the name and what grows with it.

    What grows late does so in roomy panes alone, and whatever its texts need, since those come and go: no column shall
    move for a fault.
    """
    for at, (_, column) in enumerate(shown):
        # A place that is cut is no place; and what was asked for gives way to a name, since it is wide enough for it.
        if column.name in needs and (column.places or (not at and column.gives and any(one.wide for _, one in shown))):
            sizes[column.name] = max(sizes[column.name], min(column.grows, needs[column.name] + 1))
    spare = room - sum(sizes.values())
    growing = [column for _, column in shown if column.grows and sizes[column.name] > 0 and (late or not column.late)]
    growing.sort(key=lambda column: (not column.places, not column.late))
    for wanted in (True, False):
        for column in growing:
            most = 0 if column.late else min(column.grows, needs.get(column.name, column.grows) + 1)
            if not wanted:
                most = 0 if column.places else column.grows
            given = max(0, min(spare, most - sizes[column.name]))
            sizes[column.name] += given
            spare -= given
    for _, column in sorted(shown, key=lambda pair: (pair[1].places, -pair[0])):
        if spare < 0 and column.gives:
            taken = min(-spare, max(0, sizes[column.name] - _worth(column, needs)))
            sizes[column.name] -= taken
            spare += taken
