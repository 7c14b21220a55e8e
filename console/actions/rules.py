"""The user's own guard rules, from the settings: what is not done at all, not to many at once, or not without a word.

They hold for every face and for the library alike, since the gate asks them. What only reads is never held up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from console.actions.declared import Action
from console.errors import ActionRefused
from console.model.place import Place, Row


@dataclass(frozen=True)
class Demands:
    """What the rules want for an order on these rows; `refusal` is why it is not done at all."""

    refusal: str = ""
    typed: str = ""  # what a person must have typed: the name, or the number of several
    why: bool = False  # whether a reason must be given


def demands(settings: Any, action: Action, targets: Sequence[tuple[Place, Row | None, Mapping[str, Any]]]) -> Demands:
    """What the user's rules demand of this action on these (place, row, given)."""
    found = Demands()
    if action.reads:
        return found
    for rule in getattr(settings, "rules", ()):
        met = [target for target in targets if _meets(rule, action, *target)]
        if not met:
            continue
        place, row, given = met[0]
        name = _name(row, given)
        if rule.deny:
            return Demands(f"{action.title} {name} at {place} is against your rules: {rule.deny.rstrip('.')}.")
        if rule.most and len(met) > rule.most:
            return Demands(f"{action.title} of {len(met)} at once is against your rules: {rule.most} are the most.")
        typed = (name if len(targets) == 1 else str(len(targets))) if rule.type_name else found.typed
        found = Demands("", typed, found.why or rule.ask_why)
    return found


def enforce(
    settings: Any,
    action: Action,
    targets: Sequence[tuple[Place, Row | None, Mapping[str, Any]]],
    *,
    why: str = "",
    typed: str = "",
) -> None:
    """Raise `ActionRefused` where the rules are not met."""
    wanted = demands(settings, action, targets)
    if wanted.refusal:
        raise ActionRefused(wanted.refusal)
    if wanted.why and not why.strip():
        raise ActionRefused(f"{action.title} wants a reason by your rules.", hint="Give --why.")
    if wanted.typed and typed != wanted.typed:
        raise ActionRefused(f"{action.title} wants {wanted.typed} typed by your rules.", hint="Give --type-name.")


def _name(row: Row | None, given: Mapping[str, Any]) -> str:
    return (row.name or row.id) if row is not None else str(given.get("name", ""))


def _meets(rule: Any, action: Action, place: Place, row: Row | None, given: Mapping[str, Any]) -> bool:
    name = _name(row, given)
    pairs = ((rule.actions, action.name), (rule.clouds, place.cloud), (rule.names, name))
    return all(not patterns or any(fnmatchcase(word, pattern) for pattern in patterns) for patterns, word in pairs)
