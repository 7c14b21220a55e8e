"""Inside a guest that let us in: one command with a bound on its output, and the words for the real ssh to follow."""

import asyncio
import shlex
import time
from dataclasses import dataclass
from typing import Any

import asyncssh

from console.errors import ProbeFailed
from console.guests.hostkeys import KnownHosts
from console.guests.report import Report
from console.guests.route import Route
from console.text import clean, clean_lines

OUTPUT_MOST = 1_000_000  # characters that are kept of a command's output


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
        why = clean(getattr(error, "reason", "") or str(error)).rstrip(".")
        raise ProbeFailed(f"{clean(command)!r} could not be run: {why}.", rung="command") from error
    ended = code if code is not None and code >= 0 else None
    return Ran(ended, clean_lines("".join(said)), cut, time.monotonic() - began)


def ssh_words(route: Route, report: Report, own: KnownHosts, name: str) -> list[str]:
    """The real ssh's command line for exactly this route; trusting the host key that was judged, and no other."""
    address = report.address or (route.addresses[0] if route.addresses else "")
    words = ["ssh", "-p", str(report.port)]
    user = report.user or (route.users[0] if route.users else "")
    words += ["-l", user] if user else []
    for identity in route.identities:
        words += ["-i", str(identity.path)]
    words += ["-o", "IdentitiesOnly=yes"] if route.identities and not route.agent else []
    if own.find(name):
        words += ["-o", f"HostKeyAlias={name}", "-o", f'UserKnownHostsFile="{own.path}"']
        words += ["-o", "StrictHostKeyChecking=yes"]
    else:
        words += ["-o", f"HostKeyAlias={route.alias}"] if route.alias else []
        files = " ".join(f'"{path}"' for path in route.known_hosts[:-1])
        words += ["-o", f"UserKnownHostsFile={files}"] if files else []
    return [*words, *_through(route), "--", address]


def _through(route: Route) -> list[str]:
    """The way by jump hosts or a proxy command."""
    if route.proxy:
        return ["-o", f"ProxyCommand={route.proxy}"]
    if len(route.jumps) == 1 and route.jumps[0].identities:
        hop = route.jumps[0]
        keys = [word for identity in hop.identities for word in ("-i", str(identity.path))]
        inner = ["ssh", "-W", "[%h]:%p", "-p", str(hop.port), "-l", hop.user, *keys, "--", hop.address]
        return ["-o", "ProxyCommand=" + shlex.join(inner).replace("'[%h]:%p'", "[%h]:%p")]
    hops = [f"{hop.user}@{f'[{hop.address}]' if ':' in hop.address else hop.address}:{hop.port}" for hop in route.jumps]
    return ["-J", ",".join(hops)] if hops else ["-o", "ProxyJump=none"]
