"""The pytest fixture, shown as its users meet it: openstacksdk, unmodified, against a cloud of the test's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.sim.pytest_plugin import NovadeckCloud

openstack = pytest.importorskip("openstack")
# What openstacksdk says to its own packagers is nothing that these tests could mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[NovadeckCloud, Any]]:
    cloud = NovadeckCloud(tmp_path, guests=0, speed=0)
    cloud.start()
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(cloud.clouds_yaml))
    link = openstack.connect(cloud="lab")
    yield cloud, link
    link.close()
    cloud.stop()


def test_openstacksdk_lists_creates_resizes_and_deletes(connection: tuple[NovadeckCloud, Any]) -> None:
    cloud, link = connection
    assert "db-primary" in [server.name for server in link.compute.servers()]
    image = link.image.find_image("debian-12")
    network = link.network.find_network("private")
    made = link.compute.create_server(
        name="sdk", image_id=image.id, flavor_id="1", networks=[{"uuid": network.id}], key_name="demo"
    )
    assert made.admin_password
    cloud.advance(5)
    server = link.compute.get_server(made.id)
    assert server.status == "ACTIVE" and server.addresses["private"]
    link.compute.resize_server(server, "2")
    cloud.advance(5)
    assert link.compute.get_server(made.id).status == "VERIFY_RESIZE"
    link.compute.confirm_server_resize(server)
    cloud.advance(2)
    shot = link.compute.create_server_image(server, "shot")
    cloud.advance(5)
    assert link.image.get_image(shot.id).status == "active"
    link.compute.reboot_server(server, "SOFT")
    cloud.advance(3)
    link.compute.delete_server(server)
    cloud.advance(2)
    assert link.compute.find_server("sdk") is None


def test_trouble_is_set_from_the_test_and_the_thread_ends(tmp_path: Path) -> None:
    cloud = NovadeckCloud(tmp_path, guests=0, servers=0, speed=0)
    cloud.start()
    assert cloud.call(lambda: cloud.estate.control.status(503)).does == "status"
    cloud.stop()
    assert not cloud._thread.is_alive()


MINE = """
import os, pytest, yaml

@pytest.mark.novadeck(servers=4, clouds=1, regions=1, speed=0)
def test_mine(novadeck_cloud):
    with open(os.environ["OS_CLIENT_CONFIG_FILE"]) as file:
        assert set(yaml.safe_load(file)["clouds"]) == {"nimbus", "nimbus-admin"}
    novadeck_cloud.advance(60)
"""


SHOWN = """
import openstack
import pytest


@pytest.mark.novadeck(servers=4, clouds=1, regions=1, speed=0)
def test_a_server_is_built(novadeck_cloud):
    with openstack.connect(cloud="nimbus") as cloud:
        image = cloud.image.find_image("debian-12")
        network = cloud.network.find_network("private")
        made = cloud.compute.create_server(
            name="web-9", image_id=image.id, flavor_id="m1.tiny", networks=[{"uuid": network.id}]
        )
        assert cloud.compute.get_server(made.id).status == "BUILD"
        novadeck_cloud.advance(10)
        assert cloud.compute.get_server(made.id).status == "ACTIVE"
"""


def ran(folder: Path, *switches: str) -> str:
    """What pytest says of a folder of somebody else's."""
    command = [sys.executable, *switches, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    command += ["--strict-markers", "--rootdir", str(folder), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_that_newcomers_are_shown(tmp_path: Path) -> None:
    (tmp_path / "test_shown.py").write_text(SHOWN)
    assert "1 passed" in ran(tmp_path)


def test_the_plugin_gives_the_fixture_to_other_projects(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(MINE)
    assert "1 passed" in ran(tmp_path, "-W", "error")
