"""Every published body of the first generation is read: each answer as the noun that it is, each order as we send it.

They are kept beside the repository; where they are not there, as in a plain clone, these tests are passed over.
"""

import base64
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_cloud import serving

from console.clouds.fields import moment, reader
from console.clouds.firstgen import records
from console.clouds.firstgen.orders import Orders
from console.clouds.openstack.service import best_version
from console.clouds.rates import rates
from console.errors import NotFound, OverLimit
from console.model.place import Origin, Place
from console.model.server import Address, Server
from console.text import Secret
from console.wire.auth import Auth, Token
from console.wire.budget import Limit
from console.wire.message import Reply, decipher, read_fault
from console.wire.session import Session
from console.wire.transport import Transport

SAMPLES = Path(__file__).parents[2] / "shared" / "api" / "samples" / "firstgen"
ORIGIN = Origin(Place("old"), "http://cloud.example", "35428", dialect="firstgen")
pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the sample bodies are not here")


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def servers(*trees: Any) -> list[Server]:
    return list(reader("server", records.server, ORIGIN)(json.dumps(tree).encode() for tree in trees))


def test_servers() -> None:
    building, calm = servers(*sample("servers")["servers"])
    (alone,) = servers(sample("server")["server"])
    assert alone.id == building.id == "1234"
    assert (building.name, building.status, building.progress) == ("sample-server", "BUILD", 60)
    assert (building.image_id, building.flavor_id) == ("1", "1")
    assert building.metadata == {"Server Label": "Web Head 1", "Image Version": "2.1"}
    public, private = building.addresses["public"], building.addresses["private"]
    assert [one.addr for one in public] == ["67.23.10.132", "67.23.10.131"]
    assert private == [Address("10.176.42.16", 4, "fixed")]
    assert (calm.status, calm.progress, calm.address) == ("ACTIVE", None, "67.23.10.133")
    assert calm.host_id == "9e107d9d372bb6826bd81d3542a419d6"
    assert (calm.key.kind, calm.key.id, calm.key.region) == ("server", "5678", "")


def test_a_new_server() -> None:
    (made,) = servers(sample("server-post-resp")["server"])
    assert (made.id, made.status, made.progress, made.address) == ("1235", "BUILD", 0, "67.23.10.138")


def test_addresses() -> None:
    found = records.addresses(sample("addresses")["addresses"])
    assert list(found) == ["public", "private"]
    assert records.addresses(sample("public")) == {"public": found["public"]}
    assert records.addresses(sample("private")) == {"private": found["private"]}


def test_flavors() -> None:
    small, larger = map(records.flavor, sample("flavors")["flavors"])
    assert records.flavor(sample("flavor")["flavor"]) == small
    assert (small.id, small.name, small.ram, small.disk) == ("1", "256 MB Server", 256, 10)
    assert (larger.ram, larger.disk, larger.vcpus) == (512, 20, None)


def test_images() -> None:
    base, own = map(records.image, sample("images")["images"])
    assert (base.status, base.snapshot, base.visibility) == ("active", False, "public")
    assert (own.status, own.progress, own.server_id, own.snapshot) == ("saving", 80, "12", True)
    assert own.in_flight
    assert base.updated == dt.datetime(2010, 10, 10, 12, tzinfo=dt.UTC)
    assert records.image(sample("image")["image"]).server_id == "12"
    assert moment("2009-07-20T09:14:37-05:00") == dt.datetime(2009, 7, 20, 14, 14, 37, tzinfo=dt.UTC)


def test_shared_ip_groups() -> None:
    first, second = map(records.ip_group, sample("ipgroups")["sharedIpGroups"])
    assert (first.id, first.name, first.servers) == ("1234", "Shared IP Group 1", ["422", "3445"])
    assert second.servers == ["23203", "2456", "9891"]
    assert records.ip_group(sample("ipgroup")["sharedIpGroup"]).servers == ["422"]


def test_a_backup_schedule() -> None:
    (server,) = servers(sample("server")["server"])
    found = records.schedule(sample("backup")["backupSchedule"], server)
    assert (found.id, found.name, found.enabled) == (server.id, server.name, True)
    assert (found.daily, found.weekly, found.keeps) == ("H_0400_0600", "THURSDAY", None)
    never = records.schedule({"enabled": False, "daily": "DISABLED", "weekly": "DISABLED"}, server)
    assert (never.enabled, never.daily, never.weekly) == (False, "", "")
    assert never.next_run(dt.datetime.now(dt.UTC)) is None


