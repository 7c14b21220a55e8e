"""The one page over aiohttp: what arrives, and one plain sentence for each way in which nothing does."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from scripted_cloud import self_signed, tls_context

from console.errors import BadReply, CloudError, ConfigError, Unreachable
from console.wire.message import Reply, Request
from console.wire.transport import Tls, Transport

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking(raw: bytes) -> AsyncIterator[str]:
    """A server that says these bytes to whoever asks, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def transport(**given: object) -> AsyncIterator[Transport]:
    made = Transport(place="lab/one", **given)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


async def ask(url: str, deadline: float = 10, **given: object) -> Reply:
    async with transport(**given) as sender:
        return await sender.send(Request("GET", url), deadline=deadline)


async def failing(url: str, deadline: float = 10, **given: object) -> CloudError:
    with pytest.raises(CloudError) as caught:
        await ask(url, deadline, **given)
    assert caught.value.place == "lab/one"
    return caught.value


async def test_a_reply_has_its_status_its_headers_and_its_body() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["X-Own"] == "1"
        return web.Response(status=418, headers={"X-Thing": "Y"}, body=await request.read())

    async with serving(answer) as url, transport() as sender:
        reply = await sender.send(Request("POST", f"{url}/p?a=b%20c", {"X-Own": "1"}, b"body"), deadline=10)
    assert (reply.status, reply.headers["x-thing"], reply.body, reply.method) == (418, "Y", b"body", "POST")
    assert reply.took > 0
    assert reply.asked_at > 0


async def test_the_query_is_sent_as_it_was_written() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.raw_path)

    async with serving(answer) as url:
        reply = await ask(f"{url}/a?since=2026-01-01T00%3A00%3A00%2B00%3A00&x=%2F")
    assert reply.body == b"/a?since=2026-01-01T00%3A00%3A00%2B00%3A00&x=%2F"


async def test_connections_are_kept_and_redirects_are_not_followed() -> None:
    peers = set()

    async def answer(request: web.Request) -> web.Response:
        peers.add(request.transport.get_extra_info("peername"))  # type: ignore[union-attr]
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with serving(answer) as url, transport() as sender:
        for _ in range(3):
            assert (await sender.send(Request("GET", url), deadline=10)).status == 302
    assert len(peers) == 1


async def test_gzip_is_asked_for_and_unpacked() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert "gzip" in request.headers["Accept-Encoding"]
        return web.Response(body=gzip.compress(b"x" * 10_000), headers={"Content-Encoding": "gzip"})

    async with serving(answer) as url:
        assert (await ask(url)).body == b"x" * 10_000


async def test_a_body_that_unpacks_to_too_much_is_given_up() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"\0" * 20_000_000), headers={"Content-Encoding": "gzip"})

    async with serving(answer) as url:
        error = await failing(url, most_bytes=1_000_000)
    assert isinstance(error, BadReply)
    assert "more than 1,000,000 bytes" in error.message


async def test_a_body_that_is_too_long_is_given_up_before_it_is_read() -> None:
    async with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 200_000) as url:
        error = await failing(url, most_bytes=100_000)
    assert "more than 100,000 bytes" in error.message


async def test_silence_ends_at_the_deadline() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with speaking(b"") as url:
        assert (await failing(url)).fault == "closed"
    hole = socket.create_server(("127.0.0.1", 0))
    with hole:
        error = await failing(f"http://127.0.0.1:{hole.getsockname()[1]}", 0.2)
    assert isinstance(error, Unreachable)
    assert error.fault == "timeout"
    assert "gave no answer within 0.2 s" in error.message


async def test_one_that_is_closed_opens_no_connection_anew() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(answer) as url, transport() as sender:
        assert (await sender.send(Request("GET", url), deadline=5)).status == 200
        await sender.close()
        assert (await sender.send(Request("GET", url), deadline=5)).status == 200, "a login may be made again"
        await sender.close(for_good=True)
        with pytest.raises(Unreachable, match="was left") as caught:
            await sender.send(Request("GET", url), deadline=5)
        assert caught.value.fault == "closed" and not sender._clients
        await sender.close()
        with pytest.raises(Unreachable, match="was left"):
            await sender.send(Request("GET", url), deadline=5)


async def test_a_closed_port_and_an_unknown_name_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    refused = await failing(f"http://127.0.0.1:{port}/v2.1")
    assert refused.message == f"127.0.0.1:{port} refuses connections."
    unknown = await failing("http://no-such-host.invalid/")
    assert "no-such-host.invalid" in unknown.message
    nonsense = await failing("http://[::bad/")
    assert "no address of a service" in nonsense.message


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 999999 What\r\n\r\n",
    ],
)
async def test_what_is_no_whole_http_is_a_bad_reply(raw: bytes) -> None:
    async with speaking(raw) as url:
        assert isinstance(await failing(url), BadReply)


