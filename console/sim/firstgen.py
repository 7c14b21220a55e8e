"""One account's whole first-generation cloud, put together from its parts."""

from __future__ import annotations

from console.sim.clock import Clock
from console.sim.firstgen_api import FirstGen
from console.sim.firstgen_backup import Backups
from console.sim.firstgen_rest import Offers, Schedules, Sharing
from console.sim.firstgen_seed import fill
from console.sim.firstgen_servers import OldServers
from console.sim.firstgen_store import OldCloud
from console.sim.identity import Identity
from console.sim.records import Ids
from console.sim.trouble import Trouble


def firstgen_service(clock: Clock, ids: Ids, account: str, identity: Identity, trouble: Trouble) -> FirstGen:
    """A v1.0 service with all its routes and the demo's servers."""
    cloud = FirstGen(OldCloud(clock, ids, account), clock, identity, trouble)
    backups = Backups(cloud.lives)
    OldServers(cloud)
    Offers(cloud)
    Schedules(cloud, backups)
    Sharing(cloud)
    fill(cloud, backups)
    return cloud
