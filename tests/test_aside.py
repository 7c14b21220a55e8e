"""The row under the cursor beside the table: it follows, takes the keys of tabs, and asks only where one rests."""

from pathlib import Path

from screen_pilot import Deck, deck
from standin import sample
from still_screen import running, screen_text

ONE_CLOUD = {"clouds": 1, "regions": 1, "servers": 30}


def calm(found: Deck) -> list[str]:
    """The names of running servers, in the order of the table."""
    index = found.app.main.panes["servers"].table.index
    rows = [index.rows[key] for key in index.order]
    return [row.name for row in rows if row.status == "ACTIVE" and not row.task_state and not row.locked]  # type: ignore[attr-defined]


def shown(found: Deck) -> str:
    """What stands beside the table."""
    return "\n".join("".join(span.text for span in line) for line in found.app.main.preview.sheet.lines)


async def test_it_follows_the_cursor_and_reads_a_log_only_where_that_rests(tmp_path: Path) -> None:
    async with deck(tmp_path, **ONE_CLOUD) as found:
        main = found.app.main
        first = calm(found)[0]
        await found.on(first)
        asked = found.estate.control.cause("latency", service="compute", method="POST", path="/action")
        await found.keys("P")
        await found.until(lambda: f"Servers  /  {first}" in found.text(), "it stands beside the table")
        assert not main.panes["images"].display and main.panes["servers"].display
        await found.keys("l", *"jjj")
        row = main.pane.table.cursor_row
        assert row is not None and row.name != first
        assert f"Servers  /  {row.name}" in found.text()
        await found.until(lambda: "Linux version" in found.text(), "the log of the row where it rests")
        assert asked.met == 1 and not main.detail.is_open
        await found.keys("tab")
        assert main.preview.tab == "History"
        await found.keys("enter")
        assert main.detail.is_open and main.detail.tab == "History" and not main.preview.is_open
        await found.keys("escape")
        await found.until(lambda: main.preview.is_open, "beside the table again")
        await found.keys("escape")
        await found.until(lambda: main.panes["images"].display, "the images are back")


async def test_a_row_that_changes_or_goes_does_so_beside_the_table_too(tmp_path: Path) -> None:
    async with deck(tmp_path, **ONE_CLOUD, speed=2.0) as found:
        name = calm(found)[0]
        await found.on(name)
        await found.keys("P", "r")
        await found.dialog()
        await found.keys("enter")
        await found.until(lambda: "REBOOT" in shown(found), "its restart is seen")
        await found.until(lambda: "REBOOT" not in shown(found), "and its end")


async def test_where_nothing_fits_beside_the_table_it_says_so() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        await pilot.press("P")
        await pilot.pause()
        assert "Nothing fits beside the table below 160 by 30. enter opens the row." in screen_text(app)
        assert not app.main.aside


async def test_it_is_there_again_the_next_time_and_yields_to_a_smaller_terminal() -> None:
    console = sample()
    async with running(console, (170, 50)) as (app, pilot):
        await pilot.press("P")
        await pilot.pause()
        assert app.main.preview.is_open
        await pilot.resize_terminal(100, 40)
        await pilot.pause()
        assert not app.main.preview.is_open and app.main.panes["servers"].display
        await pilot.resize_terminal(170, 50)
        await pilot.pause()
        assert app.main.preview.is_open
        await pilot.press("q")
        await pilot.pause()
    async with running(console, (170, 50)) as (app, pilot):
        await pilot.pause()
        assert app.main.aside and app.main.preview.is_open
