"""A recording of the embedded cloud, and what a replay makes of it: each moment as it was, forth and back."""

import asyncio
import datetime as dt
import gzip
import json
import os
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from full_disk import full_disk
from still_screen import screen_text
from textual.pilot import Pilot

import console
from console.core.recording import _masked, read_recording, record
from console.core.settings import Paths, Settings
from console.errors import ActionRefused, ConfigError, Unreachable
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.server import Server
from console.replay import REFUSAL, Replay
from console.sim.estate import Estate
from console.testing import MovedClock
from console.tui.app import NovadeckApp
from console.tui.keys import REPLAY
from console.tui.paint import plain
from console.tui.replaying import change_lines, moment_of
from console.tui.theme import UNICODE, load_theme


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config", tmp_path / "state", tmp_path / "run")


async def known(ops: console.Console, name: str, holds: object = object()) -> Server | None:
    """The server of that name in the store, once the store has (or has no) such."""
    async with asyncio.timeout(30):
        async for _ in ops.servers.watch():
            rows = {row.name: row for row in ops.store.rows(Server).values()}
            if (name in rows) is (holds is not None):
                return rows.get(name)
    raise AssertionError("the watch has ended")


async def written(path: Path, text: str) -> None:
    """Wait until the recorder has written this, which is a moment of its own."""
    for _ in range(600):
        if text in kept(path):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never written: {text}")


