"""Into guests from a shell: a command on many servers, the user's own ssh, and the host keys that we keep.

Output of guests is data on stdout, and was cleaned of escape codes before it came here. The real ssh takes this
process's place, so that nothing stands between it and the terminal.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.cli import choosing, reach
from console.cli.acting import action_of, answers, ask_by_rules
from console.cli.columns import narrowed
from console.cli.main import Exit
from console.cli.naming import named
from console.cli.output import Sheet, write, write_objects
from console.cli.parse import Given, UsageError
from console.cli.voice import complain, say, sentence
from console.errors import ActionRefused

if TYPE_CHECKING:
    from console.actions.declared import Action, Outcome
    from console.model.place import Row
    from console.session import Console

AT_ONCE = 16
COLUMNS = ("name", "code", "output")


def run(given: Given) -> int:
    """Run a command on the servers named."""
    return reach.run(_run(given))


def ssh(given: Given) -> int:
    """Become the user's ssh, on the route to the server named."""
    return reach.run(_ssh(given))


def hostkeys(given: Given) -> int:
    """Print what we keep of the servers' host keys."""
    return reach.run(_hostkeys(given))


async def _run(given: Given) -> int:
    action = action_of(given)
    told = answers(action, given)
    narrowed(Sheet(COLUMNS, []), given.get("column", []))  # before anything is sent
    at_once = given.get("at_once", AT_ONCE)
    if at_once < 1:
        raise UsageError("--at-once needs a whole number from 1 up.")
    async with reach.reach(given) as ops:
        rows = await choosing.rows_of(ops, ops.servers, given)
        terms = _terms(ops, action, rows, given)
        dry = terms["dry_run"]
        if choosing.in_bulk(given) and not dry:
            choosing.agree(action, rows, given)
        elif not dry:
            choosing.expected_number(rows, given)
        if not given.get("stop_on_failure"):
            outcomes = await ops.perform(action, rows, at_once=at_once, **terms, **told)
        else:
            outcomes = await _until_one_fails(ops, rows, at_once, terms, told)
    left = rows[len(outcomes) :]
    if left:
        say(f"not run on {', '.join(row.name or row.id for row in left)}: one before them failed")
    if dry:
        for outcome in outcomes:
            if outcome.ok:
                print(f"would do: {outcome.plan}")
    else:
        _print(outcomes, given.get("format", "table"), given.get("column", []))
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in errors:
        complain(error)
    bad = [one for one in outcomes if one.error is not None or (one.result is not None and one.result.code != 0)]
    return reach.verdict(len(bad) + len(left), len(outcomes) - len(bad), errors if len(errors) == len(bad) else ())


def _terms(ops: "Console", action: "Action", rows: "Sequence[Row]", given: Given) -> dict[str, Any]:
    """What the user's own rules want to hear, asked for where it was not said, and whether it is only tried."""
    typed = {"why": given.get("why", ""), "typed": given.get("type_name", "")}
    terms: dict[str, Any] = {"dry_run": bool(given.get("dry_run")), **typed}
    ask_by_rules(ops, action, rows, terms)
    return terms


async def _until_one_fails(
    ops: "Console", rows: "Sequence[Row]", at_once: int, terms: dict[str, Any], told: dict[str, Any]
) -> "list[Outcome]":
    """So many at a time, and no more of them once one has failed; the user's rules are about all of them."""
    from console.actions.action import ACTIONS, demands
    from console.actions.rules import enforce

    outcomes: list[Outcome] = []
    action = ACTIONS["server.run"]
    enforce(ops.settings, action, [(row.place, row, told) for row in rows], why=terms["why"], typed=terms["typed"])
    for start in range(0, len(rows), at_once):
        some = list(rows[start : start + at_once])
        terms = {**terms, "typed": demands(ops, action, some, told).typed}
        outcomes += await ops.perform(action, some, at_once=at_once, **terms, **told)
        if any(one.error is not None or (one.result is not None and one.result.code != 0) for one in outcomes):
            break
    return outcomes


def as_object(outcome: "Outcome") -> dict[str, Any]:
    """What a command did on one server."""
    found: dict[str, Any] = {"name": outcome.name, "id": outcome.id, "place": str(outcome.place), "code": None}
    if outcome.result is not None:
        found |= outcome.result.plain()
    if outcome.error is not None:
        found["error"] = sentence(outcome.error)
    return found


def _print(outcomes: "Sequence[Outcome]", form: str, wanted: "Sequence[str]") -> None:
    found = [as_object(outcome) for outcome in outcomes]
    if form in ("json", "yaml", "ndjson") and not wanted:
        return write_objects(found, form, alone=len(found) == 1 and form != "ndjson")
    rows = []
    for one in found:
        lines = one.get("output", "").rstrip("\n").split("\n") if one.get("output") else [one.get("error", "")]
        for place, line in enumerate(lines):
            head = [one["name"], one["code"]] if not place or form != "table" else ["", None]
            rows.append([*head, line])
    write(narrowed(Sheet(COLUMNS, rows), wanted), form)


async def _ssh(given: Given) -> int:
    action = action_of(given)
    told = answers(action, given)
    async with reach.reach(given) as ops:
        rows = await named(ops.servers, given.names)
        outcome = await ops.perform(action, rows[0], **_terms(ops, action, rows, given), **told)
    if outcome.result is None:
        print(f"would do: {outcome.plan}")
        return Exit.DONE
    try:
        os.execvp(outcome.result[0], outcome.result)
    except OSError as error:
        raise ActionRefused(f"ssh cannot be started: {error.strerror}.", hint="Install OpenSSH's client.") from error


async def _hostkeys(given: Given) -> int:
    async with reach.reach(given) as ops:
        rows = await choosing.rows_of(ops, ops.servers, given)
        outcomes = await ops.perform("server.hostkeys", rows)
    for outcome in outcomes:
        if outcome.error is not None:
            complain(outcome.error)
        for line in outcome.result or ():
            print(line)
        if outcome.ok and not outcome.result:
            say(f"{outcome.name}: no host key is kept of it yet; check it first")
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    return reach.verdict(len(errors), len(outcomes) - len(errors), errors)
