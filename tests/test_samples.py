"""The sample bodies that the projects publish are read without losing a row; they are kept beside the repository.

Where they are not there, as in a plain clone, these tests are passed over.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from console.clouds.openstack.reader import Reader
from console.clouds.openstack.records import Memo
from console.clouds.openstack.service import best_version
from console.clouds.openstack.shapes import GlanceImage, NovaFlavor, NovaServer
from console.model.place import Origin, Place, Row
from console.wire.message import Reply, read_fault

SAMPLES = Path(__file__).parents[2] / "shared" / "api" / "samples"
ORIGIN = Origin(Place("lab", "one"), "http://cloud.example")
SHAPES: dict[str, type[Row]] = {"server": NovaServer, "flavor": NovaFlavor, "image": GlanceImage}
TIMES = {"server": ("created", "updated", "launched_at", "terminated_at")}


def samples() -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Every sample of servers, flavors and images: its name, its kind, and the records in it."""
    found = []
    for path in sorted([*SAMPLES.glob("nova/*.json"), *SAMPLES.glob("glance/*.json")]):
        tree = json.loads(path.read_text())
        for kind in SHAPES:
            records = tree.get(f"{kind}s", [tree[kind]] if kind in tree else [])
            if isinstance(records, list) and records and all(isinstance(record, dict) for record in records):
                found.append((path.name, kind, records))
        if path.parent.name == "glance" and "disk_format" in tree:
            found.append((path.name, "image", [tree]))
    return found


ALL = samples()
pytestmark = pytest.mark.skipif(not ALL, reason="the sample bodies are not here")


@pytest.mark.parametrize(("name", "kind", "records"), ALL, ids=[f"{name}-{kind}" for name, kind, _ in ALL])
def test_a_published_record_is_read_whole(name: str, kind: str, records: list[dict[str, Any]]) -> None:
    reader = Reader(SHAPES[kind], kind, ORIGIN, region="one", naive=TIMES.get(kind, ()))
    names = {field.encode_name: field.name for field in reader._fields}
    for record in records:
        row = reader(json.dumps(record).encode())
        assert row is not None
        assert row.id == str(record["id"])
        for told, field in names.items():
            if record.get(told) not in (None, ""):
                assert getattr(row, field) is not None, f"{told} of {name} was lost"
        for moment in TIMES.get(kind, ()):
            value = getattr(row, moment)
            assert value is None or value.tzinfo is not None


@pytest.mark.parametrize(
    "file", sorted(SAMPLES.glob("*/*list*detail*.json")) + sorted(SAMPLES.glob("nova/*-detail*.json"))
)
def test_a_published_page_is_walked_twice_and_gives_the_same_objects(file: Path) -> None:
    body = file.read_bytes()
    kind = next((kind for kind in SHAPES if f'"{kind}s"' in body.decode()), None)
    if kind is None:
        pytest.skip("no page of servers, flavors or images")
    memo = Memo(f"{kind}s", Reader(SHAPES[kind], kind, ORIGIN, region="one").many)
    turns = []
    for _ in range(2):
        turn = memo.turn()
        rows, _ = turn.page(Reply(200, {}, [body]))
        turn.done(whole=True)
        turns.append(rows)
    assert turns[0]
    assert all(one is other for one, other in zip(*turns, strict=True))


@pytest.mark.parametrize(
    "file", sorted(SAMPLES.glob("*/*versions*.json")) + sorted(SAMPLES.glob("nova/*choices*.json"))
)
def test_a_published_version_document_is_read(file: Path) -> None:
    spoken = best_version(json.loads(file.read_text()), "v2.1")
    assert spoken.step.startswith("v")


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("nova/*fault.json")) + sorted(SAMPLES.glob("*/*-404.json")))
def test_a_published_fault_has_a_message(file: Path) -> None:
    tree = json.loads(file.read_text())
    if "server" not in tree and "image" not in tree:
        assert read_fault(file.read_bytes()).message
