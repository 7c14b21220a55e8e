"""Files and key pairs that a server was ordered with: the check that begins by itself looks whether it has them.

On the embedded cloud, in the three ways in which clouds put files into new servers, and by logins that may see more or
less of them. That real tools answer the same is proven in test_run.py.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

import console
from console.actions.held import Promise
from console.core.settings import CloudSettings, Paths, Settings, SshSettings
from console.errors import ActionRefused
from console.model.place import own_name
from console.runbooks.ready import Readiness
from console.sim.estate import Estate

SECRET = "token-4711-of-the-test\n"
FILES = {"/etc/motd": SECRET, "/etc/app/config": "a = 1\n"}
Open = Callable[..., AbstractAsyncContextManager[tuple[console.Console, Estate]]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*os.environ,):
        if name.startswith(("OS_", "NOVADECK_", "SSH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@asynccontextmanager
async def opened(
    folder: Path, *, user: str = "root", newest: str = "", cloud: str = "", **knobs: Any
) -> AsyncIterator[tuple[console.Console, Estate]]:
    """A console whose ~/.ssh has the private half of the key pair "demo"."""
    async with Estate(
        **{"servers": 0, "clouds": 1, "regions": 1, "guests": 4, "speed": 20, "seed": 1} | knobs
    ) as estate:
        if newest:
            estate.control.newest_microversion(next(iter(next(iter(estate.clouds.values())).regions)), newest)
        (folder / ".ssh").mkdir()
        (folder / ".ssh" / "demo").write_text(estate.private_key())
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(estate.write_clouds_yaml(folder))
        name = cloud or next(iter(estate.clouds))
        settings = Settings(clouds={name: CloudSettings(ssh=SshSettings(user=user))})
        paths = Paths(folder / "config", folder / "state", folder / "runtime")
        try:
            async with console.open([name], settings=settings, paths=paths) as ops:
                await ops.fleet.ready(ops.places[0])
                yield ops, estate
        finally:
            del os.environ["OS_CLIENT_CONFIG_FILE"]


async def built(ops: console.Console, **more: Any) -> Readiness:
    """Order a server with files and leave it alone, until its check is over."""
    place = ops.places[0]
    given: dict[str, Any] = {"name": "box", "image": "debian-12", "flavor": "m1.tiny", "network": "private"}
    given |= {"key_name": "demo", "file": FILES} | more
    given = {name: value for name, value in given.items() if value is not None}
    made = await ops.perform("server.create", place, wait=True, timeout=60, **given)
    return await ops.readiness.of((await ops.servers.get(made.id)).key)


async def checked_again(ops: console.Console, before: Readiness) -> Readiness:
    """Wait for the end of a check that began later than that."""
    async with asyncio.timeout(60):
        async for moved in ops.readiness.watch():
            for found in moved:
                if found.key == before.key and found.began > before.began and found.state != "checking":
                    return found
    raise AssertionError("a watch never ends")


def told(found: Readiness, rung: str = "file") -> list[tuple[str, str]]:
    """The rungs of that name."""
    return [(one.state, one.text) for one in found.rungs if one.name == rung]


async def test_what_cloud_init_was_told_to_write_is_looked_for_and_kept_nowhere(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ops, _):
        found = await built(ops)
        assert found.state == "ready", found
        motd, config = told(found)
        assert motd[1].startswith(f"/etc/motd: {len(SECRET)} bytes, mode 440, root:root, before it /etc/motd.bak.")
        assert config == ("ok", "/etc/app/config: 6 bytes, mode 440, root:root")
        assert told(found, "login") == [("ok", "root, by its key pair demo (~/.ssh/demo)")]
        assert SECRET.strip() not in repr(ops.promised) + repr(found)
        row = await ops.servers.get(found.key.id)
        await ops.perform("server.check", row, deadline=20)
        before = ops.readiness[row.key]
        assert told(before) == []  # they were there; what becomes of them is the user's own business
        await ops.perform("server.rebuild", row, image="debian-12", wait=True)
        again = await checked_again(ops, before)
        assert again.state == "ready" and len(told(again)) == 2, again
        await ops.perform("server.delete", row, wait=True)
        assert ops.promised == {}
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}  # noqa: ASYNC240
    assert any(path.name == "audit.ndjson" for path in written)
    assert [path for path, text in written.items() if SECRET.strip().encode() in text] == []


async def test_files_that_come_late_are_waited_for(tmp_path: Path) -> None:
    async with opened(tmp_path, newest="2.56") as (ops, _):
        found = await built(ops, metadata={"lab_files_delay": "50"})
        assert found.state == "ready" and found.took is not None and found.took > 1.0, found
        assert [text for _, text in told(found, "cloud-init")] == ["cloud-init is done"]


async def test_files_that_nobody_wrote_are_missed_at_once_where_cloud_init_is_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ops, _):
        found = await built(ops, metadata={"lab_files": "no"})
        assert (found.state, found.text) == ("not ready", "file: /etc/motd is there with other contents.")
        row = await ops.servers.get(found.key.id)
        await ops.perform("server.check", row, deadline=20)
        assert ops.readiness[row.key].text == found.text  # as long as they were not found, each check wants them
        given = {"file": {"/etc/motd": "Welcome to debian-12\n", "/etc/app/config": "a = 1\n"}}
        await ops.perform("server.check", row, deadline=5, **given)
        assert ops.readiness[row.key].text == "file: /etc/app/config is not there."  # what is asked for goes first


@pytest.mark.parametrize(("sudo", "words"), [("yes", ": 6 bytes, mode 440, root:root"), ("no", "")])
async def test_what_the_login_may_not_see_is_said_and_is_no_failure(tmp_path: Path, sudo: str, words: str) -> None:
    files = {"/etc/app/config": "a = 1\n", "/root/token": SECRET}
    async with opened(tmp_path, user="debian") as (ops, _):
        found = await built(ops, file=files, metadata={"lab_sudo": sudo})
        assert found.state == "ready" and found.report.user == "debian", found
        seen, hidden = (text for _, text in told(found))
        if words:
            assert (seen.endswith(words), hidden) == (True, f"/root/token: {len(SECRET)} bytes, mode 440, root:root")
            return
        not_seen = "cannot be looked at by this user, nor by sudo"
        assert seen == f"/etc/app/config: 6 bytes, mode 440, root:root; its contents {not_seen}"
        assert hidden == f"/root/token {not_seen}"
        row = await ops.servers.get(found.key.id)
        await ops.perform("server.check", row, file=files, deadline=20)
        assert ops.readiness[row.key].text.endswith(
            f"its contents {not_seen}."
        )  # who asks for it is told that it fails


async def test_a_nova_that_writes_them_itself_promises_their_contents_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, newest="2.56") as (ops, _):
        found = await built(ops)
        assert found.state == "ready", found
        assert [text for _, text in told(found)] == [
            f"/etc/motd: {len(SECRET)} bytes, mode 644, root:root",
            "/etc/app/config: 6 bytes, mode 644, root:root",
        ]
        row = await ops.servers.get(found.key.id)
        await ops.perform("server.rebuild", row, image="debian-12", wait=True)
        again = await checked_again(ops, found)
        assert again.state == "ready" and told(again) == []  # nobody gives them to the new disk


async def test_the_first_generation_promises_owner_mode_and_backup(tmp_path: Path) -> None:
    async with opened(tmp_path, cloud="legacy", clouds=0, firstgen=True) as (ops, estate):
        (tmp_path / ".ssh" / "demo").rename(tmp_path / ".ssh" / "id_ed25519")  # it knows no key pairs
        public = estate.key.export_public_key().decode()
        files = {"/root/.ssh/authorized_keys": public, "/etc/motd": SECRET}
        more = {"image": "5", "flavor": "1", "network": None, "key_name": None}
        found = await built(ops, file=files, **more)
        assert found.state == "ready", found
        keys, motd = (text for _, text in told(found))
        assert keys.endswith("mode 440, root:root") and "before it /etc/motd.bak." in motd


async def test_a_server_that_is_launched_into_a_group_is_checked_by_itself_too(tmp_path: Path) -> None:
    async with opened(tmp_path, cloud="legacy", clouds=0, firstgen=True) as (ops, estate):
        (tmp_path / ".ssh" / "demo").rename(tmp_path / ".ssh" / "id_ed25519")
        files = {"/root/.ssh/authorized_keys": estate.key.export_public_key().decode()}
        group = await ops.perform("ipgroup.create", ops.places[0], name="pair")
        given = {"name": "two", "image": "5", "flavor": "1", "ip_group": group.id, "file": files}
        made = await ops.perform("server.launch", ops.places[0], wait=True, timeout=60, **given)
        found = await ops.readiness.of((await ops.servers.get(made.id)).key)
        assert found.state == "ready" and len(told(found)) == 1, found
        assert ops.passwords == {own_name(ops.places[0], made.id): made.admin_pass}  # others count from 1, too


async def test_another_way_in_than_the_key_pair_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ops, _):
        (tmp_path / ".ssh" / "demo").unlink()
        found = await built(ops, file=None)
        by_password = "root, by the password that the cloud told; its key pair demo is not here"
        assert (found.state, told(found, "login")) == ("ready", [("ok", by_password)])
        other = asyncssh.generate_private_key("ssh-ed25519")
        pair = tmp_path / ".ssh" / "id_ed25519"
        other.write_private_key(pair)
        row = await ops.servers.get(found.key.id)
        outcome = await ops.perform("server.check", row, deadline=20)
        assert told(ops.readiness[row.key], "login") == [("ok", by_password)]
        assert outcome.result.plain()["by"] == by_password.removeprefix("root, by ")


class Forgetful(dict[str, Promise]):
    """What an order promises is not kept, what is read anew afterwards is."""

    def __init__(self) -> None:
        super().__init__()
        self.forgot = False

    def __setitem__(self, name: str, promise: Promise) -> None:
        if self.forgot:
            super().__setitem__(name, promise)
        self.forgot = True


@pytest.mark.parametrize("write", ["yes", "no"])
async def test_a_guarded_build_looks_for_its_files_and_its_journal_keeps_none(tmp_path: Path, write: str) -> None:
    local = tmp_path / "token"
    local.write_text(SECRET)
    (tmp_path / "own").write_text("#!/bin/sh\n")
    given = {"name": "box", "image": "debian-12", "flavor": "m1.tiny", "network": "private", "key_name": "demo"}
    given |= {"file": [f"/etc/app/token={local}"], "user_data": str(tmp_path / "own"), "metadata": {"lab_files": write}}
    async with opened(tmp_path) as (ops, _):
        place = ops.places[0]
        with pytest.raises(ActionRefused, match="nothing-there cannot be read"):
            await ops.perform("server.create_checked", place, **given | {"file": ["/a=/nothing-there"]})
        ops.promised = Forgetful()  # as it is for whoever takes it over
        run = ops.journal.run((await ops.perform("server.create_checked", place, **given)).result)
        async with asyncio.timeout(60):
            while run.open:
                await asyncio.sleep(0.05)
                run = ops.journal.run(run.id)
        ended = (run.state, run.failure.endswith("is not ready: file: /etc/app/token is not there."))
        assert ended == (("done", False) if write == "yes" else ("failed", True)), run
        assert ops.promised.forgot and ops.promised[run.facts["made"]].found == (write == "yes")
    local.unlink()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    assert not any(SECRET.strip().encode() in text for text in written)
