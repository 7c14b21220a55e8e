"""v1.0's backup schedules at work: images that appear by themselves, once a day within two hours and once a week.

The windows are hours of the cloud's own calendar (GMT), so they come at their time at any speed, and at once where a
test moves the clock.  What the guide leaves open is chosen here: the image begins within the first hour of its window,
a weekly one an hour later on its day, and one that cannot be made (a resize is going on) is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from console.sim.clock import DAYS, next_time
from console.sim.firstgen_lives import Lives
from console.sim.firstgen_store import OldServer, Schedule

WEEKLY = ("DISABLED", *DAYS)
DAILY = ("DISABLED", *(f"H_{hour:02}00_{(hour + 2) % 24:02}00" for hour in range(0, 24, 2)))
SPREAD = 60


class Backups:
    """Keeps the schedules of one account's servers."""

    def __init__(self, lives: Lives) -> None:
        self.lives = lives
        self.clock = lives.clock

    def change(self, server: OldServer, schedule: Schedule) -> None:
        """This schedule from now on; what the old one had still to do is void."""
        server.schedule, server.updated = schedule, self.clock.time()
        if schedule.enabled and schedule.daily != "DISABLED":
            self._wait(server, schedule, "daily", lambda now: _next_daily(now, schedule, server.id))
        if schedule.enabled and schedule.weekly != "DISABLED":
            self._wait(server, schedule, "weekly", lambda now: _next_weekly(now, schedule, server.id))

    def _wait(self, server: OldServer, schedule: Schedule, name: str, after: Callable[[datetime], datetime]) -> None:
        def due() -> None:
            if server.deleted or server.schedule is not schedule:
                return
            if server.status == "ACTIVE" and not self.lives.store.in_flight(server):
                self.lives.image(server, name)
            self._wait(server, schedule, name, after)

        self.clock.at(after(self.clock.now()).timestamp(), due)


def _next_daily(now: datetime, schedule: Schedule, id: int) -> datetime:
    return next_time(now, int(schedule.daily[2:4]), id % SPREAD)


def _next_weekly(now: datetime, schedule: Schedule, id: int) -> datetime:
    hour = int(schedule.daily[2:4]) + 1 if schedule.daily != "DISABLED" else 0
    return next_time(now, hour, id % SPREAD, schedule.weekly)
