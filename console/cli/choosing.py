"""Which servers an order is about: those named, all of them, or those that an expression lets through.

Whoever says `--all` or `--where` sees the plan first, as a table, and then types how many there are, or has said so
beforehand with `--expect`: `--yes` alone is not enough, since an expression may mean more than was thought.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.cli.columns import server_columns, sheet
from console.cli.naming import BINNED, deleted_servers, named
from console.cli.output import write
from console.cli.parse import Given, UsageError, nearest
from console.cli.voice import asked, say, someone_there
from console.core.filters import Filter, parse
from console.errors import ActionRefused
from console.model.flavor import Flavor
from console.model.place import Row
from console.model.server import Server

if TYPE_CHECKING:
    from console.actions.declared import Action
    from console.session import Collection, Console

_FIELD = re.compile(r"!?([a-z_]+)(?:<=|>=|<|>|:|=)")
GONE = "DELETED"
PLAN = ("name", "id", "status", "task_state", "flavor", "address", "place")


def in_bulk(given: Given) -> bool:
    """Whether the rows are chosen by `--all` or `--where`."""
    return bool(given.get("all") or given.get("where"))


async def rows_of(ops: "Console", collection: "Collection[Any]", given: Given) -> list[Row]:
    """The rows that are meant. Raises `UsageError`, `NotFound`, `AmbiguousName`, or the error of a silent cloud."""
    restoring = given.command.action == "server.restore"
    if not in_bulk(given):
        return list(await (deleted_servers(ops, given.names) if restoring else named(collection, given.names)))
    if given.names or (given.get("all") and given.get("where")):
        raise UsageError("Say names, --all or --where: one of them.")
    found = filter_of(given.options["where"]) if given.get("where") else None
    answer = await (collection.list(status=BINNED) if restoring else collection.list())
    if answer.troubles:  # "all" must not mean those of the clouds that happen to answer
        raise next(iter(answer.troubles.values()))
    if found is not None and any(_wants_flavors(word) for word in found.text.split()):
        await ops.of(Flavor).list()
    scene = Scene(ops.clock.now(), {row.id: row.name for row in ops.store.rows(Flavor).values()})
    there = [row for row in answer.rows if getattr(row, "word", "") != GONE]  # Nova lists them for a moment yet
    rows = [row for row in there if found is None or found.lets(row, scene, haystack(row))]
    return sorted(rows, key=lambda row: (str(row.place), row.name))


def _wants_flavors(word: str) -> bool:
    return word.lstrip("!").startswith("flavor")


class Scene:
    """What a field is read by: the moment, and the flavors' names."""

    def __init__(self, now: dt.datetime, flavors: Mapping[str, str]) -> None:
        self.now, self.flavors = now, flavors


def haystack(row: Server) -> str:
    """The words of a server that a bare term is looked for in, in lower case."""
    words = [row.name, row.id, row.status, row.task_state, str(row.place)]
    words += [address.addr for address in row.all_addresses()]
    return " ".join(word for word in words if word).lower()


def _age(row: Server, scene: Scene) -> float | None:
    return (scene.now - row.created).total_seconds() if row.created else None


def _flavor(row: Server, scene: Scene) -> str | None:
    if row.flavor is None:
        return None
    return row.flavor.name or scene.flavors.get(row.flavor.id or "") or row.flavor.id


FIELDS: dict[str, Callable[[Any, Any], Any]] = {
    "name": lambda row, scene: row.name,
    "id": lambda row, scene: row.id,
    "status": lambda row, scene: row.status,
    "task": lambda row, scene: row.task_state,
    "power": lambda row, scene: row.power,
    "place": lambda row, scene: str(row.place),
    "cloud": lambda row, scene: row.place.cloud,
    "region": lambda row, scene: row.place.region,
    "project": lambda row, scene: row.project_id,
    "flavor": _flavor,
    "image": lambda row, scene: row.image_id,
    "key": lambda row, scene: row.key_name,
    "zone": lambda row, scene: row.zone,
    "host": lambda row, scene: row.host or row.host_id,
    "locked": lambda row, scene: "yes" if row.locked else "no",
    "address": lambda row, scene: " ".join(address.addr for address in row.all_addresses()),
    "metadata": lambda row, scene: " ".join(f"{key}={text}" for key, text in (row.metadata or {}).items()),
    "tag": lambda row, scene: " ".join(row.tags or ()),
    "age": _age,
}


def filter_of(text: str) -> Filter:
    """The filter of that expression; a field that there is not is an error here, where it would mean too much."""
    for word in text.split():
        field = _FIELD.match(word)
        if field is not None and field[1] not in FIELDS:
            raise UsageError(f"--where knows no field '{field[1]}'." + nearest(field[1], list(FIELDS)))
    found = parse(text, FIELDS)
    if found is None:
        raise UsageError("--where needs an expression, such as 'name:^web status:ERROR'.")
    return found


def expected_number(rows: Sequence[Any], given: Given) -> None:
    """Raise `ActionRefused` where other than so many were expected, however they were chosen."""
    expected = given.get("expect")
    if expected is not None and expected != len(rows):
        raise ActionRefused(f"{len(rows)} servers are meant, and {expected} were expected. Nothing was done.")


def agree(action: "Action", rows: Sequence[Any], given: Given) -> None:
    """Show what is planned, and have its size confirmed. Raises `ActionRefused` or `UsageError` where it is not."""
    import sys

    if not rows:
        raise ActionRefused("No server is meant by that.")
    expected_number(rows, given)
    columns = [column for column in server_columns({}, {}) if column.id in PLAN]
    columns.sort(key=lambda column: PLAN.index(column.id))
    write(sheet(columns, rows), "table", sys.stderr)
    if given.get("expect") is not None:
        return  # as many as are meant
    if not someone_there():
        raise UsageError(f"{len(rows)} servers are meant: say --expect {len(rows)} where nobody can be asked.")
    if asked(f"{action.title} all {len(rows)} of them? Type {len(rows)} to go on:") != str(len(rows)):
        raise ActionRefused("Nothing was done.")


def tell_shared_hosts(rows: Sequence[Any]) -> None:
    """Point out those that are on one host together."""
    from console.actions.legal import same_host

    for group in same_host(row for row in rows if isinstance(row, Server)):
        say(f"{', '.join(server.name or server.id for server in group)} are on one host")
