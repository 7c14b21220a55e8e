"""Waiting for a row to become what somebody waits for, as pyrax had it: `wait_until` and `wait_for_build`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeVar, overload

from console.core.clock import Clock
from console.core.until import Until
from console.errors import ConfigError, ConsoleError
from console.model.place import Row
from console.session.console import OPENED

R = TypeVar("R", bound=Row)


@overload
async def wait_until(
    obj: R,
    att: str,
    desired: Any,
    callback: None = None,
    interval: float = 5,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = (),
    *,
    deadline: float | None = None,
) -> R: ...


@overload
async def wait_until(
    obj: R,
    att: str,
    desired: Any,
    callback: Callable[[R], Any],
    interval: float = 5,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = (),
    *,
    deadline: float | None = None,
) -> "asyncio.Task[R]": ...


async def wait_until(
    obj: R,
    att: str,
    desired: Any,
    callback: Callable[[R], Any] | None = None,
    interval: float = 5,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = (),
    *,
    deadline: float | None = None,
) -> "R | asyncio.Task[R]":
    """Read a row again every `interval` seconds until its attribute is the desired value, or one of a list.

    `attempts` (0: no limit) and `deadline` (seconds) end it with `WaitTimeout`; a cloud that does not answer for a
    while does not, but a row that is gone and a login that is refused do. `verbose` prints a line for each
    reading, with `verbose_atts` too. With a `callback` it neither waits nor prints: a task of the open console does
    the waiting, and gives the row as last read to the callback, whether it got there or not; the row's attribute
    tells. Needs the console that the row came from to be open.
    """
    console = next((one for one in reversed(OPENED) if obj.place in one.places), None)
    if console is None:
        raise ConfigError(f"{obj.name or obj.id} came from a console that is no longer open.")
    more = (verbose_atts,) if isinstance(verbose_atts, str) else tuple(verbose_atts or ())
    loud = verbose and callback is None
    waiting = Until(obj, att, desired, interval, attempts, deadline, loud, more)
    read = console.of(type(obj)).get
    if callback is None:
        return await waiting.run(read, console.clock)
    return console.spawn(_quietly(waiting, read, console.clock, callback), f"wait for {obj.name or obj.id}")


async def wait_for_build(
    obj: R,
    att: str = "status",
    desired: Any = ("ACTIVE", "ERROR"),
    callback: Callable[[R], Any] | None = None,
    interval: float = 20,
    attempts: int = 0,
    verbose: bool = False,
    verbose_atts: Sequence[str] | str = ("progress",),
    *,
    deadline: float | None = None,
) -> "R | asyncio.Task[R]":
    """As `wait_until`, for a server that is being built: until it is ACTIVE or in ERROR."""
    waiting: Any = wait_until
    found: R | asyncio.Task[R] = await waiting(
        obj, att, desired, callback, interval, attempts, verbose, verbose_atts, deadline=deadline
    )
    return found


async def _quietly(
    waiting: Until[R], read: Callable[[R], Awaitable[R]], clock: Clock, callback: Callable[[R], Any]
) -> R:
    """Wait, and tell the callback however it ended; a cloud's error ends it, and what was read last is told."""
    with suppress(ConsoleError):
        await waiting.run(read, clock)
    told = callback(waiting.row)
    if isawaitable(told):
        await told
    return waiting.row
