"""The embedded cloud's guests: real SSH servers that live and die with their servers."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import pytest
from sim_client import Client, brief, lab

from console.sim.estate import Estate

BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def shown_keys(console: str) -> list[str]:
    """The keys of the last block that cloud-init printed."""
    if BEGIN not in console:
        return []
    block = console.rpartition(BEGIN)[2].partition(END)[0]
    return [line for line in block.splitlines() if line]


async def console_of(member: Client, id: str) -> str:
    return str((await member.act(id, "os-getConsoleOutput", {})).body["output"])


async def ssh(estate: Estate, member: Client, id: str, command: str, **how: Any) -> str:
    """Log in, trusting only the host keys that the console shows, and run a command."""
    host, port = estate.guests.where(id) or ("", 0)
    keys = [asyncssh.import_public_key(line) for line in shown_keys(await console_of(member, id))]
    how = how or {"client_keys": [asyncssh.import_private_key(estate.private_key())]}
    async with asyncssh.connect(
        host, port, username="root", known_hosts=(keys, [], []), config=None, agent_path=None, **how
    ) as link:
        done = await link.run(command)
        return str(done.stdout)


async def born(estate: Estate, member: Client, **metadata: str) -> dict[str, Any]:
    made = (await member.create("guest", key_name="demo", metadata=metadata)).body["server"]
    await estate.clock.advance(6)
    return made


async def test_key_and_password_open_a_guest_that_answers_as_a_small_linux() -> None:
    async with lab(servers=0, guests=1) as (estate, member, _):
        made = await born(estate, member)
        assert len(shown_keys(await console_of(member, made["id"]))) == 2
        said = await ssh(estate, member, made["id"], "hostname && cat /etc/hostname; systemctl is-system-running")
        assert said == "guest\nguest\nrunning\n"
        assert " up " in await ssh(estate, member, made["id"], "uptime")
        status = await ssh(estate, member, made["id"], "cloud-init status --format json", password=made["adminPass"])
        assert '"status": "done"' in status
        with pytest.raises(asyncssh.PermissionDenied):
            await ssh(estate, member, made["id"], "true", password="wrong", client_keys=None)


async def test_a_guest_follows_its_server() -> None:
    async with lab(servers=0, guests=1) as (estate, member, _):
        id = (await born(estate, member))["id"]
        keys = shown_keys(await console_of(member, id))
        place = estate.guests.where(id)
        assert place is not None
        await member.act(id, "os-stop")
        await estate.clock.advance(2)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*place)
        await member.act(id, "os-start")
        await estate.clock.advance(3)
        assert await ssh(estate, member, id, "true") == "" and shown_keys(await console_of(member, id)) == keys
        await member.act(id, "pause")
        await estate.clock.advance(1)
        _, writer = await asyncio.open_connection(*place)
        writer.close()
        await member.act(id, "unpause")
        await estate.clock.advance(1)
        await member.act(id, "rebuild", {"imageRef": await member.image()})
        await estate.clock.advance(6)
        assert not set(shown_keys(await console_of(member, id))) & set(keys)
        assert await ssh(estate, member, id, "hostname") == "guest\n"
        await member.nova("DELETE", f"/servers/{id}")
        await estate.clock.advance(2)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*place)


async def test_the_knobs_of_the_real_lab_turn_here_too() -> None:
    async with lab(servers=0, guests=4) as (estate, member, _):
        late = (await member.create("late", key_name="demo", metadata={"lab_ssh_delay": "60"})).body["server"]["id"]
        closed = (await born(estate, member, lab_ssh="no"))["id"]
        silent = (await born(estate, member, lab_ssh="silent"))["id"]
        lying = (await born(estate, member, lab_hostkey="lie"))["id"]
        assert estate.guests.where(closed) is None
        place = estate.guests.where(silent)
        assert place is not None
        reader, writer = await asyncio.open_connection(*place)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await ssh(estate, member, lying, "true")
        assert brief(await member.show(late)) == "ACTIVE/None"
        assert shown_keys(await console_of(member, late)) == [] and estate.guests.where(late) is None
        await estate.clock.advance(60)
        assert await ssh(estate, member, late, "hostname") == "late\n"


async def test_a_guest_that_shuts_down_from_inside_ends_shutoff() -> None:
    async with lab(servers=0, guests=2) as (estate, member, _):
        id = (await born(estate, member))["id"]
        await ssh(estate, member, id, "shutdown -h now")
        await estate.clock.advance(3)
        assert brief(await member.show(id)) == "SHUTOFF/None"
        noted = (await member.nova("GET", f"/servers/{id}/os-instance-actions")).body["instanceActions"]
        assert (noted[0]["action"], noted[0]["user_id"], noted[0]["project_id"]) == ("stop", None, None)
        doomed = (await born(estate, member, lab_shutdown="terminate"))["id"]
        estate.control.guest_shuts_down(doomed)
        await estate.clock.advance(3)
        assert (await member.nova("GET", f"/servers/{doomed}")).status == 404


async def test_no_more_guests_than_there_is_room_for() -> None:
    async with lab(servers=0, guests=1) as (estate, member, _):
        first, second = (await born(estate, member))["id"], (await born(estate, member))["id"]
        assert estate.guests.where(first) is not None and estate.guests.where(second) is None
        assert len(shown_keys(await console_of(member, second))) == 2
        await member.nova("DELETE", f"/servers/{first}")
        await estate.clock.advance(2)
        third = (await born(estate, member))["id"]
        assert await ssh(estate, member, third, "true") == ""


async def test_where_port_22_cannot_be_had_the_guest_says_where_it_is() -> None:
    blocker = await asyncio.start_server(lambda r, w: w.close(), "0.0.0.0", 0)
    port = blocker.sockets[0].getsockname()[1]
    async with blocker, lab(servers=0, guests=1, guest_port=port) as (estate, member, _):
        id = (await born(estate, member))["id"]
        host, number = estate.guests.where(id) or ("", 0)
        assert (await member.show(id))["metadata"]["lab_ssh_at"] == f"{host}:{number}" and host == "127.0.0.1"
        assert await ssh(estate, member, id, "hostname") == "guest\n"


async def test_the_end_does_not_wait_for_a_worker_that_is_gone() -> None:
    async with lab(servers=0, guests=1) as (estate, member, _):
        await born(estate, member)
        worker = estate.guests._worker
        assert worker is not None
        worker.cancel()
        await asyncio.wait({worker})
    assert not any(guest.listeners for guest in estate.guests.guests.values())


async def test_a_guest_that_cannot_listen_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(servers=0, guests=2) as (estate, member, _):

        async def nowhere(*given: Any) -> None:
            raise OSError("no such address")

        with monkeypatch.context() as patched:
            patched.setattr(estate.guests, "_listen", nowhere)
            await born(estate, member)
        second = await born(estate, member)
        assert await ssh(estate, member, second["id"], "hostname") == "guest\n"


async def test_who_was_accepted_just_before_a_guest_went_off_is_let_go() -> None:
    class Wire(asyncio.Transport):
        """A connection that knows how it ended."""

        aborted = False

        def abort(self) -> None:
            self.aborted = True

    async with Estate(servers=2, clouds=1, regions=1, guests=1, seed=1) as estate:
        guest = next(iter(estate.guests.guests.values()))
        early, late, era = Wire(), Wire(), guest.era
        guest.met(early, era)
        await estate.guests._close(guest)
        guest.met(late, era)
        assert early.aborted and late.aborted and not guest.open
