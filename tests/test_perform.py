"""The gate, over the embedded cloud: what is refused is never sent, what is sent is written down, ends are true."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from small_ground import SmallGround, ground_on

from console.actions.action import ACTIONS, Outcome, Step, perform, refusal, verdict
from console.actions.audit import Audit
from console.core.health import Health
from console.errors import (
    ActionFailed,
    ActionRefused,
    AmbiguousName,
    AuditError,
    CloudError,
    Conflict,
    ConsoleError,
    NotFound,
    WaitTimeout,
)
from console.model.image import Image
from console.model.place import Place
from console.model.server import Server
from console.sim.estate import Estate

SPEED = 30.0


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    """A small embedded estate that lives fast."""
    async with Estate(servers=16, clouds=1, regions=1, guests=2, speed=SPEED) as estate:
        yield estate


@pytest.fixture
async def ground(estate: Estate, tmp_path: Path) -> AsyncIterator[SmallGround]:
    """The member's ground over it."""
    file = estate.write_clouds_yaml(tmp_path)
    name = next(iter(estate.clouds))
    async with ground_on(file, tmp_path / "state", name) as ground:
        await ground.refresh(ground.places[0])
        yield ground


def place(ground: SmallGround) -> Place:
    return ground.places[0]


def some(ground: SmallGround, status: str = "ACTIVE", **more: Any) -> Server:
    """A server at rest in this status."""
    for row in ground.store.rows(Server).values():
        fits = all(getattr(row, name) == value for name, value in more.items())
        if row.status == status and not row.task_state and not row.locked and fits:
            return row
    raise AssertionError(f"no server is {status}: {[row.status for row in ground.store.rows(Server).values()]}")


async def gone(ground: SmallGround, id: str) -> None:
    """It is deleted: for a moment the cloud may still tell of it, and then no more."""
    with pytest.raises(NotFound):
        async with asyncio.timeout(20):
            while True:
                assert (await ground.dialect(place(ground)).server(id)).status == "DELETED"


async def test_create_to_delete_by_the_gate_alone(ground: SmallGround) -> None:
    steps: list[Step] = []
    where = place(ground)
    flavors = [row async for page in ground.dialect(where).flavors() for row in page]
    flavors.sort(key=lambda flavor: flavor.ram or 0)
    image = await small_image(ground)
    networks = await network_ids(ground)
    big, bigger, biggest = [flavor for flavor in flavors if "impossible" not in flavor.name][-3:]
    made = await perform(
        ground, "server.create", where, name="new-1", image=image.name, flavor=big.name, network=networks[:1],
        wait=True, timeout=60, progress=steps.append,
    )  # fmt: skip
    assert made.row.status == "ACTIVE"
    assert made.id == made.row.id
    assert made.admin_pass is not None and made.admin_pass.reveal() not in ground.audit.path.read_text()
    assert [step.phase for step in steps][:2] == ["asked", "accepted"] and steps[-1].phase == "ended"

    async def do(action: str, /, **given: Any) -> Outcome:
        row = await ground.dialect(where).server(made.id)
        outcome = await perform(ground, action, row, wait=True, timeout=60, **given)
        assert outcome.ok and outcome.request_id.startswith("req-")
        return outcome

    assert (await do("server.reboot")).row.status == "ACTIVE"
    assert (await do("server.hard_reboot")).row.status == "ACTIVE"
    assert (await do("server.resize", flavor=bigger.id)).row.status == "VERIFY_RESIZE"
    assert (await do("server.confirm")).row.status == "ACTIVE"
    assert (await do("server.resize", flavor=biggest)).row.status == "VERIFY_RESIZE"
    reverted = (await do("server.revert")).row
    assert reverted.status == "ACTIVE" and reverted.flavor.name == bigger.name
    taken = await do("server.snapshot", name="{name} of {time}", metadata="purpose=test")
    image_made = await ground.dialect(where).image(taken.id)
    assert image_made.status == "active" and image_made.name.startswith("new-1 of 20")
    assert (await do("server.delete")).ok
    await gone(ground, made.id)
    assert set(ground.events()) == {"asked", "accepted", "ended"}
    assert ground.woken


