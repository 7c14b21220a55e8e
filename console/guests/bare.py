"""Bare sockets: to connect one, and to hear what comes from it, each with one timer and one place in the selector.

asyncio's own calls, with a time limit around them, do the same at half as much again; and most looks at a guest are no
more than these two. Nothing is left in the event loop when they end, however they end.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN)


async def connected(family: int, where: Any, seconds: float) -> socket.socket:
    """A socket that is connected to there; raises OSError, TimeoutError after so many seconds."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(where)
        if code in UNDER_WAY:
            loop = asyncio.get_running_loop()
            await _ready(loop, loop.add_writer, loop.remove_writer, sock, seconds)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock


async def heard(sock: socket.socket, most: int, seconds: float) -> bytes:
    """What comes next from a socket, b"" at its end; raises OSError, TimeoutError after so many seconds."""
    while True:
        try:
            return sock.recv(most)
        except BlockingIOError:
            loop = asyncio.get_running_loop()
            await _ready(loop, loop.add_reader, loop.remove_reader, sock, seconds)


async def _ready(
    loop: asyncio.AbstractEventLoop,
    watch: Callable[..., None],
    forget: Callable[[int], bool],
    sock: socket.socket,
    seconds: float,
) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, _late, ready)
    descriptor = sock.fileno()
    watch(descriptor, _tell, ready)
    try:
        await ready
    finally:
        timer.cancel()
        forget(descriptor)


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _late(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_exception(TimeoutError())
