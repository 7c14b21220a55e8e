"""The ground that a flow test stands on: one interface to the embedded cloud and to a real OpenStack.

What a test may lean on is in `Cloud` and exists on both; nothing here is known to `console`.
"""

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from witness import Witness

LAB = Path(
    os.environ.get("NOVADECK_OPENSTACK")
    or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "novadeck-openstack").expanduser()
)
CLOUDS = ("embedded", "openstack") if os.environ.get("NOVADECK_OPENSTACK_LAB") else ("embedded",)


@dataclass(frozen=True)
class Cloud:
    """A cloud to run a test on: where it is, who may log in, and what there is in it."""

    clouds_yaml: Path
    member: str  # names of entries in clouds.yaml, each for all regions
    admin: str
    regions: tuple[str, ...]  # the second one keeps deleted servers for a while, and shelved ones on their host
    real: bool
    guests: bool  # does a new server have one that can be logged into?
    prefix: str  # of all names that this test gives
    witness: Witness  # as the member, in the first region
    estate: Any = None  # the embedded one, and its controls

    image = "debian-12"
    network = "private"
    tiny = "m1.tiny"
    small = "m1.small"
    medium = "m1.medium"
    impossible = "m1.impossible"  # a server of this flavor ends in ERROR

    def name(self, word: str) -> str:
        """A name of this test's own, for a server or an image; what has it is deleted behind the test."""
        return f"{self.prefix}{word}"


async def start_embedded(stack: AsyncExitStack, **knobs: Any) -> Any:
    """An embedded cloud that ends with the test, quick in all that takes a cloud its time."""
    from console.sim.estate import Estate

    told = {"servers": 6, "clouds": 1, "regions": 2, "guests": 20, "speed": 20, "seed": 1} | knobs
    estate = await stack.enter_async_context(Estate(**told))
    for _, region in estate.places[1:]:  # as in the lab
        region.nova.reclaim_deleted, region.nova.shelved_offload = True, False
    return estate


def write_lab_clouds(folder: Path) -> Path:
    """The lab's two accounts, each as one entry for both regions."""
    source = LAB / "clouds.yaml"
    if not source.exists():
        pytest.fail(f"the lab is not up: there is no {source}", pytrace=False)
    entries = yaml.safe_load(source.read_text())["clouds"]
    for name in ("lab", "lab-admin"):
        entries[name]["regions"] = [entries[name].pop("region_name")]
        if f"{name.replace('lab', 'lab-two')}" in entries:
            entries[name]["regions"].append(entries[name.replace("lab", "lab-two")]["region_name"])
    target = folder / "clouds.yaml"
    target.write_text(yaml.safe_dump({"clouds": {name: entries[name] for name in ("lab", "lab-admin")}}))
    return target


def names(entries: dict[str, Any]) -> tuple[str, str]:
    """The entry of a plain member and that of the administrator, of the first cloud in a clouds.yaml."""
    admin = next(name for name in entries if name.endswith("-admin"))
    return admin.removesuffix("-admin"), admin


def region_name(region: Any) -> str:
    """A region of a `regions:` list, which may be a name or a mapping with one."""
    return str(region["name"] if isinstance(region, dict) else region)
