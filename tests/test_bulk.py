"""Many rows at once, with a cloud that fails one request in twenty: every row ends with a true result."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from small_ground import SmallGround, ground_on

from console.actions.action import failed, perform
from console.model.server import Server
from console.sim.estate import Estate
from console.sim.trouble import Rule

MANY = 200


class OneInTwenty(Rule):
    """A trouble that befalls one request in twenty, by a dice that always falls alike."""

    dice = random.Random(7)

    def meets(self, *where: str) -> bool:
        return super().meets(*where) and self.dice.random() < 0.05


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with Estate(servers=MANY + 60, clouds=1, regions=1, guests=0, speed=200) as estate:
        yield estate


@pytest.fixture
async def ground(estate: Estate, tmp_path: Path) -> AsyncIterator[SmallGround]:
    name = next(iter(estate.clouds))
    async with ground_on(estate.write_clouds_yaml(tmp_path), tmp_path / "state", name) as ground:
        await ground.refresh(ground.places[0])
        yield ground


async def reboots(ground: SmallGround, ids: set[str]) -> set[str]:
    """Those of the servers whose cloud has a record of a reboot."""
    dialect = ground.dialect(ground.places[0])
    found = set()
    for id in ids:
        if any(record["action"] == "reboot" for record in await dialect.instance_actions(id)):
            found.add(id)
    return found


async def test_two_hundred_reboots_with_one_request_in_twenty_failing(ground: SmallGround, estate: Estate) -> None:
    at_rest = [
        row
        for row in ground.store.rows(Server).values()
        if (row.status, row.task_state, bool(row.locked)) == ("ACTIVE", None, False)
    ]
    rows = sorted(at_rest, key=lambda row: row.name)[:MANY]
    assert len(rows) == MANY
    estate.control.trouble.rules[0] = OneInTwenty(0, "status", service="compute", status=503)
    outcomes = await perform(ground, "server.reboot", rows)
    estate.control.clear()
    assert [outcome.id for outcome in outcomes] == [row.id for row in rows]
    good = {outcome.id for outcome in outcomes if outcome.ok}
    bad = failed(outcomes)
    assert len(good) + len(bad) == MANY and 1 <= len(bad) <= 30
    assert await reboots(ground, {row.id for row in rows}) == good
    assert all(outcome.request_id.startswith("req-") for outcome in outcomes if outcome.ok)
    lines = [json.loads(line) for line in ground.audit.path.read_text().splitlines()]
    assert len(lines) == 2 * MANY
    assert all(line["v"] == 1 for line in lines)
    events = {line["target"]["id"]: [] for line in lines}
    for line in lines:
        events[line["target"]["id"]].append(line["event"])
    assert events == {row.id: ["asked", "accepted" if row.id in good else "failed"] for row in rows}
    again = await perform(ground, "server.reboot", bad)
    assert all(outcome.ok for outcome in again) and len(again) == len(bad)
