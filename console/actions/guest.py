"""What is done inside guests: a command on many servers, a shell by the real ssh, and the keys that they showed.

A command may do anything, so read-only refuses it, and so it does a shell; both are audited like every other order.
A shell itself is a face's business: the action finds the route, checks the host key, and gives the words for ssh.
"""

from typing import TYPE_CHECKING, Any

from console.actions.approach import approach, candidates, known_hosts
from console.actions.check import WAY
from console.actions.declared import Ask, Order, action
from console.errors import ActionFailed, ActionRefused, HostKeyChanged, ProbeFailed
from console.model.place import own_name

if TYPE_CHECKING:  # asyncssh takes a tenth of a second to import: only when a check starts
    from console.guests.inside import Ran
    from console.guests.report import Report


class Shell(list[str]):
    """The words by which the real ssh follows a route that was checked."""


@action(
    "server.run",
    title="run a command",
    command="server run",
    needs="server.list",
    asks=(
        Ask("command", "text", "command", "what to run; it is better written behind --", True, most=65536, rest=True),
        *WAY,
        Ask("deadline", "number", "deadline", "seconds for each server", default=60),
    ),
)
async def run(order: Order) -> "Ran":
    """Run a command in guests over SSH, and tell how it ended in each."""
    from dataclasses import replace

    from console.guests import inside

    done: list[Ran] = []
    seconds = float(order.given["deadline"])

    async def within(connection: Any) -> None:
        done.append(await inside.run(connection, order.given["command"], seconds))

    report = await _login(order, within)
    if not done:
        assert report.failed is not None
        raise ActionFailed(f"{order.name}: {report.failed.text}")
    return replace(done[0], user=report.user, address=report.address)


@action("server.shell", title="shell", command="server ssh", key="S", needs="server.list", many=False, asks=WAY)
async def shell(order: Order) -> Shell:
    """Open a shell in the guest by your own ssh, on the route that was checked."""
    from console.guests.handover import ssh_words

    found = await approach(order.ground, order.place, order.row.id, order.given)
    if found.windows:
        raise ActionRefused(f"{order.name} runs Windows: there is no shell over SSH.", hint="Name a --port to try it.")
    report = await _login(order)
    failed = report.failed
    if report.host_key is not None and not report.host_key.trusted:
        assert failed is not None
        raise HostKeyChanged(failed.text, rung="host key")
    if failed is not None and failed.name != "login":  # where no key is let in, ssh may ask for a password
        raise ProbeFailed(failed.text, rung=failed.name)
    return Shell(ssh_words(found.route, report, known_hosts(order.ground), own_name(order.place, order.row.id)))


async def _login(order: Order, within: Any = None) -> "Report":
    """Climb to the login, and do this there."""
    from console.guests.probe import probe

    found = await approach(order.ground, order.place, order.row.id, order.given)
    return await probe(
        found.route,
        found.evidence,
        password=order.given.get("password"),
        held=order.ground.passwords.get(own_name(order.place, order.row.id)),
        last="login",
        deadline=30.0,
        told=lambda rung: order.tell("rung", rung.text, row=order.row, detail=rung),
        why_silent=found.why_silent,
        within=within,
    )


@action("server.hostkeys", title="export host keys", command="server hostkeys", reads=True)
async def hostkeys(order: Order) -> list[str]:
    """Tell the host keys that we keep of a server, as lines for a known_hosts file."""
    import asyncio

    server = await order.dialect.server(order.row.id)
    names = {
        own_name(order.place, server.id): [
            name for name in (*candidates(server), server.name) if name and " " not in name
        ]
    }
    return await asyncio.to_thread(known_hosts(order.ground).export, names)
