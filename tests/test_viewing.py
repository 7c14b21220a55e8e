"""Views: the trail of those one came from, those with a name, and the one that a new start begins with."""

import msgspec
from standin import DFW, sample, servers
from still_screen import running, screen_text
from textual.pilot import Pilot

from console.core.settings import OwnColumn, PaneView, SavedView, Session
from console.model.server import Server
from console.tui.neighbours import sharing
from console.tui.pickers import Pick
from console.tui.viewing import Trail, View


async def typed(pilot: Pilot[object], text: str) -> None:
    """A filter, typed and entered."""
    await pilot.press("/", *text, "enter")


def test_the_trail_goes_back_and_forth_and_forgets_what_was_left() -> None:
    one, two, three = (View(pane, PaneView()) for pane in ("servers", "images", "flavors"))
    trail = Trail()
    for view in (one, two, two, three):
        trail.note(view)
    assert trail.go(1) is None
    assert (trail.go(-1), trail.go(-1), trail.go(-1)) == (two, one, None)
    assert trail.go(1) == two
    other = View("servers", PaneView("web"))
    trail.note(other)
    assert trail.go(1) is None
    assert trail.go(-1) == two


async def test_brackets_go_through_the_views_and_a_dash_to_the_last_one() -> None:
    async with running(sample()) as (app, pilot):
        main = app.main
        await typed(pilot, "web")
        await pilot.press("2")  # images
        await pilot.press("1", "z", "enter")
        assert main.detail.is_open
        opened_row = main.detail.row
        await pilot.press("[")
        assert (main.active, main.pane.filter_text, main.pane.table.index.problems) == ("servers", "web", True)
        assert not main.detail.is_open
        await pilot.press("[")
        assert not main.pane.table.index.problems
        await pilot.press("[")
        assert main.active == "images"
        await pilot.press("[", "[")
        assert (main.active, main.pane.filter_text) == ("servers", "")
        await pilot.press("[")
        assert "There is no earlier view." in screen_text(app)
        await pilot.press(*"]]]]]")
        assert main.detail.is_open and main.detail.row == opened_row
        await pilot.press("]")
        assert "There is no later view." in screen_text(app)
        await pilot.press("-")
        assert not main.detail.is_open
        await pilot.press("-")
        assert main.detail.is_open


async def test_a_filter_is_no_view_until_it_is_entered() -> None:
    async with running(sample()) as (app, pilot):
        await typed(pilot, "web-1")
        await pilot.press("[")
        assert app.main.pane.filter_text == ""


async def test_a_filter_is_kept_for_each_pane() -> None:
    async with running(sample()) as (app, pilot):
        await typed(pilot, "web")
        await pilot.press("2")
        await typed(pilot, "golden")
        await pilot.press("1")
        assert app.main.pane.filter_text == "web"
        await pilot.press("2")
        assert app.main.pane.filter_text == "golden"


async def test_a_view_gets_a_name_and_comes_back_by_it() -> None:
    console = sample()
    async with running(console) as (app, pilot):
        await typed(pilot, "age>30d !web")
        await pilot.press("s", "w", "ctrl+s")
        await pilot.press(*"old ones", "enter")
        assert console.saved.views["old ones"] == SavedView("age>30d !web", "name", False, True, [], "servers")
        await pilot.press("s", "w", "/", *["backspace"] * 12, "enter", "2")
        await pilot.press("v")
        assert isinstance(app.screen, Pick)
        assert "/age>30d !web, sorted by name, wide" in screen_text(app)
        await pilot.press("enter")
        main = app.main
        assert (main.active, main.pane.filter_text, main.pane.scene.wide) == ("servers", "age>30d !web", True)
        assert main.pane.table.index.sorting is not None and main.pane.table.index.sorting.field == "name"
        names = [row.name for row in map(main.pane.table.index.rows.get, main.pane.table.index.order) if row]
        assert names and all("web" not in name for name in names)
        await pilot.press("colon", *"old ones")  # by the palette too
        await pilot.pause()
        assert "servers: /age>30d" in screen_text(app)


async def test_without_a_named_view_v_says_how_to_get_one() -> None:
    async with running(sample()) as (app, pilot):
        await pilot.press("v")
        assert "No view was given a name yet. ctrl+s keeps the one that you see." in screen_text(app)


