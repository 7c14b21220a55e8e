"""The header: one lane for each place, with its health, how many rows it has, and how old they are.

Lanes keep their order, so that the eye learns where each place stands; where not all fit, those in trouble stay.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from console.tui.banners import tint
from console.tui.paint import Line, Span, age, fit, spans, spread, width
from console.tui.shape import Shape
from console.tui.theme import Glyphs

WINDOWS = {1.0: "a second", 60.0: "a minute", 3600.0: "an hour", 86400.0: "a day"}

REST = 12  # cells for "+ 7 well"
ROOMY = 100  # from this width on the margins are two cells, as the footer's are
_ADDRESS = re.compile(r"^[\w.\-\[\]:]+:\d+ ")
# What befalls a connection, in the few words that a lane has room for.
_BRIEF = (
    (re.compile(r"refuses connections"), "refused"),
    (re.compile(r"closed the connection\b.*"), "hung up"),
    (re.compile(r"gave no answer within (.*)"), r"no answer in \1"),
    (re.compile(r"cannot be reached: (.*)"), r"\1"),
    (re.compile(r"the certificate of .*"), "certificate not trusted"),
    (re.compile(r"the name (.*) is not known"), r"no host \1"),
)
LEAST_REASON = 20  # cells of a trouble's reason that are shown at least


class Lane(msgspec.Struct, frozen=True):
    """One place as the header tells it; ages and waits in seconds."""

    name: str
    short: str = ""
    state: str = "asking"  # asking, well, slow, throttled, down, refused, needs-secret
    count: int | None = None
    production: str = ""  # the role that marks it
    age: float | None = None
    latency: float | None = None
    left: int | None = None
    most: int | None = None
    window: float | None = None  # in which the limit is counted
    reason: str = ""
    again: float | None = None

    @property
    def troubled(self) -> bool:
        """Whether it asks to be looked at."""
        return self.state not in ("well", "asking")


def glyph_of(lane: Lane, glyphs: Glyphs) -> Span:
    """The lane's glyph in its role."""
    if lane.state == "well":
        return Span(glyphs.well, "ok")
    if lane.state == "asking":
        return Span(glyphs.moving, "busy")
    if lane.state in ("slow", "throttled"):
        return Span(glyphs.beware, "warn")
    if lane.state == "needs-secret":
        return Span(glyphs.asks, "warn")
    return Span(glyphs.broken, "error")


def badge(role: str, mono: bool) -> Span:
    """The mark of a production cloud, in its role."""
    return Span("[PROD]", role, bold=True) if mono else Span(" PROD ", role, bold=True, ground=tint(role))


def story(lane: Lane, dot: str = "·", *, whole: bool = True) -> Line:
    """The second line of a lane: age of its rows, requests left, or the trouble in its colour.

    Where it is not to be whole, what is left of a limit is told only if that is little, and no next try.
    """
    old = [] if lane.age is None else [f"{age(lane.age)} old"]
    join = f" {dot} ".join
    if lane.state in ("down", "refused"):
        again = "" if lane.again is None or not whole else f", again in {max(0, round(lane.again))}s"
        way = f" {dot} ctrl+r asks again" if lane.state == "refused" else ""
        return (Span(join([*old, (_reason(lane) or lane.state) + again]) + way, "error"),)
    if lane.state == "needs-secret":
        return (Span(lane.reason or "needs a password", "warn"),)
    if lane.state == "asking" and lane.age is None:
        return (Span(lane.reason or "asking …", "muted"),)
    found = spans(Span(join(old), "muted"))
    for part in _figures(lane, whole):
        found = spans(found, Span(f" {dot} " if width(found) else "", "muted"), part)
    return found


def _reason(lane: Lane) -> str:
    """Why a place does not answer, in few words, without the address before it: the lane's name says whose."""
    reason = _ADDRESS.sub("", lane.reason).rstrip(".")
    for pattern, words in _BRIEF:
        if match := pattern.fullmatch(reason):
            return match.expand(words)
    return reason


