"""What may be ordered of the first generation; each once, and what it does not know is refused rather than left out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from console.clouds.dialect import Accepted
from console.clouds.openstack.ordering import base64_text
from console.errors import NotFound
from console.model.schedule import OFF
from console.text import Secret, clean_tree
from console.wire.message import Reply, read_json, refuse_body, request_id
from console.wire.session import Session

VERBS = frozenset(
    f"{noun}.{verb}"
    for noun, words in {
        "server": "list get create delete files reboot resize confirm revert rebuild snapshot change_password update"
        " update_password share_ip unshare_ip create_in_group backup_schedule",
        "image": "list get delete",
        "flavor": "list",
        "ipgroup": "list create delete",
        "schedule": "list",
    }.items()
    for verb in words.split()
) | {"limits"}


class Orders:
    """The orders of one account."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._acts: Mapping[str, Callable[..., Awaitable[Reply]]] = {
            "server.rebuild": self._rebuild,
            "server.change_password": self._password,
            "server.share_ip": self._share,
            "server.unshare_ip": self._unshare,
            "server.backup_schedule": self._set_schedule,
            "ipgroup.create": self._create_group,
            "ipgroup.delete": self._delete_group,
        }

    async def create_server(self, name: str, **given: Any) -> Accepted:
        """Order a server: image_id, flavor_id, metadata, personality, ip_group, address."""
        server: dict[str, Any] = {"name": name}
        for key, value in given.items():
            if value is None or value == {} or (key == "networks" and value in ("auto", [])):
                continue
            server |= self._of_new(key, value)
        reply = await self.session.post("servers", {"server": server})
        tree = clean_tree(read_json(reply, self.session.place))
        made = tree.get("server") if isinstance(tree, dict) else None
        if not isinstance(made, dict) or not isinstance(made.get("id"), int):
            refuse_body(reply, self.session.place, "something that is no new server")
        secret = made.get("adminPass")
        return Accepted(request_id(reply.headers), str(made["id"]), Secret(secret) if isinstance(secret, str) else None)

    def _of_new(self, key: str, value: Any) -> dict[str, Any]:
        if key in ("image_id", "flavor_id"):
            return {key.replace("_id", "Id"): self.number(value)}
        if key == "ip_group":
            return {"sharedIpGroupId": self.number(value)}
        if key == "address":
            return {"addresses": {"public": [value]}}
        if key == "metadata":
            return {"metadata": dict(value)}
        if key == "personality":
            return {"personality": [{"path": path, "contents": base64_text(text)} for path, text in value.items()]}
        raise self._unknown(key)

    def number(self, id: str) -> int:
        """An id as v1.0 writes it. Raises `NotFound`."""
        if not str(id).isdecimal():
            raise NotFound(f"there is nothing with the id {id}: the first generation's are numbers.", place=self._place)
        return int(id)

    @property
    def _place(self) -> str:
        return self.session.place

    def _unknown(self, name: str) -> NotFound:
        return NotFound(f"the first generation knows no {name.replace('_', ' ')}.", place=self._place)

    def _server(self, id: str, *steps: str) -> str:
        return "/".join(("servers", str(self.number(id)), *steps))

    async def delete_server(self, id: str) -> Accepted:
        """Order a server's end, and that of all images made of it; one that is gone already is no error."""
        return await self._gone(self._server(id))

    async def reboot(self, id: str, *, hard: bool = False) -> Accepted:
        """Restart by the guest's own shutdown, or by the power."""
        return accepted(await self._act(id, "reboot", {"type": "HARD" if hard else "SOFT"}))

    async def resize(self, id: str, flavor_id: str) -> Accepted:
        """Move to another flavor; it ends in VERIFY_RESIZE, and is kept by itself after 24 hours."""
        return accepted(await self._act(id, "resize", {"flavorId": self.number(flavor_id)}))

    async def confirm_resize(self, id: str) -> Accepted:
        """Keep the new flavor."""
        return accepted(await self._act(id, "confirmResize", None))

    async def revert_resize(self, id: str) -> Accepted:
        """Go back to the old flavor."""
        return accepted(await self._act(id, "revertResize", None))

    async def create_image(self, id: str, name: str, *, metadata: Mapping[str, str] | None = None) -> Accepted:
        """Make an image of a server's disk; an image of this name that there is already is replaced."""
        if metadata:
            raise self._unknown("metadata of images")
        reply = await self.session.post("images", {"image": {"serverId": self.number(id), "name": name}})
        return accepted(reply, "image")

    async def delete_image(self, id: str) -> Accepted:
        """Order an image's end; one that is gone already is no error."""
        return await self._gone(f"images/{self.number(id)}")

    async def update_server(self, id: str, **given: Any) -> Accepted:
        """Change a server's name, its administrator's password, or both at once."""
        words = {"name": "name", "admin_pass": "adminPass"}
        if unknown := given.keys() - words.keys():
            raise self._unknown(sorted(unknown)[0])
        told = {words[name]: value.reveal() if isinstance(value, Secret) else value for name, value in given.items()}
        return accepted(await self.session.put(self._server(id), {"server": told}))

    async def act(self, verb: str, id: str, **given: Any) -> Accepted:
        """Order one of the verbs that have no method of their own."""
        if verb not in self._acts:
            raise self._unknown(verb.partition(".")[2])
        told = {name: value for name, value in given.items() if value is not None}
        try:
            return accepted(await self._acts[verb](id, **told), "sharedIpGroup")
        except NotFound as error:
            if verb in ("ipgroup.delete", "server.unshare_ip"):
                return Accepted(error.request_id)
            raise

    async def _act(self, id: str, action: str, asked: Any) -> Reply:
        return await self.session.post(self._server(id, "action"), {action: asked})

    async def _rebuild(self, id: str, image_id: str | None = None, **given: Any) -> Reply:
        for name in given:
            raise self._unknown(f"{name} at a rebuild")
        return await self._act(id, "rebuild", {} if image_id is None else {"imageId": self.number(image_id)})

    async def _password(self, id: str, admin_pass: Secret) -> Reply:
        return await self.session.put(self._server(id), {"server": {"adminPass": admin_pass.reveal()}})

    async def _share(self, id: str, address: str, group: str, configure: bool = False) -> Reply:
        asked = {"sharedIpGroupId": self.number(group), "configureServer": configure}
        return await self.session.put(self._server(id, "ips", "public", address), {"shareIp": asked})

    async def _unshare(self, id: str, address: str) -> Reply:
        return await self.session.delete(self._server(id, "ips", "public", address))

    async def _set_schedule(self, id: str, enabled: bool, daily: str = OFF, weekly: str = OFF) -> Reply:
        if not enabled:
            return await self.session.delete(self._server(id, "backup_schedule"))
        asked = {"enabled": True, "daily": daily, "weekly": weekly}
        return await self.session.post(self._server(id, "backup_schedule"), {"backupSchedule": asked})

    async def _create_group(self, id: str, name: str, server: str | None = None) -> Reply:
        asked = {"name": name} | ({} if server is None else {"server": self.number(server)})
        return await self.session.post("shared_ip_groups", {"sharedIpGroup": asked})

    async def _delete_group(self, id: str) -> Reply:
        return await self.session.delete(f"shared_ip_groups/{self.number(id)}")

    async def _gone(self, path: str) -> Accepted:
        try:
            return accepted(await self.session.delete(path))
        except NotFound as error:
            return Accepted(error.request_id)


def accepted(reply: Reply, word: str = "") -> Accepted:
    """What an order's answer tells: the id of what it makes, where it makes something."""
    try:
        tree = msgspec.json.decode(reply.body) if reply.body and word else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        tree = {}
    made = tree.get(word) if isinstance(tree, dict) else None
    id = made.get("id") if isinstance(made, dict) else None
    return Accepted(request_id(reply.headers), None if id is None else str(id))
