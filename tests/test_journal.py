"""The journal on bad days: torn, unwritable, of another version, on a full disk, under a clock that jumps."""

import datetime as dt
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from full_disk import full_disk
from small_ground import SmallGround, ground_on
from small_keeper import FastClock, begin, keeping, until, when

from console.actions.declared import ACTIONS
from console.errors import JournalError
from console.model.server import Server
from console.runbooks.journal import Journal, Question, RunRecord
from console.runbooks.keeper import Keeper
from console.runbooks.lease import LEASE, Lapse, alive, read_holder, this_process
from console.runbooks.runbook import RUNBOOKS, Facts, Run, Step, runbook
from console.sim.estate import Estate

NOW = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def a_run(id: str = "abcd1234") -> RunRecord:
    return RunRecord(
        id=id, runbook="server.x", version=1, steps=["one"], cloud="lab", region="", target="s", name="web-1",
        given={}, facts={}, state="running", failure="", abort=False, question=None, answer="", began=NOW, ended=None,
        who="me@here",
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "journal.sqlite")


def test_a_run_comes_back_as_it_was_written(journal: Journal) -> None:
    me = this_process()
    journal.add(a_run(), me)
    journal.begin(me, "abcd1234", 0, "one", {"old": [1]}, NOW)
    journal.end(me, "abcd1234", "one", "done", {"new": "ü"}, "said", NOW)
    assert journal.run("abcd") == a_run().__class__(**{**_fields(a_run()), "facts": {"new": "ü"}})
    (step,) = journal.steps("abcd1234")
    assert (step.before, step.state, step.note, step.ended) == ({"old": [1]}, "done", "said", NOW)


def _fields(run: RunRecord) -> dict[str, Any]:
    return {name: getattr(run, name) for name in RunRecord.__struct_fields__}


def test_what_ended_long_ago_is_forgotten_and_what_is_open_never(journal: Journal) -> None:
    me, day = this_process(), dt.timedelta(days=1)
    for number, id in enumerate(("oldest", "recent", "waits")):
        journal.add(a_run(id), me)
        journal.begin(me, id, 0, "one", {}, NOW)
        if id != "waits":
            journal.close(me, id, "failed", NOW + number * day)
    journal.add(a_run("newest"), me)
    journal.close(me, "newest", "done", NOW + 31 * day, kept=30 * day)
    assert {run.id for run in journal.runs(ended=True)} == {"recent", "waits", "newest"}
    assert [len(journal.steps(id)) for id in ("oldest", "recent", "waits")] == [0, 1, 1]


def test_a_torn_journal_is_told_in_one_sentence_and_left_as_it_is(journal: Journal) -> None:
    journal.add(a_run(), this_process())
    data = journal.path.read_bytes()
    torn = data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2)
    journal.path.write_bytes(torn)
    with pytest.raises(JournalError, match=r"is damaged \(.*\)\. Move it away; servers .* novadeck_op") as caught:
        journal.runs()
        journal.steps("abcd1234")
        journal.add(a_run("other"))
    assert str(caught.value).count("\n") == 0
    assert journal.path.read_bytes() == torn


def test_what_is_no_journal_is_told_too(journal: Journal) -> None:
    journal.path.parent.mkdir(parents=True)
    journal.path.write_bytes(b"it is something else" * 100)
    with pytest.raises(JournalError, match="is damaged"):
        journal.runs()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET facts = '{'",
        "UPDATE runs SET state = 'dreaming'",
        "UPDATE runs SET began = NULL",
        "UPDATE steps SET before = 'x'",
        "UPDATE leases SET holder = '{}'",
    ],
)
def test_a_line_that_cannot_be_read_is_damage_too(journal: Journal, damage: str) -> None:
    me = this_process()
    journal.add(a_run(), me)
    journal.begin(me, "abcd1234", 0, "one", {}, NOW)
    with sqlite3.connect(journal.path) as file:
        file.execute(damage)
    with pytest.raises(JournalError, match="is damaged"):
        journal.runs(ended=True)
        journal.steps("abcd1234")
        journal.lease("abcd1234")


