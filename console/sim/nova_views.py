"""How Nova shows its records, for each shape that its microversions have had.

Pure functions from records to JSON.  A shape is a microversion's minor number cut down to the last step that
changed something, so that encoded servers can be kept per shape.
"""

from __future__ import annotations

from bisect import bisect_right
from ipaddress import ip_address
from typing import Any

import msgspec

from console.sim.cinder_store import Volume
from console.sim.clock import naive, zulu
from console.sim.lives import status_of
from console.sim.records import Flavor, InstanceAction, Server

STEPS = (1, 3, 9, 16, 19, 26, 47, 63, 69, 71, 73, 90, 96, 98, 100)
PROGRESS = {"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"}
BUILD_REQUEST_KEYS = ("hostId", "OS-EXT-AZ:availability_zone")


def step_of(minor: int) -> int:
    """The last microversion up to this one that changed how a server looks."""
    return STEPS[bisect_right(STEPS, minor) - 1]


class Views:
    """One region's ways of showing; `root` is the versioned base URL, `bare` the one without, `image_base` Glance's."""

    def __init__(self) -> None:
        self.root = ""
        self.bare = ""
        self.image_base = ""
        self.host_up: dict[str, str] = {}

    def links(self, kind: str, id: str) -> list[dict[str, str]]:
        """The self and bookmark links of a record."""
        return [
            {"rel": "self", "href": f"{self.root}/{kind}/{id}"},
            {"rel": "bookmark", "href": f"{self.bare}/{kind}/{id}"},
        ]

    def bookmark(self, kind: str, id: str) -> list[dict[str, str]]:
        """The link of a record that is only referred to."""
        return [{"rel": "bookmark", "href": f"{self.bare}/{kind}/{id}"}]

    def encoded(self, server: Server, minor: int, admin: bool, detail: bool) -> bytes:
        """A server's whole record, encoded; kept until the server changes."""
        key = (step_of(minor), admin, detail)
        data = server.encoded.get(key)
        if data is None:
            data = server.encoded[key] = msgspec.json.encode(self.server(server, minor, admin, detail))
        return data

    def brief(self, server: Server) -> bytes:
        """A server's id, name and links, encoded."""
        data = server.encoded.get(("brief",))
        if data is None:
            record = {"id": server.id, "name": server.name, "links": self.links("servers", server.id)}
            data = server.encoded["brief",] = msgspec.json.encode(record)
        return data

    def server(self, server: Server, minor: int, admin: bool, detail: bool = False) -> dict[str, Any]:
        """A server's whole record; `detail` is the form of listings."""
        if server.hidden_by_cell and minor >= 69:
            return self._partial(server, detail)
        status = status_of(server.vm_state, server.task_state)
        record = self._core(server, minor, status)
        if status in ("ERROR", "DELETED") and server.fault:
            record["fault"] = fault(server.fault, admin)
        record["OS-DCF:diskConfig"] = server.disk_config
        if status in PROGRESS:
            record["progress"] = server.progress
        record |= {
            "OS-EXT-AZ:availability_zone": server.zone,
            "config_drive": server.config_drive,
            "key_name": server.key_name,
            "OS-SRV-USG:launched_at": naive(server.launched),
            "OS-SRV-USG:terminated_at": naive(server.terminated),
        }
        groups = [{"name": name} for name in server.security_groups]
        shows_groups = bool(server.ports and groups)
        if shows_groups and not detail:
            record["security_groups"] = groups
        if admin:
            record |= self._admin(server, minor)
        record |= {
            "OS-EXT-STS:task_state": server.task_state,
            "OS-EXT-STS:vm_state": server.vm_state,
            "OS-EXT-STS:power_state": server.power_state,
            "os-extended-volumes:volumes_attached": self._volumes(server, minor),
        }
        record |= self._since(server, minor, admin, detail)
        if shows_groups and detail:
            record["security_groups"] = groups
        return record

    def created(self, server: Server) -> dict[str, Any]:
        """What POST answers: where the new server is, and its password."""
        return {
            "id": server.id,
            "links": self.links("servers", server.id),
            "OS-DCF:diskConfig": server.disk_config,
            "security_groups": [{"name": name} for name in server.security_groups],
            "adminPass": server.admin_pass,
        }

    def update(self, server: Server, minor: int, admin: bool) -> dict[str, Any]:
        """What PUT and rebuild answer: before 2.75 a good deal less than a GET."""
        if minor >= 75:
            return self.server(server, minor, admin)
        status = status_of(server.vm_state, server.task_state)
        record = self._core(server, minor, status)
        for addresses in record["addresses"].values():
            for address in addresses:
                address.pop("OS-EXT-IPS:type")
                address.pop("OS-EXT-IPS-MAC:mac_addr")
        record["OS-DCF:diskConfig"] = server.disk_config
        if status in PROGRESS:
            record["progress"] = server.progress
        if minor >= 9:
            record["locked"] = server.locked
        if minor >= 19:
            record["description"] = server.description
        if minor >= 26:
            record["tags"] = server.tags
        if minor >= 63:
            record["trusted_image_certificates"] = None
        if minor >= 71:
            record["server_groups"] = [server.group_id] if server.group_id else []
        if minor >= 73:
            record["locked_reason"] = server.locked_reason
        return record

    def _core(self, server: Server, minor: int, status: str) -> dict[str, Any]:
        return {
            "accessIPv4": server.access_v4,
            "accessIPv6": server.access_v6,
            "addresses": addresses(server),
            "created": zulu(server.created),
            "flavor": self.embedded(server.flavor) if minor >= 47 else self._flavor_link(server.flavor),
            "hostId": server.host_id,
            "id": server.id,
            "image": self._image(server, minor),
            "links": self.links("servers", server.id),
            "metadata": server.metadata,
            "name": server.name,
            "status": status,
            "tenant_id": server.project_id,
            "user_id": server.user_id,
            "updated": zulu(server.updated),
        }

    def _partial(self, server: Server, detail: bool) -> dict[str, Any]:
        record: dict[str, Any] = {"id": server.id, "status": "UNKNOWN"}
        record["tenant_id"] = server.project_id
        record["created"] = zulu(server.created)
        record["links"] = self.links("servers", server.id)
        if not detail:
            record |= {
                "flavor": self.embedded(server.flavor),
                "image": self._image(server, 1),
                "user_id": server.user_id,
                "OS-EXT-AZ:availability_zone": "UNKNOWN",
                "OS-EXT-STS:power_state": 0,
                "server_groups": [],
            }
        return record

    def _image(self, server: Server, minor: int) -> Any:
        if server.image_id is None:
            return ""
        image: dict[str, Any] = {"id": server.image_id, "links": self.bookmark("images", server.image_id)}
        if minor >= 98:
            image["properties"] = {}
        return image

    def _flavor_link(self, flavor: Flavor) -> dict[str, Any]:
        return {"id": flavor.id, "links": self.bookmark("flavors", flavor.id)}

    def embedded(self, flavor: Flavor) -> dict[str, Any]:
        """A flavor as it was when the server took it: without an id."""
        return {
            "vcpus": flavor.vcpus,
            "ram": flavor.ram,
            "disk": flavor.disk,
            "ephemeral": flavor.ephemeral,
            "swap": flavor.swap,
            "original_name": flavor.name,
            "extra_specs": flavor.extra_specs,
        }

    def _volumes(self, server: Server, minor: int) -> list[dict[str, Any]]:
        found = []
        for volume in server.volumes:
            row: dict[str, Any] = {"id": volume.id}
            if minor >= 3:
                row["delete_on_termination"] = deleted_with(volume, server)
            found.append(row)
        return found

    def _admin(self, server: Server, minor: int) -> dict[str, Any]:
        host = server.host or None
        record: dict[str, Any] = {
            "OS-EXT-SRV-ATTR:host": host,
            "OS-EXT-SRV-ATTR:instance_name": f"instance-{server.number:08x}",
            "OS-EXT-SRV-ATTR:hypervisor_hostname": host,
        }
        if minor >= 3:
            record |= {
                "OS-EXT-SRV-ATTR:hostname": server.hostname,
                "OS-EXT-SRV-ATTR:kernel_id": "",
                "OS-EXT-SRV-ATTR:launch_index": 0,
                "OS-EXT-SRV-ATTR:ramdisk_id": "",
                "OS-EXT-SRV-ATTR:reservation_id": server.reservation_id,
                "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda" if server.launched else None,
                "OS-EXT-SRV-ATTR:user_data": server.user_data,
            }
        return record

    def _since(self, server: Server, minor: int, admin: bool, detail: bool) -> dict[str, Any]:
        record: dict[str, Any] = {}
        if minor >= 9:
            record["locked"] = server.locked
        if minor >= 16 and admin:
            record["host_status"] = self.host_up.get(server.host, "UP") if server.host else ""
        if minor >= 19:
            record["description"] = server.description
        if minor >= 26:
            record["tags"] = server.tags
        if minor >= 63:
            record["trusted_image_certificates"] = None
        if minor >= 71 and not detail:
            record["server_groups"] = [server.group_id] if server.group_id else []
        if minor >= 73:
            record["locked_reason"] = server.locked_reason
        if minor >= 90 and not admin:
            record["OS-EXT-SRV-ATTR:hostname"] = server.hostname
        if minor >= 96:
            record["pinned_availability_zone"] = server.pinned_zone
        if minor >= 100:
            record["scheduler_hints"] = server.hints
        return record

    def flavor(self, flavor: Flavor, minor: int, detail: bool = True) -> dict[str, Any]:
        """A flavor; its extra specs are shown from 2.61 on."""
        links = self.links("flavors", flavor.id)
        if not detail:
            brief: dict[str, Any] = {"id": flavor.id, "name": flavor.name, "links": links}
            return brief | ({"description": flavor.description} if minor >= 55 else {})
        record: dict[str, Any] = {
            "id": flavor.id,
            "name": flavor.name,
            "ram": flavor.ram,
            "disk": flavor.disk,
            "swap": flavor.swap if flavor.swap or minor >= 75 else "",
            "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral,
        }
        if minor < 102:
            record["OS-FLV-DISABLED:disabled"] = False
        record |= {"vcpus": flavor.vcpus, "os-flavor-access:is_public": flavor.public}
        if minor < 102:
            record["rxtx_factor"] = flavor.rxtx_factor
        record["links"] = links
        if minor >= 55:
            record["description"] = flavor.description
        if minor >= 61:
            record["extra_specs"] = flavor.extra_specs
        return record


