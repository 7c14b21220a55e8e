"""What an order leaves in memory for the checks of this run: the password of a server, and the files it was promised.

Neither the audit nor the journal may keep them. A password is there for a login where no key is let in; files are
looked for by every check of their server until one has found them, and anew after a rebuild that gives them again.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.actions.declared import Order
from console.actions.ground import Ground
from console.clouds.dialect import Accepted
from console.model.place import Place, own_name

if TYPE_CHECKING:  # what looks into guests is loaded when a check starts
    from console.guests.own import InGuest
    from console.guests.report import Report

MAKES = ("server.create", "server.clone", "server.launch")
LATEST = 120.0  # seconds after which a cloud that writes files itself writes no more
SET_PASSWORD = (*MAKES, "server.rebuild", "server.password", "server.name_password")


@dataclass
class Promise:
    """Files that a new server is to find on its disk."""

    files: Mapping[str, bytes] = field(repr=False)
    anew: bool = False  # the disk was made anew since
    found: bool = False


class Sought:
    """The files that a server was promised, looked for by one check until they cannot come any more."""

    def __init__(self, ground: Ground, place: Place, id: str) -> None:
        self._ground, self._place, self._name = ground, place, own_name(place, id)
        self._by_us = False  # cloud-init writes them, as our order told it
        self._since: float | None = None
        self._looked_for: Promise | None = None

    def files(self) -> "tuple[InGuest, ...]":
        """What to look for now: whoever writes the files decides what is promised of them.

        cloud-init is told by us, and again at each first boot of a disk. The first generation's documents tell owner
        and mode of what it writes itself; a Nova that still takes files promises their contents, and nothing else.
        """
        from console.guests.own import InGuest

        self._looked_for = None
        promise = self._ground.promised.get(self._name)
        if promise is None or promise.found:
            return ()
        dialect = self._ground.dialect(self._place)
        self._by_us = "server.files" not in dialect.verbs
        if promise.anew and not self._by_us:
            return ()
        self._looked_for = promise
        whose = ("440", "root:root") if self._by_us or dialect.origin.dialect == "firstgen" else ("", "")
        return tuple(
            InGuest(path, content, *whose, asked=False, late=not self._by_us) for path, content in promise.files.items()
        )

    def found(self) -> None:
        """Those that were looked for are there, and nobody need look again; one promised meanwhile is still sought."""
        if self._looked_for is not None:
            self._looked_for.found = True

    def lost(self, report: "Report") -> bool:
        """Whether what this climb has missed will not come any more."""
        from console.guests.own import DONE

        if report.failed is None or report.failed.name != "file":
            self._since = None
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        done = any(rung.text.startswith(DONE) for rung in report.rungs if rung.name == "cloud-init")
        return (done and self._by_us) or now - self._since >= LATEST


def hold(order: Order, id: str | None, answer: Accepted) -> None:
    """Hold what the checks of this run want to know of this server."""
    if id is None:
        return
    of = own_name(order.place, id)
    _hold_password(order, of, answer)
    _hold_files(order, of)


def _hold_password(order: Order, of: str, answer: Accepted) -> None:
    name, passwords = order.action.name, order.ground.passwords
    if name not in (*SET_PASSWORD, "server.delete"):
        return
    passwords.pop(of, None)
    password = answer.admin_pass or order.given.get("password")
    if password and name in SET_PASSWORD:
        passwords[of] = password


def _hold_files(order: Order, of: str) -> None:
    name, promised = order.action.name, order.ground.promised
    if name in MAKES and order.given.get("file"):
        promised[of] = Promise(order.given["file"])
    elif name == "server.rebuild" and of in promised:
        promised[of] = Promise(promised[of].files, anew=True)
    elif name == "server.delete":
        promised.pop(of, None)
