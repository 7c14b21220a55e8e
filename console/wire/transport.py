"""The one place where bytes leave for a cloud: a thin page over aiohttp's client.

It sends a `Request` and gives a `Reply`, whatever the status; it follows no redirect, resends nothing and knows no
token. What it adds is a deadline that holds to the second, a bound on what an answer may unpack to, and one plain
sentence for each way in which no answer comes. A certificate that nobody vouches for is such a way: it is never
passed over unless the user's own settings say `verify: false`.
"""

import asyncio
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from console.errors import BadReply, CloudError, ConfigError, Unreachable
from console.text import clean
from console.wire.message import Exchange, Reply, Request, mask
from console.wire.pace import Pace

MOST_BYTES = 256 * 1024 * 1024  # of one body, unpacked
CONNECTIONS = 8  # to one place
KEEP_ALIVE = 75.0  # seconds: longer than a settled poller's pause
ONCE = ("POST", "PATCH")  # what aiohttp does not send again by itself


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust: `verify` is False, True, or the path of a file or folder of authorities; `cert` is ours."""

    verify: bool | str = True
    cert: str | tuple[str, str] | None = None

    def context(self) -> ssl.SSLContext:
        """The context for a connection. Raises `ConfigError` naming the file that cannot be used."""
        context = self._trust()
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert:
            cert, key = (self.cert, None) if isinstance(self.cert, str) else self.cert
            try:
                context.load_cert_chain(cert, key)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"the client certificate {cert} cannot be used: {_reason(error)}.") from error
        return context

    def _trust(self) -> ssl.SSLContext:
        if not isinstance(self.verify, str):
            return ssl.create_default_context()
        path = Path(self.verify)
        try:
            if path.is_dir():
                return ssl.create_default_context(capath=str(path))
            return ssl.create_default_context(cafile=str(path))
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"the file of authorities (cacert) {path} cannot be used: {_reason(error)}.") from error


def _reason(error: OSError) -> str:
    return clean(error.strerror or str(error))


class Transport:
    """The connections of one account; close it when done."""

    def __init__(
        self,
        *,
        place: str = "",
        tls: Tls | None = None,
        most_bytes: int = MOST_BYTES,
        trace: Callable[[str], None] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.place = place
        self.pace = pace or Pace()  # of all sessions that send through here
        self.trace = trace
        self._tls = tls or Tls()
        self._most_bytes = most_bytes
        self._context: ssl.SSLContext | None = None
        self._clients: dict[bool, aiohttp.ClientSession] = {}
        self._closed = False
        self._proxies: dict[str, str | None] = {}

    def _session(self, *, once: bool) -> aiohttp.ClientSession:
        """The client for what may be asked twice; or, with `once`, one that has each connection to itself.

        A service may close a connection that rests at the very moment at which we send through it. What can be sent
        again then is; of an order nobody could tell whether it arrived.
        """
        if self._closed:
            raise Unreachable("the console was left, and its connections are closed.", fault="closed")
        client = self._clients.get(once)
        if client is None or client.closed:
            keeps: dict[str, Any] = {"force_close": True} if once else {"keepalive_timeout": KEEP_ALIVE}
            client = self._clients[once] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, ttl_dns_cache=60, **keeps),
                read_bufsize=1 << 20,
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "novadeck", "Accept-Encoding": "gzip, deflate"},
                max_line_size=65536,
                max_field_size=65536,
            )
        return client

    def _trusted(self, url: URL) -> ssl.SSLContext | bool:
        """Whom to trust for this address; made when first needed, since reading the authorities takes a while."""
        if url.scheme != "https":
            return True
        if self._context is None:
            self._context = self._tls.context()
        return self._context

    def _proxy(self, url: URL) -> str | None:
        """The proxy that the environment names for this host, asked once: aiohttp's own way asks a thread each time."""
        host = f"{url.scheme}://{url.raw_authority}"
        if host not in self._proxies:
            named = urllib.request.getproxies()
            passed = urllib.request.proxy_bypass(url.raw_authority) if named else False
            told = None if passed else named.get(url.scheme) or named.get("all")
            self._proxies[host] = f"http://{told}" if told and "://" not in told else told
        return self._proxies[host]

    async def send(self, request: Request, *, deadline: float) -> Reply:
        """The answer to one request within `deadline` seconds. Raises `Unreachable` or `BadReply`."""
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(deadline):
                reply = await self._exchange(request, asked_at)
        except TimeoutError:
            raise self._failed(
                request, Unreachable(f"{_host(request)} gave no answer within {deadline:.3g} s.", fault="timeout")
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failed(request, _explain(request, error)) from error
        except CloudError as error:
            raise self._failed(request, error) from None
        except ConfigError as error:  # found out here only, and no reason to take the other places down
            raise self._failed(request, Unreachable(error.message, fault="tls")) from error
        if self.trace:
            self.trace(str(Exchange(request, reply)))
        return reply

    async def _exchange(self, request: Request, asked_at: float) -> Reply:
        url = URL(request.url, encoded=True)
        client, proxy = self._session(once=request.method in ONCE), self._proxy(url)
        async with client.request(
            request.method,
            url,
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            proxy=proxy,
            ssl=self._trusted(url),
        ) as response:
            parts = await self._read(request, response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            took = time.monotonic() - asked_at
            return Reply(response.status, headers, parts, asked_at, took, request.method, request.url)

    async def _read(self, request: Request, response: aiohttp.ClientResponse) -> list[bytes]:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self._most_bytes:
                response.close()
                raise BadReply(f"{_host(request)} sent more than {self._most_bytes:,} bytes.", status=response.status)
            parts.append(part)
        return parts

    def _failed(self, request: Request, error: CloudError) -> CloudError:
        error.place = self.place
        if self.trace:
            self.trace(str(Exchange(request, failure=error.message)))
        return error

    async def close(self, *, for_good: bool = False) -> None:
        """Give back all connections; for good, so that whoever still wants to send opens none anew and is told so."""
        self._closed |= for_good
        while self._clients:
            await self._clients.popitem()[1].close()


def _host(request: Request) -> str:
    authority = request.url.partition("://")[2].partition("/")[0].partition("?")[0]
    return clean(authority.rpartition("@")[2]) or clean(request.url)


def _explain(request: Request, error: Exception) -> CloudError:
    """The one sentence for a failed exchange."""
    host = _host(request)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        why = getattr(inner, "verify_message", "") or str(inner)
        hint = "Set cacert in clouds.yaml to the file of its authority."
        return Unreachable(
            f"the certificate of {host} is not trusted: {clean(why).rstrip('.')}.", hint=hint, fault="tls"
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable(f"the name {clean(error.host)} is not known.", fault="name")
    if isinstance(error, aiohttp.ClientHttpProxyError):  # whose own text has the proxy's address, password and all
        told = clean(f"{error.status} {error.message}")
        return Unreachable(f"the proxy before {host} does not let us through: {told}.", fault="proxy")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Unreachable(
            f"the proxy before {host} cannot be reached: {_reason(error.os_error).lower()}.", fault="proxy"
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return Unreachable(f"{host} and we could not agree on TLS: {clean(str(error.strerror or error))}.", fault="tls")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(_refused(host, error.os_error), fault="refused")
    if isinstance(error, aiohttp.ClientPayloadError):
        return BadReply(f"the answer of {host} was cut off or could not be unpacked: {clean(_first_line(error))}.")
    if isinstance(error, aiohttp.ClientResponseError):
        return BadReply(f"{host} does not speak HTTP as it should: {clean(_first_line(error))}.")
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Unreachable(f"{clean(mask(request.url))} is no address of a service.")
    return Unreachable(f"{host} closed the connection before an answer.", fault="closed")


def _refused(host: str, error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"{host} refuses connections."
    return f"{host} cannot be reached: {_reason(error)}."


def _first_line(error: Exception) -> str:
    text = getattr(error, "message", "") or str(error)
    return str(text).strip().partition("\n")[0].rstrip(".:")[:200]
