"""Themes: what a role such as "muted" or "error" looks like on each ground, and which glyphs stand for what.

A theme is one TOML file; there is no colour in any other file of the screen. A theme is of one of three kinds:
"hex" has a colour for every role, "ansi" uses the terminal's sixteen, "mono" uses none and speaks by weight alone.
Status is always glyph and word, so that every kind tells the same facts.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from rich.style import Style
from textual.theme import Theme as TextualTheme

from console.core.settings import HEX
from console.errors import ConfigError
from console.model.status import Mood
from console.text import clean

GROUNDS = ("background", "surface", "raised", "cursor")
ROLES = (
    "text",
    "strong",
    "muted",
    "faint",
    "accent",
    "ok",
    "busy",
    "warn",
    "error",
    "stale",
    "production",
)
_KINDS = ("hex", "ansi", "mono")
_SHIPPED = (Path(__file__).parent.parent / "themes", Path(__file__).parent.parent.parent / "themes")


_PLAIN = str.maketrans("…—·→↑↓•━✓✕×", "~-->^v.=+xx")


@dataclass(frozen=True)
class Theme:
    """One palette; `kind` is "hex", "ansi" or "mono"."""

    name: str
    dark: bool = True
    kind: str = "hex"
    colours: Mapping[str, str] = field(default_factory=dict)
    about: str = ""  # whom it is for, in a few words

    def for_textual(self) -> TextualTheme:
        """The same palette as the widgets' grounds."""
        plain = self.kind != "hex"
        grounds = {name: "ansi_default" if plain else self.colours[name] for name in (*GROUNDS, "tint")}
        text = "ansi_default" if plain else self.colours["text"]
        accent = "ansi_bright_blue" if plain else self.colours["accent"]
        return TextualTheme(
            name=f"novadeck-{self.name}",
            primary=accent,
            foreground=text,
            background=grounds["background"],
            surface=grounds["surface"],
            panel=grounds["raised"],
            dark=self.dark,
            ansi=plain,
            variables={
                "ansi-background": "ansi_default",
                "ansi-foreground": "ansi_default",
                "ground": grounds["background"],
                "ground-surface": grounds["surface"],
                "ground-raised": grounds["raised"],
                "ground-cursor": "ansi_bright_black" if plain else grounds["cursor"],
                "ink": text,
                "ink-muted": "ansi_bright_black" if self.kind == "ansi" else text if plain else self.colours["muted"],
                "ink-accent": accent,
                "veil": "ansi_default" if plain else f"{self.colours['background']} 60%",
            },
        )


class Ink:
    """Rich styles for a theme: one look-up per span, each style made once."""

    def __init__(self, theme: Theme, *, ascii: bool = False) -> None:
        self.theme, self.ascii = theme, ascii
        self._made: dict[tuple[str, str, bool, bool, bool, bool], Style] = {}

    def text(self, text: str) -> str:
        """The text as this terminal can draw it: in ASCII mode our own marks become plain ones of the same width."""
        return text.translate(_PLAIN) if self.ascii and not text.isascii() else text

    def change(self, theme: Theme) -> None:
        """Use another theme from now on."""
        self.theme = theme
        self._made.clear()

    def style(
        self,
        role: str,
        ground: str = "background",
        *,
        bold: bool = False,
        underline: bool = False,
        strike: bool = False,
        reverse: bool = False,
    ) -> Style:
        """The style of a role on a ground."""
        key = (role, ground, bold, underline, strike, reverse)
        style = self._made.get(key)
        if style is None:
            style = self._made[key] = self._make(role, ground, bold, underline, strike, reverse)
        return style

    def _make(self, role: str, ground: str, bold: bool, underline: bool, strike: bool, reverse: bool) -> Style:
        if ground == "cursor" and role in ("faint", "stale"):
            role = "muted"
        if self.theme.kind == "hex":
            background = self._colour(ground)
            return Style(
                color=self._colour(role),
                bgcolor=background,
                bold=bold,
                underline=underline,
                strike=strike,
                reverse=reverse,
            )
        reverse = reverse or ground == "cursor"
        if self.theme.kind == "ansi":
            colour = None if ground == "cursor" else self._colour(role)
            return Style(color=colour, bold=bold, underline=underline, strike=strike, reverse=reverse)
        dim = role in ("stale", "faint") and ground != "cursor"
        return Style(bold=bold, dim=dim, underline=underline, strike=strike, reverse=reverse)

    def _colour(self, role: str) -> str:
        """The colour of a role; of a cloud's own (two words) that of the first word, where the theme has no other."""
        colours = self.theme.colours
        return colours.get(role) or colours.get(role.partition(" ")[0], "default")


