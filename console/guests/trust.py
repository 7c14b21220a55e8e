"""Whether one guest is trusted over all connections of a ladder, and what it is offered on each of them.

A guest that shows one key now and another a moment later is trusted by nobody. A password that the cloud told is
offered only to a guest that somebody vouches for; one that the user has given himself goes to any that is trusted.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncssh

from console.guests.hostkeys import Evidence, Judgement, Theirs
from console.guests.reach import Keys, Offer, quick_options
from console.text import Secret


@dataclass
class Trust:
    """What is known of the guest's key so far, and what it may be offered."""

    evidence: Evidence
    alias: str  # a certificate must name it
    password: Secret | None
    held: Secret | None  # a password that nobody has given for this check
    lasting: bool  # whether more than a check is to be kept from whoever listens
    told: Callable[[str], None]  # hears once why the key is trusted
    judged: Judgement | None = None
    host_key: asyncssh.SSHKey | None = None
    client: "_Client | None" = None
    password_told: str = ""  # which one was offered at last, in words
    keeping: "asyncio.Task[None] | None" = None

    @property
    def vouched(self) -> bool:
        """Whether anybody vouches for the host; of one that an authority has signed there is nothing to judge."""
        return self.judged is None or self.judged.grade in ("console", "known")

    def options(self, keys: Sequence[Offer], said: Theirs) -> dict[str, Any]:
        """What asyncssh is to ask for on one connection, and whom it may believe without asking us."""
        return quick_options(bool(said.authorities), self.evidence.known(said), lasting=self.lasting) | {
            "password": self._password if self.password or self.held else None,
            "known_hosts": lambda _host, _address, _port: ([], list(said.authorities), list(said.revoked)),
            "host_key_alias": self.alias or None,
            "client_factory": lambda: self._client(keys, said),
            "preferred_auth": ["publickey", "keyboard-interactive", "password"],
        }

    def _client(self, keys: Sequence[Offer], said: Theirs) -> "_Client":
        self.client, self.password_told = _Client(self, said, keys), ""
        return self.client

    def _password(self) -> str | None:
        """The password to offer to this host, now that it has shown its key."""
        told = self.password or (self.held if self.vouched else None)
        if told:
            self.password_told = "the password" if self.password else "the password that the cloud told"
        return told.reveal() if told else None

    def judge(self, key: asyncssh.SSHKey, said: Theirs) -> bool:
        """Whether the host key that was shown is trusted; called once per connection."""
        judged = self.evidence.judge(key, said)
        if self.host_key is not None and key != self.host_key:
            judged = judged._replace(grade="changed", text="it shows another key than a moment ago")
        if self.judged is None or not judged.trusted:
            self.judged, self.host_key = judged, key
            if judged.trusted:
                self.keeping = asyncio.create_task(self.evidence.keep(judged, key), name="keep a host key")
                self.told(judged.text)
        return judged.trusted

    async def kept(self) -> None:
        """Wait until the key is in our file, or cannot be kept, which is said of it."""
        try:
            if self.keeping is not None:
                await self.keeping
        except OSError as error:
            if self.judged is not None and self.judged.trusted:
                self.judged = self.judged._replace(text=f"{self.judged.text}; it could not be kept: {error.strerror}")

    def believe(self, connection: asyncssh.SSHClientConnection) -> None:
        """A host that a certificate authority vouches for has shown no key to `judge`."""
        if self.judged is None:
            key = connection.get_server_host_key()
            shown = key.get_fingerprint("sha256") if key is not None else ""
            self.judged = Judgement("known", shown, "certificate", f"{shown}, signed by an authority of yours")
            self.told(self.judged.text)


class _Client(Keys):
    """Hands the host key to whoever judges it, and our keys to the host."""

    def __init__(self, trust: Trust, said: Theirs, keys: Sequence[Offer]) -> None:
        super().__init__(keys)
        self._trust, self._said = trust, said

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._trust.judge(key, self._said)
