"""A recording: what was known at its beginning and every change after it, one JSON object a line, compressed.

Each line is what `watch` prints, and has the whole row besides, so that the same screen can show it again; secrets in
a cloud's record are masked before they are written. What is written is on disk at once: a recording that was cut off
is read to where it goes.
"""

import asyncio
import datetime as dt
import gzip
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from console.core.clock import Clock
from console.core.health import Health
from console.core.news import VERSION, differences, told
from console.core.settings import Settings
from console.core.store import Store
from console.core.watch import Batch
from console.errors import ConfigError
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.keypair import KeyPair
from console.model.place import Key, Place, Row, facts
from console.model.server import Server
from console.text import clean_tree, is_plain, masked

KINDS: dict[str, type[Row]] = {"server": Server, "image": Image, "flavor": Flavor, "keypair": KeyPair}
AT_ONCE = 250  # rows, so that the event loop never waits long for its turn


class Recordable(Protocol):
    """What is recorded: an open console."""

    clock: Clock
    store: Store
    settings: Settings

    @property
    def places(self) -> tuple[Place, ...]:
        """All places."""

    def of(self, kind: type[Any]) -> Any:
        """The collection of a noun."""


class Frame(NamedTuple):
    """One thing that was seen: a row as it became, a row that went, or how a place did."""

    at: dt.datetime
    event: str  # seen, appeared, changed, disappeared, place or end
    place: Place = Place("")
    key: Key | None = None
    row: Row | None = None
    health: Health | None = None


class Head(NamedTuple):
    """What a recording says of itself."""

    at: dt.datetime
    places: tuple[Place, ...]
    production: frozenset[str]  # the clouds that are in production


class Recording:
    """A file that is being written. Raises `ConfigError` where that cannot be, or where there is one already.

    What cannot be written any more, as on a disk that is full, is told once, and then nothing is written.
    """

    def __init__(self, path: Path, console: Recordable) -> None:
        self.path, self._clock, self._began = path, console.clock, console.clock.now()
        self.problem: ConfigError | None = None
        self._one = threading.Lock()  # several nouns are written by threads of their own
        try:
            path.touch(mode=0o600, exist_ok=False)
            self._file = gzip.GzipFile(path, "wb", compresslevel=6)
        except OSError as error:
            raise self._failed(error) from error
        production = sorted(name for name, cloud in console.settings.clouds.items() if cloud.production)
        head = {"places": [msgspec.to_builtins(place) for place in console.places], "production": production}
        self._put([{"v": VERSION, "time": self._clock.now(), "event": "recording", **head}])

    async def write(self, batch: Batch[Any]) -> None:
        """Write one batch of changes."""
        kind = batch.kind.__name__.lower()
        moment = self._clock.now()
        for start in range(0, len(batch.changed), AT_ONCE):
            rows = batch.changed[start : start + AT_ONCE]
            await asyncio.to_thread(self._put_rows, kind, rows, batch.before, batch.reset, moment)
        gone = [{**told("disappeared", kind, batch.before[key], moment), "key": key} for key in batch.gone]
        await asyncio.to_thread(self._put, gone)

    def health(self, health: Mapping[Place, Health | None]) -> None:
        """Write how places do; their monotonic times as ages, which outlive this process."""
        moment, passed = self._clock.now(), self._clock.monotonic()
        for place, one in health.items():
            if one is not None:
                aged = {name: passed - at for name in ("rows_at", "next_try") if (at := getattr(one, name)) is not None}
                facts = {**msgspec.to_builtins(one), **aged}
                self._put([{"v": VERSION, "time": moment, "event": "place", "place": str(place), "health": facts}])

    def _put_rows(
        self, kind: str, rows: Sequence[Row], before: Mapping[Key, Row], first: bool, moment: dt.datetime
    ) -> None:
        lines = []
        for row in rows:
            known = before.get(row.key)
            event = "changed" if known else "seen" if first or self._old(row) else "appeared"
            change = told(event, kind, row, moment, differences(known, row) if known else None)
            # By the model's names: a row is of the class that read it, which knows the cloud's.
            whole = facts(row) | {"record": _masked(row.record)}
            lines.append(masked(msgspec.to_builtins({**change, "row": whole}, enc_hook=str)))
        self._put(lines)

    def _old(self, row: Row) -> bool:
        """Whether it was there before the recording began, at a cloud that answered only later."""
        created = getattr(row, "created", None)
        return created is None or created < self._began

    def _put(self, objects: Iterable[Mapping[str, Any]]) -> None:
        lines = b"".join(msgspec.json.encode(one, enc_hook=str) + b"\n" for one in objects)
        if not lines or self.problem is not None:
            return
        with self._one:
            try:
                self._file.write(lines)
                self._file.flush()
            except OSError as error:
                raise self._failed(error) from error

    def _failed(self, error: OSError) -> ConfigError:
        self.problem = ConfigError(f"{self.path} cannot be recorded to: {error.strerror or error}.")
        return self.problem

    def close(self) -> None:
        """End the file, and say when: nothing happened until then, either."""
        try:
            self._put([{"v": VERSION, "time": self._clock.now(), "event": "end"}])
        finally:
            with suppress(OSError):  # what was written before is read as far as it goes
                self._file.close()


