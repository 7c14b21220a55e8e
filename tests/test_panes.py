"""The declared panes: cells, groups, columns by width, and the filter's language. Pure: no terminal, no cloud."""

import dataclasses
import itertools

import msgspec
import pytest
from standin import BER, DAY, DFW, NOW, PLACES, WAW, ago, flavors, images, key, server, servers

from console.core.filters import doubts, parse
from console.model.place import Key
from console.model.server import Fault, FlavorReference, Reference, Server
from console.tui.columns import EDGE, place_columns
from console.tui.footer import Key as Press
from console.tui.footer import lines
from console.tui.index import Index, Sorting
from console.tui.keys import COMMANDS, make_keymap
from console.tui.lanes import Header, Lane, brief, story
from console.tui.paint import (
    Span,
    age,
    byte_size,
    clock,
    cut_middle,
    folded,
    gigabytes,
    megabytes,
    plain,
    spans,
    width,
    wrapped,
)
from console.tui.panes import FLAVORS, IMAGES, PANES
from console.tui.server_pane import SERVERS, fault_words, flavor_name, image_name
from console.tui.shape import shape_of
from console.tui.spec import Group, Scene, natural
from console.tui.theme import ASCII, UNICODE


def scene(**more: object) -> Scene:
    """A scene of the sample fleet, in which edge/waw is silent."""
    return dataclasses.replace(
        Scene(now=NOW, labels={place: str(place) for place in PLACES}, stale={WAW: 251.0}),
        **more,  # type: ignore[arg-type]
    )


