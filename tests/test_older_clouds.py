"""Acting on the first generation, on Rackspace's next and on today's OpenStack at once, through the one gate."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_ground import SmallGround, ground_on

from console.actions.action import perform, verdict
from console.actions.legal import refusal
from console.core.store import Listing
from console.errors import ActionRefused, Conflict
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.place import Place
from console.model.server import FlavorReference, Server
from console.sim.estate import Estate

OLD, RACK, LAB = Place("legacy"), Place("rackspace", "DFW"), Place("lab", "dfw")


@asynccontextmanager
async def all_three(folder: Path) -> AsyncIterator[tuple[SmallGround, Estate]]:
    async with Estate(clouds=1, guests=0, speed=0, firstgen=True, rackspace=True, token_seconds=10_000_000) as estate:
        (folder / "clouds.yaml").write_text(yaml.safe_dump(estate.clouds_yaml()))
        first = estate.clouds["rackspace"].first
        for verb in ("POST", "PUT"):
            first.rates.allow(verb, "*", 1000)
        names = ["legacy", "rackspace", next(iter(estate.clouds_yaml()["clouds"]))]
        async with ground_on(folder / "clouds.yaml", folder, *names) as ground:
            for place in ground.places:
                await ground.refresh(place)
            yield ground, estate


async def a_server(ground: SmallGround, place: Place, name: str) -> Server:
    await ground.refresh(place)
    return next(
        row for row in ground.store.rows(Server).values() if row.name == name and place in ground.store.ways(row.key)
    )


async def base(ground: SmallGround, place: Place) -> Image:
    pages = ground.dialect(place).images()
    return next(row for row in [one async for page in pages for one in page] if not row.snapshot)


async def moved(ground: SmallGround, estate: Estate, row: Server, *, to: str = "ACTIVE") -> Server:
    for _ in range(60):
        found = await ground.dialect(row.place).server(row.id)
        if found.status == to and found.task_state is None:
            return found
        await estate.clock.advance(20)
    raise AssertionError(f"{found.status} and not {to}")


async def test_a_soft_reboot_of_servers_of_all_three_works(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, estate):
        rows = [row for row in ground.store.rows(Server).values() if not verdict(ground, "server.reboot", row)]
        by_dialect = {row.dialect: row for row in rows}
        assert set(by_dialect) == {"firstgen", "rackspace", "openstack"}
        chosen = list(by_dialect.values())
        outcomes = await perform(ground, "server.reboot", chosen)
        assert [outcome.error for outcome in outcomes] == [None] * 3
        for row in chosen:
            assert (await ground.dialect(row.place).server(row.id)).status == "REBOOT", row.dialect
        for row in chosen:
            await moved(ground, estate, row)


async def test_what_a_cloud_cannot_do_is_greyed_with_its_reason(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, _):
        old, rack = await a_server(ground, OLD, "web-a"), await a_server(ground, RACK, "shop-web-1")
        new = next(row for row in ground.store.rows(Server).values() if row.dialect == "openstack")
        assert verdict(ground, "server.stop", old).startswith("The first generation has no power switch")
        assert verdict(ground, "server.lock", rack) == "Rackspace's next generation cannot lock a server."
        assert verdict(ground, "server.image_schedule", old) == "The first generation has a backup schedule instead."
        assert "scheduled images instead" in verdict(ground, "server.backup_schedule", rack)
        assert "allow" not in verdict(ground, "server.share_ip", old)
        assert "floating IP" in verdict(ground, "server.share_ip", new)
        assert "offers no" not in " ".join(
            verdict(ground, name, old) for name in ("server.pause", "server.tags", "server.history", "server.rescue")
        )
        metal = Server(id="m", name="m", dialect="rackspace", word="ACTIVE", flavor=FlavorReference("onmetal-compute1"))
        assert refusal("server.resize", metal) and not refusal("server.reboot", metal)


@pytest.mark.parametrize(("action", "more"), [("server.create", {}), ("server.launch", {"ip_group": "web"})])
async def test_what_a_new_server_may_hold_and_its_order_is_never_repeated(
    tmp_path: Path, action: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.actions.building.LOOKS", (0.0, 0.02, 0.05))
    async with all_three(tmp_path) as (ground, estate):
        image, flavor = await base(ground, OLD), Flavor(id="1", name="256 MB Server", place=OLD, ram=256, disk=10)
        given = {"name": "once", "image": image, "flavor": flavor, **more}
        if more:
            given["ip_group"] = (await a_server(ground, OLD, "web-a")).ip_group
        for contents, told in (
            ({"file": {f"/{n}": "x" for n in range(6)}}, "6 files were given, and the cloud takes 5"),
            ({"file": {"/a": "x" * 10_241}}, "/a has 10241 bytes, and the cloud takes 10240"),
            ({"metadata": {str(n): "x" for n in range(6)}}, "6 metadata pairs were given, and 5 are the most"),
        ):
            with pytest.raises(ActionRefused, match=told):
                await perform(ground, action, OLD, **given, **contents)
        assert ground.events() == []
        full = {"metadata": {str(n): "x" for n in range(5)}}  # no room is left for our mark
        await perform(ground, action, OLD, **{**given, "name": "full"}, **full)
        rule = estate.control.cause("lost_reply", times=1)
        made = await perform(ground, action, OLD, **given)
        assert rule.met == 1 and ground.events() == ["asked", "accepted"] * 2
        found = [row async for page in ground.dialect(OLD).servers() for row in page if row.name == "once"]
        assert [row.id for row in found] == [made.id]


async def test_an_address_is_shared_within_its_group_alone(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, estate):
        image, flavor = await base(ground, OLD), Flavor(id="1", name="256 MB Server", place=OLD, ram=256, disk=10)
        owner, outside = await a_server(ground, OLD, "web-a"), await a_server(ground, OLD, "mysql-old")
        address = owner.addresses["public"][0].addr
        with pytest.raises(ActionRefused, match="in no shared IP group"):
            await perform(ground, "server.share_ip", outside, address=address, configure="no")
        with pytest.raises(ActionRefused, match="already, and in one at most"):
            await perform(ground, "ipgroup.create", OLD, name="second", server="web-a")
        with pytest.raises(ActionRefused, match="already"):
            await perform(ground, "server.share_ip", owner, address=address, configure="no")
        with pytest.raises(ActionRefused, match="is no IPv4 address"):
            await perform(ground, "server.launch", OLD, name="x", image=image, flavor=flavor,
                          ip_group=owner.ip_group, address="300.1.1.1")  # fmt: skip
        made = await perform(
            ground, "server.launch", OLD, name="web-c", image=image, flavor=flavor, ip_group=owner.ip_group
        )
        assert made.admin_pass and made.id
        await estate.clock.advance(600)
        member = await a_server(ground, OLD, "web-c")
        own = outside.addresses["public"][0].addr
        with pytest.raises(ActionRefused, match="which is in no group"):
            await perform(ground, "server.share_ip", member, address=own, configure="no")
        await perform(ground, "server.share_ip", member, address=address, configure="yes")
        assert (await ground.dialect(OLD).server(member.id)).status == "SHARE_IP"
        member = await moved(ground, estate, member)
        member = await a_server(ground, OLD, "web-c")
        groups = [row async for page in ground.dialect(OLD).ip_groups() for row in page]
        group = next(row for row in groups if row.id == owner.ip_group)
        ground.store.apply(Listing(OLD, IpGroup, groups, ground.clock.monotonic(), True))
        with pytest.raises(ActionRefused, match="share"):
            await perform(ground, "ipgroup.delete", group)
        with pytest.raises(ActionRefused, match="own, and shared with nobody"):
            await perform(ground, "server.unshare_ip", outside, address=own)
        await perform(ground, "server.unshare_ip", member, address=address)
        member = await moved(ground, estate, member)
        assert address not in [one.addr for one in member.addresses["public"]]


async def test_groups_are_made_and_deleted(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, _):
        made = await perform(ground, "ipgroup.create", OLD, name="empty")
        groups = [row async for page in ground.dialect(OLD).ip_groups() for row in page]
        ground.store.apply(Listing(OLD, IpGroup, groups, ground.clock.monotonic(), True))
        group = next(row for row in groups if row.id == made.id)
        assert (group.name, group.servers) == ("empty", [])
        await perform(ground, "ipgroup.delete", group)
        assert made.id not in {row.id async for page in ground.dialect(OLD).ip_groups() for row in page}


async def test_name_and_password_change_in_one_call(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, estate):
        row = await a_server(ground, OLD, "web-a")
        await perform(ground, "server.name_password", row, name="web-z", password="correct-horse")
        found = await moved(ground, estate, row)
        assert found.name == "web-z"
        assert "correct-horse" not in ground.audit.path.read_text()


async def test_schedules_of_both_kinds(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, _):
        old, rack = await a_server(ground, OLD, "web-a"), await a_server(ground, RACK, "shop-web-1")
        with pytest.raises(ActionRefused, match="Neither"):
            await perform(ground, "server.backup_schedule", old)
        await perform(ground, "server.backup_schedule", old, daily="h_0400_0600")
        shown = (await perform(ground, "server.schedule", old)).result.schedule
        assert (shown.enabled, shown.daily, shown.weekly) == (True, "H_0400_0600", "")
        await perform(ground, "server.backup_schedule_off", old)
        assert not (await perform(ground, "server.schedule", old)).result.schedule.enabled
        await perform(ground, "server.image_schedule", rack, keep=3, day="monday")
        shown = (await perform(ground, "server.schedule", rack)).result.schedule
        assert (shown.weekly, shown.keeps) == ("MONDAY", 3)
        await perform(ground, "server.image_schedule_off", rack)
        assert not (await perform(ground, "server.schedule", rack)).result.schedule.enabled


async def test_a_week_of_schedules_makes_images_in_their_windows_and_keeps_the_newest(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, estate):
        old, rack = await a_server(ground, OLD, "web-a"), await a_server(ground, RACK, "shop-web-1")
        await perform(ground, "server.backup_schedule", old, daily="H_0400_0600", weekly="SUNDAY")
        await perform(ground, "server.image_schedule", rack, keep=1, day="SATURDAY")
        for _ in range(16):
            await estate.clock.advance(86_400)
        made = [row for row in await images(ground, OLD) if row.server_id == old.id]
        assert {row.name for row in made} == {"daily", "weekly"}
        for row in made:
            assert row.created is not None and 4 <= row.created.hour < 6, row
        weekly = next(row for row in made if row.name == "weekly")
        assert weekly.created is not None and f"{weekly.created:%A}" == "Sunday"
        (kept,) = [row for row in await images(ground, RACK) if row.server_id == rack.id and row.scheduled]
        assert kept.created is not None and kept.name.startswith("weekly-shop-web-1-")
        assert f"{kept.created:%A}" == "Saturday"
        assert estate.clock.now() - kept.created < dt.timedelta(days=8)


async def images(ground: SmallGround, place: Place) -> list[Image]:
    return [row async for page in ground.dialect(place).images() for row in page]


async def test_only_an_image_of_a_schedule_can_be_kept_from_it(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, estate):
        rack = await a_server(ground, RACK, "shop-web-1")
        await perform(ground, "server.image_schedule", rack, keep=1)
        await estate.clock.advance(2 * 86_400)
        images = [row async for page in ground.dialect(RACK).images() for row in page]
        ground.store.apply(Listing(RACK, Image, images, ground.clock.monotonic(), True))
        with pytest.raises(ActionRefused, match="made by no schedule"):
            await perform(ground, "image.keep", next(row for row in images if not row.scheduled))
        await perform(ground, "image.keep", next(row for row in images if row.scheduled))


async def test_a_resize_that_its_class_forbids_is_refused_and_shown_a_way(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, estate):
        rack = await a_server(ground, RACK, "shop-web-1")
        flavors = [row async for page in ground.dialect(RACK).flavors() for row in page]
        ground.store.apply(Listing(RACK, Flavor, flavors, ground.clock.monotonic(), True))
        with pytest.raises(ActionRefused, match="its addresses"):
            await perform(ground, "server.resize", rack, flavor="general1-1")
        with pytest.raises(ActionRefused, match="another class"):
            await perform(ground, "server.resize", rack, flavor="performance2-15")
        await perform(ground, "server.resize", rack, flavor="general1-4")
        await moved(ground, estate, rack, to="VERIFY_RESIZE")
        old = await a_server(ground, OLD, "web-b")
        smaller = min(
            [row async for page in ground.dialect(OLD).flavors() for row in page],
            key=lambda row: (row.id == old.flavor_id, row.ram),
        )
        await perform(ground, "server.resize", old, flavor=smaller)
        await moved(ground, estate, old, to="VERIFY_RESIZE")


async def test_states_that_forbid_are_known_before_the_call(tmp_path: Path) -> None:
    async with all_three(tmp_path) as (ground, _):
        forum, cms = await a_server(ground, OLD, "forum"), await a_server(ground, OLD, "cms")
        assert "Not while SUSPENDED" in verdict(ground, "server.rebuild", forum)
        assert verdict(ground, "server.confirm", cms) == ""
        assert "Not while VERIFY_RESIZE" in verdict(ground, "server.reboot", cms)
        with pytest.raises(Conflict):
            await ground.dialect(OLD).reboot(cms.id)
        busy = await a_server(ground, OLD, "web-a")
        await ground.dialect(OLD).reboot(busy.id)
        busy = await a_server(ground, OLD, "web-a")
        assert busy.status == "REBOOT" and "rebooting" in verdict(ground, "server.snapshot", busy)


async def test_a_deletion_tells_that_images_go_along(tmp_path: Path) -> None:
    from console.actions.action import ACTIONS

    async with all_three(tmp_path) as (ground, _):
        rows = [row for row in ground.store.rows(Server).values() if row.dialect == "firstgen"]
        warns: Any = ACTIONS["server.delete"].warns
        assert warns(rows[:1]) == [
            f"All images of {rows[0].name} are deleted too: the first generation keeps none without its server."
        ]
        assert "8 of them" in warns(rows)[0]
        assert warns([row for row in ground.store.rows(Server).values() if row.dialect != "firstgen"]) == []


def test_when_a_schedule_runs_next() -> None:
    from console.model.schedule import Schedule

    noon = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)  # a Saturday
    for given, day, hour in (
        ({"daily": "H_1400_1600"}, 21, 14),
        ({"daily": "H_0400_0600"}, 22, 4),
        ({"weekly": "SATURDAY"}, 28, 0),
        ({"weekly": "SUNDAY"}, 22, 0),
        ({"daily": "any hour"}, 22, 0),
    ):
        due = Schedule(id="s", **given).next_run(noon)
        assert due == dt.datetime(2026, 11, day, hour, tzinfo=dt.UTC), given
    assert Schedule(id="s").next_run(noon) is None
    assert Schedule(id="s", daily="H_1400_1600", enabled=False).next_run(noon) is None
