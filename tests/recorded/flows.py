"""What is asked of a cloud to know whether it is one: the flows that are recorded, in plain HTTP.

Each function leaves its replies and sequences on the tape. The same functions run against a real OpenStack (its replies
are kept beside this file) and against the embedded cloud (its replies are compared with those).
"""

import asyncio
from typing import Any

from tape import SHAPES, Tape

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


async def discovery(tape: Tape) -> None:
    compute = tape.endpoints["compute"].rsplit("/v2.1", 1)[0]
    await tape.call("compute versions", "compute", "GET", compute + "/", mv="")
    await tape.call("compute v2.1", "compute", "GET", compute + "/v2.1/", mv="")
    await tape.call("keystone versions", "identity", "GET", tape.keystone.removesuffix("/v3") + "/")
    await tape.call("keystone v3", "identity", "GET", tape.keystone)
    await tape.call("glance versions", "image", "GET", tape.endpoints["image"].removesuffix("/v2") + "/versions")
    await tape.call("neutron versions", "network", "GET", tape.endpoints["network"].removesuffix("/v2.0") + "/")
    await tape.call("version too high", "compute", "GET", "/servers", mv="2.999")
    await tape.call("version malformed", "compute", "GET", "/servers", mv="two")


async def logins(tape: Tape) -> None:
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
    await tape.call("images proxy 2.1", "compute", "GET", "/images", mv="2.1")
    await tape.call("images proxy 2.36", "compute", "GET", "/images", mv="2.36")
    await tape.call("image", "image", "GET", f"/images/{known.image}")
    await tape.call("image unknown", "image", "GET", "/images/00000000-0000-0000-0000-000000000000")
    await tape.call("images limit", "image", "GET", "/images?limit=1")
    for kind in ("networks", "subnets", "security-groups", "floatingips"):
        await tape.call(kind, "network", "GET", f"/{kind}")
    await tape.call("network unknown", "network", "GET", "/networks/00000000-0000-0000-0000-000000000000")


async def keypairs(tape: Tape) -> None:
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


async def refused_orders(tape: Tape, known: Names) -> None:
    missing = "00000000-0000-0000-0000-000000000000"
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
    }.items():
        await tape.call(f"create refused: {label}", "compute", "POST", "/servers", ordered(known, **other))


async def made(tape: Tape, known: Names, label: str = "create", end: str = "ACTIVE", **other: Any) -> str:
    answer = await tape.call(label, "compute", "POST", "/servers", ordered(known, **other))
    id: str = answer["server"]["id"]
    await tape.follow(label, id, end)
    return id


async def act(tape: Tape, label: str, id: str, body: Any, *ends: str, mv: str = "2.96") -> Any:
    answer = await tape.call(label, "compute", "POST", f"/servers/{id}/action", body, mv=mv)
    if ends:
        await tape.follow(label, id, *ends)
    return answer


async def looks(tape: Tape, id: str) -> None:
    for mv in SHAPES:
        await tape.call(f"show {mv}", "compute", "GET", f"/servers/{id}", mv=mv)
    for mv in ("2.1", "2.47", "2.96"):
        await tape.call(f"detail {mv}", "compute", "GET", "/servers/detail?name=tape&limit=1", mv=mv)
    await tape.call("list", "compute", "GET", "/servers?name=tape&limit=1")
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


