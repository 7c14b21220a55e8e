"""An availability zone: a part of a region that takes servers, or does not now."""

from console.model.place import Row


class Zone(Row, frozen=True, kw_only=True, gc=False):
    """One zone; its name is its id. Its hosts are told to administrators alone."""

    available: bool = True
    hosts: int | None = None
    hosts_up: int | None = None
