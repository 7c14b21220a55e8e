"""The keeper: carries runs out step by step, and takes over those whose keeper is gone.

Every console that shows operations is one, and so is `novadeck keep` with no terminal at all; a lease in the journal
says which of them has a run. What a keeper does between two steps is written first, so that the next one can go on
from any instant. Between a keeper and whoever watches, answers or aborts there is nothing but the journal.
"""

import asyncio
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from console.actions.action import Order, read_only
from console.core.clock import Bell, Clock
from console.errors import BadReply, CloudError, CloudFault, Conflict, ConsoleError, JournalError
from console.model.place import Place
from console.runbooks.journal import Facts, Journal, LeaseLost, Question, RunRecord, State, StepRecord
from console.runbooks.lease import BEAT, Lapse, this_process
from console.runbooks.runbook import RUNBOOKS, Aborted, Do, Known, Run, Runbook, Step, passing, plain
from console.text import Secret

T = TypeVar("T")
Hear = Callable[[str, str, Secret], None]  # a run's id, the server's name, its password

TURN = 1.0  # seconds between two looks into the journal
CALM = 3.0  # the same while nothing in it is open; what is ordered here rings
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # before a step is tried again
TRIES = 5  # of a step that the cloud answers with a fault of its own
AGAIN, LEAVE, GO_ON = "again", "leave", "go on"


