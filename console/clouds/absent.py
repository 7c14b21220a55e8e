"""What a service may lack: each verb as the error that says so.

A dialect that has one overrides it. `verbs` tells the same beforehand, so that these are met only by whoever did not
look.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NoReturn

from console.clouds.dialect import Accepted
from console.errors import NotFound
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.model.place import Origin
from console.model.quota import Limits
from console.model.schedule import Schedule
from console.model.zone import Zone


class Absent:
    """A dialect without these verbs."""

    origin: Origin

    def _none(self, what: str) -> NoReturn:
        raise NotFound(f"this cloud offers no {what} here.", place=str(self.origin.place))

    def keypairs(self) -> AsyncIterator[Sequence[KeyPair]]:
        """There are none."""
        self._none("key pairs")

    def ip_groups(self) -> AsyncIterator[Sequence[IpGroup]]:
        """There are none."""
        self._none("shared IP groups")

    def schedules(self) -> AsyncIterator[Sequence[Schedule]]:
        """There are none."""
        self._none("schedules")

    async def schedule(self, server_id: str) -> Schedule:
        """There is none."""
        self._none("schedules")

    async def console_log(self, id: str, *, lines: int | None = None) -> str:
        """There is none."""
        self._none("console log")

    async def set_image(self, id: str, properties: Mapping[str, str]) -> Accepted:
        """There are none."""
        self._none("properties of images")

    async def set_metadata(self, id: str, metadata: Mapping[str, str], *, replace: bool = False) -> Accepted:
        """Only a new server is given any."""
        self._none("metadata after a server's creation")

    async def delete_metadata(self, id: str, key: str) -> Accepted:
        """Only a new server is given any."""
        self._none("metadata after a server's creation")

    async def set_tags(self, id: str, tags: Sequence[str]) -> Accepted:
        """There are none."""
        self._none("tags")

    async def remote_console(self, id: str, kind: str = "novnc") -> str:
        """There is none."""
        self._none("remote console")

    async def create_keypair(self, name: str, public_key: str | None = None) -> Accepted:
        """There are none."""
        self._none("key pairs")

    async def delete_keypair(self, name: str) -> Accepted:
        """There are none."""
        self._none("key pairs")

    async def networks(self, *, external: bool | None = None, name: str | None = None) -> list[dict[str, Any]]:
        """There are none."""
        self._none("networks")

    async def instance_actions(self, id: str) -> list[dict[str, Any]]:
        """It keeps no record."""
        self._none("record of what was asked")

    async def instance_action(self, id: str, request_id: str) -> dict[str, Any]:
        """It keeps no record."""
        self._none("record of what was asked")

    async def ports(self, server_id: str) -> list[dict[str, Any]]:
        """There are none."""
        self._none("ports")

    async def let_in(self, groups: Sequence[str]) -> list[dict[str, Any]]:
        """There are none."""
        self._none("security groups")

    async def zones(self) -> list[Zone]:
        """There are none."""
        self._none("zones")

    async def quotas(self) -> Limits:
        """Nothing else is limited."""
        return Limits(self.origin.place, {})

    async def server_groups(self) -> list[dict[str, Any]]:
        """There are none."""
        self._none("server groups")
