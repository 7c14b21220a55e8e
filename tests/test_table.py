"""The table on its own: what it repaints, where the cursor stays, and that ten thousand rows cost what forty do."""

import asyncio
import dataclasses
import datetime as dt
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from standin import BER, DFW, NOW, PLACES, key, sample, server, servers
from still_screen import running
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from console.model.image import Image
from console.model.place import Key, Place
from console.model.server import Server
from console.tui.image_pane import IMAGES
from console.tui.index import Index
from console.tui.server_pane import SERVERS
from console.tui.spec import Scene
from console.tui.table import Table
from console.tui.theme import Ink, load_theme

ONE_HOUR = 3600.0


class Alone(App[None]):
    """A table and nothing else."""

    CSS = "Table { width: 100%; height: 100%; }"

    def __init__(self) -> None:
        super().__init__()
        scene = Scene(now=NOW, labels={place: str(place) for place in PLACES})
        self.table = Table(SERVERS, scene, Ink(load_theme("nocturne")))
        self.painted: list[Region] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def watch_paint(self) -> None:
        """Note every region that is asked to be painted from now on."""
        stock = self.table.refresh

        def refresh(*regions: Region, **more: Any) -> Any:
            self.painted.extend(regions or (self.table.size.region,))
            return stock(*regions, **more)

        self.table.refresh = refresh  # type: ignore[method-assign]


@pytest.fixture
async def pilot() -> AsyncIterator[Pilot[None]]:
    """A table of 120 by 20 with 29 rows in it."""
    app = Alone()
    async with app.run_test(size=(120, 20)) as found:
        app.table.take(servers(), [])
        await found.pause()
        app.watch_paint()
        yield found


def table_of(pilot: Pilot[None]) -> Table:
    """The table."""
    assert isinstance(pilot.app, Alone)
    return pilot.app.table


def painted(pilot: Pilot[None]) -> list[Region]:
    """What was painted since the last look."""
    assert isinstance(pilot.app, Alone)
    found, pilot.app.painted = pilot.app.painted, []
    return found


def name_at_cursor(table: Table) -> str:
    """The name of the row under the cursor."""
    assert table.cursor_row is not None
    return table.cursor_row.name


def line(table: Table, y: int) -> str:
    """What a line of the screen shows."""
    return table.render_line(y).text


