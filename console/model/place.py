"""Where a thing lives, and by which way we reach it.

A *place* is a way: one entry of clouds.yaml in one region; it has a lane on the screen, a health and a poller.
A *key* is what the thing is: the same server seen by a user's and by an administrator's entry has one key.
"""

import re
from typing import Any

import msgspec

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


class Place(msgspec.Struct, frozen=True, order=True, gc=False):
    """One account of one cloud in one region."""

    cloud: str
    region: str = ""

    def __str__(self) -> str:
        return f"{self.cloud}/{self.region}" if self.region else self.cloud


class Key(msgspec.Struct, frozen=True, order=True, gc=False, cache_hash=True):
    """What a thing is, however many ways lead to it: canonical endpoint, region, kind and id."""

    endpoint: str
    region: str
    kind: str
    id: str


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What a dialect knows of itself when it reads a record: the way, the endpoint and its standing."""

    place: Place
    endpoint: str
    project_id: str = ""
    project: str = ""
    privilege: int = 1  # 0 reads only, 1 acts in its project, 2 administers
    dialect: str = "openstack"


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every noun has: an id, a name, where it came from, and the record that it was read from."""

    id: str
    name: str = ""
    key: Key = Key("", "", "", "")
    place: Place = Place("")
    record: bytes = b""
    dialect: str = "openstack"  # what the cloud speaks that it came from


def own_name(place: Place, id: str) -> str:
    """What we call a server in what we keep of it: its id where no other has that, else with the place beside it.

    Older clouds count their servers, each from a small number on.
    """
    if _UUID.fullmatch(id):
        return id
    return re.sub(r"[^A-Za-z0-9_-]+", "-", f"{id}-at-{place}")


def facts(row: Row) -> dict[str, Any]:
    """Every field of a row by its name, those too that a row reads from its record only when asked."""
    return {name: getattr(row, name) for name in row.__struct_fields__ if name != "source"}
