"""The unmodified clients' own Python, and an embedded cloud that runs in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVE = """
import asyncio, sys
from pathlib import Path
from console.sim.estate import Estate

async def serve():
    size = {"servers": 12, "clouds": 1, "regions": 1, "guests": 0}
    async with Estate(**size, firstgen=True, rackspace=True, speed=20.0, seed=1) as estate:
        Path(sys.argv[1], "control").write_text(estate.control.url)
        print(estate.write_clouds_yaml(Path(sys.argv[1])), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(serve())
"""


@pytest.fixture(scope="session")
def clients_python() -> Path:
    """The interpreter of the venv that `make clients` makes."""
    python = Path(os.environ.get("NOVADECK_CLIENTS", ROOT / ".venv-clients")) / "bin" / "python"
    assert python.exists(), f"{python} is missing: run `make clients`"
    return python


@pytest.fixture(scope="session")
def clouds_yaml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The clouds.yaml of an embedded cloud that serves until the tests end."""
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-c", SERVE, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout and served.stdin
        yield Path(served.stdout.readline().strip())
        served.stdin.close()
        assert served.wait(10) == 0