def deleted_with(volume: Volume, server: Server) -> bool:
    """Whether a volume goes when its server goes."""
    return any(a.delete_on_termination for a in volume.attachments if a.server_id == server.id)


def addresses(server: Server, short: bool = False) -> dict[str, list[dict[str, Any]]]:
    """A server's addresses by network; `short` leaves out kind and MAC."""
    found: dict[str, list[dict[str, Any]]] = {}
    for network, rows in server.addresses.items():
        for address, kind, mac in rows:
            row: dict[str, Any] = {"version": ip_address(address).version, "addr": address}
            if not short:
                row |= {"OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": mac}
            found.setdefault(network, []).append(row)
    return found


def fault(kept: dict[str, Any], admin: bool) -> dict[str, Any]:
    """A server's fault; the traceback is an administrator's."""
    record = {"code": kept["code"], "created": zulu(kept["created"]), "message": kept["message"]}
    if admin or kept["code"] != 500:
        record["details"] = kept.get("details", f"Traceback (most recent call last):\n{kept['message']}\n")
    return record


def action(action: InstanceAction, server: Server, minor: int) -> dict[str, Any]:
    """An instance action without its events."""
    record = {
        "action": action.action,
        "instance_uuid": server.id,
        "request_id": action.request_id,
        "user_id": action.user_id,
        "project_id": action.project_id,
        "start_time": naive(action.start),
        "message": action.message,
    }
    return record | ({"updated_at": naive(action.updated)} if minor >= 58 else {})


def events(action: InstanceAction, server: Server, minor: int, admin: bool) -> list[dict[str, Any]]:
    """The events of an instance action, newest first."""
    found = []
    for event in reversed(action.events):
        row: dict[str, Any] = {
            "event": event.event,
            "start_time": naive(event.start),
            "finish_time": naive(event.finish),
            "result": event.result,
        }
        if admin:
            row["traceback"] = event.traceback
        if minor >= 62:
            row |= {"host": event.host} if admin else {}
            row["hostId"] = server.host_id
        if minor >= 84 and (admin or event.details):
            row["details"] = event.details
        found.append(row)
    return found
