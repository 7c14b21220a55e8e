"""Planned images on the embedded cloud: begun when due, once, rotated by the cloud or by us, missed and made up for.

The cloud's clock stands still but for what a test moves it by; the plans go by the cloud's time.
"""

import datetime as dt
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from small_keeper import keeping
from test_snapshot import Scene, estate, scene

from console.actions.action import perform
from console.errors import ActionRefused, ConfigError
from console.runbooks.schedule import Scheduler, native_for
from console.runbooks.schedule_book import PlanBook, Planned, book_in

__all__ = ["estate", "scene"]

DAY = 24 * 3600.0


class Plans:
    """The scheduler over a scene, one turn at a time."""

    def __init__(self, scene: Scene, keeper: Any) -> None:
        self.scene, self.keeper = scene, keeper
        self.book = book_in(scene.ground.paths.state)
        self.scheduler = Scheduler(scene.ground, scene.journal, scene.ground.clock)

    async def add(self, **given: Any) -> Planned:
        outcome = await perform(self.scene.ground, "server.plan_images", self.scene.server, **given)
        return self.book.read()[outcome.id]

    def plan(self, id: str) -> Planned:
        return self.book.read()[id]

    async def pass_(self, seconds: float) -> None:
        """Time passes in the cloud, and the console hears of it."""
        await self.scene.estate.clock.advance(seconds)
        await self.scene.ground.refresh(self.scene.server.place)

    async def day(self, id: str) -> Planned:
        """A day passes; what is due by then is made, to its end."""
        await self.pass_(DAY)
        await self.scheduler.turn()
        if run := self.plan(id).run:
            await self.scene.finish(self.keeper, run)
            await self.scheduler.turn()
        return self.plan(id)


@pytest.fixture
async def plans(scene: Scene) -> AsyncIterator[Plans]:
    async with keeping(scene.ground, scene.journal) as keeper:
        found = Plans(scene, keeper)
        await found.pass_(0)
        yield found


async def test_every_day_an_image_and_the_cloud_rotates_them(plans: Plans) -> None:
    plan = await plans.add(daily="03:30", keep=2)
    await plans.scheduler.turn()
    assert plans.plan(plan.id).run == ""  # not due yet
    made = []
    for _ in range(4):
        now = await plans.day(plan.id)
        assert now.good, now.result
        newest = max(await plans.scene.images(), key=lambda image: image.created or now.added)
        made.append(newest.id)
        assert newest.schedule == plan.id and newest.image_type == "backup"
        assert newest.backup_type == f"novadeck-{plan.id}"
    assert {image.id for image in await plans.scene.images()} == set(made[-2:])
    assert (now.missed, now.result.endswith("crash-consistent")) == (0, True)
    assert [line["action"] for line in plans.scene.ground.audit.lines() if line["event"] == "asked"].count(
        "server.backup"
    ) == 4


async def test_a_volume_is_imaged_and_rotated_by_us_and_nothing_foreign_goes(plans: Plans) -> None:
    scene = plans.scene
    scene.record.image_id = None
    scene.record.stale()
    place = scene.server.place
    await scene.ground.dialect(place).create_image(scene.server.id, "by hand")
    await scene.ground.dialect(place).create_image(
        scene.server.id, "of another plan", metadata={"novadeck_schedule": "other"}
    )
    plan = await plans.add(daily="03:30", keep=2)
    for _ in range(4):
        now = await plans.day(plan.id)
        assert now.good, now.result
    names = sorted(image.schedule or "" for image in await scene.images())
    assert names == ["", *sorted([plan.id, plan.id, "other"])]


async def test_a_turn_that_comes_again_begins_nothing_twice(plans: Plans) -> None:
    plan = await plans.add(daily="03:30")
    await plans.pass_(DAY)
    await plans.scheduler.turn()
    run = plans.plan(plan.id).run
    # A crash between the journal and the book: the book knows nothing of the run that was begun.
    plans.book.keep(msgspec.structs.replace(plans.plan(plan.id), run="", handled=plan.handled))
    other = Scheduler(plans.scene.ground, plans.scene.journal, plans.scene.ground.clock)
    await other.turn()
    assert plans.plan(plan.id).run == run
    assert len(plans.scene.journal.runs(ended=True)) == 1


