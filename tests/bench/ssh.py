"""What one check of a guest costs, beside OpenSSH's own client: CPU per check, everything on this machine.

`python tests/bench/ssh.py [CHECKS] [RUNS] [FOLDER]` starts a guest of its own on another core, where there is one, and
checks it CHECKS times at once, in turn with asyncssh alone with the cheapest algorithms, with the `ssh` binary with the
same key exchange, and with its defaults. CPU is user and system time of the client side alone, processes that it began
included; the guest's is nobody's here, but for the embedded cloud's. All take turns: a machine is never twice the same.

Guests run OpenSSH, whose exchange with `ssh` is the dear one that `ssh` prefers. Its sshd begins two processes for each
login, so that one machine plays no five hundred guests with it: the checks are all under way, and as many logins at
once as there are processes of `ssh`. A guest by asyncssh takes them all at once, and has no dear exchange to offer.
"""

import asyncio
import gc
import getpass
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
from figures import Figure, keep

from console.guests import jump
from console.guests.hostkeys import Evidence
from console.guests.line import Line
from console.guests.probe import probe
from console.guests.reach import open_socket
from console.guests.route import Route, load_identity
from console.sim.estate import Estate

ASYNCSSH = """
import asyncio, sys
import asyncssh
from pathlib import Path

folder = Path(sys.argv[1])

async def serve():
    host = asyncssh.read_private_key(folder / "host")
    user = asyncssh.import_authorized_keys((folder / "user.pub").read_text())
    await asyncssh.listen(
        "127.0.0.1", int(sys.argv[2]), server_host_keys=[host], authorized_client_keys=user, backlog=1000,
        process_factory=lambda process: process.exit(127), compression_algs=None, gss_host=None, login_timeout=300,
        x509_trusted_certs=None)
    await asyncio.Event().wait()

asyncio.run(serve())
"""
SSHD = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
MaxStartups 2000
LoginGraceTime 600
ForceCommand exit 127
SetEnv SHLVL=2
"""
SAME = ("-o", "KexAlgorithms=curve25519-sha256", "-c", "aes128-gcm@openssh.com")
USER = getpass.getuser()
AT_ONCE = 16  # processes of the ssh binary
FEW = 200  # checks by the ssh binary
CHEAPEST: dict[str, Any] = {
    "kex_algs": ["curve25519-sha256"], "encryption_algs": ["aes128-gcm@openssh.com"], "compression_algs": None,
    "server_host_key_algs": ["ssh-ed25519"], "preferred_auth": ["publickey"], "config": None, "gss_host": None,
    "x509_trusted_certs": None, "agent_path": None,
}  # fmt: skip


@contextmanager
def guest(folder: Path, kind: str, cores: list[int]) -> Iterator[int]:
    """A guest on these cores, and its port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    words = [sys.executable, "-c", ASYNCSSH, str(folder), str(port)]
    if kind == "openssh":
        (folder / "sshd").write_text(SSHD.format(port=port, folder=folder))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        words = [
            shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "sshd",
            "-D",
            "-f",
            f"{folder}/sshd",
        ]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        os.sched_setaffinity(process.pid, cores)
        try:
            while process.poll() is None:
                with socket.socket() as sock:
                    if sock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()