async def moves(tape: Tape, known: Names, id: str) -> None:
    soft, small = {"reboot": {"type": "SOFT"}}, {"resize": {"flavorRef": known.small}}
    await act(tape, "reboot soft", id, soft, "ACTIVE")
    await act(tape, "reboot hard", id, {"reboot": {"type": "HARD"}}, "ACTIVE")
    await act(tape, "reboot malformed", id, {"reboot": {"type": "GENTLE"}})
    await act(tape, "confirm refused", id, {"confirmResize": None})
    await act(tape, "start refused", id, {"os-start": None})
    for verb, back, rest in (
        ("os-stop", "os-start", "SHUTOFF"),
        ("pause", "unpause", "PAUSED"),
        ("suspend", "resume", "SUSPENDED"),
        ("shelve", "unshelve", "SHELVED_OFFLOADED"),
        ("rescue", "unrescue", "RESCUE"),
    ):
        await act(tape, verb, id, {verb: {} if verb == "rescue" else None}, rest)
        await act(tape, f"reboot refused: {rest}", id, soft)
        await act(tape, f"pause refused: {rest}", id, {"pause": None})
        await act(tape, back, id, {back: None}, "ACTIVE")
    await act(tape, "resize to the same", id, {"resize": {"flavorRef": known.tiny}})
    await act(tape, "resize to unknown", id, {"resize": {"flavorRef": "none-such"}})
    await act(tape, "resize", id, small, "VERIFY_RESIZE")
    await act(tape, "reboot refused: VERIFY_RESIZE", id, soft)
    await act(tape, "revert", id, {"revertResize": None}, "ACTIVE")
    await act(tape, "resize again", id, small, "VERIFY_RESIZE")
    await act(tape, "confirm", id, {"confirmResize": None}, "ACTIVE")
    await act(tape, "rebuild", id, {"rebuild": {"imageRef": known.image}}, "ACTIVE")
    await act(tape, "lock", id, {"lock": {"locked_reason": "hands off"}})
    await act(tape, "reboot refused: locked", id, soft)
    await act(tape, "unlock", id, {"unlock": None})
    await act(tape, "reset state refused", id, {"os-resetState": {"state": "error"}})
    await act(tape, "migrate refused", id, {"migrate": None})


async def pictures(tape: Tape, id: str) -> None:
    answer = await act(tape, "snapshot", id, {"createImage": {"name": "tape-image", "metadata": {"made": "by-tape"}}})
    await act(tape, "reboot refused: imaging", id, {"reboot": {"type": "SOFT"}})
    await act(tape, "snapshot refused: imaging", id, {"createImage": {"name": "tape-image-2"}})
    await tape.follow("snapshot", id, "ACTIVE")
    image = answer["image_id"]
    for _ in range(400):
        _, _, found = await tape.send("image", "GET", f"/images/{image}")
        if found["status"] == "active":
            break
        await asyncio.sleep(0.05)
    await tape.call("snapshot image", "image", "GET", f"/images/{image}")
    await tape.call("image delete", "image", "DELETE", f"/images/{image}")
    await tape.call("image gone", "image", "GET", f"/images/{image}")
    body = {"createBackup": {"name": "tape-backup", "backup_type": "daily", "rotation": 0}}
    await act(tape, "backup", id, body, "ACTIVE")
    await tape.call("events", "compute", "GET", f"/servers/{id}/os-instance-actions")
    newest = (await tape.send("compute", "GET", f"/servers/{id}/os-instance-actions"))[2]["instanceActions"][0]
    await tape.call("event", "compute", "GET", f"/servers/{id}/os-instance-actions/{newest['request_id']}")


async def ends(tape: Tape, known: Names, id: str) -> None:
    await tape.call("delete", "compute", "DELETE", f"/servers/{id}")
    await tape.follow("delete", id)
    await tape.call("delete again", "compute", "DELETE", f"/servers/{id}")
    await act(tape, "reboot refused: gone", id, {"reboot": {"type": "SOFT"}})
    broken = await made(tape, known, "create without a host", "ERROR", flavorRef=known.impossible)
    await tape.call("show without a host", "compute", "GET", f"/servers/{broken}")
    await act(tape, "reboot refused: never launched", broken, {"reboot": {"type": "HARD"}})
    await act(tape, "rebuild refused: never launched", broken, {"rebuild": {"imageRef": known.image}})
    await tape.send("compute", "DELETE", f"/servers/{broken}")


async def everything(tape: Tape) -> None:
    """All flows, in the order in which they were recorded."""
    await tape.login()
    known = await names(tape)
    await discovery(tape)
    await logins(tape)
    await catalogue(tape, known)
    await keypairs(tape)
    await refused_orders(tape, known)
    id = await made(tape, known)
    try:
        await looks(tape, id)
        await moves(tape, known, id)
        await pictures(tape, id)
        await ends(tape, known, id)
    finally:
        await tape.send("compute", "DELETE", f"/servers/{id}")
