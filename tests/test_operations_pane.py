"""Operations on the screen: steps, the question and its answer, other operators' marks, and a journal that is torn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from screen_pilot import Deck, deck

from console.model.server import Server
from console.runbooks.marks import mark_of
from console.tui.dialogs import Confirm
from console.tui.pickers import Pick


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Deck]:
    """Servers with guests that can be logged into."""
    async with deck(tmp_path, servers=12, clouds=1, regions=1, guests=24, speed=20.0) as found:
        yield found


def with_a_guest(found: Deck) -> Server:
    """A server at rest whose guest is up."""
    there = found.estate.guests.guests
    rows = [row for row in found.rows.values() if row.id in there and row.status == "ACTIVE" and not row.task_state]
    return next(row for row in rows if not row.locked and row.flavor and (row.flavor.disk or 99) <= 40)


async def hold(found: Deck) -> tuple[Server, str]:
    """A guarded resize that asks."""
    server = with_a_guest(found)
    started = await found.console.perform("server.resize_guarded", server, flavor="m1.medium", hold=True)
    await found.until(lambda: "Keep it so? O answers." in found.text(), "the question is in the strip")
    return server, str(started.result)


async def test_a_question_is_shown_and_answered(fleet: Deck) -> None:
    server, id = await hold(fleet)
    shown = fleet.text()
    for step in ("mark", "plan", "order", "arrive", "check", "hold"):
        assert f" {step} " in shown, shown
    await fleet.until(lambda: f"operation {id}" in fleet.text(), "the row says whose it is")
    await fleet.keys("O")
    assert isinstance(await fleet.dialog(), Pick)
    assert f"guarded resize {server.name}" in fleet.text() and "this console" in fleet.text()
    await fleet.keys("enter")
    await fleet.until(lambda: "end it and put the world in order" in fleet.text(), "what can be said")
    await fleet.keys("down", "enter")  # revert
    await fleet.until(lambda: not fleet.console.journal.runs(), "it ends")
    run = fleet.console.journal.run(id)
    assert run.failure == "It is taken back as asked." and run.facts["end"].startswith("reverted: it has ")
    await fleet.until(lambda: "It is taken back as asked.; reverted" in fleet.text(), "the strip tells the end")
    await fleet.until(lambda: not mark_of(fleet.rows[server.name]), "the mark is off")


async def test_it_is_ended_from_the_list(fleet: Deck) -> None:
    _, id = await hold(fleet)
    await fleet.keys("O", "enter")
    await fleet.until(lambda: "put the world in order" in fleet.text(), "what can be said")
    await fleet.keys("down", "down", "enter")
    await fleet.until(lambda: fleet.console.journal.run(id).state == "aborted", "it ends")
    await fleet.until(lambda: "reverted: it has" in fleet.text(), "the strip tells the end")
    await fleet.keys("O")
    await fleet.until(lambda: "No operation is open." in fleet.text(), "there is nothing to say any more")


async def test_a_server_under_another_consoles_operation_is_asked_about(fleet: Deck) -> None:
    server = with_a_guest(fleet)
    told = "0ther1d guarded resize by eve@bastion"
    await fleet.console.dialect(server.place).set_metadata(server.id, {"novadeck_op": told})
    await fleet.until(lambda: mark_of(fleet.rows[server.name]) == "0ther1d", "the mark is seen")
    await fleet.until(lambda: "operation 0ther1d" in fleet.text(), "its row says so")
    await fleet.on(server.name)
    await fleet.keys("r")
    assert isinstance(await fleet.dialog(), Confirm)
    assert f"{server.name} is under operation 0ther1d (guarded resize by eve@bastion)." in fleet.text()
    await fleet.keys("escape")


async def test_a_torn_journal_is_told_and_the_screen_lives_on(fleet: Deck) -> None:
    path = fleet.console.paths.journal_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"torn" * 2000)
    await fleet.until(lambda: "is damaged" in fleet.text(), "one sentence")
    await fleet.keys("j")
    assert fleet.app.is_running


async def test_the_password_of_a_server_that_an_operation_made_is_shown_once_it_is_asked_for(fleet: Deck) -> None:
    given = {"name": "box", "image": "debian-12", "flavor": "m1.tiny", "network": "private", "user": "root"}
    console = fleet.console
    started = await console.perform("server.create_checked", console.places[0], **given)
    await fleet.until(lambda: fleet.app.commands_of_screen.acting.secret is not None, "the password is there")
    name, secret = fleet.app.commands_of_screen.acting.secret
    assert name == "box" and secret.reveal() not in str(console.journal.run(started.result))
    await fleet.until(lambda: "made" in console.journal.run(started.result).facts, "the journal says that it is made")
    assert console.journal.run(started.result).facts["password_lost"] is False
