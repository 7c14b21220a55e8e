"""The words by which the real ssh goes the very way that a check went, so that nothing has to be found out again.

Whatever the user's ssh_config says under a name is left to ssh itself, which reads it there: hosts are handed over by
the names that the check read it under, and only what ssh cannot know is said on top. The host key that was judged is
trusted, and no other.
"""

import re
import shlex
from collections.abc import Sequence

from console.guests.hostkeys import KnownHosts
from console.guests.report import Report
from console.guests.route import Hop, Identity, Route

_LABEL = re.compile(r"[A-Za-z0-9:][A-Za-z0-9:._-]*")  # no user@host, and no address of another kind


def ssh_words(route: Route, report: Report, own: KnownHosts, name: str) -> list[str]:
    """The real ssh's command line for exactly this route; `name` is what our own file calls the guest."""
    address = report.address or (route.addresses[0] if route.addresses else "")
    words = ["ssh", "-p", str(report.port)]
    user = report.user or (route.users[0] if route.users else "")
    words += ["-l", user] if user else []
    words += [*_keys(route.identities), *(["-o", "IdentitiesOnly=yes"] if route.identities and not route.agent else [])]
    if own.find(name):
        words += ["-o", f"HostKeyAlias={name}", "-o", f'UserKnownHostsFile="{own.path}"']
        words += ["-o", "StrictHostKeyChecking=yes"]
    else:
        words += ["-o", f"HostKeyAlias={route.alias}"] if route.alias else []
        files = " ".join(f'"{path}"' for path in route.known_hosts[:-1])
        words += ["-o", f"UserKnownHostsFile={files}"] if files else []
    label = route.host if _LABEL.fullmatch(route.host) else address
    words += ["-o", f"HostName={_literal(address)}"] if label != address else []
    return [*words, *_through(route), "--", label]


def _keys(identities: Sequence[Identity]) -> list[str]:
    return [word for identity in identities for word in ("-i", str(identity.path))]


def _through(route: Route) -> list[str]:
    """The way by jump hosts or a proxy command."""
    if not route.jumps:
        return ["-o", f"ProxyCommand={_literal(route.proxy)}" if route.proxy else "ProxyJump=none"]
    if any(hop.key for hop in route.jumps):
        return ["-o", f"ProxyCommand={_relay(route.jumps)}"]
    return ["-J", ",".join(f"{hop.user}@{_bracketed(hop.name)}:{hop.port}" for hop in route.jumps)]


def _relay(hops: Sequence[Hop]) -> str:
    """What ssh does by itself for jump hosts, with keys that none of its files names."""
    *before, last = hops
    words = ["ssh", "-p", str(last.port), "-l", last.user, *(_keys(last.identities) if last.key else [])]
    if before:
        words += ["-o", f"ProxyCommand={_relay(before)}"]
    return f"{_literal(shlex.join(words))} -W '[%h]:%p' -- {_literal(shlex.quote(last.name))}"


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _literal(text: str) -> str:
    """Text in which ssh finds nothing to put in."""
    return text.replace("%", "%%")
