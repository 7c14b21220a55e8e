"""What one region's Cinder knows: volumes, snapshots, and which server has which volume."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.sim.clock import Clock
from console.sim.records import Ids, Server

QUOTA = {"volumes": 500, "per_volume_gigabytes": -1, "snapshots": 500, "gigabytes": 50000, "backups": 10,
         "backup_gigabytes": 1000, "groups": 10}  # fmt: skip


@dataclass(slots=True)
class Attachment:
    """A volume's place in a server."""

    id: str
    server_id: str
    device: str
    attached: float
    delete_on_termination: bool = False
    tag: str | None = None
    bdm_id: str = ""
    host: str = ""


@dataclass(slots=True)
class Volume:
    """A block device; size in GB."""

    id: str
    name: str
    project_id: str
    user_id: str
    size: int
    created: float
    updated: float
    status: str = "creating"
    bootable: bool = False
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    image_metadata: dict[str, str] = field(default_factory=dict)
    snapshot_id: str | None = None
    source_id: str | None = None
    multiattach: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    message: str = ""
    zone: str = "nova"


@dataclass(slots=True)
class VolumeSnapshot:
    """A volume's content at one moment."""

    id: str
    name: str
    volume_id: str
    project_id: str
    user_id: str
    size: int
    created: float
    updated: float
    status: str = "creating"
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class Volumes:
    """The volumes of one region."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self.clock = clock
        self.ids = ids
        self.volumes: dict[str, Volume] = {}
        self.snapshots: dict[str, VolumeSnapshot] = {}
        self.quota = dict(QUOTA)

    def used(self, project_id: str) -> dict[str, int]:
        """What a project has of each thing that is limited."""
        mine = [volume for volume in self.volumes.values() if volume.project_id == project_id]
        snapshots = sum(snapshot.project_id == project_id for snapshot in self.snapshots.values())
        return {"volumes": len(mine), "gigabytes": sum(volume.size for volume in mine), "snapshots": snapshots}

    def exceeded(self, project_id: str, what: str, more: int = 0) -> bool:
        """Whether a project has, or with so many more would have, more than its quota."""
        return 0 <= self.quota[what] < self.used(project_id)[what] + more

    def add(self, name: str, project_id: str, user_id: str, size: int) -> Volume:
        """A new volume, creating."""
        now = self.clock.time()
        volume = Volume(self.ids.uuid(), name, project_id, user_id, size, now, now)
        self.volumes[volume.id] = volume
        return volume

    def become(self, volume: Volume, status: str) -> None:
        """Change a volume's status."""
        volume.status, volume.updated = status, self.clock.time()

    def reserve(self, server: Server, volume: Volume, device: str | None, **given: object) -> Attachment:
        """A server takes a volume: a place in it, not yet connected."""
        letters = "bcdefghijklmnopqrstuvwxyz"
        taken = {a.device for v in server.volumes for a in v.attachments if a.server_id == server.id}
        free = next((f"/dev/vd{c}" for c in letters if f"/dev/vd{c}" not in taken), "/dev/vdz")
        place = Attachment(self.ids.uuid(), server.id, device or free, self.clock.time(), bdm_id=self.ids.uuid())
        for key, value in given.items():
            setattr(place, key, value)
        volume.attachments.append(place)
        server.volumes.append(volume)
        self.become(volume, "reserved")
        return place

    def connect(self, server: Server) -> None:
        """A server that is being built connects the volumes reserved for it."""
        for volume in server.volumes:
            self.attached(server, volume)

    def attached(self, server: Server, volume: Volume) -> None:
        """The volume is in the server, unless it was asked to fail."""
        if volume.metadata.get("lab_fail") == "attach":
            self.detached(server, volume)
            return
        for place in volume.attachments:
            place.host = server.host
        self.become(volume, "in-use")
        server.stale()

    def detached(self, server: Server, volume: Volume) -> None:
        """The volume is out of the server."""
        volume.attachments = [a for a in volume.attachments if a.server_id != server.id]
        if volume in server.volumes:
            server.volumes.remove(volume)
        self.become(volume, "in-use" if volume.attachments else "available")
        server.stale()

    def freed(self, server: Server) -> None:
        """A server is gone: its volumes are free, or go with it."""
        for volume in list(server.volumes):
            gone = any(a.delete_on_termination for a in volume.attachments if a.server_id == server.id)
            self.detached(server, volume)
            if gone:
                self.volumes.pop(volume.id, None)

    def _seconds(self, volume: Volume, plain: float) -> float:
        try:
            return plain + float(volume.metadata.get("lab_build_seconds", "0"))
        except ValueError:
            return plain

    def make(self, volume: Volume) -> None:
        """Begin to create a volume; it is available after a while, unless it was asked to fail."""

        def done() -> None:
            failed = volume.metadata.get("lab_fail") == "create"
            volume.message = "schedule allocate volume:Driver failed to create the volume." if failed else ""
            self.become(volume, "error" if failed else "available")

        self.clock.after(self._seconds(volume, 0.8), done)

    def delete(self, volume: Volume) -> None:
        """Begin to delete a volume."""
        self.become(volume, "deleting")

        def done() -> None:
            if volume.metadata.get("lab_fail") == "delete":
                self.become(volume, "error_deleting")
            else:
                self.volumes.pop(volume.id, None)

        self.clock.after(0.5, done)

    def extend(self, volume: Volume, size: int) -> None:
        """Begin to extend a volume."""
        before = volume.status
        self.become(volume, "extending")

        def done() -> None:
            failed = volume.metadata.get("lab_fail") == "extend"
            volume.size = volume.size if failed else size
            self.become(volume, "error_extending" if failed else before)

        self.clock.after(0.6, done)

    def snapshot(self, volume: Volume, name: str) -> VolumeSnapshot:
        """A new snapshot of a volume, creating."""
        now = self.clock.time()
        made = VolumeSnapshot(
            self.ids.uuid(), name, volume.id, volume.project_id, volume.user_id, volume.size, now, now
        )
        self.snapshots[made.id] = made

        def done() -> None:
            failed = "snapshot" in (volume.metadata.get("lab_fail"), made.metadata.get("lab_fail"))
            made.status, made.updated = "error" if failed else "available", self.clock.time()

        self.clock.after(0.6, done)
        return made

    def drop_snapshot(self, found: VolumeSnapshot) -> None:
        """Begin to delete a snapshot."""
        found.status, found.updated = "deleting", self.clock.time()

        def gone() -> None:
            self.snapshots.pop(found.id, None)

        self.clock.after(0.4, gone)