def shown(spec_columns: object, total: int, **more: object) -> list[str]:
    """The names of the columns that fit."""
    options = {"places": True, "wide": False} | more
    return [placed.column.name for placed in place_columns(spec_columns, total, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("total", "gone"),
    [
        (114, set()),
        (118, set()),
        (98, {"image", "flavor"}),
        (78, {"image", "flavor", "place"}),
        (58, {"image", "flavor", "place", "address"}),
    ],
)
def test_columns_leave_in_the_designs_order(total: int, gone: set[str]) -> None:
    every = ["name", "status", "task", "address", "flavor", "image", "place", "age"]
    assert shown(SERVERS.columns, total) == [name for name in every if name not in gone]


@pytest.mark.parametrize("total", range(58, 260))
@pytest.mark.parametrize("needs", [{}, {"name": 60, "flavor": 30, "image": 50, "place": 30, "address": 39}])
def test_columns_never_overflow_and_never_overlap(total: int, needs: dict[str, int]) -> None:
    for places, edge in itertools.product((True, False), (5, 2)):
        placed = place_columns(SERVERS.columns, total, places=places, wide=False, needs=needs, edge=edge)
        assert placed[0].x == edge
        for one, other in itertools.pairwise(placed):
            assert one.x + one.size == other.x
        assert placed[-1].x + placed[-1].size <= total


@pytest.mark.parametrize("total", range(78, 260, 4))
@pytest.mark.parametrize("name", ["servers", "images", "flavors", "audit"])
def test_the_columns_that_were_asked_for_are_on_the_screen(name: str, total: int) -> None:
    columns = PANES[name].columns
    needs = {
        "name": 20,
        "flavor": 30,
        "image": 50,
        "place": 10,
        "address": 15,
        "host": 2,
        "zone": 4,
        "key": 8,
        "who": 8,
        "id": 36,
    }
    placed = place_columns(columns, total, places=True, wide=True, needs=needs)
    assert placed[-1].x + placed[-1].size <= total
    first = next(column for column in columns if column.wide)
    (asked,) = [one for one in placed if one.column is first]
    assert asked.size >= (first.size if not first.gives else min(first.size, needs[first.name] + 1))
    assert placed[0].size >= min(12, columns[0].size) and placed[1].column is columns[1]
    places = [one for one in placed if one.column.places and one.column.grows]
    assert all(one.size > needs["place"] for one in places)  # a place that is cut is no place
    if total > 180 and name == "servers":
        assert placed[0].size > needs["name"]  # whole, before the last columns are
    if total > 200:
        assert {one.column for one in placed} == set(columns)


@pytest.mark.parametrize(("total", "shown"), [(98, "power"), (118, "power"), (126, "key"), (150, "project")])
def test_of_what_was_asked_for_as_much_is_shown_as_can_be_read(total: int, shown: str) -> None:
    needs = {"name": 14, "status": 13, "address": 11, "host": 1, "zone": 4, "power": 8, "key": 4, "project": 32}
    placed = {
        one.column.name: one.size for one in place_columns(SERVERS.columns, total, places=False, wide=True, needs=needs)
    }
    assert list(placed)[-1] == shown
    assert all(placed[name] > needs[name] for name in ("name", "status", "host", "zone", "power"))
    assert total < 118 or placed["task"] >= 20  # what is wrong goes before keys and projects


def test_the_pane_of_a_wide_terminal_is_filled_as_drawn() -> None:
    placed = {p.column.name: p.size for p in place_columns(SERVERS.columns, 114, places=True, wide=False)}
    assert placed == {
        "name": 13,
        "status": 15,
        "task": 22,
        "address": 17,
        "flavor": 11,
        "image": 16,
        "place": 10,
        "age": 5,
    }


def test_an_address_takes_its_room_from_image_and_flavor_and_is_never_cut() -> None:
    needs = {"address": 39, "image": 16, "flavor": 11}
    sizes = {p.column.name: p.size for p in place_columns(SERVERS.columns, 118, places=True, wide=False, needs=needs)}
    assert sizes["address"] >= 40
    narrow = {p.column.name: p.size for p in place_columns(SERVERS.columns, 78, places=True, wide=False, needs=needs)}
    assert narrow["address"] == 17


def test_groups_by_what_a_row_asks() -> None:
    groups = {row.name: SERVERS.group(row, scene()) for row in servers()}
    assert {name for name, group in groups.items() if group is Group.NEEDS_YOU} == {
        "db-1",
        "batch-17",
        "web-2",
        "www-2",
    }
    assert groups["db-3"] is Group.IN_MOTION
    assert groups["ci-9"] is Group.CALM
    assert groups["edge-1"] is Group.LAST_KNOWN


def test_order_is_worst_first_then_the_settings_places_then_names_as_people_count() -> None:
    index = Index(SERVERS, scene())
    index.apply(servers())
    names = [index.rows[key].name for key in index.order]
    assert names[:4] == ["db-1", "batch-17", "web-2", "www-2"]
    assert names.index("ci-9") + 1 == names.index("ci-10")
    assert natural("web-2") < natural("web-10")


def test_cells_of_a_broken_a_moving_and_a_stale_row() -> None:
    rows = {row.name: [cell.text for cell in SERVERS.cells(row, scene())] for row in servers()}
    assert rows["db-1"][:4] == ["db-1", "ERROR", "no valid host", "—"]
    assert rows["edge-3"][:3] == ["edge-3", "UNKNOWN", "was SHUTOFF"]
    moving = next(row for row in servers() if row.name == "db-3")
    assert SERVERS.cells(moving, scene())[2].right == "63%"
    assert rows["bastion-1"][2] == "locked"


def test_a_just_ordered_server_shows_dashes_and_guesses_nothing() -> None:
    bare = Server(id="id-bare", place=DFW)
    assert [cell.text for cell in SERVERS.cells(bare, scene())][:8] == [
        *("id-bare", "UNKNOWN", "", "—", "—", "—", "prod/dfw", "—"),
    ]


def test_an_unknown_status_keeps_its_word() -> None:
    odd = server("odd", "DEFROSTING", DFW, 60, "m1.small", "debian-12")
    assert [cell.text for cell in SERVERS.cells(odd, scene())][1:3] == ["UNKNOWN", "DEFROSTING"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("No valid host was found. There are not enough hosts.", "no valid host"),
        ("Quota exceeded for resources: ['port'].", "port quota reached"),
        ("Build of instance 7f aborted: Disk is full.", "disk is full"),
        ("Exceeded maximum number of retries.", "no host took it"),
        ("IOError happened", "IOError happened"),
        ("", ""),
    ],
)
def test_faults_in_few_words(message: str, words: str) -> None:
    assert fault_words(message) == words
    assert SERVERS.cells(server("x", "ERROR", DFW, 9, "f", "i", fault=Fault(message)), scene())


