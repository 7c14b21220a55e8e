"""The embedded cloud, beside the screen or by itself, and nothing left behind.

Beside the screen it runs in a process of its own, so that neither slows the other. That process ends when its input
does, which even a killed parent brings about, and takes its folder with it.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from console.cli.parse import Given
from console.cli.voice import say
from console.errors import ConsoleError

KNOBS = ("servers", "clouds", "regions", "guests", "speed", "seed", "firstgen", "rackspace")


SSH, HIGH_SSH = 22, 22022


def knobs_of(given: Given) -> dict[str, Any]:
    """What was asked of the estate; the rest is its own choice, but for where its guests' sshd may listen."""
    return {name: given.options[name] for name in KNOBS if name in given.options} | {"guest_port": guest_port()}


def guest_port() -> int:
    """Port 22 where this user may listen there, else one that everybody may have."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.255.255.254", SSH))
        except OSError:
            return HIGH_SSH
    return SSH


def serve_here(given: Given) -> int:
    """Serve until interrupted."""
    return asyncio.run(_serve_here(knobs_of(given)))


async def _serve_here(knobs: Mapping[str, Any]) -> int:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted.set)

    async def told() -> None:
        port = knobs.get("guest_port", SSH)
        ssh = "" if port == SSH else f"; its guests' sshd is at port {port}"
        say(f"novadeck: serving the embedded cloud{ssh}; interrupt to end it")
        await interrupted.wait()

    await serve(knobs, told)
    return 130


async def serve(knobs: Mapping[str, Any], until: Callable[[], Awaitable[object]]) -> None:
    """Print the path of a clouds.yaml that leads to the embedded cloud, and serve until `until` comes back."""
    from console.sim.estate import Estate

    with tempfile.TemporaryDirectory(prefix="novadeck-demo-") as folder:
        async with Estate(**knobs) as estate:
            print(estate.write_clouds_yaml(Path(folder)), flush=True)
            await until()


@contextmanager
def beside(knobs: Mapping[str, Any]) -> Iterator[Path]:
    """The path of a clouds.yaml that leads to an embedded cloud in another process, which ends with the context."""
    command = [sys.executable, "-m", "console.cli.demo", json.dumps(dict(knobs))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:  # fmt: skip
        try:
            assert process.stdout and process.stderr
            path = process.stdout.readline().strip()
            if not path:
                raise ConsoleError(f"The embedded cloud did not start: {_last_line(process.stderr.read())}")
            yield Path(path)
        finally:
            _end(process)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing."])[-1]


def _end(process: "subprocess.Popen[str]") -> None:
    """Close its input, which ends it; what does not end within five seconds is killed."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()


async def _input_ends() -> None:
    """Come back when nobody holds the other end of our input any more."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), read)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1]), _input_ends))
