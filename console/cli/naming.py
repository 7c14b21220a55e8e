"""From names and ids to the things that they mean, at all open places; nothing is guessed."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.cli.voice import complain
from console.errors import AmbiguousName, ConsoleError
from console.model.server import Server

if TYPE_CHECKING:
    from console.session import Collection, Console


async def named_servers(ops: "Console", names: Sequence[str]) -> list[Server]:
    """The servers with these names or ids. Raises `NotFound` or `AmbiguousName`."""
    found: list[Server] = await named(ops.servers, names)
    return found


BINNED = "SOFT_DELETED"


async def deleted_servers(ops: "Console", names: Sequence[str]) -> list[Server]:
    """The servers with these names or ids that can be had back; a name that none of them has may be another's."""
    binned = (await ops.servers.list(status=BINNED)).rows
    found = {name: [row for row in binned if name in (row.name, row.id)] for name in dict.fromkeys(names)}
    for name, rows in found.items():
        if len(rows) > 1:
            candidates = [f"{row.id} {row.place}" for row in rows]
            text = f"{len(rows)} deleted servers are called {name}: {', '.join(candidates[:10])}."
            raise AmbiguousName(text, candidates=candidates)
    others = await named_servers(ops, [name for name, rows in found.items() if not rows])
    return [*(row for rows in found.values() for row in rows), *others]


async def named(collection: "Collection[Any]", names: Sequence[str]) -> list[Any]:
    """The rows with these names or ids, each once; all are looked for before one that is missing is told."""
    found = await asyncio.gather(*(collection.find(name) for name in dict.fromkeys(names)), return_exceptions=True)
    errors = [error for error in found if isinstance(error, BaseException)]
    for error in errors:
        if not isinstance(error, ConsoleError):
            raise error
    if errors:
        for error in errors[:-1]:
            complain(error)  # type: ignore[arg-type]
        raise errors[-1]
    return list({row.key: row for row in found}.values())  # type: ignore[union-attr]