def test_images_and_flavors_of_several_regions_are_shown_once() -> None:
    index = Index(FLAVORS, scene())
    twice = [*flavors(), *(dataclass_copy(row) for row in flavors())]
    index.apply(twice)
    assert (len(index.order), index.known, len(index.rows)) == (11, 11, 22)
    index.apply(flavors())
    assert len(index.order) == 11
    index.apply([], [flavors()[0].key])
    assert len(index.order) == 11
    index.apply([], [dataclass_copy(flavors()[0]).key])
    assert len(index.order) == 10


def dataclass_copy(row: object) -> object:
    """The same flavor in another region."""
    return msgspec.structs.replace(row, key=msgspec.structs.replace(row.key, region="ord"))  # type: ignore[attr-defined,type-var]


def test_an_image_on_its_way_shows_its_progress() -> None:
    saving = images()[0]
    assert IMAGES.cells(saving, scene())[1].text == "saving 63%"
    assert IMAGES.mood(saving, scene()) == (UNICODE.moving, "busy")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web", {"web-1", "web-2", "web-3", "web-6", "web-7", "web-8", "web-9", "mail-1", "api-1", "api-2", "api-3"}),
        ("name:^web !BUILD", {"web-1", "web-2", "web-3", "web-6"}),
        ("name:web!build", {"web-1", "web-2", "web-3", "web-6"}),
        ("status:error", {"db-1", "batch-17"}),
        ("age<2m", {"web-6", "web-7", "web-8", "web-9"}),
        ("age>=3y name:www", {"www-1", "www-2", "www-3"}),
        ("place:ber status:shutoff", {"ci-9", "ci-10"}),
        ("!place:dfw name:db", set()),
        ("10.20.4.7[12]", {"web-6", "web-7"}),
        ("[", set()),
        ("status=error", {"db-1", "batch-17"}),
        ("place:ber status!=active !name!=ci-9", {"ci-9"}),
    ],
)
def test_the_filters_language(text: str, names: set[str]) -> None:
    told = {key("image", f"image-{name}"): name for name in ("golden-web-v14", "golden-api-v9")}
    index = Index(SERVERS, scene(names=told))
    index.filter = parse(text, SERVERS.fields)
    index.apply(servers())
    found = {index.rows[key].name for key in index.order}
    if text == "web":
        assert found >= {name for name in names if name.startswith("web")}
    else:
        assert found == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web !test status:ERR age<2h name!=x", []),
        ("fe80::1 fa:16:3e:00:00:01", []),
        ("nosuch:1", ["There is no field nosuch; there are name, "]),
        ("age<2x size", ["2x is no number to compare with: 30, 2h, 5d."]),
        ("age>", ["Nothing is no number to compare with"]),
        ("[ name:(", ["[ is no regular expression", "( is no regular expression"]),
    ],
)
def test_a_filter_says_what_is_hardly_meant(text: str, said: list[str]) -> None:
    found = doubts(text, SERVERS.fields)
    assert len(found) == len(said) and all(one.startswith(two) for one, two in zip(found, said, strict=True)), found


def test_a_flavor_and_an_image_have_the_name_that_their_own_cloud_gives_them() -> None:
    row = msgspec.structs.replace(servers()[0], flavor=FlavorReference(id="1"), image=Reference("1"))
    own = {key(kind, "1"): f"our {kind}" for kind in ("flavor", "image")}
    others = {Key("elsewhere", "", kind, "1"): f"another {kind}" for kind in ("flavor", "image")}
    for name in (flavor_name, image_name):
        assert name(row, scene(names=own | others)).startswith("our ")
        assert "another" not in name(row, scene(names=others))


def test_rows_that_change_group_stay_until_they_may_move() -> None:
    index = Index(SERVERS, scene())
    index.apply(servers())
    before = list(index.order)
    broken = server("web-1", "ERROR", DFW, 41 * DAY, "m1.small", "golden-web-v14", "10.20.4.11")
    repaint, shifted = index.apply([broken])
    assert (repaint, shifted, index.order) == ([broken.key], False, before)
    assert index.unsettled
    assert not index.settle(keep=broken.key)
    assert index.settle()
    assert index.position[broken.key] < 5
    back = server("web-1", "ACTIVE", DFW, 41 * DAY, "m1.small", "golden-web-v14", "10.20.4.11")
    index.apply([back])
    index.apply([broken])
    assert not index.unsettled


