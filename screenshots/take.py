"""Take the README's pictures: SVG and PNG files of the real app over the seeded embedded cloud, into this folder.

    python screenshots/take.py [NAME...]            take these, or all, where they tell other words than the kept ones
    python screenshots/take.py --anew [NAME...]     take them in any case: after another theme, say
    python screenshots/take.py --check [NAME...]    fail where one tells other words than the screen does now

The app runs without a terminal, in the size, the colours and the glyphs of the terminal that each picture names; keys
are pressed as a user would press them. Clouds stand still, unless a picture needs them to move, so that two runs differ
in ages alone. A PNG is made where `rsvg-convert` is installed.
"""

import asyncio
import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.cells import cell_len

import console
from console.core.recording import record
from console.core.settings import CloudSettings, Paths, Settings, SshSettings
from console.replay import Replay
from console.sim.estate import Estate
from console.tui.app import NovadeckApp
from console.tui.theme import ASCII, UNICODE, choose_theme, depth, theme_files, wants_ascii

HERE = Path(__file__).parent
CELL = 12.2  # the width of a cell in the SVG
ZOOM = "0.6"  # of the PNG
TRIES = 3  # of a check
STILL, ALIVE = 0.0001, 1.0  # how fast the clouds live
FULL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
FEWER = {"TERM": "tmux-256color", "LANG": "C.UTF-8"}
NO_COLOR = {**FULL, "NO_COLOR": "1"}
LINUX = {"TERM": "linux", "LANG": "C.UTF-8"}
VT100 = {"TERM": "vt100", "LANG": "C"}


class Picture(NamedTuple):
    """One picture: its size in cells and lines, its theme, and the keys before it.

    `~words` among the keys waits until the screen shows these words: what clouds and guests answer comes when it comes.
    """

    width: int
    height: int
    theme: str = "nocturne"
    keys: Sequence[str] = ()
    terminal: Mapping[str, str] = FULL
    speed: float = STILL
    over: str = (
        "clouds"  # clouds, banners, three (kinds), empty, tape, nothing (none is known), silence (none answers), loss
    )


DOWN = ("j", "j")
ON_WEB_1 = ("slash", *"name:^web-1", "enter")
LOST = ("~✕ dfw", "~✕ ord", "~✕ ber")
ALL_LOST = ("~✕ nimbus/dfw", "~✕ nimbus/ord", "~✕ lab/ber")
CHECKED = (*ON_WEB_1, "t", "~ready  ", "enter", "~ttyS0")
PICTURES = {
    "servers-dark": Picture(160, 50, keys=DOWN),
    "servers-light": Picture(160, 50, "vellum", DOWN),
    "servers-80x24": Picture(80, 24, keys=(*DOWN, "f", "~f resize: not while")),
    "servers-80x24-light": Picture(80, 24, "vellum", DOWN),
    "servers-120x40": Picture(120, 40, keys=DOWN),
    "servers-120x40-light": Picture(120, 40, "vellum", DOWN),
    "servers-200x60": Picture(200, 60, keys=DOWN),
    "servers-200x60-light": Picture(200, 60, "vellum", DOWN),
    "servers-linux": Picture(80, 24, keys=DOWN, terminal=LINUX),
    "servers-vt100": Picture(80, 24, keys=DOWN, terminal=VT100),
    "servers-no-color": Picture(120, 40, keys=DOWN, terminal=NO_COLOR),
    "servers-256-colours": Picture(120, 40, keys=DOWN, terminal=FEWER),
    "detail-dark": Picture(160, 42, keys=CHECKED, speed=ALIVE),
    "detail-light": Picture(160, 42, "vellum", CHECKED, speed=ALIVE),
    "detail-80x24": Picture(80, 24, keys=(*ON_WEB_1, "enter", "~What it is")),
    "beside": Picture(180, 48, keys=(*DOWN, "P", "j", "~search-2   ")),
    "history": Picture(120, 36, keys=(*ON_WEB_1, "h", "~create  ")),
    "log-80x24": Picture(80, 24, keys=(*ON_WEB_1, "l", "~login:"), speed=ALIVE),
    "log-searched": Picture(100, 30, keys=(*ON_WEB_1, "l", "~login:", "slash", *"ssh", "enter"), speed=ALIVE),
    "explain": Picture(120, 36, keys=("x", "~Explain ")),
    "resize": Picture(160, 50, keys=(*ON_WEB_1, "f", "~quota leaves")),
    "resize-80x24": Picture(80, 24, keys=(*ON_WEB_1, "f", "~quota leaves")),
    "delete": Picture(160, 50, keys=(*ON_WEB_1, "D", "~Type ")),
    "production": Picture(
        140, 40, keys=("slash", *"place:ber", "enter", *"jjj", "escape", "D", "~Type "), over="banners"
    ),
    "delete-80x24": Picture(80, 24, keys=(*ON_WEB_1, "D", "~Type ")),
    "operations": Picture(
        160,
        50,
        keys=(*ON_WEB_1, "f", "~quota leaves", "enter", "~Operations", "escape", "~resize_migrated"),
        speed=ALIVE,
    ),
    "palette": Picture(120, 36, keys=("colon", *"re")),
    "help": Picture(120, 40, keys=("question_mark",)),
    "help-80x24": Picture(80, 24, keys=("question_mark",)),
    "themes": Picture(120, 36, "moss", ("T",)),
    "wide": Picture(200, 40, keys=("Z", "w")),
    "marks": Picture(120, 36, keys=("slash", *"status:active", "enter", "*")),
    "filtered-to-nothing": Picture(80, 24, keys=("slash", *"web!web", "enter")),
    "empty": Picture(80, 24, over="empty"),
    "first-run": Picture(100, 30, over="nothing"),
    "loading": Picture(100, 30, over="silence"),
    "disconnected": Picture(120, 36, keys=("ctrl+r", *ALL_LOST, "~last known"), over="loss"),
    "health-80x24": Picture(80, 24, keys=("ctrl+r", *LOST, "H"), over="loss"),
    "replay": Picture(120, 36, keys=("a", "shift+right", "~web-1-old", "b", "~What changed"), speed=ALIVE, over="tape"),
    "three-clouds": Picture(140, 44, keys=DOWN, over="three"),
    "schedules": Picture(120, 20, keys=("colon", *"schedules", "enter", "~weekly"), over="three"),
    "too-small": Picture(58, 14),
}
PICTURES |= {
    f"theme-{name}": Picture(120, 30, name, DOWN)
    for name in sorted(theme_files())
    if name not in ("nocturne", "vellum", "mono", "ansi16")
}


