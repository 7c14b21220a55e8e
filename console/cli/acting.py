"""The commands that act: what the declared actions are from a shell.

Nothing is sent before every name is found and every question answered. What became of each target is data on stdout;
how it went on the way is told on stderr, a line per change. What destroys is asked about on a terminal; what destroys
for good is done without a terminal only when `--yes` says so.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cli import choosing, reach
from console.cli.checking import checked
from console.cli.columns import chosen, narrowed
from console.cli.naming import BINNED
from console.cli.output import Sheet, write, write_objects, write_one
from console.cli.parse import Given, UsageError
from console.cli.report import columns, done, shown
from console.cli.voice import asked, asked_secret, complain, say, someone_there
from console.errors import ActionRefused
from console.model.operation import under
from console.model.place import Place, Row
from console.model.server import Server

if TYPE_CHECKING:
    from console.actions.declared import Action, Outcome, Step
    from console.session import Collection, Console


def run(given: Given) -> int:
    """Do what the command's action declares."""
    return reach.run(_act(given))


def action_of(given: Given) -> "Action":
    """The action that was typed: that of the command, or that of a flag which turns it into another."""
    from console.runbooks import ACTIONS

    named = given.command.action
    for flag, other in given.command.flagged:
        named = other if given.get(flag) else named
    return ACTIONS[named]


def answers(action: "Action", given: Given) -> dict[str, Any]:
    """What was typed for the action's asks; a secret that is required and missing is asked for.

    Raises `ActionRefused` for a number that is none, before anything is told or asked.
    """
    from console.actions.asks import number

    found = {ask.name: given.options[ask.name] for ask in action.asks if ask.name in given.options}
    if action.creates and action.ask("name") is not None:
        found["name"] = given.names[0]
    for ask in action.asks:
        if ask.kind == "number" and ask.name in found:
            found[ask.name] = number(ask, found[ask.name])
        if ask.kind == "secret" and ask.required and ask.name not in found:
            if not someone_there():
                raise UsageError(f"{' '.join(given.command.words)} needs {ask.flag} where nobody can be asked.")
            found[ask.name] = asked_secret(f"{ask.title}:")
    return found


async def _act(given: Given) -> int:
    action = action_of(given)
    told = answers(action, given)
    _demand_yes(action, given)
    if "timeout" in given.options and not given.get("wait"):
        raise UsageError("--timeout is how long --wait waits: give both.")
    if not action.reads:
        chosen(columns(bool(given.get("wait"))), given.get("column", []), long=False)  # before anything is sent
    password_file = new_password_file(action, given)
    try:
        outcomes = await _outcomes(action, told, given)
    except BaseException:
        if password_file is not None:
            password_file.unlink(missing_ok=True)
        raise
    if isinstance(outcomes, int):
        return outcomes
    if password_file is not None:
        _keep_passwords(password_file, outcomes)
    return report(action, outcomes, given)


async def _outcomes(action: "Action", told: dict[str, Any], given: Given) -> "list[Outcome] | int":
    """What became of each target; of operations, which are followed here, the exit code."""
    from console.runbooks import RUNBOOKS

    async with reach.reach(given) as ops:
        rows = [] if action.creates else await choosing.rows_of(ops, _collection(ops, action), given)
        if not (given.get("dry_run") or action.reads):
            confirm(action, rows, given)
        if action.name in RUNBOOKS and not given.get("dry_run"):
            from console.cli.ops import Heard, of_outcomes

            with Heard(ops, given.get("format", "table")) as heard:
                return await of_outcomes(ops, await perform(ops, action, rows, told, given), given, heard)
        outcomes = await perform(ops, action, rows, told, given)
        again = failed_again(action, outcomes, given)
        while again:
            once_more = {outcome.id: outcome for outcome in await perform(ops, action, again, told, given)}
            outcomes = [once_more.get(outcome.id, outcome) for outcome in outcomes]
            again = failed_again(action, outcomes, given)
    return outcomes


def failed_again(action: "Action", outcomes: "Sequence[Outcome]", given: Given) -> list[Row]:
    """The rows to try once more: those that failed, where a person says so."""
    from console.actions.action import failed

    rows = failed(outcomes)
    if action.reads or given.get("dry_run") or len(outcomes) < 2 or not rows:
        return []
    say(f"{len(outcomes) - len(rows)} of {len(outcomes)} done; failed: {', '.join(row.name or row.id for row in rows)}")
    if given.get("yes") or not someone_there():
        return []
    return rows if asked(f"Try the {len(rows)} that failed once more? [y/N]").casefold() in ("y", "yes") else []


