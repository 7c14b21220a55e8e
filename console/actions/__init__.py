"""What a user can do, when, and the one gate for it.

Importing the room declares every action: `ACTIONS` is complete from then on, in the order of the modules below.
"""

from console.actions import (
    building,
    changes,
    check,
    cloning,
    explain,
    guest,
    history,
    images,
    keypairs,
    power,
    schedules,
    servers,
    shared,
    vip,
)
from console.actions.declared import ACTIONS

__all__ = [
    "ACTIONS",
    "building",
    "changes",
    "check",
    "cloning",
    "explain",
    "guest",
    "history",
    "images",
    "keypairs",
    "power",
    "schedules",
    "servers",
    "shared",
    "vip",
]
