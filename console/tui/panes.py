"""The panes, declared: which columns a noun has, how a row becomes cells, how rows are grouped and sorted.

A pane is one `PaneSpec` in `PANES`. `pane.py` is written once and draws any of them; keys, palette and help read the
same declarations. Everything here is pure: a row and a `Scene` in, cells out.
"""

import datetime as dt
import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.keypair import KeyPair
from console.model.place import Place, Row
from console.model.server import Server, deleted
from console.model.status import Mood
from console.text import cells
from console.tui.columns import Column
from console.tui.paint import age, byte_size, gigabytes, megabytes, since, ticking
from console.tui.theme import UNICODE, Glyphs


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
    flavors: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)  # how many servers have the flavor, by name
    stale: Mapping[Place, float | None] = field(default_factory=dict)  # seconds since its rows were vouched for
    labels: Mapping[Place, str] = field(default_factory=dict)
    production: Callable[[Place], bool] = lambda place: False
    stale_row: Callable[[Row], bool] | None = None
    wide: bool = False

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
    order: Callable[[Any, Scene], tuple[Any, ...]]
    mood: Callable[[Any, Scene], tuple[str, str]]  # glyph and role
    grouped: bool = True
    fields: Mapping[str, Callable[[Any, Scene], Any]] = field(default_factory=dict)
    needs: Callable[[Any, Scene], tuple[tuple[str, int], ...]] = lambda row, scene: ()  # cells that its texts take
    fold: Callable[[Any], tuple[Any, ...] | None] = lambda row: None  # rows of one fold are shown once
    new: str = ""  # what `n` makes here


_DIGITS = re.compile(r"\d+")

# Faults of Nova in the few words that fit beside an ERROR.
_FAULTS = (
    (re.compile(r"no valid host", re.I), "no valid host"),
    (re.compile(r"quota.*port|port.*quota", re.I), "port quota reached"),
    (re.compile(r"exceeded maximum number of retries", re.I), "no host took it"),
    (re.compile(r"build of instance .* aborted: *", re.I), ""),
)


def fault_words(message: str) -> str:
    """A fault in few words: its first sentence, without what every fault says."""
    for pattern, words in _FAULTS:
        if pattern.search(message):
            if words:
                return words
            message = pattern.sub("", message)
    words = re.split(r"[.\n;] ?", message.strip(), maxsplit=1)[0]
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def natural(name: str) -> str:
    """A sort key under which web-2 stands before web-10."""
    return _DIGITS.sub(lambda match: match.group().zfill(9), name)


# servers ---------------------------------------------------------------------------------------------------------


def server_group(server: Server, scene: Scene) -> Group:
    """Which group a server stands in."""
    if scene.is_stale(server):
        return Group.LAST_KNOWN
    return {
        Mood.BROKEN: Group.NEEDS_YOU,
        Mood.ASKS: Group.NEEDS_YOU,
        Mood.MOVING: Group.IN_MOTION,
        Mood.UNKNOWN: Group.LAST_KNOWN,
    }.get(server.mood, Group.CALM)


def server_mood(server: Server, scene: Scene) -> tuple[str, str]:
    """A server's glyph and its role."""
    return (scene.glyphs.stale, "stale") if scene.is_stale(server) else scene.glyphs.of(server.mood)


def _task(server: Server, scene: Scene) -> Cell:
    mood = server.mood
    if mood is Mood.BROKEN:
        return Cell(fault_words(server.fault.message) if server.fault else "no reason given", "error")
    moved = since(server.updated or server.created, scene.now)
    clock = ticking(moved) if moved is not None and 0 <= moved < 86400 else ""
    if mood is Mood.MOVING:
        progress = server.progress or 0
        return Cell(server.task_state or "", "text", right=f"{progress}%" if 0 < progress < 100 else clock)
    if server.status in ("VERIFY_RESIZE", "VERIFY_MOVE"):
        return Cell("keep or revert", "text", right=age(moved) if moved is not None and moved >= 0 else "")
    if server.word and server.status == "UNKNOWN" and server.word.upper() != "UNKNOWN":
        return Cell(server.word, "stale")
    return Cell("locked", "muted") if server.locked else Cell()


def _status(server: Server, role: str) -> Cell:
    calm = server.mood in (Mood.WELL, Mood.RESTS)
    return Cell(server.status, "muted" if calm else role, bold=server.mood is Mood.BROKEN, strike=deleted(server))


def flavor_name(server: Server, scene: Scene) -> str:
    """The name of a server's flavor; its id where no name is known; "" where the cloud did not tell."""
    if server.flavor is None:
        return ""
    return server.flavor.name or scene.flavors.get(server.flavor.id or "") or server.flavor.id or ""


def image_name(server: Server, scene: Scene) -> str:
    """The name of the image that a server was made of, "volume", or "" where nobody told."""
    if server.boots_from_volume:
        return "volume"
    id = server.image_id
    return "" if id is None else scene.images.get(id) or f"{id[:4]}…{id[-4:]}"