def _masked(record: bytes) -> bytes:
    """A record without secrets."""
    try:
        return msgspec.json.encode(masked(msgspec.json.decode(record))) if record else b""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b""


async def record(console: Recordable, path: Path, kinds: Iterable[type[Row]] = (Server, Image, Flavor)) -> None:
    """Record until cancelled; the places are asked while it goes on. Raises `ConfigError` once that cannot be."""
    recording = Recording(path, console)
    try:
        async with asyncio.TaskGroup() as group:
            for kind in kinds:
                group.create_task(_rows(recording, console.of(kind)), name=f"record {kind.__name__.lower()}s")
            async for health in console.store.watch_health():
                recording.health(health)
    except ExceptionGroup:
        if recording.problem is None:
            raise
        raise recording.problem from None
    finally:
        recording.close()


async def _rows(recording: Recording, collection: Any) -> None:
    async for batch in collection.watch():
        await recording.write(batch)


def read_recording(path: Path) -> tuple[Head, list[Frame]]:
    """A recording as it was kept, as far as it goes. Raises `ConfigError` for what is none, naming the line."""
    lines = _lines(path)
    first = next(lines, None)
    if first is None or first.get("event") != "recording":
        raise ConfigError(f"{path} is no recording of novadeck.")
    if first.get("v") != VERSION:
        raise ConfigError(f"{path} is of another version ({first.get('v')}) than this novadeck reads ({VERSION}).")
    number = 1
    try:
        places = tuple(msgspec.convert(first["places"], list[Place]))
        head = Head(_moment(first["time"]), places, frozenset(first.get("production", ())))
        by_name = {str(place): place for place in places}
        frames: list[Frame] = []
        for line in lines:
            number += 1
            if (frame := _frame(line, by_name)) is not None:
                frames.append(frame)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}, line {number}: this is no recording of novadeck.") from error
    return head, frames


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                number += 1
                if not line.endswith(b"\n"):
                    return  # cut off while it was written
                tree = msgspec.json.decode(line, type=dict[str, Any])
                yield tree if is_plain(line) else clean_tree(tree)  # a file may come from anywhere
    except EOFError:
        return
    except (msgspec.DecodeError, UnicodeDecodeError, zlib.error) as error:
        raise ConfigError(f"{path}, line {number}: this is no recording of novadeck.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or 'it is no recording of novadeck'}.") from error


def _moment(text: str) -> dt.datetime:
    """A time with its offset; one without is none of ours."""
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found


def _frame(line: Mapping[str, Any], places: Mapping[str, Place]) -> Frame | None:
    """One line; None for a word of a newer version."""
    event, place = str(line.get("event")), places.get(str(line.get("place")), Place(str(line.get("place"))))
    at = _moment(line["time"])
    if event == "end":
        return Frame(at, event)
    if event == "place":
        return Frame(at, event, place, health=msgspec.convert(line["health"], Health))
    if event == "disappeared":
        return Frame(at, event, place, key=msgspec.convert(line["key"], Key))
    kind = KINDS.get(str(line.get("kind")))
    if kind is None or "row" not in line:
        return None
    row = msgspec.convert(line["row"], kind)
    return Frame(at, event, row.place, key=row.key, row=row)
