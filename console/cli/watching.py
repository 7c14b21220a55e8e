"""What changes, as it happens: lines for people, one object per change for programs; and waiting for one value.

Only changes are told: what is there at the start is known silently, also where a cloud answers late. One change is one
line, with what it was and what it is.
"""

import asyncio
import datetime as dt
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from console.cli import reach
from console.cli.columns import server_columns, sheet
from console.cli.naming import named_servers
from console.cli.output import iso, plain, text, to_json, write
from console.cli.parse import Given, UsageError, nearest
from console.cli.voice import say
from console.core.news import News
from console.core.until import AWAY, Passing, within
from console.errors import NotFound, WaitTimeout
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Place, Row
from console.model.server import Server
from console.model.status import STATUSES

if TYPE_CHECKING:
    from console.session import Collection, Console

KINDS: dict[str, type[Row]] = {"server": Server, "image": Image, "flavor": Flavor}


def watch(given: Given) -> int:
    """Print every change until interrupted."""
    return reach.run(_watch(given))


async def _watch(given: Given) -> int:
    printer = Printer(given.get("format", "lines"))
    async with reach.reach(given) as ops:
        failed = reach.tell_troubles(ops, {})
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_lanes(ops), name="watch lanes")]
            for kind in given.names or tuple(KINDS):
                tasks.append(group.create_task(_follow(ops, kind, printer), name=f"watch {kind}s"))
            if (seconds := given.get("timeout")) is not None:
                await asyncio.sleep(seconds)
                for task in tasks:
                    task.cancel()
    return reach.verdict(failed, 1)


def collection(ops: "Console", kind: str) -> "Collection[Any]":
    """The console's rows of a kind."""
    found: Collection[Any] = getattr(ops, f"{kind}s")
    return found


async def _follow(ops: "Console", kind: str, printer: "Printer") -> None:
    """Tell the changes of one kind: first know all that is there, then compare."""
    began = dt.datetime.now(dt.UTC)
    found = await collection(ops, kind).list()
    say(f"watching {len(found.rows)} {kind}s of {len(ops.places) - len(found.troubles)} of {len(ops.places)} places")
    news = News(kind, {row.key: row for row in found.rows}, frozenset(found.troubles), began)
    async for batch in collection(ops, kind).watch():
        for change in news.of(batch):
            printer.tell(change)


async def _lanes(ops: "Console") -> None:
    """Say on stderr when a cloud stops answering, and when it answers again."""
    mute: set[Place] = set()
    async for _ in ops.store.watch_health():
        for place, health in ops.health.items():
            if health.mute and place not in mute:
                mute.add(place)
                say(f"{place} is {health.state}: {health.reason}")
            elif place in mute and not health.mute and health.state != "asking":
                mute.discard(place)
                say(f"{place} answers again")


class Printer:
    """Writes changes to stdout, each flushed at once."""

    def __init__(self, form: str) -> None:
        self.form = form

    def tell(self, change: Mapping[str, Any]) -> None:
        """One change, as one line."""
        print(to_json(change) if self.form == "ndjson" else line(change), file=sys.stdout, flush=True)


def line(change: Mapping[str, Any]) -> str:
    """A change in words."""
    name = text(change["name"] or change["id"])
    said = f"{iso(change['time'])} {change['place']} {change['kind']} {name} {change['event']}"
    moved = [
        f"{field}: {text(values['old']) or '-'} -> {text(values['new']) or '-'}"
        for field, values in change.get("changed", {}).items()
        if field not in ("word", "updated")
    ]
    return f"{said} {'; '.join(moved)}".rstrip()


def wait(given: Given) -> int:
    """Wait until all servers named have one of the values."""
    return reach.run(_wait(given))


