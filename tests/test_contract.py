"""Every declared action has what each face derives from it: key or palette entry, help, command, audit, refusals."""

import ast
import inspect
import subprocess
import sys

import pytest

from console.actions.action import ACTIONS, Action
from console.actions.legal import RULES
from console.model.image import Image
from console.model.server import Server

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
    "metadata",
}
EVERY = pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))
DEADLY = ("server.delete", "server.force_delete", "server.rebuild", "image.delete")


@EVERY
def test_it_can_be_found_by_name_help_and_command(action: Action) -> None:
    noun, _, verb = action.name.partition(".")
    assert noun == action.on.__name__.lower() and verb.isidentifier()
    assert action.title and action.title == action.title.strip()
    assert action.help.endswith(".") and len(action.help) < 100
    assert action.command[0] in (noun, "console")
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
    tree = ast.parse(inspect.getsource(action.run))
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
