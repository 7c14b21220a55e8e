"""What came from outside is cleaned once, here, at the model's edge.

A server's name is whatever somebody typed: it may hold escape codes that clear the screen, or marks
that turn the reading direction. After `clean` it is a line of text that any terminal can show.
Markup is no business of this module: a face shows text as text.
"""

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

import msgspec

DEEPEST = 100  # levels of a value that are told: no cloud nests a tenth of it, and Python's own stack has an end

# C0 and DEL have pictures of their own; C1, direction marks, fillers, tags and other invisible ones do not.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_CONTROL_IN_LINES = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def clean(text: str) -> str:
    """One line of text without control, escape or direction characters; each is shown as a picture."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(_picture, text)


def clean_lines(text: str) -> str:
    """Console output as plain lines: escape sequences are dropped, newlines and tabs stay."""
    text = _ESCAPE_SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL_IN_LINES.sub(_picture, text)


def clean_tree(value: Any, levels: int = DEEPEST) -> Any:
    """A decoded JSON value with every string, keys included, cleaned; what lies too deep is an ellipsis."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_tree(item, levels - 1) for item in value] if levels else "…"
    if isinstance(value, dict):
        return {clean(key): clean_tree(item, levels - 1) for key, item in value.items()} if levels else "…"
    return value


def read_tree(record: bytes) -> Any:
    """What a record says as JSON, not cleaned, with marks for bytes that are no text; None for what is no JSON."""
    try:
        return msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(record.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


# A name of a field whose value nobody else shall read, wherever it stands: adminPass, user_data, db_password ...
_SECRET_NAME = re.compile(r"(admin_?pass|passw(or)?d|secret|token|user_data|private_key|credential)", re.IGNORECASE)


def names_secret(name: object) -> bool:
    """Whether what stands under this name is nobody else's business."""
    return _SECRET_NAME.search(str(name)) is not None


def masked(value: Any, levels: int = DEEPEST) -> Any:
    """A decoded JSON value with dots for whatever stands under the name of a secret; what lies too deep is left out."""
    if isinstance(value, dict):
        return {name: _under(name, inner, levels - 1) for name, inner in value.items()} if levels else "…"
    if isinstance(value, list):
        return [masked(item, levels - 1) for item in value] if levels else "…"
    return value


def _under(name: object, value: Any, levels: int) -> Any:
    return "••••" if value and isinstance(value, str) and names_secret(name) else masked(value, levels)


def is_plain(body: bytes) -> bool:
    """Whether no string of this JSON text can hold a character that `clean` would touch."""
    return b"\\" not in body and b"\x7f" not in body and body.isascii()


def cells(text: str) -> int:
    """How many terminal cells the text takes; wide East Asian characters count two."""
    return len(text) if text.isascii() else _wide_cells(text)


@lru_cache(10_000)
def _wide_cells(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Secret(str):
    """A string that prints as dots wherever it is shown; `reveal()` gives what it holds."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('••••')"

    def __str__(self) -> str:
        return "••••"

    def __format__(self, spec: str) -> str:
        return format("••••", spec)

    def reveal(self) -> str:
        """The plain text, for the one place that needs it."""
        return str.__str__(self)