def test_sorting_by_a_column_switches_groups_off() -> None:
    index = Index(SERVERS, scene())
    index.sorting = Sorting("age")
    index.apply(servers())
    ages = [index.rows[key].created for key in index.order]  # type: ignore[attr-defined]
    assert ages == sorted(ages, reverse=True)
    assert [block.group for block in index.blocks] == [None]


def test_lines_and_positions_agree() -> None:
    index = Index(SERVERS, scene())
    index.apply(servers())
    for titled, roomy in ((True, True), (False, False), (False, True)):
        index.reshape(titled=titled, roomy=roomy)
        for position in range(len(index.order)):
            assert index.at(index.line_of(position)) == position
        titles = [at for line in range(index.lines) if isinstance(at := index.at(line), Group)]
        assert titles == (list(Group) if titled else [])


def test_only_problems() -> None:
    index = Index(SERVERS, scene())
    index.problems = True
    index.apply(servers())
    assert set(index.counts) == {Group.NEEDS_YOU, Group.IN_MOTION}


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (0.44, "0s", "0.4s"),
        (41, "41s", "41s"),
        (134, "2m", "2m14s"),
        (85260, "23h", "23h41m"),
        (3.2e8, "10y", "3703d16h"),
    ],
)
def test_ages_have_one_unit_and_clocks_two(seconds: float, short: str, long: str) -> None:
    assert (age(seconds), clock(seconds)) == (short, long)


def test_sizes_carry_their_unit() -> None:
    assert [megabytes(512), megabytes(2048), megabytes(1536), megabytes(None)] == ["512 MB", "2 GB", "1536 MB", "—"]
    assert [gigabytes(0), gigabytes(80), gigabytes(1200)] == ["0 GB", "80 GB", "1.2 TB"]
    assert [byte_size(622_000_000), byte_size(2_100_000_000)] == ["622 MB", "2.1 GB"]


def test_names_are_cut_in_the_middle_by_cells() -> None:
    assert cut_middle("golden-web-v14-blue", 11) == "golde…-blue"
    assert cut_middle("短い名前のサーバー", 9) == "短い…ーバ" or width_of(cut_middle("短い名前のサーバー", 9)) <= 9
    assert cut_middle("short", 11) == "short"


def width_of(text: str) -> int:
    """Its cells."""
    from rich.cells import cell_len

    return cell_len(text)


def test_footer_keys_never_jump_and_words_leave_whole() -> None:
    row = [Press("r", "reboot", rank=8), Press("f", "resize", False, 7), Press("D", "delete", rank=5)]
    screen = [Press("/", "filter", rank=3), Press("space", "mark", rank=1), Press("?", "help", rank=4)]
    lit = plain(lines(row, screen, 120))
    dark = plain(lines([key._replace(lit=False) for key in row], screen, 120))
    assert lit == dark
    for total in range(60, 200):
        line = lines(row, screen, total)
        assert width(line) <= total
        for word in plain(line).split():
            assert word in {"r", "reboot", "f", "resize", "D", "delete", "/", "filter", "space", "mark", "?", "help"}
    assert plain(lines([row[1]], [], 80, mono=True)).strip() == "- resize"


def test_what_a_row_asks_for_stands_first() -> None:
    row = [Press("r", "reboot"), Press("C", "confirm", first=True)]
    assert plain(lines(row, [], 80)).split() == ["C", "confirm", "r", "reboot"]


def test_a_lane_tells_its_budget_and_how_long_it_is_held_back() -> None:
    lane = Lane("cloud/region", "c", "well", 3, age=2.0, left=31, most=100, window=60.0)
    assert "".join(span.text for span in story(lane)) == "2s old · 31/100 a minute left"
    held = msgspec.structs.replace(lane, state="throttled", again=12.2, left=0)
    assert "".join(span.text for span in story(held)) == "2s old · throttled 12 s · 0/100 a minute left"
    assert "".join(span.text for span in brief(held, UNICODE, short=True, mono=False)).endswith("c throttled 12 s")


