"""From what was typed to an open `Console`: which clouds, who is asked for what is missing, and what goes wrong.

It never logs in everywhere unasked: clouds are those named, else OS_CLOUD, else the only one there is.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from console.cli.main import Exit, exit_code
from console.cli.parse import Given, UsageError
from console.cli.voice import asked_secret, complain, someone_there
from console.errors import ConfigError, ConsoleError

if TYPE_CHECKING:
    from console.session import Console


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run a command's work to its exit code; an error that a group of tasks wrapped is raised bare."""
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


def chosen_clouds(given: Given) -> list[str]:
    """The clouds to open; may block. Raises `UsageError` where there are several and none was chosen."""
    if named := given.get("os_cloud"):
        return [name for names in named for name in names.split(",") if name]
    from console.clouds.accounts import find_accounts

    found = find_accounts(())
    if found.default:
        return [found.default]
    if found.names:
        raise UsageError(
            f"There are several clouds: {', '.join(found.names)}.", hint="Choose by --os-cloud or OS_CLOUD."
        )
    raise no_clouds(found.problems, found.looked_for)


def no_clouds(problems: Sequence[ConfigError], looked_for: Sequence[str]) -> ConfigError:
    """Why there is no cloud at all: the first thing that is wrong, or all places that were looked at."""
    if problems:
        return problems[0]
    return ConfigError(
        f"No cloud is configured. Looked for {', '.join(looked_for)}.", hint="Try it without one: novadeck demo."
    )


@asynccontextmanager
async def reach(given: Given) -> AsyncIterator["Console"]:
    """The console over the clouds that were asked for."""
    import console

    clouds = await asyncio.to_thread(chosen_clouds, given)
    async with console.open(
        clouds,
        regions=given.get("os_region_name"),
        all_projects=given.get("all_projects"),
        read_only=bool(given.get("read_only")),
        ask=ask_secret if someone_there() else None,
    ) as ops:
        yield ops


async def ask_secret(question: str) -> str:
    """What an entry of clouds.yaml lacks, asked on the terminal."""
    return await asyncio.to_thread(lambda: asked_secret(question).reveal())


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
