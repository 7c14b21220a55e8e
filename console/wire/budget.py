"""What may still be asked of one account, shared by all of this user's processes on this host.

Three consoles on one account would otherwise each spend the whole of its limit. So each notes in one small file, under
a lock that the system takes away from a dead process, when it asked and until when the service wants silence. A request
counts for as long as the limit's time lasts, so that no service sees more than it allows, however it counts. The file
is replaced as a whole and never half written; where none can be written, each process counts for itself.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

try:
    import fcntl
except ImportError:  # a system without such locks: each process counts for itself
    fcntl = None  # type: ignore[assignment]

PATIENCE = 1.0  # seconds for the lock, which nobody holds for longer than a small file takes


class Limit(NamedTuple):
    """So many requests in so many seconds, of those with this method and address; "" is any."""

    most: int
    seconds: float
    method: str = ""
    address: str = ""  # a regular expression that is looked for in path and query

    def counts(self, method: str, address: str) -> bool:
        """Whether such a request is one of those."""
        return self.method in ("", method) and (not self.address or re.search(self.address, address) is not None)

    @property
    def name(self) -> str:
        """What its requests are noted under."""
        return f"{self.method} {self.address} {self.most}/{self.seconds:g}"


class _Spent(msgspec.Struct):
    """The file: when requests were sent, by limit, and the silence that was asked for. Times are UTC seconds."""

    v: int = 1
    sent: dict[str, list[float]] = {}
    held_at: float = 0.0
    until: float = 0.0


class Budget:
    """One account's budget; without a file it is this process's own."""

    def __init__(self, file: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._file = file if fcntl is not None else None
        self._clock = clock
        self._known = _Spent()
        self._stamp: tuple[int, int, int] | None = None
        self._alone = False  # the file could not be written: what it says lacks what we have sent

    @classmethod
    def shared(cls, folder: Path, *account: str, clock: Callable[[], float] = time.time) -> "Budget":
        """The budget of whoever these words tell: an endpoint, a user, a project. No secret may be among them."""
        name = hashlib.sha256("\0".join(account).encode()).hexdigest()[:20]
        return cls(folder / "pace" / f"{name}.json", clock=clock)

    @property
    def wait(self) -> float:
        """The seconds for which the service wants silence."""
        now, known = self._clock(), self._read()
        return max(0.0, known.until - now) if known.held_at <= now else 0.0  # else the clock was set back

    def hold(self, seconds: float) -> None:
        """Have nobody send anything for so many seconds."""
        with self._changing() as known:
            now = self._clock()
            known.held_at, known.until = now, max(known.until if known.held_at <= now else 0.0, now + seconds)

    def take(self, limits: Sequence[Limit]) -> float:
        """Note one request against all of these limits and give 0; or give the seconds until it may go."""
        if not limits:
            return 0.0
        with self._changing() as known:
            now = self._clock()
            spent = {limit: _within(known.sent.get(limit.name, []), now, limit.seconds) for limit in limits}
            wait = max(_free_in(times, limit, now) for limit, times in spent.items())
            for limit, times in spent.items():
                known.sent[limit.name] = times if wait else [*times, now]
        return wait

    def left(self, limit: Limit) -> int:
        """How many more requests this limit allows now."""
        times = _within(self._read().sent.get(limit.name, []), self._clock(), limit.seconds)
        return max(0, limit.most - len(times))

    def _read(self) -> _Spent:
        """What the file says; read again only when it was replaced."""
        if self._file is None or self._alone:
            return self._known
        try:
            status = self._file.stat()
            if (stamp := (status.st_ino, status.st_mtime_ns, status.st_size)) != self._stamp:
                self._known = msgspec.json.decode(self._file.read_bytes(), type=_Spent)
                self._stamp = stamp
        except FileNotFoundError:
            if self._stamp is not None:
                self._known, self._stamp = _Spent(), None
        except (OSError, msgspec.DecodeError):
            self._stamp = None
        return self._known

    @contextmanager
    def _changing(self) -> Iterator[_Spent]:
        """What is known, to be changed while no other process does."""
        if self._file is None:
            yield self._known
            return
        with _locked(self._file.with_suffix(".lock")):
            self._stamp = self._stamp and (0, 0, 0)  # two files of one moment may look alike: read it in any case
            known = self._read()
            yield known
            self._alone = not self._kept(known)

    def _kept(self, known: _Spent) -> bool:
        assert self._file is not None
        fresh = self._file.with_suffix(f".{os.getpid()}")
        try:
            fresh.write_bytes(msgspec.json.encode(known))
            fresh.replace(self._file)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            return False
        return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold this lock; without it, after a moment, where somebody sits on it or the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        ends = time.monotonic() + PATIENCE
        while not _grab(handle) and time.monotonic() < ends:
            time.sleep(0.001)
        yield
    finally:
        os.close(handle)


def _grab(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _within(times: Sequence[float], now: float, seconds: float) -> list[float]:
    """The requests that still count; one from the future was noted before the clock was set back."""
    return [min(at, now) for at in times if at > now - seconds]


def _free_in(times: Sequence[float], limit: Limit, now: float) -> float:
    """The seconds until this limit allows one more."""
    if len(times) < limit.most:
        return 0.0
    if limit.most < 1:
        return limit.seconds
    return max(0.001, times[-limit.most] + limit.seconds - now)