async def test_a_row_is_where_its_order_has_ended_before_any_list_tells_of_it(ground: SmallGround) -> None:
    row, where = some(ground), place(ground)
    flavors = [row async for page in ground.dialect(where).flavors() for row in page]
    bigger = min((one for one in flavors if (one.ram or 0) > row.flavor.ram), key=lambda one: one.ram or 0)  # type: ignore[union-attr,operator]
    known = ground.store.rows(Server)
    await perform(ground, "server.resize", known[row.key], flavor=bigger, wait=True, timeout=60)
    assert (known[row.key].status, known[row.key].task_state) == ("VERIFY_RESIZE", None)
    await perform(ground, "server.revert", known[row.key], wait=True, timeout=60)
    assert (known[row.key].status, known[row.key].task_state) == ("ACTIVE", None)
    await perform(ground, "server.delete", known[row.key], wait=True, timeout=60)
    assert row.key not in known


async def test_a_resize_that_falls_back_is_a_failure(ground: SmallGround) -> None:
    flavors = [flavor async for page in ground.dialect(place(ground)).flavors() for flavor in page]
    impossible = next(flavor for flavor in flavors if "impossible" in flavor.name)
    made = await perform(
        ground, "server.create", name="tiny", image=await small_image(ground), network="private", flavor="m1.tiny",
        wait=True, timeout=60,
    )  # fmt: skip
    row = made.row
    with pytest.raises(ActionFailed, match="came to nothing: it is ACTIVE") as caught:
        await perform(ground, "server.resize", row, flavor=impossible, wait=True, timeout=60)
    assert "req-" in caught.value.hint


async def small_image(ground: SmallGround) -> Image:
    """The image that asks the least."""
    images = [row async for page in ground.dialect(place(ground)).images() for row in page if row.status == "active"]
    return min(images, key=lambda image: (image.min_disk or 0, image.min_ram or 0))


async def network_ids(ground: SmallGround) -> list[str]:
    """The networks that there are."""
    dialect: Any = ground.dialect(place(ground))
    return [network["id"] for network in await dialect.neutron.networks() if not network.get("router:external")]


async def test_what_the_state_forbids_is_not_sent(ground: SmallGround) -> None:
    row = some(ground, "SHUTOFF")
    with pytest.raises(ActionRefused, match="Not while SHUTOFF") as caught:
        await perform(ground, "server.reboot", row)
    assert "R boots it" in caught.value.hint
    assert ground.events() == []
    assert verdict(ground, "server.reboot", row).startswith("Not while SHUTOFF.")
    found = refusal(ground, "server.reboot", row)
    assert found is not None and found.way_out


async def test_what_the_cloud_refuses_after_all_is_written_down(ground: SmallGround) -> None:
    row = some(ground)
    await ground.dialect(place(ground)).delete_server(row.id)
    while True:
        try:
            await ground.dialect(place(ground)).server(row.id)
        except NotFound:
            break
    with pytest.raises(NotFound):
        await perform(ground, "server.reboot", row)
    asked, failed = ground.audit.lines()
    assert (asked["event"], failed["event"]) == ("asked", "failed")
    assert asked["order"] == failed["order"]
    assert failed["error"] == "NotFound"
    assert failed["request_id"].startswith("req-")
    assert failed["target"] == {"kind": "server", "id": row.id, "name": row.name}


