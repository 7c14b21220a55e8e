"""What must be told before an order is sent: the declaration's asks, the user's own rules, and whether one is sure.

Each question is a dialog made from the declaration; whoever leaves one has ordered nothing. What the rules demand is
asked of the gate (`demands`), so that the screen asks for what `perform` would refuse to go without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from console.errors import ConsoleError
from console.model.fitting import held as held_by
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.operation import mark_of
from console.model.place import Place, Row
from console.model.server import Server
from console.tui import resizing
from console.tui.asking import NAMES, choices_of, default_of, names_of, row_lines, told_of, typed_for, warning
from console.tui.deck import Deck
from console.tui.dialogs import AskText, Confirm, Dialog, Topic
from console.tui.paint import EMPTY, Line, Span, cut_middle, gigabytes, megabytes, pad, spans
from console.tui.pickers import Choice, Pick
from console.tui.screen import MainScreen

GUARD = ("Guard it", "test it over SSH, then confirm; revert if that fails")
IMAGE = "server.snapshot"
LOSES_A_DISK = ("server.delete", "server.force_delete", "server.rebuild")
_TYPED = ("text", "secret", "metadata", "choice", "number")


@dataclass(frozen=True)
class Answers:
    """All that was told: what is given to the action, and what the user's rules wanted to hear."""

    given: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    typed: str = ""

    def terms(self) -> dict[str, Any]:
        """As `perform` takes them."""
        return {**self.given, "why": self.why, "typed": self.typed}


