"""What each place still has room for: its limits with what is used of them, and its availability zones."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from console.cli import reach
from console.cli.columns import ordered, sheet
from console.cli.listing import wanted
from console.cli.output import Column, write
from console.cli.parse import Given
from console.clouds.dialect import Dialect
from console.errors import ConsoleError
from console.model.place import Place
from console.model.zone import Zone

if TYPE_CHECKING:
    from console.session import Console


class Line(NamedTuple):
    """One limit of one place."""

    place: Place
    name: str
    used: int | None = None
    most: int | None = None
    unit: str = ""

    @property
    def left(self) -> int | None:
        """How much may still be used; None where there is no limit, or nobody counts."""
        return None if self.used is None or self.most is None else self.most - self.used


LIMITS = (
    Column("name", lambda line: line.name),
    Column("used", lambda line: line.used),
    Column("most", lambda line: line.most),
    Column("left", lambda line: line.left),
    Column("unit", lambda line: line.unit or None),
    Column("place", lambda line: str(line.place)),
)
ZONES = (
    Column("name", lambda zone: zone.name),
    Column("state", lambda zone: "available" if zone.available else "not available"),
    Column("hosts", lambda zone: zone.hosts),
    Column("hosts_up", lambda zone: zone.hosts_up),
    Column("place", lambda zone: str(zone.place)),
)


def limits(given: Given) -> int:
    """Print the limits of each place."""
    return reach.run(_told(given, LIMITS, _limits))


def zones(given: Given) -> int:
    """Print the availability zones of each place."""
    return reach.run(_told(given, ZONES, _zones))


async def _limits(dialect: Dialect, place: Place) -> list[Line]:
    known = dict((await dialect.limits()).absolute)
    if "quota.list" in dialect.verbs:
        known |= (await dialect.quotas()).absolute
    return [Line(place, one.name, one.used, one.most, one.unit) for one in known.values()]


async def _zones(dialect: Dialect, place: Place) -> list[Zone]:
    return await dialect.zones()


Ask = Callable[[Dialect, Place], Awaitable[Sequence[Line | Zone]]]


async def _told(given: Given, columns: Sequence[Column], ask: Ask) -> int:
    picked = wanted(columns, given)
    async with reach.reach(given) as ops:
        answers: dict[Place, Sequence[Line | Zone] | ConsoleError] = {}
        while places := [place for place in ops.places if place not in answers]:  # a login may tell of further ones
            told = await asyncio.gather(*(_asked(ops, place, ask) for place in places))
            answers.update(zip(places, told, strict=True))
        troubles = {place: answer for place, answer in answers.items() if isinstance(answer, ConsoleError)}
        failed = reach.tell_troubles(ops, troubles)
    lines: list[Any] = [line for answer in answers.values() if isinstance(answer, list) for line in answer]
    rows = ordered(lines, columns, given.get("sort_column", ["place"]))
    write(sheet(picked, rows), given.get("format", "table"))
    return reach.verdict(failed, len(answers) - len(troubles), troubles.values())


async def _asked(ops: "Console", place: Place, ask: Ask) -> Sequence[Line | Zone] | ConsoleError:
    try:
        return await ask(await ops.fleet.ready(place), place)
    except ConsoleError as error:
        return error
