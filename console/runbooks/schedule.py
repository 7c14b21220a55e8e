"""Images by plan: made while a console or `novadeck keep` is there, and made up for when none was.

A plan is a row on disk. When it is due, and the server is at rest, a quiet snapshot begins as an operation like any
other, which no crash can lose, with the plan's mark on the image; afterwards those of its images go that are too many.
Where the cloud makes backups by itself (`createBackup`) it is asked to, under a name that only this plan uses, since
the cloud deletes the oldest of that name by itself. Where the cloud has schedules of its own it keeps the plan.
"""

import asyncio
import datetime as dt
from typing import Any, NamedTuple

import msgspec

from console.actions.action import perform, read_only, verdict
from console.actions.audit import Audit
from console.actions.declared import Ask, Order, action
from console.clouds.dialect import Accepted
from console.core.clock import Clock
from console.errors import ActionRefused, CloudError, ConfigError, ConsoleError, NotFound
from console.model.schedule import DAYS, WINDOWS
from console.model.server import Server
from console.runbooks import snapshot
from console.runbooks.journal import Journal, RunRecord, UnknownRun
from console.runbooks.marks import MARKED, UNMARKED
from console.runbooks.rotation import surplus
from console.runbooks.runbook import Facts, Run, Step, runbook
from console.runbooks.schedule_book import PlanBook, Planned, book_in, new_id
from console.runbooks.schedule_times import Rhythm, checked, daily, due, weekly

LOOK = 30.0  # seconds between two looks at the plans
EARLY = dt.timedelta(minutes=5)  # that another scheduler's clock may be ahead of the cloud's
RUN = "server.scheduled_image"


# What a plan's operation does


async def rotate(run: Run) -> Facts:
    """Delete what is too many of the plan's own images."""
    plan, keep = run.given["schedule"], int(run.given["keep"])
    known = [image async for page in run.dialect.images(filters={"schedule": plan}) for image in page]
    gone = []
    for image in surplus(known, plan, run.target, keep, run.dialect.now()):
        await run.perform("image.delete", image)
        gone.append(image.name)
    run.tell(f"deleted {', '.join(gone)}" if gone else "nothing is too many")
    return {"rotated": gone}


SCHEDULED = runbook(
    RUN,
    version=1,
    title="planned image",
    help="Make the image of a plan, and delete those of its images that are too many.",
    command="",
    like="server.snapshot",
    needs="server.snapshot",
    many=False,
    asks=(
        Ask("schedule", "text", "plan", "the plan's id", required=True),
        Ask("slot", "text", "slot", "the moment that it was due", required=True),
        Ask("name", "text", "image name", "what the image is called", default="{name}-{time}"),
        Ask("keep", "number", "keep", "how many of the plan's images are kept", default=7, least=1),
        *snapshot.HOW,
    ),
    steps=(MARKED, *snapshot.QUIETLY, Step("rotate", rotate), UNMARKED),
)


# Making a plan


def rhythm_of(given: Any, now: dt.datetime) -> tuple[str, Rhythm]:
    """The one rhythm that was given; raises `ActionRefused`."""
    zone = given.get("zone") or "UTC"
    found = [
        (word, make(given[word], zone))
        for word, make in (("daily", daily), ("weekly", weekly), ("cron", Rhythm))
        if given.get(word)
    ]
    if len(found) != 1:
        hint = "Give --daily 03:30, --weekly 'sunday 03:30' or --cron '30 3 * * *'."
        raise ActionRefused("A plan has one rhythm." if found else "When?", hint=hint)
    word, rhythm = found[0]
    return word, checked(rhythm, now)


