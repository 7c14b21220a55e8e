"""What a listing costs in this process: ours beside aiohttp with msgspec on the same pages, and a poll's turn.

    python tests/bench/listing.py [servers] [rounds] [folder for the figures]

A server in another process gives out pages whose bodies were made beforehand, so that its work is not ours. All kinds
take turns in each round; the figures are medians of this process's CPU time. Wall time is left out: machines are busy.
"""

import asyncio
import datetime as dt
import gc
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from figures import Figure, keep
from pages import bodies, record

from console.clouds.openstack.nova import Nova
from console.clouds.openstack.service import Service, Version
from console.clouds.openstack.shapes import NovaServer
from console.model.place import Origin, Place
from console.wire.auth import Auth, Token
from console.wire.transport import Transport

READ, PLAIN = "reading the bytes (aiohttp)", "aiohttp + msgspec, the same fields"
NEW, SAME = "our listing, all new", "our poll, nothing changed"
IN_A_ROW = 20  # small questions that are asked one after the other, as a poller does, and told as one


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

    async def none(request: web.Request) -> web.Response:
        return web.Response(body=b'{"servers": []}', content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/none/v2.1/servers/detail", none)
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


async def measure(base: str, count: int, rounds: int) -> dict[str, tuple[list[float], int]]:
    """CPU milliseconds of each way, and how many rows it gave."""
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

    async def changes(name: str) -> int:
        steady.service.endpoint = f"{base}/{name}/v2.1"
        found = 0
        for _ in range(IN_A_ROW):
            found = await all_of(steady, changes_since=dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
        return found

    ways: dict[str, Callable[[], Awaitable[int]]] = {
        READ: only_read,
        PLAIN: plain,
        NEW: lambda: all_of(nova("same")),
        SAME: back,
        "our poll, 20 changed": lambda: estate("moved"),
        "(and back)": back,
        "our poll, 1 new and 3 gone": lambda: estate("shifted"),
        "(and back again)": back,
        "our changes-since, 20 changed": lambda: changes("delta"),
        "our changes-since, none changed": lambda: changes("none"),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    rows: dict[str, int] = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            gc.collect()
            start = time.process_time()
            rows[name] = await way()
            if turn:
                asked = IN_A_ROW if "changes-since" in name else 1
                spent[name].append((time.process_time() - start) * 1000 / asked)
    await client.close()
    await transport.close()
    return {name: (times, rows[name]) for name, times in spent.items()}


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
    read = statistics.median(found[READ][0])
    for name, (times, rows) in found.items():
        cpu = statistics.median(times)
        print(f"{name:38s} {cpu:9.2f} ms CPU   {cpu / read:6.2f} x reading   {rows:6d}")
    changed = found["our changes-since, 20 changed"][0], found["our changes-since, none changed"][0]
    figures = [
        Figure(f"listing {count:,} servers, in process", found[NEW][0], "ms", None, PLAIN, found[PLAIN][0], ratio=1.5),
        Figure(f"a poll of {count:,} unchanged servers", found[SAME][0], "ms", None, READ, found[READ][0], ratio=1.6),
        Figure("a question for changes, 20 changed", changed[0], "ms", 1.0),
        Figure("a question for changes, none changed", changed[1], "ms", 0.5),
    ]
    if len(sys.argv) > 3:
        keep(Path(sys.argv[3]), "1 listing", figures)


if __name__ == "__main__":
    main()
