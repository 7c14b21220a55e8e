"""`novadeck info`: what there is, where each value is from, and what is wrong; no secret, no login."""

import json
import os
from pathlib import Path

import pytest

from console.cli.info import writable
from console.cli.main import main

CLOUDS = """
clouds:
  lab:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: demo, password: hunter2, project_name: demo}
    regions: [one, two]
  asks:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: demo, project_name: demo}
    region_name: one
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a clouds.yaml and folders of their own."""
    for name in [name for name in os.environ if name.startswith(("OS_", "NOVADECK_"))]:
        monkeypatch.delenv(name)
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    return tmp_path


def test_it_tells_paths_clouds_and_versions_and_where_from(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "-f", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"]["config folder"] == {
        "value": str(home / "XDG_CONFIG_HOME" / "novadeck"),
        "from": "XDG_CONFIG_HOME",
    }
    assert told["settings"]["read_only"] == {"value": "False", "from": "default"}
    assert told["clouds"]["entries"]["lab"] == {"regions": ["one", "two"], "login": "password"}
    assert told["clouds"]["entries"]["asks"]["asks for"] == ["password"]
    assert str(home / "clouds.yaml") in told["clouds"]["looked for"]
    assert told["libraries"]["aiohttp"][0].isdigit()
    assert told["novadeck"].startswith("0.")
    assert told["problems"] == []


def test_where_a_value_is_from(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "XDG_CONFIG_HOME" / "novadeck"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("theme = 'mono'\n")
    monkeypatch.setenv("NOVADECK_READ_ONLY", "1")
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert f"mono  [{folder / 'config.toml'}]" in out
    assert "[NOVADECK_READ_ONLY]" in out


def test_it_tells_no_secret(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("https_proxy", "http://me:swordfish@proxy:3128")
    monkeypatch.setenv("OS_PASSWORD", "hunter3")
    for words in (["info"], ["info", "-f", "yaml"]):
        main(words)
        out = capsys.readouterr().out
        assert "hunter" not in out
        assert "swordfish" not in out
        assert "proxy:3128" in out


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("clouds.yaml", "clouds.yaml, line 2"),
        ("XDG_CONFIG_HOME/novadeck/config.toml", "config.toml, line 1"),
    ],
)
def test_what_is_wrong_is_told_and_is_the_exit_code(
    home: Path, broken: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / broken
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a: [1\nb = {\n")
    assert main(["info", "-f", "json"]) == 1
    assert any(said in problem for problem in json.loads(capsys.readouterr().out)["problems"])


def test_a_folder_that_cannot_be_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "XDG_STATE_HOME").write_text("a file in its place")
    assert main(["info"]) == 1
    assert "cannot be written: no action can be written down" in capsys.readouterr().out
    assert not writable(home / "XDG_STATE_HOME" / "novadeck")
    assert writable(home / "not" / "there" / "yet")
