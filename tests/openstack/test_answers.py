"""Answers that a console must understand, asked of both clouds: codes, shapes and words as a real Nova gives them."""

import asyncssh
import pytest
from doings import ssh_address, until_listening, witness_of
from ground import Cloud
from witness import Json

NOBODY = "00000000-0000-0000-0000-000000000000"
# What any member sees of a server at microversion 2.1, and what came later; the administrator sees more.
AT_2_1 = {
    *("OS-DCF:diskConfig", "OS-EXT-AZ:availability_zone", "OS-EXT-STS:power_state", "OS-EXT-STS:task_state"),
    *("OS-EXT-STS:vm_state", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at", "accessIPv4", "accessIPv6"),
    *("addresses", "config_drive", "created", "flavor", "hostId", "id", "image", "key_name", "links", "metadata"),
    *("name", "os-extended-volumes:volumes_attached", "progress", "security_groups", "status", "tenant_id"),
    *("updated", "user_id"),
}
SINCE = {
    *("OS-EXT-SRV-ATTR:hostname", "description", "locked", "locked_reason", "pinned_availability_zone"),
    *("server_groups", "tags", "trusted_image_certificates"),
}
FOR_ADMINS = {
    *("OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name"),
    *("OS-EXT-SRV-ATTR:launch_index", "OS-EXT-SRV-ATTR:reservation_id", "OS-EXT-SRV-ATTR:root_device_name"),
    *("OS-EXT-SRV-ATTR:user_data", "host_status"),
}
REFUSALS: list[tuple[int, str, str, str, Json | None]] = [
    # status  method    service    path and body
    (404, "GET", "compute", f"/servers/{NOBODY}", None),
    (404, "DELETE", "compute", f"/servers/{NOBODY}", None),
    (404, "GET", "compute", f"/flavors/{NOBODY}", None),
    (404, "GET", "image", f"/v2/images/{NOBODY}", None),
    (404, "DELETE", "image", f"/v2/images/{NOBODY}", None),
    (404, "GET", "network", f"/v2.0/networks/{NOBODY}", None),
    (400, "GET", "compute", "/servers?limit=x", None),
    (400, "GET", "compute", f"/servers?marker={NOBODY}", None),
    (400, "GET", "compute", "/servers/detail?changes-since=soon", None),
    (400, "GET", "compute", "/servers/detail?status=NONSENSE", None),
    (403, "GET", "compute", "/servers/detail?all_tenants=1", None),
    (400, "POST", "compute", "/servers", {"server": {}}),
    (404, "POST", "compute", f"/servers/{NOBODY}/action", {"reboot": {"type": "SOFT"}}),
]
REFUSED_ACTIONS: list[tuple[int, Json]] = [
    (409, {"confirmResize": None}),
    (409, {"revertResize": None}),
    (400, {"nonsense": None}),
    (400, {"reboot": {"type": "MAYBE"}}),
    (400, {"resize": {"flavorRef": NOBODY}}),
    (400, {"createImage": {}}),
]


async def test_refusals_have_the_status_codes_of_nova(cloud: Cloud) -> None:
    seen = [
        ((await cloud.witness.call(method, service, path, body)).status, method, service, path, body)
        for _, method, service, path, body in REFUSALS
    ]
    assert seen == REFUSALS


async def test_a_refusal_names_itself_and_has_a_request_id(cloud: Cloud) -> None:
    answer = await cloud.witness.call("GET", "compute", f"/servers/{NOBODY}")
    assert answer.body == {"itemNotFound": {"code": 404, "message": f"Instance {NOBODY} could not be found."}}
    assert {name.lower(): value for name, value in answer.headers.items()}["x-openstack-request-id"].startswith("req-")


async def test_too_high_a_microversion_is_told_the_range(cloud: Cloud) -> None:
    async with witness_of(cloud, cloud.member, "2.9999") as witness:
        answer = await witness.call("GET", "compute", "/servers")
    assert answer.status == 406
    assert "Minimum is 2.1 and maximum is 2." in answer.body["computeFault"]["message"]


async def test_a_server_in_the_eyes_of_each(cloud: Cloud) -> None:
    server = await cloud.witness.create(cloud.name("web"))
    record = await cloud.witness.until(server, "ACTIVE")
    assert record.keys() == AT_2_1 | SINCE
    assert record["flavor"].keys() == {*("vcpus", "ram", "disk", "ephemeral", "swap", "original_name", "extra_specs")}
    async with witness_of(cloud, cloud.member, "2.1") as old, witness_of(cloud, cloud.admin) as admin:
        before = await old.server(server)
        assert before is not None
        assert before.keys() == AT_2_1
        assert before["flavor"]["id"] == (await cloud.witness.flavor(cloud.tiny))["id"]
        known_to_admin = await admin.server(server)
        assert known_to_admin is not None
        assert known_to_admin.keys() >= record.keys() | FOR_ADMINS
    seen = [((await cloud.witness.act(server, action)), action) for _, action in REFUSED_ACTIONS]
    assert seen == REFUSED_ACTIONS
    actions = (await cloud.witness.ask("compute", f"/servers/{server}/os-instance-actions"))["instanceActions"]
    assert actions[-1]["action"] == "create"


async def test_pages_are_as_long_as_asked_for(cloud: Cloud) -> None:
    ids = {await cloud.witness.create(cloud.name(word)) for word in ("one", "two")}
    for server in ids:
        await cloud.witness.until(server, "ACTIVE")
    path = f"/servers/detail?limit=1&name=%5E{cloud.prefix}"
    first = await cloud.witness.ask("compute", path)
    following = next(link["href"] for link in first["servers_links"] if link["rel"] == "next")
    second = await cloud.witness.ask("compute", f"/servers/detail?{following.partition('?')[2]}")
    assert {page["servers"][0]["id"] for page in (first, second)} == ids


async def test_a_guest_is_who_its_console_says(cloud: Cloud) -> None:
    if not cloud.guests:
        pytest.skip("guests of the lab need root: port 22 and namespaces")
    key = asyncssh.generate_private_key("ssh-ed25519")
    pair = {"name": cloud.name("key"), "public_key": key.export_public_key().decode()}
    made = await cloud.witness.call("POST", "compute", "/os-keypairs", {"keypair": pair | {"type": "ssh"}})
    assert made.status in (200, 201)
    server = await cloud.witness.create(cloud.name("web"), key_name=pair["name"])
    await cloud.witness.until(server, "ACTIVE")
    known = asyncssh.import_known_hosts("".join(f"* {key}\n" for key in await cloud.witness.host_keys(server)))
    record = await cloud.witness.until(server, "ACTIVE")
    where = ssh_address(record)
    await until_listening(*where)
    async with asyncssh.connect(
        *where, username="root", client_keys=[key], known_hosts=known, config=None, agent_path=None
    ) as connection:
        assert str((await connection.run("hostname", check=True)).stdout).strip() == record["OS-EXT-SRV-ATTR:hostname"]
