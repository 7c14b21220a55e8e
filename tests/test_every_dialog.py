"""Every kind of dialog on the real app over the embedded cloud: what is answered is what the cloud does, and whoever
leaves one has ordered nothing. A dialog without a proof fails here.
"""

import importlib
import os
import pkgutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from screen_pilot import Deck, deck
from still_screen import screen_text
from textual.screen import ModalScreen

import console.tui
from console.core.settings import Paths
from console.core.store import Listing
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Row
from console.tui.app import NovadeckApp
from console.tui.dialogs import AskText, Confirm, Dialog
from console.tui.failures import Summary
from console.tui.pickers import Pages, Palette, Pick
from console.tui.theme import load_theme
from console.tui.theming import ThemePick

PLAIN: dict[str, Any] = {"clouds": 1, "regions": 1, "speed": 0, "size": (100, 30)}


async def confirm(found: Deck) -> None:
    """A grave question: enter is dead until the name is right, and esc keeps the server."""
    await opened(found, "web-1", "D", Confirm)
    await found.keys("enter", *"web-2", "enter")
    assert isinstance(found.app.screen, Confirm), "another name is no answer"
    await left(found)
    await opened(found, "web-1", "D", Confirm)
    await found.keys(*"web-1", "enter")
    await found.ended("delete")
    assert not found.has("web-1") and found.has("web-2")


async def ask_text(found: Deck) -> None:
    """A line of text: an empty one is no answer, keys edit it, and what stands there is what the cloud gets."""
    await opened(found, "web-1", "i", AskText)
    await found.keys("ctrl+u", "enter")
    assert isinstance(found.app.screen, AskText), "nothing is no answer"
    await left(found)
    await opened(found, "web-1", "i", AskText)
    await found.keys("ctrl+u", *"Xept 2 3", "ctrl+w", "backspace", "backspace", "home", "delete", *"k", "enter")
    await found.ended("image")
    assert found.image("kept").properties["image_type"] == "snapshot"


async def pick(found: Deck) -> None:
    """A picker: the cursor passes over what does not fit, a word finds, the cloud gets what is chosen."""
    dialog = await opened(found, "web-1", "f", Pick)
    here = dialog.at
    await found.keys("up", "up", "up", "up", "up", "up")
    assert all(dialog.choices[at].fits for at in (here, dialog.at))
    await left(found)
    dialog = await opened(found, "web-1", "f", Pick)
    await found.keys("/", *"4 gb", "enter")
    await found.ended("resize")
    assert dialog.chosen is not None
    assert found.server("web-1").flavor.name == dialog.chosen.value.name
    assert found.server("web-1").flavor.ram == 4096


async def pages(found: Deck) -> None:
    """Pages scroll, and are closed by what opened them."""
    before = found.state()
    await found.keys("?")
    assert isinstance(found.app.screen, Pages) and "On a server" in found.text()
    await found.keys("G")
    assert "a production cloud" in found.text() and "On a server" not in found.text()
    await found.keys("g", "space", "pageup", "j", "k", "?")
    assert found.app.screen is found.app.main and found.state() == before


async def palette(found: Deck) -> None:
    """The palette finds by letters in their order, and what is chosen is begun on the row under the cursor."""
    await found.on("web-1")
    before = found.state()
    await found.keys(":", *"zzqq", "enter")
    assert "Nothing is called that." in found.text()
    await left(found)
    assert found.state() == before
    await found.keys(":", *"pse")
    assert isinstance(found.app.screen, Palette) and found.app.screen.found[0][1] == "pause"
    await found.keys("down", "up", "enter")
    await found.ended("pause")
    assert found.server("web-1").vm_state == "paused"


async def theme_pick(found: Deck) -> None:
    """A theme is worn under the cursor, put back by esc, and kept by enter; no cloud hears of it."""
    before = found.state()
    await found.keys("T", "down")
    assert found.app.ink.theme.name != "nocturne"
    await left(found)
    assert found.app.ink.theme.name == "nocturne"
    await found.keys("T", "/", *"moss", "enter")
    assert found.app.ink.theme.name == found.console.saved.theme == "moss"
    assert found.state() == before


