"""Keys on the real app over the embedded cloud: pressed as a user would, and the cloud is asked what came of it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from screen_pilot import Deck, deck

from console.model.image import Image
from console.model.place import Place
from console.sim.records import Flavor
from console.tui.dialogs import Confirm
from console.tui.pickers import Pages, Palette, Pick


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Deck]:
    """28 servers in two clouds."""
    async with deck(tmp_path) as found:
        yield found


def audited(found: Deck, action: str) -> list[str]:
    """The events that the audit has of an action."""
    lines = found.console.paths.audit_file.read_text().splitlines()
    return [entry["event"] for entry in map(json.loads, lines) if entry["action"] == action]


def steady(found: Deck, cloud: int = 1) -> str:
    """The name of a server that runs, has its own disk and is not locked; of the cloud that is not production."""
    name = list(found.estate.clouds)[cloud]
    for row in found.rows.values():
        calm = row.status == "ACTIVE" and not row.task_state and not row.locked and not row.boots_from_volume
        if row.place.cloud == name and calm:
            return row.name
    raise AssertionError("no server runs")


async def ended(found: Deck, title: str) -> None:
    """Wait for the end of the operation of this title, which must be good."""
    operations = found.app.main.operations
    await found.until(lambda: any(o.title == title and not o.running for o in operations.all), f"{title} ends")
    (operation,) = [o for o in operations.all if o.title == title]
    assert not operation.failed, operation.message


async def cloud_says(found: Deck, name: str) -> str:
    """The server's status, asked from the cloud itself."""
    return (await found.console.servers.get(found.rows[name])).status


async def test_r_reboots(fleet: Deck) -> None:
    name = steady(fleet)
    await fleet.on(name)
    await fleet.keys("r")
    assert isinstance(await fleet.dialog(), Confirm)
    await fleet.keys("enter")
    await ended(fleet, "reboot")
    assert await cloud_says(fleet, name) == "ACTIVE"
    assert audited(fleet, "server.reboot") == ["asked", "accepted", "ended"]
    history = await fleet.console.dialect(fleet.rows[name].place).instance_actions(fleet.rows[name].id)
    assert "reboot" in [action["action"] for action in history]


async def test_R_starts_a_server_that_is_off(fleet: Deck) -> None:
    name = next(row.name for row in fleet.rows.values() if row.status == "SHUTOFF")
    await fleet.on(name)
    await fleet.keys("R")
    await fleet.dialog()
    await fleet.keys("enter")
    await ended(fleet, "hard reboot")
    assert await cloud_says(fleet, name) == "ACTIVE"


async def test_f_resizes_and_C_confirms(fleet: Deck) -> None:
    name = steady(fleet)
    await fleet.on(name)
    await fleet.keys("f")
    picker = await fleet.dialog()
    assert isinstance(picker, Pick)
    assert picker.chosen is not None
    assert any(not choice.fits for choice in picker.choices)
    wanted = picker.chosen.value.name
    await fleet.keys("enter")
    await ended(fleet, "resize")
    assert await cloud_says(fleet, name) == "VERIFY_RESIZE"
    await fleet.until(lambda: fleet.rows[name].status == "VERIFY_RESIZE", "the row shows it")
    await fleet.on(name)
    assert fleet.text().splitlines()[-1].lstrip().startswith("C confirm")
    await fleet.keys("C")
    await fleet.dialog()
    await fleet.keys("enter")
    await ended(fleet, "confirm resize")
    now = await fleet.console.servers.get(fleet.rows[name])
    assert now.status == "ACTIVE"
    assert now.flavor is not None
    assert now.flavor.name == wanted


