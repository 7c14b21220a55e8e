"""One region's whole Nova, put together from its parts."""

from __future__ import annotations

from console.sim.clock import Clock
from console.sim.machine import Machine
from console.sim.nova_actions import Actions
from console.sim.nova_admin import Administration
from console.sim.nova_api import Nova
from console.sim.nova_extras import Extras
from console.sim.nova_groups import ServerGroups
from console.sim.nova_images import OldImages
from console.sim.nova_resources import Resources
from console.sim.nova_servers import Servers
from console.sim.nova_volumes import Plugs
from console.sim.region import Region
from console.sim.trouble import Trouble


def nova_service(region: Region, machine: Machine, clock: Clock, trouble: Trouble) -> Nova:
    """A Nova with all its routes."""
    nova = Nova(region, machine, clock, trouble)
    for part in (Servers, Actions, Resources, Extras, Plugs, OldImages, ServerGroups, Administration):
        part(nova)
    return nova
