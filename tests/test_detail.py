"""The view of one row: long texts go on below and are never lost, and its lines can be searched."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from standin import DFW, NOW, sample, server
from still_screen import running, screen_text
from textual import events
from textual.pilot import Pilot

from console.actions.history import Happening
from console.model.server import Fault, FlavorReference
from console.tui.app import NovadeckApp
from console.tui.detail import Detail
from console.tui.paint import plain, width
from console.tui.spec import Scene
from console.tui.views import history_lines, overview

SCENE = Scene(now=NOW, labels={DFW: "prod/dfw"})
FAULT = "Build of instance 7b2c aborted: Volume 1a2b did not finish being created even after we waited 187 seconds."
LOG = "\n".join(
    [*(f"[{n:>5}.0] line {n}" for n in range(40)), "[   40.0] Kernel panic - not syncing", "[   41.0] sshd up"]
)


def happening(what: str, **more: Any) -> Happening:
    return Happening(NOW - dt.timedelta(minutes=5), what, "cloud", **more)


def test_texts_of_the_history_begin_in_one_column_and_tell_who_asked() -> None:
    made = happening("create", request_id="req-7d0e2c31-b7f1", user_id="0123456789abcdef")
    seen = Happening(NOW, "seen", "seen", text="status ACTIVE")
    lines = [plain(line) for line in history_lines([seen, made, happening("reboot", unasked=True)], SCENE)]
    assert {line.index(word) for line, word in zip(lines, ("status", "req-7d0e", "by the"), strict=True)} == {41}
    assert lines[1].endswith("by 0123…cdef") and lines[2].endswith("by the cloud itself")


@pytest.mark.parametrize("size", [78, 118])
def test_a_long_history_goes_on_below(size: int) -> None:
    text = ", ".join(f"name{n} before > after" for n in range(9))
    lines = history_lines([happening("changed", text=text, request_id="req-7d0e2c31-b7f1")], SCENE, size)
    assert max(map(width, lines)) <= size
    told = " ".join(plain(line)[41:] for line in lines).split()
    assert told == [*text.replace(" > ", " → ").split(), "req-7d0e…b7f1"]


@pytest.mark.parametrize("size", [58, 78, 118])
def test_no_fact_is_cut(size: int) -> None:
    flavor = FlavorReference(id="f", name="512 MB Standard Instance of old", vcpus=1, ram=512, disk=20)
    row = server("db-1", "ERROR", DFW, 60, "m1.large", "debian-12", fault=Fault(FAULT))
    lines = overview(msgspec.structs.replace(row, flavor=flavor), SCENE, size)
    assert max(map(width, lines)) <= size
    text = " ".join(" ".join(plain(line) for line in lines).split())
    assert FAULT in text and "512 MB Standard Instance of old 1 vcpu · 512 MB · 20 GB" in text


async def opened(pilot: Pilot[Any], app: NovadeckApp) -> Detail:
    """The console log of a row, of forty-two lines."""
    row = app.main.pane.table.cursor_row
    assert row is not None
    app.main.detail.logs[row.key] = LOG
    await pilot.press("l")
    await pilot.pause(0.1)
    app.main.detail.troubles.clear()  # the stand-in has no log to tell
    app.main.detail.draw()
    await pilot.pause()
    return app.main.detail


async def test_a_slash_shows_only_lines_that_match_and_esc_all_again() -> None:
    async with running(sample(), (100, 30)) as (app, pilot):
        detail = await opened(pilot, app)
        await pilot.press("/", *"PANIC|sshd")
        text = screen_text(app)
        assert "Kernel panic" in text and "sshd up" in text and "line 39" not in text
        assert "/PANIC|sshd" in text and "2 of 42 lines" in text
        await pilot.press("enter", "k")  # keys are keys again
        assert "sshd up" in screen_text(app) and detail.filter == "PANIC|sshd"
        await pilot.press("/", "ctrl+u", *"!line")
        assert "2 of 42 lines" in screen_text(app)
        await pilot.press("enter", "escape")
        assert detail.is_open and "line 39" in screen_text(app) and "of 42 lines" not in screen_text(app)
        await pilot.press("escape")
        assert not detail.is_open


async def test_what_is_beyond_the_edge_is_counted() -> None:
    async with running(sample(), (100, 30)) as (app, pilot):
        detail = await opened(pilot, app)
        shown = detail.sheet.size.height
        assert f"↑ {42 - shown}" in screen_text(app) and "↓" not in screen_text(app)
        await pilot.press("g")
        assert f"↓ {42 - shown}" in screen_text(app) and "↑" not in screen_text(app)


async def test_a_pasted_word_is_searched_for() -> None:
    async with running(sample(), (100, 30)) as (app, pilot):
        detail = await opened(pilot, app)
        await pilot.press("/")
        app.post_message(events.Paste("panic"))
        await pilot.pause()
        assert detail.filter == "panic" and app.main.pane.filter_text == ""
