"""What is asked of a cloud to know whether it is one: the flows that are recorded, in plain HTTP.

Each function leaves its replies and sequences on the tape. The same functions run against a real OpenStack (its replies
are kept beside this file) and against the embedded cloud (its replies are compared with those).
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tape import SHAPES, Tape

MISSING = "00000000-0000-0000-0000-000000000000"
SOFT = {"reboot": {"type": "SOFT"}}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXKzJyVDmZxVaoSUlXxe2jSg9TJNoLKtVY6RtNGjV4q flow"


class Names:
    """What the flows use of a cloud: ids of an image, three flavors and two networks."""

    def __init__(self, image: str, tiny: str, small: str, impossible: str, network: str, external: str) -> None:
        self.image, self.tiny, self.small = image, tiny, small
        self.impossible, self.network, self.external = impossible, network, external


async def names(tape: Tape) -> Names:
    _, _, flavors = await tape.send("compute", "GET", "/flavors")
    ids = {flavor["name"]: flavor["id"] for flavor in flavors["flavors"]}
    _, _, images = await tape.send("image", "GET", "/images?name=debian-12")
    _, _, nets = await tape.send("network", "GET", "/networks")
    net = {found["name"]: found["id"] for found in nets["networks"]}
    image = images["images"][0]["id"]
    return Names(image, ids["m1.tiny"], ids["m1.small"], ids["m1.impossible"], net["private"], net["public"])


async def discovery(tape: Tape, known: Names) -> None:
    compute = tape.endpoints["compute"].rsplit("/v2.1", 1)[0]
    await tape.call("compute versions", "compute", "GET", compute + "/", mv="")
    await tape.call("compute v2.1", "compute", "GET", compute + "/v2.1/", mv="")
    await tape.call("keystone versions", "identity", "GET", tape.keystone.removesuffix("/v3") + "/")
    await tape.call("keystone v3", "identity", "GET", tape.keystone)
    await tape.call("glance versions", "image", "GET", tape.endpoints["image"].removesuffix("/v2") + "/versions")
    await tape.call("neutron versions", "network", "GET", tape.endpoints["network"].removesuffix("/v2.0") + "/")
    await tape.call("version too high", "compute", "GET", "/servers", mv="2.999")
    await tape.call("version malformed", "compute", "GET", "/servers", mv="two")


async def logins(tape: Tape, known: Names) -> None:
    url = tape.keystone + "/auth/tokens"
    await tape.call("login", "identity", "POST", url, tape.login_body())
    await tape.call("login with a wrong password", "identity", "POST", url, tape.login_body(password="wrong"))
    await tape.call("a wrong token", "compute", "GET", "/servers", **{"X-Auth-Token": "wrong"})
    await tape.call("projects of the user", "identity", "GET", tape.keystone + "/auth/projects")


async def catalogue(tape: Tape, known: Names) -> None:
    for label, path in {
        "flavors": "/flavors",
        "flavors detail": "/flavors/detail",
        "flavor": f"/flavors/{known.tiny}",
        "flavor unknown": "/flavors/none-such",
        "flavors limit": "/flavors?limit=1",
        "limits": "/limits",
        "zones": "/os-availability-zone",
        "keypairs": "/os-keypairs",
        "keypair unknown": "/os-keypairs/none-such",
        "server groups": "/os-server-groups",
        "quotas": f"/os-quota-sets/{tape.project}",
        "quotas detail": f"/os-quota-sets/{tape.project}/detail",
        "hypervisors": "/os-hypervisors/detail",
        "services": "/os-services",
        "aggregates": "/os-aggregates",
        "migrations": "/os-migrations",
        "server unknown": "/servers/00000000-0000-0000-0000-000000000000",
        "server id malformed": "/servers/none-such",
        "marker unknown": "/servers/detail?marker=00000000-0000-0000-0000-000000000000",
        "changes-since malformed": "/servers/detail?changes-since=yesterday",
        "limit malformed": "/servers?limit=many",
        "status unknown": "/servers?status=NONSENSE",
        "query unknown": "/servers?colour=blue",
        "all tenants": "/servers?all_tenants=1",
        "no such path": "/none-such",
    }.items():
        await tape.call(label, "compute", "GET", path)
    await tape.call("flavors detail 2.1", "compute", "GET", "/flavors/detail", mv="2.1")
    await tape.call("limits 2.1", "compute", "GET", "/limits", mv="2.1")
    await tape.call("images proxy 2.1", "compute", "GET", "/images?name=debian-12", mv="2.1")
    await tape.call("images proxy detail 2.1", "compute", "GET", "/images/detail?name=debian-12", mv="2.1")
    await tape.call("image proxy unknown", "compute", "GET", "/images/none-such", mv="2.1")
    await tape.call("images proxy 2.36", "compute", "GET", "/images", mv="2.36")
    await tape.call("image", "image", "GET", f"/images/{known.image}")
    await tape.call("image unknown", "image", "GET", "/images/00000000-0000-0000-0000-000000000000")
    await tape.call("images limit", "image", "GET", "/images?name=debian-12&limit=1")
    for kind in ("networks", "subnets", "floatingips"):
        await tape.call(kind, "network", "GET", f"/{kind}")
    await tape.call("volumes", "block-storage", "GET", "/volumes/detail?name=none-such")
    await tape.call("volume unknown", "block-storage", "GET", "/volumes/00000000-0000-0000-0000-000000000000")
    await tape.call("volume limits", "block-storage", "GET", "/limits")
    await tape.call("network unknown", "network", "GET", "/networks/00000000-0000-0000-0000-000000000000")


async def keypairs(tape: Tape, known: Names) -> None:
    name = "tape-key"
    body = {"keypair": {"name": name, "public_key": KEY}}
    await tape.send("compute", "DELETE", f"/os-keypairs/{name}")
    for label, given in {
        "keypair create": body,
        "keypair twice": body,
        "keypair bad key": {"keypair": {"name": name + "x", "public_key": "nonsense"}},
        "keypair without key": {"keypair": {"name": name + "x"}},
    }.items():
        await tape.call(label, "compute", "POST", "/os-keypairs", given)
    await tape.call("keypair delete", "compute", "DELETE", f"/os-keypairs/{name}")


def ordered(known: Names, **other: Any) -> dict[str, Any]:
    server = {"name": "tape", "imageRef": known.image, "flavorRef": known.tiny, "networks": [{"uuid": known.network}]}
    return {"server": {k: v for k, v in (server | other).items() if v is not None}}


async def groups(tape: Tape, known: Names) -> None:
    """A security group of one's own: the default one is everybody's."""
    for found in (await tape.send("network", "GET", "/security-groups?name=tape"))[2]["security_groups"]:
        await tape.send("network", "DELETE", f"/security-groups/{found['id']}")
    body: dict[str, Any] = {"security_group": {"name": "tape", "description": "of the tape"}}
    id = (await tape.call("group create", "network", "POST", "/security-groups", body))["security_group"]["id"]
    rule = {"security_group_id": id, "direction": "ingress", "protocol": "tcp"}
    body = {"security_group_rule": rule | {"port_range_min": 22, "port_range_max": 22}}
    made = await tape.call("rule create", "network", "POST", "/security-group-rules", body)
    await tape.call("rule twice", "network", "POST", "/security-group-rules", body)
    body = {"security_group_rule": rule | {"remote_group_id": id}}
    await tape.call("rule from a group", "network", "POST", "/security-group-rules", body)
    await tape.call("group", "network", "GET", f"/security-groups/{id}")
    await tape.call("groups", "network", "GET", "/security-groups?name=tape")
    await tape.call("rule delete", "network", "DELETE", f"/security-group-rules/{made['security_group_rule']['id']}")
    await tape.call("group delete", "network", "DELETE", f"/security-groups/{id}")
    await tape.call("group gone", "network", "GET", f"/security-groups/{id}")


async def refused_orders(tape: Tape, known: Names) -> None:
    missing = MISSING
    for label, other in {
        "unknown flavor": {"flavorRef": "none-such"},
        "unknown image": {"imageRef": missing},
        "image malformed": {"imageRef": "none-such"},
        "no image": {"imageRef": None},
        "no name": {"name": None},
        "no networks": {"networks": None},
        "unknown network": {"networks": [{"uuid": missing}]},
        "name too long": {"name": "x" * 300},
        "name empty": {"name": ""},
        "unknown key": {"colour": "blue"},
        "unknown keypair": {"key_name": "none-such"},
        "metadata not text": {"metadata": {"a": 1}},
        "personality": {"personality": [{"path": "/etc/motd", "contents": "aGk="}]},
        "user data malformed": {"user_data": "not base64!"},
        "access address malformed": {"accessIPv4": "1.1.1.1.1.1"},
        "access address of version 6 malformed": {"accessIPv6": "notvalid"},
        "unknown zone": {"availability_zone": "none-such"},
        "unknown security group": {"security_groups": [{"name": "none-such"}]},
        "unknown volume": {"imageRef": None, "block_device_mapping_v2": [volume_of(missing)]},
    }.items():
        await tape.call(f"create refused: {label}", "compute", "POST", "/servers", ordered(known, **other))
    body = ordered(known, hostname="a_b")
    await tape.call("create refused: hostname malformed", "compute", "POST", "/servers", body, mv="2.90")


def volume_of(id: str) -> dict[str, Any]:
    return {"source_type": "volume", "destination_type": "volume", "uuid": id, "boot_index": 0}


# The lab holds its states open for as long as these say, so that a look can see them; other clouds take no notice.
SLOWLY = {"lab_task_seconds": "1.5", "lab_snapshot_seconds": "0.3"}


async def made(tape: Tape, known: Names, label: str, end: str = "ACTIVE", **other: Any) -> str:
    other = {"metadata": SLOWLY} | other
    answer = await tape.call(label, "compute", "POST", "/servers", ordered(known, **other))
    id: str = answer["server"]["id"]
    await tape.follow(label, id, end)
    return id


@contextlib.asynccontextmanager
async def server(tape: Tape, known: Names, flow: str, **other: Any) -> AsyncIterator[str]:
    """A server of a flow's own; what was asked of it is noted before it goes."""
    id = await made(tape, known, f"create for {flow}", **other)
    try:
        yield id
        await tape.note_events(flow, id)
    finally:
        await tape.send("compute", "DELETE", f"/servers/{id}")


