"""What changed when, on disk: the memory that outlives the console, for history, replay and learned times.

One SQLite file, readable by its owner alone, written by one thread so that the event loop never waits for a disk, and
by as many consoles as there are: a change that two of them saw is written once. Where it cannot be written, one
sentence says so and the console goes on without, and tries again now and then. No write-ahead log, since home folders
lie on networks.
"""

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from console.core.clock import Clock
from console.core.watch import Batch
from console.model.image import Image
from console.model.place import Key, Row
from console.model.server import Server

T = TypeVar("T")

VERSION = 1
KEPT = dt.timedelta(days=90)
MOST = 500_000  # changes
DAY = 86400.0  # seconds between two times of forgetting
PAUSE = 60.0  # seconds after which a file that could not be used is tried again
AT_ONCE = 250  # rows, so that the event loop never waits long for its turn

_SCHEMA = """
CREATE TABLE changes (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, endpoint TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL,
    id TEXT NOT NULL, name TEXT NOT NULL, place TEXT NOT NULL, what TEXT NOT NULL, fields TEXT NOT NULL);
CREATE INDEX changes_of ON changes (id, kind, number);
CREATE TABLE last (
    endpoint TEXT, region TEXT, kind TEXT, id TEXT, name TEXT, place TEXT, fields TEXT,
    PRIMARY KEY (endpoint, region, kind, id)) WITHOUT ROWID;
"""


class Change(msgspec.Struct, frozen=True):
    """One thing at one moment: `what` is seen, changed, ready or gone; `fields` are (before, after) by name."""

    at: dt.datetime
    key: Key
    name: str
    place: str
    what: str
    fields: dict[str, tuple[Any, Any]]


def fields_of(row: Row) -> dict[str, Any]:
    """What is worth remembering of a row; nothing that moves by itself."""
    if isinstance(row, Server):
        flavor = (row.flavor.name or row.flavor.id) if row.flavor else None
        addresses = sorted(address.addr for address in row.all_addresses())
        return {
            "name": row.name,
            "status": row.word,
            "task_state": row.task_state,
            "power": row.power,
            "flavor": flavor,
            "image": row.image_id,
            "addresses": addresses,
            "host": row.host or row.host_id,
            "locked": row.locked,
            "fault": row.fault.message if row.fault else None,
        }
    if isinstance(row, Image):
        return {"name": row.name, "status": row.status, "size": row.size, "visibility": row.visibility}
    return {"name": row.name}


def _worth_a_look(before: Row | None, now: Row) -> bool:
    """Whether something that is remembered may have changed since this run last wrote the row: cheaper than to see."""
    if not isinstance(before, Server) or not isinstance(now, Server):
        return True
    return not (_same(before, now) and now.same_addresses(before))


def _same(one: Server, two: Server) -> bool:
    """Whether nothing else of two servers differs that is remembered."""
    return (
        one.word == two.word
        and one.task_state == two.task_state
        and one.power_state == two.power_state
        and one.name == two.name
        and (one.flavor is two.flavor or one.flavor == two.flavor)
        and (one.image is two.image or one.image == two.image)
        and one.host == two.host
        and one.host_id == two.host_id
        and one.locked == two.locked
        and one.fault == two.fault
    )


