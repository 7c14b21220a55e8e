"""Gives each test of this folder its clouds: the embedded one, and under NOVADECK_OPENSTACK_LAB=1 the real one too.

A lab that was promised and is not up is a failure, never a skip; without the promise the real half is not collected.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from ground import CLOUDS, Cloud, names, region_name, start_embedded, write_lab_clouds
from witness import Witness


@pytest.fixture(params=CLOUDS)
async def cloud(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cloud]:
    """Each cloud in turn, as the only one that the environment tells of, with settings and state of its own."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    async with AsyncExitStack() as stack:
        real = request.param == "openstack"
        estate = None if real else await start_embedded(stack)
        clouds_yaml = write_lab_clouds(tmp_path) if estate is None else Path(estate.write_clouds_yaml(tmp_path))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml))
        entries = yaml.safe_load(clouds_yaml.read_text())["clouds"]
        member, admin = names(entries)
        regions = tuple(region_name(region) for region in entries[member]["regions"])
        prefix = f"t{uuid.uuid4().hex[:8]}-"
        eyes = {
            (name, region): await stack.enter_async_context(Witness(entries[name], region))
            for name in (member, admin)
            for region in regions
        }
        guests = not real or os.geteuid() == 0
        yield Cloud(clouds_yaml, member, admin, regions, real, guests, prefix, eyes[member, regions[0]], estate)
        if real:
            for witness in eyes.values():
                await witness.clean(prefix)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
