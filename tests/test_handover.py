"""The real ssh on a route that was checked: every word of ssh_config that the check went by must hold there, too."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_probe import ADDRESS, Sshd, console_with, failure, needs_sshd, write_key

from console.guests.handover import ssh_words
from console.guests.hostkeys import Evidence, KnownHosts
from console.guests.probe import probe
from console.guests.report import Report
from console.guests.route import Route, find_route

pytestmark = needs_sshd
RELAY = """
import os, select, socket, sys
open(sys.argv[3], "a").write(" ".join(sys.argv[4:]) + "\\n")
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
while True:
    for f in select.select([0, s], [], [])[0]:
        data = os.read(0, 65536) if f == 0 else s.recv(65536)
        if not data: sys.exit()
        s.sendall(data) if f == 0 else os.write(1, data)
"""


@dataclass
class Ground:
    """A bastion and a guest, and the home of somebody who knows the one by ssh_config alone."""

    home: Path
    edge: Sshd
    guest: Sshd

    @property
    def log(self) -> Path:
        """Where a proxy command notes what it was given."""
        return self.home / "relayed"

    def config(self, text: str) -> None:
        """What ssh_config says; {edge} is the bastion's folder, {relay} a command that carries to a host and port."""
        relay = f"{sys.executable} {self.home / 'relay'}"
        text = text.format(edge=self.edge.folder, port=self.edge.port, relay=relay, log=self.log)
        (self.home / ".ssh" / "config").write_text(text)

    def route(self, name: str = "web", **given: object) -> Route:
        """The way to the guest."""
        more = {"users": [self.guest.user], "port": self.guest.port, "jump": "edge", **given}
        return find_route(name, [ADDRESS], home=self.home, **more)  # type: ignore[arg-type]

    async def checked(self, route: Route) -> Report:
        """The check's own answer."""
        evidence = Evidence("id", console_with(self.guest.host_key), KnownHosts(self.home / "own"))
        return await probe(route, evidence, last="login")

    async def handed_over(self, route: Route, report: Report) -> tuple[int | None, bytes, bytes]:
        """What the real ssh does with the words for it."""
        words = ssh_words(route, report, KnownHosts(self.home / "own"), "id")
        process = await asyncio.create_subprocess_exec(
            *words, "echo inside", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
        return process.returncode, out, err

    async def both(self, **given: object) -> None:
        """The check and the real ssh go the same way."""
        route = self.route(**given)  # type: ignore[arg-type]
        report = await self.checked(route)
        assert report.ready, report
        code, out, err = await self.handed_over(route, report)
        assert (code, out) == (0, b"inside\n"), err


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    for name in ("edge", "guest", "bin", "home/.ssh"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("SHELL", "/bin/sh")
    home = tmp_path / "home"
    made = Ground(home, Sshd(tmp_path / "edge"), Sshd(tmp_path / "guest"))
    (home / "relay").write_text(RELAY)
    (home / "known").write_text(f"the-edge {made.edge.host_key}\n")
    shutil.copy(made.guest.folder / "user", home / ".ssh" / "id_ed25519")
    (home / ".ssh" / "id_ed25519").chmod(0o600)
    # ssh reads the real home's config, whatever HOME says.
    shim = tmp_path / "bin" / "ssh"
    shim.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {home}/.ssh/config -o BatchMode=yes "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:/usr/bin:/bin")
    made.guest.start()
    made.edge.start()
    yield made
    made.guest.stop()
    made.edge.stop()


EDGE = """
Host edge
  HostName 127.0.0.1
  Port {port}
  HostKeyAlias the-edge
  UserKnownHostsFile {edge}/../home/known
  StrictHostKeyChecking yes
"""
KEY = "  IdentityFile {edge}/user\n  IdentitiesOnly yes\n"


async def test_a_bastion_is_what_ssh_config_says_under_its_name(ground: Ground) -> None:
    ground.config(EDGE + KEY)
    await ground.both()
    await ground.both(jump=f"{ground.guest.user}@edge:{ground.edge.port}")


async def test_a_key_that_ssh_config_does_not_name_goes_to_the_bastion_too(ground: Ground) -> None:
    ground.config(EDGE + "Host second\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias the-edge\n"
                  "  UserKnownHostsFile {edge}/../home/known\n  StrictHostKeyChecking yes\n")  # fmt: skip
    (ground.guest.folder / "authorized").write_text((ground.edge.folder / "user.pub").read_text())
    key = ground.edge.folder / "user"
    await ground.both(key=key)
    await ground.both(key=key, jump="edge,second,edge")


async def test_a_proxy_command_speaks_for_a_bastion(ground: Ground) -> None:
    ground.config(EDGE + KEY + "  ProxyCommand {relay} 127.0.0.1 %p {log} %h-%r-100%%\n")
    await ground.both()
    assert ground.log.read_text() == f"127.0.0.1-{ground.guest.user}-100%\n" * 2
    await ground.both(jump="edge,edge")


async def test_a_proxy_command_speaks_for_the_guest_at_the_port_that_was_given(ground: Ground) -> None:
    ground.config("Host web\n  HostName 127.0.0.1\n  Port 1\n  ProxyCommand {relay} %h %p {log} 100%% %%h\n")
    await ground.both(jump=None)
    assert ground.log.read_text() == "100% %h\n" * 2


async def test_of_a_jump_host_and_a_proxy_command_the_first_counts(ground: Ground) -> None:
    ground.config(EDGE + KEY + "Host web\n  HostName 127.0.0.1\n  ProxyJump edge\n  ProxyCommand false\n")
    await ground.both(jump=None)
    ground.config(EDGE + KEY + "Host web\n  HostName 127.0.0.1\n  ProxyCommand false\n  ProxyJump edge\n")
    route = ground.route(jump=None)
    assert (route.jumps, route.proxy) == ((), "false")
    ground.config(EDGE + KEY + "Host web\n  HostName 127.0.0.1\n  ProxyCommand none\n  ProxyJump nowhere\n")
    await ground.both(jump=None)


async def test_the_guests_own_lines_hold_under_its_name(ground: Ground) -> None:
    ground.config(EDGE + KEY + "Host web\n  HostName 127.0.0.1\n  SendEnv LC_SAID\n  SetEnv LC_SAID=more\n")
    route = ground.route()
    words = ssh_words(route, await ground.checked(route), KnownHosts(ground.home / "own"), "id")
    assert words[-4:] == ["-J", f"{ground.guest.user}@edge:{ground.edge.port}", "--", "web"]
    assert "HostName=127.0.0.1" in words
    assert ground.route(name="db").host == ADDRESS
    await ground.both()


async def test_a_bastion_with_another_key_under_its_alias_lets_neither_through(ground: Ground) -> None:
    ground.config(EDGE + KEY)
    route = ground.route()
    good = await ground.checked(route)
    other = (ground.edge.folder / "other.pub").read_text()
    (ground.home / "known").write_text(f"the-edge {other}")
    report = await ground.checked(route)
    assert "The host key of the jump host edge is changed" in failure(report).text
    code, _, err = await ground.handed_over(route, good)
    assert code == 255 and b"HOST IDENTIFICATION HAS CHANGED" in err


@pytest.fixture
def agent(ground: Ground) -> Iterator[str]:
    """The socket of an agent that holds the bastion's key, after six that nobody wants."""
    path = str(ground.home / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    environment = {**os.environ, "SSH_AUTH_SOCK": path}
    until = time.monotonic() + 10
    while not Path(path).exists() and time.monotonic() < until:
        time.sleep(0.02)
    for number in range(6):
        write_key(ground.home / f"more-{number}")
        subprocess.run(["ssh-add", "-q", ground.home / f"more-{number}"], env=environment, check=True)
    subprocess.run(["ssh-add", "-q", ground.edge.folder / "user"], env=environment, check=True)
    yield path
    process.terminate()
    process.wait(10)


async def test_an_agent_signs_for_the_keys_that_are_named_and_no_others(ground: Ground, agent: str) -> None:
    """As where the files hold the public halves alone, and ssh_config names the agent, too."""
    (ground.guest.folder / "authorized").write_text((ground.edge.folder / "user.pub").read_text())
    (ground.home / ".ssh" / "id_ed25519").unlink()
    (ground.edge.folder / "user").unlink()
    shutil.copy(ground.edge.folder / "user.pub", ground.home / "only.pub")
    terms = "  IdentitiesOnly yes\n  IdentityAgent " + agent + "\n"
    for file in ("{edge}/user", "{edge}/../home/only.pub"):
        key = f"  IdentityFile {file}\n" + terms
        ground.config(EDGE + key + "Host web\n  HostName 127.0.0.1\n" + key)
        await ground.both()
        assert ground.route().notes == ()
    ground.config(EDGE + key + "Host web\n  HostName 127.0.0.1\n" + key.replace("only.pub", "more-0"))
    report = await ground.checked(ground.route())
    assert failure(report).name == "login" and "with 1 key." in failure(report).text, report
    ground.config(EDGE + key.replace(agent, "none"))
    report = await ground.checked(ground.route())
    assert "does not let" in failure(report).text
