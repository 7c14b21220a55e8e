"""The audit as rows that can be followed: one for each order, joined from its lines, of every process that writes them.

Lines of this process are taken when they are written; those of others, since a file tells nobody, by a look every few
seconds at what was appended. A file that was rotated away is begun anew. It reads, and never writes.
"""

import asyncio
import datetime as dt
import json
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from console.actions.audit import VERSION, Audit
from console.core.clock import Bell, Clock
from console.core.watch import Batch
from console.model.deed import Deed
from console.model.place import Key, Place

LOOK = 3.0  # seconds between two looks at what others have appended
MOST = 8 * 1024 * 1024  # bytes of the file's end that are read: some twenty thousand lines
KEPT = 10_000  # orders


class Trail:
    """The deeds of one audit file."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self.audit, self.clock = audit, clock

    async def watch(self) -> AsyncGenerator[Batch[Deed], None]:
        """Batches of deeds that are new, or of which more was written; those of the past first."""
        bell, reading = Bell(), Reading(self.audit.path)

        def ring(line: Mapping[str, Any]) -> None:
            bell.ring()

        self.audit.listeners.append(ring)
        try:
            yield Batch(kind=Deed, changed=tuple(await asyncio.to_thread(reading.more)), reset=True)
            while True:
                await self.clock.sleep(LOOK, bell)
                begun = reading.begun
                changed = tuple(await asyncio.to_thread(reading.more))
                if reading.begun != begun:
                    yield Batch(kind=Deed, changed=tuple(reading.deeds.values()), reset=True)
                elif changed:
                    yield Batch(kind=Deed, changed=changed)
        finally:
            self.audit.listeners.remove(ring)


class Reading:
    """How far an audit file was read, and what was found in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.deeds: dict[str, Deed] = {}
        self.begun = 0  # how often it was begun anew
        self._file: tuple[int, int] | None = None
        self._offset = 0
        self._rest = b""  # of a line that was not whole yet

    def more(self) -> list[Deed]:
        """The deeds that what was appended since is about; blocks while it reads."""
        moved: dict[str, Deed] = {}
        for line in self._lines():
            deed = told(line, self.deeds.get(str(line.get("order"))))
            if deed is not None:
                self.deeds[deed.id] = moved[deed.id] = deed
        while len(self.deeds) > KEPT:
            del self.deeds[next(iter(self.deeds))]
        return list(moved.values())

    def _lines(self) -> Iterable[Mapping[str, Any]]:
        for text in self._appended():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and line.get("v") == VERSION:
                yield line

    def _appended(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                self._find(file)
                data = self._rest + file.read()
                self._offset = file.tell()
        except OSError:  # there is none yet, or none any more
            return []
        *lines, self._rest = data.split(b"\n")
        return lines

    def _find(self, file: Any) -> None:
        """Go to where it was left; to the beginning, or near the end of a long one, where it is another file now."""
        found = os.fstat(file.fileno())
        same = self._file == (found.st_dev, found.st_ino) and found.st_size >= self._offset
        if not same:
            self.begun += self._file is not None
            self.deeds.clear()
            self._file, self._rest = (found.st_dev, found.st_ino), b""
            self._offset = max(0, found.st_size - MOST)
        file.seek(self._offset)
        if not same and self._offset:
            file.readline()  # half a line


def told(line: Mapping[str, Any], before: Deed | None) -> Deed | None:
    """A deed after one more line of the audit; None for a line that is of no order."""
    id, event, at = str(line.get("order") or ""), str(line.get("event") or ""), moment(line.get("at"))
    if not id or not event:
        return None
    deed = before or _begun(line, id, at)
    return msgspec.structs.replace(
        deed,
        event=event,
        ok=event != "failed" and line.get("ok") is not False,
        ended=at,
        request_id=str(line.get("request_id") or deed.request_id),
        message=str(line.get("message") or deed.message),
        target_id=str(deed.target_id or line.get("made") or ""),
    )


def _begun(line: Mapping[str, Any], id: str, at: dt.datetime | None) -> Deed:
    target = line.get("target")
    target = target if isinstance(target, dict) else {}
    cloud, _, region = str(line.get("place") or "").partition("/")
    return Deed(
        id=id,
        name=str(target.get("name") or ""),
        key=Key("audit", "", "deed", id),
        place=Place(cloud, region),
        action=str(line.get("action") or ""),
        at=at,
        user=str(line.get("user") or ""),
        pid=line["pid"] if isinstance(line.get("pid"), int) else 0,
        target_kind=str(target.get("kind") or ""),
        target_id=str(target.get("id") or ""),
        why=str(line.get("why") or ""),
    )


def moment(text: Any) -> dt.datetime | None:
    """A time as the audit writes it."""
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
