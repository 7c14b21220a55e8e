"""What all of Neutron's collections have in common: filters, fields, paging, quotas and its way to say no."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.clock import Clock
from console.sim.region import Region
from console.sim.service import Service
from console.sim.trouble import Trouble

UNFILTERED = {"limit", "marker", "fields", "sort_key", "sort_dir", "page_reverse"}
KINDS = {
    400: "HTTPBadRequest",
    403: "PolicyNotAuthorized",
    404: "HTTPNotFound",
    409: "Conflict",
    412: "RevisionNumberConstraintFailed",
}


class NeutronGround(Service):
    """One region's network service without its resources."""

    kind = "network"

    def __init__(self, region: Region, clock: Clock, trouble: Trouble, quota: dict[str, int]) -> None:
        super().__init__(clock, region.identity, trouble, region.name)
        self.place = region
        self.store = region.neutron
        self.quota = quota

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        kind = fault.kind or KINDS.get(fault.status, "HTTPInternalServerError")
        return reply(fault.status, {"NeutronError": {"type": kind, "message": fault.message, "detail": ""}})

    def not_routed(self, call: Call) -> web.Response:
        return self.fault_reply(call, Fault(404, "The resource could not be found."))

    def _list(self, call: Call, name: str, rows: list[dict[str, Any]]) -> web.Response:
        rows = [row for row in rows if _matches(row, call)]
        for key, way in reversed(list(zip(call.all("sort_key"), call.all("sort_dir"), strict=False))):
            rows.sort(key=lambda row: str(row.get(key) or ""), reverse=way == "desc")
        limit, marker = call.first("limit"), call.first("marker")
        if marker is not None:
            at = next((i for i, row in enumerate(rows) if row["id"] == marker), -1)
            rows = rows[at + 1 :]
        body: dict[str, Any] = {}
        if limit is not None and limit.isdigit() and int(limit) > 0:
            more = len(rows) > int(limit)
            rows = rows[: int(limit)]
            if more:
                query = [(k, v) for k, v in call.query if k != "marker"] + [("marker", rows[-1]["id"])]
                body[f"{name}_links"] = [{"rel": "next", "href": f"{self.base}{call.path}?{urlencode(query)}"}]
        fields = set(call.all("fields"))
        if fields:
            rows = [{k: v for k, v in row.items() if k in fields} for row in rows]
        return reply(200, {name: rows} | body)

    def _one(self, call: Call, found: Any, kind: str) -> Any:
        if found is None or not (call.admin or found.project_id == call.who.project_id):
            raise Fault(404, f"{kind} {call.names['id']} could not be found.", kind=f"{kind.replace(' ', '')}NotFound")
        return found

    def _mine(self, call: Call, rows: Any) -> list[Any]:
        return [row for row in rows if call.admin or row.project_id == call.who.project_id]

    def _body(self, call: Call, key: str) -> dict[str, Any]:
        body = call.json().get(key)
        if not isinstance(body, dict):
            raise Fault(400, f"Unable to find '{key}' in request body")
        return body

    def _spend(self, call: Call, what: str, used: int) -> None:
        if 0 <= self.quota[what] <= used:
            raise Fault(409, f"Quota exceeded for resources: ['{what}'].", kind="OverQuota")


def _matches(row: dict[str, Any], call: Call) -> bool:
    wanted: dict[str, list[str]] = {}
    for key, value in call.query:
        if key not in UNFILTERED and (key in row or key == "fixed_ips"):
            wanted.setdefault(key, []).append(value)
    return all(any(_equal(row.get(key), value) for value in values) for key, values in wanted.items())


def _equal(have: Any, want: str) -> bool:
    if isinstance(have, bool):
        return have == (want.lower() in ("true", "1"))
    if isinstance(have, list):
        part = want.partition("=")[2] or want
        return any(part == item or (isinstance(item, dict) and part in item.values()) for item in have)
    return want == ("" if have is None else str(have))
