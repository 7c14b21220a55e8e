"""Operations: what was asked from this screen and has not ended, or has just ended, with its steps and times.

The steps of a server's operation are what the store saw of it: each status and task state as it came. So the strip
tells the truth even where the cloud tells no progress.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from console.model.place import Key, Row
from console.model.server import Server
from console.tui.paint import Line, Span, clock, cut_middle, fit, spans, spread, ticking, width
from console.tui.shape import Shape
from console.tui.theme import Glyphs

KEEP_WELL = 8.0  # seconds that an operation stays after its good end
KEEP_FAILED = 120.0


@dataclass
class Step:
    """One step: when it began and ended, on the monotonic clock."""

    name: str
    began: float
    ended: float | None = None
    failed: bool = False
    note: str = ""


@dataclass
class Operation:
    """One order and what became of it."""

    name: str
    title: str
    key: Key | None
    began: float
    detail: str = ""
    place: str = ""
    steps: list[Step] = field(default_factory=list)
    ended: float | None = None
    failed: bool = False
    message: str = ""
    hidden: bool = False
    asks: str = ""  # what it waits to be told
    outlives: bool = False  # it goes on without this screen

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.ended is None

    def step(self, name: str, now: float, note: str = "") -> None:
        """What it does now; the same name again only changes the note."""
        if self.steps and self.steps[-1].ended is None:
            if self.steps[-1].name == name:
                self.steps[-1].note = note
                return
            self.steps[-1].ended = now
        self.steps.append(Step(name, now, note=note))

    def saw(self, row: Row, now: float) -> None:
        """The store has seen the row in another state."""
        if not isinstance(row, Server):
            return
        progress = row.progress if row.task_state and row.progress and 0 < row.progress < 100 else None
        self.step(row.task_state or row.status, now, f"{progress}%" if progress else "")

    def end(self, now: float, *, failed: bool = False, message: str = "") -> None:
        """It has ended."""
        if self.steps and self.steps[-1].ended is None:
            self.steps[-1].ended, self.steps[-1].failed = now, failed
        self.ended, self.failed, self.message = now, failed, message


class Operations:
    """All operations of this screen."""

    def __init__(self) -> None:
        self.all: list[Operation] = []

    def start(self, operation: Operation) -> Operation:
        """Keep it in sight until some time after its end."""
        self.all.append(operation)
        return operation

    def of(self, key: Key) -> list[Operation]:
        """Those that run on this row."""
        return [operation for operation in self.all if operation.running and operation.key == key]

    def shown(self, now: float) -> list[Operation]:
        """Those to show: running ones first, then what has just ended."""
        alive = [o for o in self.all if not o.hidden and (o.ended is None or now - o.ended < _keep(o))]
        return sorted(alive, key=lambda o: (not o.running, o.began))

    def hide_ended(self) -> bool:
        """Take away what has ended; whether there was any."""
        ended = [operation for operation in self.all if not operation.running and not operation.hidden]
        for operation in ended:
            operation.hidden = True
        return bool(ended)

    @property
    def done(self) -> int:
        """How many have ended well."""
        return sum(operation.ended is not None and not operation.failed for operation in self.all)

    def height(self, shape: Shape, now: float) -> int:
        """How many lines the strip takes."""
        count = len(self.shown(now))
        if not count:
            return 0
        if not shape.padded:
            return min(count, 2) * shape.operation_lines
        each = shape.operation_lines + (1 if shape.operation_lines == 2 else 0)
        return 3 + min(count, _most(shape)) * each + (0 if shape.operation_lines == 2 else 1)

    def lines(self, shape: Shape, glyphs: Glyphs, now: float, column: int = 18) -> list[Line]:
        """The strip's lines; the second column stands where the table's does."""
        shown = self.shown(now)
        if not shown:
            return []
        most = _most(shape) if shape.padded else 2
        found: list[Line] = []
        if shape.padded:
            found += [(), self._title(shape, shown, most), ()]
        for number, operation in enumerate(shown[:most]):
            more = len(shown) - most if number == most - 1 and not shape.padded else 0
            found += operation_lines(operation, shape, glyphs, now, column, more)
            if shape.padded and shape.operation_lines == 2:
                found.append(())
        return [*found, ()] if shape.padded and shape.operation_lines == 1 else found

    def _title(self, shape: Shape, shown: list[Operation], most: int) -> Line:
        running = sum(operation.running for operation in shown)
        words = f"  {running} running" if running else "  none running"
        if len(shown) > most:
            words += f", {len(shown) - most} more"
        left = spans(" " * 5, Span("Operations", "strong", True), Span(words, "muted"))
        return spread(left, spans(Span(f"{self.done} done" if self.done else "", "muted"), "  "), shape.width)


def _keep(operation: Operation) -> float:
    return KEEP_FAILED if operation.failed else KEEP_WELL


def _most(shape: Shape) -> int:
    return 3 if shape.height >= 50 else 2


def _glyph(operation: Operation, glyphs: Glyphs) -> Span:
    if operation.running and operation.asks:
        return Span(glyphs.moving, "warn")
    if operation.running:
        return Span(glyphs.moving, "busy")
    return Span(glyphs.broken, "error") if operation.failed else Span(glyphs.done, "ok")


def operation_lines(
    operation: Operation, shape: Shape, glyphs: Glyphs, now: float, column: int, more: int = 0
) -> list[Line]:
    """One operation in one line or two."""
    total = (operation.ended or now) - operation.began
    took = ticking(total) if operation.running else clock(total)
    name = cut_middle(operation.name, max(6, column - 6), glyphs.cut)
    head = spans("   ", _glyph(operation, glyphs), " ", Span(name, "strong", True))
    head = spans(head, " " * max(1, column - width(head)))
    what = spans(Span(operation.title, "text"), Span(f"  {operation.detail}" if operation.detail else "", "strong"))
    if shape.operation_lines == 1:
        right = spans(Span(f"+ {more}  " if more else "", "muted"), Span(took, "muted"), " " * 2)
        ways = (what, spans(Span(operation.detail, "strong")), spans(Span(operation.title, "text")))
        lines = [spans(head, way, "  ", *_now(operation)) for way in ways if width(way)]
        room = shape.width - width(right) - 2
        return [spread(next((line for line in lines if width(line) <= room), lines[-1]), right, shape.width)]
    hint = Span(operation.message or operation.place, "error" if operation.failed else "muted")
    hint = Span(operation.asks, "warn") if operation.running and operation.asks else hint
    first = spread(spans(head, what, Span(f"   {took}", "muted")), spans(hint, "  "), shape.width)
    return [first, fit(spans(" " * column, *steps_line(operation.steps, glyphs, now)), shape.width - 2, glyphs.cut)]


def _now(operation: Operation) -> Iterable[Span]:
    if operation.failed:
        return (Span(operation.message, "error"),)
    if not operation.running:
        return (Span(operation.message or "done", "ok"),)
    if operation.asks:
        return (Span(operation.asks, "warn"),)
    if not operation.steps:
        return ()
    step = operation.steps[-1]
    return (Span(step.name, "muted"), Span(f" {step.note}" if step.note else "", "busy"))


def steps_line(steps: list[Step], glyphs: Glyphs, now: float) -> list[Span]:
    """Steps in a row, each with its time."""
    found: list[Span] = []
    for step in steps:
        gap = "    " if found else ""
        if step.ended is None:
            found += [Span(f"{gap}{glyphs.moving}", "busy"), Span(f" {step.name} ", "strong")]
            found.append(Span(step.note or ticking(now - step.began), "busy"))
        else:
            glyph, role = (glyphs.broken, "error") if step.failed else (glyphs.done, "ok")
            found += [Span(f"{gap}{glyph}", role), Span(f" {step.name} ", "text")]
            found.append(Span(step.note or clock(step.ended - step.began), "muted"))
    return found