def spent() -> float:
    """CPU seconds of this process and of those that it began and that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def identity(path: Path) -> Any:
    """The key in that file."""
    found = load_identity(path, path.stat().st_mtime_ns, path.stat().st_size)
    assert not isinstance(found, str), found
    return found


async def ours(folder: Path, port: int, checks: int) -> None:
    """The whole ladder, so many at once."""
    route = Route(("127.0.0.1",), port, (USER,), (identity(folder / "user"),))
    public = (folder / "host.pub").read_text()
    console = f"-----BEGIN SSH HOST KEY KEYS-----\n{public}-----END SSH HOST KEY KEYS-----\n"
    reports = await asyncio.gather(*(probe(route, Evidence("id", console), deadline=300) for _ in range(checks)))
    assert all(report.ready for report in reports), next(report for report in reports if not report.ready)


async def bare(folder: Path, port: int, checks: int) -> None:
    """No more than a login and a command, by asyncssh."""
    key = asyncssh.read_private_key(folder / "user")
    host = asyncssh.read_public_key(folder / "host.pub")

    gate = asyncio.Semaphore(jump.AT_ONCE)

    async def one() -> None:
        async with (
            gate,
            asyncssh.connect(
                "127.0.0.1", port, username=USER, client_keys=[key], known_hosts=([host], [], []), **CHEAPEST
            ) as connection,
        ):
            assert (await connection.run("true")).exit_status == 127

    await asyncio.gather(*(one() for _ in range(checks)))


async def theirs(folder: Path, port: int, checks: int, *options: str) -> None:
    """The ssh binary by subprocess."""
    gate = asyncio.Semaphore(AT_ONCE)
    words = ["ssh", "-F", "none", "-p", str(port), "-i", str(folder / "user"), "-o", "IdentitiesOnly=yes"]
    words += ["-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "BatchMode=yes", *options]
    words += [f"{USER}@127.0.0.1", "true"]

    async def one() -> None:
        async with gate:
            process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
            assert await process.wait() == 127

    await asyncio.gather(*(one() for _ in range(checks)))


async def banners(_folder: Path, port: int, checks: int) -> None:
    """No more than a connection, and the first line that it says."""

    async def one() -> None:
        line = Line(await open_socket("127.0.0.1", port, 60))
        assert (await line.banner(port, 60)).startswith("SSH-2.0-")
        line.close()
        await line.wait_closed()

    await asyncio.gather(*(one() for _ in range(checks)))


async def embedded(folder: Path, checks: int) -> float:
    """CPU milliseconds per check of a guest of the embedded cloud, its own included."""
    async with Estate(servers=4, clouds=1, regions=1, guests=1) as estate:
        (guest,) = estate.guests.guests.values()
        path = folder / "embedded"
        path.write_text(estate.private_key())
        path.chmod(0o600)
        while guest.place is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        route = Route((guest.place[0],), guest.place[1], ("root",), (identity(path),))
        began = spent()
        evidence = Evidence("id", str(guest.server.console))
        reports = await asyncio.gather(*(probe(route, evidence, deadline=300) for _ in range(checks)))
        assert all(report.ready for report in reports)
        return 1000 * (spent() - began) / checks


def cost(work: Callable[[int], Awaitable[None]], checks: int) -> float:
    """CPU milliseconds of each of so many."""
    began = spent()
    asyncio.run(work(checks))  # type: ignore[arg-type]
    return 1000 * (spent() - began) / checks


def compared(folder: Path, kind: str, checks: int, runs: int, cores: list[int]) -> list[Figure]:
    """Checks of a guest of this kind, beside the three others."""
    jump.AT_ONCE = checks if kind == "asyncssh" else AT_ONCE
    with guest(folder, kind, cores[-1:]) as port:
        (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
        few = min(checks, FEW)
        turns: dict[str, tuple[Callable[[int], Awaitable[None]], int]] = {
            "novadeck": (partial(ours, folder, port), checks),
            "asyncssh alone, cheapest algorithms": (partial(bare, folder, port), checks),
            "ssh, the same key exchange": (lambda many: theirs(folder, port, many, *SAME), few),
            "ssh, its defaults": (partial(theirs, folder, port), few),
        }
        if kind == "asyncssh":  # OpenSSH lets no more than 128 wait at its door
            turns["banner"] = (partial(banners, folder, port), checks)
        for name in ("novadeck", "asyncssh alone, cheapest algorithms"):
            cost(turns[name][0], 3)  # imports and keys are loaded once
        taken: dict[str, list[float]] = {name: [] for name in turns}
        for _ in range(runs):
            for name, (work, many) in turns.items():
                taken[name].append(cost(work, many))
    what = f"SSH check, {checks} at once, guests of {'OpenSSH' if kind == 'openssh' else kind}, CPU each"
    mine, banner = taken.pop("novadeck"), taken.pop("banner", [])
    alone, same, default = taken
    return [
        Figure(what, mine, "ms", None, alone, taken[alone], 1.2),
        Figure(what, mine, "ms", None, same, taken[same], 0.8),
        Figure(what, mine, "ms", None, default, taken[default], 5, less=True),
        *([Figure("banner of a port, CPU", banner, "ms", 0.15)] if banner else []),
    ]


def main(checks: int = 500, runs: int = 3, kept: str = tempfile.gettempdir()) -> None:
    """Measure in turn, and tell."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)  # as all our commands begin
    jump.PER_SECOND = float("inf")  # five hundred hosts, played by one
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("host", "user"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(folder / name)
            key.write_public_key(folder / f"{name}.pub")
            (folder / name).chmod(0o600)
        figures = [one for kind in ("asyncssh", "openssh") for one in compared(folder, kind, checks, runs, cores)]
        both = [asyncio.run(embedded(folder, 100)) for _ in range(runs)]
        figures.append(Figure("check of an embedded guest, CPU of both ends", both, "ms", 5))
    keep(Path(kept), "4 ssh", figures)


if __name__ == "__main__":
    os.environ.pop("SSH_AUTH_SOCK", None)
    main(*map(int, sys.argv[1:3]), *sys.argv[3:4])
