"""One region of a cloud: its Nova, Glance, Neutron and Cinder records, and the guests of its servers."""

from __future__ import annotations

from collections.abc import Callable

from console.sim.cinder_store import Volumes
from console.sim.clock import Clock
from console.sim.glance_store import Images
from console.sim.guest import GuestHouse
from console.sim.identity import Identity
from console.sim.neutron_store import Networks
from console.sim.nova_store import Compute
from console.sim.records import Ids, Server

LAB_QUOTA = {
    "instances": 60000,
    "cores": 600000,
    "ram": 2_000_000_000,
    "metadata_items": 128,
    "key_pairs": 100,
    "server_groups": 50,
    "server_group_members": 10,
}


class Region:
    """The records of one region; the APIs show them, the machine changes them."""

    def __init__(self, name: str, clock: Clock, identity: Identity, guests: GuestHouse, ids: Ids) -> None:
        self.name = name
        self.clock = clock
        self.identity = identity
        self.guests = guests
        self.ids = ids
        self.nova = Compute(clock, ids, dict(LAB_QUOTA))
        self.glance = Images(clock, ids)
        self.neutron = Networks(clock, ids)
        self.cinder = Volumes(clock, ids)
        self.after_resize: Callable[[Server], None] = lambda server: None
