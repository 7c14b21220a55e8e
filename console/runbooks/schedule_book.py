"""The planned images of one state folder, on disk: what is to be made when, and how far each plan has come.

One JSON file for its owner alone, replaced as a whole and synced, so that a crash leaves the old one or the new one.
Whoever changes it holds a lock: a console that adds a plan and a keeper that notes a run do not undo each other.
"""

import datetime as dt
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from console.errors import ConfigError
from console.model.place import Place
from console.runbooks.schedule_times import Rhythm, Terms, jitter
from console.text import clean

VERSION = 1


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One server's images: by what rhythm, how many are kept, and what has become of them; durations in seconds."""

    id: str
    cloud: str
    region: str
    server: str
    name: str
    word: Literal["daily", "weekly", "cron"]
    cron: str
    zone: str = "UTC"
    keep: int = 7
    window: int = 7200
    spread: int = 0
    catch_up: bool = True
    how: dict[str, Any] = {}  # what the quiet snapshot is given
    paused: bool = False
    added: dt.datetime
    handled: dt.datetime  # all runs up to this one were begun, or given up
    run: str = ""  # the operation that makes the image now
    ended: dt.datetime | None = None  # of the last
    result: str = ""
    good: bool = True
    missed: int = 0

    @property
    def place(self) -> Place:
        """Where the server is."""
        return Place(self.cloud, self.region)

    @property
    def rhythm(self) -> Rhythm:
        """When."""
        return Rhythm(self.cron, self.zone)

    @property
    def terms(self) -> Terms:
        """By what else it is due."""
        return Terms(jitter(self.id, self.spread), dt.timedelta(seconds=self.window), self.catch_up)

    def next_run(self, now: dt.datetime) -> dt.datetime | None:
        """When the next image is to begin; None while paused."""
        coming = None if self.paused else self.rhythm.next(max(now - self.terms.spread, min(self.handled, now)))
        return coming + self.terms.spread if coming is not None else None


class _File(msgspec.Struct, frozen=True):
    v: int
    plans: list[Planned]


def new_id() -> str:
    """The id of a new plan."""
    return uuid.uuid4().hex[:8]


def book_in(state: Path) -> "PlanBook":
    """The plans of a state folder."""
    return PlanBook(state / "schedules.json")


class PlanBook:
    """All plans of one state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Planned]:
        """The plans by their ids, as they are now. Raises `ConfigError`."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}.") from error
        try:
            version = msgspec.json.decode(data, type=dict[str, Any]).get("v")
            if version != VERSION:
                raise ConfigError(f"{self.path} is of version {version}, and this program knows {VERSION}.")
            return {plan.id: plan for plan in msgspec.json.decode(data, type=_File).plans}
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{self.path} is damaged: {error}.", hint="Put it right, or move it away.") from error

    def find(self, word: str) -> list[Planned]:
        """The plans of this id, of the one id that begins so, or of the server of this name or id."""
        plans = list(self.read().values())
        found = [plan for plan in plans if word in (plan.id, plan.server, plan.name)]
        found = found or [plan for plan in plans if word and plan.id.startswith(word)]
        if not found:
            raise ConfigError(f"There is no plan {clean(word)!r}.", hint="novadeck schedule list shows all.")
        return found

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock, if nobody else does; whether we have it. Blocks for no longer than that takes to find out."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be changed: {error.strerror}.") from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock. Raises `ConfigError` where another process has it."""
        with self.held() as ours:
            if not ours:
                raise ConfigError(f"{self.path} is being changed by another process.", hint="Try again.")
            yield

    def keep(self, plan: Planned) -> None:
        """Write this plan in the place of the one of its id; only by who holds the lock. Raises `ConfigError`."""
        self._write({**self.read(), plan.id: plan})

    def forget(self, id: str) -> None:
        """Take a plan out; only by who holds the lock. Raises `ConfigError`."""
        self._write({other: plan for other, plan in self.read().items() if other != id})

    def _write(self, plans: dict[str, Planned]) -> None:
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        data = msgspec.json.format(msgspec.json.encode(_File(VERSION, list(plans.values()))), indent=1)
        try:
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(data + b"\n")
                out.flush()
                os.fsync(out.fileno())
            new.replace(self.path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}.") from error
