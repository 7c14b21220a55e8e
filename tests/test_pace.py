"""The limiter obeys what replies say, and nothing else."""

import pytest

from console.errors import OverLimit
from console.wire.message import Reply
from console.wire.pace import Pace


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
    pace.learn(Reply(200, {}, b""))
    await pace.ready(0)
    assert (hand.slept, pace.left, pace.most) == ([], None, None)


async def test_who_has_time_waits_and_who_has_not_is_told_how_long() -> None:
    pace, hand = paced()
    pace.learn(Reply(429, {"retry-after": "7"}, b""))
    with pytest.raises(OverLimit) as caught:
        await pace.ready(3)
    assert caught.value.retry_after == 7
    await pace.ready(10)
    assert hand.slept == [7]
    await pace.ready(0)


async def test_what_is_left_is_shown_and_nothing_left_means_waiting_for_the_reset() -> None:
    pace, hand = paced()
    pace.learn(Reply(200, {"x-ratelimit-remaining": "12", "x-ratelimit-limit": "100, 100;w=60"}, b""))
    assert (pace.left, pace.most) == (12, 100)
    await pace.ready(0)
    pace.learn(Reply(200, {"ratelimit-remaining": "0", "ratelimit-reset": "4"}, b""))
    assert pace.wait == 4
    await pace.ready(5)
    assert hand.slept == [4]


async def test_a_shorter_wish_does_not_undo_a_longer_one() -> None:
    pace, _ = paced()
    pace.hold(30)
    pace.learn(Reply(503, {"retry-after": "2"}, b""))
    pace.learn(Reply(413, {"retry-after": "0"}, b""))
    pace.learn(Reply(200, {"x-ratelimit-remaining": "many"}, b""))
    assert pace.wait == 30
