"""Consoles that are killed: each a process of its own, forked from one that has imported everything.

Reads one order per line as JSON, and answers with the child's pid and then with how it ended. A child begins an
operation, or goes on with those that it finds, until none is open; it kills itself at the point that it was told.
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from small_keeper import FastClock

import console
import console.actions.check
import console.clouds.connect
import console.guests.probe
import console.runbooks.keeper
from console.core.settings import Paths


def main() -> None:
    """Fork a child for each order."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(order)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"killed": os.WIFSIGNALED(status), "code": os.waitstatus_to_exitcode(status)}), flush=True)


def _child(order: dict[str, Any]) -> None:
    """Live; the exit code tells of an error, which is on stderr."""
    code = 1
    try:
        os.close(0)
        os.environ["OS_CLIENT_CONFIG_FILE"] = order["clouds_yaml"]
        asyncio.run(_live(order))
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


async def _live(order: dict[str, Any]) -> None:
    home = Path(order["home"])
    paths = Paths(home / "config", home / "state", home / "runtime")
    clock = FastClock(order["speed"])
    async with console.open([order["cloud"]], paths=paths, clock=clock, checks=False) as ops:
        ops.keeper.passed = _killer(order.get("kill"))
        if order["begin"]:
            place = ops.places[0]
            await ops.fleet.ready(place)
            target: Any = await ops.servers.get(order["target"]) if order["target"] else place
            await ops.perform(order["begin"], target, **order["given"])
        while runs := ops.journal.runs():
            for run in runs:
                if run.question is not None and order["answer"] in run.question.choices and not run.answer:
                    ops.journal.answer(run.id, order["answer"])
            await asyncio.sleep(0.02)


def _killer(kill: list[Any] | None) -> Any:
    """Ends this process the nth time that the keeper passes a point."""
    passed: Counter[str] = Counter()

    def told(point: str) -> None:
        passed[point] += 1
        if kill is not None and [point, passed[point]] == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    return told


if __name__ == "__main__":
    main()
