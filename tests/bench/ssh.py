"""What one check of a guest costs, beside OpenSSH's own client: CPU per check, everything on this machine.

`python tests/bench/ssh.py [CHECKS] [RUNS]` starts a server of its own (asyncssh, in another process) and checks it
CHECKS times at once, in turn with the `ssh` binary with the same key exchange, and with its defaults. CPU is user and
system time of the client side alone, processes that it began included; the server's is nobody's here.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncssh

from console.guests import jump
from console.guests.hostkeys import Evidence
from console.guests.probe import probe
from console.guests.route import Route, load_identity

SERVER = """
import asyncio, sys
import asyncssh
from pathlib import Path

folder = Path(sys.argv[1])

async def serve():
    host = asyncssh.read_private_key(folder / "host")
    user = asyncssh.import_authorized_keys((folder / "user.pub").read_text())
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host], authorized_client_keys=user, backlog=1000, x509_trusted_certs=None,
        process_factory=lambda process: process.exit(127), compression_algs=None, gss_host=None, login_timeout=300)
    print(server.get_port(), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(serve())
"""
SAME = ("-o", "KexAlgorithms=curve25519-sha256", "-c", "aes128-gcm@openssh.com")
AT_ONCE = 32  # processes of the ssh binary


def spent() -> float:
    """CPU seconds of this process and of those that it began and that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


async def ours(folder: Path, port: int, checks: int) -> None:
    """The whole ladder, so many at once."""
    path = folder / "user"
    identity = load_identity(path, path.stat().st_mtime_ns, path.stat().st_size)
    assert not isinstance(identity, str), identity
    route = Route(("127.0.0.1",), port, ("root",), (identity,))
    public = (folder / "host.pub").read_text()
    console = f"-----BEGIN SSH HOST KEY KEYS-----\n{public}-----END SSH HOST KEY KEYS-----\n"
    reports = await asyncio.gather(*(probe(route, Evidence("id", console), deadline=300) for _ in range(checks)))
    assert all(report.ready for report in reports), next(report for report in reports if not report.ready)


async def theirs(folder: Path, port: int, checks: int, *options: str) -> None:
    """The ssh binary by subprocess."""
    gate = asyncio.Semaphore(AT_ONCE)
    words = ["ssh", "-F", "none", "-p", str(port), "-i", str(folder / "user"), "-o", "IdentitiesOnly=yes"]
    words += ["-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "BatchMode=yes", *options, "root@127.0.0.1", "true"]

    async def one() -> None:
        async with gate:
            process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
            assert await process.wait() == 127

    await asyncio.gather(*(one() for _ in range(checks)))


def measured(name: str, folder: Path, port: int, checks: int) -> tuple[float, float]:
    """CPU milliseconds per check, and wall seconds in all."""
    options = {"ssh, same exchange": SAME, "ssh, its defaults": ()}
    work = ours(folder, port, checks) if name == "novadeck" else theirs(folder, port, checks, *options[name])
    cpu, wall = spent(), time.perf_counter()
    asyncio.run(work)
    return 1000 * (spent() - cpu) / checks, time.perf_counter() - wall


def main(checks: int = 500, runs: int = 3) -> int:
    """Measure in turn, print the medians and the two ratios; 1 where a target is missed."""
    jump.AT_ONCE, jump.PER_SECOND = checks, float("inf")  # five hundred hosts, played by one
    found: dict[str, list[tuple[float, float]]] = {"novadeck": [], "ssh, same exchange": [], "ssh, its defaults": []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("host", "user"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(folder / name)
            key.write_public_key(folder / f"{name}.pub")
            (folder / name).chmod(0o600)
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
            asyncio.run(ours(folder, port, 3))  # imports and keys are loaded once
            for _ in range(runs):
                for name, taken in found.items():
                    taken.append(measured(name, folder, port, checks if name == "novadeck" else min(checks, 200)))
            server.terminate()
    for name, taken in found.items():
        cpu, wall = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"{name:20} {cpu:7.2f} ms CPU per check, {wall:6.2f} s for all")
    median = {name: statistics.median(cpu for cpu, _ in taken) for name, taken in found.items()}
    same = median["novadeck"] / median["ssh, same exchange"]
    less = median["ssh, its defaults"] / median["novadeck"]
    print(json.dumps({"checks": checks, "of_same_exchange": round(same, 2), "less_than_defaults": round(less, 1)}))
    return 0 if same <= 0.8 and less >= 5 else 1


if __name__ == "__main__":
    os.environ.pop("SSH_AUTH_SOCK", None)
    sys.exit(main(*map(int, sys.argv[1:])))
