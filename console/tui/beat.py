"""The one clock of the screen: something is done each second, without a task that sleeps in between.

A timer of Textual's is such a task: three turns of the event loop a second where one does, on a screen that has nothing
else to do for hours.
"""

import asyncio
from collections.abc import Callable


class Beat:
    """Calls something each second, at whole seconds after its start; those that were slept through are left out."""

    def __init__(self, each: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self._each, self._failed = each, failed
        self._due = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time()
        self._wait(loop)

    def stop(self) -> None:
        """End."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        missed = max(0, int(loop.time() - self._due))
        self._due += missed + 1
        self._handle = loop.call_at(self._due, self._strike, loop)

    def _strike(self, loop: asyncio.AbstractEventLoop) -> None:
        self._wait(loop)
        try:
            self._each()
        except Exception as error:  # as any callback of the screen that fails
            self._failed(error)
