"""What a pane is made of: cells, groups, the scene that cells are drawn in, and the declaration itself.

Pure: a row and a `Scene` in, cells out. The panes are declared in `server_pane.py` and `panes.py`.
"""

import datetime as dt
import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from console.model.place import Key, Place, Row
from console.tui.columns import Column
from console.tui.theme import UNICODE, Glyphs

if TYPE_CHECKING:
    from console.runbooks.ready import Readiness


class Cell(NamedTuple):
    """What stands in one column: text at the left (or right, as the column says), `right` at the right end."""

    text: str = ""
    role: str = "muted"
    bold: bool = False
    right: str = ""
    right_role: str = "text"
    strike: bool = False


class Group(enum.IntEnum):
    """By what it asks of its reader, trouble first."""

    NEEDS_YOU = 0
    IN_MOTION = 1
    CALM = 2
    LAST_KNOWN = 3

    @property
    def title(self) -> str:
        """The title of the group, in lower case."""
        return ("needs you", "in motion", "calm", "last known")[self]


@dataclass
class Scene:
    """What cells need beside their row: time, names of other nouns, and how fresh each place is."""

    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    glyphs: Glyphs = UNICODE
    names: Mapping[Key, str] = field(default_factory=dict)  # of flavors and images, which servers tell only by id
    used: Mapping[str, int] = field(default_factory=dict)  # how many servers have the flavor, by name
    stale: Mapping[Place, float | None] = field(default_factory=dict)  # seconds since its rows were vouched for
    labels: Mapping[Place, str] = field(default_factory=dict)
    production: Callable[[Place], str] = lambda place: ""  # its role; "" where it is none
    stale_row: Callable[[Row], bool] | None = None
    server_name: Callable[[Any], str] = lambda image: image.server_id or ""  # of the server that an image is of
    server_of: Callable[[Any, str], Any] = lambda row, id: None  # the server of that id at the row's cloud
    resize_left: Callable[[Any], Any] = lambda server: None  # seconds until a cloud keeps a resize itself, and if exact
    off_from_inside: Callable[[Any], bool] = lambda server: False  # whether its own guest powered it off
    wide: bool = False
    readiness: "Mapping[Key, Readiness]" = field(default_factory=dict)

    def is_stale(self, row: Row) -> bool:
        """Whether nobody vouches for this row any more."""
        if not self.stale:
            return False
        return self.stale_row(row) if self.stale_row else row.place in self.stale

    def rank(self, place: Place) -> int:
        """Where the place stands in the settings."""
        for rank, other in enumerate(self.labels):
            if other == place:
                return rank
        return len(self.labels)

    def label(self, place: Place) -> str:
        """The place as short as it is still told apart."""
        return self.labels.get(place) or str(place)


Cells = tuple[Cell, ...]


@dataclass(frozen=True)
class PaneSpec:
    """One pane: what it shows of which noun, and in which order."""

    name: str
    title: str
    collection: str  # the attribute of Console
    kind: type[Row]
    columns: tuple[Column, ...]
    cells: Callable[[Any, Scene], Cells]
    group: Callable[[Any, Scene], Group]
    order: Callable[[Any, Scene], tuple[Any, ...]]  # what comes before name and id
    mood: Callable[[Any, Scene], tuple[str, str]]  # glyph and role
    grouped: bool = True
    fields: Mapping[str, Callable[[Any, Scene], Any]] = field(default_factory=dict)
    needs: Callable[[Any, Scene], tuple[tuple[str, int], ...]] = lambda row, scene: ()  # cells that its texts take
    fold: Callable[[Any], tuple[Any, ...] | None] = lambda row: None  # rows of one fold are shown once
    decides: Callable[[Any], Any] | None = None  # what of a row decides its group, order and mood; None: all of it
    new: str = ""  # what `n` makes here
    nothing: str = ""  # what is said where it has no rows; "" makes it of the title
    while_shown: bool = False  # its rows cost requests of their own, and are asked for only while it is shown
    searched: tuple[str, ...] = ("name", "id", "status", "task", "address", "place", "flavor", "image")  # by bare words
    facts: Callable[[Any, Scene], Sequence[Sequence[tuple[str, Any]]]] | None = None  # of the detail view, in blocks

    def empty_words(self, where: str) -> str:
        """What stands where no rows do; `where` is the place, if there is but one."""
        return self.nothing or f"No {self.title[:1].lower()}{self.title[1:]}{f' in {where}' if where else ''}."


_DIGITS = re.compile(r"\d+")


@lru_cache(10_000)
def natural(name: str) -> str:
    """A sort key under which web-2 stands before web-10."""
    return _DIGITS.sub(lambda match: match.group().zfill(9), name)
