"""Keys are heard whenever they come, an escape alone too, and while none comes hardly anything wakes."""

import os
import selectors
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from test_pty import SHOW, terminal
from textual.events import Key

from console.tui import listening
from console.tui.listening import OFTEN, patient


class Kind:
    """As much of a driver as hears keys."""

    def __init__(self, fd: int) -> None:
        self.fileno = fd
        self.exit_event = threading.Event()
        self.heard: list[str] = []

    def run_input_thread(self) -> None:
        """What is replaced."""
        raise AssertionError("this is Textual's own")

    def process_message(self, event: Any) -> None:
        """A key was heard."""
        if isinstance(event, Key):
            self.heard.append(event.key)

    def until(self, *keys: str) -> None:
        """Wait until just these keys were heard."""
        end = time.monotonic() + 30
        while time.monotonic() < end and self.heard != list(keys):
            time.sleep(0.01)
        assert self.heard == list(keys)


@contextmanager
def listener() -> Iterator[tuple[Kind, int, threading.Thread]]:
    """A driver that listens, where to type, and its thread."""
    hears, types = os.pipe()
    one = patient(Kind)(hears)  # type: ignore[arg-type]
    thread = threading.Thread(target=one.run_input_thread)  # type: ignore[attr-defined]
    thread.start()
    try:
        yield one, types, thread  # type: ignore[misc]
    finally:
        one.exit_event.set()  # type: ignore[attr-defined]
        thread.join(30)
        assert not thread.is_alive()
        one.exit_event.clear()  # type: ignore[attr-defined]
        os.close(hears)
        os.close(types)


def test_keys_are_heard_and_an_escape_alone_is_one() -> None:
    with listener() as (one, types, _):
        os.write(types, b"ab")
        one.until("a", "b")
        os.write(types, b"\x1b")
        one.until("a", "b", "escape")
        os.write(types, b"\x1b[B")
        one.until("a", "b", "escape", "down")


def test_a_letter_in_two_parts_is_one_and_what_is_none_ends_nothing() -> None:
    with listener() as (one, types, _):
        first, second = "ß".encode()[:1], "ß".encode()[1:]
        os.write(types, first)
        time.sleep(0.05)
        os.write(types, second)
        one.until("ß")
        os.write(types, b"\xff")
        os.write(types, b"x")
        end = time.monotonic() + 30
        while one.heard[-1] != "x" and time.monotonic() < end:
            time.sleep(0.01)
        assert one.heard[-1] == "x"


def test_it_rests_while_nothing_is_typed_and_wakes_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float | None] = []

    class Counting(selectors.SelectSelector):
        def select(self, timeout: float | None = None) -> Any:
            pauses.append(timeout)
            return super().select(timeout)

    def until(pause: float | None) -> None:
        end = time.monotonic() + 30
        while pauses[-1:] != [pause] and time.monotonic() < end:
            time.sleep(0.01)
        assert pauses[-1] == pause

    monkeypatch.setattr(listening.selectors, "SelectSelector", Counting)
    with listener() as (one, types, _):
        until(None)
        assert pauses[0] == OFTEN
        os.write(types, b"k")
        one.until("k")
        until(OFTEN)
        until(None)


def test_a_terminal_that_is_gone_is_not_read_again_and_again() -> None:
    hears, types = os.pipe()
    os.close(types)
    for gone in (hears, os.open(os.devnull, os.O_RDWR)):
        one = patient(Kind)(gone)  # type: ignore[arg-type]
        one.run_input_thread()  # type: ignore[attr-defined]
        one.exit_event.set()  # type: ignore[attr-defined]
        os.close(gone)


def test_it_listens_again_after_the_terminal_was_lent() -> None:
    hears, types = os.pipe()
    one: Any = patient(Kind)(hears)  # type: ignore[arg-type]
    for key in ("a", "b"):
        thread = threading.Thread(target=one.run_input_thread)
        thread.start()
        os.write(types, key.encode())
        one.until(*"ab"[: "ab".index(key) + 1])
        one.exit_event.set()
        thread.join(30)
        assert not thread.is_alive()
        one.exit_event.clear()
    os.close(hears)
    os.close(types)


def test_what_hears_keys_in_another_way_is_left_alone() -> None:
    assert patient(object) is object  # type: ignore[arg-type, comparison-overlap]


def test_an_escape_alone_ends_what_was_begun_on_the_screen() -> None:
    with terminal(SHOW.format(theme="nocturne")) as one:
        one.until("cache-1")
        one.type("/")
        one.type("name:cache\r")
        one.until("2 of 29")
        one.type("\x1b")
        one.until("Servers  29")
        one.type("q")
        one.until("answer None")
        assert one.ended() == 0
