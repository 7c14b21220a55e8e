"""Waiting for keys: asleep until one comes.

Textual's thread looks ten times a second whether something was typed that only time can tell (an escape key alone is
one when nothing follows it), also when nobody has typed for an hour; that costs more than all else that an idle screen
does. Here it looks so often only for a moment after each byte, and a bell wakes it when it shall end. The parser of
what is typed is Textual's own, by a private name; where its driver has no such thread nothing is changed, and
`NOVADECK_WRITER=plain` leaves it as it was.
"""

import os
import selectors
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from textual._xterm_parser import XTermParser  # private: what keys make of bytes
from textual.driver import Driver

OFTEN = 0.1  # seconds between two looks
MOMENT = 1.0  # seconds after a byte for which it is looked


class Bell(threading.Event):
    """An event for which a thread can wait together with its input, while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._pipe: tuple[int, int] | None = None

    @contextmanager
    def opened(self) -> Iterator[int]:
        """The file that can be read once it has rung."""
        pipe = os.pipe()
        with self._lock:
            self._pipe = pipe
        try:
            yield pipe[0]
        finally:
            with self._lock:
                self._pipe = None
            for end in pipe:
                os.close(end)

    def set(self) -> None:
        """Ring."""
        super().set()
        with self._lock:
            if self._pipe is not None:
                os.write(self._pipe[1], b"!")


def patient(kind: type[Driver]) -> type[Driver]:
    """The driver, asleep while nothing is typed."""
    if not hasattr(kind, "run_input_thread"):
        return kind

    class Patient(kind):  # type: ignore[valid-type,misc]
        """A driver whose thread for keys rests."""

        fileno: int

        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.exit_event = Bell()

        def run_input_thread(self) -> None:
            parser = XTermParser(getattr(self, "_debug", False))
            decode = getincrementaldecoder("utf-8")(errors="replace").decode
            typed_at = time.monotonic()
            # Other selectors know no file that is no terminal any more.
            with self.exit_event.opened() as bell, selectors.SelectSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                selector.register(bell, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    ready = selector.select(OFTEN if time.monotonic() - typed_at < MOMENT else None)
                    if any(key.fd == self.fileno for key, _ in ready):
                        data = _read(self.fileno)
                        if not data:
                            break
                        typed_at = time.monotonic()
                        if text := decode(data):  # no text would be the end, to the parser
                            self._hear(parser.feed(text))
                    self._hear(parser.tick())

        def _hear(self, events: Any) -> None:
            for event in events:
                self.process_message(event)

    return Patient


def _read(fd: int) -> bytes:
    """What was typed; nothing where nothing can come any more, of which a signal tells as well."""
    try:
        return os.read(fd, 4096)
    except OSError:
        return b""
