"""The first generation's rates: never exceeded by three consoles in an hour, and told where others eat them up."""

import asyncio
import collections
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession

from console.clouds.accounts import Account, find_accounts, in_thread
from console.clouds.connect import connect
from console.clouds.firstgen.cloud import Firstgen
from console.core.settings import Paths
from console.errors import CloudError, Conflict, OverLimit
from console.model.server import Server
from console.session import open as open_console
from console.sim.estate import Estate
from console.testing import MovedClock
from console.wire.budget import Budget
from console.wire.pace import Pace

HOUR, STEP = 3600.0, 15.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))


@asynccontextmanager
async def an_estate(folder: Path) -> AsyncIterator[Estate]:
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True, token_seconds=10_000_000) as estate:
        (folder / "clouds.yaml").write_text(yaml.safe_dump(estate.clouds_yaml()))
        yield estate


class OneConsole:
    """One of three consoles: it lists, asks for changes more often than it may, and reboots whatever it can."""

    def __init__(self, clock: MovedClock, file: Path) -> None:
        self.clock, self.file = clock, file
        self.sent: collections.Counter[str] = collections.Counter()
        self.held: collections.Counter[int] = collections.Counter()

    async def run(self, account: Account) -> None:
        dialect = await connect(account, clock_now=self.clock.now)
        assert isinstance(dialect, Firstgen)
        limits = dialect.pace.limits
        budget = Budget(self.file, clock=lambda: self.clock.now().timestamp())
        dialect.session.pace = Pace(budget=budget, clock=self.clock.monotonic, sleep=self.clock.sleep)
        dialect.session.pace.obey(limits)
        try:
            while True:
                await self._turn(dialect)
                await self.clock.sleep(STEP)
        finally:
            await dialect.close()

    async def _turn(self, dialect: Firstgen) -> None:
        since = self.clock.now()
        rows = [row async for page in dialect.servers() for row in page]
        self.sent["GET"] += 1
        await self._try("changes", self._changes(dialect, since))
        calm = [row for row in rows if row.status == "ACTIVE"]
        if calm:
            await self._try("POST", dialect.reboot(calm[self.sent["POST"] % len(calm)].id))

    async def _changes(self, dialect: Firstgen, since: Any) -> None:
        async for _ in dialect.servers(changes_since=since):
            pass

    async def _try(self, what: str, order: Any) -> None:
        try:
            await order
        except OverLimit as error:
            self.held[error.status] += 1
        except Conflict:
            self.sent[what] += 1
        else:
            self.sent[what] += 1


async def test_three_consoles_stay_below_all_rates_for_an_hour(tmp_path: Path) -> None:
    async with an_estate(tmp_path) as estate:
        estate.clouds["rackspace"].first.rates.allow("POST", "*/servers", 10_000)  # else 50 reboots are a day's
        clock, file = MovedClock(), tmp_path / "pace" / "account.json"
        consoles = [OneConsole(clock, file) for _ in range(3)]
        accounts = [(await in_thread(find_accounts)).accounts[0] for _ in consoles]  # each logs in by itself
        tasks = [asyncio.create_task(one.run(account)) for one, account in zip(consoles, accounts, strict=True)]
        try:
            for _ in range(int(HOUR / STEP)):
                async with asyncio.timeout(30):
                    while clock.sleepers < 3:
                        await asyncio.sleep(0.001)
                        for task in tasks:
                            if task.done():
                                task.result()
                await estate.clock.advance(STEP)
                await clock.advance(STEP)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    held = sum((console.held for console in consoles), collections.Counter())
    sent = sum((console.sent for console in consoles), collections.Counter())
    assert held[413] == 0, "the service had to say so"
    assert held[429] > 0, "our own budget held nothing back"
    assert 0.8 * 600 <= sent["POST"] <= 610  # ten a minute between all three, and used; the last minute has begun
    assert 0.8 * 180 <= sent["changes"] <= 183
    assert sent["GET"] > 500


async def test_where_others_eat_the_rates_the_lane_says_so_and_for_how_long(tmp_path: Path) -> None:
    async with an_estate(tmp_path) as estate:
        first = estate.clouds["rackspace"].first
        paths = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "run")
        found = await in_thread(find_accounts)
        async with open_console(accounts=found, paths=paths, checks=False) as ops, asyncio.timeout(30):
            with ops.fleet.interest(Server):
                health = ops.store.watch_health()
                (place,) = ops.places
                await _until(health, ops, lambda one: one.state == "well")
                await _eat(estate, first)
                row = next(row for row in ops.store.rows(Server).values() if row.status == "ACTIVE")
                with pytest.raises(CloudError) as held:
                    await ops.perform("server.reboot", row)
                assert isinstance(held.value, OverLimit) and held.value.status == 413
                ops.fleet.wake(place)
                one = await _until(health, ops, lambda one: one.state == "throttled")
                assert one.next_try is not None and 1 < one.next_try - ops.clock.monotonic() <= 60


async def _until(health: Any, ops: Any, holds: Any) -> Any:
    while True:
        for one in ops.health.values():
            if holds(one):
                return one
        await anext(health)


async def _eat(estate: Estate, first: Any) -> None:
    """Another program uses up what the account may order in a minute."""
    auth = estate.clouds_yaml()["clouds"]["legacy"]["auth"]
    who = {"X-Auth-User": auth["username"], "X-Auth-Key": auth["api_key"]}
    async with ClientSession() as client:
        async with client.get(auth["auth_url"], headers=who) as reply:
            token, base = reply.headers["X-Auth-Token"], reply.headers["X-Server-Management-Url"]
        status = 0
        for _ in range(20):
            body = {"sharedIpGroup": {"name": "x"}}
            async with client.post(f"{base}/shared_ip_groups", json=body, headers={"X-Auth-Token": token}) as reply:
                status = reply.status
        assert status == 413
