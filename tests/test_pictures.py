"""The pictures of the README are of this screen: each is kept, and those of clouds that stand still are taken again.

`python screenshots/take.py --check` compares the others too, in which something moves.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "screenshots"
TAKE = FOLDER / "take.py"


def declared(*, still: bool = False) -> list[str]:
    """The names that the script takes; `still` are those of clouds that answer and in which nothing moves."""
    names = "[n for n, p in PICTURES.items() if p.speed == STILL and p.over in ('clouds', 'nothing', 'empty')]"
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); from take import *; print(*{names if still else 'PICTURES'})"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return run.stdout.split()


def test_every_picture_is_kept_and_nothing_else() -> None:
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(declared())
    assert {path.stem for path in FOLDER.glob("*.png")} == set(declared())


def test_no_picture_shows_whose_machine_it_was_taken_on() -> None:
    for path in FOLDER.glob("*.svg"):
        shown = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8")))
        assert not re.search(r"/(root|tmp|work)\b", shown), path.name
        assert "/home/" not in shown.replace("/home/you", ""), path.name


def some() -> list[tuple[str, ...]]:
    """Several for each process, whose start costs as much as a picture."""
    names = declared(still=True)
    return [tuple(names[at : at + 4]) for at in range(0, len(names), 4)]


@pytest.mark.parametrize("names", some(), ids=lambda names: names[0])
def test_pictures_tell_what_the_screen_does_now(names: tuple[str, ...]) -> None:
    run = subprocess.run([sys.executable, TAKE, "--check", *names], capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_screen_that_says_something_else_is_noticed(tmp_path: Path) -> None:
    code = (
        f"import sys, pathlib; sys.path.insert(0, {str(FOLDER)!r}); import take\n"
        f"old = (pathlib.Path({str(FOLDER)!r}) / 'servers-80x24.svg').read_text()\n"
        "assert take.words(old) == take.words(old.replace('29d', '3d')) != take.words(old.replace('RESCUE', 'ACTIVE'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
