"""Rackspace's next generation by our client: logins, regions by name, what its flavors allow, scheduled images."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.clouds.accounts import find_accounts, in_thread
from console.clouds.connect import beside, connect
from console.clouds.rackspace import Rackspace, image
from console.errors import Forbidden, NotFound, OverLimit, Unauthorized
from console.sim.estate import Estate
from console.sim.rates import Rate


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))


async def connected(folder: Path, estate: Estate, **entry: Any) -> Rackspace:
    told = estate.clouds_yaml()["clouds"]["rackspace"] | {"region_name": "DFW"} | entry
    told.pop("regions", None)
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"rackspace": told}}))
    (account,) = (await in_thread(find_accounts)).accounts
    dialect = await connect(account, clock_now=estate.clock.now)
    assert isinstance(dialect, Rackspace)
    dialect.neighbours = [str(one.place) for one in beside(account)]  # type: ignore[attr-defined]
    return dialect


@asynccontextmanager
async def opened(folder: Path, **entry: Any) -> AsyncIterator[tuple[Rackspace, Estate]]:
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True, rackspace=True, token_seconds=10_000_000) as estate:
        dialect = await connected(folder, estate, **entry)
        try:
            yield dialect, estate
        finally:
            await dialect.close()


async def all_of(pages: Any) -> list[Any]:
    return [row async for page in pages for row in page]


async def test_its_servers_images_flavors_and_key_pairs_are_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as (rack, _):
        assert (rack.version, rack.origin.dialect, rack.origin.privilege) == (None, "rackspace", 1)
        servers = {row.name: row for row in await all_of(rack.servers())}
        web = servers["shop-web-1"]
        assert web.status == "ACTIVE" and web.progress == 100 and web.created is not None
        assert web.address and web.disk_config in ("AUTO", "MANUAL")
        assert await rack.server(web.id) is web
        images = await all_of(rack.images())
        base = next(row for row in images if not row.snapshot)
        assert base.status == "active" and base.created and base.min_disk
        assert (await rack.image(base.id)).name == base.name
        flavors = {row.id: row for row in await all_of(rack.flavors())}
        assert {flavors[id].resizes for id in ("2", "general1-1", "performance1-1", "onmetal-compute1")} == {
            "any", "up", "none",
        }  # fmt: skip
        assert flavors["general1-1"].extra_specs["class"] == "general1"
        assert await all_of(rack.keypairs()) is not None
        assert (await rack.limits()).absolute["ram"].most == 131_072
        assert rack.pace.limits
        assert (await rack.instance_actions(web.id)) is not None


async def test_its_regions_are_those_of_the_named_service_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, region_name="") as (rack, _):
        assert rack.region == "DFW"
        assert rack.neighbours == ["rackspace/ORD"]  # type: ignore[attr-defined]


async def test_a_password_opens_it_too_and_an_unknown_region_is_told(tmp_path: Path) -> None:
    async with Estate(clouds=0, guests=0, speed=0, rackspace=True) as estate:
        auth = estate.clouds_yaml()["clouds"]["rackspace"]["auth"]
        secret = {"auth_url": auth["auth_url"], "username": auth["username"], "password": "rackspace-secret"}
        entry = {"auth_type": "v2password", "novadeck_dialect": "rackspace", "auth": secret}
        rack = await connected(tmp_path, estate, **entry)
        try:
            assert await all_of(rack.servers())
        finally:
            await rack.close()
        with pytest.raises(NotFound, match="DFW, ORD"):
            await connected(tmp_path, estate, region_name="LON")
        with pytest.raises(Unauthorized):
            await connected(tmp_path, estate, auth=auth | {"api_key": "wrong"})


async def test_a_schedule_is_daily_or_weekly_and_its_images_can_be_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as (rack, estate):
        server = next(row for row in await all_of(rack.servers()) if row.name == "shop-web-1")
        await rack.act("server.image_schedule", server.id, enabled=False)
        assert not (await rack.schedule(server.id)).enabled
        await rack.act("server.image_schedule", server.id, enabled=True, keeps=2)
        daily = await rack.schedule(server.id)
        assert (daily.enabled, daily.daily, daily.weekly, daily.keeps) == (True, "any hour", "", 2)
        assert daily in await all_of(rack.schedules())
        for _ in range(3):
            await estate.clock.advance(86_400)
        made = [row for row in await all_of(rack.images()) if row.server_id == server.id and row.scheduled]
        assert len(made) == 2 and all(row.name.startswith("daily-shop-web-1-") for row in made)
        oldest = min(made, key=lambda row: row.created)
        await rack.act("image.keep", oldest.id)
        assert not (await rack.image(oldest.id)).scheduled
        for _ in range(3):
            await estate.clock.advance(86_400)
        left = [row for row in await all_of(rack.images()) if row.server_id == server.id]
        assert oldest.id in {row.id for row in left}
        assert len([row for row in left if row.scheduled]) == 2
        await rack.act("server.image_schedule", server.id, enabled=True, keeps=5, day="SATURDAY")
        weekly = await rack.schedule(server.id)
        assert (weekly.daily, weekly.weekly, weekly.keeps) == ("", "SATURDAY", 5)
        assert weekly.next_run(dt.datetime(2026, 11, 16, tzinfo=dt.UTC)) == dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


async def test_progress_counts(tmp_path: Path) -> None:
    async with opened(tmp_path) as (rack, estate):
        base = next(row for row in await all_of(rack.images()) if not row.snapshot)
        made = (await rack.create_server("new", image_id=base.id, flavor_id="general1-1")).id or ""
        seen = []
        for _ in range(60):
            server = await rack.server(made)
            seen.append(server.progress or 0)
            if server.status == "ACTIVE":
                break
            await estate.clock.advance(2)
        assert seen == sorted(seen) and seen[-1] == 100 and any(0 < one < 100 for one in seen)


async def test_what_it_lacks_is_not_offered_and_what_it_forbids_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as (rack, _):
        assert not {"server.shelve", "server.tags", "server.lock", "server.migrate", "server.pause"} & rack.verbs
        server = next(row for row in await all_of(rack.servers()) if row.name == "shop-web-1")
        with pytest.raises(Forbidden, match="cannot be resized"):
            await rack.resize(server.id, "performance1-1")


async def test_repose_says_too_many_and_is_obeyed(tmp_path: Path) -> None:
    async with opened(tmp_path) as (rack, estate):
        rates = estate.clouds["rackspace"].regions["DFW"].services["compute"].rates
        rates.allow("POST", "*", 2)
        await rack.limits()
        rack.pace.obey([])  # another program has used the account up
        server = next(row for row in await all_of(rack.servers()) if row.name == "shop-web-1")
        with pytest.raises(OverLimit) as held:
            for _ in range(3):
                await rack.act("server.image_schedule", server.id, enabled=True, keeps=3)
        assert held.value.status == 413 and rack.pace.wait > 1


def test_both_spellings_of_the_mark_are_known() -> None:
    for name, value in (
        ("org.openstack__1__created_by", "scheduled_images_service"),
        ("org.openstack__1__created-by", "scheduled-images-service"),
    ):
        assert image({"id": "x", "metadata": {name: value}}).scheduled
    assert not image({"id": "x", "metadata": {"org.openstack__1__created_by": "somebody"}}).scheduled


async def test_where_changes_are_rationed_plain_lists_are_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as (rack, estate):
        assert "server.changes" in rack.verbs
        rates = estate.clouds["rackspace"].regions["DFW"].services["compute"].rates
        rates.table.append(Rate("GET", "*changes-since*", "changes-since", 3, "MINUTE"))
        await rack.limits()
        assert "server.changes" not in rack.verbs and "server.list" in rack.verbs


async def test_another_compute_service_in_the_catalog_is_not_mistaken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True, rackspace=True) as estate:
        cloud = estate.clouds["rackspace"]
        listed = cloud.identity.catalog
        other = {
            "name": "other",
            "type": "compute",
            "endpoints": [{"region": "AAA", "publicURL": "http://127.0.0.1:1"}],
        }
        monkeypatch.setattr(cloud.identity, "catalog", lambda project: [other, *listed(project)])
        rack = await connected(tmp_path, estate, region_name="")
        try:
            assert rack.region == "DFW"
            assert rack.neighbours == ["rackspace/ORD"]  # type: ignore[attr-defined]
        finally:
            await rack.close()
