"""The real app over the stand-in of `standin.py`: for tests of what the screen shows, where no cloud has a part."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from standin import StandIn, opened
from textual.pilot import Pilot

from console.model.server import Server
from console.tui.app import NovadeckApp
from console.tui.theme import load_theme


@asynccontextmanager
async def running(
    console: StandIn, size: tuple[int, int] = (120, 40), theme: str = "nocturne", **more: Any
) -> AsyncIterator[tuple[NovadeckApp, Pilot[Any]]]:
    """The app over this console, once all rows are there."""
    app = NovadeckApp(lambda: opened(console), load_theme(theme), **more)
    async with app.run_test(size=size) as pilot:
        for _ in range(1500):
            if len(app.main.panes["servers"].table.index.rows) == len(console.store.rows(Server)) or app.failure:
                break
            await pilot.pause(0.02)
        yield app, pilot
        app.leave()
    if app.failure is not None:
        raise app.failure


def screen_text(app: Any) -> str:
    """The whole screen as text, one line for each of its lines."""
    width, height = app.size
    lines = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in line)[:width].rstrip() for line in lines[:height])
