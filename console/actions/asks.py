"""What was given to an action, checked before any call: names looked up, texts measured, files read.

A value that we can know to be wrong never reaches a cloud. Names are looked up in what the store knows and then at
the cloud itself; a name that fits several things is refused with the candidates.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from console.actions.declared import Action, Ask
from console.actions.ground import Ground
from console.actions.injected import files
from console.errors import ActionRefused, AmbiguousName, NotFound
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Place, Row
from console.text import Secret, clean

R = TypeVar("R", bound=Row)

METADATA_KEY = re.compile(r"[a-zA-Z0-9\-_:. ]{1,255}")


async def checked(action: Action, given: Mapping[str, Any], ground: Ground, place: Place) -> dict[str, Any]:
    """All asks of the action with their values, looked up at this place. Raises `ActionRefused` and its like."""
    if unknown := [name for name in given if action.ask(name) is None]:
        asked = ", ".join(ask.name for ask in action.asks) or "nothing"
        raise ActionRefused(f"{action.title}: {unknown[0]!r} is not asked for.", hint=f"It asks for {asked}.")
    found: dict[str, Any] = {}
    for ask in action.asks:
        value = given.get(ask.name)
        value = ask.default if value is None else value
        if value is None or (value == "" and not ask.clears):
            if ask.required and not any(given.get(other) for other in ask.unless):
                raise ActionRefused(f"{action.title}: {ask.title} is missing.", hint=f"Give {_flags(ask)}.")
            continue
        found[ask.name] = await _value(ask, value, ground, place)
    return found


def _flags(ask: Ask) -> str:
    return " or ".join([ask.flag, *("--" + other.replace("_", "-") for other in ask.unless)])


async def _value(ask: Ask, value: Any, ground: Ground, place: Place) -> Any:
    if ask.many and ask.kind not in ("metadata", "files"):
        values = list(value) if isinstance(value, list | tuple) else [value]
        return [await _one(ask, item, ground, place) for item in values]
    return await _one(ask, value, ground, place)


async def _one(ask: Ask, value: Any, ground: Ground, place: Place) -> Any:
    if ask.kind == "flavor":
        return await look_up(Flavor, value, ground, place)
    if ask.kind == "image":
        return await look_up(Image, value, ground, place)
    if ask.kind == "keypair":
        return await _keypair(_text(ask, value), ground, place)
    if ask.kind == "network":
        return await network(_text(ask, value), ground, place)
    if ask.kind == "address":
        return await _fixed(_text(ask, value), ground, place)
    if ask.kind == "group":
        return await _server_group(_text(ask, value), ground, place)
    if ask.kind == "metadata":
        return metadata(value)
    if ask.kind == "files":
        return files(value)
    if ask.kind == "flag":
        return bool(value)
    if ask.kind == "number":
        return number(ask, value)
    if ask.kind == "secret":
        return value if isinstance(value, Secret) else Secret(str(value))
    if ask.kind == "file":
        return read_file(ask, value)
    return _text(ask, value)


def _text(ask: Ask, value: Any) -> str:
    text = value.name if isinstance(value, Row) else str(value)
    if ask.choices:
        text = next((choice for choice in ask.choices if choice.lower() == text.lower()), text)
    if ask.choices and text not in ask.choices:
        raise ActionRefused(f"{ask.title} {clean(text)!r} is none of {', '.join(ask.choices)}.")
    if len(text) > ask.most:
        raise ActionRefused(f"{ask.title} has {len(text)} characters, and {ask.most} are the most.")
    if ask.name == "name" and (text != text.strip() or not text.isprintable()):
        raise ActionRefused(f"{ask.title} {clean(text)!r} has spaces at an end, or characters that cannot be seen.")
    return text


def number(ask: Ask, value: Any) -> int:
    """The whole number that an ask is answered with. Raises `ActionRefused`."""
    try:
        found = int(value)
    except (TypeError, ValueError):
        raise ActionRefused(f"{ask.title} {clean(str(value))!r} is no whole number.") from None
    if found < ask.least:
        raise ActionRefused(f"{ask.title} cannot be below {ask.least}.")
    return found


def read_file(ask: Ask, value: Any) -> bytes:
    """The bytes themselves, or those of the file that is named. Raises `ActionRefused`."""
    if isinstance(value, bytes):
        return value
    try:
        return Path(value).expanduser().read_bytes()
    except OSError as error:
        raise ActionRefused(f"{ask.title}: {value} cannot be read: {error.strerror or error}.") from error


def metadata(value: Any) -> dict[str, str]:
    """Pairs from a mapping, from "key=value" texts, or from one text with commas."""
    if isinstance(value, Mapping):
        pairs = {str(key): str(item) for key, item in value.items()}
    else:
        texts = value.split(",") if isinstance(value, str) else [str(item) for item in value]
        if wrong := [text for text in texts if "=" not in text]:
            raise ActionRefused(f"metadata {clean(wrong[0])!r} is no key=value.")
        pairs = {key.strip(): item for key, _, item in (text.partition("=") for text in texts)}
    for key, item in pairs.items():
        if not METADATA_KEY.fullmatch(key):
            raise ActionRefused(f"metadata key {clean(key)!r} may hold letters, digits and -_:. only, at most 255.")
        if len(item) > 255:
            raise ActionRefused(f"metadata {key!r} has {len(item)} characters, and 255 are the most.")
    return pairs


async def look_up(kind: type[Flavor] | type[Image], value: Any, ground: Ground, place: Place) -> Any:
    """The flavor or image of this place with that id or name. Raises `NotFound` or `AmbiguousName`."""
    if isinstance(value, kind):
        return value
    text = str(value)
    dialect = ground.dialect(place)
    known = [row for row in ground.store.rows(kind).values() if place in ground.store.ways(row.key)]
    if found := _named(kind, text, known):
        return found
    pages = dialect.flavors() if kind is Flavor else dialect.images()
    asked: list[Any] = [row async for page in pages for row in page]
    if found := _named(kind, text, asked):
        return found
    raise NotFound(f"There is no {kind.__name__.lower()} {clean(text)!r}.", place=str(place), hint=_near(text, asked))


async def _keypair(name: str, ground: Ground, place: Place) -> str:
    """The name of a key pair that there is."""
    asked = [row async for page in ground.dialect(place).keypairs() for row in page]
    if name not in {row.name for row in asked}:
        raise NotFound(f"There is no key pair {clean(name)!r}.", place=str(place), hint=_near(name, asked))
    return name


async def network(text: str, ground: Ground, place: Place) -> str:
    """A network's id from its name or id; "auto" and "none" are words of Nova's own."""
    dialect = ground.dialect(place)
    if text in ("auto", "none") or "network.list" not in dialect.verbs:
        return text
    return _id_of("network", text, await dialect.networks(), place)


async def _fixed(pair: str, ground: Ground, place: Place) -> str:
    """NETWORK=ADDRESS with the network's id."""
    name, _, address = pair.rpartition("=")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        name = ""
    if name in ("", "auto", "none"):
        raise ActionRefused(f"Fixed address {clean(pair)!r} is no NETWORK=ADDRESS.")
    return f"{await network(name, ground, place)}={address}"


