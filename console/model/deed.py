"""A deed: something that was asked of a cloud from here, and what became of it, as the audit has it."""

import datetime as dt

from console.model.place import Row


class Deed(Row, frozen=True, kw_only=True, gc=False):
    """One order of the audit; `name` and `target_id` are those of what it was done to, `id` is the order's own."""

    action: str = ""
    event: str = ""  # the last that was written: asked, accepted, failed or ended
    ok: bool = True
    at: dt.datetime | None = None  # when it was asked
    ended: dt.datetime | None = None  # when the last line was written
    user: str = ""
    pid: int = 0
    target_kind: str = ""
    target_id: str = ""
    request_id: str = ""
    message: str = ""
    why: str = ""

    @property
    def outcome(self) -> str:
        """What became of it: asked (no answer was written), accepted, done or failed."""
        return "failed" if not self.ok or self.event == "failed" else "done" if self.event == "ended" else self.event