def server_age(server: Server, scene: Scene) -> str:
    """How long ago it was made."""
    seconds = since(server.created, scene.now)
    return scene.glyphs.none if seconds is None else age(seconds)


def server_cells(server: Server, scene: Scene) -> Cells:
    """A server's row, in the order of SERVERS.columns."""
    none = scene.glyphs.none
    wide = (
        Cell(server.id),
        Cell(server.host or none),
        Cell(server.zone or none),
        Cell(server.power or none),
        Cell(server.key_name or none),
        Cell(server.project_id or none),
    )
    if scene.is_stale(server):
        was = Cell(f"was {server.status}", "stale")
        rest = (flavor_name(server, scene), image_name(server, scene), scene.label(server.place))
        told = (server.name, "UNKNOWN", was, server.address or none, *rest, server_age(server, scene))
        shown = tuple(text if isinstance(text, Cell) else Cell(text, "stale") for text in told)
        return (*shown, *(cell._replace(role="stale") for cell in wide))
    role = scene.glyphs.of(server.mood)[1]
    lively = server.mood not in (Mood.WELL, Mood.RESTS)
    return (
        Cell(server.name or server.id, "strong", bold=lively),
        _status(server, role),
        _task(server, scene),
        Cell(server.address or none, "text" if server.address else "muted"),
        Cell(flavor_name(server, scene) or none),
        Cell(image_name(server, scene) or none),
        Cell(scene.label(server.place)),
        Cell(server_age(server, scene)),
        *wide,
    )


def _server_order(server: Server, scene: Scene) -> tuple[Any, ...]:
    mood = server.mood
    calm = mood in (Mood.WELL, Mood.RESTS)
    return (Mood.WELL if calm else mood, scene.rank(server.place), str(server.place), natural(server.name), server.id)


def _server_needs(server: Server, scene: Scene) -> tuple[tuple[str, int], ...]:
    return (
        ("name", cells(server.name)),
        ("address", len(server.address or "")),
        ("flavor", cells(flavor_name(server, scene))),
        ("image", cells(image_name(server, scene))),
        ("place", len(scene.label(server.place))),
    )


def _name_need(row: Row, scene: Scene) -> tuple[tuple[str, int], ...]:
    return (("name", cells(row.name)),)


SERVERS = PaneSpec(
    name="servers",
    title="Servers",
    collection="servers",
    kind=Server,
    columns=(
        Column("name", 13, cut="middle", grows=32, gives=8),
        Column("status", 15, narrow=(79, 14)),
        Column("task", 22, narrow=(79, 21)),
        Column("address", 17, cut="never", gives=12, least=78),
        Column("flavor", 11, cut="head", grows=24, gives=8, least=114),
        Column("image", 16, cut="head", grows=32, gives=10, least=114),
        Column("place", 10, cut="middle", grows=24, gives=6, least=98, places=True),
        Column("age", 5, align="right"),
        Column("id", 37, wide=True),
        Column("host", 16, wide=True, cut="middle"),
        Column("zone", 10, wide=True),
        Column("power", 10, wide=True),
        Column("key", 14, wide=True, cut="middle"),
        Column("project", 33, wide=True),
    ),
    cells=server_cells,
    group=server_group,
    order=_server_order,
    mood=server_mood,
    fields={
        "name": lambda row, scene: row.name,
        "id": lambda row, scene: row.id,
        "status": lambda row, scene: row.status,
        "task": lambda row, scene: row.task_state or "",
        "address": lambda row, scene: " ".join(a.addr for a in row.all_addresses()) or row.address or "",
        "flavor": flavor_name,
        "image": image_name,
        "place": lambda row, scene: str(row.place),
        "host": lambda row, scene: row.host or "",
        "zone": lambda row, scene: row.zone or "",
        "power": lambda row, scene: row.power or "",
        "key": lambda row, scene: row.key_name or "",
        "project": lambda row, scene: row.project_id or "",
        "locked": lambda row, scene: "yes" if row.locked else "no",
        "meta": lambda row, scene: " ".join(f"{k}={v}" for k, v in (row.metadata or {}).items()),
        "age": lambda row, scene: since(row.created, scene.now),
    },
    needs=_server_needs,
    new="server.create",
)

# images ----------------------------------------------------------------------------------------------------------


def _image_mood(image: Image, scene: Scene) -> tuple[str, str]:
    if scene.is_stale(image):
        return scene.glyphs.stale, "stale"
    if image.in_flight:
        return scene.glyphs.moving, "busy"
    if image.status in ("killed", "error"):
        return scene.glyphs.broken, "error"
    return " ", "muted"


def _image_size(image: Image) -> Cell:
    if image.in_flight:
        done = f" {image.progress}%" if image.progress and image.progress < 100 else ""
        return Cell(f"{image.status}{done}", "busy")
    if image.status in ("killed", "error", "deactivated"):
        return Cell(image.status, "error" if image.status != "deactivated" else "muted")
    return Cell(byte_size(image.size) if image.size else "—")


