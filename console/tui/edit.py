"""A line that is typed into, without a blinking cursor and without a widget of its own."""

from dataclasses import dataclass

from rich.cells import cell_len
from textual import events

from console.tui.paint import Line, Span, fit, spans, width


@dataclass
class Edit:
    """Some text and where the next letter goes."""

    text: str = ""
    at: int = 0
    secret: bool = False

    def __post_init__(self) -> None:
        self.at = len(self.text)

    def press(self, event: events.Key) -> bool:
        """Take a key; whether it was one for a line of text."""
        key = event.key
        if event.character and event.character.isprintable() and len(event.character) == 1:
            self.insert(event.character)
        elif key == "backspace":
            self._remove(self.at - 1)
        elif key == "delete":
            self._remove(self.at, step=0)
        elif key in ("left", "right"):
            self.at = max(0, min(len(self.text), self.at + (1 if key == "right" else -1)))
        elif key in ("home", "ctrl+a"):
            self.at = 0
        elif key in ("end", "ctrl+e"):
            self.at = len(self.text)
        elif key == "ctrl+u":
            self.text, self.at = self.text[self.at :], 0
        elif key == "ctrl+w":
            start = self.text[: self.at].rstrip().rfind(" ") + 1
            self.text, self.at = self.text[:start] + self.text[self.at :], start
        else:
            return False
        return True

    def insert(self, text: str) -> None:
        """Put text where the cursor stands; control characters and line ends stay out."""
        text = "".join(letter for letter in text if letter.isprintable())
        self.text = self.text[: self.at] + text + self.text[self.at :]
        self.at += len(text)

    def _remove(self, at: int, step: int = 1) -> None:
        if 0 <= at < len(self.text):
            self.text = self.text[:at] + self.text[at + 1 :]
            self.at -= step

    def spans(self, ground: str = "background", room: int = 0) -> Line:
        """The text with its cursor, which stands still; with `room`, as a field of so many cells."""
        text = "•" * len(self.text) if self.secret else self.text
        first = 0
        while room and cell_len(text[first : self.at]) > room - 2:
            first += 1
        text, at = text[first:], self.at - first
        here = text[at] if at < len(text) else " "
        after = text[at + 1 :]
        line = spans(
            Span(text[:at], "strong", ground=ground),
            Span(here, "strong", ground="cursor", underline=True),
            Span(after, "strong", ground=ground),
        )
        pad = max(0, room - width(line))
        return fit(spans(line, Span(" " * pad, ground=ground)), room) if room else line
