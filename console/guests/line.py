"""One connection to a guest: its banner is looked at first, and then the very same bytes speak SSH.

asyncssh takes it for a tunnel. What SSH says in one turn of the event loop goes out in one piece: its packets are
small, and a system call costs as much as the work on several of them.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

from console.errors import ProbeFailed
from console.guests.bare import heard
from console.text import clean

LONGEST = 8192  # bytes before a banner
NOT_SSH = (b"HTTP/", b"RFB ", b"220 ")


class Line(asyncio.Protocol):
    """A connected socket, from its first byte to its end."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._session: Any = None  # asyncssh's connection, once it is spoken to
        self._heard = bytearray()
        self._over = asyncio.Event()
        self._error: Exception | None = None

    # The banner

    async def banner(self, port: int, seconds: float) -> str:
        """The line that names the SSH server, still to be read by asyncssh; raises `ProbeFailed` in words."""
        until = time.monotonic() + seconds
        try:
            while (found := self._banner(port)) is None:
                await self._hear(until - time.monotonic())
        except TimeoutError:
            silent = f"port {port} takes the connection and says nothing for {round(seconds, 1):g} s"
            raise ProbeFailed(f"The banner never came: {silent}.", rung="banner") from None
        return found

    async def _hear(self, seconds: float) -> None:
        """Read from the bare socket: most lines end after their banner, and the rest of what SSH needs costs more."""
        try:
            data = await heard(self._sock, LONGEST, seconds)
        except OSError as error:
            if isinstance(error, TimeoutError) and not error.errno:  # our own patience, not the system's
                raise
            self._error, data = error, b""
        self._heard += data
        if not data:
            self._over.set()

    def _banner(self, port: int) -> str | None:
        lines = bytes(self._heard).split(b"\n")
        for line in lines[:-1]:
            if line.startswith(b"SSH-"):
                return clean(line.decode("utf-8", "replace").strip())
        if len(self._heard) >= LONGEST or self._heard.startswith(NOT_SSH):
            first = clean(lines[0].decode("utf-8", "replace").strip())
            raise ProbeFailed(f"Port {port} does not speak SSH: it says {first[:60]!r}.", rung="banner")
        if self._error is not None:
            why = getattr(self._error, "strerror", None) or str(self._error)
            raise ProbeFailed(f"The connection broke before the banner: {why}.", rung="banner")
        if self._over.is_set():
            closed = f"Port {port} closes the connection before the banner: sshd is starting, or takes no more."
            raise ProbeFailed(closed, rung="banner")
        return None

    # What asyncssh asks of a tunnel

    async def create_connection(self, factory: Callable[[], Any], _host: str, _port: int) -> tuple[Any, Any]:
        """Hand over to asyncssh, with all that was heard. Raises OSError where the other side has gone meanwhile."""
        if self._over.is_set() or self._gone():
            raise self._error or ConnectionResetError("it was closed")
        self._session = factory()
        await asyncio.get_running_loop().create_connection(lambda: self, sock=self._sock)
        return None, self._session

    def _gone(self) -> bool:
        """Whether the other side has closed the line, and nothing of what it said is left to be read."""
        try:
            return not self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False

    # What asyncio tells, once it is spoken to

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._session.connection_made(Gathering(transport))
        if self._heard:
            self._session.data_received(bytes(self._heard))

    def data_received(self, data: bytes) -> None:
        self._session.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._over.set()
        self._session.connection_lost(exc)

    # The end

    def close(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()
        else:
            self._sock.close()

    async def wait_closed(self) -> None:
        """Wait until nothing of it is left."""
        if self._transport is not None:
            await self._over.wait()


class Gathering(asyncio.Transport):
    """A transport that sends what was written in one turn of the event loop in one piece."""

    def __init__(self, under: asyncio.Transport) -> None:
        super().__init__()
        self._under = under
        self._parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it before the event loop's next turn."""
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(bytes(data))

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._under.is_closing():
            self._under.write(b"".join(parts))

    def close(self) -> None:
        """Send what is left, and end."""
        self._flush()
        self._under.close()

    def abort(self) -> None:
        """Try to send what is left, and end."""
        self._flush()
        self._under.abort()

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._under.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the socket."""
        return self._under.get_extra_info(name, default)
