"""Fill the lab cloud with what every cloud has, and write clouds.yaml.

Called by up.sh, in three steps: `identity` (once Keystone answers),
`wait-for-hosts` and `resources` (once everything runs).  Each step looks
before it creates, so that it can be run again.
"""

import io
import os
import pathlib
import sys
import time

import openstack
import yaml

STATE = os.environ["LAB_STATE"]
HOST = os.environ["LAB_HOST"]
# The hypervisor hosts of each region.
REGIONS = {"RegionOne": os.environ["LAB_COMPUTES"].split()}
if os.environ["LAB_COMPUTES_TWO"]:
    REGIONS["RegionTwo"] = os.environ["LAB_COMPUTES_TWO"].split()
SUFFIX = {"RegionOne": "", "RegionTwo": "-two"}  # of the names in clouds.yaml
SERVICES = (
    # user      name         type             port and path in each region
    (None, "keystone", "identity", "5000/v3/", "5000/v3/"),
    ("glance", "glance", "image", "9292", "9292"),
    ("neutron", "neutron", "network", "9696", "9696"),
    ("nova", "nova", "compute", "8774/v2.1", "8775/v2.1"),
    ("placement", "placement", "placement", "8778", "8779"),
    ("cinder", "cinder", "block-storage", "8776/v3", "8776/v3"),
    ("cinder", "cinderv3", "volumev3", "8776/v3", "8776/v3"),  # its name in older clouds
)
FLAVORS = {
    # name        id  vcpus  ram    disk
    "m1.tiny": ("1", 1, 512, 1),
    "m1.small": ("2", 1, 2048, 20),
    "m1.medium": ("3", 2, 4096, 40),
    "m1.large": ("4", 4, 8192, 80),
    # No host is this big: a server of it ends in ERROR, "No valid host".
    "m1.impossible": ("9", 900, 4_000_000, 10),
}
IMAGES = ("debian-12", "rescue")


def cloud(user, password, project, region):
    return {
        "auth": {
            "auth_url": f"http://{HOST}:5000/v3",
            "username": user,
            "password": password,
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": region,
        "identity_api_version": "3",
    }


def write_clouds_yaml():
    clouds = {}
    for region in REGIONS:
        suffix = SUFFIX[region]
        clouds[f"lab{suffix}"] = cloud("demo", os.environ["LAB_USER_PASSWORD"], "demo", region)
        clouds[f"lab{suffix}-admin"] = cloud("admin", os.environ["LAB_ADMIN_PASSWORD"], "admin", region)
    path = pathlib.Path(STATE, "clouds.yaml")
    path.touch(0o600)
    with path.open("w") as file:
        yaml.safe_dump({"clouds": clouds}, file, sort_keys=False)


def connect(region="RegionOne"):
    """As the administrator."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = f"{STATE}/clouds.yaml"
    return openstack.connect(cloud=f"lab{SUFFIX[region]}-admin")


def ensure_user(identity, name, password, project, *roles):
    user = identity.find_user(name) or identity.create_user(name=name, password=password)
    for role in roles:
        role = identity.find_role(role, ignore_missing=False)
        identity.assign_project_role_to_user(project, user, role)


def identity():
    write_clouds_yaml()
    identity = connect().identity
    for region in REGIONS:
        identity.find_region(region) or identity.create_region(id=region)
    projects = {name: identity.find_project(name) or identity.create_project(name=name) for name in ("service", "demo")}
    for user, name, kind, *places in SERVICES:
        if user:
            ensure_user(identity, user, os.environ["LAB_SERVICE_PASSWORD"], projects["service"], "admin", "service")
        service = identity.find_service(name) or identity.create_service(name=name, type=kind)
        known = {(e.region_id, e.interface) for e in identity.endpoints(service_id=service.id)}
        for region, where in zip(REGIONS, places, strict=False):
            for interface in ("public", "internal"):
                if (region, interface) not in known:
                    identity.create_endpoint(
                        service_id=service.id,
                        interface=interface,
                        region_id=region,
                        url=f"http://{HOST}:{where}",
                    )
    ensure_user(identity, "demo", os.environ["LAB_USER_PASSWORD"], projects["demo"], "member", "reader")


def wait_for_hosts():
    limit = time.monotonic() + 120
    waiting = [(connect(region).compute, "nova-compute", set(hosts)) for region, hosts in REGIONS.items()]
    waiting.append((connect().block_storage, "cinder-volume", {"storage-1@loopback"}))
    for service, binary, hosts in waiting:
        # A host that an operator forced down stays down: do not wait for that one.
        while hosts - {
            s.host for s in service.services(binary=binary) if s.state == "up" or getattr(s, "is_forced_down", False)
        }:
            if time.monotonic() > limit:
                sys.exit(f"{hosts} did not come up, see the {binary.split('-')[0]}-* logs")
            time.sleep(0.5)


def resources():
    admin = connect()
    demo = admin.identity.find_project("demo")
    for region in REGIONS:
        compute = connect(region).compute
        for name, (id, vcpus, ram, disk) in FLAVORS.items():
            if not compute.find_flavor(name):
                compute.create_flavor(name=name, id=id, vcpus=vcpus, ram=ram, disk=disk)
        compute.update_quota_set(demo, instances=2000, cores=20000, ram=20_000_000, key_pairs=100, server_groups=50)
    for name in IMAGES:
        if not admin.image.find_image(name):
            admin.image.create_image(
                name=name,
                data=io.BytesIO(name.encode() * 4096),
                disk_format="raw",
                container_format="bare",
                visibility="public",
                min_disk=1,
            )

    # Guests have addresses of this machine's own loopback network, so that
    # a real sshd can answer for one.
    network = admin.network
    if not network.find_network("private"):
        private = network.create_network(name="private", is_shared=True)
        subnet = network.create_subnet(
            name="private-v4",
            network_id=private.id,
            ip_version=4,
            cidr="127.77.0.0/16",
            is_dhcp_enabled=False,
        )
        public = network.create_network(
            name="public",
            is_router_external=True,
            provider_network_type="flat",
            provider_physical_network="public",
        )
        network.create_subnet(
            name="public-v4",
            network_id=public.id,
            ip_version=4,
            cidr="127.78.0.0/16",
            is_dhcp_enabled=False,
        )
        router = network.create_router(name="edge", external_gateway_info={"network_id": public.id})
        network.add_interface_to_router(router, subnet_id=subnet.id)

    admin.block_storage.update_quota_set(demo, volumes=500, gigabytes=50_000, snapshots=500)
    admin.network.update_quota(demo.id, ports=5000, floating_ips=200, security_groups=100)


if __name__ == "__main__":
    {"identity": identity, "wait-for-hosts": wait_for_hosts, "resources": resources}[sys.argv[1]]()
