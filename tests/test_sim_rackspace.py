"""The embedded next generation of Rackspace: logins, the catalog, compute's own ways, scheduled images."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from old_client import Old, account_of, firstgen, log_in, rackspace, to_midnight

from console.sim.clock import DAYS
from console.sim.estate import Estate
from console.sim.rackspace_api import RackspaceNova
from console.sim.rackspace_region import CONFIRMED_AFTER
from console.sim.rackspace_schedule import MARK

DAY = 86_400.0


def kind(answer: Any) -> tuple[int, str]:
    """Status and name of a fault."""
    return answer.status, next(iter(answer.body))


async def create(estate: Estate, nova: Old, flavor: str = "general1-1", **more: Any) -> str:
    image = (await nova.get("/images?type=base"))["images"][0]["id"]
    wanted = {"name": "new", "imageRef": image, "flavorRef": flavor} | more
    made = await nova.ask("POST", "/servers", {"server": wanted})
    assert made.status == 202, made
    await estate.clock.advance(10)
    return str(made.body["server"]["id"])


async def shown(nova: Old, id: str) -> dict[str, Any]:
    server: dict[str, Any] = (await nova.get(f"/servers/{id}"))["server"]
    return server


async def named(nova: Old, name: str) -> str:
    return next(str(s["id"]) for s in (await nova.get("/servers"))["servers"] if s["name"] == name)


async def images_of(nova: Old, id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await nova.get(f"/images/detail?server={id}"))["images"]
    return rows


# Identity


async def test_identity_takes_a_key_or_a_password_for_both_generations() -> None:
    async with rackspace() as (estate, nova):
        account = account_of(estate)
        url, user = account.keystone.base + "/v2.0/tokens", account.user
        key = {"RAX-KSKEY:apiKeyCredentials": {"username": user.name, "apiKey": user.api_key}}
        password = {"passwordCredentials": {"username": user.name, "password": user.password}}
        for auth, status in (
            (key, 200),
            (password, 200),
            (password | {"tenantId": "820712"}, 200),
            (password | {"tenantName": "820712"}, 200),
            (password | {"tenantId": "820712", "tenantName": "820712"}, 400),
            (password | {"tenantId": "1"}, 401),
            ({"passwordCredentials": {"username": user.name, "password": "wrong"}}, 401),
            ({"passwordCredentials": {"username": "provider", "password": ""}}, 401),
            ({"RAX-KSKEY:apiKeyCredentials": {"username": user.name, "apiKey": user.password}}, 401),
            ({}, 400),
        ):
            async with nova.session.post(url, json={"auth": auth}) as reply:
                assert reply.status == status, auth
        access = await log_in(nova.session, estate)
        old = next(row for row in access["serviceCatalog"] if row["name"] == "cloudServers")
        assert old["type"] == "compute" and "region" not in old["endpoints"][0]
        first = Old(nova.session, old["endpoints"][0]["publicURL"], access["token"]["id"])
        assert len((await first.get("/servers"))["servers"]) == 8
        regions = {e["region"] for row in access["serviceCatalog"] for e in row["endpoints"] if "region" in e}
        assert regions == {"DFW", "ORD"} and access["user"]["RAX-AUTH:defaultRegion"] == "DFW"


async def test_a_token_can_be_looked_up_and_revoked() -> None:
    async with rackspace() as (estate, nova):
        identity = Old(nova.session, account_of(estate).keystone.base, nova.token)
        assert (await identity.get("/v2.0/"))["version"]["id"] == "v2.0"
        assert (await identity.get("/v2.0/tenants"))["tenants"][0]["id"] == "820712"
        told = (await identity.get(f"/v2.0/tokens/{nova.token}"))["access"]
        assert told["token"]["id"] == nova.token and "serviceCatalog" not in told
        rows = (await identity.get(f"/v2.0/tokens/{nova.token}/endpoints"))["endpoints"]
        assert {row["name"] for row in rows} >= {"cloudServers", "cloudServersOpenStack", "cloudImages"}
        assert (await identity.ask("DELETE", f"/v2.0/tokens/{nova.token}")).status == 204
        assert (await nova.ask("GET", "/servers")).status == 401


async def test_either_generation_can_be_had_alone() -> None:
    async with firstgen() as (estate, _):
        assert list(estate.clouds_yaml()["clouds"]) == ["legacy"] and not account_of(estate).regions
    async with Estate(clouds=1, regions=1, servers=28, guests=0, speed=0, rackspace=True) as estate:
        assert list(estate.clouds_yaml()["clouds"]) == ["nimbus", "nimbus-admin", "rackspace"]
        assert len(estate.control.place("dfw").nova.servers) == 28, "the fleet of the other clouds stays whole"


# Compute


async def test_there_are_no_microversions_and_other_accounts_are_refused() -> None:
    async with rackspace() as (_, nova):
        answer = await nova.ask("GET", "/servers", OpenStack_API_Version="compute 2.90")
        assert answer.status == 200 and "OpenStack-API-Version" not in answer.headers
        root = Old(nova.session, nova.url.partition("/v2/")[0], nova.token)
        (version,) = (await root.get("/"))["versions"]
        assert version["id"] == "v2.0" and "min_version" not in version
        assert kind(await root.ask("GET", "/v2/111111/servers")) == (401, "unauthorized")
        assert (await Old(nova.session, nova.url, "none").ask("GET", "/servers")).status == 401


async def test_progress_counts_and_the_rest_is_rackspaces() -> None:
    async with rackspace() as (estate, nova):
        image = (await nova.get("/images?type=base"))["images"][0]["id"]
        new = {"server": {"name": "new", "imageRef": image, "flavorRef": "general1-1"}}
        id = (await nova.ask("POST", "/servers", new)).body["server"]["id"]
        counted = []
        for _ in range(30):
            counted.append((await shown(nova, id))["progress"])
            await estate.clock.advance(0.1)
        assert counted == sorted(counted) and counted[0] == 0 and counted[-1] == 100 and len(set(counted)) > 10
        server = await shown(nova, id)
        assert set(server["addresses"]) == {"public", "private"} and server["OS-DCF:diskConfig"] == "AUTO"
        assert server["accessIPv4"] in [row["addr"] for row in server["addresses"]["public"]]
        assert (
            server["accessIPv6"].startswith("2001:db8:") and len(server["RAX-PUBLIC-IP-ZONE-ID:publicIPZoneId"]) == 56
        )
        labels = {row["label"]: row["id"] for row in (await nova.get("/os-networksv2"))["networks"]}
        assert labels == {"public": "00000000-0000-0000-0000-000000000000",
                          "private": "11111111-1111-1111-1111-111111111111"}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("4", "2", 202), ("2", "4", 202), ("general1-1", "general1-2", 202), ("general1-2", "general1-1", 403),
        ("2", "general1-1", 403), ("performance1-1", "performance2-15", 403), ("onmetal-compute1", "2", 400),
        ("general1-1", "nothing", 400),
    ],
)  # fmt: skip
async def test_resizes_go_by_the_flavors_class(old: str, new: str, status: int) -> None:
    async with rackspace() as (estate, nova):
        id = await create(estate, nova, old)
        answer = await nova.ask("POST", f"/servers/{id}/action", {"resize": {"flavorRef": new}})
        assert answer.status == status, answer
        assert status != 403 or "resizeNotAllowed" in answer.body


async def test_a_manual_disk_does_not_shrink() -> None:
    async with rackspace() as (estate, nova):
        id = await create(estate, nova, "4", **{"OS-DCF:diskConfig": "MANUAL"})
        assert await nova.act(id, "resize", {"flavorRef": "3"}) == 403
        assert await nova.act(id, "resize", {"flavorRef": "5"}) == 202


@pytest.mark.parametrize("action", ["pause", "suspend", "shelve", "lock", "createBackup", "migrate"])
async def test_what_rackspace_does_not_offer(action: str) -> None:
    async with rackspace() as (estate, nova):
        assert await nova.act(await create(estate, nova), action) == 400


async def test_a_resize_that_is_left_alone_is_confirmed_after_24_hours() -> None:
    async with rackspace() as (estate, nova):
        id = await create(estate, nova)
        assert await nova.act(id, "resize", {"flavorRef": "general1-2"}) == 202
        await estate.clock.advance(10)
        assert await nova.status(id) == "VERIFY_RESIZE"
        await estate.clock.advance(CONFIRMED_AFTER - 10)
        assert await nova.status(id) == "VERIFY_RESIZE"
        await estate.clock.advance(10)
        server = await shown(nova, id)
        assert (server["status"], server["flavor"]["id"]) == ("ACTIVE", "general1-2")


async def test_an_image_is_quiesced_first() -> None:
    async with rackspace() as (estate, nova):
        id, seen = await create(estate, nova), []
        assert await nova.act(id, "createImage", {"name": "by hand"}) == 202
        for _ in range(40):
            task = (await shown(nova, id))["OS-EXT-STS:task_state"]
            seen += [task] if task not in seen[-1:] else []
            await estate.clock.advance(0.1)
        assert seen == ["image_snapshot", "image_pending_upload", "image_uploading", None]


async def test_rates_are_enforced_and_told() -> None:
    async with rackspace() as (estate, nova):
        estate.control.account.rate("GET", "*", 5, region="DFW")
        answers = [await nova.ask("GET", "/flavors") for _ in range(6)]
        over = answers[-1]
        assert [answer.status for answer in answers] == [200] * 5 + [413] and kind(over) == (413, "overLimit")
        assert over.headers["Via"].startswith("1.1 Repose") and 0 < int(over.headers["Retry-After"]) <= 60
        assert datetime.fromisoformat(over.body["overLimit"]["retryAt"]) > estate.clock.now()
        await estate.clock.advance(60)
        rate = (await nova.get("/limits"))["limits"]["rate"][0]["limit"][0]
        assert (rate["verb"], rate["value"], rate["remaining"], rate["unit"]) == ("GET", 5, 4, "MINUTE")


# Scheduled images


@pytest.mark.parametrize(
    "wrong",
    [{}, {"retention": 0}, {"retention": 65_536}, {"retention": "5"}, {"retention": True},
     {"retention": 5, "day_of_week": "TODAY"}, {"retention": 5, "hour": 3}],
)  # fmt: skip
async def test_schedules_that_are_none(wrong: dict[str, Any]) -> None:
    async with rackspace() as (estate, nova):
        path = f"/servers/{await create(estate, nova)}/rax-si-image-schedule"
        assert kind(await nova.ask("POST", path, {"image_schedule": wrong})) == (400, "badRequest")
        assert kind(await nova.ask("GET", path)) == (404, "itemNotFound")


async def test_a_schedule_is_daily_or_weekly_and_shows_on_its_server() -> None:
    async with rackspace() as (estate, nova):
        id = await create(estate, nova)
        path = f"/servers/{id}/rax-si-image-schedule"
        for body in ({"retention": 5, "day_of_week": "SATURDAY"}, {"retention": 7}):
            assert (await nova.ask("POST", path, {"image_schedule": body})).status == 200
            assert await nova.get(path) == {"image_schedule": body}
            assert (await shown(nova, id))["RAX-SI:image_schedule"] == body
        assert (await nova.ask("DELETE", path)).status == 202
        assert (await nova.ask("DELETE", path)).status == 404
        await estate.clock.advance(3 * DAY)
        assert await images_of(nova, id) == [] and "RAX-SI:image_schedule" not in await shown(nova, id)
        metal = f"/servers/{await create(estate, nova, 'onmetal-compute1')}/rax-si-image-schedule"
        assert (await nova.ask("POST", metal, {"image_schedule": {"retention": 1}})).status == 400


async def test_daily_images_are_thinned_but_for_those_without_the_mark() -> None:
    async with rackspace() as (estate, nova):
        id = await create(estate, nova)
        assert await nova.act(id, "createImage", {"name": "by hand"}) == 202
        await to_midnight(estate)
        await nova.ask("POST", f"/servers/{id}/rax-si-image-schedule", {"image_schedule": {"retention": 3}})
        await estate.clock.advance(DAY)
        first = next(row for row in await images_of(nova, id) if MARK.items() <= row["metadata"].items())
        assert first["name"].startswith("daily-new-") and first["name"].removeprefix("daily-new-").isdigit()
        assert (await nova.ask("DELETE", f"/images/{first['id']}/metadata/{next(iter(MARK))}")).status == 204
        made: list[str] = []
        for day in range(1, 7):
            await estate.clock.advance(DAY)
            names = [row["name"] for row in sorted(await images_of(nova, id), key=lambda row: row["created"])]
            assert names[:2] == ["by hand", first["name"]] and len(names) == 2 + min(day, 3)
            made += [name for name in names[2:] if name not in made]
            assert names[2:] == made[-3:]
        assert len(made) == 6


async def test_a_weekly_image_appears_on_its_day_alone() -> None:
    async with rackspace() as (estate, nova):
        id = await create(estate, nova)
        await to_midnight(estate)
        schedule = {"image_schedule": {"retention": 2, "day_of_week": "TUESDAY"}}
        await nova.ask("POST", f"/servers/{id}/rax-si-image-schedule", schedule)
        seen: dict[str, datetime] = {}
        for _ in range(4 * 7 * 4):
            await estate.clock.advance(DAY / 4)
            seen |= {row["name"]: datetime.fromisoformat(row["created"]) for row in await images_of(nova, id)}
        days = sorted(seen.values())
        assert len(days) == 4 and {DAYS[day.weekday()] for day in days} == {"TUESDAY"}
        assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(days))
        assert len(await images_of(nova, id)) == 2 and all(name.startswith("weekly-new-") for name in seen)


async def test_a_busy_server_is_tried_again_an_hour_later() -> None:
    async with rackspace() as (estate, nova):
        id = await create(estate, nova)
        await nova.ask("POST", f"/servers/{id}/rax-si-image-schedule", {"image_schedule": {"retention": 1}})
        estate.control.put(id, task_state="migrating")
        compute = account_of(estate).regions["DFW"].compute
        assert isinstance(compute, RackspaceNova)
        server = compute.store.servers[id]
        schedule = compute.schedules.of(server)
        assert schedule is not None
        moment = schedule.after(estate.clock.now(), server.number)
        await estate.clock.advance((moment - estate.clock.now()).total_seconds() + 60)
        assert await images_of(nova, id) == []
        estate.control.put(id, task_state=None)
        await estate.clock.advance(3600)
        (image,) = await images_of(nova, id)
        assert datetime.fromisoformat(image["created"]) - moment == timedelta(hours=1)
