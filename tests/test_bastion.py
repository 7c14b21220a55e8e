"""Life on a bastion: terminals that know little, ssh -tt in between, tmux, other sizes, a connection that drops."""

import asyncio
import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin import sample
from still_screen import running
from test_probe import ADDRESS, Sshd, needs_sshd, sshd
from test_pty import APP, SHOW, TESTS, Terminal, terminal
from textual.events import Key

from console.tui.modest import Words, _to_screen, words_of

__all__ = ["sshd"]
PICTURE = SHOW.format(theme="nocturne")
CONTROL = re.compile(rb"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[()].|.)")
# What ECMA-48 gave the VT100, and the cursor's report, as each terminal since has had.
VT100 = re.compile(rb"\x1b\[(?:\d*(?:;\d*)?[ABCDHJKn]|\?7[hl]|(?:[01457]?(?:;[01457])*)m)")
HUE = rb"(?:[012457]|[349][0-7]|10[0-7]|[34]9)?"
LINUX = re.compile(rb"\x1b\[(?:\d*(?:;\d*)?[ABCDGHJKLMPXdnr]|\?(?:7|25)[hl]|" + HUE + rb"(?:;" + HUE + rb")*m)")


def spoken(raw: bytes) -> set[bytes]:
    """All control sequences that were sent."""
    return set(CONTROL.findall(raw))


@pytest.mark.parametrize(
    ("term", "known"),
    [("vt100", VT100), ("linux", LINUX), ("vt220", LINUX)],
    ids=["vt100", "linux", "vt220"],
)
def test_a_terminal_is_told_only_what_it_knows(term: str, known: re.Pattern[bytes]) -> None:
    with terminal(PICTURE, 80, 24, TERM=term, COLORTERM="") as one:
        one.until("cache-1")
        one.type("jj")
        one.until("> ? web-2")
        one.type("\r")
        one.until("What it is")
        one.type("?")
        one.until("Keys")
        one.type("q")
        one.until("What it is")
        one.type("q")
        one.until("29 -")
        one.type("q")
        one.until("answer None")
        assert one.ended() == 0
    assert b"\x1b" in one.raw and one.raw.isascii()
    assert [word for word in spoken(one.raw) if not known.fullmatch(word)] == []


async def test_a_key_too_many_on_a_slow_link_closes_one_page_only() -> None:
    async with running(sample(), (80, 24)) as (app, pilot), asyncio.timeout(60):
        await pilot.press("?")
        while (page := app.screen) is app.main:
            await pilot.pause(0.02)
        for _ in range(3):
            page.post_message(Key("q", "q"))
        while app.screen is not app.main:
            await pilot.pause(0.02)
        await pilot.pause(0.2)
        assert app.screen is app.main and app.failure is None and app.return_value is None


def test_an_able_terminal_is_told_all() -> None:
    assert words_of("xterm-256color") is None and words_of("tmux-256color") is None and words_of("screen") is None
    assert words_of("of-tomorrow") is None


def test_what_is_copied_in_screen_is_handed_on_in_pieces() -> None:
    copied = f"\x1b]52;c;{'abcd' * 500}\x07"
    told = _to_screen(f"x{copied}y")
    assert told.startswith(f"x{copied}\x1bP") and told.endswith("\x1b\\y")  # tmux may call itself screen, too
    pieces = told[len(copied) + 1 : -1].removeprefix("\x1bP").removesuffix("\x1b\\").split("\x1b\\\x1bP")
    assert "".join(pieces) == copied and all(len(piece) < 768 for piece in pieces)


def test_what_is_left_of_what_a_terminal_does_not_know() -> None:
    mute, linux = Words(cursor=False, dim=False, hues=False), Words(cursor=True, dim=True, hues=True)
    assert mute.told("a\x1b[?1049hb\x1b[?1003;1006hc") == "a\x1b[H\x1b[Jbc"
    assert mute.told("\x1b]0;title\x07x\x1b]22;p\x1b\\y\x1b[>1uz\x1b[?2026$p") == "xyz"
    assert mute.told("\x1b[0;1;38;5;200;7mx\x1b[38;2;1;2;3my\x1b[31mz\x1b[m\x1b[2m") == "\x1b[0;1;7mxyz\x1b[m"
    assert linux.told("\x1b[?25l\x1b[2;31;104mx\x1b[9m\x1b[48;5;7;1m") == "\x1b[?25l\x1b[2;31;104mx\x1b[1m"


