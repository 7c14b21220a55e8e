"""Waiting for an order's true end: a deadline, several ends, and never for ever.

`judge` is pure: from what the server was, what it is and what was seen in between it tells whether the wait is over.
The loop around it reads the one server again and again, asks the cloud's own record of the order where the state alone
does not tell, and outlives a cloud that is away for a while. What it reads is known to all: an order that has ended
never stands beside a row of before it.

How one can tell the state after an order from the state before it: Nova sets a task state before it answers, so a
server that is at rest right after the answer is done already; but a proxy's old answer or another kind of cloud may
show the state before. Where that state looks like the end, it counts only after motion was seen, or after `PATIENCE`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeVar

from console.actions.declared import Ends, Order
from console.clouds.dialect import Accepted
from console.errors import (
    ActionFailed,
    CloudError,
    Forbidden,
    NotFound,
    OverLimit,
    Unauthorized,
    Unreachable,
    WaitTimeout,
)
from console.model.image import Image
from console.model.server import Server, deleted
from console.model.status import Mood

R = TypeVar("R")

PATIENCE = 6.0  # seconds of an unmoved state after which it is believed
READ_SECONDS = 60.0  # for one reading; the dialect's own deadline is mostly shorter
RECORD_EVERY = 5.0  # seconds between two looks at the cloud's record of the order
IMAGE_TASKS = ("image_", "shelving_image")


class Seen(NamedTuple):
    """What a wait has seen so far."""

    motion: bool = False  # a task state, or another status than before
    touched: bool = False  # a newer `updated`
    rested: int = 0  # readings in a row of the same state at rest
    waited: float = 0.0  # seconds since the order was taken
    doomed: bool = False  # somebody has begun to delete it


Say = Literal["wait", "done", "failed", "gone", "fell back"]


def look(before: Server | None, last: Server | None, now: Server | None, seen: Seen, waited: float) -> Seen:
    """What has been seen after one more reading."""
    if now is None:
        return seen._replace(waited=waited)
    moved = bool(now.task_state) or before is None or now.status != before.status
    touched = before is not None and now.updated is not None and now.updated != before.updated
    same = last is not None and (last.status, last.task_state) == (now.status, now.task_state)
    rested = 0 if now.in_flight else seen.rested + 1 if same else 1
    doomed = seen.doomed or (now.task_state or "").endswith("deleting")
    return Seen(seen.motion or moved, seen.touched or touched, rested, waited, doomed)


def judge(ends: Ends, before: Server | None, now: Server | None, seen: Seen, flavor: str | None = None) -> Say:
    """Whether this is the end. `now` is None when the cloud no longer knows the server; `flavor` is the one ordered."""
    if now is None or (deleted(now) and not _in_the_bin(before, now)):
        return "done" if ends.gone else "gone"
    if now.task_state:
        return "wait"
    if now.status == "ERROR" and "ERROR" not in ends.good:
        return _broken(before, seen)
    if now.status in ends.good:
        return _good(ends, before, now, seen)
    if ends.flavor and now.status in ("ACTIVE", "SHUTOFF") and _has(now, before, flavor):
        return "done"
    return _elsewhere(ends, now, seen)


def _in_the_bin(before: Server | None, now: Server) -> bool:
    """Whether it was deleted before the order, and can still be had back: then that is not what the order did."""
    return before is not None and before.word == now.word == "SOFT_DELETED"


def _broken(before: Server | None, seen: Seen) -> Say:
    was_broken = before is not None and before.status == "ERROR"
    return "wait" if was_broken and not (seen.motion and seen.rested >= 2) and seen.waited < PATIENCE else "failed"


def _good(ends: Ends, before: Server | None, now: Server, seen: Seen) -> Say:
    if before is not None and before.status == now.status:
        believed = seen.motion or seen.touched or seen.waited >= PATIENCE
    else:
        believed = True
    # A server that was off is started and stopped again at the end of some orders: ACTIVE may be a station. It may
    # be one for what is being deleted, too: its build is told as done before the cloud goes on.
    was_off = before is not None and (before.status == "SHUTOFF" or before.power_state == 4)
    passing = (was_off and now.status == "ACTIVE" and "SHUTOFF" in ends.good) or (
        now.status == "SHELVED" and "SHELVED_OFFLOADED" in ends.good
    )
    passing = passing or seen.doomed
    return "done" if believed and (seen.rested >= 3 or not passing) else "wait"


def _has(now: Server, before: Server | None, flavor: str | None) -> bool:
    names = {name for name in (now.flavor_id, now.flavor.name if now.flavor else None) if name}
    if flavor is not None and flavor in names:
        return True
    old = before.flavor if before is not None else None
    return old is not None and now.flavor is not None and flavor is None and old != now.flavor


def _elsewhere(ends: Ends, now: Server, seen: Seen) -> Say:
    """At rest, and not where it should be: fallen back, if it ever moved."""
    if ends.record or now.in_flight or now.mood in (Mood.UNKNOWN, Mood.MOVING):
        return "wait"
    return "fell back" if seen.motion and seen.rested >= 2 else "wait"


@dataclass
class Wait:
    """One order that was taken and is followed to its end."""

    order: Order
    ends: Ends
    accepted: Accepted
    timeout: float
    crowd: Callable[[], int] = lambda: 1
    before: Server | None = field(init=False)
    began: float = field(init=False)
    recorded: float = field(default=0.0, init=False)
    noted: str = field(default="", init=False)
    step: float = field(default=0.15, init=False)  # seconds between two readings; more where many wait

    def __post_init__(self) -> None:
        self.before = self.order.row if isinstance(self.order.row, Server) and not self.ends.made else None
        self.began = self.order.ground.clock.monotonic()
        if self.ends.image and not self.accepted.id and self.before is not None:
            self.ends = replace(self.ends, image=False, good=(self.before.status,))

    @property
    def id(self) -> str:
        """The server's id; that of a new one is in the cloud's answer."""
        return self.before.id if self.before is not None else self.accepted.id or ""

    async def run(self) -> Any:
        """Follow it to the good end and give the row as last seen; raises `ActionFailed` or `WaitTimeout`."""
        clock = self.order.ground.clock
        seen = Seen()
        last: Server | None = None
        while True:
            try:
                now = await self._read()
                seen = look(self.before, last, now, seen, clock.monotonic() - self.began)
                last = now or last
                self._tell(now)
                if await self._over(now, seen):
                    return now if now is not None else last
            except (Unauthorized, Forbidden):
                raise
            except CloudError as error:  # a cloud that is away for a while ends no wait
                self.order.tell("seen", f"asking again: {error}")
                await self._pause(error.retry_after if isinstance(error, OverLimit) else 0.0, last)
                continue
            await self._pause(0.0, last)

    async def _read(self) -> Server | None:
        ground = self.order.ground
        asked_at = ground.clock.monotonic()
        now = await self._asked(self.order.dialect.server(self.id))
        if now is not None and not deleted(now):
            if now.name:  # else its cell is down, and less is known than before
                ground.store.learn(Server, now, self.order.place, asked_at)
        elif (row := now or self.before) is not None:
            ground.store.remove(row.key, asked_at)
        return now

    async def _asked(self, reading: Awaitable[R]) -> R | None:
        """What the cloud tells, if it does so in time; None where it knows nothing of it."""
        left = self.timeout - (self.order.ground.clock.monotonic() - self.began)
        try:
            async with asyncio.timeout(min(READ_SECONDS, max(1.0, left))):
                return await reading
        except NotFound:
            return None
        except TimeoutError:
            raise Unreachable("No answer.", place=str(self.order.place)) from None

    def _tell(self, now: Server | None) -> None:
        text = "gone" if now is None else now.status + (f" {now.task_state}" if now.task_state else "")
        if text != self.noted:
            self.noted = text
            self.order.tell("seen", text, row=now)

    async def _over(self, now: Server | None, seen: Seen) -> bool:
        if self.ends.image and now is not None and not deleted(now) and self.accepted.id:
            return await self._image_over(now, seen)
        say = judge(self.ends, self.before, now, seen, self._flavor(now))
        if say == "done":
            await self._doubt(now)
            return True
        if say == "gone":
            raise ActionFailed(f"{self.order.name} was deleted while we waited for {self._goal()}.")
        if say == "failed":
            raise ActionFailed(self._fault(now))
        if now is not None and not now.in_flight and await self._record_failed(force=say == "fell back"):
            raise ActionFailed(f"{self._fell(now)} The cloud's record of it says Error.", hint=self._ask())
        if say == "fell back":
            raise ActionFailed(f"{self._fell(now)} The cloud gives no reason.", hint=self._ask())
        return False

    async def _doubt(self, now: Server | None) -> None:
        """An end that looks like the state before may hide a failure, which then only the record tells."""
        same = now is not None and self.before is not None and now.status == self.before.status
        if same and not self.ends.gone and await self._record_failed(force=True):
            raise ActionFailed(f"{self._fell(now)} The cloud's record of it says Error.", hint=self._ask())

    async def _image_over(self, now: Server, seen: Seen) -> bool:
        image = await self._image()
        if image is None or image.status in ("deleted", "killed", "error", "pending_delete"):
            why = "The cloud removed it" if image is None else f"It is {image.status}"
            raise ActionFailed(f"No image came of {self.order.name}: {why[0].lower()}{why[1:]}.", hint=self._ask())
        busy = (now.task_state or "").startswith(IMAGE_TASKS)
        if image.status == "active" and not busy:
            return True
        if not busy and seen.motion and image.status == "queued" and seen.rested >= 3:
            raise ActionFailed(f"{self.order.name} is done imaging, and its image never got any data.")
        return False

    async def _image(self) -> Image | None:
        return await self._asked(self.order.dialect.image(self.accepted.id or ""))

    async def _record_failed(self, *, force: bool) -> bool:
        """Whether the cloud's own record of this order says that it failed; asked for now and then."""
        waited = self.order.ground.clock.monotonic() - self.began
        if not self.accepted.request_id or not (force or waited - self.recorded >= RECORD_EVERY):
            return False
        self.recorded = waited
        try:
            records = await self.order.dialect.instance_actions(self.id)
        except CloudError:  # many clouds keep no records, or keep them to themselves
            return False
        ours = [record for record in records if record.get("request_id") == self.accepted.request_id]
        return any(record.get("message") == "Error" for record in ours)

    def _flavor(self, now: Server | None) -> str | None:
        """The flavor that was ordered, as this reading tells flavors: by its id, or by its name."""
        flavor = self.order.given.get("flavor") if self.ends.flavor else None
        return getattr(flavor, "id", None) if now is not None and now.flavor_id else _name(flavor)

    def _goal(self) -> str:
        return " or ".join(self.ends.good) or ("its image" if self.ends.image else "its end")

    def _fell(self, now: Server | None) -> str:
        status = now.status if now is not None else "gone"
        return f"{self.order.action.title} of {self.order.name} came to nothing: it is {status}."

    def _ask(self) -> str:
        return f"Ask the provider about {self.accepted.request_id}." if self.accepted.request_id else ""

    def _fault(self, now: Server | None) -> str:
        fault = now.fault.message.strip() if now is not None and now.fault is not None else ""
        return f"{self.order.name} ended in ERROR: {fault or 'the cloud gives no reason'}".rstrip(".") + "."

    async def _pause(self, least: float, last: Server | None) -> None:
        clock = self.order.ground.clock
        waited = clock.monotonic() - self.began
        left = self.timeout - waited
        if left <= 0:
            state = self.noted or "nothing was heard"
            raise WaitTimeout(
                f"{self.order.name}: {self._goal()} did not come within {self.timeout:g} s; last seen: {state}.",
                last=state,
            )
        self.step = min(self.step * 1.5, 1.0 if waited < 60 else 2.0)
        every = max(self.step, self.crowd() / 10, least)
        await clock.sleep(min(every, max(left, 0.01)))


def _name(row: Any) -> str | None:
    name = getattr(row, "name", None)
    return str(name) if name else None
