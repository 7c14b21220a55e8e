"""The first steps to a guest: a socket, the banner while it is still in there, and the keys of the user's agent."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncssh

from console.errors import ProbeFailed
from console.text import clean


async def open_socket(address: str, port: int, seconds: float) -> socket.socket:
    """A connected socket; raises `ProbeFailed` of the rung "port" in words."""
    loop = asyncio.get_running_loop()
    sock: socket.socket | None = None
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
            sock = socket.socket(found[0][0], socket.SOCK_STREAM)
            sock.setblocking(False)
            await loop.sock_connect(sock, found[0][4])
            return sock
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, OSError | TimeoutError):
            raise ProbeFailed(_no_port(error, address, port, seconds), rung="port") from error
        raise


async def first_socket(addresses: Sequence[str], port: int, seconds: float) -> tuple[str, socket.socket]:
    """The first address that takes a connection, and the socket; else the failure that tells most is raised."""
    failures: list[ProbeFailed] = []
    for place, address in enumerate(addresses, 1):
        try:
            return address, await open_socket(address, port, seconds if place == len(addresses) else seconds / 2)
        except ProbeFailed as failure:
            failures.append(failure)
    raise next((failure for failure in failures if "refuses" in failure.message), failures[0])


async def read_banner(sock: socket.socket, port: int, seconds: float) -> str:
    """The line that names the SSH server, left in the socket for asyncssh; raises `ProbeFailed` in words."""
    try:
        async with asyncio.timeout(seconds):
            return await _peek(sock, port)
    except TimeoutError:
        silent = f"port {port} takes the connection and says nothing for {seconds:.3g} s"
        raise ProbeFailed(f"The banner never came: {silent}.", rung="banner") from None
    except OSError as error:
        raise ProbeFailed(f"The connection broke before the banner: {error.strerror}.", rung="banner") from error


async def _peek(sock: socket.socket, port: int) -> str:
    seen = 0
    while True:
        await _readable(sock)
        data = sock.recv(8192, socket.MSG_PEEK)
        for line in data.split(b"\n")[:-1]:
            if line.startswith(b"SSH-"):
                return clean(line.decode("utf-8", "replace").strip())
        if not data:
            closed = f"Port {port} closes the connection before the banner: sshd is starting, or takes no more."
            raise ProbeFailed(closed, rung="banner")
        if len(data) >= 8192 or data.startswith((b"HTTP/", b"RFB ", b"220 ")):
            first = clean(data.split(b"\n")[0].decode("utf-8", "replace").strip())
            raise ProbeFailed(f"Port {port} does not speak SSH: it says {first[:60]!r}.", rung="banner")
        if len(data) == seen:  # what is there stays readable: look again later rather than at once
            await asyncio.sleep(0.02)
        seen = len(data)


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


@asynccontextmanager
async def agent_keys(path: str) -> AsyncIterator[list[Any]]:
    """The keys in the user's agent, for as long as the block lasts; none where there is no agent."""
    try:
        agent = await asyncssh.connect_agent(path) if path else None
    except (OSError, asyncssh.Error):  # a stale SSH_AUTH_SOCK is as good as none
        agent = None
    if agent is None:
        yield []
        return
    try:
        try:
            keys = list(await agent.get_keys())
        except (OSError, ValueError, asyncssh.Error):
            keys = []
        yield keys
    finally:
        agent.close()
        await agent.wait_closed()


def _no_port(error: OSError, address: str, port: int, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        silent = f"Times out: {address} port {port} does not answer for {seconds:.3g} s"
        return f"{silent}; it is off, or no security group rule lets tcp/{port} in."
    if isinstance(error, ConnectionRefusedError):
        return f"Port {port} refuses: sshd is not up yet."
    if isinstance(error, socket.gaierror):
        return f"{clean(address)} is no address, and no name that can be found."
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return f"There is no way from here to {address}."
    return f"{address} port {port}: {error.strerror or error}."
