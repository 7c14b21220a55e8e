"""What the way into a guest is made of, on the embedded cloud: settings by network and image, and who lets what in."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import msgspec
import pytest
import yaml
from small_ground import SmallGround, ground_on
from test_probe import failure

from console.actions.action import perform
from console.actions.approach import Approach, approach, blocked, candidates
from console.core.settings import CloudSettings, SshSettings, SshWay
from console.core.store import Listing
from console.guests.hostkeys import Evidence, Theirs
from console.guests.probe import probe
from console.guests.route import Route
from console.model.image import Image
from console.model.server import Address, Server
from console.sim.estate import Estate


@pytest.fixture
async def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallGround]:
    """A cloud, and a user whose ~/.ssh says nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with Estate(servers=0, clouds=1, regions=1, guests=0, speed=30.0) as estate:
        file = estate.write_clouds_yaml(tmp_path)
        async with ground_on(file, tmp_path / "state", next(iter(estate.clouds))) as ground:
            yield ground


async def build(ground: SmallGround) -> Server:
    (where,) = ground.places
    given = {"name": "web-1", "image": "debian-12", "flavor": "m1.tiny", "network": "private"}
    made = await perform(ground, "server.create", where, wait=True, **given)
    assert isinstance(made.row, Server)
    return made.row


async def way(ground: SmallGround, server: Server, ssh: SshSettings, **given: Any) -> Approach:
    """The way to it under these settings."""
    (where,) = ground.places
    ground.settings = SimpleNamespace(clouds={where.cloud: CloudSettings(ssh=ssh)})
    return await approach(ground, where, server.id, given)


async def test_an_image_goes_before_a_network_and_a_network_before_the_cloud(ground: SmallGround) -> None:
    server = await build(ground)
    ssh = SshSettings(
        user="cloud",
        port=2201,
        jump="me@edge:2200",
        networks={"private": SshWay(user="net", port=2202), "other": SshWay(user="no", jump="none")},
        images={"debian*": SshWay(port=22), "rocky*": SshWay(user="no")},
    )
    route = (await way(ground, server, ssh)).route
    assert (route.users[0], route.port) == ("net", 22)
    assert [(hop.user, hop.address, hop.port) for hop in route.jumps] == [("me", "edge", 2200)]
    given = (await way(ground, server, ssh, user="me", port=99, jump="none")).route
    assert (given.users, given.port, given.jumps) == (("me",), 99, ())
    by_id = SshSettings(images={str(server.image_id): SshWay(user="by-id", jump="none")}, jump="edge")
    route = (await way(ground, server, by_id)).route
    assert (route.users[0], route.port, route.jumps) == ("by-id", 22, ())


async def test_a_key_of_the_settings_is_offered_first(ground: SmallGround, tmp_path: Path) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir()
    for file in (tmp_path / "team", folder / "id_ed25519"):
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(file)
    server = await build(ground)
    route = (await way(ground, server, SshSettings(images={"*": SshWay(key="~/team")}))).route
    assert [identity.path for identity in route.identities] == [tmp_path / "team", folder / "id_ed25519"]


async def test_what_the_security_groups_let_in_is_asked_of_the_cloud(ground: SmallGround) -> None:
    server = await build(ground)
    found = await way(ground, server, SshSettings())
    said = await found.why_silent(found.route.addresses[0], 22)
    assert said.startswith(("the security groups let tcp/22 in", "no security group rule lets tcp/22 in"))


RULES = (
    {"protocol": "tcp", "ethertype": "IPv4", "port_range_min": 80, "port_range_max": 443},
    {"protocol": "tcp", "ethertype": "IPv6", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "::/0"},
    {"protocol": "udp", "ethertype": "IPv4"},
)
OFFICE = {"protocol": "6", "ethertype": "IPv4", "port_range_min": 20, "port_range_max": 25}