def test_limits() -> None:
    told = sample("limits")["limits"]
    assert rates(told["rate"]) == [
        Limit(10, 60.0, "POST"),
        Limit(25, 86400.0, "POST", "^/servers"),
        Limit(10, 60.0, "PUT"),
        Limit(3, 60.0, "GET"),
        Limit(100, 60.0, "DELETE"),
    ]
    found = records.absolute_limits(told["absolute"])
    assert {name: limit.most for name, limit in found.items()} == {
        "ram": 51200,
        "ip_groups": 50,
        "ip_group_members": 25,
        "metadata": 5,
        "personality": 5,
        "personality_size": 10240,
    }


def test_rates_of_the_next_generation_have_the_same_meaning() -> None:
    told = json.loads((SAMPLES.parent / "nova" / "rax-limits.json").read_text())["limits"]["rate"]
    assert rates(told) == [
        Limit(10, 60.0, "POST"),
        Limit(10, 60.0, "PUT"),
        Limit(100, 60.0, "DELETE"),
        Limit(3, 60.0, "GET", "changes-since"),
        Limit(25, 86400.0, "POST", "^/servers"),
    ]


def test_faults() -> None:
    assert read_fault((SAMPLES / "fault.json").read_bytes()) == ("cloudServersFault", "Fault!", None)
    with pytest.raises(NotFound) as unknown:
        decipher(Reply(404, {}, [(SAMPLES / "notfound.json").read_bytes()]))
    assert unknown.value.fault == "itemNotFound"
    with pytest.raises(OverLimit) as held:
        decipher(Reply(413, {"reply-after": "12"}, [(SAMPLES / "overlimit.json").read_bytes()]))
    assert (held.value.retry_after, held.value.fault) == (12, "overLimit")
    soon = sample("overlimit")
    soon["overLimit"]["retryAfter"] = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)).isoformat()
    with pytest.raises(OverLimit) as held:
        decipher(Reply(413, {}, [json.dumps(soon).encode()]))
    assert 80 < held.value.retry_after <= 90


def test_the_version() -> None:
    assert best_version(sample("version"), "v1.0").step == "v1.0"


async def sent(order: Callable[[Orders], Awaitable[Any]]) -> Any:
    """What goes out for an order, as a server of the first generation gets it."""
    answers = {"server": {"id": 1}, "image": {"id": 1}, "sharedIpGroup": {"id": 1}}
    async with serving() as cloud:
        for method in ("POST", "PUT"):
            for path in ("/servers", "/servers/1/action", "/servers/1", "/servers/1/ips/public/1.2.3.4"):
                cloud.answers[f"{method} {path}"] = (202, answers)
        cloud.answers["POST /shared_ip_groups"] = (201, answers)
        transport = Transport(place="old")
        try:
            await order(Orders(Session(transport, Auth(signed), cloud.url)))
        finally:
            await transport.close()
        return cloud.last()[1]


async def signed() -> Token:
    return Token({"X-Auth-Token": "t"})


async def test_orders_go_out_in_the_published_shape() -> None:
    new = sample("server-post-req")["server"]
    (file,) = new["personality"]
    personality = {file["path"]: base64.b64decode(file["contents"])}
    given = {"image_id": "1", "flavor_id": "1", "metadata": new["metadata"], "personality": personality}
    assert await sent(lambda old: old.create_server(new["name"], **given)) == {"server": new}
    assert await sent(lambda old: old.reboot("1", hard=True)) == sample("reboot")
    assert await sent(lambda old: old.revert_resize("1")) == sample("revertresize")
    both = sample("server-put-req")["server"]
    secret = Secret(both["adminPass"])
    assert await sent(lambda old: old.update_server("1", name=both["name"], admin_pass=secret)) == {"server": both}
    share = {"address": "1.2.3.4", "group": "1234", "configure": True}
    assert await sent(lambda old: old.act("server.share_ip", "1", **share)) == sample("shareip")
    group = {"name": "Shared IP Group 1", "server": "422"}
    assert await sent(lambda old: old.act("ipgroup.create", "", **group)) == sample("ipgroup2")


ORDERS = {"ipgroup2", "reboot", "revertresize", "server-post-req", "server-put-req", "shareip"}


def test_no_sample_is_left_out() -> None:
    read = {
        "addresses", "backup", "fault", "flavor", "flavors", "image", "images", "ipgroup", "ipgroups", "limits",
        "notfound", "overlimit", "private", "public", "server", "servers", "server-post-resp", "version",
    }  # fmt: skip
    assert {path.stem for path in SAMPLES.glob("*.json")} == read | ORDERS
