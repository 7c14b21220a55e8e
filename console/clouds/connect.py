"""From an account to its verbs: the one table of providers."""

import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path

from console.clouds.accounts import Account
from console.clouds.dialect import Dialect
from console.clouds.firstgen.cloud import open_firstgen
from console.clouds.openstack.catalog import regions
from console.clouds.openstack.cloud import open_cloud
from console.clouds.rackspace import SERVICE, open_rackspace
from console.errors import CloudFault
from console.wire.budget import Budget, Limit
from console.wire.pace import Pace
from console.wire.transport import Transport

MINUTE = 60.0
Opener = Callable[[Account, Transport, Callable[[], dt.datetime]], Awaitable[Dialect]]

# A provider is one line here, and one file that offers what its service has.
DIALECTS: dict[str, Opener] = {
    "openstack": open_cloud,
    "firstgen": open_firstgen,
    "rackspace": open_rackspace,
}


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def connect(
    account: Account,
    *,
    clock_now: Callable[[], dt.datetime] = _utc_now,
    trace: Callable[[str], None] | None = None,
    runtime: Path | None = None,
) -> Dialect:
    """Log in, find the services, settle what they speak. `trace` gets each exchange as one masked line.

    With a `runtime` folder, what may be asked of the account is shared with this user's other processes.

    An account whose entry names no region is opened in the first that its catalog lists for compute; `beside` then
    tells the others. Raises a `CloudError`.
    """
    opener = DIALECTS.get(account.settings.dialect)
    if opener is None:
        raise CloudFault(f"no dialect is named {account.settings.dialect}.", place=str(account.place))
    pace = _pace(account, runtime)
    transport = Transport(place=str(account.place), tls=account.settings.tls, trace=trace, pace=pace)
    try:
        return await opener(account, transport, clock_now)
    except BaseException:
        await transport.close()
        raise


def _pace(account: Account, runtime: Path | None) -> Pace:
    """The account's pace: as its entry wishes, until its service tells more."""
    who = (*account.entry.who, account.region or "")
    pace = Pace(budget=None if runtime is None else Budget.shared(runtime, *who))
    if account.settings.rate:
        pace.obey([Limit(max(1, round(account.settings.rate * MINUTE)), MINUTE)])
    return pace


def beside(account: Account) -> tuple[Account, ...]:
    """The further regions of a connected account whose entry names none, each an account with the same login."""
    if account.region is not None or account.entry.access is None or account.settings.dialect == "firstgen":
        return ()
    name = SERVICE if account.settings.dialect == "rackspace" else ""
    others = regions(account.entry.access.catalog, name=name)[1:]
    return tuple(map(account.at, others))
