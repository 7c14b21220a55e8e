"""Inside a guest that let us in: one command, with a bound on its time and its output."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import asyncssh

from console.errors import ProbeFailed
from console.text import clean, clean_lines

OUTPUT_MOST = 1_000_000  # characters that are kept of a command's output
ANSWER_MOST = 200_000  # characters that are kept of what a check is told: cloud-init may tell many errors
ALIVE_SECONDS = 10.0  # of silence, after which sshd is asked whether it is still there; after three it is not


class NoCommands(ProbeFailed):
    """The guest lets us in and runs nothing for us."""


@dataclass(frozen=True)
class Ran:
    """What a command in a guest did; `code` is None where a signal ended it."""

    code: int | None
    output: str
    cut: bool
    took: float
    user: str = ""
    address: str = ""

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        seconds = round(self.took, 3)
        return {"code": self.code, "output": self.output, "cut": self.cut, "seconds": seconds, "user": self.user}


async def run(
    connection: asyncssh.SSHClientConnection, command: str, seconds: float, *, typed: str | None = None
) -> Ran:
    """Run it to its end; what it says is cleaned of escape codes. Raises `ProbeFailed` of the rung "command".

    `typed` is what it reads, if it is given anything to read.
    """
    began = time.monotonic()
    said: list[str] = []
    size, cut = 0, False
    try:
        async with asyncio.timeout(seconds):
            # Not as a context, which would wait for the command; the connection is cut soon after.
            one = await connection.create_process(
                command,
                input=typed,
                stdin=asyncssh.DEVNULL if typed is None else asyncssh.PIPE,
                stderr=asyncssh.STDOUT,
                errors="replace",
            )
            while part := await one.stdout.read(65536):
                said.append(part[: max(0, OUTPUT_MOST - size)])
                size += len(part)
                cut = size > OUTPUT_MOST
            await one.wait_closed()
            code = one.exit_status
    except TimeoutError:
        text = f"{clean(command)!r} did not end within {seconds:.3g} s; it may still be running there."
        raise ProbeFailed(text, rung="command") from None
    except (asyncssh.Error, OSError) as error:
        raise ProbeFailed(f"{clean(command)!r} could not be run: {_why(error)}.", rung="command") from error
    ended = code if code is not None and code >= 0 else None
    return Ran(ended, clean_lines("".join(said)), cut, time.monotonic() - began)


def _why(error: asyncssh.Error | OSError) -> str:
    """The reason in words; a connection that was reset is lost, as one that just ended."""
    if isinstance(error, ConnectionError):
        return "Connection lost"
    return clean(getattr(error, "reason", "") or str(error)).rstrip(".")


class _Answer(asyncssh.SSHClientSession[str]):
    """Keeps the begin of what a command says, however much that is."""

    def __init__(self) -> None:
        self.text = ""

    def data_received(self, data: str, datatype: int | None) -> None:
        if len(self.text) < ANSWER_MOST:
            self.text = (self.text + data)[:ANSWER_MOST]


async def ask(
    connection: asyncssh.SSHClientConnection, command: str, seconds: float, rung: str
) -> tuple[int | None, str]:
    """A command's exit code (-1 when it was killed, None when none was told) and the begin of what it said.

    Raises `ProbeFailed` of that rung, and `NoCommands`.
    """
    answer = _Answer()
    doubt = asyncio.get_running_loop().call_later(ALIVE_SECONDS, connection.set_keepalive, ALIVE_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            channel, _ = await connection.create_session(lambda: answer, command, errors="replace")
            await channel.wait_closed()
    except TimeoutError:
        raise ProbeFailed(f"{clean(command)!r} did not end within {seconds:.3g} s.", rung=rung) from None
    except asyncssh.ChannelOpenError as error:
        raise NoCommands(f"No command can be run: {clean(error.reason)}.", rung=rung) from error
    except (asyncssh.Error, OSError) as error:
        raise ProbeFailed(f"{clean(command)!r} could not be run: {_why(error)}.", rung=rung) from error
    finally:
        doubt.cancel()
    code = channel.get_exit_status()
    if code is None and connection.is_closed():
        raise ProbeFailed(f"The connection broke while {clean(command)!r} ran: sshd went away.", rung=rung)
    return code, answer.text
