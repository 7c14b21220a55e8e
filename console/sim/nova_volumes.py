"""What is plugged into a server through Nova: volumes and network interfaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from console.sim.call import Call, Fault, reply
from console.sim.checks import invalid
from console.sim.cinder_store import Attachment, Volume
from console.sim.job import Job
from console.sim.neutron_store import NoAddress
from console.sim.nova_api import Nova
from console.sim.records import Event, Port, Server

ATTACHABLE = ("active", "paused", "stopped", "resized", "soft-delete", "shelved", "shelved_offloaded")
PLUGGABLE = ("active", "paused", "stopped")


class Plugs:
    """Attachments of one region's Nova."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.region = nova.place
        nova.router.table(
            {
                "GET /servers/{id}/os-volume_attachments": self.volumes,
                "POST /servers/{id}/os-volume_attachments": self.attach,
                "GET /servers/{id}/os-volume_attachments/{volume}": self.volume,
                "PUT /servers/{id}/os-volume_attachments/{volume}": self.change,
                "DELETE /servers/{id}/os-volume_attachments/{volume}": self.detach,
                "GET /servers/{id}/os-interface": self.interfaces,
                "POST /servers/{id}/os-interface": self.plug,
                "GET /servers/{id}/os-interface/{port}": self.interface,
                "DELETE /servers/{id}/os-interface/{port}": self.unplug,
            }
        )

    # Volumes

    def _state(self, server: Server, what: str, states: tuple[str, ...], call: Call) -> None:
        if server.locked and not call.admin:
            raise Fault(409, f"Instance {server.id} is locked")
        if server.vm_state not in states:
            raise Fault(409, f"Cannot '{what}' instance {server.id} while it is in vm_state {server.vm_state}")
        if server.task_state is not None:
            raise Fault(409, f"Cannot '{what}' instance {server.id} while it is in task_state {server.task_state}")

    def _shown(self, server: Server, volume: Volume, minor: int) -> dict[str, Any]:
        place = self._attachment(server, volume)
        record: dict[str, Any] = {"serverId": server.id, "volumeId": volume.id, "device": place.device}
        if minor < 89:
            record["id"] = volume.id
        if minor >= 70:
            record["tag"] = place.tag
        if minor >= 79:
            record["delete_on_termination"] = place.delete_on_termination
        if minor >= 89:
            record |= {"attachment_id": place.id, "bdm_uuid": place.bdm_id}
        return record

    def _attachment(self, server: Server, volume: Volume) -> Attachment:
        return next(a for a in volume.attachments if a.server_id == server.id)

    def _volume(self, call: Call, server: Server) -> Volume:
        for volume in server.volumes:
            if volume.id == call.names["volume"]:
                found: Volume = volume
                return found
        raise Fault(404, f"Instance {server.id} is not attached to volume {call.names['volume']}")

    async def volumes(self, call: Call) -> web.Response:
        """GET /servers/{id}/os-volume_attachments."""
        server = self.nova.server(call)
        rows = [self._shown(server, v, call.minor) for v in server.volumes]
        return reply(200, {"volumeAttachments": rows})

    async def volume(self, call: Call) -> web.Response:
        """GET /servers/{id}/os-volume_attachments/{volume}."""
        server = self.nova.server(call)
        return reply(200, {"volumeAttachment": self._shown(server, self._volume(call, server), call.minor)})

    async def attach(self, call: Call) -> web.Response:
        """POST /servers/{id}/os-volume_attachments."""
        server = self.nova.server(call)
        body = call.json().get("volumeAttachment")
        if not isinstance(body, dict) or "volumeId" not in body:
            raise invalid("volumeAttachment", body, "'volumeId' is a required property")
        self._state(server, "attach_volume", ATTACHABLE, call)
        volume = self.region.cinder.volumes.get(body["volumeId"])
        if volume is None or not (call.admin or volume.project_id == call.who.project_id):
            raise Fault(404, f"Volume {body['volumeId']} could not be found.")
        if volume.attachments:
            places = ", ".join(a.server_id for a in volume.attachments)
            raise Fault(400, f"Invalid volume: volume {volume.id} is already attached to instances: {places}")
        if volume.status != "available":
            raise Fault(400, f"Invalid volume: volume '{volume.id}' status must be 'available'. Currently in "
                             f"'{volume.status}' status.")  # fmt: skip
        self.region.cinder.reserve(
            server, volume, body.get("device"), tag=body.get("tag"),
            delete_on_termination=bool(body.get("delete_on_termination")),
        )  # fmt: skip
        self._begin(call, server, volume, "attach")
        if call.minor >= 101:
            return reply(202)
        record = self._shown(server, volume, min(call.minor, 88))
        return reply(200, {"volumeAttachment": record})

    def _begin(self, call: Call, server: Server, volume: Volume, what: str) -> None:
        action = self.nova.store.noted(server, f"{what}_volume", call.who, call.request_id)
        self.nova.machine.aside(server, Job(what, action, {"volume": volume}))

    async def change(self, call: Call) -> web.Response:
        """PUT /servers/{id}/os-volume_attachments/{volume}."""
        server = self.nova.server(call)
        volume = self._volume(call, server)
        body = call.json().get("volumeAttachment") or {}
        if call.minor < 85 or "delete_on_termination" not in body:
            raise Fault(400, "Volume swap is not possible here.")
        self._attachment(server, volume).delete_on_termination = bool(body["delete_on_termination"])
        server.stale()
        return reply(202)

    async def detach(self, call: Call) -> web.Response:
        """DELETE /servers/{id}/os-volume_attachments/{volume}."""
        server = self.nova.server(call)
        volume = self._volume(call, server)
        self._state(server, "detach_volume", ATTACHABLE, call)
        if self._attachment(server, volume).device == "/dev/vda":
            raise Fault(403, "Cannot detach a root device volume")
        if volume.status != "in-use":
            raise Fault(400, f"Invalid volume: Invalid input received: Invalid volume: Unable to detach volume. Volume "
                             f"status must be 'in-use' and attach_status must be 'attached' to detach. Currently: "
                             f"status: '{volume.status}'.")  # fmt: skip
        self._begin(call, server, volume, "detach")
        return reply(202)

    # Interfaces

    def _interface(self, port: Port, minor: int) -> dict[str, Any]:
        record: dict[str, Any] = {
            "net_id": port.network.id,
            "port_id": port.id,
            "mac_addr": port.mac,
            "port_state": port.status,
            "fixed_ips": [{"subnet_id": s, "ip_address": a} for s, a in port.fixed],
        }
        return record | ({"tag": port.tag} if minor >= 70 else {})

    def _port(self, call: Call, server: Server) -> Port:
        for port in server.ports:
            if port.id == call.names["port"]:
                return port
        raise Fault(404, f"Port {call.names['port']} could not be found.")

    async def interfaces(self, call: Call) -> web.Response:
        """GET /servers/{id}/os-interface."""
        server = self.nova.server(call)
        return reply(200, {"interfaceAttachments": [self._interface(p, call.minor) for p in server.ports]})

    async def interface(self, call: Call) -> web.Response:
        """GET /servers/{id}/os-interface/{port}."""
        port = self._port(call, self.nova.server(call))
        return reply(200, {"interfaceAttachment": self._interface(port, call.minor)})

    async def plug(self, call: Call) -> web.Response:
        """POST /servers/{id}/os-interface."""
        server = self.nova.server(call)
        self._state(server, "attach_interface", PLUGGABLE, call)
        body = call.json().get("interfaceAttachment") or {}
        port = self._wanted_port(call, server, body)
        port.tag = body.get("tag") if call.minor >= 49 else None
        self.region.neutron.plug(port, server)
        self._note(call, server, "attach_interface", None)
        return reply(200, {"interfaceAttachment": self._interface(port, call.minor)})

    def _wanted_port(self, call: Call, server: Server, body: dict[str, Any]) -> Port:
        neutron = self.region.neutron
        if body.get("port_id"):
            port = neutron.ports.get(body["port_id"])
            if port is None or not (call.admin or port.project_id == call.who.project_id):
                raise Fault(404, f"Port {body['port_id']} could not be found.")
            if port.device_id:
                raise Fault(409, f"Port {port.id} is still in use.")
            port.preserved = True
            return port
        seen = [n for n in neutron.visible(server.project_id) if not n.external]
        if body.get("net_id"):
            seen = [n for n in seen if n.id == body["net_id"]]
        if not seen:
            raise Fault(404, f"Network {body.get('net_id')} could not be found.")
        if len(seen) > 1:
            raise Fault(409, "Multiple possible networks found, use a Network ID to be more specific.")
        wanted = next((f.get("ip_address") for f in body.get("fixed_ips") or []), None)
        try:
            return neutron.add_port(seen[0], server.project_id, wanted)
        except NoAddress as full:
            raise Fault(400, str(full)) from None

    async def unplug(self, call: Call) -> web.Response:
        """DELETE /servers/{id}/os-interface/{port}."""
        server = self.nova.server(call)
        self._state(server, "detach_interface", PLUGGABLE, call)
        port = next((p for p in server.ports if p.id == call.names["port"]), None)
        self._note(call, server, "detach_interface", None if port is not None else "Error")
        if port is None:
            return reply(202)
        self.nova.clock.after(0.5, self._unplugging(port, server))
        return reply(202)

    def _note(self, call: Call, server: Server, name: str, message: str | None) -> None:
        action = self.nova.store.noted(server, name, call.who, call.request_id)
        action.message = message
        result = "Error" if message else "Success"
        action.events.append(Event(f"compute_{name}", action.start, action.start, result, server.host))

    def _unplugging(self, port: Port, server: Server) -> Callable[[], None]:
        def done() -> None:
            if port in server.ports:
                self.region.neutron.unplug(port, server)

        return done
