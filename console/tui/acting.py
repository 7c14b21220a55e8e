"""From a key to an order: is it allowed, what must be told, and then `perform`, watched as an Operation.

Nothing here talks to a cloud by itself: `Console.perform` is the only way to act, and what it refuses or fails with is
told in the refusal line or in the strip. What failed is kept, with all that was told, until it is tried again.
"""

import asyncio
import os
import shlex
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Any

from textual.app import SuspendNotSupported

from console.errors import ConsoleError
from console.model.place import Key, Row
from console.model.server import Server
from console.text import Secret
from console.tui import findings
from console.tui.asking import counted, detail_of, names_of, rung
from console.tui.deck import Deck
from console.tui.dialogs import Topic
from console.tui.failures import Failures, Summary
from console.tui.making import Making
from console.tui.operations import Operation
from console.tui.paint import EMPTY, Span, spans
from console.tui.pickers import Pages
from console.tui.questions import Answers, Questions
from console.tui.screen import MainScreen

# What a guest may have left behind it: rows that do not scroll, colours, and a prompt on whose line the cursor stands.
AFRESH = b"\x1b7\x1b[r\x1b8\x1b[m\r\n"


class Acting:
    """Runs actions for the main screen."""

    def __init__(self, screen: MainScreen) -> None:
        self.screen = screen
        self.secret: tuple[str, Secret] | None = None  # the last password that a cloud told, shown when asked for
        self.failures: Failures | None = None  # of the last action that failed for a row

    def show_secret(self) -> None:
        """Show the last password that a cloud told; it is kept nowhere else."""
        if self.secret is None:
            self.screen.refuse("No cloud has told a password in this run.")
            return
        name, secret = self.secret
        ink, glyphs = self.screen.ink, self.screen.glyphs
        lines = [
            EMPTY,
            spans(Span(secret.reveal(), "strong", True)),
            EMPTY,
            spans(Span("It is kept nowhere.", "muted")),
        ]
        self.screen.app.push_screen(Pages(ink, glyphs, Topic(f"The password of {name}"), lines))

    def hear(self, name: str, secret: Secret) -> None:
        """A cloud has told the password of a server that an operation has made."""
        self.secret = (name, secret)
        self.screen.say(f"The password of {name}: find it in the command palette.")

    @property
    def deck(self) -> Deck | None:
        """The open console, once there is one."""
        return self.screen.deck

    def start(self, name: str) -> None:
        """Begin an action on the rows that the screen points at."""
        deck = self.deck
        if deck is None:
            self.screen.refuse("No cloud is open yet.")
            return
        action = deck.actions()[name]
        if action.creates:
            self.screen.run_worker(self._create(deck, action), name=name, exit_on_error=True)
            return
        rows = self.screen.targets()
        if not rows:
            self.screen.refuse(f"{action.title}: there is no row under the cursor.")
            return
        able = self._able(deck, action, rows)
        if able:
            self.screen.run_worker(self._go(deck, action, rows, able), name=name, exit_on_error=True)

    def _able(self, deck: Deck, action: Any, rows: Sequence[Row]) -> list[Row]:
        """The rows that the action is allowed for; tells why where there is none."""
        if len(rows) > 1 and not action.many:
            self.screen.refuse(f"{action.title}: one at a time.", "Take the marks away with esc.")
            return []
        verdicts = {row.key: deck.verdict(action.name, row) for row in rows}
        able = [row for row in rows if not verdicts[row.key]]
        if not able:
            reason, _, way = verdicts[rows[0].key].partition(". ")
            key = self.screen.keymap.key(action.name)
            reason = reason[:1].lower() + reason[1:] if reason.startswith(("Not ", "It ", "There ", "Its ")) else reason
            self.screen.refuse(f"{key} {action.title}: {reason.rstrip('.')}.", way)
        return able

    async def _go(self, deck: Deck, action: Any, rows: Sequence[Row], able: list[Row]) -> None:
        questions = Questions(self.screen, deck)
        answers = await questions.about(action, rows, able)
        if answers is not None:
            await self._perform(deck, deck.actions()[questions.guarded or action.name], able, answers)

    async def _create(self, deck: Deck, action: Any) -> None:
        told = await Making(Questions(self.screen, deck), action).ask()
        if told is not None:
            place, answers = told
            await self._perform(deck, action, [place], answers)

    # what failed ---------------------------------------------------------------------------------------------

    def show_failures(self) -> None:
        """Show what failed last and why; from there it is tried again."""
        if self.failures is None:
            self.screen.refuse("Nothing has failed that could be tried again.")
            return
        self.screen.run_worker(self._try_again(self.failures), name="failed ones", exit_on_error=True)

    async def _try_again(self, failures: Failures) -> None:
        deck = self.deck
        if deck is None:
            return
        now = {row.key: deck.console.store.get(row.key) for row in failures.rows}
        verdicts = {
            key: "it is gone" if row is None else deck.verdict(failures.action.name, row) for key, row in now.items()
        }
        able = [row for row in now.values() if row is not None and not verdicts[row.key]]
        dialog = Summary(self.screen.ink, deck.glyphs, failures, verdicts)
        if not await self.screen.app.push_screen_wait(dialog) or not able:
            return
        answers = await Questions(self.screen, deck).again(failures.action, able, failures.answers)
        if answers is not None:
            await self._perform(deck, failures.action, able, answers)

    # performing ----------------------------------------------------------------------------------------------

    async def _perform(self, deck: Deck, action: Any, targets: Sequence[Any], answers: Answers) -> None:
        """Do it, and show what becomes of it."""
        operations = self._begin(deck, action, targets, answers.given)

        def progress(step: Any) -> None:
            operation = operations.get(step.key) or (operations.get(None) if step.key is None else None)
            if operation is not None:
                self._step(operation, step)

        target = targets[0] if action.creates else list(targets)
        try:
            done = await deck.console.perform(
                action, target, wait=True, progress=progress, errors_inside=True, **answers.terms()
            )
        except ConsoleError as error:
            for operation in operations.values():
                self._end(operation, error)
            self.screen.refuse(str(error))
            return
        outcomes = done if isinstance(done, list) else [done]
        for outcome in outcomes:
            self._ended(operations.get(outcome.key) or next(iter(operations.values())), outcome)
            if outcome.action == "server.shell" and outcome.result:
                await self._hand_over(outcome.name, outcome.result)
        if _only_reads(action):
            self.screen.refuse("")
        self._tell(action, outcomes, answers)
        self._show_found(action, outcomes)
        self.screen.draw_operations()
        self.screen.draw_footer()

    def _begin(
        self, deck: Deck, action: Any, targets: Sequence[Any], given: Mapping[str, Any]
    ) -> dict[Key | None, Operation]:
        operations: dict[Key | None, Operation] = {}
        for target in targets:
            row = target if isinstance(target, Row) else None
            name = (row.name or row.id) if row else str(given.get("name", ""))
            operation = Operation(
                name, action.title, row.key if row else None, time.monotonic(), detail_of(row, given, deck)
            )
            operation.place = str(row.place if row else target)
            operation.hidden = _only_reads(action)
            operations[operation.key] = self.screen.operations.start(operation)
        self.screen.pane.table.unmark()
        if _only_reads(action):
            self.screen.say(f"{action.title} {names_of(targets)} {self.screen.glyphs.cut}")
        self.screen.draw_operations()
        return operations

    def _tell(self, action: Any, outcomes: Sequence[Any], answers: Answers) -> None:
        """How many were done; what failed is kept, and one that fails hides no other."""
        failed = [outcome for outcome in outcomes if outcome.error is not None]
        if failed and not action.reads and not action.creates:
            self.failures = Failures(action, answers, tuple(failed), len(outcomes))
        if len(outcomes) > 1 and not failed:
            self.screen.say(f"{action.title}: all {len(outcomes)} done.")
        elif len(outcomes) > 1:
            key = self.screen.keymap.key("failures")
            words = f"{action.title}: {len(outcomes) - len(failed)} of {len(outcomes)} done, {len(failed)} failed."
            self.screen.refuse(words, f"{key} tells why, and tries them again.")
        elif failed:
            self.screen.refuse(str(failed[0].error))

    async def _hand_over(self, name: str, words: Sequence[str]) -> None:
        """Leave the terminal to the real ssh until it ends, however it ends; the clouds are followed meanwhile."""
        app = self.screen.app
        try:
            with app.suspend():
                modes = termios.tcgetattr(0)
                code = await asyncio.to_thread(lambda: subprocess.run(words, check=False).returncode)
                termios.tcsetattr(0, termios.TCSADRAIN, modes)  # an ssh that was killed leaves the terminal raw
                if code < 0:
                    os.write(2, AFRESH)
        except SuspendNotSupported:
            self.screen.refuse("S shell: this screen has no terminal to lend.", shlex.join(words))
            return
        except OSError as error:
            self.screen.refuse(f"S shell: ssh cannot be started: {error.strerror}.")
            return
        app.refresh(layout=True)
        if code == 255 or code < 0:
            self.screen.refuse(f"ssh to {name} ended with {code}: it lost its connection, or was killed.")

    def _step(self, operation: Operation, step: Any) -> None:
        now = time.monotonic()
        if step.phase == "rung":
            rung(operation, step.detail, now)
        elif step.phase == "asked":
            operation.step("asked", now)
        elif isinstance(step.row, Server):
            operation.saw(step.row, now)
        elif step.phase == "seen" and step.text:
            operation.step(step.text, now)
        self.screen.draw_operations()

    def _ended(self, operation: Operation, outcome: Any) -> None:
        from console.runbooks import RUNBOOKS

        if outcome.admin_pass:  # it is told once, whatever becomes of the order
            self.secret = (outcome.name, outcome.admin_pass)
        if outcome.error is not None:
            self._end(operation, outcome.error)
            return
        report = outcome.result if hasattr(outcome.result, "rungs") else None
        failed = report is not None and not report.ready
        message = "ready" if report is not None else ""
        if report is not None and failed:
            fallen = next((one for one in report.rungs if one.state == "failed"), None)
            message = f"{fallen.name}: {fallen.text}" if fallen else "not ready"
        if outcome.action in RUNBOOKS:
            message, operation.hidden = str(outcome.result or ""), True  # the journal tells of it from here on
        if hasattr(outcome.result, "output"):
            message, failed = findings.ending(outcome.result), outcome.result.code != 0
        if outcome.admin_pass:
            message = "its password: find it in the command palette"
        operation.end(time.monotonic(), failed=failed, message=message)

    def _show_found(self, action: Any, outcomes: Sequence[Any]) -> None:
        """What an action has found out, as a page."""
        lines = findings.page(outcomes, self._way)
        if lines:
            name = outcomes[0].name if len(outcomes) == 1 else counted(len(outcomes), outcomes[0].key.kind)
            topic = Topic(f"{action.title[:1].upper()}{action.title[1:]} {name}")
            self.screen.app.push_screen(Pages(self.screen.ink, self.screen.glyphs, topic, lines))

    def _way(self, name: str) -> str:
        """How an action is begun on this screen: by its key, else by its title in the palette."""
        keymap, deck = self.screen.keymap, self.screen.deck
        assert deck is not None
        return keymap.key(name) or f"{keymap.key('palette')} {deck.actions()[name].title}"

    def _end(self, operation: Operation, error: ConsoleError) -> None:
        operation.hidden = False
        operation.end(time.monotonic(), failed=True, message=str(error))
        self.screen.draw_operations()


def _only_reads(action: Any) -> bool:
    """Whether it shows a page, and is no operation: it moves nothing on the screen. A check is one, rung by rung."""
    return bool(action.reads and not action.creates and action.name not in ("server.check", "server.shell"))
