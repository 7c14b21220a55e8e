"""The header's lanes where there is little room: what is needed most stays longest, and nothing is cut in vain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from standin import DFW, StandIn
from still_screen import running, screen_text

from console.core.health import Health
from console.model.place import Place
from console.tui.app import NovadeckApp
from console.tui.lanes import Header, Lane, story
from console.tui.paint import Span, plain, width
from console.tui.shape import shape_of
from console.tui.theme import UNICODE, load_theme

TIME = (Span("14:02:11 UTC", "text"),)


def drawn(lanes: list[Lane], size: tuple[int, int]) -> list[str]:
    lines = Header().lines(lanes, shape_of(*size), UNICODE, under="28 servers", time=TIME)
    assert all(width(line) <= size[0] for line in lines)
    return [plain(line) for line in lines]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("10.0.0.1:8774 closed the connection before an answer.", "hung up"),
        ("10.0.0.1:8774 refuses connections.", "refused"),
        ("cloud.example:5000 gave no answer within 10 s.", "no answer in 10 s"),
        ("cloud.example:5000 cannot be reached: no route to host.", "no route to host"),
        ("the certificate of cloud.example:5000 is not trusted: self-signed certificate.", "certificate not trusted"),
        ("the name cloud.example is not known.", "no host cloud.example"),
        ("a policy says no.", "a policy says no"),
    ],
)
def test_a_reason_in_few_words(reason: str, words: str) -> None:
    lane = Lane("a/b", state="down", reason=reason, age=4.0, again=3.0)
    assert plain(story(lane)) == f"4s old · {words}, again in 3s"


def test_when_all_places_are_silent_each_says_why() -> None:
    names = ("nimbus/dfw", "nimbus/ord", "lab/ber")
    lanes = [Lane(name, state="down", count=9, reason="h:1 refuses connections.", age=4.0) for name in names]
    text = "\n".join(drawn(lanes, (120, 40)))
    assert text.count("4s old · refused") == 3 and "well" not in text


def test_what_is_left_of_limits_gives_way_before_ages_do() -> None:
    limit = {"left": 4999, "most": 10_000, "window": 86400.0}
    lanes = [Lane(f"rackspace/{n}", state="well", count=4, age=3.0, **limit) for n in ("DFW", "ORD", "IAD")]  # type: ignore[arg-type]
    lanes.append(Lane("legacy", state="well", count=8, age=2.0, left=3, most=100, window=60.0))
    wide, narrow = drawn(lanes, (200, 60)), drawn(lanes, (130, 40))
    assert "".join(wide).count("4,999/") == 0 and "".join(wide).count("4999/10000 a day left") == 3
    assert "".join(narrow).count("3s old") == 3 and "a day left" not in "".join(narrow)
    assert "2s old · 3/100 a minute left" in "".join(narrow)  # what is scarce is told


def test_names_get_short_before_a_place_is_left_out() -> None:
    places = [
        ("nimbus", "dfw"),
        ("nimbus", "ord"),
        ("lab", "ber"),
        ("rackspace", "DFW"),
        ("rackspace", "ORD"),
        ("rackspace", "IAD"),
    ]
    lanes = [Lane(f"{cloud}/{region}", region, "well", 9, age=1.0) for cloud, region in places]
    assert all(f"{cloud}/{region}" in "".join(drawn(lanes, (200, 60))) for cloud, region in places)
    narrow = "".join(drawn(lanes, (122, 40)))
    assert (
        all(f"• {region}  9" in narrow for _, region in places) and "well" not in narrow and "rackspace" not in narrow
    )


@pytest.mark.parametrize(("size", "margin"), [((80, 24), 1), ((100, 30), 2), ((120, 20), 2)])
def test_a_header_of_one_line_has_the_footers_margins(size: tuple[int, int], margin: int) -> None:
    (line,) = drawn([Lane("a/b", state="well", count=1)], size)
    assert line.startswith(" " * margin + "novadeck") and line.endswith("UTC" + " " * margin)


async def test_a_place_without_servers_counts_none_and_one_that_is_asked_counts_nothing_yet() -> None:
    silent = Place("lab", "ber")
    console = StandIn([], (DFW, silent), {silent: Health(state="asking")})
    async with running(console, (80, 24)) as (app, pilot):
        while app.main.deck is None:
            await pilot.pause(0.02)
        assert [(lane.name, lane.count) for lane in app.main.deck.lanes()] == [("prod/dfw", 0), ("lab/ber", None)]


@asynccontextmanager
async def silence() -> AsyncIterator[Any]:
    """A console that is never open."""
    await asyncio.Event().wait()
    yield None


async def test_servers_are_not_counted_before_a_place_has_told_any() -> None:
    app = NovadeckApp(silence, load_theme("nocturne"), opening=["nimbus"])
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "asking" in screen_text(app) and "0 servers" not in screen_text(app)
        app.leave()
