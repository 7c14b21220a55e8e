"""The first generation of cloud servers: v1.0, as its guide tells it and as its servers did it.

A login gives one address with the account in it, and there are no regions, networks, key pairs or power switches. What
is asked is asked whole: changes are rationed to three questions a minute, plain lists are not. Its caches are stale at
times, so that every question carries a word of its own, and an answer from a cache counts as one.
"""

import datetime as dt
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from console.clouds.absent import Absent
from console.clouds.accounts import Account, log_in
from console.clouds.dialect import Filters
from console.clouds.fields import inner, reader
from console.clouds.firstgen import records
from console.clouds.firstgen.orders import VERBS, Orders
from console.clouds.openstack.catalog import FIRST_GENERATION, canonical, find_endpoint
from console.clouds.openstack.cloud import privilege
from console.clouds.openstack.records import Memo
from console.clouds.openstack.service import not_offered
from console.clouds.rates import obey
from console.errors import BadReply, CloudError, CloudFault, NotFound
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.ipgroup import IpGroup
from console.model.place import Origin, Row
from console.model.quota import Limits
from console.model.schedule import Schedule
from console.model.server import Server
from console.text import clean, clean_tree
from console.wire.message import read_json, refuse_body
from console.wire.session import DEADLINE, Params, Session
from console.wire.transport import Transport

R = TypeVar("R", bound=Row)

PAGE = 1000  # rows; more are never given at once


class Questions(Session):
    """A session in which no two questions are the same, since what a cache once gave is given for long."""

    def url(self, path: str, params: Params = ()) -> str:
        """As `Session.url`."""
        address = super().url(path, params)
        return f"{address}{'&' if '?' in address else '?'}fresh={time.time_ns():x}"


class Firstgen(Orders, Absent):
    """The verbs of one account of the first generation."""

    verbs = VERBS

    def __init__(
        self,
        origin: Origin,
        session: Session,
        *,
        clock_now: Callable[[], dt.datetime],
        close: Callable[..., Any],
    ) -> None:
        super().__init__(session)
        self.origin = origin
        self.pace = session.pace
        self._clock_now, self._close = clock_now, close
        place = str(origin.place)
        server = partial(records.server, project_id=origin.project_id)
        self._servers = Memo("servers", reader("server", server, origin), place)
        self._images = Memo("images", reader("image", records.image, origin), place)
        self._flavors = Memo("flavors", reader("flavor", records.flavor, origin), place)
        self._groups = Memo("sharedIpGroups", reader("ipgroup", records.ip_group, origin), place)

    def now(self) -> dt.datetime:
        """The cloud's own time."""
        return self.session.now(self._clock_now())

    def servers(
        self, *, changes_since: dt.datetime | None = None, filters: Filters | None = None, all_projects: bool = False
    ) -> AsyncIterator[Sequence[Server]]:
        """Pages of servers; deleted ones only among changes."""
        since = [] if changes_since is None else [("changes-since", int(changes_since.timestamp()))]
        return self._pages("servers/detail", self._servers, since, filters)

    def images(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Image]]:
        """Pages of images: the provider's, and those of the account's own servers."""
        return self._pages("images/detail", self._images, [], filters)

    def flavors(self, *, filters: Filters | None = None) -> AsyncIterator[Sequence[Flavor]]:
        """Pages of flavors."""
        return self._pages("flavors/detail", self._flavors, [], filters)

    def ip_groups(self) -> AsyncIterator[Sequence[IpGroup]]:
        """Pages of shared IP groups with their servers."""
        return self._pages("shared_ip_groups/detail", self._groups, [], None)

    async def schedules(self) -> AsyncIterator[Sequence[Schedule]]:
        """The backup schedules that were ever set: one question for each server, since no list tells them."""
        async for page in self.servers():
            for server in page:
                try:
                    found = await self._schedule(server)
                except NotFound:  # it was deleted while the others were asked about
                    continue
                yield [found] if found.enabled or found.daily or found.weekly else []

    async def schedule(self, server_id: str) -> Schedule:
        """One server's backup schedule."""
        return await self._schedule(await self.server(server_id))

    async def _schedule(self, server: Server) -> Schedule:
        tree = await self._one(f"servers/{_number(server.id, 'server')}/backup_schedule", "backupSchedule")
        return records.schedule(tree, server)

    async def _pages(
        self, path: str, memo: Memo[R], params: list[tuple[str, Any]], filters: Filters | None
    ) -> AsyncIterator[Sequence[R]]:
        turn = memo.turn("part" if params else "")
        for offset in range(0, 1_000_000, PAGE):
            reply = await self.session.get(path, [*params, ("limit", PAGE), ("offset", offset)])
            if reply.status == 304:
                return
            rows, _ = turn.page(reply)
            yield [row for row in rows if _fits(row, filters)] if filters else rows
            if len(rows) < PAGE:
                break
        if not params:
            turn.done(whole=True)

    async def server(self, id: str) -> Server:
        """One server, read now."""
        return await self._row(f"servers/{_number(id, 'server')}", "server", self._servers)

    async def image(self, id: str) -> Image:
        """One image, read now."""
        return await self._row(f"images/{_number(id, 'image')}", "image", self._images)

    async def flavor(self, id: str) -> Flavor:
        """One flavor, read now."""
        return await self._row(f"flavors/{_number(id, 'flavor')}", "flavor", self._flavors)

    async def _row(self, path: str, word: str, memo: Memo[R]) -> R:
        reply = await self.session.get(path)
        record = inner(reply.body, word)
        row = memo.row(record, alone=True) if record else None
        if row is None:
            refuse_body(reply, self.session.place, f"something that is no {word}")
        return row

    async def _one(self, path: str, word: str) -> dict[str, Any]:
        reply = await self.session.get(path)
        tree = clean_tree(read_json(reply, self.session.place))
        found = tree.get(word) if isinstance(tree, dict) else None
        if not isinstance(found, dict):
            refuse_body(reply, self.session.place, f"something that is no {word}")
        return found

    async def limits(self) -> Limits:
        """What the account may have in all; the rates that come with it are obeyed from now on."""
        tree = await self._one("limits", "limits")
        obey(self.pace, tree.get("rate"))
        return Limits(self.origin.place, records.absolute_limits(tree.get("absolute")))

    async def close(self, *, for_good: bool = False) -> None:
        """Give back the connections; for good, nothing can be sent any more."""
        await self._close(for_good=for_good)


