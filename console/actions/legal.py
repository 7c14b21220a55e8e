"""Which orders a cloud would take for a server now, and the words for those that it would not.

One table from Nova's own guards: every face asks it before a call is made, so that a refused key costs no request
and tells its reason and the way out. Pure: it knows nothing of clouds, settings or the network, and where a row
does not tell, it lets the cloud decide.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from console.actions.dialects import FIRSTGEN_STATES, METAL, NOT_ON_METAL, lacking
from console.model.image import Image
from console.model.server import Server, deleted


class Refusal(NamedTuple):
    """Why not, and what to do instead; both are sentences, the second may be empty."""

    reason: str
    way_out: str = ""

    def __str__(self) -> str:
        return f"{self.reason} {self.way_out}".rstrip()


class Rule(NamedTuple):
    """What Nova asks of a server before a verb; None means that it does not look."""

    vm: frozenset[str] | None = None
    tasks: frozenset[str | None] | None = frozenset({None})
    lock: bool = True  # a locked server refuses it to all but administrators
    launched: bool = True  # the server must have run once
    host: bool = False  # the server must be on a host
    admin: bool = False


def _states(words: str) -> frozenset[str]:
    return frozenset(words.split())


_IMAGEABLE = _states("active stopped paused suspended")
_VOLUMES = _states("active paused stopped resized soft-delete shelved shelved_offloaded")
_HARD = frozenset(
    {None, *_states("rebooting reboot_pending reboot_started resuming rebooting_hard unpausing pausing suspending")}
)
_ANY = Rule(None, None, launched=False)
_OPEN = Rule(None, None, lock=False, launched=False)

RULES: dict[str, Rule] = {
    "server.reboot": Rule(_states("active")),
    "server.hard_reboot": Rule(_states("active stopped paused suspended error"), _HARD),
    "server.rebuild": Rule(_states("active stopped error")),
    "server.resize": Rule(_states("active stopped")),
    "server.confirm": Rule(_states("resized")),
    "server.revert": Rule(_states("resized")),
    "server.snapshot": Rule(_IMAGEABLE, lock=False),
    "server.backup": Rule(_IMAGEABLE, lock=False),
    "server.password": Rule(_states("active")),
    "server.stop": Rule(_states("active error")),
    "server.start": Rule(_states("stopped")),
    "server.pause": Rule(_states("active")),
    "server.unpause": Rule(_states("paused")),
    "server.suspend": Rule(_states("active")),
    "server.resume": Rule(_states("suspended")),
    "server.shelve": Rule(_IMAGEABLE),
    "server.shelve_offload": Rule(_states("shelved"), admin=True),
    "server.unshelve": Rule(_states("shelved shelved_offloaded")),
    "server.rescue": Rule(_states("active stopped error")),
    "server.unrescue": Rule(_states("rescued")),
    "server.lock": _OPEN,
    "server.unlock": _OPEN,
    "server.migrate": Rule(_states("active stopped"), admin=True),
    "server.live_migrate": Rule(_states("active paused"), admin=True),
    "server.evacuate": Rule(_states("active stopped error"), None, lock=False, admin=True),
    "server.reset_state": _OPEN._replace(admin=True),
    "server.delete": _ANY,
    "server.force_delete": _ANY,
    "server.restore": Rule(_states("soft-delete")),
    "server.set": _OPEN,
    "server.metadata": Rule(_IMAGEABLE, None),
    "server.tags": Rule(_IMAGEABLE, None, lock=False, launched=True),
    "server.security_group": _OPEN,
    "server.attach_volume": Rule(_VOLUMES),
    "server.detach_volume": Rule(_VOLUMES),
    "server.attach_interface": Rule(_states("active paused stopped")),
    "server.detach_interface": Rule(_states("active paused stopped")),
    "server.console_log": _OPEN._replace(host=True),
    "server.remote_console": _OPEN._replace(host=True),
    "server.history": _OPEN,
    "server.explain": _OPEN,
    "server.clone": Rule(_IMAGEABLE, lock=False),
    "server.check": Rule(_states("active resized rescued"), None, lock=False, launched=False),
    "server.run": Rule(_states("active resized rescued"), None, lock=False, launched=False),
    "server.shell": Rule(_states("active resized rescued"), None, lock=False, launched=False),
    "server.hostkeys": _OPEN,
}
RULES |= {
    **dict.fromkeys(("server.share_ip", "server.unshare_ip", "server.name_password"), Rule(_states("active"))),
    **dict.fromkeys(("server.backup_schedule", "server.backup_schedule_off"), Rule(_states("active"))),
    **dict.fromkeys(("server.image_schedule", "server.image_schedule_off", "server.schedule"), _OPEN),
    "server.plan_images": _OPEN,
    **dict.fromkeys(("server.add_vip", "server.remove_vip", "server.move_ip"), _OPEN),
}
_FIRSTGEN: dict[str, Rule] = {
    verb: RULES[verb]._replace(vm=_states(words), tasks=frozenset({None})) for verb, words in FIRSTGEN_STATES.items()
}
_BUSY_FOR: dict[str, frozenset[str]] = {
    "server.remote_console": _states("deleting migrating"),
    "server.check": _states("deleting"),
    "server.run": _states("deleting"),
    "server.shell": _states("deleting"),
}

# A cloud that tells no vm_state tells a status: what Nova would call the same.
_VM_OF: dict[str, tuple[str, str | None]] = {
    "ACTIVE": ("active", None),
    "BUILD": ("building", None),
    "SHUTOFF": ("stopped", None),
    "PAUSED": ("paused", None),
    "SUSPENDED": ("suspended", None),
    "RESCUE": ("rescued", None),
    "VERIFY_RESIZE": ("resized", None),
    "VERIFY_MOVE": ("resized", None),
    "ERROR": ("error", None),
    "DELETED": ("deleted", None),
    "SOFT_DELETED": ("soft-delete", None),
    "SHELVED": ("shelved", None),
    "SHELVED_OFFLOADED": ("shelved_offloaded", None),
    "REBOOT": ("active", "rebooting"),
    "HARD_REBOOT": ("active", "rebooting_hard"),
    "PASSWORD": ("active", "updating_password"),
    "REBUILD": ("active", "rebuilding"),
    "RESIZE": ("active", "resize_prep"),
    "QUEUE_RESIZE": ("active", "resize_prep"),
    "PREP_RESIZE": ("active", "resize_prep"),
    "REVERT_RESIZE": ("resized", "resize_reverting"),
    "MIGRATING": ("active", "migrating"),
    "SHARE_IP": ("active", "sharing_ip"),
    "SHARE_IP_NO_CONFIG": ("active", "sharing_ip"),
    "ADD_IP": ("active", "adding_ip"),
    "ADD_IP_NO_CONFIG": ("active", "adding_ip"),
    "DELETE_IP": ("active", "removing_ip"),
    "QUEUE_MOVE": ("active", "migrating"),
    "PREP_MOVE": ("active", "migrating"),
    "MOVE": ("active", "migrating"),
    "RESTORING": ("active", "restoring"),
    "PENDING": ("active", "pending"),
}

_DOING: tuple[tuple[str, str], ...] = (
    ("image_", "imaging"),
    ("reboot", "rebooting"),
    ("resize_revert", "going back to its old flavor"),
    ("resize_", "being resized"),
    ("rebuild", "being rebuilt"),
    ("powering-off", "being stopped"),
    ("powering-on", "being started"),
    ("deleting", "being deleted"),
    ("soft-deleting", "being deleted"),
    ("updating_password", "getting a new password"),
    ("unshelving", "being unshelved"),
    ("shelving", "being shelved"),
    ("unrescuing", "leaving rescue"),
    ("rescuing", "going into rescue"),
    ("migrating", "moving to another host"),
    ("sharing_ip", "getting a shared address"),
    ("adding_ip", "getting an address"),
    ("removing_ip", "losing an address"),
    ("restoring", "being restored"),
    ("pending", "waiting for its turn"),
)

_WAYS: dict[str, str] = {
    "building": "Wait until it is ACTIVE.",
    "resized": "C confirms, V reverts.",
    "paused": "Unpause it first.",
    "suspended": "Resume it first.",
    "stopped": "Start it first.",
    "rescued": "Unrescue it first.",
    "shelved": "Unshelve it first.",
    "shelved_offloaded": "Unshelve it first.",
    "soft-delete": "Restore it first.",
    "error": "x explains, R reboots it hard, B rebuilds it.",
}
_WAYS_OF_VERB: dict[tuple[str, str], str] = {
    ("server.reboot", "stopped"): "Start it, or R boots it.",
    ("server.reboot", "paused"): "Unpause it, or R reboots it hard.",
    ("server.reboot", "suspended"): "Resume it, or R reboots it hard.",
    ("server.delete", "building"): "",
}
_NOTHING_TO: dict[str, str] = {
    "server.confirm": "There is no resize to confirm.",
    "server.revert": "There is no resize to revert.",
    "server.unpause": "It is not paused.",
    "server.resume": "It is not suspended.",
    "server.unrescue": "It is not in rescue.",
    "server.unshelve": "It is not shelved.",
    "server.restore": "It is not deleted.",
    "server.shelve_offload": "It is not shelved.",
}
_ALREADY: dict[tuple[str, str], str] = {
    ("server.start", "active"): "It runs already.",
    ("server.stop", "stopped"): "It is off already.",
    ("server.pause", "paused"): "It is paused already.",
    ("server.suspend", "suspended"): "It is suspended already.",
    ("server.shelve_offload", "shelved_offloaded"): "It is off its host already.",
    ("server.rescue", "rescued"): "It is in rescue already.",
    ("server.shelve", "shelved"): "It is shelved already.",
    ("server.shelve", "shelved_offloaded"): "It is shelved already.",
    ("server.resize", "shelved_offloaded"): "",
}


def state_of(server: Server) -> tuple[str | None, str | None]:
    """The server's (vm_state, task_state) in Nova's words; (None, ...) where nobody told a state."""
    if server.vm_state:
        return server.vm_state, server.task_state
    vm, task = _VM_OF.get(server.status, (None, None))
    return vm, server.task_state or task


def doing(task: str) -> str:
    """What a task state is in plain words, such as "imaging"."""
    return next((words for start, words in _DOING if task.startswith(start)), task.replace("_", " "))


def refusal(
    verb: str,
    server: Server,
    *,
    verbs: Collection[str] | None = None,
    needs: str = "",
    privilege: int = 1,
    read_only: str = "",
    stale: str = "",
) -> Refusal | None:
    """Why this verb would be refused for this server now, or None.

    `verbs` are the dialect's, of which `needs` must be one; `read_only` and `stale` are reasons of the caller's;
    `privilege` is the origin's (0 reads, 1 acts in its project, 2 administers).
    """
    rule = (_FIRSTGEN.get(verb) if server.dialect == "firstgen" else None) or RULES.get(verb, _OPEN)
    if verbs is not None and needs and needs not in verbs:
        return not_offered(server.dialect, needs, f"{server.place} offers no {_noun(needs)}.")
    if read_only:
        return Refusal(read_only)
    if stale:
        return Refusal(stale, "It is asked again by itself.")
    if privilege < 1 and verb not in READING:
        return Refusal(f"Your role at {server.place} only reads.")
    if rule.admin and privilege < 2:
        return Refusal(f"Only an administrator of {server.place} may do that.")
    return _of_state(verb, rule, server, privilege)


READING = frozenset(
    f"server.{word}" for word in "console_log remote_console history check explain hostkeys schedule".split()
)


def not_offered(dialect: str, needs: str, otherwise: str) -> Refusal:
    """Why a place has no such verb."""
    return Refusal(lacking(dialect, needs) or otherwise)


def _noun(needs: str) -> str:
    return needs.partition(".")[2].replace("_", " ") or needs


def _of_state(verb: str, rule: Rule, server: Server, privilege: int) -> Refusal | None:
    vm, task = state_of(server)
    if vm == "deleted" or (deleted(server) and vm != "soft-delete"):
        return Refusal(f"{server.name or server.id} is deleted.")
    if rule.lock and server.locked and privilege < 2:
        why = f": {server.locked_reason}" if server.locked_reason else ""
        return Refusal(f"{server.name} is locked{why}.", "Unlock it first.")
    if server.dialect == "rackspace" and verb in NOT_ON_METAL and (server.flavor_id or "").startswith(METAL):
        return Refusal("Bare metal is neither resized, rebuilt nor imaged, and takes no password.")
    if rule.vm is not None and vm is None:
        return Refusal("Its state is not known.", "Wait for the cloud to tell, or ask the provider.")
    if rule.launched and vm == "error" and server.vm_state and server.launched_at is None:
        return Refusal("It never ran: its build failed.", "x tells why; only D is left.")
    if rule.vm is not None and vm not in rule.vm:
        return _wrong_state(verb, vm or "", task, server)
    if _busy(verb, rule, task):
        return _wrong_task(task or "", server)
    if verb == "server.backup" and server.boots_from_volume:
        return Refusal(f"{server.name} boots from a volume, and Nova makes no backups of volumes.", "i makes an image.")
    if rule.host and server.host_id == "":
        return Refusal(f"{server.name} is on no host now, so it has no console.")
    return None


def _busy(verb: str, rule: Rule, task: str | None) -> bool:
    if rule.tasks is None:
        return task in _BUSY_FOR.get(verb, ())
    return task not in rule.tasks


def _wrong_task(task: str, server: Server) -> Refusal:
    way = "R reboots it hard." if task.startswith(("rebooting", "reboot_")) and not task.endswith("hard") else ""
    return Refusal(f"{server.name} is {doing(task)}: task state {task}.", way or "Wait for its end.")


def _wrong_state(verb: str, vm: str, task: str | None, server: Server) -> Refusal:
    if task and server.status in ("REVERT_RESIZE", "REBUILD", "RESIZE", "MIGRATING"):
        return _wrong_task(task, server)
    if already := _ALREADY.get((verb, vm)):
        return Refusal(already)
    if nothing := _NOTHING_TO.get(verb):
        return Refusal(nothing)
    way = _WAYS_OF_VERB.get((verb, vm), _WAYS.get(vm, ""))
    return Refusal(f"Not while {server.status}.", way)


def same_host(servers: Iterable[Server]) -> list[list[Server]]:
    """Those of these servers that share a host, in groups: what happens to the host happens to all of a group.

    A host's id can be compared within one project of one cloud only.
    """
    groups: dict[tuple[str, str, str, str], list[Server]] = {}
    for server in servers:
        if server.host_id:
            where = (server.key.endpoint, server.key.region, server.project_id or "", server.host_id)
            groups.setdefault(where, []).append(server)
    return [group for group in groups.values() if len(group) > 1]


def image_refusal(
    verb: str, image: Image, *, privilege: int = 1, read_only: str = "", stale: str = ""
) -> Refusal | None:
    """Why this verb would be refused for this image now, or None."""
    if read_only:
        return Refusal(read_only)
    if stale:
        return Refusal(stale, "It is asked again by itself.")
    if privilege < 1:
        return Refusal(f"Your role at {image.place} only reads.")
    if verb == "image.delete" and image.protected:
        return Refusal(f"{image.name} is protected.", "Take its protection off first.")
    if verb == "image.delete" and image.visibility == "public" and privilege < 2:
        return Refusal(f"{image.name} is everybody's: only an administrator deletes public images.")
    if image.status in ("deleted", "pending_delete"):
        return Refusal(f"{image.name} is deleted.")
    return None


def verdict(
    verb: str,
    server: Server,
    *,
    verbs: Collection[str] | None = None,
    needs: str = "",
    privilege: int = 1,
    read_only: str = "",
    stale: str = "",
) -> str:
    """`refusal` as one string: "" when the verb is allowed, else the reason and the way out."""
    found = refusal(verb, server, verbs=verbs, needs=needs, privilege=privilege, read_only=read_only, stale=stale)
    return str(found) if found else ""
