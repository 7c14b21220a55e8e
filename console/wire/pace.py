"""How fast a service may be asked, learned from its own replies.

Nothing is assumed of a service that says nothing. One that tells what is left, or asks for a pause, is obeyed by all
who send to it: whoever has time waits, whoever has not gets `OverLimit` at once and can show it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from console.errors import OverLimit
from console.wire.message import Reply, retry_after

_LEFT = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")
_MOST = ("x-ratelimit-limit", "ratelimit-limit", "x-rate-limit-limit")
_RESET = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")
_EPOCH = 1_000_000_000  # a reset above this is a date, not a pause


class Pace:
    """One limiter for one endpoint and account. Times are monotonic seconds."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.left: int | None = None
        self.most: int | None = None
        self.throttled_until = 0.0
        self._clock = clock
        self._sleep = sleep

    @property
    def wait(self) -> float:
        """The seconds until the next request may be sent."""
        return max(0.0, self.throttled_until - self._clock())

    async def ready(self, patience: float) -> None:
        """Return when a request may be sent; raises `OverLimit` at once when that is not within `patience` seconds."""
        while (wait := self.wait) > 0:
            if wait > patience:
                raise OverLimit(f"too many requests: the next may go in {wait:.0f} s.", retry_after=wait, status=429)
            patience -= wait
            await self._sleep(wait)

    def learn(self, reply: Reply) -> None:
        """Take over what a reply says of limits."""
        headers = reply.headers
        left, most = _number(headers, _LEFT), _number(headers, _MOST)
        self.left = self.left if left is None else int(left)
        self.most = self.most if most is None else int(most)
        if reply.status in (413, 429, 503):
            self._pause(retry_after(headers))
        elif left == 0:
            self._pause(_pause_of(_number(headers, _RESET)))

    def hold(self, seconds: float) -> None:
        """Send nothing for so many seconds from now."""
        self._pause(seconds)

    def _pause(self, seconds: float | None) -> None:
        if seconds:
            self.throttled_until = max(self.throttled_until, self._clock() + seconds)


def _number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        text = headers.get(name, "").split(",")[0].split(";")[0].strip()
        if text:
            try:
                return float(text)
            except ValueError:
                return None
    return None


def _pause_of(reset: float | None) -> float | None:
    if reset is None:
        return None
    return max(0.0, reset - time.time()) if reset > _EPOCH else reset
