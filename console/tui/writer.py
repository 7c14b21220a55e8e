"""What leaves for the terminal: only what differs from what it shows, and never more than one frame at a time.

Textual writes whole spans again, and queues frames for a terminal that is slow to take them. Here each of its updates
goes into a picture of what the screen shall show; a frame is made of the difference when the terminal has shown the one
before, which it is asked to say (a cursor report, as every terminal since the VT100 gives). So a key never waits behind
frames that nobody will look at. A terminal that never answers is written to as fast as the system takes the bytes.

Textual has no public way to see its updates, its queue or its keys: the private names used are all here and in
`listening.py`, a test fails when they change, and `NOVADECK_WRITER=plain`, or `differences = false` in the settings,
leaves all of it to Textual.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate  # private: the updates that are painted
from textual.app import App
from textual.driver import Driver
from textual.errors import NoWidget
from textual.events import CursorPosition
from textual.geometry import Region
from textual.message import Message
from textual.screen import Screen as TextualScreen
from textual.strip import Strip
from textual.widget import Widget

from console.tui.difference import Able, Screen
from console.tui.listening import patient
from console.tui.modest import modest
from console.tui.outlet import FIRST_PATIENCE, Gauge, Lasting, Line
from console.tui.pen import Cells

Answer = TypeVar("Answer")

ASK = "\x1b[6n"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
GRACE = 0.002  # seconds in which what else a key or a batch moves comes into the same frame
SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "windows": ColorSystem.WINDOWS}


def wanted() -> bool:
    """Whether the environment leaves the writing to us."""
    return os.environ.get("NOVADECK_WRITER", "").lower() not in ("plain", "off", "0", "no")


def able_of(term: str) -> Able:
    """What a terminal of this name understands, as the system's own database says."""
    try:
        import curses

        curses.setupterm(term, 1)
    except (ImportError, OSError, curses.error):
        return Able()
    has = {name: curses.tigetstr(name) is not None for name in ("el", "ech", "rep", "csr", "il", "dl")}
    return Able(
        erases_in_colour=curses.tigetflag("bce") == 1,
        erases_line=has["el"],
        erases_some=has["ech"],
        repeats=has["rep"],
        scrolls=has["csr"] and has["il"] and has["dl"],
    )


def _lasting(kind: type[Driver]) -> type[Driver]:
    """The driver, whose thread outlives the terminal."""

    class Outliving(kind):  # type: ignore[valid-type,misc]
        """A driver that never blocks the app for a terminal that is gone."""

        def __init__(self, app: Any, **given: Any) -> None:
            super().__init__(app, **given)
            if (file := getattr(self, "_file", None)) is not None:  # private: what the driver's thread writes to
                self._file: Any = Lasting(file)

    return Outliving


def _watched(kind: type[Driver]) -> type[Driver]:
    """The driver, telling its app's writer when the terminal is ours, when it is not, and what it answers."""

    class Watched(kind):  # type: ignore[valid-type,misc]
        """A driver whose comings and goings are seen."""

        def __init__(self, app: Any, **given: Any) -> None:
            super().__init__(app, **given)
            self._writer: Writer = app.writer
            file: Any = getattr(self, "_file", None)  # private: what the driver's thread writes to
            self._counts = file is not None
            if self._counts:
                self._file: Any = Gauge(file, self._writer.line, self._writer.left)

        def write(self, data: str) -> None:
            if self._counts:
                self._writer.line.given += len(data)
            super().write(data)

        def process_message(self, message: Message) -> None:
            if isinstance(message, CursorPosition) and not self.is_inline:
                self._writer.answered()
            else:
                super().process_message(message)

        def start_application_mode(self) -> None:
            super().start_application_mode()
            self._writer.came_back()

        def stop_application_mode(self) -> None:
            self.write(self._writer.goes_away())
            super().stop_application_mode()

    return Watched


