"""A palette in the 256 colours of a terminal that has no more, such as tmux without its RGB flag.

Left to itself, such a terminal takes the nearest colour of each, and two grounds that differ by a hair become one, or
a grey slips below what can be read. Here each ground keeps its difference, and each role takes the nearest of the
colours that still reach its contrast.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from console.tui.banners import MARKED, ON_TINT, tint
from console.tui.theme import GROUNDS, ROLES, Theme, luminance

LEVELS = (0, 95, 135, 175, 215, 255)
SAME = 1.03  # two grounds of less contrast than this may become one
EVERYWHERE = {"text": (7.0, 7.0), "strong": (7.0, 7.0), "stale": (3.9, 0.0), "faint": (3.0, 0.0)}
FACT = (4.5, 4.0)  # the least contrast on the grounds, and on the cursor's row


@lru_cache(maxsize=1)
def palette() -> dict[str, float]:
    """The cube and the greys of the 256, each with its luminance; the first sixteen are the user's own."""
    cube = [(red, green, blue) for red in LEVELS for green in LEVELS for blue in LEVELS]
    greys = [(level, level, level) for level in range(8, 248, 10)]
    return {(name := f"#{r:02x}{g:02x}{b:02x}"): luminance(name) for r, g, b in cube + greys}


def in_256(theme: Theme) -> Theme:
    """The theme in those colours; one without colours of its own as it is."""
    if theme.kind != "hex":
        return theme
    colours = dict(theme.colours)
    _grounds(colours, theme.colours)
    grounds = [palette()[colours[name]] for name in GROUNDS]
    own = [role for role in colours if role.startswith(f"{MARKED} ")]
    for role in own:
        taken = {colours[name] for name in GROUNDS}
        colours[tint(role)] = _nearest(colours[tint(role)], (one for one in palette() if one not in taken))
    for role in (*ROLES, *own):
        well, on_cursor = EVERYWHERE.get(role, FACT)
        floors = [*zip(grounds, (well, well, well if role not in ("stale", "faint") else 0.0, on_cursor), strict=True)]
        if role.startswith(MARKED):
            floors.append((palette()[colours[tint(role)]], ON_TINT))
        colours[role] = _nearest(colours[role], (name for name, its in palette().items() if _reaches(its, floors)))
    return replace(theme, colours=colours)


def _grounds(colours: dict[str, str], wanted: Mapping[str, str]) -> None:
    """Each ground the nearest that no other ground has, unless the theme has them all but alike."""
    taken: dict[str, str] = {}
    for name in (*GROUNDS, "tint"):
        alike = [other for other in taken if _ratio(luminance(wanted[name]), luminance(wanted[other])) < SAME]
        free = (one for one in palette() if one not in taken.values())
        colours[name] = taken[alike[0]] if alike and name == "raised" else _nearest(wanted[name], free)
        taken[name] = colours[name]


def _reaches(own: float, floors: Iterable[tuple[float, float]]) -> bool:
    return all(_ratio(own, ground) >= floor for ground, floor in floors)


def _ratio(one: float, other: float) -> float:
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)


def _nearest(wanted: str, among: Iterable[str]) -> str:
    return min(among, key=lambda one: _distance(wanted, one), default=wanted)


def _distance(one: str, other: str) -> float:
    """How far two colours lie apart to the eye; a mean over the reds weighs the channels."""
    (r, g, b), (r2, g2, b2) = (tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) for colour in (one, other))
    mean = (r + r2) / 2
    red, green, blue = (r - r2) ** 2, (g - g2) ** 2, (b - b2) ** 2
    return (2 + mean / 256) * red + 4 * green + (2 + (255 - mean) / 256) * blue
