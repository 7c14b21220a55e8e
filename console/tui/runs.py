"""Operations that outlive the screen: each run of the journal as it goes, whoever carries it out.

What the journal says is shown in the strip: steps, times, the question. From the list (one key) a question is answered
and a run is ended or taken over; all of that is written into the journal, and whoever keeps the run finds it there.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.worker import Worker

from console.errors import JournalError
from console.text import Secret
from console.tui.deck import Deck
from console.tui.dialogs import Topic
from console.tui.operations import Operation, Step
from console.tui.paint import EMPTY, Line, Span, spans
from console.tui.pickers import Choice, Pick
from console.tui.screen import MainScreen

if TYPE_CHECKING:  # they are loaded when a console is open: the first picture does not wait for them
    from console.runbooks.journal import Journal, RunRecord, StepRecord

HEADS = (("operation", 40, False), ("state", 10, False), ("kept by", 24, False))
ABORT, TAKE = "end it and put the world in order", "take it over"


class Seen(NamedTuple):
    """One run as the journal has it now."""

    run: "RunRecord"
    steps: "Sequence[StepRecord]"
    keeper: str  # in words; "" where it is ours

    @property
    def title(self) -> str:
        """What it does."""
        from console.runbooks import RUNBOOKS

        declared = RUNBOOKS.get(self.run.runbook)
        return declared.title if declared else self.run.runbook


def look(journal: "Journal", ours: str, known: Sequence[str]) -> list[Seen]:
    """The runs that are open, and those of the known ones that have ended; reads the file."""
    runs = {run.id: run for run in journal.runs()}
    runs |= {id: journal.run(id) for id in known if id not in runs}
    return [Seen(run, journal.steps(run.id), _keeper(journal, run, ours)) for run in runs.values()]


def _keeper(journal: "Journal", run: "RunRecord", ours: str) -> str:
    from console.runbooks.lease import alive, read_holder

    lease = journal.lease(run.id) if run.open else None
    if lease is None:
        return "nobody" if run.open else ""
    holder = read_holder(lease[0])
    return "" if lease[0] == ours else f"{holder}, gone" if alive(holder) is False else str(holder)


class Runs:
    """Follows the journal for the main screen."""

    def __init__(self, screen: MainScreen, hear: Callable[[str, Secret], None]) -> None:
        self.screen, self._hear = screen, hear
        self.seen: list[Seen] = []
        self._shown: dict[str, Operation] = {}
        self._stamp: tuple[int, int] | None = None
        self._turn: Worker[None] | None = None
        self._problem = ""
        self._told = ""

    def begin(self, deck: Deck) -> None:
        """Follow from now on, at each tick of the screen, and keep what is ours or nobody's."""
        console = deck.console
        if getattr(console, "keeper", None) is not None:  # a recording that is replayed keeps nothing
            self.screen.each_second.append(lambda: self._look(console))
            self._look(console)
            console.keeper.hear = lambda id, name, password: self._hear(name, password)

    def _look(self, console: Any) -> None:
        """Take in what has changed, and say once what is wrong."""
        idle = self._turn is None or self._turn.is_finished
        if idle and (self.seen or console.journal.stamp() != self._stamp):
            self._turn = self.screen.run_worker(self._take(console), name="operations", exit_on_error=True)
        problem = self._problem or console.keeper.problem or console.scheduler.problem
        if problem and problem != self._told:
            self.screen.refuse(problem)
        self._told = problem

    async def _take(self, console: Any) -> None:
        self._problem = ""
        try:
            await self.turn(console)
        except JournalError as error:
            self._problem = str(error)

    async def turn(self, console: Any) -> None:
        """One look; the file is read only when it has changed, or something is open."""
        stamp = console.journal.stamp()
        if stamp == self._stamp and not self.seen:
            return
        self._stamp = stamp
        known = [id for id, operation in self._shown.items() if operation.running]
        self.seen = await asyncio.to_thread(look, console.journal, console.keeper.me.text, known)
        for seen in self.seen:
            self._show(seen, console.clock.now())
        self.seen = [seen for seen in self.seen if seen.run.open]
        self.screen.draw_operations()

    def _show(self, seen: Seen, now: Any) -> None:
        from console.runbooks.passwords import lost

        run, moment = seen.run, time.monotonic()

        def at(when: Any) -> float:
            return float(moment - max(0.0, (now - when).total_seconds()))

        operation = self._shown.get(run.id)
        if operation is None:
            operation = Operation(run.name, seen.title, None, at(run.began), outlives=True)
            self._shown[run.id] = self.screen.operations.start(operation)
        place = f"{run.cloud}/{run.region}".rstrip("/")
        operation.place = f"{place}, kept by {seen.keeper}" if seen.keeper else place
        operation.steps = [
            Step(step.name, at(step.began), at(step.ended) if step.ended else None, step.state == "failed", "")
            for step in seen.steps
        ]
        if operation.steps and run.open:
            operation.steps[-1].note = "" if run.question else seen.steps[-1].note
        key = self.screen.keymap.key("operations")
        operation.asks = f"{run.question.text} {key} answers." if run.question else ""
        if not run.open:
            end = "; ".join(filter(None, (str(run.facts.get("end") or ""), lost(run.facts))))
            words = "; ".join(filter(None, (run.failure, end))) if run.state != "done" else end
            operation.end(moment, failed=run.state == "failed", message=words)

    # Saying

    def pick(self) -> None:
        """The list of operations, and what can be said to each."""
        self.screen.run_worker(self._pick(), name="operations list", exit_on_error=True)

    async def _pick(self) -> None:
        screen, deck = self.screen, self.screen.deck
        if deck is None or not self.seen:
            screen.refuse("No operation is open.")
            return
        choices = [Choice(seen, _cells(seen), True, _said(seen)) for seen in self.seen]
        topic = Topic("Operations", right=f"{len(choices)} open")
        seen = await screen.app.push_screen_wait(
            Pick(screen.ink, screen.glyphs, topic, [], choices, HEADS, "choose", changes=_steps)
        )
        if seen is not None:
            await self._say(deck.console, seen)

    async def _say(self, console: Any, seen: Seen) -> None:
        """Answer it, end it, or take it over."""
        screen, run = self.screen, seen.run
        words = [*(run.question.choices if run.question else ()), *([TAKE] if seen.keeper else []), ABORT]
        lines: list[Line] = [spans(Span(run.question.text, "text"))] if run.question else []
        choices = [Choice(word, (word,)) for word in words]
        topic = Topic(f"{seen.title} {run.name}")
        dialog = Pick(screen.ink, screen.glyphs, topic, lines, choices, (("answer", 40, False),), "say it")
        word = await screen.app.push_screen_wait(dialog)
        try:
            if word == ABORT:
                await asyncio.to_thread(console.journal.abort, run.id)
            elif word == TAKE:
                await console.keeper.take(run.id)
            elif word is not None:
                await asyncio.to_thread(console.journal.answer, run.id, word, to=run.question)
        except JournalError as error:
            screen.refuse(str(error))
        console.keeper.bell.ring()


def _cells(seen: Seen) -> tuple[str, ...]:
    return f"{seen.title} {seen.run.name}", seen.run.state, seen.keeper or "this console"


def _said(seen: Seen) -> str:
    return seen.run.question.text if seen.run.question else seen.steps[-1].name if seen.steps else ""


def _steps(seen: Seen) -> list[Line]:
    """Its steps, below the list."""
    found: list[Line] = [EMPTY]
    for step in seen.steps:
        took = "" if step.ended is None else f"{(step.ended - step.began).total_seconds():.1f} s"
        role = "error" if step.state == "failed" else "text"
        found.append(spans(Span(f"{step.name:<14}", role), Span(f"{step.state:<8}{took:>8}  {step.note}", "muted")))
    return found
