"""Something that was asked of a server, on its way: who asked, what was given, and how a step of it may turn out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from console.sim.records import InstanceAction


class Failed(Exception):
    """A step of a life that cannot be done: the server's fault; `noted` is whether its action tells of it too."""

    def __init__(self, message: str, noted: bool = True) -> None:
        super().__init__(message)
        self.noted = noted


@dataclass(slots=True)
class Job:
    """Something that was asked of a server, with what was given for it."""

    life: str
    action: InstanceAction | None = None
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """A step that changes the course: another life follows, or the job ends here with this result."""

    life: str = ""
    result: str = "Success"
    message: str | None = None
