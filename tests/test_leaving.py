"""What is open is closed behind the screen, however it is left, and nothing of what was seen is forgotten."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from screen_pilot import deck
from still_screen import screen_text

from console.tui.app import NovadeckApp
from console.tui.theme import load_theme


def open_files(folder: Path) -> list[Path]:
    """The files below the folder that this process holds open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it was the list's own
            found.append(number.readlink())
    return [path for path in found if path.is_relative_to(folder)]


@pytest.mark.parametrize("way", ["leave", "exit"])
async def test_no_file_and_no_thread_of_it_stays(tmp_path: Path, way: str) -> None:
    async with deck(tmp_path) as shown:
        await shown.until(lambda: open_files(tmp_path), "the timeline's file")
        if way == "exit":
            shown.app.exit()
    assert not open_files(tmp_path)
    assert "timeline" not in {thread.name.partition("_")[0] for thread in threading.enumerate()}


async def test_what_moved_in_the_last_moment_is_remembered(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.until(lambda: (tmp_path / "state" / "timeline.sqlite").exists(), "the timeline's file")
        await shown.keys("down")
        store, servers = shown.console.store, list(shown.rows.values())
        store.gather = 3600.0
        for server in servers[:2]:
            store.remove(server.key)
    with sqlite3.connect(tmp_path / "state" / "timeline.sqlite") as file:
        gone = {id for (id,) in file.execute("SELECT id FROM changes WHERE what = 'gone'")}
    assert gone == {server.id for server in servers[:2]}


async def test_a_console_that_does_not_open_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.tui.app.CLOSING", 60.0)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        await asyncio.sleep(3600)
        yield None

    app = NovadeckApp(opened, load_theme("nocturne"))
    async with app.run_test() as pilot:
        await pilot.pause(0.2)
        assert "Servers" in screen_text(app)
        app.leave()
        began = time.monotonic()
    assert time.monotonic() - began < 30
