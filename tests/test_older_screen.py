"""Servers of the first generation, of Rackspace's next and of plain OpenStack in one table; schedules and groups."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from screen_pilot import Deck, deck
from standin import DFW, NOW, WAW

from console.core.resizes import Left
from console.model.ipgroup import IpGroup
from console.model.place import Key
from console.model.schedule import Schedule
from console.model.server import Address, Server
from console.runbooks.schedule_book import Planned, book_in
from console.tui.schedule_panes import IPGROUPS, SCHEDULES
from console.tui.server_pane import SERVERS
from console.tui.spec import Group, PaneSpec, Scene

THREE: dict[str, Any] = {
    "clouds": 1, "regions": 1, "servers": 12, "firstgen": True, "rackspace": True, "speed": 40.0,
    "token_seconds": 10_000_000, "entries": ("nimbus", "rackspace", "legacy"), "size": (120, 44),
}  # fmt: skip
SCENE = Scene(now=NOW, stale={WAW: 60.0}, labels={DFW: "dfw", WAW: "waw"})


def shown(spec: PaneSpec, row: Any, scene: Scene = SCENE) -> list[str]:
    return [f"{cell.text} {cell.right}".strip() for cell in spec.cells(row, scene)]


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        (
            {"daily": "H_0400_0600", "weekly": "THURSDAY", "what": "backup schedule"},
            ["daily 04-06 GMT and weekly Thursday", "—", "04:00", "backup schedule"],
        ),
        ({"weekly": "SATURDAY", "keeps": 5, "what": "scheduled images"}, ["weekly Saturday", "5", "00:00"]),
        ({"daily": "any hour", "keeps": 3}, ["daily any hour", "3", "00:00"]),
        ({"enabled": False, "daily": "H_0400_0600"}, ["off", "—", "—"]),
        (
            {"rhythm": "30 3 * * *", "due": NOW + dt.timedelta(hours=2), "what": "kept by novadeck"},
            ["30 3 * * *", "2h0m"],
        ),
        ({"daily": "any hour", "trouble": "missed twice"}, ["missed twice"]),
    ],
)
def test_a_schedule_in_words(given: dict[str, Any], texts: list[str]) -> None:
    row = Schedule(id="1", name="mysql", place=DFW, **given)
    told = " | ".join(shown(SCHEDULES, row))
    assert all(text in told for text in texts), told
    assert SCHEDULES.group(row, SCENE) is (Group.NEEDS_YOU if row.trouble else Group.CALM)


def test_schedules_stand_by_their_next_run() -> None:
    soon = Schedule(id="1", name="b", place=DFW, due=NOW + dt.timedelta(hours=1))
    later = Schedule(id="2", name="a", place=DFW, due=NOW + dt.timedelta(hours=5))
    never = Schedule(id="3", name="a", place=DFW)
    assert sorted([never, later, soon], key=lambda row: SCHEDULES.order(row, SCENE)) == [soon, later, never]


def test_a_group_tells_who_shares_what() -> None:
    def server(id: str, *addresses: str) -> Server:
        found = {"public": [Address(one) for one in addresses], "private": [Address(f"10.0.0.{id}")]}
        return Server(id=id, name=f"web-{id}", place=DFW, addresses=found)

    known = {"1": server("1", "192.0.2.1"), "2": server("2", "192.0.2.2", "192.0.2.1"), "3": server("3", "192.0.2.3")}
    scene = dataclasses.replace(SCENE, server_of=lambda row, id: known.get(id))
    row = IpGroup(id="7", name="pair", place=DFW, servers=["1", "2", "3", "404"])
    assert shown(IPGROUPS, row, scene) == ["pair", "web-1, web-2, web-3, 404", "192.0.2.1", "dfw", "7"]
    assert shown(IPGROUPS, IpGroup(id="8", name="empty", place=DFW), scene)[1:3] == ["—", "—"]


def test_a_running_resize_clock_stands_in_the_row_and_first() -> None:
    waits = Server(id="1", name="cms", place=DFW, word="VERIFY_RESIZE", key=Key("e", "", "server", "1"))
    broken = Server(id="2", name="a", place=DFW, word="ERROR", key=Key("e", "", "server", "2"))
    clocks = {"1": Left(4 * 3600 - 60.0, True)}
    scene = dataclasses.replace(SCENE, resize_left=lambda row: clocks.get(row.id))
    assert shown(SERVERS, waits, scene)[2] == "auto confirm 3h59m"
    assert SERVERS.order(waits, scene) < SERVERS.order(broken, scene)
    clocks["1"] = Left(7200.0, False)
    assert shown(SERVERS, waits, scene)[2] == "auto, at most 2h0m"
    clocks["1"] = Left(-5.0, True)
    assert shown(SERVERS, waits, scene)[2] == "auto confirm due"
    assert "keep or revert" in shown(SERVERS, waits)[2]


def by_dialect(found: Deck) -> dict[str, list[Server]]:
    rows: dict[str, list[Server]] = {}
    for row in found.console.store.rows(Server).values():
        rows.setdefault(row.dialect, []).append(row)
    return rows


async def test_three_kinds_of_cloud_stand_in_one_table_and_reboot_together(tmp_path: Path) -> None:
    async with deck(tmp_path, **THREE) as found:
        await found.until(lambda: len(by_dialect(found)) == 3, "servers of all three")
        await found.until(lambda: len(found.rows) >= 20, "all of them")
        calm = [
            next(row for row in rows if row.status == "ACTIVE" and not row.task_state and not row.locked)
            for rows in by_dialect(found).values()
        ]
        for row in calm:
            await found.on(row.name)
            await found.keys("space")
        await found.keys("r")
        dialog = await found.dialog()
        assert all(row.name in found.text() for row in calm), dialog
        await found.keys("enter")
        store = found.console.store.rows(Server)
        await found.until(lambda: _rebooted(found, calm), "all three were rebooted")
        await found.until(lambda: all(store[row.key].status == "ACTIVE" for row in calm), "and run again")


def _rebooted(found: Deck, rows: list[Server]) -> bool:
    lines = [line for line in found.console.audit.lines() if line["action"] == "server.reboot"]
    return {line["target"]["id"] for line in lines if line["event"] == "accepted"} == {row.id for row in rows}


async def test_the_three_are_filtered_and_sorted_as_one(tmp_path: Path) -> None:
    async with deck(tmp_path, **THREE) as found:
        await found.until(lambda: len(by_dialect(found)) == 3 and len(found.rows) >= 20, "all of them")
        index = found.app.main.pane.table.index

        def rows() -> list[Any]:
            return [index.rows[key] for key in index.order]

        await found.keys("/", *"status:SHUTOFF|SUSPENDED", "enter")
        still = {
            row.id for rows in by_dialect(found).values() for row in rows if row.status in ("SHUTOFF", "SUSPENDED")
        }
        await found.until(lambda: {row.id for row in rows()} == still, "those that stand still")
        assert len({row.dialect for row in rows()}) == 3
        await found.keys("s")
        await found.until(lambda: (names := [row.name for row in rows()]) == sorted(names), "sorted by name")


async def test_what_has_no_counterpart_says_why(tmp_path: Path) -> None:
    async with deck(tmp_path, **THREE) as found:
        await found.until(lambda: "web-a" in found.rows, "the first generation")
        await found.on("web-a")
        await found.keys(":", *"stop", "enter")
        await found.until(lambda: "has no power switch" in found.text(), "why it cannot be stopped")
        await found.keys("D")
        await found.dialog()
        assert "All images of web-a" in found.text()
        await found.keys("escape")


async def test_schedules_of_all_clouds_and_our_own_are_one_list(tmp_path: Path) -> None:
    plan = Planned(id="p1", cloud="nimbus", region="dfw", server="x", name="planned-1", word="daily", cron="30 3 * * *",
                   added=dt.datetime.now(dt.UTC), handled=dt.datetime.now(dt.UTC))  # fmt: skip
    (tmp_path / "state").mkdir()
    book = book_in(tmp_path / "state")
    with book.locked():
        book.keep(plan)
    async with deck(tmp_path, **THREE) as found:
        await found.until(lambda: "mysql-old" in found.rows, "the first generation")
        assert not found.console.store.rows(Schedule)
        await found.keys(":", *"schedules", "enter")
        await found.until(lambda: "planned-1" in found.text(), "our own plan")
        await found.until(lambda: "mysql-old" in found.text() and "backup schedule" in found.text(), "a v1.0 one")
        await found.until(lambda: "scheduled images" in found.text(), "one of Rackspace's")
        with book.locked():
            book.forget("p1")
        await found.until(lambda: "planned-1" not in found.text(), "a plan that is gone leaves")


async def test_shared_ip_groups_show_who_shares_what(tmp_path: Path) -> None:
    async with deck(tmp_path, **THREE) as found:
        await found.until(lambda: "web-a" in found.rows, "the first generation")
        await found.keys(":", *"ipgroups", "enter")
        await found.until(lambda: "web-a, web-b" in found.text(), "the group's servers")
        shared = found.rows["web-a"].addresses["public"][0].addr  # type: ignore[index]
        assert shared in found.text()
