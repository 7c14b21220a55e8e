"""What changed when, on disk: it outlives the console, never stops it, and grows within bounds."""

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from console.core import timeline as module
from console.core.timeline import Timeline
from console.core.watch import Batch
from console.model.place import Key, Place
from console.model.server import Server
from console.testing import MovedClock

KEY = Key("https://nova", "one", "server", "s")


def server(status: str, **fields: Any) -> Server:
    return Server(id="s", name="web-1", key=KEY, place=Place("lab", "one"), word=status, **fields)


def batch(*rows: Server, gone: tuple[Key, ...] = ()) -> Batch[Server]:
    return Batch(kind=Server, changed=rows, gone=gone)


async def told(path: Path, clock: MovedClock, *batches: Batch[Server]) -> list[tuple[str, dict[str, Any]]]:
    """Write these in one run, and give what is remembered of KEY then."""
    timeline = Timeline(path, clock)
    for one in batches:
        await timeline.write(one)
        await clock.advance(1)
    history = await timeline.history(KEY)
    assert timeline.problem == ""
    await timeline.close()
    return [(change.what, change.fields) for change in history]


async def test_what_is_seen_and_what_changes_is_remembered(tmp_path: Path) -> None:
    path, clock = tmp_path / "state" / "timeline.sqlite", MovedClock()
    history = await told(
        path,
        clock,
        batch(server("ACTIVE")),
        batch(server("REBOOT", task_state="rebooting")),
        batch(gone=(KEY,)),
    )
    assert [what for what, _ in history] == ["seen", "changed", "gone"]
    assert history[0][1]["status"] == (None, "ACTIVE")
    assert history[1][1] == {"status": ("ACTIVE", "REBOOT"), "task_state": (None, "rebooting")}
    assert path.stat().st_mode & 0o777 == 0o600


async def test_times_are_kept_in_utc_with_their_offset(tmp_path: Path) -> None:
    clock = MovedClock(dt.datetime(2031, 2, 3, 4, 5, 6, tzinfo=dt.UTC))
    timeline = Timeline(tmp_path / "t", clock)
    await timeline.write(batch(server("ACTIVE")))
    (change,) = await timeline.history(KEY)
    await timeline.close()
    assert change.at == clock.now()
    with sqlite3.connect(tmp_path / "t") as file:
        assert file.execute("SELECT at FROM changes").fetchone() == ("2031-02-03T04:05:06.000+00:00",)
    file.close()


async def test_the_next_run_remembers_only_what_differs_from_the_last_ones_end(tmp_path: Path) -> None:
    path, clock = tmp_path / "t", MovedClock()
    await told(path, clock, batch(server("ACTIVE")))
    assert len(await told(path, clock, batch(server("ACTIVE")))) == 1
    history = await told(path, clock, batch(server("SHUTOFF")))
    assert [what for what, _ in history] == ["seen", "changed"]


async def test_two_consoles_write_a_change_once(tmp_path: Path) -> None:
    path, clock = tmp_path / "t", MovedClock()
    one, two = Timeline(path, clock), Timeline(path, clock)
    for status in ("ACTIVE", "REBOOT", "ACTIVE"):
        await one.write(batch(server(status)))
        await two.write(batch(server(status)))
    assert len(await two.history(KEY)) == 3
    await one.close()
    await two.close()


async def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    timeline = Timeline(tmp_path / "state" / "t", MovedClock())
    await timeline.write(batch(server("ACTIVE")))
    await timeline.write(batch(server("REBOOT")))
    assert await timeline.history(KEY) == []
    await timeline.close()
    assert timeline.problem.count("cannot be") == 1
    assert str(tmp_path / "state" / "t") in timeline.problem


async def test_a_file_that_can_be_used_again_is_used_again(tmp_path: Path) -> None:
    clock, state = MovedClock(), tmp_path / "state"
    state.write_text("a file where the folder should be")
    timeline = Timeline(state / "t", clock)
    await timeline.write(batch(server("ACTIVE")))
    state.unlink()
    await timeline.write(batch(server("REBOOT")))
    assert "cannot be used" in timeline.problem and not state.exists()  # no disk is asked at every change
    await clock.advance(61)
    await timeline.write(batch(server("ACTIVE")))
    assert [change.what for change in await timeline.history(KEY)] == ["seen"] and timeline.problem == ""
    with sqlite3.connect(state / "t") as other:
        other.execute("PRAGMA user_version=99")
    timeline._close()
    await timeline.history(KEY)
    assert "newer version" in timeline.problem
    await timeline.close()