async def test_it_survives_a_restart(plans: Plans) -> None:
    plan = await plans.add(weekly="sunday 04:00", zone="Europe/Berlin", keep=3, window=30, spread=5, hook="/q")
    again = PlanBook(plans.book.path).read()[plan.id]
    assert again == plan and again.how["hook"] == "/q" and (again.window, again.spread) == (1800, 300)
    assert plans.book.path.stat().st_mode & 0o777 == 0o600


async def test_a_busy_server_is_waited_for(plans: Plans) -> None:
    plan = await plans.add(daily="03:30")
    await plans.pass_(DAY)
    plans.scene.record.task_state = "image_uploading"
    plans.scene.record.stale()
    await plans.scheduler.turn()
    waiting = plans.plan(plan.id)
    assert waiting.run == "" and waiting.result.startswith("waits:") and "image_uploading" in waiting.result
    plans.scene.record.task_state = None
    plans.scene.record.stale()
    await plans.scheduler.turn()
    assert plans.plan(plan.id).run


async def test_a_missed_run_is_given_up_where_only_the_window_counts(plans: Plans) -> None:
    strict = await plans.add(daily="03:30", strict=True, window=10)
    kind = await plans.add(daily="03:30", window=10)
    hours = (strict.next_run(strict.added) or strict.added) - strict.added
    await plans.pass_(hours.total_seconds() + 3 * 3600)
    await plans.scheduler.turn()
    missed = plans.plan(strict.id)
    assert (missed.run, missed.missed) == ("", 1) and "nobody was there" in missed.result
    line = next(line for line in plans.scene.ground.audit.lines() if line["event"] == "missed")
    assert line["target"]["id"] == plans.scene.server.id
    assert plans.plan(kind.id).run
    await plans.scheduler.turn()
    assert plans.plan(strict.id).missed == 1


async def test_an_hour_back_repeats_nothing(plans: Plans) -> None:
    plan = await plans.add(daily="03:30")
    now = await plans.day(plan.id)
    assert now.good
    plans.scene.estate.clock._offset -= 3600
    await plans.pass_(0)
    for _ in range(3):
        await plans.scheduler.turn()
        await plans.pass_(1200)
    assert plans.plan(plan.id).run == "" and len(await plans.scene.images()) == 1


async def test_a_plan_that_cannot_be_made_keeps_no_other_from_being_made(plans: Plans) -> None:
    broken = await plans.add(daily="03:30")
    sound = await plans.add(daily="03:31")
    plans.book.keep(msgspec.structs.replace(broken, zone="Nowhere/Atlantis"))
    assert next(iter(plans.book.read())) == broken.id
    await plans.pass_(DAY)
    await plans.scheduler.turn()
    assert plans.plan(sound.id).run
    assert "is no time zone" in plans.scheduler.problem


async def test_a_plan_whose_operation_is_in_no_journal_goes_on(plans: Plans) -> None:
    plan = await plans.add(daily="03:30")
    plans.book.keep(msgspec.structs.replace(plan, run="movedoff"))
    await plans.scheduler.turn()
    assert (plans.plan(plan.id).run, plans.plan(plan.id).result) == ("", "its operation is in no journal")
    assert (await plans.day(plan.id)).good


async def test_a_paused_plan_and_one_of_another_cloud_are_left_alone(plans: Plans) -> None:
    plan = await plans.add(daily="03:30")
    plans.book.keep(msgspec.structs.replace(plan, paused=True))
    plans.book.keep(msgspec.structs.replace(plan, id="elsewhere", cloud="elsewhere"))
    await plans.pass_(DAY)
    await plans.scheduler.turn()
    assert {one.run for one in plans.book.read().values()} == {""}
    assert plans.plan(plan.id).next_run(plan.added) is None


async def test_a_console_that_may_change_nothing_gives_no_run_up(plans: Plans) -> None:
    plan = await plans.add(daily="03:30", strict=True, window=10)
    await plans.pass_(DAY)
    plans.scene.ground.read_only = True
    await plans.scheduler.turn()
    assert plans.plan(plan.id) == plan


