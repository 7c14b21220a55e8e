"""What the steps of a life do beside changing states: hosts, addresses, images, volumes and guests.

Each function is one named effect of `lives`.  They change records and tell the guests; they never answer anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from console.sim.job import Failed, Job, Turn
from console.sim.records import Event, Migration, Server
from console.sim.region import Region

NO_HOST = "No valid host was found. There are not enough hosts available."
Effect = Callable[[Region, Server, Job], Turn | None]
F = TypeVar("F", bound=Effect)
EFFECTS: dict[str, Effect] = {}


def effect(function: F) -> F:
    """Register a function under its own name."""
    EFFECTS[function.__name__] = function
    return function


@effect
def schedule(region: Region, server: Server, job: Job) -> None:
    """The server is in the build-request table until a host is found."""
    server.in_request = True


@effect
def place(region: Region, server: Server, job: Job) -> None:
    """Find a host, or fail as Nova does."""
    server.in_request = False
    host = region.nova.pick_host(server)
    if server.flavor.name == "m1.impossible" or host is None:
        _not_scheduled(server, job)
        raise Failed("No valid host was found. " if host is not None else NO_HOST)
    server.host, server.zone = host, region.nova.zone_of(host)
    if job.action is not None:
        for event in job.action.events:
            event.host = event.host or host


def _not_scheduled(server: Server, job: Job) -> None:
    if job.action is not None and job.life == "create":
        job.action.events = [replace(job.action.events[0], event="conductor_schedule_and_build_instances", host="")]


@effect
def connect_volumes(region: Region, server: Server, job: Job) -> None:
    """The volumes that the server was made with are in use; new ones beyond the quota end its build."""
    cinder = region.cinder
    new = [volume for volume in server.volumes if volume.created >= server.created]
    if new and any(cinder.exceeded(server.project_id, what) for what in ("volumes", "gigabytes")):
        for volume in new:
            cinder.detached(server, volume)
            cinder.volumes.pop(volume.id, None)
        most, size = cinder.quota["gigabytes"], sum(volume.size for volume in new)
        used = cinder.used(server.project_id)["gigabytes"]
        why = f"Requested {size}G, quota is {most}G and {used}G has been consumed."
        text = f"VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. {why}"
        raise Failed(f"Build of instance {server.id} aborted: {text}", noted=False)
    cinder.connect(server)


@effect
def spawn(region: Region, server: Server, job: Job) -> Turn | None:
    """Give the server its ports; a build that hangs stops here."""
    region.neutron.bind(server, job.given.get("networks", []))
    if server.stuck or server.metadata.get("lab_fail") == "hang":
        return Turn(result="")
    return None


@effect
def launch(region: Region, server: Server, job: Job) -> None:
    """The guest boots for the first time."""
    if server.metadata.get("lab_fail") == "build":
        region.neutron.release(server)
        server.power_state = 0
        # The real one tells of it in the fault alone: the action and its event end well.
        raise Failed(f"Build of instance {server.id} aborted: asked to fail by lab_fail=build", noted=False)
    server.launched = region.clock.time()
    region.guests.create(server)


@effect
def guest_off(region: Region, server: Server, job: Job) -> None:
    """The guest is switched off."""
    region.guests.off(server)


@effect
def guest_boot(region: Region, server: Server, job: Job) -> None:
    """The guest boots."""
    region.guests.boot(server)


@effect
def guest_freeze(region: Region, server: Server, job: Job) -> None:
    """The guest stands still."""
    region.guests.freeze(server)


@effect
def guest_thaw(region: Region, server: Server, job: Job) -> None:
    """The guest goes on."""
    region.guests.thaw(server)


@effect
def guest_rescue(region: Region, server: Server, job: Job) -> None:
    """The guest boots from the rescue image."""
    region.guests.rescue(server)


@effect
def guest_unrescue(region: Region, server: Server, job: Job) -> None:
    """The guest boots from its own disk again."""
    region.guests.unrescue(server)


@effect
def pick_host(region: Region, server: Server, job: Job) -> None:
    """Choose where to, and begin a migration."""
    target = job.given.get("host") or region.nova.pick_host(server, avoid=server.host) or server.host
    job.given["target"] = target
    now = region.clock.time()
    kind = {"resize": "resize", "migrate": "migration", "evacuate": "evacuation"}.get(job.life, "live-migration")
    migrations = region.nova.migrations
    job.given["migration"] = Migration(
        len(migrations) + 1, region.ids.uuid(), server.id, kind, "migrating", server.host, target,
        server.flavor, job.given.get("flavor", server.flavor), server.user_id, server.project_id, now, now,
    )  # fmt: skip
    migrations.append(job.given["migration"])


@effect
def move_host(region: Region, server: Server, job: Job) -> None:
    """The server is on its new host."""
    server.old_host, server.host = server.host, job.given["target"]
    server.zone = region.nova.zone_of(server.host)
    job.given["migration"].status = "post-migrating"


@effect
def take_flavor(region: Region, server: Server, job: Job) -> None:
    """The server has its new flavor."""
    server.old_flavor = server.flavor
    server.flavor = job.given.get("flavor", server.flavor)


@effect
def resized(region: Region, server: Server, job: Job) -> None:
    """The migration is finished and waits for an answer."""
    server.old_state = job.given["vm_state"]
    _migration(region, server, "finished")
    region.after_resize(server)
    if server.old_state == "stopped":
        server.power_state = 4
        return
    server.power_state = 1
    region.guests.boot(server)


def _migration(region: Region, server: Server, status: str) -> None:
    mine = [m for m in region.nova.migrations if m.server_id == server.id]
    if mine:
        mine[-1].status, mine[-1].updated = status, region.clock.time()


@effect
def refuse_resize(region: Region, server: Server, job: Job) -> Turn | None:
    """Nothing happened; only the instance action tells that it failed."""
    server.vm_state = job.given["vm_state"]
    return Turn(result="Error", message="Error")


@effect
def confirming(region: Region, server: Server, job: Job) -> None:
    """The migration is being confirmed."""
    _migration(region, server, "confirming")


@effect
def confirmed(region: Region, server: Server, job: Job) -> None:
    """The old host forgets the server."""
    _migration(region, server, "confirmed")
    server.vm_state = "stopped" if server.power_state == 4 else "active"
    server.old_flavor, server.old_host, server.old_state = None, "", ""


@effect
def reverting(region: Region, server: Server, job: Job) -> None:
    """The migration is being reverted."""
    _migration(region, server, "reverting")


@effect
def move_back(region: Region, server: Server, job: Job) -> None:
    """The server is on its old host with its old flavor."""
    server.flavor = server.old_flavor or server.flavor
    server.host = server.old_host or server.host
    server.zone = region.nova.zone_of(server.host)


@effect
def reverted(region: Region, server: Server, job: Job) -> Turn | None:
    """The server is as it was, stopped if it was stopped."""
    _migration(region, server, "reverted")
    was_stopped = server.old_state == "stopped"
    server.old_flavor, server.old_host, server.old_state = None, "", ""
    if was_stopped:
        _stopped_too(region, server, job)
        return Turn("power_off_reverted")
    server.vm_state, server.power_state = "active", 1
    region.guests.boot(server)
    return None


def _stopped_too(region: Region, server: Server, job: Job) -> None:
    if job.action is not None:
        job.action.events.append(Event("compute_stop_instance", region.clock.time(), host=server.host))


@effect
def confirm_on_delete(region: Region, server: Server, job: Job) -> None:
    """Deleting a resized server confirms the resize first."""
    confirmed(region, server, job)
    region.guests.off(server)


@effect
def image_saving(region: Region, server: Server, job: Job) -> Turn | None:
    """The upload begins, or the image vanishes where that was asked for."""
    if server.metadata.get("lab_fail") == "snapshot":
        region.glance.drop(job.given["image"])
        server.task_state = None
        return Turn(result="Error")
    region.glance.saving(job.given["image"])
    return None


@effect
def image_done(region: Region, server: Server, job: Job) -> None:
    """The upload is finished."""
    region.glance.uploaded(job.given["image"], server)


@effect
def backup_done(region: Region, server: Server, job: Job) -> None:
    """The upload is finished, and the oldest backups go."""
    region.glance.uploaded(job.given["image"], server)
    region.glance.rotate(server, job.given["backup_type"], job.given["rotation"])


@effect
def scheduled_image_done(region: Region, server: Server, job: Job) -> None:
    """The upload is finished, and the oldest scheduled images go."""
    region.glance.uploaded(job.given["image"], server)
    region.glance.thin({"instance_uuid": server.id, **job.given["mark"]}, job.given["retention"])


@effect
def password(region: Region, server: Server, job: Job) -> None:
    """The guest has a new password."""
    if server.metadata.get("lab_fail") == "password":
        raise Failed("Failed to set admin password on the server: asked to fail by lab_fail=password")
    server.admin_pass = job.given["password"]


@effect
def rebuilt(region: Region, server: Server, job: Job) -> Turn | None:
    """The guest has a new disk."""
    if server.metadata.get("lab_fail") == "rebuild":
        raise Failed("Failed to rebuild: asked to fail by lab_fail=rebuild")
    was = job.given["vm_state"]
    server.launched = region.clock.time()
    server.fault = None
    region.guests.create(server)
    if was == "stopped":
        _stopped_too(region, server, job)
        return Turn("power_off_after")
    return None


@effect
def offload(region: Region, server: Server, job: Job) -> None:
    """The server is on no host."""
    server.host, server.zone = "", ""
    region.guests.off(server)


@effect
def unshelved(region: Region, server: Server, job: Job) -> None:
    """The server is back on a host, and the image that kept it is not needed any more."""
    region.glance.drop(server.shelved_image)
    server.shelved_image = ""
    server.launched = region.clock.time()
    region.guests.boot(server)


@effect
def moved_live(region: Region, server: Server, job: Job) -> None:
    """The server is on its new host and never stopped."""
    server.host = job.given["target"]
    server.zone = region.nova.zone_of(server.host)
    _migration(region, server, "completed")


@effect
def evacuated(region: Region, server: Server, job: Job) -> None:
    """The server is on another host, switched off."""
    _migration(region, server, "done")
    server.launched = region.clock.time()
    region.guests.forget(server)


@effect
def vanish(region: Region, server: Server, job: Job) -> None:
    """The server, its ports and the volumes that go with it are gone."""
    now = region.clock.time()
    server.terminated, server.vm_state, server.task_state, server.power_state = now, "deleted", None, 0
    region.neutron.release(server)
    region.cinder.freed(server)
    region.glance.drop(server.shelved_image)
    region.guests.forget(server)
    server.metadata = {}
    server.in_request = False
    server.touch(now)
    server.deleted = True
    region.nova.forget_order()


@effect
def attached(region: Region, server: Server, job: Job) -> None:
    """The volume is in the server."""
    region.cinder.attached(server, job.given["volume"])


@effect
def detached(region: Region, server: Server, job: Job) -> None:
    """The volume is out of the server."""
    region.cinder.detached(server, job.given["volume"])


@effect
def attaching(region: Region, server: Server, job: Job) -> None:
    """The volume is on its way into the server."""
    region.cinder.become(job.given["volume"], "attaching")


@effect
def detaching(region: Region, server: Server, job: Job) -> None:
    """The volume is on its way out of the server."""
    region.cinder.become(job.given["volume"], "detaching")
