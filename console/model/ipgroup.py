"""A shared IP group of the first generation: servers that may have public addresses in common."""

from console.model.place import Row


class IpGroup(Row, frozen=True, kw_only=True, gc=False):
    """One group; a server is in one at most, and all but the first were launched into it."""

    servers: list[str] = []  # ids