@pytest.mark.parametrize("how", ["run", "settings", "environment"])
async def test_read_only(ground: SmallGround, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = some(ground)
    if how == "run":
        ground.read_only = True
    elif how == "settings":
        ground.settings.clouds[place(ground).cloud] = SimpleNamespace(read_only=True)
    else:
        monkeypatch.setenv("NOVADECK_READ_ONLY", "1")
    for name, action in ACTIONS.items():
        offered = action.needs in ground.dialect(place(ground)).verbs or not action.needs
        if action.on is Server and not action.creates and offered:
            assert ("read" in verdict(ground, name, row).lower()) == (not action.reads), name
    with pytest.raises(ActionRefused, match=r"(?i)read.only"):
        await perform(ground, "server.reboot", row)
    with pytest.raises(ActionRefused, match=r"(?i)read.only"):
        await perform(ground, "server.create", place(ground), name="x", image="y", flavor="z")
    assert ground.events() == []
    assert (await ground.dialect(place(ground)).server(row.id)).status == "ACTIVE"


async def test_a_lane_that_is_down_takes_no_orders(ground: SmallGround) -> None:
    row = some(ground)
    ground.store.set_health(place(ground), Health(state="down", reason="connection refused"))
    assert "connection refused" in verdict(ground, "server.reboot", row)
    with pytest.raises(ActionRefused, match="connection refused"):
        await perform(ground, "server.reboot", row)
    await ground.dialects.pop(row.place).close()
    assert "nothing there" in verdict(ground, "server.reboot", row)


async def test_without_an_audit_nothing_is_sent(ground: SmallGround, tmp_path: Path) -> None:
    row = some(ground)
    (tmp_path / "file").touch()
    ground.audit = Audit(tmp_path / "file" / "audit.ndjson")
    with pytest.raises(AuditError, match="Nothing was sent"):
        await perform(ground, "server.hard_reboot", row)
    assert (await ground.dialect(place(ground)).server(row.id)).status == "ACTIVE"


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"flavor": "no-such"}, NotFound, "no flavor 'no-such'"),
        ({}, ActionRefused, "flavor is missing"),
        ({"flavor": ""}, ActionRefused, "flavor is missing"),
        ({"flavor": "m1", "colour": "red"}, ActionRefused, "'colour' is not asked for"),
    ],
)
async def test_bad_values_for_a_resize(
    ground: SmallGround, given: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await perform(ground, "server.resize", some(ground), **given)
    assert ground.events() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "x" * 256}, "256 characters"),
        ({"name": " x"}, "spaces at an end"),
        ({"name": "x\x1b[2J"}, "cannot be seen"),
        ({"name": "x", "metadata": "novalue"}, "no key=value"),
        ({"name": "x", "metadata": {"ö": "1"}}, "metadata key"),
        ({"name": "x", "metadata": {"k": "v" * 256}}, "256 characters"),
    ],
)
async def test_bad_values_for_an_image(ground: SmallGround, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ActionRefused, match=words) as caught:
        await perform(ground, "server.snapshot", some(ground), **given)
    assert "\x1b" not in str(caught.value)
    assert ground.events() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"network": "nowhere"}, "no network 'nowhere'. There are"),
        ({"key_name": "nobody"}, "no key pair 'nobody'. There are demo."),
        ({"image": "no-such"}, "no image 'no-such'"),
    ],
)
async def test_names_that_nobody_has(ground: SmallGround, given: dict[str, str], words: str) -> None:
    rest = {"name": "x", "image": (await small_image(ground)).id, "flavor": "2 GB Standard Instance"}
    with pytest.raises(NotFound, match=words):
        await perform(ground, "server.create", place(ground), **{**rest, **given})
    assert ground.events() == []


async def test_a_name_that_fits_two_images(ground: SmallGround) -> None:
    where = place(ground)
    for _ in range(2):
        await perform(ground, "server.snapshot", some(ground), name="twice", wait=True, timeout=60)
        await ground.refresh(where)
    with pytest.raises(AmbiguousName) as caught:
        await perform(ground, "server.create", where, name="x", image="twice", flavor="1")
    assert len(caught.value.candidates) == 2


async def test_a_dry_run_sends_and_writes_nothing(ground: SmallGround) -> None:
    row = some(ground)
    flavors = [row async for page in ground.dialect(place(ground)).flavors() for row in page]
    wanted = max((one for one in flavors if "impossible" not in one.name), key=lambda one: one.disk or 0)
    outcome = await perform(ground, "server.resize", row, flavor=wanted.id, dry_run=True)
    plan = f"resize {row.name} ({row.id}) at {place(ground)}: flavor={wanted.name} ({wanted.id})"
    assert outcome.plan.startswith(plan)
    assert "vcpu 1 > " in outcome.plan and "the quota then leaves" in outcome.plan
    smaller = min(flavors, key=lambda one: one.disk or 0)
    with pytest.raises(ActionRefused, match="the disk would shrink from"):
        await perform(ground, "server.resize", row, flavor=smaller)
    assert ground.events() == []
    assert (await ground.dialect(place(ground)).server(row.id)).status == "ACTIVE"


