"""Every action that a person can begin, begun on the real app: by its key where it has one, else from the palette.

Each is answered as its dialogs ask, and then the cloud itself is looked at, past the console: what an action promises
is what is there, and what only reads leaves all as it was. An action without a proof fails here.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from screen_pilot import Deck, alive, deck

from console.actions.action import ACTIONS, Action
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.runbooks.schedule_book import book_in
from console.sim.estate import Estate
from console.sim.rackspace_schedule import MARK, ImageSchedule
from console.tui.pickers import Pages

Holds = Callable[[Deck], object]
VIP, FLOATING, SHARED = "127.88.0.250", "127.90.0.10", "127.67.0.2"
PLAIN: dict[str, Any] = {"clouds": 1, "regions": 1, "speed": 0, "size": (120, 44)}
ADMIN = PLAIN | {"entries": ("nimbus", "nimbus-admin"), "all_projects": True}
GUESTS = PLAIN | {"servers": 12, "guests": 24}
OLD = PLAIN | {"clouds": 0, "regions": 0, "servers": 8, "firstgen": True, "entries": ("legacy",)}
RACKSPACE = PLAIN | {"clouds": 0, "regions": 0, "servers": 8, "rackspace": True, "entries": ("rackspace",)}
PANES = {Image: "images", KeyPair: "keypairs", IpGroup: "ipgroups"}


class Proof(NamedTuple):
    """The row under the cursor, what the cloud holds afterwards, and what is told on the way."""

    on: str
    holds: Holds
    told: Mapping[str, str] = {}
    knobs: Mapping[str, Any] = PLAIN
    prepare: Callable[[Estate], object] = lambda estate: None


def state(name: str, vm_state: str) -> Holds:
    """The server is in this state of Nova's, and rests."""

    def holds(found: Deck) -> bool:
        return found.has(name) and (found.server(name).vm_state, found.server(name).task_state) == (vm_state, None)

    return holds


def asked(name: str, action: str) -> Holds:
    """The cloud's own record of the server ends with this order."""
    return lambda found: (
        (found.server(name).actions or [None])[-1]
        and (found.server(name).actions[-1].action == action and found.server(name).task_state is None)
    )


def gone(name: str) -> Holds:
    return lambda found: not found.has(name)


def flavor(name: str, *, larger: bool, vm_state: str) -> Holds:
    """The server is larger (or smaller) than the seed made it, and in this state."""
    small = {"web-1": 1024, "cache-a": 2048}[name]

    def holds(found: Deck) -> bool:
        server = found.server(name)
        right = server.flavor.ram > small if larger else server.flavor.ram < small
        return right and server.vm_state == vm_state and server.task_state is None

    return holds


def image(name: str, **properties: str) -> Holds:
    """There is an image of this name, it is active and has these properties."""

    def holds(found: Deck) -> bool:
        images = [one for place in found.places for one in place.glance.images.values() if one.name == name]
        return any(one.status == "active" and properties.items() <= one.properties.items() for one in images)

    return holds


def images(found: Deck) -> dict[str, Mapping[str, str]]:
    """Every image with its properties, whatever its state."""
    return {str(one.name): one.properties for place in found.places for one in place.glance.images.values()
            if one.status != "deleted"}  # fmt: skip


def of(name: str, fact: str, value: Any) -> Holds:
    return lambda found: found.has(name) and getattr(found.server(name), fact) == value


def says(*words: str) -> Holds:
    return lambda found: all(word in found.text() for word in words)


def message(*words: str) -> Holds:
    """The operation ended with these words."""
    return lambda found: (every := found.app.main.operations.all) and all(word in every[0].message for word in words)


def page(*words: str) -> Holds:
    """A page to read has these words."""
    return lambda found: isinstance(found.app.screen, Pages) and says(*words)(found)


def keypair(name: str) -> Holds:
    return lambda found: any(name == pair for place in found.places for _, pair in place.nova.keypairs)


def put(name: str, **states: Any) -> Callable[[Estate], object]:
    """Put a server into a state before anybody looks."""
    return lambda estate: estate.control.put(server(estate, name).id, **states)


def own_networks(estate: Estate) -> None:
    """Only an owner of a network lets further addresses in."""
    for _, place in estate.places:
        for port in place.neutron.ports.values():
            port.network.project_id = port.project_id or port.network.project_id


