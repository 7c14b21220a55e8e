"""What is drawn line by line, and painted without a detour: the tables and sheets of the screen.

Textual would bring a widget's lines to the terminal by way of a message, an idle moment, the next tick of sixty a
second and its compositor. Where nothing can lie over a widget its lines are put straight into the writer's picture of
the terminal instead, and leave at once; Textual draws the same lines whenever it wants to, since nobody but the widget
keeps them. A widget of lines has no border and no padding.
"""

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from console.tui.writer import SparingApp


class Lines(Widget):
    """A widget whose `render_line` gives whole lines, as they are to be seen."""

    def paint(self, *regions: Region) -> None:
        """Paint these parts of it anew, or all of it."""
        app = self.app
        if not (isinstance(app, SparingApp) and app.paint(self, regions)):
            self.refresh(*regions)

    def paint_part(self, x: int, y: int, strip: Strip) -> None:
        """Paint a part of one line anew: `strip`, which stands there in `render_line` as well."""
        app = self.app
        shown = self._filtered([strip])[0]
        if not (isinstance(app, SparingApp) and app.paint_part(self, x, y, shown)):
            self.refresh(Region(x, y, strip.cell_length, 1))

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of this part, for Textual and for the picture alike."""
        strips = self._filtered([self.render_line(y) for y in crop.line_range])
        whole = crop.column_span == (0, self.outer_size.width)
        return strips if whole else [strip.crop(*crop.column_span) for strip in strips]

    def _filtered(self, strips: list[Strip]) -> list[Strip]:
        """The strips as Textual's filters leave them, such as one that takes the colours out."""
        if filters := self.get_line_filters():
            ground = self.background_colors[1]
            for one in filters:
                strips = [strip.apply_filter(one, ground) for strip in strips]
        return strips
