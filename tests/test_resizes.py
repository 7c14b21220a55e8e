"""The clock of a resize: when it began as this console saw it, as an earlier one wrote it down, or at most."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.clouds.accounts import find_accounts, in_thread
from console.core.resizes import Left, Resizes, began
from console.core.settings import CloudSettings, Paths, Settings
from console.core.store import Listing, Store
from console.core.timeline import Change
from console.model.flavor import Flavor
from console.model.place import Key, Place
from console.model.server import FlavorReference, Server
from console.session import open as open_console
from console.sim.estate import Estate
from console.testing import MovedClock

OLD = Place("old")
KEY = Key("e", "", "server", "1")
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def server(word: str, **more: Any) -> Server:
    return Server(id="1", name="cms", key=KEY, place=OLD, word=word, **{"dialect": "firstgen", **more})


def change(hour: float, before: str | None, after: str) -> Change:
    at = NOON - dt.timedelta(hours=hour)
    return Change(at, KEY, "cms", "old", "changed", {"status": (before, after)})


@pytest.mark.parametrize(
    ("changes", "hour", "exact"),
    [
        ([change(3, "ACTIVE", "RESIZE"), change(2.9, "RESIZE", "VERIFY_RESIZE")], 2.9, True),
        ([change(9, "ACTIVE", "RESIZE"), change(2.9, "RESIZE", "VERIFY_RESIZE")], 2.9, False),  # nobody looked between
        ([change(9, "ACTIVE", "BUILD"), change(5, "ACTIVE", "VERIFY_RESIZE")], 5, False),
        ([change(4, None, "VERIFY_RESIZE")], 4, False),
        ([change(4, "RESIZE", "VERIFY_RESIZE"), change(3, "VERIFY_RESIZE", "ACTIVE")], None, False),
        ([], None, False),
    ],
)
def test_what_an_earlier_run_wrote_down(changes: list[Change], hour: float | None, exact: bool) -> None:
    found = began(changes)
    assert (found is None) == (hour is None)
    if found is not None and hour is not None:
        assert found == (NOON - dt.timedelta(hours=hour), exact)


async def followed(*rows: list[Server], history: list[Change] | None = None, **settings: Any) -> Left | None:
    """The time left after these listings, a minute apart."""
    clock = MovedClock(NOON)
    store = Store(clock)

    async def told(key: Key) -> list[Change]:
        return history or []

    known = Settings(clouds={"old": CloudSettings(**settings)})
    resizes = Resizes(clock, known, told)
    watch = store.watch(Server)

    async def follow() -> None:
        async for batch in watch:
            await resizes.saw(batch)

    task = asyncio.create_task(follow())
    for listing in rows:
        store.apply(Listing(OLD, Server, listing, clock.monotonic(), True))
        for _ in range(5):
            await asyncio.sleep(0)
        await clock.advance(60)
    watch.close()
    await task
    return resizes.left(rows[-1][0])


async def test_a_resize_that_was_seen_to_end_has_its_24_hours() -> None:
    assert await followed([server("RESIZE")], [server("VERIFY_RESIZE")]) == Left(86400 - 60, True)


async def test_one_that_was_there_before_has_at_most_so_many() -> None:
    assert await followed([server("VERIFY_RESIZE")]) == Left(86400 - 60, False)
    seen = [change(4, None, "VERIFY_RESIZE")]
    assert await followed([server("VERIFY_RESIZE")], history=seen) == Left(86400 - 4 * 3600 - 60, False)


async def test_a_cloud_that_tells_when_is_believed() -> None:
    told = server("VERIFY_RESIZE", dialect="rackspace", updated=NOON - dt.timedelta(hours=1))
    assert await followed([told]) == Left(86400 - 3600 - 60, True)


async def test_a_change_in_the_meantime_does_not_put_its_clock_back() -> None:
    def told(minutes: float, flavor: str = "3") -> Server:
        updated = NOON + dt.timedelta(minutes=minutes)
        return server("VERIFY_RESIZE", dialect="rackspace", updated=updated, flavor=FlavorReference(id=flavor))

    before, renamed = told(-60), told(0.5)
    assert await followed([before], [renamed]) == Left(86400 - 3600 - 120, True)
    seen = [change(4, None, "VERIFY_RESIZE")]  # by an earlier run, after which it was renamed while nobody looked
    assert await followed([renamed], history=seen) == Left(86400 - 4 * 3600 - 60, False)
    assert await followed([before], [told(0.5, "4")]) == Left(86400 - 90, True)  # another resize, unseen till now
    assert await followed([before], history=[change(0.5, None, "VERIFY_RESIZE")]) == Left(86400 - 3600 - 60, True)


async def test_what_a_cloud_tells_is_counted_by_its_own_clock() -> None:
    clock = MovedClock(NOON)
    slow = dt.timedelta(hours=2)
    resizes = Resizes(clock, Settings(), lambda key: asyncio.sleep(0, []), lambda place: clock.now() - slow)
    told = server("VERIFY_RESIZE", dialect="rackspace", updated=NOON - slow - dt.timedelta(minutes=5))
    assert resizes.left(told) == Left(86400 - 300, True)


async def test_no_clock_runs_where_the_cloud_has_none_or_the_resize_is_over() -> None:
    assert await followed([server("VERIFY_RESIZE", dialect="openstack")]) is None
    assert await followed([server("VERIFY_RESIZE")], [server("ACTIVE")]) is None
    own = await followed([server("RESIZE")], [server("VERIFY_RESIZE", dialect="openstack")], confirms_after=600.0)
    assert own == Left(600 - 60, True)


async def test_a_resize_left_alone_is_kept_after_24_hours_and_the_row_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "run")
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True, token_seconds=10_000_000) as estate:
        (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(estate.clouds_yaml()))
        found = await in_thread(find_accounts)
        async with open_console(accounts=found, paths=paths, checks=False) as ops:
            with ops.fleet.interest(Server, Flavor):
                seen = ops.servers.watch()

                async def until(name: str, status: str) -> Server:
                    async for batch in seen:
                        for row in batch.changed:
                            if row.name == name and row.status == status:
                                return row
                    raise AssertionError("the watch ended")

                row = next(r for r in (await ops.servers.list()).rows if r.name == "web-a")
                before = row.flavor_id
                flavor = next(f for f in (await ops.flavors.list()).rows if f.id != before)
                async with asyncio.timeout(30):
                    await ops.perform("server.resize", row, flavor=flavor)
                    for _ in range(20):
                        await estate.clock.advance(30)
                    ops.fleet.refresh()
                    row = await until("web-a", "VERIFY_RESIZE")
                    left = ops.resizes.left(row)
                    assert left is not None and 86_000 < left.seconds <= 86_400
                    await estate.clock.advance(86_400)
                    ops.fleet.refresh()
                    row = await until("web-a", "ACTIVE")
                assert row.flavor_id == flavor.id
                assert ops.resizes.left(row) is None