async def test_a_full_disk_is_one_sentence_and_what_was_written_stays(tmp_path: Path) -> None:
    path, clock = tmp_path / "t", MovedClock()
    await told(path, clock, batch(server("ACTIVE")))
    timeline = Timeline(path, clock)
    assert len(await timeline.history(KEY)) == 1
    assert timeline._file is not None
    pages = timeline._file.execute("PRAGMA page_count").fetchone()[0]
    timeline._file.execute(f"PRAGMA max_page_count={pages}")
    for turn in range(30):
        await timeline.write(batch(server(f"TURN{turn}", task_state="x" * 1000)))
    await timeline.close()
    assert "full" in timeline.problem
    history = await told(path, clock)
    assert history[0][0] == "seen"


async def test_a_line_that_cannot_be_read_is_one_sentence_and_blocks_no_other_console(tmp_path: Path) -> None:
    path, clock = tmp_path / "t", MovedClock()
    await told(path, clock, batch(server("ACTIVE")))
    with sqlite3.connect(path) as file:
        file.execute("UPDATE last SET fields = '{'")
        file.execute("UPDATE changes SET fields = '{'")
    timeline = Timeline(path, clock)
    await timeline.write(batch(server("REBOOT")))
    assert "cannot be used" in timeline.problem
    with sqlite3.connect(path, timeout=0) as other:
        other.execute("DELETE FROM last")
    await timeline.close()
    reading = Timeline(path, clock)
    assert await reading.history(KEY) == []
    assert "cannot be used" in reading.problem
    await reading.close()


async def test_a_file_that_is_no_database_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text("not a database" * 100)
    timeline = Timeline(path, MovedClock())
    await timeline.write(batch(server("ACTIVE")))
    await timeline.close()
    assert "not a database" in timeline.problem
    assert path.read_text().startswith("not a database")


async def test_a_newer_file_is_read_and_not_written(tmp_path: Path) -> None:
    path, clock = tmp_path / "t", MovedClock()
    await told(path, clock, batch(server("ACTIVE")))
    file = sqlite3.connect(path)
    file.execute(f"PRAGMA user_version={module.VERSION + 1}")
    file.close()
    timeline = Timeline(path, clock)
    await timeline.write(batch(server("REBOOT")))
    assert [change.what for change in await timeline.history(KEY)] == ["seen"]
    assert "newer version" in timeline.problem
    await timeline.close()


async def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    path, clock = tmp_path / "t", MovedClock()
    await told(path, clock, batch(server("ACTIVE")))
    await clock.advance(module.KEPT.total_seconds() - 3600)
    assert len(await told(path, clock, batch(server("REBOOT")))) == 2
    await clock.advance(7200)
    assert len(await told(path, clock)) == 1
    await clock.advance(module.KEPT.total_seconds())
    assert await told(path, clock) == []
    file = sqlite3.connect(path)
    assert file.execute("SELECT count(*) FROM last").fetchone() == (0,)
    file.close()


async def test_what_is_too_much_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = tmp_path / "t", MovedClock()
    monkeypatch.setattr(module, "MOST", 3)
    await told(path, clock, *(batch(server(f"TURN{turn}")) for turn in range(10)))
    history = await told(path, clock)
    assert [fields["status"][1] for _, fields in history] == ["TURN7", "TURN8", "TURN9"]


async def test_a_console_that_is_never_left_forgets_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MovedClock()
    monkeypatch.setattr(module, "MOST", 3)
    timeline = Timeline(tmp_path / "t", clock)
    for turn in range(10):
        await timeline.write(batch(server(f"TURN{turn}")))
    assert len(await timeline.history(KEY)) == 10
    await clock.advance(module.DAY)
    await timeline.write(batch(server("LATER")))
    assert [change.fields["status"][1] for change in await timeline.history(KEY)] == ["TURN8", "TURN9", "LATER"]
    await timeline.close()
