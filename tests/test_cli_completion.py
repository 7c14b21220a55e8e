"""Completion knows every command, in the shells themselves where they are installed."""

import shutil
import subprocess

import pytest

from console.cli.commands import every
from console.cli.completion import SHELLS, choices
from console.cli.main import main


def in_bash(line: str) -> set[str]:
    """What bash offers after this line."""
    words = line.split(" ")
    script = f"""
    source /dev/stdin <<'NOVADECK'
{SHELLS["bash"](choices(every()))}
NOVADECK
    COMP_WORDS=({" ".join(repr(word) for word in words)})
    COMP_CWORD={len(words) - 1}
    _novadeck
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("novadeck ser", {"server"}),
        ("novadeck server resize ", {"confirm", "revert", "--flavor"}),
        ("novadeck --os-cloud lab server li", {"list"}),
        ("novadeck server list --st", {"--status"}),
        ("novadeck server list -f ", {"json", "ndjson", "table"}),
        ("novadeck completion ", {"bash", "zsh", "fish"}),
        ("novadeck server list --os-region-name x --so", {"--sort-column"}),
    ],
)
def test_bash_offers(line: str, offered: set[str]) -> None:
    assert offered <= in_bash(line)


def test_bash_offers_nothing_that_does_not_fit() -> None:
    assert in_bash("novadeck server list --sta") == {"--status"}
    assert "list" not in in_bash("novadeck server list ")


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_command_and_flag_is_in_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for command in every():
        assert all(word in script for word in command.words)
        for option in command.all_options():
            assert all(flag.lstrip("-") in script for flag in option.flags)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
