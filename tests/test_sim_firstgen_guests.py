"""The guests of first-generation servers: real SSH servers at addresses of v1.0, which live and die with them."""

import asyncio
from base64 import b64encode
from typing import Any

import asyncssh
import pytest
from old_client import Old, first_of, firstgen

from console.sim.estate import Estate

FTP = 1237


async def ssh(estate: Estate, id: int, command: str = "hostname", **how: Any) -> str:
    """Log in, and run a command."""
    host, port = estate.guests.where(f"v1-{id}") or ("", 0)
    how = how or {"client_keys": [asyncssh.import_private_key(estate.private_key())]}
    async with asyncssh.connect(
        host, port, username="root", known_hosts=None, config=None, agent_path=None, **how
    ) as link:
        return str((await link.run(command)).stdout)


async def host_key(estate: Estate, id: int) -> Any:
    host, port = estate.guests.where(f"v1-{id}") or ("", 0)
    key = await asyncssh.get_server_host_key(host, port, config=None)
    assert key is not None
    return key.public_data


async def refuses(place: tuple[str, int] | None) -> bool:
    assert place is not None
    try:
        _, writer = await asyncio.open_connection(*place)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def a_new_one(estate: Estate, old: Old) -> dict[str, Any]:
    public = estate.key.export_public_key()
    file = {"path": "/root/.ssh/authorized_keys", "contents": b64encode(public).decode()}
    new = {"name": "new box", "imageId": 5, "flavorId": 1, "personality": [file]}
    made: dict[str, Any] = (await old.ask("POST", "/servers", {"server": new})).body["server"]
    await estate.clock.advance(6)
    return made


async def test_a_seeded_server_and_a_new_one_let_key_and_password_in() -> None:
    async with firstgen(guests=2) as (estate, old):
        await estate.clock.advance(3)
        assert await ssh(estate, FTP) == "ftp\n"
        made = await a_new_one(estate, old)
        assert await ssh(estate, made["id"]) == "new-box\n"
        assert await ssh(estate, made["id"], password=made["adminPass"], client_keys=None) == "new-box\n"
        await old.ask("PUT", f"/servers/{made['id']}", {"server": {"adminPass": "Other-1"}})
        await estate.clock.advance(3)
        assert await ssh(estate, made["id"], password="Other-1", client_keys=None) == "new-box\n"
        with pytest.raises(asyncssh.PermissionDenied):
            await ssh(estate, made["id"], password=made["adminPass"], client_keys=None)


async def test_a_guest_follows_its_server() -> None:
    async with firstgen(guests=1) as (estate, old):
        await estate.clock.advance(3)
        place, key = estate.guests.where(f"v1-{FTP}"), await host_key(estate, FTP)
        assert place is not None
        for order, given in (("reboot", {"type": "HARD"}), ("resize", {"flavorId": 2}), ("revertResize", None)):
            status = await old.act(FTP, order, given)
            await estate.clock.advance(0)
            assert status == 202 and await refuses(place), order
            await estate.clock.advance(6)
            assert await host_key(estate, FTP) == key, order
        await old.act(FTP, "rebuild", {"imageId": 1})
        await estate.clock.advance(6)
        assert await host_key(estate, FTP) != key
        await old.ask("DELETE", f"/servers/{FTP}")
        await estate.clock.advance(0)
        assert await refuses(place)


async def test_a_guest_that_goes_down_leaves_its_server_active() -> None:
    async with firstgen(guests=1) as (estate, old):
        await estate.clock.advance(3)
        place = estate.guests.where(f"v1-{FTP}")
        await ssh(estate, FTP, "shutdown -h now")
        await estate.clock.advance(2)
        assert await refuses(place) and await old.status(FTP) == "ACTIVE"
        await old.act(FTP, "reboot", {"type": "HARD"})
        await estate.clock.advance(6)
        assert await ssh(estate, FTP) == "ftp\n"
        await ssh(estate, FTP, "reboot")
        await estate.clock.advance(3)
        assert await ssh(estate, FTP) == "ftp\n"


async def test_without_room_there_are_no_guests() -> None:
    async with firstgen(guests=0) as (estate, old):
        await old.act(FTP, "reboot", {"type": "SOFT"})
        await estate.clock.advance(6)
        assert await old.status(FTP) == "ACTIVE"
        assert estate.guests.where(f"v1-{FTP}") is None and first_of(estate).lives.guests.bodies == {}
