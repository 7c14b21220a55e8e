"""The user's file, the environment, and what the program keeps; mistakes are told with file and line."""

import fcntl
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from console.core.settings import (
    CloudSettings,
    Paths,
    Saved,
    SavedView,
    Settings,
    explain,
    load_saved,
    load_settings,
    save,
)
from console.errors import ConfigError

KEEPS = """
import sys
from pathlib import Path
from console.core.settings import Paths, SavedView, save
paths = Paths(Path(sys.argv[1]), Path(sys.argv[1]), Path(sys.argv[1]))
for number in range(20):
    save(paths, lambda saved: {"views": {**saved.views, f"{sys.argv[2]}{number}": SavedView(filter="web")}})
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config", tmp_path / "state", tmp_path / "runtime")


def write(paths: Paths, text: str) -> None:
    paths.config.mkdir(exist_ok=True)
    paths.config_file.write_text(text)


def test_without_a_file_all_is_as_it_comes(paths: Paths) -> None:
    assert load_settings(paths, {}) == Settings()
    assert not paths.config.exists()


def test_what_the_file_says(paths: Paths) -> None:
    write(
        paths,
        """
        theme = "dark"
        [keys]
        "server.reboot" = "ctrl+b"
        [clouds.prod]
        production = true
        read_only = true
        [clouds.prod.ssh]
        user = "debian"
        """,
    )
    settings = load_settings(paths, {})
    assert settings.theme == "dark"
    assert settings.keys == {"server.reboot": "ctrl+b"}
    assert settings.cloud("prod").production and settings.cloud("prod").read_only
    assert (settings.cloud("prod").ssh.user, settings.cloud("prod").ssh.port) == ("debian", 0)
    assert settings.cloud("other") == CloudSettings()


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("theme = 'dark'\nascii = perhaps\n", 2, "Invalid value"),
        ("[clouds.prod]\nproduction = true\nread_onyl = true\n", 3, "clouds.prod.read_onyl"),
        ("[clouds.one]\nread_only = true\n[clouds.two]\nread_only = 'yes'\n", 4, "clouds.two.read_only"),
        ("[clouds.prod]\n[clouds.prod.ssh]\nport = 'x'\n", 3, "clouds.prod.ssh.port"),
        ("[clouds]\nprod.ssh.prot = 22\n", 2, "clouds.prod.ssh.prot"),
        ("# my settings\n\ntheme = 7\n", 3, "theme"),
        ("clouds = 3\n", 1, "clouds"),
        ("[colours]\nred = 1\n", 1, "colours"),
        ("[keys]\nquit = 3\n", 1, "keys"),
        ('theme = "dark\n', 1, "Illegal character"),
        ("a = 1\na = 2\n", 2, "line 2"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(paths: Paths, text: str, line: int, told: str) -> None:
    write(paths, text)
    with pytest.raises(ConfigError) as error:
        load_settings(paths, {})
    assert str(error.value).startswith(f"{paths.config_file}, line {line}: ")
    assert told in str(error.value)


def test_a_file_that_cannot_be_read_is_named(paths: Paths) -> None:
    paths.config_file.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read"):
        load_settings(paths, {})


@pytest.mark.parametrize(("value", "read_only"), [("1", True), ("true", True), ("0", False), ("no", False), ("", True)])
def test_the_environment_is_heard_before_the_file(paths: Paths, value: str, read_only: bool) -> None:
    write(paths, "read_only = true\n")
    assert load_settings(paths, {"NOVADECK_READ_ONLY": value}).read_only is read_only


def test_where_each_value_came_from_is_told(paths: Paths) -> None:
    write(paths, "ascii = true\n[clouds.prod]\nread_only = true\n")
    told = {name: (value, source) for name, value, source in explain(paths, {"NOVADECK_THEME": "mono"})}
    assert told["theme"] == ("mono", "NOVADECK_THEME")
    assert told["ascii"] == ("True", str(paths.config_file))
    assert told["read_only"] == ("False", "default")
    assert told["clouds.prod"][1] == str(paths.config_file)
    assert told["state folder"] == (str(paths.state), "default")


def test_a_column_of_ones_own_is_read_and_a_wrong_one_is_named_with_its_line(paths: Paths) -> None:
    write(paths, '[[columns.servers]]\nname = "role"\npath = "metadata.role"\nwidth = 8\n')
    (column,) = load_settings(paths).columns["servers"]
    assert (column.name, column.path, column.width) == ("role", "metadata.role", 8)
    write(paths, 'ascii = true\n[[columns.servers]]\nname = "role"\npath = "a..b"\n')
    with pytest.raises(ConfigError, match=r"line 2: columns: no path to a value: '\.\.b'"):
        load_settings(paths)
    write(paths, '[[columns.servers]]\nname = "My Role"\npath = "a"\n')
    with pytest.raises(ConfigError, match=r"line 2: columns\.name"):
        load_settings(paths)


def test_what_is_kept_comes_back_and_only_its_owner_may_read_it(paths: Paths) -> None:
    views = {"old": SavedView(sort="-age", wide=True)}
    save(paths, lambda saved: {"clouds": ["prod", "lab"], "theme": "mono", "views": views})
    assert load_saved(paths) == Saved(clouds=["prod", "lab"], theme="mono", views=views)
    assert paths.saved_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in paths.config.iterdir()] == ["saved.toml"]


@pytest.mark.parametrize("text", ["clouds = 3\n", "broken = ", "\x00"])
def test_a_broken_memory_is_an_empty_one(paths: Paths, text: str) -> None:
    paths.config.mkdir()
    paths.saved_file.write_text(text)
    assert load_saved(paths) == Saved()


def test_a_memory_of_a_newer_version_is_read_as_far_as_it_is_known(paths: Paths) -> None:
    paths.config.mkdir()
    paths.saved_file.write_text('clouds = ["prod"]\nfuture = 1\n')
    assert load_saved(paths).clouds == ["prod"]
    save(paths, lambda saved: {"theme": "mono"})
    assert tomllib.loads(paths.saved_file.read_text()) == {"clouds": ["prod"], "future": 1, "theme": "mono"}


def test_what_several_consoles_keep_at_once_is_all_kept(paths: Paths) -> None:
    children = [subprocess.Popen([sys.executable, "-c", KEEPS, str(paths.config), name]) for name in "abc"]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert set(load_saved(paths).views) == {f"{name}{number}" for name in "abc" for number in range(20)}


def test_who_holds_the_lock_and_stands_still_stops_nobody(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.core.settings.PATIENCE", 0.05)
    paths.config.mkdir()
    held = os.open(paths.config, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    save(paths, lambda saved: {"theme": "mono"})
    os.close(held)
    assert load_saved(paths).theme == "mono"


def test_a_memory_that_is_closed_to_us_is_not_written_anew(paths: Paths) -> None:
    paths.saved_file.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"saved\.toml cannot be written"):
        save(paths, lambda saved: {"theme": "mono"})
    assert load_saved(paths) == Saved()


def test_a_folder_that_cannot_be_written_is_one_sentence(paths: Paths) -> None:
    paths.config.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"saved\.toml cannot be written"):
        save(paths, lambda saved: {})
