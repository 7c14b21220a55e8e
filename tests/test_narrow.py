"""At 80 columns no sentence is cut: refusals, questions and warnings go on below."""

import pytest
from standin import DFW, StandIn, flavors, sample, server
from still_screen import running, screen_text

from console.tui.app import NovadeckApp
from console.tui.asking import counted
from console.tui.dialogs import Confirm
from console.tui.first import FirstRun
from console.tui.operations import Operation, operation_lines
from console.tui.paint import Span, fit, flowed, plain, spans, width
from console.tui.pickers import Pick
from console.tui.shape import shape_of
from console.tui.theme import UNICODE

LONG = "nimbus/dfw: Cannot 'rebuild' instance 7a1a5e74-1533-4c03-bdc3-c7bb293e5980 while it is in task_state rebooting."


def words(app: NovadeckApp, edge: str = "") -> str:
    """The screen's words, of a dialog's lines alone where its edge is given."""
    lines = [line for line in screen_text(app).splitlines() if edge in line]
    return " ".join(" ".join(lines).replace(edge or "▌", " ").split())


async def test_a_long_refusal_takes_the_lines_it_needs_and_gives_them_back() -> None:
    async with running(sample(), (80, 24)) as (app, pilot):
        before = app.main.pane.table.size.height
        app.main.refuse(LONG, "F tells why.")
        await pilot.pause()
        assert f"{LONG} F tells why." in words(app)
        assert app.main.pane.table.size.height == before - 2
        app.main.say("Theme moss.")
        await pilot.pause()
        assert "Theme moss." in words(app) and app.main.pane.table.size.height == before
        app.main.refuse(LONG * 3)
        await pilot.pause()
        assert app.main.pane.table.size.height == before - 2 and "…" in screen_text(app).splitlines()[-2]


async def test_a_warning_is_read_to_its_end() -> None:
    name = "a-server-with-a-long-name-of-thirty-eight"
    row = server(name, "VERIFY_RESIZE", DFW, 60, "m1.small", "debian-12", since=60)
    async with running(StandIn([row, *flavors()], (DFW,)), (80, 24)) as (app, pilot):
        await pilot.press("V")
        await pilot.pause(0.1)
        said = f"Take {name} back to its old flavor? What was written since the resize is lost."
        assert said in words(app, "▌")


async def test_who_is_left_out_and_why_is_read_to_its_end() -> None:
    console = sample()
    console.refusals["server.delete", "web-3"] = LONG
    async with running(console, (80, 24)) as (app, pilot):
        await pilot.press("/", *"name:^web-[13]$", "enter", "*", "D")
        await pilot.pause(0.1)
        assert f"web-3 {LONG}" in words(app, "▌") and "2 marked; web-3 left out" in words(app, "▌")


async def test_a_filter_that_finds_nothing_says_why_and_shows_where_one_types() -> None:
    async with running(sample(), (80, 24)) as (app, pilot):
        await pilot.press("/", *"nosuch:1 a filter much longer than the line that it is typed into, to its end")
        await pilot.pause()
        text = screen_text(app)
        assert "to its end" in text.splitlines()[2], "the cursor is seen"
        assert "longer than the line that it is typed into, to its end." in words(app)
        assert "There is no field nosuch; there are name, " in words(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "to its end" not in screen_text(app).splitlines()[2] and "…" in screen_text(app).splitlines()[2]


async def test_wide_says_what_has_no_room() -> None:
    async with running(sample(), (80, 24)) as (app, pilot):
        await pilot.press("w")
        await pilot.pause()
        assert "No room for zone, power, key, project: enter shows all of a row." in words(app)
        await pilot.press("w")
        await pilot.pause()
        assert not app.main.pane.left_out
    async with running(sample(), (260, 30)) as (app, pilot):
        await pilot.press("Z", "w")
        await pilot.pause()
        assert "No room" not in words(app)


async def test_blanks_that_are_cut_are_no_loss() -> None:
    async with running(sample(), (80, 24)) as (app, pilot):
        await pilot.press("z", "down", "down", "n")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Pick)
        await pilot.resize_terminal(60, 16)
        await pilot.pause()
        head = next(line for line in screen_text(app).splitlines() if "▌" in line and "place" in line)
        assert "…" not in head
    assert plain(fit(spans("web-1   ", "    "), 6)) == "web-1 "
    assert plain(fit(spans("web-1   ", "   x"), 6)) == "web-1…"


async def test_a_question_that_cannot_be_read_is_not_answered() -> None:
    row = server("web-1", "ACTIVE", DFW, 60, "m1.tiny", "debian-12")
    console = StandIn([row, *flavors()], (DFW,))
    async with running(console, (80, 24)) as (app, pilot):
        await pilot.press("D")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Confirm)
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        assert "This question needs 60 by 16; this is 50 by 12." in words(app, "▌")
        await pilot.press("enter", "enter", "enter")
        assert isinstance(app.screen, Confirm) and not app.main.operations.all
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, Confirm)
        await pilot.press("?")
        await pilot.pause()
        assert "On a server" in words(app, "▌"), "what is only read is shown"


@pytest.mark.parametrize("size", [10, 24, 73])
def test_words_flow_and_keep_their_roles(size: int) -> None:
    line = spans(
        Span("short and ", "warn"), Span("a-word-that-is-far-too-long-for-ten", "error"), Span(" then it ends", "text")
    )
    lines = flowed(line, size)
    assert max(map(width, lines)) <= size
    assert "".join(map(plain, lines)).replace(" ", "") == plain(line).replace(" ", "")
    roles = [(letter, span.role) for part in lines for span in part for letter in span.text if letter != " "]
    assert roles == [(letter, span.role) for span in line for letter in span.text if letter != " "]


@pytest.mark.parametrize("detail", ["m1.small → m1.medium", "512 MB Standard Instance → 2 GB Standard Instance"])
def test_an_operation_gives_up_its_details_before_its_step(detail: str) -> None:
    operation = Operation("web-2", "guarded resize", None, 0.0, detail, "prod/dfw")
    operation.step("resize_migrating", 0.0, "63%")
    (line,) = operation_lines(operation, shape_of(80, 24), UNICODE, 131.0, 22)
    assert width(line) == 80 and "resize_migrating 63%" in plain(line) and plain(line).endswith("2m11s  ")


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
@pytest.mark.parametrize("problems", [(), (LONG, LONG)])
async def test_the_ways_on_are_on_the_screen_of_a_first_run(size: tuple[int, int], problems: tuple[str, ...]) -> None:
    looked = [f"/home/somebody/in/a/folder-{n}/clouds.yaml" for n in range(9)]
    async with running(sample(), size) as (app, pilot):
        app.push_screen(FirstRun(app.ink, app.glyphs, looked=looked, problems=problems))
        await pilot.pause()
        text = " ".join(screen_text(app).split())
        for words in (
            "A demo cloud runs on this machine alone, and leaves nothing behind.",
            "d see a",
            "o point",
            "q quit",
        ):
            assert words in text
        assert all(problem in text for problem in problems)
        assert ("folder-8" in text) == (size[1] > 16)


def test_kinds_are_told_as_words() -> None:
    told = {(1, "keypair"): "1 key pair", (3, "ipgroup"): "3 shared IP groups", (1200, "server"): "1,200 servers"}
    assert {given: counted(*given) for given in told} == told
