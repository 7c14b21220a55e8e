"""Whether a server fits a flavor: what we know the cloud to refuse is said before it is asked. Pure."""

from collections.abc import Mapping, Sequence

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.quota import Limit
from console.model.server import Server


def held(server: Server, flavors: Sequence[Flavor]) -> Flavor | None:
    """The flavor that a server has, also one that lists no longer show; None where nobody can tell."""
    now = server.flavor
    if now is None:
        return None
    found = next((flavor for flavor in flavors if flavor.id == now.id), None)
    found = found or next((flavor for flavor in flavors if now.name is not None and flavor.name == now.name), None)
    if found is not None or (now.vcpus is None and now.ram is None):
        return found
    name = now.name or now.id or ""
    return Flavor(id=now.id or name, name=name, place=server.place, vcpus=now.vcpus, ram=now.ram, disk=now.disk)


def against(server: Server, now: Flavor | None, wanted: Flavor) -> str:
    """Why this server cannot have that flavor, or ""."""
    if wanted.disabled:
        return f"{wanted.name} is switched off by the provider"
    if now is None:
        return ""
    if same(now, wanted):
        return f"{server.name} has {wanted.name} already"
    if reason := _by_class(server, now, wanted):
        return reason
    if server.boots_from_volume or now.resizes == "any":
        return ""
    if wanted.disk == 0 and now.disk:
        return f"{wanted.name} boots from a volume, and {server.name} has a disk"
    if shrinks(server, now, wanted):
        return f"the disk would shrink from {now.disk} to {wanted.disk} GB"
    return ""


def _by_class(server: Server, now: Flavor, wanted: Flavor) -> str:
    """What the provider's own rule for a class of flavors says against it, or ""."""
    anew = "image it and build it anew, which changes its addresses"
    smaller = (wanted.ram or 0) < (now.ram or 0)
    if now.resizes == "none":
        return f"{now.name} cannot be resized: {anew}"
    if now.resizes == "up" and smaller:
        return f"{now.name} can only become larger: {anew}"
    if now.resizes and class_of(now) != class_of(wanted):
        return f"{wanted.name} is of another class: {anew}"
    if now.resizes and smaller and server.disk_config == "MANUAL":
        return f"{server.name} divides its disk by itself (MANUAL), so it cannot become smaller"
    return ""


def class_of(flavor: Flavor) -> str:
    """The class by which a provider decides what a flavor may become."""
    specs = flavor.extra_specs or {}
    return specs.get("resize_policy_class") or specs.get("policy_class") or ""


def too_small(image: Image, flavor: Flavor, volume: int | None = None) -> str:
    """Why a server of that flavor, or with a root volume of so many GB, cannot be made of the image; or ""."""
    if image.min_ram and flavor.ram is not None and image.min_ram > flavor.ram:
        return f"{image.name} wants {image.min_ram} MB of memory, and {flavor.name} has {flavor.ram}"
    disk = volume if volume is not None else flavor.disk
    if image.min_disk and disk and image.min_disk > disk:
        what = "the volume" if volume is not None else flavor.name
        return f"{image.name} wants {image.min_disk} GB of disk, and {what} has {disk}"
    return ""


def same(one: Flavor, other: Flavor) -> bool:
    """Whether both are the same: by id, or by name and figures where a server does not tell its flavor's id."""
    if one.id == other.id:
        return True
    figures = [(flavor.name, flavor.vcpus, flavor.ram, flavor.disk) for flavor in (one, other)]
    return one.id == one.name and figures[0] == figures[1]


def shrinks(server: Server, now: Flavor | None, wanted: Flavor) -> bool:
    """Whether the server's own disk would have to become smaller, which no cloud does."""
    if server.boots_from_volume or now is None or now.disk is None or not wanted.disk:
        return False
    return wanted.disk < now.disk


def priority(flavor: Flavor) -> str:
    """What its extra specs say of the processors' time, in words; "" where they say nothing of it."""
    specs = flavor.extra_specs or {}
    found = [f"class {specs['class']}"] if specs.get("class") else []
    if specs.get("hw:cpu_policy") == "dedicated":
        found.append("dedicated processors")
    elif specs.get("hw:cpu_policy") == "mixed":
        found.append("some dedicated processors")
    if shares := specs.get("quota:cpu_shares"):
        found.append(f"cpu priority {shares}")
    quota, period = specs.get("quota:cpu_quota", ""), specs.get("quota:cpu_period", "")
    if quota.isdigit() and period.isdigit() and int(period):
        found.append(f"{100 * int(quota) // int(period)}% of each processor at most")
    return ", ".join(found)


def needed(now: Flavor | None, wanted: Flavor) -> dict[str, int]:
    """How much more of each limit the new flavor takes."""
    pairs = (("cores", "vcpus"), ("ram", "ram"))
    return {limit: max(0, (getattr(wanted, field) or 0) - (getattr(now, field, None) or 0)) for limit, field in pairs}


def short(limits: Mapping[str, Limit], more: Mapping[str, int]) -> str:
    """The name of the first limit that leaves too little, or ""."""
    for name, count in more.items():
        left = limits[name].left if name in limits else None
        if left is not None and count > left:
            return name
    return ""


def changes(now: Flavor | None, wanted: Flavor) -> list[tuple[str, str, str]]:
    """What becomes of vcpu, memory and disk: (what, before, after), those that stay left out."""
    found = []
    for name, field, unit in (("vcpu", "vcpus", ""), ("memory", "ram", " MB"), ("disk", "disk", " GB")):
        before, after = getattr(now, field, None), getattr(wanted, field)
        if before != after:
            found.append((name, "?" if before is None else f"{before}{unit}", f"{after}{unit}"))
    return found
