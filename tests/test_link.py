"""The link: when a screen gets lean by itself and full again, what it then leaves out, and what it tells of the way."""

import asyncio

from standin import DFW, sample, server
from still_screen import running, screen_text

from console.tui.link import CALM, SURE, Facts, Link


def looked(link: Link, times: int) -> list[bool]:
    return [link.look() for _ in range(times)]


def test_a_slow_link_gets_lean_and_one_slow_answer_does_not() -> None:
    now = Facts(0.5)
    link = Link(None, lambda: now)
    assert not any(looked(link, SURE - 1))
    now = Facts(0.2)
    assert not any(looked(link, 5)) and not link.lean
    now = Facts(0.5)
    assert looked(link, SURE) == [False] * (SURE - 1) + [True]
    assert link.lean
    now = Facts(0.2)  # neither slow nor quick: as it is
    assert not any(looked(link, CALM * 2)) and link.lean
    now = Facts(0.05)
    assert looked(link, CALM)[-1] and not link.lean


def test_what_the_user_chose_holds_and_a_terminal_that_never_answers_is_no_reason() -> None:
    assert not any(looked(Link(False, lambda: Facts(9.0)), 50))
    chosen = Link(True, lambda: Facts(0.001))
    assert not any(looked(chosen, 50)) and chosen.lean
    silent = Link(None, lambda: Facts(None, 5))
    assert not any(looked(silent, 50)) and not silent.lean


def test_bytes_per_second_are_those_of_the_last_seconds() -> None:
    sent = 0
    link = Link(None, lambda: Facts(0.04, sent))
    for step in (100_000, 1000, 1000, 1000, 1000, 1000, 1000):
        sent += step
        link.look()
    assert link.speed == 1000
    assert link.told() == "1.0 kB/s, 106.0 kB in all, answers in 40 ms, full."
    assert "as you chose" in Link(True).told()
    assert "no answer yet" in Link().told()


async def test_a_lean_screen_repaints_less_and_says_the_same() -> None:
    console = sample()
    async with running(console, (120, 40), lean=True) as (app, pilot):
        text = screen_text(app)
        assert "14:02" in text and "14:02:11" not in text
        lines = text.splitlines()
        assert lines[0].strip()  # no blank line above the header
        console.put([server("web-1", "ERROR", DFW, 41 * 86400, "m1.small", "golden-web-v14")])
        async with asyncio.timeout(20):
            while "ERROR" not in next(line for line in screen_text(app).splitlines() if "web-1 " in line):
                await pilot.pause(0.05)
        assert not app.main.panes["servers"].table._fresh
        for press, told in ((), "web-1 at prod/dfw went into ERROR."), ("L", "lean, as you chose."):
            await pilot.press(*press)
            async with asyncio.timeout(10):
                while told not in screen_text(app):
                    await pilot.pause(0.05)


async def test_a_link_that_gets_slow_changes_the_screen_and_is_told() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        full = app.main.panes["servers"].table.size.height
        app.main.link = Link(None, lambda: Facts(0.8, 0))
        for _ in range(SURE):
            app.main.tick()
        await pilot.pause()
        assert "The link is slow" in screen_text(app)
        assert app.main.panes["servers"].table.size.height > full
