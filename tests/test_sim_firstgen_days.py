"""The embedded first generation over days and among friends: backup schedules, images, shared IP groups."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from old_client import Old, firstgen, to_midnight

from console.sim.clock import DAYS
from console.sim.firstgen_backup import DAILY
from console.sim.firstgen_lives import DAY

WEB_A, WEB_B, MYSQL, FTP, CMS = 1234, 1235, 1236, 1237, 1238
NEVER = {"enabled": False, "weekly": "DISABLED", "daily": "DISABLED"}


def kind(answer: Any) -> tuple[int, str]:
    return answer.status, next(iter(answer.body))


async def born(old: Old, server: int) -> dict[int, tuple[str, datetime]]:
    """The images of a server: name, and when each began."""
    rows = (await old.get("/images/detail"))["images"]
    return {r["id"]: (r["name"], datetime.fromisoformat(r["created"])) for r in rows if r.get("serverId") == server}


async def set_schedule(old: Old, server: int, weekly: str = "DISABLED", daily: str = "DISABLED") -> None:
    body = {"backupSchedule": {"enabled": True, "weekly": weekly, "daily": daily}}
    assert (await old.ask("POST", f"/servers/{server}/backup_schedule", body)).status == 204
    assert await old.get(f"/servers/{server}/backup_schedule") == body


async def test_a_schedule_is_disabled_and_never_gone() -> None:
    async with firstgen() as (_, old):
        path = f"/servers/{FTP}/backup_schedule"
        assert await old.get(path) == {"backupSchedule": NEVER}
        await set_schedule(old, FTP, "THURSDAY", "H_0400_0600")
        assert (await old.ask("DELETE", path)).status == 204
        kept = (await old.get(path))["backupSchedule"]
        assert kept == {"enabled": False, "weekly": "THURSDAY", "daily": "H_0400_0600"}
        for wrong in ({"enabled": True, "weekly": "TODAY"}, {"enabled": True, "daily": "H_0100_0300"}, {}):
            assert kind(await old.ask("POST", path, {"backupSchedule": wrong})) == (400, "badRequest")
        xml = b'<backupSchedule enabled="true" weekly="MONDAY" daily="H_2200_0000"/>'
        assert (await old.ask("POST", path, xml, Content_Type="application/xml")).status == 204
        assert (await old.get(path))["backupSchedule"]["daily"] == "H_2200_0000"


@pytest.mark.parametrize("window", DAILY[1:])
async def test_a_daily_image_appears_in_its_window(window: str) -> None:
    async with firstgen() as (estate, old):
        midnight = await to_midnight(estate)
        await set_schedule(old, FTP, daily=window)
        opens = midnight + timedelta(hours=int(window[2:4]))
        await estate.clock.advance((opens - midnight).total_seconds() - 1)
        assert await born(old, FTP) == {}
        await estate.clock.advance(2 * 3600)
        ((name, began),) = (await born(old, FTP)).values()
        assert name == "daily" and opens <= began < opens + timedelta(hours=2)


async def test_a_week_of_images_and_the_old_ones_go() -> None:
    """Ten days in steps of ten minutes: a daily image every day, a weekly one on its day, one of each name is kept."""
    async with firstgen() as (estate, old):
        begun = await to_midnight(estate)
        await set_schedule(old, FTP, weekly="WEDNESDAY", daily="H_1000_1200")
        seen: dict[int, tuple[str, datetime]] = {}
        for _ in range(10 * 144):
            await estate.clock.advance(600)
            now = await born(old, FTP)
            assert len([name for name, _ in now.values() if name == "daily"]) <= 2  # the old one until the new is there
            seen |= now
        daily = sorted(began for name, began in seen.values() if name == "daily")
        weekly = [began for name, began in seen.values() if name == "weekly"]
        assert len(daily) == 10 and all(10 <= began.hour < 12 for began in daily)
        assert [began.date() for began in daily] == [(begun + timedelta(days=n)).date() for n in range(10)]
        assert weekly and {DAYS[began.weekday()] for began in weekly} == {"WEDNESDAY"}
        assert sorted(name for name, _ in (await born(old, FTP)).values()) == ["daily", "weekly"]


async def test_no_image_while_the_server_is_resized_and_none_after_the_schedule_ended() -> None:
    async with firstgen() as (estate, old):
        await to_midnight(estate)
        await set_schedule(old, FTP, daily="H_0000_0200")
        await old.act(FTP, "resize", {"flavorId": 2})
        await estate.clock.advance(3 * 3600)
        assert await old.status(FTP) == "VERIFY_RESIZE" and await born(old, FTP) == {}
        await old.act(FTP, "confirmResize")
        await old.ask("DELETE", f"/servers/{FTP}/backup_schedule")
        await estate.clock.advance(3 * DAY)
        assert await born(old, FTP) == {}


async def test_an_image_by_hand() -> None:
    async with firstgen() as (estate, old):
        wanted = {"image": {"serverId": FTP, "name": "Just in case"}}
        made = await old.ask("POST", "/images", wanted)
        assert made.status == 202 and made.body["image"]["serverId"] == FTP and made.body["image"]["progress"] == 0
        assert kind(await old.ask("POST", "/images", wanted)) == (409, "backupOrResizeInProgress")
        assert kind(await old.ask("POST", f"/servers/{FTP}/action", {"resize": {"flavorId": 2}})) == (
            403,
            "resizeNotAllowed",
        )
        path, seen = f"/images/{made.body['image']['id']}", []
        for _ in range(50):
            image = (await old.get(path))["image"]
            seen += [image["status"]] if image["status"] not in seen[-1:] else []
            await estate.clock.advance(0.1)
        assert seen == ["QUEUED", "PREPARING", "SAVING", "ACTIVE"] and "progress" not in image
        assert (await old.ask("DELETE", path)).status == 204
        assert kind(await old.ask("GET", path)) == (404, "itemNotFound")


async def test_an_image_that_fails_and_one_that_is_replaced() -> None:
    async with firstgen() as (estate, old):
        new = {"name": "new", "imageId": 1, "flavorId": 1, "metadata": {"lab_fail": "snapshot"}}
        made = (await old.ask("POST", "/servers", {"server": new})).body["server"]["id"]
        await estate.clock.advance(5)
        await old.ask("POST", "/images", {"image": {"serverId": made, "name": "x"}})
        for _ in range(2):
            await old.ask("POST", "/images", {"image": {"serverId": FTP, "name": "same"}})
            await estate.clock.advance(5)
        found = {i["name"]: i["status"] for i in (await old.get("/images/detail"))["images"] if "serverId" in i}
        assert found["x"] == "FAILED" and found["same"] == "ACTIVE"
        assert len(await born(old, FTP)) == 1


# Shared IP groups


async def test_a_group_is_made_with_one_server_at_most_and_the_others_are_launched_into_it() -> None:
    async with firstgen() as (_, old):
        for wrong in ({"name": ""}, {"name": "x", "servers": [FTP]}, {"server": FTP}):
            assert kind(await old.ask("POST", "/shared_ip_groups", {"sharedIpGroup": wrong})) == (400, "badRequest")
        made = await old.ask("POST", "/shared_ip_groups", {"sharedIpGroup": {"name": "pair", "server": FTP}})
        assert made.status == 201 and made.body["sharedIpGroup"]["servers"] == [FTP]
        group = made.body["sharedIpGroup"]["id"]
        again = {"sharedIpGroup": {"name": "second", "server": FTP}}
        assert kind(await old.ask("POST", "/shared_ip_groups", again)) == (400, "badRequest")
        shared = (await old.get(f"/servers/{FTP}/ips/public"))["public"][0]
        new = {"name": "twin", "imageId": 1, "flavorId": 1, "sharedIpGroupId": group}
        twin = (await old.ask("POST", "/servers", {"server": new | {"addresses": {"public": [shared]}}})).body["server"]
        assert twin["sharedIpGroupId"] == group and twin["addresses"]["public"] == [shared]
        details = (await old.get("/shared_ip_groups/detail"))["sharedIpGroups"]
        assert {row["name"]: row["servers"] for row in details} == {
            "web pair": [WEB_A, WEB_B],
            "pair": [FTP, twin["id"]],
        }
        assert all(set(row) == {"id", "name"} for row in (await old.get("/shared_ip_groups"))["sharedIpGroups"])


@pytest.mark.parametrize(("configure", "status"), [(True, "SHARE_IP"), (False, "SHARE_IP_NO_CONFIG")])
async def test_an_address_is_shared_and_unshared(configure: bool, status: str) -> None:
    async with firstgen() as (estate, old):
        shared = (await old.get(f"/servers/{WEB_B}/ips/public"))["public"][0]
        path = f"/servers/{WEB_A}/ips/public/{shared}"
        body = {"shareIp": {"sharedIpGroupId": 1234, "configureServer": configure}}
        assert (await old.ask("PUT", path, body)).status == 202
        assert await old.status(WEB_A) == status
        await estate.clock.advance(5)
        assert await old.status(WEB_A) == "ACTIVE"
        assert shared in (await old.get(f"/servers/{WEB_A}/ips"))["addresses"]["public"]
        assert kind(await old.ask("DELETE", "/shared_ip_groups/1234")) == (400, "cloudServersFault")
        assert (await old.ask("DELETE", path)).status == 202
        assert await old.status(WEB_A) == "DELETE_IP"
        await estate.clock.advance(5)
        assert shared not in (await old.get(f"/servers/{WEB_A}/ips/public"))["public"]
        assert kind(await old.ask("DELETE", path)) == (404, "itemNotFound")


async def test_sharing_that_is_refused() -> None:
    async with firstgen() as (_, old):
        mine = (await old.get(f"/servers/{FTP}/ips/public"))["public"][0]
        first = (await old.get(f"/servers/{WEB_B}/ips/public"))["public"][0]
        for server, address, group, fault in (
            (FTP, first, 1234, (400, "badRequest")),  # not in the group
            (WEB_A, mine, 1234, (400, "badRequest")),  # an address from outside
            (WEB_B, first, 1234, (400, "badRequest")),  # its own
            (WEB_A, first, 99, (404, "itemNotFound")),
        ):
            body = {"shareIp": {"sharedIpGroupId": group, "configureServer": False}}
            assert kind(await old.ask("PUT", f"/servers/{server}/ips/public/{address}", body)) == fault
        assert kind(await old.ask("DELETE", f"/servers/{FTP}/ips/public/{mine}")) == (400, "badRequest")
        assert kind(await old.ask("GET", f"/servers/{FTP}/ips/secret")) == (404, "itemNotFound")


async def test_a_group_goes_when_nobody_shares_any_more() -> None:
    async with firstgen() as (_, old):
        assert (await old.ask("DELETE", f"/servers/{WEB_B}")).status == 202
        assert (await old.ask("DELETE", "/shared_ip_groups/1234")).status == 204
        assert "sharedIpGroupId" not in (await old.get(f"/servers/{WEB_A}"))["server"]
        assert kind(await old.ask("GET", "/shared_ip_groups/1234")) == (404, "itemNotFound")
