"""Names of every kind, from the cloud to the cells of a real terminal: they are text, and push nothing aside.

The judge is pyte, a terminal that knows nothing of us. What it may draw in another width than we think is allowed to
look odd itself, but never to move what stands beside it.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator import Program, program
from names_app import NAMES
from rich.cells import cell_len

from console.text import clean
from console.tui.edit import Edit
from console.tui.paint import cut_middle, pad, plain, width

ADDRESS = r"127\.\d+\.\d+\.\d+"
# Terminals of different age draw these in different widths: of them not every cell is looked at.
DISPUTED = ("sequence", "flag", "presentation", "skin", "devanagari", "jamo")
COUNT = len(NAMES) + 12
IDS: dict[str, str] = {}
WHOLE = [kind for kind in NAMES if kind not in (*DISPUTED, "long", "wide-long")]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The screen over such names, in a terminal."""
    folder = tmp_path_factory.mktemp("names")
    with program([str(Path(__file__).with_name("names_app.py")), str(folder)], 120, 50) as found:
        found.until(lambda text: text.count("127.") >= len(NAMES) and f"Servers  {COUNT}" in text)
        IDS.update(json.loads((folder / "ids.json").read_text()))
        yield found
        found.type("q")


def columns(one: Program, pattern: str, beside: str = "") -> list[int]:
    """The cells in which the terminal shows what fits the pattern, one for each line that has it and what is beside."""
    found = []
    for y in range(one.screen.lines):
        cells = [one.screen.buffer[y][x].data for x in range(one.screen.columns)]
        starts = [x for x, data in enumerate(cells) for _ in data[:1]]
        text = "".join(data[:1] for data in cells)
        match = re.search(pattern, text)
        found += [starts[match.start()]] if match and beside in text else []
    return found


def first_letters(name: str) -> str:
    """A name as pyte's cells have it, which puts letters and marks together; of each cell the first letter."""
    return "".join(letter for letter in unicodedata.normalize("NFC", clean(name)) if cell_len(letter))


def test_in_the_table_every_address_stands_in_its_column(one: Program) -> None:
    assert len(set(columns(one, ADDRESS))) == 1
    assert len(set(columns(one, "ACTIVE"))) == 1
    shown = "\n".join("".join(one.screen.buffer[y][x].data[:1] for x in range(120)) for y in range(50))
    for kind in WHOLE:
        assert first_letters(NAMES[kind]) in shown, kind
    assert "long-xxx" in shown and "xxx-end" in shown and "-end" in shown  # the middle is cut, never an end


def test_nothing_in_a_name_is_obeyed(one: Program) -> None:
    assert "a\u241b[2J\u241b]0;own\u2407b\u2400c" in one.text()
    assert "[bold red]x[/] [/] {y}" in one.text()
    sent = one.raw.decode(errors="replace")
    assert "\x1b]0;own" not in sent and "own\x07" not in sent and not set("\x9b\0") & set(sent)
    assert "\u202e" not in one.text() and "\u2066" not in one.text() and "\u200d" not in one.text()


@pytest.mark.parametrize("size", [(120, 50), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_dialog_lists_them_under_each_other(one: Program, size: tuple[int, int]) -> None:
    one.resize(*size)
    one.until(lambda text: str(COUNT) in text and one.read(0.3) == 0)
    one.type("*D")
    one.until(f"Type {COUNT} to delete {COUNT} production servers")
    assert len(columns(one, "(ACTIVE|ERROR) ", "▌")) >= 2
    for _ in range(4):
        inside = columns(one, r"(ACTIVE|ERROR) ", "▌")
        assert len(set(inside)) <= 1 and "esc keep them" in one.text()
        one.type("\x1b[6~")  # the next page of them
        one.until(lambda text: one.read(0.2) == 0)
    one.type("\x1b")
    one.until(lambda text: f"Type {COUNT}" not in text)
    one.type("\x1b")
    one.resize(120, 50)
    one.until(lambda text: "marked" not in text and text.count("127.") >= len(NAMES))


@pytest.mark.parametrize("kind", NAMES)
def test_the_detail_view_and_the_question_about_one_keep_their_columns(one: Program, kind: str) -> None:
    one.type(f"/id:{IDS[kind]}\r")
    one.until(f"1 of {COUNT}")
    one.type("\r")
    one.until("What it is")
    assert columns(one, IDS[kind])[0] == 120 - 2 - len("   c copy") - 36
    head = next(text for text in one.text().splitlines() if "c copy" in text)
    assert "ACTIVE" in head and "PROD" in head
    one.type("D")
    one.until("to delete it")
    assert "PROD" in next(text for text in one.text().splitlines() if "▌   Delete " in text)
    assert "esc keep it" in one.text()
    assert len(set(columns(one, "▌"))) == 1
    one.type("\x1b")
    one.until(lambda text: "to delete it" not in text)
    one.type("\t\t\t\t")  # to its metadata, whose key and value are its name
    one.until(lambda text: "Metadata" in text and one.read(0.1) == 0)
    one.type("\x1b")
    one.until(f"1 of {COUNT}")
    one.type("\x1b")
    one.until(lambda text: text.count("127.") >= len(NAMES))


def line(one: Program, number: int) -> str:
    return one.text().splitlines()[number]


def test_a_refusal_an_operation_and_a_filter_tell_them_as_text(one: Program) -> None:
    one.type("/" + "name:短い" + "\r")
    one.until("/name:短い")
    assert f"1 of {COUNT}" in line(one, 5)
    one.type("r")
    one.until("Reboot 短い名前のサーバー")
    one.type("\r")
    one.until("reboot")
    one.until(lambda text: "短い名前のサーバー" in text.split("Operations")[-1])
    one.type("\x1b")
    one.until(f"Servers  {COUNT}")


def test_words_are_padded_and_cut_by_cells() -> None:
    for name in NAMES.values():
        text = clean(name)
        for size in (6, 13, 24, 40):
            cut = cut_middle(text, size)
            assert cell_len(cut) <= size and cell_len(pad(cut, size)) == size
            assert not cut or cell_len(cut[0])
            edit = Edit(text)
            assert width(edit.spans(room=size)) == size, "the field is as wide as it shall be"
            assert any(span.underline for span in edit.spans(room=size)), "and its cursor is seen"
    assert plain(Edit("ab").spans(room=4)) == "ab  "
