"""The audit file: one line each, for its owner alone, without secrets, and an error where it cannot be written."""

import json
import multiprocessing
from pathlib import Path

import pytest

from console.actions.audit import Audit, read
from console.errors import AuditError
from console.model.flavor import Flavor
from console.text import Secret


def test_lines_are_json_with_a_version(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "state" / "audit.ndjson")
    audit.write("asked", "o1", action="server.resize", given={"flavor": Flavor(id="2", name="m1.small")})
    audit.write("accepted", "o1", request_id="req-1")
    first, second = (json.loads(line) for line in audit.path.read_text().splitlines())
    assert (first["v"], first["event"], first["order"], first["given"]) == (1, "asked", "o1", {"flavor": "2"})
    assert second["request_id"] == "req-1"
    assert first["at"].endswith("+00:00")
    assert audit.path.stat().st_mode & 0o777 == 0o600
    assert audit.path.parent.stat().st_mode & 0o077 == 0


def test_an_open_file_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "audit.ndjson"
    path.touch(0o644)
    Audit(path).write("asked", "o1")
    assert path.stat().st_mode & 0o777 == 0o600


def test_secrets_and_strange_values(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.ndjson")
    given = {"password": Secret("hunter2"), "files": [b"abc"], "name": "x\n\x1b[2J\ud800", "n": 3}
    audit.write("asked", "o1", given=given)
    text = audit.path.read_text()
    assert "hunter2" not in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == 1
    assert audit.lines()[0]["given"]["n"] == 3


def test_it_survives_being_moved_away(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.ndjson")
    audit.write("asked", "o1")
    audit.path.rename(tmp_path / "old")
    audit.write("asked", "o2")
    assert [line["order"] for line in audit.lines()] == ["o2"]


def test_broken_and_newer_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.ndjson"
    assert list(read(path)) == []
    path.write_bytes(b'{"v":1,"order":"a"}\nnonsense\n\xff\xfe\n{"v":2}\n[]\n{"v":1,"order":"b"}\n{"v":1,"ord')
    assert [line["order"] for line in read(path)] == ["a", "b"]
    assert [line["order"] for line in Audit(path).lines(last=1)] == ["b"]


def test_half_a_line_of_a_full_disk_takes_no_later_line_with_it(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.ndjson")
    audit.write("asked", "o1")
    audit.path.write_bytes(audit.path.read_bytes()[:-9])
    audit.write("asked", "o2")
    audit.write("accepted", "o2")
    assert [(line["event"], line["order"]) for line in audit.lines()] == [("asked", "o2"), ("accepted", "o2")]


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(AuditError, match="cannot be written"):
        Audit(blocked / "audit.ndjson").write("asked", "o1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(tmp_path: Path) -> None:
    before = Path("/dev/full").stat().st_mode
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(AuditError, match="cannot be written: No space left"):
        Audit(tmp_path / "full").write("asked", "o1")
    assert Path("/dev/full").stat().st_mode == before


def _write_many(path: Path, who: int) -> None:
    audit = Audit(path)
    for number in range(100):
        audit.write("asked", f"{who}-{number}", filler="x" * 2000)


def test_processes_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.ndjson"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(path, who)) for who in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert len({line["order"] for line in read(path)}) == 300
