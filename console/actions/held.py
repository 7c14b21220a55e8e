"""What an order leaves in memory for the checks of this run: the password of a server, and the files it was promised.

Neither the audit nor the journal may keep them. A password is there for a login where no key is let in; files are
looked for by every check of their server until one has found them, and anew after a rebuild that gives them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.actions.declared import Order
from console.clouds.dialect import Accepted, Dialect

if TYPE_CHECKING:  # what looks into guests is loaded when a check starts
    from console.guests.own import InGuest

MAKES = ("server.create", "server.clone", "server.launch")
SET_PASSWORD = (*MAKES, "server.rebuild", "server.password", "server.name_password")


@dataclass
class Promise:
    """Files that a new server is to find on its disk."""

    files: Mapping[str, bytes] = field(repr=False)
    anew: bool = False  # the disk was made anew since
    found: bool = False


def demanded(promise: Promise | None, dialect: Dialect) -> "tuple[InGuest, ...]":
    """What a check is to look for: whoever writes the files decides what is promised of them.

    cloud-init is told by us, and again at each first boot of a disk. The first generation's documents tell owner and
    mode of what it writes itself; a Nova that still takes files promises their contents, and nothing else.
    """
    from console.guests.own import InGuest

    by_us = "server.files" not in dialect.verbs
    if promise is None or promise.found or (promise.anew and not by_us):
        return ()
    told = by_us or dialect.origin.dialect == "firstgen"
    whose = ("440", "root:root") if told else ("", "")
    return tuple(InGuest(path, content, *whose, asked=False) for path, content in promise.files.items())


def hold(order: Order, id: str | None, answer: Accepted) -> None:
    """Hold what the checks of this run want to know of this server."""
    if id is None:
        return
    _hold_password(order, id, answer)
    _hold_files(order, id)


def _hold_password(order: Order, id: str, answer: Accepted) -> None:
    name, passwords = order.action.name, order.ground.passwords
    if name not in (*SET_PASSWORD, "server.delete"):
        return
    passwords.pop(id, None)
    password = answer.admin_pass or order.given.get("password")
    if password and name in SET_PASSWORD:
        passwords[id] = password


def _hold_files(order: Order, id: str) -> None:
    name, promised = order.action.name, order.ground.promised
    if name in MAKES and order.given.get("file"):
        promised[id] = Promise(order.given["file"])
    elif name == "server.rebuild" and id in promised:
        promised[id].anew, promised[id].found = True, False
    elif name == "server.delete":
        promised.pop(id, None)
