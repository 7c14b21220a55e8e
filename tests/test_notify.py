"""Notices: what is worth one, that each is told once, and that they arrive: screen, bell, desktop, a user's command."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest
from standin import DFW, sample, server
from still_screen import running, screen_text

from console.core.resizes import Resizes
from console.core.settings import CloudSettings, Notify, Settings
from console.core.watch import Batch
from console.model.server import Server
from console.tui.notify import Notice, Notices, Teller
from console.tui.operations import Operation


def operation(began: float, ended: float | None, failed: bool = False) -> Operation:
    return Operation("web-1", "resize", None, began, ended=ended, failed=failed, message="The cloud said no.")


def broke(*names: str) -> Batch[Server]:
    before = [server(name, "ACTIVE", DFW, 60, "m1", "deb") for name in names]
    now = [msgspec.structs.replace(row, word="ERROR") for row in before]
    return Batch(kind=Server, changed=tuple(now), before={row.key: row for row in before})


def test_what_ended_is_told_once_and_only_if_it_took_long_or_failed() -> None:
    notices = Notices(Notify(after=10))
    short, long, failed, running = operation(0, 9), operation(0, 11), operation(0, 1, True), operation(0, None)
    for _ in range(2):
        notices.operations([short, long, failed, running])
    assert [one.event for one in notices.take()] == ["operation.ended", "operation.failed"]
    assert notices.take() == []


def test_a_server_that_breaks_is_told_but_not_one_that_was_broken_when_first_seen() -> None:
    notices = Notices()
    broken = broke("web-1")
    notices.changed(Batch(kind=Server, changed=broken.changed, reset=True))
    assert notices.take() == []
    notices.changed(broken)
    (told,) = notices.take()
    assert told.text == "web-1 at prod/dfw went into ERROR."
    notices.changed(Batch(kind=Server, changed=broken.changed, before={row.key: row for row in broken.changed}))
    assert notices.take() == []


def test_many_at_once_are_one_notice() -> None:
    notices = Notices()
    notices.changed(broke(*(f"web-{n}" for n in range(9))))
    (told,) = notices.take()
    assert told.text == "9 servers went into ERROR: web-0, web-1, web-2 and 6 more."


def test_a_resize_near_its_clock_is_told_once_for_each_resize() -> None:
    notices = Notices(Notify(clock=3600))
    waiting = server("web-2", "VERIFY_RESIZE", DFW, 60, "m1", "deb")
    left = [7200.0]
    notices.changed(Batch(kind=Server, changed=(waiting,), reset=True))
    notices.clocks(lambda row: left[0])
    assert notices.take() == []
    left[0] = 3599.0
    for _ in range(2):
        notices.clocks(lambda row: left[0])
    (told,) = notices.take()
    assert told.text == "web-2 at prod/dfw keeps its new flavor in 59m59s: C confirms, V reverts."
    notices.changed(Batch(kind=Server, changed=(msgspec.structs.replace(waiting, word="ACTIVE"),)))
    notices.changed(Batch(kind=Server, changed=(waiting,)))
    notices.clocks(lambda row: left[0])
    assert len(notices.take()) == 1


def teller(settings: Notify, environment: dict[str, str]) -> tuple[Teller, list[str], list[str]]:
    written: list[str] = []
    complaints: list[str] = []
    return Teller(settings, written.append, complaints.append, environment), written, complaints


NOTICE = Notice("server.error", "web-1;\x1b]52;c;x\a broke", "web-1", "prod/dfw")


def test_the_bell_rings_once_for_all_and_the_desktop_hears_each_cleaned() -> None:
    one, written, _ = teller(Notify(desktop="osc777"), {})
    one.ring([NOTICE, NOTICE])
    assert written[0] == "\a"
    assert len(written) == 3
    inside = written[1].removeprefix("\x1b]777;notify;novadeck;").removesuffix("\a")
    assert inside.startswith("web-1,") and inside.endswith(" broke")
    assert not set(inside) & set("\x1b\a;")
    one.ring([])
    assert len(written) == 3


def test_osc_9_inside_tmux_is_wrapped_and_all_can_be_off() -> None:
    one, written, _ = teller(Notify(bell=False, desktop="osc9"), {"TMUX": "/tmp/tmux"})
    one.ring([Notice("operation.ended", "done")])
    assert written == ["\x1bPtmux;\x1b\x1b]9;done\a\x1b\\"]
    one, written, _ = teller(Notify(bell=False), {})
    one.ring([NOTICE])
    assert written == []


async def test_the_users_command_gets_facts_and_no_shell(tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = "import os, pathlib; pathlib.Path(os.environ['OUT']).write_text(os.environ['NOVADECK_TEXT'])"
    environment = {"OUT": str(told)}
    one, _, complaints = teller(Notify(command=[sys.executable, "-S", "-c", code]), environment)
    await one.run(Notice("server.error", "$(touch x); `y`"))
    assert told.read_text() == "$(touch x); `y`"
    assert complaints == []


async def test_a_command_that_is_not_there_is_told_once() -> None:
    one, _, complaints = teller(Notify(command=["/nowhere/notify"]), {})
    await one.run(NOTICE)
    await one.run(NOTICE)
    assert complaints == ["The notify command cannot be run: /nowhere/notify: No such file or directory."]


async def test_a_command_does_not_outlive_the_screen(tmp_path: Path) -> None:
    one, _, _ = teller(Notify(command=[sys.executable, "-S", "-c", "import time; time.sleep(60)"]), {})
    task = asyncio.create_task(one.run(NOTICE))
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_the_screen_says_it_and_rings() -> None:
    console = sample()
    async with running(console) as (app, pilot):
        rung: list[str] = []
        assert app.main.teller is not None
        app.main.teller = Teller(Notify(), rung.append, app.main.refuse)
        row = next(row for row in console.store.rows(Server).values() if row.name == "web-1")
        console.put([server("web-1", "ERROR", DFW, 41 * 86400, "m1.small", "golden-web-v14")])
        for _ in range(1000):
            await pilot.pause(0.02)
            if app.main.panes["servers"].table.index.rows[row.key] is not row:
                break
        app.main.tick()
        await pilot.pause()
        assert "web-1 at prod/dfw went into ERROR." in screen_text(app)
        assert rung == ["\a"]


async def test_what_comes_by_itself_leaves_a_keys_answer_time_to_be_read_and_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.tui.feed.READ", 1e9)
    async with running(sample()) as (app, pilot):
        await pilot.press("L")
        app.main.notices.changed(broke("web-1"))
        app.main.tick()
        app.main.notices.changed(broke("web-2"))
        app.main.tick()
        assert "answer" in app.main.text() and "went into ERROR" not in app.main.text()
        monkeypatch.setattr("console.tui.feed.READ", 0.0)
        app.main.tick()
        said = " ".join(app.main.text().split())
        assert "web-1 at prod/dfw went into ERROR. web-2 at prod/dfw went into ERROR." in said
        app.main.refuse("")
        app.main.tick()
        assert "went into ERROR" not in app.main.text()  # it is told once


async def test_the_clock_of_a_resize_is_shown_where_it_is_known() -> None:
    console = sample()
    console.settings = Settings(clouds={"prod": CloudSettings(confirms_after=86400)})
    console.resizes = Resizes(console.clock, console.settings, lambda key: asyncio.sleep(0, []))
    async with running(console) as (app, pilot):
        app.main.tick()
        await pilot.pause()
        line = next(line for line in screen_text(app).splitlines() if "web-2 " in line)
        assert "auto confirm   23h57m" in line
        other = next(line for line in screen_text(app).splitlines() if "www-2" in line)
        assert "keep or revert" in other
