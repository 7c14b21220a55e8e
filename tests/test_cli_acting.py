"""What is asked before something is destroyed, and what it takes to go on."""

import io
from pathlib import Path

import pytest

from console.actions import ACTIONS
from console.cli import acting, screen, voice
from console.cli.commands import every
from console.cli.main import main
from console.cli.parse import Given, UsageError, parse
from console.core.settings import Paths, load_saved
from console.errors import ActionRefused
from console.model.place import Place
from console.model.server import Server

WEB = Server(id="s-1", name="web", place=Place("lab", "one"))
DB = Server(id="s-2", name="db", place=Place("lab", "one"))


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def typed(line: str) -> Given:
    given = parse(line.split())
    assert isinstance(given, Given)
    return given


def test_every_action_has_a_command_and_each_command_its_action() -> None:
    commands = every()
    reached = {command.action for command in commands} | {name for c in commands for _, name in c.flagged}
    plain = {action.name for action in ACTIONS.values() if action.command}
    own = {command.words for command in commands if not command.action}
    assert plain - reached <= {a.name for a in ACTIONS.values() if a.command in own}
    for command in commands:
        if command.action:
            asks = {ask.name for ask in ACTIONS[command.action].asks}
            assert asks - {"name"} <= {option.name for option in command.options}


def test_a_flag_makes_it_another_action() -> None:
    assert acting.action_of(typed("server reboot web")).name == "server.reboot"
    assert acting.action_of(typed("server reboot web --hard")).name == "server.hard_reboot"


@pytest.mark.parametrize(
    ("line", "rows", "answer", "goes"),
    [
        ("server delete web", [WEB], "web", True),
        ("server delete web", [WEB], "y", False),
        ("server delete web", [WEB], "", False),
        ("server delete web db", [WEB, DB], "2", True),
        ("server delete web db", [WEB, DB], "web", False),
        ("server resize revert web", [WEB], "y", True),
        ("server resize revert web", [WEB], "n", False),
        ("server delete web --yes", [WEB], "", True),
        ("server reboot web", [WEB], "", True),
    ],
)
def test_on_a_terminal_what_destroys_is_asked_about(
    line: str, rows: list[Server], answer: str, goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer + "\n"))
    given = typed(line)
    action = acting.action_of(given)
    if goes:
        acting.confirm(action, rows, given)
    else:
        with pytest.raises(ActionRefused, match="Nothing was done"):
            acting.confirm(action, rows, given)


def test_an_operation_has_no_file_for_passwords(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    for flag, made in (("", True), (" --guard", False)):
        given = typed(f"server create web --image i --flavor f --password-file {file}{flag}")
        if made:
            assert acting.new_password_file(acting.action_of(given), given) == file
            file.unlink()
        else:
            with pytest.raises(UsageError, match="tells no password"):
                acting.new_password_file(acting.action_of(given), given)
    assert not file.exists()


def test_as_many_as_were_expected_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for line in ("server delete web db --yes --expect 1", "server stop web db --expect 3"):
        given = typed(line)
        with pytest.raises(ActionRefused, match="2 servers are meant"):
            acting.confirm(acting.action_of(given), [WEB, DB], given)
    given = typed("server delete web db --yes --expect 2")
    acting.confirm(acting.action_of(given), [WEB, DB], given)


def test_the_question_shows_no_escape_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert voice.asked("Delete \x1b[2Jweb?") == "y"
    assert "\x1b" not in capsys.readouterr().err


def test_a_timeout_without_a_wait_is_no_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "reboot", "web", "--timeout", "5"]) == 2
    assert "--timeout is how long --wait waits" in capsys.readouterr().err


def test_the_screen_needs_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main([]) == 2
    assert main(["demo"]) == 2
    assert "The screen needs a terminal." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "picked"),
    [("1", ["a"]), ("2, 1", ["b", "a"]), ("b", ["b"]), ("all", ["a", "b"])],
)
def test_which_clouds_is_asked_and_remembered(
    answer: str, picked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer + "\n"))
    paths = Paths(*(tmp_path / name for name in ("config", "state", "runtime")))
    assert screen._ask(("a", "b"), paths) == picked
    assert load_saved(paths).clouds == picked


@pytest.mark.parametrize("answer", ["3", "c", "", "0"])
def test_a_cloud_that_is_not_there_is_not_opened(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer + "\n"))
    paths = Paths(*(tmp_path / name for name in ("config", "state", "runtime")))
    with pytest.raises(UsageError):
        screen._ask(("a", "b"), paths)
    assert load_saved(paths).clouds == []
