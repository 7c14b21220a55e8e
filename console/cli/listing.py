"""The commands that read: lists, single things, console logs, and the search for an address.

The clouds are asked in parallel, and each once. What one of them cannot answer is told on stderr beside the rows of
the others, and in the exit code.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.cli import reach
from console.cli.columns import FIXED_COLUMNS, Names, chosen, ordered, server_columns, sheet
from console.cli.naming import named_servers
from console.cli.narrowing import listed
from console.cli.output import Column, write, write_objects, write_one
from console.cli.parse import Given, UsageError
from console.cli.search import matches
from console.cli.voice import complain, say
from console.core.news import fields
from console.errors import ConsoleError, NotFound
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.model.place import Row
from console.model.server import Server

FOLLOW_SECONDS = 2.0  # between two looks at a console log

if TYPE_CHECKING:
    from console.session import Collection, Console, Found


def servers(given: Given) -> int:
    """List servers."""
    return reach.run(_servers(given))


def images(given: Given) -> int:
    """List images."""
    if given.get("base") and given.get("snapshots"):
        raise UsageError("--base and --snapshots exclude each other.")
    return reach.run(_images(given))


def flavors(given: Given) -> int:
    """List flavors."""
    return reach.run(_listed(given, "flavors", FIXED_COLUMNS[Flavor]))


def ipgroups(given: Given) -> int:
    """List shared IP groups."""
    return reach.run(_listed(given, "ipgroups", FIXED_COLUMNS[IpGroup]))


def keypairs(given: Given) -> int:
    """List key pairs."""
    return reach.run(_listed(given, "keypairs", FIXED_COLUMNS[KeyPair]))


def show_servers(given: Given) -> int:
    """Show servers."""
    return reach.run(_show(given, "servers"))


def show_images(given: Given) -> int:
    """Show images."""
    return reach.run(_show(given, "images"))


def show_flavors(given: Given) -> int:
    """Show flavors."""
    return reach.run(_show(given, "flavors"))


def show_keypairs(given: Given) -> int:
    """Show key pairs."""
    return reach.run(_show(given, "keypairs"))


def console_log(given: Given) -> int:
    """Print a console log."""
    return reach.run(_console_log(given))


def find(given: Given) -> int:
    """Find servers by what is known of them."""
    return reach.run(_find(given))


async def _servers(given: Given) -> int:
    columns = wanted(server_columns({}, {}, projects=bool(given.get("all_projects"))), given)
    filters: dict[str, Any] = {
        name: given.options[name] for name in ("name", "status", "image", "flavor") if name in given.options
    }
    if "status" in filters:
        filters["status"] = filters["status"].upper()
    async with reach.reach(given) as ops:
        names = (
            asyncio.create_task(_names(ops, Image), name="names of images") if _needs_names(columns, given) else None
        )
        found = await listed(ops, filters)
        image_names = await names if names is not None else {}
        flavor_names = await _names(ops, Flavor) if _flavors_missing(found.rows, columns, given) else {}
    return printed(
        ops, found, given, server_columns(image_names, flavor_names, projects=bool(given.get("all_projects")))
    )


def _needs_names(columns: Sequence[Column], given: Given) -> bool:
    return not given.get("no_name_lookup") and any(column.id == "image" for column in columns)


def _flavors_missing(rows: Sequence[Server], columns: Sequence[Column], given: Given) -> bool:
    """Whether a flavor column is shown and some record tells only the flavor's id."""
    if given.get("no_name_lookup") or not any(column.id == "flavor" for column in columns):
        return False
    return any(row.flavor is not None and not row.flavor.name for row in rows)


async def _names(ops: "Console", kind: type[Row]) -> Names:
    """The names of images or flavors as each place tells them; where a cloud does not tell them there are none."""
    await ops.of(kind).list()
    return {
        (str(place), row.id): row.name for place in ops.places for row in ops.store.told_by(kind, place) if row.name
    }


async def _images(given: Given) -> int:
    filters = {name: given.options[name] for name in ("name", "status") if name in given.options}
    if "status" in filters:
        filters["status"] = filters["status"].lower()
    async with reach.reach(given) as ops:
        found = await ops.images.list(**filters)
    if given.get("base") or given.get("snapshots"):
        kept = [row for row in found.rows if row.snapshot == bool(given.get("snapshots"))]
        found = type(found)(kept, found.troubles)
    return printed(ops, found, given, FIXED_COLUMNS[Image])