def kept(path: Path) -> str:
    """What a recording that is still being written has."""
    return zlib.decompressobj(31).decompress(path.read_bytes()).decode() if path.exists() else ""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was recorded while one server was renamed and another deleted; their names lie beside it."""
    folder = tmp_path_factory.mktemp("recording")
    before = os.environ.get("OS_CLIENT_CONFIG_FILE")
    try:
        return asyncio.run(made(folder))
    finally:
        if before is None:
            os.environ.pop("OS_CLIENT_CONFIG_FILE", None)
        else:
            os.environ["OS_CLIENT_CONFIG_FILE"] = before


async def made(folder: Path) -> Path:
    path = folder / "night.ndjson.gz"
    paths = Paths(folder / "config", folder / "state", folder / "run")
    async with Estate(servers=6, clouds=1, regions=1, guests=0, speed=20.0, seed=1) as estate:
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(estate.write_clouds_yaml(folder))
        async with console.open(list(estate.clouds)[:1], paths=paths, checks=False) as ops:
            task = asyncio.create_task(record(ops, path))
            calm = [row for row in (await ops.servers.list()).rows if row.status == "ACTIVE" and not row.locked]
            await known(ops, calm[0].name)
            await written(path, calm[0].name)
            await asyncio.sleep(0.3)  # the recorder has images and flavors too
            await ops.perform("server.metadata", calm[0], metadata={"db_password": "hunter2"})
            await ops.perform("server.set", calm[0], name="renamed")
            await written(path, "renamed")
            await ops.perform("server.delete", calm[1])
            await known(ops, calm[1].name, None)
            await written(path, "disappeared")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        (folder / "names").write_text(f"{calm[0].name} {calm[1].name}")
    return path


def moved(recording: Path) -> list[str]:
    """The old name of the server that was renamed, and the name of that which was deleted."""
    return recording.with_name("names").read_text().split()


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def names(replay: Replay) -> set[str]:
    return {row.name for row in replay.store.rows(Server).values()}


async def test_each_moment_comes_back_as_it_was(recording: Path, paths: Paths) -> None:
    old, gone = moved(recording)
    replay = Replay(recording, Settings(), paths)
    assert {old, gone} <= names(replay)
    assert len(replay.store.rows(Flavor)) > 0 and len(replay.store.rows(Image)) > 0
    replay.seek(replay.end)
    assert "renamed" in names(replay)
    assert not {old, gone} & names(replay)
    replay.seek(replay.begin + dt.timedelta(hours=-1))
    assert replay.time.at == replay.begin
    replay.seek(replay.end)
    assert "renamed" in names(replay)
    while replay.to_change(-1):
        pass
    assert not replay.playing
    moments = []
    while replay.to_change(1):
        moments.append(replay.time.at)
    assert moments == sorted(set(moments)) and len(moments) >= 2
    replay.skip(-3600)
    assert "renamed" not in names(replay)


async def test_what_changed_between_two_moments(recording: Path, paths: Paths) -> None:
    old, gone = moved(recording)
    replay = Replay(recording, Settings(), paths)
    changes = [change for change in replay.between(replay.end, replay.time.at) if change["kind"] == "server"]
    told = {(change["event"], change["name"]) for change in changes}
    assert {("changed", "renamed"), ("disappeared", gone)} <= told
    renamed = next(change for change in changes if change["name"] == "renamed")
    assert renamed["changed"]["name"] == {"old": old, "new": "renamed"}
    assert replay.between(replay.end, replay.end) == []


async def test_a_watch_hears_what_time_brings_and_what_going_back_takes(recording: Path, paths: Paths) -> None:
    replay = Replay(recording, Settings(), paths)
    watch = aiter(replay.servers.watch())
    assert {row.name for row in (await anext(watch)).changed} == names(replay)
    replay.seek(replay.end)
    batch = await anext(watch)
    assert "renamed" in {row.name for row in batch.changed} and batch.gone
    replay.seek(replay.begin)
    back = await anext(watch)
    assert {key.id for key in batch.gone} <= {row.id for row in back.changed}


async def test_time_goes_at_the_speed_that_is_set_and_stops_at_the_end(recording: Path, paths: Paths) -> None:
    replay = Replay(recording, Settings(), paths)
    clock = MovedClock()
    task = asyncio.create_task(replay.play(clock))
    began = replay.time.at
    await clock.advance(0.2)
    assert (replay.time.at - began).total_seconds() == pytest.approx(0.2)
    replay.toggle()
    await clock.advance(10)
    assert (replay.time.at - began).total_seconds() == pytest.approx(0.2)
    replay.faster(99)
    assert replay.speed == 600
    replay.toggle()
    await clock.advance(10)
    assert replay.time.at == replay.end
    assert not replay.playing
    replay.toggle()  # again from the beginning
    assert replay.time.at == replay.begin and replay.playing
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_can_be_done_to_it(recording: Path, paths: Paths) -> None:
    replay = Replay(recording, Settings(), paths)
    row = next(iter(replay.store.rows(Server).values()))
    assert replay.verdict("server.delete", row) == REFUSAL
    with pytest.raises(ActionRefused):
        await replay.perform("server.delete", row)
    with pytest.raises(Unreachable, match="no cloud is asked"):
        replay.dialect(row.place)
    assert replay.read_only


async def test_the_lanes_come_back_with_their_ages(recording: Path, paths: Paths) -> None:
    replay = Replay(recording, Settings(), paths)
    replay.seek(replay.end)
    (health,) = replay.health.values()
    assert health.state == "well"
    assert health.rows_at is not None
    assert 0 <= replay.clock.monotonic() - health.rows_at < 60


def test_no_secret_is_written(recording: Path) -> None:
    assert recording.stat().st_mode & 0o777 == 0o600
    text = gzip.decompress(recording.read_bytes())
    assert b"hunter2" not in text
    assert b"db_password" in text
    _, frames = read_recording(recording)
    assert all(b"hunter2" not in frame.row.record for frame in frames if frame.row is not None)


def test_a_record_that_is_no_text_ends_no_recording() -> None:
    assert _masked(b'{"name": "w\xff"}') == b""


def test_its_lines_are_those_of_watch(recording: Path) -> None:
    changed = next(line for line in lines_of(recording) if line["event"] == "changed" and line["kind"] == "server")
    assert {"v", "time", "event", "kind", "place", "id", "name", "status", "changed"} <= changed.keys()


def test_one_that_was_cut_off_is_read_as_far_as_it_goes(recording: Path, tmp_path: Path) -> None:
    whole = recording.read_bytes()
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    head, frames = read_recording(cut)
    assert 0 < len(frames) < len(read_recording(recording)[1])
    assert head.places == read_recording(recording)[0].places


HEAD = b'{"v":1,"event":"recording","time":"2026-11-28T10:00:00+00:00","places":[{"cloud":"a"}]}\n'
NO_RECORDINGS = (
    b"{}\n",
    b"no json\n",
    b"\xff\n",
    b'{"v":1,"event":"recording"}\n',
    HEAD.replace(b"+00:00", b""),
    HEAD + b'{"event":"seen","kind":"server","time":"2026-11-28T10:00:00+00:00","row":{"id":5}}\n',
    HEAD + b'{"event":"end","time":"yesterday"}\n',
    HEAD + b'{"event":"disappeared"}\n',
)


def test_what_a_recording_says_is_cleaned(tmp_path: Path) -> None:
    row = b'{"id":"s","name":"\\u001b[2J","key":{"endpoint":"","region":"","kind":"server","id":"s"}}'
    path = tmp_path / "foreign.gz"
    seen = b'{"event":"seen","kind":"server","time":"2026-11-28T10:00:00+00:00","row":' + row + b"}\n"
    path.write_bytes(gzip.compress(HEAD + seen))
    (frame,) = read_recording(path)[1]
    assert frame.row is not None and frame.row.name == "\N{SYMBOL FOR ESCAPE}[2J"


@pytest.mark.parametrize("content", [b"", b"text", *(gzip.compress(text, mtime=0) for text in NO_RECORDINGS)])
def test_what_is_no_recording_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="no recording of novadeck"):
        read_recording(path)


def test_a_newer_version_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "new.gz"
    path.write_bytes(gzip.compress(b'{"v": 9, "event": "recording"}\n'))
    with pytest.raises(ConfigError, match="of another version"):
        read_recording(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_recording(tmp_path / "none")


async def test_an_existing_file_is_never_written_over(recording: Path, paths: Paths) -> None:
    replay = Replay(recording, Settings(), paths)
    before = lines_of(recording)
    with pytest.raises(ConfigError, match="cannot be recorded to: File exists"):
        await record(replay, recording)
    assert lines_of(recording) == before


async def test_a_disk_that_fills_ends_the_recording_in_one_sentence(recording: Path, paths: Paths) -> None:
    replay, path = Replay(recording, Settings(), paths), recording.with_name("cut-off.gz")
    with full_disk(1000), pytest.raises(ConfigError, match=r"cut-off\.gz cannot be recorded to: File too large"):
        await asyncio.wait_for(record(replay, path), 30)
    head, _ = read_recording(path)
    assert head.places == replay.places


# on the screen


@asynccontextmanager
async def shown(recording: Path, paths: Paths) -> AsyncIterator[tuple[NovadeckApp, Pilot[Any], Replay]]:
    """The screen over the recording, stopped where it begins."""
    replay = Replay(recording, Settings(), paths)
    replay.playing = False

    app = NovadeckApp(replay.opened, load_theme("nocturne"))
    async with app.run_test(size=(120, 40)) as pilot:
        for _ in range(1500):
            await pilot.pause(0.02)
            if app.main.panes["servers"].table.index.order:
                break
        yield app, pilot, replay
        app.leave()
    if app.failure is not None:
        raise app.failure


async def seen(app: NovadeckApp, pilot: Pilot[Any], text: str) -> None:
    for _ in range(600):
        app.main.tick()
        await pilot.pause(0.05)
        if text in screen_text(app):
            return
    raise AssertionError(f"never: {text}\n{screen_text(app)}")


async def test_the_screen_shows_it_stops_and_seeks(recording: Path, paths: Paths) -> None:
    old, _ = moved(recording)
    async with shown(recording, paths) as (app, pilot, replay):
        await seen(app, pilot, f"replay {replay.time.at:%H:%M:%S}")
        assert old in screen_text(app) and "renamed" not in screen_text(app)
        assert "paused" in screen_text(app) and "p play" in screen_text(app)
        await pilot.press("shift+right")
        await seen(app, pilot, "renamed")
        await pilot.press("shift+left")
        await seen(app, pilot, old)
        await pilot.press(".")
        assert replay.time.at in {frame.at for frame in replay.frames}
        await pilot.press("shift+left", ",")
        await seen(app, pilot, "There is no earlier change.")
        await pilot.press("J", *"+1h", "enter")
        assert replay.time.at == replay.end
        await pilot.press("J", *"soon", "enter")
        await seen(app, pilot, "soon is no time.")
        await pilot.press("p")
        assert replay.playing and "p pause" in screen_text(app)


async def test_the_screen_plays_at_its_speed(recording: Path, paths: Paths) -> None:
    async with shown(recording, paths) as (app, pilot, replay):
        began = replay.time.at
        await pilot.press(">", ">", ">", ">", ">", "<", "p")
        assert replay.speed == 60
        await seen(app, pilot, "renamed")
        assert replay.time.at > began
        await seen(app, pilot, "p play")  # it has come to its end


async def test_the_screen_tells_what_changed_since_a(recording: Path, paths: Paths) -> None:
    old, gone = moved(recording)
    async with shown(recording, paths) as (app, pilot, _):
        await pilot.press("a", "shift+right", "b")
        await seen(app, pilot, "What changed")
        text = screen_text(app)
        assert f"{old} → renamed" in text
        assert gone in text and "disappeared" in text
        await pilot.press("escape", "a", "b")
        await seen(app, pilot, "Nothing changed.")


async def test_every_writing_key_is_refused_with_the_reason(recording: Path, paths: Paths) -> None:
    async with shown(recording, paths) as (app, pilot, _):
        await pilot.press("r")
        await seen(app, pilot, "This is a recording: nothing can be done to it.")
        await pilot.press("enter", "l")
        await seen(app, pilot, "This is a recording: no cloud is asked.")


def at(moment: Callable[[Replay], object]) -> Callable[[NovadeckApp, Replay], bool]:
    return lambda app, replay: replay.time.at == moment(replay)


def told(words: str) -> Callable[[NovadeckApp, Replay], bool]:
    return lambda app, replay: words in screen_text(app)


# What is pressed before each key of a recording, and what holds after it.
REPLAY_KEYS: dict[str, tuple[tuple[str, ...], Callable[[NovadeckApp, Replay], bool]]] = {
    "pause": ((), lambda app, replay: replay.playing),
    "faster": ((), lambda app, replay: replay.speed == 2.0),
    "slower": ((), lambda app, replay: replay.speed == 0.25),
    "next_change": ((), lambda app, replay: replay.begin < replay.time.at <= replay.end),
    "last_change": (("shift+right",), lambda app, replay: replay.begin <= replay.time.at < replay.end),
    "skip_on": ((), at(lambda replay: min(replay.end, replay.begin + dt.timedelta(seconds=10)))),
    "skip_back": (("shift+right",), at(lambda replay: max(replay.begin, replay.end - dt.timedelta(seconds=10)))),
    "leap_on": ((), at(lambda replay: replay.end)),
    "leap_back": (("shift+right",), at(lambda replay: replay.begin)),
    "seek": ((), told("Go to")),
    "mark_moment": ((), told("A is ")),
    "compare": (("shift+right",), told("What changed")),
}


def test_no_key_of_a_recording_is_forgotten() -> None:
    assert {command.name for command in REPLAY} == REPLAY_KEYS.keys()


@pytest.mark.parametrize(("name", "key"), [(c.name, key) for c in REPLAY for key in c.keys])
async def test_each_key_of_a_recording_does_what_it_says(name: str, key: str, recording: Path, paths: Paths) -> None:
    before, holds = REPLAY_KEYS[name]
    async with shown(recording, paths) as (app, pilot, replay):
        await pilot.press(*before)
        assert not holds(app, replay), "it held before"
        await pilot.press(key)
        for _ in range(1500):
            if holds(app, replay):
                return
            await pilot.pause(0.02)
        raise AssertionError(screen_text(app))


def test_times_to_go_to() -> None:
    here = dt.datetime(2026, 11, 20, 14, 2, 11, tzinfo=dt.UTC)
    assert moment_of("+5m", here) == here + dt.timedelta(minutes=5)
    assert moment_of("-90s", here) == here - dt.timedelta(seconds=90)
    assert moment_of("+2h", here) == here + dt.timedelta(hours=2)
    at = moment_of("09:30", here)
    assert at is not None and f"{at:%H:%M:%S}" == "09:30:00"
    assert moment_of("25:00", here) is None
    assert moment_of("later", here) is None


def test_what_changed_tells_no_row_without_saying_what() -> None:
    def change(name: str, **fields: tuple[Any, Any]) -> dict[str, Any]:
        told = {field: {"old": old, "new": new} for field, (old, new) in fields.items()}
        return {"event": "changed", "kind": "server", "name": name, "id": name, "place": "a/b", "changed": told}

    changes = [change("web-1", status=("ACTIVE", "SHUTOFF"), vm_state=("active", "stopped"), progress=(0, None))]
    changes += [change(f"web-{n}", updated=("16:33", "16:34"), progress=(0, None)) for n in (2, 3)]
    lines = [plain(line).strip() for line in change_lines(changes, UNICODE) if line]
    assert lines == [
        "→  web-1   server at a/b changed",
        "status            ACTIVE → SHUTOFF",
        "2 others are as before, but for when something was done to them.",
    ]
    assert [plain(line) for line in change_lines([], UNICODE)] == ["Nothing changed."]
