"""The screen, fed: changes of the clouds flow into its panes, and a clock ticks.

Each noun is followed by a worker of its own, and the store gathers changes, so that many are one repaint. One tick a
second repaints the cells that differ. What keys do is in `screen.py`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from textual.worker import Worker

from console.core.settings import OwnColumn
from console.model.place import Key, Row
from console.tui.beat import Beat
from console.tui.frame import Frame
from console.tui.index import Pair
from console.tui.keys import make_keymap
from console.tui.link import EVERY, GATHER_LEAN
from console.tui.notify import Notices, Teller
from console.tui.pane import BESIDE, GATHER, ResourcePane
from console.tui.panes import PANES
from console.tui.spec import Group
from console.tui.theme import Glyphs, Ink
from console.tui.writer import SparingApp

if TYPE_CHECKING:
    from console.tui.deck import Deck

SETTLE = 3.0  # seconds without a key after which rows may move to their group
REFUSAL = 6.0  # seconds that a sentence stands
READ = 2.0  # of them those that are its own: what comes by itself does not take the place of a key's answer
PAUSE = 1.0  # seconds without a key after which the next may have to wait for what is done once after the first load


class Fed(Frame):
    """The frame, fed by an open console."""

    def __init__(
        self,
        ink: Ink,
        glyphs: Glyphs,
        keys: Mapping[str, str],
        columns: Mapping[str, Sequence[OwnColumn]] | None = None,
    ) -> None:
        super().__init__(ink, glyphs, columns)
        self.chosen_keys = keys
        self.to_terminal: Callable[[str], None] = lambda text: None
        self.lend_mouse: Callable[[bool], None] = lambda lent: None
        self.first_load_over: Callable[[], None] | None = None  # called once
        self.notices = Notices()
        self.teller: Teller | None = None
        self.last_key = 0.0
        self.each_second: list[Callable[[], None]] = []  # what else goes by the one clock
        self._beat = Beat(self._each_second, self._failed)
        self._followed: dict[str, Worker[None]] = {}
        self._ticks = 0
        self._names_moved = False
        self._flavors_moved = False
        self._untold: list[str] = []

    def on_mount(self) -> None:
        """The one clock of the screen."""
        self._beat.start()
        self.lay_out()

    def on_unmount(self) -> None:
        """It stands still."""
        self._beat.stop()

    # the console ---------------------------------------------------------------------------------------------

    def connect(self, deck: "Deck") -> None:
        """A console is open: follow it from now on."""
        self.deck = deck
        deck.console.store.gather = GATHER_LEAN if self.link.lean else GATHER
        self.keymap = make_keymap(list(deck.actions().values()), self.chosen_keys, list(PANES), deck.commands)
        for pane in self.panes.values():
            pane.table.index.scene = deck.scene()
            pane.table.quiet = self.link.lean
            pane.asking = [str(place) for place in deck.places]
            pane.where = str(deck.places[0]) if len(deck.places) == 1 else ""
            pane.restyle()
            if not pane.spec.while_shown:
                self._follow(pane)
        self._follow_shown()
        self.run_worker(self._follow_health(), name="follow health", exit_on_error=True)
        self.run_worker(self._follow_readiness(), name="follow readiness", exit_on_error=True)
        self._report_conflicts()
        notify = deck.console.settings.notify
        self.notices = Notices(notify)
        self.teller = Teller(notify, self.to_terminal, self.refuse)
        self.draw()

    def _report_conflicts(self) -> None:
        """Two things on one key: say the first, and where all of them stand."""
        conflicts = self.keymap.conflicts
        if conflicts:
            others = len(conflicts) - 1
            more = f" There {'is' if others == 1 else 'are'} {others} more." if others else ""
            self.refuse(conflicts[0], f"{self.keymap.key('help')} shows it too.{more}")

    def _follow(self, pane: ResourcePane) -> Worker[None]:
        assert self.deck is not None
        collection = getattr(self.deck.console, pane.spec.collection)
        return self.run_worker(self._follow_one(pane, collection), name=f"follow {pane.spec.name}", exit_on_error=True)

    def _follow_shown(self) -> None:
        """Follow the panes whose rows cost requests of their own while they are shown, and no longer."""
        for name, pane in self.panes.items():
            shown = self.deck is not None and name in (self.active, self.main)
            if pane.spec.while_shown and shown and name not in self._followed:
                self._followed[name] = self._follow(pane)
            elif name in self._followed and not shown:
                self._followed.pop(name).cancel()

    def show_panes(self) -> None:
        """Show what has the keys, and follow it."""
        super().show_panes()
        self._follow_shown()
        self.lend_mouse(self.detail.is_open)

    async def _follow_one(self, pane: ResourcePane, collection: Any) -> None:
        async for batch in collection.watch():
            self.take(pane, batch)

    def take(self, pane: ResourcePane, batch: Any) -> None:
        """One batch of changes: into the pane, and into whatever else tells of that noun."""
        assert self.deck is not None
        if self.operations.all:
            for row in batch.changed:
                self.operations_saw(row)
        known = len(pane.table.index.rows)
        moved = pane.take(batch)
        if pane.spec.name in BESIDE:
            self._take_names(batch.changed)
            self._divide_side()
        elif pane.spec.name == "servers":
            self._flavors_moved = self._flavors_moved or bool(batch.gone) or _other_flavors(moved)
            self.detail.saw(batch)
            self.preview.saw(batch)
            self.notices.changed(replace(batch, changed=tuple(row for _, row in moved)))
        self._mark_loaded(pane)
        if len(pane.table.index.rows) != known:
            self.draw_header()

    def _take_names(self, rows: Sequence[Row]) -> None:
        """What other nouns show of these."""
        assert self.deck is not None
        known = self.deck.names
        names = {row.key: row.name for row in rows if row.name and known.get(row.key) != row.name}
        known.update(names)
        self._names_moved = self._names_moved or bool(names)

    async def _follow_health(self) -> None:
        assert self.deck is not None
        async for _ in self.deck.console.store.watch_health():
            self.take_health()
            await asyncio.sleep(GATHER)

    async def _follow_readiness(self) -> None:
        assert self.deck is not None
        async for moved in self.deck.console.readiness.watch():
            self.take_readiness([found.key for found in moved])
            await asyncio.sleep(GATHER)

    def take_readiness(self, keys: Sequence[Key]) -> None:
        """More is known of what is inside these servers."""
        pane = self.panes["servers"]
        rows = [pane.table.index.rows[key] for key in keys if key in pane.table.index.rows]
        pane.table.take(rows, (), now=time.monotonic())
        pane.show_head()
        self.detail.checked(keys)
        self.preview.checked(keys)

    def take_health(self) -> None:
        """A place has changed its health."""
        assert self.deck is not None
        if self.deck.update_places():
            for pane in self.panes.values():
                pane.table.index.rescan()
                pane.restyle()
        for pane in self.panes.values():
            self._mark_loaded(pane)
        self.draw_header()
        self.draw_footer()

    def _mark_loaded(self, pane: ResourcePane) -> None:
        """A pane is loaded when a place has told its rows, be there any or not."""
        if self.deck is None or pane.loaded:
            return
        health = self.deck.console.health.values()
        if health and all(
            one.rows_at is not None or one.state in ("down", "refused", "needs-secret") for one in health
        ):
            pane.loaded = True
        pane.show_head()

    def _note_first_load(self) -> None:
        """Once each place has told its rows, or that it will not, what there is will mostly stay; keys come first."""
        if self.first_load_over is None or self.deck is None or time.monotonic() - self.last_key < PAUSE:
            return
        if self.panes["servers"].loaded and all(one.state != "asking" for one in self.deck.console.health.values()):
            self.first_load_over()
            self.first_load_over = None

    def operations_saw(self, row: Row) -> None:
        """Operations on this row take what the store saw as their next step."""
        running = self.operations.of(row.key)
        if running:
            for operation in running:
                operation.saw(row, time.monotonic())
            self.call_later(self.draw_operations)

    # the tick ------------------------------------------------------------------------------------------------

    def _each_second(self) -> None:
        if self.is_attached:
            self.tick()

    def _failed(self, error: Exception) -> None:
        self.call_later(_fail, error)

    def tick(self) -> None:
        """Once a second, less often where the link is thin: what depends on the time, and what there is to tell."""
        if self.link.look():
            self.spare()
        self._ticks += 1
        if not self.link.lean or self._ticks % EVERY == 0:
            self.draw_time()
        for look in self.each_second:
            look()
        self._tell()
        if isinstance(self.app, SparingApp):
            self.app.flush()  # or an idle screen would be woken once more

    def spare(self) -> None:
        """Draw in the ways that the link asks for now."""
        for pane in self.panes.values():
            pane.table.quiet = self.link.lean
        if self.deck is not None:
            self.deck.console.store.gather = GATHER_LEAN if self.link.lean else GATHER
        self.lay_out()
        self.say(f"{'The link is slow' if self.link.lean else 'The link is quick'}: {self.link.told()}")

    def draw_time(self) -> None:
        """Clock, ages, running seconds; rows settle when no key was pressed for a while."""
        if self.deck is not None:
            self.deck.update_places()
            self._tick_tables()
            self._note_first_load()
        self.draw_header()
        self.draw_operations()
        if self._refusal[0] and time.monotonic() - self._refused_at > REFUSAL:
            self.refuse("")
        self.detail.tick()
        self.preview.tick()

    def _tell(self) -> None:
        """Tell what has ended, broken or runs out, here and wherever the user wants to hear of it."""
        if self.deck is None or self.teller is None:
            return
        self.notices.operations(self.operations.all)
        self.notices.clocks(self.deck.resize_left)
        due = self.notices.take()
        self.teller.ring(due)
        for notice in due:
            self.run_worker(self.teller.run(notice), name="notify", exit_on_error=True)
        self._untold += [notice.text for notice in due if not notice.shown]
        if self._untold and (not self._refusal[0] or time.monotonic() - self._refused_at > READ):
            self.refuse(" ".join(self._untold))
            self._untold.clear()

    def _tick_tables(self) -> None:
        assert self.deck is not None
        now, moment = self.deck.now(), time.monotonic()
        if self._flavors_moved or self._names_moved:
            self._flavors_moved = False
            self._count_flavors()
        known = [age for age in self.deck.stale.values() if age is not None]
        ages: dict[Group, float | None] = {Group.LAST_KNOWN: max(known)} if known else {}
        for pane in self.panes.values():
            table = pane.table
            table.index.scene.now, table.ages = now, ages
            if self._names_moved:
                table.renamed()
        for pane in self.shown:
            self._tick_shown(pane, moment)
        self._names_moved = False

    def _tick_shown(self, pane: ResourcePane, moment: float) -> None:
        """Ages and running seconds of a pane; rows that belong elsewhere move there when nobody has typed for long."""
        table = pane.table
        if table.index.unsettled and moment - self.last_key > SETTLE:
            table.settle(hold_cursor=moment - self.last_key < 2 * SETTLE and self.last_key > 0)
            pane.show_head()
        table.tick(moment)

    def _count_flavors(self) -> None:
        assert self.deck is not None
        pane = self.panes["servers"]
        self.deck.used.clear()
        read, scene = PANES["servers"].fields["flavor"], pane.scene
        for row in pane.table.index.rows.values():
            name = read(row, scene)
            self.deck.used[name] = self.deck.used.get(name, 0) + 1


def _fail(error: Exception) -> None:
    """Fail where Textual looks for failures: in a callback of the screen."""
    raise error


def _other_flavors(moved: Sequence[Pair]) -> bool:
    """Whether a server is new, or of another flavor than it was."""
    return any(before is None or before.flavor != row.flavor for before, row in moved)  # type: ignore[attr-defined]
