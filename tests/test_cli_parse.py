"""What is typed, and what is understood: the longest command wins, and `--` ends it."""

from collections.abc import Sequence
from typing import Any

import pytest

from console.cli.commands import FIXED, every
from console.cli.parse import Given, Unfinished, UsageError, parse


def read(line: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
    given = parse(line.split())
    assert isinstance(given, Given)
    return given.command.words, given.names, given.options


@pytest.mark.parametrize(
    ("line", "words", "names", "options"),
    [
        ("", (), (), {}),
        ("--os-cloud lab", (), (), {"os_cloud": ["lab"]}),
        ("--record night.gz", (), (), {"record": "night.gz"}),
        ("--record night.gz --os-cloud lab --lean", (), (), {"record": "night.gz", "os_cloud": ["lab"], "lean": True}),
        ("--os-cloud lab --record server", (), (), {"record": "server", "os_cloud": ["lab"]}),
        ("server list", ("server", "list"), (), {}),
        ("server list -f json -c id -c name", ("server", "list"), (), {"format": "json", "column": ["id", "name"]}),
        ("server list -fjson --column=id", ("server", "list"), (), {"format": "json", "column": ["id"]}),
        ("-f json server list", ("server", "list"), (), {"format": "json"}),
        ("--os-cloud a server list --os-cloud=b", ("server", "list"), (), {"os_cloud": ["a", "b"]}),
        ("server --os-cloud a list", ("server", "list"), (), {"os_cloud": ["a"]}),
        ("server resize confirm web", ("server", "resize", "confirm"), ("web",), {}),
        ("server resize web --flavor m1", ("server", "resize"), ("web",), {"flavor": "m1"}),
        ("server resize --flavor m1 -- confirm", ("server", "resize"), ("confirm",), {"flavor": "m1"}),
        ("server resize --flavor confirm web", ("server", "resize"), ("web",), {"flavor": "confirm"}),
        ("server reboot a b --hard --wait", ("server", "reboot"), ("a", "b"), {"hard": True, "wait": True}),
        ("server delete --yes -- --weird", ("server", "delete"), ("--weird",), {"yes": True}),
        ("server image create web --name x", ("server", "image", "create"), ("web",), {"name": "x"}),
        (
            "server create web --image i --flavor f --metadata a=1 --metadata b=x=y",
            ("server", "create"),
            ("web",),
            {"image": "i", "flavor": "f", "metadata": {"a": "1", "b": "x=y"}},
        ),
        ("console log show web --lines 5", ("console", "log", "show"), ("web",), {"lines": 5}),
        (
            "wait server w --for status=ACTIVE --timeout 1.5",
            ("wait", "server"),
            ("w",),
            {"for": "status=ACTIVE", "timeout": 1.5},
        ),
        ("demo --serve --servers 9", ("demo",), (), {"serve": True, "servers": 9}),
    ],
)  # fmt: skip
def test_a_line_is_understood(line: str, words: Sequence[str], names: Sequence[str], options: dict[str, Any]) -> None:
    assert read(line) == (words, names, options)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sever list", "no command 'sever'. Did you mean 'server'?"),
        ("server lst", "no command 'server lst'. Did you mean 'server list'?"),
        ("server resize", "server resize needs NAME."),
        ("server resize web", "needs --flavor FLAVOR."),
        ("server list --flavour x", "no option --flavour. Did you mean '--flavor'?"),
        ("server list web", "server list takes no 'web'."),
        ("server list -f xml", "-f knows no 'xml'."),
        ("server list -f", "-f needs a value: -f FORMAT."),
        ("server list --long=1", "--long takes no value."),
        ("server reboot web --timeout soon", "--timeout needs a number, not 'soon'."),
        ("server reboot web --timeout -3", "from 0 up"),
        ("server reboot web --timeout inf", "from 0 up"),
        ("demo --servers 1.5", "--servers needs a whole number"),
        ("server create a b --image i --flavor f", "takes one NAME, not 2: a, b."),
        ("server create a --image i --flavor f --metadata x", "--metadata needs KEY=VALUE, not 'x'."),
        ("console log show a b", "takes one NAME, not 2"),
        ("completion tcsh", "knows no 'tcsh'."),
        ("wait server web", "needs --for FIELD=VALUES."),
    ],
)
def test_what_is_wrong_is_said(line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_that_only_lead_to_commands_are_unfinished() -> None:
    found = parse(["server"])
    assert isinstance(found, Unfinished)
    assert ("server", "list") in {command.words for command in found.commands}
    assert not found.help
    assert all(command.words[0] == "server" for command in found.commands)
    asked = parse(["server", "resize", "--help"])
    assert isinstance(asked, Given)
    assert asked.options == {"help": True}


def test_help_asks_for_no_names() -> None:
    given = parse(["server", "resize", "-h"])
    assert isinstance(given, Given)
    assert given.get("help") is True


def test_no_derived_command_hides_behind_a_fixed_one() -> None:
    """Fixed commands win before the actions are imported, so no action may begin with the words of one."""
    fixed = {command.words for command in FIXED if command.words}
    derived = [command for command in every() if command.action]
    assert derived
    assert not [c.words for c in derived if any(c.words[: len(words)] == words for words in fixed)]


def test_each_command_and_option_is_there_once_and_told() -> None:
    commands = every()
    assert len({command.words for command in commands}) == len(commands)
    for command in commands:
        flags = [flag for option in command.all_options() for flag in option.flags]
        assert len(flags) == len(set(flags)), command.words
        assert command.help
        assert all(option.help for option in command.all_options())