async def take(picture: Picture, folder: Path) -> str:
    """Take one picture; gives its SVG."""
    size: dict[str, Any] = {"servers": 28, "clouds": 2, "regions": 3, "guests": 4}
    if picture.over == "three":
        size = {"servers": 12, "clouds": 1, "regions": 1, "guests": 0, "firstgen": True, "rackspace": True}
    if picture.over == "empty":
        size |= {"servers": 0, "clouds": 1, "regions": 1, "guests": 0}
    async with Estate(**size, speed=picture.speed, seed=1) as estate:
        yaml = estate.write_clouds_yaml(folder)
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(yaml)
        os.environ["HOME"] = str(folder)  # what lies there is told as ~, as it is to everybody
        if picture.over == "nothing":  # and no folder of whoever takes the picture is in it
            del os.environ["OS_CLIENT_CONFIG_FILE"]
            os.environ["HOME"] = "/home/you"
            os.chdir("/")
        names = [] if picture.over == "nothing" else list(estate.clouds)
        names += ["legacy"] if picture.over == "three" else []
        if picture.over == "silence":
            estate.control.cause("hang", service="compute")
        ssh = SshSettings(key=str(folder / "id_demo"))
        clouds = {cloud: CloudSettings(production=cloud == names[0], ssh=ssh) for cloud in names}
        if picture.over == "banners":
            clouds[names[1]] = CloudSettings(production=True, colour="#e0a020")
        settings, paths = Settings(clouds=clouds), Paths(folder / "config", folder / "state", folder / "run")
        if picture.over == "tape":
            await make_tape(names, settings, paths, folder / "tape.gz")
        return await shot(picture, names, settings, paths, estate, folder / "tape.gz")


async def make_tape(names: Sequence[str], settings: Settings, paths: Paths, path: Path) -> None:
    """A recording in which a server is renamed, switched off and built anew."""
    async with console.open(names, settings=settings, paths=paths) as ops:
        tape = asyncio.create_task(record(ops, path))
        await asyncio.sleep(2.0)
        server = await ops.servers.find("web-1")
        await ops.perform("server.set", server, name="web-1-old")
        await ops.perform("server.stop", server, wait=True, timeout=60)
        await asyncio.sleep(1.0)
        tape.cancel()
        await asyncio.gather(tape, return_exceptions=True)


