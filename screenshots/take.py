"""Take the README's pictures: SVG files of the real app over the seeded embedded cloud, into this folder.

    python screenshots/take.py [NAME...]

The app runs without a terminal, in the size that each picture names; keys are pressed as a user would press them.
"""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import console
from console.core.settings import CloudSettings, Paths, Settings, SshSettings
from console.sim.estate import Estate
from console.tui.app import NovadeckApp
from console.tui.theme import ASCII, UNICODE, load_theme

HERE = Path(__file__).parent
CELL = 12.2  # the width of a cell in the SVG


class Picture(NamedTuple):
    """One picture: its size in cells and lines, its theme, and the keys before it; a number waits so many seconds."""

    width: int
    height: int
    theme: str
    keys: Sequence[str | float] = ()
    ascii: bool = False


ON_WEB_1 = ("slash", *"name:^web-1", "enter")
PICTURES = {
    "servers-dark": Picture(160, 50, "nocturne", ("j", "j")),
    "servers-light": Picture(160, 50, "vellum", ("j", "j")),
    "servers-80x24": Picture(80, 24, "nocturne", ("j", "j", "f")),
    "servers-mono-ascii": Picture(80, 24, "mono", ("j", "j"), True),
    "servers-high-contrast": Picture(120, 36, "contrast", ("j", "j")),
    "detail-dark": Picture(160, 42, "nocturne", (*ON_WEB_1, "t", 4.0, "enter", 1.5)),
    "detail-light": Picture(160, 42, "vellum", (*ON_WEB_1, "t", 4.0, "enter", 1.5)),
    "resize": Picture(160, 50, "nocturne", (*ON_WEB_1, "f", 1.0)),
    "delete": Picture(160, 50, "nocturne", (*ON_WEB_1, "D")),
    "operations": Picture(160, 50, "nocturne", (*ON_WEB_1, "f", 1.0, "enter", 0.5, "escape", 1.5)),
    "palette": Picture(120, 36, "nocturne", ("colon", *"re")),
    "help": Picture(120, 40, "nocturne", ("question_mark",)),
}


async def take(name: str, picture: Picture, folder: Path) -> None:
    """Take one picture."""
    async with Estate(servers=28, clouds=2, regions=3, guests=4, speed=1.0, seed=1) as estate:
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(estate.write_clouds_yaml(folder))
        names = list(estate.clouds)
        ssh = SshSettings(key=str(folder / "id_demo"))
        clouds = {cloud: CloudSettings(production=cloud == names[0], ssh=ssh) for cloud in names}
        opened: list[console.Console] = []

        @asynccontextmanager
        async def open_console() -> AsyncIterator[console.Console]:
            paths = Paths(folder / "config", folder / "state", folder / "run")
            async with console.open(names, settings=Settings(clouds=clouds), paths=paths) as one:
                opened.append(one)
                yield one

        app = NovadeckApp(open_console, load_theme(picture.theme), ASCII if picture.ascii else UNICODE)
        async with app.run_test(size=(picture.width, picture.height)) as pilot:
            await loaded(app, pilot)
            for key in picture.keys:
                await (pilot.pause(key) if isinstance(key, float) else pilot.press(key))
            await pilot.pause(0.3)
            app.main.tick()
            await pilot.pause(0.2)
            (HERE / f"{name}.svg").write_text(tidy(app.export_screenshot(title="novadeck")), encoding="utf-8")
            app.leave()


async def loaded(app: NovadeckApp, pilot: Any) -> None:
    """Wait until every pane has its rows."""
    for _ in range(400):
        await pilot.pause(0.05)
        if all(app.main.panes[name].table.index.order for name in ("servers", "images", "flavors")):
            break
    await pilot.pause(1.5)


def tidy(svg: str) -> str:
    """Move text instead of padding it with blanks: some viewers drop blanks at the ends of a text."""
    return re.sub(r"<text( [^>]*textLength[^>]*)>([^<]*)</text>", _moved, svg)


def _moved(match: re.Match[str]) -> str:
    attributes, text = match[1], match[2]
    bare = re.sub(r"^(&#160;)+", "", text)
    lead = (len(text) - len(bare)) // 6
    bare, trail = re.subn(r"(&#160;)+$", "", bare)[0], len(bare)
    cut = lead + (trail - len(bare)) // 6
    if not bare:
        return ""
    attributes = _shift(attributes, "x", lead * CELL)
    return f"<text{_shift(attributes, 'textLength', -cut * CELL)}>{bare}</text>"


def _shift(attributes: str, name: str, by: float) -> str:
    return re.sub(rf'( {name}=")([\d.]+)"', lambda m: f'{m[1]}{float(m[2]) + by:.1f}"', attributes, count=1)


def main() -> None:
    """Take those named, or all."""
    wanted = sys.argv[1:] or list(PICTURES)
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(take(name, PICTURES[name], Path(folder)))
        print(f"screenshots/{name}.svg")


if __name__ == "__main__":
    main()
