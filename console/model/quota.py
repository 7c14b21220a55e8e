"""What an account may use, and uses: limits and quotas of every dialect as one table of name -> (used, most)."""

import msgspec

from console.model.place import Place, Row


class Limit(msgspec.Struct, frozen=True, gc=False):
    """One limit; `most` is None where there is none, `used` is None where the cloud does not count it."""

    name: str
    most: int | None = None
    used: int | None = None
    unit: str = ""

    @property
    def left(self) -> int | None:
        """How much may still be used; None where that cannot be told."""
        return None if self.most is None or self.used is None else self.most - self.used


class Limits(msgspec.Struct, frozen=True, gc=False):
    """The limits of one place: instances, cores, ram (MB) ... by name."""

    place: Place
    absolute: dict[str, Limit]


class Allowance(Row, frozen=True, kw_only=True, gc=False):
    """One limit of one place as a row of its own; its name is its id. See `Limit`."""

    most: int | None = None
    used: int | None = None
    unit: str = ""

    @property
    def share(self) -> float | None:
        """How much of it is used, from 0 to 1 and above; None where that cannot be told."""
        if self.most is None or self.used is None:
            return None
        return self.used / self.most if self.most > 0 else float(self.used > 0)
