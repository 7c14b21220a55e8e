"""Dialogs with a list: pick one of several, read pages, or find anything that can be done by a few letters of it."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.fuzzy import Matcher

from console.tui.dialogs import Dialog, Topic
from console.tui.edit import Edit
from console.tui.paint import EMPTY, Line, Span, fit, folded, pad, plain, spans, spread, width, word_lines
from console.tui.theme import Glyphs, Ink

PAGES = {"pagedown": 10, "pageup": -10}
ENDS = {"g": -(10**6), "home": -(10**6), "G": 10**6, "end": 10**6, "ctrl+d": 5, "ctrl+u": -5}
LEAST_ROWS = 6  # choices that are seen at once before what would change is told in whole
TITLES = 37  # cells of the palette before what is said of an entry
TOLD, TALL = 3, 14  # lines below the palette's list, where the dialog has so many in all


@dataclass(frozen=True)
class Choice:
    """One line of a picker: its cells, whether it can be taken, and why (not)."""

    value: Any
    cells: tuple[str, ...]
    fits: bool = True
    reason: str = ""
    current: bool = False


def shorter(reason: str, room: int) -> str:
    """A reason without its last clauses, as far as it is longer than so many cells."""
    while cell_len(reason) > room:
        head, sign, _ = reason.rpartition(", ")
        head, sign = (head, sign) if sign else reason.rpartition(": ")[:2]
        if not sign:
            break
        reason = head
    return reason


class Pick(Dialog[Any]):
    """One of several: every choice is shown, and the cursor passes over what does not fit."""

    def __init__(
        self,
        ink: Ink,
        glyphs: Glyphs,
        topic: Topic,
        lines: Sequence[Line],
        choices: Sequence[Choice],
        heads: Sequence[tuple[str, int, bool]],
        verb: str,
        changes: Callable[[Any], list[Line]] | None = None,
        noun: str = "",
        option: tuple[str, str] | None = None,
    ) -> None:
        """An `option` is a word and what it means: space takes it, or not."""
        super().__init__(ink, glyphs, topic)
        self._option, self.opted = option, False
        self._lines, self._heads, self._verb, self._changes = list(lines), list(heads), verb, changes
        self._noun = noun
        self._every: list[Choice] = []
        self.choices: list[Choice] = []
        self.finding: Edit | None = None
        self.at = -1
        self.offer(choices)

    def offer(self, choices: Sequence[Choice]) -> None:
        """Offer these choices."""
        self._every = list(choices)
        self._narrow()
        if self.is_attached:
            self.draw()

    def _narrow(self) -> None:
        """Show those that are looked for; the cursor stays on its own, or stands on the first that fits."""
        held = self.choices[self.at].value if 0 <= self.at < len(self.choices) else None
        words = self.finding.text.casefold().split() if self.finding else []
        self.choices = [one for one in self._every if all(word in one.cells[0].casefold() for word in words)]
        fitting = [n for n, choice in enumerate(self.choices) if choice.fits]
        same = [n for n in fitting if held is not None and self.choices[n].value == held]
        current = next((n for n, choice in enumerate(self.choices) if choice.current), -1)
        again = [n for n in fitting if n == current]
        larger = [n for n in fitting if n > current]
        self.at = (same or again or larger or fitting or [-1])[0]
        self.topic = Topic(
            self.topic.title,
            self.topic.place,
            self.topic.production,
            self.topic.reversible,
            f"{len(self.choices)} {self._noun}{'' if len(self.choices) == 1 else 's'}, {len(fitting)} fit"
            if self._noun
            else "",
        )

    @property
    def chosen(self) -> Choice | None:
        """The choice under the cursor."""
        return self.choices[self.at] if 0 <= self.at < len(self.choices) else None

    def middle(self) -> list[Line]:
        """The choices, and what the one under the cursor would change."""
        changes = self._changes(self.chosen.value) if self._changes and self.chosen else []
        option = self._option_lines()
        told, lines = self._told(), self.whole(self._lines)
        rest = self.rows - len(lines) - len(option) - 2
        whole, short = [*told, EMPTY, *changes], [EMPTY, *self._in_short(changes)]
        ways = ((whole, LEAST_ROWS), (short, LEAST_ROWS - 2)) if changes else ((told, 0),)
        held = next((way for way, least in ways if rest - len(way) >= least), told)
        room = max(3, rest - len(held))
        first = max(0, min(self.at - room // 2, len(self.choices) - room))
        shown = self.choices[first : first + room]
        rows = [self._row(choice, first + n == self.at) for n, choice in enumerate(shown)]
        sought = spans(Span("/", "accent", True), self.finding.spans(room=self.field)) if self.finding else EMPTY
        none = [] if self.choices else [spans(Span("    Nothing is called that.", "muted"))]
        return [*lines, sought, self._head_line(), *rows, *none, *held, *option]

    def _in_short(self, changes: Sequence[Line]) -> list[Line]:
        """What would change, without its title and one after the other."""
        told = [" ".join(plain(line).split()) for line in changes[1:]]
        reason = [self.chosen.reason] if self._told() and self.chosen else []
        lines = word_lines(f" {self.glyphs.dot} ".join([*reason, *told]), self.room)
        return [spans(Span(line, "muted")) for line in lines]

    def _told(self) -> list[Line]:
        """What is said of the choice under the cursor, in whole where its line has no room for it."""
        cells = 4 + sum(size for _, size, _ in self._heads) + 3
        if all(cells + cell_len(choice.reason) <= self.room for choice in self.choices if choice.fits):
            return []
        reason = self.chosen.reason if self.chosen else ""
        lines = word_lines(reason, self.room - 4)[:2] if cells + cell_len(reason) > self.room else []
        told = [spans(" " * 4, Span(line, "muted")) for line in lines]
        return [EMPTY, *told, *[EMPTY] * (2 - len(told))]

    def _option_lines(self) -> list[Line]:
        if self._option is None:
            return []
        word, means = self._option
        mark = spans("[", Span("x" if self.opted else " ", "accent", True), "] ")
        return [EMPTY, spans(mark, Span(word, "strong", True), Span(f"   {means}", "muted"))]

    def _head_line(self) -> Line:
        found = spans(" " * 4)
        for name, size, right in self._heads:
            found = spans(found, Span(name.rjust(size) if right else name.ljust(size), "faint"))
        return found

    def _row(self, choice: Choice, here: bool) -> Line:
        glyphs = self.glyphs
        ground = "cursor" if here else ""
        role = "strong" if choice.fits else "text" if choice.current else "faint"
        glyph = (
            (glyphs.well, "muted")
            if choice.current
            else (glyphs.done, "ok")
            if choice.fits
            else (glyphs.broken, "faint")
        )
        found = spans(
            Span(glyphs.cursor if here else " ", "accent", ground=ground),
            Span(" ", ground=ground),
            Span(f"{glyph[0]} ", glyph[1], ground=ground),
        )
        for n, ((_, size, right), cell) in enumerate(zip(self._heads, choice.cells, strict=True)):
            text = pad(cell, size, right=right)
            shade = role if n == 0 else ("text" if choice.fits or choice.current else "faint")
            found = spans(found, Span(text, shade, here and n == 0, ground))
        reason = shorter(choice.reason, self.room - width(found) - 3)
        found = spans(found, Span(f"   {reason}", "muted", ground=ground))
        return spans(fit(found, self.room), Span(" " * max(0, self.room - width(found)), ground=ground))

    def answer(self) -> Line:
        """What enter does with the choice."""
        if self.chosen is None:
            return spread((), spans(Span("esc", "accent", True), " leave it"), self.room)
        does = spans(Span(f"{self._verb} ", "text"), Span(self.chosen.cells[0], "strong", True))
        arrows = spans(Span(f"{self.glyphs.up} {self.glyphs.down}", "accent", True), " choose")
        find = spans(Span("/", "accent", True), " find")
        others = [arrows, *([find] if self.finding is None else [])]
        if self._option is not None:
            others.insert(0, spans(Span("space", "accent", True), f" {self._option[0].lower()}"))
        return self.answers(does, "leave it", *others)

    def press(self, key: str, event: events.Key) -> None:
        """Arrows choose, enter takes, / looks for a name."""
        if key == "enter":
            if self.chosen is not None:
                self.dismiss(self.chosen.value)
        elif key in ("down", "tab") or (key == "j" and self.finding is None):
            self._go(1)
        elif key in ("up", "shift+tab") or (key == "k" and self.finding is None):
            self._go(-1)
        elif key == "space" and self._option is not None and self.finding is None:
            self.opted = not self.opted
        elif key in PAGES or (key in ENDS and self.finding is None):
            self._go(PAGES.get(key) or ENDS[key])
        elif self.finding is not None:
            if self.finding.press(event):
                self._narrow()
        elif key == "/":
            self.finding = Edit()

    def _go(self, step: int) -> None:
        fitting = [n for n, choice in enumerate(self.choices) if choice.fits]
        if fitting:
            at = fitting.index(self.at) if self.at in fitting else 0
            self.at = fitting[max(0, min(at + step, len(fitting) - 1))]


class Pages(Dialog[None]):
    """Lines to read, that scroll."""

    asks = False

    def __init__(self, ink: Ink, glyphs: Glyphs, topic: Topic, lines: Sequence[Line]) -> None:
        super().__init__(ink, glyphs, topic)
        self._lines = list(lines)
        self._top = 0

    def middle(self) -> list[Line]:
        """As many lines as there is room for."""
        room = self.rows
        lines = [part for line in self._lines for part in folded(line, self.room)]
        self._top = max(0, min(self._top, len(lines) - room))
        return [EMPTY, *lines[self._top : self._top + room]]

    def answer(self) -> Line:
        """How to scroll, and how to go."""
        more = sum(len(folded(line, self.room)) for line in self._lines) > self.rows
        left = spans(Span("j k", "accent", True), " scroll") if more else EMPTY
        return spread(left, spans(Span("esc", "accent", True), " close"), self.room)

    def press(self, key: str, event: events.Key) -> None:
        """j, k and pages scroll; q, ? and enter close."""
        steps = {"j": 1, "down": 1, "k": -1, "up": -1, "ctrl+d": 10, "pagedown": 10, "space": 10, "ctrl+u": -10}
        steps |= {"pageup": -10, "g": -(10**6), "G": 10**6}
        if key in ("q", "?", "enter"):
            self.dismiss(None)
        self._top += steps.get(key, 0)


class Palette(Dialog[str]):
    """Anything that can be done, found by a few letters of it."""

    def __init__(
        self,
        ink: Ink,
        glyphs: Glyphs,
        entries: Sequence[tuple[str, str, str, str]],
        refused: Container[str] = (),
    ) -> None:
        super().__init__(ink, glyphs, Topic("Command"))
        self._entries = list(entries)  # name, title, key, help or the reason against it
        self._refused = refused  # names of what cannot be done now
        self.edit = Edit()
        self.at = 0

    @property
    def found(self) -> list[tuple[str, str, str, str]]:
        """The entries that fit what was typed, the best first."""
        if not self.edit.text.strip():
            return self._entries
        text = self.edit.text.strip()
        matcher, words = Matcher(text), text.casefold().split()

        def score(entry: tuple[str, str, str, str]) -> float:
            said = all(word in entry[3].casefold() for word in words)  # letters from here and there say nothing
            return max(matcher.match(entry[1]), matcher.match(entry[3]) * 0.5 if said else 0.0)

        scored = [(score(entry), entry) for entry in self._entries]
        return [entry for found, entry in sorted(scored, key=lambda pair: -pair[0]) if found > 0]

    def middle(self) -> list[Line]:
        """The line to type into, and what fits it."""
        found, told = self.found, TOLD if self.rows >= TALL else 0
        room = min(self.rows - 2 - told, 18)
        self.at = max(0, min(self.at, len(found) - 1))
        first = max(0, min(self.at - room + 1, len(found) - room))
        rows = [self._row(entry, first + n == self.at) for n, entry in enumerate(found[first : first + room])]
        none = [spans(Span("Nothing is called that.", "muted"))]
        filler: list[Line] = [EMPTY] * (room - max(len(rows), 1))
        return [
            EMPTY,
            spans(Span(": ", "accent", True), self.edit.spans(room=self.field)),
            EMPTY,
            *(rows or none),
            *filler,
            *self._told(found[self.at][3] if found else "")[:told],
        ]

    def _row(self, entry: tuple[str, str, str, str], here: bool) -> Line:
        name, title, key, help = entry
        ground, dim = "cursor" if here else "", name in self._refused
        line = spans(
            Span(f"{self.glyphs.cursor if here else ' '} ", "accent", ground=ground),
            Span(f"{key:<10}", "faint" if dim else "accent", not dim, ground),
            Span(pad(title, TITLES - 12), "faint" if dim else "strong" if here else "text", ground=ground),
            Span(help, "muted", ground=ground),
        )
        line = fit(line, self.room)
        return spans(line, Span(" " * (self.room - width(line)), ground=ground))

    def _told(self, help: str) -> list[Line]:
        """What is said of the entry under the cursor, in whole where its line had no room for it."""
        lines = word_lines(help, self.room) if cell_len(help) > self.room - TITLES else []
        told = [spans(Span(line, "muted")) for line in lines[: TOLD - 1]]
        return [EMPTY, *told, *[EMPTY] * (TOLD - 1 - len(told))]

    def answer(self) -> Line:
        """What enter does."""
        found = self.found
        ready = bool(found) and found[self.at][0] not in self._refused
        return self.answers(spans(found[self.at][1] if found else ""), "close", ready=ready)

    def press(self, key: str, event: events.Key) -> None:
        """Arrows choose, enter does it, other keys type."""
        if key == "enter":
            if self.found:
                self.dismiss(self.found[self.at][0])
        elif key in ("down", "up", "ctrl+n", "ctrl+p"):
            self.at += 1 if key in ("down", "ctrl+n") else -1
        elif key in PAGES:
            self.at += PAGES[key]
        elif self.edit.press(event):
            self.at = 0
