"""Rackspace's scheduled images: daily or weekly, made by the service itself, and thinned to a retention.

Facts of its client and pages: nobody chooses an hour, all days are UTC, there are three tries about an hour apart, and
only images with the service's own mark count for the retention; who removes the mark keeps the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.clock import DAYS, Clock, next_time
from console.sim.job import Job
from console.sim.nova_api import Nova
from console.sim.records import Server

MARK = {"org.openstack__1__created_by": "scheduled_images_service"}
MOST = 65_535
TRIES, HOUR = 3, 3600.0


@dataclass(frozen=True, slots=True)
class ImageSchedule:
    """How many images are kept, and the day of the week; without one an image is made every day."""

    retention: int
    day: str | None = None

    def shown(self) -> dict[str, Any]:
        """As the API tells it."""
        return {"retention": self.retention} | ({"day_of_week": self.day} if self.day else {})

    def after(self, now: datetime, number: int) -> datetime:
        """When the next image is due; the service chooses the hour, and this one goes by the server's number."""
        return next_time(now, number % 24, number * 7 % 60, self.day)


class ImageSchedules:
    """Keeps the schedules of one region's servers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._schedules: dict[str, ImageSchedule] = {}

    def of(self, server: Server) -> ImageSchedule | None:
        """A server's schedule."""
        return self._schedules.get(server.id)

    def set(self, server: Server, schedule: ImageSchedule | None, nova: Nova) -> None:
        """This schedule from now on, or none."""
        self._schedules.pop(server.id, None)
        if schedule is not None:
            self._schedules[server.id] = schedule
            self._wait(server, schedule, nova)
        server.stale()

    def _wait(self, server: Server, schedule: ImageSchedule, nova: Nova) -> None:
        def due(again: int = TRIES) -> None:
            if server.deleted or self.of(server) is not schedule:
                return
            if server.task_state is None and server.vm_state in ("active", "stopped"):
                self._image(server, schedule, nova)
            elif again > 1:
                self.clock.at(self.clock.time() + HOUR, lambda: due(again - 1))
                return
            self._wait(server, schedule, nova)

        self.clock.at(schedule.after(self.clock.now(), server.number).timestamp(), due)

    def _image(self, server: Server, schedule: ImageSchedule, nova: Nova) -> None:
        name = f"{'weekly' if schedule.day else 'daily'}-{server.name}-{int(self.clock.time())}"
        image = nova.place.glance.add(name, server.project_id, status="queued")
        image.visibility, image.disk_format, image.container_format = "private", None, None
        image.min_disk = server.flavor.disk
        image.properties = {**MARK, "instance_uuid": server.id, "image_type": "snapshot", "user_id": server.user_id}
        action = nova.store.noticed(server, "createImage")
        given = {"image": image.id, "retention": schedule.retention, "mark": MARK, "vm_state": server.vm_state}
        nova.machine.run(server, Job("scheduled_image", action, given))


class ScheduleRoutes:
    """The /servers/{id}/rax-si-image-schedule routes."""

    def __init__(self, nova: Nova, schedules: ImageSchedules) -> None:
        self.nova = nova
        self.schedules = schedules
        path = "/servers/{id}/rax-si-image-schedule"
        nova.router.table({f"GET {path}": self.show, f"POST {path}": self.change, f"DELETE {path}": self.drop})

    def _known(self, call: Call) -> tuple[Server, ImageSchedule]:
        server = self.nova.server(call)
        found = self.schedules.of(server)
        if found is None:
            raise Fault(404, f"Image schedule does not exist for server {server.id}")
        return server, found

    async def show(self, call: Call) -> web.Response:
        """GET: 404 where there is none."""
        return reply(200, {"image_schedule": self._known(call)[1].shown()})

    async def change(self, call: Call) -> web.Response:
        """POST: a new schedule, in the place of the old one."""
        server = self.nova.server(call)
        if server.flavor.extra_specs.get("class") == "onmetal":
            raise Fault(400, "Scheduled images are not offered for this flavor.")
        schedule = _read(call.json().get("image_schedule"))
        self.schedules.set(server, schedule, self.nova)
        return reply(200, {"image_schedule": schedule.shown()})

    async def drop(self, call: Call) -> web.Response:
        """DELETE: no more images; those that are there stay."""
        self.schedules.set(self._known(call)[0], None, self.nova)
        return reply(202)


def _read(wanted: Any) -> ImageSchedule:
    if not isinstance(wanted, dict) or not set(wanted) <= {"retention", "day_of_week"}:
        raise Fault(400, "image_schedule takes a retention and a day_of_week.")
    keep, day = wanted.get("retention"), wanted.get("day_of_week")
    if isinstance(keep, bool) or not isinstance(keep, int) or not 1 <= keep <= MOST:
        raise Fault(400, f"retention is a number from 1 to {MOST}.")
    if day is not None and str(day).upper() not in DAYS:
        raise Fault(400, f"day_of_week is one of {', '.join(DAYS)}.")
    return ImageSchedule(keep, str(day).upper() if day is not None else None)
