"""Every published body of the first generation, and Rackspace's own, is served in that shape or taken as an order.

The samples are kept beside the repository; where they are not there, as in a plain clone, these tests are passed over.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from old_client import Old, first_of, firstgen, log_in, rackspace

from console.sim.estate import Estate

SAMPLES = Path(__file__).parents[2] / "shared" / "api" / "samples"
pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the sample bodies are not here")
WEB_A, WEB_B, MYSQL, FTP = 1234, 1235, 1236, 1237


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def lacks(served: Any, published: Any, where: str = "") -> list[str]:
    """What a published body has and the served one has not, or has of another type; each row needs one like it."""
    if published is None:
        return []
    if type(served) is not type(published) and not {type(served), type(published)} <= {int, float}:
        return [f"{where}: {type(served).__name__} and not {type(published).__name__}"]
    if isinstance(published, dict) and where.endswith(("metadata", "addresses")):  # keys that people choose
        pairs = product(served.values(), published.values())
        return [line for mine, one in pairs for line in lacks(mine, one, f"{where}/*")]
    if isinstance(published, dict):
        missing = [f"{where}/{key} is missing" for key in published if key not in served]
        inner = ((f"{where}/{key}", key) for key in published if key in served)
        return missing + [line for path, key in inner for line in lacks(served[key], published[key], path)]
    if isinstance(published, list) and published:
        if not served:
            return [f"{where} is empty"]
        return [line for row in published for line in min((lacks(mine, row, where) for mine in served), key=len)]
    return []


def same(served: Any, published: Any) -> None:
    assert lacks(served, published) == []


GETS = {
    "servers": "/servers/detail",
    "addresses": f"/servers/{WEB_B}/ips",
    "public": f"/servers/{WEB_B}/ips/public",
    "private": f"/servers/{WEB_B}/ips/private",
    "flavor": "/flavors/1",
    "flavors": "/flavors/detail",
    "images": "/images/detail",
    "ipgroup": "/shared_ip_groups/1234",
    "ipgroups": "/shared_ip_groups/detail",
    "backup": f"/servers/{MYSQL}/backup_schedule",
    "limits": "/limits",
}


async def busy(estate: Estate, old: Old) -> None:
    """Bring the cloud into the state that the samples show: a server in BUILD, and an image that is being saved."""
    wanted = sample("firstgen/server-post-req")
    assert (await old.ask("POST", "/servers", wanted)).status == 202
    assert (await old.ask("POST", "/images", {"image": {"serverId": FTP, "name": "My Server Backup"}})).status == 202
    await estate.clock.advance(1.5)


@pytest.mark.parametrize("name", GETS)
async def test_what_the_first_generation_tells(name: str) -> None:
    async with firstgen() as (estate, old):
        await busy(estate, old)
        same(await old.get(GETS[name]), sample(f"firstgen/{name}"))


async def test_one_server_one_image_and_the_version() -> None:
    async with firstgen() as (estate, old):
        await busy(estate, old)
        made = max(first_of(estate).store.servers)
        server = await old.get(f"/servers/{made}")
        same(server, sample("firstgen/server"))
        assert server["server"]["status"] == "BUILD" and 0 < server["server"]["progress"] < 100
        saving = next(i for i in (await old.get("/images/detail"))["images"] if i["status"] == "SAVING")
        same(await old.get(f"/images/{saving['id']}"), sample("firstgen/image"))
        root = Old(old.session, old.url.rpartition("/")[0], "")
        same(await root.get("/"), sample("firstgen/version"))


async def test_a_server_is_made_of_the_published_request() -> None:
    async with firstgen() as (estate, old):
        made = await old.ask("POST", "/servers", sample("firstgen/server-post-req"))
        assert made.status == 202
        same(made.body, sample("firstgen/server-post-resp"))
        told, kept = sample("firstgen/server-post-resp")["server"], made.body["server"]
        for key in ("name", "imageId", "flavorId", "status", "progress", "metadata"):
            assert kept[key] == told[key]
        (text,) = first_of(estate).store.servers[kept["id"]].files.values()
        assert b"A cloud does not know why it moves" in text


async def test_the_other_published_requests_are_taken() -> None:
    async with firstgen() as (estate, old):
        assert (await old.ask("PUT", f"/servers/{FTP}", sample("firstgen/server-put-req"))).status == 204
        await estate.clock.advance(5)
        assert (await old.ask("POST", f"/servers/{FTP}/action", sample("firstgen/reboot"))).status == 202
        assert await old.status(FTP) == "HARD_REBOOT"
        await old.act(MYSQL, "resize", {"flavorId": 5})
        await estate.clock.advance(5)
        assert (await old.ask("POST", f"/servers/{MYSQL}/action", sample("firstgen/revertresize"))).status == 202
        schedule = sample("firstgen/backup")
        assert (await old.ask("POST", f"/servers/{MYSQL}/backup_schedule", schedule)).status == 204
        assert await old.get(f"/servers/{MYSQL}/backup_schedule") == schedule
        group = sample("firstgen/ipgroup2")
        group["sharedIpGroup"]["server"] = FTP
        made = await old.ask("POST", "/shared_ip_groups", group)
        assert made.status == 201
        same(made.body, sample("firstgen/ipgroup"))
        (address,) = (await old.get(f"/servers/{WEB_B}/ips/public"))["public"][:1]
        share = await old.ask("PUT", f"/servers/{WEB_A}/ips/public/{address}", sample("firstgen/shareip"))
        assert share.status == 202 and await old.status(WEB_A) == "SHARE_IP"


async def test_faults() -> None:
    async with firstgen(limited=True) as (estate, old):
        same((await old.ask("GET", "/servers/99")).body, sample("firstgen/notfound"))
        estate.control.account.rate("POST", "*", 0)
        same((await old.ask("POST", "/servers", {})).body, sample("firstgen/overlimit"))
        estate.control.status(500, service="firstgen", message="Fault!")
        same((await old.ask("GET", "/servers")).body, sample("firstgen/fault"))


def test_every_sample_is_among_them() -> None:
    used = {f"firstgen/{name}" for name in GETS}
    text = Path(__file__).read_text()
    used |= {f"firstgen/{path.stem}" for path in SAMPLES.glob("firstgen/*.json") if f'"firstgen/{path.stem}"' in text}
    assert used == {f"firstgen/{path.stem}" for path in SAMPLES.glob("firstgen/*.json")}


# Rackspace's next generation


async def test_what_rackspace_tells() -> None:
    async with rackspace("ORD") as (estate, old):
        servers = await old.get("/servers/detail")
        same(servers, sample("nova/rax-servers-detail"))
        same({"server": servers["servers"][-1]}, sample("nova/rax-server-details"))
        same(await old.get("/flavors/detail"), sample("nova/rax-flavors-detail"))
        id = servers["servers"][0]["id"]
        same(await old.get(f"/servers/{id}/os-instance-actions"), sample("nova/rax-instance-actions"))
        same({"access": await log_in(old.session, estate)}, without_files(sample("keystone/rax-v2-auth-response")))


def without_files(tree: Any) -> Any:
    """The reply to a login without the services that the embedded account has not."""
    tree["access"]["serviceCatalog"] = [row for row in tree["access"]["serviceCatalog"] if row["type"] == "compute"]
    return tree


async def test_rackspaces_limits_schedules_and_new_server() -> None:
    async with rackspace() as (_, old):
        limits = sample("nova/rax-limits")
        served = await old.get("/limits")
        same(served["limits"]["absolute"], limits["limits"]["absolute"])
        same(served["limits"]["rate"], limits["limits"]["rate"][:1] + limits["limits"]["rate"][2:])
        image = (await old.get("/images"))["images"][0]["id"]
        new = {"server": {"name": "api-test", "imageRef": image, "flavorRef": "2"}}
        made = await old.ask("POST", "/servers", new)
        same(made.body, sample("nova/rax-create-server-resp"))
        assert set(made.body["server"]) == set(sample("nova/rax-create-server-resp")["server"])
        path = f"/servers/{made.body['server']['id']}/rax-si-image-schedule"
        same((await old.ask("GET", path)).body, sample("nova/rax-image-schedule-404"))
        for name in ("daily", "weekly"):
            schedule = sample(f"nova/rax-image-schedule-{name}")
            assert (await old.ask("POST", path, schedule)).status == 200
            assert await old.get(path) == schedule
