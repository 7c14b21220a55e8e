"""The embedded cloud beside recordings of a real one: the same keys, types, codes, words and orders of states.

The recordings are `tests/recorded/*.json`; `tests/recorded/record.py` makes them. What the embedded cloud answers
otherwise is its mistake, and is mended there.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

RECORDED = Path(__file__).parent / "recorded"
sys.path.insert(0, str(RECORDED))
from flows import everything  # noqa: E402
from tape import Tape  # noqa: E402

from console.sim.estate import Estate  # noqa: E402

REAL = json.loads((RECORDED / "real.json").read_text())
# States that a real cloud passes in less time than one look takes: a recording may lack them, nothing else may.
SHORT = {
    "BUILD -",
    "BUILD block_device_mapping",
    "BUILD networking",
    "REBOOT reboot_pending",
    "REBOOT rebooting",
    "HARD_REBOOT reboot_pending_hard",
    "HARD_REBOOT rebooting_hard",
    "REBUILD rebuild_block_device_mapping",
    "REBUILD rebuilding",
    "RESIZE resize_prep",
    "RESIZE resize_migrated",
    "ACTIVE image_snapshot_pending",
    "ACTIVE image_snapshot",
    "ACTIVE image_pending_upload",
    "ACTIVE image_backup",
    "ACTIVE shelving_image_pending_upload",
    "SHELVED -",
    "SHELVED shelving_offloading",
    "DELETED -",
    "VERIFY_RESIZE -",
}


@pytest.fixture(scope="module")
def tape() -> Tape:
    """Everything that was asked of the real cloud, asked of the embedded one."""

    async def run() -> Tape:
        estate = Estate(servers=8, clouds=1, regions=1, guests=0, speed=8.0, seed=1)
        async with estate, aiohttp.ClientSession() as http:
            entry = next(iter(estate.clouds_yaml()["clouds"].values()))
            region = entry.get("region_name") or entry["regions"][0]
            tape = Tape(http, entry["auth"], region if isinstance(region, str) else region["name"])
            await everything(tape)
            return tape

    return asyncio.run(run())


def shape(value: Any) -> Any:
    """The keys and types of a JSON value; a list is the union of its items' shapes."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [merged([shape(item) for item in value])] if value else []
    return "number" if isinstance(value, float | int) and not isinstance(value, bool) else type(value).__name__


def merged(shapes: list[Any]) -> Any:
    if all(isinstance(item, dict) for item in shapes):
        keys = {key for item in shapes for key in item}
        return {key: merged([item[key] for item in shapes if key in item]) for key in sorted(keys)}
    kinds = [item for item in shapes if item != "NoneType"]
    return kinds[0] if kinds else "NoneType"


def differences(real: Any, ours: Any, where: str = "") -> list[str]:
    """Each place where two shapes differ; an empty list has no item to compare."""
    if isinstance(real, dict) and isinstance(ours, dict):
        missing = [f"{where}/{key}: missing" for key in real.keys() - ours.keys()]
        extra = [f"{where}/{key}: not there in truth" for key in ours.keys() - real.keys()]
        both = [d for key in real.keys() & ours.keys() for d in differences(real[key], ours[key], f"{where}/{key}")]
        return missing + extra + both
    if isinstance(real, list) and isinstance(ours, list):
        return differences(real[0], ours[0], f"{where}[]") if real and ours else []
    return [] if real == ours else [f"{where}: {real} in truth, {ours} here"]


# What Glance itself tells of every image, and Nova of a snapshot; any other key is a property that somebody chose.
OF_IMAGES = set(
    "id name status visibility owner size virtual_size disk_format container_format min_disk min_ram protected"
    " os_hidden checksum os_hash_algo os_hash_value tags created_at updated_at self file schema stores direct_url"
    " image_type instance_uuid base_image_ref user_id made".split()
)


def open_keys(body: Any) -> Any:
    """The body without the keys that an operator or user chooses: names of networks, extra specs, properties."""
    if isinstance(body, dict):
        image = "disk_format" in body
        return {
            key: [] if key in ("addresses", "extra_specs") and isinstance(item, dict) else open_keys(item)
            for key, item in body.items()
            if not image or key in OF_IMAGES
        }
    return [open_keys(item) for item in body] if isinstance(body, list) else body


@pytest.mark.parametrize("label", sorted(REAL["calls"]))
def test_the_answer_is_the_real_one(tape: Tape, label: str) -> None:
    real, ours = REAL["calls"][label], tape.calls[label]
    assert ours["status"] == real["status"], ours
    if real["status"] >= 400:
        assert ours["body"] == real["body"]
    else:
        assert differences(shape(open_keys(real["body"])), shape(open_keys(ours["body"]))) == []
    for name, value in real["headers"].items():
        assert ours["headers"].get(name) == value, name


def is_within(part: list[str], whole: list[str]) -> bool:
    """Whether the one is the other with some left out, in the same order."""
    rest = iter(whole)
    return all(state in rest for state in part)


@pytest.mark.parametrize("label", sorted(REAL["sequences"]))
def test_the_states_follow_each_other_as_in_truth(tape: Tape, label: str) -> None:
    ours = tape.sequences[label]
    seen = {state for real in REAL["sequences"][label] for state in real}
    for real in REAL["sequences"][label]:
        assert is_within([state for state in real if state in ours or state not in SHORT], ours), (real, ours)
        assert real[-1] == ours[-1]
    assert set(ours) - seen <= SHORT, f"never seen in truth: {set(ours) - seen - SHORT}"
