"""Terminals that know little: what they would print or misread is not said to them.

Textual greets every terminal with what xterm understands: another screen, a mouse, titles, questions. A VT100, or the
console of a Linux machine behind a bastion, knows none of it. The system's own database tells which terminals these
are: they have no second screen to go to. What passes is what the database says they have.

GNU screen understands most of it. It has a second screen only if it is set to, so that what we drew is wiped off before
we go; and it keeps to itself what is copied, or told to the desktop, unless it is asked to hand that on.
"""

import os
import re
from collections.abc import MutableMapping
from typing import Any

from textual.driver import Driver

SECOND_SCREEN = "1049"
LEAVING = f"\x1b[?{SECOND_SCREEN}l"
CLEAR = "\x1b[H\x1b[J"  # what going to another screen and coming back comes to, where there is but one
WRAPS, CURSOR = "7", "25"
WEIGHTS = {"", "0", "1", "4", "5", "7"}
HUES = {str(code) for base in (30, 40, 90, 100) for code in range(base, base + 8)} | {"39", "49"}
PIECE = 700  # characters; screen cuts what is longer than 767
_FOR_OUTSIDE = re.compile(r"\x1b\](?:52|9|777);[^\x07\x1b]*\x07")
_SAID = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[(?P<mark>[?<=>]?)(?P<given>[\d;]*)(?P<between>[ -/]*)(?P<end>[@-~])"
)


class Words:
    """What a terminal understands."""

    def __init__(self, *, cursor: bool, dim: bool, hues: bool) -> None:
        self.modes = {WRAPS, *([CURSOR] if cursor else [])}
        self.looks = WEIGHTS | ({"2"} if dim else set()) | (HUES if hues else set())

    def told(self, data: str) -> str:
        """What is left of this for such a terminal."""
        return _SAID.sub(self._word, data)

    def _word(self, match: re.Match[str]) -> str:
        mark, given, end = match["mark"], match["given"], match["end"]
        if end is None or match["between"]:
            return ""
        if mark:
            if mark == "?" and end in "hl" and given == SECOND_SCREEN:
                return CLEAR
            return match[0] if mark == "?" and end in "hl" and given in self.modes else ""
        return match[0] if end != "m" else self._look(given)

    def _look(self, given: str) -> str:
        codes = given.split(";")
        for wide in ("38", "48"):  # colours by number or by their parts, which stand behind
            while wide in codes:
                at = codes.index(wide)
                del codes[at : at + (3 if codes[at + 1 : at + 2] == ["5"] else 5)]
        left = [code for code in codes if code in self.looks]
        return f"\x1b[{';'.join(left)}m" if left else ""


def words_of(term: str) -> Words | None:
    """What a terminal of this name understands; None where it is as able as most."""
    try:
        import curses

        curses.setupterm(term, 1)
    except (ImportError, OSError, curses.error):  # a name that the system does not know is a new one, and able
        return None
    if curses.tigetstr("smcup") is not None:
        return None
    return Words(
        cursor=curses.tigetstr("civis") is not None,
        dim=curses.tigetstr("dim") is not None,
        hues=curses.tigetnum("colors") >= 8,
    )


def in_screen(term: str) -> bool:
    """Whether this may be GNU screen, which calls itself screen, screen-256color or screen.xterm; tmux may, too."""
    return term.startswith("screen")


def disbelieve(environment: MutableMapping[str, str] = os.environ) -> None:
    """Forget what the terminal around GNU screen says of itself: the colours that it has are not let through."""
    if in_screen(environment.get("TERM", "")) and not environment.get("TMUX"):
        environment.pop("COLORTERM", None)


def _to_screen(data: str) -> str:
    return _FOR_OUTSIDE.sub(_handed_on, data.replace(LEAVING, CLEAR + LEAVING))


def _handed_on(match: re.Match[str]) -> str:
    """This, as it is for tmux, and in pieces that screen gives to the terminal around it unread."""
    pieces = [match[0][at : at + PIECE] for at in range(0, len(match[0]), PIECE)]
    return match[0] + "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)


def modest(kind: type[Driver], term: str) -> type[Driver]:
    """The driver, saying only what a terminal of this name understands."""
    words = words_of(term)
    if words is None and not in_screen(term):
        return kind
    told = words.told if words is not None else _to_screen

    class Modest(kind):  # type: ignore[valid-type,misc]
        """A driver that leaves out what its terminal does not know."""

        def write(self, data: str) -> Any:
            return super().write(told(data))

    return Modest
