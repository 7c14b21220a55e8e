"""Rackspace's identity service: the old login by headers (v1.0) and Identity v2.0 with password or API key.

One account, one token for both generations; the catalog of v2.0 names the first generation `cloudServers` (without a
region) and the next one `cloudServersOpenStack`, both of type compute.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.clock import Clock
from console.sim.identity import Identity, Project, Token, User
from console.sim.service import Service
from console.sim.trouble import Trouble

NAMES = {400: "badRequest", 401: "unauthorized", 403: "userDisabled", 404: "itemNotFound", 503: "serviceUnavailable"}
MUST_LOG_IN = "Unable to authenticate user with credentials provided."
API_KEY, PASSWORD = "RAX-KSKEY:apiKeyCredentials", "passwordCredentials"


class RackspaceIdentity(Service):
    """The identity service of one Rackspace-like cloud."""

    kind = "identity"

    def __init__(self, clock: Clock, identity: Identity, trouble: Trouble) -> None:
        super().__init__(clock, identity, trouble)
        self.storage_url = "/v1/MossoCloudFS"
        self.first_url = ""  # the first generation's own root, where the account has one
        self.router.table(
            {
                "GET /v1.0": self.old_login,
                "GET /v2.0": self.version,
                "POST /v2.0/tokens": self.log_in,
                "GET /v2.0/tokens/{id}": self.validate,
                "DELETE /v2.0/tokens/{id}": self.revoke,
                "GET /v2.0/tokens/{id}/endpoints": self.endpoints,
                "GET /v2.0/tenants": self.tenants,
            }
        )

    def is_open(self, call: Call) -> bool:
        asked = (call.request.method, call.path.rstrip("/"))
        return asked in {("GET", ""), ("GET", "/v1.0"), ("GET", "/v2.0"), ("POST", "/v2.0/tokens")}

    async def handle(self, call: Call) -> web.Response:
        if call.path.strip("/") == "":
            return reply(300, {"versions": {"values": [self._about()]}})
        return await super().handle(call)

    def fault_reply(self, call: Call, fault: Fault) -> web.Response:
        name = fault.kind or NAMES.get(fault.status, "identityFault")
        return reply(fault.status, {name: {"code": fault.status, "message": fault.message}})

    def refusal(self) -> web.Response:
        raise Fault(401, "No valid token provided. Please use the 'X-Auth-Token' header with a valid token.")

    def _about(self) -> dict[str, Any]:
        media = [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}]
        links = [{"rel": "self", "href": f"{self.base}/v2.0/"}]
        return {"id": "v2.0", "status": "stable", "updated": "2011-07-19T22:30:00Z", "links": links,
                "media-types": media}  # fmt: skip

    async def version(self, call: Call) -> web.Response:
        """GET /v2.0."""
        return reply(200, {"version": self._about()})

    async def old_login(self, call: Call) -> web.Response:
        """GET /v1.0: user and key in headers, and the reply in headers too."""
        user = self._user(call.request.headers.get("X-Auth-User"))
        key = call.request.headers.get("X-Auth-Key", "")
        if user is None or not key or user.api_key != key:
            raise Fault(401, MUST_LOG_IN)
        token = self._issue(user, "apikey")
        headers = {"X-Auth-Token": token.text, "X-Server-Management-Url": self.first_url}
        headers |= {"X-Storage-Url": self.base + self.storage_url}
        headers |= {"X-CDN-Management-Url": self.base + self.storage_url}
        return web.Response(status=204, headers=headers)

    async def log_in(self, call: Call) -> web.Response:
        """POST /v2.0/tokens."""
        auth = call.json().get("auth")
        if not isinstance(auth, dict) or ("tenantId" in auth and "tenantName" in auth):
            raise Fault(400, "Invalid request body: unable to parse Auth data.")
        token = self._token(auth)
        project = token.project
        for key in ("tenantId", "tenantName"):
            if project is not None and key in auth and str(auth[key]) not in (project.id, project.name):
                raise Fault(401, f"Tenant with Name/Id: '{auth[key]}' is not valid for User.")
        return reply(200, {"access": self._access(token)})

    def _token(self, auth: dict[str, Any]) -> Token:
        if isinstance(auth.get("token"), dict):
            known = self.identity.token(str(auth["token"].get("id")))
            if known is None:
                raise Fault(401, "Token not authenticated.")
            return known
        for kind, secret, method in ((API_KEY, "apiKey", "apikey"), (PASSWORD, "password", "password")):
            given = auth.get(kind)
            if isinstance(given, dict):
                return self._issue(self._proven(given, secret, method), method)
        raise Fault(400, "Invalid request body: unable to parse Auth data.")

    def _proven(self, given: dict[str, Any], secret: str, method: str) -> User:
        user = self._user(given.get("username"))
        mine = "" if user is None else user.api_key if method == "apikey" else user.password
        if user is None or not mine or given.get(secret) != mine:
            raise Fault(401, MUST_LOG_IN)
        return user

    def _user(self, name: Any) -> User | None:
        return next((user for user in self.identity.users.values() if user.name == name and user.api_key), None)

    def _issue(self, user: User, method: str) -> Token:
        project = self.identity.projects[next(iter(user.roles))]
        return self.identity.issue(user, project, user.roles[project.id], [method])

    def _access(self, token: Token) -> dict[str, Any]:
        project = token.project or Project("", "")
        roles = [{"id": self.identity.role_ids[r], "name": r, "description": f"{r} role."} for r in token.roles]
        catalog = self.identity.catalog(project.id)
        region = next((e["region"] for entry in catalog for e in entry["endpoints"] if "region" in e), "")
        user = {"id": token.user.id, "name": token.user.name, "RAX-AUTH:defaultRegion": region, "roles": roles}
        expires = datetime.fromtimestamp(token.expires, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        known = {"id": token.text, "expires": expires, "tenant": {"id": project.id, "name": project.name}}
        known["RAX-AUTH:authenticatedBy"] = [name.upper() for name in token.methods]
        return {"token": known, "serviceCatalog": catalog, "user": user}

    def _asked_about(self, call: Call) -> Token:
        found = self.identity.token(call.names["id"])
        if found is None:
            raise Fault(404, "Token not found.")
        return found

    async def validate(self, call: Call) -> web.Response:
        """GET /v2.0/tokens/{id}."""
        access = self._access(self._asked_about(call))
        del access["serviceCatalog"]
        return reply(200, {"access": access})

    async def revoke(self, call: Call) -> web.Response:
        """DELETE /v2.0/tokens/{id}."""
        del self.identity.tokens[self._asked_about(call).text]
        return reply(204)

    async def endpoints(self, call: Call) -> web.Response:
        """GET /v2.0/tokens/{id}/endpoints."""
        catalog = self.identity.catalog(self._asked_about(call).project_id)
        rows = [e | {"name": entry["name"], "type": entry["type"]} for entry in catalog for e in entry["endpoints"]]
        return reply(200, {"endpoints": rows})

    async def tenants(self, call: Call) -> web.Response:
        """GET /v2.0/tenants."""
        mine = [self.identity.projects[id] for id in call.who.user.roles]
        return reply(200, {"tenants": [{"id": p.id, "name": p.name, "enabled": True} for p in mine]})
