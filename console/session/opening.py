"""From the files that say where the clouds are to an open `Console`, and back.

It reads where the clouds are and starts a lane for each; it waits for none of them. Leaving the context ends every
task that was begun in it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from console.core.clock import Clock
from console.core.fleet import Fleet
from console.core.lane import Account, Connect
from console.core.settings import Paths, Settings, load_saved, load_settings
from console.core.store import Store
from console.errors import ConfigError
from console.session.console import OPENED, AccountsFound, Console

# Asks a person one question, such as "The password for prod", and gives the answer.
AskPerson = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def open(
    clouds: Sequence[str] | None = None,
    *,
    regions: Sequence[str] | None = None,
    settings: Settings | None = None,
    paths: Paths | None = None,
    clock: Clock | None = None,
    all_projects: bool | None = None,
    read_only: bool = False,
    ask: AskPerson | None = None,
    accounts: AccountsFound | None = None,
    connect: Connect | None = None,
    trace: Callable[[str], None] | None = None,
    checks: bool = True,
) -> AsyncIterator[Console]:
    """Open these clouds of clouds.yaml, or the one that OS_CLOUD or the last run chose; waits for none of them.

    `ask` is asked for a password that is written nowhere. `accounts` and `connect` take the place of clouds.yaml and
    of its login; `trace` gets each exchange as one masked line; without `checks` what is built
    is not checked by itself. Raises `ConfigError` where nothing tells which cloud,
    or the settings are wrong.
    """
    paths = paths or Paths()
    settings = settings or load_settings(paths)
    if read_only:
        settings = msgspec.structs.replace(settings, read_only=True)
    clock = clock or Clock()
    if accounts is None:
        accounts = await _look(clouds, regions, paths)
    store = Store(clock)
    if connect is None:
        from console.clouds.connect import beside
        from console.clouds.connect import connect as log_in

        files = CloudFiles(accounts.looked_for, regions, paths)
        fleet_parts: dict[str, Any] = {
            "connect": partial(log_in, clock_now=clock.now, trace=trace, runtime=paths.runtime),
            "beside": beside,
            "files": files,
        }
    else:
        fleet_parts = {"connect": connect}
    fleet = Fleet(accounts.accounts, store, clock, settings, all_projects=all_projects, ask=ask, **fleet_parts)
    console = Console(accounts, settings, paths, clock, store, fleet, checks)
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            console.start(group)
            OPENED.append(console)
            try:
                yield console
            except Exception as error:  # carried past the group, which would wrap it
                failure = error
            finally:
                OPENED.remove(console)
                console.stop()
    finally:
        await console.close()
    if failure is not None:
        raise failure


class CloudFiles:
    """The files that the accounts came from, to be looked at again after a login was refused."""

    def __init__(self, looked_for: Sequence[str], regions: Sequence[str] | None, paths: Paths | None = None) -> None:
        self._regions = regions
        self._own = paths or Paths()
        named = [Path(text.rpartition("=")[2]) for text in looked_for]
        found = [path for path in named if path.is_absolute()]
        self._paths = [self._own.config_file, *found, *(path.with_name(f"secure{path.suffix}") for path in found)]

    def stamp(self) -> tuple[int, ...]:
        """When each of them was changed."""
        return tuple(map(_changed, self._paths))

    async def read(self, cloud: str) -> Sequence[Account]:
        """What they say of this entry now."""
        from console.clouds.accounts import in_thread
        from console.core.entries import look

        return (await in_thread(lambda: look([cloud], regions=self._regions, paths=self._own))).accounts


def _changed(path: Path) -> int:
    """When this file was changed; 0 where there is none now, or none that we may look at."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


async def _look(clouds: Sequence[str] | None, regions: Sequence[str] | None, paths: Paths) -> AccountsFound:
    """What clouds.yaml and the OS_* variables say of the wanted clouds."""
    from console.clouds.accounts import in_thread
    from console.core.entries import look

    if clouds is None:
        found = await in_thread(lambda: look((), paths=paths))
        chosen = choose(found.names, found.default, load_saved(paths).clouds)
        if chosen is None:
            raise ConfigError(
                f"There are several clouds: {', '.join(found.names)}.", hint="Name the ones to open, or set OS_CLOUD."
            )
        if not chosen:
            return found
        clouds = chosen
    wanted = list(clouds)
    return await in_thread(lambda: look(wanted, regions=regions, paths=paths))


def choose(names: Sequence[str], default: str | None, last: Sequence[str] = ()) -> list[str] | None:
    """The clouds to open when nobody names any: the default, else those of the last run; None: ask somebody."""
    if default:
        return [default]
    again = [name for name in last if name in names]
    if again:
        return again
    return None if names else []
