"""Readiness on the screen: in the row and in the detail view, while a check runs and when it is done."""

import datetime as dt
from pathlib import Path

import asyncssh
import pytest
from screen_pilot import deck
from standin import StandIn, sample
from test_screens import check, picture, still_actions

from console.actions.declared import Step
from console.guests.hostkeys import Judgement
from console.guests.report import Report, Rung
from console.model.place import Row
from console.model.server import Server
from console.runbooks.ready import Readiness
from console.tui.app import NovadeckApp
from console.tui.paint import plain
from console.tui.readiness import lines
from console.tui.server_pane import SERVERS
from console.tui.spec import Group, Scene

__all__ = ["still_actions"]
SHOWN, EXPECTED = "SHA256:" + "a" * 43, "SHA256:" + "b" * 43
GOOD = Judgement("console", SHOWN, "ssh-ed25519", f"{SHOWN}, as on the console", ())
CHANGED = Judgement("changed", SHOWN, "ssh-ed25519", f"it shows {SHOWN}, the console says {EXPECTED}", (EXPECTED,))
BELOW = (Rung("address", "ok", 0.0, "10.20.4.11"), Rung("port", "ok", 0.02, "22"), Rung("banner", "ok", 0.05, "SSH-2"))
READY = Report(
    (*BELOW, Rung("host key", "ok", 0.1, GOOD.text), Rung("login", "ok", 0.3, "debian"),
     Rung("cloud-init", "ok", 0.7, "cloud-init is done")),
    "10.20.4.11", 22, "debian", "SSH-2", GOOD,
)  # fmt: skip
OTHER = Report(
    (*BELOW, Rung("host key", "failed", 0.1, f"The host key is changed: {CHANGED.text}."), Rung("login", "skipped"),
     Rung("cloud-init", "skipped")),
    "10.20.4.12", 22, "", "SSH-2", CHANGED,
)  # fmt: skip
SHUT = Rung("port", "failed", 5.0, "Port 22 refuses: sshd is not up yet.")
CLOSED = Report((BELOW[0], SHUT, Rung("banner", "skipped")))


def step(row: Row, phase: str, detail: object = None, text: str = "") -> Step:
    """A step of a check that was ordered."""
    shown = row if phase == "rung" else None
    return Step("server.check", row.name, phase, text, row.key, shown, detail)  # type: ignore[arg-type]


def named(console: StandIn, name: str) -> Server:
    return next(row for row in console.store.rows(Server).values() if row.name == name)


def checked(console: StandIn, name: str, rungs: tuple[Rung, ...], report: Report | None = None) -> Readiness:
    """Let a check come this far."""
    row = named(console, name)
    for rung in rungs:
        console.readiness.saw(step(row, "rung", rung))
    if report is not None:
        console.readiness.saw(step(row, "seen", report))
    return console.readiness[row.key]


async def fleet() -> StandIn:
    """Five servers of the pictures at different points of their checks, the first two minutes ago."""
    console = sample()
    checked(console, "web-1", BELOW, READY)
    checked(console, "api-1", BELOW, OTHER)
    checked(console, "cache-1", CLOSED.rungs[:2], CLOSED)
    await console.clock.advance(120)
    checked(console, "web-2", BELOW, READY)
    checked(console, "web-3", (*BELOW, READY.rungs[3]))
    await console.clock.advance(4)
    return console


def scene_of(console: StandIn) -> Scene:
    return Scene(now=console.clock.now(), readiness=console.readiness)


async def test_a_row_tells_how_far_its_guest_has_come() -> None:
    console = await fleet()
    scene, told = scene_of(console), {}
    for name in ("web-1", "api-1", "cache-1", "web-2", "web-3", "queue-1"):
        row = named(console, name)
        task = SERVERS.cells(row, scene)[2]
        told[name] = (SERVERS.group(row, scene), SERVERS.mood(row, scene)[1], task.text, task.right)
    assert told == {
        "web-1": (Group.CALM, "ok", "ready", "2m"),
        "api-1": (Group.NEEDS_YOU, "error", "host key changed", "2m"),
        "cache-1": (Group.NEEDS_YOU, "warn", "port fails", "2m"),
        "web-2": (Group.NEEDS_YOU, "warn", "keep or revert", "ready"),
        "web-3": (Group.IN_MOTION, "busy", "check login", "4s"),
        "queue-1": (Group.CALM, "ok", "", ""),
    }
    assert SERVERS.fields["ready"](named(console, "cache-1"), scene) == "not ready"


async def test_what_was_found_says_nothing_of_a_server_that_has_moved_on() -> None:
    console = await fleet()
    scene = scene_of(console)
    row = named(console, "api-1")
    console.put([Server(**{name: getattr(row, name) for name in row.__struct_fields__} | {"word": "SHUTOFF"})])
    stopped = named(console, "api-1")
    assert stopped.status == "SHUTOFF"
    assert SERVERS.group(stopped, scene) is Group.CALM and SERVERS.cells(stopped, scene)[2].text == ""
    await console.clock.advance(3600)
    assert SERVERS.cells(named(console, "web-1"), scene_of(console))[2].text == ""  # nothing new any more


