"""The audit as rows: joined by order, followed while it grows, and begun anew when the file was rotated away."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console.actions.audit import Audit
from console.actions.trail import LOOK, Reading, Trail
from console.core.watch import Batch
from console.model.deed import Deed
from console.testing import MovedClock

WEB = {"kind": "server", "id": "s-1", "name": "web-1"}


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path / "audit.ndjson")


def order(audit: Audit, id: str, *events: str, **more: Any) -> None:
    """The lines of one order."""
    for event in events:
        audit.write(event, id, action="server.reboot", place="lab/one", target=WEB, **more)


def names(batch: Batch[Deed]) -> dict[str, str]:
    """The deeds of a batch and what became of each."""
    return {deed.id: deed.outcome for deed in batch.changed}


def test_the_lines_of_an_order_are_one_row(audit: Audit) -> None:
    order(audit, "a", "asked", why="payday")
    order(audit, "a", "accepted", request_id="req-1")
    order(audit, "a", "ended", ok=True, request_id="req-1")
    order(audit, "b", "asked", "accepted")
    order(audit, "b", "ended", ok=False, message="It is in ERROR.")
    order(audit, "c", "asked", "failed", message="No.")
    order(audit, "d", "asked")
    deeds = {deed.id: deed for deed in Reading(audit.path).more()}
    assert {id: deed.outcome for id, deed in deeds.items()} == {"a": "done", "b": "failed", "c": "failed", "d": "asked"}
    first = deeds["a"]
    assert (first.name, first.target_id, first.action, str(first.place)) == ("web-1", "s-1", "server.reboot", "lab/one")
    assert (first.request_id, first.why, first.user) == ("req-1", "payday", audit.user)
    assert deeds["b"].message == "It is in ERROR."


def test_what_is_no_line_of_ours_is_passed_over(audit: Audit) -> None:
    order(audit, "a", "asked")
    with audit.path.open("a") as file:
        file.write('nonsense\n{"v": 2, "order": "z", "event": "asked"}\n[]\n{"v": 1, "event": "asked"}\n')
        file.write(json.dumps({"v": 1, "order": "e", "event": "asked", "target": 7, "at": "never", "pid": "x"}) + "\n")
        file.write('{"v": 1, "order": "half", "ev')
    reading = Reading(audit.path)
    assert [deed.id for deed in reading.more()] == ["a", "e"]
    with audit.path.open("a") as file:
        file.write('ent": "asked"}\n')
    assert [deed.id for deed in reading.more()] == ["half"]
    assert reading.more() == []


def test_a_long_file_is_read_from_near_its_end(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(50):
        order(audit, f"o{n}", "asked")
    monkeypatch.setattr("console.actions.trail.MOST", 1000)
    found = [deed.id for deed in Reading(audit.path).more()]
    assert found and found[-1] == "o49" and len(found) < 10


async def test_it_is_followed_also_where_others_write(audit: Audit) -> None:
    clock = MovedClock()
    trail = Trail(audit, clock)
    order(audit, "a", "asked")
    watch = trail.watch()
    first = await anext(watch)
    assert (first.reset, names(first)) == (True, {"a": "asked"})
    coming = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    order(audit, "a", "accepted")  # of this process: heard at once, though no time passes
    assert names(await coming) == {"a": "accepted"}
    coming = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    order(Audit(audit.path), "b", "asked")  # of another one: nobody rings
    await clock.advance(LOOK + 1)
    assert names(await coming) == {"b": "asked"}
    audit.path.rename(audit.path.with_suffix(".1"))
    coming = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    order(audit, "c", "asked")
    again = await coming
    assert (again.reset, names(again)) == (True, {"c": "asked"})
    await closed(watch)
    assert audit.listeners == []


async def test_without_a_file_it_waits_for_one(audit: Audit) -> None:
    watch = Trail(audit, MovedClock()).watch()
    assert (await anext(watch)).changed == ()
    coming = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    order(audit, "a", "asked")
    assert names(await coming) == {"a": "asked"}
    await closed(watch)


async def closed(watch: AsyncIterator[Any]) -> None:
    """End the following."""
    await watch.aclose()  # type: ignore[attr-defined]
