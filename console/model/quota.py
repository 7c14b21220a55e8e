"""What an account may use, and uses: limits and quotas of every dialect as one table of name -> (used, most)."""

import msgspec

from console.model.place import Place


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
