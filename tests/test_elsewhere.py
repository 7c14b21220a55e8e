"""Keepers on two machines with one state folder: watched, taken over and never doubled, by real processes.

The other machine is a process with a host name, a boot id and a table of processes of its own (its pid is 1, which
lives here too and is somebody else). Where the system grants no namespaces, a process that is told to be another host.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from test_ops import HOLD, Home, asking, home, soon

from console.cli.keep import KEEPER
from console.runbooks.lease import BEAT, LEASE, Holder, alive, read_holder

__all__ = ["home"]
HOST = "elsewhere"
NAMESPACES = ("--uts", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")
BECOME = 'hostname elsewhere; mount --bind "$BOOT_OF_TEST" /proc/sys/kernel/random/boot_id; exec "$@"'
PRETEND = """
import socket, sys
from console.cli.main import main
from console.runbooks import lease
socket.gethostname = lambda: "elsewhere"
lease._boot = lambda: "another boot"
sys.exit(main())
"""


@cache
def apart() -> tuple[str, ...]:
    """The words that put a command on the other machine; none where the system does not let us."""
    own = () if os.getuid() == 0 else ("--map-root-user",)
    words = ("unshare", *own, *NAMESPACES, "sh", "-ec", BECOME, "sh")
    if shutil.which("unshare") is None:
        return ()
    environment = os.environ | {"BOOT_OF_TEST": "/dev/null"}
    tried = subprocess.run([*words, "hostname"], capture_output=True, text=True, env=environment, check=False)
    return words if (tried.returncode, tried.stdout.strip()) == (0, HOST) else ()


class Elsewhere:
    """A command on the other machine."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, home: Home, *words: str) -> "Elsewhere":
        """Begin it, on the state folder of this home."""
        home.paths.config.with_name("boot").write_text("4c1ffee0-0000-4000-8000-000000000000\n")
        environment = home.environment | {"BOOT_OF_TEST": str(home.paths.config.with_name("boot"))}
        program = ("-m", "console.cli.main") if apart() else ("-c", PRETEND)
        process = await asyncio.create_subprocess_exec(
            *apart(), sys.executable, *program, *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment
        )
        return cls(process)

    @property
    def inner(self) -> int:
        """The pid of the console itself, as this machine counts."""
        if not apart():
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def signal(self, number: int) -> None:
        """Send the console a signal."""
        os.kill(self.inner, number)

    async def end(self) -> tuple[int | None, str]:
        """Its exit code and what it said."""
        _, told = await self.process.communicate()
        return self.process.returncode, told.decode()


@pytest.fixture
async def begun() -> AsyncIterator[list[Elsewhere]]:
    """What was begun elsewhere; ended with the test."""
    found: list[Elsewhere] = []
    yield found
    for one in found:
        with suppress(ProcessLookupError):
            one.process.kill()
        await one.process.wait()


def keeper(home: Home, what: str) -> Holder | None:
    lease = home.journal.lease(what)
    return read_holder(lease[0]) if lease is not None else None


def answers(home: Home) -> list[str]:
    """The answers to the resize that the cloud has a record of."""
    (record,) = [s for _, place in home.estate.places for s in place.nova.alive() if s.id == home.server]
    return [action.action for action in record.actions if action.action in ("confirmResize", "revertResize")]


async def test_a_keeper_elsewhere_is_left_alone_while_it_beats_and_taken_over_when_it_is_dead(
    home: Home, begun: list[Elsewhere]
) -> None:
    begun.append(first := await Elsewhere.start(home, "server", "resize", home.server, *HOLD))
    id = await asking(home)
    holder = keeper(home, id)
    assert holder is not None and (holder.host, alive(holder)) == (HOST, None)
    assert holder.pid == 1 or not apart()  # which lives here as well, and says nothing
    second = await home.start("ops", "resume", id)
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() - began < LEASE + BEAT:
        assert keeper(home, id) == holder  # for longer than a lease
        await asyncio.sleep(0.2)
    first.signal(signal.SIGKILL)
    await first.end()
    killed = loop.time()
    await soon(lambda: (now := keeper(home, id)) is not None and now.pid == second.pid, "the second one has it")
    assert LEASE - 2 * BEAT < loop.time() - killed < LEASE + 2 * BEAT
    assert (await home.run("ops", "answer", id, "confirm"))[0] == 0
    out, err = await second.communicate()
    assert second.returncode == 0 and "confirmed: it has m1.medium" in out.decode(), err
    assert answers(home) == ["confirmResize"]


async def test_a_keeper_elsewhere_that_was_asleep_finds_that_it_was_replaced_and_sends_nothing(
    home: Home, begun: list[Elsewhere]
) -> None:
    begun.append(sleeper := await Elsewhere.start(home, "server", "resize", home.server, *HOLD))
    id = await asking(home)
    sleeper.signal(signal.SIGSTOP)  # a laptop's lid, a machine that is moved
    code, out, err = await home.run("ops", "answer", id, "revert")
    assert code == 0, err
    code, out, err = await home.run("ops", "resume", id)
    assert code == 1 and "It is taken back as asked.; reverted:" in out, err
    sleeper.signal(signal.SIGCONT)
    code, told = await sleeper.end()
    assert code == 1 and "It is taken back as asked.; reverted:" in told
    assert answers(home) == ["revertResize"]
    assert home.journal.lease(id) is None and home.journal.run(id).state == "failed"


@pytest.mark.parametrize("namespaces", [True, False])
async def test_a_second_headless_keeper_elsewhere_finds_the_first(
    home: Home, begun: list[Elsewhere], namespaces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not namespaces:
        monkeypatch.setattr("test_elsewhere.apart", lambda: ())
    begun.append(first := await Elsewhere.start(home, "keep"))
    await soon(lambda: keeper(home, KEEPER) is not None, "it keeps")
    holder = keeper(home, KEEPER)
    assert holder is not None and holder.host == HOST
    code, _, said = await home.run("keep")
    assert (code, said) == (0, f"process {holder.pid} on {HOST} keeps already.\n")
    assert keeper(home, KEEPER) == holder
    first.signal(signal.SIGTERM)
    assert (await first.end())[0] == 0
    assert keeper(home, KEEPER) is None
