"""What an action stands on: the parts of a `Console` that the gate and the waiters use, and no more."""

from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from console.actions.audit import Audit
from console.clouds.dialect import Dialect
from console.model.place import Key, Place
from console.text import Secret


class Clock(Protocol):
    """The monotonic hand, and sleeps."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    async def sleep(self, seconds: float) -> object:
        """Come back after so many seconds."""


class Known(Protocol):
    """The store's side that actions use."""

    def rows(self, kind: type[Any]) -> Mapping[Key, Any]:
        """All rows of a kind."""

    def ways(self, key: Key) -> Sequence[Place]:
        """The places that lead to a row, best first."""

    def touch(self, key: Key, at: float) -> None:
        """No listing asked for before `at` may overwrite this row."""

    def learn(self, kind: type[Any], row: Any, place: Place, asked_at: float) -> None:
        """Take in a row that was read by itself."""

    def remove(self, key: Key, at: float) -> None:
        """It is gone."""

    @property
    def health(self) -> Mapping[Place, Any]:
        """The health of each place."""


class Folders(Protocol):
    """Where the console keeps what it learned."""

    @property
    def state(self) -> Path:
        """The folder for host keys and the audit."""


class Ground(Protocol):
    """A `Console`, as far as actions know it."""

    @property
    def store(self) -> Known:
        """What is known."""

    @property
    def settings(self) -> Any:
        """The settings: `clouds[name]` has read_only and the ways into guests."""

    @property
    def clock(self) -> Clock:
        """The clock to sleep by."""

    @property
    def audit(self) -> Audit:
        """Where orders are written down."""

    @property
    def read_only(self) -> bool:
        """Whether this run may change nothing."""

    @property
    def places(self) -> Sequence[Place]:
        """The places that are open."""

    @property
    def paths(self) -> Folders:
        """The folders."""

    @property
    def passwords(self) -> MutableMapping[str, Secret]:
        """What clouds told once of servers' passwords, by server; held in memory alone, for logins of this run."""

    @property
    def promised(self) -> MutableMapping[str, Any]:
        """The files that new servers are to find on their disks, by server; held in memory alone, for their checks."""

    async def history(self, key: Key) -> Sequence[Any]:
        """What is remembered of one thing, oldest first."""

    def dialect(self, place: Place) -> Dialect:
        """The dialect of a place; raises a `CloudError` with the lane's reason while there is none."""

    def wake(self, place: Place) -> None:
        """Have that place asked now."""