async def act(tape: Tape, label: str, id: str, body: Any, *ends: str, mv: str = "2.96") -> Any:
    answer = await tape.call(label, "compute", "POST", f"/servers/{id}/action", body, mv=mv)
    if ends:
        await tape.follow(label, id, *ends)
    return answer


async def looks(tape: Tape, known: Names) -> None:
    async with server(tape, known, "looks", name="tape-looks") as id:
        await look_at(tape, id)


async def look_at(tape: Tape, id: str) -> None:
    for mv in SHAPES:
        await tape.call(f"show {mv}", "compute", "GET", f"/servers/{id}", mv=mv)
    for mv in ("2.1", "2.47", "2.96"):
        await tape.call(f"detail {mv}", "compute", "GET", "/servers/detail?name=tape-looks&limit=1", mv=mv)
    await tape.call("list", "compute", "GET", "/servers?name=tape-looks&limit=1")
    await tape.call("addresses", "compute", "GET", f"/servers/{id}/ips")
    await tape.call("metadata set", "compute", "POST", f"/servers/{id}/metadata", {"metadata": {"colour": "blue"}})
    await tape.call("metadata", "compute", "GET", f"/servers/{id}/metadata")
    await tape.call("metadata item", "compute", "PUT", f"/servers/{id}/metadata/colour", {"meta": {"colour": "red"}})
    await tape.call("metadata delete", "compute", "DELETE", f"/servers/{id}/metadata/colour")
    await tape.call("metadata unknown", "compute", "DELETE", f"/servers/{id}/metadata/colour")
    await tape.call("tag set", "compute", "PUT", f"/servers/{id}/tags/blue")
    await tape.call("tags", "compute", "GET", f"/servers/{id}/tags")
    await tape.call("tag delete", "compute", "DELETE", f"/servers/{id}/tags/blue")
    await tape.call("rename", "compute", "PUT", f"/servers/{id}", {"server": {"name": "tape-x"}})
    await tape.call("interfaces", "compute", "GET", f"/servers/{id}/os-interface")
    await tape.call("ports", "network", "GET", f"/ports?device_id={id}")
    await tape.call("security groups of a server", "compute", "GET", f"/servers/{id}/os-security-groups")
    await tape.call("volumes of a server", "compute", "GET", f"/servers/{id}/os-volume_attachments")
    await tape.call("console", "compute", "POST", f"/servers/{id}/action", {"os-getConsoleOutput": {"length": 1}})
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    await tape.call("remote console", "compute", "POST", f"/servers/{id}/remote-consoles", body)
    await tape.call("unknown action", "compute", "POST", f"/servers/{id}/action", {"fly": None})
    await tape.call("diagnostics", "compute", "GET", f"/servers/{id}/diagnostics")


