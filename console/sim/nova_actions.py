"""POST /servers/{id}/action: what may be done to a server when, and how Nova refuses the rest.

Each action is one row: the states it is allowed in, whether a lock or policy stops it, and what it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import (
    UUID,
    checked_address,
    checked_hostname,
    checked_metadata,
    checked_name,
    files,
    invalid,
    unexpected,
)
from console.sim.nova_actions_admin import AdminActions
from console.sim.nova_actions_image import ImageActions
from console.sim.nova_api import Nova
from console.sim.records import Server
from console.sim.wanted import visible

Do = Callable[["Actions", Call, Server, Any], web.Response]


@dataclass(frozen=True, slots=True)
class Rule:
    """When an action may be had, and what does it."""

    do: Do
    name: str
    states: tuple[str, ...] = ()
    tasks: tuple[str | None, ...] = (None,)
    lock: bool = True
    launched: bool = True
    policy: str = ""
    until: int = 999


REBOOTABLE = (
    None, "rebooting", "reboot_pending", "reboot_started", "resuming", "rebooting_hard", "unpausing", "pausing",
    "suspending",
)  # fmt: skip
REBUILD_ALWAYS = {
    "imageRef", "name", "adminPass", "metadata", "preserve_ephemeral", "OS-DCF:diskConfig", "accessIPv4", "accessIPv6",
}  # fmt: skip
REBUILD_SINCE = {"description": 19, "key_name": 54, "user_data": 57, "trusted_image_certificates": 63, "hostname": 90}
FOUR = ("active", "stopped", "paused", "suspended")


class Actions(ImageActions, AdminActions):
    """All actions of one region's Nova."""

    def __init__(self, nova: Nova) -> None:
        super().__init__(nova)
        nova.router.add("POST", "/servers/{id}/action", self.act)

    async def act(self, call: Call) -> web.Response:
        """POST /servers/{id}/action."""
        body = call.json()
        if len(body) != 1:
            raise Fault(400, "Malformed request body")
        ((name, given),) = body.items()
        rule = RULES.get(name)
        if rule is None or call.minor > rule.until:
            raise Fault(400, f"There is no such action: {name}")
        if rule.policy:
            self.nova.only_admin(call, rule.policy)
        server = self.nova.server(call)
        if name == "reboot":
            rule = self._reboot_rule(given)
        if name == "evacuate" and given.get("host") == (server.host or None):
            raise Fault(400, "The target host can't be the same one.")
        self._check(call, server, rule)
        do: Do = getattr(type(self), rule.do.__name__)  # another kind of Nova may have a way of its own
        return do(self, call, server, given)

    def _reboot_rule(self, given: Any) -> Rule:
        kind = given.get("type") if isinstance(given, dict) else None
        if kind not in ("HARD", "Hard", "hard", "SOFT", "Soft", "soft"):
            allowed = ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]
            raise invalid("type", kind, f"{kind!r} is not one of {allowed}")
        return HARD if kind.lower() == "hard" else RULES["reboot"]

    def _check(self, call: Call, server: Server, rule: Rule) -> None:
        if rule.lock and server.locked and not call.admin:
            raise Fault(409, f"Instance {server.id} is locked")
        if rule.states and server.vm_state not in rule.states:
            self._refuse(server, rule, "vm_state", server.vm_state)
        if rule.states and rule.tasks and server.task_state not in rule.tasks:
            self._refuse(server, rule, "task_state", server.task_state)
        if rule.launched and rule.states and server.launched is None:
            raise Fault(409, f"Instance {server.id} is in an invalid state for '{rule.name}'")

    def _refuse(self, server: Server, rule: Rule, what: str, state: str | None) -> None:
        if server.launched is None and server.vm_state == "error":
            raise Fault(409, f"Instance {server.id} is in an invalid state for '{rule.name}'")
        raise Fault(409, f"Cannot '{rule.name}' instance {server.id} while it is in {what} {state}")

    # Reboot, power

    def reboot(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action reboot."""
        hard = given["type"].lower() == "hard"
        self.begin(call, server, "reboot_hard" if hard else "reboot_soft", "reboot")
        return reply(202)

    def simple(self, call: Call, server: Server, given: Any) -> web.Response:
        """The actions that take nothing: power, pause, suspend, shelf, restore."""
        name = next(iter(call.json()))
        life, noted = SIMPLE[name]
        self.begin(call, server, life, noted)
        return reply(202)

    # Resize

    def resize(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action resize."""
        if not isinstance(given, dict) or "flavorRef" not in given:
            raise invalid("resize", given, "'flavorRef' is a required property")
        id = str(given["flavorRef"]).rsplit("/", 1)[-1]
        flavor = self.store.flavors.get(id)
        if flavor is None or not (flavor.public or call.admin):
            raise Fault(400, f"Flavor {id} could not be found.")
        if flavor.id == server.flavor.id:
            raise Fault(400, "When resizing, instances must change flavor!")
        if flavor.disk == 0 and server.image_id is not None:
            raise Fault(400, "Resize to zero disk flavor is not allowed.")
        self._quota(server, flavor.vcpus - server.flavor.vcpus, flavor.ram - server.flavor.ram)
        fails = flavor.name == "m1.impossible" or server.metadata.get("lab_fail") == "resize"
        self.begin(call, server, "resize_failed" if fails else "resize", "resize", flavor=flavor)
        return reply(202)

    def _quota(self, server: Server, cores: int, ram: int) -> None:
        limits, used = self.store.limits(server.project_id), self.store.used(server.project_id)
        over = {k: n for k, n in (("cores", cores), ("ram", ram)) if n > 0 and 0 <= limits[k] < used[k] + n}
        if over:
            names = ", ".join(over)
            have, most = (", ".join(str(d[k]) for k in over) for d in (used, limits))
            asked = ", ".join(str(n) for n in over.values())
            text = f"Quota exceeded for {names}: Requested {asked}, but already used {have} of {most} {names}"
            raise Fault(403, text)

    def confirm(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action confirmResize."""
        mine = [m for m in self.store.migrations if m.server_id == server.id]
        if not mine or mine[-1].status != "finished":
            raise Fault(400, "Instance has not been resized.")
        host = self.store.hosts.get(server.old_host)
        if host is not None and host.forced_down:
            raise Fault(409, "Service is unavailable at this time.")
        self.begin(call, server, "confirm", "confirmResize")
        return reply(204)

    def revert(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action revertResize."""
        mine = [m for m in self.store.migrations if m.server_id == server.id]
        if not mine or mine[-1].status != "finished":
            raise Fault(400, "Instance has not been resized.")
        self.begin(call, server, "revert", "revertResize")
        return reply(202)

    # Console, password, lock

    def console_output(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action os-getConsoleOutput."""
        if not server.host:
            raise Fault(409, f"Instance {server.id} is not ready")
        length = (given or {}).get("length")
        text = self.region.guests.console(server)
        if length is not None:
            try:
                count = int(length)
            except (TypeError, ValueError):
                raise invalid("length", length, f"{length!r} does not match '^-?[0-9]+$'") from None
            text = "\n".join(text.split("\n")[-count:]) if count > 0 else ("" if count == 0 else text)
        return reply(200, {"output": text})

    def change_password(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action changePassword."""
        password = given.get("adminPass") if isinstance(given, dict) else None
        if not isinstance(password, str):
            raise invalid("changePassword", given, "'adminPass' is a required property")
        self.begin(call, server, "password", "changePassword", password=password)
        return reply(202)

    def lock(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action lock."""
        reason = given.get("locked_reason") if isinstance(given, dict) and call.minor >= 73 else None
        server.locked, server.locked_reason = True, reason
        server.locked_by = "admin" if call.admin and call.who.project_id != server.project_id else "owner"
        return self.noted(call, server, "lock")

    def unlock(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action unlock."""
        if server.locked_by == "admin" and not call.admin:
            raise Fault(
                403, "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed."
            )
        server.locked, server.locked_reason, server.locked_by = False, None, ""
        return self.noted(call, server, "unlock")

    # Rebuild, rescue, shelf

    def rebuild(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action rebuild."""
        if not isinstance(given, dict) or "imageRef" not in given:
            raise invalid("rebuild", given, "'imageRef' is a required property")
        self._check_rebuild(call, given)
        image = self.region.glance.images.get(given["imageRef"])
        if image is None or not visible(image, call):
            raise Fault(400, "Cannot find image for rebuild")
        if image.status != "active":
            raise Fault(400, f"Image {image.id} is not active.")
        if "name" in given:
            server.name = checked_name(given["name"])
        if "metadata" in given:
            limit = self.store.limits(server.project_id)["metadata_items"]
            server.metadata = checked_metadata(given["metadata"], limit)
        if call.minor >= 54 and "key_name" in given:
            self._new_key(call, server, given["key_name"])
        if call.minor >= 19 and "description" in given:
            server.description = given["description"]
        if call.minor >= 57 and "user_data" in given:
            server.user_data = given["user_data"]
        server.personality = files(given.get("personality"))
        if "accessIPv4" in given:
            server.access_v4 = checked_address("accessIPv4", given["accessIPv4"], self.nova.clears_access)
        if "accessIPv6" in given:
            server.access_v6 = checked_address("accessIPv6", given["accessIPv6"], self.nova.clears_access)
        server.disk_config = given.get("OS-DCF:diskConfig", server.disk_config)
        server.admin_pass = given.get("adminPass") or self.region.ids.word(12)
        if server.image_id is not None:
            server.image_id = image.id
        self.begin(call, server, "rebuild", "rebuild")
        record = self.nova.views.update(server, call.minor, call.admin) | {"adminPass": server.admin_pass}
        if call.minor >= 54:
            record["key_name"] = server.key_name
        if call.minor >= 57:
            record["user_data"] = server.user_data
        return reply(202, {"server": record}, {"Location": f"{self.nova.views.root}/servers/{server.id}"})

    def _check_rebuild(self, call: Call, given: dict[str, Any]) -> None:
        allowed = REBUILD_ALWAYS | {key for key, since in REBUILD_SINCE.items() if call.minor >= since}
        allowed |= {"personality"} if call.minor < 57 else set()
        unknown = [key for key in given if key not in allowed]
        if unknown:
            raise invalid("rebuild", given, unexpected(unknown))
        reference = given["imageRef"]
        if not isinstance(reference, str) or not UUID.fullmatch(reference):
            raise invalid("imageRef", reference, f"{reference!r} is not a 'uuid'")
        if call.minor >= 90 and "hostname" in given:
            checked_hostname(given["hostname"], call.minor)

    def _new_key(self, call: Call, server: Server, name: str | None) -> None:
        found = self.store.keypairs.get((call.who.user.id, str(name)))
        if name is not None and found is None:
            raise Fault(400, "Invalid key_name provided.")
        server.key_name, server.key_data = name, found.public_key if found else None

    def rescue(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action rescue."""
        wanted = given if isinstance(given, dict) else {}
        reference = wanted.get("rescue_image_ref")
        if reference is not None and reference not in self.region.glance.images:
            raise Fault(400, f"Image {reference} could not be found.")
        server.admin_pass = wanted.get("adminPass") or self.region.ids.word(12)
        self.begin(call, server, "rescue", "rescue")
        return reply(200, {"adminPass": server.admin_pass})

    # Groups

    def add_group(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action addSecurityGroup."""
        name = self._group_name(server, given)
        if name not in server.security_groups:
            server.security_groups.append(name)
            self._regroup(server)
        return reply(202)

    def remove_group(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action removeSecurityGroup."""
        name = self._group_name(server, given)
        if name not in server.security_groups:
            raise Fault(404, f"Security group {name} not associated with the instance {server.id}")
        server.security_groups.remove(name)
        self._regroup(server)
        return reply(202)

    def _group_name(self, server: Server, given: Any) -> str:
        name = str(given.get("name")) if isinstance(given, dict) else ""
        mine = [g for g in self.region.neutron.groups.values() if g.project_id == server.project_id]
        if sum(g.name == name for g in mine) > 1:
            raise Fault(409, f"Multiple security groups found matching '{name}'. Use an ID to be more specific.")
        try:
            return self.region.neutron.group(server.project_id, name).name
        except KeyError:
            raise Fault(404, f"Security group {name} is not found for project {server.project_id}") from None

    def _regroup(self, server: Server) -> None:
        ids = [self.region.neutron.group(server.project_id, name).id for name in server.security_groups]
        for port in server.ports:
            port.security_groups = list(ids)
        server.stale()

    def vnc(self, call: Call, server: Server, given: Any) -> web.Response:
        """The action os-getVNCConsole."""
        kind = given.get("type") if isinstance(given, dict) else "novnc"
        return reply(200, {"console": {"type": kind, "url": f"http://127.0.0.1:6080/vnc_auto.html?token={server.id}"}})


SIMPLE = {
    "os-stop": ("stop", "stop"),
    "os-start": ("start", "start"),
    "pause": ("pause", "pause"),
    "unpause": ("unpause", "unpause"),
    "suspend": ("suspend", "suspend"),
    "resume": ("resume", "resume"),
    "unrescue": ("unrescue", "unrescue"),
    "shelveOffload": ("offload", "shelveOffload"),
    "unshelve": ("unshelve", "unshelve"),
    "restore": ("restore", "restore"),
}
HARD = Rule(Actions.reboot, "reboot", ("active", "stopped", "paused", "suspended", "error"), REBOOTABLE)
RULES: dict[str, Rule] = {
    "reboot": Rule(Actions.reboot, "reboot", ("active",)),
    "resize": Rule(Actions.resize, "resize", ("active", "stopped")),
    "confirmResize": Rule(Actions.confirm, "confirmResize", ("resized",)),
    "revertResize": Rule(Actions.revert, "revertResize", ("resized",)),
    "createImage": Rule(Actions.create_image, "createImage", FOUR, lock=False),
    "createBackup": Rule(Actions.create_backup, "createBackup", FOUR, lock=False),
    "rebuild": Rule(Actions.rebuild, "rebuild", ("active", "stopped", "error")),
    "changePassword": Rule(Actions.change_password, "changePassword", ("active",)),
    "os-stop": Rule(Actions.simple, "stop", ("active", "error")),
    "os-start": Rule(Actions.simple, "start", ("stopped",)),
    "pause": Rule(Actions.simple, "pause", ("active",)),
    "unpause": Rule(Actions.simple, "unpause", ("paused",)),
    "suspend": Rule(Actions.simple, "suspend", ("active",)),
    "resume": Rule(Actions.simple, "resume", ("suspended",)),
    "shelve": Rule(Actions.shelve, "shelve", FOUR),
    "shelveOffload": Rule(Actions.simple, "shelveOffload", ("shelved",), policy="os-shelve:shelve_offload"),
    "unshelve": Rule(Actions.simple, "unshelve", ("shelved", "shelved_offloaded")),
    "rescue": Rule(Actions.rescue, "rescue", ("active", "stopped", "error")),
    "unrescue": Rule(Actions.simple, "unrescue", ("rescued",)),
    "restore": Rule(Actions.simple, "restore", ("soft-delete",)),
    "lock": Rule(Actions.lock, "lock", lock=False),
    "unlock": Rule(Actions.unlock, "unlock", lock=False),
    "os-getConsoleOutput": Rule(Actions.console_output, "get_console_output", lock=False),
    "addSecurityGroup": Rule(Actions.add_group, "addSecurityGroup", lock=False),
    "removeSecurityGroup": Rule(Actions.remove_group, "removeSecurityGroup", lock=False),
    "os-resetState": Rule(Actions.reset_state, "resetState", lock=False, policy="os-admin-actions:reset_state"),
    "migrate": Rule(Actions.migrate, "migrate", ("active", "stopped"), policy="os-migrate-server:migrate"),
    "os-migrateLive": Rule(
        Actions.live_migrate, "os-migrateLive", ("active", "paused"), policy="os-migrate-server:migrate_live"
    ),
    "evacuate": Rule(
        Actions.evacuate, "evacuate", ("active", "stopped", "error"), (), lock=False, policy="os-evacuate"
    ),
    "forceDelete": Rule(Actions.force_delete, "forceDelete"),
    "injectNetworkInfo": Rule(
        Actions.inject_network, "injectNetworkInfo", lock=False, policy="os-admin-actions:inject_network_info"
    ),
    "resetNetwork": Rule(Actions.reset_network, "resetNetwork", lock=False),
    "os-getVNCConsole": Rule(Actions.vnc, "get_vnc_console", lock=False, until=5),
}