def test_lanes_keep_their_order_and_trouble_stays_where_not_all_fit() -> None:
    lanes = [Lane(f"cloud-{n}/region", f"c{n}", "well", n, age=2.0) for n in range(30)]
    lanes[9] = msgspec.structs.replace(lanes[9], state="down", reason="refused", again=26.0)
    for size in ((160, 55), (120, 40), (80, 24), (60, 16)):
        header = Header().lines(lanes, shape_of(*size), UNICODE, time=(Span("14:02:11", "text"),))
        text = "\n".join(plain(line) for line in header)
        assert all(width(line) <= size[0] for line in header)
        assert "c9" in text or "cloud-9" in text
        assert "well" in text


def test_a_lane_does_not_move_when_a_figure_grows() -> None:
    header, shape = Header(), shape_of(160, 55)
    at = []
    for seconds in (9.0, 10.0, 9.0):
        lanes = [Lane("a/b", "b", "well", 3, age=seconds), Lane("c/d", "d", "well", 4, age=1.0)]
        at.append(plain(header.lines(lanes, shape, ASCII)[1]).index("c/d"))
    assert at[1] == at[2]


def test_shapes_of_terminals() -> None:
    wide, normal, small, tiny = shape_of(160, 55), shape_of(120, 40), shape_of(80, 24), shape_of(59, 30)
    assert (wide.beside, wide.lane_lines, wide.titled, wide.main) == (True, 2, True, 114)
    assert (normal.beside, normal.lane_lines) == (False, 2)
    assert (small.lane_lines, small.titled, small.padded, small.header) == (1, False, False, 1)
    assert not tiny.enough
    huge, vast = shape_of(200, 60), shape_of(400, 90)
    assert (wide.side, huge.side, vast.side) == (38, 51, 54), "names of images and flavors get what room there is"
    assert huge.main + huge.side == 200 - 6 - 2


@dataclasses.dataclass(frozen=True)
class Deed:
    """An action, as the keymap knows it."""

    name: str
    key: str | None
    title: str = "do"
    help: str = ""
    on: type = Server


def test_two_things_on_one_key_are_told_and_the_settings_win() -> None:
    deeds = [Deed("server.reboot", "r"), Deed("server.resize", "f")]
    plain_map = make_keymap(deeds, {}, list(PANES))
    assert plain_map.conflicts == []
    assert plain_map.find("r", Server) == "server.reboot"
    assert plain_map.find("1", Server) == "pane.servers"
    rebound = make_keymap(deeds, {"server.resize": "j", "nothing": "x"}, [])
    assert rebound.find("j", Server) == "server.resize"
    assert rebound.find("down", Server) == "down"
    assert len(rebound.conflicts) == 2


def test_no_two_commands_share_a_key() -> None:
    keys = [key for command in COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))


def test_every_real_action_finds_its_key_free() -> None:
    from console.actions.action import ACTIONS

    assert make_keymap(list(ACTIONS.values()), {}, list(PANES)).conflicts == []


def test_every_pane_declares_cells_for_its_columns() -> None:
    rows = {"servers": servers()[0], "images": images()[0], "flavors": flavors()[0]}
    for name, row in rows.items():
        assert len(PANES[name].cells(row, scene())) == len(PANES[name].columns)
    assert EDGE == 5
    assert BER.region == "ber"
    assert ago(1) < NOW


def test_a_long_line_goes_on_below_and_no_wide_character_is_parted() -> None:
    line = spans("  ", Span("abcdef", "muted"), Span("漢字漢字", "text"))
    parts = wrapped(line, 7)
    assert [plain(part) for part in parts] == ["  abcde", "f漢字漢", "字"]
    assert plain(tuple(span for part in parts for span in part)) == plain(line)
    assert wrapped(line, 80) == [line]
    assert wrapped((), 5) == [()]
    help = (Span("key  ", "accent"), Span("Make an image of the server and of all its disks.", "muted"))
    assert [plain(part) for part in folded(help, 32)] == [
        *("key  Make an image of the server", "     and of all its disks.")
    ]
    assert folded(help, 80) == [help]
    assert [plain(part) for part in wrapped((Span("abcdefghij", "text"),), 4, "  ")] == ["abcd", "  ef", "  gh", "  ij"]