async def moves(tape: Tape, known: Names) -> None:
    async with server(tape, known, "moves") as id:
        await act(tape, "reboot soft", id, SOFT, "ACTIVE")
        await act(tape, "reboot hard", id, {"reboot": {"type": "HARD"}}, "ACTIVE")
        await act(tape, "reboot malformed", id, {"reboot": {"type": "GENTLE"}})
        await act(tape, "confirm refused", id, {"confirmResize": None})
        await act(tape, "start refused", id, {"os-start": None})
        await act(tape, "lock", id, {"lock": {"locked_reason": "hands off"}})
        await act(tape, "reboot refused: locked", id, SOFT)
        await tape.call("delete refused: locked", "compute", "DELETE", f"/servers/{id}")
        await tape.call("metadata refused: locked", "compute", "POST", f"/servers/{id}/metadata", {"metadata": {}})
        await act(tape, "unlock", id, {"unlock": None})
        await act(tape, "reset state refused", id, {"os-resetState": {"state": "error"}})
        await act(tape, "migrate refused", id, {"migrate": None})


async def there_and_back(tape: Tape, known: Names) -> None:
    async with server(tape, known, "there and back") as id:
        for verb, back, rest in (
            ("os-stop", "os-start", "SHUTOFF"),
            ("pause", "unpause", "PAUSED"),
            ("suspend", "resume", "SUSPENDED"),
            ("shelve", "unshelve", "SHELVED_OFFLOADED"),
            ("rescue", "unrescue", "RESCUE"),
        ):
            await act(tape, verb, id, {verb: {} if verb == "rescue" else None}, rest)
            await act(tape, f"reboot refused: {rest}", id, SOFT)
            await act(tape, f"pause refused: {rest}", id, {"pause": None})
            await tape.call(f"show: {rest}", "compute", "GET", f"/servers/{id}")
            await act(tape, back, id, {back: None}, "ACTIVE")


