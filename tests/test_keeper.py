"""The keeper on the embedded cloud: steps in order, what is found again, questions, aborts, take-overs and leases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_ground import SmallGround, ground_on
from small_keeper import FastClock, begin, keeping, until, when

from console.actions.declared import ACTIONS
from console.errors import ActionRefused, JournalError, Unreachable
from console.model.server import Server
from console.runbooks.journal import Journal
from console.runbooks.keeper import AGAIN, GO_ON, Keeper
from console.runbooks.lease import Holder
from console.runbooks.marks import MARKED, UNMARKED, mark_of
from console.runbooks.runbook import MARK, RUNBOOKS, Facts, Run, Runbook, Step, runbook
from console.sim.estate import Estate

SPEED = 30.0


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with Estate(servers=8, clouds=1, regions=1, guests=0, speed=SPEED) as estate:
        yield estate


@pytest.fixture
async def ground(estate: Estate, tmp_path: Path) -> AsyncIterator[SmallGround]:
    file = estate.write_clouds_yaml(tmp_path)
    async with ground_on(file, tmp_path / "state", next(iter(estate.clouds))) as ground:
        ground.clock = FastClock(SPEED)
        await ground.refresh(ground.places[0])
        yield ground


@pytest.fixture
def journal(ground: SmallGround) -> Journal:
    return Journal(ground.paths.state / "journal.sqlite")


@pytest.fixture
def declared() -> Iterator[Any]:
    """Declares runbooks that are forgotten after the test."""
    names: list[str] = []

    def declare(*steps: Step, version: int = 1) -> Runbook:
        name = f"server.of_a_test_{len(names)}"
        names.append(name)
        return runbook(name, version=version, title="test", help="A test.", command="", steps=steps)

    yield declare
    for name in names:
        del RUNBOOKS[name], ACTIONS[name]


def some(ground: SmallGround) -> Server:
    rows = ground.store.rows(Server).values()
    return next(row for row in rows if row.status == "ACTIVE" and not row.task_state and not row.locked)


async def nothing(run: Run) -> None:
    pass


async def test_steps_are_walked_in_order_and_what_they_find_is_known_to_the_next(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    async def one(run: Run) -> Facts:
        return {"word": run.given.get("word", "none"), "seen": (await run.server()).name}

    async def two(run: Run) -> Facts:
        return {"joined": run.facts["word"] + run.facts["seen"]}

    book = declared(Step("one", one), Step("never", nothing, when=lambda run: "no" in run.facts), Step("two", two))
    server = some(ground)
    async with keeping(ground, journal) as keeper:
        run = await until(keeper, await begin(ground, book.name, server))
    assert (run.state, run.failure, run.facts["joined"]) == ("done", "", f"none{server.name}")
    assert [(step.name, step.state) for step in journal.steps(run.id)] == [("one", "done"), ("two", "done")]
    assert journal.lease(run.id) is None
    assert journal.path.stat().st_mode & 0o777 == 0o600


async def test_after_a_failure_only_the_cleanup_is_done(ground: SmallGround, journal: Journal, declared: Any) -> None:
    async def fails(run: Run) -> None:
        raise ActionRefused("No.")

    book = declared(Step("fails", fails), Step("more", nothing), Step("tidy", nothing, cleanup=True))
    async with keeping(ground, journal) as keeper:
        run = await until(keeper, await begin(ground, book.name, some(ground)))
    assert (run.state, run.failure) == ("failed", "No.")
    assert [(step.name, step.state) for step in journal.steps(run.id)] == [("fails", "failed"), ("tidy", "done")]


async def test_a_keeper_that_may_change_nothing_leaves_operations_to_others(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    book = declared(MARKED, Step("more", nothing), UNMARKED)
    idle = Keeper(ground, journal, ground.clock)  # type: ignore[arg-type]
    ground.keeper = idle
    id = await begin(ground, book.name, some(ground))
    journal.release(idle.me)
    ground.read_only = True
    async with keeping(ground, journal) as keeper:
        await keeper.turn()
        assert journal.lease(id) is None
        with pytest.raises(JournalError, match="This run is read-only"):
            await keeper.take(id)
    assert journal.run(id).state == "running" and journal.steps(id) == []
    ground.read_only = False
    async with keeping(ground, journal) as keeper:
        assert (await until(keeper, id)).state == "done"


@pytest.mark.parametrize("came", [True, False])
async def test_a_step_whose_keeper_died_is_looked_for_before_it_is_done_again(
    ground: SmallGround, journal: Journal, declared: Any, came: bool
) -> None:
    done: list[str] = []

    async def send(run: Run) -> Facts:
        done.append("sent")
        if len(done) == 1:
            await asyncio.Event().wait()  # the keeper dies here
        return {"by": "do"}

    async def found(run: Run) -> Facts | None:
        done.append(f"looked, knowing {run.before['old']}")
        return {"by": "found"} if came else None

    async def before(run: Run) -> Facts:
        return {"old": 7}

    book = declared(Step("send", send, found, before))
    async with keeping(ground, journal):
        id = await begin(ground, book.name, some(ground))
        await when(lambda: bool(done))
    assert journal.lease(id) is None
    async with keeping(ground, journal) as keeper:
        run = await until(keeper, id)
    assert done == ["sent", "looked, knowing 7", *([] if came else ["sent"])]
    assert run.facts == {"by": "found" if came else "do"}


async def test_a_lost_reply_is_looked_for_and_an_outage_ends_no_run(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    tried: list[str] = []

    async def send(run: Run) -> None:
        tried.append("send")
        raise Unreachable("Reset.", fault="reset")

    async def found(run: Run) -> Facts | None:
        tried.append("found")
        return {} if len(tried) > 6 else None

    book = declared(Step("send", send, found))
    async with keeping(ground, journal) as keeper:
        run = await until(keeper, await begin(ground, book.name, some(ground)))
    assert run.state == "done"
    assert tried == ["send", "found", "send", "found", "send", "found", "send", "found"]


async def test_a_question_is_answered_from_elsewhere_and_outlives_its_keeper(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    async def asks(run: Run) -> Facts:
        return {"said": await run.ask("Keep it?", "keep", "drop")}

    book = declared(Step("asks", asks))
    async with keeping(ground, journal) as keeper:
        id = await begin(ground, book.name, some(ground))
        run = await until(keeper, id, "asking")
        assert run.question is not None and (run.question.text, run.question.choices) == ("Keep it?", ["keep", "drop"])
    with pytest.raises(JournalError, match="'maybe' is none of keep, drop"):
        journal.answer(id, "maybe")
    journal.answer(id[:4], "drop")
    async with keeping(ground, journal) as keeper:
        run = await until(keeper, id)
    assert run.facts == {"said": "drop"}
    with pytest.raises(JournalError, match="asks nothing"):
        journal.answer(id, "keep")


async def test_an_abort_breaks_off_what_only_looks_and_tidies_up(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    async def looks(run: Run) -> None:
        await asyncio.Event().wait()

    book = declared(MARKED, Step("looks", looks), Step("more", nothing), UNMARKED)
    server = some(ground)
    async with keeping(ground, journal) as keeper:
        id = await begin(ground, book.name, server)
        await when(lambda: [step.name for step in journal.steps(id)] == ["mark", "looks"])
        assert mark_of(await ground.dialect(server.place).server(server.id)) == id
        journal.abort(id)
        run = await until(keeper, id)
    assert (run.state, run.failure) == ("aborted", "It was ended as asked.")
    assert mark_of(await ground.dialect(server.place).server(server.id)) == ""


async def test_a_server_under_another_run_is_refused_and_keeps_its_mark(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    server = some(ground)
    dialect = ground.dialect(server.place)
    await dialect.set_metadata(server.id, {MARK: "0ther1d resize by eve@bastion"})
    book = declared(MARKED, UNMARKED)
    async with keeping(ground, journal) as keeper:
        run = await until(keeper, await begin(ground, book.name, server))
    await dialect.delete_metadata(server.id, MARK) if mark_of(now := await dialect.server(server.id)) else None
    assert run.state == "failed"
    assert f"{server.name} is under operation 0ther1d (resize by eve@bastion)" in run.failure
    assert mark_of(now) == "0ther1d"


async def test_a_cleanup_that_fails_asks_what_to_do(ground: SmallGround, journal: Journal, declared: Any) -> None:
    tried = []

    async def tidies(run: Run) -> None:
        tried.append(1)
        if len(tried) < 3:
            raise ActionRefused("Not now.")

    book = declared(Step("tidies", tidies, cleanup=True))
    async with keeping(ground, journal) as keeper:
        id = await begin(ground, book.name, some(ground))
        for count in (1, 2):
            run = await until(keeper, id, "asking")
            assert len(tried) == count
            journal.answer(id, AGAIN)
            keeper.bell.ring()
            await when(lambda count=count: journal.run(id).state != "asking" or len(tried) != count)
        run = await until(keeper, id)
    assert (run.state, len(tried)) == ("done", 3)


async def test_other_steps_than_it_began_with_are_not_walked_unasked(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    async def asks(run: Run) -> None:
        await run.ask("Go?", "go")

    book = declared(Step("first", nothing), Step("asks", asks))
    async with keeping(ground, journal) as keeper:
        id = await begin(ground, book.name, some(ground))
        await until(keeper, id, "asking")
    RUNBOOKS[book.name] = Runbook(book.name, 2, "test", (Step("new", nothing), *book.steps))
    async with keeping(ground, journal) as keeper:
        await when(lambda: "other steps" in str(journal.run(id).question))
        journal.answer(id, GO_ON)
        await when(lambda: "Go?" in str(journal.run(id).question))
        journal.answer(id, "go")
        run = await until(keeper, id)
    assert (run.state, run.version) == ("done", 2)


async def test_only_one_of_two_keepers_carries_a_run_out(ground: SmallGround, journal: Journal, declared: Any) -> None:
    by: list[object] = []

    async def waits(run: Run) -> None:
        by.append(run.ways)
        await run.ask("Go?", "go")

    book = declared(Step("waits", waits))
    async with keeping(ground, journal) as second, keeping(ground, journal) as first:
        id = await begin(ground, book.name, some(ground))
        await until(first, id, "asking")
        await second.turn()
        assert (by, first.carrying, second.carrying) == ([first], (id,), ())
        await second.take(id)  # a person at the second console says so
        await when(lambda: len(by) == 2 and not first.carrying)
        assert by == [first, second]
        journal.answer(id, "go")
        assert (await until(second, id)).state == "done"


async def test_a_holder_elsewhere_has_lapsed_when_its_beat_stands_still(
    ground: SmallGround, journal: Journal, declared: Any
) -> None:
    book = declared(Step("one", nothing))
    elsewhere = Holder("far-away", "other boot", 1, "5", "x")
    async with keeping(ground, journal) as keeper:
        ground.keeper.me, me = elsewhere, keeper.me
        id = await begin(ground, book.name, some(ground))
        keeper.me = me
        for _ in range(3):  # it lives as long as it beats, whatever the time of day
            await keeper.clock.sleep(12)
            journal.beat(elsewhere)
            assert journal.run(id).open
        assert (await until(keeper, id)).state == "done"