class Writer:
    """Keeps the picture of one app's terminal, and sends the differences."""

    def __init__(self, app: App[Any], able: Able) -> None:
        self._app, self._able = app, able
        self.line = Line()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due: asyncio.TimerHandle | None = None
        self._held = False
        self._screen: Screen | None = None
        self._cells: Cells | None = None

    def take(self, update: LayoutUpdate | ChopsUpdate) -> None:
        """This shall be seen; it is sent at once, or as soon as what was sent before has arrived."""
        size = self._app.size
        if self._screen is None or self._screen.size != (size.width, size.height):
            self._screen = Screen(size.width, size.height, self._able)
        if self._cells is None:
            self._cells = Cells(_renderer(self._app))
        for x, y, strip, length in _pieces(update):
            cells = self._cells.of(strip)
            self._screen.put(x, y, cells if len(cells) <= length else cells[:length])
        self._loop = asyncio.get_running_loop()
        self.send()

    def paint(self, widget: Widget, regions: Sequence[Region]) -> bool:
        """Paint these lines of a widget past Textual; False where that must paint them, since it may draw over them."""
        found = self._place(widget)
        if found is None:
            return False
        region, seen = found
        lines = {y for part in regions for y in part.line_range} if regions else range(region.height)
        for y in lines:
            if seen.y <= region.y + y < seen.bottom:
                (strip,) = widget.render_lines(Region(0, y, region.width, 1))
                self._put(region.x, region.y + y, strip)
        return True

    def paint_part(self, widget: Widget, x: int, y: int, strip: Strip) -> bool:
        """Paint a part of one line of a widget in the same way, from the column `x` of the widget on."""
        found = self._place(widget)
        if found is None:
            return False
        region, seen = found
        if seen.y <= region.y + y < seen.bottom and x + strip.cell_length <= region.width:
            self._put(region.x + x, region.y + y, strip)
        return True

    def _place(self, widget: Widget) -> tuple[Region, Region] | None:
        """Where a widget stands and which of its lines are seen; None where something may lie over it."""
        app, screen = self._app, self._screen
        if screen is None or self._cells is None or self._loop is None or app._batch_count:  # private: paints later
            return None
        if not widget.is_attached or widget.screen is not app.screen or screen.size != tuple(app.size):
            return None
        try:
            place = widget.screen.find_widget(widget)
        except NoWidget:
            return None
        region, seen = place.region, place.visible_region
        return (region, seen) if seen.column_span == region.column_span else None

    def _put(self, x: int, y: int, strip: Strip) -> None:
        assert self._screen is not None and self._cells is not None and self._loop is not None
        self._screen.put(x, y, self._cells.of(strip))
        if self._due is None:
            self._due = self._loop.call_later(GRACE, self._send_due)

    def flush(self) -> None:
        """Send what waits for more to come: there is none."""
        if self._due is not None:
            self._due.cancel()
            self._send_due()

    def _send_due(self) -> None:
        self._due = None
        self.send()

    def send(self) -> None:
        """Send a frame, if something differs and the way is free."""
        if self._screen is None or self._loop is None or not self._screen.differs:
            return
        now = self._loop.time()
        self._held = True  # before the way is looked at, since the thread that frees it looks at this
        if not self.line.free(now):
            self._wait(now)
            return
        self._held = False
        frame = self._screen.frame()
        driver = self._app._driver  # private: where the app writes
        if not frame or driver is None:
            return
        cursor = self._app.cursor_position
        if cursor != (0, 0):
            cursor = self._app.screen.outer_size.clamp_offset(cursor)
            frame += f"\x1b[{cursor.y + 1};{cursor.x + 1}H"
        if self.line.asks(len(frame), now):
            frame += ASK
        if self._app._sync_available:  # private: the terminal shows a frame as a whole
            frame = BEGIN + frame + END
        driver.write(frame)
        driver.flush()

    def _wait(self, now: float) -> None:
        """Wait for the terminal's answer, but not for ever; for the system the thread that writes wakes us."""
        if self.line.asked is not None and self._loop is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(max(0.001, self.line.until - now), self.send)

    def left(self) -> None:
        """The system has taken all bytes; called from the thread that writes."""
        if self._held and self._loop is not None:
            self._call(self.send)

    def answered(self) -> None:
        """The terminal has shown all; called from the thread that reads."""
        self.line.answered.set()
        self._call(self._heard)

    def _heard(self) -> None:
        if self._loop is not None:
            self.line.heard(self._loop.time())
            self.send()

    def _call(self, function: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def forget(self) -> None:
        """The terminal may show anything: send all anew with the next frame."""
        if self._screen is not None:
            self._screen.forget()

    def came_back(self) -> None:
        """The terminal is ours, and empty: it gets the whole picture, even where nobody asks for it."""
        self.line.away = False
        self.line.asked = None
        self.forget()
        self._call(self.send)

    def goes_away(self) -> str:
        """The terminal is lent or left: what to say to it first.

        An answer still on its way would be typed into somebody else's shell, so it is waited for. A terminal with one
        screen only goes on below what it shows.
        """
        self.line.away = True
        if self.line.asked is not None:
            self.line.answered.wait(min(1.0, 3 * (self.line.round_trip or FIRST_PATIENCE)))
            self.line.asked = None
        return "" if self._screen is None else f"\x1b[{self._screen.height}H\r\n"


class SparingApp(App[Answer]):
    """An app whose terminal is sent only what differs, unless `differences` is off."""

    def __init__(self, *, differences: bool = True) -> None:
        self.writer: Writer | None = None
        if differences and wanted():
            self.writer = Writer(self, able_of(os.environ.get("TERM", "")))
        super().__init__()

    def send_all(self) -> None:
        """Send the whole picture with the next frame: somebody else has written to the terminal."""
        if self.writer is not None:
            self.writer.forget()

    def flush(self) -> None:
        """Send at once what was painted."""
        if self.writer is not None:
            self.writer.flush()

    def paint(self, widget: Widget, regions: Sequence[Region]) -> bool:
        """Paint these lines of a widget at once, all where no region is given; whether that was possible."""
        return self.writer is not None and self._paintable() and self.writer.paint(widget, regions)

    def paint_part(self, widget: Widget, x: int, y: int, strip: Strip) -> bool:
        """Paint a part of one line of a widget at once; whether that was possible."""
        return self.writer is not None and self._paintable() and self.writer.paint_part(widget, x, y, strip)

    def get_driver_class(self) -> type[Driver]:
        """Textual's own driver for this system, in words that the terminal knows, watched."""
        kind = super().get_driver_class()
        return modest(_lasting(kind) if self.writer is None else patient(_watched(kind)), os.environ.get("TERM", ""))

    def _display(self, screen: TextualScreen[Any], renderable: Any) -> None:  # private: the one way to the terminal
        if self.writer is None or not self._sparing(renderable):
            if renderable is not None and not isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
                self.send_all()
            super()._display(screen, renderable)
            return
        self.writer.take(renderable)
        self.post_display_hook()

    def _sparing(self, renderable: Any) -> bool:
        """Whether this is what a terminal is sent differences of."""
        if not isinstance(renderable, (LayoutUpdate, ChopsUpdate)) or self._batch_count:
            return False
        return self._paintable()

    def _paintable(self) -> bool:
        ready = self._running and not self._closed and self._driver is not None
        return ready and not self.is_headless and not self.is_inline


def _renderer(app: App[Any]) -> Any:
    """Textual's own way of rendering a style, with as many colours as this terminal has."""
    system = SYSTEMS.get(app.console.color_system or "", ColorSystem.TRUECOLOR)

    def render(style: Style, text: str) -> str:
        return Strip.render_style(style, text, system)

    return render


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, Iterable[Any], int]]:
    """The strips of an update, with the column and the line that they begin at, and how many cells of them count."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield x, y, strip, strip.cell_length
                x += strip.cell_length
        return
    for y, left, right in update.spans:
        for end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if chop is not None and x <= right and end > left:
                yield x, y, chop, min(end, right) - x