async def test_a_new_start_shows_what_the_last_one_left() -> None:
    console = sample()
    async with running(console, (160, 50)) as (app, pilot):
        await pilot.press("s", "s", "o", "w", "space", "j", "space")
        await typed(pilot, "dfw")
        await pilot.press("Z", "2")
        await typed(pilot, "golden")
        marks = list(app.main.panes["servers"].table.marks)
    (kept,) = console.saved.sessions.values()
    assert kept.panes["servers"].filter == "dfw"
    again = sample()
    kept_sessions = msgspec.convert(msgspec.to_builtins(console.saved.sessions), dict[str, Session])
    again.save(lambda saved: {"sessions": kept_sessions})
    async with running(again, (160, 50)) as (app, pilot):
        main = app.main
        assert (main.active, main.zoomed, main.pane.filter_text) == ("images", True, "golden")
        servers = main.panes["servers"]
        assert servers.table.index.sorting is not None
        assert (servers.table.index.sorting.field, servers.table.index.sorting.reverse) == ("status", True)
        assert servers.scene.wide and servers.filter_text == "dfw"
        assert list(servers.table.marks) == marks and len(marks) == 2
        await pilot.press("1")
        assert "2 marked" in screen_text(app)


async def test_other_clouds_begin_with_their_own_session() -> None:
    console = sample()
    console.save(lambda saved: {"sessions": {"elsewhere": Session("images", True)}})
    async with running(console) as (app, pilot):
        assert (app.main.active, app.main.zoomed) == ("servers", False)
        await typed(pilot, "web")
    assert set(console.saved.sessions) == {"elsewhere", "edge lab legacy prod"}


async def test_a_session_that_cannot_be_kept_is_told_and_no_more() -> None:
    from console.errors import ConfigError

    console = sample()

    def fails(change: object) -> None:
        raise ConfigError("saved.toml cannot be written: read-only file system.")

    console.save = fails  # type: ignore[method-assign]
    async with running(console) as (app, pilot):
        await typed(pilot, "web")
        app.commands_of_screen.viewing.keep()
        await pilot.pause()
        assert "saved.toml cannot be written" in screen_text(app)


async def test_zoom_gives_one_pane_the_whole_width() -> None:
    async with running(sample(), (160, 50)) as (app, pilot):
        assert app.main.panes["images"].display and app.main.panes["servers"].display
        await pilot.press("Z")
        assert not app.main.panes["images"].display
        assert app.main.panes["servers"].size.width == 158
        await pilot.press("Z")
        assert app.main.panes["images"].display


async def test_an_own_column_stands_on_the_screen() -> None:
    columns = {"servers": [OwnColumn("ident", "id", 12)]}
    async with running(sample(), columns=columns) as (app, pilot):
        await typed(pilot, "ident:id-web-1")
        text = screen_text(app)
        assert "ident" in text and "id-web-1" in text


def on_host(name: str, host: str, project: str = "p") -> Server:
    row = next(one for one in servers() if one.name == name)
    return msgspec.structs.replace(row, host_id=host, project_id=project)


def test_servers_of_one_host_are_found_within_their_project() -> None:
    rows = [on_host("web-1", "h1"), on_host("web-3", "h1"), on_host("db-2", "h2"), on_host("db-3", "h1", "q")]
    assert sharing(rows) == {rows[0].key, rows[1].key}
    assert sharing([msgspec.structs.replace(row, host="node-1") for row in rows[:1] + rows[3:]]) == {
        rows[0].key,
        rows[3].key,
    }
    assert sharing(servers()) == frozenset()


async def test_marked_servers_that_share_a_host_are_pointed_out() -> None:
    console = sample()
    console.put([on_host("web-1", "h1"), on_host("web-3", "h1"), on_host("db-2", "h2")])
    assert DFW in console.places
    async with running(console) as (app, pilot):
        await typed(pilot, "name:^(web-1|web-3|db-2)$")
        await pilot.press("*")
        text = screen_text(app)
        assert "3 marked" in text and "▲ 2 of them share a host" in text
        lines = [line for line in text.splitlines()[8:] if "web-1" in line or "web-3" in line]
        assert len(lines) == 2 and all("▲" in line for line in lines)
        await pilot.press("escape", "escape")  # the filter, then the marks
        assert "share a host" not in screen_text(app)


async def test_a_key_that_some_of_the_marked_rows_take_is_lit_and_says_who_is_left_out() -> None:
    async with running(sample(), (120, 40)) as (app, pilot):

        def lit() -> set[str]:
            deck, main = app.main.deck, app.main
            assert deck is not None
            return {key.word for key in deck.row_keys(main.kind, main.targets(), main.keymap) if key.lit}

        await typed(pilot, "name:^(bastion-1|web-1)$")
        await pilot.press("*")
        assert {"delete", "reboot"} <= lit()  # one of the two is locked
        await pilot.press("D")
        await pilot.pause(0.1)
        text = screen_text(app)
        assert "2 marked; bastion-1 left out" in text and "Delete web-1" in text
        await pilot.press("escape", "space", "j", "space")
        await typed(pilot, "name:^bastion-1$")
        await pilot.press("*")
        assert "delete" not in lit()
