"""A server's life, declared: for each thing that can happen, the states it goes through and how long each lasts.

These sequences are what a real Nova showed when it was polled every few milliseconds.  What else happens at a step
(an address appears, an image is uploaded, a guest boots) is named here and done by `machine`.
Waits are in seconds at speed 1; `"build"`, `"copy"` and `"snapshot"` stand for waits that a server may set by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SAME: Any = object()

NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7


@dataclass(frozen=True, slots=True)
class Step:
    """After `wait` seconds take on these states, then do what `then` names."""

    wait: float | str
    task: Any = SAME
    vm: Any = SAME
    power: Any = SAME
    then: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """A declared sequence; `event` is how the instance action's event on a host is called, `around` are others."""

    steps: tuple[Step, ...]
    event: str = ""
    around: tuple[str, ...] = ()


def _power(task: str, wait: float, vm: str, power: int, guest: str) -> tuple[Step, ...]:
    return (Step(0, task=task), Step(wait, task=None, vm=vm, power=power, then=guest))


def _quiesced(then: str) -> tuple[Step, ...]:
    return (
        Step(0, task="image_snapshot"),
        Step(0.6, task="image_pending_upload", then="image_saving"),
        Step(0.3, task="image_uploading"),
        Step("snapshot", task=None, then=then),
    )


_MOVE = (
    Step(0, task="resize_prep"),
    Step(0.4, task="resize_prep", then="pick_host"),
    Step(0.4, task="resize_migrating", then="guest_off"),
    Step(0.8, task="resize_migrated", then="move_host"),
    Step(0.4, task="resize_finish", then="take_flavor"),
    Step(0.5, task=None, vm="resized", then="resized"),
)

# A deleted server is to be seen for a moment before it is gone.
_GOING = (Step(0.6, task=None, vm="deleted", power=NOSTATE), Step(0.1, then="vanish"))
_MOVE_EVENTS = ("cold_migrate", "conductor_migrate_server", "compute_resize_instance", "compute_finish_resize")

