"""Every declared action has what each face derives from it: key or palette entry, help, command, audit, refusals."""

import ast
import datetime as dt
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_ground import SmallGround

from console.actions.action import ACTIONS, Action, perform
from console.actions.dialects import lacking
from console.actions.legal import RULES, refusal
from console.cli import usage
from console.cli.commands import every
from console.clouds.dialect import Accepted
from console.core.settings import Rule
from console.errors import ActionRefused, ConsoleError
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.place import Key, Origin, Place
from console.model.schedule import Schedule
from console.model.server import Address, Server
from console.runbooks import RUNBOOKS
from console.tui.commands import Commands
from console.tui.keys import COMMANDS, make_keymap

KINDS = {
    "text",
    "flag",
    "secret",
    "file",
    "files",
    "number",
    "choice",
    "flavor",
    "image",
    "keypair",
    "network",
    "address",
    "group",
    "metadata",
}
# What has no command is begun by a plan, and offered to nobody.
_OFFERED = {name: action for name, action in ACTIONS.items() if action.command}
EVERY = pytest.mark.parametrize("action", _OFFERED.values(), ids=list(_OFFERED))
DEADLY = ("server.delete", "server.force_delete", "server.rebuild", "image.delete")


@EVERY
def test_it_can_be_found_by_name_help_and_command(action: Action) -> None:
    noun, _, verb = action.name.partition(".")
    assert noun == action.on.__name__.lower() and verb.isidentifier()
    assert action.title and action.title == action.title.strip()
    assert action.help.endswith(".") and len(action.help) < 100
    assert action.command[0] in (noun, "console", "schedule")
    assert (action.run.__doc__ or "").strip().startswith(action.help)


def test_no_two_share_a_key_or_a_command() -> None:
    for kind in {action.on for action in ACTIONS.values()}:
        keys = [action.key for action in ACTIONS.values() if action.on is kind and action.key]
        assert len(keys) == len(set(keys)), kind
    commands = [action.command for action in ACTIONS.values()]
    assert len(commands) == len(set(commands))
    assert all(name == action.name for name, action in ACTIONS.items())


@EVERY
def test_a_deadly_one_asks_and_is_not_on_a_small_letter(action: Action) -> None:
    if not action.reversible:
        assert action.confirm and "{name}" in action.confirm
        assert action.key is None or action.key.isupper()
    assert action.type_name == (action.name in DEADLY)
    assert action.confirm.format(name="web-1") == action.confirm.replace("{name}", "web-1")


@EVERY
def test_its_asks_can_be_shown_and_typed(action: Action) -> None:
    names = [ask.name for ask in action.asks]
    assert len(names) == len(set(names))
    for ask in action.asks:
        assert ask.kind in KINDS
        assert ask.name.isidentifier() and ask.flag == "--" + (ask.called or ask.name).replace("_", "-")
        assert ask.title and ask.help
        assert not (ask.required and ask.default is not None)
        assert ask.kind != "choice" or ask.choices
    taken = {"wait", "timeout", "progress", "dry_run", "at_once", "target", "why", "typed", "yes", "all", "where"}
    assert not (taken | {"expect", "type_name", "password_file", "format", "column"}) & set(names)


@EVERY
def test_a_server_verb_has_its_legal_moves(action: Action) -> None:
    if action.on is Server and not action.creates:
        assert action.name in RULES
    if action.on is Image:
        assert action.name.startswith("image.")


@EVERY
def test_only_reading_goes_without_a_verb_of_the_dialect(action: Action) -> None:
    assert action.needs or action.reads
    assert not (action.reads and action.ends)