def let_in(estate: Estate) -> None:
    """web-1 answers to one more address."""
    own_networks(estate)
    server(estate, "web-1").ports[0].pairs = [{"ip_address": VIP}]


def share_nothing(estate: Estate) -> None:
    """The two of the first generation's group have an address each."""
    server(estate, "web-b").public.pop()


def scheduled(estate: Estate) -> None:
    """There is an image that the cloud's own schedule made."""
    _, place = estate.places[0]
    owner = server(estate, "shop-web-1")
    image = place.glance.add("daily-1", owner.project_id, visibility="private", properties=dict(MARK))
    image.properties["instance_uuid"] = owner.id


def server(estate: Estate, name: str) -> Any:
    return next(one for one in alive(estate) if one.name == name)


def rackspace_schedule(name: str, wanted: ImageSchedule | None) -> Holds:
    """The cloud has this schedule of its own for the server."""

    def holds(found: Deck) -> bool:
        place = next(place for place in found.places if found.server(name) in place.nova.alive())
        return bool(place.compute.schedules.of(found.server(name)) == wanted)

    return holds


def shares(name: str) -> Holds:
    return lambda found: SHARED in found.server(name).public


def groups(found: Deck) -> set[str]:
    """The shared IP groups of the first generation."""
    return {group.name for group in found.first.groups.values()}


def in_group(name: str) -> Holds:
    return lambda found: found.has(name) and found.server(name).group_id == found.server("web-a").group_id


def pairs(found: Deck) -> list[str]:
    """The further addresses that web-1 answers to."""
    return [pair["ip_address"] for port in found.server("web-1").ports for pair in port.pairs]


def floating(found: Deck, name: str) -> list[str]:
    return [one.address for port in found.server(name).ports for one in port.floating]


def planned(name: str) -> Holds:
    """novadeck's own book has a plan for the server."""
    return lambda found: any(plan.name == name for plan in book_in(found.console.paths.state).read().values())


