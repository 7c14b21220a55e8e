"""When a plan is due: summer time, zones, jitter, windows, catching up, busy servers, and clocks that jump."""

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest

from console.errors import ActionRefused
from console.runbooks.schedule_times import (
    BUSY,
    Due,
    Rhythm,
    Terms,
    checked,
    daily,
    due,
    jitter,
    weekly,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def runs(rhythm: Rhythm, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """All runs of a console that looks every ten minutes, as it notes them."""
    found, handled, now = [], since, since
    while now < until:
        say = due(rhythm, Terms(), handled, now)
        if say.do == "run":
            assert say.slot is not None
            found.append(now)
            handled = say.slot
        now += dt.timedelta(minutes=10)
    return found


def local(moments: list[dt.datetime]) -> list[str]:
    return [moment.astimezone(BERLIN).strftime("%d %H:%M") for moment in moments]


def test_words_become_rhythms() -> None:
    assert daily("3:05") == Rhythm("5 3 * * *")
    assert weekly("Sun 23:59", "Europe/Berlin") == Rhythm("59 23 * * 0", "Europe/Berlin")
    for wrong in (lambda: daily("24:00"), lambda: weekly("s 03:00"), lambda: weekly("monday"), lambda: daily("")):
        with pytest.raises(ActionRefused):
            wrong()


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        ("* * * *", "UTC", "five fields"),
        ("0 0 3 * * *", "UTC", "five fields"),
        ("61 * * * *", "UTC", "bad minute"),
        ("0 0 30 2 *", "UTC", "bad day"),
        ("*/5 * * * *", "UTC", "more often than every 15"),
        ("0 3 * * *", "Middle/Earth", "no time zone"),
        ("0 3 * * *", "../../etc/passwd", "no time zone"),
    ],
)
def test_what_can_be_no_rhythm_is_refused(cron: str, zone: str, words: str) -> None:
    with pytest.raises(ActionRefused, match=words):
        checked(Rhythm(cron, zone), utc("2027-01-01"))


def test_a_run_in_the_hour_that_is_skipped_comes_right_after_it() -> None:
    rhythm = daily("02:30", "Europe/Berlin")
    assert local(runs(rhythm, utc("2027-03-27"), utc("2027-03-30"))) == ["27 02:30", "28 03:00", "29 02:30"]


def test_a_run_in_the_hour_that_comes_twice_comes_once() -> None:
    for time in ("02:00", "02:30", "02:50"):
        moments = runs(daily(time, "Europe/Berlin"), utc("2027-10-30T12:00"), utc("2027-11-01T12:00"))
        assert local(moments) == [f"31 {time}", f"01 {time}"]


def test_the_wall_clock_of_the_second_two_o_clock_is_not_before_the_first() -> None:
    second = utc("2027-10-31T01:10")  # 02:10 for the second time
    assert daily("02:30", "Europe/Berlin").next(second) == utc("2027-11-01T01:30")


def test_what_is_latest_agrees_with_what_is_next() -> None:
    source = random.Random(7)
    for _ in range(300):
        cron = source.choice(["30 2 * * *", "0 3 * * 0", "0 */6 * * *", "15 4 1 * *", "*/20 * * * *", "0 0 29 2 *"])
        rhythm = Rhythm(cron, source.choice(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]))
        now = utc("2027-01-01") + source.random() * 700 * DAY
        since = now - source.random() * 40 * DAY
        latest = rhythm.latest(now, since)
        if latest is None:
            coming = rhythm.next(since)
            assert coming is None or coming > now
        else:
            following = rhythm.next(latest)
            assert since < latest <= now and (following is None or following > now)


def test_jitter_is_the_same_everywhere_and_differs_by_server() -> None:
    spread = {jitter(f"server-{number}", 3600) for number in range(50)}
    assert len(spread) > 40 and all(dt.timedelta() <= one < HOUR for one in spread)
    assert jitter("a", 0) == dt.timedelta() and jitter("a", 600) == jitter("a", 600)


THREE = daily("03:00")


def test_it_waits_runs_once_and_waits_again() -> None:
    handled = utc("2027-01-01T12:00")
    assert due(THREE, Terms(), handled, utc("2027-01-02T02:59")) == Due("wait", None, utc("2027-01-02T03:00"))
    slot = utc("2027-01-02T03:00")
    assert due(THREE, Terms(), handled, slot)[:2] == ("run", slot)
    assert due(THREE, Terms(), slot, slot)[:2] == ("wait", None)
    late = Terms(spread=dt.timedelta(minutes=7))
    assert due(THREE, late, handled, slot) == Due("wait", None, slot + late.spread)
    assert due(THREE, late, handled, slot + late.spread)[:2] == ("run", slot)


def test_a_busy_server_is_waited_for_and_given_up_with_its_reason_at_the_windows_end() -> None:
    handled, slot = utc("2027-01-01T12:00"), utc("2027-01-02T03:00")
    strict = Terms(catch_up=False)
    now = slot + HOUR
    assert due(THREE, strict, handled, now, "image_uploading") == Due("wait", slot, now + BUSY, "image_uploading")
    after = slot + 2 * HOUR + BUSY
    assert due(THREE, strict, handled, after, "image_uploading") == Due("miss", slot, after, "image_uploading")
    assert due(THREE, Terms(), handled, after, "image_uploading").do == "wait"


def test_missed_runs_are_made_up_for_once_and_only_if_asked() -> None:
    handled, now = utc("2027-01-01T12:00"), utc("2027-01-09T11:00")
    assert due(THREE, Terms(), handled, now)[:2] == ("run", utc("2027-01-09T03:00"))
    assert due(THREE, Terms(), utc("2027-01-09T03:00"), now).do == "wait"
    missed = due(THREE, Terms(catch_up=False), handled, now)
    assert missed[:2] == ("miss", utc("2027-01-09T03:00")) and "nobody was there" in missed.why


def test_a_clock_that_jumps_repeats_nothing_and_never_stops_a_plan() -> None:
    slot = utc("2027-01-02T03:00")
    assert due(THREE, Terms(), slot, slot - HOUR).do == "wait"  # an hour back: it was done already
    assert due(THREE, Terms(), slot - DAY, slot + HOUR).do == "run"  # an hour forward: in its window still
    far = utc("2037-01-01T03:00")  # a clock that was ten years ahead has left its mark
    assert due(THREE, Terms(), far, slot) == Due("wait", None, slot + DAY)
    assert due(THREE, Terms(), slot, slot + DAY).do == "run"


def test_an_hour_back_at_any_moment_makes_no_second_image() -> None:
    source = random.Random(11)
    for _ in range(100):
        handled, now, made = utc("2027-01-01"), utc("2027-01-01"), []
        jump = source.randrange(600)
        for step in range(600):
            now += dt.timedelta(minutes=5)
            if step == jump:
                now += source.choice([-HOUR, HOUR])
            say = due(THREE, Terms(spread=dt.timedelta(minutes=3)), handled, now)
            if say.do == "run":
                assert say.slot is not None
                made.append(say.slot)
                handled = say.slot
        assert len(made) == len(set(made)) >= 2
