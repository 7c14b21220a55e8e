"""What one listing of many servers costs as a whole command, beside the peers, in turn and in one run.

`python tests/bench/command.py [SERVERS] [RUNS] [FOLDER]` starts an embedded cloud in a process of its own, and runs
`novadeck server list` and `openstack server list --long -n` (from the venv of `make clients`) A B A B; CPU is user and
system time of the whole process, as the kernel counts it. The peers run fewer times: one run of them takes a minute.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, keep

ROOT = Path(__file__).parents[2]
CLIENTS = Path(os.environ.get("NOVADECK_CLIENTS", ROOT / ".venv-clients")) / "bin"
OURS = Path(sys.executable).with_name("novadeck")
SERVE = """
import asyncio, sys
from pathlib import Path
from console.sim.estate import Estate

async def serve():
    async with Estate(servers=int(sys.argv[2]), clouds=1, regions=1, guests=0, speed=1.0, seed=1) as estate:
        print(estate.write_clouds_yaml(Path(sys.argv[1])), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(serve())
"""
ONE = "novadeck keypair list"  # as much as any command costs
SDK = "import openstack, sys; print(sum(1 for _ in openstack.connect(cloud=sys.argv[1]).compute.servers(details=True)))"


def measured(command: list[str | Path], environment: dict[str, str]) -> dict[str, float]:
    """CPU and wall seconds, peak memory (MiB) and bytes printed of one run, which must succeed."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=environment)
        assert process.stderr
        told = process.stderr.read()
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        process.stderr.close()
        assert process.returncode == 0, told.decode()[-2000:]
        size = out.tell()
    wall = time.perf_counter() - began
    return {"cpu": used.ru_utime + used.ru_stime, "wall": wall, "mib": used.ru_maxrss / 1024, "bytes": size}


def compare(contenders: dict[str, tuple[list[str | Path], int]], environment: dict[str, str]) -> dict[str, list]:
    """The figures of each contender's runs, run in turn."""
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for turn in range(max(runs for _, runs in contenders.values())):
        for name, (command, runs) in contenders.items():
            if turn < runs:
                figures[name].append(measured(command, environment))
                print(f"{name}: {figures[name][-1]['cpu']:.2f} s CPU", file=sys.stderr)
    return figures


def main() -> None:
    servers, runs = (int(word) for word in (sys.argv[1:3] + ["10000", "5"][len(sys.argv[1:3]) :]))
    compile_all()
    with tempfile.TemporaryDirectory() as folder:
        served = subprocess.Popen(
            [sys.executable, "-c", SERVE, folder, str(servers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert served.stdout and served.stdin
        clouds_yaml = Path(served.stdout.readline().strip())
        without = ("OS_", "PYTHONDONTWRITEBYTECODE")  # nobody compiles anew each time
        environment = {k: v for k, v in os.environ.items() if not k.startswith(without)}
        environment |= {"OS_CLIENT_CONFIG_FILE": str(clouds_yaml), "HOME": folder, "XDG_STATE_HOME": folder}
        cloud = next(line.strip().rstrip(":") for line in clouds_yaml.read_text().splitlines()[1:])
        ours: list[str | Path] = [OURS, "--os-cloud", cloud, "server", "list", "-f", "json"]
        alone: list[str | Path] = [OURS, "--os-cloud", cloud, "keypair", "list", "-f", "json"]
        contenders: dict[str, tuple[list[str | Path], int]] = {"novadeck server list": (ours, runs), ONE: (alone, runs)}
        if CLIENTS.exists():
            peer: list[str | Path] = [CLIENTS / "openstack", "--os-cloud", cloud, "server", "list", "--long", "-n"]
            contenders["openstack server list --long -n"] = ([*peer, "-f", "json"], min(runs, 2))
            contenders["openstacksdk"] = ([CLIENTS / "python", "-c", SDK, cloud], min(runs, 2))
        figures = compare(contenders, environment)
        served.stdin.close()
        served.wait(10)
    report(figures, servers)
    if len(sys.argv) > 3:
        keep(Path(sys.argv[3]), "0 command", told(figures, servers))


def compile_all() -> None:
    """Byte-compile ours and the peers, so that all start as an installed program does."""
    places = {sys.executable: [ROOT / "console", Path(OURS).parents[1] / "lib"]}
    if CLIENTS.exists():
        places[str(CLIENTS / "python")] = [CLIENTS.parent / "lib"]
    for python, folders in places.items():
        subprocess.run([python, "-m", "compileall", "-q", *folders], check=False, stdout=subprocess.DEVNULL)


def told(figures: dict[str, list[dict[str, float]]], servers: int) -> list[Figure]:
    """What is promised of the listing, and what starting costs of it."""
    ours = [run["cpu"] for run in figures["novadeck server list"]]
    bounds = {"openstack server list --long -n": 60.0, "openstacksdk": 30.0}
    beside = [
        Figure(
            f"novadeck server list, {servers:,} servers, CPU",
            ours,
            "s",
            None,
            name,
            [run["cpu"] for run in runs],
            ratio=bounds[name],
            less=True,
        )
        for name, runs in figures.items()
        if name in bounds
    ]
    return [*beside, Figure("of it, starting, config, login and imports", [run["cpu"] for run in figures[ONE]], "s")]


def report(figures: dict[str, list[dict[str, float]]], servers: int) -> None:
    """The medians with their spread, and the ratios to ours, as a table and as JSON."""
    ours = statistics.median(run["cpu"] for run in figures["novadeck server list"])
    told = {}
    print(f"{servers} servers{'':<26} CPU s (min-max)      wall s  MiB    x ours", file=sys.stderr)
    for name, runs in figures.items():
        cpu = sorted(run["cpu"] for run in runs)
        median = statistics.median(cpu)
        wall, mib = (statistics.median(run[what] for run in runs) for what in ("wall", "mib"))
        told[name] = {"cpu": median, "spread": [cpu[0], cpu[-1]], "wall": wall, "mib": mib, "ratio": median / ours}
        line = f"{name:<40} {median:6.2f} ({cpu[0]:.2f}-{cpu[-1]:.2f})  {wall:6.2f}  {mib:5.0f}  {median / ours:6.1f}"
        print(line, file=sys.stderr)
    json.dump({"servers": servers, "runs": told, "machine": os.uname().machine, "cores": os.cpu_count()}, sys.stdout)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
