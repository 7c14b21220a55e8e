"""`server.check`: climbs the guest's ladder, once or until it is ready, on evidence that is gathered for each try."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.actions.action import read_only
from console.actions.approach import approach, known_hosts
from console.actions.declared import Ask, Order, action
from console.actions.ground import Ground
from console.actions.held import Sought
from console.core.until import AWAY
from console.errors import ActionRefused
from console.model.place import Place, own_name

if TYPE_CHECKING:  # asyncssh takes a tenth of a second to import: only when a check starts
    from console.guests.own import Demands
    from console.guests.report import Report, Told
    from console.guests.statement import Statement

ONCE, PATIENT = 30.0, 600.0  # seconds for one climb, and until it is ready

WAY = (
    Ask("user", "text", "user", "who logs in, instead of the usual names"),
    Ask("port", "number", "port", "sshd's port"),
    Ask("identity", "text", "key", "a private key's file", most=4096),
    Ask("jump", "text", "jump hosts", "user@host:port of a jump host, several with commas; or none"),
    Ask("password", "secret", "password", "a password, where no key is let in"),
)


@action(
    "server.check",
    title="check over SSH",
    command="server check",
    key="t",
    reads=True,
    asks=(
        *WAY,
        Ask("check", "text", "own check", "a command that must end with 0 in the guest", many=True, most=4096),
        Ask("url", "text", "URL", "an HTTP address that must answer; http://:8080/ is the guest's own", many=True),
        Ask("file", "files", "file", "PATH=FILE: a file that must be at PATH with these contents", many=True),
        Ask("mode", "text", "mode", "the mode of each such file, such as 440", most=5),
        Ask("owner", "text", "owner", "whose each such file must be, such as root:root"),
        Ask("backup", "flag", "backup", "each such file must have its .bak beside it"),
        Ask("need", "number", "need", "so many tries of each own check must hold", default=1, least=1),
        Ask("tries", "number", "tries", "of so many", default=1, least=1),
        Ask("stable", "number", "stable", "all must hold for so many seconds", default=0),
        Ask("until_ready", "flag", "wait", "climb again until it is ready", called="wait"),
        Ask("deadline", "number", "deadline", "seconds for all of it (30, or 600 with a wait)"),
    ),
)
async def check(order: Order) -> "Report":
    """Test a guest over SSH: address, port, banner, host key, login, cloud-init."""
    given = order.given
    if given.get("check") and (closed := read_only(order.ground, order.place)):
        raise ActionRefused(f"{closed} A command of yours might change the guest.")
    report = await examine(
        order.ground,
        order.place,
        order.row.id,
        given,
        told=lambda rung: order.tell("rung", rung.text, row=order.row, detail=rung),
        until_ready=bool(given.get("until_ready")),
    )
    order.tell("seen", detail=report)
    return report


async def examine(
    ground: Ground,
    place: Place,
    id: str,
    given: Mapping[str, Any],
    *,
    told: "Told | None" = None,
    until_ready: bool = False,
    new_key: bool = False,
    before: Iterable[str] = (),
) -> "Report":
    """Climb once, or until it is ready; it only looks, and is not audited. Raises what the cloud refuses with.

    The files that the server was promised are looked for until they were found. With a `new_key`, as after our
    rebuild, what we kept of the guest's keys is forgotten; `before` are fingerprints that it or its console is known
    to have shown till then. Raises OSError where they cannot be forgotten.
    """
    from console.guests import patience
    from console.guests.probe import probe, probe_windows
    from console.guests.report import Report, Rung

    demands, name = wanted(given), own_name(place, id)
    new_key = new_key or (until_ready and await asyncio.to_thread(known_hosts(ground).another_expected, name))
    statement = await asyncio.to_thread(_forget, ground, name, before) if new_key else None
    pairs: dict[str, str] = {}
    sought = Sought(ground, place, id)

    async def climb(seconds: float, entry: float, tell: "Told | None") -> "Report":
        found = await approach(ground, place, id, given, renewed=new_key, pairs=pairs)
        if statement is not None:
            statement.hear(found.evidence.console)
        promised = [file for file in sought.files() if file.path not in given.get("file", ())]
        shared: dict[str, Any] = {"deadline": seconds, "entry": entry, "told": tell, "why_silent": found.why_silent}
        shared["demands"] = replace(demands, files=(*promised, *demands.files))
        if found.windows:
            report = await probe_windows(found.route, **shared)
        else:
            passwords: dict[str, Any] = {"password": given.get("password"), "held": ground.passwords.get(name)}
            report = await probe(found.route, found.evidence, **passwords, **shared)
        if report.ready:
            sought.found()
        return report

    async def patient(seconds: float, entry: float, tell: "Told") -> "Report":
        try:
            return await climb(seconds, entry, tell)
        except AWAY as error:  # a cloud that is away for a while ends no wait
            rung = Rung("address", "failed", 0.0, str(error))
            tell(rung)
            return Report((rung,))

    def enough(report: "Report") -> bool:
        if statement is not None and statement.complete(report.host_key):
            return report.final
        return sought.lost(report) and not given.get("file")

    if not until_ready:
        seconds = float(given.get("deadline") or ONCE)
        return await climb(seconds, seconds, told)
    seconds = float(given.get("deadline") or PATIENT)
    return await patience.until_ready(patient, seconds, told, new_key=new_key, enough=enough)


def _forget(ground: Ground, name: str, before: Iterable[str]) -> "Statement":
    """Forget the keys that a guest has shown, but for what they tell of an old console. Raises OSError. Blocks."""
    from console.guests.statement import Statement

    own = known_hosts(ground)
    met = own.shown(name)
    own.forget(name)
    return Statement(met.union(before))


def wanted(given: Mapping[str, Any]) -> "Demands":
    """The own checks; raises `ActionRefused` where they can never hold."""
    from console.guests.own import Demands, InGuest, target

    need, of = int(given.get("need") or 1), int(given.get("tries") or 1)
    if need > of:
        raise ActionRefused(f"{need} tries cannot hold of {of}.", hint="Give as many --tries.")
    for url in given.get("url") or ():
        target(url)
    told = (str(given.get("mode") or ""), str(given.get("owner") or ""), bool(given.get("backup")))
    files = tuple(InGuest(path, content, *told) for path, content in (given.get("file") or {}).items())
    if any(told) and not files:
        raise ActionRefused("A mode, an owner and a backup are those of files.", hint="Name those: --file PATH=FILE.")
    stable = float(given.get("stable") or 0)
    return Demands(tuple(given.get("check") or ()), tuple(given.get("url") or ()), files, need, of, stable)