class Timeline:
    """The file of changes, opened when first used. It raises nothing: `problem` says why it is not written now."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.problem = ""
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="timeline")
        self._file: sqlite3.Connection | None = None
        self._newer = ""  # why it is only read
        self._again_at = 0.0  # when a file that has failed is tried again; 0 where none has
        self._pruned = clock.monotonic()
        self._closed = False

    async def write(self, batch: Batch[Any]) -> None:
        """Remember a batch: of a thing's first sight in this run only what differs from the last run's end."""
        before = batch.before.get
        changed = [row for row in batch.changed if _worth_a_look(before(row.key), row)]
        if not changed and not batch.gone:
            return
        at = self._clock.now().isoformat(timespec="milliseconds")
        for start in range(0, len(changed), AT_ONCE):
            rows = changed[start : start + AT_ONCE]
            await self._off_loop(partial(self._write, at=at, changed=rows))
        if batch.gone:
            await self._off_loop(partial(self._write, at=at, gone=batch.gone))

    async def history(self, key: Key, last: int = 1000) -> list[Change]:
        """What is remembered of one thing, oldest first."""
        return await self._off_loop(lambda file: self._history(file, key, last)) or []

    async def keep_time(self, key: Key, name: str, place: str, of: str, seconds: float) -> None:
        """Remember how long a server of this image and flavor took until it was ready."""
        at = self._clock.now().isoformat(timespec="milliseconds")
        told = {"ready": (of, round(seconds, 3))}
        await self._off_loop(lambda file: None if self._newer else _add(file, at, key, name, place, "ready", told))

    async def times(self, of: str, region: str, last: int = 50) -> list[float]:
        """The last such times (seconds) in a region."""
        return await self._off_loop(lambda file: _times(file, of, region, last)) or []

    async def close(self) -> None:
        """Write what is left and close the file."""
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _off_loop(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do this in the thread, on the open file; nothing for a while once the file has failed, or was closed."""
        if self._closed or (self._again_at and self._clock.monotonic() < self._again_at):
            return None
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)
            self.problem, self._again_at = self._newer, 0.0
            return found
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            self._again_at = self._clock.monotonic() + PAUSE
            reason = getattr(error, "strerror", None) or error
            self.problem = f"{self.path} cannot be used: {reason}. What changes is not remembered."
            return None

    # In the thread

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it; what fails lets go of the file, which other consoles want to write to."""
        try:
            return work(self._opened())
        except BaseException:
            with suppress(sqlite3.Error):
                self._close()
            raise

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            self._open()
        assert self._file is not None
        return self._file

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.touch(mode=0o600)
        file = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
        self._file = file
        version = file.execute("PRAGMA user_version").fetchone()[0]
        newer = f"{self.path} is of a newer version: it is read, and nothing is written to it."
        self._newer = newer if version > VERSION else ""
        if self._newer:
            return
        file.execute("PRAGMA synchronous=NORMAL")
        file.execute("BEGIN IMMEDIATE")
        if file.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                file.execute(statement)
            file.execute(f"PRAGMA user_version={VERSION}")
        self._prune(file)
        file.execute("COMMIT")

    def _prune(self, file: sqlite3.Connection) -> None:
        """Forget what is too old or too much: at the beginning, and day by day, since some consoles are never left."""
        self._pruned = self._clock.monotonic()
        oldest = (self._clock.now() - KEPT).isoformat(timespec="milliseconds")
        file.execute("DELETE FROM changes WHERE at < ?", (oldest,))
        file.execute("DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - ?", (MOST,))
        # Of what has no change left nothing is kept, or the memory of short-lived servers would grow for ever.
        file.execute(
            "DELETE FROM last WHERE NOT EXISTS"
            " (SELECT 1 FROM changes WHERE changes.id = last.id AND changes.kind = last.kind)"
        )

    def _write(self, file: sqlite3.Connection, at: str, changed: Sequence[Row] = (), gone: Sequence[Key] = ()) -> None:
        if self._newer:
            return
        file.execute("BEGIN IMMEDIATE")
        for row in changed:
            self._remember(file, at, row)
        for key in gone:
            self._forget(file, at, key)
        if self._clock.monotonic() - self._pruned >= DAY:
            self._prune(file)
        file.execute("COMMIT")

    def _remember(self, file: sqlite3.Connection, at: str, row: Row) -> None:
        now = fields_of(row)
        told = _text(now)
        known = file.execute(f"SELECT fields FROM last WHERE {_SAME}", _identity(row.key)).fetchone()
        if known is not None and known[0] == told:
            return
        before = msgspec.json.decode(known[0]) if known else {}
        differ = {name: (before.get(name), value) for name, value in now.items() if before.get(name) != value}
        what = "changed" if known else "seen"
        _add(file, at, row.key, row.name, str(row.place), what, differ)
        file.execute(
            "INSERT OR REPLACE INTO last VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*_identity(row.key), row.name, str(row.place), told),
        )

    def _forget(self, file: sqlite3.Connection, at: str, key: Key) -> None:
        known = file.execute(f"SELECT name, place FROM last WHERE {_SAME}", _identity(key)).fetchone()
        if known is not None:
            _add(file, at, key, known[0], known[1], "gone", {})
            file.execute(f"DELETE FROM last WHERE {_SAME}", _identity(key))

    def _history(self, file: sqlite3.Connection, key: Key, last: int) -> list[Change]:
        found = file.execute(
            f"SELECT at, name, place, what, fields FROM changes WHERE {_SAME} ORDER BY number DESC LIMIT ?",
            (*_identity(key), last),
        ).fetchall()
        return [_change(key, *line) for line in reversed(found)]

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


_SAME = "endpoint = ? AND region = ? AND kind = ? AND id = ?"


def _identity(key: Key) -> tuple[str, str, str, str]:
    return key.endpoint, key.region, key.kind, key.id


def _text(fields: dict[str, Any]) -> str:
    return msgspec.json.encode(fields).decode()


def _add(file: sqlite3.Connection, at: str, key: Key, name: str, place: str, what: str, fields: Any) -> None:
    file.execute(
        "INSERT INTO changes (at, endpoint, region, kind, id, name, place, what, fields)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (at, *_identity(key), name, place, what, _text(fields)),
    )


def _times(file: sqlite3.Connection, of: str, region: str, last: int) -> list[float]:
    found = file.execute(
        "SELECT json_extract(fields, '$.ready[1]') FROM changes WHERE what = 'ready' AND region = ?"
        " AND json_extract(fields, '$.ready[0]') = ? ORDER BY number DESC LIMIT ?",
        (region, of, last),
    )
    return [float(seconds) for (seconds,) in found]


def _change(key: Key, at: str, name: str, place: str, what: str, fields: str) -> Change:
    pairs: Iterable[tuple[str, list[Any]]] = msgspec.json.decode(fields).items()
    moved = {field: (pair[0], pair[1]) for field, pair in pairs}
    return Change(dt.datetime.fromisoformat(at), key, name, place, what, moved)