async def shot(
    picture: Picture, names: Sequence[str], settings: Settings, paths: Paths, estate: Estate, tape: Path
) -> str:
    """Run the app, press the keys, and export what it shows."""

    @asynccontextmanager
    async def open_console() -> AsyncIterator[console.Console]:
        if picture.over == "tape":
            async with Replay(tape, settings, paths).opened() as replay:
                yield replay
            return
        async with console.open(names or None, settings=settings, paths=paths) as one:
            yield one

    theme = choose_theme(picture.theme, environment=picture.terminal)
    glyphs = ASCII if wants_ascii(picture.terminal) else UNICODE
    app = NovadeckApp(open_console, theme, glyphs, opening=names, colours=depth(picture.terminal))
    async with app.run_test(size=(picture.width, picture.height)) as pilot:
        await (loaded(app, pilot) if picture.over in ("clouds", "banners", "loss", "tape") else pilot.pause(1.5))
        if picture.over == "loss":
            for _, place in estate.places:
                estate.control.dead(place.name)
        for key in picture.keys:
            await (shows(app, pilot, key[1:]) if key.startswith("~") else pilot.press(key))
        await pilot.pause(0.3)
        app.main.tick()
        await pilot.pause(0.2)
        found = tidy(app.export_screenshot(title="novadeck"))
        app.leave()
    return found


async def loaded(app: NovadeckApp, pilot: Any) -> None:
    """Wait until every pane has its rows."""
    for _ in range(400):
        await pilot.pause(0.05)
        if all(app.main.panes[name].table.index.order for name in ("servers", "images", "flavors")):
            break
    await pilot.pause(1.0)
    app.main.tick()
    await pilot.pause(0.1)


async def shows(app: NovadeckApp, pilot: Any, words: str) -> None:
    """Wait until the screen shows these words."""
    for _ in range(400):
        strips = app.screen._compositor.render_strips(app.size)
        if any(words in strip.text for strip in strips):
            return
        await pilot.pause(0.05)
    raise TimeoutError(f"the screen never shows {words}")


def tidy(svg: str) -> str:
    """Put each word where it belongs: viewers drop blanks at the ends of a text, and few make it as long as it says."""
    return re.sub(r"<text( [^>]*textLength[^>]*)>([^<]*)</text>", _placed, svg)


def _placed(match: re.Match[str]) -> str:
    attributes, text = match[1], html.unescape(match[2]).replace("\xa0", " ")
    left = float(re.search(r' x="([\d.]+)"', attributes)[1])  # type: ignore[index]  # Rich writes one
    found = []
    for group in re.finditer(r"\S+", text):
        x, size = left + cell_len(text[: group.start()]) * CELL, cell_len(group.group()) * CELL
        moved = re.sub(r' x="[\d.]+"', f' x="{x:.1f}"', attributes)
        moved = re.sub(r' textLength="[\d.]+"', f' textLength="{size:.1f}"', moved)
        found.append(f"<text{moved}>{html.escape(group.group()).replace(' ', '&#160;')}</text>")
    return "".join(found)


def words(svg: str) -> list[str]:
    """What a picture tells, without figures, ids, keys and the lengths of bars, which are others each time.

    Nor does it matter which of several rows stands first: of an image that is in several regions, one is shown.
    """
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    plain = html.unescape(" ".join(texts)).replace("\xa0", " ")
    return sorted(re.sub(r"\S*(?:\d|[a-z][A-Z]|[━+])\S*", " ", plain).split())


def taken(name: str) -> str:
    """Take the picture of that name."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(take(PICTURES[name], Path(folder)))


def keep(name: str, svg: str) -> None:
    """Keep it as SVG, and as PNG where that can be made."""
    path = HERE / f"{name}.svg"
    path.write_text(svg, encoding="utf-8")
    if draw := shutil.which("rsvg-convert"):
        subprocess.run([draw, "--zoom", ZOOM, path, "--output", path.with_suffix(".png")], check=True)


def current(name: str, svg: str) -> bool:
    """Whether the kept picture tells the same words."""
    kept = HERE / f"{name}.svg"
    return kept.is_file() and words(svg) == words(kept.read_text(encoding="utf-8"))


def main() -> int:
    """Take or check those named, or all; gives how many are out of date. One that tells the same is left as it is."""
    given = sys.argv[1:]
    check, anew = "--check" in given, "--anew" in given
    old = 0
    for name in [name for name in given if not name.startswith("--")] or PICTURES:
        if check:
            # One may be caught in the middle of a motion; one that is out of date is so each time.
            if not any(current(name, taken(name)) for _ in range(TRIES)):
                old += 1
                print(f"screenshots/{name}.svg tells other words than the screen does now")
            continue
        svg = taken(name)
        if anew or not current(name, svg):
            keep(name, svg)
            print(f"screenshots/{name}.svg")
    return old


if __name__ == "__main__":
    sys.exit(main())