async def _server_group(text: str, ground: Ground, place: Place) -> str:
    """A server group's id from its name or id."""
    return _id_of("server group", text, await ground.dialect(place).server_groups(), place)


def _id_of(what: str, text: str, known: Sequence[Mapping[str, Any]], place: Place) -> str:
    """The id of the one record with that id or name. Raises `NotFound` or `AmbiguousName`."""
    found = [str(one["id"]) for one in known if one.get("id") == text]
    found = found or [str(one["id"]) for one in known if one.get("name") == text]
    if len(found) > 1:
        raise AmbiguousName(f"{len(found)} {what}s are called {clean(text)!r}.", candidates=found)
    if not found:
        names = ", ".join(sorted(str(one.get("name")) for one in known)[:8])
        raise NotFound(f"There is no {what} {clean(text)!r}.", place=str(place), hint=f"There are {names or 'none'}.")
    return found[0]


def _named(kind: type[Row], text: str, rows: Sequence[Any]) -> Any:
    if exact := [row for row in rows if row.id == text]:
        return exact[0]
    found = [row for row in rows if row.name == text]
    if len(found) > 1:
        ids = [row.id for row in found]
        raise AmbiguousName(
            f"{len(found)} {kind.__name__.lower()}s are called {clean(text)!r}.",
            candidates=ids,
            hint=f"Give one of the ids {', '.join(ids[:5])}.",
        )
    return found[0] if found else None


def row_of(kind: type[R], text: str, rows: Sequence[R], place: Place) -> R:
    """The row with that id or name. Raises `NotFound` or `AmbiguousName`."""
    found: R | None = _named(kind, text, rows)
    if found is None:
        what = kind.__name__.lower()
        raise NotFound(f"There is no {what} {clean(text)!r}.", place=str(place), hint=_near(text, rows))
    return found


def _near(text: str, rows: Sequence[Row]) -> str:
    names = sorted({row.name for row in rows if row.name})
    likely = [name for name in names if text.lower() in name.lower() or name.lower() in text.lower()] or names
    return f"There are {', '.join(likely[:6])}." if likely else ""
