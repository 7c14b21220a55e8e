"""A real app in a real terminal ends with the same picture whether differences are sent or, by Textual, all of it."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import pytest
from emulator import Program, program, shown
from textual.drivers._writer_thread import WriterThread

from console.tui.outlet import Lasting, Line
from console.tui.writer import SparingApp

SEED = int(os.environ.get("NOVADECK_SEED", random.SystemRandom().randrange(10**6)))
APP = [str(Path(__file__).with_name("writer_app.py"))]


def picture(number: int) -> str:
    return f"picture {number} {number}"


def pressed(one: Program, keys: str, size: tuple[int, int] | None = None) -> None:
    """Press these keys one after the other, each after the picture of the one before."""
    number = 0
    one.until("picture 0")
    for key in keys:
        one.type(key)
        if key in "nuc":
            number += 1
            one.until(picture(number))
        elif key == "s":
            one.until("lent")
            one.until("picture")
        else:
            one.until("picture")
    if size is not None:
        one.resize(*size)
        one.until(lambda text: len(text.splitlines()[0]) and one.read(0.3) == 0)


@pytest.mark.parametrize(
    ("environment", "size"),
    [
        ({}, None),
        ({"TERM": "linux", "COLORTERM": ""}, None),
        ({"TERM": "vt100", "COLORTERM": ""}, None),
        ({"TERM": "tmux-256color"}, (61, 15)),
        ({}, (120, 30)),
    ],
    ids=["xterm", "linux", "vt100", "tmux, smaller", "xterm, larger"],
)
def test_the_picture_is_the_same_with_and_without(environment: dict[str, str], size: tuple[int, int] | None) -> None:
    print(f"NOVADECK_SEED={SEED}")
    keys = "".join(random.Random(SEED).choices(["n", "n", "n", "c", "po", "puo", "s"], k=8)) + "c"
    pictures, sizes = [], []
    for how in ("", "plain"):
        with program([*APP, str(SEED)], **environment, NOVADECK_WRITER=how) as one:
            pressed(one, keys, size)
            pictures.append(shown(one.screen))
            sizes.append(len(one.raw))
            one.type("q")
            one.until("left in order")
            assert one.ended() == 0
    assert pictures[0] == pictures[1], f"NOVADECK_SEED={SEED} {keys}"
    assert sizes[0] < 0.8 * sizes[1]


def test_after_a_stop_and_a_return_all_is_sent_anew() -> None:
    with program([*APP, "1"]) as one:
        pressed(one, "nn")
        before = shown(one.screen)
        one.type("z")
        while not os.waitpid(one.pid, os.WUNTRACED | os.WNOHANG)[0]:
            one.read()
        one.stream.feed("\x1b[2J\x1b[1Hsomething else")
        os.kill(one.pid, signal.SIGCONT)
        one.until(picture(2))
        assert shown(one.screen) == before


def test_what_somebody_else_has_written_is_painted_over_when_asked() -> None:
    with program([*APP, "5"]) as one:
        pressed(one, "nn")
        before = shown(one.screen)
        one.stream.feed("\x1b[3;7H\x1b[41mbroadcast message\x1b[m")
        assert shown(one.screen) != before
        one.type("a")
        one.until(lambda text: shown(one.screen) == before)


def test_a_terminal_that_never_answers_is_written_to_all_the_same() -> None:
    with program([*APP, "2"], answers=False) as one:
        pressed(one, "nnnn")
        one.type("q")
        one.until("left in order")
        assert one.ended() == 0


def test_a_slow_terminal_is_sent_one_frame_at_a_time() -> None:
    with program([*APP, "3"]) as one:
        pressed(one, "n")
        one.type("f")
        for _ in range(40):  # much more is painted than this terminal takes
            one.read(0.1, most=200)
            time.sleep(0.01)
        behind = one.raw.count(b"\x1b[6n")
        one.type("n")  # ends the flood
        one.until(lambda text: one.read(0.3) == 0)
        assert one.raw.count(b"\x1b[6n") - behind <= 4


def test_an_answer_on_its_way_is_not_left_for_the_shell() -> None:
    with program([*APP, "4"]) as one:
        pressed(one, "n")
        one.type("nq")
        one.until("left in order")
        assert one.ended() == 0
        assert not re.search(r"\d+;\d+R", one.text())


def test_a_quick_terminal_is_asked_seldom_and_a_slow_one_after_each_frame() -> None:
    line = Line()
    assert line.asks(100, 0.0)
    assert not line.free(0.1)
    assert line.free(0.4)  # a terminal that has never answered is not waited for
    line.heard(0.5)
    assert line.asks(100, 1.0)
    assert not line.free(1.4)
    line.heard(1.005)
    assert [line.asks(900, 2.0) for _ in range(4)] == [False, False, True, False]
    line.heard(2.5)
    assert line.asks(10, 3.0)


def test_what_a_terminal_understands_is_looked_up_by_its_name() -> None:
    # In a process of its own: curses reads one terminal's description for as long as a process lives.
    code = "from console.tui.writer import able_of; assert not any(able_of('a terminal that nobody has'))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_terminal_that_is_gone_blocks_nobody() -> None:
    """The thread that writes goes on taking what it is given, more than its queue holds, and can be ended."""
    here, there = os.pipe()
    os.close(here)
    with os.fdopen(there, "w") as gone:
        writer = WriterThread(cast(IO[str], Lasting(gone)))
        writer.start()
        for _ in range(100):
            writer.write("x" * 10_000)
        writer.stop()
        assert not writer.is_alive()
        with suppress(OSError):
            gone.close()


def test_the_private_names_of_textual_are_there() -> None:
    from textual._compositor import ChopsUpdate, LayoutUpdate
    from textual.app import App
    from textual.drivers.linux_driver import LinuxDriver
    from textual.geometry import Region
    from textual.strip import Strip

    whole, part = LayoutUpdate([[Strip.blank(3)]], Region(0, 0, 3, 1)), ChopsUpdate([{0: None}], [(0, 0, 1)], [[1]])
    assert (whole.strips, whole.region) == ([[Strip.blank(3)]], Region(0, 0, 3, 1))
    assert (part.chops, part.spans, part.chop_ends) == ([{0: None}], [(0, 0, 1)], [[1]])
    app = SparingApp[None](differences=False)
    for name in ("_driver", "_running", "_closed", "_batch_count", "_sync_available"):
        assert hasattr(app, name), name
    assert callable(App._display)
    assert "_file" in LinuxDriver.__init__.__code__.co_names
    listens = LinuxDriver.run_input_thread.__code__.co_names  # what `listening.py` does in its place
    assert {"exit_event", "fileno", "XTermParser", "feed", "tick"} <= set(listens)
    assert "_display" in _names_of("screen.py")


def _names_of(file: str) -> str:
    import textual

    return Path(textual.__file__).with_name(file).read_text()
