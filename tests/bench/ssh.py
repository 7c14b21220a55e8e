"""What one check of a guest costs, beside OpenSSH's own client: CPU per check, everything on this machine.

`python tests/bench/ssh.py [CHECKS] [RUNS] [openssh|asyncssh]` starts a guest of its own on another core, where there
is one, and checks it CHECKS times, in turn with asyncssh alone with the cheapest algorithms, with the `ssh` binary
with the same key exchange, and with its defaults. CPU is user and system time of the client side alone, processes that
it began included; the guest's is nobody's here. All take turns, since a machine is never twice the same.

Guests run OpenSSH, whose exchange with `ssh` is the dear one that `ssh` prefers. Its sshd begins two processes for each
login, so that one machine plays no five hundred guests with it: the checks are all under way, and as many logins at
once as there are processes of `ssh`. A guest by asyncssh takes them all at once, and has no dear exchange to offer.
"""

import asyncio
import getpass
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh

from console.guests import jump
from console.guests.hostkeys import Evidence
from console.guests.probe import probe
from console.guests.route import Route, load_identity

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
"""
SAME = ("-o", "KexAlgorithms=curve25519-sha256", "-c", "aes128-gcm@openssh.com")
CONTESTANTS = ("novadeck", "asyncssh alone", "ssh, same exchange", "ssh, its defaults")
USER = getpass.getuser()
AT_ONCE = 16  # processes of the ssh binary
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


async def ours(folder: Path, port: int, checks: int) -> None:
    """The whole ladder, so many at once."""
    path = folder / "user"
    identity = load_identity(path, path.stat().st_mtime_ns, path.stat().st_size)
    assert not isinstance(identity, str), identity
    route = Route(("127.0.0.1",), port, (USER,), (identity,))
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


def measured(name: str, folder: Path, port: int, checks: int) -> tuple[float, float]:
    """CPU milliseconds per check, and wall seconds in all."""
    options = {"ssh, same exchange": SAME, "ssh, its defaults": ()}
    if name in options:
        work = theirs(folder, port, checks, *options[name])
    else:
        work = (ours if name == "novadeck" else bare)(folder, port, checks)
    cpu, wall = spent(), time.perf_counter()
    asyncio.run(work)
    return 1000 * (spent() - cpu) / checks, time.perf_counter() - wall


def main(checks: int = 500, runs: int = 3, kind: str = "openssh") -> int:
    """Measure in turn, print the medians and the three ratios; 1 where a target is missed."""
    jump.PER_SECOND = float("inf")  # five hundred hosts, played by one
    jump.AT_ONCE = checks if kind == "asyncssh" else AT_ONCE
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("host", "user"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(folder / name)
            key.write_public_key(folder / f"{name}.pub")
            (folder / name).chmod(0o600)
        with guest(folder, kind, cores[-1:]) as port:
            os.sched_setaffinity(0, cores[:1])
            (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
            asyncio.run(ours(folder, port, 3))  # imports and keys are loaded once
            asyncio.run(bare(folder, port, 3))
            for _ in range(runs):
                for name, taken in found.items():
                    taken.append(measured(name, folder, port, min(checks, 200) if name.startswith("ssh") else checks))
    for name, taken in found.items():
        cpu, wall = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"{name:20} {cpu:7.2f} ms CPU per check, {wall:6.2f} s for all")
    median = {name: statistics.median(cpu for cpu, _ in taken) for name, taken in found.items()}
    same = median["novadeck"] / median["ssh, same exchange"]
    less = median["ssh, its defaults"] / median["novadeck"]
    more = median["novadeck"] / median["asyncssh alone"]
    ratios = {"of_asyncssh_alone": round(more, 2), "of_same_exchange": round(same, 2)}
    print(json.dumps({"checks": checks, "guest": kind, **ratios, "less_than_defaults": round(less, 1)}))
    return 0 if same <= 0.8 and less >= 5 and more <= 1.2 else 1


if __name__ == "__main__":
    os.environ.pop("SSH_AUTH_SOCK", None)
    sys.exit(main(*map(int, sys.argv[1:3]), *sys.argv[3:4]))
