"""What an administrator does with people: new projects and users, the roles they have, and their end.

Only as much as it takes to give somebody else a project of his own; groups and domains are left out.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.identity import Identity


class People:
    """The routes of one cloud's Keystone that change who there is."""

    def __init__(self, identity: Identity, show: dict[str, Any], router: Any) -> None:
        self.identity = identity
        self.show = show
        router.table(
            {
                "POST /v3/projects": self.add_project,
                "DELETE /v3/projects/{id}": self.drop_project,
                "POST /v3/users": self.add_user,
                "DELETE /v3/users/{id}": self.drop_user,
                "PUT /v3/projects/{project}/users/{user}/roles/{role}": self.grant,
            }
        )

    def _wanted(self, call: Call, what: str) -> dict[str, Any]:
        self._admin_only(call, f"create_{what}")
        body = call.json().get(what)
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            raise Fault(400, "'name' is a required property")
        return body

    def _admin_only(self, call: Call, rule: str) -> None:
        if not call.admin:
            raise Fault(403, f"You are not authorized to perform the requested action: identity:{rule}.")

    def _known(self, kind: str, rows: dict[str, Any], id: str) -> Any:
        if id not in rows:
            raise Fault(404, f"Could not find {kind}: {id}.")
        return rows[id]

    async def add_project(self, call: Call) -> web.Response:
        """POST /v3/projects."""
        body = self._wanted(call, "project")
        if any(project.name == body["name"] for project in self.identity.projects.values()):
            why = "it is not permitted to have two projects with the same name in the same domain"
            raise Fault(409, f"Conflict occurred attempting to store project - {why} : {body['name']}.")
        made = self.identity.add_project(body["name"], body.get("description") or "")
        return reply(201, {"project": self.show["project"](made)})

    async def drop_project(self, call: Call) -> web.Response:
        """DELETE /v3/projects/{id}."""
        self._admin_only(call, "delete_project")
        self._known("project", self.identity.projects, call.names["id"])
        del self.identity.projects[call.names["id"]]
        for user in self.identity.users.values():
            user.roles.pop(call.names["id"], None)
        return reply(204)

    async def add_user(self, call: Call) -> web.Response:
        """POST /v3/users."""
        body = self._wanted(call, "user")
        if any(user.name == body["name"] for user in self.identity.users.values()):
            text = f"Conflict occurred attempting to store user - Duplicate entry found with name {body['name']}."
            raise Fault(409, text)
        made = self.identity.add_user(body["name"], str(body.get("password") or self.identity.ids.word(24)))
        made.default_project = body.get("default_project_id")
        return reply(201, {"user": self.show["user"](made)})

    async def drop_user(self, call: Call) -> web.Response:
        """DELETE /v3/users/{id}."""
        self._admin_only(call, "delete_user")
        self._known("user", self.identity.users, call.names["id"])
        del self.identity.users[call.names["id"]]
        return reply(204)

    async def grant(self, call: Call) -> web.Response:
        """PUT /v3/projects/{project}/users/{user}/roles/{role}."""
        self._admin_only(call, "create_grant")
        names = {id: name for name, id in self.identity.role_ids.items()}
        project = self._known("project", self.identity.projects, call.names["project"])
        user = self._known("user", self.identity.users, call.names["user"])
        role = self._known("role", names, call.names["role"])
        implied = {"member": ("member", "reader"), "admin": ("admin", "member", "reader")}.get(role, (role,))
        self.identity.grant(user, project, *dict.fromkeys((*user.roles.get(project.id, ()), *implied)))
        return reply(204)