async def test_a_server_that_is_gone_is_said(plans: Plans) -> None:
    plan = await plans.add(daily="03:30")
    plans.book.keep(msgspec.structs.replace(plan, server="00000000-0000-0000-0000-000000000000"))
    await plans.pass_(DAY)
    await plans.scheduler.turn()
    assert "is gone" in plans.plan(plan.id).result


async def test_what_makes_no_plan_is_refused(plans: Plans) -> None:
    for given in ({}, {"daily": "03:30", "cron": "0 3 * * *"}, {"daily": "25:00"}, {"cron": "* * * * *"}):
        with pytest.raises(ActionRefused):
            await plans.add(**given)
    assert plans.book.read() == {}


@pytest.mark.parametrize(
    ("verb", "given", "told"),
    [
        ("server.backup_schedule", {"daily": "03:30"}, {"enabled": True, "daily": "H_0200_0400"}),
        ("server.backup_schedule", {"weekly": "sun 23:59"}, {"enabled": True, "weekly": "SUNDAY"}),
        ("server.image_schedule", {"daily": "03:30"}, {"enabled": True, "keeps": 5, "day": ""}),
        ("server.image_schedule", {"weekly": "friday 03:30"}, {"enabled": True, "keeps": 5, "day": "FRIDAY"}),
        ("server.image_schedule", {"daily": "03:30", "zone": "Europe/Berlin"}, None),
        ("server.image_schedule", {"daily": "03:30", "freeze": ["/data"]}, None),
        ("server.image_schedule", {"cron": "30 3 * * *"}, None),
        ("server.backup", {"daily": "03:30"}, None),
    ],
)
def test_a_cloud_with_schedules_of_its_own_keeps_what_it_can(verb: str, given: Any, told: Any) -> None:
    order: Any = SimpleNamespace(given={"keep": 5, **given}, dialect=SimpleNamespace(verbs={verb}))
    found = native_for(order, next(word for word in ("daily", "weekly", "cron") if word in given))
    assert found == (None if told is None else (verb, told))


def test_a_damaged_book_is_said_and_not_overwritten(tmp_path: Path) -> None:
    for text, words in (("{", "is damaged"), ('{"v": 2, "plans": []}', "of version 2"), ('{"v": 1}', "is damaged")):
        book = PlanBook(tmp_path / "schedules.json")
        book.path.write_text(text)
        with pytest.raises(ConfigError, match=words):
            book.keep(planned())
        assert book.path.read_text() == text


def test_a_book_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    book = PlanBook(tmp_path / "no folder" / "schedules.json")
    with pytest.raises(ConfigError, match=r"cannot be written: .*\."):
        book.keep(planned())
    with book.held() as ours, book.held() as theirs:
        assert (ours, theirs) == (True, False)
    book.keep(planned())
    assert json.loads(book.path.read_text())["v"] == 1 and len(list(book.path.parent.iterdir())) == 2


def test_a_full_disk_is_one_sentence_and_the_plans_stay(tmp_path: Path) -> None:
    book = PlanBook(tmp_path / "schedules.json")
    book.keep(planned())
    before = book.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # no file may grow beyond that, as on a full disk
    try:
        with pytest.raises(ConfigError, match=r"schedules.json cannot be written: File too large\.$"):
            book.keep(msgspec.structs.replace(planned(), keep=3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert book.path.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["schedules.json"]


def planned() -> Planned:
    now = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    return Planned(
        id="p1",
        cloud="lab",
        region="one",
        server="s",
        name="web",
        word="daily",
        cron="0 3 * * *",
        added=now,
        handled=now,
    )


async def test_a_scheduler_tells_of_a_damaged_book_and_goes_on(plans: Plans) -> None:
    plans.book.path.parent.mkdir(exist_ok=True)
    plans.book.path.write_text("{")
    await plans.scheduler.turn()
    assert "is damaged" in plans.scheduler.problem
    plans.book.path.unlink()
    await plans.scheduler.turn()
    assert plans.scheduler.problem == ""
