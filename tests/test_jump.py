"""Through a real bastion: OpenSSH in network namespaces of its own, so that no other way leads to the inner host.

outside (where the tests run) -- bastion -- inside. Making namespaces needs root; the proxy command and the shared
connections are proven without them, too.
"""

import asyncio
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from test_probe import ADDRESS, Sshd, console_with, failure, free_port, states

from console.errors import ConfigError
from console.guests import jump
from console.guests.hostkeys import Evidence, KnownHosts
from console.guests.own import Demands
from console.guests.probe import probe
from console.guests.route import Hop, Route, find_route

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(SSHD is None, reason="there is no sshd")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are root's")
INNER = "10.213.0.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Bastion:
    """Two namespaces: one with a leg to us, and one that only the first can reach."""

    def __init__(self, folder: Path) -> None:
        tag = uuid.uuid4().hex[:6]
        self.folder, self.door, self.room = folder, f"nd-d{tag}", f"nd-r{tag}"
        self.outer, self.inner = f"ndo{tag}", f"ndi{tag}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def build(self) -> None:
        for name in (self.door, self.room):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", self.outer, "type", "veth", "peer", "name", "leg", "netns", self.door)
        ip("-n", self.door, "link", "add", self.inner, "type", "veth", "peer", "name", "leg", "netns", self.room)
        ip("addr", "add", "10.212.0.1/30", "dev", self.outer)
        ip("link", "set", self.outer, "up")
        ip("-n", self.door, "addr", "add", "10.212.0.2/30", "dev", "leg")
        ip("-n", self.door, "link", "set", "leg", "up")
        ip("-n", self.door, "addr", "add", "10.213.0.1/30", "dev", self.inner)
        ip("-n", self.door, "link", "set", self.inner, "up")
        ip("-n", self.room, "addr", "add", INNER + "/30", "dev", "leg")
        ip("-n", self.room, "link", "set", "leg", "up")
        ip("route", "add", "unreachable", "10.213.0.0/30")  # or a default route may take it who knows where

    def sshd(self, where: str, address: str, host: str, *options: str) -> None:
        """Run OpenSSH's server in one of the namespaces."""
        config = self.folder / f"config-{host}"
        lines = [
            f"ListenAddress {address}:22",
            f"HostKey {self.folder / host}",
            f"AuthorizedKeysFile {self.folder / 'authorized'}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PermitRootLogin prohibit-password",
            *options,
        ]
        config.write_text("\n".join(lines) + "\n")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.folder / f"log-{host}").open("ab") as log:
            command = ["ip", "netns", "exec", where, str(SSHD), "-D", "-e", "-f", str(config)]
            self.processes.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            )
        probing = (
            f"for n in $(seq 200); do (exec 3<>/dev/tcp/{address}/22) 2>/dev/null && exit 0; sleep 0.05; done; exit 1"
        )
        subprocess.run(["ip", "netns", "exec", where, "bash", "-c", probing], check=True)

    def logins(self, host: str) -> int:
        """How many connections that sshd has let in."""
        return (self.folder / f"log-{host}").read_text().count("Accepted publickey")

    def raze(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(10)
        for name in (self.door, self.room):
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", name)
        for words in (("link", "del", self.outer), ("route", "del", "unreachable", "10.213.0.0/30")):
            with suppress(subprocess.CalledProcessError):
                ip(*words)


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Sshd]:
    """Keys to build with: `host` and `user` of an sshd that need not run."""
    server = Sshd(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def bastion(keys: Sshd) -> Iterator[Bastion]:
    made = Bastion(keys.folder)
    try:
        made.build()
        made.sshd(made.door, "10.212.0.2", "other", "MaxStartups 10:30:100")
        made.sshd(made.room, INNER, "host")
        yield made
    finally:
        made.raze()


def hop(keys: Sshd, address: str = "10.212.0.2", port: int = 22, **more: object) -> Hop:
    route = keys.route()
    return Hop("bastion", address, port, keys.user, route.identities, **more)  # type: ignore[arg-type]


def inside(keys: Sshd, *hops: Hop, address: str = INNER) -> Route:
    return replace(keys.route(), addresses=(address,), port=22, jumps=hops)


@needs_root
async def test_the_inner_host_is_reached_through_the_bastion_only(keys: Sshd, bastion: Bastion, tmp_path: Path) -> None:
    evidence = Evidence("id", console_with(keys.host_key), KnownHosts(tmp_path / "known"))
    direct = await probe(inside(keys), evidence, deadline=0.6)
    assert failure(direct).text == f"There is no way from here to {INNER}."
    report = await probe(inside(keys, hop(keys)), evidence, demands=Demands(commands=["hostname -I | grep 10.213"]))
    assert report.ready, report
    assert [rung.name for rung in report.rungs[:4]] == ["address", "jump", "port", "banner"]
    assert report.rungs[1].text == "bastion"
    assert report.host_key is not None and report.host_key.grade == "console"
    assert "10.212.0.2" in (tmp_path / "known").read_text()  # the bastion's own key, met for the first time


@needs_root
async def test_forty_checks_share_one_connection_to_the_bastion(keys: Sshd, bastion: Bastion) -> None:
    route, evidence = inside(keys, hop(keys)), Evidence("id", console_with(keys.host_key))
    reports = await asyncio.gather(*(probe(route, evidence, deadline=120) for _ in range(40)))
    assert [report.failed for report in reports if not report.ready] == []
    assert bastion.logins("other") == 1
    assert bastion.logins("host") == 40
    assert not asyncio.all_tasks() - {asyncio.current_task()}


@needs_root
async def test_what_goes_wrong_behind_the_bastion_is_named(keys: Sshd, bastion: Bastion) -> None:
    through = hop(keys)
    refused = replace(inside(keys, through), port=23)
    report = await probe(refused, Evidence("id"))
    assert failure(report).text == "Port 23 refuses: sshd is not up yet."
    nowhere = await probe(inside(keys, through, address="10.213.0.3"), Evidence("id"), deadline=1.5)
    assert failure(nowhere).name == "port" and "10.213.0.3" in failure(nowhere).text
    closed = replace(through, port=2222)
    report = await probe(inside(keys, closed), Evidence("id"))
    assert failure(report).name == "jump" and "The jump host bastion: Port 2222 refuses" in failure(report).text
    assert states(report)["port"] == "skipped"
    stranger = replace(through, user="nobody-there")
    report = await probe(inside(keys, stranger), Evidence("id"))
    assert "does not let nobody-there in" in failure(report).text


@needs_root
async def test_a_bastion_with_another_key_is_not_spoken_to(keys: Sshd, bastion: Bastion, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text(f"10.212.0.2 {keys.host_key}\n")
    report = await probe(inside(keys, hop(keys, known_hosts=(theirs,))), Evidence("id"))
    assert failure(report).name == "jump"
    assert "The host key of the jump host bastion is changed" in failure(report).text
    assert bastion.logins("other") == 0


@needs_root
async def test_a_bastion_that_dies_under_the_checks(keys: Sshd, bastion: Bastion) -> None:
    check = f"kill -9 $(ip netns pids {bastion.door}); sleep 600"
    report = await probe(
        inside(keys, hop(keys)), Evidence("id", console_with(keys.host_key)), checks=[check], deadline=30
    )
    assert failure(report).name == "check"
    assert "did not end" not in failure(report).text


async def test_two_jump_hosts_in_a_row_and_the_agreed_turns(keys: Sshd) -> None:
    keys.start()
    near = hop(keys, ADDRESS, keys.port)
    route = replace(keys.route(), jumps=(near, replace(near, name="second", address="127.0.0.1")))
    report = await probe(route, Evidence("id", console_with(keys.host_key)))
    assert report.ready, report
    assert report.rungs[1].text == "bastion -> second"


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    writer.close()


async def test_a_proxy_command_carries_the_connection(keys: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    keys.start()
    relay = f"""exec python3 -c '
import os, select, socket, sys
s = socket.create_connection(("{ADDRESS}", {keys.port}))
while True:
    for f in select.select([0, s], [], [])[0]:
        data = os.read(0, 65536) if f == 0 else s.recv(65536)
        if not data: sys.exit()
        s.sendall(data) if f == 0 else os.write(1, data)
'"""
    route = replace(keys.route(), addresses=("192.0.2.1",), proxy=relay.removeprefix("exec "))
    report = await probe(route, Evidence("id", console_with(keys.host_key)))
    assert report.ready, report
    async with await asyncio.start_server(_greet, ADDRESS, 0) as web:
        url = f"http://{ADDRESS}:{web.sockets[0].getsockname()[1]}/"
        report = await probe(route, Evidence("id", console_with(keys.host_key)), demands=Demands(urls=[url]))
        assert report.ready and report.rungs[-1].text == f"{url}: 204", report
    broken = await probe(replace(route, proxy="false"), Evidence("id"))
    assert failure(broken).name == "banner"


async def test_a_proxy_command_that_does_not_want_to_end_is_ended(keys: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    mark = keys.folder / "pid"
    stubborn = f"sh -c \"trap '' TERM HUP; echo \\$\\$ > {mark}; while :; do sleep 0.1; done\""
    async with asyncio.timeout(10):
        report = await probe(replace(keys.route(), proxy=stubborn), Evidence("id"), deadline=1.0)
    assert failure(report).name == "banner"
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


async def test_a_port_that_the_bastion_may_not_forward_to(keys: Sshd) -> None:
    keys.start("AllowTcpForwarding no")
    route = replace(keys.route(), jumps=(hop(keys, ADDRESS, keys.port),))
    report = await probe(route, Evidence("id"))
    assert "forwards nothing" in failure(report).text


async def test_a_cancelled_check_closes_the_bastion(keys: Sshd) -> None:
    keys.start()
    route = replace(keys.route(), jumps=(hop(keys, ADDRESS, keys.port),))
    task = asyncio.create_task(probe(route, Evidence("id"), checks=["exec sleep 600"]))
    while not jump._gateways.get(asyncio.get_running_loop()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not jump._gateways[asyncio.get_running_loop()]
    assert not asyncio.all_tasks() - {asyncio.current_task()}


def test_jump_hosts_as_ssh_config_has_them(tmp_path: Path) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "config").write_text(
        "Host 10.0.*\n  ProxyJump me@edge:2200,inner\n"
        "Host edge\n  HostName edge.example.org\n  ProxyJump outer\n"
        "Host inner\n  User deep\n  Port 99\n"
        "Host loop\n  ProxyJump loop\n"
        "Host own\n  ProxyCommand nc %h %p\n  HostName 10.9.9.9\n"
    )
    route = find_route("web", ["10.0.0.4"], home=tmp_path)
    assert [(hop.name, hop.address, hop.port) for hop in route.jumps] == [
        ("outer", "outer", 22),
        ("edge", "edge.example.org", 2200),
        ("inner", "inner", 99),
    ]
    assert (route.jumps[1].user, route.jumps[2].user) == ("me", "deep")
    assert find_route("web", ["10.0.0.4"], home=tmp_path, jump="none").jumps == ()
    given = find_route("web", ["192.0.2.1"], home=tmp_path, jump="root@[2001:db8::1]:22").jumps
    assert [(hop.address, hop.port, hop.user) for hop in given] == [("2001:db8::1", 22, "root")]
    assert find_route("own", ["10.0.0.5"], home=tmp_path).proxy == "nc 10.9.9.9 22"
    with pytest.raises(ConfigError, match="through itself"):
        find_route("web", ["192.0.2.1"], home=tmp_path, jump="loop")
    with pytest.raises(ConfigError, match="no jump host"):
        find_route("web", ["192.0.2.1"], home=tmp_path, jump="-oProxyCommand=x")


async def test_a_refused_bastion(keys: Sshd) -> None:
    route = replace(keys.route(), jumps=(hop(keys, ADDRESS, free_port()),))
    reports = await asyncio.gather(*(probe(route, Evidence("id")) for _ in range(5)))
    assert {failure(report).name for report in reports} == {"jump"}


async def test_a_bastion_that_was_lost_is_connected_anew_by_all_who_need_it(keys: Sshd) -> None:
    keys.start()
    near = hop(keys, ADDRESS, keys.port)
    async with jump.gateway((near, near)) as found:
        first = await found.connection(None)
        for one in found.chain:
            one.abort()
            await one.wait_closed()
        anew = await asyncio.gather(*(found.connection(None) for _ in range(4)))
        assert len({id(one) for one in anew}) == 1 and anew[0] is not first
        assert len(found.chain) == 2 and not any(one.is_closed() for one in found.chain)
    assert anew[0].is_closed()


async def test_a_bastion_that_is_known_by_its_name(keys: Sshd, tmp_path: Path) -> None:
    keys.start()
    file = tmp_path / "theirs"
    near = hop(keys, "localhost", keys.port, known_hosts=(file,))
    route = replace(keys.route(), jumps=(near,))
    file.write_text(f"[localhost]:{keys.port} {(keys.folder / 'other.pub').read_text()}")
    report = await probe(route, Evidence("id"))
    assert failure(report).name == "jump" and "is changed" in failure(report).text
    file.write_text(f"[localhost]:{keys.port} {keys.host_key}\n")
    assert (await probe(route, Evidence("id", console_with(keys.host_key)))).ready


async def test_a_bastion_that_an_authority_vouches_for(keys: Sshd, tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    public = asyncssh.read_public_key(keys.folder / "host.pub")
    certificate = authority.generate_host_certificate(public, "host", principals=["door"])
    certificate.write_certificate(keys.folder / "host-cert.pub")
    keys.start(f"HostCertificate {keys.folder / 'host-cert.pub'}")
    file, own = tmp_path / "theirs", KnownHosts(tmp_path / "own")
    file.write_text(f"@cert-authority door,window {authority.export_public_key().decode()}")
    near = hop(keys, ADDRESS, keys.port, known_hosts=(file,), alias="door")
    evidence = Evidence("id", console_with(keys.host_key), own)
    assert (await probe(replace(keys.route(), jumps=(near,)), evidence)).ready
    assert own.find(f"[{ADDRESS}]:{keys.port}") == []  # it was no first use
    unknown = await probe(replace(keys.route(), jumps=(replace(near, known_hosts=()),)), evidence)
    (note,) = unknown.notes
    assert unknown.ready and note.startswith("the jump host bastion shows SHA256:") and "first use" in note
    own.forget(f"[{ADDRESS}]:{keys.port}")
    other = replace(near, alias="window")
    report = await probe(replace(keys.route(), jumps=(other,)), evidence)
    assert failure(report).name == "jump" and "principal mismatch" in failure(report).text, report
