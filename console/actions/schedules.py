"""Images that a cloud makes by itself: the first generation's backup schedule, and Rackspace's scheduled images.

They are two things with two verbs, since neither can do what the other does: a two-hour window and a day of the week
without end, or daily or weekly without an hour and with a number to keep.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

from console.actions.declared import Ask, Order, action
from console.clouds.dialect import Accepted
from console.errors import ActionRefused
from console.model.image import Image
from console.model.schedule import DAYS, OFF, WINDOWS, Schedule


@dataclass(frozen=True)
class Shown:
    """A schedule, and its next run by the cloud's own time."""

    schedule: Schedule
    next_run: dt.datetime | None
    columns: ClassVar[tuple[str, ...]] = ("what", "enabled", "daily", "weekly", "keeps", "next_run")

    def plain(self) -> dict[str, Any]:
        """As an object for programs."""
        told = self.schedule
        return {
            "what": told.what,
            "enabled": told.enabled,
            "daily": told.daily or None,
            "weekly": told.weekly or None,
            "keeps": told.keeps,
            "next_run": self.next_run,
        }

    def cells(self) -> list[list[Any]]:
        """As rows of a table, under `columns`."""
        return [list(self.plain().values())]

    def lines(self) -> list[str]:
        """As lines to read."""
        return [
            f"{name.replace('_', ' '):<10}{'—' if value is None else value}" for name, value in self.plain().items()
        ]


@action("server.schedule", title="schedule", command="server schedule show", needs="schedule.list", reads=True)
async def show(order: Order) -> "Shown":
    """Show which images the cloud makes of the server by itself."""
    found = await order.dialect.schedule(order.row.id)
    return Shown(found, found.next_run(order.dialect.now()))


async def look_at_backups(order: Order) -> str:
    """Refuse a schedule that would make nothing."""
    if order.given["daily"] == order.given["weekly"] == OFF:
        raise ActionRefused("Neither a daily window nor a day of the week was given.", hint="Or disable the schedule.")
    return "times are GMT, and what the cloud aims at"


@action(
    "server.backup_schedule",
    title="backup schedule",
    command="server backup schedule",
    needs="server.backup_schedule",
    asks=(
        Ask("daily", "choice", "daily window", "two hours of each day, GMT", default=OFF, choices=(OFF, *WINDOWS)),
        Ask("weekly", "choice", "weekly day", "a day of the week, GMT", default=OFF, choices=(OFF, *DAYS)),
    ),
    look=look_at_backups,
)
async def backup_schedule(order: Order) -> Accepted:
    """Have the cloud make a daily image, a weekly one, or both."""
    return await order.dialect.act("server.backup_schedule", order.row.id, enabled=True, **order.given)


@action(
    "server.backup_schedule_off",
    title="no backup schedule",
    command="server backup unschedule",
    needs="server.backup_schedule",
    confirm="Have the cloud make no more images of {name}? Those that there are stay.",
)
async def backup_schedule_off(order: Order) -> Accepted:
    """Disable the backup schedule; the cloud remembers it, and keeps its images."""
    return await order.dialect.act("server.backup_schedule", order.row.id, enabled=False)


@action(
    "server.image_schedule",
    title="scheduled images",
    command="server image schedule",
    needs="server.image_schedule",
    asks=(
        Ask("keep", "number", "keep", "how many are kept; older ones are deleted", required=True, least=1),
        Ask("day", "choice", "day", "weekly on this day; daily without one", choices=DAYS),
    ),
)
async def image_schedule(order: Order) -> Accepted:
    """Have the cloud make an image daily, or weekly on one day, and keep so many; it chooses the hour."""
    given = {"keeps": order.given["keep"], "day": order.given.get("day", "")}
    return await order.dialect.act("server.image_schedule", order.row.id, enabled=True, **given)


@action(
    "server.image_schedule_off",
    title="no scheduled images",
    command="server image unschedule",
    needs="server.image_schedule",
    confirm="Have the cloud make no more images of {name}? Those that there are stay.",
)
async def image_schedule_off(order: Order) -> Accepted:
    """End the scheduled images; those that there are stay, and none is deleted any more."""
    return await order.dialect.act("server.image_schedule", order.row.id, enabled=False)


async def look_at_keep(order: Order) -> str:
    """Refuse an image that no schedule will take away."""
    if not order.row.scheduled:
        raise ActionRefused(f"{order.row.name} was made by no schedule, so nothing takes it away.")
    return ""


@action(
    "image.keep",
    title="keep",
    command="image keep",
    on=Image,
    needs="image.keep",
    look=look_at_keep,
)
async def keep(order: Order) -> Accepted:
    """Keep an image that a schedule made, beyond the number that it keeps."""
    return await order.dialect.act("image.keep", order.row.id)
