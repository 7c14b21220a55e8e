"""What failed, why, and one key that tries it again: the summary behind an action on many rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from textual import events

from console.model.place import Key, Row
from console.tui.asking import NARROWEST, names_of
from console.tui.dialogs import Dialog, Topic
from console.tui.paint import EMPTY, Line, Span, cut_middle, pad, spans, spread, word_lines
from console.tui.questions import Answers
from console.tui.theme import Glyphs, Ink

_PAGE = 10


@dataclass(frozen=True)
class Failures:
    """The orders of one action that failed, and all that was told for them."""

    action: Any
    answers: Answers
    failed: tuple[Any, ...]  # outcomes, each with its error
    asked: int  # of how many rows

    @property
    def rows(self) -> list[Row]:
        """The rows, as they were when it was asked."""
        return [outcome.row for outcome in self.failed if outcome.row is not None]


class Summary(Dialog[bool]):
    """Each row that failed with its reason, those with the same reason together; enter tries again what can be."""

    def __init__(self, ink: Ink, glyphs: Glyphs, failures: Failures, verdicts: Mapping[Key, str]) -> None:
        done = failures.asked - len(failures.failed)
        title = f"{failures.action.title[:1].upper()}{failures.action.title[1:]}: {len(failures.failed)} failed"
        super().__init__(ink, glyphs, Topic(title, right=f"{done} of {failures.asked} done"))
        self._able = [row for row in failures.rows if not verdicts[row.key]]
        self._action = failures.action
        self._lines = failure_lines(failures, verdicts)
        self._top = 0

    def middle(self) -> list[Line]:
        """As many lines as there is room for."""
        room = self.rows - 1
        self._top = max(0, min(self._top, len(self._lines) - room))
        return [EMPTY, *self._lines[self._top : self._top + room]]

    def answer(self) -> Line:
        """What enter tries again."""
        arrows = spans(Span(f"{self.glyphs.up} {self.glyphs.down}", "accent", True), " scroll")
        others = [arrows] if len(self._lines) > self.rows - 1 else []
        if not self._able:
            return spread(spans(*others), spans(Span("esc", "accent", True), " close"), self.room)
        does = f"{self._action.title} {names_of(self._able)} again"
        return self.answers(spans(Span(does, "text")), "leave it", *others)

    def press(self, key: str, event: events.Key) -> None:
        """enter tries again; arrows and pages scroll."""
        steps = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": _PAGE, "space": _PAGE, "pageup": -_PAGE}
        if key == "enter":
            self.dismiss(bool(self._able))
        self._top += steps.get(key, 0)


def failure_lines(failures: Failures, verdicts: Mapping[Key, str]) -> list[Line]:
    """The reasons, the most frequent first, and under each the rows that it befell."""
    groups: dict[str, list[Any]] = {}
    for outcome in failures.failed:
        groups.setdefault(_reason(outcome), []).append(outcome)
    found: list[Line] = []
    for reason, outcomes in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        found += [spans(Span(line, "error")) for line in word_lines(reason, NARROWEST)]
        found += [_row_line(outcome, verdicts) for outcome in outcomes]
        found.append(EMPTY)
    return found[:-1]


def _reason(outcome: Any) -> str:
    """The error without what differs from row to row, so that one reason stands once."""
    text, id = str(outcome.error), str(outcome.id or "")
    if outcome.request_id:
        text = text.replace(f" ({outcome.request_id})", "").replace(outcome.request_id, "its request")
    text = text.replace(id, "its id") if id else text
    return text.replace(f"{outcome.name}: ", "").replace(f" {outcome.name}", " it") if outcome.name else text


def _row_line(outcome: Any, verdicts: Mapping[Key, str]) -> Line:
    place = f"{outcome.place}  {outcome.request_id}".strip()
    line = spans(Span(f"  {pad(cut_middle(outcome.name or str(outcome.id), 24), 26)}", "strong"), Span(place, "muted"))
    verdict = verdicts.get(outcome.key, "") if outcome.key is not None else ""
    return spans(line, Span(f"   not again: {verdict}", "warn")) if verdict else line