SNAPSHOT = "web-3-before-upgrade"
PROOFS: dict[str, Proof] = {
    "server.create": Proof("web-1", state("fresh", "active"), {"name": "fresh"}),
    "server.delete": Proof("web-1", gone("web-1")),
    "server.reboot": Proof("web-1", asked("web-1", "reboot")),
    "server.hard_reboot": Proof("staging-api", state("staging-api", "active")),
    "server.resize": Proof("web-1", flavor("web-1", larger=True, vm_state="resized")),
    "server.confirm": Proof("cache-a", state("cache-a", "active")),
    "server.revert": Proof("cache-a", flavor("cache-a", larger=False, vm_state="active")),
    "server.snapshot": Proof("web-1", image("kept", image_type="snapshot"), {"image name": "kept"}),
    "server.rebuild": Proof("web-1", asked("web-1", "rebuild"), {"rebuild": "debian-13"}),
    "server.password": Proof("web-1", of("web-1", "admin_pass", "hunter22"), {"password": "hunter22"}),
    "server.backup": Proof("web-1", image("kept", backup_type="daily"), {"image name": "kept"}),
    "server.set": Proof("web-1", lambda found: found.has("web-one") and not found.has("web-1"), {"name": "web-one"}),
    "server.metadata": Proof(
        "web-1",
        lambda found: found.server("web-1").metadata == {"team": "red"},
        {"metadata": "team=red", "remove": "role"},
    ),
    "server.tags": Proof("web-1", lambda found: set(found.server("web-1").tags) == {"blue"}, {"tag": "blue"}),
    "server.reset_state": Proof("worker-04", state("worker-04", "active"), knobs=ADMIN),
    "server.force_delete": Proof("web-1", gone("web-1"), knobs=ADMIN),
    "server.remote_console": Proof("web-1", page("http://", "token")),
    "server.check": Proof("web-1", message("ready"), knobs=GUESTS),
    "server.clone": Proof("web-1", state("copy", "active"), {"new name": "copy"}),
    "server.history": Proof("web-1", page("History web-1", "create", "req-")),
    "server.explain": Proof("worker-04", page("Explain worker-04", "Timed out waiting for a reply")),
    "server.run": Proof("web-1", page("exit 0", "debian"), {"command": "cat /etc/os-release"}, GUESTS),
    "server.shell": Proof("web-1", says("S shell: this screen has no terminal to lend.", "ssh "), knobs=GUESTS),
    "server.hostkeys": Proof("web-1", page("There are none."), knobs=GUESTS),
    "image.delete": Proof(SNAPSHOT, lambda found: SNAPSHOT not in images(found)),
    "image.set": Proof(SNAPSHOT, lambda found: images(found)[SNAPSHOT].get("team") == "red", {"property": "team=red"}),
    "keypair.create": Proof("demo", keypair("mine"), {"name": "mine"}),
    "keypair.delete": Proof("demo", lambda found: not keypair("demo")(found)),
    "server.start": Proof("staging-api", state("staging-api", "active")),
    "server.stop": Proof("web-1", state("web-1", "stopped")),
    "server.pause": Proof("web-1", state("web-1", "paused")),
    "server.unpause": Proof("build-arm", state("build-arm", "active")),
    "server.suspend": Proof("web-1", state("web-1", "suspended")),
    "server.resume": Proof("batch-nightly", state("batch-nightly", "active")),
    "server.shelve": Proof("web-1", state("web-1", "shelved_offloaded")),
    "server.unshelve": Proof("old-shop", state("old-shop", "active")),
    "server.shelve_offload": Proof(
        "web-1", state("web-1", "shelved_offloaded"), knobs=ADMIN, prepare=put("web-1", vm_state="shelved")
    ),
    "server.rescue": Proof("web-1", state("web-1", "rescued")),
    "server.unrescue": Proof("broken-fs", state("broken-fs", "active")),
    "server.lock": Proof("web-1", of("web-1", "locked_reason", "payday"), {"reason": "payday"}),
    "server.unlock": Proof("bastion", of("bastion", "locked", False)),
    "server.migrate": Proof("web-1", state("web-1", "resized"), knobs=ADMIN),
    "server.live_migrate": Proof("web-1", asked("web-1", "live-migration"), knobs=ADMIN),
    "server.schedule": Proof("shop-web-1", page("Schedule shop-web-1", "7"), knobs=RACKSPACE),
    "server.backup_schedule": Proof(
        "web-a",
        lambda found: found.server("web-a").schedule.daily == "H_0200_0400",
        {"daily window": "H_0200"},
        OLD,
    ),
    "server.backup_schedule_off": Proof(
        "mysql-old", lambda found: not found.server("mysql-old").schedule.enabled, knobs=OLD
    ),
    "server.image_schedule": Proof("report", rackspace_schedule("report", ImageSchedule(3)), {"keep": "3"}, RACKSPACE),
    "server.image_schedule_off": Proof("report", rackspace_schedule("report", None), knobs=RACKSPACE),
    "image.keep": Proof(
        "daily-1", lambda found: not MARK.keys() & images(found)["daily-1"].keys(), knobs=RACKSPACE, prepare=scheduled
    ),
    "server.share_ip": Proof("web-b", shares("web-b"), {"address": SHARED}, OLD, share_nothing),
    "server.unshare_ip": Proof("web-b", lambda found: not shares("web-b")(found), {"address": SHARED}, OLD),
    "server.launch": Proof("web-a", in_group("fresh"), {"name": "fresh", "group": "web pair"}, OLD),
    "server.name_password": Proof(
        "ftp", of("files", "admin_pass", "hunter22"), {"name": "files", "password": "hunter22"}, OLD
    ),
    "ipgroup.create": Proof("web pair", lambda found: "pair two" in groups(found), {"name": "pair two"}, OLD),
    "ipgroup.delete": Proof(
        "web pair", lambda found: "web pair" not in groups(found), knobs=OLD, prepare=share_nothing
    ),
    "server.add_vip": Proof("web-1", lambda found: VIP in pairs(found), {"address": VIP}, prepare=own_networks),
    "server.remove_vip": Proof("web-1", lambda found: VIP not in pairs(found), {"address": VIP}, prepare=let_in),
    "server.move_ip": Proof("web-2", lambda found: FLOATING in floating(found, "web-2"), {"address": FLOATING}),
    "server.create_checked": Proof("web-1", state("fresh", "active"), {"name": "fresh"}, GUESTS),
    "server.resize_guarded": Proof("web-1", flavor("web-1", larger=True, vm_state="active"), knobs=GUESTS),
    "server.migrate_guarded": Proof("web-1", asked("web-1", "confirmResize"), knobs=GUESTS | ADMIN),
    "server.replace": Proof("web-1", state("fresh", "active"), {"new name": "fresh"}, GUESTS),
    "server.quiet_snapshot": Proof("web-1", image("kept"), {"image name": "kept"}, GUESTS),
    "server.plan_images": Proof("web-1", planned("web-1"), {"daily": "03:30", "keep": "7"}),
}


