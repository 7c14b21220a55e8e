"""The command `novadeck` in a process of its own, as a script would call it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from witness import PATIENCE, Json

NOVADECK = str(Path(sys.executable).with_name("novadeck"))
PIPE = asyncio.subprocess.PIPE


class Said(NamedTuple):
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its data."""
        return json.loads(self.out)


async def run(*words: str) -> Said:
    """Run it to its end, with nobody at its input."""
    process = await asyncio.create_subprocess_exec(
        NOVADECK, *words, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(3 * PATIENCE):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = Said(process.returncode or 0, out.decode(), err.decode())
    assert "Traceback" not in said.err, said.err
    return said


async def ok(*words: str) -> Said:
    """Run what must succeed."""
    said = await run(*words)
    assert said.code == 0, f"{words}: exit code {said.code}\n{said.err}"
    return said


@asynccontextmanager
async def changes(*words: str) -> AsyncIterator[list[Json]]:
    """`novadeck watch -f ndjson` beside the test: its objects as they come; it must end by being interrupted."""
    process = await asyncio.create_subprocess_exec(NOVADECK, "watch", "-f", "ndjson", *words, stdout=PIPE, stderr=PIPE)
    assert process.stdout
    assert process.stderr
    told: list[Json] = []

    async def read(stream: asyncio.StreamReader) -> None:
        async for line in stream:
            told.append(json.loads(line))

    reader = asyncio.create_task(read(process.stdout))
    try:
        async with asyncio.timeout(PATIENCE):
            while b"watching" not in (line := await process.stderr.readline()):
                assert line, "novadeck watch has ended"
        yield told
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            err = (await process.stderr.read()).decode()
            assert await process.wait() == 130
        assert "Traceback" not in err, err
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reader
