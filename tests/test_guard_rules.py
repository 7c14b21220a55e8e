"""The user's own rules: what they deny, cap, or want a word for, and that the gate holds them whoever asks."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from small_ground import SmallGround

from console.actions.action import perform
from console.actions.declared import ACTIONS
from console.actions.rules import demands
from console.core.settings import Paths, Rule, load_settings
from console.errors import ActionRefused, ConfigError, Unreachable
from console.model.place import Key, Place
from console.model.server import Server

PROD, TEST = Place("prod", "one"), Place("test", "one")


def server(name: str, place: Place = PROD) -> Server:
    return Server(id=name, name=name, key=Key("e", place.cloud, "server", name), place=place, word="ACTIVE")


@pytest.fixture
def ground(tmp_path: Path) -> SmallGround:
    return SmallGround(tmp_path)


def ruled(ground: SmallGround, *rules: Rule) -> None:
    ground.settings = SimpleNamespace(clouds={}, rules=list(rules))


async def refused(ground: SmallGround, action: str, *rows: Server, **given: object) -> str:
    """Why it is not done; a ground without clouds lets through what the rules let through."""
    try:
        done = await perform(ground, action, rows[0] if len(rows) == 1 else list(rows), **given)  # type: ignore[arg-type]
    except (ActionRefused, Unreachable) as error:
        return str(error)
    return " ".join(str(outcome.error) for outcome in done)


async def test_deny_by_action_cloud_and_name(ground: SmallGround) -> None:
    ruled(ground, Rule(actions=["server.del*"], clouds=["prod*"], names=["db-*"], deny="ask the owners of the data"))
    said = await refused(ground, "server.delete", server("db-1"))
    assert said == "delete db-1 at prod/one is against your rules: ask the owners of the data."
    for action, row in (
        ("server.reboot", server("db-1")),
        ("server.delete", server("web-1")),
        ("server.delete", server("db-1", TEST)),
    ):
        assert "rules" not in await refused(ground, action, row)
    assert "rules" in await refused(ground, "server.delete", server("web-1"), server("db-1"))
    assert ground.events() == []


async def test_a_cap_on_how_many_at_once(ground: SmallGround) -> None:
    ruled(ground, Rule(clouds=["prod"], most=2))
    rows = [server(f"web-{n}") for n in range(3)]
    assert "reboot of 3 at once is against your rules: 2 are the most." in await refused(ground, "server.reboot", *rows)
    assert "rules" not in await refused(ground, "server.reboot", *rows[:2], server("other", TEST))


async def test_a_reason_and_a_typed_name(ground: SmallGround) -> None:
    ruled(ground, Rule(actions=["server.stop"], ask_why=True, type_name=True))
    assert "wants a reason" in await refused(ground, "server.stop", server("web-1"))
    assert "wants web-1 typed" in await refused(ground, "server.stop", server("web-1"), why="moving house")
    said = await refused(ground, "server.stop", server("web-1"), why="moving house", typed="web-1")
    assert "rules" not in said
    several = [server("web-1"), server("web-2")]
    assert "wants 2 typed" in await refused(ground, "server.stop", *several, why="x", typed="web-1")


def test_what_only_reads_is_never_held_up() -> None:
    settings = SimpleNamespace(rules=[Rule(deny="no")])
    assert demands(settings, ACTIONS["server.explain"], [(PROD, server("a"), {})]).refusal == ""
    assert demands(settings, ACTIONS["server.create"], [(PROD, None, {"name": "new"})]).refusal


def test_rules_are_settings(tmp_path: Path) -> None:
    paths = Paths(config=tmp_path, state=tmp_path, runtime=tmp_path)
    paths.config_file.write_text('[[rules]]\nactions = ["server.delete"]\nnames = ["db-*"]\ndeny = "no"\n')
    (rule,) = load_settings(paths, {}).rules
    assert (rule.actions, rule.names, rule.deny) == (["server.delete"], ["db-*"], "no")
    paths.config_file.write_text('[[rules]]\ndenny = "no"\n')
    with pytest.raises(ConfigError, match="denny"):
        load_settings(paths, {})
