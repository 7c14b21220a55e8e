"""Every pane over the embedded cloud: it shows what the cloud has, can be filtered by each of its fields, says so where
there is nothing, and to look at it changes nothing. A pane without a proof fails here.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from screen_pilot import Deck, deck
from textual.events import Paste

from console.runbooks import ACTIONS
from console.tui.helping import help_lines
from console.tui.paint import plain
from console.tui.panes import PANES

PLAIN: dict[str, Any] = {"clouds": 1, "regions": 1, "speed": 0, "size": (120, 50)}
OLD = PLAIN | {"clouds": 0, "regions": 0, "servers": 8, "firstgen": True, "entries": ("legacy",)}
RACKSPACE = PLAIN | {"clouds": 0, "regions": 0, "servers": 8, "rackspace": True, "entries": ("rackspace",)}


class Proof(NamedTuple):
    """What the rows of a pane are called by the cloud itself, and which clouds have some."""

    names: Callable[[Deck], set[str]]
    words: Callable[[Deck], str]  # that one of its rows says, of what the cloud knows
    knobs: Mapping[str, Any] = PLAIN


def nova(found: Deck) -> Any:
    return found.places[0].nova


def asked(found: Deck) -> set[str]:
    """The servers that something was asked of since the console was opened, as the cloud wrote it down."""
    orders = {one.name for one in found.alive() for action in one.actions or () if action.action == "lock"}
    return {"web-1"} if orders == {"web-1"} else {"not what the cloud wrote down"}


PROOFS: dict[str, Proof] = {
    "servers": Proof(
        lambda found: {one.name for one in found.alive()}, lambda found: found.server("web-1").flavor.name
    ),
    "images": Proof(
        lambda found: {str(one.name) for one in found.places[0].glance.images.values()},
        lambda found: f"snapshot of {found.server('web-3').name}",
    ),
    "flavors": Proof(
        lambda found: {one.name for one in nova(found).flavors.values() if one.public}, lambda found: "512 MB"
    ),
    "keypairs": Proof(
        lambda found: {pair.name for pair in nova(found).keypairs.values()},
        lambda found: next(iter(nova(found).keypairs.values())).fingerprint,
    ),
    "limits": Proof(
        lambda found: {"instances", "cores", "ram", "keypairs", "floating_ips", "ports", "networks", "security_groups"},
        lambda found: f"{len(found.alive())}",
    ),
    "zones": Proof(
        lambda found: {host.zone for host in nova(found).hosts.values()},
        lambda found: "available",  # how many hosts are up is told to administrators alone
    ),
    "audit": Proof(asked, lambda found: found.server("web-1").actions[-1].request_id),
    "schedules": Proof(lambda found: {"shop-web-1", "report"}, lambda found: "weekly Saturday", RACKSPACE),
    "ipgroups": Proof(
        lambda found: {group.name for group in found.first.groups.values()}, lambda found: "web-a, web-b", OLD
    ),
}


def test_no_pane_is_forgotten() -> None:
    assert PANES.keys() == PROOFS.keys()
    assert len(PANES) <= 9  # each has its number


async def shown(found: Deck, pane: str) -> None:
    """Show the pane by its number, and wait for its rows."""
    await found.keys(str(list(PANES).index(pane) + 1))
    table = found.app.main.panes[pane].table
    await found.until(lambda: found.app.main.active == pane and table.index.order, f"{pane} has rows")


@pytest.mark.parametrize("pane", PANES)
async def test_each_pane_shows_what_the_cloud_has(pane: str, tmp_path: Path) -> None:
    proof, spec = PROOFS[pane], PANES[pane]
    async with deck(tmp_path, **proof.knobs) as found:
        if pane == "audit":
            await found.on("web-1")
            await found.command("server.lock")
            await found.answer()
            await found.ended("lock")
        await found.rest()
        before = found.state()
        await shown(found, pane)
        index = found.app.main.panes[pane].table.index
        await found.until(lambda: proof.names(found) <= {row.name for row in index.rows.values()}, "all are there")
        if pane != "limits":  # of which each service has some more
            assert {row.name for row in index.rows.values()} == proof.names(found)
        await found.keys("w", "Z")
        await found.until(lambda: proof.words(found) in _all_rows(found, pane), f"{proof.words(found)} is told")
        assert f"{spec.title}  {len(index.order)}" in found.text()
        await found.keys("G", "enter")
        assert found.app.main.detail.is_open and "What it is" in found.text()
        await found.keys("y", "escape", "1")
        assert found.app.main.active == "servers"
        assert found.state() == before


def _all_rows(found: Deck, pane: str) -> str:
    """The cells of all rows, also of those that are below the screen."""
    table = found.app.main.panes[pane].table
    spec, scene = PANES[pane], table.index.scene
    return "\n".join(" ".join(cell.text for cell in spec.cells(row, scene)) for row in table.index.rows.values())


@pytest.mark.parametrize("knobs", [PLAIN, OLD, RACKSPACE], ids=["openstack", "first generation", "rackspace"])
async def test_every_field_of_every_pane_finds_its_rows(knobs: Mapping[str, Any], tmp_path: Path) -> None:
    async with deck(tmp_path, **knobs) as found:
        await found.rest()
        before = found.state()
        for pane in [name for name, proof in PROOFS.items() if proof.knobs is knobs and name != "audit"]:
            await shown(found, pane)
            for field in PANES[pane].fields:
                _find(found, pane, field)
            await found.keys("escape")
        assert found.state() == before


def _find(found: Deck, pane: str, field: str) -> None:
    """Filter by a value that a row has: those that have it are shown, and no others."""
    table = found.app.main.panes[pane].table
    index, read = table.index, PANES[pane].fields[field]
    found.app.main.panes[pane].set_filter("")
    visible = list(index.order)  # rows that are the same in several regions are shown once
    values = {key: read(index.rows[key], index.scene) for key in index.rows}
    for typed, expected in _filters(field, [values[key] for key in visible]):
        found.app.main.panes[pane].set_filter(typed)
        names = {str(values[key]) for key in index.order}
        assert names == {str(value) for value in expected}, f"/{typed} in {pane}"


def _filters(field: str, values: list[Any]) -> list[tuple[str, list[Any]]]:
    """What is typed to find some of these values, and those that it must find."""
    numbers = sorted(value for value in values if isinstance(value, int | float))
    words = sorted({str(value) for value in values if isinstance(value, str) and value and " " not in value})
    found = []
    if numbers:
        middle = int(numbers[len(numbers) // 2])
        found.append((f"{field}>={middle}", [value for value in numbers if value >= middle]))
        found.append((f"{field}<{middle}", [value for value in numbers if value < middle]))
        exact = [value for value in numbers if isinstance(value, int)][:1]
        found += [(f"{field}={value}", [one for one in numbers if one == value]) for value in exact]
    for word in words[:1]:
        found.append((f"{field}={word}", [value for value in values if str(value).lower() == word.lower()]))
    assert found or not any(value not in (None, "") and " " not in str(value) for value in values), field
    return found


async def typing(found: Deck, text: str) -> None:
    """Paste a filter into the line, and enter it."""
    await found.keys("slash")
    await found.keys("end", "ctrl+u")
    found.app.post_message(Paste(text))
    await found.pilot.pause()
    await found.keys("enter")


FORMS: dict[str, Callable[[Any, float], bool]] = {
    "web-1": lambda one, now: "web-1" in one.name,
    "WEB-1": lambda one, now: "web-1" in one.name,
    "^web-[13]$|nothing": lambda one, now: False,  # all words of a row are one text
    "name:^web-[13]$": lambda one, now: one.name in ("web-1", "web-3"),
    "name:[": lambda one, now: False,  # no expression: looked for as it stands
    "name:^(web|dns)-": lambda one, now: one.name[:4] in ("web-", "dns-"),
    "!web !dns !mail": lambda one, now: not any(word in one.name for word in ("web", "dns", "mail")),
    "dns!dns-1": lambda one, now: one.name == "dns-2",
    "status:error": lambda one, now: one.vm_state == "error",
    "status=error name!=x": lambda one, now: one.vm_state == "error",
    "!status:active": lambda one, now: one.vm_state not in ("active",),
    "status=active !task:image": lambda one, now: one.vm_state == "active" and not one.task_state,
    "locked:yes": lambda one, now: one.locked,
    "meta:role=web": lambda one, now: one.metadata.get("role") == "web",
    "age<2h": lambda one, now: one.created > now - 2 * 3600,
    "age>=1y": lambda one, now: one.created <= now - 365 * 86400,
    "age>1w age<90d": lambda one, now: now - 90 * 86400 < one.created < now - 7 * 86400,
    "address:127.90": lambda one, now: any(port.floating for port in one.ports),
    "flavor:512": lambda one, now: one.flavor.ram == 512,
    "image:^rocky": lambda one, now: one.name in ("worker-04", "sandbox-mira"),
    "place:ber": lambda one, now: False,
}


async def test_every_form_of_filter_shows_what_the_cloud_says_is_so(tmp_path: Path) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        index, before = found.app.main.pane.table.index, found.state()
        for typed, holds in FORMS.items():
            await typing(found, typed)
            cloud = {one.name for one in found.alive() if holds(one, found.estate.clock.time())}
            assert {index.rows[key].name for key in index.order} == cloud, typed
            assert f"/{typed}" in found.text()
            if not cloud:
                assert f"None of 28 match {typed}." in found.text() and "esc clear" in found.text()
        await found.keys("escape")
        assert len(index.order) == 28 and found.state() == before


async def test_each_pane_keeps_a_filter_of_its_own(tmp_path: Path) -> None:
    async with deck(tmp_path, **PLAIN) as found:
        kept = {"servers": "name:^web", "images": "size>=600m", "flavors": "ram>=2048 disk>1", "keypairs": "name=demo"}
        for pane, text in kept.items():
            await shown(found, pane)
            await typing(found, text)
        for pane, text in kept.items():
            await shown(found, pane)
            assert f"/{text}" in found.text()
        images = found.app.main.panes["images"].table.index
        large = {one.name for one in found.places[0].glance.images.values() if (one.size or 0) >= 600e6}
        assert {images.rows[key].name for key in images.order} == large


@pytest.mark.parametrize("pane", PANES)
async def test_an_empty_pane_says_so_and_offers_what_can_be_made(pane: str, tmp_path: Path) -> None:
    spec = PANES[pane]
    makes = {action.on for action in ACTIONS.values() if action.key == "n"}
    async with deck(tmp_path, **PLAIN | {"servers": 0}) as found:
        for place in found.places:
            place.nova.keypairs.clear()
            place.glance.images.clear()
            place.nova.flavors.clear()
            place.nova.hosts.clear()
        await found.keys(str(list(PANES).index(pane) + 1), "ctrl+r")
        if pane == "limits":  # there is no cloud without limits
            await found.until(lambda: "instances" in found.text(), "they are told")
            return
        await found.until(lambda: spec.empty_words("nimbus/dfw") in found.text(), "it says that there is nothing")
        assert ("n new" in found.text()) == (spec.kind in makes)


async def test_the_help_begins_with_the_keys_of_the_pane_and_forgets_no_noun(tmp_path: Path) -> None:
    async with deck(tmp_path, clouds=1, regions=1, speed=0, size=(120, 40)) as found:
        for pane, head in (("servers", "On a server"), ("keypairs", "On a key pair"), ("images", "On an image")):
            found.app.main.choose_pane(pane)
            main = found.app.main
            lines = [plain(line) for line in help_lines(main.keymap, main.deck, main.glyphs, main.active)]
            assert lines[0] == head
            shown = {spec.kind for spec in PANES.values()}
            told = [action for action in ACTIONS.values() if action.on in shown and action.command]
            assert [action.name for action in told if not any(f" {action.help}" in line for line in lines)] == []