async def test_only_the_cells_that_differ_are_painted(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    row = next(row for row in servers() if row.name == "db-3")
    for y in range(20):
        table.render_line(y)
    table.take([server("db-3", "ACTIVE", DFW, 211 * 86400.0, "m1.large", "debian-12", "10.20.8.3",
                       task="image_uploading", progress=64)], [])  # fmt: skip
    (region,) = painted(pilot)
    column = next(placed for placed in table.columns if placed.column.name == "task")
    y = table.index.line_of(table.index.position[row.key]) - table.top
    assert region == Region(column.x, y, column.size, 1)
    assert "64%" in line(table, y)


async def test_what_is_equal_paints_nothing(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    for y in range(20):
        table.render_line(y)
    table.take(servers(), [])
    assert painted(pilot) == []


async def test_rows_off_the_screen_paint_nothing(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    for y in range(20):
        table.render_line(y)
    last = table.index.rows[table.index.order[-1]]
    assert isinstance(last, Server)
    table.take([server(last.name, "ACTIVE", last.place, 5, "m1.large", "debian-12", "10.9.9.9")], [])
    assert painted(pilot) == []


async def test_moving_the_cursor_paints_two_lines(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    table.move(1)
    assert [(region.height, region.width) for region in painted(pilot)] == [(1, 120), (1, 120)]


async def test_the_cursor_keeps_its_row_and_its_line_when_rows_come_and_go(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    table.go(table.index.position[next(row for row in servers() if row.name == "cache-1").key])
    line_before = table.index.line_of(table.cursor_position) - table.top
    table.take([server(f"aaa-{n}", "ACTIVE", DFW, 60, "m1.small", "debian-12") for n in range(7)], [])
    assert name_at_cursor(table) == "cache-1"
    assert table.index.line_of(table.cursor_position) - table.top == line_before
    gone = [row.key for row in servers() if row.name.startswith(("api", "web"))]
    table.take([], gone)
    assert name_at_cursor(table) == "cache-1"


async def test_when_the_cursors_row_goes_the_next_one_has_it(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    table.go(3)
    following = table.index.rows[table.index.order[4]].name
    assert table.cursor is not None
    table.take([], [table.cursor])
    assert name_at_cursor(table) == following


async def test_rows_that_load_before_any_key_leave_the_cursor_at_the_top() -> None:
    app = Alone()
    async with app.run_test(size=(120, 20)) as pilot:
        for row in reversed(servers()):
            app.table.take([row], [])
        await pilot.pause()
        assert app.table.cursor == app.table.index.order[0]
        assert app.table.top == 0


async def test_a_row_that_breaks_under_the_cursor_repaints_and_moves_last(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    row = next(row for row in servers() if row.name == "cache-1")
    table.go(table.index.position[row.key])
    position = table.cursor_position
    table.take([server("cache-1", "ERROR", DFW, 140 * 86400.0, "m1.medium", "ubuntu-24.04", "10.20.6.1")], [])
    assert table.cursor_position == position
    assert "ERROR" in line(table, table.index.line_of(position) - table.top)
    table.settle(hold_cursor=True)
    assert table.cursor_position == position
    table.settle(hold_cursor=False)
    assert table.cursor_position < 3
    assert name_at_cursor(table) == "cache-1"


async def test_a_changed_status_is_bold_for_three_seconds(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    row = next(row for row in servers() if row.name == "ci-8")
    table.go(table.index.position[row.key])
    table.move(-1)
    table.take(
        [server("ci-8", "SHUTOFF", BER, 9 * 86400.0, "m1.xlarge", "ubuntu-24.04", "2001:db8:40::18")], [], now=100.0
    )
    assert bold_name(table, row) is True
    table.tick(102.0)
    assert bold_name(table, row) is True
    table.tick(103.5)
    assert bold_name(table, row) is False


def bold_name(table: Table, row: Server) -> bool:
    """Whether the name of the row is drawn bold."""
    strip = table.render_line(table.index.line_of(table.index.position[row.key]) - table.top)
    (segment,) = [segment for segment in strip if segment.text.startswith(row.name)]
    return bool(segment.style and segment.style.bold)


async def test_marks_stay_with_their_rows(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    table.go(5)
    table.mark()
    table.mark()
    names = [row.name for row in table.targets()]
    table.take([server("aaa", "ERROR", DFW, 60, "m1.small", "debian-12")], [])
    assert [row.name for row in table.targets()] == names
    table.take([], [table.targets()[0].key])
    assert [row.name for row in table.targets()] == names[1:]


async def test_production_rows_have_their_gutter() -> None:
    app = Alone()
    app.table.scene.production = lambda place: "production" if place == DFW else ""
    async with app.run_test(size=(120, 20)) as pilot:
        app.table.take(servers(), [])
        await pilot.pause()
        found = {app.table.index.rows[key].place: line(app.table, app.table.index.line_of(n))[0]
                 for n, key in enumerate(app.table.index.order[:12])}  # fmt: skip
        assert found[DFW] == "▏"
        assert found[BER] == " "


async def test_ten_thousand_rows_draw_only_what_is_seen() -> None:
    app = Alone()
    calls = itertools.count()
    stock = SERVERS.cells

    def counted(row: Any, scene: Scene) -> Any:
        next(calls)
        return stock(row, scene)

    import dataclasses

    async with app.run_test(size=(120, 40)) as pilot:
        app.table.spec = dataclasses.replace(SERVERS, cells=counted)
        many = [server(f"web-{n:05d}", "ACTIVE", DFW, 60.0 + n, "m1.small", "debian-12") for n in range(10_000)]
        app.table.take(many, [])
        await pilot.pause()
        app.table.page(5)
        await pilot.pause()
        app.table.take([server("web-09999", "ACTIVE", DFW, 60.0, "m1.large", "debian-12")], [])
        app.table.tick(1.0)
        await pilot.pause()
    assert next(calls) < 400


@pytest.mark.parametrize("width", [60, 80, 114, 200])
async def test_every_line_is_exactly_as_wide_as_the_table(width: int) -> None:
    app = Alone()
    async with app.run_test(size=(width, 40)) as pilot:
        app.table.take([*servers(), server("短い名前のサーバー" * 3, "ACTIVE", DFW, 9, "f" * 40, "i" * 60)], [])
        await pilot.pause()
        for y in range(40):
            assert app.table.render_line(y).cell_length == width


async def test_rows_whose_ages_stand_are_looked_at_less_often_than_those_in_motion(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    looked: Counter[str] = Counter()
    stock = table._paint

    def paint(key: Key) -> Any:
        looked[key.id] += 1
        return stock(key)

    table._paint = paint  # type: ignore[method-assign]
    table.restyle()
    await pilot.pause()
    looked.clear()
    for second in range(24):
        table.scene.now = NOW + dt.timedelta(seconds=second)
        table.tick(float(second))
        await pilot.pause()
    seen = [table.index.rows[key] for key in table.visible_keys()]
    assert min(looked[row.id] for row in seen if row.in_flight and row.progress is None) >= 23
    assert max(looked[row.id] for row in seen if row.status == "ERROR") <= 8


async def test_a_row_at_rest_that_begins_to_move_is_counted_from_the_next_second_on(pilot: Pilot[None]) -> None:
    table = table_of(pilot)
    for second in range(30):  # now everything at rest is looked at seldom
        table.scene.now = NOW + dt.timedelta(seconds=second)
        table.tick(float(second))
        await pilot.pause()
    seen = [table.index.rows[key] for key in table.visible_keys()]
    calm = next(row for row in seen if row.status == "ACTIVE" and not row.task_state)
    key = calm.key
    started = NOW + dt.timedelta(seconds=29)
    table.take(
        [msgspec.structs.replace(calm, word="REBOOT", task_state="rebooting", progress=None, updated=started)], []
    )
    y = table.index.line_of(table.index.position[key]) - table.top
    told = set()
    for second in range(30, 36):
        table.scene.now = NOW + dt.timedelta(seconds=second)
        table.tick(float(second))
        await pilot.pause()
        told.add(line(table, y))
    assert len(told) == 6, told


def test_of_an_image_in_two_regions_the_same_one_is_shown_whichever_answers_first() -> None:
    def image(region: str) -> Image:
        place = Place("nimbus", region)
        return Image(
            id=f"id-{region}", key=Key("http://" + region, region, "image", f"id-{region}"), place=place,
            name="debian-12", word="active", visibility="public", size=1,
        )  # fmt: skip

    for answers in (("dfw", "ord"), ("ord", "dfw")):
        index = Index(IMAGES, Scene(now=NOW))
        for region in answers:
            index.apply([image(region)])
        assert [key.region for key in index.order] == ["dfw"], answers
        index.apply([], [image("dfw").key])
        assert [key.region for key in index.order] == ["ord"], answers


async def test_names_that_come_late_are_shown_at_once_and_of_many_rows_measured_when_seen(
    pilot: Pilot[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.tui.table.AT_ONCE", 28)  # there are 29 rows
    table, asked = table_of(pilot), list[Key]()
    seen = list(table.visible_keys())
    for y in range(20):
        table.render_line(y)

    def needs(row: Any, scene: Scene) -> Any:
        asked.append(row.key)
        return SERVERS.needs(row, scene)

    table.spec = dataclasses.replace(table.spec, needs=needs)
    images = [key("image", row.image_id) for row in servers() if row.image_id]
    for name in ("the friend's one", "the friend's own"):  # whether or not a column grows for it
        table.scene.names.update(dict.fromkeys(images, name))
        table.renamed()
        table.tick(0.0)
        assert set(asked) == set(seen) and len(seen) < 29
        assert any(name in line(table, y) for y in range(20))
    table.go(10**9)
    for y in range(20):
        table.render_line(y)
    assert set(asked) == {row.key for row in servers()}


async def test_only_a_name_that_is_another_has_the_rows_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    console, told = sample(), list[Table]()
    monkeypatch.setattr(Table, "renamed", lambda table: told.append(table))
    async with running(console) as (app, pilot):
        pane = app.main.panes["images"].table
        app.main.tick()
        saving = next(row for row in console.store.rows(Image).values() if row.name == "golden-web-v15")

        async def becomes(**more: Any) -> None:
            told.clear()
            row = msgspec.structs.replace(saving, **more)
            console.put([row])
            async with asyncio.timeout(60):
                while pane.index.rows.get(row.key) != row:
                    await pilot.pause(0.02)
            app.main.tick()

        await becomes(progress=64)
        assert told == []
        await becomes(name="golden-web-v16")
        assert told
