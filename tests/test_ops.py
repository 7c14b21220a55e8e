"""Operations by command: a hung-up terminal leaves one keeper, a killed one is taken over, questions are answered."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from small_keeper import when

from console.cli.keep import KEEPER, hold, leave_behind, mortal
from console.core.settings import Paths
from console.runbooks.journal import Journal
from console.runbooks.lease import LEASE, alive, read_holder, this_process
from console.sim.estate import Estate

HOLD = ("--flavor", "m1.medium", "--guard", "--hold", "--wait", "--yes")


class Home(NamedTuple):
    """A user's folders, on an embedded cloud."""

    estate: Estate
    paths: Paths
    environment: dict[str, str]
    server: str

    @property
    def journal(self) -> Journal:
        return Journal(self.paths.journal_file)

    async def start(self, *words: str) -> Process:
        """A command that is not waited for."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console.cli.main", *words,
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=self.environment,
        )  # fmt: skip

    async def run(self, *words: str) -> tuple[int | None, str, str]:
        """A command to its end: exit code, stdout, stderr."""
        process = await self.start(*words)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    def holder(self, what: str) -> int:
        """The pid that holds a lease and lives; 0 where there is none."""
        lease = self.journal.lease(what)
        holder = read_holder(lease[0]) if lease is not None else None
        return holder.pid if holder is not None and alive(holder) else 0

    def keepers(self) -> list[int]:
        """The keepers of this home that live."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                mine = str(self.paths.state) in (folder / "environ").read_text(errors="replace")
                words = (folder / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if "keep" in words and mine:
                found.append(int(folder.name))
        return found


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with Estate(servers=12, clouds=1, regions=1, guests=24, speed=10) as estate:
        clouds_yaml = estate.write_clouds_yaml(tmp_path)
        name = next(iter(estate.clouds))
        paths = Paths(tmp_path / "config" / "novadeck", tmp_path / "state" / "novadeck", tmp_path / "run")
        paths.config.mkdir(parents=True)
        paths.config_file.write_text(f'[clouds.{name}.ssh]\nkey = "{tmp_path / "id_demo"}"\n')
        clean = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        own = {
            "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state"),
            "OS_CLIENT_CONFIG_FILE": str(clouds_yaml), "OS_CLOUD": name, "NOVADECK_OF_TEST": str(paths.state),
        }  # fmt: skip
        fit = [
            server
            for _, place in estate.places
            for server in place.nova.alive()
            if server.id in estate.guests.guests and server.vm_state == "active" and not server.task_state
        ]
        found = Home(estate, paths, clean | own, next(s.id for s in fit if s.flavor.disk <= 40 and not s.locked))
        try:
            yield found
        finally:
            for pid in found.keepers():
                os.kill(pid, signal.SIGKILL)


async def soon(there: Callable[[], Any], what: str) -> None:
    try:
        async with asyncio.timeout(40):
            await when(lambda: bool(there()))
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


async def asking(home: Home) -> str:
    """The id of the one operation, once it asks."""
    await soon(lambda: [run.state for run in home.journal.runs()] == ["asking"], "it asks")
    return home.journal.runs()[0].id


async def test_a_closed_window_leaves_exactly_one_keeper_and_that_one_ends(home: Home) -> None:
    first = await home.start("server", "resize", home.server, *HOLD)
    id = await asking(home)
    first.send_signal(signal.SIGHUP)
    _, told = await first.communicate()
    assert "go on without this terminal" in told.decode()
    await soon(lambda: home.holder(id) and home.holder(id) == home.holder(KEEPER), "the headless keeper has it")
    code, _, said = await home.run("keep")
    assert (code, said) == (0, f"process {home.holder(KEEPER)} on {os.uname().nodename} keeps already.\n")
    assert home.keepers() == [home.holder(KEEPER)]
    await soon(lambda: home.journal.run(id).state == "asking", "it asks again")
    assert (await home.run("ops", "answer", id, "perhaps"))[
        2
    ].strip() == "novadeck: 'perhaps' is none of confirm, revert."
    assert (await home.run("ops", "answer", id, "confirm"))[0] == 0
    await soon(lambda: not home.journal.runs(), "it ends")
    await soon(lambda: not home.keepers(), "the keeper goes when nothing is open")
    code, out, _ = await home.run("ops", "show", id, "-f", "json")
    shown = json.loads(out)
    assert (shown["state"], shown["facts"]["end"]) == ("done", "confirmed: it has m1.medium")
    assert [step["name"] for step in shown["steps"]][-3:] == ["confirm", "kept", "unmark"]


async def test_a_killed_console_is_taken_over_by_the_second_within_the_lease(home: Home) -> None:
    first = await home.start("server", "resize", home.server, *HOLD)
    id = await asking(home)
    second = await home.start("ops", "resume", id)
    _, out, _ = await home.run("ops", "list", "-f", "json")
    (seen,) = json.loads(out)
    assert seen["keeper"].startswith(f"process {first.pid} on") and "Keep it so? (confirm, revert)" in seen["told"]
    assert home.holder(id) == first.pid  # the second one watches
    loop = asyncio.get_running_loop()
    first.kill()
    await first.wait()
    killed = loop.time()
    await soon(lambda: home.holder(id) == second.pid, "the second one has it")
    assert loop.time() - killed < LEASE
    assert (await home.run("ops", "answer", id, "revert"))[0] == 0
    out, err = await second.communicate()
    assert second.returncode == 1 and "It is taken back as asked.; reverted:" in out.decode(), err
    assert not home.keepers()


