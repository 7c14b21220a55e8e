"""The collector is told of rows that stay, by a program's screen alone, and once the first load is over."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from screen_pilot import deck

from console.core import memory


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    kept = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*kept)


def test_what_there_is_after_the_first_load_is_not_looked_at_again() -> None:
    memory.expect_much()
    assert gc.get_threshold() == memory.THRESHOLDS
    memory.settle()
    assert gc.get_freeze_count() > 1000
    assert len(gc.get_objects()) < 1000


async def test_the_screen_says_once_when_the_first_load_is_over(tmp_path: Path) -> None:
    before = gc.get_threshold()
    async with deck(tmp_path) as one:
        told: list[int] = []
        one.app.main.first_load_over = lambda: told.append(len(one.rows))
        await one.until(lambda: told, "the end of the first load")
        assert told[0] >= 28
        assert one.app.main.first_load_over is None
    assert gc.get_threshold() == before
