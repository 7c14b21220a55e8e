"""Copying: through a real tmux where one is around us, else by the terminal, and never a word that is not true."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin import sample
from still_screen import running, screen_text

from console.tui.clipboard import MOST, copy


@pytest.fixture
def tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A tmux of our own, and an environment as inside of it."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    socket = tmp_path / "socket"
    command = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*command, "new-session", "-d", "sleep 60"], check=True)
    monkeypatch.setenv("TMUX", f"{socket},1,0")
    yield command
    subprocess.run([*command, "kill-server"], check=False)


def buffer(tmux: list[str]) -> str:
    """What tmux would paste."""
    return subprocess.run([*tmux, "show-buffer"], check=True, capture_output=True).stdout.decode()


def nothing(text: str) -> None:
    raise AssertionError("the terminal was asked")


async def test_inside_tmux_the_text_arrives_in_its_buffer(tmux: list[str]) -> None:
    text = "id-1\nзеркало \x1b]52;c;x\a; $(touch x)"
    assert await copy(text, nothing) == "Copied, through tmux."
    assert buffer(tmux) == text


async def test_a_tmux_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMUX", f"{tmp_path / 'nowhere'},1,0")
    assert await copy("id-1", nothing) == "Not copied: tmux did not take it."


async def test_elsewhere_the_terminal_is_asked_and_no_more_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    asked: list[str] = []
    assert await copy("id-1", asked.append) == "Copied, if this terminal allows it (OSC 52)."
    assert asked == ["id-1"]
    assert "too many for a terminal" in await copy("x" * (MOST + 1), asked.append)
    assert asked == ["id-1"]


async def test_c_copies_the_ids_of_the_marked_rows(tmux: list[str]) -> None:
    async with running(sample()) as (app, pilot):
        await pilot.press("/", *"name:^web-[13]$", "enter", "*", "c")
        for _ in range(600):
            await pilot.pause(0.05)
            if "Copied, through tmux." in screen_text(app):
                break
        assert set(buffer(tmux).split()) == {"id-web-1", "id-web-3"}
