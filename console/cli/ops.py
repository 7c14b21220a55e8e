"""Operations from the command line: seen, answered, ended, and carried on where their keeper is gone.

`list`, `show`, `answer` and `abort` read and write the journal alone and open no cloud. `resume` carries operations
out in this terminal, on the clouds that they are of; a person who is there is asked what they ask.
"""

import asyncio
import datetime as dt
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from console.actions.action import find_action
from console.cli import reach
from console.cli.columns import chosen
from console.cli.keep import leave_keeper
from console.cli.main import Exit
from console.cli.output import Column, Sheet, write, write_objects
from console.cli.parse import Given
from console.cli.voice import asked, say, someone_there
from console.core.settings import Paths
from console.errors import ActionRefused, JournalError, WaitTimeout
from console.runbooks.journal import Journal, RunRecord, StepRecord
from console.runbooks.lease import alive, read_holder
from console.runbooks.passwords import lost
from console.text import Secret

if TYPE_CHECKING:
    from console.actions.declared import Outcome
    from console.session import Console

OBJECTS = ("json", "yaml", "ndjson")
LOOK = 0.5  # seconds between two looks into the journal


def journal() -> Journal:
    """The journal of this user's state folder."""
    return Journal(Paths().journal_file)


# Looking


def list_(given: Given) -> int:
    """Print the operations that are open, or all."""
    book = journal()
    rows = [Seen(book, run) for run in book.runs(ended=bool(given.get("all")))]
    picked = chosen(COLUMNS, given.get("column", []), long=False)
    ids = tuple(column.id for column in picked)
    fixed = frozenset(column.id for column in picked if not column.cut)
    write(Sheet(ids, [[column.value(row) for column in picked] for row in rows], fixed), given.get("format", "table"))
    return Exit.DONE


def show(given: Given) -> int:
    """Print all that is written of operations."""
    book = journal()
    found = [Seen(book, book.run(id)) for id in given.names]
    form = given.get("format", "table")
    if form in OBJECTS:
        write_objects([one.plain() for one in found], form, alone=len(found) == 1 and form != "ndjson")
        return Exit.DONE
    for one in found:
        write(Sheet(("field", "value"), [pair for pair in one.fields() if pair[1]]), form)
        write(Sheet(("step", "state", "seconds", "note"), [_of_step(step) for step in one.steps]), form)
    return Exit.DONE


class Seen:
    """One operation as it is now."""

    def __init__(self, book: Journal, run: RunRecord) -> None:
        self.run = run
        self.steps = book.steps(run.id)
        lease = book.lease(run.id)
        self.holder = read_holder(lease[0]) if lease is not None else None

    @property
    def step(self) -> StepRecord | None:
        """The step that it is at, or ended with."""
        return self.steps[-1] if self.steps else None

    @property
    def keeper(self) -> str:
        """Who carries it out, in words."""
        if not self.run.open:
            return ""
        if self.holder is None:
            return "nobody"
        return f"{self.holder}, which is gone" if alive(self.holder) is False else str(self.holder)

    @property
    def told(self) -> str:
        """What there is to say: the question, what is done now, or how it ended."""
        run = self.run
        if run.question is not None:
            choices = f" ({', '.join(run.question.choices)})" if run.question.choices else ""
            return f"{run.question.text}{choices}"
        if not run.open:
            return "; ".join(filter(None, (run.failure, str(run.facts.get("end", "")), lost(run.facts))))
        return self.step.note if self.step is not None else ""

    def fields(self) -> list[tuple[str, Any]]:
        """What a person wants to know of it."""
        run = self.run
        return [
            *((column.id, column.value(self)) for column in COLUMNS),
            ("target", run.target or run.facts.get("made")),
            ("who", run.who),
            ("ended", run.ended),
            *((f"given {name}", str(value)) for name, value in run.given.items()),
        ]

    def plain(self) -> dict[str, Any]:
        """All of it."""
        run, question = self.run, self.run.question
        told = {name: getattr(run, name) for name in RunRecord.__struct_fields__}
        told["question"] = {"text": question.text, "choices": question.choices} if question else None
        steps = [{name: getattr(step, name) for name in StepRecord.__struct_fields__} for step in self.steps]
        return {"v": 1, **told, "keeper": self.keeper, "steps": steps}