async def test_a_check_that_takes_much_longer_than_usual_says_how_much() -> None:
    console = sample()
    found = checked(console, "web-3", BELOW)
    slow = Readiness(**{**found.__dict__, "usual": 10.0})
    scene = scene_of(console)
    assert slow.slow(scene.now + dt.timedelta(seconds=29)) == ""
    later = Scene(now=scene.now + dt.timedelta(seconds=41))
    assert "this is 4 times the usual 10 s" in "\n".join(map(plain, lines(slow, later)))
    ended = Readiness(**{**slow.__dict__, "state": "ready", "took": 52.0})
    assert ended.slow(scene.now) == "this is 5 times the usual 10 s"


async def test_a_check_that_could_not_be_made_is_told_too() -> None:
    console = sample()
    row = named(console, "web-3")
    console.readiness.saw(step(row, "failed", text="nobody checked it"))
    assert row.key not in console.readiness
    checked(console, "web-3", BELOW[:1])
    console.readiness.saw(step(row, "failed", text="prod/dfw is away."))
    assert (console.readiness[row.key].state, console.readiness[row.key].rung) == ("not ready", "")
    shown = "\n".join(map(plain, lines(console.readiness[row.key], scene_of(console))))
    assert "not ready" in shown
    assert "was not checked" in plain(lines(None, scene_of(console))[0])


async def test_a_watch_tells_what_moved_and_a_second_climb_replaces_the_first() -> None:
    console = sample()
    ready = console.readiness
    checked(console, "web-3", CLOSED.rungs[:2])
    watch = ready.watch()
    assert [(found.name, found.rung) for found in await anext(watch)] == [("web-3", "port")]
    checked(console, "web-3", BELOW[1:], READY)
    (found,) = await anext(watch)
    assert found.state == "ready" and found.report is READY
    assert (await ready.of(named(console, "web-3").key)) is found
    await watch.aclose()
    assert not ready._mails


@pytest.mark.parametrize("size", [(160, 55), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_rows(size: tuple[int, int]) -> None:
    check(f"readiness-{size[0]}x{size[1]}", await picture(size, console=await fleet()))


@pytest.mark.parametrize("name", ["api-1", "cache-1", "web-2"])
async def test_the_detail(name: str) -> None:
    console = await fleet()

    def on_it(app: NovadeckApp) -> None:
        table = app.main.panes["servers"].table
        table.go(table.index.position[named(console, name).key])

    text = await picture((80, 24), ["enter", "tab"], console=console, before=on_it)
    check(f"readiness-{name}-80x24", text)


async def test_a_key_that_changes_under_the_open_screen_turns_its_row_red(tmp_path: Path) -> None:
    """On the embedded cloud: what is built is checked by itself, shown live; then the console lies of another key."""
    async with deck(tmp_path, guests=3, servers=6, clouds=1, regions=1) as shown:
        house = shown.estate.guests
        taken = {guest.server.id for guest in house.guests.values()}
        name = next(row.name for row in shown.rows.values() if row.id in taken and row.status == "ACTIVE")
        row = shown.rows[name]
        await shown.on(name)
        await shown.keys("t")
        await shown.until(lambda: shown.console.readiness.get(row.key, None), "the check has begun")
        await shown.until(lambda: shown.console.readiness[row.key].state == "ready", "the guest is ready")
        await shown.until(lambda: "ready" in line_of(shown.text(), name), "its row says so")
        guest = house.guests[row.id]
        other = asyncssh.generate_private_key("ssh-ed25519", comment="root@other")
        before = guest.keys[1].get_fingerprint("sha256")
        guest.server.console = guest.server.console.replace(
            guest.keys[1].export_public_key().decode().split()[1], other.export_public_key().decode().split()[1]
        ).replace(before, other.get_fingerprint("sha256"))
        await shown.keys("t")
        await shown.until(lambda: shown.console.readiness[row.key].distrusted, "the check is stopped")
        await shown.until(lambda: "host key changed" in line_of(shown.text(), name), "its row says so")
        assert shown.app.main.panes["servers"].table.index.spec.mood(row, shown.app.main.pane.scene)[1] == "error"
        assert [rung.state for rung in shown.console.readiness[row.key].rungs if rung.name == "login"] == ["skipped"]
        await shown.keys("enter", "tab")
        text = shown.text()
        assert before in text and other.get_fingerprint("sha256") in text


def line_of(text: str, name: str) -> str:
    """The row of that server on the screen."""
    return next((line for line in text.splitlines() if f" {name} " in line and "ACTIVE" in line), "")
