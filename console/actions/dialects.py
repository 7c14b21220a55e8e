"""What the dialects cannot do and why, and how their guards differ from Nova's.

The reasons are told wherever a verb is greyed: in menus, help, the palette and refusals. A verb without a reason here
is one that this place just does not offer.
"""

from collections.abc import Mapping, Sequence

from console.model.server import Server

_FIRST = "The first generation"
_NEXT = "Rackspace's next generation"
_NO_STATE = "has no such state"
_SHARED = "shares addresses through its networks service, between servers of one zone"
_VIP = "Here an address is shared by a port of its own (server vip add), or moves as a floating IP"
_RUNS = "Nova keeps no schedules: one runs only while a program of ours does"
_GONE = "Today's OpenStack has no shared IP groups"


def _all(verbs: str, reason: str) -> dict[str, str]:
    return {verb if "." in verb else f"server.{verb}": f"{reason}." for verb in verbs.split()}


# What is missing, by dialect and the verb that an action needs.
LACKING: Mapping[str, Mapping[str, str]] = {
    "firstgen": {
        **_all("start stop", f"{_FIRST} has no power switch: a server runs, or is rebooted"),
        **_all("pause unpause suspend resume shelve shelve_offload unshelve restore", f"{_FIRST} {_NO_STATE}"),
        **_all("lock unlock", f"{_FIRST} cannot lock a server"),
        **_all("rescue unrescue", f"{_FIRST} leaves rescue to the provider"),
        **_all("migrate live_migrate evacuate reset_state force_delete", f"{_FIRST} leaves that to the provider"),
        **_all("metadata", f"{_FIRST} takes metadata at a server's creation only"),
        **_all("tags", f"{_FIRST} has no tags"),
        **_all("backup image_schedule", f"{_FIRST} has a backup schedule instead"),
        **_all("console_log remote_console", f"{_FIRST} shows no console"),
        **_all("history", f"{_FIRST} keeps no record of what was asked"),
        **_all("attach_volume detach_volume", f"{_FIRST} has no volumes"),
        **_all("add_security_group remove_security_group", f"{_FIRST} has no security groups"),
        **_all("keypair.create keypair.delete", f"{_FIRST} has no key pairs: a new server's password is told once"),
        **_all("vip move_ip", f"{_FIRST} shares addresses within a group instead"),
        **_all("image.keep", f"{_FIRST} takes no image away but with its server"),
    },
    "rackspace": {
        **_all("pause unpause suspend resume shelve shelve_offload unshelve restore", f"{_NEXT} {_NO_STATE}"),
        **_all("lock unlock", f"{_NEXT} cannot lock a server"),
        **_all("migrate live_migrate evacuate reset_state force_delete", f"{_NEXT} leaves that to the provider"),
        **_all("tags", f"{_NEXT} has no tags"),
        **_all("backup backup_schedule", f"{_NEXT} has scheduled images instead"),
        **_all("share_ip unshare_ip", f"{_NEXT} {_SHARED}"),
        **_all("create_in_group ipgroup.create ipgroup.delete", f"{_NEXT} has no shared IP groups: it {_SHARED}"),
        **_all("vip move_ip", f"{_NEXT} has no floating IPs, and {_SHARED}"),
        **_all("update_password", f"{_NEXT} takes a name and a password one by one"),
    },
    "openstack": {
        **_all("backup_schedule image_schedule", _RUNS),
        **_all("share_ip unshare_ip", _VIP),
        **_all("create_in_group ipgroup.create ipgroup.delete", f"{_GONE}. {_VIP}"),
        **_all("update_password", "Nova takes a name and a password one by one"),
        **_all("image.keep", "Nova takes no image away by itself"),
    },
}

# The states in which the first generation takes an order, where Nova takes it in others too.
FIRSTGEN_STATES: Mapping[str, str] = {
    "server.hard_reboot": "active",
    "server.rebuild": "active error",
    "server.resize": "active",
    "server.snapshot": "active",
    "server.password": "active",
    "server.set": "active",
}

# What Rackspace's bare metal is never ordered to do.
NOT_ON_METAL = frozenset(f"server.{verb}" for verb in "resize confirm revert rebuild snapshot password".split())
METAL = "onmetal-"  # how the ids of its flavors begin


def deletion_warns(servers: Sequence[Server]) -> list[str]:
    """What goes with servers that are deleted."""
    old = [server.name or server.id for server in servers if server.dialect == "firstgen"]
    if not old:
        return []
    whose = f"of {old[0]}" if len(old) == 1 else f"of {len(old)} of them (first generation)"
    return [f"All images {whose} are deleted too: the first generation keeps none without its server."]


def lacking(dialect: str, needs: str) -> str:
    """Why a dialect has no such verb, or ""."""
    return LACKING.get(dialect, {}).get(needs, "")
