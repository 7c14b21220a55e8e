"""Inside the guests of both clouds: what we build is checked by itself, and each trouble is named truly."""

import asyncio
import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from doings import KeyPair, guest_up, new_key_pair, settings_folder, soon, state_folder
from ground import Cloud
from shell import run
from terminal import terminal
from test_screen import row_says

import console
from console import Console
from console.actions.approach import approach
from console.runbooks.ready import Readiness

PATIENCE = 25.0


@pytest.fixture
async def pair(cloud: Cloud, tmp_path: Path) -> KeyPair:
    """A key pair of the test's own, named in the settings as the way into this cloud's guests."""
    if not cloud.guests:
        pytest.skip("the real cloud's guests need root")
    found = await new_key_pair(cloud, tmp_path)
    folder = settings_folder()
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'[clouds.{cloud.member}.ssh]\nuser = "root"\nkey = "{found.file}"\n')
    return found


def opened(cloud: Cloud) -> Any:
    return console.open([cloud.member], regions=cloud.regions[:1])


async def build(
    ops: Console, cloud: Cloud, pair: KeyPair, word: str, files: dict[str, str] | None = None, **metadata: str
) -> Any:
    """Order a server and leave it alone; its outcome."""
    await ops.fleet.ready(ops.places[0])
    more: dict[str, Any] = {"metadata": metadata} if metadata else {}
    more |= {"file": files} if files else {}
    given = {"name": cloud.name(word), "image": cloud.image, "flavor": cloud.tiny, "network": cloud.network, **more}
    return await ops.perform("server.create", ops.places[0], key_name=pair.name, wait=True, timeout=300, **given)


async def until(ops: Console, id: str, *words: str, after: float = 0.0) -> Readiness:
    """Wait until the server's readiness says this, of a check that began later than that."""
    async with asyncio.timeout(PATIENCE):
        async for moved in ops.readiness.watch():
            for one in moved:
                if one.key.id == id and one.began > after and all(word in f"{one.state} {one.text}" for word in words):
                    return one
    raise AssertionError("it ended")


async def test_what_we_build_resize_and_rebuild_is_checked_by_itself(cloud: Cloud, pair: KeyPair) -> None:
    async with opened(cloud) as ops:
        made = await build(ops, cloud, pair, "g")
        first = await until(ops, made.id, "ready ")
        assert first.state == "ready", first
        assert first.report.host_key.grade == "console"
        assert first.report.user == "root"
        assert [rung.name for rung in first.rungs][-2:] == ["login", "cloud-init"]
        server = await ops.servers.get(made.id)
        assert await ops.readiness.usual(server) == pytest.approx(first.took, abs=0.01)
        await ops.perform("server.resize", server, flavor=cloud.small, wait=True, timeout=300)
        again = await until(ops, made.id, "ready ", after=first.began)
        assert again.report.host_key.fingerprint == first.report.host_key.fingerprint
        server = await ops.servers.get(made.id)
        assert server.status == "VERIFY_RESIZE"
        await ops.perform("server.confirm", server, wait=True, timeout=300)
        server = await ops.servers.get(made.id)
        await ops.perform("server.rebuild", server, image=cloud.image, wait=True, timeout=300)
        anew = await until(ops, made.id, "ready ", after=again.began)
        assert anew.state == "ready", anew
        assert anew.report.host_key.grade == "console"
        assert anew.report.host_key.fingerprint != first.report.host_key.fingerprint


async def test_each_trouble_is_named_truly(cloud: Cloud, pair: KeyPair) -> None:
    async with opened(cloud) as ops:
        none, late, silent, lie = await asyncio.gather(
            build(ops, cloud, pair, "no", lab_ssh="no"),
            build(ops, cloud, pair, "late", lab_ssh_delay="8"),
            build(ops, cloud, pair, "silent", lab_ssh="silent"),
            build(ops, cloud, pair, "lie", lab_hostkey="lie"),
        )
        waited = await asyncio.gather(
            until(ops, none.id, "refuses: sshd is not up yet"),
            until(ops, silent.id, "The banner never came"),
            until(ops, lie.id, "not ready", "The host key is changed"),
            until(ops, late.id, "ready "),
        )
        states = [one.state for one in waited]
        assert states == ["checking", "checking", "not ready", "ready"]
        lying = waited[2].report
        assert lying.host_key.fingerprint in waited[2].text
        assert lying.host_key.expected and all(one in waited[2].text for one in lying.host_key.expected)
        assert [rung.state for rung in lying.rungs if rung.name == "login"] == ["skipped"]
        assert waited[3].report.host_key.grade == "console"


async def test_what_a_server_was_ordered_with_is_looked_for_by_itself(cloud: Cloud, pair: KeyPair) -> None:
    files = {"/srv/motd": "Ours\n", "/srv/app/token": "4711-of-the-test\n"}
    async with opened(cloud) as ops:
        made, late = await asyncio.gather(
            build(ops, cloud, pair, "f", files), build(ops, cloud, pair, "fl", files, lab_files_delay="12")
        )
        for one in (made, late):
            found = await until(ops, one.id, "ready ")
            assert found.state == "ready", found
            motd, token = (rung.text for rung in found.rungs if rung.name == "file")
            assert motd.startswith("/srv/motd: 5 bytes, mode 440, root:root, before it /srv/motd.bak.")
            assert token == "/srv/app/token: 17 bytes, mode 440, root:root"
            (login,) = (rung.text for rung in found.rungs if rung.name == "login")
            assert login == f"root, by its key pair {pair.name} ({pair.file})"
        kept = [file.read_bytes() for file in state_folder().rglob("*") if file.is_file()]
        assert kept and not any(b"4711-of-the-test" in text for text in kept)


