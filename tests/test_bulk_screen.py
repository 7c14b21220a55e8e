"""Many rows from the screen: what is asked beforehand, what is said of those that failed, and the key for those."""

import json
from pathlib import Path
from typing import Any

from screen_pilot import Deck, deck

from console.core.settings import Rule
from console.model.server import Server
from console.tui.dialogs import AskText, Confirm
from console.tui.failures import Summary

ONE_CLOUD: dict[str, Any] = {"clouds": 1, "regions": 1, "servers": 30, "size": (120, 40), "speed": 40.0}


def calm(found: Deck, most: int) -> list[Server]:
    """Servers that run and can be rebooted."""
    rows = [row for row in found.rows.values() if row.status == "ACTIVE" and not row.task_state and not row.locked]
    assert len(rows) >= most
    return rows[:most]


async def marked(found: Deck, rows: list[Server]) -> None:
    """Filter for these rows, and mark all that is shown."""
    await found.keys("slash", *f"name:^({'|'.join(row.name for row in rows)})$", "enter", "*")
    assert found.app.main.pane.table.marks.keys() == {row.key for row in rows}


def lines(found: Deck, action: str) -> list[dict[str, Any]]:
    """The audit's lines of an action."""
    file = found.console.paths.audit_file
    kept = file.read_text().splitlines() if file.exists() else []
    return [line for line in map(json.loads, kept) if line["action"] == action]


async def at_rest(found: Deck) -> None:
    """Wait until nothing is under way."""
    operations = found.app.main.operations
    await found.until(lambda: operations.all and not any(one.running for one in operations.all), "all end")


async def test_what_failed_is_summed_up_and_tried_again_by_one_key(tmp_path: Path) -> None:
    async with deck(tmp_path, **ONE_CLOUD) as found:
        rows = calm(found, 8)
        await found.keys("F")
        assert "Nothing has failed" in found.text()
        for row in rows[:3]:
            found.estate.control.trouble.add("status", status=503, service="compute", path=f"{row.id}/action")
        await marked(found, rows)
        await found.keys("r")
        await found.dialog()
        await found.keys("enter")
        await at_rest(found)
        await found.until(lambda: "reboot: 5 of 8 done, 3 failed. F tells why" in found.text(), "the sum")
        await found.keys("F")
        summary = await found.dialog()
        assert isinstance(summary, Summary)
        text = found.text()
        assert "5 of 8 done" in text and "503" in text and "enter reboot 3 servers again" in text
        assert all(row.name in text for row in rows[:3]) and text.count("Service Unavailable") <= 1
        found.estate.control.clear()
        await found.keys("enter")
        await found.until(lambda: "reboot: all 3 done." in found.text(), "the second try")
    asked: dict[str, list[str]] = {}
    for line in lines(found, "server.reboot"):
        asked.setdefault(line["target"]["id"], []).append(line["event"])
    good = ["asked", "accepted", "ended"]
    assert asked == {row.id: ["asked", "failed", *good] if row in rows[:3] else good for row in rows}


async def test_the_users_rules_are_asked_for_before_anything_is_sent(tmp_path: Path) -> None:
    rule = Rule(actions=["server.stop", "server.start"], type_name=True, ask_why=True)
    never = Rule(actions=["server.pause"], deny="it breaks the clocks")
    async with deck(tmp_path, rules=[rule, never], **ONE_CLOUD) as found:
        rows = calm(found, 2)
        await found.on(rows[0].name)
        found.app.main.run_command("server.pause")
        await found.until(lambda: "against your rules: it breaks the clocks." in found.text(), "the refusal")
        found.app.main.run_command("server.stop")
        assert isinstance(await found.dialog(), AskText)
        assert "Your rules want a reason" in found.text()
        await found.keys("enter")  # no reason, no order
        await found.keys(*"moving", "enter")
        await found.until(lambda: isinstance(found.app.screen, Confirm), "the name is asked for")
        await found.keys(*rows[1].name, "enter")
        assert isinstance(found.app.screen, Confirm)
        await found.keys("ctrl+u", *rows[0].name, "enter")
        await at_rest(found)
        said = lines(found, "server.stop")
        assert [line["event"] for line in said] == ["asked", "accepted", "ended"] and said[0]["why"] == "moving"
        await found.until(lambda: found.rows[rows[0].name].status == "SHUTOFF", "the table shows it")
        found.app.main.run_command("server.start")  # which asks for nothing by itself
        await found.dialog()
        await found.keys("escape")
        await found.until(lambda: found.app.screen is found.app.main, "it is called off")
        assert not lines(found, "server.start") and not lines(found, "server.pause")


async def test_of_many_the_number_is_typed_and_all_can_be_looked_at(tmp_path: Path) -> None:
    async with deck(tmp_path, **ONE_CLOUD) as found:
        rows = sorted(calm(found, 14), key=lambda row: row.name)
        await marked(found, rows)
        await found.keys("D")
        assert isinstance(await found.dialog(), Confirm)
        assert "1 to 11 of 14" in found.text() and "Type 14 to delete 14 production servers" in found.text()
        await found.keys("pagedown")
        assert "4 to 14 of 14" in found.text()
        await found.keys(*"13", "enter")
        assert isinstance(found.app.screen, Confirm)
        await found.keys("ctrl+u", *"14", "enter")
        await at_rest(found)
        keys = {row.key for row in rows}
        await found.until(lambda: not keys & set(found.console.store.rows(Server)), "they are gone")
        assert len(lines(found, "server.delete")) == 3 * len(rows)
