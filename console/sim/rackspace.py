"""A cloud like Rackspace's: one account, whose first generation (v1.0) and next generation have logins in common.

Either half can be had alone; what its regions are made of is in `rackspace_region`.
"""

from __future__ import annotations

from typing import Any

from console.sim.cloud import Cloud, Ground, Place
from console.sim.firstgen import firstgen_service
from console.sim.firstgen_api import FirstGen
from console.sim.firstgen_guests import KEYS
from console.sim.firstgen_seed import FIRST_GUEST
from console.sim.identity import Project, User
from console.sim.rackspace_identity import RackspaceIdentity
from console.sim.rackspace_region import RackspacePlace, RackspaceSeed
from console.sim.records import Ids
from console.sim.seed import Seed
from console.sim.service import Service

REGIONS = ("DFW", "ORD")
ACCOUNT = "820712"
# name and type in the catalog, which service, and where below its base
SERVICES = (
    ("cloudServersOpenStack", "compute", "compute", "/v2/{account}"),
    ("cloudImages", "image", "image", "/v2"),
    ("cloudNetworks", "network", "network", "/v2.0"),
)


class RackspaceCloud(Cloud):
    """The account and its clouds; `first` is the first generation, where there is one."""

    called = "rackspace"
    has_own_fleet = True

    def __init__(self, ground: Ground, *, firstgen: bool, next_one: bool) -> None:
        super().__init__(ground, self.called, list(REGIONS) if next_one else [], by_port=True)
        self.first: FirstGen | None = None
        if firstgen:
            self.first = firstgen_service(ground, self.ids, ACCOUNT, self.identity)
            self.first.cloud = self.name

    def _identity_service(self, ground: Ground) -> Service:
        return RackspaceIdentity(ground.clock, self.identity, ground.trouble)

    def _region(self, region: str, ground: Ground) -> Place:
        ids = Ids(f"{ground.seed}/{self.name}/{region}")
        return RackspacePlace(region, ground, self.identity, self.name, ids, ACCOUNT)

    def seed(self, place: Place, number: int) -> Seed:
        """What fills a region of the next generation."""
        return RackspaceSeed(place, place.machine, number, self.admin_project, self.user, self.project)

    def first_guests(self, public_key: str) -> None:
        """Every old server knows the key; one of them has a guest."""
        if self.first is None:
            return
        for server in self.first.store.alive():
            server.files[KEYS] = public_key.encode()
        self.first.lives.guests.create(next(s for s in self.first.store.alive() if s.name == FIRST_GUEST))

    def _projects(self) -> tuple[Project, Project]:
        project = Project(ACCOUNT, ACCOUNT)
        self.identity.projects[ACCOUNT] = project
        return self.identity.add_project("provider"), project

    def _people(self) -> tuple[User, User]:
        provider = self.identity.add_user("provider", "")
        user = self.identity.add_user("demo", f"{self.name}-secret")
        user.api_key = self.ids.hex()
        self.identity.grant(user, self.project, "identity:user-admin", "compute:default")
        return provider, user

    def _layout(self) -> list[dict[str, Service]]:
        return super()._layout() + ([{"": self.first}] if self.first is not None else [])

    def _tell_places(self) -> None:
        super()._tell_places()
        if self.first is not None and isinstance(self.keystone, RackspaceIdentity):
            self.keystone.first_url = self.first.url

    def catalog(self, project_id: str) -> list[dict[str, Any]]:
        """The services and where they are, as Identity v2.0 tells."""
        rows: list[dict[str, Any]] = []
        if self.first is not None:
            old = {"publicURL": self.first.url, "tenantId": ACCOUNT, "versionId": "1.0",
                   "versionInfo": f"{self.first.base}/v1.0", "versionList": f"{self.first.base}/"}  # fmt: skip
            rows.append({"name": "cloudServers", "type": "compute", "endpoints": [old]})
        for name, kind, service, path in SERVICES if self.regions else ():
            found = [
                self._endpoint(region, place.services[service].base, path) for region, place in self.regions.items()
            ]
            rows.append({"name": name, "type": kind, "endpoints": found})
        return rows

    def _endpoint(self, region: str, base: str, path: str) -> dict[str, Any]:
        url = base + path.format(account=ACCOUNT)
        found = {"region": region, "tenantId": ACCOUNT, "publicURL": url}
        if path.startswith("/v2/{"):
            found |= {"versionId": "2", "versionInfo": f"{base}/v2", "versionList": f"{base}/"}
        return found

    @property
    def further(self) -> dict[str, str]:
        """The first generation, where there is one."""
        return {"firstgen": self.first.base} if self.first is not None else {}

    def entries(self) -> dict[str, dict[str, Any]]:
        """Its entries of a clouds.yaml: the first generation by the old login, the next one by Identity v2.0."""
        login = {"username": self.user.name, "api_key": self.user.api_key}
        found: dict[str, dict[str, Any]] = {}
        if self.first is not None:
            found["legacy"] = {
                "auth_type": "firstgen_apikey",
                "auth": login | {"auth_url": f"{self.keystone.base}/v1.0"},
            }
        if self.regions:
            auth = login | {"auth_url": f"{self.keystone.base}/v2.0"}
            found[self.name] = {"auth_type": "rackspace_apikey", "auth": auth, "regions": list(self.regions)}
        return found
