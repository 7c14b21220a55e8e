"""Choosing a theme while it is worn: the list of themes, each shown on the whole screen as the cursor passes it."""

from collections.abc import Callable, Sequence
from typing import Any

from console.errors import ConfigError
from console.tui.dialogs import Topic
from console.tui.paint import Span, spans
from console.tui.pickers import Choice, Pick
from console.tui.theme import Glyphs, Ink, load_theme, theme_files, wearable
from console.tui.wardrobe import Wardrobe

HEADS = (("theme", 12, False), ("for", 6, False))


def theme_choices(wardrobe: Wardrobe, worn: str) -> list[Choice]:
    """Every theme as a line of a picker; what cannot be worn says why."""
    found = [_choice(wardrobe, name, worn) for name in sorted(theme_files(wardrobe.folders))]
    return sorted(found, key=lambda choice: not choice.fits)


def _choice(wardrobe: Wardrobe, name: str, worn: str) -> Choice:
    try:
        theme = load_theme(name, wardrobe.folders)
    except ConfigError as error:
        return Choice(name, (name, ""), fits=False, reason=error.message)
    reason = theme.about
    fits = theme.kind in wearable(wardrobe.colours)
    if not fits:
        reason = "this terminal shows no colours" if wardrobe.colours == "none" else "this terminal has 16 colours"
    return Choice(name, (name, "dark" if theme.dark else "light"), fits, reason, current=name == worn)


class ThemePick(Pick):
    """A picker that wears what its cursor stands on."""

    def __init__(self, ink: Ink, glyphs: Glyphs, choices: Sequence[Choice], wear: Callable[[str], None]) -> None:
        lines = [spans(Span("Own themes go into the folder themes beside config.toml.", "muted"))]
        self._wear = wear
        super().__init__(ink, glyphs, Topic("Theme"), lines, choices, HEADS, "wear")
        self.at = next((n for n, choice in enumerate(self.choices) if choice.current), self.at)

    def press(self, key: str, event: Any) -> None:
        """As any picker, and shows the theme at once."""
        before = self.at
        super().press(key, event)
        if self.at != before and self.chosen is not None:
            self._wear(self.chosen.value)
            self.sheet.restyle()