@action(
    "server.plan_images",
    title="plan images",
    command="schedule add",
    needs="server.list",
    asks=(
        Ask("daily", "text", "daily", "every day at 03:30", offered=True),
        Ask("weekly", "text", "weekly", "every week on 'sunday 03:30'", offered=True),
        Ask("cron", "text", "cron", "by a cron expression such as '30 3 * * 1-5'"),
        Ask("zone", "text", "time zone", "such as Europe/Berlin; UTC if none is given"),
        Ask("keep", "number", "keep", "how many of its images are kept", default=7, least=1, offered=True),
        Ask("window", "number", "window", "minutes in which a run may begin", default=120, least=1),
        Ask("spread", "number", "spread", "begin up to so many minutes later, each server at its own", default=0),
        Ask("strict", "flag", "strict", "make no run up that missed its window"),
        Ask("here", "flag", "here", "keep the plan here also where the cloud has schedules of its own"),
        *snapshot.HOW,
    ),
)
async def add(order: Order) -> Any:
    """Have images of the server made by plan, and only so many of them kept."""
    given, now = order.given, order.dialect.now()
    word, rhythm = rhythm_of(given, now)
    if (native := native_for(order, word)) is not None and not given.get("here"):
        return await order.dialect.act(native.verb, order.row.id, **native.given)
    how = {ask.name: given[ask.name] for ask in snapshot.HOW if ask.name in given} | {"anyway": True}
    plan = Planned(
        id=new_id(),
        cloud=order.place.cloud,
        region=order.place.region,
        server=order.row.id,
        name=order.row.name,
        word=word,  # type: ignore[arg-type]
        cron=rhythm.cron,
        zone=rhythm.zone,
        keep=given["keep"],
        window=given["window"] * 60,
        spread=given["spread"] * 60,
        catch_up=not given.get("strict"),
        how=how,
        added=now,
        handled=now,
    )
    await change(book_in(order.ground.paths.state), plan)
    coming = plan.next_run(now)
    order.tell("seen", f"plan {plan.id}, next {coming:%Y-%m-%d %H:%M} UTC" if coming else f"plan {plan.id}")
    return Accepted(id=plan.id)


async def change(book: PlanBook, plan: Planned) -> None:
    """Write a plan down, waiting for whoever writes another one. Raises `ConfigError`."""
    for _ in range(50):
        with book.held() as ours:
            if ours:
                return book.keep(plan)
        await asyncio.sleep(0.1)
    raise ConfigError(f"{book.path} is held by another process for too long.")


class Native(NamedTuple):
    """How a cloud is told to keep a plan by itself."""

    verb: str
    given: dict[str, Any]


