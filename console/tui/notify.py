"""Telling a user who looks elsewhere: an operation has ended, a server is in ERROR, a resize is about to keep itself.

`Notices` finds out what is worth it, and tells it once; `Teller` says it, by a line on the screen, the terminal's bell,
the desktop (OSC 9 or OSC 777) and a command of the user's. The command gets facts in variables and no shell, so that no
name of a server can become a command.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.core.settings import Notify
from console.core.watch import Batch
from console.model.place import Key
from console.model.server import Server
from console.text import clean
from console.tui.operations import Operation
from console.tui.paint import clock

FEW = 3  # more notices than this at once are summed up
PATIENCE = 30.0  # seconds for the user's command
WORDS = {"operation.failed": "operations have failed", "operation.ended": "operations have ended"}
WORDS |= {"server.error": "servers went into ERROR", "resize.clock": "resizes are about to be kept"}


@dataclass(frozen=True)
class Notice:
    """One thing worth a look; `event` is operation.ended, operation.failed, server.error or resize.clock."""

    event: str
    text: str
    name: str = ""
    place: str = ""

    @property
    def shown(self) -> bool:
        """Whether it stands on the screen already: the strip of Operations tells each one's end."""
        return self.event.startswith("operation.")


@dataclass
class Notices:
    """What there is to tell, each thing once."""

    settings: Notify = field(default_factory=Notify)
    _due: list[Notice] = field(default_factory=list)
    _told: set[int] = field(default_factory=set)
    _resizes: dict[Key, Server] = field(default_factory=dict)
    _clocks: set[Key] = field(default_factory=set)

    def operations(self, operations: Iterable[Operation]) -> None:
        """Tell of those that have failed, and of those that have ended after so long that nobody waited for them."""
        for one in operations:
            if one.ended is None or id(one) in self._told:
                continue
            self._told.add(id(one))
            took = one.ended - one.began
            if one.failed:
                text = f"{one.title} of {one.name} failed: {one.message}"
                self._due.append(Notice("operation.failed", text, one.name, one.place))
            elif took >= self.settings.after:
                text = f"{one.title} of {one.name} has ended after {clock(took)}."
                self._due.append(Notice("operation.ended", text, one.name, one.place))

    def changed(self, batch: Batch[Any]) -> None:
        """Tell of servers that were well when they were last seen, and are in ERROR."""
        self._note_resizes(batch)
        for row in batch.changed:
            before = batch.before.get(row.key)
            if isinstance(row, Server) and isinstance(before, Server) and before.status != "ERROR" == row.status:
                why = f": {row.fault.message}" if row.fault and row.fault.message else "."
                text = f"{row.name or row.id} at {row.place} went into ERROR{why}"
                self._due.append(Notice("server.error", text, row.name, str(row.place)))

    def _note_resizes(self, batch: Batch[Any]) -> None:
        for key in batch.gone:
            self._resizes.pop(key, None)
        for row in batch.changed:
            if isinstance(row, Server) and row.status == "VERIFY_RESIZE":
                self._resizes.setdefault(row.key, row)
            else:
                self._resizes.pop(row.key, None)
                self._clocks.discard(row.key)

    def clocks(self, left: Callable[[Server], float | None]) -> None:
        """Tell of resizes that their cloud will soon keep by itself; `left` gives the seconds until then."""
        for key, row in self._resizes.items():
            rest = left(row)
            if rest is not None and 0 < rest <= self.settings.clock and key not in self._clocks:
                self._clocks.add(key)
                text = f"{row.name} at {row.place} keeps its new flavor in {clock(rest)}: C confirms, V reverts."
                self._due.append(Notice("resize.clock", text, row.name, str(row.place)))

    def take(self) -> list[Notice]:
        """What is due; many of one kind as one."""
        due, self._due = self._due, []
        if len(due) <= FEW:
            return due
        found = []
        for event in dict.fromkeys(one.event for one in due):
            kind = [one for one in due if one.event == event]
            names = ", ".join(one.name for one in kind[:FEW])
            more = f" and {len(kind) - FEW} more" if len(kind) > FEW else ""
            text = f"{len(kind)} {WORDS[event]}: {names}{more}."
            found.append(Notice(event, text) if len(kind) > 1 else kind[0])
        return found


class Teller:
    """Says notices where the user hears them."""

    def __init__(
        self,
        settings: Notify,
        write: Callable[[str], None],
        complain: Callable[[str], None],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.settings, self._write, self._complain, self._environment = settings, write, complain, environment
        self._broken = False

    def ring(self, notices: list[Notice]) -> None:
        """The bell, once for all of them, and a line for each on the desktop."""
        if notices and self.settings.bell:
            self._write("\a")
        for notice in notices:
            if self.settings.desktop != "off":
                self._write(self._sequence(notice))

    def _sequence(self, notice: Notice) -> str:
        """The escape sequence; tmux hands it on where its `allow-passthrough` is on."""
        text = clean(notice.text)
        code = f"9;{text}" if self.settings.desktop == "osc9" else f"777;notify;novadeck;{text.replace(';', ',')}"
        if self._environment.get("TMUX"):
            return f"\x1bPtmux;\x1b\x1b]{code}\a\x1b\\"
        return f"\x1b]{code}\a"

    async def run(self, notice: Notice) -> None:
        """The user's command, with the facts in its environment; one that cannot be run is told once."""
        if not self.settings.command or self._broken:
            return
        facts = {"EVENT": notice.event, "TEXT": notice.text, "NAME": notice.name, "PLACE": notice.place}
        told = {f"NOVADECK_{name}": clean(value) for name, value in facts.items()}
        try:
            process = await asyncio.create_subprocess_exec(
                *self.settings.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={**self._environment, **told},
            )
        except OSError as error:
            self._broken = True
            self._complain(f"The notify command cannot be run: {self.settings.command[0]}: {error.strerror}.")
            return
        await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            self._complain(f"The notify command did not end in {PATIENCE:.0f} s and was ended.")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
