"""The keys of a recording that is played: stop, speed, seek, and what changed between two moments.

The screen is the same as over clouds; this moves the recording's time and says where it stands.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from console.replay import Replay
from console.tui.dialogs import AskText, Topic
from console.tui.paint import EMPTY, Line, Span, spans
from console.tui.pickers import Pages
from console.tui.screen import MainScreen
from console.tui.theme import Glyphs

SECONDS = 10.0
MINUTES = 300.0
_CLOCK = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?")
_SKIP = re.compile(r"(?P<sign>[+-])(?P<number>\d+)(?P<unit>[smh]?)")
_UNITS = {"": 60, "s": 1, "m": 60, "h": 3600}


class Replaying:
    """What the replay's keys do."""

    def __init__(self, screen: MainScreen) -> None:
        self.screen = screen
        self.mark: dt.datetime | None = None
        self._playing = False
        screen.each_second.append(self._look)

    def _look(self) -> None:
        """The footer's word for the key that stops or goes on follows what it would do."""
        deck = self.screen.deck
        if deck is not None and deck.replay is not None and deck.replay.playing != self._playing:
            self._playing = deck.replay.playing
            self.screen.draw_footer()

    def commands(self) -> Mapping[str, Callable[[], Any]]:
        """What each of the replay's commands does, by its name in `keys.REPLAY`."""
        return {
            "pause": lambda: self._do(lambda replay: replay.toggle()),
            "faster": lambda: self._do(lambda replay: replay.faster(1)),
            "slower": lambda: self._do(lambda replay: replay.faster(-1)),
            "next_change": lambda: self._change(1),
            "last_change": lambda: self._change(-1),
            "skip_on": lambda: self._do(lambda replay: replay.skip(SECONDS)),
            "skip_back": lambda: self._do(lambda replay: replay.skip(-SECONDS)),
            "leap_on": lambda: self._do(lambda replay: replay.skip(MINUTES)),
            "leap_back": lambda: self._do(lambda replay: replay.skip(-MINUTES)),
            "seek": self._ask,
            "mark_moment": self._mark,
            "compare": self._compare,
        }

    def _do(self, work: Callable[[Replay], None]) -> None:
        replay = self._replay()
        if replay is not None:
            work(replay)
            self.screen.tick()

    def _replay(self) -> Replay | None:
        deck = self.screen.deck
        if deck is None or deck.replay is None:
            self.screen.refuse("This is no recording.")
            return None
        return deck.replay

    def _change(self, step: int) -> None:
        replay = self._replay()
        if replay is not None and not replay.to_change(step):
            self.screen.refuse(f"There is no {'later' if step > 0 else 'earlier'} change.")
        self.screen.tick()

    def _ask(self) -> None:
        replay = self._replay()
        if replay is None:
            return
        screen = self.screen
        whole = f"It goes from {replay.begin:%Y-%m-%d %H:%M:%S} to {replay.end:%H:%M:%S} UTC."
        lines = [spans(Span(words, "muted")) for words in (whole, "14:02 and 14:02:11 are times, +5m and -90s too.")]
        dialog = AskText(screen.ink, screen.glyphs, Topic("Go to"), lines, "go", label="time")
        screen.app.push_screen(dialog, self._go)

    def _go(self, text: str | None) -> None:
        replay = self._replay()
        if replay is None or not text:
            return
        moment = moment_of(text.strip(), replay.time.at)
        if moment is None:
            self.screen.refuse(f"{text.strip()} is no time.", "14:02, 14:02:11, +5m and -90s are.")
            return
        replay.seek(moment)
        self.screen.tick()

    def _mark(self) -> None:
        replay = self._replay()
        if replay is not None:
            self.mark = replay.time.at
            key = self.screen.keymap.key("compare")
            self.screen.say(f"A is {self.mark:%H:%M:%S}. Go elsewhere, then {key} shows what changed.")

    def _compare(self) -> None:
        """What differs between A (the beginning, where none was marked) and here."""
        replay = self._replay()
        if replay is None:
            return
        one, other = sorted((self.mark or replay.begin, replay.time.at))
        screen = self.screen
        lines = change_lines(replay.between(one, other), screen.glyphs)
        right = f"{one:%H:%M:%S} {screen.glyphs.becomes} {other:%H:%M:%S}"
        screen.app.push_screen(Pages(screen.ink, screen.glyphs, Topic("What changed", right=right), lines))


def moment_of(text: str, here: dt.datetime) -> dt.datetime | None:
    """A time of the same day, or a time from here on; None where it is neither."""
    if match := _SKIP.fullmatch(text):
        seconds = int(match["number"]) * _UNITS[match["unit"]]
        return here + dt.timedelta(seconds=seconds if match["sign"] == "+" else -seconds)
    match = _CLOCK.fullmatch(text)
    try:
        return match and here.replace(
            hour=int(match["hour"]), minute=int(match["minute"]), second=int(match["second"] or 0), microsecond=999999
        )
    except ValueError:
        return None


def change_lines(changes: list[dict[str, Any]], glyphs: Glyphs) -> list[Line]:
    """Changes as `between` tells them, for reading."""
    if not changes:
        return [spans(Span("Nothing changed.", "muted"))]
    found: list[Line] = []
    signs = {"appeared": ("+", "ok"), "disappeared": (glyphs.broken, "error"), "changed": (glyphs.becomes, "busy")}
    told = [change for change in changes if change["event"] != "changed" or _worth(change)]
    for change in told:
        sign, role = signs[change["event"]]
        head = spans(Span(f"{sign:<3}", role), Span(str(change["name"] or change["id"]), "strong", True))
        found.append(spans(head, Span(f"   {change['kind']} at {change['place']} {change['event']}", "muted")))
        for name, values in _worth(change).items():
            old, new = (_short(values[which], glyphs) for which in ("old", "new"))
            moved = Span(f"{old} {glyphs.becomes} {new}", "text")
            found.append(spans(" " * 6, Span(f"{name:<18}", "muted"), moved))
        found.append(EMPTY)
    if touched := len(changes) - len(told):
        others, them = ("others are", "them") if touched > 1 else ("other is", "it")
        found.append(spans(Span(f"{touched} {others} as before, but for when something was done to {them}.", "muted")))
    return found


def _worth(change: Mapping[str, Any]) -> dict[str, Any]:
    """What of a change is worth telling: the cloud's own word is told as the status, and progress comes to nothing."""
    hidden = ("word", "updated", "progress", "vm_state", "power_state")
    return {name: values for name, values in change.get("changed", {}).items() if name not in hidden}


def _short(value: Any, glyphs: Glyphs) -> str:
    if value in (None, "", [], {}):
        return glyphs.none
    if isinstance(value, dict):
        return ", ".join(f"{name}={_short(inner, glyphs)}" for name, inner in value.items())
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
