"""The themes that there are, as this terminal and these clouds want them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from console.tui.banners import dressed
from console.tui.theme import Theme, load_theme
from console.tui.tones import in_256


class Wardrobe:
    """The themes that there are, as this terminal can show them."""

    def __init__(self, folders: Sequence[Path] = (), colours: str = "full") -> None:
        self.folders, self.colours = tuple(folders), colours
        self.clouds: Mapping[str, str] = {}  # production clouds with a colour of their own

    def fitted(self, theme: Theme) -> Theme:
        """The theme in the colours that the terminal has, with those of clouds."""
        whole = dressed(theme, self.clouds)
        return in_256(whole) if self.colours == "256" else whole

    def load(self, name: str) -> Theme:
        """The theme of that name, fitted. Raises `ConfigError`."""
        return self.fitted(load_theme(name, self.folders))
