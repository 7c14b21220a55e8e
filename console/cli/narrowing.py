"""Filters that name an image or a flavor: a cloud filters by ids, people type names, and each place has its own ids.

The names are looked up first, at all places at once; then each place is asked for what it knows by that name.
"""

import asyncio
import itertools
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from console.cli.parse import nearest
from console.errors import ConsoleError, NotFound
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Key, Place, Row
from console.model.server import Server

if TYPE_CHECKING:
    from console.session import Console, Found

REFERENCES: dict[str, type[Row]] = {"image": Image, "flavor": Flavor}


async def listed(ops: "Console", filters: Mapping[str, Any]) -> "Found[Server]":
    """The servers that these filters leave; `image` and `flavor` are names or ids. Raises `NotFound`."""
    plain = {name: value for name, value in filters.items() if name not in REFERENCES}
    references = {name: str(value) for name, value in filters.items() if name in REFERENCES}
    if not references:
        return await ops.servers.list(**plain)
    looked = await asyncio.gather(*(_ids(ops, name, word) for name, word in references.items()))
    questions = [
        ops.servers.list(places=[place], **plain, **dict(zip([f"{name}_id" for name in references], ids, strict=True)))
        for place in ops.places
        for ids in itertools.product(*(known.get(place, ()) for known, _ in looked))
    ]
    answers = await asyncio.gather(*questions)
    return _joined(answers, [troubles for _, troubles in looked])


Looked = tuple[dict[Place, list[str]], Mapping[Place, ConsoleError]]


async def _ids(ops: "Console", name: str, word: str) -> Looked:
    """The ids that each place knows this image or flavor by, and the places that did not answer."""
    kind = REFERENCES[name]
    found = await ops.of(kind).list()
    places = [place for place in ops.places if place not in found.troubles]
    told = {place: list(ops.store.told_by(kind, place)) for place in places}
    known = {place: sorted({row.id for row in rows if word in (row.id, row.name)}) for place, rows in told.items()}
    if any(known.values()):
        return known, found.troubles
    if is_uuid(word) or not places:
        # It may be gone from the lists while servers were made of it.
        return {place: [word] for place in places}, found.troubles
    names = {row.name for rows in told.values() for row in rows if row.name}
    raise NotFound(f"There is no {name} '{word}'." + nearest(word, names))


def is_uuid(word: str) -> bool:
    """Whether the word has the form of an id that clouds give."""
    try:
        uuid.UUID(word)
    except ValueError:
        return False
    return True


def _joined(answers: "Iterable[Found[Server]]", troubles: Iterable[Mapping[Place, ConsoleError]]) -> "Found[Server]":
    from console.session import Found

    rows: dict[Key, Server] = {}
    found: dict[Place, ConsoleError] = {}
    for some in troubles:
        found |= some
    for answer in answers:
        found |= answer.troubles
        rows |= {row.key: row for row in answer.rows}
    return Found(list(rows.values()), found)