@pytest.mark.parametrize(
    ("rules", "address", "words"),
    [
        ((), "10.0.0.4", "no security group rule lets tcp/22 in."),
        (RULES, "10.0.0.4", "no security group rule lets tcp/22 in."),
        (RULES, "2001:db8::4", "the security groups let tcp/22 in, so it is off, not up yet, or filters by itself."),
        (({**OFFICE, "remote_ip_prefix": "192.0.2.0/24"},), "10.0.0.4", "let tcp/22 in only from 192.0.2.0/24."),
        (({**OFFICE, "remote_group_id": "g\x1b[2J"},), "10.0.0.4", "let tcp/22 in only from g␛[2J."),
        (({"protocol": None, "ethertype": "IPv4"},), "10.0.0.4", "let tcp/22 in, so it is off"),
    ],
    ids=["none", "others", "version 6", "an office", "a group", "all"],
)
def test_rules_in_a_sentence(rules: Any, address: str, words: str) -> None:
    assert words in blocked(rules, address, 22)


@contextmanager
def dropping() -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops each SYN that comes, as a packet filter does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for caller in callers:
                caller.close()


async def test_a_port_that_drops_all_is_told_with_what_the_cloud_lets_in() -> None:
    async def why(address: str, port: int) -> str:
        return blocked((), address, port)

    with dropping() as port:
        route = Route(("127.0.0.1",), port, ("root",), ())
        report = await probe(route, Evidence("id"), deadline=0.7, why_silent=why)
        assert failure(report).name == "port"
        assert failure(report).text == (
            f"Times out: 127.0.0.1 port {port} does not answer for 0.7 s: no security group rule lets tcp/{port} in."
        )
        alone = await probe(route, Evidence("id"), deadline=0.5)
        assert "it is off, or no security group rule lets" in failure(alone).text
        assert not asyncio.all_tasks() - {asyncio.current_task()}


def test_an_access_address_that_was_taken_away_is_none() -> None:
    fixed = {"private": [Address("10.0.0.5")]}
    server = Server(id="s", name="s", addresses=fixed, access_ipv4="0.0.0.0", access_ipv6="::")
    assert (server.access, server.address, list(candidates(server))) == ([], "10.0.0.5", ["10.0.0.5"])
    server = Server(id="s", name="s", addresses=fixed, access_ipv4="0.0.0.0", access_ipv6="2001:db8::1")
    assert (server.address, list(candidates(server))) == ("2001:db8::1", ["2001:db8::1", "10.0.0.5"])


async def test_servers_of_one_number_in_two_clouds_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older clouds count their servers: what is kept of the one must not be shown to the other."""
    monkeypatch.setenv("HOME", str(tmp_path))
    old: dict[str, Any] = {"clouds": 0, "guests": 0, "speed": 30.0, "firstgen": True}
    async with Estate(**old, seed=1) as east, Estate(**old, seed=2) as west:
        entries = {name: estate.clouds_yaml()["clouds"]["legacy"] for name, estate in (("e", east), ("w", west))}
        (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": entries}))
        async with ground_on(tmp_path / "clouds.yaml", tmp_path / "state") as ground:
            here, there = sorted(ground.places)
            id = next(iter([row async for page in ground.dialect(here).servers() for row in page])).id
            assert (await ground.dialect(there).server(id)).id == id
            row = await ground.dialect(here).server(id)
            foreign = await ground.dialect(there).image(row.image_id or "")
            foreign = msgspec.structs.replace(foreign, os_admin_user="west")
            ground.store.apply(Listing(there, Image, [foreign], ground.clock.monotonic(), True))
            assert "west" not in (await approach(ground, here, id, {})).route.users
            await perform(ground, "server.password", row, password="Told-1-once")
            mine, theirs = [(await approach(ground, place, id, {})).evidence for place in (here, there)]
            assert mine.name in ground.passwords and theirs.name not in ground.passwords
            key = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
            await mine.keep(mine.judge(key, Theirs()), key)
            other = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
            assert mine.judge(other, Theirs()).grade == "changed"
            assert theirs.judge(other, Theirs()).grade == "first-use"
