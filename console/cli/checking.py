"""What a check over SSH found: one object per server, or a row per rung."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.cli import reach
from console.cli.columns import narrowed
from console.cli.output import Sheet, write, write_objects
from console.cli.voice import sentence

if TYPE_CHECKING:
    from console.actions.declared import Outcome


def checked(outcomes: "Sequence[Outcome]", form: str, wanted: Sequence[str] = ()) -> int:
    """Print what the checks found; every server ready, some, or none is the exit code."""
    found = [as_object(outcome) for outcome in outcomes]
    if form in ("json", "yaml", "ndjson") and not wanted:
        write_objects(found, form, alone=len(found) == 1 and form != "ndjson")
    else:
        write(narrowed(rungs(found), wanted), form)
    ready = sum(bool(one["ready"]) for one in found)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    return reach.verdict(len(found) - ready, ready, errors)


def as_object(outcome: "Outcome") -> dict[str, Any]:
    """One server's readiness."""
    found: dict[str, Any] = {"name": outcome.name, "id": outcome.id, "place": str(outcome.place), "ready": False}
    if outcome.result is not None:
        found |= outcome.result.plain()
    if outcome.error is not None:
        found["error"] = sentence(outcome.error)
    return found


def rungs(found: Sequence[dict[str, Any]]) -> Sheet:
    """A row per rung; a server that was not reached at all has one row with the reason."""
    rows: list[list[Any]] = []
    for one in found:
        for rung in one.get("rungs", []):
            rows.append([one["name"], rung["name"], rung["state"], rung["seconds"], rung["text"]])
        if not one.get("rungs"):
            rows.append([one["name"], "check", "failed", None, one.get("error", "")])
    return Sheet(("name", "rung", "state", "seconds", "text"), rows)