COLUMNS = (
    Column("id", lambda o: o.run.id, cut=False),
    Column("operation", lambda o: o.run.runbook.partition(".")[2].replace("_", " ")),
    Column("name", lambda o: o.run.name),
    Column("place", lambda o: f"{o.run.cloud}/{o.run.region}".rstrip("/")),
    Column("state", lambda o: o.run.state, cut=False),
    Column("step", lambda o: o.step.name if o.step else ""),
    Column("began", lambda o: o.run.began),
    Column("keeper", lambda o: o.keeper),
    Column("told", lambda o: o.told),
)


def _of_step(step: StepRecord) -> list[Any]:
    end = step.ended or dt.datetime.now(dt.UTC)
    return [step.name, step.state, round(max(0.0, (end - step.began).total_seconds()), 1), step.note]


# Saying


def answer(given: Given) -> int:
    """Answer what an operation asks."""
    id, word = given.names[0], " ".join(given.names[1:])
    book = journal()
    book.answer(id, word)
    return _tell_keeper(book, book.run(id))


def abort(given: Given) -> int:
    """Ask operations to end, and to leave the world in order."""
    book = journal()
    for id in given.names:
        book.abort(id)
    return max(_tell_keeper(book, book.run(id)) for id in given.names)


def _tell_keeper(book: Journal, run: RunRecord) -> int:
    """Say who acts on it now."""
    seen = Seen(book, run)
    if seen.holder is None or alive(seen.holder) is False:
        say(f"Nobody carries {run.id} out now: novadeck ops resume {run.id}, or novadeck keep.")
    return Exit.DONE


# Carrying on


def resume(given: Given) -> int:
    """Carry operations on in this terminal, to their ends."""
    book = journal()
    runs = [book.run(id) for id in given.names] if given.names else book.runs()
    open_ones = [run for run in runs if run.open]
    for run in runs:
        if not run.open:
            say(f"{run.id} has ended: {run.state}.")
    if not open_ones:
        say("No operation is open.")
        return Exit.DONE
    clouds = dict.fromkeys(run.cloud for run in open_ones)
    given.options.setdefault("os_cloud", list(clouds))
    return reach.run(_resume(given, [run.id for run in open_ones]))


async def _resume(given: Given, ids: Sequence[str]) -> int:
    async with reach.reach(given) as ops:
        for id in ids:
            if closed := ops.keeper.closed(ops.journal.run(id)):
                raise ActionRefused(f"{id} cannot be carried on from here: {closed}")
        for id in ids if given.get("take") else ():
            await ops.keeper.take(id)
        form = given.get("format", "table")
        with Heard(ops, form) as heard:
            return await follow(ops, ids, form, heard)


class Heard:
    """Passwords that clouds tell once, in the terminal that carries the operations out.

    They are said when they come, or printed with the operation where that is an object; either way once.
    """

    def __init__(self, ops: "Console", form: str) -> None:
        self._keeper, self._with_object = ops.keeper, form in OBJECTS
        self._waiting: dict[str, tuple[str, Secret]] = {}

    def __enter__(self) -> "Heard":
        self._keeper.hear = self._hear
        return self

    def __exit__(self, *error: object) -> None:
        self._keeper.hear = None
        for name, password in self._waiting.values():  # no object was printed
            _say_password(name, password)

    def _hear(self, id: str, name: str, password: Secret) -> None:
        if self._with_object:
            self._waiting[id] = name, password
        else:
            _say_password(name, password)

    def told(self, id: str) -> dict[str, str]:
        """What an operation's object has more, the first time that it is asked for."""
        waiting = self._waiting.pop(id, None)
        return {"admin_pass": waiting[1].reveal()} if waiting else {}


def _say_password(name: str, password: Secret) -> None:
    say(f"{name}: the cloud tells its password once: {password.reveal()}")