def _figures(lane: Lane, whole: bool) -> list[Span]:
    found = []
    if lane.state == "slow" and lane.latency is not None:
        found.append(Span(f"slow, {lane.latency:.1f}s", "warn"))
    elif lane.state == "throttled":
        found.append(Span(_throttled(lane), "warn"))
    elif lane.state == "slow" and lane.reason:
        found.append(Span(lane.reason, "warn"))
    if lane.left is not None and lane.most:
        scarce = lane.left * 10 < lane.most
        if whole or scarce:
            found.append(Span(left_of(lane), "warn" if scarce else "muted"))
    return found


def _throttled(lane: Lane) -> str:
    return "throttled" if lane.again is None else f"throttled {max(0, round(lane.again))} s"


def left_of(lane: Lane) -> str:
    """What is left of a limit: 31/100 a minute left."""
    if lane.window is None:
        return f"{lane.left} of {lane.most} left"
    window = WINDOWS.get(lane.window, f"in {lane.window:g} s")
    return f"{lane.left}/{lane.most} {window} left"


def brief(lane: Lane, glyphs: Glyphs, *, short: bool, mono: bool) -> Line:
    """A lane in one line: trouble stands in place of the count."""
    name = lane.short if short and lane.short else lane.name
    found = spans(glyph_of(lane, glyphs), " ", Span(name, "strong", bold=lane.state in ("down", "refused")))
    if lane.production:
        found = spans(found, " ", Span("[PROD]" if mono else "PROD", lane.production, bold=True))
    return spans(found, " ", _brief_trouble(lane))


def _brief_trouble(lane: Lane) -> Span:
    if lane.state in ("down", "refused"):
        return Span(f"{age(lane.age)} old" if lane.age is not None else lane.reason or lane.state, "error")
    if lane.state == "slow" and lane.latency is not None:
        return Span(f"{lane.latency:.1f}s", "warn")
    if lane.state == "throttled":
        return Span(_throttled(lane) if lane.again is not None else f"{lane.left} of {lane.most}", "warn")
    if lane.state == "needs-secret":
        return Span("password?", "warn")
    return Span("…" if lane.count is None else f"{lane.count:,}", "muted")


def full(lane: Lane, glyphs: Glyphs, mono: bool, *, whole: bool = True) -> tuple[Line, Line]:
    """A lane in two lines."""
    first = spans(glyph_of(lane, glyphs), " ", Span(lane.name, "strong"))
    if lane.count is not None:
        first = spans(first, Span(f"  {lane.count:,}", "muted"))
    if lane.production:
        first = spans(first, "  ", badge(lane.production, mono))
    return first, spans("  ", story(lane, glyphs.dot, whole=whole))


