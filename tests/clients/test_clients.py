"""Clients that nobody here wrote, through a server's whole life on the embedded cloud.

Each flow is a script for the client's own interpreter; it asserts as it goes, and prints what it tried. The same
scripts pass against a real OpenStack.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

FLOWS = {"openstack_flow.py": 20, "sdk_flow.py": 40, "libcloud_flow.py": 20}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_whole_life(flow: str, clients_python: Path, clouds_yaml: Path, tmp_path: Path) -> None:
    cloud = next(iter(yaml.safe_load(clouds_yaml.read_text())["clouds"]))
    script = Path(__file__).with_name(flow)
    words = [cloud, "debian-12", "m1.tiny", "m1.small", "private", "public"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment |= {"OS_CLIENT_CONFIG_FILE": str(clouds_yaml), "HOME": str(tmp_path)}
    done = subprocess.run(
        [clients_python, "-W", "ignore", script, *words], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    tried = json.loads(done.stdout)
    print(flow, tried)
    assert len(tried) >= FLOWS[flow], tried