def new_password_file(action: "Action", given: Given) -> Path | None:
    """The file for passwords that are told once, made before anything is ordered, for its owner alone."""
    from console.runbooks import RUNBOOKS

    if not given.get("password_file"):
        return None
    if action.name in RUNBOOKS:
        raise UsageError(
            "An operation may outlive this command, and then tells no password: go without --password-file."
        )
    path = Path(given.options["password_file"]).expanduser()
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise UsageError(f"{path} exists already, and is not overwritten.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def _keep_passwords(path: Path, outcomes: "Sequence[Outcome]") -> None:
    """Write them to the file and forget them; without any the file goes."""
    lines = [f"{outcome.id} {outcome.admin_pass.reveal()}\n" for outcome in outcomes if outcome.admin_pass]
    if not lines:
        path.unlink()
        return say("The cloud told no password.")
    path.write_text("".join(lines), encoding="utf-8")
    for outcome in outcomes:
        outcome.admin_pass = None


def _collection(ops: "Console", action: "Action") -> "Collection[Any]":
    found: Collection[Any] = getattr(ops, f"{action.on.__name__.lower()}s")
    return found


def destroys(action: "Action") -> bool:
    """Whether it takes something away that does not come back."""
    return bool(action.confirm) and (action.type_name or not action.reversible)


def _demand_yes(action: "Action", given: Given) -> None:
    """Refuse what destroys for good where nobody can be asked. Raises `UsageError`."""
    sure = given.get("yes") or given.get("dry_run") or choosing.in_bulk(given)
    if action.type_name and not sure and not someone_there():
        raise UsageError(f"{' '.join(given.command.words)} needs --yes where nobody can be asked.")


def confirm(action: "Action", rows: Sequence[Row], given: Given) -> None:
    """Ask, where it destroys and a person is there. Raises `ActionRefused` when the answer is no."""
    if not choosing.in_bulk(given):
        choosing.expected_number(rows, given)
    choosing.tell_shared_hosts(rows)
    _mind_operations(rows, given)
    for told in action.warns(rows) if action.warns is not None else ():
        say(told)
    if choosing.in_bulk(given):
        return choosing.agree(action, rows, given)
    if given.get("yes") or not destroys(action) or not someone_there():
        return
    for row in rows:
        say(f"{row.name or row.id} ({row.id}, {row.place})")
    one = rows[0].name or rows[0].id if len(rows) == 1 else f"{len(rows)} {action.on.__name__.lower()}s"
    question = action.confirm.replace("{name}", one)
    if action.type_name:
        wanted = one if len(rows) == 1 else str(len(rows))
        agreed = asked(f"{question} Type {wanted} to go on:") == wanted
    else:
        agreed = asked(f"{question} [y/N]").casefold() in ("y", "yes")
    if not agreed:
        raise ActionRefused("Nothing was done.")


def _mind_operations(rows: Sequence[Row], given: Given) -> None:
    """Say which are under an operation, perhaps of somebody else, and ask. Raises `ActionRefused`."""
    busy = [told for row in rows if isinstance(row, Server) and (told := under(row))]
    for told in busy:
        say(f"{told}.")
    ask = busy and someone_there() and not given.get("yes")
    if ask and asked("Do it all the same? [y/N]").casefold() not in ("y", "yes"):
        raise ActionRefused("Nothing was done.")


async def perform(
    ops: "Console", action: "Action", rows: Sequence[Row], told: dict[str, Any], given: Given
) -> "list[Outcome]":
    """One outcome per target; a failure is in its outcome."""
    options: dict[str, Any] = {
        "wait": bool(given.get("wait")),
        "timeout": given.get("timeout"),
        "dry_run": bool(given.get("dry_run")),
        "progress": Progress(),
        "why": given.get("why", ""),
        "typed": given.get("type_name", ""),
    }
    if action.creates:
        made = await ops.perform(action, await only_place(ops), errors_inside=True, **options, **told)
        if isinstance(made, list):
            return made
        if made.error is not None and made.id is None:  # else there is something to tell of: its id, and its password
            raise made.error
        return [made]
    ask_by_rules(ops, action, rows, options)
    found: list[Outcome] = await ops.perform(action, list(rows), **options, **told)
    return found


def ask_by_rules(ops: "Console", action: "Action", rows: Sequence[Row], options: dict[str, Any]) -> None:
    """Ask what the user's own rules demand, where a person is there; else the gate says what is missing."""
    from console.actions.rules import demands

    wanted = demands(ops.settings, action, [(row.place, row, {}) for row in rows])
    if options["dry_run"] or wanted.refusal or not someone_there():
        return
    if wanted.why and not options["why"]:
        options["why"] = asked(f"Why? Your rules want a reason to {action.title}:")
    if wanted.typed and not options["typed"]:
        options["typed"] = asked(f"Your rules want {wanted.typed} typed to go on:")


async def only_place(ops: "Console") -> Place:
    """The one place to make something new at, logged in. Raises `UsageError` where there are several."""
    await asyncio.gather(*(ops.fleet.ready(place) for place in ops.places[:1]))
    if len(ops.places) == 1:
        return ops.places[0]
    there = ", ".join(map(str, ops.places))
    raise UsageError(f"It can be made at {there}.", hint="Choose one by --os-cloud and --os-region-name.")


class Progress:
    """Tells on stderr how orders go, a line per change."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __call__(self, step: "Step") -> None:
        """Note one step of one order; what was said last of it is not said again."""
        if step.phase not in ("seen", "rung") or not step.text:
            return
        who = str(step.key.id if step.key else step.name)
        rung = f"{step.detail.name} {step.detail.state}: " if step.phase == "rung" and step.detail else ""
        if self._last.get(who) != step.text:
            self._last[who] = step.text
            say(f"{step.name}: {rung}{step.text}")


def report(action: "Action", outcomes: "Sequence[Outcome]", given: Given) -> int:
    """Print what became of each, and give the exit code."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in errors:
        complain(error)
    for outcome in outcomes:
        if outcome.ok and isinstance(outcome.row, Server) and outcome.row.word == BINNED and given.get("wait"):
            say(f"{outcome.name} can be had back for a while: novadeck server restore {outcome.id}")
    if given.get("dry_run"):
        for outcome in outcomes:
            if outcome.ok:
                print(f"would do: {outcome.plan}")
    elif action.name == "server.check":
        return checked(outcomes, given.get("format", "table"), given.get("column", []))
    elif action.reads:
        _print_found(outcomes, given.get("format", "table"), given.get("column", []))
    else:
        _print(action, outcomes, given)
    return reach.verdict(len(errors), len(outcomes) - len(errors), errors)


def _print(action: "Action", outcomes: "Sequence[Outcome]", given: Given) -> None:
    form, wanted, waited = given.get("format", "table"), given.get("column", []), bool(given.get("wait"))
    tells = action.creates or any(outcome.admin_pass for outcome in outcomes)
    if wanted or (form in ("table", "csv", "value") and not (tells and len(outcomes) == 1)):
        for outcome in outcomes:
            if outcome.admin_pass:
                say(f"{outcome.name}: the cloud tells its password once: {outcome.admin_pass.reveal()}")
        write(shown(outcomes, wanted, waited), form)
    elif form in ("json", "yaml", "ndjson") or len(outcomes) > 1:
        form = "ndjson" if form not in ("json", "yaml") else form
        objects = [done(outcome, waited) for outcome in outcomes]
        write_objects(objects, form, alone=len(outcomes) == 1 and form != "ndjson")
    else:
        write_one(done(outcomes[0], waited), form)


def _print_found(outcomes: "Sequence[Outcome]", form: str, wanted: Sequence[str]) -> None:
    """What an action found out: a text as it is, all else as objects or rows, with the name where there are several."""
    found = [outcome for outcome in outcomes if outcome.ok]
    if form in ("json", "yaml", "ndjson") and not wanted:
        objects: list[Any] = []
        for outcome in found:
            plain = outcome.result if isinstance(outcome.result, str) else outcome.result.plain()
            head = {"name": outcome.name, "id": outcome.id}
            if isinstance(plain, list):
                objects += [{**head, **each} for each in plain]
            else:
                objects.append({**head, **plain} if isinstance(plain, dict) else {**head, "result": plain})
        write_objects(objects, form, alone=len(objects) == 1 and form != "ndjson")
        return
    for outcome in found:
        if isinstance(outcome.result, str):
            print(outcome.result)
        else:
            several = [outcome.name] if len(found) > 1 else []
            columns = (*(["name"] if several else []), *outcome.result.columns)
            sheet = Sheet(columns, [[*several, *cells] for cells in outcome.result.cells()])
            write(narrowed(sheet, wanted), form)
