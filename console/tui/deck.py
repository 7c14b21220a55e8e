"""What the screen reads of a `Console`, turned into what it draws: lanes, scenes, footer keys, verdicts.

All faces hold the same `Console`; this is the only file of the screen that knows how its health, settings and places
look. It asks nothing of any cloud and changes nothing.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from console.errors import CloudError
from console.model.image import Image
from console.model.place import Key as RowKey
from console.model.place import Place, Row
from console.model.server import Server
from console.replay import Replay
from console.tui.banners import MARKED, banner
from console.tui.footer import Key
from console.tui.keys import COMMANDS, REPLAY, Command, Keymap
from console.tui.lanes import Lane
from console.tui.spec import Scene
from console.tui.theme import Glyphs

if TYPE_CHECKING:
    from console.session import Console

MOST_JUDGED = 50  # marked rows that the footer's keys are judged by
MUTE = ("down", "refused", "needs-secret")
FRONT = ("server.confirm", "server.revert")
# What leaves a narrow footer last; an action that is not named here leaves first.
RANKS = {
    "server.reboot": 8,
    "server.resize": 7,
    "server.snapshot": 6,
    "server.delete": 5,
    "server.confirm": 4,
    "server.revert": 4,
    "server.check": 3,
    "server.hard_reboot": 2,
    "image.delete": 5,
}
WORDS = {
    "server.confirm": "confirm",
    "server.revert": "revert",
    "server.hard_reboot": "hard",
    "server.check": "test",
    "server.create": "new",
}
ORDER = (
    "server.reboot",
    "server.hard_reboot",
    "server.resize",
    "server.snapshot",
    "server.confirm",
    "server.revert",
    "server.check",
    "server.delete",
)


class Deck:
    """One open `Console`, as the screen sees it."""

    def __init__(self, console: "Console", glyphs: Glyphs) -> None:
        self.console = console
        self.glyphs = glyphs
        self.names: dict[RowKey, str] = {}
        self.used: dict[str, int] = {}
        self.stale: dict[Place, float | None] = {}
        self.labels: dict[Place, str] = {}
        self._short: dict[Place, str] = {}
        self._named: tuple[Place, ...] | None = None
        self.replay = console if isinstance(console, Replay) else None
        self.update_places()

    @property
    def commands(self) -> tuple[Command, ...]:
        """What the screen itself can do with this console."""
        if self.replay is None:
            return COMMANDS
        on = () if self.replay.playing else ("pause",)
        return (*COMMANDS, *(replace(one, title="play") if one.name in on else one for one in REPLAY))

    def scene(self) -> Scene:
        """A scene that shares what is known of names and places, for one pane."""
        return Scene(
            now=self.now(),
            glyphs=self.glyphs,
            names=self.names,
            used=self.used,
            stale=self.stale,
            labels=self.labels,
            production=self.production,
            stale_row=self.stale_row,
            resize_left=self.console.resizes.left,
            off_from_inside=self.console.stops.inside,
            readiness=self.console.readiness,
            server_name=self.server_name,
            server_of=self.server_of,
        )

    def now(self) -> dt.datetime:
        """The time that ages are counted to."""
        return self.console.clock.now()

    @property
    def places(self) -> Sequence[Place]:
        """Every place that is open, in the settings' order."""
        return self.console.places

    def production(self, *places: Place) -> str:
        """The role that marks production, where the settings call any of these places so; "" where none is."""
        settings = self.console.settings.clouds
        known = [(place.cloud, settings[place.cloud]) for place in places if place.cloud in settings]
        roles = {banner(name) if cloud.colour else MARKED for name, cloud in known if cloud.production}
        return roles.pop() if len(roles) == 1 else MARKED if roles else ""

    def resize_left(self, server: Server) -> float | None:
        """Seconds until the cloud keeps this resize by itself; None where it does not, or nobody knows."""
        left = self.console.resizes.left(server)
        return None if left is None else left.seconds

    def stale_row(self, row: Row) -> bool:
        """Whether no way to this row answers."""
        if row.place not in self.stale:
            return False
        ways = self.console.store.ways(row.key)
        return all(place in self.stale for place in ways or (row.place,))

    def server_name(self, image: Image) -> str:
        """The name of the server that an image was made of; its id in short where that server is gone."""
        if not image.server_id:
            return ""
        found = self.console.store.get(msgspec.structs.replace(image.key, kind="server", id=image.server_id))
        id = image.server_id
        return found.name if found is not None and found.name else f"{id[:4]}…{id[-4:]}"

    def server_of(self, row: Row, id: str) -> Server | None:
        """The server of that id at the cloud that a row is of."""
        found = self.console.store.get(msgspec.structs.replace(row.key, kind="server", id=id))
        return found if isinstance(found, Server) else None

    def demands(self, action: Any, target: Any, given: Mapping[str, Any]) -> Any:
        """What the user's own rules want to hear before this is done."""
        from console.actions.action import demands

        return demands(self.console, action, target, given)

    def label(self, place: Place) -> str:
        """The place as short as it is still told apart."""
        return self.labels.get(place, str(place))

    def update_places(self) -> bool:
        """Read the health again; whether another place has fallen silent or come back."""
        self._name_places()
        health, moment = self.console.health, self.console.clock.monotonic()
        stale = {
            place: None if one.rows_at is None else moment - one.rows_at
            for place, one in health.items()
            if one.state in MUTE
        }
        moved = stale.keys() != self.stale.keys()
        self.stale.clear()
        self.stale.update(stale)
        return moved

    def _name_places(self) -> None:
        """Tell places apart in few cells; there are others only when a console is opened anew."""
        places = tuple(self.places)
        if places == self._named:
            return
        self._named = places
        self.labels.clear()
        self.labels.update(labels(places))
        self._short = {place: _region(place, places) or self.labels[place] for place in places}

    def lanes(self) -> list[Lane]:
        """A lane for each place, in the settings' order."""
        health, moment = self.console.health, self.console.clock.monotonic()
        return [self._lane(place, health.get(place), moment) for place in self.places]

    def _lane(self, place: Place, health: Any, moment: float) -> Lane:
        name, short = str(place), self._short.get(place, str(place))
        if health is None:
            return Lane(name, short, production=self.production(place))
        count = health.counts.get("server", health.counts.get("servers", None if health.rows_at is None else 0))
        return Lane(
            name=name,
            short=short,
            state=health.state,
            count=count,
            production=self.production(place),
            age=None if health.rows_at is None else max(0.0, moment - health.rows_at),
            latency=health.latency,
            left=health.left,
            most=health.most,
            window=health.window,
            reason=health.reason,
            again=None if health.next_try is None else health.next_try - moment,
        )

    def actions(self) -> Mapping[str, Any]:
        """Everything that can be done, by name."""
        from console.runbooks import ACTIONS

        return ACTIONS

    @property
    def read_only(self) -> bool:
        """Whether this run may change nothing."""
        return bool(getattr(self.console, "read_only", False))

    def ask_now(self) -> None:
        """Have every place asked now for all of its rows, also those that refused a login."""
        for place in self.places:
            self.console.fleet.retry(place)
        self.console.fleet.refresh()

    def verdict(self, name: str, row: Row) -> str:
        """ "" when the action is allowed for the row now, else why not."""
        return self.console.verdict(self.actions()[name], row)

    def readers(self) -> dict[str, Callable[[Row], Awaitable[Any]]]:
        """What is asked of a server when somebody looks, by the tab that shows it."""
        return {"Console log": self.log, "History": self.history}

    async def log(self, row: Row) -> str:
        """The console log of a server, as much as its cloud keeps."""
        text: str = await self._dialect(row).console_log(row.id)
        return text

    async def history(self, row: Row) -> list[Any]:
        """What was asked of a server, as its cloud recorded it, and what we saw of it; newest first.

        Where the cloud does not tell, what we saw is told alone; with nothing of both, why the cloud does not.
        """
        from console.actions.history import asked_of, joined

        seen = await self.console.history(row.key)
        try:
            asked = await asked_of(self._dialect(row), row.id)
        except CloudError:
            if not seen:
                raise
            asked = []
        return list(reversed(joined(asked, seen).happenings))

    async def limits(self, place: Place) -> Any:
        """What the account may use and uses at this place."""
        return await self.console.fleet.dialect(place).limits()

    def _dialect(self, row: Row) -> Any:
        place = self.console.store.best(row.key) or row.place
        return self.console.fleet.dialect(place)

    def row_keys(self, kind: type[Row], rows: Sequence[Row], keymap: Keymap) -> list[Key]:
        """The footer's keys for these rows; lit where one of them allows it, since the others are left out."""
        found = []
        acts = [action for action in self.actions().values() if action.on is kind and not action.creates]
        for action in sorted(acts, key=_footer_order):
            key = keymap.key(action.name)
            if not key:
                continue
            lit = (
                bool(rows)
                and (action.many or len(rows) == 1)
                and any(not self.verdict(action.name, row) for row in rows[:MOST_JUDGED])
            )
            word, rank = (
                WORDS.get(action.name, action.title),
                9 if lit and action.name in FRONT else RANKS.get(action.name, 1),
            )
            found.append(Key(key, word, lit, rank, lit and action.name in FRONT))
        return found


def _footer_order(action: Any) -> tuple[int, str]:
    return (ORDER.index(action.name) if action.name in ORDER else len(ORDER), action.name)


def _region(place: Place, places: Sequence[Place]) -> str:
    """The region alone, where it tells the place apart from all others; else ""."""
    return place.region if sum(other.region == place.region for other in places) == 1 else ""


def labels(places: Sequence[Place], most: int = 16) -> dict[Place, str]:
    """Each place as short as it is still told apart: the whole of it where that is short enough."""
    if all(len(str(place)) <= most for place in places):
        return {place: str(place) for place in places}
    return {place: _region(place, places) or str(place) for place in places}