async def _listed(given: Given, kind: str, columns: Sequence[Column]) -> int:
    async with reach.reach(given) as ops:
        found: Found[Any] = await getattr(ops, kind).list()
    return printed(ops, found, given, columns)


def wanted(columns: Sequence[Column], given: Given) -> tuple[Column, ...]:
    """The columns that were asked for. Raises `UsageError` before any cloud is asked."""
    for word in given.get("sort_column", []):
        ordered([], columns, [word])
    return chosen(columns, given.get("column", []), long=bool(given.get("long")))


def printed(ops: "Console", found: "Found[Any]", given: Given, columns: Sequence[Column]) -> int:
    """Print the rows, say what is wrong, and give the exit code."""
    rows = ordered(found.rows, columns, given.get("sort_column", ["name"]))
    form = given.get("format", "table")
    write(sheet(wanted(columns, given), rows), form)
    failed = reach.tell_troubles(ops, found.troubles)
    good = len(ops.places) - len(found.troubles)
    if not rows and form == "table" and good:
        say("nothing found")
    return reach.verdict(failed, good, found.troubles.values())


async def _show(given: Given, kind: str) -> int:
    async with reach.reach(given) as ops:
        failed = reach.tell_troubles(ops, {})
        collection: Collection[Any] = getattr(ops, kind)
        found = await asyncio.gather(*(one(collection, name) for name in given.names))
    rows = [row for row in found if isinstance(row, Row)]
    errors = [error for error in found if isinstance(error, ConsoleError)]
    for error in errors:
        complain(error)
    _print_fields([picked(fields(row), given.get("column", [])) for row in rows], given)
    return reach.verdict(failed + len(errors), len(rows), errors)


async def one(collection: "Collection[Any]", name: str) -> Any:
    """The thing of that name or id, read now, or the error that says why not."""
    try:
        return await collection.get(await collection.find(name))
    except ConsoleError as error:
        return error


def picked(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Only the fields that were asked for. Raises `UsageError`."""
    if not names:
        return dict(values)
    return {column.id: values[column.id] for column in chosen([Column(name, str) for name in values], names, long=True)}


def _print_fields(things: Sequence[Mapping[str, Any]], given: Given) -> None:
    form = given.get("format", "table")
    if form in ("json", "yaml", "ndjson"):
        if things:
            write_objects(things, form, alone=len(given.names) == 1 and form != "ndjson")
        return
    for at, values in enumerate(things):
        if at and form == "table":
            print()
        write_one(values, form)


async def _console_log(given: Given) -> int:
    async with reach.reach(given) as ops:
        (server,) = await named_servers(ops, given.names)
        dialect = ops.fleet.dialect(server.place)
        text = await dialect.console_log(server.id, lines=given.get("lines"))
        sys.stdout.write(text if text.endswith("\n") or not text or given.get("follow") else text + "\n")
        began, stop = ops.clock.monotonic(), given.get("timeout")
        while given.get("follow") and (stop is None or ops.clock.monotonic() - began < stop):
            sys.stdout.flush()
            await ops.clock.sleep(FOLLOW_SECONDS)
            now = await dialect.console_log(server.id)
            sys.stdout.write(added(text, now))
            text = now
    return 0


def added(before: str, now: str) -> str:
    """What a console has told since; all of it after a restart has emptied it, and what follows where it was cut."""
    if now.startswith(before):
        return now[len(before) :]
    tail = before[-400:]
    at = now.rfind(tail) if tail else -1
    return now[at + len(tail) :] if at >= 0 else now


async def _find(given: Given) -> int:
    async with reach.reach(given) as ops:
        found = await ops.servers.list()
    hits = [(row, why) for row in found.rows for why in [matches(row, given.names)] if why]
    reasons = {row.key: why for row, why in hits}
    columns = (
        *server_columns({}, {})[:5],
        Column("place", lambda s: str(s.place)),
        Column("match", lambda s: reasons[s.key]),
    )
    failed = reach.tell_troubles(ops, found.troubles)
    write(
        sheet(chosen(columns, given.get("column", []), long=False), [row for row, _ in hits]),
        given.get("format", "table"),
    )
    if not hits:
        raise NotFound(f"No server has {' or '.join(given.names)}.")
    return reach.verdict(failed, len(ops.places) - len(found.troubles), found.troubles.values())
