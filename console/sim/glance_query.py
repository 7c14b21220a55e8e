"""How Glance shows an image, and which images in which order a listing of it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from console.sim.call import Call, Fault
from console.sim.clock import parse, zulu
from console.sim.records import Image

SORTS: dict[str, Callable[[Image], Any]] = {
    "name": lambda i: i.name or "",
    "status": lambda i: i.status,
    "id": lambda i: i.id,
    "created_at": lambda i: i.created,
    "updated_at": lambda i: i.updated,
    "size": lambda i: i.size or 0,
    "disk_format": lambda i: i.disk_format or "",
    "container_format": lambda i: i.container_format or "",
}


def shown(image: Image) -> dict[str, Any]:
    """An image as Glance shows it."""
    return {
        **image.properties,
        "name": image.name,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "visibility": image.visibility,
        "size": image.size,
        "virtual_size": image.virtual_size,
        "status": image.status,
        "checksum": image.checksum,
        "protected": image.protected,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "owner": image.owner,
        "os_hidden": image.hidden,
        "os_hash_algo": "sha512" if image.hash_value else None,
        "os_hash_value": image.hash_value,
        "id": image.id,
        "created_at": zulu(image.created),
        "updated_at": zulu(image.updated),
        "tags": image.tags,
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
        **({"stores": "local"} if image.status == "active" else {}),
    }


def encoded(image: Image) -> bytes:
    """The same, encoded, kept until the image changes."""
    if image.encoded is None:
        image.encoded = msgspec.json.encode(shown(image))
    return image.encoded


def matches(image: Image, call: Call) -> bool:
    """Whether an image fits all filters that were asked for. Raises `Fault`."""
    record = shown(image)
    for key, value in call.query:
        if key in ("limit", "marker", "sort", "sort_key", "sort_dir", "visibility", "os_hidden", "member_status"):
            continue
        if key == "tag":
            fits = value in image.tags
        elif key in ("size_min", "size_max"):
            size = image.size or 0
            fits = size >= int(value) if key == "size_min" else size <= int(value)
        elif key in ("created_at", "updated_at"):
            fits = _in_time(image, key, value)
        elif value.startswith("in:"):
            fits = str(record.get(key)) in [part.strip('"') for part in value[3:].split(",")]
        elif key == "protected":
            fits = image.protected == (value.lower() == "true")
        else:
            fits = str(record.get(key)) == value
        if not fits:
            return False
    return True


def _in_time(image: Image, key: str, value: str) -> bool:
    way, _, text = value.partition(":") if value[:2].isalpha() else ("eq", "", value)
    try:
        wanted = parse(text)
    except ValueError:
        raise Fault(400, f"Invalid time value: {text}") from None
    have = int(image.created if key == "created_at" else image.updated)
    ways = {"gt": have > wanted, "gte": have >= wanted, "lt": have < wanted, "lte": have <= wanted,
            "eq": have == wanted, "neq": have != wanted}  # fmt: skip
    if way not in ways:
        raise Fault(400, f"Unable to filter on an unknown operator {way}.")
    return ways[way]


def in_order(call: Call, rows: list[Image]) -> list[Image]:
    """The images sorted as asked, the newest first by default. Raises `Fault`."""
    pairs = [[*part.split(":"), "desc"][:2] for part in (call.first("sort") or "").split(",") if part]
    if not pairs:
        ways = call.all("sort_dir")
        for index, key in enumerate(call.all("sort_key") or ["created_at"]):
            pairs.append([key, ways[min(index, len(ways) - 1)] if ways else "desc"])
    rows = sorted(rows, key=lambda i: i.id, reverse=True)
    for key, way in reversed(pairs):
        if key not in SORTS or way not in ("asc", "desc"):
            raise Fault(400, f"Invalid sort key or direction: {key}:{way}")
        rows = sorted(rows, key=SORTS[key], reverse=way == "desc")
    return rows
