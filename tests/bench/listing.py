"""What a listing costs in this process: ours beside aiohttp with msgspec on the same pages, and a poll's turn.

    python tests/bench/listing.py [servers] [rounds]

A server in another process gives out pages whose bodies were made beforehand, so that its work is not ours. All kinds
take turns in each round; the figures are medians of this process's CPU time. Wall time is left out: machines are busy.
"""

import asyncio
import gc
import json
import multiprocessing
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from console.clouds.openstack.nova import Nova
from console.clouds.openstack.service import Service, Version
from console.clouds.openstack.shapes import NovaServer
from console.model.place import Origin, Place
from console.wire.auth import Auth, Token
from console.wire.transport import Transport

PAGE = 1000


def record(number: int, status: str = "ACTIVE") -> dict[str, Any]:
    """A server's record of about three kilobytes, with the fields that a 2.96 cloud sends."""
    id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"server {number}"))
    link = f"http://127.0.0.1:8774/v2.1/servers/{id}"
    address = {"version": 4, "addr": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
    address |= {"OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"}
    return {
        "id": id,
        "name": f"web-{number:05d}",
        "status": status,
        "tenant_id": "0b16d211cf494e2d891ba4e2e8fb8372",
        "user_id": "52eb8df017bb404c8dc0f09f14269a83",
        "metadata": {"role": "web", "team": "shop", "note": "x" * 900, "more": "y" * 500},
        "hostId": "74d23cd180606c4fa9ae231142144c411dab6b7d5553bd82e2710141",
        "image": {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, "image")), "links": [{"rel": "bookmark", "href": link}]},
        "flavor": {"vcpus": 1, "ram": 512, "disk": 1, "ephemeral": 0, "swap": 0, "original_name": "m1.tiny"}
        | {"extra_specs": {"hw:cpu_policy": "shared"}},
        "created": "2026-11-20T23:33:09Z",
        "updated": "2026-11-20T23:33:13Z",
        "addresses": {"private": [address], "public": [address | {"OS-EXT-IPS:type": "floating"}]},
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [{"rel": "self", "href": link}, {"rel": "bookmark", "href": link}],
        "OS-DCF:diskConfig": "MANUAL",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "",
        "key_name": "operator",
        "OS-SRV-USG:launched_at": "2026-11-20T23:33:13.000000",
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "default"}, {"name": "web"}],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [],
        "locked": False,
        "locked_reason": None,
        "description": None,
        "tags": ["blue"],
        "trusted_image_certificates": None,
        "host_status": "UP",
        "OS-EXT-SRV-ATTR:hostname": f"web-{number:05d}",
        "OS-EXT-SRV-ATTR:host": "compute-1",
        "OS-EXT-SRV-ATTR:hypervisor_hostname": "compute-1",
        "pinned_availability_zone": None,
    }


def bodies(records: list[dict[str, Any]]) -> dict[str, bytes]:
    """Pages by their marker ("" for the first), as Nova writes them."""
    found = {}
    marker = ""
    for start in range(0, len(records), PAGE):
        part = records[start : start + PAGE]
        page: dict[str, Any] = {"servers": part}
        if start + PAGE < len(records):
            href = f"http://127.0.0.1:8774/v2.1/servers/detail?marker={part[-1]['id']}"
            page["servers_links"] = [{"rel": "next", "href": href}]
        found[marker] = json.dumps(page).encode()
        marker = part[-1]["id"]
    return found


