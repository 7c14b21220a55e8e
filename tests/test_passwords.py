"""Logging in by a password: one that is given, and one that the cloud told once and that is held for this run.

The first half is against Debian's OpenSSH, which sees accounts of its own in a mount namespace and so needs root; the
second half on the embedded cloud, whose guests take the password that their server was made with.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from test_probe import SSHD, Sshd, console_with, failure, needs_sshd, states

import console
from console.core.settings import CloudSettings, Paths, Settings, SshSettings
from console.guests.hostkeys import Evidence
from console.guests.probe import probe
from console.runbooks.ready import Readiness
from console.sim.estate import Estate
from console.text import Secret

needs_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mount namespaces are root's")
RIGHT, WRONG = Secret("right-Horse7"), Secret("wrong-Horse7")


class WithPasswords(Sshd):
    """An sshd on a machine where the tester's account has a password; the machine itself does not learn of it."""

    def start(self, *options: str) -> None:
        hash = subprocess.run(
            ["openssl", "passwd", "-6", RIGHT.reveal()], capture_output=True, text=True, check=True
        ).stdout.strip()
        (self.folder / "shadow").write_text(f"{self.user}:{hash}:19000:0:99999:7:::\n")
        wrapper = self.folder / "sshd"
        bind = f"mount --bind {self.folder / 'shadow'} /etc/shadow"
        wrapper.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'{bind} && exec "$0" "$@"\' {SSHD} "$@"\n')
        wrapper.chmod(0o755)
        super().start("PasswordAuthentication yes", "PermitRootLogin yes", *options)

    @property
    def binary(self) -> str:
        return str(self.folder / "sshd")

    def said(self, words: str) -> int:
        """How often its log has these words."""
        return (self.folder / "log").read_text().count(words)


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[WithPasswords]:
    server = WithPasswords(tmp_path)
    yield server
    server.stop()


@needs_sshd
@needs_root
async def test_a_password_lets_in_and_a_wrong_one_does_not(guest: WithPasswords) -> None:
    guest.start()
    evidence = Evidence("id", console_with(guest.host_key))
    right = await probe(guest.route(identities=()), evidence, password=RIGHT)
    assert right.ready and right.user == guest.user, right
    wrong = await probe(guest.route(identities=()), evidence, password=WRONG)
    assert failure(wrong).name == "login"
    assert failure(wrong).text == f"Nobody lets {guest.user} in with the password."
    assert WRONG.reveal() not in repr(wrong)


@needs_sshd
@needs_root
async def test_a_key_goes_before_a_password(guest: WithPasswords) -> None:
    guest.start()
    evidence = Evidence("id", console_with(guest.host_key))
    report = await probe(guest.route(), evidence, password=WRONG)
    assert report.ready and guest.said("Accepted publickey") == 1 and guest.said("password") == 0


@needs_sshd
@needs_root
async def test_a_held_password_goes_only_to_a_host_that_somebody_vouches_for(guest: WithPasswords) -> None:
    guest.start()
    vouched = await probe(guest.route(identities=()), Evidence("id", console_with(guest.host_key)), held=RIGHT)
    assert vouched.ready and guest.said("Accepted password") == 1, vouched
    stranger = await probe(guest.route(identities=()), Evidence("id"), held=RIGHT)
    assert states(stranger)["host key"] == "ok" and failure(stranger).name == "login"
    assert "kept back, since nobody vouches for the host key" in failure(stranger).text
    assert guest.said("Accepted password") == 1 and guest.said("Failed password") == 0
    asked_for = await probe(guest.route(identities=()), Evidence("id"), password=RIGHT)
    assert asked_for.ready


# the embedded cloud ----------------------------------------------------------------------------------------------


@pytest.fixture
async def ops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[console.Console]:
    """A console that has no key for the guests of its cloud."""
    for name in (*os.environ,):
        if name.startswith(("OS_", "NOVADECK_", "SSH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with Estate(servers=0, clouds=1, regions=1, guests=4, speed=20, seed=1) as estate:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(estate.write_clouds_yaml(tmp_path)))
        (name,) = estate.clouds
        settings = Settings(clouds={name: CloudSettings(ssh=SshSettings(user="root"))})
        paths = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "runtime")
        async with console.open([name], settings=settings, paths=paths) as opened:
            await opened.fleet.ready(opened.places[0])
            yield opened


async def checked(ops: console.Console, row: console.Server) -> Readiness:
    await ops.perform("server.check", row, until_ready=True, deadline=20)
    return ops.readiness[row.key]


async def test_what_we_build_is_logged_into_by_the_password_that_its_cloud_told(
    ops: console.Console, tmp_path: Path
) -> None:
    made = await ops.perform(
        "server.create", ops.places[0], name="pw", image="debian-12", flavor="m1.tiny", network="private", wait=True
    )
    row = await ops.servers.get(made.id)
    first = await ops.readiness.of(row.key)
    assert first.state == "ready" and first.report.user == "root", first
    assert first.report.host_key.grade == "console"
    told = ops.passwords[made.id]
    assert told == made.admin_pass and str(told) == "••••"
    rebuilt = await ops.perform("server.rebuild", row, image="debian-12", wait=True)
    assert ops.passwords[made.id] == rebuilt.admin_pass
    assert (await checked(ops, row)).state == "ready"
    mine = Secret("mine-Alone-7")
    await ops.perform("server.password", row, password=mine, wait=True)
    assert ops.passwords[made.id] == mine
    assert (await checked(ops, row)).state == "ready"
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    assert not any(secret.reveal().encode() in text for secret in (told, mine) for text in written)
    await ops.perform("server.delete", row, wait=True)
    assert made.id not in ops.passwords