async def test_a_console_that_lies_after_a_rebuild_is_found_out_soon(cloud: Cloud, pair: KeyPair) -> None:
    async with opened(cloud) as ops:
        made = await build(ops, cloud, pair, "rl")
        first = await until(ops, made.id, "ready ")
        lie = {"metadata": {"lab_hostkey": "lie"}}
        assert (await cloud.witness.call("POST", "compute", f"/servers/{made.id}/metadata", lie)).status == 200
        server = await ops.servers.get(made.id)
        await ops.perform("server.rebuild", server, image=cloud.image, wait=True, timeout=300)
        found = await until(ops, made.id, "not ready", "The host key is changed", after=first.began)
        assert found.distrusted and found.took is not None and found.took < PATIENCE
        assert found.report.host_key.fingerprint != first.report.host_key.fingerprint


async def test_commands_files_and_a_shells_words(cloud: Cloud, pair: KeyPair, tmp_path: Path) -> None:
    server = await cloud.witness.create(cloud.name("c"), key_name=pair.name)
    await guest_up(cloud, server)
    name = cloud.name("c")
    done = await run("server", "run", name, "-f", "json", "--os-cloud", cloud.member, "--", "echo one; exit 3")
    found = json.loads(done.out)
    assert (done.code, found["code"], found["output"]) == (1, 3, "one\n")
    refused = await run("server", "run", name, "--read-only", "--os-cloud", cloud.member, "--", "true")
    assert refused.code != 0 and "read-only" in refused.err
    words = ("--wait", "--deadline", "120", "-f", "json", "--os-cloud", cloud.member)
    waited = await run("server", "check", name, *words)
    assert waited.code == 0, waited
    assert json.loads(waited.out)["host_key"]["grade"] == "console"
    kept = await run("server", "hostkeys", name, "--os-cloud", cloud.member)
    assert server not in kept.out and " novadeck:console" in kept.out


async def test_a_shell_by_the_real_ssh_and_back_to_the_screen(cloud: Cloud, pair: KeyPair) -> None:
    name = cloud.name("s")
    server = await cloud.witness.create(name, key_name=pair.name)
    await guest_up(cloud, server)
    async with terminal(120, 40) as screen:
        await screen.start("--os-cloud", cloud.member)
        await row_says(screen, name, "ACTIVE")
        await screen.type(f"/{name}")
        await screen.press("Enter")
        await screen.until(rf"▸ • {name}")
        await screen.press("S")
        await screen.until(r"^root@\S+#", "the guest's prompt")
        await screen.type("echo inside-it")
        await screen.press("Enter")
        await screen.until(r"^inside-it\n+root@\S+#", "the guest's answer, and its next prompt")
        await screen.type("exit")
        await screen.press("Enter")
        await screen.until(rf"▸ • {name}", "the screen again")
        await screen.press("S")
        await screen.until(lambda text: len(re.findall(r"^root@\S+#", text, re.MULTILINE)) == 3, "another prompt")
        os.kill(await soon(lambda: ssh_to(server), "an ssh is in the guest"), signal.SIGKILL)
        await screen.until(r"ssh to \S+ ended with -?\d+: it lost its connection, or was killed", "the screen again")
        await screen.press("q")
        assert await screen.ended() == (0, True)


def ssh_to(server: str) -> int:
    """The process of the real ssh that is in this server's guest; 0 as long as there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0] == b"ssh" and f"HostKeyAlias={server}".encode() in words:
                return int(folder.name)
    return 0


async def test_a_lying_console_turns_the_row_red(cloud: Cloud, pair: KeyPair) -> None:
    name = cloud.name("l")
    server = await cloud.witness.create(name, key_name=pair.name, metadata={"lab_hostkey": "lie"})
    await guest_up(cloud, server)
    async with terminal(120, 40) as screen:
        await screen.start("--os-cloud", cloud.member)
        await row_says(screen, name, "ACTIVE")
        await screen.only(name)
        await screen.until(rf"▸ • {name}")
        await screen.press("t")
        await screen.until(rf"▸ ✕ {name} +ACTIVE +host key changed")
        await screen.press("Enter", "Tab")
        text = await screen.until(r"CHANGED: do not log in")
        shows, expected = re.findall(r"^  (?:shows|expected) +(SHA256:\S{43})", text, re.MULTILINE)
        assert shows != expected
        assert re.search(r"· login", text), text
        await screen.press("q", "q")
        assert await screen.ended() == (0, True)


async def test_what_the_security_groups_let_in(cloud: Cloud) -> None:
    witness = cloud.witness
    name = cloud.name("g")
    answer = await witness.call("POST", "network", "/v2.0/security-groups", {"security_group": {"name": name}})
    group = answer.body["security_group"]["id"]
    server = await witness.create(name, security_groups=[{"name": name}])
    record = await witness.until(server, "ACTIVE")
    (address,) = [address["addr"] for network in record["addresses"].values() for address in network]
    try:
        async with opened(cloud) as ops:
            await ops.fleet.ready(ops.places[0])
            found = await approach(ops, ops.places[0], server, {})
            assert await found.why_silent(address, 22) == "no security group rule lets tcp/22 in."
            rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
            rule |= {"port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "192.0.2.0/24"}
            await witness.call("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rule})
            office = await found.why_silent(address, 22)
            assert office == "the security groups let tcp/22 in only from 192.0.2.0/24."
            rule |= {"remote_ip_prefix": "0.0.0.0/0"}
            await witness.call("POST", "network", "/v2.0/security-group-rules", {"security_group_rule": rule})
            assert (await found.why_silent(address, 22)).startswith("the security groups let tcp/22 in, so it is off")
    finally:
        await witness.delete(server)
        await witness.call("DELETE", "network", f"/v2.0/security-groups/{group}")
