"""The ladder against real servers: Debian's OpenSSH on addresses of its own, and ports that misbehave.

Every rung ends with the true answer in words, and nothing is left behind: pytest turns a socket or task that is left
open into a failure.
"""

import asyncio
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from console.guests import hostkeys
from console.guests.hostkeys import Evidence, KnownHosts
from console.guests.own import Demands, InGuest
from console.guests.probe import Report, Rung, probe
from console.guests.reach import Silent, first_socket
from console.guests.route import Hop, Route, find_route, load_identity

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
needs_sshd = pytest.mark.skipif(SSHD is None, reason="there is no sshd")
ADDRESS = "127.0.0.1"


class Sshd:
    """OpenSSH's own server on a free port, with its host keys and one user key that may log in."""

    listen = ADDRESS

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.process: subprocess.Popen[bytes] | None = None
        for name in ("host", "user", "other"):
            write_key(folder / name)
        (folder / "authorized").write_text((folder / "user.pub").read_text())

    @property
    def binary(self) -> str:
        """What is run as sshd."""
        return str(SSHD)

    @property
    def host_key(self) -> str:
        """The host key's public line."""
        return (self.folder / "host.pub").read_text().strip()

    def start(self, *options: str) -> None:
        """Run it until `stop`."""
        config = self.folder / "sshd_config"
        lines = [
            *options,  # of what is said twice, the first counts
            f"ListenAddress {self.listen}:{self.port}",
            f"HostKey {self.folder / 'host'}",
            f"AuthorizedKeysFile {self.folder / 'authorized'}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "SetEnv SHLVL=2",  # bash takes itself for a shell in a shell, and reads nothing of whoever runs the tests
        ]
        config.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [self.binary, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as sock:
                if sock.connect_ex((ADDRESS, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """End it and whatever it forked for us."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)

    def route(self, key: str = "user", **more: object) -> Route:
        """The way to it with that key."""
        path = self.folder / key
        identity = load_identity(path, path.stat().st_mtime_ns, path.stat().st_size)
        assert not isinstance(identity, str)
        fields: dict[str, object] = {"users": (self.user,), "identities": (identity,), **more}
        return Route((ADDRESS,), self.port, **fields)  # type: ignore[arg-type]


def write_key(path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment=f"root@{path.name}")
    key.write_private_key(path)
    path.chmod(0o600)
    key.write_public_key(path.with_name(path.name + ".pub"))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((ADDRESS, 0))
        return int(sock.getsockname()[1])


def console_with(*keys: str) -> str:
    return "\n".join(["boot", "-----BEGIN SSH HOST KEY KEYS-----", *keys, "-----END SSH HOST KEY KEYS-----", "login: "])


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    yield server
    server.stop()


def states(report: Report) -> dict[str, str]:
    return {rung.name: rung.state for rung in report.rungs}


def failure(report: Report) -> Rung:
    assert report.failed is not None
    return report.failed


@needs_sshd
async def test_every_rung_holds_and_the_console_vouches(sshd: Sshd) -> None:
    sshd.start()
    told: list[Rung] = []
    report = await probe(sshd.route(), Evidence("id", console_with(sshd.host_key)), told=told.append)
    assert report.ready, report
    assert [rung.name for rung in told] == ["address", "port", "banner", "host key", "login", "cloud-init"]
    assert report.user == sshd.user
    assert report.banner.startswith("SSH-2.0-OpenSSH")
    assert report.host_key is not None and report.host_key.grade == "console"
    assert report.plain()["host_key"]["grade"] == "console"


@needs_sshd
async def test_a_key_that_the_console_contradicts_stops_the_check(sshd: Sshd) -> None:
    sshd.start()
    other = (sshd.folder / "other.pub").read_text().strip()
    report = await probe(sshd.route(), Evidence("id", console_with(other)))
    assert states(report)["host key"] == "failed"
    assert states(report)["login"] == "skipped"
    assert report.host_key is not None and report.host_key.grade == "changed"
    assert report.host_key.fingerprint in failure(report).text
    assert report.host_key.expected[0] in failure(report).text


@needs_sshd
async def test_a_first_use_is_said_and_a_change_after_it_is_caught(sshd: Sshd, tmp_path: Path) -> None:
    sshd.start()
    own = KnownHosts(tmp_path / "state" / "known_hosts")
    first = await probe(sshd.route(), Evidence("id", "", own))
    again = await probe(sshd.route(), Evidence("id", "", own))
    assert first.ready and first.host_key is not None and first.host_key.grade == "first-use"
    assert "nobody vouches" in first.host_key.text
    assert again.ready and again.host_key is not None and again.host_key.grade == "first-use"
    assert (tmp_path / "state" / "known_hosts").stat().st_mode & 0o777 == 0o600
    sshd.stop()
    write_key(sshd.folder / "host")
    sshd.start()
    changed = await probe(sshd.route(), Evidence("id", "", own))
    assert changed.host_key is not None and changed.host_key.grade == "changed"
    rebuilt = await probe(sshd.route(), Evidence("id", console_with(sshd.host_key), own))
    assert rebuilt.ready and rebuilt.host_key is not None and rebuilt.host_key.grade == "console"


@needs_sshd
async def test_nobody_waits_while_another_writes_the_keys_that_were_met(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostkeys, "HOLD_SECONDS", 60.0)
    sshd.start()
    own = KnownHosts(tmp_path / "state" / "known_hosts")
    own.note("another", "ssh-ed25519", "AAAA", "console")
    hop = Hop("near", ADDRESS, sshd.port, sshd.user, sshd.route().identities)
    for name, route in (("direct", sshd.route()), ("behind", replace(sshd.route(), jumps=(hop,)))):
        folder = os.open(own.path.parent, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)

        def told(rung: Rung, folder: int = folder) -> None:
            if rung.name == "login":  # in a loop that stood still, it would never come to this
                os.close(folder)

        report = await probe(route, Evidence(name, "", own), last="login", deadline=20, told=told)
        assert report.ready, report
        assert [kept.grade for kept in own.find(name)] == ["first-use"]
    assert own.find(f"[{ADDRESS}]:{sshd.port}") and own.find("another")


@needs_sshd
async def test_keys_that_cannot_be_kept_or_read_are_said(sshd: Sshd, tmp_path: Path) -> None:
    sshd.start()
    hop = Hop("near", ADDRESS, sshd.port, sshd.user, sshd.route().identities)
    behind = replace(sshd.route(), jumps=(hop,))
    report = await probe(behind, Evidence("id", "", KnownHosts(Path("/proc/nobody-writes/here"))), last="login")
    assert report.ready and report.host_key is not None, report
    assert "could not be kept: No such file" in report.host_key.text
    assert "the key of a jump host could not be kept: No such file" in report.notes[-1]
    (tmp_path / "file").write_text("")
    unread = Evidence("id", "", KnownHosts(tmp_path / "file" / "known"))
    for route, name in ((sshd.route(), "host key"), (behind, "jump")):
        report = await probe(route, unread, last="login")
        told = f"The host keys that we have met cannot be read: {tmp_path}/file/known: Not a directory."
        assert (failure(report).name, failure(report).text) == (name, told)


@needs_sshd
async def test_the_users_known_hosts_is_honoured_and_never_written(sshd: Sshd, tmp_path: Path) -> None:
    sshd.start()
    file = tmp_path / "theirs"
    file.write_text(f"[{ADDRESS}]:{sshd.port} {sshd.host_key}\n")
    known = await probe(sshd.route(known_hosts=(file,)), Evidence("id"))
    assert known.ready and known.host_key is not None and known.host_key.grade == "known"
    revoked = f"@revoked * {sshd.host_key}\n"
    file.write_text(revoked)
    report = await probe(sshd.route(known_hosts=(file,)), Evidence("id", console_with(sshd.host_key)))
    assert states(report)["host key"] == "failed"
    assert "revoked" in failure(report).text
    assert file.read_text() == revoked
    other = (sshd.folder / "other.pub").read_text().strip()
    file.write_text(f"[{ADDRESS}]:{sshd.port} {other}\n")
    report = await probe(sshd.route(known_hosts=(file,)), Evidence("id"))
    assert report.host_key is not None and report.host_key.grade == "changed"


@needs_sshd
async def test_of_several_host_keys_the_one_that_is_known_is_asked_for(sshd: Sshd, tmp_path: Path) -> None:
    older = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    older.write_private_key(sshd.folder / "older")
    (sshd.folder / "older").chmod(0o600)
    line = older.export_public_key().decode().strip()
    sshd.start(f"HostKey {sshd.folder / 'older'}")
    file = tmp_path / "theirs"
    file.write_text(f"[{ADDRESS}]:{sshd.port} {line}\n")
    known = await probe(sshd.route(known_hosts=(file,)), Evidence("id"))
    assert known.ready and known.host_key is not None and known.host_key.grade == "known", known
    own = KnownHosts(tmp_path / "state" / "known_hosts")
    own.note("id", *line.split()[:2], "console")
    met = await probe(sshd.route(), Evidence("id", "", own))
    assert met.ready and met.host_key is not None and met.host_key.grade == "console", met


@needs_sshd
async def test_a_host_certificate_may_name_the_alias(sshd: Sshd, tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    public = asyncssh.read_public_key(sshd.folder / "host.pub")
    certificate = authority.generate_host_certificate(public, "host", principals=["web-1"])
    certificate.write_certificate(sshd.folder / "host-cert.pub")
    sshd.start(f"HostCertificate {sshd.folder / 'host-cert.pub'}")
    file = tmp_path / "theirs"
    file.write_text(f"@cert-authority web-* {authority.export_public_key().decode()}")
    report = await probe(sshd.route(known_hosts=(file,), alias="web-1"), Evidence("id"))
    assert report.host_key is not None and report.host_key.grade == "known", report
    other = await probe(sshd.route(known_hosts=(file,), alias="web-2"), Evidence("id"))
    assert failure(other).name == "host key"


@needs_sshd
async def test_a_host_certificate_of_the_users_authority_is_trusted(sshd: Sshd, tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    public = asyncssh.read_public_key(sshd.folder / "host.pub")
    certificate = authority.generate_host_certificate(public, "host", principals=[ADDRESS])
    certificate.write_certificate(sshd.folder / "host-cert.pub")
    sshd.start(f"HostCertificate {sshd.folder / 'host-cert.pub'}")
    file = tmp_path / "theirs"
    file.write_text(f"@cert-authority * {authority.export_public_key().decode()}")
    report = await probe(sshd.route(known_hosts=(file,)), Evidence("id"))
    assert report.ready, report
    assert report.host_key is not None and report.host_key.grade == "known"


@needs_sshd
async def test_a_key_that_nobody_lets_in(sshd: Sshd) -> None:
    sshd.start()
    report = await probe(sshd.route("other", users=(sshd.user, "nobody-there")), Evidence("id"))
    assert states(report)["host key"] == "ok"
    assert failure(report).name == "login"
    assert sshd.user in failure(report).text and "nobody-there" in failure(report).text


@needs_sshd
async def test_the_right_user_is_found_after_a_wrong_one(sshd: Sshd) -> None:
    sshd.start()
    report = await probe(sshd.route(users=("nobody-there", sshd.user)), Evidence("id"))
    assert report.ready, report
    assert report.user == sshd.user
    assert [rung.name for rung in report.rungs] == ["address", "port", "banner", "host key", "login", "cloud-init"]


@needs_sshd
async def test_without_any_key_the_login_says_so(sshd: Sshd) -> None:
    sshd.start()
    report = await probe(sshd.route(identities=()), Evidence("id"))
    assert failure(report).name == "login"
    assert "no key of yours" in failure(report).text


@pytest.fixture
def agent(sshd: Sshd, tmp_path: Path) -> Iterator[str]:
    """The socket of an agent that holds the user's key."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
    subprocess.run(["ssh-add", "-q", sshd.folder / "user"], env=environment, check=True)
    yield str(path)
    process.terminate()
    process.wait(10)


@needs_sshd
async def test_an_agent_lets_in(sshd: Sshd, agent: str) -> None:
    sshd.start()
    report = await probe(sshd.route(identities=(), agent=agent), Evidence("id"))
    assert report.ready, report


@needs_sshd
async def test_a_stale_agent_is_as_good_as_none(sshd: Sshd, tmp_path: Path) -> None:
    sshd.start()
    report = await probe(sshd.route(agent=str(tmp_path / "nowhere")), Evidence("id"))
    assert report.ready, report


@needs_sshd
async def test_an_agent_that_says_nothing_holds_nobody_up(sshd: Sshd, tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    sshd.start()
    path = str(tmp_path / "agent")
    async with await asyncio.start_unix_server(silent, path), asyncio.timeout(10):
        report = await probe(sshd.route(identities=(), agent=path), Evidence("id"), deadline=1.0)
    assert failure(report).name == "login"


@needs_sshd
async def test_own_checks(sshd: Sshd) -> None:
    sshd.start()
    commands = ["echo one; printf 'two\\033[2J\\n'", "sh -c 'echo broken; exit 3'", "true"]
    report = await probe(sshd.route(), Evidence("id"), checks=commands)
    first, second, third = report.rungs[6:]
    assert first.state == "ok" and "two" in first.text and "\x1b" not in first.text
    assert second.state == "failed" and second.text.endswith("ends with 3: broken.")
    assert third.state == "skipped"
    assert not report.ready


@needs_sshd
async def test_a_check_that_does_not_end(sshd: Sshd) -> None:
    sshd.start()
    report = await probe(sshd.route(), Evidence("id"), checks=["exec sleep 600"], deadline=3)
    assert failure(report).name == "check" and "did not end within" in failure(report).text


@needs_sshd
@pytest.mark.parametrize(
    ("said", "code", "words", "holds"),
    [
        ('{"status": "done", "errors": []}', 0, "cloud-init is done", True),
        ('{"status": "done", "errors": ["x"]}', 2, "some errors it got over", True),
        ("status: done", 0, "cloud-init is done", True),
        ('{"status": "running"}', 0, "in status running", False),
        ('{"status": "error", "errors": ["no network\\u001b[2J"]}', 1, "in status error: no network", False),
        ("nonsense", 0, "tells nothing", True),
        ("", 127, "no cloud-init here", True),
        ("[]", 0, "tells nothing", True),
        (
            '{"boot_status_code": "x", "errors": ["%s"], "status": "running"}' % ("long" * 3000),
            0,
            "in status run",
            False,
        ),
        ('{"boot_status_code": "x", "errors": ["cut off', 1, "nobody can read it", False),
        ("Welcome\nstatus: not run", 0, "in status not run", False),
    ],
)
async def test_what_cloud_init_says(sshd: Sshd, said: str, code: int, words: str, holds: bool) -> None:
    script = sshd.folder / "shell"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {code}\n")
    script.chmod(0o755)
    sshd.start(f"ForceCommand {script}")
    report = await probe(sshd.route(), Evidence("id"))
    rung = report.rungs[5]
    assert rung.name == "cloud-init" and words in rung.text and "\x1b" not in rung.text
    assert report.ready == holds


@needs_sshd
@pytest.mark.parametrize(("status", "holds"), [("running", False), ("done", True)])
async def test_a_cloud_init_that_knows_no_json(sshd: Sshd, status: str, holds: bool) -> None:
    script = sshd.folder / "shell"
    script.write_text(
        '#!/bin/sh\ncase "$SSH_ORIGINAL_COMMAND" in *--format*)\n'
        "echo usage: cloud-init status [-h] [-l] [-w] >&2\n"
        "echo /usr/bin/cloud-init: error: unrecognized arguments: --format json >&2; exit 2;; esac\n"
        f"echo 'status: {status}'\n"
    )
    script.chmod(0o755)
    sshd.start(f"ForceCommand {script}")
    report = await probe(sshd.route(), Evidence("id"))
    assert report.ready == holds and status in report.rungs[5].text, report


@needs_sshd
async def test_sshd_that_dies_in_the_middle(sshd: Sshd) -> None:
    sshd.start()
    kill = "kill -9 $PPID"
    report = await probe(sshd.route(), Evidence("id"), checks=[kill, "true"], deadline=10)
    assert failure(report).name == "check"
    assert states(report)["login"] == "ok"


@needs_sshd
async def test_sshd_that_dies_while_cloud_init_is_asked(sshd: Sshd) -> None:
    sshd.start("ForceCommand kill -9 $PPID")
    rung = failure(await probe(sshd.route(), Evidence("id"), deadline=10))
    assert rung.name == "cloud-init"
    assert rung.text == "The connection broke while 'cloud-init status --format json' ran: sshd went away."


@needs_sshd
async def test_a_command_that_is_killed_has_not_held(sshd: Sshd) -> None:
    sshd.start()
    rung = failure(await probe(sshd.route(), Evidence("id"), checks=["kill -9 $$"], deadline=10))
    assert (rung.name, rung.text) == ("check", "'kill -9 $$' was killed.")
    sshd.stop()
    sshd.start("ForceCommand kill -9 $$")
    rung = failure(await probe(sshd.route(), Evidence("id"), deadline=10))
    assert rung.text == "cloud-init was killed when it was asked for its status."


@needs_sshd
async def test_a_command_may_take_as_long_as_the_whole_check(sshd: Sshd) -> None:
    sshd.start()
    report = await probe(sshd.route(), Evidence("id"), checks=["sleep 1.2"], deadline=30, entry=1.0)
    assert report.ready, report
    rung = failure(await probe(sshd.route(), Evidence("id"), checks=["sleep 30"], deadline=1.5))
    assert rung.text.startswith("'sleep 30' did not end within 1.")


@needs_sshd
async def test_a_user_certificate_lets_in(sshd: Sshd) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    (sshd.folder / "authority.pub").write_bytes(authority.export_public_key())
    key = asyncssh.read_private_key(sshd.folder / "other")
    certificate = authority.generate_user_certificate(key, "me", principals=[sshd.user])
    certificate.write_certificate(sshd.folder / "other-cert.pub")
    sshd.start(f"TrustedUserCAKeys {sshd.folder / 'authority.pub'}")
    report = await probe(sshd.route("other"), Evidence("id"))
    assert report.ready, report


@needs_sshd
async def test_a_certificate_of_an_rsa_key_lets_in_by_its_newer_name(sshd: Sshd) -> None:
    authority, key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-rsa")
    (sshd.folder / "authority.pub").write_bytes(authority.export_public_key())
    key.write_private_key(sshd.folder / "rsa")
    certificate = authority.generate_user_certificate(key, "me", principals=[sshd.user])
    certificate.write_certificate(sshd.folder / "rsa-cert.pub")
    sshd.start(f"TrustedUserCAKeys {sshd.folder / 'authority.pub'}")
    report = await probe(sshd.route("rsa"), Evidence("id"))
    assert report.ready and report.way == f"by {sshd.folder / 'rsa'}", report


@needs_sshd
async def test_what_a_guest_greets_with_is_not_shown_raw_and_hides_nothing(sshd: Sshd) -> None:
    """A banner before the login, a greeting of the shell, and what cloud-init says behind it."""
    escapes = r"\033]0;owned\007\033[2J\033[31mWelcome\033[0m\r\n"
    (sshd.folder / "banner").write_text("\033]0;owned\007\033[2J\033[31mWelcome\033[0m\r\n")
    script, status = sshd.folder / "shell", '{"status": "error", "errors": ["no \\u001b[2J network"]}'
    lines = ("#!/bin/sh", f"printf '{escapes}'", f"printf '{escapes}' >&2", f"cat <<'END'\n{status}\nEND", "exit 1")
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    sshd.start(f"Banner {sshd.folder / 'banner'}", f"ForceCommand {script}", "PrintMotd yes")
    report = await probe(sshd.route(), Evidence("id"))
    rung = failure(report)
    assert rung.name == "cloud-init" and rung.text.startswith("cloud-init is in status error: no ")
    script.write_text(f"#!/bin/sh\nprintf '{escapes}'\nexec sh -c \"$SSH_ORIGINAL_COMMAND\"\n")
    (sshd.folder / "file").write_bytes(b"hello\n")
    demands = Demands(commands=[f"printf '{escapes}'; exit 3"], files=[InGuest(str(sshd.folder / "file"), b"hello\n")])
    again = await probe(sshd.route(), Evidence("id"), demands=demands)
    assert failure(again).name == "check" and [rung.state for rung in again.rungs if rung.name == "file"] == ["ok"]
    for one in (report, again):
        told = json.dumps(one.plain(), ensure_ascii=False)
        assert told.isprintable() and "\\u001b" not in told
        assert all(rung.text.isprintable() for rung in one.rungs)


@needs_sshd
async def test_twenty_at_once(sshd: Sshd) -> None:
    sshd.start("MaxStartups 200")
    route, evidence = sshd.route(), Evidence("id", console_with(sshd.host_key))
    reports = await asyncio.gather(*(probe(route, evidence, deadline=60) for _ in range(20)))
    assert [report.failed for report in reports if not report.ready] == []


async def test_a_refused_port() -> None:
    report = await probe(Route((ADDRESS,), free_port(), ("root",), ()), Evidence("id"))
    assert failure(report).name == "port"
    assert "refuses: sshd is not up yet" in failure(report).text
    assert states(report) == {
        "address": "ok",
        "port": "failed",
        "banner": "skipped",
        "host key": "skipped",
        "login": "skipped",
        "cloud-init": "skipped",
    }


async def test_no_address() -> None:
    report = await probe(Route((), 22, ("root",), ()), Evidence("id"))
    assert failure(report).name == "address"
    assert report.plain()["ready"] is False


@asynccontextmanager
async def says(text: bytes, *, close: bool = False) -> AsyncIterator[int]:
    """A port that says this to everybody, and then nothing, or hangs up."""
    open_ends: list[asyncio.StreamWriter] = []

    async def meet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.append(writer)
        writer.write(text)
        if close:
            writer.close()

    server = await asyncio.start_server(meet, ADDRESS, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_ends:
            writer.close()
            try:
                await writer.wait_closed()
            except ConnectionError:
                continue


async def ask(port: int, deadline: float = 0.4) -> Rung:
    return failure(await probe(Route((ADDRESS,), port, ("root",), ()), Evidence("id"), deadline=deadline))


async def test_a_silent_port() -> None:
    async with says(b"") as port:
        rung = await ask(port)
    assert rung.name == "banner" and "never came" in rung.text


async def test_half_a_banner() -> None:
    async with says(b"SSH-2.0-Open") as port:
        rung = await ask(port)
    assert rung.name == "banner" and "never came" in rung.text


async def test_a_port_that_hangs_up() -> None:
    async with says(b"", close=True) as port:
        rung = await ask(port)
    assert rung.name == "banner" and "before the banner" in rung.text


async def test_a_port_that_is_no_ssh_shows_no_escape_codes() -> None:
    async with says(b"HTTP/1.1 400 \x1b[2JBad\r\n\r\n") as port:
        rung = await ask(port)
    assert rung.name == "banner" and "does not speak SSH" in rung.text
    assert "\x1b" not in rung.text


async def test_a_banner_with_escape_codes_is_cleaned() -> None:
    async with says(b"hello\r\nSSH-2.0-x\x1b]0;owned\x07\r\n") as port:
        report = await probe(Route((ADDRESS,), port, ("root",), ()), Evidence("id"), deadline=0.4)
    assert report.banner.startswith("SSH-2.0-x")
    assert report.banner.isprintable()
    assert all(rung.text.isprintable() for rung in report.rungs)


async def test_sshd_that_stops_answering_after_its_banner() -> None:
    async with says(b"SSH-2.0-Silent\r\n") as port:
        rung = await ask(port)
    assert rung.name == "host key" and "stopped answering" in rung.text


async def test_sshd_that_dies_after_its_banner() -> None:
    async with says(b"SSH-2.0-Dying\r\n", close=True) as port:
        rung = await ask(port, deadline=5)
    assert rung.name == "host key" and "went away" in rung.text


async def test_the_second_address_is_tried() -> None:
    async with says(b"SSH-2.0-Silent\r\n") as port:
        route = Route(("127.0.0.2", ADDRESS), port, ("root",), ())
        report = await probe(route, Evidence("id"), deadline=0.4)
    assert report.address == ADDRESS
    assert states(report)["banner"] == "ok"


async def test_many_silent_addresses_take_no_longer_than_there_is_time() -> None:
    tried: list[float] = []

    async def silent(address: str, port: int, seconds: float) -> socket.socket:
        tried.append(seconds)
        await asyncio.sleep(seconds)
        raise Silent(address, port, seconds)

    began = time.monotonic()
    with pytest.raises(Silent):
        await first_socket([f"10.0.0.{n}" for n in range(6)], 22, 5.0, 0.6, silent)
    assert len(tried) == 6 and sum(tried) <= 0.7 and time.monotonic() - began < 2.5


async def test_a_cloud_that_does_not_say_why_nothing_answers_holds_nobody_up() -> None:
    async def never(address: str, port: int) -> str:
        await asyncio.Event().wait()
        return ""

    with socket.socket() as full:
        full.bind((ADDRESS, 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # nobody takes them, and for more there is no room: the port is silent
            one.setblocking(False)
            one.connect_ex((ADDRESS, port))
        async with asyncio.timeout(10):
            report = await probe(Route((ADDRESS,), port, ("root",), ()), Evidence("id"), deadline=0.5, why_silent=never)
        for one in waiting:
            one.close()
    assert failure(report).name == "port" and "does not answer for" in failure(report).text


async def test_a_cancelled_check_leaves_nothing() -> None:
    async with says(b"") as port:
        before = len(asyncio.all_tasks())
        task = asyncio.create_task(probe(Route((ADDRESS,), port, ("root",), ()), Evidence("id")))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == before


@needs_sshd
async def test_the_route_of_ssh_config(sshd: Sshd, tmp_path: Path) -> None:
    sshd.start()
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True)
    (folder / "config").write_text(
        f"Host web-1\n  HostName {ADDRESS}\n  Port {sshd.port}\n  User {sshd.user}\n  IdentityFile {sshd.folder}/user\n"
    )
    route = await asyncio.to_thread(find_route, "web-1", ["192.0.2.1"], home=tmp_path / "home")
    assert (route.addresses[0], route.port, route.users) == (ADDRESS, sshd.port, (sshd.user,))
    report = await probe(route, Evidence("id"))
    assert report.ready, report