LIVES: dict[str, Life] = {
    "create": Life(
        (
            Step(0, task="scheduling", vm="building", then="schedule"),
            Step(0.4, task=None, then="place"),
            Step(0.2, task="networking"),
            Step(0.5, task="block_device_mapping", then="connect_volumes"),
            Step(0.3, task="spawning", then="spawn"),
            Step("build", task=None, vm="active", power=RUNNING, then="launch"),
        ),
        "compute__do_build_and_run_instance",
    ),
    "reboot_soft": Life(
        (
            Step(0, task="rebooting"),
            Step(0.2, task="reboot_pending"),
            Step(0.2, task="reboot_started", then="guest_off"),
            Step(1.0, task=None, vm="active", power=RUNNING, then="guest_boot"),
        ),
        "compute_reboot_instance",
    ),
    "reboot_hard": Life(
        (
            Step(0, task="rebooting_hard"),
            Step(0.2, task="reboot_pending_hard"),
            Step(0.2, task="reboot_started_hard", then="guest_off"),
            Step(1.4, task=None, vm="active", power=RUNNING, then="guest_boot"),
        ),
        "compute_reboot_instance",
    ),
    "resize": Life(_MOVE, "compute_prep_resize", _MOVE_EVENTS),
    "migrate": Life(_MOVE, "compute_prep_resize", _MOVE_EVENTS),
    "resize_failed": Life(
        (Step(0, task="resize_prep"), Step(0.6, task=None, then="refuse_resize")), "compute_prep_resize"
    ),
    "confirm": Life((Step(0, then="confirming"), Step(0.7, then="confirmed")), "compute_confirm_resize"),
    "revert": Life(
        (
            Step(0, task="resize_reverting", then="reverting"),
            Step(0.6, task="resize_reverting", then="guest_off"),
            Step(0.7, task="resize_reverting", then="move_back"),
            Step(0.3, task=None, then="reverted"),
        ),
        "compute_revert_resize",
        ("compute_finish_revert_resize",),
    ),
    "snapshot": Life(
        (
            Step(0, task="image_snapshot_pending"),
            Step(0.3, task="image_snapshot"),
            Step("copy", task="image_pending_upload", then="image_saving"),
            Step(0.3, task="image_uploading"),
            Step("snapshot", task=None, then="image_done"),
        ),
        "compute_snapshot_instance",
    ),
    # Rackspace's own way, and what its scheduled images end with
    "snapshot_quiesced": Life(_quiesced("image_done"), "compute_snapshot_instance"),
    "scheduled_image": Life(_quiesced("scheduled_image_done"), "compute_snapshot_instance"),
    "backup": Life(
        (
            Step(0, task="image_backup"),
            Step(0.5, task="image_pending_upload", then="image_saving"),
            Step(0.3, task="image_uploading"),
            Step("snapshot", task=None, then="backup_done"),
        ),
        "compute_backup_instance",
    ),
    "password": Life(
        (Step(0, task="updating_password"), Step(0.6, task=None, then="password")), "compute_set_admin_password"
    ),
    "stop": Life(_power("powering-off", 0.8, "stopped", SHUTDOWN, "guest_off"), "compute_stop_instance"),
    "start": Life(_power("powering-on", 0.8, "active", RUNNING, "guest_boot"), "compute_start_instance"),
    "pause": Life(_power("pausing", 0.3, "paused", PAUSED, "guest_freeze"), "compute_pause_instance"),
    "unpause": Life(_power("unpausing", 0.3, "active", RUNNING, "guest_thaw"), "compute_unpause_instance"),
    "suspend": Life(_power("suspending", 0.8, "suspended", SUSPENDED, "guest_freeze"), "compute_suspend_instance"),
    "resume": Life(_power("resuming", 0.8, "active", RUNNING, "guest_thaw"), "compute_resume_instance"),
    "rescue": Life(
        (
            Step(0, task="rescuing"),
            Step(0.6, then="guest_off"),
            Step(0.6, task=None, vm="rescued", power=RUNNING, then="guest_rescue"),
        ),
        "compute_rescue_instance",
    ),
    "unrescue": Life(
        (
            Step(0, task="unrescuing"),
            Step(0.4, then="guest_off"),
            Step(0.6, task=None, vm="active", power=RUNNING, then="guest_unrescue"),
        ),
        "compute_unrescue_instance",
    ),
    "rebuild": Life(
        (
            Step(0, task="rebuilding"),
            Step(0.4, task="rebuild_block_device_mapping", then="guest_off"),
            Step(0.3, task="rebuild_spawning"),
            Step("build", task=None, vm="active", power=RUNNING, then="rebuilt"),
        ),
        "compute_rebuild_instance",
        ("rebuild_server",),
    ),
    "shelve": Life(
        (
            Step(0, task="shelving", then="guest_off"),
            Step(0.4, task="shelving_image_pending_upload", then="image_saving"),
            Step(0.3, task="shelving_image_uploading"),
            Step("snapshot", task="shelving_offloading", vm="shelved", power=SHUTDOWN, then="image_done"),
            Step(0.4, task=None, vm="shelved_offloaded", power=NOSTATE, then="offload"),
        ),
        "compute_shelve_instance",
    ),
    "shelve_keep": Life(
        (
            Step(0, task="shelving", then="guest_off"),
            Step(0.4, task="shelving_image_pending_upload", then="image_saving"),
            Step(0.3, task="shelving_image_uploading"),
            Step("snapshot", task=None, vm="shelved", power=SHUTDOWN, then="image_done"),
        ),
        "compute_shelve_instance",
    ),
    "offload": Life(
        (
            Step(0, task="shelving_offloading"),
            Step(0.4, task=None, vm="shelved_offloaded", power=NOSTATE, then="offload"),
        ),
        "compute_shelve_offload_instance",
    ),
    "unshelve": Life(
        (
            Step(0, task="unshelving"),
            Step(0.4, task="spawning", then="place"),
            Step(0.8, task=None, vm="active", power=RUNNING, then="unshelved"),
        ),
        "compute_unshelve_instance",
        ("get_image_info", "schedule_instances"),
    ),
    "live_migrate": Life(
        (Step(0, task="migrating", then="pick_host"), Step(1.2, task=None, then="moved_live")),
        "compute_live_migration",
        (
            "conductor_live_migrate_instance",
            "compute_check_can_live_migrate_destination",
            "compute_check_can_live_migrate_source",
            "compute_pre_live_migration",
            "compute_post_live_migration_at_destination",
        ),
    ),
    "evacuate": Life(
        (
            Step(0, task="rebuilding"),
            Step(0.4, task="rebuild_block_device_mapping", then="pick_host"),
            Step(0.3, task="rebuild_spawning", then="move_host"),
            Step(0.6, task=None, vm="stopped", power=SHUTDOWN, then="evacuated"),
        ),
        "compute_rebuild_instance",
    ),
    "delete": Life((Step(0, task="deleting", then="guest_off"), *_GOING), "compute_terminate_instance"),
    "delete_resized": Life((Step(0, task=None, then="confirm_on_delete"), *_GOING), "compute_terminate_instance"),
    "delete_at_once": Life((Step(0, then="vanish"),)),
    "shutdown_terminate": Life((Step(0, task="deleting"), Step(0.4, then="vanish"))),
    "soft_delete": Life(
        (Step(0, task="soft-deleting", then="guest_off"), Step(0.4, task=None, vm="soft-delete", power=SHUTDOWN)),
        "compute_soft_delete_instance",
    ),
    "restore": Life(_power("restoring", 0.5, "active", RUNNING, "guest_boot"), "compute_restore_instance"),
    "power_off_after": Life(
        (
            Step(0, task="powering-off", vm="active"),
            Step(0.5, task=None, vm="stopped", power=SHUTDOWN, then="guest_off"),
        )
    ),
    "power_off_reverted": Life(
        (Step(0, task="powering-off"), Step(0.5, task=None, vm="stopped", power=SHUTDOWN, then="guest_off"))
    ),
    "guest_shutdown": Life(
        (
            Step(0, power=SHUTDOWN, then="guest_off"),
            Step(0.6, task="powering-off"),
            Step(0.4, task=None, vm="stopped", power=SHUTDOWN),
        ),
        "compute_stop_instance",
    ),
    "attach": Life((Step(0.2, then="attaching"), Step(0.6, then="attached")), "compute_attach_volume"),
    "detach": Life((Step(0, then="detaching"), Step(0.6, then="detached")), "compute_detach_volume"),
}

