"""Record a real OpenStack: `python record.py CLOUDS.YAML CLOUD OUT.json [TIMES]`.

A state may be shorter than the step of the polling, so the flows run several times and the longest sequence of each is
kept, with the others beside it.
"""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import yaml
from flows import everything
from tape import Tape


async def record(auth: dict[str, str], region: str) -> Tape:
    """One run of all flows."""
    async with aiohttp.ClientSession() as http:
        tape = Tape(http, auth, region)
        await everything(tape)
        return tape


def main() -> None:
    path, cloud, out, *times = sys.argv[1:]
    entry = yaml.safe_load(Path(path).read_text())["clouds"][cloud]
    tapes = [asyncio.run(record(entry["auth"], entry["region_name"])) for _ in range(int(times[0]) if times else 3)]
    kept = {
        "calls": tapes[0].calls,
        "sequences": {label: [tape.sequences[label] for tape in tapes] for label in tapes[0].sequences},
    }
    Path(out).write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
