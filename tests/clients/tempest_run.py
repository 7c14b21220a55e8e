"""OpenStack's own conformance tests, tempest, against any cloud of a clouds.yaml; run by the clients' own Python.

`python tempest_run.py CLOUD WORKSPACE [REGEX]` makes a configuration from the cloud's entry, runs the non-admin compute
tests one after the other, and prints one JSON object: {"passed": [...], "failed": [...], "skipped": {test: reason}}.
"""

import configparser
import contextlib
import io
import json
import subprocess
import sys
import uuid
from pathlib import Path

import openstack
import yaml
from subunit.v2 import ByteStreamToStreamResult
from testtools import StreamToDict

WANTED = (
    r"tempest\.api\.compute\.(servers\.(test_servers|test_server_actions|test_create_server|test_list_server_filters"
    r"|test_list_servers_negative|test_servers_negative|test_server_metadata|test_server_metadata_negative"
    r"|test_instance_actions|test_instance_actions_negative|test_delete_server|test_server_addresses"
    r"|test_server_tags|test_availability_zone)\.|images\.|keypairs\.|limits\.|flavors\.)"
)


@contextlib.contextmanager
def another_tenant(cloud: str):
    """A user with a project of his own, made by the cloud's administrator (CLOUD-admin) and gone at the end."""
    people = openstack.connect(cloud=f"{cloud}-admin").identity
    name, password = f"tempest-{uuid.uuid4().hex[:6]}", uuid.uuid4().hex
    project = people.create_project(name=name, domain_id="default")
    user = people.create_user(name=name, password=password, default_project_id=project.id)
    people.assign_project_role_to_user(project, user, people.find_role("member"))
    try:
        yield {"username": name, "password": password, "project_name": name}
    finally:
        people.delete_user(user)
        people.delete_project(project)


def configure(cloud: str, folder: Path, other: dict[str, str]) -> Path:
    """Write tempest.conf and its accounts for the cloud."""
    conn = openstack.connect(cloud=cloud)
    auth = conn.config.config["auth"]
    user = {name: auth[name] for name in ("username", "password", "project_name")}
    own = {"resources": {"network": "private"}, "domain_name": "Default"}
    # Each role of the tests wants an entry of its own, in this order: the first user is written in two ways.
    accounts = [
        user | own | {"roles": ["member"]},
        other | own | {"roles": ["member"]},
        user | own | {"roles": ["reader"], "user_id": conn.current_user_id},
    ]
    (folder / "accounts.yaml").write_text(yaml.safe_dump(accounts))
    image = next(found for found in conn.image.images() if found.name == "debian-12")
    image_2 = next(found for found in conn.image.images() if found.name == "rescue")
    flavors = {found.name: found.id for found in conn.compute.flavors()}
    public = conn.network.find_network("public", ignore_missing=False)
    config = configparser.ConfigParser()
    config.read_dict(
        {
            "DEFAULT": {"log_dir": str(folder), "log_file": "tempest.log"},
            "oslo_concurrency": {"lock_path": str(folder / "locks")},
            "auth": {"use_dynamic_credentials": "false", "test_accounts_file": str(folder / "accounts.yaml")},
            "identity": {
                "uri_v3": auth["auth_url"].rstrip("/").removesuffix("/v3") + "/v3",
                "auth_version": "v3",
                "region": conn.config.region_name,
            },
            "compute": {
                "image_ref": image.id,
                "image_ref_alt": image_2.id,
                "flavor_ref": flavors["m1.tiny"],
                "flavor_ref_alt": flavors["m1.small"],
                "fixed_network_name": "private",
                "build_interval": "0",
                "build_timeout": "60",
                "min_compute_nodes": "2",
                "region": conn.config.region_name,
                "max_microversion": "2.96",
            },
            "compute-feature-enabled": {
                "resize": "true",
                "pause": "true",
                "suspend": "true",
                "shelve": "true",
                "snapshot": "true",
                "rescue": "true",
                "console_output": "true",
                "vnc_console": "false",
                "personality": "false",
                "change_password": "false",
                "attach_encrypted_volume": "false",
                "swap_volume": "false",
            },
            "image": {"build_interval": "0", "build_timeout": "60"},
            "volume": {"build_interval": "0", "build_timeout": "60"},
            "network": {"public_network_id": public.id, "floating_network_name": "public"},
            "service_available": {"swift": "false", "horizon": "false", "cinder": "true", "neutron": "true"},
            "validation": {"run_validation": "false"},
        }
    )
    path = folder / "tempest.conf"
    with path.open("w") as file:
        config.write(file)
    return path


def results(stream: bytes) -> dict[str, object]:
    """The outcome of each test in a subunit stream."""
    told: dict[str, object] = {"passed": [], "failed": [], "skipped": {}}

    def one(test: dict) -> None:
        name = test["id"].split("[")[0]
        if test["status"] == "success":
            told["passed"].append(name)
        elif test["status"] == "skip":
            told["skipped"][name] = test["details"]["reason"].as_text() if "reason" in test["details"] else ""
        elif test["status"] == "fail":
            told["failed"].append(name)
            for detail in test["details"].values():
                print(name, detail.as_text()[-1500:], file=sys.stderr)

    result = StreamToDict(one)
    result.startTestRun()
    ByteStreamToStreamResult(io.BytesIO(stream)).run(result)
    result.stopTestRun()
    return told


def main() -> None:
    cloud, where, *regex = sys.argv[1:]
    folder = Path(where).resolve()
    tempest = Path(sys.executable).with_name("tempest")
    workspace = folder / "tempest"
    subprocess.run(
        [tempest, "init", "--workspace-path", folder / "workspaces", workspace], check=True, capture_output=True
    )
    wanted = regex[0] if regex else WANTED
    command = [tempest, "run", "--serial", "--subunit", "--regex", wanted]
    with another_tenant(cloud) as other:
        configure(cloud, workspace, other).replace(workspace / "etc" / "tempest.conf")
        run = subprocess.run(command, cwd=workspace, stdout=subprocess.PIPE)
    json.dump(results(run.stdout), sys.stdout, indent=1)


main()
