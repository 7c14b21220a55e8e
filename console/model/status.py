"""What a server's status word means to the one who watches it.

The words are Nova's and the first generation's. A cloud may say others: those become UNKNOWN and keep
their raw word, since a console that stops at a new word is worse than one that shows it.
"""

import enum
from functools import lru_cache


class Mood(enum.IntEnum):
    """What a row asks of its reader; smaller is more urgent."""

    BROKEN = 0
    ASKS = 1
    MOVING = 2
    RESTS = 3
    WELL = 4
    UNKNOWN = 5


_MOODS: dict[Mood, str] = {
    Mood.WELL: "ACTIVE",
    Mood.MOVING: "BUILD REBUILD RESIZE REVERT_RESIZE MIGRATING REBOOT HARD_REBOOT PASSWORD QUEUE_RESIZE PREP_RESIZE"
    " SHARE_IP SHARE_IP_NO_CONFIG DELETE_IP RESTORING ADD_IP ADD_IP_NO_CONFIG QUEUE_MOVE PREP_MOVE MOVE PENDING",
    Mood.ASKS: "VERIFY_RESIZE VERIFY_MOVE RESCUE",
    Mood.RESTS: "SHUTOFF SUSPENDED PAUSED SHELVED SHELVED_OFFLOADED DELETED SOFT_DELETED",
    Mood.BROKEN: "ERROR",
    Mood.UNKNOWN: "UNKNOWN",
}
MOOD_OF: dict[str, Mood] = {word: mood for mood, words in _MOODS.items() for word in words.split()}
STATUSES: frozenset[str] = frozenset(MOOD_OF)
POWER_STATES: dict[int, str] = {
    0: "no state",
    1: "running",
    3: "paused",
    4: "shut down",
    6: "crashed",
    7: "suspended",
}


@lru_cache(1000)  # asked several times for each row that changes
def known(status: str | None) -> str:
    """The status word as the console knows it: upper case, or UNKNOWN for a word that it does not know."""
    word = (status or "UNKNOWN").upper()
    return word if word in MOOD_OF else "UNKNOWN"


def mood(status: str, task_state: str | None = None) -> Mood:
    """What a server's row asks of its reader; any task state is motion, but for one that is broken."""
    found = MOOD_OF.get(status, Mood.UNKNOWN)
    if task_state and found is not Mood.BROKEN:
        return Mood.MOVING
    return found


def in_flight(status: str, task_state: str | None = None) -> bool:
    """Whether the cloud itself is about to change this row, so that it is worth asking often."""
    return bool(task_state) or MOOD_OF.get(status) is Mood.MOVING
