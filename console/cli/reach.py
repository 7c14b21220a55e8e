"""From what was typed to an open `Console`: which clouds, who is asked for what is missing, and what goes wrong.

It never logs in everywhere unasked: clouds are those named, else OS_CLOUD, else the only one there is.
"""

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from console.cli.main import Exit, exit_code
from console.cli.parse import Given, UsageError
from console.cli.voice import asked_secret, complain, say, someone_there
from console.errors import ConfigError, ConsoleError

if TYPE_CHECKING:
    from console.clouds.accounts import Accounts
    from console.session import Console

STARTED = time.monotonic()


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run a command's work to its exit code; an error that a group of tasks wrapped is raised bare."""
    logging.getLogger("console").addHandler(logging.NullHandler())  # what matters is said by the command itself
    # One command makes many rows and no circles among them: collecting would only look at them again and again.
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        raise bare(group) from None


def bare(group: "BaseExceptionGroup[Any]") -> BaseException:
    """The one error of ours in a group, where it holds nothing else; else the group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, ConsoleError | OSError | KeyboardInterrupt) else group


def named_clouds(given: Given) -> list[str]:
    """The clouds that were named on the command line."""
    return [name for names in given.get("os_cloud", []) for name in names.split(",") if name]


def found_accounts(given: Given) -> "Accounts":
    """The accounts to open; may block. Raises `UsageError` where there are several clouds and none was chosen."""
    from console.core.entries import look
    from console.core.settings import Paths, load_saved
    from console.session import choose

    clouds = named_clouds(given)
    if not clouds:
        all = look(())
        chosen = choose(all.names, all.default, load_saved(Paths()).clouds)
        if chosen is None:
            hint = "Choose by --os-cloud (which may be given again) or OS_CLOUD."
            raise UsageError(f"There are several clouds: {', '.join(all.names)}.", hint=hint)
        clouds = chosen
    found = look(clouds, regions=given.get("os_region_name"))
    if not found.accounts:
        raise nothing_to_open(found, given.get("os_region_name", []))
    return found


def nothing_to_open(found: "Accounts", regions: Sequence[str]) -> ConfigError:
    """Why there is no cloud to open: what is wrong (all but the last said here), or where was looked for one."""
    if found.problems:
        for problem in found.problems[:-1]:
            complain(problem)
        return found.problems[-1]
    if found.names and regions:
        return ConfigError(f"No cloud that was asked for has a region {' or '.join(regions)}.")
    return ConfigError(
        f"No cloud is configured. Looked for {', '.join(found.looked_for)}.", hint="Try it without one: novadeck demo."
    )


@asynccontextmanager
async def reach(given: Given) -> AsyncIterator["Console"]:
    """The console over the clouds that were asked for."""
    import console
    from console.clouds.accounts import in_thread

    accounts = await in_thread(lambda: found_accounts(given))
    ask = ask_secret if someone_there() else None
    async with console.open(accounts=accounts, ask=ask, **options(given)) as ops:
        try:
            yield ops
        finally:
            if given.get("timing"):
                tell_timing(ops)


def options(given: Given) -> dict[str, Any]:
    """What the global options say to `console.open`."""
    return {
        "regions": given.get("os_region_name"),
        "all_projects": given.get("all_projects"),
        "read_only": bool(given.get("read_only")),
        "trace": say if given.get("debug") else None,
        "checks": not given.command.action,  # a command that acts ends with its order: check by `server check --wait`
    }


def tell_timing(ops: "Console") -> None:
    """Say where the time went: ours, and that of each place's last reply."""
    for place, health in ops.health.items():
        if health.latency is not None:
            say(f"timing: {place} {health.latency:.3f} s for its last reply")
    used = os.times()
    say(f"timing: {used.user + used.system:.2f} s of CPU, {time.monotonic() - STARTED:.2f} s in all")


async def ask_secret(question: str) -> str:
    """What an entry of clouds.yaml lacks, asked on the terminal."""
    return await asyncio.to_thread(lambda: asked_secret(f"{question}:").reveal())


def verdict(failed: int, good: int, errors: Iterable[BaseException] = ()) -> int:
    """The exit code of many: done, some failed, or all failed (by the deadline, where that is why)."""
    if not failed:
        return Exit.DONE
    if good:
        return Exit.SOME_FAILED
    codes = {exit_code(error) for error in errors}
    return codes.pop() if len(codes) == 1 else Exit.FAILED


def tell_troubles(ops: "Console", troubles: Mapping[Any, ConsoleError]) -> int:
    """Say what is wrong with which cloud, each once; how many there are."""
    told = dict.fromkeys(str(error) for error in [*ops.problems, *troubles.values()])
    errors = {str(error): error for error in [*ops.problems, *troubles.values()]}
    for text in told:
        complain(errors[text])
    return len(told)
