"""How each place does, on one page: what the header has no room for at 80 columns is told there in whole."""

from standin import DFW, LEGACY, StandIn, sample, server
from still_screen import running, screen_text

from console.core.health import Health
from console.tui.health import health_lines
from console.tui.lanes import Lane
from console.tui.paint import plain
from console.tui.theme import UNICODE

REASON = "the certificate of cloud.example:5000 is not trusted: self-signed certificate in certificate chain."


def test_those_in_trouble_stand_first_with_their_whole_reason() -> None:
    lanes = [
        Lane(
            "a/b", state="well", count=3, age=4.0, latency=0.12, left=31, most=100, window=60.0, production="production"
        ),
        Lane("c/d", state="down", reason=REASON, age=300.0, latency=0.1, again=12.4),
        Lane("e/f", state="well", reason="images: a policy says no."),
    ]
    counts = {"a/b": {"server": 1, "image": 1200}}
    text = [plain(line) for line in health_lines(lanes, counts, UNICODE)]
    assert text == [
        "✕ c/d  does not answer",
        f"    {REASON}",
        "    its rows are 5m old · asked again in 12 s",
        "",
        "• a/b  answers   PROD ",
        "    its rows are 4s old · answers in 120 ms · 31/100 a minute left",
        "    1 server, 1,200 images",
        "",
        "• e/f  answers",
        "    images: a policy says no.",
    ]


async def test_at_80_columns_the_reason_is_a_key_away() -> None:
    silent = {LEGACY: Health(state="down", reason=REASON, rows_at=760.0, next_try=1026.0)}
    row = server("web-1", "ACTIVE", DFW, 60, "m1.small", "debian-12")
    async with running(StandIn([row], (DFW, LEGACY), silent), (80, 24)) as (app, pilot):
        assert "not trusted" not in screen_text(app)
        await pilot.press("H")
        assert " ".join(REASON.split()) in " ".join(screen_text(app).replace("▌", "").split())
        await pilot.press("escape")
        assert "not trusted" not in screen_text(app)


async def test_every_place_is_told_of() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        await pilot.press("H")
        assert all(name in screen_text(app) for name in ("prod/dfw", "lab/ber", "legacy", "edge/waw"))
