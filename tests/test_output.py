"""Data on stdout: stable ids, times in UTC, nothing that a terminal would obey, nothing secret."""

import csv
import datetime as dt
import io
import json

import pytest
import yaml

from console.cli.columns import FLAVOR, IMAGE, chosen, ordered, server_columns, sheet
from console.cli.output import Sheet, fit, iso, plain, shorten, text, write, write_objects, write_one
from console.cli.parse import UsageError
from console.core.news import fields
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Place
from console.model.server import Address, FlavorReference, Reference, Server
from console.text import Secret

WHEN = dt.datetime(2026, 11, 20, 23, 1, 6, 999, tzinfo=dt.timezone(dt.timedelta(hours=1)))
SERVER = Server(
    id="s-1",
    name="web",
    word="ACTIVE",
    place=Place("lab", "one"),
    created=WHEN,
    image=Reference("i-1"),
    flavor=FlavorReference(id="f-1"),
    addresses={"net": [Address("10.0.0.4")]},
    metadata={"role": "web"},
)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def written(found: Sheet, form: str) -> str:
    out = io.StringIO()
    write(found, form, out)
    return out.getvalue()


SHEET = Sheet(("id", "name", "created", "ram"), [["1", "web", WHEN, 512], ["2", None, None, None]])


def test_json_is_one_object_per_line_and_keeps_types() -> None:
    out = written(SHEET, "json")
    assert json.loads(out) == [
        {"id": "1", "name": "web", "created": "2026-11-20T22:01:06Z", "ram": 512},
        {"id": "2", "name": None, "created": None, "ram": None},
    ]
    assert out.count("\n") == 4


def test_no_rows_are_an_empty_list_and_an_empty_table() -> None:
    assert json.loads(written(Sheet(("id",), []), "json")) == []
    assert written(Sheet(("id",), []), "table") == ""
    assert written(Sheet(("id",), []), "ndjson") == ""


def test_ndjson_yaml_csv_and_value() -> None:
    assert [json.loads(line)["id"] for line in written(SHEET, "ndjson").splitlines()] == ["1", "2"]
    assert yaml.safe_load(written(SHEET, "yaml"))[0] == {
        "id": "1",
        "name": "web",
        "created": "2026-11-20T22:01:06Z",
        "ram": 512,
    }
    assert list(csv.reader(io.StringIO(written(SHEET, "csv")))) == [
        ["id", "name", "created", "ram"],
        ["1", "web", "2026-11-20T22:01:06Z", "512"],
        ["2", "", "", ""],
    ]
    assert written(SHEET, "value").splitlines()[0] == "1 web 2026-11-20T22:01:06Z 512"


def test_a_table_is_aligned_by_cells() -> None:
    lines = written(Sheet(("id", "ram"), [["界", 5], ["abc", 1024]]), "table").splitlines()
    assert lines == ["ID    RAM", "界      5", "abc  1024"]


def test_a_table_fits_its_terminal_and_a_pipe_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    found = Sheet(("id", "name", "note"), [["1234567890", "n" * 40, "short"]], frozenset({"id"}))
    screen = Terminal()
    write(found, "table", screen)
    line = screen.getvalue().splitlines()[1]
    assert line.startswith("1234567890  nnnnn")
    assert "…" in line
    assert len(line) <= 30
    assert "n" * 40 in written(found, "table")


@pytest.mark.parametrize(
    ("widths", "most", "expected"),
    [([10, 10], 22, [10, 10]), ([10, 20], 22, [10, 10]), ([10, 12, 30], 40, [10, 12, 14]), ([9, 9], 4, [8, 8])],
)
def test_the_widest_column_gives_first(widths: list[int], most: int, expected: list[int]) -> None:
    assert fit(widths, [False] * len(widths), most) == expected


def test_a_cut_cell_has_exactly_its_width() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("界界界", 4) == "界… "


def test_no_cell_of_text_can_move_the_cursor() -> None:
    for form in ("table", "value", "csv"):
        assert "\x1b" not in written(Sheet(("name",), [["[bold]x[/]\x1b[2J"]]), form)
    assert "[bold]x[/]␛[2J" in written(Sheet(("name",), [["[bold]x[/]\x1b[2J"]]), "table")


def test_a_secret_is_dots_everywhere() -> None:
    for form in ("table", "json", "yaml", "csv", "value", "ndjson"):
        assert "hunter2" not in written(Sheet(("pass",), [[Secret("hunter2")]]), form)
    out = io.StringIO()
    write_objects([{"deep": [{"pass": Secret("hunter2")}]}], "json", out)
    assert "hunter2" not in out.getvalue()


def test_plain_values() -> None:
    assert iso(WHEN) == "2026-11-20T22:01:06Z"
    assert plain({"a": (1, {"x"}), 2: WHEN}) == {"a": [1, ["x"]], "2": "2026-11-20T22:01:06Z"}
    assert text({"net": ["10.0.0.4", "::1"], "on": True}) == "net=10.0.0.4, ::1, on=yes"


def test_a_server_in_compact_columns() -> None:
    columns = server_columns({("lab/one", "i-1"): "debian"}, {("lab/one", "f-1"): "m1.small"})
    assert list(sheet(chosen(columns, [], long=False), [SERVER]).objects()) == [
        {
            "id": "s-1",
            "name": "web",
            "status": "ACTIVE",
            "task_state": None,
            "address": "10.0.0.4",
            "flavor": "m1.small",
            "image": "debian",
            "place": "lab/one",
        }
    ]


def test_names_that_nobody_knows_stay_ids_and_an_unknown_status_keeps_its_word() -> None:
    columns = server_columns({}, {})
    row = next(sheet(chosen(columns, ["image,flavor", "Status"], long=False), [SERVER]).objects())
    assert row == {"image": "i-1", "flavor": "f-1", "status": "ACTIVE"}
    strange = Server(id="s-2", word="DANCING")
    assert next(sheet(chosen(columns, ["status"], long=False), [strange]).objects()) == {"status": "DANCING"}


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'flavor'"):
        chosen(server_columns({}, {}), ["flavour"], long=False)


def test_sorting_puts_the_unknown_last_either_way() -> None:
    rows = [Flavor(id="1", name="b", ram=9), Flavor(id="2", name="A", ram=None), Flavor(id="3", name="c", ram=100)]
    assert [row.id for row in ordered(rows, FLAVOR, ["ram"])] == ["1", "3", "2"]
    assert [row.id for row in ordered(rows, FLAVOR, ["-ram"])] == ["3", "1", "2"]
    assert [row.id for row in ordered(rows, FLAVOR, ["name"])] == ["2", "1", "3"]


def test_show_tells_the_models_own_words() -> None:
    told = fields(SERVER)
    assert (told["status"], told["cloud"], told["region"], told["addresses"]) == (
        "ACTIVE",
        "lab",
        "one",
        {"net": ["10.0.0.4"]},
    )
    assert "record" not in told
    assert fields(Image(id="i", word="ACTIVE"))["status"] == "active"
    out = io.StringIO()
    write_one(told, "json", out)
    assert json.loads(out.getvalue())["created"] == "2026-11-20T22:01:06Z"
    assert {column.id for column in IMAGE} >= {"id", "name", "status", "size"}