class Header:
    """Lays lanes out, and remembers how wide each has been so that none jumps when a figure grows."""

    def __init__(self) -> None:
        self._widths: dict[tuple[str, bool], int] = {}
        self._total = 0

    def lines(
        self,
        lanes: Sequence[Lane],
        shape: Shape,
        glyphs: Glyphs,
        *,
        title: str = "novadeck",
        under: str = "",
        time: Line = (),
        corner: Line = (),
        mono: bool = False,
    ) -> list[Line]:
        """The header's lines for these lanes; `time` stands at the right, and `corner` below it."""
        if shape.width != self._total:
            self._widths, self._total = {}, shape.width
        if shape.lane_lines == 1:
            found = [self._brief(lanes, shape, glyphs, title, time, mono)]
        else:
            found = self._full(lanes, shape, glyphs, title, under, time, corner, mono)
        blank: list[Line] = [()] if shape.padded else []
        return [*blank, *found, *blank]

    def _brief(self, lanes: Sequence[Lane], shape: Shape, glyphs: Glyphs, title: str, time: Line, mono: bool) -> Line:
        margin = " " * (2 if shape.width >= ROOMY else 1)
        head = spans(Span(margin + title, "strong", True))
        room = shape.width - width(head) - width(time) - len(margin) - 3
        for short in (False, True):
            texts = [brief(lane, glyphs, short=short, mono=mono) for lane in lanes]
            chosen = _choose(lanes, [width(text) + 2 for text in texts], room)
            if len(chosen) == len(lanes):
                break
        line = head
        for number in chosen:
            line = spans(line, "  ", texts[number])
        return spread(spans(line, _rest(lanes, chosen)), spans(time, margin), shape.width)

    def _sizes(self, lanes: Sequence[Lane], texts: Sequence[tuple[Line, Line]], whole: bool) -> list[int]:
        """How wide each lane is, or has been."""
        found = []
        for lane, (first, second) in zip(lanes, texts, strict=True):
            key = lane.name, whole
            widest = max(width(first), width(second), self._widths.get(key, 0))
            if lane.state not in ("down", "refused"):  # a long reason goes again
                self._widths[key] = widest
            found.append(widest)
        return found

    def _fitted(
        self, lanes: Sequence[Lane], room: int, glyphs: Glyphs, mono: bool
    ) -> tuple[list[tuple[Line, Line]], list[int]]:
        """The lanes' lines with as much in them as there is room for, and how wide each lane is."""
        for only_trouble, whole in ((False, True), (False, False), (True, True), (True, False)):
            texts = [full(lane, glyphs, mono, whole=whole) for lane in lanes]
            if only_trouble:
                texts = [(one, two if lane.troubled else ()) for lane, (one, two) in zip(lanes, texts, strict=True)]
                sizes = [max(width(one), width(two)) for one, two in texts]
            else:
                sizes = self._sizes(lanes, texts, whole)
            if sum(sizes) + 3 * len(sizes) <= room:
                return texts, sizes
        # A cloud's name gives way before a place does, and a reason before a place in trouble does.
        brief = [full(replace(lane, name=lane.short or lane.name), glyphs, mono, whole=False) for lane in lanes]
        briefs = [(one, two if lane.troubled else ()) for lane, (one, two) in zip(lanes, brief, strict=True)]
        widths = [max(width(one), width(two)) for one, two in briefs]
        if sum(widths) + 3 * len(widths) <= room:
            return briefs, widths
        needed = [size + 3 for size, lane in zip(sizes, lanes, strict=True) if lane.troubled]
        rest = REST if len(needed) < len(lanes) else 0
        if sum(needed) + rest > room:
            most = max(LEAST_REASON, (room - rest) // max(1, len(needed)) - 3)
            texts = [(one, fit(two, max(width(one), most), glyphs.cut)) for one, two in texts]
            sizes = [max(width(one), width(two)) for one, two in texts]
        return texts, sizes

    def _full(
        self,
        lanes: Sequence[Lane],
        shape: Shape,
        glyphs: Glyphs,
        title: str,
        under: str,
        time: Line,
        corner: Line,
        mono: bool,
    ) -> list[Line]:
        left, right = max(len(title), len(under)) + 2, max(width(time), width(corner)) + 2
        room = shape.width - left - right - 2
        texts, sizes = self._fitted(lanes, room, glyphs, mono)
        gap = 5 if sum(sizes) + 5 * len(sizes) <= room else 3
        chosen = _choose(lanes, [size + gap for size in sizes], room)
        one, two = spans("  ", Span(title, "strong", True)), spans("  ", Span(under, "muted"))
        at = (
            max(18, left + gap)
            if gap == 5 and shape.width >= 150 and sum(sizes) + 5 * len(sizes) < room - 6
            else left + gap
        )
        for number in chosen:
            first, second = texts[number]
            one = spans(fit(one, at), " " * (at - width(one)), first)
            two = spans(fit(two, at), " " * (at - width(two)), second)
            at += sizes[number] + gap
        one = spans(one, _rest(lanes, chosen))
        return [
            spread(one, spans(time, "  "), shape.width),
            spread(two, spans(corner, "  "), shape.width),
        ]


def _rest(lanes: Sequence[Lane], chosen: Sequence[int]) -> Line:
    others = [lane for number, lane in enumerate(lanes) if number not in chosen]
    if not others:
        return ()
    troubled = sum(lane.troubled for lane in others)
    if not troubled:
        return (Span(f"  + {len(others)} well", "muted"),)
    some = f"{len(others)}, {troubled}" if troubled < len(others) else f"{troubled}"
    return (Span(f"  + {some} in trouble", "warn"),)


def _choose(lanes: Sequence[Lane], sizes: Sequence[int], room: int) -> list[int]:
    """Which lanes are shown: all if they fit, else those in trouble first; always in their order."""
    if sum(sizes) <= room:
        return list(range(len(lanes)))
    room -= REST
    chosen: list[int] = []
    for number in sorted(range(len(lanes)), key=lambda n: (not lanes[n].troubled, n)):
        if sizes[number] <= room:
            chosen.append(number)
            room -= sizes[number]
    return sorted(chosen)
