"""What Rackspace's next-generation demo offers and what runs there.

Only data: `rackspace_region` makes records of it.
"""

from __future__ import annotations

from enum import Enum


class Resizes(Enum):
    """Which resizes a class of flavors allows."""

    ANY = "any"
    UP = "up"
    NONE = "none"


# By resize_policy_class.  What Rackspace allowed changed over the years: clients read the class and believe the answer.
RESIZES = {
    "standard_flavor": Resizes.ANY,
    "general_flavor": Resizes.UP,
    "memory_flavor": Resizes.UP,
    "performance_flavor": Resizes.NONE,
    "io_flavor": Resizes.NONE,
    "onmetal_flavor": Resizes.NONE,
}
# id, name, RAM MB, vcpus, system disk GB, data disks GB, how many of them, class, resize policy class
FLAVORS = (
    ("2", "512 MB Standard Instance", 512, 1, 20, 0, 0, "standard1", "standard_flavor"),
    ("3", "1 GB Standard Instance", 1024, 1, 40, 0, 0, "standard1", "standard_flavor"),
    ("4", "2 GB Standard Instance", 2048, 2, 80, 0, 0, "standard1", "standard_flavor"),
    ("5", "4 GB Standard Instance", 4096, 2, 160, 0, 0, "standard1", "standard_flavor"),
    ("general1-1", "1 GB General Purpose v1", 1024, 1, 20, 0, 0, "general1", "general_flavor"),
    ("general1-2", "2 GB General Purpose v1", 2048, 2, 40, 0, 0, "general1", "general_flavor"),
    ("general1-4", "4 GB General Purpose v1", 4096, 4, 80, 0, 0, "general1", "general_flavor"),
    ("performance1-1", "1 GB Performance", 1024, 1, 20, 0, 0, "performance1", "performance_flavor"),
    ("performance2-15", "15 GB Performance", 15_360, 4, 40, 150, 1, "performance2", "performance_flavor"),
    ("memory1-15", "15 GB Memory v1", 15_360, 2, 0, 0, 0, "memory1", "memory_flavor"),
    ("io1-15", "15 GB I/O v1", 15_360, 4, 40, 150, 1, "io1", "io_flavor"),
    ("onmetal-compute1", "OnMetal Compute v1", 32_768, 20, 32, 0, 0, "onmetal", "onmetal_flavor"),
)
# name, size in MB, min_disk GB, min_ram MB
IMAGES = (
    ("Debian 7 (Wheezy) (PVHVM)", 455, 20, 512),
    ("Debian 12 (Bookworm) (Cloud)", 512, 20, 512),
    ("CentOS 6 (PVHVM)", 688, 20, 512),
    ("CentOS 7 (PVHVM)", 733, 20, 512),
    ("Ubuntu 14.04 LTS (Trusty Tahr) (PVHVM)", 566, 20, 512),
    ("Ubuntu 22.04 LTS (Jammy Jellyfish) (Cloud)", 645, 20, 512),
)
# name, state, age in hours, flavor, image's place in the list
FLEET = (
    ("shop-web-1", "active", 61_000, "general1-2", 4),
    ("shop-db", "active", 60_500, "performance2-15", 2),
    ("shop-web-2", "verify", 52_000, "general1-1", 4),
    ("report", "active", 70_000, "4", 0),
    ("blog", "stopped", 33_000, "general1-1", 5),
    ("cache-bare", "active", 41_000, "onmetal-compute1", 3),
    ("mail-out", "rescued", 45_000, "3", 0),
    ("build-box", "building", 0, "performance1-1", 5),
)