@dataclass(frozen=True)
class Glyphs:
    """One cell each, in Unicode or ASCII."""

    well: str = "•"
    moving: str = "◐"
    asks: str = "◆"
    rests: str = "○"
    broken: str = "✕"
    beware: str = "▲"
    stale: str = "◌"
    done: str = "✓"
    coming: str = "·"
    cursor: str = "▸"
    marked: str = "■"
    production: str = "▏"
    edge: str = "▌"
    bar: str = "━"
    cut: str = "…"
    becomes: str = "→"
    none: str = "—"
    dot: str = "·"
    up: str = "↑"
    down: str = "↓"

    def of(self, mood: Mood) -> tuple[str, str]:
        """The glyph of a mood and the role that it is drawn in."""
        return self._moods[mood]

    @cached_property  # asked for each row that is drawn or changes
    def _moods(self) -> dict[Mood, tuple[str, str]]:
        return {
            Mood.WELL: (self.well, "ok"),
            Mood.MOVING: (self.moving, "busy"),
            Mood.ASKS: (self.asks, "warn"),
            Mood.RESTS: (self.rests, "muted"),
            Mood.BROKEN: (self.broken, "error"),
            Mood.UNKNOWN: (self.stale, "stale"),
        }


UNICODE = Glyphs()
ASCII = Glyphs(
    *(".", "~", "?", "o", "x", "!", ":", "+", "-", ">", "*", "|", "|", "=", "~", "->", "-", "-"),
    up="up",
    down="down",
)


def theme_files(folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Every theme by name: the shipped ones, then a user's own, which win."""
    found: dict[str, Path] = {}
    for folder in (*_SHIPPED, *folders):
        if folder.is_dir():
            found.update({path.stem: path for path in sorted(folder.glob("*.toml"))})
    return found


def load_theme(name: str, folders: Sequence[Path] = ()) -> Theme:
    """The theme of that name. Raises `ConfigError` that names what there is, or what the file lacks."""
    files = theme_files(folders)
    if name not in files:
        raise ConfigError(f"There is no theme {name!r}.", hint=f"There are {', '.join(sorted(files))}.")
    return read_theme(files[name])


def read_theme(path: Path) -> Theme:
    """A theme from its file. Raises `ConfigError` that names the file and what is wrong in it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    kind = table.get("kind", "hex")
    colours = table.get("colours", {})
    needed = (*GROUNDS, "tint", *ROLES) if kind == "hex" else ()
    missing = [role for role in needed if role not in colours]
    if missing:
        raise ConfigError(f"{path}: no colour for {', '.join(missing)}.")
    wrong = [role for role in needed if not HEX.fullmatch(str(colours[role]))]
    if kind not in _KINDS or wrong:
        what = f"kind must be one of {', '.join(_KINDS)}" if kind not in _KINDS else f"{wrong[0]} must be like #0f1218"
        raise ConfigError(f"{path}: {what}.")
    about = clean(str(table.get("about", "")))
    return Theme(path.stem, bool(table.get("dark", True)), kind, colours, about)


def depth(environment: Mapping[str, str] = os.environ) -> str:
    """How many colours the terminal has: none, 16, 256 or full; NO_COLOR asks for none."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR") or term in ("vt100", "vt220", "dumb"):
        return "none"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "full"
    if term.endswith(("256color", "-kitty")):
        return "256"
    return "16"


def wearable(colours: str) -> tuple[str, ...]:
    """The kinds of themes that a terminal of so many colours can show."""
    return {"none": ("mono",), "16": ("ansi", "mono")}.get(colours, _KINDS)


def choose_theme(name: str, folders: Sequence[Path] = (), environment: Mapping[str, str] = os.environ) -> Theme:
    """The theme to start with: NO_COLOR and a terminal without colours outrank the settings."""
    theme = load_theme(name, folders)
    kinds = wearable(depth(environment))
    return theme if theme.kind in kinds else load_theme({"ansi": "ansi16"}.get(kinds[0], kinds[0]), folders)


def wants_ascii(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal cannot be trusted with our glyphs: no UTF-8, or East Asian widths."""
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if environment.get("TERM", "") in ("linux", "vt100", "vt220"):
        return True
    if locale[:2] in ("ja", "ko", "zh"):
        return True
    return bool(locale) and "utf" not in locale.lower()


@lru_cache(maxsize=512)
def contrast(one: str, other: str) -> float:
    """The WCAG 2 contrast of two colours such as "#0f1218": 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of a colour, from 0 (black) to 1 (white)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
