"""`novadeck server run` and `hostkeys` on the embedded cloud: what is printed in each form, and where it stops."""

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_cli_flow import ESTATE, Shell, shell

from console.cli.demo import beside

__all__ = ["shell"]
WORKS, FAILS = "echo one", "false"


@pytest.fixture(scope="module")
def clouds_yaml() -> Iterator[Path]:
    """An embedded cloud of its own in another process, all of whose servers have guests."""
    with beside({**ESTATE, "servers": 12, "guests": 40, "guest_port": 22133}) as path:
        yield path


@pytest.fixture
def way(shell: Shell) -> tuple[str, ...]:
    """The way into the guests."""
    return ("--identity", str(shell.clouds_yaml.with_name("id_demo")), "--port", "22133", "--user", "root")


@pytest.fixture
def names(shell: Shell, way: tuple[str, ...]) -> Iterator[list[str]]:
    """Three servers of the test's own that let us in."""
    name = f"run-{time.monotonic_ns()}"
    found = [f"{name}-{number}" for number in (1, 2, 3)]
    made = ("--image", "debian-12", "--flavor", "m1.tiny", "--key-name", "demo", "--count", "3", "--wait")
    shell.ok("server", "create", name, *made)
    shell.ok("server", "check", *found, *way, "--wait")
    yield found
    shell.run("server", "delete", *found, "--yes")


def test_a_command_in_each_form(shell: Shell, way: tuple[str, ...], names: list[str]) -> None:
    command = ("--", "echo one; echo two; exit 3")
    table = shell.run("server", "run", *names, *way, *command)
    assert shell.code == 1
    shown = [line.split() for line in table.splitlines() if "one" in line or "two" in line]
    assert shown == [row for name in names for row in ([name, "3", "one"], ["two"])]
    printed = shell.run("server", "run", *names, *way, "-f", "ndjson", *command)
    told = [json.loads(line) for line in printed.splitlines()]
    assert [(one["name"], one["code"], one["output"], one["user"]) for one in told] == [
        (name, 3, "one\ntwo\n", "root") for name in names
    ]
    rows = list(csv.reader(io.StringIO(shell.run("server", "run", *names, *way, "-f", "csv", *command))))
    assert rows[1:] == [[name, "3", line] for name in names for line in ("one", "two")]
    alone = json.loads(shell.ok("server", "run", names[0], *way, "-f", "json", "--", WORKS))
    assert (alone["output"], alone["code"]) == ("one\n", 0)


def test_it_stops_after_the_first_that_fails_if_asked(shell: Shell, way: tuple[str, ...], names: list[str]) -> None:
    one_by_one = ("--at-once", "1", "-f", "ndjson")
    all_of_them = shell.run("server", "run", *names, *way, *one_by_one, "--", FAILS).splitlines()
    assert (len(all_of_them), shell.code) == (3, 1)
    stopped = shell.run("server", "run", *names, *way, *one_by_one, "--stop-on-failure", "--", FAILS).splitlines()
    assert [json.loads(line)["name"] for line in stopped] == names[:1]
    assert f"not run on {', '.join(names[1:])}: one before them failed" in shell.err
    assert shell.code == 1
    shell.run("server", "run", *names, *way, *one_by_one, "--stop-on-failure", "--", WORKS)
    assert shell.code == 0


def test_some_of_many_is_another_exit_code(shell: Shell, way: tuple[str, ...], names: list[str]) -> None:
    shell.run("server", "stop", names[1], "--wait")
    out = shell.run("server", "run", names[0], names[2], *way, "--", WORKS)
    assert shell.code == 0 and out.count("one") == 2
    printed = shell.run("server", "run", *names, *way, "-f", "ndjson", "--", WORKS)
    told = [json.loads(line) for line in printed.splitlines()]
    assert shell.code == 4
    assert [one["code"] for one in told] == [0, None, 0] and "Not while SHUTOFF" in told[1]["error"]
    shell.run("server", "run", *names, *way[:-1], "nobody-here", "--", WORKS)
    assert shell.code == 1 and "Nobody lets nobody-here in" in shell.err


def test_host_keys_for_a_known_hosts_file(shell: Shell, way: tuple[str, ...], names: list[str]) -> None:
    shell.ok("server", "check", names[0], *way)
    (line,) = shell.ok("server", "hostkeys", names[0]).splitlines()
    hosts, algorithm, blob, grade = line.split()
    assert names[0] in hosts.split(",") and algorithm == "ssh-ed25519" and grade == "novadeck:console"
    assert blob.startswith("AAAA")


def test_a_command_on_all_that_an_expression_means(shell: Shell, way: tuple[str, ...], names: list[str]) -> None:
    where = ("--where", f"name:^{names[0].rpartition('-')[0]}-")
    order = ("server", "run", *where, *way, "-f", "ndjson")
    assert shell.run(*order, "--", WORKS) == "" and shell.code == 2 and "say --expect 3" in shell.err
    printed = shell.ok(*order, "--expect", "3", "--", WORKS).splitlines()
    assert [json.loads(line)["code"] for line in printed] == [0, 0, 0]
    assert len(shell.ok("server", "hostkeys", *where).splitlines()) == 3
    assert shell.run("server", "run", "--where", "name:^nobody", "--expect", "0", "--", WORKS) == ""
    assert shell.code == 1 and "No server is meant by that" in shell.err


def test_only_the_columns_that_were_asked_for(shell: Shell, way: tuple[str, ...], names: list[str]) -> None:
    order = ("server", "run", names[0], *way)
    assert shell.ok(*order, "-c", "code", "-c", "name", "-f", "value", "--", WORKS) == f"0 {names[0]}\n"
    assert shell.run(*order, "-c", "nonsense", "--", WORKS) == "" and shell.code == 2
    rungs = json.loads(shell.ok("server", "check", names[0], *way, "-c", "rung,state", "-f", "json"))
    assert rungs[0] == {"rung": "address", "state": "ok"}
    told = shell.ok("server", "history", names[0], "-c", "what", "-f", "value").splitlines()
    assert "create" in told


def test_the_users_rules_are_asked_about_commands_too(shell: Shell, way: tuple[str, ...], names: list[str]) -> None:
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "novadeck" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[[rules]]\nactions = ['server.run']\nask_why = true\ntype_name = true\n")
    order = ("server", "run", *names, *way, "--at-once", "2", "--stop-on-failure")
    assert shell.run(*order, "--", WORKS) == "" and shell.code == 1 and "wants a reason" in shell.err
    assert shell.run(*order, "--why", "look", "--type-name", "2", "--", WORKS) == "" and "wants 3 typed" in shell.err
    assert shell.ok(*order, "--why", "look", "--type-name", "3", "--", WORKS).count("one") == 3
