"""Reading one thing again and again until an attribute of it has one of the values that are waited for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from console.core.clock import Clock
from console.errors import BadReply, CloudError, CloudFault, ConfigError, OverLimit, Unreachable, WaitTimeout
from console.model.place import Row

R = TypeVar("R", bound=Row)

AWAY = (Unreachable, BadReply, CloudFault, OverLimit)  # a cloud that may answer the next time
RESTS = 3  # readings in a row of the same status after which it is believed of a server that was being deleted
BIN = ("DELETED", "SOFT_DELETED")


class Passing:
    """Tells a status that is only passed through, of a server that somebody has begun to delete.

    Nova may call such a server's build done, with no task left, in the moment before it goes on to remove it.
    """

    def __init__(self) -> None:
        self._doomed = False
        self._status: object = None
        self._rested = 0

    def through(self, row: object) -> bool:
        """Whether the server, as read just now, may still be on its way out; to be asked of every reading."""
        status, task = getattr(row, "status", None), getattr(row, "task_state", None)
        self._rested = 0 if task else self._rested + 1 if status == self._status else 1
        self._status = status
        self._doomed = self._doomed or str(task or "").endswith("deleting")
        return self._doomed and self._rested < RESTS and status not in BIN


@dataclass
class Until(Generic[R]):
    """What is waited for, how often it is looked at, and when that ends; times in seconds."""

    row: R  # as last read
    attribute: str
    desired: Any
    interval: float = 5.0
    attempts: int = 0  # 0: no limit
    deadline: float | None = None
    verbose: bool = False
    attributes: Sequence[str] = ()  # told too, where it is verbose

    def __post_init__(self) -> None:
        for name in (self.attribute, *self.attributes):
            if not hasattr(self.row, name):
                raise ConfigError(f"A {type(self.row).__name__.lower()} has no {name}.")

    @property
    def wanted(self) -> list[Any]:
        """The values that end it."""
        several = isinstance(self.desired, Sequence) and not isinstance(self.desired, str)
        return list(self.desired) if several else [self.desired]

    async def run(self, read: Callable[[R], Awaitable[R]], clock: Clock) -> R:
        """Read until it is so; the row as it is then. Raises `WaitTimeout`, or what `read` raises.

        A cloud that is away for a while ends no wait: a reading that fails so counts as one without news.
        """
        begun, asked = clock.monotonic(), 0
        passing = Passing()
        while True:
            away: CloudError | None = None
            try:
                async with asyncio.timeout(within(self.deadline, clock.monotonic() - begun)):
                    self.row = await read(self.row)
            except AWAY as error:
                away = error
            except TimeoutError:
                away = Unreachable("No answer.", place=str(self.row.place))
            asked += 1
            passed = clock.monotonic() - begun
            if self.verbose:
                print(self._line(passed, away))
            through = away is None and passing.through(self.row) and self.attribute == "status"
            if away is None and not through and self._there():
                return self.row
            left = None if self.deadline is None else self.deadline - passed
            if (left is not None and left <= 0) or (self.attempts and asked >= self.attempts):
                raise self._late(passed, away)
            await clock.sleep(self.interval if left is None else min(self.interval, left))

    def _there(self) -> bool:
        return any(_same(getattr(self.row, self.attribute), value) for value in self.wanted)

    def _late(self, passed: float, away: CloudError | None) -> WaitTimeout:
        have, told = getattr(self.row, self.attribute), ", ".join(map(str, self.wanted))
        why = f" {away}" if away is not None else ""
        return WaitTimeout(
            f"{self.row.name}: {self.attribute} is {have} after {passed:.0f} s, not {told}.{why}", last=str(have)
        )

    def _line(self, passed: float, away: CloudError | None) -> str:
        names = (self.attribute, *self.attributes)
        told = ", ".join(f"{name} is {getattr(self.row, name)}" for name in names)
        return f"{self.row.name}: {away or told} after {passed:.0f} s"


def within(deadline: float | None, passed: float) -> float | None:
    """The seconds that one reading may take, so that a cloud which never answers outlasts no deadline."""
    return None if deadline is None else max(1.0, deadline - passed)


def _same(have: Any, wanted: Any) -> bool:
    if isinstance(have, str) and isinstance(wanted, str):
        return have.upper() == wanted.upper()
    return bool(have == wanted)
