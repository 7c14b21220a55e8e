"""The insides of first-generation servers: the same guests as everywhere, reached at the servers' own addresses.

A guest house knows only servers of today, so each old server that gets a guest has such a record as its body.  There
are no key pairs: a key comes in as the file /root/.ssh/authorized_keys.  There is no status for switched off either: a
guest that shuts down leaves its server ACTIVE.
"""

from __future__ import annotations

from console.sim.firstgen_store import OldCloud, OldServer
from console.sim.guest import GuestHouse
from console.sim.records import Flavor, Network, Port, Server
from console.sim.wanted import hostname_of

KEYS = "/root/.ssh/authorized_keys"


class OldGuests:
    """The guests of one account's servers; `images` is where a guest's image has its name."""

    def __init__(self, house: GuestHouse, store: OldCloud) -> None:
        self.house = house
        self.store = store
        self.bodies: dict[int, Server] = {}

    def create(self, server: OldServer) -> None:
        """A new disk boots for the first time, if there is room for another guest."""
        body = self.bodies.get(server.id) or self._body(server)
        body.key_data = server.files.get(KEYS, b"").decode(errors="replace").strip() or None
        body.personality = server.files
        self.house.create(body, old=True)
        guest = self.house.guests.get(body.id)
        if guest is not None:
            self.bodies[server.id] = body
            guest.image = self.store.images[server.image_id].name if server.image_id in self.store.images else "Linux"

    def off(self, server: OldServer) -> None:
        """Switched off."""
        if server.id in self.bodies:
            self.house.off(self.bodies[server.id])

    def boot(self, server: OldServer) -> None:
        """Switched on again, with the addresses that it has by now."""
        body = self.bodies.get(server.id)
        if body is not None:
            body.admin_pass, body.ports = server.admin_pass, self._ports(server)
            self.house.boot(body)

    def learn(self, server: OldServer) -> None:
        """The password is another one."""
        if server.id in self.bodies:
            self.bodies[server.id].admin_pass = server.admin_pass

    def forget(self, server: OldServer) -> None:
        """The disk is gone."""
        body = self.bodies.pop(server.id, None)
        if body is not None:
            self.house.forget(body)

    def from_inside(self, body: Server, again: bool) -> bool:
        """A guest went down or reboots by itself; False where it is none of these."""
        mine = next((self.store.servers[id] for id, one in self.bodies.items() if one is body), None)
        if mine is None:
            return False
        self.boot(mine) if again else self.off(mine)
        return True

    def _body(self, server: OldServer) -> Server:
        flavor = Flavor(str(server.flavor.id), server.flavor.name, server.flavor.ram, 1, server.flavor.disk)
        body = Server(
            f"v1-{server.id}", server.name, self.store.account, "", flavor, None, server.created, server.updated
        )
        body.hostname, body.admin_pass = hostname_of(server.name), server.admin_pass
        body.metadata, body.ports = server.metadata, self._ports(server)
        return body

    def _ports(self, server: OldServer) -> list[Port]:
        network = Network("", "public", self.store.account, server.created)
        fixed = [("", address) for address in (*server.public, *server.private)]
        return [Port("", network, self.store.account, "", server.created, server.updated, fixed)]