def goal(words: str) -> tuple[str, frozenset[str]]:
    """What `--for` asks: a field and its values, or "gone". Raises `UsageError`."""
    field, joined, values = words.partition("=")
    if field == "gone" and not joined:
        return "gone", frozenset()
    if not joined or field not in (*Server.__struct_fields__, "status", "power", "address"):
        raise UsageError(f"--for needs FIELD=VALUES or gone, such as status=ACTIVE,ERROR, not '{words}'.")
    wanted = [value.strip().casefold() for value in values.split(",")]
    if field == "status" and (never := [value for value in wanted if value.upper() not in STATUSES]):
        raise UsageError(f"No server's status is ever '{never[0]}'." + nearest(never[0].upper(), sorted(STATUSES)))
    return field, frozenset("" if value == "none" else value for value in wanted)


def met(row: Row | None, field: str, values: frozenset[str]) -> bool:
    """Whether a server is where it was waited for; None is a server that is gone."""
    if row is None:
        return field == "gone"
    value = getattr(row, field, None)
    return field != "gone" and (plain_word(value) in values)


def plain_word(value: Any) -> str:
    """A value as `--for` spells it: without case; nothing is the empty word, and so is "none"."""
    return "" if value is None else str(plain(value)).casefold()


async def _wait(given: Given) -> int:
    field, values = goal(given.options["for"])
    async with reach.reach(given) as ops:
        rows = await named_servers(ops, given.names)
        ends = await asyncio.gather(*(_until(ops, row, field, values, given) for row in rows))
    errors = [end for end in ends if isinstance(end, WaitTimeout | NotFound)]
    for error in errors:
        say(f"novadeck: {error}")
    columns = [
        column for column in server_columns({}, {}) if column.id in ("id", "name", "status", "task_state", "place")
    ]
    good = [end for end in ends if isinstance(end, Server)]
    write(sheet(columns, good), given.get("format", "table"))
    return reach.verdict(len(errors), len(ends) - len(errors), errors)


def state_of(row: Server) -> str:
    """What a server is, and what is being done to it."""
    return " ".join(filter(None, [row.status, row.task_state]))


class Look(NamedTuple):
    """What one question found: the server, that it is `missing`, or neither where nobody answered."""

    state: str
    row: Server | None = None
    missing: NotFound | None = None

    @property
    def answered(self) -> bool:
        """Whether the cloud told anything."""
        return self.row is not None or self.missing is not None


async def _look(ops: "Console", row: Server, seconds: float | None) -> Look:
    try:
        async with asyncio.timeout(seconds):
            now = await ops.servers.get(row)
        return Look(state_of(now), now)
    except NotFound as error:
        return Look("gone", missing=error)
    except AWAY as error:  # a cloud that is away for a while ends no wait
        return Look(f"out of sight: {str(error).rstrip('.')}")
    except TimeoutError:
        return Look("out of sight: no answer")


async def _until(
    ops: "Console", row: Server, field: str, values: frozenset[str], given: Given
) -> Server | WaitTimeout | NotFound:
    """The server as it is when it is there, or why it is not."""
    name, timeout, began = row.name or row.id, given.get("timeout"), ops.clock.monotonic()
    seen, last, passing = state_of(row), "", Passing()
    while True:
        look = await _look(ops, row, within(timeout, ops.clock.monotonic() - began))
        if look.missing and field != "gone":
            return look.missing
        passed = ops.clock.monotonic() - began
        if given.get("verbose") or look.state != last:
            say(f"{name}: {look.state}" + (f" after {passed:.1f} s" if given.get("verbose") else ""))
        last, seen = look.state, look.state if look.answered else seen
        through = look.answered and passing.through(look.row) and field == "status"
        if look.answered and not through and met(look.row, field, values):
            return look.row or row
        if timeout is not None and passed >= timeout:
            told = f"{seen} after {timeout:g} s" + ("" if look.answered else f" as last seen; now {look.state}")
            return WaitTimeout(f"{name} is {told}.", last=seen)
        await ops.clock.sleep(_pause(given, passed))


def _pause(given: Given, passed: float) -> float:
    """The seconds until the next look: the interval asked for, and never past the end."""
    timeout, interval = given.get("timeout"), given.get("interval")
    pause = float(interval) if interval is not None else 1.0 if passed < 30 else 2.0
    return max(0.05, pause if timeout is None else min(pause, timeout - passed))
