"""What several flow tests do: keys to log in with, guests that are up, the words of the audit, patience for all."""

import asyncio
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh
import yaml
from ground import Cloud
from witness import LOOK, PATIENCE, Json, Witness

import console
from console.core.clock import Clock, Timer


class KeyPair(NamedTuple):
    """A key pair that the cloud has: its name there, and the file of its private half."""

    name: str
    file: Path


class QuickClock(Clock):
    """A clock on which the embedded cloud's hours pass: what waits ten seconds on it waits two."""

    SPEED = 5.0

    def monotonic(self) -> float:
        """Seconds of this clock."""
        return time.monotonic() * self.SPEED

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back after that many seconds of this clock."""
        return asyncio.get_running_loop().call_later(seconds / self.SPEED, callback)


def clock_of(cloud: Cloud) -> Clock:
    """The clock to look at a cloud by: the embedded one lives fast."""
    return Clock() if cloud.real else QuickClock()


def witness_of(cloud: Cloud, entry: str, microversion: str = "2.96", region: str = "") -> Witness:
    """Another pair of eyes, in the first region if none is named."""
    entries = yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"]
    return Witness(entries[entry], region or cloud.regions[0], microversion)


def ssh_address(record: Json) -> tuple[str, int]:
    """Where a server's sshd is: port 22 of its address, or where the embedded cloud had to put it instead."""
    (address,) = [address["addr"] for network in record["addresses"].values() for address in network]
    host, _, port = record["metadata"].get("lab_ssh_at", f"{address}:22").rpartition(":")
    return host, int(port)


async def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there now."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def until_listening(host: str, port: int) -> None:
    """Wait for sshd, which comes up after the console has shown its keys."""
    async with asyncio.timeout(PATIENCE):
        while not await listens(host, port):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def new_key_pair(cloud: Cloud, folder: Path) -> KeyPair:
    """A key pair of the test's own."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = folder / "id_test"
    key.write_private_key(file)
    file.chmod(0o600)
    pair = {"name": cloud.name("key"), "public_key": key.export_public_key().decode(), "type": "ssh"}
    answer = await cloud.witness.call("POST", "compute", "/os-keypairs", {"keypair": pair})
    assert answer.status in (200, 201), answer
    return KeyPair(pair["name"], file)


async def guest_up(cloud: Cloud, server: str) -> None:
    """Wait until a server's sshd takes connections, and its console has told its host keys."""
    await cloud.witness.host_keys(server)
    async with asyncio.timeout(PATIENCE):
        # Read anew for each try: where the embedded cloud had to put a guest is told once it listens.
        while not await listens(*ssh_address(await cloud.witness.until(server, "ACTIVE"))):  # noqa: ASYNC110
            await asyncio.sleep(LOOK)


async def soon(there: Callable[[], Any], what: str, seen: Callable[[], Any] = str) -> Any:
    """Wait until it holds, and give what it gave; fail with what there is to see instead."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := there()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"never: {what}\n{seen()}") from None
    return found


def audited(lines: list[Json], server: str) -> dict[str, list[str]]:
    """What the audit has of a server, by action: the events of its orders, one after another."""
    orders = {line["order"] for line in lines if server in (line["target"]["id"], line.get("made"))}
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line["order"] in orders:
            found[line["action"]].append(line["event"])
    return dict(found)


def state_folder() -> Path:
    """Where a novadeck of this test keeps its state."""
    return Path(os.environ["XDG_STATE_HOME"]) / "novadeck"


def settings_folder() -> Path:
    """Where a novadeck of this test looks for its settings."""
    return Path(os.environ["XDG_CONFIG_HOME"]) / "novadeck"


def audit_lines() -> list[Json]:
    """Every line of the audit of this test."""
    file = state_folder() / "audit.ndjson"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def actions_of(records: list[Json]) -> set[str]:
    """The actions in a cloud's own record of a server."""
    return {record["action"] for record in records}


def named(rows: list[console.Server], name: str) -> list[console.Server]:
    """The rows of that name."""
    return [row for row in rows if row.name == name]