class Questions:
    """Asks on the main screen, over one open console."""

    def __init__(self, screen: MainScreen, deck: Deck) -> None:
        self.screen, self.deck = screen, deck
        self.guarded = ""  # the action that does the same and tests it, where that was wanted

    async def about(self, action: Any, rows: Sequence[Row], able: Sequence[Row]) -> Answers | None:
        """All that an action on these rows wants to know; None when it was called off, or the rules are against it."""
        if self.forbidden(action, able, {}):
            return None
        given: dict[str, Any] = {}
        for ask in _asked(action):
            value = await self._ask(action, ask, able)
            if value is None:
                return None
            if self.guarded:
                action = self.deck.actions()[self.guarded]
            unchanged = not ask.required and value == default_of(action, ask, able)
            if not unchanged and (value != "" or ask.clears):
                given[ask.name] = value
        sure = not action.confirm or (any(ask.required for ask in action.asks) and action.reversible)
        sure = sure and not (any(mark_of(row) for row in able if isinstance(row, Server)) and not action.reads)
        return await self._agree(action, rows, able, Answers(given), sure)

    async def again(self, action: Any, able: Sequence[Row], before: Answers) -> Answers | None:
        """The same for those that failed: only what must be typed is asked once more, since there are fewer now."""
        return await self._agree(action, able, able, replace(before, typed=""), sure=True)

    async def show(self, dialog: Dialog[Any]) -> Any:
        """Put a dialog on the screen, and wait for its answer; None when it was called off."""
        return await self.screen.app.push_screen_wait(dialog)

    # the user's rules, and whether one is sure ---------------------------------------------------------------

    def forbidden(self, action: Any, target: Any, given: Mapping[str, Any]) -> bool:
        """Whether the rules are against it; says so."""
        refusal = self.deck.demands(action, target, given).refusal
        if refusal:
            self.screen.refuse(refusal)
        return bool(refusal)

    async def _agree(
        self, action: Any, rows: Sequence[Row], able: Sequence[Row], answers: Answers, sure: bool
    ) -> Answers | None:
        """The reason that the rules want, and then the last question."""
        wanted = self.deck.demands(action, able, answers.given)
        if wanted.why and not answers.why:
            why = await self.reason(self._topic(action, able), f"{action.title} {names_of(able)}")
            if why is None:
                return None
            answers = replace(answers, why=why)
        if sure and not wanted.typed:
            return answers
        return replace(answers, typed=wanted.typed) if await self._confirm(action, rows, able, wanted.typed) else None

    async def reason(self, topic: Topic, does: str) -> str | None:
        """Why it is done, for the audit to keep."""
        hint = spans(Span("Your rules want a reason; the audit keeps it.", "muted"))
        why: str | None = await self.show(AskText(self.screen.ink, self.deck.glyphs, topic, [hint], does, label="why"))
        return why

    async def _confirm(self, action: Any, rows: Sequence[Row], able: Sequence[Row], wanted: str) -> bool:
        deck, topic = self.deck, self._topic(action, able)
        lines: list[Line] = []
        left_out = [row for row in rows if row not in able]
        if left_out:
            lines.append(spans(Span(f"{len(rows)} marked; {names_of(left_out)} left out", "muted")))
        after: list[Line] = [
            spans(Span(f"  {pad(cut_middle(row.name or row.id, 18), 18)} ", "muted"), Span(why, "muted"))
            for row in left_out[:3]
            if (why := deck.verdict(action.name, row))
        ]
        after += [EMPTY, *warning(action, able)]
        typed, asks = typed_for(action, able, bool(topic.production))
        if wanted and not typed:
            typed, asks = wanted, f"to {action.title} {names_of(able)}: your rules want it"
        keeps = "leave it" if action.reversible else "keep it" if len(able) == 1 else "keep them"
        dialog = Confirm(
            self.screen.ink,
            deck.glyphs,
            topic,
            [*lines, EMPTY],
            f"{action.title} {names_of(able)}",
            keeps,
            typed,
            action.type_name and not typed,
            asks,
            listed=row_lines(able, deck, deck.glyphs.of),
            after=after,
            told=told_of(action, able),
            first=self._first(action, able),
        )
        agreed = bool(await self.show(dialog))
        if dialog.first_chosen:
            self.screen.run_command(IMAGE)
        return agreed

    def _first(self, action: Any, able: Sequence[Row]) -> str:
        """What is better done before a disk is lost, where that can be done."""
        if action.name not in LOSES_A_DISK or IMAGE not in self.deck.actions():
            return ""
        if not any(not self.deck.verdict(IMAGE, row) for row in able):
            return ""
        return f"image {'it' if len(able) == 1 else 'them'} first"

    # the declaration's asks ----------------------------------------------------------------------------------

    async def _ask(self, action: Any, ask: Any, able: Sequence[Row]) -> Any:
        deck, topic = self.deck, self._topic(action, able)
        if ask.kind == "flavor" and isinstance(able[0], Server):
            return await self._pick_flavor(action, topic, [row for row in able if isinstance(row, Server)])
        ink, glyphs, help = self.screen.ink, deck.glyphs, spans(Span(ask.help, "muted"))
        if ask.kind in ("image", "choice"):
            offered = [Choice(word, (word, "")) for word in ask.choices]
            if ask.kind == "image":
                now = able[0].image_id if len(able) == 1 and isinstance(able[0], Server) else None
                offered = choices_of(await self.known(Image, able[0].place), ask, deck.server_name, now)
                if not offered:
                    return None
            verb = action.title if ask.kind == "image" else ask.title
            return await self.show(Pick(ink, glyphs, topic, [help], offered, NAMES, f"{verb}:"))
        dialog = AskText(
            ink,
            glyphs,
            topic,
            [help],
            f"{action.title} {names_of(able)}",
            label=ask.title,
            default=default_of(action, ask, able),
            secret=ask.kind == "secret",
            required=ask.required,
            listed=[*row_lines(able, deck, glyphs.of), EMPTY, *told_of(action, able)],
        )
        return await self.show(dialog)

    def _guard(self, action: Any, rows: Sequence[Row]) -> str:
        """The action that does the same under guard, where each row takes it."""
        name = f"{action.name}_guarded"
        if name not in self.deck.actions() or any(self.deck.verdict(name, row) for row in rows):
            return ""
        return name

    async def _pick_flavor(self, action: Any, topic: Topic, servers: list[Server]) -> Flavor | None:
        deck = self.deck
        flavors = await self.known(Flavor, servers[0].place)
        if not flavors:
            return None
        held = held_by(servers[0], flavors)
        now = []
        if held is not None and len(servers) == 1:
            figures = f"{held.vcpus} vcpu, {megabytes(held.ram)}, {gigabytes(held.disk)}"
            now = [spans(Span(f"{held.name} now: {figures}", "muted"))]

        def changes(flavor: Flavor) -> list[Line]:
            if len(servers) > 1:
                return []
            return resizing.changes(servers[0], held, flavor, deck.glyphs.becomes, guarded=dialog.opted)

        offered, heads = resizing.choices(servers, flavors), resizing.heads(flavors)
        if any(choice.reason == resizing.TOO_SMALL for choice in offered):
            now.append(spans(Span(resizing.SHRINKING, "muted")))
        guard = self._guard(action, servers)
        option = GUARD if guard else None
        dialog = Pick(self.screen.ink, deck.glyphs, topic, now, offered, heads, "resize to", changes, "flavor", option)
        self.add_limits(dialog, servers[0].place, servers, flavors)
        found: Flavor | None = await self.show(dialog)
        self.guarded = guard if dialog.opted else ""
        return found

    def add_limits(
        self,
        dialog: Pick,
        place: Place,
        servers: Sequence[Server],
        flavors: Sequence[Flavor],
        image: Image | None = None,
    ) -> None:
        """The quota makes some choices impossible: told as soon as the cloud has told it."""

        async def add() -> None:
            try:
                limits = await self.deck.limits(place)
            except ConsoleError:
                return  # the picker then promises nothing of quotas
            dialog.offer(resizing.choices(servers, flavors, limits.absolute, image))

        self.screen.run_worker(add(), name="read limits", group="limits")

    async def known(self, kind: type[Any], place: Place) -> list[Any]:
        """The rows of a kind that can be used at a place, read first where none is known; says why there is none."""
        if rows := self._at(kind, place):
            return rows
        nouns, where = f"{kind.__name__.lower()}s", self.deck.label(place)
        self.screen.say(f"Reading the {nouns} of {where} ...")
        troubles = (await getattr(self.deck.console, nouns).list(places=[place])).troubles
        rows = self._at(kind, place)
        if rows:
            self.screen.refuse("")
        else:
            self.screen.refuse(str(troubles.get(place, f"{where} tells of no {nouns}.")))
        return rows

    def _at(self, kind: type[Any], place: Place) -> list[Any]:
        store = self.deck.console.store
        return [row for row in store.rows(kind).values() if row.place == place or place in store.ways(row.key)]

    def _topic(self, action: Any, able: Sequence[Row]) -> Topic:
        places = sorted({row.place for row in able})
        where = self.deck.label(places[0]) if len(places) == 1 else f"{len(places)} places"
        title = action.title[:1].upper() + action.title[1:]
        return Topic(f"{title} {names_of(able)}", where, self.deck.production(*places), action.reversible)


def _asked(action: Any) -> list[Any]:
    """The asks that have a dialog: those that must, else what may be told, unless it is asked about or reads."""
    required = [ask for ask in action.asks if ask.required or ask.offered]
    at_once = action.confirm or action.reads or action.name == "server.shell"  # its route is in the settings
    return required or [ask for ask in action.asks if not at_once and ask.kind in _TYPED]