async def resizes(tape: Tape, known: Names) -> None:
    small = {"resize": {"flavorRef": known.small}}
    async with server(tape, known, "resizes") as id:
        await act(tape, "resize to the same", id, {"resize": {"flavorRef": known.tiny}})
        await act(tape, "resize to unknown", id, {"resize": {"flavorRef": "none-such"}})
        await act(tape, "resize", id, small, "VERIFY_RESIZE")
        await act(tape, "reboot refused: VERIFY_RESIZE", id, SOFT)
        await act(tape, "revert", id, {"revertResize": None}, "ACTIVE")
        await act(tape, "resize again", id, small, "VERIFY_RESIZE")
        await act(tape, "confirm", id, {"confirmResize": None}, "ACTIVE")
    async with server(tape, known, "resize and delete") as id:
        await act(tape, "resize before delete", id, small, "VERIFY_RESIZE")
        await tape.call("delete of a resized one", "compute", "DELETE", f"/servers/{id}")
        await tape.follow("delete of a resized one", id)


async def resize_stopped(tape: Tape, known: Names) -> None:
    small = {"resize": {"flavorRef": known.small}}
    async with server(tape, known, "resize of a stopped one") as id:
        await act(tape, "stop before resize", id, {"os-stop": None}, "SHUTOFF")
        await act(tape, "resize of a stopped one", id, small, "VERIFY_RESIZE")
        await act(tape, "revert of a stopped one", id, {"revertResize": None}, "SHUTOFF")


