"""What the core must know of a noun to keep it fresh: how it is listed, how one is read, and how often to ask.

A new noun is one line in `KINDS`; the poller, the store, the timeline and the collections are written once.
"""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from console.clouds.dialect import Dialect, Filters
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.model.place import Key, Row
from console.model.quota import Allowance
from console.model.schedule import Schedule
from console.model.server import Server, deleted
from console.model.zone import Zone

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a list."""

    filters: Filters | None = None
    changes_since: dt.datetime | None = None
    all_projects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R]):
    """One noun. Times are seconds between questions."""

    row: type[R]
    list: Callable[[Dialect, Question], AsyncIterator[Sequence[R]]]
    read: Callable[[Dialect, str], Awaitable[R]] | None = None
    settled: float  # while nothing moves
    moving: float  # while a row is about to change
    whole: float  # between complete listings, where changes are listed in between
    changes: bool = False  # whether the cloud can list what changed since a moment
    confirm: bool = False  # whether a row that a listing misses must be asked for before it counts as gone
    filters: frozenset[str] = frozenset()  # the filters that a cloud applies itself
    patterns: bool = False  # whether a cloud takes the name to filter by for a regular expression
    in_flight: Callable[[R], bool] = lambda row: False
    deleted: Callable[[R], bool] = lambda row: False
    hollow: Callable[[R], bool] = lambda row: False  # whether the cloud knows no more of it now than that it is there
    needs: str = ""  # the verb that a dialect must offer for it to be listed, where it is not the kind's own

    @property
    def name(self) -> str:
        """The word for it in keys and messages."""
        return self.row.__name__.lower()

    @property
    def verb(self) -> str:
        """The verb that a dialect must offer for it to be listed."""
        return self.needs or f"{self.name}.list"


def _servers(dialect: Dialect, question: Question) -> AsyncIterator[Sequence[Server]]:
    return dialect.servers(
        changes_since=question.changes_since, filters=question.filters, all_projects=question.all_projects
    )


async def _zones(dialect: Dialect) -> AsyncIterator[Sequence[Zone]]:
    yield await dialect.zones()


async def _allowances(dialect: Dialect) -> AsyncIterator[Sequence[Allowance]]:
    """Everything that is limited, whichever service limits it; the same name of two is told by the second."""
    known = dict((await dialect.limits()).absolute)
    if "quota.list" in dialect.verbs:
        known |= (await dialect.quotas()).absolute
    origin = dialect.origin
    yield [
        Allowance(
            id=name,
            name=name,
            key=Key(origin.endpoint, origin.place.region, "allowance", f"{origin.project_id}/{name}"),
            place=origin.place,
            most=limit.most,
            used=limit.used,
            unit=limit.unit,
        )
        for name, limit in known.items()
    ]


KINDS: dict[type[Row], Kind[Any]] = {
    Server: Kind(
        row=Server,
        list=_servers,
        read=lambda dialect, id: dialect.server(id),
        settled=10.0,
        moving=1.5,
        whole=300.0,
        changes=True,
        confirm=True,
        filters=frozenset({"name", "status", "image_id", "flavor_id"}),
        patterns=True,
        in_flight=lambda server: server.in_flight,
        deleted=deleted,
        hollow=lambda server: server.word == "UNKNOWN" and not server.name,
    ),
    Image: Kind(
        row=Image,
        list=lambda dialect, question: dialect.images(filters=question.filters),
        read=lambda dialect, id: dialect.image(id),
        settled=60.0,
        moving=2.0,
        whole=60.0,
        filters=frozenset({"name", "status", "visibility", "server_id"}),
        in_flight=lambda image: image.in_flight,
        deleted=lambda image: image.status == "deleted",
    ),
    Flavor: Kind(
        row=Flavor,
        list=lambda dialect, question: dialect.flavors(filters=question.filters),
        read=lambda dialect, id: dialect.flavor(id),
        settled=600.0,
        moving=600.0,
        whole=600.0,
    ),
    KeyPair: Kind(
        row=KeyPair,
        list=lambda dialect, question: dialect.keypairs(),
        settled=600.0,
        moving=600.0,
        whole=600.0,
    ),
    Allowance: Kind(
        row=Allowance,
        list=lambda dialect, question: _allowances(dialect),
        settled=30.0,
        moving=30.0,
        whole=30.0,
        needs="limits",
    ),
    IpGroup: Kind(
        row=IpGroup,
        list=lambda dialect, question: dialect.ip_groups(),
        settled=60.0,
        moving=60.0,
        whole=60.0,
    ),
    Schedule: Kind(  # one question for each server of the first generation
        row=Schedule,
        list=lambda dialect, question: dialect.schedules(),
        settled=300.0,
        moving=300.0,
        whole=300.0,
    ),
    Zone: Kind(
        row=Zone,
        list=lambda dialect, question: _zones(dialect),
        settled=60.0,
        moving=60.0,
        whole=60.0,
    ),
}


def kind_of(row: type[R]) -> Kind[R]:
    """What is declared of a noun."""
    return KINDS[row]
