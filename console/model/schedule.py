"""A schedule of images: what a cloud makes of a server by itself, and when it does next.

Two clouds know such a thing, each in its own way. The first generation has a two-hour window a day and one day of the
week; Rackspace's next one has a daily or a weekly image and a number to keep, and no hour. All times are GMT.
"""

import datetime as dt

from console.model.place import Row

DAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")  # as both clouds call them
WINDOWS = tuple(f"H_{hour:02}00_{(hour + 2) % 24:02}00" for hour in range(0, 24, 2))
OFF = "DISABLED"


class Schedule(Row, frozen=True, kw_only=True, gc=False):
    """The schedule of one server, whose id and name it has."""

    what: str = ""  # "backup schedule", "scheduled images", or who else keeps it
    enabled: bool = True
    daily: str = ""  # a window such as H_0400_0600, "any hour", or "" for none
    weekly: str = ""  # a day, or "" for none
    keeps: int | None = None  # how many are kept; None where the cloud keeps all
    rhythm: str = ""  # of one that no cloud keeps, in its own words
    due: dt.datetime | None = None  # of one that no cloud keeps
    trouble: str = ""  # why the last one was not made

    def next_run(self, now: dt.datetime) -> dt.datetime | None:
        """When the next image may begin; None where none is to come. The cloud promises no moment, only a window."""
        if not self.enabled or self.due is not None:
            return self.due if self.enabled else None
        hour = int(self.daily[2:4]) if self.daily in WINDOWS else 0
        first = now.astimezone(dt.UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
        coming = [first + dt.timedelta(days=day) for day in range(9)]
        runs = [moment for moment in coming if moment > now and (self.daily or _day(moment) == self.weekly)]
        return runs[0] if runs else None


def _day(moment: dt.datetime) -> str:
    return DAYS[(moment.weekday() + 1) % 7]
