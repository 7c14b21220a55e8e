"""The mark of an operation in the metadata of what is under it, for every console to see. Pure."""

from console.model.server import Server
from console.text import clean

MARK = "novadeck_op"  # the metadata key; its value is the run's id, and in words what it does and for whom


def mark_of(server: Server) -> str:
    """The id of the run that this server is under, or ""."""
    return (server.metadata or {}).get(MARK, "").partition(" ")[0]


def under(server: Server) -> str:
    """The operation that this server is under, in words, or ""."""
    id, _, who = (server.metadata or {}).get(MARK, "").partition(" ")
    return f"{server.name} is under operation {clean(id)} ({clean(who)})" if id else ""
