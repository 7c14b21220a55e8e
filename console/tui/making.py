"""What must be told before something new is made: where, of what, on which network, and what the user's rules want.

What is required is asked, and what a cloud leaves open: which of several networks and zones. All else has its flag on
the command line.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from console.errors import ConsoleError
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Place
from console.model.server import Server
from console.tui import resizing
from console.tui.asking import NAMES, choices_of
from console.tui.dialogs import AskText, Confirm, Topic
from console.tui.paint import Line, Span, spans
from console.tui.pickers import Choice, Pick
from console.tui.questions import Answers, Questions

_NOTHING = object()  # an answer that gives nothing
_BESIDE = ("keypair", "network")  # kinds that are asked for though they are not required
_ZONE = "availability_zone"
_VOLUME = "boot_from_volume"  # asked for where the flavor has no disk of its own
_PLACES = (("place", 40, False),)  # the columns of a picker of places


class Making:
    """Asks for all that one new thing needs."""

    def __init__(self, questions: Questions, action: Any) -> None:
        self.questions, self.action = questions, action
        self.screen, self.deck = questions.screen, questions.deck
        self.given: dict[str, Any] = {}

    async def ask(self) -> tuple[Place, Answers] | None:
        """Where it is made, and all that must be known of it; None when it was called off."""
        place = await self._place()
        if place is None or self.questions.forbidden(self.action, place, {}):
            return None
        topic = Topic(f"{self._noun} at {self.deck.label(place)}", production=self.deck.production(place))
        for ask in self.action.asks:
            if not self._is_asked(ask):
                continue
            value = await self._ask(topic, ask, place)
            if value is None:
                return None
            if value is not _NOTHING:
                self.given[ask.name] = value
        answers = await self._by_rules(place, topic, Answers(self.given))
        return None if answers is None else (place, answers)

    def _is_asked(self, ask: Any) -> bool:
        if ask.name == _VOLUME:
            return bool(self.given["flavor"].disk == 0)
        return bool(ask.required or ask.kind in _BESIDE or ask.name == _ZONE)

    @property
    def _noun(self) -> str:
        noun = self.action.on.__name__.lower()
        return "New key pair" if noun == "keypair" else f"New {noun}"

    async def _place(self) -> Place | None:
        row, deck = self.screen.pane.table.cursor_row, self.deck
        places = list(deck.places)
        if len(places) <= 1:
            return places[0] if places else None
        places.sort(key=lambda place: row is None or place != row.place)
        offered = [
            Choice(place, (str(place),), place not in deck.stale, "" if place not in deck.stale else "silent")
            for place in places
        ]
        found: Place | None = await self._pick(
            Topic(f"{self._noun}: where?"),
            [],
            offered,
            "build at" if self.action.on is Server else "make it at",
            _PLACES,
        )
        return found

    async def _pick(
        self, topic: Topic, lines: Sequence[Line], offered: Sequence[Choice], verb: str, heads: Any = NAMES
    ) -> Any:
        return await self.questions.show(Pick(self.screen.ink, self.deck.glyphs, topic, lines, offered, heads, verb))

    # one thing at a time -------------------------------------------------------------------------------------

    async def _ask(self, topic: Topic, ask: Any, place: Place) -> Any:
        help = [spans(Span(ask.help, "muted"))]
        if ask.name == _VOLUME:
            return await self._volume(topic, help, ask, place)
        if ask.kind == "flavor":
            flavors = await self.questions.known(Flavor, place)
            return await self._flavor(topic, help, ask, flavors, place) if flavors else None
        if ask.kind == "text" and ask.name != _ZONE:
            default = f"~/.ssh/{self.given.get('name', '')}" if ask.name == "private_key" else ""
            ink, glyphs = self.screen.ink, self.deck.glyphs
            return await self.questions.show(
                AskText(ink, glyphs, topic, help, "go on", label=ask.title, default=default)
            )
        offered = await self._offered(ask, place)
        if not offered:
            return None if ask.kind == "image" else _NOTHING
        return await self._pick(topic, help, offered, f"{ask.title}:")

    async def _volume(self, topic: Topic, help: list[Line], ask: Any, place: Place) -> Any:
        image, flavor = self.given["image"], self.given["flavor"]
        lines = [spans(Span(f"{flavor.name} has no disk; an empty line leaves that to the cloud.", "muted")), *help]
        if left := await self._room(place):
            lines.append(spans(Span(f"The quota leaves {left}.", "muted")))
        ink, glyphs = self.screen.ink, self.deck.glyphs
        size = str(max(10, image.min_disk or 0))
        dialog = AskText(ink, glyphs, topic, lines, "go on", label="GB", default=size, required=False)
        told = await self.questions.show(dialog)
        return _NOTHING if told == "" else told

    async def _room(self, place: Place) -> str:
        """How many volumes and gigabytes of them the quota leaves, where the cloud tells."""
        dialect = self.deck.console.dialect(place)
        try:
            known = (await dialect.quotas()).absolute if "quota.list" in dialect.verbs else {}
        except ConsoleError:
            return ""
        pairs = (("volumes", "volumes"), ("volume_gigabytes", "GB of them"))
        left = [(known[name].left, word) for name, word in pairs if name in known]
        return " and ".join(f"{max(0, count):,} {word}" for count, word in left if count is not None)

    async def _flavor(self, topic: Topic, help: list[Line], ask: Any, flavors: list[Flavor], place: Place) -> Any:
        image = self.given.get("image")
        offered, heads = resizing.choices([], flavors, image=image), resizing.heads(flavors)
        ink, glyphs = self.screen.ink, self.deck.glyphs
        dialog = Pick(ink, glyphs, topic, help, offered, heads, f"{ask.title}:", noun="flavor")
        self.questions.add_limits(dialog, place, [], flavors, image)
        return await self.questions.show(dialog)

    async def _offered(self, ask: Any, place: Place) -> list[Choice]:
        """What there is to choose from; nothing where there is no choice."""
        if ask.kind == "image":
            return choices_of(await self.questions.known(Image, place), ask, self.deck.server_name)
        if ask.kind == "keypair":
            rows = self.screen.panes["keypairs"].table.index.rows.values()
            own = [Choice(row.name, (row.name, "")) for row in rows if row.place == place]
            return [*own, Choice(_NOTHING, ("none", ""), reason="only its password will let you in")] if own else []
        try:
            return await (self._zones(place) if ask.name == _ZONE else self._networks(place))
        except ConsoleError:
            return []  # the order itself will say what is wrong

    async def _networks(self, place: Place) -> list[Choice]:
        dialect = self.deck.console.dialect(place)
        if "network.list" not in dialect.verbs:
            return []
        inside = [one for one in await dialect.networks() if not one.get("router:external")]
        found = [Choice([str(one["id"])], (str(one.get("name") or one["id"]), "")) for one in inside if one.get("id")]
        return sorted(found, key=lambda choice: choice.cells) if len(found) > 1 else []

    async def _zones(self, place: Place) -> list[Choice]:
        dialect = self.deck.console.dialect(place)
        if "zone.list" not in dialect.verbs:
            return []
        found = [
            Choice(zone.name, (zone.name, ""), zone.available, "" if zone.available else "not available")
            for zone in await dialect.zones()
        ]
        return [Choice(_NOTHING, ("any", ""), reason="the cloud chooses"), *found] if len(found) > 1 else []

    async def _by_rules(self, place: Place, topic: Topic, answers: Answers) -> Answers | None:
        """What the rules want to hear, now that its name is known."""
        if self.questions.forbidden(self.action, place, answers.given):
            return None
        wanted = self.deck.demands(self.action, place, answers.given)
        if wanted.why:
            why = await self.questions.reason(topic, "go on")
            if why is None:
                return None
            answers = replace(answers, why=why)
        if not wanted.typed:
            return answers
        lines = [spans(Span("Your rules want its name typed.", "muted"))]
        does = f"{self.action.title} {wanted.typed}"
        ink, glyphs = self.screen.ink, self.deck.glyphs
        dialog = Confirm(ink, glyphs, topic, lines, does, typed=wanted.typed, asks="to make it")
        return replace(answers, typed=wanted.typed) if await self.questions.show(dialog) else None
