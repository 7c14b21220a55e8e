"""openstacksdk, unmodified, on Rackspace's next generation: login by password at Identity v2.0, endpoints by name.

`python sdk_rackspace_flow.py CONTROL` prints one JSON object: {call: what came of it}.
"""

import json
import os
import sys
import uuid
from pathlib import Path

import openstack
import yaml

entry = yaml.safe_load(Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())["clouds"]["rackspace"]
name = f"sdk-{uuid.uuid4().hex[:6]}"
seen: dict[str, str] = {}


def connect(region: str) -> openstack.connection.Connection:
    return openstack.connect(
        auth_type="v2password",
        auth_url=entry["auth"]["auth_url"],
        username=entry["auth"]["username"],
        password="rackspace-secret",
        identity_api_version="2",
        compute_service_name="cloudServersOpenStack",
        image_service_name="cloudImages",
        region_name=region,
        load_envvars=False,
        load_yaml_config=False,
    )


def tried(call: str, result: object = "ok") -> None:
    seen[call] = str(result)


def life(cloud: openstack.connection.Connection) -> None:
    compute = cloud.compute
    image = next(found for found in cloud.image.images() if found.name.startswith("Debian 12"))
    flavor = next(found for found in compute.flavors() if found.id == "general1-1")
    tried("images, flavors", flavor.name)
    server = compute.create_server(name=name, image_id=image.id, flavor_id=flavor.id)
    server = compute.wait_for_server(server, interval=0.2, wait=60)
    assert server.status == "ACTIVE" and server.progress == 100 and set(server.addresses) == {"public", "private"}
    tried("create_server, wait_for_server", server.access_ipv4)
    compute.reboot_server(server, "SOFT")
    compute.wait_for_server(compute.get_server(server.id), interval=0.2, wait=60)
    tried("reboot_server")
    compute.resize_server(server, "general1-2")
    compute.wait_for_server(server, status="VERIFY_RESIZE", interval=0.2, wait=60)
    compute.confirm_server_resize(server)
    server = compute.wait_for_server(compute.get_server(server.id), interval=0.2, wait=60)
    tried("resize_server, confirm_server_resize", server.flavor)
    assert name in {found.name for found in compute.servers()}
    tried("servers")
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=0.2, wait=60)
    tried("delete_server, wait_for_delete")


life(connect(entry["regions"][0]))
tried("another region", len(list(connect(entry["regions"][1]).compute.servers())))
json.dump(seen, sys.stdout)