UNSEEN = {"server.restore"}  # no list tells of what can be restored, so it is done by its id, on the command line
OPEN = {"server.replace"}  # it ends in a question


def test_no_action_is_forgotten() -> None:
    assert {name for name, action in ACTIONS.items() if action.command} == PROOFS.keys() | UNSEEN


@pytest.mark.parametrize("name", PROOFS)
async def test_each_action_is_done_in_the_cloud(name: str, tmp_path: Path) -> None:
    proof, action = PROOFS[name], ACTIONS[name]
    async with deck(tmp_path, prepare=proof.prepare, **proof.knobs) as found:
        pane = PANES.get(action.on, "servers")
        if pane != "servers":
            await found.command(f"pane.{pane}")
        await found.on(proof.on, pane)
        await found.rest()
        before = found.state()
        assert not proof.holds(found), "it held before"
        await (found.keys(action.key) if action.key else found.command(name))
        kinds = await found.answer({"private key": str(tmp_path / "new-key"), **proof.told})
        assert bool(kinds) == bool(asks(action))
        if not action.reads and name not in {"server.shell", *OPEN}:
            await found.ended(action.title)
        await found.until(lambda: proof.holds(found), f"the proof of {name}")
        if action.reads:
            assert found.state() == before
        else:
            assert events(found, name)[:2] == ["asked", "accepted"]


def asks(action: Action) -> bool:
    """Whether somebody is asked before it is done."""
    return bool(action.confirm or action.asks) and not action.reads and action.name != "server.shell"


def events(found: Deck, action: str) -> list[str]:
    """The audit's events of an action."""
    lines = found.console.paths.audit_file.read_text().splitlines()
    return [entry["event"] for entry in map(json.loads, lines) if entry["action"] == action]


async def test_what_several_rows_told_stands_on_one_page_under_their_names(tmp_path: Path) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        await found.keys("/", *"name:^web-[12]$", "enter", "*")
        await found.command("server.history")
        await found.ended("history")
        await found.until(lambda: page("History 2 servers")(found), "the page")
        lines = [line.strip(" ▌▏") for line in found.text().splitlines()]
        assert [line for line in lines if line in ("web-1", "web-2")] == ["web-1", "web-2"]
        await found.keys("escape")
        assert found.app.screen is found.app.main


async def test_a_password_that_a_cloud_told_is_shown_when_asked_for(tmp_path: Path) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        await found.on("web-1")
        await found.keys("B")
        await found.answer()
        await found.ended("rebuild")
        secret = found.server("web-1").admin_pass
        assert secret not in found.text()
        await found.command("secret")
        await found.until(lambda: page("The password of web-1", secret)(found), "the password")


async def test_a_password_is_kept_where_the_wait_for_its_server_failed(tmp_path: Path) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        await found.on("web-1")
        made = found.server("web-1")
        found.estate.control.trouble.add("status", status=403, method="GET", path=f"/servers/{made.id}")
        await found.keys("B")
        await found.answer()
        await found.until(lambda: "Trouble (req-" in found.text(), "the refusal")
        await found.command("secret")
        secret = found.server("web-1").admin_pass
        await found.until(lambda: page("The password of web-1", secret)(found), "the password")


async def test_space_guards_a_resize_that_f_began(tmp_path: Path) -> None:
    async with deck(tmp_path, **GUESTS) as found:
        await found.on("web-1")
        await found.keys("f")
        await found.until(lambda: "[ ] Guard it" in found.text(), "the offer")
        assert "until you confirm or revert it" in found.text()
        await found.keys("space")
        assert "[x] Guard it   test it over SSH, then confirm; revert if that fails" in found.text()
        assert "its guest is tested, then it is confirmed" in found.text()
        await found.keys("enter")
        await found.until(lambda: flavor("web-1", larger=True, vm_state="active")(found), "it is larger and kept")
        assert events(found, "server.resize_guarded")[0] == "asked"
        await found.until(lambda: [one for one in found.app.main.operations.all if one.title == "guarded resize"], "it")