class Bastion:
    """The screen at the other end of `ssh -tt`."""

    def __init__(self, server: Sshd, folder: Path, body: str = PICTURE) -> None:
        self.app, self.pid = folder / "app.py", folder / "pid"
        note = f"import os, pathlib\npathlib.Path({str(self.pid)!r}).write_text(str(os.getpid()))\n"
        self.app.write_text(note + APP.format(tests=str(TESTS), body=body))
        known = folder / "known"
        known.write_text(f"[{ADDRESS}]:{server.port} {server.host_key}\n")
        self.words = [
            *("ssh", "-tt", "-F", "none", "-p", str(server.port), "-i", str(server.folder / "user")),
            *("-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={known}", f"{server.user}@{ADDRESS}"),
            f"env LANG=C.UTF-8 PYTHONPATH={os.environ.get('PYTHONPATH', '')} {sys.executable} {self.app}",
        ]

    def alive(self) -> bool:
        """Whether the app still runs over there."""
        try:
            os.kill(int(self.pid.read_text()), 0)
        except ProcessLookupError:
            return False
        return True

    def gone(self, seconds: float = 20) -> bool:
        """Whether it is gone, soon enough."""
        end = time.monotonic() + seconds
        while self.alive() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.alive()


@pytest.fixture
def server(sshd: Sshd) -> Iterator[Sshd]:
    sshd.start()
    yield sshd


def connected(bastion: Bastion, width: int = 80, height: int = 24) -> Terminal:
    """A terminal whose ssh shows the screen over there."""
    return Terminal.of(bastion.words, width, height, TERM="xterm-256color", COLORTERM="")


@needs_sshd
def test_another_size_through_ssh(server: Sshd, tmp_path: Path) -> None:
    bastion = Bastion(server, tmp_path)
    with connected(bastion) as one:
        one.until("cache-1")
        one.resize(50, 12)
        one.until("novadeck needs 60 by 16; this is 50 by 12.")
        one.resize(120, 30)
        one.until("m1.medium")
        one.type("q")
        one.until("answer None")
        assert one.ended() == 0
    assert bastion.gone()


@needs_sshd
def test_a_dropped_connection_leaves_no_process(server: Sshd, tmp_path: Path) -> None:
    bastion = Bastion(server, tmp_path)
    with connected(bastion) as one:
        one.until("cache-1")
        assert bastion.alive()
        os.kill(one.pid, signal.SIGKILL)
        assert bastion.gone()


UNDER_WAY = """
from console.tui import app as told
from console.tui.operations import Operation
import asyncio, pathlib, time
ended = pathlib.Path({ended!r})
begin = told.NovadeckApp._begin
def beginning(self):
    begin(self)
    operation = self.main.operations.start(Operation("web-1", "resize", None, time.monotonic()))
    async def end():
        while not ended.exists():
            await asyncio.sleep(0.05)
        operation.end(time.monotonic())
    self.run_worker(end())
told.NovadeckApp._begin = beginning
"""