async def test_V_reverts(fleet: Deck) -> None:
    name = steady(fleet)
    before = fleet.rows[name].flavor
    await fleet.on(name)
    await fleet.keys("f")
    await fleet.dialog()
    await fleet.keys("enter")
    await ended(fleet, "resize")
    await fleet.until(lambda: fleet.rows[name].status == "VERIFY_RESIZE", "the row shows it")
    await fleet.on(name)
    await fleet.keys("V")
    await fleet.dialog()
    await fleet.keys("enter")
    await ended(fleet, "revert resize")
    now = await fleet.console.servers.get(fleet.rows[name])
    assert (now.status, now.flavor) == ("ACTIVE", before)


async def test_i_makes_an_image(fleet: Deck) -> None:
    name = steady(fleet)
    await fleet.on(name)
    await fleet.keys("i")
    await fleet.dialog()
    await fleet.keys("ctrl+u", *"kept-one", "enter")
    await ended(fleet, fleet.app.main.operations.all[0].title)
    found = await fleet.console.images.list()
    (image,) = [image for image in found.rows if image.name == "kept-one"]
    assert (image.status, image.server_id) == ("active", fleet.rows[name].id)
    await fleet.until(
        lambda: any(row.name == "kept-one" for row in fleet.console.store.rows(Image).values()), "the image is listed"
    )


async def test_t_checks_a_guest_over_ssh(tmp_path: Path) -> None:
    async with deck(tmp_path, guests=1, servers=8, clouds=1, regions=1) as fleet:
        house = fleet.estate.guests
        ids = (
            {guest.server.id for guest in getattr(house, "guests", {}).values()} if hasattr(house, "guests") else set()
        )
        names = [row.name for row in fleet.rows.values() if row.id in ids] or [steady(fleet, 0)]
        await fleet.on(names[0])
        await fleet.keys("t")
        operations = fleet.app.main.operations
        await fleet.until(lambda: operations.all and not operations.all[0].running, "the check ends")
        report = next(iter(fleet.console.readiness.values())).report
        assert {rung.name for rung in report.rungs} >= {"address", "port"}
        await fleet.keys("enter", "tab")
        assert "Ready?" in fleet.text()


async def test_x_explains_and_sends_nothing(fleet: Deck) -> None:
    name = next(row.name for row in fleet.rows.values() if row.status == "ERROR")
    await fleet.on(name)
    await fleet.keys("x")
    assert isinstance(await fleet.dialog(), Pages)
    shown = fleet.text()
    assert f"Explain {name}" in shown and "fault" in shown and "step 1" in shown
    assert await cloud_says(fleet, name) == "ERROR"


async def test_what_only_reads_takes_no_row_of_the_table(fleet: Deck) -> None:
    await fleet.on(steady(fleet))
    heights = set()
    fleet.app.main.each_second.append(lambda: heights.add(fleet.app.main.pane.table.size.height))
    before = fleet.app.main.pane.table.size.height
    await fleet.keys("x")
    await fleet.until(lambda: isinstance(fleet.app.screen, Pages), "the page")
    fleet.app.main.tick()
    assert "Operations" not in fleet.text() and heights == {before}
    await fleet.keys("escape")
    assert fleet.app.main._refusal[0] == ""


async def test_D_deletes_in_production_only_when_the_name_is_typed(fleet: Deck) -> None:
    name = steady(fleet, 0)
    key = fleet.rows[name].key
    await fleet.on(name)
    await fleet.keys("D")
    dialog = await fleet.dialog()
    assert dialog.topic.edge == "production"
    await fleet.keys("enter")
    assert fleet.app.screen is dialog
    await fleet.keys(*name, "enter")
    await ended(fleet, "delete")
    await fleet.until(lambda: fleet.console.store.get(key) is None, "the row is gone")


async def test_D_outside_production_takes_enter_twice(fleet: Deck) -> None:
    name = steady(fleet)
    await fleet.on(name)
    await fleet.keys("D")
    dialog = await fleet.dialog()
    await fleet.keys("enter")
    assert fleet.app.screen is dialog
    await fleet.keys("enter")
    await ended(fleet, "delete")


