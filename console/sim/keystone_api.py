"""Keystone v3 as its clients meet it: logins, the catalog, projects, and what an administrator lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, html, reply
from console.sim.clock import Clock
from console.sim.identity import Identity, Project, Refused, Token, User
from console.sim.keystone_people import People
from console.sim.service import Service
from console.sim.trouble import Trouble

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
MUST_LOG_IN = "The request you have made requires authentication."
DEFAULT = {"id": "default", "name": "Default"}


class Keystone(Service):
    """One cloud's identity service."""

    kind = "identity"

    def __init__(self, clock: Clock, identity: Identity, trouble: Trouble) -> None:
        super().__init__(clock, identity, trouble)
        routes = {
            "POST /v3/auth/tokens": self.log_in,
            "GET /v3/auth/tokens": self.validate,
            "HEAD /v3/auth/tokens": self.validate,
            "DELETE /v3/auth/tokens": self.revoke,
            "GET /v3/auth/catalog": self.catalog,
            "GET /v3/auth/projects": self.my_projects,
            "GET /v3/auth/domains": self.domains,
            "GET /v3/projects": self.projects,
            "GET /v3/projects/{id}": self.project,
            "GET /v3/users": self.users,
            "GET /v3/users/{user}": self.user,
            "GET /v3/users/{user}/projects": self.user_projects,
            "GET /v3/users/{user}/application_credentials": self.credentials,
            "POST /v3/users/{user}/application_credentials": self.add_credential,
            "GET /v3/users/{user}/application_credentials/{id}": self.credential,
            "DELETE /v3/users/{user}/application_credentials/{id}": self.drop_credential,
            "GET /v3/domains": self.domains,
            "GET /v3/domains/{id}": self.domain,
            "GET /v3/regions": self.regions,
            "GET /v3/services": self.services,
            "GET /v3/endpoints": self.endpoints,
            "GET /v3/roles": self.roles,
        }
        self.router.table(routes)
        People(identity, {"project": self._project, "user": self._user}, self.router)

    def is_open(self, call: Call) -> bool:
        return call.path.strip("/") in ("", "v3") or (call.request.method, call.path) == ("POST", "/v3/auth/tokens")

    async def handle(self, call: Call) -> web.Response:
        call.headers["Vary"] = "X-Auth-Token"
        here = call.path.strip("/")
        if here == "":
            return reply(300, {"versions": {"values": [self._version()]}}, {"Location": f"{self.base}/v3/"})
        if here == "v3":
            return reply(200, {"version": self._version()})
        return await super().handle(call)

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        title = TITLES.get(fault.status, "Error")
        headers = {"WWW-Authenticate": f'Keystone uri="{self.base}/v3"'} if fault.status == 401 else {}
        body = {"error": {"code": fault.status, "message": fault.message, "title": title}}
        return reply(fault.status, body, headers)

    def refusal(self) -> web.Response:
        body = {"error": {"code": 401, "message": MUST_LOG_IN, "title": "Unauthorized"}}
        return reply(401, body, {"WWW-Authenticate": f'Keystone uri="{self.base}/v3"'})

    def not_routed(self, call: Call) -> web.Response:
        return html(404, "Not Found", "The requested URL was not found on the server.")

    def _version(self) -> dict[str, Any]:
        media = "application/vnd.openstack.identity-v3+json"
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self.base}/v3/"}],
            "media-types": [{"base": "application/json", "type": media}],
        }

    async def log_in(self, call: Call) -> web.Response:
        """POST /v3/auth/tokens."""
        body = call.json()
        try:
            token = self.identity.login(body["auth"])
        except Refused as refused:
            raise Fault(401, str(refused) or MUST_LOG_IN) from None
        except (KeyError, TypeError, IndexError, AttributeError):
            raise Fault(400, "Invalid input for field/attribute auth.") from None
        return self._token_reply(201, token, with_catalog=call.first("nocatalog") is None)

    def _token_reply(self, status: int, token: Token, with_catalog: bool = True) -> web.Response:
        body = token_body(self.identity, token, with_catalog)
        return reply(status, {"token": body}, {"X-Subject-Token": token.text})

    async def validate(self, call: Call) -> web.Response:
        """GET /v3/auth/tokens: whose token is this?"""
        token = self.identity.token(call.request.headers.get("X-Subject-Token", ""))
        if token is None:
            raise Fault(404, "This is not a recognized Fernet token")
        return self._token_reply(200, token, with_catalog=call.first("nocatalog") is None)

    async def revoke(self, call: Call) -> web.Response:
        """DELETE /v3/auth/tokens."""
        if self.identity.tokens.pop(call.request.headers.get("X-Subject-Token", ""), None) is None:
            raise Fault(404, "This is not a recognized Fernet token")
        return reply(204)

    async def catalog(self, call: Call) -> web.Response:
        """GET /v3/auth/catalog."""
        links = {"self": f"{self.base}/v3/auth/catalog"}
        return reply(200, {"catalog": self.identity.catalog(call.who.project_id), "links": links})

    def _listing(self, call: Call, key: str, rows: list[dict[str, Any]]) -> web.Response:
        links = {"next": None, "self": self.base + call.path, "previous": None}
        return reply(200, {key: rows, "links": links})

    def _project(self, project: Project) -> dict[str, Any]:
        return {
            "id": project.id,
            "name": project.name,
            "domain_id": "default",
            "description": project.description,
            "enabled": True,
            "parent_id": "default",
            "is_domain": False,
            "tags": [],
            "options": {},
            "links": {"self": f"{self.base}/v3/projects/{project.id}"},
        }

    def _user(self, user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "name": user.name,
            "domain_id": "default",
            "enabled": True,
            "password_expires_at": None,
            "options": {},
            "links": {"self": f"{self.base}/v3/users/{user.id}"},
        }

    def _admin_only(self, call: Call, rule: str) -> None:
        if not call.admin:
            text = f"You are not authorized to perform the requested action: {rule}."
            raise Fault(403, text)

    async def my_projects(self, call: Call) -> web.Response:
        """GET /v3/auth/projects: every project that the caller has a role in."""
        rows = [self._project(self.identity.projects[id]) for id in call.who.user.roles]
        return self._listing(call, "projects", rows)

    async def user_projects(self, call: Call) -> web.Response:
        """GET /v3/users/{user}/projects."""
        user = self._mine(call)
        return self._listing(call, "projects", [self._project(self.identity.projects[id]) for id in user.roles])

    async def projects(self, call: Call) -> web.Response:
        """GET /v3/projects (administrators)."""
        self._admin_only(call, "identity:list_projects")
        name = call.first("name")
        rows = [self._project(p) for p in self.identity.projects.values() if name in (None, p.name)]
        return self._listing(call, "projects", rows)

    async def project(self, call: Call) -> web.Response:
        """GET /v3/projects/{id}."""
        project = self.identity.projects.get(call.names["id"])
        if project is None or not (call.admin or project.id in call.who.user.roles):
            if not call.admin:
                raise Fault(403, "You are not authorized to perform the requested action: identity:get_project.")
            raise Fault(404, f"Could not find project: {call.names['id']}.")
        return reply(200, {"project": self._project(project)})

    async def users(self, call: Call) -> web.Response:
        """GET /v3/users (administrators)."""
        self._admin_only(call, "identity:list_users")
        name = call.first("name")
        rows = [self._user(u) for u in self.identity.users.values() if name in (None, u.name)]
        return self._listing(call, "users", rows)

    def _mine(self, call: Call) -> User:
        user = self.identity.users.get(call.names["user"])
        if user is None or not (call.admin or user is call.who.user):
            raise Fault(403, "You are not authorized to perform the requested action: identity:get_user.")
        return user

    async def user(self, call: Call) -> web.Response:
        """GET /v3/users/{user}."""
        return reply(200, {"user": self._user(self._mine(call))})

    async def credentials(self, call: Call) -> web.Response:
        """GET /v3/users/{user}/application_credentials."""
        user = self._mine(call)
        rows = [self._credential(c.id) for c in self.identity.credentials.values() if c.user is user]
        return self._listing(call, "application_credentials", rows)

    def _credential(self, id: str, with_secret: bool = False) -> dict[str, Any]:
        found = self.identity.credentials[id]
        body = {
            "id": found.id,
            "name": found.name,
            "description": found.description or None,
            "project_id": found.project.id,
            "expires_at": None,
            "unrestricted": None,
            "system": None,
            "user_id": found.user.id,
            "roles": [self._role(role) for role in found.roles],
            "links": {"self": f"{self.base}/v3/users/{found.user.id}/application_credentials/{found.id}"},
        }
        return body | ({"secret": found.secret} if with_secret else {})

    def _role(self, name: str) -> dict[str, Any]:
        id = self.identity.role_ids[name]
        return {"id": id, "name": name, "domain_id": None, "description": None, "options": {"immutable": True}}

    async def add_credential(self, call: Call) -> web.Response:
        """POST /v3/users/{user}/application_credentials."""
        user = self._mine(call)
        wanted = call.json().get("application_credential")
        if not isinstance(wanted, dict) or not wanted.get("name") or call.who.project is None:
            raise Fault(400, "'name' is a required property")
        if any(c.name == wanted["name"] and c.user is user for c in self.identity.credentials.values()):
            raise Fault(409, "Duplicate entry found with name " + str(wanted["name"]) + ".")
        made = self.identity.add_credential(
            user, call.who.project, wanted["name"], wanted.get("secret"), wanted.get("description") or ""
        )
        return reply(201, {"application_credential": self._credential(made.id, with_secret=True)})

    async def credential(self, call: Call) -> web.Response:
        """GET /v3/users/{user}/application_credentials/{id}."""
        self._known_credential(call)
        return reply(200, {"application_credential": self._credential(call.names["id"])})

    async def drop_credential(self, call: Call) -> web.Response:
        """DELETE /v3/users/{user}/application_credentials/{id}."""
        self._known_credential(call)
        del self.identity.credentials[call.names["id"]]
        return reply(204)

    def _known_credential(self, call: Call) -> None:
        user, id = self._mine(call), call.names["id"]
        if id not in self.identity.credentials or self.identity.credentials[id].user is not user:
            raise Fault(404, f"Could not find Application Credential: {id}.")

    async def domains(self, call: Call) -> web.Response:
        """GET /v3/domains."""
        return self._listing(call, "domains", [DEFAULT | {"enabled": True, "description": "The default domain"}])

    async def domain(self, call: Call) -> web.Response:
        """GET /v3/domains/{id}."""
        if call.names["id"] != "default":
            raise Fault(404, f"Could not find domain: {call.names['id']}.")
        return reply(200, {"domain": DEFAULT | {"enabled": True, "description": "The default domain"}})

    async def regions(self, call: Call) -> web.Response:
        """GET /v3/regions."""
        names = sorted({e["region"] for s in self.identity.catalog("") for e in s["endpoints"]})
        rows = [{"id": name, "description": "", "parent_region_id": None} for name in names]
        return self._listing(call, "regions", rows)

    async def services(self, call: Call) -> web.Response:
        """GET /v3/services (administrators)."""
        self._admin_only(call, "identity:list_services")
        rows = [
            {"id": s["id"], "name": s["name"], "type": s["type"], "enabled": True, "links": {}}
            for s in self.identity.catalog("")
        ]
        return self._listing(call, "services", rows)

    async def endpoints(self, call: Call) -> web.Response:
        """GET /v3/endpoints (administrators)."""
        self._admin_only(call, "identity:list_endpoints")
        rows = [e | {"service_id": s["id"], "enabled": True} for s in self.identity.catalog("") for e in s["endpoints"]]
        return self._listing(call, "endpoints", rows)

    async def roles(self, call: Call) -> web.Response:
        """GET /v3/roles (administrators)."""
        self._admin_only(call, "identity:list_roles")
        wanted = call.first("name")
        rows = [
            {"id": id, "name": name, "domain_id": None}
            for name, id in self.identity.role_ids.items()
            if wanted in (None, name)
        ]
        return self._listing(call, "roles", rows)


def _micro(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def token_body(identity: Identity, token: Token, with_catalog: bool) -> dict[str, Any]:
    """The body that tells of a token."""
    user = {"domain": DEFAULT, "id": token.user.id, "name": token.user.name, "password_expires_at": None}
    body: dict[str, Any] = {
        "methods": token.methods,
        "user": user,
        "audit_ids": [token.audit],
        "expires_at": _micro(token.expires),
        "issued_at": _micro(token.issued),
    }
    if token.project is not None:
        body["project"] = {"domain": DEFAULT, "id": token.project.id, "name": token.project.name}
        body["is_domain"] = False
        body["roles"] = [{"id": identity.role_ids[role], "name": role} for role in token.roles]
        if with_catalog:
            body["catalog"] = identity.catalog(token.project.id)
    return body