async def summary(found: Deck) -> None:
    """What failed is told with its reason; esc leaves it, enter sends it again and the cloud does it."""
    trouble = found.estate.control.status(503, service="compute", method="POST", path="/action")
    await found.keys("/", *"name:^web-[12]$", "enter", "*", "r")
    await found.answer()
    await found.ended("reboot", well=False)
    found.estate.control.clear(trouble)
    before = found.state()
    await found.keys("F")
    assert isinstance(found.app.screen, Summary) and "503" in found.text()
    await found.keys("j", "k")
    await left(found)
    assert found.state() == before
    await found.keys("F", "enter")
    await found.until(lambda: all(rebooted(found, name) for name in ("web-1", "web-2")), "both are rebooted")


DIALOGS: dict[type, Callable[[Deck], Awaitable[None]]] = {
    Confirm: confirm,
    AskText: ask_text,
    Pick: pick,
    Pages: pages,
    Palette: palette,
    ThemePick: theme_pick,
    Summary: summary,
}


async def opened(found: Deck, name: str, key: str, kind: type[Dialog[Any]]) -> Any:
    """Press a key on a server; the dialog that it opens."""
    await found.on(name)
    await found.keys(key)
    dialog = await found.dialog()
    assert type(dialog) is kind
    return dialog


async def left(found: Deck) -> None:
    """Leave the dialog: nothing is under way, and nothing was written down."""
    begun = len(found.app.main.operations.all)
    file = found.console.paths.audit_file
    written = file.read_text() if file.exists() else ""
    await found.keys("escape")
    assert found.app.screen is found.app.main
    await found.pilot.pause(0.05)
    assert len(found.app.main.operations.all) == begun
    assert (file.read_text() if file.exists() else "") == written


def rebooted(found: Deck, name: str) -> bool:
    return any(action.action == "reboot" for action in found.server(name).actions or ())


def kinds(of: type) -> set[type]:
    """All kinds of dialog that the screen has."""
    return {kind for one in of.__subclasses__() for kind in (one, *kinds(one))}


def test_no_dialog_is_forgotten() -> None:
    for module in pkgutil.iter_modules(console.tui.__path__):
        importlib.import_module(f"console.tui.{module.name}")
    ours = {kind for kind in kinds(ModalScreen) if kind.__module__.startswith("console.tui")}
    assert ours - {Dialog} == DIALOGS.keys()


@pytest.mark.parametrize("kind", DIALOGS, ids=lambda kind: kind.__name__)
async def test_each_dialog_orders_what_was_answered(kind: type, tmp_path: Path) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        await DIALOGS[kind](found)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["d"], ("demo", "")),
        (["o", *"x/clouds.yaml", "enter"], ("config", "~/x/clouds.yaml")),
        (["o", *"nowhere", "enter", "ctrl+u", *"~/x/clouds.yaml", "enter"], ("config", "~/x/clouds.yaml")),
        (["o", "escape", "q"], None),
        (["ctrl+c"], None),
    ],
    ids=["demo", "a file", "no file, then one", "quit", "ctrl+c"],
)
async def test_the_first_run_gives_what_was_chosen(
    keys: list[str], answer: tuple[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "clouds.yaml").touch()
    paths = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "run")
    app = NovadeckApp(lambda: console.open(paths=paths), load_theme("nocturne"))
    async with app.run_test(size=(80, 24)) as pilot:
        while "There is no cloud to show yet." not in screen_text(app):
            await pilot.pause(0.02)
        for key in keys:
            await pilot.press(key)
            assert key != "ctrl+u" or "There is no file ~/nowhere." in screen_text(app)
        await pilot.pause()
        found = app.return_value
    assert (found and (found.what, found.value)) == answer
    assert app._exit and app.failure is None


def unknown(found: Deck, kind: type[Row]) -> None:
    """Let the console not know any of a kind."""
    for place in found.console.health:
        found.console.store.apply(Listing(place, kind, (), found.console.clock.monotonic(), complete=True))


@pytest.mark.parametrize(("kind", "key"), [(Flavor, "f"), (Image, "B")])
async def test_what_is_not_known_yet_is_read_before_it_is_asked(tmp_path: Path, kind: type[Row], key: str) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        unknown(found, kind)
        dialog = await opened(found, "web-1", key, Pick)
        assert len(dialog.choices) > 3 and not found.refused


async def test_where_nothing_can_be_read_it_is_said_why_and_nothing_is_asked(tmp_path: Path) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        unknown(found, Flavor)
        found.estate.control.status(503, service="compute", method="GET", path="/flavors")
        await found.on("web-1")
        await found.keys("f")
        await found.until(lambda: "503" in found.refused, "why there are no flavors")
        assert found.app.screen is found.app.main
