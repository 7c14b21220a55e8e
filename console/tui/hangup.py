"""The terminal is gone, or the system wants us to end: what is under way is seen to its end, and nothing is left.

A dropped connection sends SIGHUP. What was asked of a cloud shall not be cut off half way for that, so the screen goes
on without a terminal until the last order that it follows itself has ended; with none under way it ends at once, and
what the journal has is gone on with by a keeper. SIGTERM ends it at once, in order.
"""

import asyncio
import os
import signal
from collections.abc import Callable

LOOK = 0.5  # seconds between two looks whether anything is still under way


class Hangup:
    """Ends the screen when it is told to from outside."""

    def __init__(self, busy: Callable[[], bool], deafen: Callable[[], None], leave: Callable[[], None]) -> None:
        self._busy, self._deafen, self._leave = busy, deafen, leave
        self._gone = False

    def listen(self) -> None:
        """Hear the signals from now on."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.hung_up)
        loop.add_signal_handler(signal.SIGTERM, self._leave)

    def hung_up(self) -> None:
        """The terminal is gone: nothing is read from it or written to it any more."""
        if self._gone:
            return
        self._gone = True
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        os.close(nowhere)
        self._deafen()  # or the end of a file would be read again and again
        self._look()

    def _look(self) -> None:
        if self._busy():
            asyncio.get_running_loop().call_later(LOOK, self._look)
        else:
            self._leave()