async def test_D_offers_an_image_first_and_then_deletes_nothing(fleet: Deck) -> None:
    name = steady(fleet)
    await fleet.on(name)
    await fleet.keys("D")
    await fleet.until(lambda: "tab image it first" in fleet.text(), "the offer")
    await fleet.keys("tab")
    await fleet.until(lambda: f"Image {name}" in fleet.text(), "the question for the image's name")
    await fleet.keys("ctrl+u", *"before-the-end", "enter")
    await ended(fleet, "image")
    assert fleet.image("before-the-end").status == "active"
    assert fleet.has(name) and audited(fleet, "server.delete") == []


async def test_marked_servers_are_rebooted_together(fleet: Deck) -> None:
    place = Place(list(fleet.estate.clouds)[1], next(r.place.region for r in fleet.rows.values()
                                                     if r.place.cloud == list(fleet.estate.clouds)[1]))  # fmt: skip
    names = [r.name for r in fleet.rows.values() if r.place == place and r.status == "ACTIVE" and not r.task_state
             and not r.locked][:2]  # fmt: skip
    for name in names:
        await fleet.on(name)
        await fleet.keys("space")
    assert "2 marked" in fleet.text()
    await fleet.keys("r")
    dialog = await fleet.dialog()
    assert dialog.topic.title == "Reboot 2 servers"
    await fleet.keys("enter")
    operations = fleet.app.main.operations
    await fleet.until(lambda: len(operations.all) == 2 and not any(o.running for o in operations.all), "both end")
    assert not any(o.failed for o in operations.all)


async def test_a_refused_key_says_why_and_sends_nothing(fleet: Deck) -> None:
    name = next(row.name for row in fleet.rows.values() if row.status == "VERIFY_RESIZE")
    await fleet.on(name)
    await fleet.keys("f")
    assert "f resize: not while VERIFY_RESIZE. C confirms, V reverts." in fleet.text()
    assert not fleet.app.main.operations.all
    assert not fleet.console.paths.audit_file.exists()


async def test_esc_in_a_dialog_sends_nothing(fleet: Deck) -> None:
    await fleet.on(steady(fleet))
    for key in ("r", "f", "i", "D"):
        await fleet.keys(key)
        await fleet.dialog()
        await fleet.keys("escape")
        await fleet.until(lambda: fleet.app.screen is fleet.app.main, "the dialog closes")
    assert not fleet.app.main.operations.all


async def test_a_server_made_elsewhere_appears_and_vanishes_by_itself(fleet: Deck) -> None:
    name = steady(fleet)
    row = fleet.rows[name]
    dialect = fleet.console.dialect(row.place)
    image = row.image_id
    flavor = next(f for f in (await fleet.console.flavors.list()).rows if f.place == row.place and f.disk == 20)
    made = await dialect.create_server("made-1", image_id=image, flavor_id=flavor.id)
    await fleet.until(lambda: "made-1" in fleet.text(), "it appears")
    assert made.id is not None
    await dialect.delete_server(made.id)
    await fleet.until(lambda: "made-1" not in fleet.text(), "it vanishes")


async def test_n_builds_a_server(fleet: Deck) -> None:
    await fleet.on(steady(fleet))
    await fleet.keys("n")
    await fleet.dialog()
    await fleet.keys("enter")
    await fleet.until(lambda: "called" in fleet.text(), "the name is asked for")
    await fleet.keys(*"fresh-1", "enter")
    for noun in ("image", "flavor", "key pair"):
        await fleet.until(lambda noun=noun: f"{noun}:" in fleet.text(), f"the {noun} is asked for")  # type: ignore[misc]
        await fleet.keys("enter")
    await ended(fleet, "new server")
    assert await cloud_says(fleet, "fresh-1") == "ACTIVE"


