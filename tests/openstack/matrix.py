"""The legal moves as asked of a cloud: every verb as plain HTTP, the states to ask it in, and the kept answers.

`matrix.json` holds what a real Nova answered, state by state and verb by verb; `record_matrix.py` makes it and
`test_legal_moves.py` holds the console's own table and the embedded cloud against it. Nothing here sends anything.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import convert
from msgspec.structs import force_setattr

from console.actions import legal
from console.clouds.openstack.shapes import NovaServer
from console.model.place import Place
from console.model.server import Server

Json = dict[str, Any]
KEPT = Path(__file__).with_name("matrix.json")
MEMBER, ADMIN = "member", "admin"
PRIVILEGE = {MEMBER: 1, ADMIN: 2}


class Send(NamedTuple):
    """One request about a server; "$name" in path and body stands for a thing of the cloud that it is sent to."""

    method: str
    path: str
    body: Json | None = None


def _act(name: str, /, **body: Any) -> Send:
    return Send("POST", "/action", {name: body or None})


VERBS: dict[str, Send] = {
    "server.reboot": _act("reboot", type="SOFT"),
    "server.hard_reboot": _act("reboot", type="HARD"),
    "server.rebuild": _act("rebuild", imageRef="$image"),
    "server.resize": _act("resize", flavorRef="$flavor"),
    "server.confirm": _act("confirmResize"),
    "server.revert": _act("revertResize"),
    "server.snapshot": _act("createImage", name="$name"),
    "server.backup": _act("createBackup", name="$name", backup_type="daily", rotation=1),
    "server.password": _act("changePassword", adminPass="correct-horse"),
    "server.stop": _act("os-stop"),
    "server.start": _act("os-start"),
    "server.pause": _act("pause"),
    "server.unpause": _act("unpause"),
    "server.suspend": _act("suspend"),
    "server.resume": _act("resume"),
    "server.shelve": _act("shelve"),
    "server.shelve_offload": _act("shelveOffload"),
    "server.unshelve": _act("unshelve"),
    "server.rescue": _act("rescue", adminPass="correct-horse"),
    "server.unrescue": _act("unrescue"),
    "server.lock": _act("lock"),
    "server.unlock": _act("unlock"),
    "server.migrate": _act("migrate"),
    "server.live_migrate": _act("os-migrateLive", host=None, block_migration="auto"),
    "server.evacuate": Send("POST", "/action", {"evacuate": {}}),
    "server.reset_state": _act("os-resetState", state="error"),
    "server.delete": Send("DELETE", ""),
    "server.force_delete": _act("forceDelete"),
    "server.restore": _act("restore"),
    "server.set": Send("PUT", "", {"server": {"description": "as asked"}}),
    "server.metadata": Send("POST", "/metadata", {"metadata": {"asked": "yes"}}),
    "server.tags": Send("PUT", "/tags", {"tags": ["asked"]}),
    "server.security_group": _act("addSecurityGroup", name="$group"),
    "server.attach_volume": Send("POST", "/os-volume_attachments", {"volumeAttachment": {"volumeId": "$volume"}}),
    "server.detach_volume": Send("DELETE", "/os-volume_attachments/$attached"),
    "server.attach_interface": Send("POST", "/os-interface", {"interfaceAttachment": {"net_id": "$network"}}),
    "server.detach_interface": Send("DELETE", "/os-interface/$port"),
    "server.console_log": Send("POST", "/action", {"os-getConsoleOutput": {"length": 5}}),
    "server.remote_console": Send(
        "POST", "/remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    ),
    "server.history": Send("GET", "/os-instance-actions"),
}  # fmt: skip
ADMIN_VERBS = frozenset(verb for verb in VERBS if legal.RULES[verb].admin)


class State(NamedTuple):
    """What Nova's guards look at, as its database writes it."""

    vm: str
    task: str | None = None
    power: int = 1
    locked: bool = False
    launched: bool = True
    host: bool = True

    @property
    def name(self) -> str:
        """Such as "active powering-off locked"."""
        words = [self.vm, self.task or "", "locked" * self.locked, "unlaunched" * (not self.launched)]
        lost = not self.host and self.vm != "shelved_offloaded"
        power = self.power != POWER.get(self.vm, 0) and self.launched
        return " ".join(filter(None, [*words, "hostless" * lost, f"power-{self.power}" * power]))


