"""From names and ids to the things that they mean, at all open places; nothing is guessed."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.cli.voice import complain
from console.errors import ConsoleError
from console.model.server import Server

if TYPE_CHECKING:
    from console.session import Collection, Console


async def named_servers(ops: "Console", names: Sequence[str]) -> list[Server]:
    """The servers with these names or ids. Raises `NotFound` or `AmbiguousName`."""
    found: list[Server] = await named(ops.servers, names)
    return found


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
