"""Pictures of the screen as text, at each size, over a fleet that stands still. A look at the files is a look at it.

After a wanted change: `SCREENS=write pytest tests/test_screens.py`, and read the difference before it is kept.
"""

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from standin import DFW, NOW, StandIn, flavors, opened, sample, server
from still_screen import screen_text

from console.actions.action import ACTIONS
from console.core.health import Health
from console.errors import ConfigError
from console.model.place import Place
from console.tui.app import NovadeckApp
from console.tui.deck import Deck
from console.tui.operations import Operation, Step
from console.tui.pane import ResourcePane
from console.tui.theme import ASCII, UNICODE, Glyphs, load_theme

PICTURES = Path(__file__).parent / "screens"


# The footer has room for these; a new action elsewhere shall not change every picture.
ACTS = (
    "create",
    "delete",
    "reboot",
    "hard_reboot",
    "resize",
    "confirm",
    "revert",
    "snapshot",
    "rebuild",
    "set",
    "check",
)


@pytest.fixture(autouse=True)
def still_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same actions in every picture."""
    chosen = {f"server.{name}": ACTIONS[f"server.{name}"] for name in ACTS}
    monkeypatch.setattr(Deck, "actions", lambda self: chosen)


def told(console: StandIn, pane: ResourcePane) -> bool:
    """Whether the pane shows all that the store knows."""
    asking = all(one.state == "asking" for one in console.health.values())  # and so it stays
    return (pane.loaded or asking) and len(pane.table.index.rows) == len(console.store.rows(pane.spec.kind))


async def picture(
    size: tuple[int, int],
    keys: Sequence[str] = (),
    *,
    console: StandIn | None = None,
    theme: str = "nocturne",
    glyphs: Glyphs = UNICODE,
    before: Callable[[NovadeckApp], None] | None = None,
) -> str:
    """What the screen shows after these keys."""
    held = console or sample()
    app = NovadeckApp(lambda: opened(held), load_theme(theme), glyphs)
    async with app.run_test(size=size) as pilot:
        for _ in range(1500):
            await pilot.pause(0.02)
            if app.main.deck is not None and all(map(partial(told, held), app.main.panes.values())):
                break
        app.main.tick()
        await pilot.pause(0.1)
        if before is not None:
            before(app)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.05)
        app.main.tick()
        await pilot.pause()
        return screen_text(app)


def check(name: str, text: str) -> None:
    """Compare with the kept picture, or keep this one."""
    kept_or_written(PICTURES / f"{name}.txt", text)


def kept_or_written(path: Path, text: str) -> None:
    """Compare with this file, or write it."""
    if os.environ.get("SCREENS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")


SIZES = [(200, 60), (160, 55), (120, 40), (100, 30), (80, 24), (60, 16), (59, 20)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_servers(size: tuple[int, int]) -> None:
    text = await picture(size, ["j", "j"])
    check(f"servers-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", [(160, 55), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_servers_in_ascii(size: tuple[int, int]) -> None:
    text = await picture(size, ["j", "j"], theme="mono", glyphs=ASCII)
    assert text.isascii()
    check(f"ascii-{size[0]}x{size[1]}", text)


def busy(app: NovadeckApp) -> None:
    """Two operations under way, and one that has failed."""
    import time

    now = time.monotonic()
    done = [Step("asked", now - 131, now - 130.9), Step("resize_prep", now - 130.9, now - 128)]
    resize = Operation("web-2", "resize", None, now - 131, "m1.small → m1.medium", "prod/dfw", done)
    resize.step("resize_migrating", now - 128, "63%")
    app.main.operations.start(resize)
    image = Operation("db-3", "image", None, now - 48, "daily-db-3", "prod/dfw", [Step("image_uploading", now - 48)])
    app.main.operations.start(image)
    failed = Operation("batch-17", "reboot", None, now - 9, place="lab/ber")
    failed.step("asked", now - 9)
    failed.end(now - 6, failed=True, message="The cloud said no.")
    app.main.operations.start(failed)


@pytest.mark.parametrize("size", [(160, 55), (120, 40), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_operations(size: tuple[int, int]) -> None:
    lines = (await picture(size, before=busy)).splitlines()
    first = next(n for n, line in enumerate(lines) if "resize_migrating" in line) - 3
    still = [re.sub(r"\d", "0", line) if n >= first else line for n, line in enumerate(lines)]
    check(f"operations-{size[0]}x{size[1]}", "\n".join(still))  # running seconds are no picture


@pytest.mark.parametrize("size", [(160, 55), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_detail(size: tuple[int, int]) -> None:
    check(f"detail-{size[0]}x{size[1]}", await picture(size, ["j", "j", "enter"]))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("resize", ["slash", *"name:web-1", "enter", "f"]),
        ("delete", ["slash", *"name:^web-[13]$", "enter", "space", "space", "D"]),
        ("image", ["slash", *"name:web-1", "enter", "i"]),
    ],
)
@pytest.mark.parametrize("size", [(160, 55), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_dialogs(name: str, keys: list[str], size: tuple[int, int]) -> None:
    text = await picture(size, keys)
    if name == "image":
        text = text.replace(_stamp(text), "20261120-1402")
    check(f"{name}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", [(160, 55), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_help_and_palette_fit_every_size(size: tuple[int, int]) -> None:
    help = await picture(size, ["question_mark"])
    assert "On a server" in help
    assert "esc close" in help
    assert "Glyphs" in await picture(size, ["question_mark", "G"])
    palette = await picture(size, ["colon", *"confirm"])
    assert "▸ C         confirm resize" in palette
    assert "esc close" in palette
    assert "Nothing is called that." in await picture(size, ["colon", *"qqqq"])


def _stamp(text: str) -> str:
    start = text.index("web-1-2") + len("web-1-")
    return text[start : start + 13]


async def test_states() -> None:
    check("refused-80x24", await picture((80, 24), ["j", "j", "f"]))
    check("filtered-80x24", await picture((80, 24), ["slash", *"nobody"]))
    asking = StandIn([], (Place("prod", "dfw"), Place("lab", "ber")), {DFW: Health(state="asking")})
    asking.store.set_health(Place("lab", "ber"), Health(state="asking"))
    check("asking-120x40", await picture((120, 40), console=asking))
    check("empty-80x24", await picture((80, 24), console=StandIn([], (DFW,))))
    down = {DFW: Health(state="down", reason="refused", rows_at=990.0, next_try=1009.0)}
    alone = StandIn([server("web-1", "ACTIVE", DFW, 60, "m1.small", "debian-12", "10.0.0.1")], (DFW,), down)
    check("silent-80x24", await picture((80, 24), console=alone))


async def first_run(error: Exception | None) -> str:
    """The screen of somebody who has no cloud."""
    empty: Any = StandIn([], ())

    def open_console() -> Any:
        if error is not None:
            raise error
        return opened(empty)

    app = NovadeckApp(open_console, load_theme("nocturne"), UNICODE)
    async with app.run_test(size=(100, 30)) as pilot:
        for _ in range(1000):
            await pilot.pause(0.02)
            if app.screen is not app.main:
                break
        await pilot.pause()
        text = screen_text(app)
        await pilot.press("d")
        await pilot.pause()
        assert app.return_value is not None
        assert app.return_value.what == "demo"
        return text


async def test_first_run() -> None:
    check("first-100x30", await first_run(None))
    check("broken-100x30", await first_run(ConfigError("clouds.yaml, line 3: a colon is missing.")))


async def test_names_of_every_kind_draw_as_text_in_their_width() -> None:
    names = [
        "[bold]x[/]␛[2J",
        "短い名前のサーバー",
        "e\u0301clair-" * 4,
        "🚀-launch",
        "שרת-אחד",
        "[/not-markup",
        "a" * 60,
    ]
    rows = [server(name, "ACTIVE", DFW, 60, "m1.small", "debian-12", f"10.0.0.{n}") for n, name in enumerate(names)]
    text = await picture((120, 40), console=StandIn([*rows, *flavors()], (DFW,)))
    assert "[bold]x[/]␛[2J" in text
    lines = [line for line in text.splitlines() if "10.0.0." in line]
    assert len(lines) == len(names)
    from rich.cells import cell_len

    assert len({cell_len(line[: line.index("10.0.0.")]) for line in lines}) == 1
    assert NOW.tzinfo is not None
