"""What is looked at, and how: the views one came from, those that were given a name, and the one to begin with again.

A view is small and plain: a pane, its filter, order and width, and the row that is open. Nothing is asked of any cloud
to go back to one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from console.core.settings import PaneView, Saved, SavedView, Session
from console.errors import ConfigError
from console.model.place import Key
from console.tui.dialogs import AskText, Topic
from console.tui.index import Sorting
from console.tui.paint import Span, spans
from console.tui.pane import ResourcePane
from console.tui.pickers import Choice, Pick
from console.tui.screen import MainScreen

MOST = 100  # views that are remembered, and sets of clouds whose last session is
HEADS = (("view", 20, False), ("pane", 12, False), ("shows", 30, False))


@dataclass(frozen=True)
class View:
    """One look at the fleet."""

    pane: str
    seen: PaneView
    row: Key | None = None
    tab: str = ""


@dataclass
class Trail:
    """The views in the order in which they were looked at, and where among them one stands."""

    views: list[View] = field(default_factory=list)
    at: int = -1
    before: View | None = None

    def note(self, view: View) -> None:
        """This is looked at now; what one had gone back from is forgotten."""
        here = self.views[self.at] if self.views else None
        if here is not None and _same(here, view):
            self.views[self.at] = view
            return
        self.before = here
        self.views = [*self.views[: self.at + 1], view][-MOST:]
        self.at = len(self.views) - 1

    def go(self, step: int) -> View | None:
        """The view so many steps back or forth; None at the end of the trail."""
        if not 0 <= self.at + step < len(self.views):
            return None
        self.before = self.views[self.at]
        self.at += step
        return self.views[self.at]


def _same(one: View, other: View) -> bool:
    return (one.pane, one.seen, one.row) == (other.pane, other.seen, other.row)


class Viewing:
    """Reads the screen as a view, and makes it look like one."""

    def __init__(self, screen: MainScreen, open_row: Callable[[Key, str], None]) -> None:
        self.screen, self._open_row = screen, open_row
        self.trail = Trail()
        self._kept: Session | None = None

    # the trail -----------------------------------------------------------------------------------------------

    def note(self) -> None:
        """Remember what is looked at, unless something is being typed."""
        if self.screen.pane.filtering is None:
            self.trail.note(self._now())

    def _now(self) -> View:
        screen = self.screen
        row = screen.detail.row if screen.detail.is_open else None
        seen = msgspec.structs.replace(pane_view(screen.pane), marks=[])
        return View(screen.active, seen, row.key if row else None, screen.detail.tab if row else "")

    def back(self) -> None:
        """To the view before."""
        self._look(self.trail.go(-1), "There is no earlier view.")

    def forth(self) -> None:
        """To the view that one came back from."""
        self._look(self.trail.go(1), "There is no later view.")

    def last(self) -> None:
        """To the view of before, and again back."""
        view = self.trail.before
        if view is not None:
            self.trail.note(view)
        self._look(view, "There is no earlier view.")

    def _look(self, view: View | None, otherwise: str) -> None:
        if view is None:
            self.screen.refuse(otherwise)
            return
        self.screen.close_detail()
        show_view(self.screen.panes[view.pane], view.seen)
        self.screen.choose_pane(view.pane)
        if view.row is not None:
            self._open_row(view.row, view.tab)

    # views with a name ---------------------------------------------------------------------------------------

    def name_view(self) -> None:
        """Ask for a name, and keep the view under it."""
        screen = self.screen
        hint = spans(
            Span(described(pane_view(screen.pane)) or "all rows", "text"), Span(f" of {screen.active}", "muted")
        )
        dialog = AskText(screen.ink, screen.glyphs, Topic("Keep this view"), [hint], "keep it", label="name")
        screen.app.push_screen(dialog, self._named)

    def _named(self, name: str | None) -> None:
        if not name or not name.strip():
            return
        seen = msgspec.structs.asdict(pane_view(self.screen.pane)) | {"marks": []}
        view = SavedView(**seen, pane=self.screen.active)
        if self._keep(lambda saved: {"views": {**saved.views, name.strip(): view}}):
            self.screen.say(f"Kept as {name.strip()}: {self.screen.keymap.key('views')} shows it again.")

    def pick(self) -> None:
        """Choose one of the views that were given a name."""
        views = self.named()
        if not views:
            key = self.screen.keymap.key("keep_view")
            self.screen.refuse("No view was given a name yet.", f"{key} keeps the one that you see.")
            return
        choices = [Choice(name, (name, one.pane, described(one))) for name, one in sorted(views.items())]
        lines = [spans(Span("They are kept in saved.toml.", "muted"))]
        screen = self.screen
        dialog = Pick(screen.ink, screen.glyphs, Topic("Views"), lines, choices, HEADS, "show")
        screen.app.push_screen(dialog, self.show)

    def named(self) -> Mapping[str, SavedView]:
        """The views that have a name, and whose pane there is."""
        deck = self.screen.deck
        views = deck.console.saved.views if deck is not None else {}
        return {name: view for name, view in views.items() if view.pane in self.screen.panes}

    def show(self, name: str | None) -> None:
        """Look at the view of that name."""
        view = self.named().get(name or "")
        if view is not None:
            self._look(View(view.pane, view), "")
            self.note()

    # the session ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Show what was looked at when these clouds were open last."""
        deck = self.screen.deck
        session = deck.console.saved.sessions.get(self._clouds()) if deck is not None else None
        self._kept = session
        if session is not None:
            for name, seen in session.panes.items():
                if name in self.screen.panes:
                    show_view(self.screen.panes[name], seen)
                    self.screen.panes[name].restore_marks(seen.marks)
            self.screen.zoomed, self.screen.aside = session.zoomed, session.aside
            self.screen.choose_pane(session.pane)
        self.trail = Trail()
        self.note()

    def session(self) -> Session:
        """What the screen shows, to begin with the next time."""
        panes = {name: pane_view(pane) for name, pane in self.screen.panes.items()}
        told = {name: seen for name, seen in panes.items() if seen != PaneView()}
        return Session(self.screen.active, self.screen.zoomed, self.screen.aside, told)

    def keep(self) -> None:
        """Write the session down, if it differs from what is written; trouble with the file is told once."""
        if self.screen.deck is None or (self._kept is None and self.session() == Session()):
            return
        session, clouds = self.session(), self._clouds()
        if session != self._kept:
            self._kept = session
            self._keep(lambda saved: {"sessions": _latest(saved.sessions, clouds, session)})

    def _clouds(self) -> str:
        places = self.screen.deck.places if self.screen.deck is not None else ()
        return " ".join(sorted({place.cloud for place in places}))

    def _keep(self, change: Callable[[Saved], dict[str, object]]) -> bool:
        deck = self.screen.deck
        if deck is None:
            return False
        try:
            deck.console.save(change)
        except ConfigError as error:
            self.screen.refuse(error.message)
            return False
        return True


