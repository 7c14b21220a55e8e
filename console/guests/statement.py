"""Whether a console has said all that it will say of a rebuilt guest's host keys.

A console may be slower than its guest: it may still show what the disk before this one said, or a boot that has not
come to its keys. Until it has had its say, a key that differs from what it shows is no contradiction; afterwards there
is nothing more to wait for. Where it cannot be told whose keys it shows, it is waited for.
"""

import re
import time
from collections.abc import Callable, Iterable

from console.guests.hostkeys import END, Judgement, printed

SETTLED = 10.0  # seconds without another word, after which a console has said all
_FINISHED = re.compile(r"Cloud-init v\. ?\S+ finished at ")
_BOOTS = re.compile(r"^\[ *0\.0+\] ", re.MULTILINE)


class Statement:
    """What one console has said since a rebuild; `before` are the fingerprints that the guest had until then."""

    def __init__(self, before: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.before = frozenset(before)
        self._clock = clock
        self._text: str | None = None
        self._at_first: frozenset[str] = frozenset()
        self._since = 0.0

    def hear(self, console: str) -> None:
        """Take in the whole of it, as it is now."""
        if self._text is None:
            self._at_first = frozenset[str]().union(*printed(console))
        if console != self._text:
            self._text, self._since = console, self._clock()

    def complete(self, judged: Judgement | None) -> bool:
        """Whether it has said what it will of a guest that shows this key."""
        text, blocks = self._text or "", printed(self._text or "")
        *_, last = [None, *END.finditer(text)]
        if judged is None or last is None or not blocks or judged.fingerprint in self.before:
            return False
        after, shown = text[last.end() :], blocks[-1]
        if shown & self.before or _BOOTS.search(after) or "-----BEGIN SSH HOST KEY" in after:
            return False
        quiet = self._clock() - self._since >= SETTLED
        if shown & self._at_first:  # perhaps of the disk before: only where we know that one can it be told
            return bool(self.before) and quiet
        return quiet or _FINISHED.search(after) is not None
