"""Many steps as one operation, which no terminal, crash or network can lose.

Importing the room declares every runbook: each is in `RUNBOOKS`, and the action that starts it is in `ACTIONS`.
"""