async def rebuilds(tape: Tape, known: Names) -> None:
    same = {"rebuild": {"imageRef": known.image}}
    async with server(tape, known, "rebuilds") as id:
        await act(tape, "rebuild with a flavor", id, {"rebuild": {"imageRef": known.image, "flavorRef": known.tiny}})
        await act(tape, "rebuild of unknown", id, {"rebuild": {"imageRef": MISSING}})
        await act(tape, "rebuild malformed", id, {"rebuild": {"imageRef": "none-such"}})
        await act(tape, "rebuild", id, same, "ACTIVE")
        await act(tape, "stop before rebuild", id, {"os-stop": None}, "SHUTOFF")
        await act(tape, "rebuild of a stopped one", id, same, "SHUTOFF")


async def passwords(tape: Tape, known: Names) -> None:
    async with server(tape, known, "passwords") as id:
        await act(tape, "password malformed", id, {"changePassword": {}})
        await act(tape, "password", id, {"changePassword": {"adminPass": "another-secret"}}, "ACTIVE", "ERROR")
        await tape.call("show after the password", "compute", "GET", f"/servers/{id}")


async def pictures(tape: Tape, known: Names) -> None:
    async with server(tape, known, "pictures") as id:
        image = {"createImage": {"name": "tape-image", "metadata": {"made": "by-tape"}}}
        answer = await act(tape, "snapshot", id, image)
        await act(tape, "reboot refused: imaging", id, {"reboot": {"type": "SOFT"}})
        await act(tape, "snapshot refused: imaging", id, {"createImage": {"name": "tape-image-2"}})
        await tape.follow("snapshot", id, "ACTIVE")
        path = f"/images/{answer['image_id']}"
        await tape.call("snapshot image", "image", "GET", path)
        await tape.call("image delete", "image", "DELETE", path)
        await tape.call("image gone", "image", "GET", path)
        answer = await act(tape, "snapshot followed", id, {"createImage": {"name": "tape-image"}})
        path = f"/images/{answer['image_id']}"
        await tape.follow_status("image of a snapshot", "image", path, "", "active")
        await tape.send("image", "DELETE", path)
        await rest(tape, id)
        await act(tape, "snapshot 2.1", id, {"createImage": {"name": "tape-old"}}, mv="2.1")
        await rest(tape, id)
        for found in (await tape.send("image", "GET", "/images?name=tape-old"))[2]["images"]:
            await tape.send("image", "DELETE", f"/images/{found['id']}")
        body = {"createBackup": {"name": "tape-backup", "backup_type": "daily", "rotation": 0}}
        await act(tape, "backup", id, body, "ACTIVE")
        await tape.call("events", "compute", "GET", f"/servers/{id}/os-instance-actions")
        newest = (await tape.send("compute", "GET", f"/servers/{id}/os-instance-actions"))[2]["instanceActions"][0]
        await tape.call("event", "compute", "GET", f"/servers/{id}/os-instance-actions/{newest['request_id']}")
        await tape.call("event unknown", "compute", "GET", f"/servers/{id}/os-instance-actions/req-none-such")


