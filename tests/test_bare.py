"""Bare sockets: what they say, when they give up, and that they leave nothing in the event loop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from console.guests.bare import connected, heard


@contextmanager
def listening(backlog: int = 5) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        yield server.getsockname()


def watched(descriptor: int) -> bool:
    """Whether the loop still looks at it: it forgets what it looks at, and says so."""
    loop = asyncio.get_running_loop()
    return loop.remove_reader(descriptor) or loop.remove_writer(descriptor)


async def test_what_is_said_later_is_heard_and_the_end_is_no_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = await connected(socket.AF_INET, server.getsockname(), 5)
        far, _ = server.accept()
        asyncio.get_running_loop().call_later(0.05, far.sendall, b"SSH-2.0-x\r\n")
        assert await heard(near, 100, 5) == b"SSH-2.0-x\r\n"
        far.close()
        assert await heard(near, 100, 5) == b""
        assert not watched(near.fileno())
        near.close()


@pytest.mark.parametrize("how", ["late", "cancelled"])
async def test_who_waits_in_vain_leaves_nothing(how: str) -> None:
    with listening() as where:
        near = await connected(socket.AF_INET, where, 5)
        waits = asyncio.ensure_future(heard(near, 100, 0.05 if how == "late" else 60))
        await asyncio.sleep(0.01)
        if how == "cancelled":
            waits.cancel()
        with pytest.raises(TimeoutError if how == "late" else asyncio.CancelledError):
            await waits
        assert not watched(near.fileno())
        near.close()


async def test_a_port_that_refuses_says_so() -> None:
    with listening() as where:
        pass
    with pytest.raises(ConnectionRefusedError):
        await connected(socket.AF_INET, where, 5)


async def test_a_port_that_takes_no_more_ends_in_time_and_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    real = socket.socket

    def noted(*given: int) -> socket.socket:
        made.append(real(*given))
        return made[-1]

    with listening(backlog=0) as where, ExitStack() as full:
        for _ in range(3):  # the queue of those who are not accepted is full
            one = full.enter_context(real(socket.AF_INET, socket.SOCK_STREAM))
            one.setblocking(False)
            one.connect_ex(where)
        monkeypatch.setattr(socket, "socket", noted)
        with pytest.raises(TimeoutError):
            await connected(socket.AF_INET, where, 0.2)
    assert [one.fileno() for one in made] == [-1]
