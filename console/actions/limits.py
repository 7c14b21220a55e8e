"""What is left of a quota, asked before an order that would need more of it.

Only what can be known is refused: a limit that the cloud does not tell, or does not count, refuses nothing. The cloud
itself has the last word.
"""

from collections.abc import Awaitable, Callable, Mapping

from console.actions.declared import Order
from console.errors import ActionRefused, CloudError, Forbidden, Unauthorized
from console.model.quota import Limit, Limits

Most = Callable[[str], int | None]
_UNITS = {
    "cores": "vcpu",
    "ram": "MB of memory",
    "instances": "servers",
    "volume_gigabytes": "GB of volumes",
    "volume_snapshots": "snapshots of volumes",
}


async def limits(order: Order) -> Mapping[str, Limit]:
    """The limits at the order's place by name; none where the cloud cannot tell them now."""
    return await _told(order.dialect.limits) if "limits" in order.dialect.verbs else {}


async def quotas(order: Order) -> Mapping[str, Limit]:
    """What the services for networks and volumes limit there, by name; none where they cannot tell it now."""
    return await _told(order.dialect.quotas) if "quota.list" in order.dialect.verbs else {}


async def _told(ask: Callable[[], Awaitable[Limits]]) -> Mapping[str, Limit]:
    try:
        return (await ask()).absolute
    except (Unauthorized, Forbidden):
        raise
    except CloudError:  # the order itself will tell what is wrong
        return {}


def most(known: Mapping[str, Limit]) -> Most:
    """How much there may be of a thing; None where that is not told."""
    return lambda name: known[name].most if name in known else None


def check(known: Mapping[str, Limit], **needed: int) -> str:
    """What the order would leave, in words; refuses one that needs more than there is left."""
    told = []
    for name, count in needed.items():
        left = known[name].left if name in known else None
        if left is None or count <= 0:
            continue
        if count > left:
            limit = known[name]
            unit = _UNITS.get(name, name)
            raise ActionRefused(
                f"It needs {count} more {unit}, and the quota leaves {max(0, left)} of {limit.most}.",
                hint="Delete something, or ask the provider for more.",
            )
        told.append(f"{left - count} {_UNITS.get(name, name)}")
    return f"the quota then leaves {', '.join(told)}" if told else ""