def test_an_answer_is_to_the_question_that_was_seen_and_to_no_later_one(journal: Journal) -> None:
    class Overtaken(Journal):
        """A journal whose keeper goes on to its next question while somebody answers."""

        def run(self, id: str) -> RunRecord:
            seen = super().run(id)
            journal.ask(me, id, Question("Revert it again or leave it?", ["again", "leave"]))
            return seen

    me = this_process()
    journal.add(a_run(), me)
    thaw = Question("Thaw it again or leave it?", ["again", "leave"])
    journal.ask(me, "abcd1234", thaw)
    with pytest.raises(JournalError, match="asks that no more"):
        Overtaken(journal.path).answer("abcd1234", "leave")
    with pytest.raises(JournalError, match="asks that no more"):
        journal.answer("abcd1234", "leave", to=thaw)
    assert journal.run("abcd1234").answer == ""
    journal.answer("abcd1234", "leave")
    assert journal.run("abcd1234").answer == "leave"


async def test_a_run_is_taken_over_though_its_keeper_beats_just_then(ground: SmallGround, journal: Journal) -> None:
    class Beating(Journal):
        """A journal in which the other keeper shows that it lives, right after we have looked."""

        def lease(self, what: str) -> tuple[str, int] | None:
            found = super().lease(what)
            if found is not None and found[1] < beats:
                journal.beat(other)
            return found

    other, beats = this_process(), 1
    journal.add(a_run(), other)
    keeper = Keeper(ground, Beating(journal.path), ground.clock)
    await keeper.take("abcd1234")
    assert (journal.lease("abcd1234") or ("",))[0] == keeper.me.text
    journal.hold("abcd1234", other, over=journal.lease("abcd1234"))
    beats = 1000
    with pytest.raises(JournalError, match="could not be taken over"):
        await keeper.take("abcd1234")


def test_a_newer_journal_that_knows_more_of_a_run_is_read(journal: Journal) -> None:
    journal.add(a_run())
    with sqlite3.connect(journal.path) as file:
        file.execute("ALTER TABLE runs ADD COLUMN mood TEXT")
        file.execute("PRAGMA user_version=2")
    assert [run.id for run in journal.runs()] == ["abcd1234"]


def test_a_journal_that_is_just_being_made_is_empty(journal: Journal) -> None:
    journal.path.parent.mkdir(parents=True)
    journal.path.touch()
    assert journal.runs() == [] and journal.lease("x") is None


def test_a_newer_journal_is_not_written(journal: Journal) -> None:
    journal.add(a_run())
    with sqlite3.connect(journal.path) as file:
        file.execute("PRAGMA user_version=99")
    with pytest.raises(JournalError, match="of a newer version"):
        journal.abort("abcd1234")
    assert not journal.run("abcd1234").abort


def test_a_full_disk_refuses_the_run_and_is_forgotten_when_there_is_room(journal: Journal) -> None:
    journal.add(a_run())
    with (
        full_disk(),
        pytest.raises(JournalError, match=r"cannot be used: .* nothing is sent that is not written"),
    ):
        journal.add(a_run("second99"))
    assert [run.id for run in journal.runs()] == ["abcd1234"]
    journal.add(a_run("third999"))
    assert len(journal.runs()) == 2


async def test_a_folder_that_cannot_be_looked_into_is_told_and_ends_no_keeper(
    ground: SmallGround, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / ("x" * 300) / "journal.sqlite")  # as a folder that another user has closed
    me = this_process()
    for ask in (journal.runs, lambda: journal.lease("a"), lambda: journal.beat(me), lambda: journal.release(me)):
        with pytest.raises(JournalError, match="cannot be used"):
            ask()
    async with keeping(ground, journal) as keeper:
        await when(lambda: "cannot be used" in keeper.problem)


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    """As a user that is not root, whom no folder refuses."""
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_mode & 0o005 != 0o005 and os.getuid() == 0:
            folder.chmod(folder.stat().st_mode | 0o005)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            else:
                tmp_path.chmod(0o555)
            Journal(tmp_path / "state" / "journal.sqlite").add(a_run())
        except JournalError as error:
            code = 0 if "cannot be used: Permission denied" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_holder_is_known_by_its_start_and_not_by_its_number_alone(journal: Journal) -> None:
    pid = os.fork()
    if pid == 0:
        journal.add(a_run(), this_process())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    lease = journal.lease("abcd1234")
    assert lease is not None and alive(read_holder(lease[0])) is False
    me = this_process()
    reused = read_holder(lease[0].replace(f'"pid":{pid}', f'"pid":{os.getpid()}'))
    assert alive(me) is True and alive(reused) is False
    assert Lapse(lambda: 0.0).lapsed("abcd1234", lease)
    assert not journal.hold("abcd1234", me)
    assert journal.hold("abcd1234", me, over=lease)


