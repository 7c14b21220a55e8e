"""An image: what a server's disk is made from, or what was made of one."""

import datetime as dt

from console.model.place import Row


class Image(Row, frozen=True, kw_only=True, gc=False):
    """One image; sizes in bytes, minima in GB (disk) and MB (ram). `server_id` is set on a snapshot."""

    word: str | None = None  # the cloud's own status word
    size: int | None = None
    virtual_size: int | None = None
    progress: int | None = None
    visibility: str | None = None
    owner: str | None = None
    min_disk: int | None = None
    min_ram: int | None = None
    protected: bool | None = None
    hidden: bool | None = None
    disk_format: str | None = None
    container_format: str | None = None
    checksum: str | None = None
    created: dt.datetime | None = None
    updated: dt.datetime | None = None
    tags: list[str] | None = None
    image_type: str | None = None  # "snapshot" or "backup"; None on a base image
    backup_type: str | None = None
    server_id: str | None = None
    base_image_id: str | None = None
    os_distro: str | None = None
    os_admin_user: str | None = None
    os_type: str | None = None
    operation: str | None = None  # of ours, that made it
    schedule: str | None = None  # of ours, that keeps and rotates it
    scheduled: bool | None = None  # whether the cloud's own schedule made it, and will take it away again

    @property
    def status(self) -> str:
        """The status in lower case: active, queued, saving ..."""
        return (self.word or "unknown").lower()

    @property
    def snapshot(self) -> bool:
        """Whether it was made of a server."""
        return self.image_type in ("snapshot", "backup") or self.server_id is not None

    @property
    def kind(self) -> str:
        """ "base", "snapshot" (made of a server) or "backup" (made of one, and replaced by later ones)."""
        return "backup" if self.image_type == "backup" else "snapshot" if self.snapshot else "base"

    @property
    def in_flight(self) -> bool:
        """Whether the cloud is about to change it."""
        return self.status in ("queued", "saving", "uploading", "importing", "preparing", "pending_delete")
