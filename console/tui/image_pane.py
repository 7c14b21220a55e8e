"""The images' pane, declared: what each is, whose it is, and how far it is.

Where there is room a column tells base images from those that were made of a server, and of which; what else depends
on that is said in the same words (`kind_words`) by pickers.
"""

from typing import Any

from console.model.image import Image
from console.text import cells
from console.tui.columns import Column
from console.tui.paint import age, byte_size, since
from console.tui.spec import Cell, Cells, Group, PaneSpec, Scene

PUBLIC = "public"  # and so the same in every region, which is shown once


def kind_words(image: Image, server: str) -> str:
    """What an image is: "base", or "snapshot of web-1"."""
    if image.kind == "base":
        return "base"
    what = f"{image.backup_type} backup" if image.kind == "backup" and image.backup_type else image.kind
    return f"{what} of {server}" if server else what


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
        Cell(kind_words(image, scene.server_name(image))),
        Cell(PUBLIC if image.visibility == PUBLIC else scene.label(image.place)),
        Cell(image.id),
    )


def _image_group(image: Image, scene: Scene) -> Group:
    if image.in_flight:
        return Group.IN_MOTION
    return Group.NEEDS_YOU if image.status in ("killed", "error") else Group.CALM


def _newest_first(image: Image, scene: Scene) -> tuple[Any, ...]:
    return (-image.created.timestamp() if image.created else 0.0,)


def _public_fold(image: Image) -> tuple[Any, ...] | None:
    """A public image is the same in every region that has it."""
    return (image.name, image.size, image.status) if image.visibility == PUBLIC else None


def _needs(image: Image, scene: Scene) -> tuple[tuple[str, int], ...]:
    kind = cells(kind_words(image, scene.server_name(image)))
    return ("name", cells(image.name)), ("kind", kind), ("place", len(scene.label(image.place)))


IMAGES = PaneSpec(
    name="images",
    title="Images",
    collection="images",
    kind=Image,
    columns=(
        Column("name", 16, cut="middle", grows=40),
        Column("size", 11, align="right"),
        Column("age", 6, align="right"),
        Column("kind", 30, cut="middle", grows=48, gives=16, least=76),
        Column("place", 16, cut="middle", grows=24, gives=8, places=True, least=98),
        Column("id", 37, wide=True),
    ),
    cells=_image_cells,
    group=_image_group,
    order=_newest_first,
    needs=_needs,
    fold=_public_fold,
    mood=_image_mood,
    grouped=False,
    fields={
        "name": lambda row, scene: row.name,
        "id": lambda row, scene: row.id,
        "status": lambda row, scene: row.status,
        "kind": lambda row, scene: kind_words(row, scene.server_name(row)),
        "server": lambda row, scene: scene.server_name(row),
        "place": lambda row, scene: str(row.place),
        "visibility": lambda row, scene: row.visibility or "",
        "size": lambda row, scene: row.size,
        "age": lambda row, scene: since(row.created, scene.now),
    },
)
