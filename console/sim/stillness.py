"""The disks of a guest that can stand still, and the processes that wait in it to let them go.

A guest has its root and one data disk.  Freezing and thawing answer as fsfreeze(8) does; what was frozen and let go,
by whom and when is kept, so that a test can ask.  A process in the background sleeps on the cloud's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

TABLE = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 22 0:5 / /dev rw,nosuid - devtmpfs udev rw
30 22 254:16 / /data rw,relatime shared:7 - ext4 /dev/vdb rw
"""
DISKS = ("/", "/data")


class Change(NamedTuple):
    """A disk that was frozen or thawed: when, on the cloud's clock, and whether by a timer of the guest's own."""

    at: float
    disk: str
    frozen: bool
    by_timer: bool


@dataclass(eq=False, slots=True)
class Stillness:
    """What stands still in one guest."""

    time: Callable[[], float] = lambda: 0.0
    after: Callable[[float, Callable[[], None]], None] = lambda seconds, do: None
    frozen: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    waiting: dict[int, str] = field(default_factory=dict)  # processes in the background, and what they are called
    last: int = 700

    def freeze(self, disk: str, by_timer: bool = False) -> str:
        """Freeze a disk; gives what is wrong with that, or ""."""
        if disk not in DISKS:
            return f"fsfreeze: cannot open {disk}: No such file or directory\n"
        if disk in self.frozen:
            return f"fsfreeze: {disk}: freeze failed: Device or resource busy\n"
        self.frozen.add(disk)
        self.changes.append(Change(self.time(), disk, True, by_timer))
        return ""

    def thaw(self, disk: str, by_timer: bool = False) -> str:
        """Let a disk go; gives what is wrong with that, or ""."""
        if disk not in self.frozen:
            return f"fsfreeze: {disk}: unfreeze failed: Invalid argument\n"
        self.frozen.remove(disk)
        self.changes.append(Change(self.time(), disk, False, by_timer))
        return ""

    def begin(self, name: str) -> int:
        """A process begins to wait in the background; its id."""
        self.last += 1
        self.waiting[self.last] = name
        return self.last

    def then(self, process: int, seconds: float, do: Callable[[], None]) -> None:
        """After so many seconds it does this and ends, unless it was ended before."""

        def due() -> None:
            if self.waiting.pop(process, None) is not None:
                do()

        self.after(seconds, due)

    def boot(self) -> None:
        """All that ran is gone, and no disk stands still."""
        self.waiting.clear()
        for disk in tuple(self.frozen):
            self.thaw(disk)
