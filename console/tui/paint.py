"""Text as the screen draws it: spans with a role, lines of spans, and strips for the terminal.

Nothing here reads markup: what a cloud sent is data and is drawn as it is. Widths are counted in cells as the
terminal counts them, so that a wide or combining character in a name never pushes a column.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from console.tui.theme import Ink

LEAST_FOLD = 20  # cells that there must be for words to go on below


class Span(NamedTuple):
    """Some text in one role."""

    text: str
    role: str = "text"
    bold: bool = False
    ground: str = ""
    underline: bool = False
    strike: bool = False


Line = tuple[Span, ...]
EMPTY: Line = ()


def spans(*parts: "Span | str | Line") -> Line:
    """A line from spans, other lines and plain strings (which are drawn as text)."""
    found: list[Span] = []
    for part in parts:
        if isinstance(part, Span):
            found.append(part)
        elif isinstance(part, str):
            found.append(Span(part))
        else:
            found += part
    return tuple(found)


def width(line: Sequence[Span]) -> int:
    """How many cells the line takes."""
    text = plain(line)
    return len(text) if text.isascii() and text.isprintable() else sum([cell_len(span.text) for span in line])


def pad(text: str, size: int, *, right: bool = False) -> str:
    """The text and as many blanks as it lacks of so many cells; at its right end, or before it."""
    blanks = " " * (size - cell_len(text))
    return blanks + text if right else text + blanks


def cut_end(text: str, most: int, mark: str = "…") -> str:
    """The text in at most so many cells, its end cut."""
    if cell_len(text) <= most:
        return text
    return (set_cell_size(text, most - 1).rstrip() + mark) if most > 1 else mark[:most]


def cut_middle(text: str, most: int, mark: str = "…") -> str:
    """The text in at most so many cells, cut in the middle: both ends of a name tell it apart."""
    if cell_len(text) <= most:
        return text
    if most <= 2:
        return cut_end(text, most, mark)
    tail = (most - 1) // 2
    head = most - 1 - tail
    end = text[-tail:]
    while end and (cell_len(end) > tail or not cell_len(end[0])):  # a mark without its letter is no beginning
        end = end[1:]
    return set_cell_size(text, head).rstrip() + mark + end


def cut_tail(text: str, most: int, mark: str = "…") -> str:
    """The text in at most so many cells, cut near its end: two thirds of it are its beginning."""
    if cell_len(text) <= most:
        return text
    tail = (most - 1) // 3
    return (
        set_cell_size(text, most - 1 - tail).rstrip() + mark + text[len(text) - tail :]
        if tail
        else cut_end(text, most, mark)
    )


def fit(line: Sequence[Span], most: int, mark: str = "…") -> Line:
    """The line in at most so many cells; the span that crosses the end is cut there. Blanks alone are no loss."""
    if width(line) <= most:
        return tuple(line)
    found: list[Span] = []
    left = most
    for span in line:
        taken = cell_len(span.text)
        if taken > left:
            blank = cell_len(span.text.rstrip()) <= left and not plain(line[len(found) + 1 :]).strip()
            if left > 0:
                text = set_cell_size(span.text, left) if blank else cut_end(span.text, left, mark)
                found.append(span._replace(text=text))
            break
        found.append(span)
        left -= taken
    return tuple(found)


def spread(left: Line, right: Line, total: int) -> Line:
    """Two lines as one of `total` cells, the second at its right end; the first is cut where they would meet."""
    room = total - width(right)
    left = fit(left, max(0, room - 2)) if width(left) > room - 2 else left
    return spans(left, " " * max(0, room - width(left)), right)


def to_strip(line: Iterable[Span], ink: Ink, total: int, ground: str = "background") -> Strip:
    """The line as a strip of exactly `total` cells."""
    made = [
        Segment(
            ink.text(span.text),
            ink.style(span.role, span.ground or ground, bold=span.bold, underline=span.underline, strike=span.strike),
        )
        for span in line
        if span.text
    ]
    style = ink.style("text", ground)
    return Strip(made).adjust_cell_length(total, style).simplify()


def wrapped(line: Line, size: int, lead: str = "") -> list[Line]:
    """A line as several of at most so many cells, later ones with a lead; no wide character is ever parted."""
    if width(line) <= size:
        return [line]
    found: list[Line] = []
    part: list[Span] = []
    left = size
    for span in line:
        text = span.text
        while text:
            piece = text
            while cell_len(piece) > left:
                piece = piece[: max(0, min(len(piece) - 1, left))]
            if piece:
                part.append(span._replace(text=piece))
                text, left = text[len(piece) :], left - cell_len(piece)
            if text:
                found.append(tuple(part))
                part, left = [Span(lead)] if lead else [], size - len(lead)
    return [*found, tuple(part)] if part else found


def word_lines(text: str, size: int) -> list[str]:
    """The text as lines of at most so many cells, broken between words where that can be."""
    found: list[str] = []
    for word in text.split():
        if found and cell_len(found[-1]) + 1 + cell_len(word) <= size:
            found[-1] += f" {word}"
        else:
            found += [plain(part) for part in wrapped((Span(word),), size)]
    return found


def folded(line: Line, size: int) -> list[Line]:
    """A line whose last words go on below where they began, as far as it is longer than so many cells."""
    at = width(line[:-1])
    if width(line) <= size or size - at < LEAST_FOLD:
        return [line]
    words = word_lines(line[-1].text, size - at)
    parts: list[Line] = [(*line[:-1], line[-1]._replace(text=words[0]))]
    return parts + [(Span(" " * at), line[-1]._replace(text=more)) for more in words[1:]]


def flowed(line: Line, size: int) -> list[Line]:
    """A line of words in several roles as lines of at most so many cells, broken between words where that can be."""
    lines = word_lines(plain(line), size)
    letters = [(letter, span) for span in line for letter in span.text if not letter.isspace()]
    found: list[Line] = []
    at = 0
    for text in lines:
        parts: list[Span] = []
        for letter in text:
            span = letters[at][1] if not letter.isspace() else parts[-1]
            at += not letter.isspace()
            if parts and parts[-1]._replace(text="") == span._replace(text=""):
                parts[-1] = span._replace(text=parts[-1].text + letter)
            else:
                parts.append(span._replace(text=letter))
        found.append(tuple(parts))
    return found


def plain(line: Iterable[Span]) -> str:
    """The line's text alone."""
    return "".join([span[0] for span in line])


