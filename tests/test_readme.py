"""The README tells the truth: its commands run, its example runs, its pictures are there."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.core.settings import Paths, load_settings
from console.sim.estate import Estate

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.S) for line in block.splitlines()]

EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.fixture
async def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    """An embedded cloud that has the README's server, as the only one that the environment tells of."""
    for name in [name for name in os.environ if name.startswith(("OS_", "NOVADECK_"))]:
        monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    async with Estate(servers=28, guests=8, speed=20) as estate:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(estate.write_clouds_yaml(tmp_path)))
        monkeypatch.setenv("OS_CLOUD", "nimbus")
        yield dict(os.environ)


async def run(command: str, environment: dict[str, str]) -> tuple[int, str, str]:
    words = shlex.split(command)
    assert words[0] == "novadeck"
    program = Path(sys.executable).with_name("novadeck")
    process = await asyncio.create_subprocess_exec(
        program, *words[1:], env=environment, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_commands_run_in_their_order(environment: dict[str, str]) -> None:
    assert len(COMMANDS) >= 6
    for command in COMMANDS:
        code, out, err = await run(command, environment)
        # A guest that lets nobody in is a true answer of the check, told by its exit code.
        allowed = (0, 1) if "server check" in command else (0,)
        assert code in allowed, (command, code, err)
        assert out or "find" in command, command


def test_the_settings_are_what_the_program_reads(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    (tmp_path / "config.toml").write_text(block)
    settings = load_settings(Paths(tmp_path, tmp_path, tmp_path), {})
    assert settings.columns["servers"][0].path == "metadata.role"
    assert settings.notify.desktop == "osc9"


def test_what_the_comparison_points_at_is_there() -> None:
    table = README[README.index("## Beside others") : README.index("## The command line")]
    named = re.findall(r"`(test_\w+\.py)`", table)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


def test_each_yes_of_the_comparison_is_shown_and_each_no_has_a_reason() -> None:
    table = README[README.index("## Beside others") : README.index("## Runbooks")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "**" in line[3:]]
    rows = [row for row in rows if len(row) == 10]
    assert len(rows) > 40
    for feature, *_, ours, shown in rows:
        pictures = re.findall(r"\]\((screenshots/[^)]+)\)", shown)
        assert [path for path in pictures if not (ROOT / path).is_file()] == []
        if ours.startswith("**n**"):
            assert len(ours.removeprefix("**n**").strip(" ,:")) > 10, feature
        else:
            assert pictures or "`test_" in shown or "](#" in shown, feature


async def test_the_example_runs(environment: dict[str, str]) -> None:
    (example,) = [block for block in EXAMPLES if "async def main" in block]
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    main = names["main"]
    assert callable(main)
    await asyncio.wait_for(main(), 120)


def test_the_fixture_is_as_shown(tmp_path: Path) -> None:
    (example,) = [block for block in EXAMPLES if "novadeck_cloud" in block]
    (tmp_path / "test_example.py").write_text(example)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(pictures) >= 3
    for picture in pictures:
        assert (ROOT / picture).is_file(), picture