async def rest(tape: Tape, id: str) -> None:
    while (await tape.send("compute", "GET", f"/servers/{id}"))[2]["server"]["OS-EXT-STS:task_state"]:
        await tape.pause()


async def ends(tape: Tape, known: Names) -> None:
    answer = await tape.call("create", "compute", "POST", "/servers", ordered(known, name="tape-ends", metadata=SLOWLY))
    id = answer["server"]["id"]
    await tape.call("show at once", "compute", "GET", f"/servers/{id}")
    await tape.follow("create", id, "ACTIVE")
    since = (await tape.send("compute", "GET", f"/servers/{id}"))[2]["server"]["updated"]
    await tape.call("delete", "compute", "DELETE", f"/servers/{id}")
    await tape.follow("delete", id)
    await tape.call("delete again", "compute", "DELETE", f"/servers/{id}")
    await act(tape, "reboot refused: gone", id, {"reboot": {"type": "SOFT"}})
    await tape.call("deleted since", "compute", "GET", f"/servers/detail?changes-since={since}&name=tape-ends")
    await tape.call("events of a deleted one", "compute", "GET", f"/servers/{id}/os-instance-actions")
    await tape.note_events("ends", id)


async def failures(tape: Tape, known: Names) -> None:
    broken = await made(tape, known, "create without a host", "ERROR", flavorRef=known.impossible)
    await tape.call("show without a host", "compute", "GET", f"/servers/{broken}")
    await act(tape, "reboot refused: never launched", broken, {"reboot": {"type": "HARD"}})
    await act(tape, "rebuild refused: never launched", broken, {"rebuild": {"imageRef": known.image}})
    await tape.note_events("create without a host", broken)
    await tape.call("delete of one without a host", "compute", "DELETE", f"/servers/{broken}")
    await tape.follow("delete of one without a host", broken)
    failed = await made(tape, known, "create that fails", "ERROR", metadata={"lab_fail": "build"})
    await tape.call("show of one that failed", "compute", "GET", f"/servers/{failed}")
    await tape.note_events("create that fails", failed)
    await tape.send("compute", "DELETE", f"/servers/{failed}")


async def volumes(tape: Tape, known: Names) -> None:
    storage = "block-storage"
    body = {"volume": {"name": "tape", "size": 1}}
    id = (await tape.call("volume create", storage, "POST", "/volumes", body))["volume"]["id"]
    await tape.follow_status("volume create", storage, f"/volumes/{id}", "volume", "available")
    await tape.call("volume without a size", storage, "POST", "/volumes", {"volume": {"name": "tape"}})
    async with server(tape, known, "volumes") as at:
        path = f"/servers/{at}/os-volume_attachments"
        await tape.call("volume attach", "compute", "POST", path, {"volumeAttachment": {"volumeId": id}})
        await tape.follow_status("volume attach", storage, f"/volumes/{id}", "volume", "in-use")
        await tape.call("volume in-use", storage, "GET", f"/volumes/{id}")
        await tape.call("volume attach twice", "compute", "POST", path, {"volumeAttachment": {"volumeId": id}})
        await tape.call("attachments", "compute", "GET", path)
        await tape.call("attachment 2.1", "compute", "GET", f"{path}/{id}", mv="2.1")
        await tape.call("show with a volume", "compute", "GET", f"/servers/{at}")
        await tape.call("volume delete refused", storage, "DELETE", f"/volumes/{id}")
        await tape.call("volume detach", "compute", "DELETE", f"{path}/{id}")
        await tape.follow_status("volume detach", storage, f"/volumes/{id}", "volume", "available")
        await tape.call("volume detach twice", "compute", "DELETE", f"{path}/{id}")
    await tape.call("volume delete", storage, "DELETE", f"/volumes/{id}")
    await tape.follow_status("volume delete", storage, f"/volumes/{id}", "volume", "none")


