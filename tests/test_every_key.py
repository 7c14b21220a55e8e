"""Every key that the screen itself has, pressed on the real app over the embedded cloud: each does what its help says,
none is forgotten, and none changes anything in the cloud.

What the keys of actions do is in `test_every_action.py`; the keys of a recording are in `test_replay.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from screen_pilot import Deck, deck
from standin import sample
from still_screen import running, screen_text

from console.tui.keys import COMMANDS, make_keymap
from console.tui.pickers import Pages, Palette, Pick
from console.tui.theming import ThemePick

Holds = Callable[[Deck], object]
SMALL: dict[str, Any] = {"clouds": 1, "regions": 1, "speed": 0, "size": (200, 50)}


class Key(NamedTuple):
    """What is pressed before, and what holds after the key."""

    before: tuple[str, ...]
    holds: Holds


def at(found: Deck) -> int:
    return found.app.main.pane.table.cursor_position


def says(words: str) -> Holds:
    return lambda found: words in found.text()


def active(pane: str) -> Holds:
    return lambda found: found.app.main.active == pane


def tab(name: str, *words: Callable[[Deck], str]) -> Holds:
    """The detail view is open at this tab, and tells this of web-1."""

    def holds(found: Deck) -> bool:
        detail = found.app.main.detail
        return detail.is_open and detail.tab == name and all(one(found) in found.text() for one in words)

    return holds


def web(found: Deck) -> Any:
    """web-1 as the cloud has it."""
    return found.server("web-1")


def console_line(found: Deck) -> str:
    """The last line of its console, as the cloud keeps it."""
    lines: list[str] = found.estate.guests.console(web(found)).strip().splitlines()
    return lines[-1].strip()


def created(found: Deck) -> str:
    """The beginning of the request that made web-1."""
    return str(web(found).actions[0].request_id[:8]) if web(found).actions else "not asked yet"


def only_problems(found: Deck) -> bool:
    """What is shown is what the cloud calls broken, waiting or moving."""
    index = found.app.main.pane.table.index
    calm = ("active", "stopped", "paused", "suspended", "shelved_offloaded")
    cloud = {one.name for place in found.places for one in place.nova.alive() if one.vm_state not in calm}
    cloud |= {one.name for place in found.places for one in place.nova.alive() if one.task_state}
    return {index.rows[key].name for key in index.order} == cloud


def servers_of_that_flavor(found: Deck) -> bool:
    """Just the servers that the cloud has of that flavor, with a name of many words."""
    flavor = found.app.main.panes["flavors"].table.cursor_row
    index = found.app.main.panes["servers"].table.index
    cloud = {one.name for place in found.places for one in place.nova.alive() if one.flavor.name == flavor.name}
    shown = {index.rows[key].name for key in index.order}
    return found.app.main.active == "servers" and " " in flavor.name and shown == cloud != set()


def bundled(found: Deck) -> bool:
    return any((found.console.paths.state / "incidents").glob("*.tar.gz"))


ON_WEB_1 = ("/", *"name:^web-1$", "enter")
ACTIVE_FIRST = (*ON_WEB_1, "escape")
KEYS: dict[str, Key] = {
    "down": Key(("g",), lambda found: at(found) == 1),
    "up": Key(("g", "j", "j"), lambda found: at(found) == 1),
    "first": Key(("j", "j"), lambda found: at(found) == 0),
    "last": Key((), lambda found: at(found) == 27),
    "half_down": Key(("g",), lambda found: at(found) > 5),
    "half_up": Key(("G",), lambda found: 0 < at(found) < 27),
    "page_down": Key(("g",), lambda found: at(found) > 10),
    "page_up": Key(("G",), lambda found: at(found) < 20),
    "next_pane": Key((), active("images")),
    "previous_pane": Key((), active("flavors")),
    "open": Key(ON_WEB_1, tab("Overview", lambda found: web(found).id, lambda found: web(found).flavor.name)),
    "describe": Key(ON_WEB_1, tab("Overview", lambda found: web(found).id)),
    "raw": Key(ON_WEB_1, tab("Raw", lambda found: f'"id": "{web(found).id}"')),
    "log": Key(ON_WEB_1, tab("Console log", console_line)),
    "history": Key(ON_WEB_1, tab("History", created)),
    "back": Key(("enter",), lambda found: not found.app.main.detail.is_open),
    "filter": Key((), lambda found: found.app.main.pane.filtering is not None),
    "problems": Key((), only_problems),
    "sort": Key((), says("s name")),
    "sort_reverse": Key(("s",), says("s name ↑")),
    "wide": Key(("Z",), lambda found: web(found).id in found.text()),
    "mark": Key((), says("1 marked")),
    "mark_all": Key((), says("28 marked")),
    "failures": Key((), says("Nothing has failed")),
    "operations": Key((), says("No operation is open.")),
    "last_view": Key(("2",), active("servers")),
    "older_view": Key(("2",), active("servers")),
    "newer_view": Key(("2", "["), active("images")),
    "views": Key((), says("No view was given a name yet.")),
    "keep_view": Key((), says("Keep this view")),
    "servers_of": Key(("3", "g", "j"), servers_of_that_flavor),
    "zoom": Key((), lambda found: found.app.main.zoomed and not found.app.main.panes["images"].display),
    "aside": Key((), lambda found: found.app.main.follows_cursor and found.app.main.preview.is_open),
    "copy": Key(ON_WEB_1, lambda found: found.app.clipboard == web(found).id),
    "health": Key((), says("its rows are")),
    "refresh": Key((), says("Asking every place now.")),
    "palette": Key((), lambda found: isinstance(found.app.screen, Palette)),
    "help": Key((), lambda found: isinstance(found.app.screen, Pages)),
    "theme": Key((), lambda found: isinstance(found.app.screen, ThemePick)),
    "bundle": Key((), bundled),
    "link": Key((), says("in all")),
    "redraw": Key((), says("needs you")),
    "quit": Key((), lambda found: found.app._exit),
}
WITHOUT_KEY = {"secret"}  # in the palette alone


def test_no_command_is_forgotten() -> None:
    assert {command.name for command in COMMANDS} == KEYS.keys() | WITHOUT_KEY
    assert {command.name for command in COMMANDS if not command.keys} == WITHOUT_KEY


@pytest.mark.parametrize(("name", "key"), [(c.name, key) for c in COMMANDS for key in c.keys])
async def test_each_key_does_what_it_says_and_nothing_to_the_cloud(
    name: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    size = (200, 24) if "page" in name or "half" in name else (200, 50)
    async with deck(tmp_path, **SMALL | {"size": size}) as found:
        before = found.state()
        await found.keys(*KEYS[name].before)
        assert name in ("redraw",) or not KEYS[name].holds(found), "it held before"
        await found.keys(key)
        for _ in range(1500):
            if KEYS[name].holds(found):
                break
            await found.pilot.pause(0.02)
        else:
            raise AssertionError(found.text())
        assert found.state() == before
        assert not found.console.paths.audit_file.exists()


@pytest.mark.parametrize("key", ["z", "s", "o", "w", "*"])
async def test_a_key_of_tables_says_so_in_a_row(key: str, tmp_path: Path) -> None:
    async with deck(tmp_path, **SMALL) as found:
        await found.keys("enter", key)
        await found.until(lambda: says("not in the view of one row. esc leads back")(found), "it says so")
        assert found.app.main.detail.is_open and not found.app.main.pane.table.marks


@pytest.mark.parametrize("before", [(), ("enter", "l")], ids=["the table", "a log"])
async def test_ctrl_c_leaves_a_filter_and_not_the_program(before: tuple[str, ...], tmp_path: Path) -> None:
    async with deck(tmp_path, **SMALL) as found:
        await found.keys(*before, "/", *"web", "ctrl+c")
        main = found.app.main
        assert not found.app._exit and main.pane.filter_text == main.detail.filter == ""
        assert main.pane.filtering is None and main.detail.filtering is None


async def test_turning_an_order_that_there_is_not_says_how_to_sort(tmp_path: Path) -> None:
    async with deck(tmp_path, **SMALL) as found:
        await found.keys("o")
        await found.until(lambda: says("nothing is sorted by a column. s sorts.")(found), "it says so")


@pytest.mark.parametrize(
    ("keys", "size", "words"),
    [
        (("Z",), (120, 40), "This pane has the whole width: others stand beside it from 160 by 30 on."),
        (("P",), (120, 40), "Nothing fits beside the table below 160 by 30. enter opens the row."),
        (("4", "w"), (120, 40), "w: Key pairs have no columns that need more room."),
        (("U",), (120, 40), "Only flavors and images have servers."),
    ],
)
async def test_a_key_that_can_do_nothing_here_says_why(
    keys: tuple[str, ...], size: tuple[int, int], words: str, tmp_path: Path
) -> None:
    async with deck(tmp_path, **SMALL | {"size": size}) as found:
        await found.keys(*keys)
        await found.until(lambda: says(words)(found), "it says so")


async def test_ctrl_r_asks_every_place_for_its_servers(tmp_path: Path) -> None:
    async with deck(tmp_path, **SMALL | {"regions": 2}) as found:
        asked = [
            found.estate.control.latency(0.0, region=place.name, method="GET", path="/servers/detail")
            for place in found.places
        ]
        await found.pilot.pause(0.1)
        assert [one.met for one in asked] == [0, 0]  # no clock has moved
        await found.keys("ctrl+r")
        for _ in range(1500):
            if all(one.met for one in asked):
                return
            await found.pilot.pause(0.02)
        raise AssertionError([one.met for one in asked])


async def test_the_palette_offers_and_runs_what_has_no_key(tmp_path: Path) -> None:
    async with deck(tmp_path, **SMALL) as found:
        await found.keys(":", *"last password", "enter")
        await found.until(lambda: says("No cloud has told a password in this run.")(found), "it says so")


def test_rebinding_tells_every_conflict() -> None:
    keymap = make_keymap((), {"zoom": "j", "nonsense": "x"})
    assert keymap.find("j", None) == "zoom"
    assert "j is zoom; down has lost it." in keymap.conflicts
    assert "There is nothing called nonsense to bind." in keymap.conflicts


async def test_conflicts_are_told_at_the_start_and_stand_in_the_help() -> None:
    async with running(sample(), (120, 40), keys={"zoom": "j", "theme": "k"}) as (app, pilot):
        text = screen_text(app)
        assert "j is zoom; down has lost it." in text and "There is 1 more." in text
        await pilot.press("?", *"G")
        await pilot.pause(0.05)
        lines = [span.text for line in app.screen._lines for span in line]  # type: ignore[attr-defined]
        assert "k is theme; up has lost it." in lines
        assert isinstance(app.screen, Pages) and not isinstance(app.screen, Pick)
