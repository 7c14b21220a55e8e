"""What a dialect may offer: the verbs of a cloud, in the model's nouns.

A provider is one file that offers what its service has, and one line in `connect.DIALECTS`. `verbs` names what it
offers: an action that needs another one is greyed with that reason, and never sent. A dialect reads and sends,
once each: waiting, ordering again and deciding belong to the floors above.
"""

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.keypair import KeyPair
from console.model.place import Origin
from console.model.quota import Limits
from console.model.schedule import Schedule
from console.model.server import Server
from console.model.zone import Zone
from console.text import Secret

# A listing's filters under the model's names: name, status, image_id, flavor_id, server_id, changes_since ...
Filters = Mapping[str, Any]


class Accepted(msgspec.Struct, frozen=True):
    """An order that the cloud took: its request id, and the id of what it makes, where it makes something."""

    request_id: str = ""
    id: str | None = None
    admin_pass: Secret | None = None


def of_down_cell(server: Server) -> bool:
    """Whether this row is all that is known of a server whose part of the cloud (its cell) does not answer."""
    return server.word == "UNKNOWN" and server.vm_state is None and server.updated is None


class Dialect(Protocol):
    """One account of one service in one region, logged in.

    Listings give pages: a row whose record has the same bytes as at the last listing is the very same object, so
    that a comparison by identity tells what changed. Every method raises a `CloudError` and nothing else. A page may
    hold servers of a cell that is down (`of_down_cell`): where one does, a missing row proves nothing.
    """

    @property
    def origin(self) -> Origin:
        """The way, the canonical endpoint, and the account's standing there."""

    @property
    def verbs(self) -> frozenset[str]:
        """What this service offers here: "server.list", "server.reboot", "server.resize", "image.list" ..."""

    def now(self) -> dt.datetime:
        """The cloud's own time, from the Date header of its last reply; ours before there is one."""

    def servers(
        self, *, changes_since: dt.datetime | None = None, filters: Filters | None = None, all_projects: bool = False
    ) -> AsyncIterator[Sequence[Server]]:
        """Pages of servers; with `changes_since` only those changed at or after it, deleted ones included."""

    def images(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Image]]:
        """Pages of the images that this account may use."""

    def flavors(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Flavor]]:
        """Pages of flavors."""

    def keypairs(self) -> AsyncIterator[Sequence[KeyPair]]:
        """Pages of the user's key pairs."""

    async def server(self, id: str) -> Server:
        """One server, read now. Raises `NotFound`."""

    async def image(self, id: str) -> Image:
        """One image, read now. Raises `NotFound`."""

    async def flavor(self, id: str) -> Flavor:
        """One flavor, also one that lists no longer show, where the cloud still tells."""

    async def limits(self) -> Limits:
        """What the account may use and uses."""

    async def console_log(self, id: str, *, lines: int | None = None) -> str:
        """The console's text, cleaned of escape codes; the last `lines`, or all that is kept."""

    async def create_server(self, name: str, **given: Any) -> Accepted:
        """Order a server: image_id, flavor_id, networks, key_name, metadata, user_data ..."""

    async def delete_server(self, id: str) -> Accepted:
        """Order a server's end; one that is gone already is no error."""

    async def reboot(self, id: str, *, hard: bool = False) -> Accepted:
        """Restart by the guest's own shutdown, or by the power."""

    async def resize(self, id: str, flavor_id: str) -> Accepted:
        """Move to another flavor; it ends in VERIFY_RESIZE."""

    async def confirm_resize(self, id: str) -> Accepted:
        """Keep the new flavor."""

    async def revert_resize(self, id: str) -> Accepted:
        """Go back to the old flavor."""

    async def create_image(self, id: str, name: str, *, metadata: Mapping[str, str] | None = None) -> Accepted:
        """Make an image of a server's disk; `id` of the answer is the image's."""

    async def set_image(self, id: str, properties: Mapping[str, str]) -> Accepted:
        """Give an image these properties, each in the place of one that it has already."""

    async def delete_image(self, id: str) -> Accepted:
        """Order an image's end; one that is gone already is no error."""

    async def act(self, verb: str, id: str, **given: Any) -> Accepted:
        """Order one of the other verbs of a server: "server.start", "server.rebuild" with image_id ..."""

    async def update_server(self, id: str, **given: str) -> Accepted:
        """Change a server's name, description, hostname or access addresses."""

    async def set_metadata(self, id: str, metadata: Mapping[str, str], *, replace: bool = False) -> Accepted:
        """Add to a server's metadata, or make it what is given."""

    async def delete_metadata(self, id: str, key: str) -> Accepted:
        """Take one key out of a server's metadata; one that is not there is no error."""

    async def set_tags(self, id: str, tags: Sequence[str]) -> Accepted:
        """Make a server's tags what is given."""

    async def remote_console(self, id: str, kind: str = "novnc") -> str:
        """The address of a server's console for a browser; whoever has it is in."""

    async def create_keypair(self, name: str, public_key: str | None = None) -> Accepted:
        """Take in a public key, or have a pair made where the cloud still does that."""

    async def delete_keypair(self, name: str) -> Accepted:
        """Forget a key pair; one that is gone already is no error."""

    async def networks(self, *, external: bool | None = None, name: str | None = None) -> list[dict[str, Any]]:
        """The networks that the project may see, as the cloud tells them (cleaned)."""

    async def instance_actions(self, id: str) -> list[dict[str, Any]]:
        """What was asked of a server, newest first, as the cloud recorded it (cleaned)."""

    async def instance_action(self, id: str, request_id: str) -> dict[str, Any]:
        """One of a server's instance actions with its events, cleaned; some clouds tell events to nobody."""

    async def ports(self, server_id: str) -> list[dict[str, Any]]:
        """The ports of one server, cleaned."""

    async def let_in(self, groups: Sequence[str]) -> list[dict[str, Any]]:
        """The rules by which these security groups (ids) let something in, cleaned."""

    async def zones(self) -> list[Zone]:
        """The availability zones, also those that take no servers now."""

    async def quotas(self) -> Limits:
        """What else is limited here, such as ports and floating addresses; nothing where nobody tells."""

    async def server_groups(self) -> list[dict[str, Any]]:
        """The server groups of the project, cleaned."""

    def ip_groups(self) -> AsyncIterator[Sequence[IpGroup]]:
        """Pages of the groups of servers that may share addresses."""

    def schedules(self) -> AsyncIterator[Sequence[Schedule]]:
        """Pages of the schedules by which the cloud itself makes images."""

    async def schedule(self, server_id: str) -> Schedule:
        """The schedule of one server; one that has none is not enabled."""

    async def close(self, *, for_good: bool = False) -> None:
        """Give back the connections; for good, nothing can be sent any more."""
