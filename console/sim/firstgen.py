"""One account's whole first-generation cloud, put together from its parts."""

from __future__ import annotations

from console.sim.cloud import Ground
from console.sim.firstgen_api import FirstGen
from console.sim.firstgen_backup import Backups
from console.sim.firstgen_guests import OldGuests
from console.sim.firstgen_lives import Lives
from console.sim.firstgen_rest import Offers, Schedules, Sharing
from console.sim.firstgen_seed import fill
from console.sim.firstgen_servers import OldServers
from console.sim.firstgen_store import OldCloud
from console.sim.identity import Identity
from console.sim.records import Ids


def firstgen_service(ground: Ground, ids: Ids, account: str, identity: Identity) -> FirstGen:
    """A v1.0 service with all its routes and the demo's servers."""
    store = OldCloud(ground.clock, ids, account)
    lives = Lives(store, OldGuests(ground.guests, store))
    cloud = FirstGen(lives, ground.clock, identity, ground.trouble)
    backups = Backups(cloud.lives)
    OldServers(cloud)
    Offers(cloud)
    Schedules(cloud, backups)
    Sharing(cloud)
    fill(cloud, backups)
    return cloud
