"""The little of Cinder v3 that a server's console needs: how many volumes there may be, and of what size together."""

from console.clouds.openstack.service import Service
from console.errors import Forbidden, NotFound
from console.model.quota import Limit
from console.wire.message import read_json, refuse_body

# Our word for each limit, and Cinder's two for the most and what is used of it.
_LIMITS = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed", ""),
    "volume_gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed", "GB"),
    "volume_snapshots": ("maxTotalSnapshots", "totalSnapshotsUsed", ""),
    "volume_backups": ("maxTotalBackups", "totalBackupsUsed", ""),
    "backup_gigabytes": ("maxTotalBackupGigabytes", "totalBackupGigabytesUsed", "GB"),
}


class Cinder:
    """What one account reads at one block storage service."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def limits(self) -> dict[str, Limit]:
        """The project's limits and use; none where the service does not tell them, or not to us."""
        try:
            reply = await self.service.get("limits")
        except (NotFound, Forbidden):
            return {}
        tree = read_json(reply, self.service.place)
        limits = tree.get("limits") if isinstance(tree, dict) else None
        told = limits.get("absolute") if isinstance(limits, dict) else None
        if not isinstance(told, dict):
            refuse_body(reply, self.service.place, "something that is no list of limits")
        return {
            name: Limit(name, _whole(told[most]), _whole(told.get(used)), unit)
            for name, (most, used, unit) in _LIMITS.items()
            if most in told
        }


def _whole(value: object) -> int | None:
    """A count; -1 is no limit."""
    return value if isinstance(value, int) and value >= 0 else None
