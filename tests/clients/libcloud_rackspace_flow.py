"""apache-libcloud's Rackspace driver, unmodified, against the next generation: login by API key, no microversions.

`python libcloud_rackspace_flow.py` prints one JSON object: {call: what came of it}.
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

entry = yaml.safe_load(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())["clouds"]["rackspace"]
name = f"lib-{uuid.uuid4().hex[:6]}"
seen: dict[str, str] = {}


def driver(region: str):
    auth = entry["auth"]
    return get_driver(Provider.RACKSPACE)(
        auth["username"],
        auth["api_key"],
        region=region.lower(),
        ex_force_auth_url=auth["auth_url"].removesuffix("/v2.0"),
    )


nova = driver(entry["regions"][0])


def tried(call: str, result: object = "ok") -> None:
    seen[call] = str(result)


def becomes(node, state: str):
    until = time.monotonic() + 60
    while True:
        node = nova.ex_get_node_details(node.id)
        if node.extra["vm_state"] == state and not node.extra["task_state"]:
            return node
        assert time.monotonic() < until, (node.extra["vm_state"], node.extra["task_state"])
        time.sleep(0.1)


def act(call: str, order, node, state: str):
    assert order() is not False, call
    time.sleep(0.05)
    node = becomes(node, state)
    tried(call, node.state)
    return node


def life() -> None:
    sizes = {size.id: size for size in nova.list_sizes()}
    images = {image.name: image for image in nova.list_images()}
    labels = {network.name: network for network in nova.ex_list_networks()}
    assert labels["public"].id.strip("0-") == "" and labels["private"].id.strip("1-") == "", labels
    tried("list_sizes, list_images, ex_list_networks", len(sizes) + len(images))
    wanted = {"size": sizes["general1-1"], "image": images["Debian 12 (Bookworm) (Cloud)"]}
    node = nova.create_node(name=name, ex_metadata={"made": "by-libcloud"}, ex_disk_config="AUTO", **wanted)
    assert node.extra["password"]
    try:
        node = becomes(node, "active")
        assert node.state == NodeState.RUNNING and len(node.public_ips + node.private_ips) == 3, node
        tried("create_node", node.public_ips)
        assert node.id in {found.id for found in nova.list_nodes()}
        tried("list_nodes")
        everything(node, sizes, images)
    finally:
        assert nova.destroy_node(node)
        until = time.monotonic() + 60
        while node.id in {found.id for found in nova.list_nodes()}:
            assert time.monotonic() < until
            time.sleep(0.1)
        tried("destroy_node")
    assert node.id not in {found.id for found in driver(entry["regions"][1]).list_nodes()}
    tried("list_nodes of another region")


def everything(node, sizes, images) -> None:
    node = act("reboot_node", lambda: nova.reboot_node(node), node, "active")
    node = act("ex_soft_reboot_node", lambda: nova.ex_soft_reboot_node(node), node, "active")
    node = act("ex_set_password", lambda: nova.ex_set_password(node, "Secret-1"), node, "active")
    node = act("stop_node", lambda: nova.stop_node(node), node, "stopped")
    node = act("start_node", lambda: nova.start_node(node), node, "active")
    node = act("ex_rescue", lambda: nova.ex_rescue(node), node, "rescued")
    node = act("ex_unrescue", lambda: nova.ex_unrescue(node), node, "active")
    node = act("ex_resize", lambda: nova.ex_resize(node, sizes["general1-2"]), node, "resized")
    node = act("ex_revert_resize", lambda: nova.ex_revert_resize(node), node, "active")
    node = act("ex_resize again", lambda: nova.ex_resize(node, sizes["general1-2"]), node, "resized")
    node = act("ex_confirm_resize", lambda: nova.ex_confirm_resize(node), node, "active")
    assert node.extra["flavorId"] == "general1-2"
    try:
        nova.ex_resize(node, sizes["performance2-15"])
    except BaseHTTPError as error:
        tried("ex_resize into another class", error)
    else:
        raise AssertionError("a resize into another class was taken")
    centos = images["CentOS 7 (PVHVM)"]
    node = act("ex_rebuild", lambda: nova.ex_rebuild(node, centos), node, "active")
    assert node.extra["imageId"] == centos.id
    snapshot = nova.create_image(node, f"{name}-image", metadata={"made": "by-libcloud"})
    until = time.monotonic() + 60
    while nova.get_image(snapshot.id).extra["status"] != "ACTIVE":
        assert time.monotonic() < until
        time.sleep(0.1)
    node = becomes(node, "active")
    assert nova.get_image(snapshot.id).extra["metadata"]["made"] == "by-libcloud"
    assert nova.delete_image(snapshot)
    tried("create_image, get_image, delete_image")
    nova.ex_set_metadata(node, {"colour": "blue"})
    assert nova.ex_get_metadata(node)["colour"] == "blue"
    tried("ex_set_metadata, ex_get_metadata")
    assert nova.ex_set_server_name(node, f"{name}-x").name == f"{name}-x"
    tried("ex_set_server_name")
    network = nova.ex_create_network(name, "192.168.9.0/24")
    assert network.id in {found.id for found in nova.ex_list_networks()}
    assert nova.ex_delete_network(network)
    tried("ex_create_network, ex_delete_network")
    pair = nova.create_key_pair(name)
    assert pair.private_key and nova.delete_key_pair(pair)
    tried("create_key_pair, delete_key_pair")


life()
json.dump(seen, sys.stdout)
