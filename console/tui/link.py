"""How good the way to the terminal is, and whether the screen spares it: `--lean`, or by itself on a slow link.

A lean screen says the same with less: the clock and running seconds every five seconds and not each one, no bold for
what has just changed, changes gathered over half a second, no blank lines for looks alone.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

SLOW, QUICK = 0.3, 0.12  # seconds for the terminal's answer: lean from the one on, and not below the other
SURE = 3  # slow answers in a row before the screen gets lean
CALM = 30  # quick ones before it is full again
OVER = 5  # seconds over which bytes are counted
EVERY = 5  # a lean screen's ticks are so many seconds apart
GATHER_LEAN = 0.5


class Facts(NamedTuple):
    """What the writer knows of the link: seconds until the last answer (None: it never answered), bytes in all."""

    answer: float | None = None
    sent: int = 0


class Link:
    """Decides once a second whether the screen is lean; `chosen` is what the user said, None for by itself."""

    def __init__(self, chosen: bool | None = None, facts: Callable[[], Facts] = Facts) -> None:
        self.lean = bool(chosen)
        self._chosen, self._facts = chosen, facts
        self._now = Facts()
        self._sent: deque[int] = deque(maxlen=OVER + 1)
        self._run = 0  # answers in a row that ask for the other way

    def look(self) -> bool:
        """Look at the link; whether the screen has to change its ways."""
        self._now = self._facts()
        self._sent.append(self._now.sent)
        if self._chosen is not None or self._now.answer is None:
            return False
        other = self._now.answer < QUICK if self.lean else self._now.answer > SLOW
        self._run = self._run + 1 if other else 0
        if self._run < (CALM if self.lean else SURE):
            return False
        self.lean, self._run = not self.lean, 0
        return True

    @property
    def speed(self) -> float:
        """Bytes per second over the last seconds."""
        return (self._sent[-1] - self._sent[0]) / (len(self._sent) - 1) if len(self._sent) > 1 else 0.0

    def told(self) -> str:
        """The link in one sentence."""
        answer = "no answer yet" if self._now.answer is None else f"answers in {self._now.answer * 1000:.0f} ms"
        why = "" if self._chosen is None else ", as you chose"
        ways = "lean" if self.lean else "full"
        return f"{amount(self.speed)}/s, {amount(self._now.sent)} in all, {answer}, {ways}{why}."


def amount(size: float) -> str:
    """Bytes with a unit."""
    return f"{size:.0f} B" if size < 1000 else f"{size / 1000:.1f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"
