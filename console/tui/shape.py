"""What a terminal of a given size shows. One function of two numbers, so that every size can be tested on paper."""

from dataclasses import dataclass

LEAST = (60, 16)
SIDE, MOST_SIDE = 38, 54  # images above flavors, beside the servers: at least so wide, and at most
ASIDE = 66  # one row, beside the servers in their stead
WIDE, TALL = 160, 30  # from there on something fits beside the servers
GAP = 6
MARGIN = 2


@dataclass(frozen=True)
class Shape:
    """The layout of one terminal size, in cells and lines."""

    width: int
    height: int
    enough: bool  # else one sentence says what is needed
    beside: bool  # images and flavors stand beside the servers
    lane_lines: int  # a lane takes one line or two
    padded: bool  # blank lines above and below the header, in Operations, and under the heads
    titled: bool  # groups have titles
    operation_lines: int  # an operation takes one line or two

    @property
    def header(self) -> int:
        """How many lines the header takes."""
        return self.lane_lines + (2 if self.padded else 0)

    @property
    def side(self) -> int:
        """How many cells images and flavors have beside the servers: a third of what is more than enough for those."""
        return min(MOST_SIDE, SIDE + max(0, self.width - WIDE) // 3)

    @property
    def main(self) -> int:
        """How many cells wide the pane at the left is."""
        return self.width - self.side - GAP - MARGIN if self.beside else self.width - MARGIN


def shape_of(width: int, height: int) -> Shape:
    """The layout of a terminal of so many cells by so many lines."""
    tall = height >= TALL
    return Shape(
        width=width,
        height=height,
        enough=width >= LEAST[0] and height >= LEAST[1],
        beside=width >= WIDE and tall,
        lane_lines=2 if width >= 120 and tall else 1,
        padded=tall and height >= 36,
        titled=tall,
        operation_lines=2 if width >= 120 and height >= 36 else 1,
    )
