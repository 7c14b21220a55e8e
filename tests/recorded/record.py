"""Record a real OpenStack: `python record.py CLOUDS.YAML CLOUD OUT.json [TIMES [FLOW ...]]`.

CLOUD-admin is its administrator's entry.  A state may be shorter than the step of the polling, so the flows run several
times and every sequence that was seen is kept.  With the names of flows, only these are recorded anew.
"""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import yaml
from flows import FLOWS, follow_all
from tape import Tape


async def record(entry: dict, admin: dict, flow: str) -> Tape:
    """One run of a flow."""
    async with aiohttp.ClientSession() as http:
        tape = Tape(http, entry["auth"], entry["region_name"])
        await tape.with_admin(admin["auth"])
        await follow_all(tape, flow)
        return tape


def kept(tapes: list[Tape]) -> dict:
    """What is written of a flow: the first run's answers and events, and every sequence that differs."""
    sequences: dict[str, list[list[str]]] = {}
    for label in tapes[0].sequences:
        for tape in tapes:
            if tape.sequences[label] not in sequences.setdefault(label, []):
                sequences[label].append(tape.sequences[label])
    return {"calls": tapes[0].calls, "events": tapes[0].events, "sequences": sequences}


def main() -> None:
    path, cloud, out, *more = sys.argv[1:]
    clouds = yaml.safe_load(Path(path).read_text())["clouds"]
    times = int(more[0]) if more else 3
    file = Path(out)
    recorded = json.loads(file.read_text()) if more[1:] else {}
    for flow in more[1:] or FLOWS:
        tapes = [asyncio.run(record(clouds[cloud], clouds[f"{cloud}-admin"], flow)) for _ in range(times)]
        recorded[flow] = kept(tapes)
        file.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
        print(flow, flush=True)


if __name__ == "__main__":
    main()
