"""What the first-generation demo account finds: the flavors and images of its day, and servers that have aged."""

from __future__ import annotations

from console.sim.firstgen_api import FirstGen
from console.sim.firstgen_backup import Backups
from console.sim.firstgen_lives import DAY
from console.sim.firstgen_store import OldFlavor, OldServer, Schedule

HOUR = 3600.0
# RAM in MB, disk in GB
FLAVORS = ((256, 10), (512, 20), (1024, 40), (2048, 80), (4096, 160), (8192, 320), (15_872, 620))
IMAGES = (
    "CentOS 5.5", "Ubuntu 8.04 LTS (hardy)", "Ubuntu 10.04 LTS (lucid)", "Debian 5.0 (lenny)", "Debian 6 (Squeeze)",
    "Fedora 14", "Gentoo 10.1", "Arch 2010.05", "Red Hat Enterprise Linux 5.5",
)  # fmt: skip
# name, flavor, image, status, days of age
FLEET = (
    ("web-a", 2, 5, "ACTIVE", 3100),
    ("web-b", 2, 5, "ACTIVE", 3100),
    ("mysql-old", 4, 1, "ACTIVE", 3650),
    ("ftp", 1, 4, "ACTIVE", 4000),
    ("cms", 3, 3, "VERIFY_RESIZE", 2500),
    ("forum", 2, 2, "SUSPENDED", 3900),
    ("intranet", 1, 6, "ACTIVE", 2800),
    ("svn", 2, 8, "RESCUE", 3300),
)
RESIZED_AGO = 20 * HOUR
FIRST_GUEST = "ftp"


def name_of(ram: int) -> str:
    """A flavor's name: sizes from 1 GB on are told in GB."""
    return f"{ram} MB Server" if ram < 1024 else f"{ram / 1024:g} GB Server"


def fill(cloud: FirstGen, backups: Backups) -> None:
    """Make it all."""
    store, now = cloud.store, cloud.clock.time()
    for id, (ram, disk) in enumerate(FLAVORS, 1):
        store.flavors[id] = OldFlavor(id, name_of(ram), ram, disk)
    for name in IMAGES:
        image = store.add_image(name)
        image.created = image.updated = now - (4000 - 90 * image.id) * DAY
    servers = [_server(cloud, *row) for row in FLEET]
    group = store.add_group("web pair")
    for server in servers[:2]:
        server.group_id = group.id
    servers[1].public.append(servers[0].public[0])
    backups.change(servers[2], Schedule(True, "SUNDAY", "H_0200_0400"))
    kept = store.add_image("mysql-before-upgrade", servers[2])
    kept.status, kept.created, kept.updated = "ACTIVE", now - 40 * DAY, now - 40 * DAY + 900


def _server(cloud: FirstGen, name: str, flavor: int, image: int, status: str, days: float) -> OldServer:
    store, now = cloud.store, cloud.clock.time()
    server = store.add_server(name, image, store.flavors[flavor])
    server.status, server.created, server.updated = status, now - days * DAY, now - days * DAY + 300
    if status == "VERIFY_RESIZE":
        server.old_flavor, server.flavor = server.flavor, store.flavors[flavor + 1]
        server.updated = now - RESIZED_AGO
        cloud.lives.await_answer(server, DAY - RESIZED_AGO)
    return server