async def floating(tape: Tape, known: Names) -> None:
    async with server(tape, known, "floating") as id:
        port = (await tape.call("ports of a server", "network", "GET", f"/ports?device_id={id}"))["ports"][0]["id"]
        body = {"floatingip": {"floating_network_id": known.external}}
        ip = (await tape.call("floating create", "network", "POST", "/floatingips", body))["floatingip"]["id"]
        path = f"/floatingips/{ip}"
        await tape.call("floating associate", "network", "PUT", path, {"floatingip": {"port_id": port}})
        while "floating" not in str((await tape.send("compute", "GET", f"/servers/{id}/ips"))[2]):
            if "floating" in str((await tape.send("compute", "GET", f"/servers/{id}"))[2]["server"]["addresses"]):
                break
            await tape.pause()
        await tape.call("show with a floating IP", "compute", "GET", f"/servers/{id}")
        await tape.call("floating show", "network", "GET", path)
        await tape.call("floating release", "network", "PUT", path, {"floatingip": {"port_id": None}})
        await tape.call("floating delete", "network", "DELETE", path)
        await tape.call("floating gone", "network", "GET", path)


async def administration(tape: Tape, known: Names) -> None:
    admin = tape.admin
    assert admin is not None
    for label, path in {
        "hypervisors as admin": "/os-hypervisors/detail",
        "hypervisors 2.1 as admin": "/os-hypervisors/detail",
        "services as admin": "/os-services",
        "aggregates as admin": "/os-aggregates",
        "zones as admin": "/os-availability-zone/detail",
    }.items():
        await admin.call(label, "compute", "GET", path, mv="2.1" if "2.1" in label else "2.96")
    async with server(tape, known, "administration", name="tape-admin") as id:
        for mv in ("2.1", "2.3", "2.96"):
            await admin.call(f"show {mv} as admin", "compute", "GET", f"/servers/{id}", mv=mv)
        await admin.call("detail as admin", "compute", "GET", "/servers/detail?all_tenants=1&name=tape-admin&limit=1")
        await act(admin, "migrate", id, {"migrate": None}, "VERIFY_RESIZE")
        await admin.call("migrations of a server", "compute", "GET", f"/os-migrations?instance_uuid={id}")
        await act(admin, "confirm of a migration", id, {"confirmResize": None}, "ACTIVE")
        live = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
        await act(admin, "live migrate", id, live, "ACTIVE")
        await admin.call("migrations after all", "compute", "GET", f"/os-migrations?instance_uuid={id}")
        await act(admin, "reset state", id, {"os-resetState": {"state": "error"}})
        await act(admin, "reset state malformed", id, {"os-resetState": {"state": "ACTIVE"}})
        await tape.call("show after the reset", "compute", "GET", f"/servers/{id}")
        await act(admin, "reset state to active", id, {"os-resetState": {"state": "active"}})
        await admin.call("events as admin", "compute", "GET", f"/servers/{id}/os-instance-actions")
        await act(admin, "inject network", id, {"injectNetworkInfo": None})
        await act(admin, "reset network", id, {"resetNetwork": None})


Flow = Callable[[Tape, Names], Awaitable[None]]
FLOWS: dict[str, Flow] = {
    function.__name__: function
    for function in (
        discovery, logins, catalogue, keypairs, groups, refused_orders, looks, moves, there_and_back, resizes,
        resize_stopped, rebuilds, passwords, pictures, ends, failures, volumes, floating, administration,
    )
}  # fmt: skip


async def follow_all(tape: Tape, *wanted: str) -> None:
    """Log in and go through these flows, or all of them, in the order in which they are recorded."""
    await tape.login()
    known = await names(tape)
    for name in wanted or FLOWS:
        await FLOWS[name](tape, known)
