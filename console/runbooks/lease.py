"""Who may carry a run out: one process at a time, known by host, boot, process and that process's start.

A dead holder on this machine is known at once, since no other process can have its start time. A holder elsewhere (a
home folder on a network) is known by its beat alone: it has lapsed when the beat stood still for `LEASE` seconds of
our own monotonic clock, so that no step of anybody's wall clock can end a lease or keep one.
"""

import os
import socket
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

LEASE = 15.0  # seconds without a beat after which another machine's holder is taken for dead
BEAT = 3.0  # seconds between two beats


class Holder(msgspec.Struct, frozen=True):
    """One process on one machine since its last boot."""

    host: str
    boot: str  # the boot's id and the table of processes, since a container counts its own
    pid: int
    started: str  # in the kernel's ticks, "" where the system does not tell
    keeper: str = ""  # two consoles of one process are two holders

    @property
    def text(self) -> str:
        """As the journal keeps it."""
        return msgspec.json.encode(self).decode()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def read_holder(text: str) -> Holder:
    """The holder whose text this is."""
    return msgspec.json.decode(text, type=Holder)


def this_process() -> Holder:
    """Ourselves, as one more holder."""
    return Holder(socket.gethostname(), _boot(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex[:6])


def alive(holder: Holder) -> bool | None:
    """Whether that process lives; None where this machine cannot tell."""
    if (holder.host, holder.boot) != (socket.gethostname(), _boot()) or not holder.started:
        return None
    return _started(holder.pid) == holder.started


@cache
def _boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When that process began; "" where there is none, or it is dead and not yet buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


class Lapse:
    """Watches leases of others, and tells which have lapsed."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, tuple[tuple[str, int], float]] = {}

    def lapsed(self, what: str, lease: tuple[str, int]) -> bool:
        """Whether this lease, as it was just read, is nobody's any more."""
        lives = alive(read_holder(lease[0]))
        if lives is not None:
            return not lives
        seen, since = self._seen.get(what, (None, 0.0))
        if seen != lease:
            self._seen[what] = (lease, self._monotonic())
            return False
        return self._monotonic() - since >= LEASE
