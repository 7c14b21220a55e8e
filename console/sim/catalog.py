"""What the demo clouds offer and what runs there: names, flavors, images and a plausible fleet.

The old names are those of the guide that taught a generation to use cloud servers; the new ones are today's.
Only data: `seed` makes records of it.
"""

from __future__ import annotations

CLOUDS = ("nimbus", "lab", "cirrus", "stratus", "alto", "cumulus", "nacre", "virga", "arcus", "mammatus")
REGIONS = ("dfw", "ord", "ber", "lon", "syd", "iad", "hkg", "fra", "sin", "ams", "cph", "waw", "yul", "gru", "nrt")

# id, name, RAM MB, vcpus, disk GB
CLASSIC_FLAVORS = (
    ("2", "512 MB Standard Instance", 512, 1, 20),
    ("3", "1 GB Standard Instance", 1024, 1, 40),
    ("4", "2 GB Standard Instance", 2048, 2, 80),
    ("5", "4 GB Standard Instance", 4096, 2, 160),
    ("6", "8 GB Standard Instance", 8192, 4, 320),
    ("7", "15 GB Standard Instance", 15360, 6, 620),
    ("8", "30 GB Standard Instance", 30720, 8, 1200),
    ("m1.tiny", "m1.tiny", 512, 1, 1),
    ("m1.small", "m1.small", 2048, 1, 20),
    ("m1.medium", "m1.medium", 4096, 2, 40),
    ("m1.impossible", "m1.impossible", 65_536, 64, 1),
)
LAB_FLAVORS = (
    ("1", "m1.tiny", 512, 1, 1),
    ("2", "m1.small", 2048, 1, 20),
    ("3", "m1.medium", 4096, 2, 40),
    ("4", "m1.large", 8192, 4, 80),
    ("5", "m1.xlarge", 16384, 8, 160),
    ("9", "m1.impossible", 65_536, 64, 1),
)
# name, size in MB, min_disk GB, min_ram MB
CLASSIC_IMAGES = (
    ("CentOS 5.6", 612, 10, 256),
    ("CentOS 5.8", 640, 10, 256),
    ("CentOS 6.3", 688, 10, 256),
    ("Debian 6 (Squeeze)", 455, 10, 256),
    ("Fedora 16 (Verne)", 702, 10, 256),
    ("Gentoo 12.3", 911, 10, 256),
    ("Red Hat Enterprise Linux 6.1", 733, 10, 256),
    ("Ubuntu 10.04 LTS (Lucid Lynx)", 512, 10, 256),
    ("Ubuntu 11.10 (Oneiric Ocelot)", 540, 10, 256),
    ("Ubuntu 12.04 LTS (Precise Pangolin)", 566, 10, 256),
)
TODAY_IMAGES = (
    ("debian-12", 348, 1, 0),
    ("debian-13", 371, 1, 0),
    ("ubuntu-22.04", 645, 1, 0),
    ("ubuntu-24.04", 588, 1, 0),
    ("rocky-9", 1021, 1, 0),
    ("alpine-3.22", 61, 1, 0),
    ("rescue", 24, 1, 0),
)
DISTROS = {
    "debian": "debian", "ubuntu": "ubuntu", "rocky": "rocky", "alpine": "alpine", "centos": "centos",
    "fedora": "fedora", "gentoo": "gentoo", "red": "rhel",
}  # fmt: skip

# name, state, age in hours, flavor's place in the list, image
FLEET = (
    ("web-1", "active", 2160, 1, "debian-12"),
    ("web-2", "active", 2159, 1, "debian-12"),
    ("db-primary", "active", 4380, 3, "ubuntu-24.04"),
    ("web-3", "imaging", 1900, 1, "debian-12"),
    ("db-replica", "active", 4377, 3, "ubuntu-24.04"),
    ("ci-runner-07", "building", 0, 1, "ubuntu-24.04"),
    ("cache-a", "verify", 700, 1, "debian-12"),
    ("mail", "active", 9125, 1, "Debian 6 (Squeeze)"),
    ("bastion", "locked", 6200, 0, "debian-12"),
    ("worker-04", "error", 30, 2, "rocky-9"),
    ("legacy-php", "active", 26280, 1, "CentOS 5.6"),
    ("staging-api", "stopped", 500, 1, "ubuntu-22.04"),
    ("metrics", "active", 3100, 2, "debian-13"),
    ("queue-1", "active", 1250, 1, "debian-12"),
    ("batch-nightly", "suspended", 800, 2, "ubuntu-24.04"),
    ("git", "volume", 5000, 1, "debian-12"),
    ("wiki", "active", 15000, 0, "Ubuntu 12.04 LTS (Precise Pangolin)"),
    ("build-arm", "paused", 90, 2, "debian-13"),
    ("vpn", "active", 2600, 0, "alpine-3.22"),
    ("old-shop", "shelved", 12000, 1, "CentOS 6.3"),
    ("search-1", "active", 640, 3, "ubuntu-24.04"),
    ("search-2", "verify", 639, 1, "ubuntu-24.04"),
    ("dns-1", "active", 7300, 0, "debian-12"),
    ("broken-fs", "rescued", 1400, 1, "debian-12"),
    ("preview-pr-318", "failed", 5, 1, "ubuntu-24.04"),
    ("log-sink", "active", 2222, 2, "debian-12"),
    ("dns-2", "active", 7290, 0, "debian-12"),
    ("sandbox-mira", "stopped", 220, 1, "rocky-9"),
)
ROLES = ("web", "api", "db", "cache", "worker", "queue", "proxy", "batch", "search", "edge", "auth", "log")
TEAMS = ("shop", "media", "core", "data", "ops", "mobile")
BUILD_FAULT = "Build of instance {id} aborted: Failed to allocate the network(s), not rescheduling."