async def test_neither_a_dry_run_nor_the_audit_shows_what_is_secret(ground: SmallGround) -> None:
    given = {"name": "web", "image": await small_image(ground), "flavor": "2 GB Standard Instance"}
    given |= {"network": "private", "file": {"/etc/key": "s3cret"}, "password": "s3cret"}
    given |= {"metadata": {"role": "web", "db_password": "s3cret"}}
    outcome = await perform(ground, "server.create", place(ground), dry_run=True, **given)
    assert "file=/etc/key=6 bytes" in outcome.plan and "metadata=role=web" in outcome.plan, outcome.plan
    assert "s3cret" not in outcome.plan
    await perform(ground, "server.metadata", some(ground), metadata=given["metadata"])
    line = next(line for line in ground.audit.lines() if line["event"] == "asked")
    assert line["given"]["metadata"] == {"role": "web", "db_password": "••••"}
    assert "s3cret" not in ground.audit.path.read_text()


async def test_many_rows_and_one_that_fails_hides_no_other(ground: SmallGround) -> None:
    good = [row for row in ground.store.rows(Server).values() if row.status == "ACTIVE" and not verdict_of(ground, row)]
    off = some(ground, "SHUTOFF")
    ghost = dataclass_like(good[0], id="00000000-0000-0000-0000-000000000000", name="ghost")
    outcomes = await perform(ground, "server.hard_reboot", [*good, ghost, off], wait=True, timeout=60, at_once=3)
    assert [outcome.name for outcome in outcomes] == [*(row.name for row in good), "ghost", off.name]
    bad = [outcome for outcome in outcomes if not outcome.ok]
    assert [outcome.name for outcome in bad] == ["ghost"]
    assert isinstance(bad[0].error, NotFound)
    assert ground.events().count("asked") == len(outcomes)
    assert ground.events().count("ended") == len(outcomes) - 1
    assert all(json.loads(line) for line in ground.audit.path.read_text().splitlines())


def verdict_of(ground: SmallGround, row: Server) -> str:
    return verdict(ground, "server.hard_reboot", row)


def dataclass_like(row: Server, **changes: Any) -> Server:
    import msgspec

    return msgspec.structs.replace(row, **changes, key=msgspec.structs.replace(row.key, id=changes["id"]))


async def test_two_hundred_marked_and_ten_requests_that_fail(tmp_path: Path) -> None:
    async with Estate(servers=240, clouds=1, regions=1, guests=0, speed=SPEED) as estate:
        file = estate.write_clouds_yaml(tmp_path)
        async with ground_on(file, tmp_path / "state", next(iter(estate.clouds))) as ground:
            await ground.refresh(place(ground))
            rows = [row for row in ground.store.rows(Server).values() if row.status == "ACTIVE" and not row.locked]
            rows = [row for row in rows if not row.task_state][:200]
            estate.control.trouble.add("status", status=500, method="POST", path="/action", times=10)
            outcomes = await perform(ground, "server.reboot", rows)
    assert len(outcomes) == len(rows) == 200
    assert [outcome.name for outcome in outcomes] == [row.name for row in rows]
    assert sum(not outcome.ok for outcome in outcomes) == 10
    lines = [json.loads(line) for line in ground.audit.path.read_text().splitlines()]
    assert len(lines) == 400
    assert [line["event"] for line in lines].count("accepted") == 190
    assert len({line["order"] for line in lines}) == 200


async def test_an_image_is_deleted(ground: SmallGround) -> None:
    where = place(ground)
    taken = await perform(ground, "server.snapshot", some(ground), name="golden", wait=True, timeout=60)
    image = await ground.dialect(where).image(taken.id)
    assert (await perform(ground, "image.delete", image)).ok
    with pytest.raises(NotFound):
        await ground.dialect(where).image(taken.id)


VERBS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("server.stop", "SHUTOFF", {}),
    ("server.start", "ACTIVE", {}),
    ("server.pause", "PAUSED", {}),
    ("server.unpause", "ACTIVE", {}),
    ("server.suspend", "SUSPENDED", {}),
    ("server.resume", "ACTIVE", {}),
    ("server.rescue", "RESCUE", {}),
    ("server.unrescue", "ACTIVE", {}),
    ("server.shelve", "SHELVED_OFFLOADED", {}),
    ("server.unshelve", "ACTIVE", {}),
    ("server.lock", None, {"reason": "payday"}),
    ("server.unlock", None, {}),
    ("server.set", None, {"name": "renamed", "description": "for a test"}),
    ("server.metadata", None, {"metadata": ["role=web", "tier=1"]}),
    ("server.metadata", None, {"remove": ["tier"]}),
    ("server.tags", None, {"tag": ["one", "two"]}),
    ("server.backup", "ACTIVE", {"name": "{name}-daily", "rotation": 2}),
    ("server.rebuild", "ACTIVE", {"image": "debian-12"}),
    ("server.password", "ACTIVE", {"password": "N0t-a-secret"}),
    ("server.force_delete", None, {}),
]