async def of_outcomes(ops: "Console", outcomes: "Sequence[Outcome]", given: Given, heard: Heard) -> int:
    """What an order of operations ends with: they are followed where `--wait` says so, else left to a keeper."""
    ids = [str(outcome.result) for outcome in outcomes if outcome.ok]
    for outcome in outcomes:
        if outcome.error is not None:
            from console.cli.voice import complain

            complain(outcome.error)
    failed = len(outcomes) - len(ids)
    if not ids:
        return reach.verdict(failed, 0, [outcome.error for outcome in outcomes if outcome.error])
    if not given.get("wait"):
        _print(ops.journal, ids, given.get("format", "table"), heard)
        leave(ops)
        if find_action(outcomes[0].action).needs == "server.create":
            say("A password that the cloud tells is told with --wait alone; novadeck server set password sets another.")
        return reach.verdict(failed, len(ids))
    code = await follow(ops, ids, given.get("format", "table"), heard, given.get("timeout"))
    return code if not failed else int(Exit.SOME_FAILED)


def leave(ops: "Console") -> None:
    """Leave a keeper behind that goes on with what we are about to let go of."""
    if any(_ours_to_leave(ops, run) for run in ops.journal.runs()):
        say(leave_keeper(ops.paths))


def _ours_to_leave(ops: "Console", run: RunRecord) -> bool:
    lease = ops.journal.lease(run.id)
    return lease is None or lease[0] == ops.keeper.me.text or alive(read_holder(lease[0])) is False


async def follow(
    ops: "Console", ids: Sequence[str], form: str, heard: Heard | None = None, timeout: float | None = None
) -> int:
    """Follow operations to their ends and print them; a closed terminal or an interruption leaves a keeper behind."""
    assert ops.keeper is not None  # asking for it starts it
    gone = asyncio.Event()
    with _hung_up(gone):
        watching = asyncio.create_task(_until_ended(ops, ids), name="operations")
        leaving = asyncio.create_task(gone.wait(), name="hang-up")
        done, pending = await asyncio.wait({watching, leaving}, timeout=timeout, return_when="FIRST_COMPLETED")
        for task in pending:
            task.cancel()
    if watching in done:
        watching.result()
        _print(ops.journal, ids, form, heard)
        runs = [ops.journal.run(id) for id in ids]
        return reach.verdict(sum(run.state != "done" for run in runs), sum(run.state == "done" for run in runs))
    leave(ops)
    if not done:
        raise WaitTimeout(f"{', '.join(ids)} did not end within {timeout:g} s.", hint="novadeck ops list shows them.")
    return Exit.INTERRUPTED


@contextmanager
def _hung_up(gone: asyncio.Event) -> Iterator[None]:
    """Note that the terminal is gone, or that the user wants to be."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, gone.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _until_ended(ops: "Console", ids: Sequence[str]) -> None:
    told: dict[str, str] = {}
    while True:
        seen = [Seen(ops.journal, ops.journal.run(id)) for id in ids]
        for one in seen:
            _tell(one, told)
            if one.run.question is not None and not one.run.answer and one.run.question.choices and someone_there():
                await _ask(ops, one.run)
        if not any(one.run.open for one in seen):
            return
        await asyncio.sleep(LOOK)


def _tell(one: Seen, told: dict[str, str]) -> None:
    """A line on stderr for whatever is new."""
    step = one.step.name if one.step else "begun"
    text = f"{one.run.name}: {step}: {one.told}" if one.told else f"{one.run.name}: {step}"
    if told.get(one.run.id) != text:
        told[one.run.id] = text
        say(text)


async def _ask(ops: "Console", run: RunRecord) -> None:
    assert run.question is not None
    choices = run.question.choices
    word = await asyncio.to_thread(asked, f"{run.question.text} [{'/'.join(choices)}]")
    if word in choices:
        try:
            await asyncio.to_thread(ops.journal.answer, run.id, word, to=run.question)
        except JournalError as error:  # answered elsewhere, or by the world itself, while somebody was thinking
            return say(str(error))
        ops.keeper.bell.ring()


def _print(book: Journal, ids: Sequence[str], form: str, heard: Heard | None = None) -> None:
    found = [Seen(book, book.run(id)) for id in ids]
    if form in OBJECTS:
        objects: list[Mapping[str, Any]] = [
            {**one.plain(), **(heard.told(one.run.id) if heard else {})} for one in found
        ]
        return write_objects(objects, form, alone=len(found) == 1 and form != "ndjson")
    picked = [column for column in COLUMNS if column.id in ("id", "operation", "name", "state", "told")]
    write(Sheet(tuple(c.id for c in picked), [[c.value(one) for c in picked] for one in found]), form)
