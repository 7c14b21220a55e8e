"""Chaos: consoles are killed at every gap of a runbook's way, and what is left of the world is judged.

The embedded cloud runs here, the consoles are processes that get SIGKILL: where the keeper says that it is between two
things (journal and call, reply and journal), while a call is on the wire (before the cloud has heard it, and after),
and at any other moment. The next console finds the journal and goes on. Only the world is believed: the cloud's own
records, its guests, and the journal's last word, which must be true of both.

`python tests/chaos.py --kills 300` prints the seed, the kills by gap, and every violation.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from small_ground import ground_on

from console.actions.action import perform
from console.runbooks.journal import Journal, RunRecord
from console.sim.estate import Estate

SPEED = 30.0
GAPS = {  # and the share of each in twenty kills
    "write-call": 5,
    "call-arrival": 3,
    "arrival-reply": 3,
    "reply-write": 5,
    "after-write": 2,
    "anywhere": 2,
}
POINTS = {"write-call": "begun", "reply-write": "replied", "after-write": "kept"}
WRITES = ("POST", "PUT", "DELETE", "PATCH")
PATIENCE = 60.0  # seconds for one life


@dataclass(frozen=True)
class Scenario:
    """One kind of operation: how it begins, and what must be true of the world at its end."""

    name: str
    runbook: str
    given: dict[str, Any]
    judge: Callable[["Chaos", RunRecord, Any], list[str]]
    creates: bool = False
    steps: int = 8  # about how many steps it has, to draw a point from
    answer: str = ""  # to what it asks by its nature; any other question ends the run as a violation


# What must be true at the end; each gives its violations


def counted(record: Any, **most: int) -> list[str]:
    """More orders of a kind in the cloud's record than there may be."""
    there = Counter(action.action for action in record.actions or ())
    return [f"{there[word]} x {word}" for word, number in most.items() if there[word] > number]


def resized(chaos: "Chaos", run: RunRecord, record: Any) -> list[str]:
    """Confirmed and of the new flavor, with one order of each."""
    found = counted(record, resize=1, confirmResize=1, revertResize=0)
    found += [] if run.state == "done" else [f"{run.state}: {run.failure}"]
    return found + ([] if record.flavor.name == "m1.small" else [f"it has {record.flavor.name}"])


def taken_back(chaos: "Chaos", run: RunRecord, record: Any) -> list[str]:
    """Reverted and of the old flavor, with one order of each."""
    found = counted(record, resize=1, confirmResize=0, revertResize=1)
    found += [] if run.state == "failed" else [f"{run.state}, and its check must fail"]
    return found + ([] if record.flavor.name == "m1.tiny" else [f"it has {record.flavor.name}"])


def one_server(chaos: "Chaos", run: RunRecord, record: Any) -> list[str]:
    """There is one of that name, and it is the run's."""
    there = chaos.named(run.name)
    found = [] if run.state == "done" else [f"{run.state}: {run.failure}"]
    ours = [server.id for server in there] == [run.facts.get("made")]
    return found + ([] if ours else [f"{len(there)} servers are called {run.name}"])


def no_server(chaos: "Chaos", run: RunRecord, record: Any) -> list[str]:
    """What was not ready is gone."""
    there = chaos.named(run.name)
    return [f"{run.name} is still there"] if there else []


def imaged(chaos: "Chaos", run: RunRecord, record: Any) -> list[str]:
    """One image of that name, active; and nothing in the guest stands still, or stood longer than its timer."""
    images = [image for image in chaos.images() if image.name == f"image-of-{run.name}"]
    found = [] if len(images) <= 1 else [f"{len(images)} images"]
    if run.state == "done" and [image.status for image in images] != ["active"]:
        found.append(f"done, and the images are {[image.status for image in images]}")
    still = chaos.estate.guests.guests[run.target].still
    frozen = still.changes[0].at if still.changes else None
    for change in still.changes:
        frozen = change.at if change.frozen else frozen
        if not change.frozen and frozen is not None and change.at - frozen > 30 / SPEED + 2:
            found.append(f"frozen for {change.at - frozen:.1f} s")
    return found + ([f"{sorted(still.frozen)} stand still"] if still.frozen else [])


def replaced(chaos: "Chaos", run: RunRecord, record: Any) -> list[str]:
    """One image, one new server, and the old one gone as answered."""
    images = [image for image in chaos.images() if (image.name or "").startswith(f"{run.name}-before-")]
    new, old = chaos.named(f"{run.name}-new"), chaos.named(run.name)
    found = [] if run.state == "done" else [f"{run.state}: {run.failure}"]
    found += [f"{len(new)} new servers"] if len(new) != 1 else _at_rest(new[0])
    return found + ([f"{len(images)} images"] if len(images) != 1 else []) + (["the old one is there"] if old else [])


