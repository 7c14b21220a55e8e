"""A guest that powers itself off, on both clouds: the cloud stops its server unasked, and every face says so.

It is switched off by its own `poweroff`, typed over SSH by `novadeck server run`, while the screen looks on.
"""

from pathlib import Path

import pytest
from doings import KeyPair, guest_up, new_key_pair, settings_folder
from ground import Cloud
from shell import ok, run
from terminal import terminal
from test_screen import WIDE, row_says


@pytest.fixture
async def pair(cloud: Cloud, tmp_path: Path) -> KeyPair:
    """A key pair of the test's own, named in the settings as the way into this cloud's guests."""
    if not cloud.guests:
        pytest.skip("the real cloud's guests need root")
    found = await new_key_pair(cloud, tmp_path)
    folder = settings_folder()
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'[clouds.{cloud.member}.ssh]\nuser = "root"\nkey = "{found.file}"\n')
    return found


async def test_off_from_inside_is_no_order_of_anybody(cloud: Cloud, pair: KeyPair) -> None:
    name = cloud.name("self")
    id = await cloud.witness.create(name, key_name=pair.name)
    here = ("--os-cloud", cloud.member, "--os-region-name", cloud.regions[0])
    await guest_up(cloud, id)
    async with terminal(*WIDE) as screen:
        await screen.start(*here)
        await screen.only(f"name:^{name}$")
        await row_says(screen, name, "ACTIVE")
        await run("server", "run", id, *here, "--", "poweroff")  # whose connection may break before it is answered
        record = await cloud.witness.until(id, "SHUTOFF")
        assert record["OS-EXT-STS:power_state"] == 4
        await row_says(screen, name, "SHUTOFF", "off from inside")
        told = (await ok("server", "explain", id, "-f", "json", *here)).json
        assert told["state"] == f"{name} is SHUTOFF, powered off from inside"
        assert told["facts"]["asked by"].startswith("nobody")
        assert told["ladder"][-1]["action"] == "server.start"
        await ok("server", "start", id, "--wait", "--timeout", "300", *here)
        await row_says(screen, name, "ACTIVE")
        await guest_up(cloud, id)  # its disk and its keys are those that it had
        await ok("server", "stop", id, "--wait", "--timeout", "300", *here)
        text = await row_says(screen, name, "SHUTOFF")
        assert "from inside" not in text
    told = (await ok("server", "explain", id, "-f", "json", *here)).json
    assert told["state"] == f"{name} is SHUTOFF"