class Keeper:
    """Carries the runs of one journal out, on one console. `passed` is told of every point of a step's way."""

    def __init__(
        self, ground: Known, journal: Journal, clock: Clock, passed: Callable[[str], None] = lambda point: None
    ) -> None:
        self.ground, self.journal, self.clock, self.passed = ground, journal, clock, passed
        self.me = this_process()
        self.problem = ""  # why the journal cannot be used, in one sentence
        self.bell = Bell()  # rung when something is worth looking at before the next turn
        self.hear: Hear | None = None  # takes the passwords that clouds tell once: set by a face that can show them
        self._lapse = Lapse(clock.monotonic)
        self._carried: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._beaten = clock.monotonic()
        self._stamp: tuple[int, int] | None = None
        self._open = True  # whether some run was open at the last look

    # Beginning

    async def start(self, runbook: Runbook, order: Order) -> str:
        """Write a new run down, held by us; `keep` carries it out. Gives its id."""
        row = order.row
        now = self.clock.now()
        run = RunRecord(
            id=uuid.uuid4().hex[:8],
            runbook=runbook.name,
            version=runbook.version,
            steps=runbook.names,
            cloud=order.place.cloud,
            region=order.place.region,
            target=row.id if row is not None else "",
            name=order.name,
            given=plain(order.given),
            facts={},
            state="running",
            failure="",
            abort=False,
            question=None,
            answer="",
            began=now,
            ended=None,
            who=f"{self.ground.audit.user}@{self.me.host}",
        )
        await asyncio.to_thread(self.journal.add, run, self.me)
        self.bell.ring()
        return run.id

    # Keeping

    async def keep(self) -> None:
        """For ever: carry out what is ours, take over what is nobody's, show that we live.

        Cancelled, it stops where it is and lets go of what it holds: others may go on at once.
        """
        try:
            async with asyncio.TaskGroup() as self._group:
                while True:
                    await self.turn()
                    await self.clock.sleep(TURN if self._open or self._carried or self.problem else CALM, self.bell)
        finally:
            self._group = None
            with suppress(JournalError):
                self.journal.release(self.me)

    async def turn(self) -> None:
        """One look into the journal; one that has not changed is read again only while something in it is open."""
        stamp = self.journal.stamp()
        if stamp == self._stamp and not self._open and not self.problem:
            return
        try:
            runs = await asyncio.to_thread(self.journal.runs)
            for run in runs:
                if run.id not in self._carried and await self._mine(run):
                    self._carry_beside(run.id)
            if self.clock.monotonic() - self._beaten >= BEAT and self._carried:
                self._beaten = self.clock.monotonic()
                await asyncio.to_thread(self.journal.beat, self.me)
            self.problem, self._stamp, self._open = "", stamp, bool(runs)
        except JournalError as error:
            self.problem = str(error)

    @property
    def carrying(self) -> tuple[str, ...]:
        """The runs that we carry out now."""
        return tuple(self._carried)

    async def _mine(self, run: RunRecord) -> bool:
        """Whether we hold this run, taking it where its keeper is gone; not where we cannot act on its cloud."""
        if Place(run.cloud, run.region) not in self.ground.places or self.closed(run):
            return False
        lease = await asyncio.to_thread(self.journal.lease, run.id)
        if lease is not None and lease[0] != self.me.text and not self._lapse.lapsed(run.id, lease):
            return False
        return await asyncio.to_thread(lambda: self.journal.hold(run.id, self.me, over=lease))

    def closed(self, run: RunRecord) -> str:
        """Why this console carries no run of that cloud out, or ""; it would only spoil it."""
        return read_only(self.ground, Place(run.cloud, run.region))

    async def take(self, id: str) -> None:
        """Take a run from a keeper that lives, because a person says so. Raises `JournalError` where that fails."""
        run = await asyncio.to_thread(self.journal.run, id)
        if closed := self.closed(run):
            raise JournalError(f"Operation {run.id} is left to others: {closed}")
        for _ in range(TRIES):  # its keeper may show that it lives between our look and our grasp
            lease = await asyncio.to_thread(self.journal.lease, run.id)
            if await asyncio.to_thread(self.journal.hold, run.id, self.me, over=lease):
                return self.bell.ring()
        raise JournalError(f"Operation {run.id} could not be taken over: its keeper holds on to it.")

    def _carry_beside(self, id: str) -> None:
        if self._group is not None:
            self._carried.add(id)
            task = self._group.create_task(self._guarded(id), name=f"operation {id}")
            task.add_done_callback(lambda _: self._carried.discard(id))

    async def _guarded(self, id: str) -> None:
        try:
            await self.carry(id)
        except LeaseLost:
            return
        except JournalError as error:  # the run stays as it was written; the next turn goes on from there
            self.problem = str(error)
            await self.clock.sleep(PAUSES[-1])

    # One run

    async def carry(self, id: str) -> State:
        """Carry one run that we hold to its end, from wherever it is."""
        record = await asyncio.to_thread(self.journal.run, id)
        run = self._run(record, await self._agreed(record))
        async with run.leaving:
            await self._walk_all(run)
        state: State = "done" if not run.failure else "aborted" if await self.abort_wanted(run) else "failed"
        kept = dt.timedelta(days=self.ground.settings.operations_kept)
        await asyncio.to_thread(lambda: self.journal.close(self.me, id, state, self.clock.now(), kept=kept))
        self.passed("closed")
        return state

    async def _walk_all(self, run: Run) -> None:
        known = {step.name: step for step in await asyncio.to_thread(self.journal.steps, run.id)}
        names = run.runbook.names
        first = max((names.index(name) for name in known), default=0)
        for number, step in enumerate(run.runbook.steps[first:], first):
            written = known.get(step.name)
            if written is not None and written.state != "begun":
                continue
            if (run.failure and not step.cleanup) or not (written or step.when(run)):
                continue
            await self._walk(run, number, step, written)

    def _run(self, record: RunRecord, runbook: Runbook) -> Run:
        return Run(
            id=record.id,
            runbook=runbook,
            ground=self.ground,
            place=Place(record.cloud, record.region),
            target=record.target,
            name=record.name,
            given=record.given,
            facts=dict(record.facts),
            ways=self,
            who=record.who,
            failure=record.failure,
        )

    async def _agreed(self, record: RunRecord) -> Runbook:
        """The runbook as it is declared now, once somebody has agreed where it is another than it was."""
        while True:
            runbook = RUNBOOKS.get(record.runbook)
            if runbook is not None and (runbook.version, runbook.names) == (record.version, record.steps):
                return runbook
            known = {step.name for step in await asyncio.to_thread(self.journal.steps, record.id)}
            able = runbook is not None and known <= set(runbook.names)
            text = f"{record.runbook} has other steps now than when this began." + (
                "" if able else " What was done of it does not fit them: end it by that version of novadeck."
            )
            question = Question(text, [GO_ON] if able else [])
            await asyncio.to_thread(self.journal.ask, self.me, record.id, question)
            await self.clock.sleep(TURN, self.bell)
            record = await asyncio.to_thread(self.journal.run, record.id)
            if able and runbook is not None and record.answer == GO_ON:
                await asyncio.to_thread(self.journal.renew, self.me, record.id, runbook.version, runbook.names)
                record = await asyncio.to_thread(self.journal.run, record.id)

    # One step

    async def _walk(self, run: Run, number: int, step: Step, known: StepRecord | None) -> None:
        """Do one step, and write down what became of it; a failure ends the walk forward."""
        try:
            if known is None and not step.cleanup and await self.abort_wanted(run):
                raise Aborted("It was ended as asked.")
            facts = await self._done(run, number, step, known)
        except (LeaseLost, JournalError):
            raise
        except ConsoleError as error:
            await self._failed(run, step, error)
            return
        run.facts.update(facts)
        now = self.clock.now()
        await asyncio.to_thread(lambda: self.journal.end(self.me, run.id, step.name, "done", facts, run.doing, now))
        self.passed("kept")

    async def _failed(self, run: Run, step: Step, error: ConsoleError) -> None:
        text = str(error)
        run.failure = f"{run.failure} {step.name}: {text}" if run.failure else text
        await asyncio.to_thread(self.journal.fail, self.me, run.id, run.failure)
        now = self.clock.now()
        await asyncio.to_thread(lambda: self.journal.end(self.me, run.id, step.name, "failed", {}, text, now))
        self.passed("kept")

    async def _done(self, run: Run, number: int, step: Step, known: StepRecord | None) -> Facts:
        """The step's facts, however often it must be tried; an outage of the cloud ends no step."""
        run.doing = ""
        if known is None:
            run.before = await self._lasting(run, step, step.before) if step.before is not None else {}
            now = self.clock.now()
            before = run.before
            await asyncio.to_thread(lambda: self.journal.begin(self.me, run.id, number, step.name, before, now))
            self.passed("begun")
        else:
            run.before = known.before
        return await self._lasting(run, step, step.do, again=known is not None)

    async def _lasting(self, run: Run, step: Step, do: Do, again: bool = False) -> Facts:
        """Do it until it is done or has failed for good; where it was tried before, the world is read first."""
        tries = 0
        while True:
            try:
                return await self._beside(run, step, self._try(run, step, do, again and do is step.do))
            except CloudError as error:
                tries += 1
                hard = isinstance(error, CloudFault | BadReply | Conflict)
                if not passing(error) or (hard and tries >= TRIES):
                    if not (step.cleanup and await self._once_more(run, step, error)):
                        raise
                    tries = 0
                run.tell(f"asking again: {error}")
            except ConsoleError as error:
                if isinstance(error, Aborted | JournalError) or not (
                    step.cleanup and await self._once_more(run, step, error)
                ):
                    raise
            again = True
            await self.clock.sleep(PAUSES[min(tries, len(PAUSES) - 1)])

    async def _try(self, run: Run, step: Step, do: Any, again: bool) -> Facts:
        if again and step.found is not None:
            facts = await step.found(run)
            if facts is not None:
                return facts
            if not step.cleanup and await self.abort_wanted(run):
                raise Aborted("It was ended as asked.")
        await self._still_ours(run)
        facts = await do(run)
        self.passed("replied")
        return facts or {}

    async def _once_more(self, run: Run, step: Step, error: ConsoleError) -> bool:
        """Ask what to do about a world that could not be put in order."""
        text = f"{step.name} failed: {error} Try it {AGAIN}, or {LEAVE} it so?"
        answer = await self.ask(run, text, (AGAIN, LEAVE), None)
        await asyncio.to_thread(self.journal.asked, self.me, run.id)
        return answer == AGAIN

    async def _beside(self, run: Run, step: Step, work: Coroutine[Any, Any, T]) -> T:
        """Do the work; beside it tell the journal how it goes, and end it where an abort may."""
        task = asyncio.create_task(work, name=f"{run.id} {step.name}")
        watch = asyncio.create_task(self._watch(run, step), name=f"{run.id} watched")
        try:
            await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()
            return await task
        finally:
            for one in (task, watch):
                one.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)

    async def _watch(self, run: Run, step: Step) -> None:
        """Raises `Aborted` where the step may be broken off, and `LeaseLost` where another has the run."""
        noted = ""
        while True:
            await self.clock.sleep(TURN)
            await self._still_ours(run)
            if run.doing != noted:
                noted = run.doing
                await asyncio.to_thread(self.journal.note, self.me, run.id, step.name, noted)
            if step.found is None and not step.cleanup and await self.abort_wanted(run):
                raise Aborted("It was ended as asked.")

    async def _still_ours(self, run: Run) -> None:
        """Raises `LeaseLost` where another has the run: nothing may be sent by two."""
        lease = await asyncio.to_thread(self.journal.lease, run.id)
        if lease is None or lease[0] != self.me.text:
            raise LeaseLost(f"Operation {run.id} was taken over by another keeper.")

    # What a run asks of us

    async def ask(
        self, run: Run, text: str, choices: Sequence[str], unless: Callable[[], Awaitable[str | None]] | None
    ) -> str:
        """Ask, and wait for an answer from anywhere."""
        await asyncio.to_thread(self.journal.ask, self.me, run.id, Question(text, list(choices)))
        while True:
            record = await asyncio.to_thread(self.journal.run, run.id)
            if record.answer:
                return record.answer
            if unless is not None:
                with suppress(CloudError):
                    if found := await unless():
                        return found
            if record.abort and not run.failure:
                raise Aborted("It was ended as asked.")
            await self.clock.sleep(TURN, self.bell)

    async def abort_wanted(self, run: Run) -> bool:
        """Whether somebody has asked for the end."""
        return (await asyncio.to_thread(self.journal.run, run.id)).abort

    def tell_password(self, run: Run, name: str, password: Secret) -> bool:
        """Tell it, before the journal says that its order is done, to the face that is there; whether one is."""
        if self.hear is not None:
            self.hear(run.id, name, password)
        return self.hear is not None
