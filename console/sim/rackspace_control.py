"""An operator's powers over the Rackspace-like account: rate limits, caches, and what only support could do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from console.sim.cloud import Cloud
from console.sim.firstgen_api import FirstGen
from console.sim.firstgen_lives import LIVES
from console.sim.firstgen_store import OldServer
from console.sim.rackspace import RackspaceCloud
from console.sim.rackspace_api import RackspaceNova
from console.sim.records import Server

Act = Callable[[list[str], dict[str, Any]], Awaitable[Any]]


class AccountControl:
    """The part of an estate's controls that is about its Rackspace-like cloud, where it has one."""

    def __init__(self, clouds: Mapping[str, Cloud]) -> None:
        self.clouds = clouds

    @property
    def cloud(self) -> RackspaceCloud:
        """The account's cloud; KeyError where the estate has none."""
        found = self.clouds[RackspaceCloud.called]
        assert isinstance(found, RackspaceCloud)
        return found

    @property
    def first(self) -> FirstGen:
        """Its first generation; KeyError where there is none."""
        if self.cloud.first is None:
            raise KeyError("firstgen")
        return self.cloud.first

    def rate(self, verb: str, uri: str, value: int, region: str = "") -> None:
        """Another rate limit: of a region of the next generation, or of the first generation."""
        compute = self.cloud.regions[region].compute if region else self.first
        assert isinstance(compute, FirstGen | RackspaceNova)
        compute.rates.allow(verb, uri, value)

    def cached(self, seconds: float) -> None:
        """The first generation answers the same GET with 203 and the old body for so long."""
        self.first.cache_seconds = seconds

    def only_openstack(self, truth: bool = True) -> None:
        """The first generation has neither backup schedules nor shared IP groups (501), as OpenStack's own had not."""
        self.first.only_openstack = truth

    def put(self, server_id: int, status: str = "", life: str = "") -> OldServer:
        """Put a first-generation server into any status, or begin a life that nobody can ask for, such as move."""
        server = self.first.store.servers[server_id]
        if life and LIVES[life].then:
            raise ValueError(f"{life} is for those who ask the cloud itself")
        if life:
            self.first.lives.run(server, life)
        if status:
            server.motion += 1
            self.first.lives.become(server, status)
        return server

    def from_inside(self, body: Server, again: bool) -> bool:
        """A guest of the first generation went down or reboots by itself; False where it is none of these."""
        account = self.clouds.get(RackspaceCloud.called)
        first = account.first if isinstance(account, RackspaceCloud) else None
        return first is not None and first.lives.guests.from_inside(body, again)

    # Over HTTP

    def acts(self) -> dict[tuple[str, str, int], Act]:
        """What the control port does for this part."""
        return {
            ("POST", "rates", 1): self._rate,
            ("POST", "caches", 1): self._cached,
            ("POST", "firstgen", 1): self._only_openstack,
            ("POST", "firstgen", 2): self._put,
        }

    async def _rate(self, names: list[str], given: dict[str, Any]) -> Any:
        self.rate(given["verb"], given["uri"], int(given["value"]), str(given.get("region", "")))
        return {}

    async def _cached(self, names: list[str], given: dict[str, Any]) -> Any:
        self.cached(float(given["seconds"]))
        return {}

    async def _only_openstack(self, names: list[str], given: dict[str, Any]) -> Any:
        self.only_openstack(bool(given["only_openstack"]))
        return {}

    async def _put(self, names: list[str], given: dict[str, Any]) -> Any:
        return {"status": self.put(int(names[0]), **given).status}
