"""The journal: what each run is about to do, on disk before it is done, so that no crash can lose it.

One SQLite file, readable by its owner alone, shared by every console and keeper of the state folder. It is opened anew
for each transaction, so that it may be moved away at any time and no handle outlives a fork; each transaction is on
the disk when its method returns (`synchronous=EXTRA`), and no write-ahead log is used, since home folders lie on
networks. A journal that cannot be written, or is damaged, is told in one sentence; then nothing is sent.
"""

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import msgspec

from console.errors import JournalError
from console.runbooks.lease import Holder, read_holder
from console.text import clean

T = TypeVar("T")

VERSION = 1
KEPT = dt.timedelta(days=365)  # unless the settings say otherwise
Facts = Mapping[str, Any]
State = Literal["running", "asking", "done", "failed", "aborted"]
OPEN: tuple[State, ...] = ("running", "asking")
ENDED = tuple(state for state in get_args(State) if state not in OPEN)

_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, runbook TEXT, version INTEGER, steps TEXT, cloud TEXT, region TEXT, target TEXT, name TEXT,
    given TEXT, facts TEXT, state TEXT, failure TEXT, abort INTEGER, question TEXT, answer TEXT,
    began TEXT, ended TEXT, who TEXT);
CREATE TABLE steps (
    run TEXT, number INTEGER, name TEXT, state TEXT, before TEXT, note TEXT, began TEXT, ended TEXT,
    PRIMARY KEY (run, name));
CREATE TABLE leases (what TEXT PRIMARY KEY, holder TEXT, beat INTEGER);
CREATE INDEX open_runs ON runs (state);
"""


class StepRecord(msgspec.Struct, frozen=True):
    """What is written of one step: `begun` and then `done`, `failed` or `passed` (nothing was to be done)."""

    number: int
    name: str
    state: str
    before: dict[str, Any]
    note: str
    began: dt.datetime
    ended: dt.datetime | None = None


class Question(msgspec.Struct, frozen=True):
    """What a run waits to be told."""

    text: str
    choices: list[str]


class RunRecord(msgspec.Struct, frozen=True):
    """One run as the journal has it; `target` is a server's id, "" where the run makes something new."""

    id: str
    runbook: str
    version: int
    steps: list[str]  # the names of the declared steps when it began
    cloud: str
    region: str
    target: str
    name: str
    given: dict[str, Any]
    facts: dict[str, Any]
    state: State
    failure: str
    abort: bool
    question: Question | None
    answer: str
    began: dt.datetime
    ended: dt.datetime | None
    who: str

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN


