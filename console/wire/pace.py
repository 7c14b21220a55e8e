"""How fast a service may be asked, learned from its own replies.

Nothing is assumed of a service that says nothing. One that tells what is left, or asks for a pause, is obeyed by all
who send to it, in every process of this user: whoever has time waits, whoever has not gets `OverLimit` at once and can
show it. A dialect whose service tells its limits beforehand hands them to `obey`.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from console.errors import OverLimit
from console.wire.budget import Budget, Limit
from console.wire.message import LONGEST_WAIT, Reply, retry_after

_LEFT = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")
_MOST = ("x-ratelimit-limit", "ratelimit-limit", "x-rate-limit-limit")
_RESET = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")
_EPOCH = 1_000_000_000  # a reset above this is a date, not a pause
_EPOCH_MS = 100 * _EPOCH  # and one above this a date in milliseconds, as some gateways write it


class Figure(NamedTuple):
    """What is left of how many requests, in how many seconds where that is known."""

    left: int | None = None
    most: int | None = None
    seconds: float | None = None


class Pace:
    """One limiter for one endpoint and account. Times are monotonic seconds."""

    def __init__(
        self,
        *,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.budget = budget or Budget(clock=clock)
        self.limits: tuple[Limit, ...] = ()
        self.turned: Callable[[], None] = lambda: None  # called when a request begins to wait, and when it may go
        self._told = Figure()
        self._waiting: list[float] = []
        self._clock = clock
        self._sleep = sleep

    @property
    def wait(self) -> float:
        """The seconds for which nothing may be sent, or a request waits already."""
        return max(self.budget.wait, min(self._waiting, default=0.0) - self._clock(), 0.0)

    @property
    def figure(self) -> Figure:
        """What is left, of the scarcest limit there is; else what the service's replies tell."""
        known = [Figure(self.budget.left(limit), limit.most, limit.seconds) for limit in self.limits]
        return min(known, key=lambda one: (one.left or 0) / (one.most or 1), default=self._told)

    def obey(self, limits: Sequence[Limit]) -> None:
        """Send no more than these from now on; they take the place of those given before."""
        self.limits = tuple(limits)

    async def ready(self, patience: float, method: str = "GET", address: str = "") -> None:
        """Return when this request may be sent, which then counts as sent.

        Raises `OverLimit` at once when that is not within `patience` seconds.
        """
        limits = [limit for limit in self.limits if limit.counts(method, address)]
        while (wait := self.budget.wait or self.budget.take(limits)) > 0:
            if wait > patience:
                raise OverLimit(f"too many requests: the next may go in {wait:.0f} s.", retry_after=wait, status=429)
            patience -= wait
            await self._rest(wait)

    def learn(self, reply: Reply) -> None:
        """Take over what a reply says of limits."""
        headers = reply.headers
        left, most = _number(headers, _LEFT), _number(headers, _MOST)
        if left is not None:
            self._told = self._told._replace(left=int(left))
        if most is not None:
            self._told = self._told._replace(most=int(most))
        if reply.status in (413, 429, 503):
            self.hold(retry_after(headers) or 0.0)
        elif left == 0:
            self.hold(_pause_of(_number(headers, _RESET)) or 0.0)

    def hold(self, seconds: float) -> None:
        """Send nothing for so many seconds from now, in no process."""
        if seconds > 0:
            self.budget.hold(seconds)
            self.turned()

    async def _rest(self, seconds: float) -> None:
        """Wait, and let it be seen for how long."""
        until = self._clock() + seconds
        self._waiting.append(until)
        self.turned()
        try:
            await self._sleep(seconds)
        finally:
            self._waiting.remove(until)
            self.turned()


def _number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        text = headers.get(name, "").split(",")[0].split(";")[0].strip()
        if text:
            try:
                found = float(text)
            except ValueError:
                return None
            return found if math.isfinite(found) else None
    return None


def _pause_of(reset: float | None) -> float | None:
    if reset is None:
        return None
    reset = reset / 1000 if reset > _EPOCH_MS else reset
    return min(max(0.0, reset - time.time() if reset > _EPOCH else reset), LONGEST_WAIT)
