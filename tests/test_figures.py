"""The benchmark's table says what was measured, and whether it is what was promised."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).with_name("bench")))
import figures
from figures import BEGIN, END, Figure, keep, spread, write_readme


@pytest.mark.parametrize(
    ("figure", "good"),
    [
        (Figure("bytes", [70, 90, 60], "B", 80), True),
        (Figure("bytes", [90], "B", 80), False),
        (Figure("cpu", [3.0], "s", None, "peer", [1.0, 2.0, 3.0], ratio=1.5), True),
        (Figure("cpu", [3.1], "s", None, "peer", [2.0], ratio=1.5), False),
        (Figure("cpu", [1.0], "s", None, "peer", [70.0], ratio=60, less=True), True),
        (Figure("cpu", [2.0], "s", None, "peer", [70.0], ratio=60, less=True), False),
        (Figure("cpu", [1.0], "s", 2.0, "peer", [70.0], ratio=80, less=True), False),
        (Figure("memory", [1.0], "MiB"), None),
    ],
)
def test_a_bound_holds_for_the_median_and_both_where_there_are_two(figure: Figure, good: bool | None) -> None:
    assert figure.good is good
    assert ("**no**" in figure.cells()) is (good is False)


def test_medians_are_told_with_their_spread() -> None:
    assert [spread([3, 1, 2]), spread([4.0]), spread([1200, 800])] == ["2 (1-3)", "4", "1,000 (800-1,200)"]


def test_the_section_is_put_between_its_markers_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(figures, "README", readme)
    keep(tmp_path / "out", "one", [Figure("one cell", [65.0], "B", 80), Figure("too much", [9.0], "s", 1)])
    write_readme(tmp_path / "out")
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| one cell | 65 B |  | 80 B | yes |" in text
    assert "not held: too much" in capsys.readouterr().out
