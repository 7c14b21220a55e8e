"""Which servers a listing shows: scope, filters, order and paging, as Nova takes them from the query."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any

from console.sim.call import Call, Fault
from console.sim.clock import parse
from console.sim.lives import STATUSES, status_of
from console.sim.nova_store import Compute
from console.sim.records import Server

Keep = Callable[[Server], bool]
MAX_LIMIT = 1000
KNOWN = {
    "limit", "marker", "sort_key", "sort_dir", "all_tenants", "changes-since", "changes-before", "status", "name",
    "image", "flavor", "ip", "ip6", "reservation_id", "tags", "tags-any", "not-tags", "not-tags-any", "locked",
    "hostname", "host", "node", "project_id", "tenant_id", "user_id", "deleted", "vm_state", "task_state",
    "power_state", "availability_zone", "key_name", "uuid", "description", "display_description", "created_at",
    "launched_at", "terminated_at", "config_drive", "progress", "root_device_name", "soft_deleted", "access_ip_v4",
    "access_ip_v6", "has_config_drive", "kernel_id", "launch_index", "ramdisk_id", "auto_disk_config", "cell_down",
}  # fmt: skip
FOR_ALL = {
    "availability_zone": "zone",
    "config_drive": "config_drive",
    "key_name": "key_name",
    "vm_state": "vm_state",
    "task_state": "task_state",
    "user_id": "user_id",
    "description": "description",
    "hostname": "hostname",
}
SORTS: dict[str, Callable[[Server], Any]] = {
    "created_at": lambda s: s.created,
    "updated_at": lambda s: s.updated,
    "display_name": lambda s: s.name,
    "name": lambda s: s.name,
    "uuid": lambda s: s.id,
    "id": lambda s: s.number,
    "vm_state": lambda s: s.vm_state,
    "task_state": lambda s: s.task_state or "",
    "power_state": lambda s: s.power_state,
    "launched_at": lambda s: s.launched or 0,
    "host": lambda s: s.host,
    "hostname": lambda s: s.hostname,
    "image_ref": lambda s: s.image_id or "",
    "instance_type_id": lambda s: s.flavor.id,
    "key_name": lambda s: s.key_name or "",
    "project_id": lambda s: s.project_id,
    "user_id": lambda s: s.user_id,
    "availability_zone": lambda s: s.zone,
    "locked": lambda s: s.locked,
}


class Query:
    """One listing's query, checked."""

    def __init__(self, call: Call, store: Compute) -> None:
        self.call = call
        self.store = store
        self._check_names()

    def page(self) -> tuple[list[Server], int]:
        """The page that was asked for, and how long a page may be (0 where nothing was wanted)."""
        limit = self._limit()
        tests = [*self._scope(), *self._times(), *self._cells(), *self._filters()]
        marker = self.call.first("marker")
        if self.call.first("sort_key") is None:
            rows = self.store.ordered()[self._position(marker) :] if marker is not None else self.store.ordered()
            return list(islice((s for s in rows if all(test(s) for test in tests)), limit)), limit
        kept = self._sorted([s for s in self.store.ordered() if all(test(s) for test in tests)])
        return (self._after(kept, marker) if marker is not None else kept)[:limit], limit

    def _position(self, marker: str) -> int:
        place = self.store.place_in_order(marker)
        known = self.store.servers.get(marker)
        if place is None or known is None or not (self.call.admin or known.project_id == self.call.who.project_id):
            raise Fault(400, f"marker [{marker}] not found")
        return place + 1

    def _check_names(self) -> None:
        if self.call.minor < 75:
            return
        for name, _ in self.call.query:
            if name not in KNOWN and not name.startswith("_"):
                raise Fault(400, f"'{name}' does not match any of the regexes: '^_'")

    def _limit(self) -> int:
        asked = self.call.first("limit")
        if asked is None:
            return MAX_LIMIT
        if not re.fullmatch(r"[0-9]+", asked):
            raise Fault(400, f"Invalid input for query parameters limit. Value: {asked}. {asked!r} does not match "
                             "'^[0-9]*$'")  # fmt: skip
        return min(MAX_LIMIT, int(asked))

    def _after(self, rows: list[Server], marker: str) -> list[Server]:
        self._position(marker)
        at = next((index for index, server in enumerate(rows) if server.id == marker), -1)
        return rows[at + 1 :]

    def _sorted(self, rows: list[Server]) -> list[Server]:
        keys = self.call.all("sort_key")
        ways = self.call.all("sort_dir")
        for index in reversed(range(len(keys))):
            if keys[index] not in SORTS:
                raise Fault(400, f"Invalid input for query parameters sort_key. Value: {keys[index]}.")
            way = ways[index] if index < len(ways) else "desc"
            if way not in ("asc", "desc"):
                raise Fault(400, f"Invalid input for query parameters sort_dir. Value: {way}.")
            rows = sorted(rows, key=SORTS[keys[index]], reverse=way == "desc")
        return rows

    def _cells(self) -> list[Keep]:
        if not self.store.cells_down:
            return []
        plain = self.call.minor >= 69 and not any(name != "all_tenants" for name, _ in self.call.query)
        return [] if plain else [lambda s: not s.hidden_by_cell]

    def _scope(self) -> list[Keep]:
        call, wants_all = self.call, self.call.first("all_tenants")
        if wants_all is not None and wants_all.lower() in ("1", "true", "t", "on", "y", "yes", ""):
            if not call.admin:
                rule = (
                    "servers:detail:get_all_tenants"
                    if call.path.endswith("detail")
                    else "servers:index:get_all_tenants"
                )
                raise Fault(403, f"Policy doesn't allow os_compute_api:{rule} to be performed.")
            project = call.first("project_id") or call.first("tenant_id")
            return [] if project is None else [lambda s: s.project_id == project]
        mine = call.who.project_id
        return [lambda s: s.project_id == mine]

    def _moment(self, name: str) -> float | None:
        text = self.call.first(name)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError:
            raise Fault(400, f"Invalid input for query parameters {name}. Value: {text}. {text!r} is not a "
                             "'date-time'") from None  # fmt: skip

    def _times(self) -> list[Keep]:
        since = self._moment("changes-since")
        before = self._moment("changes-before") if self.call.minor >= 66 else None
        tests: list[Keep] = []
        if since is not None:
            low = since
            tests.append(lambda s: s.in_request or int(s.updated) >= low)
        if before is not None:
            high = before
            tests.append(lambda s: int(s.updated) <= high)
        deleted = self.call.first("deleted")
        if self.call.admin and deleted is not None:
            wanted = deleted.lower() in ("1", "true", "t", "yes")
            tests.append(lambda s: (s.deleted or _binned(s)) == wanted)
        elif since is None and before is None and not self._wants_deleted():
            binned = self.call.admin and (self.call.first("soft_deleted") or "").lower() in ("1", "true", "t", "yes")
            tests.insert(0, lambda s: not s.deleted and (binned or not _binned(s)))
        return tests

    def _wants_deleted(self) -> bool:
        wanted = "deleted" in (text.lower() for text in self.call.all("status"))
        if wanted and not self.call.admin:
            raise Fault(403, "Only administrators may list deleted instances")
        return wanted

    def _filters(self) -> list[Keep]:
        tests: list[Keep] = []
        statuses = {text.upper() for text in self.call.all("status")}
        if statuses:
            if not statuses & STATUSES:
                if self.call.minor >= 38:
                    raise Fault(400, "Invalid status value")
                return [lambda s: False]
            tests.append(lambda s: status_of(s.vm_state, s.task_state) in statuses)
        for key, pick in (("image", lambda s: s.image_id), ("flavor", lambda s: s.flavor.id), ("uuid", lambda s: s.id)):
            wanted = self.call.first(key)
            if wanted is not None:
                tests.append(_equal(pick, wanted.rsplit("/", 1)[-1]))
        tests += self._patterns()
        tests += self._tags() if self.call.minor >= 26 else []
        return tests + self._equalities()

    def _patterns(self) -> list[Keep]:
        tests: list[Keep] = []
        name = self._regex("name")
        if name is not None:
            tests.append(lambda s: name.search(s.name) is not None)
        for key in ("ip", "ip6"):
            found = self._regex(key)
            if found is not None:
                tests.append(_has_address(found))
        return tests

    def _regex(self, key: str) -> re.Pattern[str] | None:
        text = self.call.first(key)
        if text is None:
            return None
        try:
            return re.compile(text, re.IGNORECASE)
        except re.error:
            raise Fault(400, f"Invalid input for query parameters {key}. Value: {text}. {text!r} is not a "
                             "'regex'") from None  # fmt: skip

    def _tags(self) -> list[Keep]:
        ways: dict[str, Callable[[set[str], set[str]], bool]] = {
            "tags": lambda have, want: want <= have,
            "tags-any": lambda have, want: bool(want & have),
            "not-tags": lambda have, want: not want <= have,
            "not-tags-any": lambda have, want: not want & have,
        }
        tests: list[Keep] = []
        for key, way in ways.items():
            text = self.call.first(key)
            if text is not None:
                tests.append(_tagged(way, set(text.split(","))))
        return tests

    def _equalities(self) -> list[Keep]:
        call, tests = self.call, list[Keep]()
        if call.minor >= 73 and call.first("locked") is not None:
            locked = str(call.first("locked")).lower() in ("1", "true", "t", "yes")
            tests.append(lambda s: s.locked == locked)
        reservation = call.first("reservation_id")
        if reservation is not None:
            tests.append(_equal(lambda s: s.reservation_id, reservation))
        for key, attribute in FOR_ALL.items():
            wanted = call.first(key)
            if wanted is not None and (call.admin or call.minor >= 83):
                tests.append(_equal(_getter(attribute), wanted))
        host = call.first("host")
        if host is not None and call.admin:
            tests.append(_equal(lambda s: s.host, host))
        return tests


def _binned(server: Server) -> bool:
    """Whether it was deleted, and can still be had back."""
    return server.vm_state == "soft-delete"


def _getter(attribute: str) -> Callable[[Server], Any]:
    return lambda server: getattr(server, attribute)


def _equal(pick: Callable[[Server], Any], wanted: str) -> Keep:
    return lambda server: pick(server) == wanted


def _has_address(pattern: re.Pattern[str]) -> Keep:
    return lambda s: any(pattern.search(address) for rows in s.addresses.values() for address, _, _ in rows)


def _tagged(way: Callable[[set[str], set[str]], bool], wanted: set[str]) -> Keep:
    return lambda server: way(set(server.tags), wanted)