POWER = {
    "active": 1,
    "rescued": 1,
    "resized": 1,
    "error": 1,
    "soft-delete": 4,
    "stopped": 4,
    "paused": 3,
    "suspended": 4,
    "shelved": 4,
    "shelved_offloaded": 4,
}
_TASKS = {
    "active": (
        "image_snapshot_pending image_snapshot image_pending_upload image_uploading image_backup updating_password"
        " resize_prep resize_migrating resize_migrated resize_finish rebooting reboot_pending reboot_started"
        " rebooting_hard reboot_pending_hard reboot_started_hard pausing suspending powering-off rescuing rebuilding"
        " rebuild_block_device_mapping rebuild_spawning migrating deleting soft-deleting shelving"
        " shelving_image_pending_upload shelving_image_uploading"
    ),
    "stopped": (
        "powering-on rebooting_hard reboot_started_hard resize_prep resize_migrating resize_finish rebuilding"
        " rebuild_spawning image_pending_upload image_uploading shelving rescuing deleting"
    ),
    "paused": "unpausing rebooting_hard image_uploading migrating shelving deleting",
    "suspended": "resuming rebooting_hard image_uploading shelving deleting",
    "rescued": "unrescuing deleting",
    "resized": "resize_reverting deleting",
    "error": "rebuilding rebooting_hard powering-off rescuing deleting",
    "shelved": "shelving_offloading unshelving deleting",
    "shelved_offloaded": "unshelving spawning deleting",
    "soft-delete": "restoring deleting",
}
_LOCKED = ("active", "stopped", "paused", "suspended", "rescued", "resized", "error", "shelved")


def _states() -> list[State]:
    found: list[State] = []
    for vm, tasks in _TASKS.items():
        for task in (None, *tasks.split()):
            found.append(State(vm, task, POWER[vm], host=vm != "shelved_offloaded"))
    found += [State(vm, None, POWER[vm], locked=True) for vm in _LOCKED]
    found += [State("active", task, 1, locked=True) for task in ("rebooting", "image_uploading", "powering-off")]
    found += [State("active", None, 4), State("resized", None, 4), State("error", None, 4), State("active", None, 0)]
    found += [State("shelved_offloaded", None, 4, locked=True, host=False)]
    found += [State("building", task, 0, launched=False) for task in ("networking", "block_device_mapping", "spawning")]
    found += [State("building", "spawning", 0, locked=True, launched=False)]
    found += [State("building", task, 0, launched=False, host=False) for task in (None, "scheduling", "deleting")]
    found += [State("error", None, 0, launched=False), State("error", None, 0, launched=False, host=False)]
    return found


STATES = {state.name: state for state in _states()}


def row(record: Json) -> Server:
    """The server as the console reads it from Nova's record."""
    server = convert(record, NovaServer, strict=False)
    force_setattr(server, "place", Place("cloud", "region"))
    return server


def read(record: Json) -> Json:
    """The part of Nova's record that legal moves are told from, to be kept."""
    names = ("status", "locked", "hostId", "OS-SRV-USG:launched_at")
    return {name: value for name, value in record.items() if name in names or name.startswith("OS-EXT-STS:")}


def predicted(verb: str, record: Json, who: str) -> legal.Refusal | None:
    """What the console would say before sending, to a member of the project or to an administrator."""
    return legal.refusal(verb, row({"id": "id", "name": "web-1", **record}), privilege=PRIVILEGE[who])


def passed(code: int) -> bool:
    """Whether the answer means that Nova took the order."""
    return code < 300


def filled(send: Send, things: Json) -> Send:
    """The request with the things of a cloud in their places."""
    body = None if send.body is None else fill(send.body, things)
    path = "/".join(
        str(things.get(step[1:], "none")) if step.startswith("$") else step for step in send.path.split("/")
    )
    return Send(send.method, path, body)


def fill(value: Any, things: Json) -> Any:
    """A request's body with the things of a cloud in their places."""
    if isinstance(value, dict):
        return {key: fill(inner, things) for key, inner in value.items()}
    return things[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def load() -> Json:
    """The kept answers."""
    return dict(json.loads(KEPT.read_text()))
