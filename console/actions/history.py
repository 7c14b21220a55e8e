"""What was asked of a server and what became of it: the cloud's own record, joined with what we saw change.

The cloud keeps who asked what, under which request; we keep which status came when, also for clouds that record
nothing. One line per happening, oldest first.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.actions.declared import Ask, Order, action
from console.clouds.dialect import Dialect
from console.errors import CloudError, Unauthorized

_WORTH = ("status", "task_state", "name", "flavor", "power", "locked", "fault")
AT_ONCE = 6  # records whose events are asked for at the same time


@dataclass(frozen=True)
class Event:
    """One step of an action on a host."""

    name: str
    began: dt.datetime | None
    ended: dt.datetime | None
    result: str = ""


@dataclass(frozen=True)
class Happening:
    """One thing that happened to a server: asked of the cloud, or seen by us."""

    at: dt.datetime | None
    what: str  # the action, or the statuses before and after
    told_by: str  # "cloud" or "seen"
    request_id: str = ""
    user_id: str = ""
    unasked: bool = False  # the record says that nobody asked for it: the cloud did it by itself
    failed: bool = False
    text: str = ""
    events: tuple[Event, ...] = ()

    @property
    def took(self) -> float | None:
        """Seconds from the first event to the last, where both are told."""
        ends = [event.ended for event in self.events if event.ended]
        begins = [event.began for event in self.events if event.began]
        return (max(ends) - min(begins)).total_seconds() if ends and begins else None

    def plain(self) -> dict[str, Any]:
        """As an object for programs."""
        events = [
            {"event": one.name, "began": one.began, "ended": one.ended, "result": one.result} for one in self.events
        ]
        return {
            "at": self.at,
            "what": self.what,
            "told_by": self.told_by,
            "request_id": self.request_id or None,
            "user_id": self.user_id or None,
            "unasked": self.unasked,
            "failed": self.failed,
            "seconds": self.took,
            "text": self.text,
            "events": events,
        }


@dataclass(frozen=True)
class History:
    """All happenings of one server, oldest first."""

    happenings: tuple[Happening, ...] = ()
    columns: tuple[str, ...] = field(
        default=("at", "what", "told_by", "failed", "seconds", "request_id", "text"), repr=False
    )

    def plain(self) -> list[dict[str, Any]]:
        """As objects for programs."""
        return [one.plain() for one in self.happenings]

    def cells(self) -> list[list[Any]]:
        """As rows of a table, under `columns`."""
        return [[one[name] for name in self.columns] for one in self.plain()]

    def lines(self) -> list[str]:
        """As lines to read."""
        found = []
        for one in self.happenings:
            what = f"{one.what}{' failed' if one.failed else ''} {one.text} {one.request_id}"
            found.append(f"{one.at:%Y-%m-%d %H:%M:%S}: {what}" if one.at else f"?: {what}")
        return [" ".join(line.split()) for line in found]


@action(
    "server.history",
    title="history",
    command="server history",
    needs="server.history",
    reads=True,
    asks=(Ask("events", "flag", "events", "ask for the events of each action, too"),),
)
async def history(order: Order) -> History:
    """Tell what was asked of the server, and what became of it."""
    asked = await asked_of(order.dialect, order.row.id, events=bool(order.given.get("events")))
    return joined(asked, await order.ground.history(order.row.key))


async def asked_of(dialect: Dialect, id: str, *, events: bool = False) -> list[Happening]:
    """What the cloud recorded of a server, newest first; with `events`, where the cloud tells them to us."""
    records = await dialect.instance_actions(id)
    if not events:
        return [read(record) for record in records]
    gate = asyncio.Semaphore(AT_ONCE)

    async def whole(record: Mapping[str, Any]) -> Mapping[str, Any]:
        async with gate:
            try:
                return await dialect.instance_action(id, str(record.get("request_id")))
            except Unauthorized:
                raise
            except CloudError:  # events are an administrator's matter on older clouds
                return record

    return [read(record) for record in await asyncio.gather(*map(whole, records))]


def read(record: Mapping[str, Any]) -> Happening:
    """One of the cloud's records."""
    events = tuple(
        Event(str(event.get("event")), moment(event.get("start_time")), moment(event.get("finish_time")),
              str(event.get("result") or ""))
        for event in sorted(record.get("events") or (), key=lambda event: str(event.get("start_time")))
        if isinstance(event, Mapping)
    )  # fmt: skip
    text = str(record.get("message") or "")
    bad = next((event for event in events if event.result.lower() == "error"), None)
    return Happening(
        at=moment(record.get("start_time")),
        what=str(record.get("action") or "?"),
        told_by="cloud",
        request_id=str(record.get("request_id") or ""),
        user_id=str(record.get("user_id") or ""),
        unasked="user_id" in record and record["user_id"] is None,
        failed=bool(text) or bad is not None,
        text=f"{text}: {bad.name}" if text and bad else text or (f"Error: {bad.name}" if bad else ""),
        events=events,
    )


def moment(text: Any) -> dt.datetime | None:
    """A time as Nova tells it, which is UTC whether it says so or not."""
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def joined(asked: Sequence[Happening], changes: Sequence[Any]) -> History:
    """Both, in the order in which they happened."""
    seen = [Happening(at=change.at, what=change.what, told_by="seen", text=_told(change)) for change in changes]
    first = dt.datetime.min.replace(tzinfo=dt.UTC)
    # The cloud tells the newest first and to the second: two of one second stay in its order, turned round.
    return History(tuple(sorted([*reversed(asked), *seen], key=lambda one: one.at or first)))


def _told(change: Any) -> str:
    """What changed, such as "status ACTIVE > REBOOT"."""
    said = []
    for name, (before, after) in change.fields.items():
        if name in _WORTH and before != after:
            told = _word(after)
            said.append(f"{name} {_word(before)} > {told}" if before is not None else f"{name} {told}")
    return ", ".join(said)


def _word(value: Any) -> str:
    """A value as a person says it."""
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"