async def test_the_trace_tells_what_was_sent_without_secrets() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"adminPass": "hunter2"}, headers={"X-Subject-Token": "tok2"})

    lines: list[str] = []
    async with serving(answer) as url, transport(trace=lines.append) as sender:
        await sender.send(Request("GET", f"{url}/x", {"X-Auth-Token": "tok1"}), deadline=10)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    async with transport(trace=lines.append) as sender:
        with pytest.raises(Unreachable):
            await sender.send(Request("GET", f"http://127.0.0.1:{port}/y"), deadline=10)
    assert "-> 200" in lines[0]
    assert "refuses connections" in lines[1]
    for secret in ("hunter2", "tok1", "tok2"):
        assert secret not in lines[0]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


async def greet(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def test_an_untrusted_certificate_is_one_clear_sentence(certificate: tuple[Path, Path]) -> None:
    async with serving(greet, tls_context(certificate)) as url:
        error = await failing(url)
    assert isinstance(error, Unreachable)
    assert (error.fault, "is not trusted: self-signed certificate" in error.message) == ("tls", True)
    assert "cacert" in error.hint


async def test_a_certificate_is_trusted_by_its_authority_or_by_the_users_own_word(
    certificate: tuple[Path, Path],
) -> None:
    async with serving(greet, tls_context(certificate)) as url:
        assert (await ask(url, tls=Tls(str(certificate[0])))).body == b"hello"
        assert (await ask(url, tls=Tls(False))).body == b"hello"


async def test_our_own_certificate_is_shown_to_who_wants_one(certificate: tuple[Path, Path]) -> None:
    picky = tls_context(certificate)
    picky.verify_mode = ssl.CERT_REQUIRED
    picky.load_verify_locations(certificate[0])
    own = Tls(str(certificate[0]), (str(certificate[0]), str(certificate[1])))
    async with serving(greet, picky) as url:
        assert (await ask(url, tls=own)).body == b"hello"
        assert isinstance(await failing(url, tls=Tls(str(certificate[0]))), Unreachable)


async def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "ca.pem"
    rubbish.write_text("rubbish")
    for tls in (Tls(str(rubbish)), Tls(str(tmp_path / "none.pem")), Tls(True, str(rubbish))):
        with pytest.raises(ConfigError, match=r"\.pem cannot be used"):
            tls.context()
        assert "cannot be used" in (await failing("https://127.0.0.1:1/", tls=tls)).message


async def test_plain_http_behind_https_is_told(certificate: tuple[Path, Path]) -> None:
    async with serving(greet) as url:
        assert isinstance(await failing(url.replace("http:", "https:")), Unreachable)


async def test_the_environments_proxy_is_used_and_its_exceptions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def proxy(request: web.Request) -> web.Response:
        return web.Response(text=f"by proxy to {request.url.host}")

    async with serving(proxy) as url:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert (await ask("http://cloud.example/x")).body == b"by proxy to cloud.example"
        async with serving(greet) as near:
            assert (await ask(near)).body == b"hello"
        monkeypatch.setenv("http_proxy", url.removeprefix("http://").rstrip("/"))  # as curl and requests take it too
        assert (await ask("http://cloud.example/x")).body == b"by proxy to cloud.example"


async def test_the_password_of_an_address_is_told_to_nobody() -> None:
    lines: list[str] = []
    for url in ("http://bob:hunter2@127.0.0.1:1/x", "http://bob:hunter2@[::1/x", "ftp://bob:hunter2@h/x"):
        assert "hunter2" not in f"{await failing(url, trace=lines.append)} {lines}"


async def test_a_proxys_password_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with speaking(refusal) as url:
        monkeypatch.setenv("https_proxy", url.replace("//", "//bob:hunter2@"))
        lines: list[str] = []
        refused = await failing("https://cloud.example/x", trace=lines.append)
    assert (refused.fault, "407" in refused.message) == ("proxy", True)
    assert "hunter2" not in f"{refused} {lines}"
    gone = await failing("https://cloud.example/x")
    assert gone.fault == "proxy" and "object at" not in gone.message and "hunter2" not in str(gone)


async def test_an_order_never_goes_through_a_connection_that_has_rested() -> None:
    """The other side may close such a one just then, and nobody could tell whether the order has arrived."""
    heard: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        heard.append(asked.split()[0].decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, transport() as sender:
        for method in ("GET", "POST", "PATCH", "POST", "GET"):
            assert (await sender.send(Request(method, url), deadline=10)).status == 200
    assert heard == ["GET", "POST", "PATCH", "POST", "GET"]
