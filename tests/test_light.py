"""A large package's part is had alone, and the whole of it still works for who asks for it."""

import subprocess
import sys
from pathlib import Path

ALONE = """
import sys
from console.clouds.light import import_part
loader = import_part("openstack.config.loader")
assert loader.OpenStackConfig
assert "openstack.connection" not in sys.modules, "the front door was opened"
import openstack
assert openstack.config.loader is loader
assert callable(openstack.connect) and "openstack.connection" in sys.modules
assert openstack.connection.Connection
try:
    openstack.no_such_name
except AttributeError as error:
    print(error)
"""


def test_the_front_door_opens_only_when_asked() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no_such_name" in done.stdout


def test_a_package_that_breaks_leaves_nothing_half_imported(tmp_path: Path) -> None:
    (tmp_path / "broken_package").mkdir()
    (tmp_path / "broken_package" / "__init__.py").write_text("")
    (tmp_path / "broken_package" / "part.py").write_text("raise ValueError('no')")
    program = (
        "import sys\nfrom console.clouds.light import import_part\n"
        "try:\n    import_part('broken_package.part')\nexcept ValueError:\n    print('broken_package' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}
    )
    assert done.stdout.strip() == "False", done.stderr