async def test_every_verb_to_its_end(ground: SmallGround) -> None:
    where = place(ground)
    made = await perform(
        ground, "server.create", where, name="all-verbs", image="debian-12", flavor="2 GB Standard Instance",
        network="private", wait=True, timeout=60,
    )  # fmt: skip
    for name, status, given in VERBS:
        row = await ground.dialect(where).server(made.id)
        outcome = await perform(ground, name, row, wait=True, timeout=60, **given)
        assert outcome.ok, name
        assert status is None or outcome.row.status == status, name
        if name == "server.lock":
            locked = await ground.dialect(where).server(made.id)
            assert "payday" in verdict(ground, "server.reboot", locked)
        if name == "server.tags":
            changed = await ground.dialect(where).server(made.id)
            given_to_it = {key: value for key, value in changed.metadata.items() if key != "lab_ssh_at"}
            assert given_to_it == {"role": "web", "novadeck_order": made.order}
            assert (changed.name, changed.tags) == ("renamed", ["one", "two"])
        if name == "server.rescue":
            assert outcome.admin_pass is not None
    assert "N0t-a-secret" not in ground.audit.path.read_text()
    await gone(ground, made.id)


async def test_a_clone_is_told_by_its_own_name_and_refused_before_its_image_is_made(
    ground: SmallGround, estate: Estate
) -> None:
    row = some(ground)
    flavor = next(one for one in [r async for p in ground.dialect(place(ground)).flavors() for r in p] if one.disk == 1)
    for given, told in (
        ({"flavor": flavor}, f"the image of {row.name} wants .* GB of disk, and {flavor.name} has 1"),
        ({"key_name": "nobody"}, "There is no key pair 'nobody'"),
        ({"metadata": {"k/": "v"}}, "metadata key"),
    ):
        with pytest.raises(ConsoleError, match=told):
            await perform(ground, "server.clone", row, name="second", **given)
    ((_, region),) = estate.places
    quota = region.nova.quota
    before, quota["instances"] = quota["instances"], 1
    with pytest.raises(ActionRefused, match="1 more servers, and the quota leaves 0"):
        await perform(ground, "server.clone", row, name="second")
    assert ground.events() == []
    quota["instances"] = before
    steps: list[Step] = []
    made = await perform(ground, "server.clone", row, name="second", wait=True, timeout=60, progress=steps.append)
    assert (made.name, made.row.name, made.row.status) == ("second", "second", "ACTIVE")
    assert {step.name for step in steps if step.text.startswith("BUILD")} == {"second"}


async def test_only_an_administrator_resets_a_state(ground: SmallGround, estate: Estate, tmp_path: Path) -> None:
    row = some(ground)
    with pytest.raises(ActionRefused, match="Only an administrator"):
        await perform(ground, "server.reset_state", row)
    name = next(name for name in json_names(tmp_path) if name.endswith("-admin"))
    async with ground_on(tmp_path / "clouds.yaml", tmp_path / "admin", name) as admin:
        here = await admin.dialect(admin.places[0]).server(row.id)
        assert (await perform(admin, "server.reset_state", here, state="error")).ok
        assert (await admin.dialect(admin.places[0]).server(row.id)).status == "ERROR"
        assert (await perform(admin, "server.reset_state", here)).ok
        assert (await admin.dialect(admin.places[0]).server(row.id)).status == "ACTIVE"


def json_names(folder: Path) -> list[str]:
    """The entries of the clouds.yaml in this folder."""
    return list(yaml.safe_load((folder / "clouds.yaml").read_text())["clouds"])


