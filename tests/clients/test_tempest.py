"""OpenStack's own conformance tests, tempest, on the embedded cloud: what passes on a real one passes here.

`tempest.json` holds the list: `passed` are the tests that passed on the real OpenStack of `tests/openstack` under the
same configuration, `left_out` are the others with the reason.  `python tempest_run.py CLOUD FOLDER` on a real cloud
makes it anew.
"""

import json
import os
import subprocess
from pathlib import Path

import yaml

EXPECTED = json.loads(Path(__file__).with_name("tempest.json").read_text())


def test_what_passes_on_a_real_cloud_passes_here(clients_python: Path, clouds_yaml: Path, tmp_path: Path) -> None:
    cloud = next(iter(yaml.safe_load(clouds_yaml.read_text())["clouds"]))
    script = Path(__file__).with_name("tempest_run.py")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment |= {"OS_CLIENT_CONFIG_FILE": str(clouds_yaml), "HOME": str(tmp_path)}
    done = subprocess.run(
        [clients_python, "-W", "ignore", script, cloud, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    print({outcome: len(tests) for outcome, tests in told.items()})
    assert told["failed"] == [], done.stderr[-6000:]
    assert sorted(set(EXPECTED["passed"]) - set(told["passed"])) == []
    assert sorted(set(told["skipped"]) - set(EXPECTED["left_out"])) == []