@EVERY
def test_it_sends_and_does_not_wait(action: Action) -> None:
    """An action is one step: waiting belongs to the gate, so that every action can be waited for alike."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(action.run)))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.While)]
    assert "sleep" not in inspect.getsource(action.run)


def test_the_seven_keys() -> None:
    seven = dict(zip("rRfCVit", "reboot hard_reboot resize confirm revert snapshot check".split(), strict=True))
    assert {key: ACTIONS[f"server.{verb}"].key for key, verb in seven.items()} == {key: key for key in seven}


def test_declaring_loads_no_ssh() -> None:
    """asyncssh takes a tenth of a second to load: only a check pays for it."""
    code = "import console.actions.action, sys; print('asyncssh' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# What each face derives from the declaration --------------------------------------------------------------------------

SILENT = ("server.run", "server.shell")  # they end at the first rung of a server that has no address
PLACE = Place("lab", "one")
GIVEN: dict[str, Any] = {
    "name": "new-1", "image": Image(id="i", name="img", place=PLACE, word="active"), "password": "correct-horse",
    "command": "true", "property": {"color": "blue"},
    "flavor": Flavor(id="f", name="big", place=PLACE, vcpus=2, ram=2048, disk=80),
}  # fmt: skip


class TakesAll:
    """A dialect that takes every order, and remembers what it was asked."""

    def __init__(self, privilege: int = 2) -> None:
        self.origin = Origin(PLACE, "e", privilege=privilege)
        self.verbs = frozenset(action.needs for action in ACTIONS.values()) - {"limits"}
        self.asked: list[str] = []
        self.row = a_server()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    async def servers(self, **given: Any) -> Any:
        yield [its_neighbour()]

    async def ip_groups(self) -> Any:
        yield [IpGroup(id="7", name="pair", key=Key("e", "", "ipgroup", "7"), place=PLACE, servers=["s", "o"])]

    def __getattr__(self, name: str) -> Any:
        async def answer(*given: Any, **more: Any) -> Any:
            self.asked.append(name)
            found = {"server": self.row, "instance_actions": [], "networks": [], "remote_console": "http://c",
                     "console_log": "", "image": GIVEN["image"], "schedule": Schedule(id="s")}  # fmt: skip
            return found.get(name, Accepted("req-1", "made"))

        return answer


def a_server(vm: str = "active", status: str = "ACTIVE") -> Server:
    born = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    key = Key("e", "one", "server", "s")
    return Server(id="s", name="web-1", key=key, place=PLACE, word=status, vm_state=vm, launched_at=born, host_id="h",
                  locked=False, ip_group="7", addresses={"public": [Address("192.0.2.1")]})  # fmt: skip


def its_neighbour() -> Server:
    """Another server of the same shared IP group, with an address that the first one has and one that it has not."""
    addresses = {"public": [Address("192.0.2.1"), Address("192.0.2.9")]}
    key = Key("e", "one", "server", "o")
    return Server(id="o", name="web-2", key=key, place=PLACE, word="ACTIVE", ip_group="7", addresses=addresses)


# What stands between the two lines of an action that is made of others, each an order of its own.
STEPS = {
    "server.clone": [
        *("server.snapshot asked", "server.snapshot accepted", "server.snapshot ended"),
        *("server.create asked", "server.create accepted"),
    ]
}
STATES = (
    ("active", "ACTIVE"), ("stopped", "SHUTOFF"), ("resized", "VERIFY_RESIZE"), ("paused", "PAUSED"),
    ("suspended", "SUSPENDED"), ("rescued", "RESCUE"), ("shelved", "SHELVED"), ("soft-delete", "SOFT_DELETED"),
)  # fmt: skip


def target_of(action: Action) -> Any:
    """A row on which it is allowed, or the place where it makes something."""
    if action.creates:
        return PLACE
    if action.on is Server:
        return next(row for row in (a_server(*state) for state in STATES) if not refusal(action.name, row, privilege=2))
    more = {"scheduled": True} if action.on is Image else {}
    return action.on(id="x", name="x-1", key=Key("e", "one", "x", "x"), place=PLACE, **more)


def given_of(action: Action, folder: Path) -> dict[str, Any]:
    found = {ask.name: GIVEN[ask.name] for ask in action.asks if ask.required and ask.name in GIVEN}
    more: dict[str, dict[str, Any]] = {
        "server.set": {"name": "other"},
        "server.metadata": {"metadata": "a=b"},
        "server.share_ip": {"address": "192.0.2.9", "configure": "no"},
        "server.unshare_ip": {"address": "192.0.2.1"},
        **{f"server.{verb}": {"address": "192.0.2.7"} for verb in ("add_vip", "remove_vip", "move_ip")},
        "server.launch": {"ip_group": "pair"},
        "server.backup_schedule": {"daily": "H_0400_0600"},
        "server.image_schedule": {"keep": 3},
        "server.plan_images": {"daily": "03:30"},
        "server.clone": {"name": "n", "flavor": GIVEN["flavor"], "network": ["none"]},
    }
    if action.name == "keypair.create":
        found["private_key"] = str(folder / "key")
    return found | more.get(action.name, {})


def ground_of(folder: Path, **dialect: Any) -> tuple[SmallGround, TakesAll]:
    ground = SmallGround(folder)
    found = TakesAll(**dialect)
    ground.dialects[PLACE] = found  # type: ignore[assignment]
    return ground, found


@EVERY
async def test_what_it_does_is_in_the_audit(action: Action, tmp_path: Path) -> None:
    ground, dialect = ground_of(tmp_path)
    target, given = target_of(action), given_of(action, tmp_path)
    (outcome,) = (
        await perform(ground, action, [target], **given)
        if target is not PLACE
        else [await perform(ground, action, target, **given)]
    )
    silent = action.name in SILENT
    assert isinstance(outcome.error, ConsoleError) == silent, outcome.error
    asked, *between, ended = ground.audit.lines()
    assert [line["event"] for line in (asked, ended)] == ["asked", "failed" if silent else "accepted"]
    assert asked["order"] == ended["order"] and asked["action"] == action.name and asked["v"] == 1
    assert asked["target"]["kind"] == action.on.__name__.lower() and asked["target"]["name"]
    assert ended.get("message", "") == (str(outcome.error) if silent else "")
    steps = [f"{line['action']} {line['event']}" for line in between]
    assert steps == STEPS.get(action.name, [])
    assert dialect.asked or action.name in (*RUNBOOKS, "server.plan_images")  # a keeper's orders are still to come
    assert "correct-horse" not in ground.audit.path.read_text()
    assert (ground.woken == []) == action.reads


@EVERY
async def test_each_refusal_has_its_reason_and_sends_nothing(action: Action, tmp_path: Path) -> None:
    target, given = target_of(action), given_of(action, tmp_path)
    ground, dialect = ground_of(tmp_path)
    reasons = []
    if not action.reads:
        ground.read_only = True
        reasons.append((await reason(ground, action, target, given), "This run is read-only."))
        ground.read_only = False
        ground.settings.rules = [Rule(actions=[action.name], deny="so it was agreed")]
        reasons.append((await reason(ground, action, target, given), "so it was agreed"))
        ground.settings.rules = []
        reader, _ = ground_of(tmp_path, privilege=0)
        reasons.append((await reason(reader, action, target, given), "only reads"))
    if action.needs:
        dialect.verbs -= {action.needs}
        reasons.append(
            (
                await reason(ground, action, target, given),
                lacking("openstack", action.needs) or f"offers no {action.title}",
            )
        )
    if action.on is Server and not action.creates and RULES[action.name].vm is not None:
        building = a_server("building", "BUILD")
        dialect.verbs |= {action.needs}
        reasons.append((await reason(ground, action, building, given), "."))
    for said, words in reasons:
        assert words in said and said.strip().endswith("."), said
    assert dialect.asked == [] and ground.audit.lines() == []


async def reason(ground: SmallGround, action: Action, target: Any, given: dict[str, Any]) -> str:
    with pytest.raises(ActionRefused) as caught:
        await perform(ground, action, target, **given)
    return str(caught.value)


@EVERY
def test_it_has_a_command_with_help_for_each_ask(action: Action) -> None:
    words = tuple(word for word in action.command if not word.startswith("-"))
    (command,) = [command for command in every() if command.words == words]
    reached = {command.action, *(name for _, name in command.flagged)}
    assert action.name in reached or not command.action  # or a command of its own
    text = usage.of_command(command)
    assert command.help.lower() in " ".join(text.lower().split())
    if command.action == action.name:
        assert all(ask.flag in text for ask in action.asks if not (action.creates and ask.name == "name"))
        if command.run == "acting:run" and not action.reads:
            assert {"--why", "--dry-run", "--yes"} <= {flag for option in command.options for flag in option.flags}


@EVERY
def test_it_has_a_key_or_is_in_the_palette_and_both_are_in_the_help(action: Action) -> None:
    keymap = make_keymap(list(ACTIONS.values()))
    deck = SimpleNamespace(actions=lambda: ACTIONS, verdict=lambda name, row: "", commands=COMMANDS)
    commands = Commands.__new__(Commands)
    commands.screen = SimpleNamespace(deck=deck, keymap=keymap, kind=action.on, targets=list)  # type: ignore[assignment]
    commands.viewing = SimpleNamespace(named=dict)  # type: ignore[assignment]
    ((_, title, key, help),) = [entry for entry in commands.entries() if entry[0] == action.name]
    assert (title, help) == (action.title, action.help)
    assert key == (action.key or "")
    if action.key:
        assert keymap.find(action.key, action.on) == action.name