def native_for(order: Order, word: str) -> Native | None:
    """How this cloud keeps such a plan by itself; None where it cannot, or not like that."""
    given, verbs = order.given, order.dialect.verbs
    if word == "cron" or given.get("zone") not in (None, "", "UTC") or any(given.get(name) for name in _HOOKS):
        return None
    day, _, time = given["weekly"].strip().rpartition(" ") if word == "weekly" else ("", "", given["daily"])
    whole = next((name for name in DAYS if day and name.startswith(day.strip().upper())), "")
    if "server.image_schedule" in verbs:
        return Native("server.image_schedule", {"enabled": True, "keeps": given["keep"], "day": whole})
    if "server.backup_schedule" in verbs:
        hours = {"daily": WINDOWS[int(time.partition(":")[0]) // 2]} if word == "daily" else {"weekly": whole}
        return Native("server.backup_schedule", {"enabled": True, **hours})
    return None


_HOOKS = ("freeze", "database", "hook")


# Keeping the plans


class Scheduler:
    """Begins what is due, of the plans of one state folder, on the clouds that this console has open."""

    def __init__(self, ground: Any, journal: Journal, clock: Clock) -> None:
        self.ground, self.journal, self.clock = ground, journal, clock
        self.book = book_in(ground.paths.state)
        self.problem = ""  # why the plans cannot be kept, in one sentence

    async def keep(self) -> None:
        """For ever: begin what is due, note what has ended."""
        while True:
            await self.turn()
            await self.clock.sleep(LOOK)

    async def turn(self) -> None:
        """One look at all plans; the trouble that one of them makes keeps no other from being made."""
        try:
            plans = await asyncio.to_thread(self.book.read)
        except ConsoleError as error:
            self.problem = str(error)
            return
        problem = ""
        for plan in plans.values():
            try:
                if plan.place in self.ground.places and not read_only(self.ground, plan.place):
                    await self._look(plan)
            except ConsoleError as error:  # it stays as it is: the next turn begins anew
                problem = problem or str(error)
        self.problem = problem

    async def _look(self, plan: Planned) -> None:
        if plan.run:
            await self.note(plan)
        elif not plan.paused:
            say = due(plan.rhythm, plan.terms, plan.handled, self._now(plan))
            if say.do != "wait":
                await self._due(plan)

    def _now(self, plan: Planned) -> dt.datetime:
        """The cloud's own time, or ours while it is away."""
        try:
            now: dt.datetime = self.ground.dialect(plan.place).now()
        except CloudError:
            now = self.clock.now()
        return now

    async def _due(self, plan: Planned) -> None:
        """Begin the run or give it up, if nobody else is at it."""
        row, busy = await self._at_rest(plan)
        with self.book.held() as ours:
            now_there = self.book.read().get(plan.id) if ours else None
            if now_there is None or now_there.run or now_there.handled != plan.handled:
                return
            say = due(plan.rhythm, plan.terms, plan.handled, self._now(plan), busy)
            if say.do == "miss" and say.slot is not None:
                self._miss(plan, say.slot, say.why)
            elif say.do == "run" and say.slot is not None and row is not None:
                await self.begin(plan, row, say.slot)
            elif busy and plan.result != f"waits: {busy}":
                self.book.keep(msgspec.structs.replace(plan, result=f"waits: {busy}", good=False))

    async def _at_rest(self, plan: Planned) -> tuple[Server | None, str]:
        """The server, read now, and why it cannot be imaged now."""
        try:
            row = await self.ground.dialect(plan.place).server(plan.server)
        except NotFound:
            return None, f"{plan.name} is gone"
        except CloudError as error:
            return None, str(error)
        return row, verdict(self.ground, RUN, row)

    async def begin(self, plan: Planned, row: Server, slot: dt.datetime) -> str:
        """Begin the run of this slot, once: one that was begun before a crash is the one. Only under the lock."""
        text = slot.isoformat()
        known = await asyncio.to_thread(lambda: self.journal.runs(ended=True))
        begun = [run.id for run in known if (run.given.get("schedule"), run.given.get("slot")) == (plan.id, text)]
        if not begun:
            name = f"{{name}}-{plan.word}-{{time}}"
            given: dict[str, Any] = {"schedule": plan.id, "slot": text, "keep": plan.keep, "name": name, **plan.how}
            outcome = await perform(self.ground, RUN, row, why=f"plan {plan.id}", typed=row.name, **given)
            begun = [str(outcome.result)]
        self.book.keep(msgspec.structs.replace(plan, handled=slot, run=begun[0]))
        return begun[0]

    async def run_due(self, plan: Planned) -> str | None:
        """Begin what is due of one plan by now, waiting for its server while its window is open; None: nothing is."""
        while True:
            row, busy = await self._at_rest(plan)
            now = self._now(plan) + EARLY
            with self.book.held() as ours:
                plan = self.book.read().get(plan.id, plan)
                say = due(plan.rhythm, plan.terms, plan.handled, now, busy)
                if ours and say.do == "run" and say.slot is not None and row is not None:
                    return await self.begin(plan, row, say.slot)
                if ours and say.do == "miss" and say.slot is not None:
                    self._miss(plan, say.slot, say.why)
            left = say.again - now
            if ours and (say.do == "miss" or (say.slot is None and left > plan.terms.spread)):
                return None
            await self.clock.sleep(min(LOOK, max(1.0, left.total_seconds())))

    async def run_now(self, plan: Planned) -> str:
        """Begin an image of the plan at once, due or not. Raises `ActionRefused` where the server forbids it."""
        row = await self.ground.dialect(plan.place).server(plan.server)
        with self.book.locked():
            return await self.begin(plan, row, self._now(plan))

    def _miss(self, plan: Planned, slot: dt.datetime, why: str) -> None:
        audit: Audit = self.ground.audit
        target = {"kind": "server", "id": plan.server, "name": plan.name}
        audit.write("missed", plan.id, action=RUN, place=str(plan.place), target=target, message=why)
        missed = {"handled": slot, "missed": plan.missed + 1, "result": f"missed: {why}", "good": False}
        self.book.keep(msgspec.structs.replace(plan, ended=self._now(plan), **missed))

    async def note(self, plan: Planned) -> None:
        """Note on the plan what has become of its run."""
        try:
            run = await asyncio.to_thread(self.journal.run, plan.run)
        except UnknownRun:  # the journal was moved away, and the plan must not wait for what nobody knows
            changed = {"ended": self._now(plan), "result": "its operation is in no journal", "good": False}
        else:
            if run.open:
                return
            changed = {"ended": run.ended, "result": _became(run), "good": run.state == "done"}
        with self.book.held() as ours:
            known = self.book.read().get(plan.id) if ours else None
            if known is not None and known.run == plan.run:
                self.book.keep(msgspec.structs.replace(known, run="", **changed))


def _became(run: RunRecord) -> str:
    facts = run.facts
    return f"{facts.get('image_name')}, {facts.get('grade', snapshot.CRASH)}" if run.state == "done" else run.failure
