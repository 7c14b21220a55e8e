"""openstacksdk, unmodified, through a server's whole life; run by the clients' own Python, never by ours.

`python sdk_flow.py CLOUD IMAGE SMALL MEDIUM NETWORK EXTERNAL` prints one JSON object: {call: what came of it}. It knows
nothing of novadeck, so that it can be pointed at any OpenStack: the tests point it at the embedded cloud and at
the real one.
"""

import json
import sys
import time
import uuid

import openstack
from openstack import exceptions

cloud, image_name, small, medium, network, external = sys.argv[1:7]
conn = openstack.connect(cloud=cloud)
compute = conn.compute
name = f"sdk-{uuid.uuid4().hex[:6]}"
seen: dict[str, str] = {}


def tried(call: str, result: object = "ok") -> None:
    seen[call] = str(result)


def becomes(server, *statuses: str, task: bool = True):
    """The server once it has one of the statuses and no task; fails after 60 s or in ERROR."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        server = compute.get_server(server.id)
        if server.status in statuses and not (task and server.task_state):
            return server
        assert server.status != "ERROR" or "ERROR" in statuses, server.fault
        time.sleep(0.2)
    raise AssertionError(f"{server.status}/{server.task_state} is not {statuses}")


def act(call: str, order, server, *statuses: str):
    order()
    time.sleep(0.05)
    server = becomes(server, *statuses)
    tried(call, server.status)
    return server


def refused(call: str, kind: type[Exception], order) -> None:
    try:
        order()
    except kind as error:
        tried(call, type(error).__name__)
        return
    raise AssertionError(f"{call} was not refused")


def life() -> None:
    image = conn.image.find_image(image_name, ignore_missing=False)
    flavors = {flavor.name: flavor for flavor in compute.flavors()}
    tried("flavor list", small in flavors)
    net = conn.network.find_network(network, ignore_missing=False)
    key = compute.create_keypair(name=name, public_key=PUBLIC_KEY)
    server = compute.create_server(
        name=name,
        image_id=image.id,
        flavor_id=flavors[small].id,
        networks=[{"uuid": net.id}],
        key_name=key.name,
        metadata={"team": "web"},
        user_data="IyEvYmluL3NoCg==",
    )
    try:
        server = becomes(server, "ACTIVE")
        tried("server create", server.status)
        assert server.addresses, "no address"
        assert server.metadata["team"] == "web"
        assert server.flavor["original_name"] == small, server.flavor
        assert [s.id for s in compute.servers(name=name)] == [server.id]
        tried("server list --name")
        assert server.id in {s.id for s in compute.servers(details=False)}
        tried("server list (brief)")
        everything(server, image, flavors, net)
    finally:
        compute.delete_server(server.id)
        compute.wait_for_delete(server, interval=0.2, wait=60)
        tried("server delete")
        compute.delete_keypair(name)
        tried("keypair create, delete")
    refused("server show (gone)", exceptions.NotFoundException, lambda: compute.get_server(server.id))


REST = (("stop", "start", "SHUTOFF"), ("pause", "unpause", "PAUSED"), ("suspend", "resume", "SUSPENDED"))


def rest_and_back(server, verb: str, back: str, status: str):
    server = act(verb, lambda: getattr(compute, f"{verb}_server")(server), server, status)
    soft = f"reboot soft while {status}"
    refused(soft, exceptions.ConflictException, lambda: compute.reboot_server(server, "SOFT"))
    return act(back, lambda: getattr(compute, f"{back}_server")(server), server, "ACTIVE")


def everything(server, image, flavors, net) -> None:
    server = act("reboot soft", lambda: compute.reboot_server(server, "SOFT"), server, "ACTIVE")
    server = act("reboot hard", lambda: compute.reboot_server(server, "HARD"), server, "ACTIVE")
    for verb, back, status in REST:
        server = rest_and_back(server, verb, back, status)
    server = act("resize", lambda: compute.resize_server(server, flavors[medium].id), server, "VERIFY_RESIZE")
    assert server.flavor["original_name"] == medium
    server = act("revert", lambda: compute.revert_server_resize(server), server, "ACTIVE")
    assert server.flavor["original_name"] == small
    act("resize again", lambda: compute.resize_server(server, flavors[medium].id), server, "VERIFY_RESIZE")
    server = act("confirm", lambda: compute.confirm_server_resize(server), server, "ACTIVE")
    assert server.flavor["original_name"] == medium
    server = act("rebuild", lambda: compute.rebuild_server(server, image=image.id, name=name), server, "ACTIVE")
    server = act("rescue", lambda: compute.rescue_server(server), server, "RESCUE")
    server = act("unrescue", lambda: compute.unrescue_server(server), server, "ACTIVE")
    server = act("shelve", lambda: compute.shelve_server(server), server, "SHELVED_OFFLOADED")
    server = act("unshelve", lambda: compute.unshelve_server(server), server, "ACTIVE")
    compute.lock_server(server, locked_reason="hands off")
    assert compute.get_server(server.id).is_locked
    compute.unlock_server(server)
    assert not compute.get_server(server.id).is_locked
    tried("lock, unlock")
    compute.set_server_metadata(server, colour="blue")
    assert compute.get_server_metadata(server).metadata["colour"] == "blue"
    compute.delete_server_metadata(server, ["colour"])
    assert "colour" not in compute.get_server(server.id).metadata
    tried("metadata set, unset")
    compute.update_server(server, name=f"{name}-x", description="renamed")
    assert compute.get_server(server.id).name == f"{name}-x"
    tried("server set --name")
    console = compute.get_server_console_output(server)
    assert console["output"], "no console output"
    tried("console log show")
    actions = [a.action for a in compute.server_actions(server)]
    assert actions[-1] == "create" and "resize" in actions, actions
    tried("server event list", len(actions))
    snapshots(server)
    volumes(server)
    floating(server)
    groups(server)
    limits = compute.get_limits().absolute
    assert limits.instances_used >= 1 and limits.total_cores_used >= 1, limits
    tried("limits show")
    assert list(compute.availability_zones())
    tried("availability zone list")


def snapshots(server) -> None:
    snapshot = compute.create_server_image(server, f"{name}-image", {"made": "by-sdk"})
    until = time.monotonic() + 60
    while (found := conn.image.get_image(snapshot.id)).status != "active":
        assert time.monotonic() < until, found.status
        time.sleep(0.2)
    assert found.name == f"{name}-image"
    becomes(server, "ACTIVE")
    tried("server image create", found.status)
    compute.backup_server(server, f"{name}-backup", "daily", 1)
    time.sleep(0.1)
    becomes(server, "ACTIVE")
    until = time.monotonic() + 60
    while not (backups := [i for i in conn.image.images(name=f"{name}-backup") if i.status == "active"]):
        assert time.monotonic() < until
        time.sleep(0.2)
    tried("server backup create", backups[0].properties.get("backup_type"))
    for made in (found, *backups):
        conn.image.delete_image(made)
    refused("image show (gone)", exceptions.NotFoundException, lambda: conn.image.get_image(found.id))
    tried("image list, show, delete", len(list(conn.image.images())) > 0)


def volumes(server) -> None:
    storage = conn.block_storage
    volume = storage.create_volume(name=name, size=1)
    storage.wait_for_status(volume, "available", interval=0.2, wait=60)
    compute.create_volume_attachment(server, volume_id=volume.id)
    storage.wait_for_status(volume, "in-use", interval=0.2, wait=60)
    assert [a.volume_id for a in compute.volume_attachments(server)] == [volume.id]
    tried("server add volume", storage.get_volume(volume.id).status)
    refused("volume delete while in-use", exceptions.SDKException, lambda: storage.delete_volume(volume))
    compute.delete_volume_attachment(server, volume)
    storage.wait_for_status(volume, "available", interval=0.2, wait=60)
    storage.delete_volume(volume)
    storage.wait_for_delete(volume, interval=0.2, wait=60)
    tried("server remove volume, volume delete")


def floating(server) -> None:
    outside = conn.network.find_network(external, ignore_missing=False)
    port = next(iter(conn.network.ports(device_id=server.id)))
    ip = conn.network.create_ip(floating_network_id=outside.id, port_id=port.id)
    until = time.monotonic() + 30
    while ip.floating_ip_address not in json.dumps(compute.get_server(server.id).addresses):
        assert time.monotonic() < until, "the floating IP does not show"
        time.sleep(0.2)
    tried("server add floating ip", "shown in addresses")
    conn.network.delete_ip(ip)
    tried("floating ip delete")


def groups(server) -> None:
    group = conn.network.create_security_group(name=name)
    conn.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=22, port_range_max=22
    )
    compute.add_security_group_to_server(server, group)
    assert name in [g["name"] for g in compute.get_server(server.id).security_groups]
    compute.remove_security_group_from_server(server, group)
    conn.network.delete_security_group(group)
    tried("server add/remove security group")


PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXKzJyVDmZxVaoSUlXxe2jSg9TJNoLKtVY6RtNGjV4q flow"
life()
json.dump(seen, sys.stdout)
