"""From a key to an order: is it allowed, what must be asked, and then `perform`, watched as an Operation.

Every dialog is made from the action's declaration. Nothing here talks to a cloud by itself: `Console.perform` is the
only way to act, and what it refuses or fails with is told in the refusal line or in the strip.
"""

import asyncio
import shlex
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from textual.app import SuspendNotSupported

from console.errors import ConsoleError
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Key, Place, Row
from console.model.server import Server
from console.text import Secret
from console.tui import resizing
from console.tui.asking import NAMES, choices_of, default_of, detail_of, names_of, rows_lines, rung, typed_for, warning
from console.tui.deck import Deck
from console.tui.dialogs import AskText, Confirm, Dialog, Topic
from console.tui.operations import Operation
from console.tui.paint import EMPTY, Line, Span, gigabytes, megabytes, spans
from console.tui.pickers import Choice, Pages, Pick
from console.tui.screen import MainScreen

Given = dict[str, Any]
NOT_ASKED = object()
_TYPED = ("text", "secret", "metadata", "choice", "number")


class Acting:
    """Runs actions for the main screen."""

    def __init__(self, screen: MainScreen) -> None:
        self.screen = screen
        self.secret: tuple[str, Secret] | None = None  # the last password that a cloud told, shown when asked for

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
        given = await self._ask(deck, action, rows, able)
        if given is not None:
            await self._perform(deck, action, able, given)

    async def _show(self, dialog: Dialog[Any]) -> Any:
        """Put a dialog on the screen, and wait for its answer; None when it was called off."""
        return await self.screen.app.push_screen_wait(dialog)

    # asking --------------------------------------------------------------------------------------------------

    async def _ask(self, deck: Deck, action: Any, rows: Sequence[Row], able: list[Row]) -> Given | None:
        """All that must be told beforehand; None when it was called off."""
        given: Given = {}
        required = [ask for ask in action.asks if ask.required]
        at_once = action.confirm or action.reads or action.name == "server.shell"  # its route is in the settings
        optional = [ask for ask in action.asks if not at_once and ask.kind in _TYPED]
        for ask in required or optional:
            value = await self._ask_one(deck, action, ask, able)
            if value is None:
                return None
            if value != "":
                given[ask.name] = value
        sure = required and action.reversible
        if action.confirm and not sure and not await self._confirm(deck, action, rows, able):
            return None
        return given

    async def _ask_one(self, deck: Deck, action: Any, ask: Any, able: list[Row]) -> Any:
        topic = self._topic(deck, action, able)
        if ask.kind == "flavor" and isinstance(able[0], Server):
            return await self._pick_flavor(deck, topic, [row for row in able if isinstance(row, Server)])
        ink, glyphs, help = self.screen.ink, deck.glyphs, spans(Span(ask.help, "muted"))
        if ask.kind in ("image", "choice"):
            offered = [Choice(word, (word, "")) for word in ask.choices]
            if ask.kind == "image":
                offered = choices_of(self._at(deck, Image, able[0].place), ask)
            return await self._show(Pick(ink, glyphs, topic, [help], offered, NAMES, f"{action.title}:"))
        dialog = AskText(
            ink,
            glyphs,
            topic,
            [*rows_lines(able, deck, glyphs.of), EMPTY, help],
            f"{action.title} {names_of(able)}",
            label=ask.title,
            default=default_of(action, ask, able),
            secret=ask.kind == "secret",
            required=ask.required,
        )
        return await self._show(dialog)

    async def _pick_flavor(self, deck: Deck, topic: Topic, servers: list[Server]) -> Flavor | None:
        flavors = self._at(deck, Flavor, servers[0].place)
        held = resizing.flavor_of(servers[0], flavors)
        now = []
        if held is not None and len(servers) == 1:
            figures = f"{held.vcpus} vcpu, {megabytes(held.ram)}, {gigabytes(held.disk)}"
            now = [spans(Span(f"{held.name} now: {figures}", "muted"))]

        def changes(flavor: Flavor) -> list[Line]:
            return resizing.changes(servers[0], held, flavor, deck.glyphs.becomes) if len(servers) == 1 else []

        offered = resizing.choices(servers, flavors)
        ink = self.screen.ink
        dialog = Pick(ink, deck.glyphs, topic, now, offered, resizing.heads(flavors), "resize to", changes, "flavor")
        self.screen.run_worker(self._add_limits(deck, dialog, servers, flavors), name="read limits", group="limits")
        found: Flavor | None = await self._show(dialog)
        return found

    async def _add_limits(self, deck: Deck, dialog: Pick, servers: list[Server], flavors: list[Flavor]) -> None:
        """The quota makes some choices impossible: told as soon as the cloud has told it."""
        try:
            limits = await deck.limits(servers[0].place)
        except ConsoleError:
            return  # the picker then promises nothing of quotas
        dialog.offer(resizing.choices(servers, flavors, limits.absolute))

    def _at(self, deck: Deck, kind: type[Any], place: Place) -> list[Any]:
        """The rows of a kind that can be used at a place."""
        store = deck.console.store
        return [row for row in store.rows(kind).values() if row.place == place or place in store.ways(row.key)]

    def _topic(self, deck: Deck, action: Any, able: Sequence[Row]) -> Topic:
        places = sorted({row.place for row in able})
        where = deck.label(places[0]) if len(places) == 1 else f"{len(places)} places"
        title = action.title[:1].upper() + action.title[1:]
        return Topic(f"{title} {names_of(able)}", where, any(map(deck.production, places)), action.reversible)

    async def _confirm(self, deck: Deck, action: Any, rows: Sequence[Row], able: list[Row]) -> bool:
        topic = self._topic(deck, action, able)
        lines: list[Line] = []
        left_out = [row for row in rows if row not in able]
        if left_out:
            lines.append(spans(Span(f"{len(rows)} marked; {names_of(left_out)} left out", "muted")))
        lines += [EMPTY, *rows_lines(able, deck, deck.glyphs.of)]
        for row in left_out[:3]:
            lines.append(spans(Span(f"  {row.name:<18} {deck.verdict(action.name, row)}", "muted")))
        lines += [EMPTY, *warning(action, able)]
        typed, asks = typed_for(action, able, topic.production)
        twice = action.type_name and not typed
        keeps = "leave it" if action.reversible else "keep it" if len(able) == 1 else "keep them"
        does = f"{action.title} {names_of(able)}"
        dialog = Confirm(self.screen.ink, deck.glyphs, topic, lines, does, keeps, typed, twice, asks)
        return bool(await self._show(dialog))

    # a new server --------------------------------------------------------------------------------------------

    async def _create(self, deck: Deck, action: Any) -> None:
        place = await self._pick_place(deck, action)
        if place is None:
            return
        given: Given = {}
        topic = Topic(f"New server at {deck.label(place)}", production=deck.production(place))
        for ask in action.asks:
            if not ask.required and ask.kind != "keypair":
                continue
            value = await self._ask_new(deck, topic, ask, place)
            if value is None:
                return
            if value is not NOT_ASKED:
                given[ask.name] = value
        await self._perform(deck, action, [place], given)

    async def _pick_place(self, deck: Deck, action: Any) -> Place | None:
        row = self.screen.pane.table.cursor_row
        places = list(deck.places)
        if len(places) <= 1:
            return places[0] if places else None
        places.sort(key=lambda place: row is None or place != row.place)
        offered = [
            Choice(place, (str(place),), place not in deck.stale, "" if place not in deck.stale else "silent")
            for place in places
        ]
        heads = (("place", 40, False),)
        dialog = Pick(self.screen.ink, deck.glyphs, Topic("New server: where?"), [], offered, heads, "build at")
        found: Place | None = await self._show(dialog)
        return found

    async def _ask_new(self, deck: Deck, topic: Topic, ask: Any, place: Place) -> Any:
        ink, glyphs = self.screen.ink, deck.glyphs
        if ask.kind == "text":
            dialog = AskText(ink, glyphs, topic, [spans(Span(ask.help, "muted"))], "go on", label=ask.title)
            return await self._show(dialog)
        rows: list[Any] = self._offered(deck, ask, place)
        if not rows:
            return NOT_ASKED
        heads: tuple[tuple[str, int, bool], ...] = NAMES
        offered = choices_of(rows, ask)
        if ask.kind == "flavor":
            offered, heads = resizing.choices([], rows), resizing.heads(rows)
        lines = [spans(Span(ask.help, "muted"))]
        found = await self._show(Pick(ink, glyphs, topic, lines, offered, heads, f"{ask.title}:"))
        return found.name if isinstance(found, Row) and ask.kind == "keypair" else found

    def _offered(self, deck: Deck, ask: Any, place: Place) -> list[Any]:
        if ask.kind == "image":
            return self._at(deck, Image, place)
        if ask.kind == "flavor":
            return self._at(deck, Flavor, place)
        pairs = self.screen.panes["keypairs"].table.index.rows.values()
        return [row for row in pairs if row.place == place]

    # performing ----------------------------------------------------------------------------------------------

    async def _perform(self, deck: Deck, action: Any, targets: Sequence[Any], given: Given) -> None:
        """Do it, and show what becomes of it."""
        operations: dict[Key | None, Operation] = {}
        for target in targets:
            row = target if isinstance(target, Row) else None
            name = (row.name or row.id) if row else str(given.get("name", ""))
            operation = Operation(
                name, action.title, row.key if row else None, time.monotonic(), detail_of(row, given, deck)
            )
            operation.place = str(row.place if row else target)
            operations[operation.key] = self.screen.operations.start(operation)
        self.screen.pane.table.unmark()
        self.screen.draw_operations()

        def progress(step: Any) -> None:
            operation = operations.get(step.key) or (operations.get(None) if step.key is None else None)
            if operation is not None:
                self._step(operation, step)

        target = targets[0] if action.creates else list(targets)
        try:
            done = await deck.console.perform(action, target, wait=True, progress=progress, **given)
        except ConsoleError as error:
            self._end(operations.values(), error)
            return
        for outcome in done if isinstance(done, list) else [done]:
            self._ended(operations.get(outcome.key) or next(iter(operations.values())), outcome)
            if outcome.action == "server.shell" and outcome.result:
                await self._hand_over(outcome.name, outcome.result)
        self.screen.draw_operations()
        self.screen.draw_footer()

    async def _hand_over(self, name: str, words: Sequence[str]) -> None:
        """Leave the terminal to the real ssh until it ends, however it ends; the clouds are followed meanwhile."""
        app = self.screen.app
        try:
            with app.suspend():
                code = await asyncio.to_thread(lambda: subprocess.run(words, check=False).returncode)
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
        if outcome.error is not None:
            self._end([operation], outcome.error)
            return
        report = outcome.result if hasattr(outcome.result, "rungs") else None
        if report is not None and outcome.key is not None:
            self.screen.detail.reports[outcome.key] = report
            self.screen.detail.draw()
        failed = report is not None and not report.ready
        message = "ready" if report is not None else ""
        if report is not None and failed:
            fallen = next((one for one in report.rungs if one.state == "failed"), None)
            message = f"{fallen.name}: {fallen.text}" if fallen else "not ready"
        if isinstance(outcome.result, str):
            message = outcome.result
        if hasattr(outcome.result, "lines"):
            self._show_lines(outcome.action, outcome.name, outcome.result.lines())
        if outcome.admin_pass:
            self.secret = (outcome.name, outcome.admin_pass)
            message = "its password: find it in the command palette"
        operation.end(time.monotonic(), failed=failed, message=message)

    def _show_lines(self, action: str, name: str, told: Sequence[str]) -> None:
        """What an action has found out, as a page: the first word of each line is its label."""
        ink, glyphs = self.screen.ink, self.screen.glyphs
        pairs = [line.partition(": ") for line in told]
        room = max((len(label) for label, _, _ in pairs), default=0) + 2
        lines = [spans(Span(f"{label:<{room}}", "muted"), Span(text, "text")) for label, _, text in pairs]
        title = f"{self.deck.actions()[action].title.capitalize()} {name}" if self.deck else name
        self.screen.app.push_screen(Pages(ink, glyphs, Topic(title), [EMPTY, *lines]))

    def _end(self, operations: Any, error: ConsoleError) -> None:
        now = time.monotonic()
        for operation in operations:
            operation.end(now, failed=True, message=str(error))
        self.screen.refuse(str(error))
        self.screen.draw_operations()
