"""What a user gets: a wheel with all its files in it, and an import that costs next to nothing."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("textual", "rich", "openstack", "keystoneauth1", "asyncssh", "aiohttp", "requests")


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after the statement."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_console_loads_nothing_heavy() -> None:
    loaded = loaded_by("import console")
    assert "console" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_a_heavy_import_would_be_seen() -> None:
    assert "aiohttp" in loaded_by("import console, aiohttp")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The project's wheel, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    code = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(next(folder.glob("novadeck-*.whl"))) as archive:
        yield archive


def test_the_wheel_has_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    files = (path for path in (ROOT / "console").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    # The front door stands beside the package, under the command's name.
    assert {path.relative_to(ROOT).as_posix() for path in files} - {"console/cli/start.py"} <= inside


def test_the_wheel_has_the_themes(wheel: zipfile.ZipFile) -> None:
    themes = {f"console/themes/{path.name}" for path in (ROOT / "themes").glob("*.toml")}
    assert themes
    assert themes <= set(wheel.namelist())


def test_the_wheel_has_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"console", "novadeck.py"}


def test_the_wheel_gives_the_command(wheel: zipfile.ZipFile) -> None:
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "novadeck = novadeck:main" in wheel.read(path).decode().splitlines()
