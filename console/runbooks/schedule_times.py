"""When a planned image is due: pure answers from a rhythm, a moment and what was done before; no clock is read here.

A rhythm is a cron expression in a time zone, and so is "daily at 03:00". A clock that is put forward skips no run and
one that is put back repeats none, as cron on Debian has it: what falls into the missing hour runs right after it. Each
run has a window to begin in; the servers of one rhythm are spread over a jitter that is the same on every machine.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from itertools import pairwise, takewhile
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from console.errors import ActionRefused
from console.text import clean

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
SHORTEST = dt.timedelta(minutes=15)  # between two images of one server; no cloud uploads one much faster
BUSY = dt.timedelta(minutes=1)  # until a server that was under way is looked at again
WRONG = dt.timedelta(days=1)  # what was done so far ahead of now was done by a wrong clock
_BACK = tuple(dt.timedelta(days=days) for days in (2, 9, 35, 367, 5 * 367))
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class Rhythm(NamedTuple):
    """A cron expression of five fields in a time zone."""

    cron: str
    zone: str = "UTC"

    def after(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """The moments after this one, in UTC; raises `ActionRefused` where the rhythm or its zone is none."""
        zone = zone_of(self.zone)
        try:
            if len(self.cron.split()) != 5:
                raise CronSimError("a cron expression has five fields")
            for due in CronSim(self.cron, moment.astimezone(zone)):
                utc = due.astimezone(dt.UTC)
                if utc > moment:  # in the hour that comes twice its wall clock looks back
                    yield utc
        except CronSimError as error:
            why = str(error).lower()
            said = f"{clean(self.cron)!r} is no cron expression: {why}."
            raise ActionRefused(said, hint="Such as '30 3 * * *'.") from error

    def next(self, moment: dt.datetime) -> dt.datetime | None:
        """The first moment after this one; None where none ever comes."""
        return next(self.after(moment), None)

    def latest(self, moment: dt.datetime, since: dt.datetime) -> dt.datetime | None:
        """The last moment that is not after `moment`, but after `since`."""
        for back in _BACK:
            start = max(since, moment - back)
            found = list(takewhile(lambda due: due <= moment, self.after(start)))
            if found or start == since:
                return found[-1] if found else None
        return None


def zone_of(name: str) -> dt.tzinfo:
    """The time zone of this name; raises `ActionRefused`."""
    if name == "UTC":
        return dt.UTC  # also where the system has no table of zones
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "Such as Europe/Berlin; the system's package tzdata has them."
        raise ActionRefused(f"{clean(name)!r} is no time zone here.", hint=hint) from None


def daily(time: str, zone: str = "UTC") -> Rhythm:
    """Every day at "03:30"."""
    hour, minute = _clock(time)
    return Rhythm(f"{minute} {hour} * * *", zone)


def weekly(text: str, zone: str = "UTC") -> Rhythm:
    """Every week at "sunday 03:30"."""
    word, _, time = text.strip().lower().partition(" ")
    days = [number for number, day in enumerate(DAYS) if len(word) >= 2 and day.startswith(word)]
    if len(days) != 1:
        raise ActionRefused(f"{clean(text)!r} names no day of the week.", hint="Such as 'sunday 03:30'.")
    hour, minute = _clock(time)
    return Rhythm(f"{minute} {hour} * * {days[0]}", zone)


def checked(rhythm: Rhythm, now: dt.datetime) -> Rhythm:
    """The rhythm, if it comes at all, and not too often; raises `ActionRefused`."""
    runs = [due for due, _ in zip(rhythm.after(now), range(50), strict=False)]
    if not runs:
        raise ActionRefused(f"{clean(rhythm.cron)!r} never comes.")
    if any(later - due < SHORTEST for due, later in pairwise(runs)):
        minutes = SHORTEST.total_seconds() / 60
        raise ActionRefused(f"{clean(rhythm.cron)!r} comes more often than every {minutes:g} minutes.")
    return rhythm


def _clock(text: str) -> tuple[int, int]:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ActionRefused(f"{clean(text)!r} is no time of the day.", hint="Such as 03:30.")
    return int(match[1]), int(match[2])


def jitter(id: str, seconds: int) -> dt.timedelta:
    """How much later than the others this one begins: always the same below `seconds`."""
    if seconds <= 0:
        return dt.timedelta()
    number = int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "big")
    return dt.timedelta(seconds=number % seconds)


class Due(NamedTuple):
    """What is to be done about one plan now, and when to ask again."""

    do: Literal["wait", "run", "miss"]
    slot: dt.datetime | None  # the moment of the rhythm that it is about
    again: dt.datetime
    why: str = ""


class Terms(NamedTuple):
    """By what a plan is due, beside its rhythm."""

    spread: dt.timedelta = dt.timedelta()
    window: dt.timedelta = dt.timedelta(hours=2)
    catch_up: bool = True  # a run that missed its window is made up for, once


def due(rhythm: Rhythm, terms: Terms, handled: dt.datetime, now: dt.datetime, busy: str = "") -> Due:
    """What to do now, where everything up to `handled` was done or given up; `busy` is why it cannot be imaged now."""
    handled = now if handled > now + WRONG else handled
    slot = rhythm.latest(now - terms.spread, handled)
    if slot is None:
        coming = rhythm.next(max(handled, now - terms.spread))
        again = (coming or now + _BACK[-1]) + terms.spread
        return Due("wait", None, again)
    ends = slot + terms.spread + terms.window
    if not busy and (now <= ends or terms.catch_up):
        return Due("run", slot, now)
    if now > ends and not terms.catch_up:
        return Due("miss", slot, now, busy or f"nobody was there to make it before {ends:%Y-%m-%d %H:%M} UTC")
    return Due("wait", slot, now + BUSY, busy)