def _number(id: str, what: str) -> str:
    """The id as a step of a path: a number, since v1.0 knows no others. Raises `NotFound`."""
    if not id.isdecimal():
        raise NotFound(f"there is no {what} {id}: the first generation numbers what it has.")
    return id


def _fits(row: Row, filters: Filters) -> bool:
    """Whether a row is one of those asked for: v1.0 itself filters nothing."""
    return all(_is(row, name, wanted) for name, wanted in filters.items() if wanted is not None)


def _is(row: Row, name: str, wanted: Any) -> bool:
    if name == "name":
        try:
            return re.search(str(wanted), row.name) is not None
        except re.error as error:  # as Nova answers it
            raise CloudFault(
                f"{clean(str(wanted))!r} is no pattern: {error}.", place=str(row.place), status=400
            ) from error
    return str(getattr(row, name, None)) in map(str, wanted if isinstance(wanted, list | tuple) else [wanted])


async def open_firstgen(account: Account, transport: Transport, clock_now: Callable[[], dt.datetime]) -> Firstgen:
    """Log in, find the one address, and learn how often it may be asked. Raises a `CloudError`."""
    access = await log_in(account)
    listed = find_endpoint(access.catalog, ("compute",), name=FIRST_GENERATION)
    url = account.settings.overrides.get("compute") or (listed.url if listed else "")
    if not url:
        raise not_offered(str(account.place), f"compute (first generation: {FIRST_GENERATION})")
    try:
        endpoint = canonical(url, access.project_id)
    except ValueError as error:
        raise BadReply(f"the login names an address that is none: {error}.", place=str(account.place)) from error
    origin = Origin(
        place=account.place,
        endpoint=endpoint,
        project_id=access.project_id,
        project=access.project,
        privilege=privilege(access.roles),
        dialect="firstgen",
    )
    session = Questions(transport, account.entry.auth, url, deadline=account.settings.timeout or DEADLINE)
    cloud = Firstgen(origin, session, clock_now=clock_now, close=transport.close)
    try:
        await cloud.limits()
    except CloudError as error:
        if error.status not in (404, 501):  # one that tells no limits has none
            raise
    return cloud
