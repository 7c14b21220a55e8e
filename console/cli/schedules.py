"""Planned images from the command line: what is planned, and changes to it, which open no cloud; and a run by hand.

`add` is an action like any other, and so it is found with those. `lines` prints what makes the images on a host without
a keeper: a timer for systemd, or a line for cron.
"""

import datetime as dt
import os
import sys
from collections.abc import Sequence

import msgspec

from console.cli import reach
from console.cli.columns import chosen
from console.cli.main import Exit
from console.cli.ops import follow
from console.cli.output import Column, Sheet, write, write_objects
from console.cli.parse import Given
from console.cli.voice import asked, say, someone_there
from console.core.settings import Paths
from console.errors import ActionRefused, ConfigError
from console.runbooks.schedule_book import PlanBook, Planned, book_in
from console.text import clean

# Neither systemd nor cron hands on where this shell keeps its files.
FOLDERS = ("OS_CLIENT_CONFIG_FILE", "XDG_CONFIG_HOME", "XDG_STATE_HOME")


def book() -> PlanBook:
    """The plans of this user's state folder."""
    return book_in(Paths().state)


def list_(given: Given) -> int:
    """Print all plans."""
    plans = sorted(book().read().values(), key=lambda plan: (plan.name, plan.id))
    form = given.get("format", "table")
    if form in ("json", "yaml", "ndjson"):
        write_objects([plain(plan) for plan in plans], form)
        return Exit.DONE
    picked = chosen(COLUMNS, given.get("column", []), long=False)
    fixed = frozenset(column.id for column in picked if not column.cut)
    rows = [[column.value(plan) for column in picked] for plan in plans]
    write(Sheet(tuple(column.id for column in picked), rows, fixed), form)
    return Exit.DONE


def plain(plan: Planned) -> dict[str, object]:
    """A plan as one object."""
    return {"v": 1, **msgspec.to_builtins(plan), "next": _next(plan)}


def _next(plan: Planned) -> str:
    coming = plan.next_run(dt.datetime.now(dt.UTC))
    return f"{coming:%Y-%m-%d %H:%M}" if coming is not None else ""


COLUMNS = (
    Column("id", lambda plan: plan.id, cut=False),
    Column("server", lambda plan: plan.name),
    Column("place", lambda plan: str(plan.place)),
    Column("when", lambda plan: f"{plan.cron} {plan.zone}", cut=False),
    Column("next", lambda plan: "paused" if plan.paused else _next(plan), cut=False),
    Column("keep", lambda plan: plan.keep),
    Column("last", lambda plan: "running" if plan.run else plan.ended),
    Column("result", lambda plan: plan.result),
)


def _one(word: str) -> Planned:
    found = book().find(word)
    if len(found) > 1:
        ids = ", ".join(plan.id for plan in found)
        raise ConfigError(f"{len(found)} plans fit {clean(word)!r}.", hint=f"Give one of {ids}.")
    return found[0]


def remove(given: Given) -> int:
    """Forget plans; their images stay."""
    plans = [_one(name) for name in given.names]
    told = ", ".join(f"{plan.id} ({plan.name})" for plan in plans)
    if not given.get("yes") and someone_there():
        answer = asked(f"Forget {told}? Their images stay. [y/N]")
        if answer.casefold() not in ("y", "yes"):
            raise ActionRefused("Nothing was done.")
    for plan in plans:
        with book().locked():
            book().forget(plan.id)
    say(f"forgotten: {told}")
    return Exit.DONE


def pause(given: Given) -> int:
    """Make no images by these plans until they are resumed."""
    return _set(given.names, paused=True)


def resume(given: Given) -> int:
    """Make images by these plans again, from now on."""
    return _set(given.names, paused=False, handled=dt.datetime.now(dt.UTC))


def _set(names: Sequence[str], **changed: object) -> int:
    plans = [_one(name) for name in names]
    for plan in plans:
        with book().locked():
            book().keep(msgspec.structs.replace(book().read()[plan.id], **changed))
        say(f"{plan.id} ({plan.name}): {'paused' if changed['paused'] else 'goes on'}")
    return Exit.DONE


def lines(given: Given) -> int:
    """Print what makes a plan's images on a host without a keeper."""
    from console.runbooks.schedule_units import crontab, systemd

    plan = _one(given.names[0])
    there = [f"{name}={os.environ[name]}" for name in FOLDERS if os.environ.get(name)]
    start = [*(["/usr/bin/env", *there] if there else []), sys.executable, "-m", "console.cli.main"]
    command = [*start, "--os-cloud", plan.cloud, "schedule", "run", plan.id, "--due"]
    if given.get("for", "systemd") == "cron":
        print(crontab(plan, command), end="")
    else:
        print(systemd(plan, command), end="")
        say("Save both in ~/.config/systemd/user, then: systemctl --user enable --now " + f"novadeck-{plan.id}.timer")
    return Exit.DONE


def run(given: Given) -> int:
    """Make an image by a plan, and carry it to its end in this terminal."""
    plan = _one(given.names[0])
    given.options["os_cloud"], given.options["os_region_name"] = [plan.cloud], [plan.region] if plan.region else None
    return reach.run(_run(given, plan))


async def _run(given: Given, plan: Planned) -> int:
    from console.runbooks.schedule import Scheduler

    async with reach.reach(given) as ops:
        await ops.fleet.ready(plan.place)
        scheduler = Scheduler(ops, ops.journal, ops.clock)
        id = await (scheduler.run_due(plan) if given.get("due") else scheduler.run_now(plan))
        if id is None:
            say(f"{plan.id} ({plan.name}): nothing is due.")
            return Exit.DONE
        code = await follow(ops, [id], given.get("format", "table"))
        await scheduler.note(book().read()[plan.id])
        return code