def serve(pipe: Connection, count: int) -> None:
    """The server's process: /same and /moved (20 of them changed) of the same servers."""
    records = [record(number) for number in range(count)]
    step = max(1, count // 20)
    moved = [dict(r, status="REBOOT") if number % step == 0 else r for number, r in enumerate(records)]
    shifted = [record(count + 1), *records[:100], *records[103:]]
    estates = {"same": bodies(records), "moved": bodies(moved), "shifted": bodies(shifted)}
    turns = {"n": 0}

    async def give(request: web.Request) -> web.Response:
        body = estates[request.match_info["estate"]][request.query.get("marker", "")]
        return web.Response(body=body, content_type="application/json")

    async def delta(request: web.Request) -> web.Response:
        turns["n"] += 1
        changed = [dict(r, updated=f"2026-11-21T00:00:{turns['n'] % 60:02d}Z") for r in records[:20]]
        return web.Response(body=json.dumps({"servers": changed}).encode(), content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/delta/v2.1/servers/detail", delta)
        app.router.add_get("/{estate}/v2.1/servers/detail", give)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await runner.cleanup()

    asyncio.run(main())


class Link(msgspec.Struct, gc=False):
    """A link of a page."""

    rel: str
    href: str


class Page(msgspec.Struct, gc=False):
    """A page for the plain way: the same shape of a server, and no more."""

    servers: list[NovaServer]  # type: ignore[valid-type]
    servers_links: list[Link] = []


def _next(body: bytes) -> str | None:
    tail = body[-400:]
    at = tail.find(b'"servers_links"')
    return json.loads(b"{" + tail[at:])["servers_links"][0]["href"] if at > 0 else None


async def _token() -> Token:
    return Token({"X-Auth-Token": "bench"}, 1e9)


async def measure(base: str, count: int, rounds: int) -> dict[str, tuple[float, int]]:
    """Median CPU milliseconds of each way, and how many rows it gave."""
    decode = msgspec.json.Decoder(Page).decode
    transport = Transport(place="bench")
    client = aiohttp.ClientSession(read_bufsize=1 << 20, headers={"X-Auth-Token": "bench"})

    def nova(estate: str) -> Nova:
        service = Service(transport, Auth(_token), f"{base}/{estate}/v2.1")
        service.version = Version(2, 96)
        return Nova(service, Origin(Place("bench"), base), region="")

    async def get(url: str) -> bytes:
        async with client.get(url) as response:
            return await response.read()

    async def only_read() -> int:
        url: str | None = f"{base}/same/v2.1/servers/detail"
        pages = 0
        while url:
            link = _next(await get(url))
            url = f"{base}/same/v2.1/servers/detail?{link.partition('?')[2]}" if link else None
            pages += 1
        return pages

    async def plain() -> int:
        url: str | None = f"{base}/same/v2.1/servers/detail"
        rows: list[Any] = []
        while url:
            page = decode(await get(url))
            rows += page.servers
            link = page.servers_links[0].href if page.servers_links else None
            url = f"{base}/same/v2.1/servers/detail?{link.partition('?')[2]}" if link else None
        return len(rows)

    async def all_of(cloud: Nova, **asked: Any) -> int:
        return sum([len(page) async for page in cloud.servers(**asked)])

    steady = nova("same")
    await all_of(steady)

    async def estate(name: str) -> int:
        steady.service.endpoint = f"{base}/{name}/v2.1"
        try:
            return await all_of(steady)
        finally:
            steady.service.endpoint = f"{base}/same/v2.1"

    async def back() -> int:
        return await estate("same")

    import datetime as dt

    async def changes() -> int:
        steady.service.endpoint = f"{base}/delta/v2.1"
        return await all_of(steady, changes_since=dt.datetime(2026, 11, 20, tzinfo=dt.UTC))

    ways: dict[str, Callable[[], Awaitable[int]]] = {
        "reading the bytes (aiohttp)": only_read,
        "aiohttp + msgspec, the same fields": plain,
        "our listing, all new": lambda: all_of(nova("same")),
        "our poll, nothing changed": back,
        "our poll, 20 changed": lambda: estate("moved"),
        "(and back)": back,
        "our poll, 1 new and 3 gone": lambda: estate("shifted"),
        "(and back again)": back,
        "our changes-since, 20 changed": changes,
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    rows: dict[str, int] = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            gc.collect()
            start = time.process_time()
            rows[name] = await way()
            if turn:
                spent[name].append((time.process_time() - start) * 1000)
    await client.close()
    await transport.close()
    return {name: (statistics.median(times), rows[name]) for name, times in spent.items()}


def main() -> None:
    """Print the table, and the two ratios that are promised."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, count))
    server.start()
    try:
        found = asyncio.run(measure(f"http://127.0.0.1:{here.recv()}", count, rounds))
    finally:
        here.send("end")
        server.join()
    read = found["reading the bytes (aiohttp)"][0]
    for name, (cpu, rows) in found.items():
        print(f"{name:38s} {cpu:9.2f} ms CPU   {cpu / read:6.2f} x reading   {rows:6d}")
    listing = found["our listing, all new"][0] / found["aiohttp + msgspec, the same fields"][0]
    turn = found["our poll, nothing changed"][0] / read
    print(f"listing: {listing:.2f} x aiohttp + msgspec (promised: 1.5)")
    print(f"poll of what has not changed: {turn:.2f} x reading (promised: 1.6)")


if __name__ == "__main__":
    main()
