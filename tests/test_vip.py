"""Addresses that servers have in turn on today's OpenStack: reserved by a port, let in by pairs, or moved."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from scripted_cloud import ScriptedCloud, compute, serving
from small_ground import SmallGround, ground_on

from console.actions.action import perform, verdict
from console.clouds.connect import connect
from console.errors import ActionRefused, CloudFault, Conflict, Forbidden, NotFound
from console.model.place import Place
from console.model.server import Server
from console.sim.estate import Estate


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[tuple[SmallGround, Estate, Place]]:
    async with Estate(clouds=1, regions=1, servers=12, guests=0, speed=40.0) as estate:
        yaml = estate.write_clouds_yaml(tmp_path)
        async with ground_on(yaml, tmp_path, "nimbus") as ground:
            (place,) = ground.places
            await ground.refresh(place)
            yield ground, estate, place


def two(ground: SmallGround) -> list[Server]:
    """Two calm servers of one network."""
    calm = [row for row in ground.store.rows(Server).values() if row.status == "ACTIVE" and not row.locked]
    name = next(iter(calm[0].addresses or {}))
    return [row for row in calm if name in (row.addresses or {})][:2]


async def free(ground: SmallGround, row: Server) -> str:
    """An address of the server's own network that nobody has."""
    (port, *_) = await ground.dialect(row.place).ports(row.id)
    head, _, _ = port["fixed_ips"][0]["ip_address"].rpartition(".")
    return f"{head}.250"


async def pairs(ground: SmallGround, row: Server) -> list[str]:
    ports = await ground.dialect(row.place).ports(row.id)
    return [pair["ip_address"] for port in ports for pair in port.get("allowed_address_pairs") or ()]


def own_the_network(estate: Estate) -> None:
    """Have the project's own network hold its servers, since only an owner lets further addresses in."""
    for _, place in estate.places:
        for port in place.services["network"].store.ports.values():
            port.network.project_id = port.project_id or port.network.project_id


async def test_an_address_is_reserved_once_and_let_in_at_each_member(lab: Any) -> None:
    ground, estate, place = lab
    own_the_network(estate)
    one, other = two(ground)
    address = await free(ground, one)
    await perform(ground, "server.add_vip", [one, other], address=address)
    assert await pairs(ground, one) == [address] == await pairs(ground, other)
    neutron: Any = ground.dialect(place)
    (port,) = await neutron.neutron.ports_with(address)
    assert port["device_id"] == "" and port["name"] == f"novadeck vip {address}"
    await perform(ground, "server.add_vip", one, address=address)
    assert await pairs(ground, one) == [address]  # once is enough
    await perform(ground, "server.remove_vip", one, address=address)
    assert await pairs(ground, one) == [] and await pairs(ground, other) == [address]
    assert await neutron.neutron.ports_with(address)


async def test_a_network_of_the_providers_is_explained(lab: Any) -> None:
    ground, _, _ = lab
    with pytest.raises(Forbidden, match="network of your own"):
        for row in ground.store.rows(Server).values():
            if row.status == "ACTIVE" and not row.locked:
                await perform(ground, "server.add_vip", row, address=await free(ground, row))


async def test_what_cannot_be_shared_is_told(lab: Any) -> None:
    ground, _, _ = lab
    one, other = two(ground)
    with pytest.raises(ActionRefused, match="is no address"):
        await perform(ground, "server.add_vip", one, address="here")
    (port, *_) = await ground.dialect(other.place).ports(other.id)
    with pytest.raises(Conflict, match="belongs to a port of compute"):
        await perform(ground, "server.add_vip", one, address=port["fixed_ips"][0]["ip_address"])
    with pytest.raises(Conflict, match="on no network to which"):
        await perform(ground, "server.add_vip", one, address="198.51.100.7")
    with pytest.raises(NotFound, match="no floating IP"):
        await perform(ground, "server.move_ip", one, address="198.51.100.7")


async def test_a_floating_ip_is_moved(lab: Any) -> None:
    ground, _, place = lab
    owner = next(
        row for row in ground.store.rows(Server).values() for one in row.all_addresses() if one.kind == "floating"
    )
    address = next(one.addr for one in owner.all_addresses() if one.kind == "floating")
    other = next(row for row in two(ground) if row.id != owner.id)
    await perform(ground, "server.move_ip", other, address=address)
    found = await ground.dialect(place).server(other.id)
    assert address in [one.addr for one in found.all_addresses()]
    before = await ground.dialect(place).server(owner.id)
    assert address not in [one.addr for one in before.all_addresses()]
    assert verdict(ground, "server.move_ip", other) == ""


PORT = {"id": "p", "network_id": "n", "revision_number": 4, "allowed_address_pairs": [], "fixed_ips": []}


async def test_a_port_that_somebody_else_changes_meanwhile_is_read_again() -> None:
    guards: list[str] = []

    def prepare(cloud: ScriptedCloud) -> None:
        cloud.offer("compute", "/compute/v2.1")
        cloud.offer("network", "/network")
        cloud.answers |= {"/compute/v2.1/": compute(), "GET /network/v2.0/ports/p": {"port": PORT}}
        vip = {"id": "v", "network_id": "n", "device_id": "", "fixed_ips": [{"ip_address": "10.0.0.250"}]}
        cloud.answers["GET /network/v2.0/ports?device_id=s"] = {"ports": [PORT]}
        cloud.answers["GET /network/v2.0/ports"] = {"ports": [vip]}

        def change(request: Any) -> Any:
            guards.append(request.headers["If-Match"])
            if len(guards) % 3:
                return (
                    412,
                    {"NeutronError": {"type": "RevisionNumberConstraintFailed", "message": "no", "detail": ""}},
                )
            return {"port": PORT}

        cloud.answers["PUT /network/v2.0/ports/p"] = change

    async with serving(prepare) as cloud:
        dialect = await connect(cloud.account("one"))
        try:
            with pytest.raises(CloudFault) as raced:
                await dialect.act("server.add_vip", "s", address="10.0.0.250")
            assert raced.value.status == 412 and guards == ["revision_number=4"] * 2
            await dialect.act("server.add_vip", "s", address="10.0.0.250")
            body = cloud.last()[1]
            assert body == {"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.250"}]}}
        finally:
            await dialect.close()


async def test_without_a_network_service_an_old_nova_moves_floating_ips_itself() -> None:
    def prepare(cloud: ScriptedCloud) -> None:
        cloud.offer("compute", "/compute/v2.1")
        cloud.answers |= {
            "/compute/v2.1/": compute(highest="2.12"),
            "POST /compute/v2.1/0123456789abcdef0123456789abcdef/servers/s/action": (202, {}),
        }

    async with serving(prepare) as cloud:
        cloud.endpoints.clear()
        cloud.offer("compute", "/compute")
        dialect = await connect(cloud.account("one"))
        try:
            assert "server.move_ip" in dialect.verbs and "server.vip" not in dialect.verbs
            await dialect.act("server.move_ip", "s", address="198.51.100.7")
            assert cloud.last()[1] == {"addFloatingIp": {"address": "198.51.100.7"}}
            with pytest.raises(NotFound, match="no network service"):
                await dialect.act("server.add_vip", "s", address="198.51.100.7")
        finally:
            await dialect.close()
