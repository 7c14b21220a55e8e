"""A cloud that gives out pages made beforehand, so that its own work is small and the same for all who ask.

`python tests/bench/pages.py SERVERS [DELAY] [CLOUDS]` prints one base URL for each cloud and serves until its stdin
ends. Behind /v2.1 stand the same servers always; what is asked for as changed is nothing.
"""

import asyncio
import json
import sys
import uuid
from typing import Any

from aiohttp import web

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


async def serve(servers: int, delay: float, clouds: int) -> None:
    """Serve until stdin ends; every answer takes `delay` seconds."""
    pages = bodies([record(number) for number in range(servers)])
    nothing = b'{"servers": []}'

    async def give(request: web.Request) -> web.Response:
        if delay:
            await asyncio.sleep(delay)
        body = nothing if "changes-since" in request.query else pages[request.query.get("marker", "")]
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/v2.1/servers/detail", give)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    for _ in range(clouds):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(*(f"http://127.0.0.1:{address[1]}" for address in runner.addresses), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    words = sys.argv[1:]
    asyncio.run(
        serve(int(words[0]), float(words[1]) if len(words) > 1 else 0.0, int(words[2]) if len(words) > 2 else 1)
    )
