"""What POST /servers asks for: the body checked as Nova's schema does, its references looked up, quotas counted.

Gives the new servers' records; it starts nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from console.sim.call import Call, Fault
from console.sim.checks import (
    UUID,
    checked_address,
    checked_hostname,
    checked_metadata,
    checked_name,
    files,
    invalid,
    unexpected,
)
from console.sim.cinder_store import Volume
from console.sim.nova_api import Nova
from console.sim.records import Flavor, Image, Server

ALWAYS = {
    "name", "flavorRef", "imageRef", "networks", "adminPass", "metadata", "accessIPv4", "accessIPv6",
    "OS-DCF:diskConfig", "availability_zone", "block_device_mapping_v2", "block_device_mapping", "config_drive",
    "key_name", "min_count", "max_count", "return_reservation_id", "security_groups", "user_data",
}  # fmt: skip
SINCE = {
    "description": 19,
    "tags": 52,
    "trusted_image_certificates": 63,
    "host": 74,
    "hypervisor_hostname": 74,
    "hostname": 90,
}


class Wanted:
    """One create request."""

    def __init__(self, nova: Nova, call: Call) -> None:
        self.nova = nova
        self.call = call
        self.region = nova.place
        whole = call.json()
        body = whole.get("server")
        if not isinstance(body, dict):
            raise invalid("server", body, "'server' is a required property")
        self.body: dict[str, Any] = body
        hints = whole.get("os:scheduler_hints") or whole.get("OS-SCH-HNT:scheduler_hints") or {}
        self.hints: dict[str, Any] = hints if isinstance(hints, dict) else {}
        self.reservation = bool(body.get("return_reservation_id"))
        self._check_keys()
        self.flavor = self._flavor()
        self.image = self._image()
        self.volumes = [*self._volumes_of_image(), *self._volumes()]
        if self.image is None and not self.volumes:
            raise Fault(400, "Missing imageRef attribute")
        self._check_fit()
        self.key_data = self._key()
        self._nics = self._networks()

    def _check_keys(self) -> None:
        body, minor = self.body, self.call.minor
        for key in ("name", "flavorRef", *(("networks",) if minor >= 37 else ())):
            if key not in body:
                raise invalid("server", body, f"{key!r} is a required property")
        checked_name(body["name"])
        allowed = ALWAYS | {key for key, since in SINCE.items() if minor >= since}
        allowed |= {"personality"} if minor < 57 else set()
        unknown = [key for key in body if key not in allowed]
        if unknown:
            raise invalid("server", body, unexpected(unknown))
        if body.get("OS-DCF:diskConfig", "AUTO") not in ("AUTO", "MANUAL"):
            value = body["OS-DCF:diskConfig"]
            raise invalid("OS-DCF:diskConfig", value, f"{value!r} is not one of ['AUTO', 'MANUAL']")
        self._check_user_data()
        if "hostname" in body:
            checked_hostname(body["hostname"], minor)
        self.access = {
            key: checked_address(key, body[key], self.nova.clears_access) if key in body else ""
            for key in ("accessIPv4", "accessIPv6")
        }
        if {"host", "hypervisor_hostname"} & set(body):
            self.nova.only_admin(self.call, "servers:create:requested_destination")

    def _check_user_data(self) -> None:
        data = self.body.get("user_data")
        if data is None:
            return
        try:
            base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError):
            raise invalid("user_data", data, f"{data!r} is not a 'base64'") from None
        if len(data) > 65535:
            raise invalid("user_data", "...", "is too long")

    def _flavor(self) -> Flavor:
        id = str(self.body["flavorRef"]).rsplit("/", 1)[-1]
        found = self.nova.store.flavors.get(id)
        if found is None or not (found.public or self.call.admin or self.call.who.project_id in found.access):
            raise Fault(400, f"Flavor {id} could not be found.")
        return found

    def _image(self) -> Image | None:
        given = self.body.get("imageRef")
        if given is None or given == "":
            return None
        if not UUID.fullmatch(str(given)):
            raise invalid("imageRef", given, f"{given!r} is not valid under any of the given schemas")
        found = self.region.glance.images.get(str(given))
        if found is None or not visible(found, self.call):
            raise Fault(400, "Can not find requested image")
        if found.status != "active":
            raise Fault(400, f"Image {found.id} is not active.")
        return found

    def _volumes(self) -> list[dict[str, Any]]:
        rows = self.body.get("block_device_mapping_v2") or []
        if not isinstance(rows, list):
            raise invalid("block_device_mapping_v2", rows, f"{rows!r} is not of type 'array'")
        found = []
        for row in rows:
            kind, uuid = row.get("source_type", ""), row.get("uuid", "")
            place = row.get("destination_type", "volume")
            if place not in ("local", "volume"):
                raise invalid("destination_type", place, f"{place!r} is not one of ['local', 'volume']")
            if kind == "image" and row.get("destination_type") != "volume":
                continue
            if kind == "volume":
                volume = self.region.cinder.volumes.get(uuid)
                if volume is None:
                    raise Fault(400, f"Block Device Mapping is Invalid: failed to get volume {uuid}.")
                if str(row.get("boot_index")) == "0" and not volume.bootable:
                    raise Fault(400, f"Block Device {uuid} is not bootable.")
                if volume.status != "available":
                    raise Fault(400, f"Invalid volume: volume '{uuid}' status must be 'available'. Currently in "
                                     f"'{volume.status}' status.")  # fmt: skip
            elif kind == "image" and uuid not in self.region.glance.images:
                raise Fault(400, f"Block Device Mapping is Invalid: failed to get image {uuid}.")
            elif kind not in ("image", "snapshot", "blank"):
                raise Fault(400, "Block Device Mapping is Invalid.")
            elif not row.get("volume_size") and kind != "snapshot":
                need = "Images with destination_type 'volume' need to have a non-zero size specified"
                raise Fault(400, f"Block Device Mapping is Invalid: {need}")
            found.append(row)
        return found

    def _volumes_of_image(self) -> list[dict[str, Any]]:
        """An image of a server on volumes holds no data, and names their snapshots."""
        told = self.image.properties.get("block_device_mapping") if self.image is not None else None
        return list(json.loads(told)) if told else []

    def _check_fit(self) -> None:
        image, flavor = self.image, self.flavor
        if image is None:
            return
        if image.min_ram > flavor.ram:
            raise Fault(400, "Flavor's memory is too small for requested image.")
        if flavor.disk and image.min_disk > flavor.disk:
            sizes = f"Flavor disk is {flavor.disk << 30} bytes, minimum size is {image.min_disk << 30} bytes."
            raise Fault(400, "Flavor's disk is smaller than the minimum size specified in image metadata. " + sizes)

    def _key(self) -> str | None:
        name = self.body.get("key_name")
        if name is None:
            return None
        found = self.nova.store.keypairs.get((self.call.who.user.id, str(name)))
        if found is None:
            raise Fault(400, "Invalid key_name provided.")
        return found.public_key

    def _networks(self) -> list[dict[str, Any]]:
        wanted = self.body.get("networks")
        seen = [n for n in self.region.neutron.visible(self.call.who.project_id) if not n.external]
        if wanted == "none":
            return []
        if wanted is None or wanted == "auto" or wanted == []:
            if len(seen) > 1 and not self.nova.joins_all_networks:
                raise Fault(409, "Multiple possible networks found, use a Network ID to be more specific.")
            return [{"network": n} for n in seen]
        if not isinstance(wanted, list):
            raise invalid("networks", wanted, f"{wanted!r} is not valid under any of the given schemas")
        return [self._nic(row) for row in wanted]

    def _nic(self, row: dict[str, Any]) -> dict[str, Any]:
        neutron = self.region.neutron
        if "port" in row:
            port = neutron.ports.get(row["port"])
            if port is None or not (self.call.admin or port.project_id == self.call.who.project_id):
                raise Fault(400, f"Port id {row['port']} could not be found.")
            if port.device_id:
                raise Fault(409, f"Port {port.id} is still in use.")
            return {"port": port}
        seen = {n.id: n for n in neutron.visible(self.call.who.project_id, self.call.admin)}
        network = seen.get(str(row.get("uuid", "")))
        if network is None:
            raise Fault(400, f"Network {row.get('uuid')} could not be found.")
        fixed = row.get("fixed_ip")
        if fixed is not None and fixed in neutron.taken:
            raise Fault(400, f"Fixed IP address {fixed} is already in use on instance.")
        return {"network": network, "fixed_ip": fixed, "tag": row.get("tag")}

    def _check_quota(self, count: int) -> None:
        project = self.call.who.project_id
        limits, used = self.nova.store.limits(project), self.nova.store.used(project)
        need = {"cores": count * self.flavor.vcpus, "instances": count, "ram": count * self.flavor.ram}
        over = [k for k, n in need.items() if limits[k] >= 0 and used[k] + n > limits[k]]
        if not over:
            return
        asked = ", ".join(str(need[k]) for k in over)
        have = ", ".join(str(used[k]) for k in over)
        most = ", ".join(str(limits[k]) for k in over)
        names = ", ".join(over)
        text = f"Quota exceeded for {names}: Requested {asked}, but already used {have} of {most} {names}"
        raise Fault(403, text)

    def networks(self, server: Server) -> list[dict[str, Any]]:
        """The networks that a server gets; a port is the first server's alone."""
        return self._nics

    def servers(self) -> list[Server]:
        """The new servers' records."""
        body = self.body
        count = max(int(body.get("min_count") or 1), int(body.get("max_count") or 1))
        self._check_quota(count)
        group = self._group(count)
        reservation = f"r-{self.region.ids.word(8).lower()}"
        found = []
        for index in range(count):
            name = body["name"] if count == 1 else f"{body['name']}-{index + 1}"
            server = self._server(name, reservation)
            server.group_id = group
            found.append(server)
        if self.volumes:
            self._take_volumes(found)
        return found

    def _group(self, count: int) -> str | None:
        id = self.hints.get("group")
        if id is None:
            return None
        group = self.nova.store.groups.get(str(id))
        if group is None or group.project_id != self.call.who.project_id:
            raise Fault(400, f"Instance group {id} could not be found.")
        most = self.nova.store.limits(group.project_id)["server_group_members"]
        if most >= 0 and len(self.nova.store.members(group)) + count > most:
            raise Fault(403, "Quota exceeded, too many servers in group")
        return group.id

    def _server(self, name: str, reservation: str) -> Server:
        body, who, now = self.body, self.call.who, self.nova.clock.time()
        limit = self.nova.store.limits(who.project_id)["metadata_items"]
        server = Server(
            self.region.ids.uuid(), name, who.project_id, who.user.id, self.flavor,
            self.image.id if self.image else None, now, now,
        )  # fmt: skip
        server.metadata = checked_metadata(body.get("metadata") or {}, limit)
        server.hostname = body.get("hostname") or hostname_of(name)
        server.key_name, server.key_data = body.get("key_name"), self.key_data
        server.admin_pass = body.get("adminPass") or self.region.ids.word(12)
        server.disk_config = body.get("OS-DCF:diskConfig") or self.nova.default_disk_config
        server.access_v4, server.access_v6 = self.access["accessIPv4"], self.access["accessIPv6"]
        server.description = body.get("description")
        server.tags = list(body.get("tags") or [])
        server.config_drive = "True" if body.get("config_drive") in (True, "true", "True") else ""
        server.user_data = body.get("user_data")
        server.personality = files(body.get("personality"))
        server.pinned_zone = self._zone(body.get("availability_zone"))
        server.hints = {k: v if isinstance(v, list) else [v] for k, v in self.hints.items()}
        server.reservation_id = reservation
        server.security_groups = self._groups(body.get("security_groups"))
        return server

    def _zone(self, zone: str | None) -> str | None:
        if zone is None:
            return None
        name = zone.split(":")[0]
        if name not in {h.zone for h in self.nova.store.hosts.values()}:
            raise Fault(400, "The requested availability zone is not available")
        return name

    def _groups(self, rows: Any) -> list[str]:
        names = [str(row.get("name")) for row in rows] if isinstance(rows, list) and rows else ["default"]
        found = []
        for name in dict.fromkeys(names):
            try:
                found.append(self.region.neutron.group(self.call.who.project_id, name).name)
            except KeyError:
                raise Fault(400, f"Unable to find security_group with name or id '{name}'") from None
        return found

    def _take_volumes(self, servers: list[Server]) -> None:
        for server in servers:
            for row in self.volumes:
                volume = self._volume(row, server)
                root = str(row.get("boot_index")) == "0"
                self.region.cinder.reserve(
                    server, volume, "/dev/vda" if root else row.get("device_name"),
                    delete_on_termination=bool(row.get("delete_on_termination")), tag=row.get("tag"),
                )  # fmt: skip
                if root and row["source_type"] != "snapshot":
                    server.image_id = None

    def _volume(self, row: dict[str, Any], server: Server) -> Volume:
        cinder = self.region.cinder
        if row["source_type"] == "volume":
            return cinder.volumes[row["uuid"]]
        snapshot = cinder.snapshots.get(row.get("snapshot_id") or row.get("uuid") or "")
        size = int(row.get("volume_size") or (snapshot.size if snapshot else 1))
        volume = cinder.add("", server.project_id, server.user_id, size)
        if snapshot is not None:
            volume.bootable, volume.snapshot_id = True, snapshot.id
        image = self.region.glance.images.get(row.get("uuid", ""))
        if row["source_type"] == "image" and image is not None:
            volume.bootable = True
            volume.image_metadata = {"image_id": image.id, "image_name": image.name or ""}
        return volume


def visible(image: Image, call: Call) -> bool:
    """Whether a caller may see an image."""
    project = call.who.project_id
    if call.admin or image.owner == project or image.visibility in ("public", "community"):
        return True
    return image.visibility == "shared" and project in image.members


def hostname_of(name: str) -> str:
    """The host name that Nova makes of a server's name."""
    kept = re.sub(r"[^\w.-]+", "", re.sub(r"[ _]", "-", name).lower())
    return kept.strip(".-")[:63] or "server"
