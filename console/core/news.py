"""What moved since it was last known, one object per change: what `watch` prints, and what a recording keeps.

One form for all of them, so that a script that reads `novadeck watch -f ndjson` reads a recording too.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from console.core.watch import Batch
from console.model.image import Image
from console.model.place import Key, Place, Row, facts
from console.model.server import Server

VERSION = 1


def addresses(server: Server) -> dict[str, list[str]] | None:
    """The addresses by network, as Nova tells them."""
    if server.addresses is None:
        return None
    return {network: [address.addr for address in found] for network, found in server.addresses.items()}


def fields(row: Row) -> dict[str, Any]:
    """All that is known of one thing under the model's own names, the place as cloud and region."""
    known = facts(row).items()
    found = {name: _unpacked(value) for name, value in known if name not in ("record", "key", "place")}
    if isinstance(row, Server):
        first = {"id": row.id, "name": row.name, "status": row.status, "power": row.power, "address": row.address}
        found = {**first, **found, "addresses": addresses(row)}
        found["security_groups"] = None if row.security_groups is None else [one.name for one in row.security_groups]
    elif isinstance(row, Image):
        found = {"id": row.id, "name": row.name, "status": row.status, **found}
    return {**found, "cloud": row.place.cloud, "region": row.place.region}


def _unpacked(value: Any) -> Any:
    """A model's inner object as a mapping of what it tells."""
    if isinstance(value, msgspec.Struct):
        return {name: _unpacked(inner) for name, inner in msgspec.structs.asdict(value).items() if inner is not None}
    return [_unpacked(inner) for inner in value] if isinstance(value, list) else value


class News:
    """What is known of one kind, and what a batch tells that differs from it."""

    def __init__(self, kind: str, known: dict[Key, Row], late: frozenset[Place], began: dt.datetime) -> None:
        self.kind = kind
        self.known = known
        self._late = late
        self._began = began

    def of(self, batch: Batch[Any]) -> list[dict[str, Any]]:
        """One object per change, in the order in which the rows moved."""
        moment = dt.datetime.now(dt.UTC)
        found = [self._moved(row, moment) for row in batch.changed]
        found += [self._gone(key, moment) for key in batch.gone]
        return [change for change in found if change is not None]

    def _moved(self, row: Row, moment: dt.datetime) -> dict[str, Any] | None:
        before = self.known.get(row.key)
        self.known[row.key] = row
        if before is None:
            return None if self._old(row) else told("appeared", self.kind, row, moment)
        differing = differences(before, row)
        return told("changed", self.kind, row, moment, differing) if differing else None

    def _gone(self, key: Key, moment: dt.datetime) -> dict[str, Any] | None:
        before = self.known.pop(key, None)
        return told("disappeared", self.kind, before, moment) if before is not None else None

    def _old(self, row: Row) -> bool:
        """Whether it was there before the watch began, at a cloud that answered only later."""
        created = getattr(row, "created", None)
        return row.place in self._late and (created is None or created < self._began)


def told(
    event: str, kind: str, row: Row, moment: dt.datetime, changed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One change as one object."""
    change = {
        "v": VERSION,
        "time": moment,
        "event": event,
        "kind": kind,
        "place": str(row.place),
        "id": row.id,
        "name": row.name,
    }
    if (status := getattr(row, "status", None)) is not None:
        change["status"] = status
    return {**change, "changed": changed} if changed else change


def differences(before: Row, now: Row) -> dict[str, dict[str, Any]]:
    """The fields that differ, each with its old and its new value; the place is none of them."""
    old, new = fields(before), fields(now)
    return {
        name: {"old": old.get(name), "new": value}
        for name, value in new.items()
        if name not in ("cloud", "region") and old.get(name) != value
    }
