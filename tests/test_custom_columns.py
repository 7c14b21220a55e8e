"""Columns that a user adds: read by a path out of any record, shown where there is room, filtered and sorted by."""

import msgspec
import pytest
from standin import DFW, server

from console.core.filters import parse
from console.core.jsonpath import parse_path, reader
from console.core.settings import OwnColumn
from console.model.server import Server
from console.tui.columns import place_columns
from console.tui.custom import with_columns
from console.tui.panes import PANES
from console.tui.spec import Scene

RECORD = b"""{"id": "7", "metadata": {"role": "web", "a.b": "dotted"}, "OS-EXT-AZ:availability_zone": "nova",
 "addresses": {"net": [{"addr": "10.0.0.1"}, {"addr": "10.0.0.2"}]}, "flavor": {"vcpus": 4}, "locked": false}"""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.role", "web"),
        ("$.metadata.role", "web"),
        ("metadata['a.b']", "dotted"),
        ("OS-EXT-AZ:availability_zone", "nova"),
        ("addresses.net[1].addr", "10.0.0.2"),
        ("addresses.net[-1].addr", "10.0.0.2"),
        ("addresses.*[*].addr", "10.0.0.1, 10.0.0.2"),
        ("flavor.vcpus", 4),
        ("locked", "no"),
        ("flavor", '{"vcpus":4}'),
        ("metadata.none", None),
        ("id.deeper[0]", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: object) -> None:
    assert reader(path)(RECORD) == value


@pytest.mark.parametrize("path", ["", "$", "a..b", "a[", "a.[0", "."])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path to a value"):
        parse_path(path)


def test_no_record_and_a_broken_one_have_no_value() -> None:
    assert reader("a")(b"") is None
    assert reader("a")(b"{") is None
    assert reader("a")(b'{"a": "\xff"}') is None


def test_an_own_column_is_shown_filtered_and_sorted_like_any_other() -> None:
    own = [OwnColumn("role", "metadata.role", 10), OwnColumn("cores", "flavor.vcpus", 6, "right")]
    spec = with_columns(PANES, {"servers": own})["servers"]
    row = replace_record(RECORD)
    names = [column.name for column in spec.columns]
    assert names.index("age") == names.index("cores") + 1 == names.index("role") + 2
    cells = dict(zip(names, spec.cells(row, Scene()), strict=True))
    assert (cells["role"].text, cells["cores"].text) == ("web", "4")
    assert cells["age"] == PANES["servers"].cells(row, Scene())[[c.name for c in PANES["servers"].columns].index("age")]
    held = parse("role:web cores>=4", spec.fields)
    assert held is not None and held.lets(row, Scene(), "")
    held = parse("cores>4", spec.fields)
    assert held is not None and not held.lets(row, Scene(), "")
    assert with_columns(PANES, {})["images"] is PANES["images"]


def replace_record(record: bytes) -> Server:
    return msgspec.structs.replace(server("web-1", "ACTIVE", DFW, 60, "m1", "deb"), record=record)


@pytest.mark.parametrize("total", [78, 98, 108, 118, 158])
def test_own_columns_never_push_an_address_or_the_age_out(total: int) -> None:
    spec = with_columns(PANES, {"servers": [OwnColumn("role", "a", 12)]})["servers"]
    needs = {"address": 14, "name": 20, "image": 16, "flavor": 10, "place": 10}
    placed = {one.column.name: one for one in place_columns(spec.columns, total, places=True, wide=False, needs=needs)}
    assert placed["address"].size >= 15
    assert placed["age"].x + placed["age"].size <= total
    assert ("role" in placed) == (total >= 98), "what was asked for comes before a place"
    assert ("place" in placed) == (total >= 110)


def test_what_a_record_says_is_cleaned() -> None:
    spec = with_columns(PANES, {"servers": [OwnColumn("role", "r")]})["servers"]
    row = replace_record(b'{"r": "\\u001b[31mred\\u202e"}')
    assert "\x1b" not in spec.cells(row, Scene())[7].text
    assert "\u202e" not in spec.cells(row, Scene())[7].text
