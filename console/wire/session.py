"""Requests to one service in one account's name: signed, renewed, paced, resent where that is harmless, paged.

Only a GET is ever sent twice; an order whose answer got lost may have been taken, and to look for what became of it
is the caller's business. The one exception is a 401: that order was not even looked at.
"""

import asyncio
import datetime as dt
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from console.errors import CloudError, CloudFault, OverLimit, Unreachable
from console.wire.auth import Auth, Token
from console.wire.message import Reply, Request, decipher, http_date, refuse_body
from console.wire.pace import Pace
from console.wire.transport import Transport

Params = Mapping[str, Any] | Sequence[tuple[str, Any]] | str
Items = TypeVar("Items", bound=Sequence[Any])

DEADLINE = 30.0  # seconds for one request
RESENDS = 2  # of a GET
BACKOFF = 0.25  # seconds before the first of them, doubled each time, with jitter
MOST_PAGES = 10_000
_WORTH_RESENDING = frozenset((502, 503, 504))


class Session:
    """One service at one endpoint."""

    def __init__(
        self,
        transport: Transport,
        auth: Auth,
        endpoint: str,
        *,
        pace: Pace | None = None,
        deadline: float = DEADLINE,
        headers: Mapping[str, str] | None = None,
        sleep: Callable[[float], Any] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.deadline = deadline
        self.pace = pace or transport.pace
        self._outage = Pace()  # how long this one service has asked to be left alone: no business of its neighbours
        self.skew: dt.timedelta = dt.timedelta(0)
        self.place = transport.place
        self._transport = transport
        self._auth = auth
        self._headers = {"Accept": "application/json", "Cache-Control": "no-cache", **(headers or {})}
        self._sleep = sleep
        self._clock = clock

    async def get(self, path: str, params: Params = (), **given: Any) -> Reply:
        """A deciphered reply; sent again where the failure may pass. Raises a `CloudError`."""
        return await self.send("GET", path, params, **given)

    async def post(self, path: str, json: Any = None, **given: Any) -> Reply:
        """Order something, once."""
        return await self.send("POST", path, json=json, **given)

    async def put(self, path: str, json: Any = None, **given: Any) -> Reply:
        """Replace something, once."""
        return await self.send("PUT", path, json=json, **given)

    async def patch(self, path: str, json: Any = None, **given: Any) -> Reply:
        """Change something, once."""
        return await self.send("PATCH", path, json=json, **given)

    async def delete(self, path: str, **given: Any) -> Reply:
        """Order something's end, once."""
        return await self.send("DELETE", path, **given)

    async def send(
        self,
        method: str,
        path: str,
        params: Params = (),
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Reply:
        """The deciphered reply to one request within `deadline` seconds, resends and waiting included."""
        body = None if json is None else msgspec.json.encode(json)
        request = Request(method, self.url(path, params), self._headers_for(headers, body), body)
        ends = self._clock() + (deadline or self.deadline)
        resends = RESENDS if method == "GET" else 0
        while True:
            try:
                return await self._attempt(request, ends)
            except CloudError as error:
                pause = _pause_before_resend(error, RESENDS - resends)
                if not resends or pause is None or self._clock() + pause >= ends:
                    error.place = self.place or error.place
                    raise
            resends -= 1
            await self._sleep(pause)

    async def _attempt(self, request: Request, ends: float) -> Reply:
        token = await self._logged_in(self._auth.token(), ends)
        reply = await self._send_signed(request, token, ends)
        if reply.status == 401:
            token = await self._logged_in(self._auth.replace(token), ends)
            reply = await self._send_signed(request, token, ends)
        decipher(reply, self.place)
        return reply

    async def _logged_in(self, login: Coroutine[Any, Any, Token], ends: float) -> Token:
        """What the login gives within the deadline, which is told to whoever asks and holds for all of it."""
        try:
            async with asyncio.timeout(max(0.001, ends - self._clock())):
                return await login
        except TimeoutError:
            raise Unreachable("the login gave no answer in time.", place=self.place, fault="timeout") from None

    async def _send_signed(self, request: Request, token: Token, ends: float) -> Reply:
        await self._outage.ready(ends - self._clock())
        await self.pace.ready(ends - self._clock(), request.method, request.url.removeprefix(self.endpoint))
        signed = request._replace(headers={**request.headers, **token.headers})
        reply = await self._transport.send(signed, deadline=max(0.001, ends - self._clock()))
        (self._outage if reply.status == 503 else self.pace).learn(reply)
        if (date := http_date(reply.headers.get("date"))) is not None:
            self.skew = date - dt.datetime.now(dt.UTC)
        return reply

    def _headers_for(self, headers: Mapping[str, str] | None, body: bytes | None) -> dict[str, str]:
        content = {} if body is None else {"Content-Type": "application/json"}
        return {**self._headers, **content, **(headers or {})}

    def url(self, path: str, params: Params = ()) -> str:
        """The address of a path below the endpoint; a value of None is left out, a list is repeated."""
        query = params if isinstance(params, str) else _query(params)
        address = f"{self.endpoint}/{path.lstrip('/')}".rstrip("/") if path != "/" else f"{self.endpoint}/"
        return f"{address}?{query}" if query else address

    async def pages(
        self, path: str, params: Params, read: Callable[[Reply], tuple[Items, str | None]], **given: Any
    ) -> AsyncIterator[Items]:
        """Each page of a collection as `read` gives it, which also finds the link to the next one.

        Of that link only the query is used: behind a proxy its scheme, host and path are often somebody else's. A
        page without items ends the walk, a link that comes again is an error.
        """
        seen: set[str] = set()
        query: Params = params
        while True:
            reply = await self.get(path, query, **given)
            items, link = read(reply)
            if not link or not items:
                yield items
                return
            query = _query_of(link)
            if query in seen or len(seen) >= MOST_PAGES:
                refuse_body(reply, self.place, "a link to a page that was read before")
            seen.add(query)
            del reply  # a page is some megabytes: the next one can take their place
            await asyncio.sleep(0)  # and some milliseconds: a key that was pressed meanwhile comes first
            yield items

    def now(self, ours: dt.datetime) -> dt.datetime:
        """The service's own time, when ours is `ours`."""
        return ours + self.skew


def _query_of(link: str) -> str:
    """What follows the first question mark, whatever stands before it: that may be no address at all."""
    return urlsplit("?" + link.partition("?")[2]).query


def _query(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> str:
    pairs = params.items() if isinstance(params, Mapping) else params
    return urlencode([(name, value) for name, value in pairs if value is not None], doseq=True)


def _pause_before_resend(error: CloudError, attempt: int) -> float | None:
    """The seconds to wait before a GET that failed so is sent again; None where that would not help."""
    if isinstance(error, OverLimit):
        return error.retry_after
    passing = isinstance(error, CloudFault) and error.status in _WORTH_RESENDING
    if passing or (isinstance(error, Unreachable) and error.fault == "closed"):
        return BACKOFF * float(1 << attempt) * random.uniform(0.5, 1.5)
    return None