async def test_a_key_pair_is_made_here(ground: SmallGround, tmp_path: Path) -> None:
    where = place(ground)
    file = tmp_path / "new-key"
    await perform(ground, "keypair.create", where, name="mine", private_key=str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ActionRefused, match="exists already"):
        await perform(ground, "keypair.create", where, name="another", private_key=str(file))
    second = tmp_path / "second"
    with pytest.raises(Conflict):
        await perform(ground, "keypair.create", where, name="mine", private_key=str(second))
    assert file.exists() and not second.exists()
    with pytest.raises(ActionRefused, match="holds a private key"):
        await perform(ground, "keypair.create", where, name="another", public_key=str(file))
    with pytest.raises(ActionRefused, match="cannot be read"):
        await perform(ground, "keypair.create", where, name="another", public_key=str(tmp_path / "missing"))
    pairs = {row.name: row async for page in ground.dialect(where).keypairs() for row in page}
    assert (await perform(ground, "keypair.delete", pairs["mine"])).ok
    assert "mine" not in {row.name async for page in ground.dialect(where).keypairs() for row in page}


async def test_a_private_key_stays_where_the_cloud_may_have_the_other_half(
    estate: Estate, ground: SmallGround, tmp_path: Path
) -> None:
    for does, stays in (("cut", True), ("status", False)):
        rule = estate.control.trouble.add(does, status=403, method="POST", path="/os-keypairs")
        file = tmp_path / does
        with pytest.raises(CloudError) as caught:
            await perform(ground, "keypair.create", place(ground), name=does, private_key=str(file))
        estate.control.trouble.clear(rule)
        pairs = [row.name async for page in ground.dialect(place(ground)).keypairs() for row in page]
        assert (file.exists(), does in pairs) == (stays, stays)
        assert (f"stays in {file}" in str(caught.value)) == stays


async def test_a_race_is_told_as_a_conflict(ground: SmallGround) -> None:
    row = some(ground)
    await ground.dialect(place(ground)).reboot(row.id)
    with pytest.raises(Conflict):
        await perform(ground, "server.stop", row)
    assert ground.events() == ["asked", "failed"]


async def test_a_confirm_that_came_too_late_is_no_error(ground: SmallGround) -> None:
    where = place(ground)
    row = some(ground, "VERIFY_RESIZE")
    dialect = ground.dialect(where)
    await dialect.confirm_resize(row.id)
    while (await dialect.server(row.id)).status == "VERIFY_RESIZE":
        await ground.clock.sleep(0.02)
    outcome = await perform(ground, "server.confirm", row, wait=True, timeout=30)
    assert outcome.ok and outcome.row.status == "ACTIVE"


async def test_a_build_that_fails_tells_the_clouds_reason(estate: Estate, ground: SmallGround) -> None:
    where = place(ground)
    flavors = [row async for page in ground.dialect(where).flavors() for row in page]
    impossible = next(row for row in flavors if "impossible" in row.name)
    image = await small_image(ground)
    with pytest.raises(ActionFailed, match="No valid host was found"):
        await perform(
            ground, "server.create", where, name="doomed", image=image, flavor=impossible, wait=True, timeout=60,
            network=(await network_ids(ground))[:1],
        )  # fmt: skip
    assert ground.audit.lines()[-1]["ok"] is False


async def test_a_server_that_never_leaves_build(estate: Estate, ground: SmallGround) -> None:
    estate.control.trouble.add("build_hang")
    where = place(ground)
    image = await small_image(ground)
    with pytest.raises(WaitTimeout) as caught:
        await perform(
            ground, "server.create", where, name="stuck", image=image, flavor="2 GB Standard Instance",
            network="private", wait=True, timeout=1.2,
        )  # fmt: skip
    assert caught.value.last.startswith("BUILD")


async def test_an_image_service_that_is_away_for_a_while_ends_no_wait(estate: Estate, ground: SmallGround) -> None:
    rule = estate.control.trouble.add("status", status=500, service="image", method="GET", path="/images/", times=2)
    outcome = await perform(ground, "server.snapshot", some(ground), name="kept", wait=True, timeout=60)
    assert rule.met == 2
    assert (await ground.dialect(place(ground)).image(outcome.id)).status == "active"


async def test_a_cloud_that_never_answers_keeps_nobody_beyond_the_deadline(estate: Estate, ground: SmallGround) -> None:
    row, clock = some(ground), ground.clock
    estate.control.trouble.add("hang", method="GET", path=f"/servers/{row.id}")
    began = clock.monotonic()
    with pytest.raises(WaitTimeout, match="nothing was heard"):
        await perform(ground, "server.reboot", row, wait=True, timeout=0.5)
    assert clock.monotonic() - began < 5