@needs_sshd
def test_an_operation_is_seen_to_its_end_without_a_terminal(server: Sshd, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    bastion = Bastion(server, tmp_path, UNDER_WAY.format(ended=str(ended)) + PICTURE)
    with connected(bastion) as one:
        one.until("resize")
        os.kill(one.pid, signal.SIGKILL)
        assert not bastion.gone(2)
        ended.touch()
        assert bastion.gone()


@needs_sshd
@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")
def test_inside_tmux_on_the_bastion(server: Sshd, tmp_path: Path) -> None:
    bastion = Bastion(server, tmp_path)
    words = bastion.words[-1].replace("'", "'\\''")
    bastion.words[-1] = f"env LANG=C.UTF-8 tmux -u -S {tmp_path / 'socket'} -f /dev/null new '{words}'"
    with connected(bastion) as one:
        one.until("cache-1")
        one.type("j")
        one.until("▸ ✕ batch-17")
        os.kill(one.pid, signal.SIGKILL)  # the connection drops, and tmux keeps what is in it
        time.sleep(0.5)
        assert bastion.alive()
    tmux = ["tmux", "-u", "-S", str(tmp_path / "socket")]
    shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
    assert "▸ ✕ batch-17" in shown
    subprocess.run([*tmux, "kill-server"], check=True)
    assert bastion.gone()


def cells(one: Terminal) -> list[tuple[object, ...]]:
    """What stands in each cell, and how it looks."""
    screen = one.screen
    rows = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    return [(y, x, cell.data, cell.fg, cell.bg, cell.bold, cell.reverse) for y, row in enumerate(rows)
            for x, cell in enumerate(row) if cell.data != " "]  # fmt: skip


class InScreen:
    """GNU screen with the app and a shell's two words around it; it sees no settings but the test's own."""

    def __init__(self, folder: Path, server: Sshd, term: str, settings: str) -> None:
        self.bastion = Bastion(server, folder)
        self.sockets = folder / "sockets"
        self.sockets.mkdir(mode=0o700)
        (folder / "screenrc").write_text(f"startup_message off\nvbell off\n{settings}\n")
        self.known = f"env LANG=C.UTF-8 SCREENDIR={self.sockets} screen -U -c {folder / 'screenrc'}"
        inside = folder / "inside.sh"
        inside.write_text(f"export TERM={term}\necho before\n{self.bastion.words[-1]}\necho code $?\nread answer\n")
        self.begin, self.again = f"{self.known} -S one sh {inside}", f"{self.known} -r one"

    def terminal(self, words: str, far: bool, width: int = 80, height: int = 24) -> Terminal:
        """A terminal that says it knows all colours, with screen in it, or ssh and screen behind that."""
        ssh = self.bastion.words[:-1]
        return Terminal.of([*ssh, words] if far else ["sh", "-c", words], width, height, COLORTERM="truecolor")


@needs_sshd
@pytest.mark.skipif(shutil.which("screen") is None, reason="there is no screen")
@pytest.mark.parametrize(
    ("term", "settings"), [("screen", "altscreen off"), ("screen-256color", "altscreen on")], ids=["16", "256"]
)
@pytest.mark.parametrize("far", [False, True], ids=["bare", "ssh"])
def test_inside_screen(server: Sshd, tmp_path: Path, term: str, settings: str, far: bool) -> None:
    inside = InScreen(tmp_path, server, term, settings)
    try:
        with terminal(PICTURE, 80, 24, TERM=term, COLORTERM="") as plain, inside.terminal(inside.begin, far) as one:
            for each in (plain, one):
                each.until("cache-1")
                each.type("j")
                each.until("▸ ✕ batch-17")
            end = time.monotonic() + 20
            while cells(one) != cells(plain) and time.monotonic() < end:  # screen may pass a frame on in parts
                one.read()
                plain.read()
            assert cells(one) == cells(plain)
            one.type("c")
            one.until("Copied")
            assert b"\x1b]52;c;" + base64.b64encode(b"id-batch-17") + b"\x07" in one.raw
            one.resize(120, 30)
            one.until("m1.medium")
            os.kill(one.pid, signal.SIGKILL)  # the connection drops, and screen keeps what is in it
        time.sleep(0.5)
        assert inside.bastion.alive()
        with inside.terminal(inside.again, far, 80, 24) as one:
            one.until("▸ ✕ batch-17")
            one.until("29 ·")
            assert "m1.medium" not in one.text()
            one.type("q")
            one.until("code 0")
            left = [line for line in one.text().splitlines() if line]
            assert left == [*(["before"] if settings == "altscreen on" else []), "answer None", "code 0"]
            assert not one.screen.cursor.hidden
    finally:
        subprocess.run(["sh", "-c", f"{inside.known} -S one -X quit"], check=False, capture_output=True)
    assert inside.bastion.gone()
