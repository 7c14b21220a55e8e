"""What became of orders, as rows and objects: the same words in every form."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.actions import ACTIONS
from console.cli.columns import chosen
from console.cli.output import Column, Sheet
from console.cli.voice import sentence
from console.model.server import Server

if TYPE_CHECKING:
    from console.actions.declared import Outcome


def columns(waited: bool) -> tuple[Column, ...]:
    """What is told of an outcome; without a wait an order that was taken is only accepted."""
    return (
        Column("id", lambda o: o.id, cut=False),
        Column("name", lambda o: o.name),
        Column("place", lambda o: str(o.place)),
        Column("action", lambda o: o.action),
        Column("result", lambda o: "failed" if o.error else "done" if waited else "accepted", cut=False),
        Column("status", lambda o: _status(o) if waited else None),
        Column("seconds", lambda o: None if o.took is None else round(o.took, 1)),
        Column("request_id", lambda o: o.request_id or None),
        Column("error", lambda o: sentence(o.error) if o.error else None, long=True),
    )


def _status(outcome: "Outcome") -> str | None:
    """The server's status at the end; what was deleted has none any more."""
    ends = ACTIONS[outcome.action].ends
    if outcome.ok and ends is not None and ends.gone:
        return "gone"
    return outcome.row.status if isinstance(outcome.row, Server) else None


def done(outcome: "Outcome", waited: bool) -> dict[str, Any]:
    """One outcome as an object; a new server's password is told here, once, and nowhere else."""
    found = {"ok": outcome.ok} | {column.id: column.value(outcome) for column in columns(waited)}
    if outcome.admin_pass is not None:
        found["admin_pass"] = outcome.admin_pass.reveal()
    return found


def shown(outcomes: "Sequence[Outcome]", wanted: Sequence[str], waited: bool) -> Sheet:
    """The outcomes as rows."""
    picked = chosen(columns(waited), wanted, long=False)
    fixed = frozenset(column.id for column in picked if not column.cut)
    return Sheet(tuple(c.id for c in picked), [[c.value(outcome) for c in picked] for outcome in outcomes], fixed)
