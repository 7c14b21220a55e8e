"""An incident in one file: what is in it, that a replay opens it, and that no secret is."""

import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from standin import DFW, sample, server
from still_screen import running, screen_text

from console.core.settings import Paths, Settings
from console.model.server import Server
from console.replay import Replay
from console.tui.bundle import write_bundle


def unpacked(path: Path, folder: Path) -> Path:
    with tarfile.open(path) as archive:  # one by one: what `extractall` wants differs from Python to Python
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if content is not None:
                (folder / member.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / member.name).write_bytes(content.read())
    (inside,) = folder.iterdir()
    return inside


async def test_it_holds_the_fleet_the_places_the_deeds_and_the_screen(tmp_path: Path) -> None:
    console = sample()
    secret = server("web-1", "ACTIVE", DFW, 60, "m1", "deb", metadata={"root_password": "hunter2"})
    console.put([msgspec.structs.replace(secret, record=b'{"adminPass": "hunter2", "id": "id-web-1"}')])
    audit = tmp_path / "audit.ndjson"
    deed = {"event": "accepted", "action": "server.rebuild", "given": {"password": "hunter2"}, "file": str(Path.home())}
    audit.write_text(json.dumps(deed) + '\n{"cut off')
    path = await write_bundle(console, audit, tmp_path / "incidents", "the screen")  # type: ignore[arg-type]
    assert path.stat().st_mode & 0o777 == 0o600
    inside = unpacked(path, tmp_path / "out")
    assert {file.name for file in inside.iterdir()} == {
        *("about.json", "audit.ndjson", "fleet.ndjson.gz", "places.json", "screen.txt")
    }
    assert (inside / "screen.txt").read_text() == "the screen"
    assert json.loads((inside / "places.json").read_text())["places"]["edge/waw"]["reason"] == "refused"
    (told,) = [json.loads(line) for line in (inside / "audit.ndjson").read_text().splitlines()]
    assert told == {**deed, "given": {"password": "••••"}, "file": "~"}
    replay = Replay(inside / "fleet.ndjson.gz", Settings(), Paths(tmp_path, tmp_path, tmp_path))
    rows = {row.name: row for row in replay.store.rows(Server).values()}
    assert len(rows) == len(console.store.rows(Server))
    assert rows["web-1"].metadata == {"root_password": "••••"}
    assert b"hunter2" not in rows["web-1"].record


async def test_one_key_writes_it_and_says_where(tmp_path: Path) -> None:
    console = sample()
    console.paths = SimpleNamespace(config=tmp_path, state=tmp_path, audit_file=tmp_path / "audit.ndjson")
    async with running(console) as (app, pilot):
        await pilot.press("I")
        for _ in range(600):
            await pilot.pause(0.05)
            if "without secrets" in screen_text(app):
                break
    (path,) = (tmp_path / "incidents").iterdir()
    inside = unpacked(path, tmp_path / "out")
    assert "needs you" in (inside / "screen.txt").read_text()


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    console = sample()
    (tmp_path / "incidents").write_text("in the way")
    console.paths = SimpleNamespace(config=tmp_path, state=tmp_path, audit_file=tmp_path / "audit.ndjson")
    async with running(console) as (app, pilot):
        await pilot.press("I")
        for _ in range(600):
            await pilot.pause(0.05)
            if "cannot be written" in screen_text(app):
                return
    pytest.fail("it was not told")
