"""An incident in one file, to hand to somebody else: what was known, what was seen, what was done, and no secret.

It is an archive of plain files: the fleet as a recording (`novadeck replay` opens it), how each place did, the last
deeds of the audit, the screen as text, and versions. Names and addresses stay, since an incident is about them;
passwords, tokens and user data never were in it, and the home folder is written as ~.
"""

import asyncio
import datetime as dt
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from console.core.recording import Recordable, Recording
from console.core.watch import Batch
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Row
from console.model.server import Server
from console.text import masked

DEEDS = 500  # lines of the audit, the last ones


async def write_bundle(console: Recordable, audit: Path, folder: Path, screen: str) -> Path:
    """Write it into the folder; gives its path. Raises `OSError` where that cannot be."""
    moment = console.clock.now()
    texts = {
        "screen.txt": screen,
        "places.json": json.dumps(_places(console, moment), indent=2),
        "about.json": json.dumps(_about(moment), indent=2),
    }
    with tempfile.TemporaryDirectory() as aside:
        tape = await _tape(console, Path(aside, "fleet.ndjson.gz"))
        return await asyncio.to_thread(_pack, folder, moment, texts, audit, tape)


async def _tape(console: Recordable, path: Path) -> Path:
    """What is known at this moment, as a recording."""
    recording = Recording(path, console)
    try:
        recording.health(console.store.health)
        kinds: tuple[type[Row], ...] = (Server, Image, Flavor)
        for kind in kinds:
            rows = tuple(console.store.rows(kind).values())
            await recording.write(Batch(kind=kind, changed=rows, reset=True))
    finally:
        recording.close()
    return path


def _places(console: Recordable, moment: dt.datetime) -> dict[str, object]:
    passed = console.clock.monotonic()
    told = {}
    for place, health in console.store.health.items():
        age = None if health.rows_at is None else round(passed - health.rows_at, 1)
        told[str(place)] = {
            "state": health.state,
            "reason": health.reason,
            "seconds_since_rows": age,
            "latency": health.latency,
            "requests_left": health.left,
            "rows": health.counts,
        }
    return {"at": moment.isoformat(), "places": told}


def _about(moment: dt.datetime) -> dict[str, str]:
    return {
        "at": moment.isoformat(),
        "novadeck": version("novadeck"),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _pack(folder: Path, moment: dt.datetime, texts: Mapping[str, str], audit: Path, tape: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"incident-{moment:%Y%m%d-%H%M%S}.tar.gz"
    path.touch(mode=0o600, exist_ok=False)
    home = str(Path.home())
    files = {name: text.replace(home, "~").encode() for name, text in texts.items()}
    files["audit.ndjson"] = _deeds(audit).replace(home.encode(), b"~")
    files["fleet.ndjson.gz"] = tape.read_bytes()
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{path.name.partition('.')[0]}/{name}")
            member.size, member.mtime, member.mode = len(content), int(moment.timestamp()), 0o600
            archive.addfile(member, io.BytesIO(content))
    return path


def _deeds(audit: Path) -> bytes:
    """The last lines of the audit, masked once more."""
    try:
        lines = audit.read_bytes().splitlines()[-DEEDS:]
    except FileNotFoundError:
        return b""
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.encode(masked(msgspec.json.decode(line))))
        except msgspec.DecodeError:
            continue  # a line that was cut off
    return b"".join(line + b"\n" for line in found)