def _image_cells(image: Image, scene: Scene) -> Cells:
    made = since(image.created, scene.now)
    lively = image.in_flight
    return (
        Cell(image.name or image.id, "strong" if lively else "text", bold=lively),
        _image_size(image),
        Cell(scene.glyphs.none if made is None else age(made)),
        Cell(image.id),
        Cell(scene.label(image.place)),
    )


def _image_group(image: Image, scene: Scene) -> Group:
    if image.in_flight:
        return Group.IN_MOTION
    return Group.NEEDS_YOU if image.status in ("killed", "error") else Group.CALM


def _newest_first(image: Image, scene: Scene) -> tuple[Any, ...]:
    return (-image.created.timestamp() if image.created else 0.0, image.name, image.id)


def _public_fold(image: Image) -> tuple[Any, ...] | None:
    """A public image is the same in every region that has it."""
    return (image.name, image.size, image.status) if image.visibility == "public" else None


IMAGES = PaneSpec(
    name="images",
    title="Images",
    collection="images",
    kind=Image,
    columns=(
        Column("name", 16, cut="middle", grows=40),
        Column("size", 11, align="right"),
        Column("age", 6, align="right"),
        Column("id", 37, wide=True),
        Column("place", 16, wide=True, cut="middle"),
    ),
    cells=_image_cells,
    group=_image_group,
    order=_newest_first,
    needs=_name_need,
    fold=_public_fold,
    mood=_image_mood,
    grouped=False,
    fields={
        "name": lambda row, scene: row.name,
        "id": lambda row, scene: row.id,
        "status": lambda row, scene: row.status,
        "place": lambda row, scene: str(row.place),
        "visibility": lambda row, scene: row.visibility or "",
        "size": lambda row, scene: row.size,
        "age": lambda row, scene: since(row.created, scene.now),
    },
)

# flavors ---------------------------------------------------------------------------------------------------------


def _flavor_cells(flavor: Flavor, scene: Scene) -> Cells:
    used = scene.used.get(flavor.name, 0)
    return (
        Cell(flavor.name or flavor.id, "text"),
        Cell("—" if flavor.vcpus is None else str(flavor.vcpus)),
        Cell(megabytes(flavor.ram)),
        Cell(gigabytes(flavor.disk)),
        Cell(str(used), "text" if used else "muted"),
        Cell(flavor.id),
        Cell(scene.label(flavor.place)),
    )


FLAVORS = PaneSpec(
    name="flavors",
    title="Flavors",
    collection="flavors",
    kind=Flavor,
    columns=(
        Column("name", 9, cut="head", grows=32),
        Column("vcpu", 5, align="right"),
        Column("ram", 8, align="right"),
        Column("disk", 7, align="right"),
        Column("used", 6, align="right"),
        Column("id", 38, wide=True),
        Column("place", 16, wide=True, cut="middle"),
    ),
    cells=_flavor_cells,
    group=lambda flavor, scene: Group.CALM,
    order=lambda flavor, scene: (flavor.ram or 0, flavor.vcpus or 0, flavor.disk or 0, flavor.name, flavor.id),
    mood=lambda flavor, scene: (" ", "muted"),
    needs=_name_need,
    fold=lambda flavor: (flavor.name, flavor.vcpus, flavor.ram, flavor.disk),
    grouped=False,
    fields={
        "name": lambda row, scene: row.name,
        "id": lambda row, scene: row.id,
        "vcpu": lambda row, scene: row.vcpus,
        "ram": lambda row, scene: row.ram,
        "disk": lambda row, scene: row.disk,
        "place": lambda row, scene: str(row.place),
        "used": lambda row, scene: scene.used.get(row.name, 0),
    },
)

# key pairs -------------------------------------------------------------------------------------------------------

KEYPAIRS = PaneSpec(
    name="keypairs",
    title="Key pairs",
    collection="keypairs",
    kind=KeyPair,
    columns=(
        Column("name", 20, cut="middle", grows=32),
        Column("type", 8),
        Column("fingerprint", 48),
        Column("place", 16, cut="middle", places=True),
    ),
    cells=lambda pair, scene: (
        Cell(pair.name, "strong"),
        Cell(pair.type or scene.glyphs.none),
        Cell(pair.fingerprint or scene.glyphs.none),
        Cell(scene.label(pair.place)),
    ),
    group=lambda pair, scene: Group.CALM,
    order=lambda pair, scene: (pair.name, pair.place),
    mood=lambda pair, scene: (" ", "muted"),
    grouped=False,
    fields={
        "name": lambda row, scene: row.name,
        "type": lambda row, scene: row.type or "",
        "fingerprint": lambda row, scene: row.fingerprint or "",
        "place": lambda row, scene: str(row.place),
    },
)

PANES: dict[str, PaneSpec] = {spec.name: spec for spec in (SERVERS, IMAGES, FLAVORS, KEYPAIRS)}
