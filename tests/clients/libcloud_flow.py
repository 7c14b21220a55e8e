"""apache-libcloud's OpenStack driver, unmodified: a client with readers of its own for every reply.

`python libcloud_flow.py CLOUD IMAGE SMALL MEDIUM NETWORK EXTERNAL` prints one JSON object: {call: what came of it}.
"""

import json
import os
import sys
import time
import uuid
from pathlib import Path

import yaml
from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import NodeState
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

cloud, image_name, small, medium, network, external = sys.argv[1:7]
entry = yaml.safe_load(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())["clouds"][cloud]
auth = entry["auth"]
region = entry.get("region_name") or entry["regions"][0]
name = f"lib-{uuid.uuid4().hex[:6]}"
seen: dict[str, str] = {}


def driver():
    url = auth["auth_url"].removesuffix("/").removesuffix("/v3")
    return get_driver(Provider.OPENSTACK)(
        auth["username"],
        auth["password"],
        ex_force_auth_url=url,
        ex_force_auth_version="3.x_password",
        ex_tenant_name=auth["project_name"],
        ex_domain_name=auth.get("project_domain_name", "Default"),
        ex_force_service_region=region if isinstance(region, str) else region["name"],
        secure=url.startswith("https"),
        api_version="2.2",
    )


nova = driver()


def tried(call: str, result: object = "ok") -> None:
    seen[call] = str(result)


def becomes(node, state: str):
    until = time.monotonic() + 60
    while True:
        node = nova.ex_get_node_details(node.id)
        if node.extra["vm_state"] == state and not node.extra["task_state"]:
            return node
        assert time.monotonic() < until, (node.extra["vm_state"], node.extra["task_state"])
        time.sleep(0.2)


def act(call: str, order, node, state: str):
    assert order() is not False, call
    time.sleep(0.05)
    node = becomes(node, state)
    tried(call, node.state)
    return node


def life() -> None:
    sizes = {size.name: size for size in nova.list_sizes()}
    images = {image.name: image for image in nova.list_images()}
    networks = [found for found in nova.ex_list_networks() if found.name == network]
    tried("list_sizes, list_images, ex_list_networks", len(sizes))
    node = nova.create_node(name=name, size=sizes[small], image=images[image_name], networks=networks)
    try:
        node = becomes(node, "active")
        assert node.state == NodeState.RUNNING and node.private_ips + node.public_ips, node
        tried("create_node", node.state)
        assert node.id in {found.id for found in nova.list_nodes()}
        tried("list_nodes")
        everything(node, sizes, images)
    finally:
        assert nova.destroy_node(node)
        until = time.monotonic() + 60
        while node.id in {found.id for found in nova.list_nodes()}:
            assert time.monotonic() < until
            time.sleep(0.2)
        tried("destroy_node")


def everything(node, sizes, images) -> None:
    node = act("reboot_node", lambda: nova.reboot_node(node), node, "active")
    node = act("ex_hard_reboot_node", lambda: nova.ex_hard_reboot_node(node), node, "active")
    node = act("stop_node", lambda: nova.stop_node(node), node, "stopped")
    node = act("start_node", lambda: nova.start_node(node), node, "active")
    node = act("ex_pause_node", lambda: nova.ex_pause_node(node), node, "paused")
    node = act("ex_unpause_node", lambda: nova.ex_unpause_node(node), node, "active")
    node = act("ex_suspend_node", lambda: nova.ex_suspend_node(node), node, "suspended")
    node = act("ex_resume_node", lambda: nova.ex_resume_node(node), node, "active")
    node = act("ex_resize", lambda: nova.ex_resize(node, sizes[medium]), node, "resized")
    node = act("ex_revert_resize", lambda: nova.ex_revert_resize(node), node, "active")
    node = act("ex_resize again", lambda: nova.ex_resize(node, sizes[medium]), node, "resized")
    node = act("ex_confirm_resize", lambda: nova.ex_confirm_resize(node), node, "active")
    # It sends a flavorRef, which no Nova takes: the embedded cloud must refuse it as well.
    try:
        nova.ex_rebuild(node, images[image_name])
    except BaseHTTPError as error:
        assert error.code == 400 and "flavorRef" in str(error), error
        tried("ex_rebuild", "400, as everywhere")
    else:
        raise AssertionError("ex_rebuild with a flavorRef was taken")
    snapshot = nova.create_image(node, f"{name}-image", metadata={"made": "by-libcloud"})
    until = time.monotonic() + 60
    while nova.get_image(snapshot.id).extra["status"] != "active":
        assert time.monotonic() < until
        time.sleep(0.2)
    becomes(node, "active")
    assert nova.delete_image(snapshot)
    tried("create_image, get_image, delete_image")
    nova.ex_set_metadata(node, {"colour": "blue"})
    assert nova.ex_get_metadata(node)["colour"] == "blue"
    tried("ex_set_metadata, ex_get_metadata")
    assert nova.ex_set_server_name(node, f"{name}-x").name == f"{name}-x"
    tried("ex_set_server_name")
    assert nova.ex_get_console_output(node)["output"] is not None
    tried("ex_get_console_output")
    volume = nova.create_volume(1, name)
    while nova.ex_get_volume(volume.id).state != "available":
        time.sleep(0.2)
    nova.attach_volume(node, volume, device="auto")
    while nova.ex_get_volume(volume.id).state != "inuse":
        time.sleep(0.2)
    nova.detach_volume(nova.ex_get_volume(volume.id))
    while nova.ex_get_volume(volume.id).state != "available":
        time.sleep(0.2)
    assert nova.destroy_volume(volume)
    tried("create, attach, detach, destroy_volume")
    pool = next(found for found in nova.ex_list_floating_ip_pools() if found.name == external)
    ip = pool.create_floating_ip()
    assert nova.ex_attach_floating_ip_to_node(node, ip)
    until = time.monotonic() + 30
    while ip.ip_address not in nova.ex_get_node_details(node.id).public_ips:
        assert time.monotonic() < until, "the floating IP does not show"
        time.sleep(0.2)
    assert nova.ex_detach_floating_ip_from_node(node, ip)
    assert ip.delete()
    tried("floating IP: create, attach, detach, delete")
    pair = nova.create_key_pair(name)
    assert pair.private_key and nova.delete_key_pair(pair)
    tried("create_key_pair, delete_key_pair")


life()
json.dump(seen, sys.stdout)