def _latest(sessions: Mapping[str, Session], clouds: str, session: Session) -> dict[str, Session]:
    """All sessions with this one as the latest; the oldest go."""
    others = [(name, one) for name, one in sessions.items() if name != clouds]
    return dict([*others, (clouds, session)][-MOST:])


def pane_view(pane: ResourcePane) -> PaneView:
    """How the pane is looked at."""
    index = pane.table.index
    sort = ("-" if index.sorting.reverse else "") + index.sorting.field if index.sorting else ""
    marks = [[key.endpoint, key.region, key.kind, key.id] for key in pane.table.marks]
    return PaneView(pane.filter_text, sort, index.problems, pane.scene.wide, marks)


def show_view(pane: ResourcePane, view: PaneView) -> None:
    """Make the pane look like that; its marks stay as they are."""
    field = view.sort.removeprefix("-")
    sorting = Sorting(field, view.sort.startswith("-")) if field in pane.spec.fields else None
    pane.look(view.filter, sorting, view.problems, view.wide)


def described(view: PaneView) -> str:
    """A view in a few words."""
    words = (
        f"/{view.filter}" if view.filter else "",
        "only problems" if view.problems else "",
        f"sorted by {view.sort.removeprefix('-')}" if view.sort else "",
        "wide" if view.wide else "",
    )
    return ", ".join(word for word in words if word)
