"""Many steps as one operation, which no terminal, crash or network can lose.

Importing the room declares every runbook: each is in `RUNBOOKS`, and the action that starts it is in `ACTIONS`.
"""

from console.actions import ACTIONS
from console.runbooks import build, replace, resize, schedule, snapshot
from console.runbooks.runbook import RUNBOOKS

__all__ = ["ACTIONS", "RUNBOOKS", "build", "replace", "resize", "schedule", "snapshot"]