async def test_a_lost_reply_is_written_down_as_failed(estate: Estate, ground: SmallGround) -> None:
    estate.control.trouble.add("reset", method="POST", path="/action")
    with pytest.raises(CloudError):
        await perform(ground, "server.reboot", some(ground))
    assert ground.events() == ["asked", "failed"]


async def test_check_a_guest_of_the_embedded_cloud(estate: Estate, ground: SmallGround, tmp_path: Path) -> None:
    guests = [row for row in ground.store.rows(Server).values() if row.status == "ACTIVE"]
    key = tmp_path / "key"
    estate.key.write_private_key(key)
    key.chmod(0o600)
    ready: list[Any] = []
    async with asyncio.timeout(60):
        while not ready:  # the guests come up by and by, and where they listen stands in their records once they do
            rows = [await ground.dialect(row.place).server(row.id) for row in guests]
            told = [await perform(ground, "server.check", row, identity=str(key), deadline=5) for row in rows]
            ready = [done.result for done in told if done.result.ready]
    assert {report.host_key.grade for report in ready} == {"console"}


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_wait_for_a_guest_ends_where_its_cloud_refuses_for_good(
    estate: Estate, ground: SmallGround, status: int
) -> None:
    row = some(ground)
    away = estate.control.trouble.add("status", status=500, method="GET", path=f"/servers/{row.id}", times=2)
    rule = estate.control.trouble.add("status", status=status, method="GET", path=f"/servers/{row.id}")
    with pytest.raises(CloudError) as caught:
        await perform(ground, "server.check", row, until_ready=True, deadline=20)
    assert caught.value.status == status and away.met == 2 and rule.met <= 4  # each meets both


async def test_a_later_check_expects_the_new_key_of_our_own_rebuild_and_no_other(
    estate: Estate, ground: SmallGround, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    estate.key.write_private_key(key)
    key.chmod(0o600)

    async def checked(row: Server, **how: Any) -> Any:
        rule = estate.control.trouble.add("status", status=403, method="POST", path=f"{row.id}/action")  # no console
        try:
            return (await perform(ground, "server.check", row, identity=str(key), deadline=5, **how)).result
        finally:
            estate.control.trouble.clear(rule)

    async with asyncio.timeout(60):
        guest: Server | None = None
        while guest is None:
            for row in [one for one in ground.store.rows(Server).values() if one.status == "ACTIVE"]:
                guest = row if (await checked(row)).ready else guest
        image = await ground.dialect(guest.place).image(guest.image_id or "")
        await perform(ground, "server.rebuild", guest, image=image, wait=True)
        rebuilt = await checked(guest, until_ready=True)
        assert rebuilt.ready and rebuilt.host_key.grade == "first-use", rebuilt
        assert "new since our rebuild" in rebuilt.host_key.text
        await perform(ground, "server.rebuild", guest, image=image, wait=True)
        (tmp_path / "state" / "known_hosts").write_text(f"{guest.id} ssh-ed25519 AAAA first-use\n")  # as before others'
        assert (await checked(guest, until_ready=True)).host_key.grade == "changed"


async def test_a_key_of_before_our_rebuild_that_we_never_met_is_told_from_the_new_one(
    estate: Estate, ground: SmallGround, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    estate.key.write_private_key(key)
    key.chmod(0o600)
    way = {"identity": str(key)}
    guest: Server | None = None
    async with asyncio.timeout(90):
        while guest is None:
            for row in [one for one in ground.store.rows(Server).values() if one.status == "ACTIVE"]:
                report = (await perform(ground, "server.check", row, **way, deadline=5)).result
                guest = row if report.ready and report.host_key.grade == "console" else guest
        (tmp_path / "state" / "known_hosts").unlink()
        estate.guests.guests[guest.id].server.metadata["lab_console_delay"] = str(3 * SPEED)
        image = await ground.dialect(guest.place).image(guest.image_id or "")
        await perform(ground, "server.rebuild", guest, image=image, wait=True)
        rebuilt = (await perform(ground, "server.check", guest, **way, until_ready=True, deadline=30)).result
        assert rebuilt.ready and rebuilt.host_key.grade == "console", rebuilt


def test_the_declarations_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ACTIONS["server.reboot"].title = "x"  # type: ignore[misc]
