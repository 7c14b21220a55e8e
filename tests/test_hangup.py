"""A terminal that is closed under the screen: one headless keeper goes on with what is open, and else nothing is left.

The real program on a pseudo-terminal of its own, whose other side is closed: the kernel itself hangs it up.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from emulator import Program, program
from test_ops import HOLD, Home, asking, home, soon

from console.cli.keep import KEEPER

__all__ = ["home"]
NOVADECK = ("-m", "console.cli.main")


class Shown:
    """The screen in a terminal of its own."""

    def __init__(self, home: Home, terminal: Program) -> None:
        self.home, self.terminal = home, terminal

    async def until(self, text: str) -> None:
        """Wait until the screen shows it."""
        await asyncio.to_thread(self.terminal.until, text)

    async def press(self, keys: str, then: str) -> None:
        """Press keys, and wait for what they bring."""
        self.terminal.type(keys)
        await self.until(then)

    async def close(self) -> None:
        """Close the terminal's window; the screen's process is gone when this returns."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self.terminal.fd)
        os.close(nowhere)
        async with asyncio.timeout(20):
            await asyncio.to_thread(os.waitpid, self.terminal.pid, 0)


@asynccontextmanager
async def screen(home: Home) -> AsyncIterator[Shown]:
    """The screen on this home's cloud, until the block ends."""
    own = {name: value for name, value in home.environment.items() if name not in ("COLUMNS", "LINES", "TERM")}
    with program(NOVADECK, 110, 34, **own) as terminal:
        shown = Shown(home, terminal)
        await shown.until("Servers")
        await shown.until("web-1")
        yield shown


def left(home: Home) -> list[str]:
    """The command lines of all processes of this home that live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"NOVADECK_OF_TEST={home.paths.state}\0" in (folder / "environ").read_text(errors="replace")
            words = (folder / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
        if mine and words:
            found.append(words)
    return found


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_a_screen_with_nothing_open_leaves_nothing(home: Home) -> None:
    async with screen(home) as shown:
        assert len(left(home)) == 1
        await shown.close()
    assert left(home) == [] and home.journal.lease(KEEPER) is None
    assert not (home.paths.state / "keeper.log").exists()


async def test_what_was_begun_on_the_screen_is_ended_by_the_one_keeper_it_leaves(home: Home) -> None:
    record = next(s for _, place in home.estate.places for s in place.nova.alive() if s.id == home.server)
    home.estate.clock.speed = 1.0  # a resize of some seconds
    async with screen(home) as shown:
        await shown.press(f"/{record.name}\r", "1 of 12")
        await shown.press("\x10", "Command")
        await shown.press("guarded resize", "Resize, test the guest")
        await shown.press("\r", "What changes")
        await shown.press("\r", "guarded resize")
        await soon(lambda: home.journal.runs(), "it is written down")
        (run,) = home.journal.runs()
        assert home.holder(run.id) == shown.terminal.pid
        await soon(lambda: "ordered" in home.journal.run(run.id).facts, "it is ordered")
        await shown.close()
    assert home.journal.run(run.id).open  # nobody has waited for its end
    await soon(lambda: home.holder(run.id) and home.holder(run.id) == home.holder(KEEPER), "the keeper has it")
    assert home.keepers() == [home.holder(KEEPER)] and len(left(home)) == 1
    await soon(lambda: not home.journal.runs(), "it ends")
    ended = home.journal.run(run.id)
    assert ended.state == "done" and ended.facts["end"].startswith("confirmed: it has "), ended.failure
    assert [action.action for action in record.actions][-2:] == ["resize", "confirmResize"]
    await soon(lambda: not left(home), "the keeper goes when nothing is open")


async def test_a_question_that_was_open_is_asked_on_and_the_keeper_rests_meanwhile(home: Home) -> None:
    first = await home.start("server", "resize", home.server, *HOLD)
    id = await asking(home)
    first.kill()
    await first.wait()
    async with screen(home) as shown:
        await shown.until("Keep it so?")
        assert home.holder(id) == shown.terminal.pid
        await shown.close()
    await soon(lambda: home.holder(id) and home.holder(id) == home.holder(KEEPER), "the keeper has it")
    pid = home.holder(KEEPER)
    assert home.keepers() == [pid] and len(left(home)) == 1
    await asyncio.sleep(2)
    before = cpu(pid)
    await asyncio.sleep(3)
    assert cpu(pid) - before < 0.6
    code, _, said = await home.run("ops", "answer", id, "revert")
    assert code == 0, said
    await soon(lambda: not left(home), "it ends, and the keeper with it")
    assert home.journal.run(id).facts["end"].startswith("reverted: it has ")


async def test_what_only_the_screen_follows_is_seen_to_its_end_without_spinning(home: Home) -> None:
    record = next(s for _, place in home.estate.places for s in place.nova.alive() if s.id == home.server)
    record.metadata["lab_snapshot_seconds"] = "60"
    async with screen(home) as shown:
        await shown.press(f"/{record.name}\r", "1 of 12")
        await shown.press("i", "image name")
        await shown.press("\r", "image_")
        closing = asyncio.create_task(shown.close())
        await asyncio.sleep(2)
        before = cpu(shown.terminal.pid)
        await asyncio.sleep(2)
        assert not closing.done() and cpu(shown.terminal.pid) - before < 1.0
        await closing
    assert record.task_state is None and left(home) == []