class Journal:
    """The journal file of one state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> tuple[int, int] | None:
        """What differs after every change of the file; None where there is none, or nobody can tell."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    # Runs

    def add(self, run: RunRecord, holder: Holder | None = None) -> None:
        """A new run, held from its first moment by whoever is to carry it out."""
        values = [_told(getattr(run, name)) for name in _COLUMNS]
        with self._change() as file:
            file.execute(f"INSERT INTO runs VALUES ({','.join('?' * len(values))})", values)
            if holder is not None:
                file.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, 0)", (run.id, holder.text))

    def run(self, id: str) -> RunRecord:
        """The run of this id, or of the one id that begins so. Raises `JournalError`."""
        found = self._ask(_run, f"SELECT {_NAMES} FROM runs WHERE substr(id, 1, ?) = ?", len(id), id)
        exact = [run for run in found if run.id == id] or found
        if not exact or not id:
            raise UnknownRun(f"There is no operation {clean(id)!r}.", hint="novadeck ops list --all shows all.")
        if len(exact) > 1:
            raise JournalError(f"{len(exact)} operations begin with {clean(id)!r}.", hint="Give more of the id.")
        return exact[0]

    def runs(self, *, ended: bool = False) -> list[RunRecord]:
        """The runs that are open, or all, oldest first."""
        if not self._there():
            return []
        where = "" if ended else f"WHERE state IN {OPEN}"
        return self._ask(_run, f"SELECT {_NAMES} FROM runs {where} ORDER BY began, id")

    def steps(self, id: str) -> list[StepRecord]:
        """What is written of a run's steps, in their order."""
        asked = "SELECT number, name, state, before, note, began, ended FROM steps WHERE run = ? ORDER BY number"
        return self._ask(_step, asked, id)

    # A run's way; each of these demands that the holder still has the run

    def begin(self, holder: Holder, id: str, number: int, name: str, before: Facts, now: dt.datetime) -> None:
        """This step is about to be done."""
        line = (id, number, name, "begun", _json(before), "", now.isoformat())
        with self._held(holder, id) as file:
            file.execute("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", line)

    def end(self, holder: Holder, id: str, step: str, state: str, facts: Facts, note: str, now: dt.datetime) -> None:
        """The step has ended, and its question is settled; what it found out is known to all that follow."""
        with self._held(holder, id) as file:
            (known,) = file.execute("SELECT facts FROM runs WHERE id = ?", (id,)).fetchone()
            file.execute(
                "UPDATE runs SET facts = ?, state = 'running', question = NULL, answer = '' WHERE id = ?",
                (_json({**msgspec.json.decode(known), **facts}), id),
            )
            file.execute(
                "UPDATE steps SET state = ?, note = ?, ended = ? WHERE run = ? AND name = ?",
                (state, note, now.isoformat(), id, step),
            )

    def note(self, holder: Holder, id: str, step: str, text: str) -> None:
        """What the step does now, for whoever watches."""
        with self._held(holder, id) as file:
            file.execute("UPDATE steps SET note = ? WHERE run = ? AND name = ?", (text, id, step))

    def fail(self, holder: Holder, id: str, failure: str) -> None:
        """From here on the run only puts the world in order."""
        with self._held(holder, id) as file:
            file.execute("UPDATE runs SET failure = ? WHERE id = ?", (failure, id))

    def ask(self, holder: Holder, id: str, question: Question) -> None:
        """The run waits to be told; asking the same again keeps an answer that came meanwhile."""
        text = _json(msgspec.to_builtins(question))
        with self._held(holder, id) as file:
            file.execute("UPDATE runs SET answer = '' WHERE id = ? AND question IS NOT ?", (id, text))
            file.execute("UPDATE runs SET state = 'asking', question = ? WHERE id = ?", (text, id))

    def asked(self, holder: Holder, id: str) -> None:
        """The question is settled."""
        with self._held(holder, id) as file:
            file.execute("UPDATE runs SET state = 'running', question = NULL, answer = '' WHERE id = ?", (id,))

    def renew(self, holder: Holder, id: str, version: int, steps: Sequence[str]) -> None:
        """Somebody has said that it may go on by the steps as they are declared now."""
        with self._held(holder, id) as file:
            file.execute(
                "UPDATE runs SET version = ?, steps = ?, state = 'running', question = NULL, answer = '' WHERE id = ?",
                (version, _json(list(steps)), id),
            )

    def close(self, holder: Holder, id: str, state: State, now: dt.datetime, *, kept: dt.timedelta = KEPT) -> None:
        """The run has ended, and nobody holds it any more; those that ended longer ago than `kept` are forgotten."""
        with self._held(holder, id) as file:
            file.execute(
                "UPDATE runs SET state = ?, ended = ?, question = NULL, answer = '' WHERE id = ?",
                (state, now.isoformat(), id),
            )
            file.execute("DELETE FROM leases WHERE what = ?", (id,))
            old = f"SELECT id FROM runs WHERE ended < ? AND state IN {ENDED}"
            for table, name in (("steps", "run"), ("runs", "id")):
                file.execute(f"DELETE FROM {table} WHERE {name} IN ({old})", ((now - kept).isoformat(),))

    # What anybody may say to a run

    def answer(self, id: str, answer: str, *, to: Question | None = None) -> None:
        """Answer its question, which must be the one that was seen where that is given.

        Raises `JournalError` where it asks none, or another one, or the answer is none of its choices.
        """
        run = self.run(id)
        if run.question is None:
            raise JournalError(f"Operation {run.id} asks nothing.")
        if to not in (None, run.question):
            raise JournalError(f"Operation {run.id} asks that no more.")
        if answer not in run.question.choices:
            raise JournalError(f"{clean(answer)!r} is none of {', '.join(run.question.choices)}.")
        with self._change() as file:  # another question may have come meanwhile, which this answer does not fit
            text = _json(msgspec.to_builtins(run.question))
            done = file.execute("UPDATE runs SET answer = ? WHERE id = ? AND question = ?", (answer, run.id, text))
        if not done.rowcount:
            raise JournalError(f"Operation {run.id} asks that no more.")

    def abort(self, id: str) -> None:
        """Ask it to end, and to leave the world in order."""
        with self._change() as file:
            file.execute("UPDATE runs SET abort = 1 WHERE id = ?", (self.run(id).id,))

    # Leases: of a run by its id, or of anything else that only one process may do

    def hold(self, what: str, holder: Holder, *, over: tuple[str, int] | None = None) -> bool:
        """Take a lease that is free, ours, or `over` the very one that was seen lapsed; whether we have it."""
        with self._change() as file:
            found = file.execute("SELECT holder, beat FROM leases WHERE what = ?", (what,)).fetchone()
            if found is not None and found[0] != holder.text and found != over:
                return False
            file.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, 0)", (what, holder.text))
            return True

    def lease(self, what: str) -> tuple[str, int] | None:
        """Who holds it, as text, and that one's beat."""
        found = self._ask(_lease, "SELECT holder, beat FROM leases WHERE what = ?", what)
        return found[0] if found else None

    def beat(self, holder: Holder) -> None:
        """Show everybody that we live."""
        if self._there():
            with self._change() as file:
                file.execute("UPDATE leases SET beat = beat + 1 WHERE holder = ?", (holder.text,))

    def release(self, holder: Holder, what: str | None = None) -> None:
        """Let go of one lease, or of all that we hold."""
        if self._there():
            with self._change() as file:
                file.execute("DELETE FROM leases WHERE holder = ? AND what = ifnull(?, what)", (holder.text, what))

    # The file

    def _there(self) -> bool:
        """Whether there is one. Raises `JournalError` where nobody can tell, since its folder is closed to us."""
        try:
            return self.path.exists()
        except OSError as error:
            raise self._unusable(error) from error

    def _ask(self, read: Callable[[Sequence[Any]], T], asked: str, *given: Any) -> list[T]:
        if not self._there():
            return []
        with self._open() as file:
            begun = file.execute("PRAGMA user_version").fetchone()[0]  # 0 while another process makes the file
            return [read(line) for line in file.execute(asked, given)] if begun else []

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk at its end."""
        with self._open() as file:
            file.execute("BEGIN IMMEDIATE")
            _migrate(file, self.path)
            yield file
            file.execute("COMMIT")

    @contextmanager
    def _held(self, holder: Holder, id: str) -> Iterator[sqlite3.Connection]:
        with self._change() as file:
            found = file.execute("SELECT holder FROM leases WHERE what = ?", (id,)).fetchone()
            if found is None or found[0] != holder.text:
                raise LeaseLost(f"Operation {id} was taken over by another keeper.")
            yield file

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        file = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600) if not self.path.exists() else None
            file = sqlite3.connect(self.path, timeout=10, isolation_level=None)
            file.execute("PRAGMA synchronous=EXTRA")
            yield file
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            raise self._unusable(error) from error
        finally:
            if file is not None:
                with suppress(sqlite3.Error):
                    file.close()

    def _unusable(self, error: Exception) -> JournalError:
        reason = getattr(error, "strerror", None) or str(error)
        if type(error) is sqlite3.DatabaseError or isinstance(error, msgspec.MsgspecError):
            hint = "Move it away; servers that carry the mark novadeck_op were under an operation: look at them."
            return JournalError(f"The journal {self.path} is damaged ({reason}).", hint=hint)
        hint = "Make room or its folder writable; nothing is sent that is not written there first."
        return JournalError(f"The journal {self.path} cannot be used: {reason}.", hint=hint)


class UnknownRun(JournalError):
    """The journal holds no such operation."""


class LeaseLost(JournalError):
    """Another keeper has the run now: stop, and touch nothing."""


_COLUMNS = RunRecord.__struct_fields__
_NAMES = ", ".join(_COLUMNS)  # a newer journal may have more of them


def _migrate(file: sqlite3.Connection, path: Path) -> None:
    version = file.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise JournalError(f"The journal {path} is of a newer version.", hint="Use that version of novadeck.")
    if version == 0:
        for statement in filter(str.strip, _SCHEMA.split(";")):
            file.execute(statement)
        file.execute(f"PRAGMA user_version={VERSION}")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _told(value: Any) -> Any:
    """A field as its column keeps it."""
    if isinstance(value, dict | list | Question):
        return _json(value)
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _run(line: Sequence[Any]) -> RunRecord:
    values: dict[str, Any] = dict(zip(_COLUMNS, line, strict=True))
    for name in ("steps", "given", "facts", "question"):
        values[name] = msgspec.json.decode(values[name]) if values[name] else None
    return msgspec.convert({**values, "abort": bool(values["abort"])}, RunRecord)


def _lease(line: Sequence[Any]) -> tuple[str, int]:
    read_holder(line[0])
    return str(line[0]), int(line[1])


def _step(line: Sequence[Any]) -> StepRecord:
    values = dict(zip(StepRecord.__struct_fields__, line, strict=True))
    return msgspec.convert({**values, "before": msgspec.json.decode(values["before"])}, StepRecord)
