"""A production cloud's own colour, on whatever theme is worn.

The user names one colour, and a colour that reads well at night is lost on paper. So it keeps its hue and is moved
towards white on dark themes, towards black on light ones, just as far as it takes to be read on every ground; the
badge's ground is made of it. A role is taken from the theme as it is. Where there are no such colours (the sixteen
of a terminal, mono), the mark and the word say it as they do for any production cloud.
"""

from collections.abc import Mapping
from dataclasses import replace

from console.core.settings import HEX
from console.tui.theme import GROUNDS, Theme, contrast

MARKED = "production"  # the role of a production cloud without a colour of its own
FLOORS = {ground: 4.0 if ground == "cursor" else 4.5 for ground in GROUNDS}
ON_TINT = 4.5
STEPS = 25  # from the colour itself to white or black
SHARES = (0.16, 0.13, 0.1, 0.07, 0.04, 0.0)  # how much of the colour is in the badge's ground


def banner(cloud: str) -> str:
    """The role of a production cloud that has a colour of its own."""
    return f"{MARKED} {cloud}"


def tint(role: str) -> str:
    """The ground behind the badge of this role."""
    return role.replace(MARKED, "tint", 1)


def dressed(theme: Theme, clouds: Mapping[str, str]) -> Theme:
    """The theme with a role and a tint for each of these clouds, which are given with their colours."""
    colours = dict(theme.colours)
    for cloud, wanted in clouds.items():
        role = banner(cloud)
        if theme.kind != "hex":
            colours[role] = colours.get(MARKED if HEX.fullmatch(wanted) else wanted, "default")
            continue
        colours[role] = readable(wanted, theme) if HEX.fullmatch(wanted) else colours[wanted]
        colours[tint(role)] = _ground(colours[role], theme)
    return replace(theme, colours=colours)


def readable(colour: str, theme: Theme) -> str:
    """The colour as near to itself as it can be read on every ground of a theme."""
    end = "#ffffff" if theme.dark else "#000000"
    steps = (mixed(colour, end, step / STEPS) for step in range(STEPS + 1))
    fits = (one for one in steps if all(contrast(one, theme.colours[name]) >= floor for name, floor in FLOORS.items()))
    return next(fits, end)


def _ground(colour: str, theme: Theme) -> str:
    grounds = (mixed(theme.colours["background"], colour, share) for share in SHARES)
    return next(
        ground for ground in grounds if ground == theme.colours["background"] or contrast(colour, ground) >= ON_TINT
    )


def mixed(one: str, other: str, share: float) -> str:
    """A colour with so much of another in it, from 0 to 1."""
    channels = [(int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(own + (its - own) * share):02x}" for own, its in channels)
