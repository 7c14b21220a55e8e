"""Who we are to a cloud: a token that is renewed before it runs out, by one caller for all.

How a login is done is no business of this file: it is given an async callable. A login that was refused stays refused
until `retry()`, because a console that keeps trying a wrong password locks the account.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from console.errors import CloudError, Unauthorized

RENEW_AT = 0.8  # of a token's life
FRESH = 10.0  # seconds in which a token that is refused is not worth another login
EARLY = 5.0  # seconds that a request waits for a renewal which it could do without
PAUSE = 15.0  # seconds until a failed early renewal is tried again


@dataclass(frozen=True, slots=True)
class Token:
    """The headers that sign a request, and for how many seconds they do."""

    headers: Mapping[str, str] = field(repr=False)
    life: float = 3600.0


class Auth:
    """The token of one account, shared by all that sends in its name."""

    def __init__(
        self,
        login: Callable[[], Awaitable[Token]],
        *,
        clock: Callable[[], float] = time.monotonic,
        early: float = EARLY,
    ) -> None:
        self._login = login
        self._clock = clock
        self._early = early
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._got_at = 0.0
        self._not_before = 0.0
        self._attempts = 0  # that failed
        self._failure: CloudError | None = None
        self._refused: Unauthorized | None = None

    @property
    def refused(self) -> bool:
        """Whether the login was refused, and nobody has said `retry()` since."""
        return self._refused is not None

    def retry(self) -> None:
        """Allow a login again after one was refused."""
        self._refused = None
        self._failure = None

    def adopt(self, token: Token) -> None:
        """Use a token that was got elsewhere, from now on."""
        self._token = token
        self._got_at = self._clock()

    async def token(self) -> Token:
        """A token that is good now. Raises `Unauthorized` when the login is refused, or why it could not be tried."""
        token = self._token
        if token is None or self._age() >= token.life:
            return await self._renew(token)
        if self._age() < RENEW_AT * token.life or self._clock() < self._not_before:
            return token
        return await self._renew_early(token)

    async def replace(self, bad: Token) -> Token:
        """Another token than the one that a service has just refused; raises when there can be none."""
        if self._token is bad and self._age() < FRESH:
            raise Unauthorized("a fresh token was refused.", status=401)
        return await self._renew(bad)

    def _age(self) -> float:
        return self._clock() - self._got_at

    async def _renew_early(self, token: Token) -> Token:
        """A failed or slow renewal is no loss while the old token still holds, unless the login was refused."""
        if self._lock.locked():
            return token  # somebody is at it
        try:
            async with asyncio.timeout(self._early):
                return await self._renew(token)
        except Unauthorized:
            raise
        except (CloudError, TimeoutError):
            self._not_before = self._clock() + PAUSE
            return token

    async def _renew(self, old: Token | None) -> Token:
        attempts = self._attempts
        async with self._lock:
            if self._refused is not None:
                raise _again(self._refused)
            if self._token is not None and self._token is not old:
                return self._token
            if self._attempts != attempts and self._failure is not None:
                raise _again(self._failure)  # whoever waited shares the outcome, and asks no second time
            return await self._log_in()

    async def _log_in(self) -> Token:
        self._failure = None
        try:
            token = await self._login()
        except CloudError as error:
            self._attempts += 1
            self._failure = _again(error)
            if isinstance(error, Unauthorized):
                self._refused = _again(error)
                self._token = None
            raise
        self.adopt(token)
        self._not_before = 0.0
        return token


Failure = TypeVar("Failure", bound=CloudError)


def _again(error: Failure) -> Failure:
    """The same failure as an object of its own: who raises it names his own place in it."""
    found = type(error).__new__(type(error), *error.args)
    found.__dict__.update(error.__dict__)
    return found
