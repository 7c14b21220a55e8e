"""The first generation by our client: what its servers answer is read, what it is ordered is what its guide says."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.clouds.accounts import find_accounts, in_thread
from console.clouds.connect import beside, connect
from console.clouds.firstgen.cloud import Firstgen
from console.errors import BadReply, CloudFault, Conflict, NotFound, OverLimit, OverQuota, Unauthorized
from console.sim.estate import Estate
from console.text import Secret


@asynccontextmanager
async def opened(folder: Path, **entry: Any) -> AsyncIterator[tuple[Firstgen, Estate]]:
    """The embedded first generation, and our way into it."""
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True, token_seconds=10_000_000) as estate:
        dialect = await connected(folder, estate, **entry)
        try:
            yield dialect, estate
        finally:
            await dialect.close()


async def connected(folder: Path, estate: Estate, **entry: Any) -> Firstgen:
    told = estate.clouds_yaml()["clouds"]["legacy"] | entry
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"legacy": told}}))
    (account,) = (await in_thread(find_accounts)).accounts
    dialect = await connect(account, clock_now=estate.clock.now)
    assert isinstance(dialect, Firstgen)
    assert beside(account) == ()
    return dialect


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))


async def all_of(pages: Any) -> list[Any]:
    return [row async for page in pages for row in page]


async def test_servers_images_flavors_and_groups_are_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, _):
        servers = await all_of(old.servers())
        assert len(servers) == 8
        web = next(row for row in servers if row.name == "web-a")
        assert web.id.isdecimal() and web.key.id == web.id and web.key.region == ""
        assert web.address == web.addresses["public"][0].addr
        assert web.status == "ACTIVE" and web.created is None and web.ip_group
        assert (web.flavor_id or "").isdecimal() and (web.image_id or "").isdecimal()
        assert await old.server(web.id) is web
        again = await all_of(old.servers())
        assert all(one is other for one, other in zip(servers, again, strict=True))
        images = await all_of(old.images())
        assert {image.status for image in images} >= {"active"}
        assert [image.server_id for image in images if image.snapshot]
        assert all(image.created.tzinfo is dt.UTC for image in images)
        flavors = await all_of(old.flavors())
        assert [flavor.ram for flavor in flavors][:3] == [256, 512, 1024] and flavors[0].vcpus is None
        (group, *_) = await all_of(old.ip_groups())
        assert group.id == web.ip_group and web.id in group.servers


async def test_it_is_found_in_identitys_catalog_too(tmp_path: Path) -> None:
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True) as estate:
        auth = dict(estate.clouds_yaml()["clouds"]["legacy"]["auth"])
        auth["auth_url"] = auth["auth_url"].replace("/v1.0", "/v2.0")
        entry = {"auth_type": "rackspace_apikey", "novadeck_dialect": "firstgen", "auth": auth}
        old = await connected(tmp_path, estate, **entry)
        try:
            assert len(await all_of(old.servers())) == 8
            assert old.origin.dialect == "firstgen"
        finally:
            await old.close()


async def test_a_wrong_key_is_one_sentence(tmp_path: Path) -> None:
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True) as estate:
        auth = estate.clouds_yaml()["clouds"]["legacy"]["auth"] | {"api_key": "wrong"}
        with pytest.raises(Unauthorized) as refused:
            await connected(tmp_path, estate, auth=auth)
        assert "refuses the login" in str(refused.value) and "wrong" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://[::1/v1.0/1", "http://h:123456/v1.0/1"])
async def test_an_address_that_is_none_is_one_sentence(tmp_path: Path, address: str) -> None:
    async with Estate(clouds=0, guests=0, speed=0, firstgen=True) as estate:
        with pytest.raises(BadReply, match="names an address that is none"):
            await connected(tmp_path, estate, compute_endpoint_override=address)


async def test_a_pattern_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, _):
        with pytest.raises(CloudFault, match="'web\\(' is no pattern") as refused:
            await all_of(old.servers(filters={"name": "web("}))
        assert refused.value.status == 400


async def test_a_token_that_ends_is_renewed(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, estate):
        estate.control.expire_tokens("rackspace")
        # A fresh token that is refused is not worth a second login; this one is old enough.
        old.session._auth._got_at -= 60
        assert await all_of(old.servers())


async def test_changes_are_asked_in_unix_seconds_and_nothing_new_is_304(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, estate):
        estate.clouds["rackspace"].first.rates.allow("GET", "*changes-since*", 100)
        await old.limits()
        now = estate.clock.now()
        await estate.clock.advance(600)
        assert await all_of(old.servers(changes_since=now + dt.timedelta(seconds=300))) == []
        servers = await all_of(old.servers())
        gone = next(row for row in servers if row.status == "ACTIVE")
        await old.delete_server(gone.id)
        await estate.clock.advance(60)
        changed = await all_of(old.servers(changes_since=now + dt.timedelta(seconds=300)))
        assert [(row.id, row.status) for row in changed] == [(gone.id, "DELETED")]
        with pytest.raises(NotFound):
            await old.server("x")


async def test_an_answer_from_a_cache_counts(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, estate):
        estate.clouds["rackspace"].first.cache_seconds = 5
        assert len(await all_of(old.servers())) == len(await all_of(old.servers())) == 8


async def test_long_lists_come_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.clouds.firstgen.cloud.PAGE", 3)
    async with opened(tmp_path) as (old, _):
        pages = [page async for page in old.servers()]
        assert [len(page) for page in pages] == [3, 3, 2]
        assert len({row.id for page in pages for row in page}) == 8
        filtered = await all_of(old.servers(filters={"name": "^web-", "status": "ACTIVE"}))
        assert sorted(row.name for row in filtered) == ["web-a", "web-b"]


async def moved(old: Firstgen, estate: Estate, id: str, order: Callable[[], Any], *, to: str) -> None:
    await order()
    for _ in range(40):
        if (await old.server(id)).status == to:
            return
        await estate.clock.advance(30)
    raise AssertionError(f"{(await old.server(id)).status} and not {to}")


async def test_every_order_does_what_it_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, estate):
        first = estate.clouds["rackspace"].first
        for verb in ("POST", "PUT"):
            first.rates.allow(verb, "*", 1000)
        await old.limits()
        made = await old.create_server(
            "new", image_id=(await all_of(old.images()))[0].id, flavor_id="1", metadata={"a": "b"},
            personality={"/etc/motd": b"hello"}, networks=None,
        )  # fmt: skip
        id = made.id or ""
        assert made.admin_pass and (await old.server(id)).address
        await moved(old, estate, id, lambda: old.server(id), to="ACTIVE")
        await moved(old, estate, id, lambda: old.reboot(id), to="ACTIVE")
        await moved(old, estate, id, lambda: old.reboot(id, hard=True), to="ACTIVE")
        await moved(old, estate, id, lambda: old.resize(id, "2"), to="VERIFY_RESIZE")
        await moved(old, estate, id, lambda: old.revert_resize(id), to="ACTIVE")
        assert (await old.server(id)).flavor_id == "1"
        await moved(old, estate, id, lambda: old.resize(id, "2"), to="VERIFY_RESIZE")
        await moved(old, estate, id, lambda: old.confirm_resize(id), to="ACTIVE")
        assert (await old.server(id)).flavor_id == "2"
        await moved(old, estate, id, lambda: old.act("server.rebuild", id, image_id="2"), to="ACTIVE")
        both = {"name": "renamed", "admin_pass": Secret("correct-horse")}
        await moved(old, estate, id, lambda: old.update_server(id, **both), to="ACTIVE")
        assert (await old.server(id)).name == "renamed"
        image = (await old.create_image(id, "kept")).id or ""
        await estate.clock.advance(3600)
        assert (await old.image(image)).status == "active"
        await old.delete_server(id)
        await old.delete_server(id)
        await estate.clock.advance(3600)
        with pytest.raises(NotFound):
            await old.server(id)
        with pytest.raises(NotFound):
            await old.image(image)  # it went with its server


async def test_addresses_are_shared_in_groups(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, estate):
        estate.clouds["rackspace"].first.rates.allow("POST", "*", 1000)
        estate.clouds["rackspace"].first.rates.allow("PUT", "*", 1000)
        await old.limits()
        owner = (await old.create_server("owner", image_id="1", flavor_id="1")).id or ""
        await estate.clock.advance(600)
        group = (await old.act("ipgroup.create", "", name="pair", server=owner)).id or ""
        address = (await old.server(owner)).address
        member = (await old.create_server("member", image_id="1", flavor_id="1", ip_group=group)).id or ""
        await estate.clock.advance(600)
        share = {"address": address, "group": group, "configure": True}
        await moved(old, estate, member, lambda: old.act("server.share_ip", member, **share), to="ACTIVE")
        found = await old.server(member)
        assert address in [one.addr for one in found.addresses["public"]] and found.ip_group == group
        await moved(old, estate, member, lambda: old.act("server.unshare_ip", member, address=address), to="ACTIVE")
        assert address not in [one.addr for one in (await old.server(member)).addresses["public"]]
        only = await old.create_server("third", image_id="1", flavor_id="1", ip_group=group, address=address)
        assert [one.addr for one in (await old.server(only.id or "")).addresses["public"]] == [address]


async def test_a_backup_schedule_is_set_and_only_ever_disabled(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, _):
        server = next(row for row in await all_of(old.servers()) if row.name == "web-a")
        assert not (await old.schedule(server.id)).enabled
        told = {"enabled": True, "daily": "H_0400_0600", "weekly": "THURSDAY"}
        await old.act("server.backup_schedule", server.id, **told)
        schedule = await old.schedule(server.id)
        assert (schedule.enabled, schedule.daily, schedule.weekly) == (True, "H_0400_0600", "THURSDAY")
        due = schedule.next_run(dt.datetime(2026, 11, 21, 5, 0, tzinfo=dt.UTC))
        assert due == dt.datetime(2026, 11, 22, 4, 0, tzinfo=dt.UTC)
        assert schedule in await all_of(old.schedules())
        await old.act("server.backup_schedule", server.id, enabled=False)
        assert not (await old.schedule(server.id)).enabled


async def test_a_server_that_goes_while_schedules_are_asked_for_takes_no_list_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, estate):
        servers = await all_of(old.servers())
        pages = old.schedules()
        await anext(pages)
        await old.delete_server(servers[1].id)
        await estate.clock.advance(3600)
        with pytest.raises(NotFound):
            await old.server(servers[1].id)
        assert len([page async for page in pages]) == len(servers) - 2


async def test_what_it_does_not_know_is_refused_and_never_left_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, _):
        for given in ({"key_name": "k"}, {"tags": ["a"]}, {"user_data": "x"}, {"networks": ["a"]}):
            with pytest.raises(NotFound, match="first generation"):
                await old.create_server("new", image_id="1", flavor_id="1", **given)
        for call in (
            lambda: old.act("server.stop", "1234"),
            lambda: old.act("server.rebuild", "1234", image_id="1", admin_pass=Secret("x")),
            lambda: old.update_server("1234", description="x"),
            lambda: old.create_image("1234", "x", metadata={"a": "b"}),
            lambda: old.reboot("../limits"),
            lambda: old.ports("1234"),
        ):
            with pytest.raises(NotFound):
                await call()


async def test_its_faults_are_errors_of_the_tree(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, estate):
        first = estate.clouds["rackspace"].first
        made = (await old.create_server("new", image_id="1", flavor_id="1")).id or ""
        with pytest.raises(Conflict) as building:
            await old.reboot(made)
        assert building.value.fault == "buildInProgress"
        with pytest.raises(NotFound) as unknown:
            await old.server("999999")
        assert unknown.value.fault == "itemNotFound"
        first.only_openstack = True
        with pytest.raises(CloudFault) as lacking:
            await all_of(old.ip_groups())
        assert (lacking.value.status, lacking.value.fault) == (501, "notImplemented")
        with pytest.raises(OverQuota):
            await old.create_server("big", image_id="1", flavor_id="7", metadata={str(n): "x" for n in range(9)})


async def test_its_rates_are_obeyed_before_it_has_to_say_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, _):
        servers = [row for row in await all_of(old.servers()) if row.status == "ACTIVE"]
        old.session.deadline = 0.2
        with pytest.raises(OverLimit) as held:
            for _ in range(4):
                for server in servers:
                    try:
                        await old.reboot(server.id)
                    except Conflict:
                        continue
        assert held.value.status == 429  # our own word, and none of the service's
        assert 0 < held.value.retry_after <= 60


async def test_a_service_that_says_too_many_is_left_alone_as_long_as_it_asks(tmp_path: Path) -> None:
    async with opened(tmp_path) as (old, _):
        old.pace.obey([])  # another program has used the account up
        servers = [row for row in await all_of(old.servers()) if row.status == "ACTIVE"]
        with pytest.raises(OverLimit) as held:
            for _ in range(8):
                for server in servers:
                    try:
                        await old.reboot(server.id)
                    except Conflict:
                        continue
        assert held.value.status == 413
        assert old.pace.wait > 1