def test_no_step_of_the_wall_clock_ends_a_lease(journal: Journal) -> None:
    seconds = 0.0
    lapse = Lapse(lambda: seconds)
    elsewhere = this_process().text.replace('"host":"', '"host":"far-')
    assert not lapse.lapsed("x", (elsewhere, 1))
    seconds += LEASE - 1
    assert not lapse.lapsed("x", (elsewhere, 1))
    assert not lapse.lapsed("x", (elsewhere, 2))  # it beat: it lives
    seconds += LEASE - 1
    assert not lapse.lapsed("x", (elsewhere, 2))
    seconds += 1
    assert lapse.lapsed("x", (elsewhere, 2))


# With a keeper


class JumpingClock(FastClock):
    """A clock whose time of day somebody sets."""

    jumped = dt.timedelta()

    def now(self) -> dt.datetime:
        return super().now() + self.jumped


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[SmallGround]:
    async with Estate(servers=8, clouds=1, regions=1, guests=0, speed=30) as estate:
        file = estate.write_clouds_yaml(tmp_path)
        async with ground_on(file, tmp_path / "state", next(iter(estate.clouds))) as ground:
            ground.clock = JumpingClock(30)
            await ground.refresh(ground.places[0])
            yield ground


@pytest.fixture
def declare() -> Iterator[Any]:
    yield lambda *steps: runbook("server.bad_day", version=1, title="test", help="A test.", command="", steps=steps)
    RUNBOOKS.pop("server.bad_day", None)
    ACTIONS.pop("server.bad_day", None)


def some(ground: SmallGround) -> Server:
    return next(row for row in ground.store.rows(Server).values() if row.status == "ACTIVE" and not row.locked)


async def test_how_long_an_ended_run_stays_is_for_the_settings_to_say(
    ground: SmallGround, journal: Journal, declare: Any
) -> None:
    async def nothing(run: Run) -> Facts:
        return {}

    me, book = this_process(), declare(Step("nothing", nothing))
    journal.add(a_run("oldest"), me)
    journal.close(me, "oldest", "done", ground.clock.now() - dt.timedelta(days=9))
    async with keeping(ground, journal) as keeper:
        for days, stays in ((10, True), (8, False)):
            ground.settings.operations_kept = days
            await until(keeper, await begin(ground, book.name, some(ground)))
            assert ("oldest" in {run.id for run in journal.runs(ended=True)}) is stays


async def test_a_disk_that_fills_between_call_and_journal_loses_nothing(
    ground: SmallGround, journal: Journal, declare: Any
) -> None:
    sent: list[str] = []
    filled = full_disk()

    async def send(run: Run) -> Facts:
        sent.append("sent")
        filled.__enter__()
        return {}

    async def found(run: Run) -> Facts:
        sent.append("found")
        return {"found": True}

    book = declare(Step("send", send, found))
    async with keeping(ground, journal) as keeper:
        id = await begin(ground, book.name, some(ground))
        await when(lambda: "cannot be used" in keeper.problem)
        assert [step.state for step in journal.steps(id)] == ["begun"]
        filled.__exit__(None, None, None)
        run = await until(keeper, id)
    assert (run.state, run.facts, sent) == ("done", {"found": True}, ["sent", "found"])


@pytest.mark.parametrize("hours", [-1, 1, -24 * 400])
async def test_a_jump_of_the_clock_changes_nothing(
    ground: SmallGround, journal: Journal, declare: Any, hours: int
) -> None:
    who: list[tuple[bool, bool]] = []

    async def jumps(run: Run) -> None:
        who.append((run.id in keeper.carrying, run.id in second.carrying))
        ground.clock.jumped = dt.timedelta(hours=hours)  # type: ignore[attr-defined]
        await run.ground.clock.sleep(LEASE * 2)
        who.append((run.id in keeper.carrying, run.id in second.carrying))

    book = declare(Step("jumps", jumps), Step("more", jumps))
    async with keeping(ground, journal) as keeper, keeping(ground, journal) as second:
        ground.keeper = keeper
        run = await until(keeper, await begin(ground, book.name, some(ground)))
    assert len(who) == 4 and set(who) in ({(True, False)}, {(False, True)})  # whoever had it first kept it
    assert run.state == "done"
    assert [step.state for step in journal.steps(run.id)] == ["done", "done"]


async def test_a_torn_journal_stops_no_console(ground: SmallGround, journal: Journal) -> None:
    journal.path.parent.mkdir(parents=True, exist_ok=True)
    journal.path.write_bytes(b"torn" * 2000)
    async with keeping(ground, journal) as keeper:
        await when(lambda: "is damaged" in keeper.problem)
        journal.path.unlink()
        await when(lambda: not keeper.problem)
