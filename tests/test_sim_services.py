"""The embedded cloud's other services: logins and catalog, images, networks, volumes, key pairs, administration."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from sim_client import brief, lab

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


async def log_in(session: aiohttp.ClientSession, url: str, auth: dict[str, Any]) -> tuple[int, Any, str]:
    async with session.post(f"{url}/auth/tokens", json={"auth": auth}) as reply:
        return reply.status, await reply.json(), reply.headers.get("X-Subject-Token", "")


async def test_every_way_to_log_in_and_those_that_are_refused() -> None:
    async with lab(servers=0) as (estate, member, _):
        url, session = member.entry["auth"]["auth_url"], member.session
        cloud = estate.clouds["lab"]
        scope = {"project": {"id": cloud.project.id}}
        domain = {"id": "default"}
        user = {"name": "demo", "domain": domain, "password": cloud.user.password}
        password = {"methods": ["password"], "password": {"user": user}}
        status, body, token = await log_in(session, url, {"identity": password, "scope": scope})
        assert status == 201 and [r["name"] for r in body["token"]["roles"]] == ["member", "reader"]
        again = {"methods": ["token"], "token": {"id": token}}
        assert (await log_in(session, url, {"identity": again, "scope": scope}))[0] == 201
        status, body, _ = await log_in(session, url, {"identity": password})
        assert status == 201 and "catalog" not in body["token"] and "project" not in body["token"]
        credential = cloud.identity.add_credential(cloud.user, cloud.project, "app")
        app = {"methods": ["application_credential"]}
        app["application_credential"] = {"id": credential.id, "secret": credential.secret}
        status, body, _ = await log_in(session, url, {"identity": app})
        assert status == 201 and body["token"]["project"]["name"] == "demo"
        status, body, _ = await log_in(session, url, {"identity": app, "scope": scope})
        assert (status, body["error"]["message"]) == (401, "Application credentials cannot request a scope.")
        user["password"] = "wrong"
        status, body, _ = await log_in(session, url, {"identity": password, "scope": scope})
        wanted = {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}
        assert (status, body["error"]) == (401, wanted)


async def test_a_token_ends_and_is_answered_by_the_middleware() -> None:
    async with lab(servers=0, token_seconds=60) as (estate, member, _):
        assert (await member.nova("GET", "/servers")).status == 200
        await estate.clock.advance(61)
        reply = await member.nova("GET", "/servers")
        assert reply.status == 401 and reply.body["error"]["title"] == "Unauthorized"
        assert reply.headers["WWW-Authenticate"].startswith("Keystone uri=")
        assert (await member.glance("GET", "/v2/images")).headers["Content-Type"].startswith("text/html")
        await member.login()
        assert (await member.nova("GET", "/servers")).status == 200
        estate.control.expire_tokens("nimbus")
        assert (await member.nova("GET", "/servers")).status == 200
        estate.control.expire_tokens("lab")
        assert (await member.nova("GET", "/servers")).status == 401


@pytest.mark.parametrize("cloud", ["nimbus", "lab"])
async def test_discovery_documents(cloud: str) -> None:
    async with lab(cloud, servers=0) as (_, member, _admin):
        keystone = member.entry["auth"]["auth_url"].removesuffix("/v3")
        root = await member.ask("GET", keystone + "/")
        assert root.status == 300 and root.body["versions"]["values"][0]["links"][0]["href"] == f"{keystone}/v3/"
        nova = member.url("compute")
        bare = nova.removesuffix("/v2.1")
        versions = (await member.ask("GET", bare + "/")).body["versions"]
        assert [(v["id"], v["version"]) for v in versions] == [("v2.0", ""), ("v2.1", "2.104")]
        assert (await member.ask("GET", nova)).body["version"]["links"][0]["href"] == f"{nova}/"
        assert (await member.ask("GET", bare + "/nothing")).status == 300
        assert (await member.ask("GET", f"{nova}/{member.project}")).status == 404
        assert (await member.ask("GET", f"{nova}/{member.project}/servers")).status == 200
        assert (await member.ask("GET", member.url("image") + "/")).status == 300
        assert (await member.ask("GET", member.url("image") + "/versions")).status == 200
        assert (await member.ask("GET", member.url("network") + "/")).status == 200
        assert (await member.ask("GET", member.url("block-storage").removesuffix("/v3") + "/")).status == 300


async def test_images_page_by_relative_links_and_are_patched_shared_and_protected() -> None:
    async with lab(servers=0) as (_, member, admin):
        seen, url = [], "/v2/images?limit=3"
        while url:
            body = (await member.glance("GET", url)).body
            seen += [i["name"] for i in body["images"]]
            url = body.get("next", "")
            assert not url or url.startswith("/v2/images?")
        assert "debian-12" in seen and len(seen) == len(set(seen)) == 7
        made = await member.glance("POST", "/v2/images", {"name": "mine", "os_distro": "debian"})
        assert made.status == 201 and made.body["status"] == "queued" and made.body["size"] is None
        path = f"/v2/images/{made.body['id']}"
        changes = [
            {"op": "replace", "path": "/name", "value": "ours"},
            {"op": "add", "path": "/why", "value": "x"},
            {"op": "replace", "path": "/protected", "value": True},
        ]
        assert (await member.glance("PATCH", path, changes)).status == 415
        patched = await member.glance("PATCH", path, changes, **PATCH)
        assert (patched.status, patched.body["name"], patched.body["why"]) == (200, "ours", "x")
        refused = await member.glance("DELETE", path)
        assert refused.status == 403 and refused.headers["Content-Type"].startswith("text/html")
        members = await member.glance("POST", f"{path}/members", {"member": admin.project})
        assert (members.status, members.body["status"]) == (200, "pending")
        assert (await member.glance("PUT", f"{path}/tags/blue")).status == 204
        assert [i["id"] for i in (await member.glance("GET", "/v2/images?tag=blue")).body["images"]] == [
            made.body["id"]
        ]
        assert (await member.glance("GET", "/v2/images/nope")).status == 404
        assert (await member.glance("DELETE", f"/v2/images/{await member.image()}")).status == 403


async def test_a_floating_ip_shows_in_the_servers_addresses_without_bumping_it() -> None:
    async with lab() as (_, member, _admin):
        server = (await member.nova("GET", "/servers/detail?name=db-primary")).body["servers"][0]
        port = (await member.neutron("GET", f"/ports?device_id={server['id']}")).body["ports"][0]
        body = {"floating_network_id": await member.network("public"), "port_id": port["id"]}
        made = await member.neutron("POST", "/floatingips", {"floatingip": body})
        assert made.status == 201 and made.body["floatingip"]["status"] == "ACTIVE"
        after = await member.show(server["id"])
        kinds = {a["OS-EXT-IPS:type"] for rows in after["addresses"].values() for a in rows}
        assert kinds == {"fixed", "floating"} and after["updated"] == server["updated"]
        id = made.body["floatingip"]["id"]
        await member.neutron("PUT", f"/floatingips/{id}", {"floatingip": {"port_id": None}})
        assert (await member.show(server["id"]))["addresses"] == server["addresses"]
        assert (await member.neutron("DELETE", f"/floatingips/{id}")).status == 204


async def test_ports_groups_and_rules() -> None:
    async with lab(servers=0) as (_, member, admin):
        group = await member.neutron("POST", "/security-groups", {"security_group": {"name": "web"}})
        assert group.status == 201
        id = group.body["security_group"]["id"]
        rule = {"security_group_id": id, "direction": "ingress", "protocol": "tcp", "port_range_min": 22}
        made = await member.neutron("POST", "/security-group-rules", {"security_group_rule": rule})
        assert made.status == 201
        twice = await member.neutron("POST", "/security-group-rules", {"security_group_rule": rule})
        assert (twice.status, twice.body["NeutronError"]["type"]) == (409, "SecurityGroupRuleExists")
        port = await member.neutron("POST", "/ports", {"port": {"network_id": await member.network()}})
        path = f"/ports/{port.body['port']['id']}"
        pairs = {"port": {"allowed_address_pairs": [{"ip_address": "127.0.9.9"}]}}
        assert (await member.neutron("PUT", path, pairs)).status == 403
        assert (await admin.neutron("PUT", path, pairs)).status == 200
        shown = (await member.neutron("GET", path)).body["port"]
        assert shown["allowed_address_pairs"][0]["ip_address"] == "127.0.9.9" and "binding:host_id" not in shown
        assert (await member.neutron("GET", "/ports/nope")).body["NeutronError"]["type"] == "PortNotFound"


async def test_volumes_attach_extend_detach_and_know_their_quota() -> None:
    async with lab() as (estate, member, _):
        server = (await member.nova("GET", "/servers/detail?name=db-primary")).body["servers"][0]["id"]
        made = await member.cinder("POST", "/volumes", {"volume": {"size": 2, "name": "data"}})
        assert (made.status, made.body["volume"]["status"]) == (202, "creating")
        id = made.body["volume"]["id"]
        await estate.clock.advance(2)
        attach = await member.nova(
            "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": id}}
        )
        assert attach.status == 200 and attach.body["volumeAttachment"]["device"] == "/dev/vdb"
        seen = []
        for _ in range(10):
            volume = (await member.cinder("GET", f"/volumes/{id}")).body["volume"]
            seen += [volume["status"]] if volume["status"] not in seen else []
            await estate.clock.advance(0.2)
        assert seen == ["reserved", "attaching", "in-use"] and volume["attachments"][0]["server_id"] == server
        assert (await member.cinder("DELETE", f"/volumes/{id}")).status == 400
        assert [v["id"] for v in (await member.show(server))["os-extended-volumes:volumes_attached"]] == [id]
        assert (await member.nova("DELETE", f"/servers/{server}/os-volume_attachments/{id}")).status == 202
        await estate.clock.advance(2)
        assert (await member.cinder("DELETE", f"/volumes/{id}")).status == 202
        await estate.clock.advance(2)
        assert (await member.cinder("GET", f"/volumes/{id}")).status == 404
        estate.clouds["lab"].regions["ber"].volume.quota["volumes"] = 0
        over = await member.cinder("POST", "/volumes", {"volume": {"size": 1}})
        assert (over.status, over.headers["Retry-After"]) == (413, "0")
        text = "Maximum number of volumes allowed (0) exceeded for quota 'volumes'."
        assert over.body["overLimit"]["message"] == text


async def test_a_server_boots_from_a_volume_and_its_image_is_an_empty_string() -> None:
    async with lab(servers=0) as (estate, member, _):
        disk = {"source_type": "image", "destination_type": "volume", "uuid": await member.image(), "boot_index": 0,
                "volume_size": 4, "delete_on_termination": True}  # fmt: skip
        body = {"name": "bfv", "flavorRef": "1", "networks": "none", "block_device_mapping_v2": [disk]}
        id = (await member.nova("POST", "/servers", {"server": body})).body["server"]["id"]
        await estate.clock.advance(5)
        server = await member.show(id)
        assert (brief(server), server["image"], server["addresses"]) == ("ACTIVE/None", "", {})
        assert (await member.act(id, "createBackup", {"name": "b", "backup_type": "d", "rotation": 1})).status == 400
        image = (await member.act(id, "createImage", {"name": "shot"})).body["image_id"]
        assert brief(await member.show(id)) == "ACTIVE/None"
        assert (await member.glance("GET", f"/v2/images/{image}")).body["size"] == 0
        plain = {"name": "again", "flavorRef": "1", "networks": "none", "imageRef": image}
        second = (await member.nova("POST", "/servers", {"server": plain})).body["server"]["id"]
        await estate.clock.advance(5)
        again = await member.show(second)
        (volume,) = again["os-extended-volumes:volumes_attached"]
        assert (again["image"]["id"], volume["delete_on_termination"]) == (image, True)
        assert (await member.cinder("GET", f"/volumes/{volume['id']}")).body["volume"]["snapshot_id"]
        await member.nova("DELETE", f"/servers/{second}")
        await estate.clock.advance(2)
        quota = estate.clouds["lab"].regions["ber"].volume.quota
        quota.update(snapshots=1, gigabytes=5)
        over = await member.act(id, "createImage", {"name": "shot"})
        assert (over.status, over.body["forbidden"]["message"]) == (403, "Quota exceeded for resources: snapshots")
        more = (await member.nova("POST", "/servers", {"server": body})).body["server"]["id"]
        await estate.clock.advance(5)
        failed = await member.show(more)
        assert failed["status"] == "ERROR" and "Requested 4G, quota is 5G and 4G has been" in failed["fault"]["message"]
        await member.nova("DELETE", f"/servers/{id}")
        await estate.clock.advance(2)
        assert (await member.cinder("GET", "/volumes")).body["volumes"] == []


async def test_key_pairs_differ_by_microversion() -> None:
    async with lab(servers=0) as (_, member, _admin):
        old = await member.nova("POST", "/os-keypairs", {"keypair": {"name": "a"}}, mv="2.1")
        assert old.status == 200 and "PRIVATE KEY" in old.body["keypair"]["private_key"]
        twice = await member.nova("POST", "/os-keypairs", {"keypair": {"name": "a"}}, mv="2.2")
        assert (twice.status, twice.body["conflictingRequest"]["message"]) == (409, "Key pair 'a' already exists.")
        assert (await member.nova("POST", "/os-keypairs", {"keypair": {"name": "b"}}, mv="2.92")).status == 400
        bad = await member.nova("POST", "/os-keypairs", {"keypair": {"name": "b", "public_key": "ssh-rsa x"}})
        assert bad.status == 400
        assert (await member.nova("DELETE", "/os-keypairs/a", mv="2.1")).status == 202
        assert (await member.nova("GET", "/os-keypairs/a")).status == 404


async def test_administration_is_for_administrators() -> None:
    async with lab() as (_, member, admin):
        for path in ("/os-hypervisors/detail", "/os-services", "/os-aggregates", "/os-migrations"):
            assert (await member.nova("GET", path)).status == 403
            assert (await admin.nova("GET", path)).status == 200
        rows = (await admin.nova("GET", "/os-hypervisors/detail", mv="2.87")).body["hypervisors"]
        assert rows[0]["running_vms"] + rows[1]["running_vms"] > 3
        assert "running_vms" not in (await admin.nova("GET", "/os-hypervisors/detail")).body["hypervisors"][0]
        body = {"aggregate": {"name": "fast", "availability_zone": None}}
        made = (await admin.nova("POST", "/os-aggregates", body)).body["aggregate"]
        action = f"/os-aggregates/{made['id']}/action"
        hosts = (await admin.nova("POST", action, {"add_host": {"host": "compute-2"}})).body["aggregate"]["hosts"]
        assert hosts == ["compute-2"]
        everyone = (await admin.nova("GET", "/servers/detail?all_tenants=1")).body["servers"]
        assert len(everyone) == 9 and (await admin.nova("GET", "/servers")).body["servers"] == []
