"""The mouse, where it is wanted: a click chooses a row and gives its pane the keys, the wheel moves what it is over."""

from standin import sample
from still_screen import running
from textual import events
from textual.widget import Widget

from console.tui.pickers import Pick


def wheel(widget: Widget, kind: type[events.MouseScrollDown] | type[events.MouseScrollUp]) -> events.MouseEvent:
    """A turn of the wheel over a widget."""
    return kind(widget, 1, 1, 0, 0, 0, False, False, False)


async def test_a_click_chooses_the_row() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        table = app.main.pane.table
        await pilot.click(table, offset=(10, 4))  # the first group has a title, and a blank line above it
        assert table.cursor_position == 2


async def test_a_click_into_another_pane_gives_it_the_keys() -> None:
    async with running(sample(), (160, 50)) as (app, pilot):
        await pilot.click(app.main.panes["images"].table, offset=(6, 3))
        assert app.main.active == "images"
        before = app.main.panes["servers"].table.cursor_position
        await pilot.press("j")
        assert app.main.panes["servers"].table.cursor_position == before
        await pilot.press("-")
        assert app.main.active == "servers"


async def test_the_wheel_moves_the_rows() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):
        table = app.main.pane.table
        table.post_message(wheel(table, events.MouseScrollDown))
        await pilot.pause()
        assert table.cursor_position == 3
        table.post_message(wheel(table, events.MouseScrollUp))
        await pilot.pause()
        assert table.cursor_position == 0


async def test_the_wheel_scrolls_what_stands_beside_and_not_the_table() -> None:
    async with running(sample(), (170, 30)) as (app, pilot):
        await pilot.press("P")
        await pilot.pause()
        sheet = app.main.preview.sheet
        sheet.post_message(wheel(sheet, events.MouseScrollDown))
        await pilot.pause()
        assert sheet.top == 3 and app.main.pane.table.cursor_position == 0
        sheet.post_message(wheel(sheet, events.MouseScrollUp))
        await pilot.pause()
        assert sheet.top == 0


async def test_the_wheel_chooses_in_a_list() -> None:
    async with running(sample(), (100, 24)) as (app, pilot):
        await pilot.press("T")
        pick = app.screen
        assert isinstance(pick, Pick)
        before = pick.at
        app.screen.post_message(wheel(app.screen, events.MouseScrollUp))
        await pilot.pause()
        assert pick.at == before - 1
        app.screen.post_message(wheel(app.screen, events.MouseScrollDown))
        await pilot.pause()
        assert pick.at == before
