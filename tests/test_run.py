"""A command in guests, and the words for the real ssh: against Debian's OpenSSH, through the one gate for acting."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from test_probe import ADDRESS, Sshd, console_with, failure, needs_sshd, sshd, states

from console.actions.check import wanted
from console.cli.parse import Given, parse
from console.errors import ActionRefused
from console.guests import inside
from console.guests.handover import ssh_words
from console.guests.hostkeys import Evidence, KnownHosts
from console.guests.own import Demands, InGuest
from console.guests.patience import WAY_IN, until_ready
from console.guests.probe import probe, probe_windows
from console.guests.report import Report, Rung, Told
from console.guests.route import Hop, Route

__all__ = ["sshd"]
pytestmark = needs_sshd


async def ran(server: Sshd, command: str, seconds: float = 20.0) -> tuple[Report, list[inside.Ran]]:
    done: list[inside.Ran] = []

    async def within(connection: asyncssh.SSHClientConnection) -> None:
        done.append(await inside.run(connection, command, seconds))

    evidence = Evidence("id", console_with(server.host_key))
    return await probe(server.route(), evidence, last="login", within=within), done


async def test_a_command_tells_its_output_and_code_and_no_escape_codes(sshd: Sshd) -> None:
    sshd.start()
    report, done = await ran(sshd, r"printf 'one\033[2J\033]0;owned\007two\n'; echo err >&2; exit 3")
    assert [rung.name for rung in report.rungs] == ["address", "port", "banner", "host key", "login"]
    assert (done[0].code, done[0].output) == (3, "onetwo\nerr\n")
    _, done = await ran(sshd, "kill -9 $$")
    assert done[0].code is None


async def test_a_command_that_says_too_much_or_never_ends(sshd: Sshd) -> None:
    sshd.start()
    _, done = await ran(sshd, "head -c 1500000 /dev/zero | tr '\\0' x")
    assert done[0].cut and len(done[0].output) == inside.OUTPUT_MOST
    report, done = await ran(sshd, "exec sleep 600", 0.5)
    assert not done
    assert "did not end within 0.5 s" in failure(report).text


async def test_the_words_lead_the_real_ssh_to_the_same_guest(sshd: Sshd, tmp_path: Path) -> None:
    sshd.start()
    own = KnownHosts(tmp_path / "our own" / "known_hosts")
    hop = Hop(ADDRESS, ADDRESS, sshd.port, sshd.user, sshd.route().identities, key=sshd.folder / "user")
    for route in (sshd.route(), replace(sshd.route(), jumps=(hop,))):
        report = await probe(route, Evidence("server-id", console_with(sshd.host_key), own), last="login")
        words = ssh_words(route, report, own, "server-id")
        quiet = ["-F", "none", "-o", "BatchMode=yes"]
        proxied = [
            word.replace("ProxyCommand=ssh ", "ProxyCommand=ssh -F none -oStrictHostKeyChecking=no ") for word in words
        ]
        process = await asyncio.create_subprocess_exec(
            *proxied[:1], *quiet, *proxied[1:], "echo inside", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
        assert (process.returncode, out) == (0, b"inside\n"), err
    assert "StrictHostKeyChecking=yes" in words
    sshd.stop()
    for name in ("host", "host.pub"):
        (sshd.folder / name).unlink()
    for name in ("", ".pub"):
        shutil.copy(sshd.folder / f"other{name}", sshd.folder / f"host{name}")
    sshd.start()
    direct = ssh_words(sshd.route(), report, own, "server-id")
    process = await asyncio.create_subprocess_exec(
        *direct[:1], "-F", "none", "-o", "BatchMode=yes", *direct[1:], "true", stderr=subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 255 and b"HOST IDENTIFICATION HAS CHANGED" in err


def test_what_we_keep_can_be_exported(tmp_path: Path) -> None:
    own = KnownHosts(tmp_path / "known")
    own.note("id", "ssh-ed25519", "AAAA", "console")
    assert own.export({"id": ["10.0.0.4", "web-1"], "other": ["x"]}) == [
        "10.0.0.4,web-1 ssh-ed25519 AAAA novadeck:console"
    ]


async def test_a_file_that_was_ordered_is_looked_for(sshd: Sshd) -> None:
    sshd.start()
    path = sshd.folder / "motd"
    path.write_bytes(b"hello\n")
    path.chmod(0o640)
    good = InGuest(str(path), b"hello\n", "640")
    for file, words in (
        (good, ""),
        (replace(good, content=b"other"), "other contents"),
        (replace(good, mode="600"), "mode 640, not 600"),
        (replace(good, owner="daemon:daemon"), "not daemon:daemon's"),
        (replace(good, backup=True), "no .bak"),
        (replace(good, path=str(path) + "x"), "is not there"),
    ):
        report = await probe(sshd.route(), Evidence("id"), demands=Demands(files=[file]), deadline=5 if words else 60)
        assert report.ready if not words else (failure(report).name, words in failure(report).text) == ("file", True)
    path.with_name("motd.bak").write_text("old")
    later = sshd.folder / "later"
    demands = Demands(files=[replace(good, backup=True), InGuest(str(later), b"late")])
    task = asyncio.create_task(probe(sshd.route(), Evidence("id"), demands=demands))
    await asyncio.sleep(0.5)
    later.write_bytes(b"late")  # injection may come after the guest's start
    report = await task
    assert report.ready, report


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that everybody reaches: a file for all, one for root, one where only root gets."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "closed").mkdir(mode=0o700)
    for name, mode in (("seen", 0o444), ("shut", 0o400), ("closed/hidden", 0o400)):
        (folder / name).write_bytes(b"hello\n")
        (folder / name).chmod(mode)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="to be somebody else is root's")
@pytest.mark.parametrize("sudo", ["absent", "asks"])
async def test_what_a_user_may_not_see_is_told_as_that(sshd: Sshd, shelf: Path, sudo: str) -> None:
    """By the real tools, as nobody, who may read little and become nobody else unless sudo lets him."""
    closed = shelf / "closed"
    if sudo == "asks":
        (shelf / "sudo").write_text("#!/bin/sh\necho sudo: a password is required >&2\nexit 1\n")
        (shelf / "sudo").chmod(0o755)
    drop = "exec setpriv --reuid 65534 --regid 65534 --clear-groups"
    script = shelf / "force"
    script.write_text(f'#!/bin/sh\nexport PATH={shelf}:/usr/bin:/bin\n{drop} sh -c "$SSH_ORIGINAL_COMMAND"\n')
    script.chmod(0o755)
    sshd.start(f"ForceCommand {script}")
    not_seen = "cannot be looked at by this user, nor by sudo"
    for asked, state, end in ((True, "failed", "."), (False, "ok", "")):
        found = []
        for path in (shelf / "seen", shelf / "shut", closed / "hidden", shelf / "absent"):
            demands = Demands(files=[InGuest(str(path), b"hello\n", asked=asked)])
            report = await probe(sshd.route(), Evidence("id"), demands=demands, deadline=3)
            found.append((report.rungs[-1].state, report.rungs[-1].text))
        assert found == [
            ("ok", f"{shelf}/seen: 6 bytes, mode 444, root:root"),
            (state, f"{shelf}/shut: 6 bytes, mode 400, root:root; its contents {not_seen}{end}"),
            (state, f"{closed}/hidden {not_seen}{end}"),
            ("failed", f"{shelf}/absent is not there."),
        ]
    wrong = Demands(files=[InGuest(str(shelf / "shut"), b"hello!\n", asked=False)])
    report = await probe(sshd.route(), Evidence("id"), demands=wrong, deadline=3)
    assert failure(report).text == f"{shelf}/shut is there with other contents."  # its size tells


def test_what_the_command_demands_of_files() -> None:
    given = {"file": {"/etc/motd": b"x", "/etc/issue": b"y"}, "mode": "440", "owner": "root:root", "backup": True}
    assert wanted(given).files == (
        InGuest("/etc/motd", b"x", "440", "root:root", True),
        InGuest("/etc/issue", b"y", "440", "root:root", True),
    )
    assert wanted({"file": {"/etc/motd": b"x"}}).files == (InGuest("/etc/motd", b"x"),)
    with pytest.raises(ActionRefused, match="those of files"):
        wanted({"mode": "440"})


async def test_so_many_of_so_many_and_steadily(sshd: Sshd) -> None:
    sshd.start()
    count = sshd.folder / "count"
    flaky = f"echo >> {count}; test $(wc -l < {count}) -ne 2"
    report = await probe(sshd.route(), Evidence("id"), demands=Demands([flaky], need=2, of=3))
    assert report.ready and report.rungs[-1].text.endswith("(2 of 3)"), report
    count.write_text("\n")
    report = await probe(sshd.route(), Evidence("id"), demands=Demands([flaky], need=3, of=3))
    assert "Only 0 of 1 tries held" in failure(report).text
    fades = f"echo >> {count}; test $(wc -l < {count}) -lt 9"
    count.write_text("")
    report = await probe(sshd.route(), Evidence("id"), demands=Demands([fades], stable=30.0), deadline=60)
    assert failure(report).name == "stable" and "did not hold for 30 s" in failure(report).text
    count.write_text("")
    report = await probe(sshd.route(), Evidence("id"), demands=Demands(["true"], stable=0.5))
    assert report.ready and report.rungs[-1].name == "stable"


async def test_an_http_answer(sshd: Sshd) -> None:
    sshd.start()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        said = {b"/good": b"200 OK", b"/bad": b"503 \x1b[2JBusy"}.get(line.split()[1], b"nonsense")
        writer.write(b"HTTP/1.1 " + said + b"\r\n\r\n" if said != b"nonsense" else b"\x1b[31mwhat\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(meet, ADDRESS, 0)
    port = server.sockets[0].getsockname()[1]
    hop = Hop("near", ADDRESS, sshd.port, sshd.user, sshd.route().identities)
    async with server:
        for route in (sshd.route(), replace(sshd.route(), jumps=(hop,))):
            for path, words in (("good", ""), ("bad", "answers HTTP/1.1 503"), ("odd", "does not speak HTTP")):
                demands = Demands(urls=[f"http://:{port}/{path}"])
                report = await probe(route, Evidence("id"), demands=demands)
                assert report.ready if not words else words in failure(report).text
                assert all(rung.text.isprintable() for rung in report.rungs)
    report = await probe(sshd.route(), Evidence("id"), demands=Demands(urls=[f"http://:{port}/good"]))
    assert failure(report).name == "http" and "refuses" in failure(report).text


async def test_looking_again_until_it_is_ready(sshd: Sshd) -> None:
    told: list[Rung] = []
    given: list[tuple[float, float]] = []

    async def climb(seconds: float, entry: float, tell: object) -> Report:
        given.append((seconds, entry))
        evidence = Evidence("id", console_with(sshd.host_key))
        return await probe(sshd.route(), evidence, deadline=seconds, entry=entry, told=tell)  # type: ignore[arg-type]

    task = asyncio.create_task(until_ready(climb, 60, told.append))
    while not any(rung.state == "failed" for rung in told):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    sshd.start()
    report = await task
    assert report.ready
    assert 50 < given[0][0] <= 60 and given[0][1] == WAY_IN
    assert [(rung.name, rung.state) for rung in told][:3] == [("address", "ok"), ("port", "failed"), ("port", "ok")]
    sshd.stop()
    late = await until_ready(climb, 1.0)
    assert failure(late).name == "port"


async def test_what_failed_above_a_rung_that_changed_is_told_again() -> None:
    """Whoever follows drops what stood above the rung that is told anew."""
    texts = iter(["first use", "as at the first use", "as at the first use"])
    told: list[tuple[str, str]] = []

    async def climb(seconds: float, entry: float, tell: Told) -> Report:
        rungs = (Rung("host key", "ok", 0.0, next(texts)), Rung("login", "failed", 0.0, "nobody is let in"))
        for rung in rungs:
            tell(rung)
        return Report(rungs)

    await until_ready(climb, 1.6, lambda rung: told.append((rung.name, rung.text)))
    failed = ("login", "nobody is let in")
    assert told == [("host key", "first use"), failed, ("host key", "as at the first use"), failed]


async def test_a_last_climb_that_is_cut_short_hides_no_answer(sshd: Sshd) -> None:
    slow = sshd.folder / "slow"
    script = sshd.folder / "force.sh"
    script.write_text(f'[ -e {slow} ] && sleep 20\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    sshd.start(f"ForceCommand sh {script}")

    async def climb(seconds: float, entry: float, tell: object) -> Report:
        evidence = Evidence("id", console_with(sshd.host_key))
        report = await probe(sshd.route(), evidence, deadline=seconds, checks=["exit 7"])
        slow.touch()
        return report

    report = await until_ready(climb, 3.0)
    assert failure(report).name == "check" and "exit 7" in failure(report).text


async def test_a_contradicted_key_ends_the_looking_unless_a_new_one_was_expected(sshd: Sshd) -> None:
    sshd.start()
    climbs = 0

    async def climb(seconds: float, entry: float, tell: object) -> Report:
        nonlocal climbs
        climbs += 1
        shown = sshd.host_key if climbs > 2 else (sshd.folder / "other.pub").read_text().strip()
        return await probe(sshd.route(), Evidence("id", console_with(shown)), deadline=seconds)

    report = await until_ready(climb, 60)
    assert climbs == 1 and states(report)["host key"] == "failed"
    assert (await until_ready(climb, 60, new_key=True)).ready


async def test_windows_is_looked_at_by_its_own_ports() -> None:
    report = await probe_windows(Route(("127.9.9.9",), 22, (), ()), deadline=5)
    assert failure(report).name == "port"
    assert "3389 (Remote Desktop)" in failure(report).text
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.9.9.9", 3389)
    async with server:
        report = await probe_windows(Route(("127.9.9.9",), 22, (), ()), deadline=5)
        assert report.ready and report.rungs[-1].text.endswith("port 3389 (Remote Desktop)")
        for asked, state in ((True, "failed"), (False, "ok")):  # nobody logs in who could look
            demands = Demands(files=[InGuest("C:/app.ini", b"x", asked=asked)])
            report = await probe_windows(Route(("127.9.9.9",), 22, (), ()), demands=demands, deadline=5)
            assert (report.rungs[-1].name, report.rungs[-1].state) == ("file", state)
            assert "C:/app.ini cannot be looked at: nobody logs in here" in report.rungs[-1].text


async def test_no_port_of_windows_is_seen_through_a_proxy_command() -> None:
    report = await probe_windows(Route(("127.9.9.9",), 22, (), (), proxy="sleep 60"), deadline=5)
    assert not report.ready
    assert failure(report).name == "port" and "leads to sshd alone" in failure(report).text


def test_what_stands_behind_the_dashes_is_one_command() -> None:
    given = parse(["server", "run", "web-1", "web-2", "--at-once", "3", "--", "uptime; date"])
    assert isinstance(given, Given)
    assert (given.names, given.options) == (("web-1", "web-2"), {"at_once": 3, "command": "uptime; date"})
    several = parse(["server", "run", "web-1", "--", "sh", "-c", "exit 3"])
    assert isinstance(several, Given) and several.options["command"] == "sh -c 'exit 3'"


async def test_a_lost_command_raises(sshd: Sshd) -> None:
    sshd.start()
    report, done = await ran(sshd, "kill -9 $PPID; sleep 5")
    assert not done and failure(report).text == "'kill -9 $PPID; sleep 5' could not be run: Connection lost."