async def test_a_row_tells_of_a_guest_that_shut_itself_down(fleet: Deck) -> None:
    inside = steady(fleet)
    fleet.estate.control.guest_shuts_down(fleet.rows[inside].id)
    await fleet.until(lambda: fleet.rows[inside].status == "SHUTOFF", "it is off")
    await fleet.on(inside)
    await fleet.until(lambda: "off from inside" in fleet.text(), "the row says why")
    await fleet.keys("enter")
    await fleet.until(lambda: "powered off from inside" in fleet.text(), "and so does its view")
    await fleet.keys("q")
    for verb in ("server.start", "server.stop"):
        row = await fleet.console.servers.get(fleet.rows[inside])
        await fleet.console.perform(verb, row, wait=True, timeout=30)
    await fleet.until(lambda: fleet.rows[inside].status == "SHUTOFF", "it is stopped")
    await fleet.pilot.pause(1.5)
    assert "from inside" not in fleet.text()


async def test_n_asks_for_a_volume_where_the_flavor_has_no_disk(tmp_path: Path) -> None:
    async with deck(tmp_path, clouds=1, regions=1, servers=6, speed=40.0) as fleet:
        ((_, place),) = fleet.estate.places
        place.nova.flavors["0"] = Flavor("0", "a0.diskless", 512, 1, 0)
        place.volume.quota.update(volumes=7, gigabytes=300)
        await fleet.console.flavors.list()
        await fleet.on(next(name for name, row in fleet.rows.items() if row.status == "ACTIVE"))
        await fleet.keys("n")
        await fleet.until(lambda: "called" in fleet.text(), "the name is asked for")
        await fleet.keys(*"vol-1", "enter")
        await fleet.until(lambda: "image:" in fleet.text(), "the image is asked for")
        await fleet.keys("enter")
        await fleet.until(lambda: "flavor:" in fleet.text(), "the flavor is asked for")
        await fleet.keys("slash", *"diskless", "enter", "enter")
        await fleet.until(lambda: "key pair:" in fleet.text(), "the key pair is asked for")
        await fleet.keys("enter")
        await fleet.until(lambda: "boot from a new volume" in fleet.text(), "the volume's size is asked for")
        assert "The quota leaves 7 volumes and 300 GB of them." in fleet.text()
        await fleet.keys("ctrl+u", *"12", "enter")
        await ended(fleet, "new server")
        row = fleet.rows["vol-1"]
        assert row.boots_from_volume and [volume.size for volume in place.cinder.volumes.values()] == [12]


async def test_filter_narrows_and_esc_clears(fleet: Deck) -> None:
    await fleet.keys("slash", *"status:error", "enter")
    shown = fleet.app.main.pane.table.index
    assert {shown.rows[key].status for key in shown.order} == {"ERROR"}  # type: ignore[attr-defined]
    await fleet.keys("escape")
    assert len(shown.order) == len(fleet.rows)


async def test_detail_shows_log_history_and_record(fleet: Deck) -> None:
    name = steady(fleet)
    await fleet.on(name)
    await fleet.keys("enter")
    assert "What it is" in fleet.text()
    await fleet.keys("l")
    await fleet.until(lambda: fleet.app.main.detail.logs and "login" in fleet.text().lower(), "the log is read")
    await fleet.keys("h")
    await fleet.until(lambda: "create" in fleet.text() and "req-" in fleet.text(), "the history is read")
    await fleet.until(lambda: "seen" in fleet.text(), "what we saw stands beside what the cloud recorded")
    await fleet.keys("y")
    assert '"id":' in fleet.text()
    await fleet.keys("escape")
    assert "Servers" in fleet.text()


async def test_help_and_palette_come_from_the_declarations(fleet: Deck) -> None:
    await fleet.keys("question_mark")
    assert isinstance(await fleet.dialog(), Pages)
    assert "hard reboot" in fleet.text()
    await fleet.keys("escape", "colon")
    palette = await fleet.dialog()
    assert isinstance(palette, Palette)
    await fleet.keys(*"flavors", "enter")
    await fleet.until(lambda: fleet.app.main.active == "flavors", "the pane is chosen")
