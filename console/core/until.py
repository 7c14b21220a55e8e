"""Reading one thing again and again until an attribute of it has one of the values that are waited for."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from console.core.clock import Clock
from console.errors import ConfigError, WaitTimeout
from console.model.place import Row

R = TypeVar("R", bound=Row)


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
        """Read until it is so; the row as it is then. Raises `WaitTimeout`, or what `read` raises."""
        begun, asked = clock.monotonic(), 0
        while True:
            self.row = await read(self.row)
            asked += 1
            have, passed = getattr(self.row, self.attribute), clock.monotonic() - begun
            if self.verbose:
                print(self._line(passed))
            if any(_same(have, value) for value in self.wanted):
                return self.row
            late = self.deadline is not None and passed + self.interval > self.deadline
            if late or (self.attempts and asked >= self.attempts):
                told = ", ".join(map(str, self.wanted))
                what = f"{self.row.name}: {self.attribute} is {have} after {passed:.0f} s, not {told}."
                raise WaitTimeout(what, last=str(have))
            await clock.sleep(self.interval)

    def _line(self, passed: float) -> str:
        names = (self.attribute, *self.attributes)
        told = ", ".join(f"{name} is {getattr(self.row, name)}" for name in names)
        return f"{self.row.name}: {told} after {passed:.0f} s"


def _same(have: Any, wanted: Any) -> bool:
    if isinstance(have, str) and isinstance(wanted, str):
        return have.upper() == wanted.upper()
    return bool(have == wanted)
