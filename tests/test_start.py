"""The front door says plainly when it is another distribution's `console` that Python finds."""

import shutil
import subprocess
import sys
from pathlib import Path

START = Path(__file__).parents[1] / "console" / "cli" / "start.py"


def knock(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the front door as the installed command would, with a folder first on the path."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); sys.argv[1:] = ['--version']\n" + START.read_text()
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_ours_is_let_in(tmp_path: Path) -> None:
    done = knock(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("novadeck ")


def test_another_distribution_is_named(tmp_path: Path) -> None:
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "__init__.py").write_text("import no_such_module\n")
    done = knock(tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / "console") in done.stderr and "hides ours" in done.stderr and "pipx" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_another_distribution_over_ours_is_named(tmp_path: Path) -> None:
    """Both lie in one site-packages, and the other one has written its own `__init__` over ours."""
    shutil.copytree(START.parents[1], tmp_path / "console", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "console" / "__init__.py").write_text("from .style import bold\n")
    done = knock(tmp_path)
    assert done.returncode == 1 and "overwritten" in done.stderr
    assert "Traceback" not in done.stderr