SPECIAL = {
    ("active", "REBOOT"): {"rebooting", "reboot_pending", "reboot_started"},
    ("active", "HARD_REBOOT"): {"rebooting_hard", "reboot_pending_hard", "reboot_started_hard"},
    ("active", "PASSWORD"): {"updating_password"},
    ("active", "MIGRATING"): {"migrating"},
    ("paused", "MIGRATING"): {"migrating"},
    ("resized", "REVERT_RESIZE"): {"resize_reverting"},
}
REBUILDING = {"rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"}
RESIZING = {"resize_prep", "resize_migrating", "resize_migrated", "resize_finish"}
PLAIN = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "resized": "VERIFY_RESIZE",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "rescued": "RESCUE",
    "error": "ERROR",
    "deleted": "DELETED",
    "soft-delete": "SOFT_DELETED",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
}
STATUS: dict[tuple[str, str], str] = {(vm, task): status for (vm, status), tasks in SPECIAL.items() for task in tasks}
STATUS |= {(vm, task): "REBUILD" for vm in ("active", "stopped", "error") for task in REBUILDING}
STATUS |= {(vm, task): "RESIZE" for vm in ("active", "stopped") for task in RESIZING}
STATUSES = {*PLAIN.values(), *STATUS.values(), "UNKNOWN"}


def status_of(vm_state: str, task_state: str | None) -> str:
    """The status that Nova's API makes of the two states."""
    return STATUS.get((vm_state, task_state or "")) or PLAIN.get(vm_state, "UNKNOWN")
