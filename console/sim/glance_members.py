"""Images that a project shares with others, as Glance keeps them: its members and their answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.clock import zulu
from console.sim.glance_api import Glance
from console.sim.records import Image


class Members:
    """Those routes of one region's image service."""

    def __init__(self, glance: Glance) -> None:
        self.glance = glance
        glance.router.table(
            {
                "GET /v2/images/{id}/members": self.members,
                "POST /v2/images/{id}/members": self.add_member,
                "GET /v2/images/{id}/members/{member}": self.member,
                "PUT /v2/images/{id}/members/{member}": self.answer_member,
                "DELETE /v2/images/{id}/members/{member}": self.drop_member,
            }
        )

    def _shared(self, call: Call) -> Image:
        image = self.glance.image(call)
        if image.visibility != "shared":
            raise Fault(403, "Only shared images have members.")
        return image

    async def members(self, call: Call) -> web.Response:
        """GET /v2/images/{id}/members."""
        rows = self._shared(call).members
        if not (call.admin or self.glance.image(call).owner == call.who.project_id):
            rows = {k: v for k, v in rows.items() if k == call.who.project_id}
        return reply(200, {"members": list(rows.values()), "schema": "/v2/schemas/members"})

    async def add_member(self, call: Call) -> web.Response:
        """POST /v2/images/{id}/members."""
        image = self.glance.own(call, "add_member")
        self._shared(call)
        member = str(call.json().get("member") or "")
        if not member:
            raise Fault(400, "Expected a member to be added.")
        if member in image.members:
            raise Fault(409, f"Image member {member} already exists for image {image.id}")
        now = zulu(self.glance.clock.time())
        image.members[member] = {"member_id": member, "image_id": image.id, "status": "pending", "created_at": now,
                                 "updated_at": now, "schema": "/v2/schemas/member"}  # fmt: skip
        return reply(200, image.members[member])

    def _member(self, call: Call) -> dict[str, Any]:
        found = self._shared(call).members.get(call.names["member"])
        if found is None:
            raise Fault(404, f"{call.names['member']} not found in the member list of the image {call.names['id']}.")
        return found

    async def member(self, call: Call) -> web.Response:
        """GET /v2/images/{id}/members/{member}."""
        return reply(200, self._member(call))

    async def answer_member(self, call: Call) -> web.Response:
        """PUT /v2/images/{id}/members/{member}."""
        found = self._member(call)
        if call.names["member"] != call.who.project_id and not call.admin:
            raise Fault(403, "You are not authorized to complete modify_member action.")
        status = call.json().get("status")
        if status not in ("accepted", "rejected", "pending"):
            raise Fault(400, f"Invalid status: {status}")
        found["status"], found["updated_at"] = status, zulu(self.glance.clock.time())
        return reply(200, found)

    async def drop_member(self, call: Call) -> web.Response:
        """DELETE /v2/images/{id}/members/{member}."""
        image = self.glance.own(call, "delete_member")
        self._member(call)
        del image.members[call.names["member"]]
        return reply(204)
