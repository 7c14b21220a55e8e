"""Nova's smaller things: flavors, limits, quotas, key pairs, and what was asked of a server."""

from __future__ import annotations

import base64
import re
from hashlib import md5
from typing import Any

import asyncssh
from aiohttp import web

from console.sim import nova_views
from console.sim.call import Call, Fault, reply
from console.sim.checks import invalid
from console.sim.clock import naive, parse
from console.sim.nova_api import Nova
from console.sim.records import Flavor, KeyPair, Server


class Resources:
    """The routes of one region's Nova that are neither servers nor administration."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        self.views = nova.views
        routes = {
            "GET /flavors": self.flavors,
            "GET /flavors/detail": self.flavors_detail,
            "POST /flavors": self.add_flavor,
            "GET /flavors/{id}": self.flavor,
            "DELETE /flavors/{id}": self.drop_flavor,
            "GET /flavors/{id}/os-extra_specs": self.extra_specs,
            "GET /limits": self.limits,
            "GET /os-quota-sets/{project}": self.quota,
            "GET /os-quota-sets/{project}/detail": self.quota_detail,
            "GET /os-quota-sets/{project}/defaults": self.quota_defaults,
            "PUT /os-quota-sets/{project}": self.set_quota,
            "GET /os-keypairs": self.keypairs,
            "POST /os-keypairs": self.add_keypair,
            "GET /os-keypairs/{name}": self.keypair,
            "DELETE /os-keypairs/{name}": self.drop_keypair,
            "GET /servers/{id}/os-instance-actions": self.actions,
            "GET /servers/{id}/os-instance-actions/{request}": self.action,
        }
        nova.router.table(routes)

    # Flavors

    def _flavor(self, call: Call) -> Flavor:
        found = self.store.flavors.get(call.names["id"])
        if found is None or not (found.public or call.admin or call.who.project_id in found.access):
            raise Fault(404, f"Flavor {call.names['id']} could not be found.")
        return found

    def _flavors(self, call: Call, detail: bool) -> web.Response:
        rows = sorted(self.store.flavors.values(), key=lambda f: (f.ram, f.id))
        public = call.first("is_public")
        if not call.admin or public is None:
            project = call.who.project_id
            rows = [f for f in rows if f.public or project in f.access]
        elif public.lower() in ("true", "1", "false", "0"):
            rows = [f for f in rows if f.public == (public.lower() in ("true", "1"))]
        for key, size in (("minRam", "ram"), ("minDisk", "disk")):
            least = call.first(key)
            if least is not None:
                if not least.isdigit():
                    raise Fault(400, f"Invalid {key} filter [{least}]")
                rows = [f for f in rows if getattr(f, size) >= int(least)]
        rows, more = paged(call, rows, "flavors", lambda f: f.id)
        body: dict[str, Any] = {"flavors": [self.views.flavor(f, call.minor, detail) for f in rows]}
        return reply(200, body | (self.nova.next_link(call, *more, "flavors_links") if more else {}))

    async def flavors(self, call: Call) -> web.Response:
        """GET /flavors."""
        return self._flavors(call, detail=False)

    async def flavors_detail(self, call: Call) -> web.Response:
        """GET /flavors/detail."""
        return self._flavors(call, detail=True)

    async def flavor(self, call: Call) -> web.Response:
        """GET /flavors/{id}."""
        return reply(200, {"flavor": self.views.flavor(self._flavor(call), call.minor)})

    async def add_flavor(self, call: Call) -> web.Response:
        """POST /flavors."""
        self.nova.only_admin(call, "os-flavor-manage:create")
        body = call.json().get("flavor") or {}
        for key in ("name", "ram", "vcpus", "disk"):
            if key not in body:
                raise invalid("flavor", body, f"{key!r} is a required property")
        id = str(body.get("id") or self.nova.place.ids.uuid())
        if id in self.store.flavors or any(f.name == body["name"] for f in self.store.flavors.values()):
            raise Fault(409, f"Flavor with name {body['name']} already exists.")
        flavor = Flavor(id, body["name"], int(body["ram"]), int(body["vcpus"]), int(body["disk"]))
        flavor.ephemeral = int(body.get("OS-FLV-EXT-DATA:ephemeral") or 0)
        flavor.swap = int(body.get("swap") or 0)
        flavor.public = bool(body.get("os-flavor-access:is_public", True))
        flavor.description = body.get("description")
        self.store.flavors[id] = flavor
        return reply(200, {"flavor": self.views.flavor(flavor, call.minor)})

    async def drop_flavor(self, call: Call) -> web.Response:
        """DELETE /flavors/{id}."""
        self.nova.only_admin(call, "os-flavor-manage:delete")
        del self.store.flavors[self._flavor(call).id]
        return reply(202)

    async def extra_specs(self, call: Call) -> web.Response:
        """GET /flavors/{id}/os-extra_specs."""
        return reply(200, {"extra_specs": self._flavor(call).extra_specs})

    # Limits and quotas

    async def limits(self, call: Call) -> web.Response:
        """GET /limits."""
        project = call.who.project_id
        asked = call.first("tenant_id")
        if asked is not None and asked != project:
            self.nova.only_admin(call, "limits:other_project")
            project = asked
        most, used = self.store.limits(project), self.store.used(project)
        absolute: dict[str, int] = {"maxTotalCores": most["cores"]}
        if call.minor < 57:
            absolute |= {"maxPersonality": 5, "maxPersonalitySize": 10240}
        absolute |= {
            "maxTotalInstances": most["instances"],
            "maxTotalKeypairs": most["key_pairs"],
            "maxServerMeta": most["metadata_items"],
        }
        if call.minor < 39:
            absolute["maxImageMeta"] = most["metadata_items"]
        absolute |= {
            "maxTotalRAMSize": most["ram"],
            "maxServerGroups": most["server_groups"],
            "maxServerGroupMembers": most["server_group_members"],
        }
        if call.minor < 36:
            absolute |= {"maxTotalFloatingIps": -1, "maxSecurityGroups": -1, "maxSecurityGroupRules": -1}
        absolute |= {
            "totalRAMUsed": used["ram"],
            "totalCoresUsed": used["cores"],
            "totalInstancesUsed": used["instances"],
        }
        if call.minor < 36:
            absolute |= {"totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0}
        absolute["totalServerGroupsUsed"] = sum(g.project_id == project for g in self.store.groups.values())
        return reply(200, {"limits": {"rate": [], "absolute": absolute}})

    def _quota_project(self, call: Call) -> str:
        project = call.names["project"]
        if project != call.who.project_id:
            self.nova.only_admin(call, "os-quota-sets:show")
        return project

    def _old_quotas(self, call: Call) -> dict[str, int]:
        old: dict[str, int] = {}
        if call.minor < 57:
            old |= {"injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255}
        if call.minor < 36:
            old |= {"fixed_ips": -1, "floating_ips": -1, "security_groups": -1, "security_group_rules": -1}
        return old

    async def quota(self, call: Call) -> web.Response:
        """GET /os-quota-sets/{project}."""
        project = self._quota_project(call)
        most = dict(sorted(self.store.limits(project).items()))
        return reply(200, {"quota_set": {"id": project} | most | self._old_quotas(call)})

    async def quota_defaults(self, call: Call) -> web.Response:
        """GET /os-quota-sets/{project}/defaults."""
        return reply(200, {"quota_set": {"id": call.names["project"]} | self.store.quota | self._old_quotas(call)})

    async def quota_detail(self, call: Call) -> web.Response:
        """GET /os-quota-sets/{project}/detail."""
        project = self._quota_project(call)
        most, used = self.store.limits(project), self.store.used(project)
        used["server_groups"] = sum(g.project_id == project for g in self.store.groups.values())
        every = dict(sorted((most | self._old_quotas(call)).items()))
        rows = {k: {"limit": n, "in_use": used.get(k, 0), "reserved": 0} for k, n in every.items()}
        return reply(200, {"quota_set": {"id": project} | rows})

    async def set_quota(self, call: Call) -> web.Response:
        """PUT /os-quota-sets/{project}."""
        self.nova.only_admin(call, "os-quota-sets:update")
        project = call.names["project"]
        body = call.json().get("quota_set") or {}
        body.pop("force", None)
        own = self.store.project_quota.setdefault(project, {})
        for key, value in body.items():
            if key not in self.store.quota:
                raise Fault(400, f"Additional properties are not allowed ({key!r} was unexpected)")
            own[key] = int(value)
        return reply(200, {"quota_set": dict(sorted(self.store.limits(project).items()))})

    # Key pairs

    def _user(self, call: Call) -> str:
        other = call.first("user_id") if call.minor >= 10 else None
        if other is not None and other != call.who.user.id:
            self.nova.only_admin(call, "os-keypairs:index")
            return other
        return call.who.user.id

    def _keypair(self, call: Call) -> KeyPair:
        found = self.store.keypairs.get((self._user(call), call.names["name"]))
        if found is None:
            raise Fault(404, f"Keypair {call.names['name']} not found for user {self._user(call)}")
        return found

    def _shown(self, key: KeyPair, minor: int) -> dict[str, Any]:
        row = {"name": key.name, "public_key": key.public_key, "fingerprint": key.fingerprint}
        return row | ({"type": key.type} if minor >= 2 else {})

    async def keypairs(self, call: Call) -> web.Response:
        """GET /os-keypairs."""
        user = self._user(call)
        rows = sorted((k for (owner, _), k in self.store.keypairs.items() if owner == user), key=lambda k: k.name)
        more = None
        if call.minor >= 35:
            rows, more = paged(call, rows, "keypairs", lambda k: k.name)
        body: dict[str, Any] = {"keypairs": [{"keypair": self._shown(k, call.minor)} for k in rows]}
        return reply(200, body | (self.nova.next_link(call, *more, "keypairs_links") if more else {}))

    async def keypair(self, call: Call) -> web.Response:
        """GET /os-keypairs/{name}."""
        key = self._keypair(call)
        extra = {"user_id": key.user_id, "deleted": False, "created_at": naive(key.created),
                 "deleted_at": None, "updated_at": None, "id": 1}  # fmt: skip
        return reply(200, {"keypair": self._shown(key, call.minor) | extra})

    async def add_keypair(self, call: Call) -> web.Response:
        """POST /os-keypairs."""
        body = call.json().get("keypair")
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            raise invalid("keypair", body, "'name' is a required property")
        name, user = body["name"], self._user(call)
        pattern = r"[a-zA-Z0-9 _\-@.]{1,255}" if call.minor >= 92 else r"[a-zA-Z0-9 _\-]{1,255}"
        if not re.fullmatch(pattern, name):
            raise Fault(400, "Keypair data is invalid: Keypair name contains unsafe characters")
        if call.minor >= 92 and "public_key" not in body:
            raise invalid("keypair", body, "'public_key' is a required property")
        if (user, name) in self.store.keypairs:
            raise Fault(409, f"Key pair '{name}' already exists.")
        if sum(owner == user for owner, _ in self.store.keypairs) >= self.store.quota["key_pairs"]:
            raise Fault(403, "Quota exceeded, too many key pairs.")
        private = None
        public = body.get("public_key")
        if public is None:
            made = asyncssh.generate_private_key("ssh-ed25519", comment="Generated-by-Nova")
            public, private = made.export_public_key().decode(), made.export_private_key().decode()
        key = KeyPair(name, user, public, fingerprint(public), self.nova.clock.time(), body.get("type", "ssh"))
        self.store.keypairs[user, name] = key
        shown = self._shown(key, call.minor) | {"user_id": user} | ({"private_key": private} if private else {})
        return reply(201 if call.minor >= 2 else 200, {"keypair": shown})

    async def drop_keypair(self, call: Call) -> web.Response:
        """DELETE /os-keypairs/{name}."""
        key = self._keypair(call)
        del self.store.keypairs[key.user_id, key.name]
        return reply(204 if call.minor >= 2 else 202)

    # What was asked of a server

    def _remembered(self, call: Call) -> Server:
        found = self.store.servers.get(call.names["id"])
        mine = found is not None and (call.admin or found.project_id == call.who.project_id)
        if call.minor >= 21 and found is not None and found.deleted and mine:
            return found
        return self.nova.server(call)

    async def actions(self, call: Call) -> web.Response:
        """GET /servers/{id}/os-instance-actions."""
        server = self._remembered(call)
        rows = list(reversed(self.store.actions(server)))
        more = None
        if call.minor >= 58:
            since = call.first("changes-since")
            if since is not None:
                try:
                    low = parse(since)
                except ValueError:
                    raise Fault(400, f"Invalid input for query parameters changes-since. Value: {since}.") from None
                rows = [a for a in rows if int(a.updated) >= low]
            rows, more = paged(call, rows, "actions", lambda a: a.request_id)
        body: dict[str, Any] = {"instanceActions": [nova_views.action(a, server, call.minor) for a in rows]}
        return reply(200, body | (self.nova.next_link(call, *more, "links") if more else {}))

    async def action(self, call: Call) -> web.Response:
        """GET /servers/{id}/os-instance-actions/{request}."""
        server = self._remembered(call)
        for found in self.store.actions(server):
            if found.request_id == call.names["request"]:
                body = nova_views.action(found, server, call.minor)
                if call.admin or call.minor >= 51:
                    body["events"] = nova_views.events(found, server, call.minor, call.admin)
                return reply(200, {"instanceAction": body})
        raise Fault(404, f"Action {call.names['request']} not found")


def fingerprint(public: str) -> str:
    """The MD5 fingerprint that Nova shows of a public key; 400 where it is none."""
    try:
        data = base64.b64decode(public.split()[1], validate=True)
        asyncssh.import_public_key(public)
    except (IndexError, ValueError, asyncssh.KeyImportError):
        raise Fault(400, "Keypair data is invalid: failed to generate fingerprint") from None
    digest = md5(data, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def paged(call: Call, rows: list[Any], what: str, pick: Any) -> tuple[list[Any], tuple[str, int] | None]:
    """One page of a collection, and the marker and limit of the next where the page is full."""
    asked, marker = call.first("limit"), call.first("marker")
    if asked is not None and not asked.isdigit():
        raise Fault(
            400, f"Invalid input for query parameters limit. Value: {asked}. {asked!r} does not match '^[0-9]*$'"
        )
    limit = min(1000, int(asked)) if asked is not None else 1000
    if marker is not None:
        at = next((i for i, row in enumerate(rows) if pick(row) == marker), None)
        if at is None:
            raise Fault(400, f"marker [{marker}] not found")
        rows = rows[at + 1 :]
    rows = rows[:limit]
    return rows, ((pick(rows[-1]), limit) if rows and len(rows) == limit else None)
