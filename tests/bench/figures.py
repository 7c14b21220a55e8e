"""What was measured, beside its partner and its bound: as a table, as JSON, and as a section of the README.

`python tests/bench/figures.py FOLDER begin` notes how busy the machine is with other work; without the last word it
reads what the other scripts left there and writes the README's section.
"""

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
LOAD = "load"  # the file that tells the machine's load before anything was measured
README = Path(__file__).parents[2] / "README.md"


@dataclass
class Figure:
    """One line of the table. Ours is compared with `bound`, or the ratio to the partner's with `ratio`."""

    what: str
    ours: list[float]
    unit: str
    bound: float | None = None
    partner: str = ""
    theirs: list[float] | None = None
    ratio: float | None = None  # ours / theirs at most; with `less`, theirs / ours at least
    less: bool = False

    @property
    def measured_ratio(self) -> float | None:
        """Ours to theirs, or theirs to ours where less is better told so."""
        if not self.theirs or not statistics.median(self.theirs):
            return None
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return theirs / max(ours, 1e-9) if self.less else ours / max(theirs, 1e-9)

    @property
    def good(self) -> bool | None:
        """Whether the bound holds; None where there is none."""
        verdicts = []
        if self.bound is not None:
            verdicts.append(statistics.median(self.ours) <= self.bound)
        if self.ratio is not None and (measured := self.measured_ratio) is not None:
            verdicts.append(measured >= self.ratio if self.less else measured <= self.ratio)
        return all(verdicts) if verdicts else None

    def cells(self) -> list[str]:
        """The line of a table."""
        bounds = [] if self.bound is None else [f"{self.bound:g} {self.unit}"]
        if self.ratio is not None:
            bounds.append(f"{self.ratio:g} x less" if self.less else f"{self.ratio:g} x")
        measured = self.measured_ratio
        beside = "" if not self.theirs else f"{self.partner}: {spread(self.theirs)} {self.unit}"
        beside += "" if measured is None else f" ({measured:.3g} x{' less' if self.less else ''})"
        verdict = {True: "yes", False: "**no**", None: ""}[self.good]
        return [self.what, f"{spread(self.ours)} {self.unit}", beside, ", ".join(bounds), verdict]


def spread(values: Sequence[float]) -> str:
    """The median, and from where to where the others lie."""
    middle = statistics.median(values)
    if len(values) < 2 or max(values) == min(values):
        return _short(middle)
    return f"{_short(middle)} ({_short(min(values))}-{_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def keep(folder: Path, name: str, figures: Sequence[Figure]) -> None:
    """Print the figures, and leave them for the README."""
    for figure in figures:
        print("  ".join(cell for cell in figure.cells() if cell), flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    told = [asdict(figure) | {"measured_ratio": figure.measured_ratio, "good": figure.good} for figure in figures]
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1))


def begin(folder: Path) -> None:
    """Note the machine's load; later on it is that of what is measured."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LOAD).write_text(str(os.getloadavg()[1]))


def machine(load: float) -> str:
    """The machine in plain words, without its name."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    shared = ", shared with other work: trust ratios, CPU and bytes more than milliseconds" if load > 1 else ""
    return f"{os.cpu_count()} cores ({model}), Linux, Python {platform.python_version()} (load {load:.1f}{shared})"


def section(figures: Sequence[Figure], load: float) -> str:
    """The README's section."""
    rows = [["What", "novadeck", "beside it, in the same run", "bound", "held"], ["---"] * 5]
    rows += [figure.cells() for figure in figures]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    intro = f"`make bench` on {machine(load)}. Medians (lowest-highest) of runs in turn; everything on loopback."
    return "\n".join([BEGIN, intro, "", *lines, END])


def write_readme(folder: Path) -> None:
    """Put the section between its markers."""
    known = set(Figure.__dataclass_fields__)
    figures = [
        Figure(**{name: value for name, value in one.items() if name in known})
        for file in sorted(folder.glob("*.json"))
        for one in json.loads(file.read_text())
    ]
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    load = float((folder / LOAD).read_text()) if (folder / LOAD).exists() else os.getloadavg()[1]
    README.write_text(before + section(figures, load) + rest.partition(END)[2])
    bad = [figure.what for figure in figures if figure.good is False]
    print(f"{len(figures)} figures; bounds not held: {', '.join(bad) or 'none'}")


if __name__ == "__main__":
    (begin if sys.argv[2:] == ["begin"] else write_readme)(Path(sys.argv[1]))
