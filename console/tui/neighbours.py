"""Which of the marked servers stand on one host: what is done to both at once takes both halves of a pair down."""

from collections.abc import Iterable
from itertools import chain

from console.model.place import Key, Row
from console.model.server import Server


def sharing(rows: Iterable[Row]) -> frozenset[Key]:
    """The servers among these that share a host with another of them.

    A host's id differs from project to project, so that it is compared within one project; an administrator's
    entry tells the host by name, which is the same for all.
    """
    hosts: dict[tuple[str, ...], list[Key]] = {}
    for row in rows:
        if isinstance(row, Server) and (row.host or row.host_id):
            where = (row.host,) if row.host else (row.project_id or "", row.host_id or "")
            hosts.setdefault((row.key.endpoint, row.key.region, *where), []).append(row.key)
    return frozenset(chain.from_iterable(keys for keys in hosts.values() if len(keys) > 1))
