"""Fifty clouds of 200 servers, 50 ms for each request; and what slow, silent and refusing ones do to the others.

`python tests/bench/clouds.py [ROUNDS] [FOLDER]` opens them all in one console and asks all of them at once, as ctrl+r
does: wall time until each has told its rows, first in peace, then beside the five, in turn.
"""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from figures import Figure, keep
from screen_app import connect

import console
from console.core.settings import Paths
from console.model.place import Place
from console.model.server import Server

CLOUDS, SERVERS, DELAY = 50, 200, 0.05


class Account:
    """One of them."""

    missing = ()

    def __init__(self, number: int, url: str) -> None:
        self.place, self.url = Place(f"cloud-{number:02d}", "one"), url


class Accounts:
    """What a look at clouds.yaml would give."""

    problems = looked_for = names = ()

    def __init__(self, urls: Sequence[str]) -> None:
        self.accounts = tuple(Account(number, url) for number, url in enumerate(urls))


async def log_in(account: Any) -> Any:
    """The real dialect at this account's place."""
    return await connect(account, account.url, account.place)


@contextmanager
def served(clouds: int, delay: float) -> Iterator[list[str]]:
    """So many clouds in a process of their own."""
    command = [sys.executable, Path(__file__).with_name("pages.py"), str(SERVERS), str(delay), str(clouds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        yield process.stdout.readline().split()
        process.stdin.close()


async def refresh(ops: Any, places: Sequence[Place]) -> list[float]:
    """Ask all at once; the seconds until each of these has told all of its rows."""
    began = time.monotonic()
    ops.fleet.refresh()
    told: dict[Place, float] = {}
    async with asyncio.timeout(60):
        while len(told) < len(places):
            await asyncio.sleep(0.002)  # nobody is told of a health that is as it was
            for place in places:
                if place not in told and (ops.health[place].rows_at or 0.0) >= began:
                    told[place] = time.monotonic() - began
    return sorted(told.values())


async def measured(urls: Sequence[str], dead: Sequence[str], rounds: int, folder: Path) -> list[list[float]]:
    """Each round's times of the clouds that are well."""
    accounts: Any = Accounts([*urls, *dead])
    places = [account.place for account in accounts.accounts[: len(urls)]]
    paths = Paths(folder / "config", folder / "state", folder / "run")
    async with console.open(accounts=accounts, connect=log_in, paths=paths, checks=False) as ops:
        with ops.fleet.interest(Server):
            await refresh(ops, places)
            return [await refresh(ops, places) for _ in range(rounds)]


def main() -> None:
    """Measure in turn, and tell."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    whole: list[float] = []
    calm: list[float] = []
    beside: list[float] = []
    silent = socket.create_server(("127.0.0.1", 0), backlog=1)
    refusing = socket.create_server(("127.0.0.1", 0))
    gone = f"http://127.0.0.1:{refusing.getsockname()[1]}"
    refusing.close()
    with served(CLOUDS, DELAY) as urls, served(3, 2.0) as slow, tempfile.TemporaryDirectory() as name:
        dead = [*slow, f"http://127.0.0.1:{silent.getsockname()[1]}", gone]
        for _ in range(rounds):
            for taken, others in ((calm, []), (beside, dead)):
                for times in asyncio.run(measured(urls, others, 3, Path(name))):
                    taken.append(times[int(len(times) * 0.9)])
                    if not others:
                        whole.append(times[-1])
    silent.close()
    figures = [
        Figure(f"{CLOUDS} clouds x {SERVERS} servers, asked anew", whole, "s", None, "one request", [DELAY], ratio=3),
        Figure("90% of them, beside 3 slow, 1 silent, 1 refusing", beside, "s", None, "without those", calm, ratio=1.3),
    ]
    keep(Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.gettempdir()), "3 clouds", figures)


if __name__ == "__main__":
    main()
