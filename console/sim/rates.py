"""How often an account may ask: the rate limits that old clouds and their front ends enforce and tell.

A limit counts from the first request that it lets through; when its minute (hour, day) is over it begins anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from console.sim.clock import Clock

SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400}


@dataclass(slots=True)
class Rate:
    """So many requests of one verb to matching paths in each unit of time; `uri` is the same for people."""

    verb: str
    uri: str
    regex: str
    value: int
    unit: str

    def meets(self, verb: str, path: str) -> bool:
        """Whether such a request counts."""
        return verb == self.verb and re.search(self.regex, path) is not None


@dataclass(slots=True)
class Spent:
    """How much of one limit is used up, and when it begins anew."""

    used: int
    until: float


class Rates:
    """A table of limits, and what each account has used of them; the table goes from the least to the most specific."""

    def __init__(self, clock: Clock, table: list[Rate]) -> None:
        self.clock = clock
        self.table = table
        self._spent: dict[tuple[str, str, str], Spent] = {}

    def spend(self, account: str, verb: str, path: str) -> int | None:
        """Count a request; where a limit forbids it, nothing is counted and the seconds to wait are given."""
        meeting = [rate for rate in self.table if rate.meets(verb, path)]
        for rate in meeting:
            spent = self._now(account, rate)
            if spent.used >= rate.value:
                return max(1, ceil(spent.until - self.clock.time()))
        for rate in meeting:
            spent = self._now(account, rate)
            spent.used += 1
            self._spent[account, rate.verb, rate.regex] = spent
        return None

    def left(self, account: str, rate: Rate) -> tuple[int, float]:
        """How many requests are left, and when all of them are there again."""
        spent = self._now(account, rate)
        return max(0, rate.value - spent.used), spent.until

    def allow(self, verb: str, uri: str, value: int) -> None:
        """Change a limit, as an operator does on request; KeyError where there is none of that name."""
        found = [rate for rate in self.table if (rate.verb, rate.uri) == (verb, uri)]
        if not found:
            raise KeyError(f"{verb} {uri}")
        found[0].value = value

    def _now(self, account: str, rate: Rate) -> Spent:
        now = self.clock.time()
        found = self._spent.get((account, rate.verb, rate.regex))
        return found if found is not None and found.until > now else Spent(0, now + SECONDS[rate.unit])
