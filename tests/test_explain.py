"""Why a server is as it is: the ladder that fits each state, what is usual, and the history that both memories make."""

import asyncio
import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_ground import ground_on

from console.actions.action import perform
from console.actions.explain import explanation, usual_seconds
from console.actions.history import Happening, joined, read
from console.actions.legal import same_host
from console.core.timeline import Change
from console.model.place import Key, Place
from console.model.server import Fault, Server
from console.sim.estate import Estate
from console.tui.findings import told_by
from console.tui.paint import plain

T0 = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
KEY = Key("e", "r", "server", "id")


def server(status: str = "ACTIVE", task: str | None = None, **more: Any) -> Server:
    fields = {"launched_at": T0, "updated": T0, **more}
    return Server(id="id", name="web-1", key=KEY, place=Place("lab", "one"), word=status, task_state=task, **fields)


def record(action: str, minute: int, seconds: float, **more: Any) -> dict[str, Any]:
    begin = T0 + dt.timedelta(minutes=minute)
    events = [
        {"event": f"compute_{action}", "start_time": begin.isoformat(), "result": "Success",
         "finish_time": (begin + dt.timedelta(seconds=seconds)).isoformat()},
    ]  # fmt: skip
    told = {"start_time": begin.replace(tzinfo=None).isoformat(), "request_id": f"req-{minute}", "events": events}
    return {"action": action, **told, **more}


@pytest.mark.parametrize(
    ("row", "minutes", "first", "actions"),
    [
        (server("ACTIVE", "image_uploading"), 5, "Wait: big disks", []),
        (server("ACTIVE", "image_uploading"), 600, "Wait", ["image.delete", "server.reset_state"]),
        (server("REBOOT", "reboot_started"), 5, "Wait", ["server.hard_reboot", "server.reset_state"]),
        (server("VANISHED"), 5, "Wait some minutes", []),
        (server("BUILD", "spawning"), 1, "Wait", []),
        (server("BUILD", "spawning"), 600, "Wait", ["server.delete"]),
        (server("ERROR", launched_at=None), 5, "Read the fault", ["server.delete"]),
        (server("ERROR"), 5, "Reboot it hard", ["server.hard_reboot", "server.reset_state", "server.rebuild"]),
        (server("VERIFY_RESIZE"), 5, "Look", ["server.check", "server.confirm", "server.revert"]),
        (server("SHUTOFF"), 5, "Start it", ["server.start"]),
        (server("SHELVED_OFFLOADED"), 5, "Bring it back", ["server.unshelve"]),
        (server("RESIZE", "resize_migrating"), 600, "Wait", ["server.reset_state"]),
        (server(), 5, "The cloud sees nothing wrong", ["server.check"]),
    ],
    ids=lambda value: f"{value.word} {value.task_state}" if isinstance(value, Server) else None,
)
def test_the_ladder_fits_the_state(row: Server, minutes: int, first: str, actions: list[str]) -> None:
    found = explanation(row, [read(record("x", 0, 3))], [], T0 + dt.timedelta(minutes=minutes))
    assert found.ladder[0].text.startswith(first)
    assert [rung.action for rung in found.ladder if rung.action] == actions
    assert bool(found.to_provider) == any("provider" in rung.text for rung in found.ladder)


def test_the_facts_are_the_clouds_own_and_what_is_to_be_sent_holds_them() -> None:
    failed = record("resize", 3, 2, message="Error", user_id="u1")
    failed["events"][0]["result"] = "Error"
    row = server("ERROR", fault=Fault("No valid host was found.", 500))
    found = explanation(row, [read(failed), read(record("resize", 1, 4))], [], T0 + dt.timedelta(hours=1))
    facts = dict(found.facts)
    assert facts["fault"] == "No valid host was found. (500)"
    assert facts["last order"] == "resize at 2026-01-01 12:03:00 UTC, and it failed"
    assert (facts["request id"], facts["usual"]) == ("req-3", "resize took 4 s before")
    assert facts["its message"] == "Error: compute_resize"
    assert "req-3" in found.to_provider and "No valid host" in found.to_provider and "id (web-1)" in found.to_provider
    assert found.plain()["facts"] == facts
    assert any("novadeck server reboot --hard" in line for line in found.lines())
    assert dict(explanation(server(), [], [], T0).facts)["last order"].startswith("the cloud keeps no record")


@pytest.mark.parametrize(
    ("told", "certain"),
    [({"user_id": None}, True), ({"user_id": "u1"}, False), ({}, False)],
    ids=["nobody asked", "somebody asked", "the cloud does not say"],
)
def test_off_without_an_order_is_off_from_inside(told: dict[str, Any], certain: bool) -> None:
    found = explanation(server("SHUTOFF"), [read(record("stop", 1, 4, **told))], [], T0 + dt.timedelta(hours=1))
    assert found.headline == "web-1 is SHUTOFF" + (", powered off from inside" if certain else "")
    assert (found.ladder[0].text.startswith("Read the end of its console log")) == certain
    assert "server.start" in [rung.action for rung in found.ladder]
    assert dict(found.facts).get("asked by", "").startswith("nobody") == certain
    started = [read(record("start", 2, 4, user_id=None)), read(record("stop", 1, 4, **told))]
    assert "from inside" not in explanation(server("SHUTOFF"), started, [], T0).headline