SCENARIOS = (
    Scenario("resize", "server.resize_guarded", {"flavor": "m1.small"}, resized),
    Scenario("revert", "server.resize_guarded", {"flavor": "m1.small", "check": ["exit 7"], "deadline": 1}, taken_back),
    Scenario("build", "server.create_checked", {}, one_server, creates=True, steps=5),
    Scenario(
        "build-delete", "server.create_checked",
        {"check": ["exit 7"], "deadline": 1, "on_failure": "delete"}, no_server, creates=True, steps=6,
    ),
    Scenario(
        "replace", "server.replace", {"name": "{name}-new", "flavor": "m1.small"}, replaced,
        steps=10, answer="delete the old one",
    ),
    Scenario("snapshot", "server.quiet_snapshot", {"name": "image-of-{name}", "freeze": ["/data"]}, imaged, steps=10),
    Scenario(
        "planned", "server.scheduled_image",
        {"schedule": "chaos", "slot": "once", "name": "image-of-{name}", "keep": 1, "freeze": ["/data"]}, imaged,
        steps=11,
    ),
)  # fmt: skip


@dataclass
class Chaos:
    """One estate, and consoles that are killed on it."""

    folder: Path
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    operations: int = 0
    plan: list[str] = field(default_factory=list)  # the gaps that are still to be struck
    armed: tuple[str, int, int] | None = None  # gap, which write of this life, the pid
    writes: int = 0

    async def run(self, wanted: int) -> None:
        """Kill so many times."""
        self.rng = random.Random(self.seed)
        async with AsyncExitStack() as stack:
            self.estate = await stack.enter_async_context(
                Estate(servers=6, clouds=1, regions=1, guests=2000, speed=SPEED, seed=self.seed)
            )
            self.cloud = next(iter(self.estate.clouds))
            self.clouds_yaml = self.estate.write_clouds_yaml(self.folder)
            self._listen()
            self.ground = await stack.enter_async_context(ground_on(self.clouds_yaml, self.folder / "own", self.cloud))
            await self._prepare()
            self.zygote = await asyncio.create_subprocess_exec(
                sys.executable, str(Path(__file__).with_name("chaos_child.py")),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            stack.push_async_callback(self._end_zygote)
            self.plan = [gap for gap, share in GAPS.items() for _ in range(share * wanted // 20)]
            self.rng.shuffle(self.plan)
            while self.plan:
                await self._operation(SCENARIOS[self.operations % len(SCENARIOS)])
            self._judge_all()

    async def _end_zygote(self) -> None:
        assert self.zygote.stdin is not None
        self.zygote.stdin.close()
        await self.zygote.wait()

    async def _prepare(self) -> None:
        """A home with the way into the guests, and what servers are made of."""
        self.home = self.folder / "home"
        (self.home / "config").mkdir(parents=True)
        (self.home / "config" / "config.toml").write_text(
            f'[clouds.{self.cloud}.ssh]\nkey = "{self.folder / "id_demo"}"\ncheck = false\n'
        )
        dialect = self.ground.dialect(self.ground.places[0])
        images = [row async for page in dialect.images() for row in page]
        self.image = next(image for image in images if image.name == "debian-12")
        self.flavors = {row.name: row async for page in dialect.flavors() for row in page}
        self.network = next(n["id"] for n in await dialect.networks() if not n.get("router:external"))
        self.journal = Journal(self.home / "state" / "journal.sqlite")
        self.first = {server.id for server in self.nova.servers.values()}

    @property
    def nova(self) -> Any:
        """The embedded cloud's own record of its servers."""
        return self.estate.places[0][1].nova

    def images(self) -> list[Any]:
        """The embedded cloud's own record of its images."""
        return list(self.estate.places[0][1].glance.images.values())

    def named(self, name: str) -> list[Any]:
        """The servers of that name that are there."""
        return [server for server in self.nova.alive() if server.name == name]

    # The wire

    def _listen(self) -> None:
        """Be told of every order that comes to the cloud, before and after it is carried out."""
        place = self.estate.places[0][1]
        for service in (place.compute, place.services["image"]):
            service.handle = self._told(service.handle)

    def _told(self, handle: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        async def answer(call: Any) -> Any:
            if call.request.method not in WRITES:
                return await handle(call)
            self.writes += 1
            self._strike("call-arrival")
            reply = await handle(call)
            self._strike("arrival-reply")
            return reply

        return answer

    def _strike(self, gap: str) -> None:
        if self.armed is not None and self.armed[:2] == (gap, self.writes):
            os.kill(self.armed[2], signal.SIGKILL)

    # One operation

    async def _operation(self, scenario: Scenario) -> None:
        self.operations += 1
        name = f"c{self.operations}-{scenario.name}"
        target = "" if scenario.creates else await self._new_server(name)
        given = {
            key: value.replace("{name}", name) if isinstance(value, str) else value
            for key, value in scenario.given.items()
        }
        if scenario.creates:
            given |= {"name": name, "image": self.image.id, "flavor": self.flavors["m1.tiny"].id, "key_name": "demo"}
            given["network"] = [self.network]
        order = {"begin": scenario.runbook, "target": target, "given": given, "answer": scenario.answer or None}
        for _ in range(self.rng.choice((1, 2, 3))):
            killed = bool(self.plan) and await self._life(order, self.plan[-1], scenario)
            if killed:
                self.kills[self.plan.pop()] += 1
            if any(run.name == name for run in self.journal.runs(ended=True)):
                order["begin"] = ""  # it is written down: nobody begins it again
            if not killed:
                break
        await self._life(order, "", scenario)
        self._judge(scenario, name)
        for server in [*self.named(name), *self.named(f"{name}-new")]:  # or the quota would end it
            await self.ground.dialect(self.ground.places[0]).delete_server(server.id)

    async def _life(self, order: dict[str, Any], gap: str, scenario: Scenario) -> bool:
        """One console, from its start to its end; whether it was killed as planned."""
        nth = self.rng.randint(1, scenario.steps)
        kill = [POINTS[gap], nth] if gap in POINTS else None
        told = {**order, "clouds_yaml": str(self.clouds_yaml), "home": str(self.home), "cloud": self.cloud,
                "speed": SPEED, "kill": kill}  # fmt: skip
        assert self.zygote.stdin is not None and self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps(told).encode() + b"\n")
        pid = json.loads(await self.zygote.stdout.readline())["pid"]
        self.writes = 0
        self.armed = (gap, self.rng.randint(1, max(2, scenario.steps // 2)), pid)
        ending = asyncio.create_task(self.zygote.stdout.readline())
        if gap == "anywhere":
            await asyncio.wait({ending}, timeout=self.rng.uniform(0.05, 1.5))
            if not ending.done():
                os.kill(pid, signal.SIGKILL)
        done, _ = await asyncio.wait({ending}, timeout=PATIENCE)
        self.armed = None
        if not done:
            os.kill(pid, signal.SIGKILL)
            self.violations.append(f"{order} never ended: {self._open()}")
            for run in self.journal.runs():
                self.journal.abort(run.id)
        return bool(json.loads(await ending)["killed"]) and bool(done)

    def _open(self) -> str:
        found = []
        for run in self.journal.runs():
            steps = [(step.name, step.state, step.note) for step in self.journal.steps(run.id)]
            found.append(f"{run.name} {run.state} {run.question} at {steps[-2:]}")
        return "; ".join(found)

    async def _new_server(self, name: str) -> str:
        made = await perform(
            self.ground, "server.create", self.ground.places[0], wait=True, timeout=60, name=name, image=self.image,
            flavor=self.flavors["m1.tiny"], network=[self.network], key_name="demo",
        )  # fmt: skip
        return str(made.id)

    # Judging

    def _judge(self, scenario: Scenario, name: str) -> None:
        runs = [run for run in self.journal.runs(ended=True) if run.name == name]
        if len(runs) != 1:
            self.violations.append(f"{name}: {len(runs)} operations in the journal")
        for run in runs:
            record = self.nova.servers.get(run.target or run.facts.get("made"))
            found = [f"still {run.state}"] if run.open else scenario.judge(self, run, record)
            found += _at_rest(record) if record is not None and record in self.nova.alive() else []
            self.violations += [f"{name} ({run.id}): {what}" for what in found]

    def _judge_all(self) -> None:
        gone = self.first - {server.id for server in self.nova.alive()}
        self.violations += [f"{id} was deleted, and was not ours" for id in gone]

    def told(self) -> str:
        """The result in words."""
        kills = ", ".join(f"{gap} {self.kills[gap]}" for gap in GAPS)
        head = f"seed {self.seed}: {sum(self.kills.values())} kills over {self.operations} operations ({kills})"
        return "\n".join([f"{head}; {len(self.violations)} violations", *self.violations])


def _at_rest(record: Any) -> list[str]:
    """What is wrong with a server that no operation is at work on any more."""
    found = [f"task state {record.task_state}"] if record.task_state else []
    found += ["VERIFY_RESIZE was forgotten"] if record.vm_state == "resized" else []
    return found + (["the mark was forgotten"] if "novadeck_op" in record.metadata else [])


async def main() -> int:
    """Kill as often as asked, and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="novadeck-chaos-") as folder:
        chaos = Chaos(Path(folder), given.seed)
        await chaos.run(given.kills)
    print(chaos.told())
    return 1 if chaos.violations else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
