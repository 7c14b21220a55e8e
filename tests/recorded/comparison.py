"""Where one cloud's tape differs from a recording: a list of sentences, empty where it does not.

Answers must have the same status, headers, keys and types, and refusals the same words; states must follow each other
in the same order; what was asked of a server must have the same events.  What was recorded must be there at all.
"""

import json
from pathlib import Path
from typing import Any

from tape import Tape

REAL: dict[str, Any] = json.loads((Path(__file__).parent / "real.json").read_text())
# States that a real cloud passes in less time than one look takes: a recording may lack them.
SHORT: set[str] = {
    "BUILD -",
    "BUILD block_device_mapping",
    "BUILD networking",
    "REBOOT reboot_pending",
    "HARD_REBOOT reboot_pending_hard",
    "REBUILD rebuild_block_device_mapping",
    "RESIZE resize_migrated",
    "ACTIVE image_snapshot",
    "ACTIVE image_snapshot_pending",
    "ACTIVE image_pending_upload",
    "ACTIVE image_uploading",
    "ACTIVE shelving_image_pending_upload",
    "DELETED -",
    "PASSWORD updating_password",
}


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


def shapes_differ(real: Any, ours: Any, where: str = "") -> list[str]:
    """Each place where two shapes differ; where truth shows rows, none is a difference."""
    if isinstance(real, dict) and isinstance(ours, dict):
        missing = [f"{where}/{key}: missing" for key in real.keys() - ours.keys()]
        extra = [f"{where}/{key}: not there in truth" for key in ours.keys() - real.keys()]
        both = [d for key in real.keys() & ours.keys() for d in shapes_differ(real[key], ours[key], f"{where}/{key}")]
        return missing + extra + both
    if isinstance(real, list) and isinstance(ours, list):
        if real and not ours:
            return [f"{where}: no rows"]
        return shapes_differ(real[0], ours[0], f"{where}[]") if real else []
    return [] if real == ours else [f"{where}: {real} in truth, {ours} here"]


# What Glance itself tells of every image, and Nova of a snapshot; any other key is a property that somebody chose.
OF_IMAGES = set(
    "id name status visibility owner size virtual_size disk_format container_format min_disk min_ram protected"
    " os_hidden checksum os_hash_algo os_hash_value tags created_at updated_at self file schema stores direct_url"
    " image_type instance_uuid base_image_ref user_id made".split()
)
OF_THE_OPERATOR = ("extra_specs", "hosts", "nova-compute")


def without_names(body: Any) -> Any:
    """The body without the keys that an operator or user chooses: names of networks, extra specs, properties."""
    if isinstance(body, list):
        return [without_names(item) for item in body]
    if not isinstance(body, dict):
        return body
    image, old_image = "disk_format" in body, "minDisk" in body
    kept = {key: item for key, item in body.items() if not image or key in OF_IMAGES}
    if "migration_type" in body:
        kept.pop("links", None)  # told only while a live migration goes on: a matter of the moment
    return {key: unnamed(key, item, old_image) for key, item in kept.items()}


def unnamed(key: str, item: Any, of_old_image: bool) -> Any:
    """One value of a body, without chosen keys; that there are addresses at all stays to be seen."""
    if not isinstance(item, dict):
        return without_names(item)
    if key == "addresses":
        return {"of a network": list(item.values())} if item else {}
    if key in OF_THE_OPERATOR or (of_old_image and key == "metadata"):
        return []
    return without_names(item)


def at_any_moment(body: Any) -> Any:
    """The refusal without which of two states a snapshot was in: the one lasts no longer than a look."""
    return json.loads(json.dumps(body).replace("image_snapshot_pending", "image_snapshot"))


def answers_differ(label: str, real: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Where an answer differs from the recorded one."""
    if ours["status"] != real["status"]:
        return [f"{label}: {real['status']} in truth, {ours['status']} here: {ours['body']}"]
    found = []
    if real["status"] >= 400:
        if at_any_moment(ours["body"]) != at_any_moment(real["body"]):
            found.append(f"{label}: {real['body']} in truth, {ours['body']} here")
    else:
        pair = shape(without_names(real["body"])), shape(without_names(ours["body"]))
        found += [f"{label}{difference}" for difference in shapes_differ(*pair)]
    headers = real["headers"].keys() | ours["headers"].keys()
    return found + [
        f"{label}: header {name}: {real['headers'].get(name)} in truth, {ours['headers'].get(name)} here"
        for name in sorted(headers)
        if ours["headers"].get(name) != real["headers"].get(name)
    ]


def is_within(part: list[str], whole: list[str]) -> bool:
    """Whether the one is the other with some left out, in the same order."""
    rest = iter(whole)
    return all(state in rest for state in part)


FAMILIES = ("create", "resize", "rebuild", "delete", "stop")


def seen_in_truth(label: str, real: list[list[str]]) -> set[str]:
    """The states that truth showed under this label, or under another of the same doing."""
    family = next((word for word in FAMILIES if label.startswith(word)), None)
    alike = [seen for flow in REAL.values() for other, seen in flow["sequences"].items() if family == other.split()[0]]
    return {state for seen in [real, *alike] for states in seen for state in states}


def sequences_differ(label: str, real: list[list[str]], ours: list[str]) -> list[str]:
    """Where states differ: what truth showed must be there in its order, and nothing else but the shortest states."""
    found = [f"{label}: {seen} in truth, {ours} here" for seen in real if not is_within(seen, ours)]
    found += [f"{label}: ends {seen[-1]} in truth, {ours[-1]} here" for seen in real if seen[-1] != ours[-1]]
    unknown = set(ours) - seen_in_truth(label, real) - SHORT
    return found + [f"{label}: {state} was never seen in truth" for state in sorted(unknown)]


def differences(tape: Tape, *flows: str) -> list[str]:
    """Everything in which a tape of these flows, or of all, differs from their recording."""
    found = []
    for flow in flows or REAL:
        real = REAL[flow]
        for label, answer in real["calls"].items():
            ours = tape.calls.get(label)
            found += answers_differ(label, answer, ours) if ours else [f"{label}: was not asked"]
        for label, seen in real["sequences"].items():
            states = tape.sequences.get(label)
            found += sequences_differ(label, seen, states) if states else [f"{label}: was not followed"]
        for label, events in real["events"].items():
            if tape.events.get(label) != events:
                found.append(f"{label}: events {events} in truth, {tape.events.get(label)} here")
    return found
