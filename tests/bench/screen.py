"""What the screen costs, seen from outside: bytes to the terminal, keys, CPU, memory, start; beside a plain DataTable.

`python tests/bench/screen.py FOLDER [RUNS] [ONLY ...]` runs ours and its partner in turn and leaves the figures in
FOLDER. A key counts as painted when the cursor's mark (ours) or its colour (the partner's) stands on the next row.
"""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from figures import Figure, keep
from terminal import DOWN, F2, F3, HEIGHT, HOME, PAGE_DOWN, WIDTH, Driven, driven

HERE = Path(__file__).parent
MARK = "▸".encode()
CURSOR = b"48;2;18;171;52m"
FRAME = b"\x1b[?2026h"
NARROW = (80, 24)
PLAIN = "a plain Textual DataTable"


@contextmanager
def pages(servers: int) -> Iterator[str]:
    """A cloud of so many servers; its address."""
    command = [sys.executable, HERE / "pages.py", str(servers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdin is not None and served.stdout is not None
        yield served.stdout.readline().strip()
        served.stdin.close()


def ours(url: str, speed: float | None = None, size: tuple[int, int] = (WIDTH, HEIGHT), **told: Any) -> Any:
    """The real screen."""
    return driven([str(HERE / "screen_app.py"), json.dumps({"url": url} | told)], speed=speed, size=size)


def theirs(rows: int, speed: float | None = None, size: tuple[int, int] = (WIDTH, HEIGHT), **told: Any) -> Any:
    """Its partner."""
    return driven([str(HERE / "plain_app.py"), json.dumps({"rows": rows} | told)], speed=speed, size=size)


def shown(one: Driven, settle: float = 8.0) -> float:
    """Wait for the rows, and for quiet; the seconds until the rows were there."""
    _, at = one.read(90, until=lambda data: b"web-00003" in data)
    assert at is not None, "no rows"
    one.read(settle)
    return at - one.began


def frames(one: Driven, key: bytes, times: int) -> list[int]:
    """The bytes that each press of a key makes, without frames of the clock alone; presses without any are left out."""
    found: list[int] = []
    while len(found) < times:
        one.read(0.2)
        one.press(key)
        data, _ = one.read(1.5, quiet=0.4)
        parts = [FRAME + part for part in data.split(FRAME)[1:]] or [data]
        size = sum(len(part) for part in parts if len(parts) == 1 or b"\x1b[2;15" not in part[:20])
        found += [size] if size else []
    return found


def seen_ours(data: bytes) -> bool:
    """Whether the cursor's mark was painted."""
    return MARK in data


def seen_theirs(data: bytes) -> bool:
    """Whether a row in the cursor's colour was painted."""
    return CURSOR in data


def keys(one: Driven, seen: Callable[[bytes], bool], times: int, most: float = 5.0) -> list[float]:
    """Milliseconds from a key to its frame, seen from outside, at odd moments; the cursor stays on the screen."""
    chance, found = random.Random(1), []
    for number in range(times):
        if number % 25 == 0:
            one.press(HOME)
            one.read(0.5)
        one.read(chance.uniform(0.03, 0.09))
        began = time.monotonic()
        one.press(DOWN)
        _, at = one.read(most, until=seen)
        found.append(1000 * ((at or time.monotonic()) - began))
    return found


def burnt(one: Driven, seconds: float, key: bytes = b"") -> tuple[float, float]:
    """Percent of a core, and bytes a second; after a key, where one is given."""
    cpu, sent, began = one.cpu(), one.bytes, time.monotonic()
    one.press(key)
    one.read(seconds)
    passed = time.monotonic() - began
    return 100 * (one.cpu() - cpu) / passed, (one.bytes - sent) / passed


def calm(one: Driven) -> None:
    """Wait until the first load's work is over, the timeline's file included."""
    for _ in range(60):
        if burnt(one, 1)[0] < 5:
            return


def part(values: list[float], share: float) -> float:
    """The value below which this share of the others lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def sizes(url: str, runs: int) -> list[Figure]:
    """Bytes to the terminal, and idling."""
    found: dict[str, list[list[float]]] = {}
    for _ in range(runs):
        for which, opened, at in ((0, ours(url), 10), (1, theirs(10_000), 10)):
            with opened as one:
                shown(one)
                told: dict[str, list[float]] = {"first": [one.bytes]}
                idle = burnt(one, at)
                told |= {"idle": [idle[0]], "idle bytes": [idle[1]]}
                told["cell"] = [min(frames(one, F3, 8))]  # in the others the clock went on meanwhile
                told["step"] = [statistics.median(frames(one, DOWN, 5))]
                told["page"] = [statistics.median(frames(one, PAGE_DOWN, 5))]
                told["scroll"] = [statistics.median(frames(one, DOWN, 5))]
                for name, values in told.items():
                    found.setdefault(name, [[], []])[which] += values
    bounds = {
        "cell": ("one changed cell", 80.0),
        "step": ("a step of the cursor", 500.0),
        "scroll": ("scrolling by a row", 800.0),
        "page": ("a page down", 7500.0),
        "first": ("everything until the first screen is whole, 160 x 45", 12_500.0),
        "idle bytes": ("idling, a second (the header's clock)", None),
    }
    figures = [
        Figure(what, found[name][0], "B", bound, PLAIN, found[name][1]) for name, (what, bound) in bounds.items()
    ]
    return [*figures, Figure("idling", found["idle"][0], "% of a core", 0.2, PLAIN, found["idle"][1])]


def still(url: str, runs: int) -> list[Figure]:
    """Idling where the clock has no seconds; a turn of the minute is left out."""
    cost: list[list[float]] = [[], []]
    sent: list[list[float]] = [[], []]
    for _ in range(runs):
        for which, opened in enumerate((ours(url, size=NARROW), theirs(10_000, size=NARROW))):
            with opened as one:
                shown(one)
                if (second := time.time() % 60) > 45:
                    one.read(62 - second)
                burns, bytes_sent = burnt(one, 10)
                cost[which].append(burns)
                sent[which].append(bytes_sent)
    where = "idling at 80 x 24, where the clock has no seconds"
    return [
        Figure(where, cost[0], "% of a core", 0.2, PLAIN, cost[1]),
        Figure(f"{where}, a second", sent[0], "B", 0.0, PLAIN, sent[1]),
    ]


def changes(url: str, runs: int) -> list[Figure]:
    """Keys and CPU while a thousand rows a second change."""
    found: dict[str, list[list[float]]] = {name: [[], []] for name in ("p50", "p99", "visible", "all", "bytes")}
    for _ in range(runs):
        for where in ("visible", "all"):
            for which, opened in ((0, ours(url, where=where)), (1, theirs(10_000, where=where))):
                with opened as one:
                    shown(one)
                    one.press(F2)
                    one.read(1.5)
                    cpu, sent = burnt(one, 5)
                    found[where][which].append(cpu)
                    if where == "visible":
                        found["bytes"][which].append(sent)
                        taken = keys(one, seen_theirs if which else seen_ours, 75)
                        found["p50"][which].append(part(taken, 0.5))
                        found["p99"][which].append(part(taken, 0.99))
    return [
        Figure(
            "key to paint, 10,000 rows, 1,000 visible changes/s: p50", found["p50"][0], "ms", 12, PLAIN, found["p50"][1]
        ),
        Figure("the same: p99", found["p99"][0], "ms", 40, PLAIN, found["p99"][1], ratio=5, less=True),
        Figure("CPU at 1,000 changes/s over all rows", found["all"][0], "% of a core", 3, PLAIN, found["all"][1]),
        Figure("CPU at 1,000 visible changes/s", found["visible"][0], "% of a core", 15, PLAIN, found["visible"][1]),
        Figure("bytes at 1,000 visible changes/s", found["bytes"][0], "B/s", None, PLAIN, found["bytes"][1]),
    ]


def thin(url: str, runs: int) -> list[Figure]:
    """Keys on a link of 10 kB a second."""
    found: list[list[list[float]]] = [[[], []], [[], []]]
    for _ in range(runs):
        for which, opened in (
            (0, ours(url, speed=10_000, where="visible", rate=100)),
            (1, theirs(10_000, speed=10_000, where="visible", rate=100)),
        ):
            with opened as one:
                shown(one, settle=8)
                one.press(F2)
                one.read(3)
                taken = keys(one, seen_theirs if which else seen_ours, 10 if which else 25, most=20)
                found[0][which].append(part(taken, 0.5) / 1000)
                found[1][which].append(max(taken) / 1000)
    return [
        Figure("key to paint on 10 kB/s, 100 visible changes/s: p50", found[0][0], "s", 0.1, PLAIN, found[0][1]),
        Figure("the same: longest", found[1][0], "s", 1.0, PLAIN, found[1][1]),
    ]


def polling(url: str, runs: int) -> list[Figure]:
    """Keys while 10,000 servers are listed each second in the screen's loop, beside not doing so."""
    found: list[list[float]] = [[], []]
    for _ in range(runs):
        for which, poll in ((0, True), (1, False)):
            with ours(url, poll=poll) as one:
                shown(one, settle=6)
                found[which].append(part(keys(one, seen_ours, 300), 0.99))
    what = "key p99 while 10,000 servers are listed each second in the screen's loop"
    return [Figure(what, found[0], "ms", None, "without", found[1], ratio=1.5)]


def start(url: str, runs: int) -> list[Figure]:
    """From exec to the first complete frame, to rows, and the memory after it."""
    first: list[list[float]] = [[], []]
    rows: dict[int, list[float]] = {10: [], 10_000: [], 50_000: []}
    memory: dict[int, list[float]] = {10_000: [], 50_000: []}
    version: list[list[float]] = [[], []]
    novadeck = str(Path(sys.executable).with_name("novadeck"))
    with pages(10) as few, pages(50_000) as many:
        for _ in range(runs):
            first[1].append(_timed(["-c", "import textual.app"]))
            version[0].append(_timed([novadeck, "--version"]))
            version[1].append(_timed(["-c", "pass"]))
            for count, address in ((10, few), (10_000, url), (50_000, many)):
                with ours(address) as one:
                    _, at = one.read(60, until=lambda data: (b"Servers" in data and b"quit" in data) or b"help" in data)
                    if count == 10:
                        first[0].append((at or time.monotonic()) - one.began)
                    _, at = one.read(90, until=lambda data: b"web-00003" in data)
                    rows[count].append((at or time.monotonic()) - one.began)
                    if count in memory:
                        one.read(12 if count == 10_000 else 30)
                        memory[count].append(one.mib())
    return [
        Figure("exec to the first complete frame", first[0], "s", None, "import textual.app", first[1], ratio=1.4),
        Figure("exec to rows, of 10,000", rows[10_000], "s", None, "of 10", rows[10], ratio=1.3),
        Figure("exec to rows, of 50,000", rows[50_000], "s", None, "of 10", rows[10], ratio=2.5),
        Figure("memory, 10,000 servers with their documents", memory[10_000], "MiB", 110),
        Figure("memory, 50,000 servers with their documents", memory[50_000], "MiB", 350),
        Figure("novadeck --version", version[0], "s", 0.15, "python -c pass", version[1]),
    ]


def _timed(argv: list[str]) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def orders(url: str, runs: int) -> list[Figure]:
    """CPU from a key that sorts or filters to the painted frame."""
    found: dict[tuple[int, str], list[float]] = {}
    plain: dict[str, list[float]] = {"sort": [], "filter": []}
    with pages(50_000) as many:
        for _ in range(runs):
            for count, address in ((10_000, url), (50_000, many)):
                with ours(address) as one:
                    shown(one)
                    for name, typed in (("sort", [b"s"]), ("filter", [b"/", b"name:", b"7"])):
                        for key in typed[:-1]:
                            one.press(key)
                            one.read(0.5)
                        calm(one)
                        spent, _ = burnt(one, 2, typed[-1])
                        idle, _ = burnt(one, 2)
                        found.setdefault((count, name), []).append(20 * (spent - idle))  # of 2 s, in milliseconds
            with theirs(10_000) as other:
                shown(other)
                for name, key in (("sort", b"o"), ("filter", b"f")):
                    cpu = other.cpu()
                    other.press(key)
                    other.read(8, quiet=1.5)
                    plain[name].append(1000 * (other.cpu() - cpu))
    figures = []
    for name in ("sort", "filter"):
        figures.append(Figure(f"{name} of 10,000 rows to painted", found[10_000, name], "ms", 30, PLAIN, plain[name]))
        figures.append(Figure(f"{name} of 50,000 rows to painted", found[50_000, name], "ms", 100))
    return figures


PARTS = {
    "sizes": sizes,
    "still": still,
    "changes": changes,
    "thin": thin,
    "polling": polling,
    "start": start,
    "orders": orders,
}


def main() -> None:
    """Measure what was asked for, or all."""
    folder, runs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with pages(10_000) as url:
        for name in sys.argv[3:] or PARTS:
            keep(folder, f"2 {name}", PARTS[name](url, runs))


if __name__ == "__main__":
    main()
