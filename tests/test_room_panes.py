"""The panes of limits, zones and audit: what they show of a row, and that they ask for it only while they are shown."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from screen_pilot import Deck, deck
from standin import DFW, NOW, WAW

from console.model.deed import Deed
from console.model.quota import Allowance
from console.model.zone import Zone
from console.tui.audit_pane import AUDIT
from console.tui.columns import place_columns
from console.tui.panes import PANES
from console.tui.room_panes import LIMITS, ZONES
from console.tui.spec import Group, PaneSpec, Scene
from console.tui.theme import ASCII

SMALL: dict[str, Any] = {"clouds": 1, "regions": 1, "servers": 12, "size": (120, 40), "speed": 40.0}
SCENE = Scene(now=NOW, stale={WAW: 60.0}, labels={DFW: "dfw", WAW: "waw"})


def shown(spec: PaneSpec, row: Any, scene: Scene = SCENE) -> list[str]:
    """The texts of a row's cells, right ends included."""
    return [f"{cell.text} {cell.right}".strip() for cell in spec.cells(row, scene)]


@pytest.mark.parametrize(
    ("used", "most", "group", "texts"),
    [
        (10, 100, Group.CALM, ["10", "100", "━············· 10%", "90"]),
        (1, 5000, Group.CALM, ["1", "5,000", "━············· 0%", "4,999"]),
        (9, 10, Group.NEEDS_YOU, ["9", "10", "━━━━━━━━━━━━·· 90%", "1"]),
        (12, 10, Group.NEEDS_YOU, ["12", "10", "━━━━━━━━━━━━━━ 120%", "0"]),
        (3, None, Group.CALM, ["3", "no limit", "", "—"]),
        (None, 128, Group.CALM, ["—", "128", "", "—"]),
        (0, 0, Group.CALM, ["0", "0", "·············· 0%", "0"]),
    ],
)
def test_a_limit_and_how_much_of_it_is_used(used: int | None, most: int | None, group: Group, texts: list[str]) -> None:
    row = Allowance(id="server_groups", name="server_groups", place=DFW, used=used, most=most)
    assert shown(LIMITS, row) == ["server groups", *texts, "dfw"]
    assert LIMITS.group(row, SCENE) is group
    assert (LIMITS.mood(row, SCENE)[1] in ("warn", "error")) == (group is Group.NEEDS_YOU)


def test_memory_has_its_unit_and_a_silent_place_is_last_known() -> None:
    row = Allowance(id="ram", name="ram", place=WAW, used=2048, most=51200, unit="MB")
    assert shown(LIMITS, row)[1:3] == ["2 GB", "50 GB"]
    assert LIMITS.group(row, SCENE) is Group.LAST_KNOWN
    assert {cell.role for cell in LIMITS.cells(row, SCENE)[:2]} == {"stale"}
    assert shown(LIMITS, row, dataclasses.replace(SCENE, glyphs=ASCII))[3].isascii()


def test_a_zone_and_its_hosts() -> None:
    well = Zone(id="nova", name="nova", place=DFW, hosts=3, hosts_up=2)
    gone = Zone(id="west", name="west", place=DFW, available=False)
    assert shown(ZONES, well) == ["nova", "available", "2 of 3 up", "dfw"]
    assert shown(ZONES, gone) == ["west", "not available", "—", "dfw"]
    assert [ZONES.group(zone, SCENE) for zone in (well, gone)] == [Group.CALM, Group.NEEDS_YOU]


def test_a_deed_tells_when_what_and_what_became_of_it() -> None:
    deed = Deed(id="o", name="web-1", place=DFW, action="server.reboot", event="failed", ok=False, at=NOW, user="ann",
                message="No.", why="payday")  # fmt: skip
    assert shown(AUDIT, deed)[:7] == ["14:02:11", "server.reboot", "web-1", "failed", "dfw", "ann", "No."]
    done = Deed(id="p", place=DFW, action="server.stop", event="ended", at=NOW - dt.timedelta(days=2), why="payday")
    assert shown(AUDIT, done)[:7] == ["11-18 14:02", "server.stop", "—", "done", "dfw", "—", "payday"]
    assert AUDIT.order(deed, SCENE) < AUDIT.order(done, SCENE)


async def test_limits_and_zones_are_asked_for_while_they_are_shown(tmp_path: Path) -> None:
    async with deck(tmp_path, **SMALL) as found:
        store = found.console.store
        assert not store.rows(Allowance) and not store.rows(Zone)
        await found.keys("5")
        await found.until(lambda: "floating ips" in found.text() and "instances" in found.text(), "the limits")
        assert "Limits  19" in found.text() and not store.rows(Zone)
        assert wanted(found) >= {"Allowance"}
        await found.keys("6")
        await found.until(lambda: "nova" in found.text() and "available" in found.text(), "the zones")
        await found.until(lambda: "Allowance" not in wanted(found), "limits are no longer asked for")
        await found.keys("enter", "tab", "escape", "1")
        await found.until(lambda: not wanted(found) & {"Allowance", "Zone"}, "nor are zones")


def wanted(found: Deck) -> set[str]:
    """The kinds that the fleet asks for now."""
    return {kind.__name__ for kind in found.console.fleet._wanted()}


async def test_the_audit_shows_what_was_asked_and_can_be_searched(tmp_path: Path) -> None:
    async with deck(tmp_path, **SMALL) as found:
        row = next(one for one in found.rows.values() if one.status == "ACTIVE" and not one.task_state)
        await found.keys(":", *"audit", "enter")
        await found.until(lambda: "Nothing was asked of any cloud" in found.text(), "nothing was done yet")
        await found.console.perform("server.reboot", row, wait=True, why="[b]payday")
        await found.until(lambda: "[b]payday" in found.text(), "it is told")
        found.estate.control.trouble.add("status", status=503, service="compute", path="/action")
        other = next(one for one in found.rows.values() if one.status == "SHUTOFF")
        await found.console.perform("server.start", [other])
        await found.until(lambda: "server.start" in found.text() and "failed" in found.text(), "the failure")
        await found.keys("slash", *"outcome:failed", "enter")
        assert "server.reboot" not in found.text() and "Audit  1 of 2" in found.text()
        await found.keys("enter")
        assert "503" in found.text() and other.id in found.text()
        await found.keys("y", "escape")


def test_at_80_columns_each_limit_and_each_key_pair_has_its_place() -> None:
    needs = {"name": 12, "place": 10}
    for spec, told in ((LIMITS, {"used", "most", "bar"}), (PANES["keypairs"], {"fingerprint"})):
        shown = place_columns(spec.columns, 78, places=True, wide=False, needs=needs)
        placed = {one.column.name: one.size for one in shown}
        assert placed.keys() >= told | {"name", "place"} and placed["place"] > needs["place"]
        assert sum(placed.values()) + 5 <= 78
    assert placed["fingerprint"] == 48
