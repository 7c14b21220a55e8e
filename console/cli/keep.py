"""The keeper without a terminal: goes on with operations whose window was closed, alone or as a service.

One of them is enough for a state folder, and the journal's lease sees to that. It opens the clouds of the operations
that are open and, where it is to stay, of the images that are planned, and no others; what an operation asks it leaves
to whoever looks: `novadeck ops list`.
"""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from console.cli import reach
from console.cli.main import Exit
from console.cli.parse import Given
from console.cli.voice import say
from console.core.settings import Paths
from console.errors import ConfigError, JournalError
from console.runbooks.journal import Journal
from console.runbooks.lease import BEAT, Holder, Lapse, alive, read_holder, this_process
from console.runbooks.schedule_book import book_in

KEEPER = "keeper"  # the lease of the one headless keeper
TURN = 1.0
SERVICE = """\
[Unit]
Description=novadeck's keeper: goes on with operations whose terminal is gone

[Service]
ExecStart={python} -m console.cli.main keep
Restart=on-failure

[Install]
WantedBy=default.target
"""


def run(given: Given) -> int:
    """Keep, for ever or until no operation is open; or print a service that does."""
    if given.get("service"):
        print(SERVICE.format(python=sys.executable), end="")
        say("Save it as ~/.config/systemd/user/novadeck.service, then: systemctl --user enable --now novadeck.")
        say("loginctl enable-linger keeps it when you log out.")
        return Exit.DONE
    return reach.run(_keep(given))


async def _keep(given: Given) -> int:
    journal, me = Journal(Paths().journal_file), this_process()
    if not await hold(journal, me):
        say(f"{_other(journal)} keeps already.")
        return Exit.DONE
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # it has no terminal to lose
    beating = asyncio.create_task(_beat(journal, me), name="beat")
    try:
        clouds = _clouds(journal, given, [])
        while not ending.is_set() and (clouds or not given.get("until_done")):
            clouds = await _turn(given, journal, ending, clouds)
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        journal.release(me)
    return Exit.DONE


async def hold(journal: Journal, me: Holder) -> bool:
    """Become the one headless keeper, unless there is one that lives."""
    lapse = Lapse(asyncio.get_running_loop().time)
    first = lease = journal.lease(KEEPER)
    while lease is not None and not lapse.lapsed(KEEPER, lease):
        if alive(read_holder(lease[0])) or lease != first:  # it lives here, or was seen to beat elsewhere
            return False
        await asyncio.sleep(TURN)
        lease = journal.lease(KEEPER)
    return journal.hold(KEEPER, me, over=lease)


def _other(journal: Journal) -> str:
    lease = journal.lease(KEEPER)
    return str(read_holder(lease[0])) if lease is not None else "Another process"


async def _beat(journal: Journal, me: Holder) -> None:
    while True:
        await asyncio.sleep(BEAT)
        with suppress(JournalError):  # a disk that is full now may have room later
            await asyncio.to_thread(journal.beat, me)


def _clouds(journal: Journal, given: Given, before: list[str]) -> list[str]:
    """The clouds of the operations that are open, and of the plans where we stay to keep them.

    Where the journal cannot be read they are those of `before`: a keeper outlives that.
    """
    planned = [] if given.get("until_done") else _planned()
    try:
        return list(dict.fromkeys([run.cloud for run in journal.runs()] + planned))
    except JournalError as error:
        _say_once(str(error))
        return before


def _planned() -> list[str]:
    try:
        return [plan.cloud for plan in book_in(Paths().state).read().values() if not plan.paused]
    except ConfigError as error:
        _say_once(str(error))
        return []


@cache
def _say_once(text: str) -> None:
    """What is asked for every second is said the first time."""
    say(text)


async def _turn(given: Given, journal: Journal, ending: asyncio.Event, clouds: list[str]) -> list[str]:
    """Keep on these clouds until others are wanted, or none; gives those that are wanted then."""
    if not clouds:
        await _rest(ending)
        return _clouds(journal, given, clouds)
    given.options["os_cloud"] = clouds
    async with reach.reach(given) as ops:
        assert ops.keeper is not None  # asking for it starts it
        scheduler = None if given.get("until_done") else ops.scheduler
        wanted = clouds
        while wanted and not set(wanted) - set(clouds) and not ending.is_set():
            await _rest(ending)
            if scheduler is not None and scheduler.problem:
                _say_once(scheduler.problem)
            wanted = _clouds(journal, given, clouds)
    return wanted


async def _rest(ending: asyncio.Event) -> None:
    """A moment, or until the end."""
    with suppress(TimeoutError):
        await asyncio.wait_for(ending.wait(), TURN)


# Leaving one behind


def leave_keeper(paths: Paths) -> str:
    """Start a keeper that outlives this terminal; what to say of it. It waits until we let go of the operations."""
    paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = os.open(paths.state / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "console.cli.main", "keep", "--until-done"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)
    told = f"The operations go on without this terminal, kept by process {child.pid}: novadeck ops list shows them."
    return f"{told} {mortal()}".rstrip()


def leave_behind(paths: Paths) -> None:
    """As the screen ends: leave a keeper where operations are open that nobody else carries out; else nothing."""
    journal = Journal(paths.journal_file)
    try:
        leases = [journal.lease(run.id) for run in journal.runs()]
        told = leave_keeper(paths) if any(lease is None or _leaving(read_holder(lease[0])) for lease in leases) else ""
    except JournalError as error:
        told = str(error)
    if told:
        with suppress(OSError):  # the terminal may be gone
            say(told)


def _leaving(holder: Holder) -> bool:
    """Whether this is ourselves, or nobody any more."""
    return alive(holder) is False or (holder.pid == os.getpid() and alive(holder) is True)


def mortal(etc: Path = Path("/etc/systemd"), linger: Path = Path("/var/lib/systemd/linger")) -> str:
    """What to do where the system ends a user's processes with the last login; "" where it does not."""
    texts = [etc / "logind.conf", *sorted((etc / "logind.conf.d").glob("*.conf"))]
    lines = [line.strip() for file in texts if file.is_file() for line in file.read_text().splitlines()]
    kills = [line.partition("=")[2].strip().lower() for line in lines if line.startswith("KillUserProcesses=")]
    user = os.environ.get("USER", "")
    if not kills or kills[-1] not in ("yes", "true", "1", "on") or (user and (linger / user).exists()):
        return ""
    return "This system ends your processes when you log out: loginctl enable-linger, and novadeck keep --service."
