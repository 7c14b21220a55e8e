"""The partner of the screen: the same rows in Textual's own DataTable, with the same changes.

`python tests/bench/plain_app.py '{"rows": 10000, "rate": 1000, "where": "all"}'`, with the keys of `screen_app.py`.
"""

import asyncio
import json
import random
import sys
import time
from typing import Any

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Static

BATCH = 0.05
COLUMNS = (("name", 30), ("status", 14), ("task", 20), ("address", 16), ("flavor", 11), ("image", 16), ("place", 10))


class Plain(App[None]):
    """One table and a line."""

    CSS = "DataTable { height: 1fr; } DataTable > .datatable--cursor { background: rgb(18,171,52); color: white; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [
        Binding("f2", "toggle"),
        Binding("f3", "one"),
        Binding("o", "sort"),
        Binding("f", "filter"),
        Binding("q", "quit"),
    ]

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__()
        self.told, self.on, self.chance, self.number = told, False, random.Random(1), 0
        self.rows = [
            (f"web-{n:05d}", "ACTIVE", "", f"10.0.{n >> 8}.{n & 255}", "m1.tiny", "debian-12", "bench/one")
            for n in range(told["rows"])
        ]

    def compose(self) -> ComposeResult:
        yield Static("novadeck's partner")
        self.table: DataTable[str] = DataTable(cursor_type="row")
        yield self.table

    def on_mount(self) -> None:
        for name, width in COLUMNS:
            self.table.add_column(name, width=width, key=name)
        for row in self.rows:
            self.table.add_row(*row, key=row[0])
        self.table.focus()

    def change(self, at: int) -> None:
        self.number += 1
        self.table.update_cell(self.rows[at][0], "address", f"10.9.{self.number >> 8 & 255}.{self.number & 255}")

    def visible(self) -> range:
        top = int(self.table.scroll_offset.y)
        return range(top, min(len(self.rows), top + self.size.height - 3))

    def action_one(self) -> None:
        self.change(self.visible()[10])

    def action_toggle(self) -> None:
        self.on = not self.on
        if self.on:
            self.run_worker(self.pour())

    async def pour(self) -> None:
        due, owed = time.monotonic(), 0.0
        while self.on:
            owed += self.told.get("rate", 1000) * BATCH
            among = self.visible() if self.told.get("where") == "visible" else range(len(self.rows))
            for at in self.chance.choices(among, k=int(owed)):
                self.change(at)
            owed -= int(owed)
            due = max(due + BATCH, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def action_sort(self) -> None:
        self.table.sort("address", "name")

    def action_filter(self) -> None:
        self.table.clear()
        for row in self.rows:
            if "7" in row[0]:
                self.table.add_row(*row, key=row[0])


if __name__ == "__main__":
    Plain(json.loads(sys.argv[1])).run()
