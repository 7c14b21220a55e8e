"""The limiter obeys what replies say and what it was told, in all processes of a user together."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console.errors import OverLimit
from console.wire.budget import Budget, Limit
from console.wire.message import LONGEST_WAIT, Reply
from console.wire.pace import Figure, Pace


class Hand:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def paced() -> tuple[Pace, Hand]:
    hand = Hand()
    return Pace(clock=hand, sleep=hand.sleep), hand


async def test_a_silent_service_is_asked_at_once() -> None:
    pace, hand = paced()
    pace.learn(Reply(200, {}, [b""]))
    await pace.ready(0)
    assert (hand.slept, pace.figure) == ([], Figure())


async def test_who_has_time_waits_and_who_has_not_is_told_how_long() -> None:
    pace, hand = paced()
    pace.learn(Reply(429, {"retry-after": "7"}, [b""]))
    with pytest.raises(OverLimit) as caught:
        await pace.ready(3)
    assert caught.value.retry_after == 7
    await pace.ready(10)
    assert hand.slept == [7]
    await pace.ready(0)


async def test_what_is_left_is_shown_and_nothing_left_means_waiting_for_the_reset() -> None:
    pace, hand = paced()
    pace.learn(Reply(200, {"x-ratelimit-remaining": "12", "x-ratelimit-limit": "100, 100;w=60"}, [b""]))
    assert pace.figure == (12, 100, None)
    await pace.ready(0)
    pace.learn(Reply(200, {"ratelimit-remaining": "0", "ratelimit-reset": "4"}, [b""]))
    assert pace.wait == 4
    await pace.ready(5)
    assert hand.slept == [4]


@pytest.mark.parametrize("unit", [1, 1000])
async def test_a_reset_may_be_a_date_in_seconds_or_in_milliseconds(unit: int) -> None:
    pace, _ = paced()
    until = str(round((time.time() + 20) * unit))
    pace.learn(Reply(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": until}, (b"",)))
    assert 0 < pace.wait <= 21


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "soon"])
async def test_a_number_that_is_none_says_nothing(text: str) -> None:
    pace, _ = paced()
    names = ("x-ratelimit-remaining", "x-ratelimit-limit", "x-ratelimit-reset")
    pace.learn(Reply(200, dict.fromkeys(names, text), (b"",)))
    pace.learn(Reply(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": text}, (b"",)))
    assert (pace.figure, pace.wait) == (Figure(left=0), 0.0)
    pace.learn(Reply(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "999999999"}, (b"",)))
    assert pace.wait == LONGEST_WAIT


async def test_a_shorter_wish_does_not_undo_a_longer_one() -> None:
    pace, _ = paced()
    pace.hold(30)
    pace.learn(Reply(503, {"retry-after": "2"}, [b""]))
    pace.learn(Reply(413, {"retry-after": "0"}, [b""]))
    pace.learn(Reply(200, {"x-ratelimit-remaining": "many"}, [b""]))
    assert pace.wait == 30


async def test_a_limit_told_beforehand_is_never_passed_in_any_window() -> None:
    pace, hand = paced()
    pace.obey([Limit(3, 60, "POST"), Limit(10, 60)])
    sent = []
    for _ in range(30):
        await pace.ready(120, "POST", "/servers")
        sent.append(hand.at)
        hand.at += 1
    assert all(later - sooner >= 60 for sooner, later in zip(sent, sent[3:], strict=False))
    assert sent[-1] - sent[0] < 60 * 10
    await pace.ready(0, "GET", "/servers")


async def test_a_limit_counts_what_it_names() -> None:
    pace, hand = paced()
    pace.obey([Limit(1, 60, "GET", "changes-since")])
    await pace.ready(0, "GET", "/servers/detail?changes-since=1")
    await pace.ready(0, "GET", "/servers/detail")
    await pace.ready(0, "POST", "/servers?changes-since")
    with pytest.raises(OverLimit) as caught:
        await pace.ready(30, "GET", "/servers/detail?changes-since=2")
    assert caught.value.retry_after == 60
    assert pace.figure == (0, 1, 60)
    hand.at += 61
    assert pace.figure == (1, 1, 60)


async def test_who_waits_is_seen_while_it_lasts() -> None:
    pace, _ = paced()
    seen = []
    pace.turned = lambda: seen.append(pace.wait)
    pace.hold(12)
    await pace.ready(20)
    assert seen == [12, 12, 0]


def shared(folder: Path, hand: Hand, account: str = "ann") -> Pace:
    """One process's pace of an account; the file is all that it shares with others."""
    return Pace(budget=Budget.shared(folder, "http://cloud/v1.0", account, clock=hand), clock=hand, sleep=hand.sleep)


async def test_three_processes_share_one_budget(tmp_path: Path) -> None:
    hand = Hand()
    consoles = [shared(tmp_path, hand) for _ in range(3)]
    other = shared(tmp_path, hand, "bob")
    for console in (*consoles, other):
        console.obey([Limit(10, 60, "POST")])
    for turn in range(10):
        await consoles[turn % 3].ready(0, "POST")
    assert [console.figure.left for console in (*consoles, other)] == [0, 0, 0, 10]
    for console in consoles:
        with pytest.raises(OverLimit):
            await console.ready(5, "POST")
    await other.ready(0, "POST")
    consoles[0].learn(Reply(429, {"retry-after": "90"}, [b""]))
    assert consoles[1].wait == consoles[2].wait == 90
    assert other.wait == 0


def test_what_processes_take_at_once_is_never_more_than_there_is(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from console.wire.budget import Budget, Limit\n"
        "budget = Budget.shared(Path(sys.argv[1]), 'door', 'ann')\n"
        "print(sum(budget.take([Limit(500, 3600)]) == 0 for _ in range(400)))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(run.communicate(timeout=30)[0]) for run in runs) == 500


@pytest.mark.parametrize("text", ["", "{", '{"v":1,"sent":3}', "[]"])
def test_a_torn_file_is_begun_anew(tmp_path: Path, text: str) -> None:
    hand = Hand()
    budget = Budget(tmp_path / "one.json", clock=hand)
    (tmp_path / "one.json").write_text(text)
    assert budget.take([Limit(1, 60)]) == 0
    assert Budget(tmp_path / "one.json", clock=hand).left(Limit(1, 60)) == 0


def test_where_no_file_can_be_written_each_counts_for_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    budget = Budget(tmp_path / "file" / "one.json", clock=Hand())
    assert [budget.take([Limit(2, 60)]) for _ in range(3)] == [0, 0, 60]


def test_where_the_file_can_be_written_no_more_each_counts_for_itself_until_it_can(tmp_path: Path) -> None:
    hand, limit = Hand(), Limit(3, 60.0)
    budget, other = (Budget.shared(tmp_path, "a", clock=hand) for _ in "ab")
    assert budget.take([limit]) == 0
    assert budget._file is not None
    full = budget._file.with_suffix(f".{os.getpid()}")
    full.mkdir()
    assert [budget.take([limit]) > 0 for _ in range(4)] == [False, False, True, True]
    full.rmdir()
    assert budget.take([limit]) > 0
    assert other.left(limit) == 0  # what was counted meanwhile is told to all


def test_a_clock_that_was_set_back_blocks_nobody(tmp_path: Path) -> None:
    hand = Hand()
    hand.at = 1e9
    budget = Budget(tmp_path / "one.json", clock=hand)
    budget.hold(30)
    assert budget.take([Limit(1, 60)]) == 0
    hand.at = 1e8
    assert budget.wait == 0
    assert budget.take([Limit(1, 60)]) == 60