async def test_an_abort_puts_the_world_in_order_also_where_nobody_kept_it(home: Home) -> None:
    first = await home.start("server", "resize", home.server, *HOLD)
    id = await asking(home)
    first.kill()
    await first.wait()
    _, _, said = await home.run("server", "reboot", home.server)  # as another operator would
    assert f"is under operation {id} (guarded resize by" in said
    code, _, said = await home.run("ops", "abort", id)
    assert code == 0 and f"Nobody carries {id} out now: novadeck ops resume {id}" in said
    code, _, said = await home.run("ops", "resume", "--read-only")
    assert code == 1 and f"{id} cannot be carried on from here: This run is read-only." in said
    code, out, _ = await home.run("ops", "resume")
    assert code == 1 and "aborted" in out and "reverted: it has" in out
    assert (await home.run("ops", "resume"))[2].strip() == "No operation is open."
    assert (await home.run("ops", "abort", "nothing"))[0] == 1


async def test_a_keeper_elsewhere_that_beats_no_more_is_replaced(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("console.runbooks.lease.LEASE", 0.3)
    monkeypatch.setattr("console.cli.keep.TURN", 0.1)
    journal, me = Journal(tmp_path / "journal.sqlite"), this_process()
    elsewhere = replace(me, host="far-away")
    assert journal.hold(KEEPER, elsewhere)
    asyncio.get_running_loop().call_later(0.05, journal.beat, elsewhere)
    assert not await hold(journal, me)  # it beats: it lives
    assert await hold(journal, me)
    assert not await hold(journal, elsewhere)  # now it is we who live


def test_without_an_operation_nothing_is_left_behind(tmp_path: Path) -> None:
    leave_behind(Paths(tmp_path, tmp_path, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_where_the_system_ends_processes_it_says_how_to_keep_them(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("USER", "ann")
    etc, linger = tmp_path / "etc", tmp_path / "linger"
    (etc / "logind.conf.d").mkdir(parents=True)
    linger.mkdir()
    assert mortal(etc, linger) == ""
    (etc / "logind.conf").write_text("[Login]\n#KillUserProcesses=yes\nKillUserProcesses=no\n")
    assert mortal(etc, linger) == ""
    (etc / "logind.conf.d" / "own.conf").write_text("[Login]\nKillUserProcesses=yes\n")
    assert "loginctl enable-linger" in mortal(etc, linger)
    (linger / "ann").touch()
    assert mortal(etc, linger) == ""


async def test_a_guarded_build_waits_until_its_files_are_found(home: Home, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("4711")
    order = ("--image", "debian-12", "--flavor", "m1.tiny", "--network", "private", "--key-name", "demo", "--guard")
    order = (*order, "--wait", "--file", f"/etc/app/token={tmp_path / 'token'}")
    code, _, said = await home.run("server", "create", "box", *order)
    assert code == 0 and "box: unmark: ready in " in said, said
    code, _, said = await home.run("server", "create", "bare", *order, "--metadata", "lab_files=no")
    assert code == 1 and "bare is not ready: file: /etc/app/token is not there." in said, said


# A password that the cloud tells once


BUILD = ("server", "create", "box", "--image", "debian-12", "--flavor", "m1.tiny", "--network", "private")
GUARDED = (*BUILD, "--key-name", "demo", "--guard", "--yes")


def files(home: Home) -> bytes:
    """All that was written into the state folder."""
    return b"".join(file.read_bytes() for file in home.paths.state.rglob("*") if file.is_file())


async def test_the_password_of_a_guarded_creation_is_told_once_and_kept_nowhere(home: Home) -> None:
    code, out, err = await home.run(*GUARDED, "--wait")
    (run,) = home.journal.runs(ended=True)
    assert (code, run.state) == (0, "done"), err
    (word,) = re.findall(r"box: the cloud tells its password once: (\S+)\n", err)
    assert (out + err).count(word) == 1 and word.encode() not in files(home)
    assert "is lost" not in out


async def test_where_objects_are_printed_the_password_is_in_its_own(home: Home) -> None:
    code, out, err = await home.run(*GUARDED, "--wait", "-f", "json")
    told = json.loads(out)
    word = told.pop("admin_pass")
    assert code == 0 and word and word not in json.dumps(told) + err
    assert word.encode() not in files(home)


async def test_whoever_does_not_wait_is_told_that_the_password_is_lost_and_how_to_set_another(home: Home) -> None:
    code, out, err = await home.run(*GUARDED)
    assert code == 0 and "is told with --wait alone; novadeck server set password sets another" in err
    await soon(lambda: not home.journal.runs(), "the keeper that was left behind ends it")
    (run,) = home.journal.runs(ended=True)
    if "its password once" not in err:  # the order was taken after the command had ended
        _, out, _ = await home.run("ops", "show", run.id)
        assert f"a password that the cloud told is lost: novadeck server set password {run.facts['made']}" in out
