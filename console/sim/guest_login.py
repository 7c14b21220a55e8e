"""One server's inside as a guest has it: its host keys, its files, and who may log in."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field

import asyncssh

from console.sim.disk import File
from console.sim.records import Server
from console.sim.stillness import Stillness

LOGINS = ("root", "debian", "ubuntu", "centos", "fedora", "cloud-user", "admin")


@dataclass(eq=False, slots=True)
class Guest:
    """One server's inside: its keys, and what it should be and is doing on the network."""

    server: Server
    image: str = "Linux"
    keys: list[asyncssh.SSHKey] = field(default_factory=list)
    rescue_keys: list[asyncssh.SSHKey] = field(default_factory=list)
    rescued: bool = False
    wanted: str = "off"
    serial: int = 0
    shown: bool = False
    booted: float = 0.0
    place: tuple[str, int] | None = None
    listeners: list[asyncssh.SSHAcceptor | asyncio.Server] = field(default_factory=list)
    open: set[asyncio.BaseTransport] = field(default_factory=set)
    still: Stillness = field(default_factory=Stillness)
    files: dict[str, File] = field(default_factory=dict)
    written: bool = True
    era: int = 0  # grows each time what it is on the network ends

    def met(self, transport: asyncio.BaseTransport, era: int) -> None:
        """Somebody is connected; to what it was before, where it was accepted too late to be closed with the others."""
        if era == self.era:
            self.open.add(transport)
        else:
            transport.abort() if isinstance(transport, asyncio.Transport) else transport.close()


@functools.lru_cache(256)
def _public(key_data: str) -> bytes:
    """What a line of authorized_keys lets in; a login asks for it twice."""
    return asyncssh.import_public_key(key_data).public_data


def new_keys(hostname: str) -> list[asyncssh.SSHKey]:
    """Host keys as a new disk makes them at its first boot."""
    return [
        asyncssh.generate_private_key("ecdsa-sha2-nistp256", comment=f"root@{hostname}"),
        asyncssh.generate_private_key("ssh-ed25519", comment=f"root@{hostname}"),
    ]


class Login(asyncssh.SSHServer):
    """Who may log in to a guest: the server's key pair, or its password."""

    def __init__(self, guest: Guest, era: int) -> None:
        self.guest, self.era = guest, era
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.transport = conn.get_extra_info("transport") or conn._transport
        if self.transport is not None:
            self.guest.met(self.transport, self.era)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self.guest.open.discard(self.transport)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        if username not in LOGINS or not self.guest.server.key_data:
            return False
        return _public(self.guest.server.key_data) == key.public_data

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return username in LOGINS and bool(password) and password == self.guest.server.admin_pass
