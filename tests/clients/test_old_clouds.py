"""Clients that nobody here wrote, for the first generation and for Rackspace's next one, through a server's whole life.

The scripts run in the clients' own interpreter and assert as they go; of libcloud's options only ex_force_* are set.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

FLOWS = {"libcloud_firstgen_flow.py": 20, "libcloud_rackspace_flow.py": 20, "sdk_rackspace_flow.py": 7}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_whole_life(flow: str, clients_python: Path, clouds_yaml: Path, tmp_path: Path) -> None:
    control = clouds_yaml.with_name("control").read_text()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment |= {"OS_CLIENT_CONFIG_FILE": str(clouds_yaml), "HOME": str(tmp_path)}
    command = [clients_python, "-W", "ignore", Path(__file__).with_name(flow), control]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    tried = json.loads(done.stdout)
    print(flow, tried)
    assert len(tried) >= FLOWS[flow], tried
