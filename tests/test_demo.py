"""The embedded cloud from the command line: it serves until it is interrupted, and leaves nothing behind."""

import json
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from console.cli import demo
from console.cli.screen import _write_settings
from console.core.settings import Paths, load_settings
from console.errors import ConsoleError

ROOT = Path(__file__).parent.parent
SMALL = {"servers": 3, "clouds": 1, "regions": 1, "guests": 0, "seed": 5}
OPTIONS = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]


@contextmanager
def serving(tmp_path: Path, *more: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """The command `demo --serve` in another process, and the path that it prints."""
    command = [sys.executable, "-m", "console.cli.main", "demo", "--serve", *OPTIONS, *more]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"TMPDIR": str(tmp_path)}
    )
    with process:
        try:
            assert process.stdout
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def auth_url(clouds_yaml: Path) -> str:
    entries = yaml.safe_load(clouds_yaml.read_text())["clouds"]
    return str(next(iter(entries.values()))["auth"]["auth_url"])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return "version" in json.load(reply)
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_interrupted_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as (process, path):
        assert path.is_relative_to(tmp_path)
        assert path.name == "clouds.yaml"
        assert path.stat().st_mode & 0o077 == 0
        url = auth_url(path)
        assert answers(url)
        process.send_signal(number)
        assert process.wait(20) == 130
    assert not answers(url)
    assert list(tmp_path.iterdir()) == []


def test_old_clouds_are_served_for_those_who_ask(tmp_path: Path) -> None:
    with serving(tmp_path, "--firstgen", "--rackspace") as (_, path):
        entries = yaml.safe_load(path.read_text())["clouds"]
        assert list(entries) == ["nimbus", "nimbus-admin", "legacy", "rackspace"]
        assert (entries["legacy"]["auth_type"], entries["rackspace"]["auth_type"]) == (
            "firstgen_apikey",
            "rackspace_apikey",
        )
        assert answers(entries["rackspace"]["auth"]["auth_url"])


def test_beside_something_else_it_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(ROOT)
    with demo.beside(SMALL) as path:
        url = auth_url(path)
        assert answers(url)
    assert not answers(url)
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConsoleError, match=r"did not start: .*sevrers"), demo.beside({"sevrers": 1}):
        pytest.fail("it started")


def test_a_demo_goes_by_what_the_users_settings_say_of_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    own = Paths().config
    (own / "themes").mkdir(parents=True)
    (own / "themes" / "mine.toml").write_text("# a theme of one's own")
    (own / "config.toml").write_text(
        'theme = "mine"\nmouse = false\nread_only = true\n[keys]\n"server.reboot" = "j"\n'
        '[[columns.servers]]\nname = "role"\npath = "metadata.role"\n[clouds.prod]\nproduction = true\n'
    )
    paths = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "runtime")
    _write_settings(paths, ["nimbus"], tmp_path / "key", 2222)
    found = load_settings(paths)
    assert (found.theme, found.mouse, found.lean, found.keys) == ("mine", False, None, {"server.reboot": "j"})
    assert [column.name for column in found.columns["servers"]] == ["role"]
    assert list(found.clouds) == ["nimbus"] and not found.read_only, "but of clouds they say nothing here"
    assert (paths.config / "themes" / "mine.toml").is_file()
