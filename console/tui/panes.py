"""The panes, declared: which columns a noun has, how a row becomes cells, how rows are grouped and sorted.

A pane is one `PaneSpec` in `PANES`. `pane.py` is written once and draws any of them; keys, palette and help read the
same declarations. Everything here is pure: a row and a `Scene` in, cells out.
"""

from console.model.flavor import Flavor
from console.model.keypair import KeyPair
from console.text import cells
from console.tui.audit_pane import AUDIT
from console.tui.columns import Column
from console.tui.image_pane import IMAGES
from console.tui.paint import gigabytes, megabytes
from console.tui.room_panes import LIMITS, ZONES
from console.tui.schedule_panes import IPGROUPS, SCHEDULES
from console.tui.server_pane import SERVERS
from console.tui.spec import Cell, Cells, Group, PaneSpec, Scene

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
        Column("id", 38, wide=True, gives=4),
        Column("place", 16, wide=True, cut="middle"),
    ),
    cells=_flavor_cells,
    group=lambda flavor, scene: Group.CALM,
    order=lambda flavor, scene: (flavor.ram or 0, flavor.vcpus or 0, flavor.disk or 0),
    mood=lambda flavor, scene: (" ", "muted"),
    needs=lambda flavor, scene: (("name", cells(flavor.name)), ("id", len(flavor.id))),
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
        Column("name", 20, cut="middle", grows=32, gives=8),
        Column("place", 16, cut="middle", grows=24, gives=8, places=True),
        Column("type", 8, least=88),
        Column("fingerprint", 48, cut="middle", gives=20),
    ),
    cells=lambda pair, scene: (
        Cell(pair.name, "strong"),
        Cell(scene.label(pair.place)),
        Cell(pair.type or scene.glyphs.none),
        Cell(pair.fingerprint or scene.glyphs.none),
    ),
    needs=lambda pair, scene: (("name", cells(pair.name)), ("place", len(scene.label(pair.place)))),
    group=lambda pair, scene: Group.CALM,
    order=lambda pair, scene: (pair.name, pair.place),
    mood=lambda pair, scene: (" ", "muted"),
    grouped=False,
    new="keypair.create",
    fields={
        "name": lambda row, scene: row.name,
        "type": lambda row, scene: row.type or "",
        "fingerprint": lambda row, scene: row.fingerprint or "",
        "place": lambda row, scene: str(row.place),
    },
)

_ALL = (SERVERS, IMAGES, FLAVORS, KEYPAIRS, LIMITS, ZONES, AUDIT, SCHEDULES, IPGROUPS)
PANES: dict[str, PaneSpec] = {spec.name: spec for spec in _ALL}