def age(seconds: float) -> str:
    """An age in one unit and at most four characters: 41s 26m 11h 41d 3y."""
    seconds = max(0, int(seconds))
    for unit, size, most in (("s", 1, 60), ("m", 60, 60), ("h", 3600, 24), ("d", 86400, 365)):
        if seconds < size * most:
            return f"{seconds // size}{unit}"
    return f"{seconds // (86400 * 365)}y"


def clock(seconds: float) -> str:
    """A running clock in two units: 41s 2m14s 23h41m 3d2h; under ten seconds with a tenth."""
    if 0 <= seconds < 10:
        return f"{seconds:.1f}s"
    seconds = max(0, int(seconds))
    for unit, size, lower, step in (("m", 60, "s", 1), ("h", 3600, "m", 60), ("d", 86400, "h", 3600)):
        if seconds < size:
            return f"{seconds}s"
        if seconds < (3600 if unit == "m" else 86400 if unit == "h" else 1 << 62):
            return f"{seconds // size}{unit}{seconds % size // step}{lower}"
    return f"{seconds}s"


def ticking(seconds: float) -> str:
    """A running clock in whole seconds, for what changes once a second."""
    return f"{max(0, int(seconds))}s" if seconds < 10 else clock(seconds)


def megabytes(size: int | None) -> str:
    """A memory size given in MB, with its unit, in at most seven characters."""
    if size is None:
        return "—"
    if size < 1024 or (size % 1024 and size < 10240):
        return f"{size} MB"
    return gigabytes(round(size / 1024))


def gigabytes(size: int | None) -> str:
    """A disk size given in GB, with its unit, in at most six characters."""
    if size is None:
        return "—"
    return f"{size} GB" if size < 1000 else f"{size / 1024:.1f} TB" if size < 102400 else f"{size // 1024} TB"


def byte_size(size: int | None) -> str:
    """A size in bytes with a decimal unit: 622 MB, 2.1 GB."""
    if size is None:
        return "—"
    amount = float(size)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def since(moment: dt.datetime | None, now: dt.datetime) -> float | None:
    """Seconds from that moment until now; None where it is not known."""
    return None if moment is None else (now - moment).total_seconds()
