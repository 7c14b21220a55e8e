"""From words to an exit code: light, quiet in a pipe, and never a traceback for what we can tell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli.main import exit_code, main
from console.cli.parse import UsageError
from console.errors import ConfigError, Unreachable, WaitTimeout

ROOT = Path(__file__).parent.parent
HEAVY = {"textual", "rich", "aiohttp", "asyncssh", "openstack", "keystoneauth1", "yaml"}
LIGHT = "import sys; from console.cli.main import main; code = main(%r); print('loaded', *sys.modules); sys.exit(code)"


def loaded_by(*words: str) -> tuple[set[str], str]:
    """The modules that a command loads in a fresh interpreter, and what it said."""
    done = subprocess.run([sys.executable, "-c", LIGHT % (list(words),)], cwd=ROOT, capture_output=True, text=True)
    said, _, modules = done.stdout.rpartition("loaded")
    return {name.partition(".")[0] for name in modules.split()}, said


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["server", "--help"], ["completion", "bash"]])
def test_words_about_itself_load_nothing_heavy(words: list[str]) -> None:
    loaded, said = loaded_by(*words)
    assert "console" in loaded
    assert loaded.isdisjoint(HEAVY)
    assert "novadeck" in said


def test_the_version_waits_for_no_library_at_all() -> None:
    loaded, said = loaded_by("--version")
    assert loaded.isdisjoint(HEAVY | {"msgspec", "asyncio"})
    assert said.startswith("novadeck 0.")


@pytest.mark.parametrize(
    ("words", "code"),
    [(["sever"], 2), (["server"], 2), (["server", "--help"], 0), (["server", "list", "--nope"], 2), (["-h"], 0)],
)
def test_exit_codes_of_usage(words: list[str], code: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    out, err = capfd.readouterr()
    assert bool(out) == (code == 0)
    assert bool(err) == (code != 0)


def test_errors_have_their_exit_codes() -> None:
    assert exit_code(ConfigError("x")) == 1
    assert exit_code(UsageError("x")) == 2
    assert exit_code(WaitTimeout("x")) == 3
    assert exit_code(Unreachable("x")) == 1


def test_a_broken_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "console.cli.main", "completion", "fish"]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_terminal_of_another_alphabet_gets_its_text(tmp_path: Path) -> None:
    code = "import sys; from console.cli.main import main; sys.exit(main(['server', 'list', '--wé→b']))"
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, env=env)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"--w\xe9?b" in done.stderr
