"""The other people who use a cloud at the same time: on the real one by python-openstackclient, as they would.

The embedded cloud is asked by plain HTTP here, for the client need not be installed; `tests/clients` proves that client
on it.
"""

import asyncio
import json
import os
import subprocess
from typing import Any

from ground import LAB, Cloud

CLIENT = LAB / "venv/bin/openstack"  # the lab has it from its own installation


async def openstack(cloud: Cloud, *words: str) -> Any:
    """What the client prints, as the member in the first region; it must succeed."""
    region = ("--os-region-name", cloud.regions[0])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
    process = await asyncio.create_subprocess_exec(
        CLIENT, "--os-cloud", cloud.member, *region, *words,
        env=environment | {"OS_CLIENT_CONFIG_FILE": str(cloud.clouds_yaml)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, f"openstack {' '.join(words)}: {err.decode()}"
    return json.loads(out) if out.strip() else None


async def create(cloud: Cloud, name: str) -> str:
    """Somebody orders a small server; its id."""
    if not cloud.real:
        return await cloud.witness.create(name)
    order = ("--flavor", cloud.tiny, "--image", cloud.image, "--network", cloud.network)
    return str((await openstack(cloud, "server", "create", *order, name, "-f", "json"))["id"])


async def reboot(cloud: Cloud, id: str) -> None:
    """Somebody switches a server off and on."""
    if cloud.real:
        await openstack(cloud, "server", "reboot", "--hard", id)
    else:
        assert await cloud.witness.act(id, {"reboot": {"type": "HARD"}}) == 202


async def stop(cloud: Cloud, id: str) -> None:
    """Somebody switches a server off."""
    if cloud.real:
        await openstack(cloud, "server", "stop", id)
    else:
        assert await cloud.witness.act(id, {"os-stop": None}) == 202


async def delete(cloud: Cloud, id: str) -> None:
    """Somebody deletes a server."""
    if cloud.real:
        await openstack(cloud, "server", "delete", id)
    else:
        assert (await cloud.witness.call("DELETE", "compute", f"/servers/{id}")).status == 204
