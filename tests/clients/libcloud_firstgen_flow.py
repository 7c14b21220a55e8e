"""apache-libcloud's first-generation driver, unmodified: it logs in at Identity v2.0, and speaks XML to v1.0.

`python libcloud_firstgen_flow.py CONTROL` prints one JSON object: {call: what came of it}.  CONTROL is where the
embedded cloud's clock is moved: the cloud takes ten POSTs a minute, and nobody wants to wait for that.
"""

import json
import os
import sys
import urllib.request
import uuid
from pathlib import Path

import yaml
from libcloud.compute.base import NodeState
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

control = sys.argv[1]
auth = yaml.safe_load(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())["clouds"]["legacy"]["auth"]
name = f"lib-{uuid.uuid4().hex[:6]}"
seen: dict[str, str] = {}


def driver():
    return get_driver(Provider.RACKSPACE_FIRST_GEN)(
        auth["username"], auth["api_key"], ex_force_auth_url=auth["auth_url"].removesuffix("/v1.0")
    )


old = driver()


def tried(call: str, result: object = "ok") -> None:
    seen[call] = str(result)


def wait(seconds: float = 61) -> None:
    headers = {"X-Novadeck-Control": "flow", "Content-Type": "application/json"}
    body = json.dumps({"seconds": seconds}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{control}/clock/advance", body, headers)).close()


def look(node):
    return next(found for found in old.list_nodes() if found.id == node.id)


def status(node) -> str:
    return old.connection.request(f"/servers/{node.id}").object.get("status")


def act(call: str, order, node, says: object = True):
    """Give an order, look at the status that it brings, and wait until it is carried out."""
    assert order() is says, call
    tried(call, status(node))
    wait()
    return look(node)


def life() -> None:
    sizes = {size.ram: size for size in old.list_sizes()}
    images = {image.name: image for image in old.list_images()}
    assert sizes[256].disk == 10 and sizes[15872].disk == 620, sizes
    tried("list_sizes, list_images, list_locations", len(sizes) + len(images) + len(old.list_locations()))
    debian = images["Debian 6 (Squeeze)"]
    node = old.create_node(
        name=name, size=sizes[256], image=debian, ex_metadata={"made": "by-libcloud"}, ex_files={"/etc/motd": "hello"}
    )
    assert node.state == NodeState.PENDING and node.extra["password"] and node.public_ips and node.private_ips, node
    tried("create_node", node.extra["metadata"])
    wait()
    node = look(node)
    assert node.state == NodeState.RUNNING and node.extra["metadata"] == {"made": "by-libcloud"}, node
    tried("list_nodes", node.extra["hostId"])
    everything(node, sizes, images)
    assert old.destroy_node(node)
    assert node.id not in {found.id for found in old.list_nodes()}
    tried("destroy_node")


def everything(node, sizes, images) -> None:
    node = act("reboot_node", lambda: old.reboot_node(node), node)
    node = act("ex_soft_reboot_node", lambda: old.ex_soft_reboot_node(node), node)
    node = act("ex_set_password", lambda: old.ex_set_password(node, "Secret-1"), node)
    node = act("ex_set_server_name", lambda: old.ex_set_server_name(node, f"{name}-x"), node)
    assert node.name == f"{name}-x"
    node = act("ex_resize_node", lambda: old.ex_resize_node(node, sizes[512]), node)
    assert status(node) == "VERIFY_RESIZE"
    node = act("ex_confirm_resize", lambda: old.ex_confirm_resize(node), node)
    assert node.extra["flavorId"] == sizes[512].id
    node = act("ex_resize_node again", lambda: old.ex_resize_node(node, sizes[1024]), node)
    # The guide says 202 and so does the cloud; the driver takes only a 204 for a yes. The server is back all the same.
    node = act("ex_revert_resize", lambda: old.ex_revert_resize(node), node, says=False)
    assert node.extra["flavorId"] == sizes[512].id and status(node) == "ACTIVE"
    node = act("ex_rebuild", lambda: old.ex_rebuild(node, images["CentOS 5.5"]), node)
    assert node.extra["imageId"] == images["CentOS 5.5"].id
    image = old.create_image(node, f"{name}-image")
    tried("create_image", image.extra["status"])
    wait()
    kept = next(found for found in old.list_images() if found.id == image.id)
    assert kept.extra["serverId"] == node.id, kept.extra
    assert old.delete_image(kept)
    tried("delete_image")
    sharing(node, sizes, images)
    limits = old.ex_limits()
    assert limits["absolute"]["maxTotalRAMSize"] == "51200" and limits["rate"][0]["value"] == "10", limits
    tried("ex_limits", len(limits["rate"]))


def sharing(node, sizes, images) -> None:
    group = old.ex_create_ip_group(name, node.id)
    tried("ex_create_ip_group", group.servers)
    assert group.servers == [node.id] and group.id in {found.id for found in old.ex_list_ip_groups()}
    twin = old.create_node(
        name=f"{name}-twin", size=sizes[256], image=images["CentOS 5.5"], ex_shared_ip_group_id=group.id
    )
    wait()
    members = next(found.servers for found in old.ex_list_ip_groups(details=True) if found.id == group.id)
    assert members == [node.id, twin.id], members
    tried("ex_list_ip_groups", members)
    shared = node.public_ips[0]
    twin = act("ex_share_ip", lambda: old.ex_share_ip(group.id, twin.id, shared, configure_node=False), twin)
    assert shared in old.ex_list_ip_addresses(twin.id).public_addresses
    twin = act("ex_unshare_ip", lambda: old.ex_unshare_ip(twin.id, shared), twin)
    assert old.ex_list_ip_addresses(twin.id).public_addresses == twin.public_ips != [shared]
    tried("ex_list_ip_addresses", twin.public_ips)
    assert old.destroy_node(twin)
    assert old.ex_delete_ip_group(group.id)
    tried("ex_delete_ip_group")


life()
json.dump(seen, sys.stdout)