async def test_a_guest_that_shut_itself_down_is_told_from_one_that_was_stopped(tmp_path: Path) -> None:
    async with Estate(servers=12, clouds=1, regions=1, guests=0, speed=100) as estate:
        name = next(iter(estate.clouds))
        async with ground_on(estate.write_clouds_yaml(tmp_path), tmp_path / "state", name) as ground:
            await ground.refresh(ground.places[0])
            rows = ground.store.rows(Server).values()
            inside, stopped = [row for row in rows if (row.status, row.task_state) == ("ACTIVE", None)][:2]
            estate.control.guest_shuts_down(inside.id)
            await perform(ground, "server.stop", stopped, wait=True)
            told = []
            for row in (inside, stopped):
                while (await ground.dialect(row.place).server(row.id)).status != "SHUTOFF":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                told.append((await perform(ground, "server.explain", row)).result)
    assert told[0].headline == f"{inside.name} is SHUTOFF, powered off from inside"
    assert told[1].headline == f"{stopped.name} is SHUTOFF"
    assert "nobody" in dict(told[0].facts)["asked by"] and "nobody" not in dict(told[1].facts)["asked by"]


def test_long_is_measured_against_the_usual_of_this_server() -> None:
    before = [read(record("reboot", n, seconds)) for n, seconds in ((1, 10), (2, 30), (3, 20))]
    asked = [Happening(T0 + dt.timedelta(minutes=10), "reboot", "cloud"), *before]
    assert usual_seconds(asked[0], asked[1:]) == 20
    row = server("REBOOT", "reboot_started")
    seen = [
        Change(T0 + dt.timedelta(minutes=10), KEY, "web-1", "lab", "changed", {"task_state": (None, "reboot_started")})
    ]
    soon = explanation(row, asked, seen, T0 + dt.timedelta(minutes=10, seconds=30))
    late = explanation(row, asked, seen, T0 + dt.timedelta(minutes=12))
    assert "longer" not in soon.headline
    assert late.headline.endswith("rebooting, longer than it should be")


def test_both_memories_make_one_history() -> None:
    changes = [
        Change(
            T0 + dt.timedelta(minutes=1, seconds=1), KEY, "web-1", "lab", "changed", {"status": ("ACTIVE", "REBOOT")}
        ),
        Change(T0, KEY, "web-1", "lab", "seen", {"status": (None, "ACTIVE")}),
    ]
    found = joined([read(record("reboot", 1, 4)), read(record("create", -5, 9))], changes)
    assert [(one.what, one.told_by) for one in found.happenings] == [
        ("create", "cloud"), ("seen", "seen"), ("reboot", "cloud"), ("changed", "seen"),
    ]  # fmt: skip
    assert found.happenings[-1].text == "status ACTIVE > REBOOT"
    assert found.happenings[2].took == 4
    assert len(found.cells()[0]) == len(found.columns)
    assert read({"action": "x", "start_time": "nonsense"}).at is None
    at_once = joined([read(record("reboot", 1, 4)), read(record("create", 1, 9))], [])
    assert [one.what for one in at_once.happenings] == ["create", "reboot"]


def test_those_that_share_a_host_within_one_project() -> None:
    rows = [
        server(host_id=host, project_id=project) for host, project in (("h", "a"), ("h", "a"), ("h", "b"), ("", "a"))
    ]
    assert same_host(rows) == [rows[:2]]
    assert same_host([]) == []


def test_what_was_first_seen_in_a_state_is_in_it_for_longer() -> None:
    row = server("ERROR", None, updated=T0)
    seen = [Change(T0 + dt.timedelta(hours=5), KEY, "web-1", "lab", "seen", {"status": (None, "ERROR")})]
    found = explanation(row, [], seen, T0 + dt.timedelta(hours=5, seconds=17))
    assert dict(found.facts)["since"] == "5 h ago"
    broke = [Change(T0 + dt.timedelta(hours=4), KEY, "web-1", "lab", "changed", {"status": ("ACTIVE", "ERROR")})]
    assert dict(explanation(row, [], broke, T0 + dt.timedelta(hours=5)).facts)["since"] == "1 h ago"


def test_a_ladder_tells_how_it_is_climbed_here() -> None:
    found = explanation(server("VERIFY_RESIZE"), [], [], T0)
    assert any("(novadeck server resize confirm)" in line for line in found.lines())
    outcome = SimpleNamespace(action="server.explain", result=found)
    keys = {"server.check": "t", "server.confirm": "C", "server.revert": "V"}
    told = " ".join(plain(line) for line in told_by(outcome, keys.__getitem__))
    assert "(t)" in told and "(C)" in told and "novadeck server" not in told
