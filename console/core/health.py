"""How a place does, as its lane shows it: a state, a reason in words, and when its rows were last known to be right."""

from typing import Literal

import msgspec

State = Literal["asking", "well", "slow", "throttled", "down", "refused", "needs-secret"]

# A place in one of these answers nothing: its rows are old, and another way to the same row is better.
MUTE: frozenset[str] = frozenset({"down", "refused", "needs-secret"})


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One place's health; all times are monotonic seconds of the console's clock."""

    state: State = "asking"
    reason: str = ""
    since: float = 0.0  # when it came into this state
    rows_at: float | None = None  # when its rows were last asked for with success
    latency: float | None = None  # seconds that the last reply took
    next_try: float | None = None  # when it will be asked again, where it is mute or throttled
    left: int | None = None  # requests that its rate limit still allows, where the cloud tells
    most: int | None = None
    window: float | None = None  # the seconds that its limit is counted in
    counts: dict[str, int] = {}  # rows by kind

    @property
    def mute(self) -> bool:
        """Whether the place answers nothing now."""
        return self.state in MUTE

    def tells(self, before: "Health | None") -> bool:
        """Whether this differs from what was told before in something that a reader would see."""
        if before is None:
            return True
        return (
            (self.state, self.reason, self.left, self.most, self.counts)
            != (before.state, before.reason, before.left, before.most, before.counts)
            or ((self.mute or self.state == "throttled") and self.next_try != before.next_try)
            or (self.state == "slow" and self.latency != before.latency)
        )
