"""The password that a cloud tells once, with the reply to a run's order: told on to whoever is there, kept nowhere.

The journal, which anybody who resumes a run may read, learns no more than that nobody heard it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from console.actions.declared import Outcome

if TYPE_CHECKING:
    from console.runbooks.runbook import Run

LOST = "password_lost"


def told(run: "Run", outcome: Outcome) -> Mapping[str, bool]:
    """Tell the password that came with an order; the step's facts about it."""
    if outcome.admin_pass is None:
        return {}
    return {LOST: not run.ways.tell_password(run, outcome.name, outcome.admin_pass)}


def lost(facts: Mapping[str, Any]) -> str:
    """What to say of a password that nobody heard; "" where somebody did, or there was none."""
    if not facts.get(LOST):
        return ""
    id = facts.get("new") or facts.get("made")
    return f"a password that the cloud told is lost: novadeck server set password {id} sets another"
