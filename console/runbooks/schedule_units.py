"""A plan for a host on which no keeper runs: the same rhythm as a systemd timer, or as a line for cron.

Both call `novadeck schedule run ID --due`, which makes what is due and not made yet and waits for its server's turn, so
that a keeper beside them does no harm. What one of them cannot say is refused, rather than said nearly.
"""

import re
import shlex
from collections.abc import Iterator, Sequence

from console.errors import ActionRefused
from console.runbooks.schedule_book import Planned
from console.text import clean

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")


def calendar(plan: Planned) -> list[str]:
    """The rhythm as systemd's OnCalendar has it; cron takes one of two kinds of days, which are two lines here."""
    minute, hour, day, month, weekday = plan.cron.split()
    time = f"{_numbers(hour, 0)}:{_numbers(minute, 0)}:00"
    zone = f" {plan.zone}"
    date = f"*-{_numbers(month, 1, _MONTHS)}-"
    either = not (day.startswith("*") or weekday.startswith("*"))
    both = f"{_weekdays(weekday)}{date}{_numbers(day, 1)} {time}{zone}"
    return [f"{date}{_numbers(day, 1)} {time}{zone}", f"{_weekdays(weekday)}{date}* {time}{zone}"] if either else [both]


def _numbers(field: str, first: int, names: Sequence[str] = ()) -> str:
    """A field of numbers: 1-5 is 1..5 there, and */15 is 0/15."""
    return "*" if field == "*" else ",".join(_part(part, first, names) for part in field.split(","))


def _part(part: str, first: int, names: Sequence[str]) -> str:
    match = _PART.fullmatch(part)
    words = [_number(word, names) for word in match.groups()[:2] if word] if match else []
    if match is None or not all(word == "*" or word.isdigit() for word in words):
        raise ActionRefused(f"{clean(part)!r} cannot be told to a systemd timer.", hint="Use --as cron.")
    text = "..".join(words)
    if not match[3]:
        return text
    return f"{first if text == '*' else text}/{match[3]}"


def _number(word: str, names: Sequence[str]) -> str:
    return str([name.upper() for name in names].index(word.upper()) + 1) if word.upper() in names else word


def _weekdays(field: str) -> str:
    """The days of the week by name, with a space behind; "" for every day."""
    if field == "*":
        return ""
    days = sorted({number % 7 for part in field.split(",") for number in _days(part)})
    return ",".join(_DAYS[day] for day in days) + " "


def _days(part: str) -> Iterator[int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise ActionRefused(f"{clean(part)!r} cannot be told to a systemd timer.", hint="Use --as cron.")
    first, last, step = match.groups()
    start, end = (0, 6) if first == "*" else (_day(first), _day(last) if last else _day(first))
    yield from range(start, (6 if step and not last else end) + 1, int(step or 1))


def _day(word: str) -> int:
    short = word.capitalize()[:3]
    if short in _DAYS:
        return _DAYS.index(short)
    if not (word.isdigit() and int(word) <= 7):
        raise ActionRefused(f"{clean(word)!r} is no day of the week.")
    return int(word)


def systemd(plan: Planned, command: Sequence[str]) -> str:
    """A timer and its service, with the files' names as comments."""
    name = f"novadeck-{plan.id}"
    what = f"images of {clean(plan.name)} by novadeck's plan {plan.id}".replace("%", "%%")
    when = "".join(f"OnCalendar={line}\n" for line in calendar(plan))
    again = "true" if plan.catch_up else "false"
    return (
        f"# {name}.timer\n[Unit]\nDescription={what}\n\n"
        f"[Timer]\n{when}Persistent={again}\n\n[Install]\nWantedBy=timers.target\n\n"
        f"# {name}.service\n[Unit]\nDescription={what}\n\n"
        f"[Service]\nType=oneshot\nExecStart={' '.join(map(_word, command))}\n"
    )


def _word(text: str) -> str:
    """One word of ExecStart."""
    told = text.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{told}"' if told != text or re.search(r"[\s']", text) or not text else text


def crontab(plan: Planned, command: Sequence[str]) -> str:
    """Lines for a crontab."""
    line = shlex.join(command).replace("%", r"\%")
    zone = "" if plan.zone == "UTC" else " (a cron that knows no CRON_TZ goes by this machine's own time)"
    return f"# images of {clean(plan.name)}, by {plan.zone}{zone}\nCRON_TZ={plan.zone}\n{plan.cron} {line}\n"
