"""The first steps to a guest: a socket by name or number, what we ask of SSH, and the keys that we offer."""

import asyncio
import base64
import errno
import functools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh

from console.errors import ProbeFailed
from console.guests.bare import connected
from console.guests.route import MOST_KEYS, Identity
from console.text import clean

# The quick ones first, and none taken away: an old guest must still be reached. What is worth keeping is exchanged in a
# way that no later computer will open; a check alone tells nobody anything, and takes the way that costs a third less.
KEX = "curve25519-sha256,mlkem768x25519-sha256"
LASTING_KEX = "mlkem768x25519-sha256,curve25519-sha256"
CIPHERS = "aes128-gcm@openssh.com"
HOST_KEYS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa",
)  # fmt: skip
HOST_CERTIFICATES = (
    "ssh-ed25519-cert-v01@openssh.com", "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com",
)  # fmt: skip

AGENT_SECONDS = 5.0  # a forwarded agent may be at the end of a dead link
RSA_CERTIFICATE = b"ssh-rsa-cert-v01@openssh.com"

# Nothing that is looked for on this machine for each connection anew.
FEW: dict[str, Any] = {
    "config": None, "client_keys": None, "compression_algs": None, "gss_host": None, "x509_trusted_certs": None,
}  # fmt: skip


class Silent(ProbeFailed):
    """Nothing answers at all: the machine is off, or something in between lets nothing through."""

    def __init__(self, address: str, port: int, seconds: float) -> None:
        said = f"Times out: {address} port {port} does not answer for {round(seconds, 1):g} s"
        super().__init__(f"{said}; it is off, or no security group rule lets tcp/{port} in.", rung="port")
        self.said, self.address, self.port = said, address, port


def quick_options(certificates: bool = False, known: Collection[str] = (), *, lasting: bool = True) -> dict[str, Any]:
    """What every connection asks of asyncssh: the user's config is read by us, and quick algorithms go first.

    `known` are the algorithms of host keys that are known: they go before all others. `lasting` is for connections
    that carry more than a check. Keys are told by the client when it is asked for them: given here, asyncssh would
    look for an agent beside them, for each connection anew.
    """
    return FEW | {
        "server_host_key_algs": (*(HOST_CERTIFICATES if certificates else ()), *_first(known)),
        **_in_order(LASTING_KEX if lasting else KEX),
    }


def _first(known: Collection[str]) -> list[str]:
    """The algorithms of host keys, these in front; RSA keys are known by one name and used by three."""
    return sorted(HOST_KEYS, key=lambda name: ("ssh-rsa" if name.startswith("rsa-") else name) not in known)


@functools.cache
def _in_order(kex: str) -> dict[str, Sequence[str]]:
    """What asyncssh exchanges keys and encrypts by, these first; it would find that out for each connection anew."""
    found: Any = asyncssh.SSHClientConnectionOptions(kex_algs="^" + kex, encryption_algs="^" + CIPHERS, **FEW)
    names = {"kex_algs": found.kex_algs, "encryption_algs": found.encryption_algs}
    return {name: [one.decode("ascii") for one in algorithms] for name, algorithms in names.items()}


class Offer(NamedTuple):
    """A key to log in with, and the file that it came from, where it was no agent."""

    key: Any
    path: Path | None
    of_pair: bool = False  # it is the private half of the key pair that the server was made with

    @property
    def said(self) -> str:
        """Where it came from, in words."""
        home = Path.home()
        if self.path is None:
            return "a key of the agent"
        return f"~/{self.path.relative_to(home)}" if self.path.is_relative_to(home) else str(self.path)

    @property
    def rsa_certificate(self) -> bool:
        """Whether it is a certificate that servers know by one of two names."""
        shown = self.key[1] if isinstance(self.key, tuple) else self.key
        return bool(shown.algorithm == RSA_CERTIFICATE)


def offers(
    identities: Sequence[Identity], agents: Sequence[Any], pair_key: str = "", only: Collection[str] = ()
) -> list[Offer]:
    """Keys to offer, few enough for sshd's patience: that of the server's key pair, files that fit, the agent's.

    `only` are the public halves of what the agent may offer, where that is not everything.
    """
    own = [
        Offer((one.key, one.certificate) if one.certificate else one.key, one.path, _is(one.key, pair_key))
        for one in identities
    ]
    held = {one.key.public_data for one in identities}  # each try counts: none is offered twice
    some = [key for key in agents if not only or any(_is(key, public) for public in only)]
    fit = [key for key in some if key.public_data not in held]
    told = [Offer(key, None, _is(key, pair_key)) for key in fit]
    return sorted([*own, *told], key=lambda offer: not offer.of_pair)[:MOST_KEYS]


def _is(key: Any, public: str) -> bool:
    """Whether this key's public half is that one, in base64."""
    if not public:
        return False
    data = getattr(key, "key_public_data", None) or key.public_data
    return base64.b64encode(data).decode("ascii") == public


async def open_socket(address: str, port: int, seconds: float) -> socket.socket:
    """A connected socket; raises `ProbeFailed` of the rung "port" in words."""
    began = time.monotonic()
    try:
        where = _numeric(address, port)
        if where is None:
            async with asyncio.timeout(seconds):
                where = await _by_name(address, port)
        return await connected(*where, seconds - (time.monotonic() - began))
    except OSError as error:
        raise _no_port(error, address, port, seconds) from error


def _numeric(address: str, port: int) -> tuple[int, Any] | None:
    """The socket address of what is no name, without the thread that asking for a name takes."""
    with suppress(OSError):
        socket.inet_pton(socket.AF_INET, address)
        return socket.AF_INET, (address, port)
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return None
    return found[0][0], found[0][4]


async def _by_name(name: str, port: int) -> tuple[int, Any]:
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return found[0][0], found[0][4]


class Keys(asyncssh.SSHClient):
    """Offers these keys, one after another, once per connection."""

    def __init__(self, keys: Sequence[Offer]) -> None:
        self._left = list(keys)
        self.offered: Offer | None = None  # the last one: once we are in, the one that let us in

    def public_key_auth_requested(self) -> Any:
        """The next one; after the last one it is another way's turn."""
        self.offered = self._left.pop(0) if self._left else None
        if self.offered is None:
            return None
        # asyncssh asks for more before it tries such a certificate by its other name, and forgets it if there is none.
        return [self.offered.key] * (2 if self.offered.rsa_certificate else 1)


Open = Callable[[str, int, float], Awaitable[socket.socket]]


async def first_socket(
    addresses: Sequence[str], port: int, seconds: float, within: float, open: Open = open_socket
) -> tuple[str, socket.socket]:
    """The first address that takes a connection, and the socket; else the failure that tells most is raised.

    The last one is waited for `seconds`, each before it for half of that, and all together for `within` seconds.
    """
    failures: list[ProbeFailed] = []
    until = time.monotonic() + within
    for place, address in enumerate(addresses):
        share = (until - time.monotonic()) / (len(addresses) - place)
        most = seconds if place + 1 == len(addresses) else seconds / 2
        try:
            return address, await open(address, port, max(0.05, min(most, share)))
        except ProbeFailed as failure:
            failures.append(failure)
    raise next((failure for failure in failures if "refuses" in failure.message), failures[0])


@asynccontextmanager
async def agent_keys(path: str, seconds: float = AGENT_SECONDS) -> AsyncIterator[list[Any]]:
    """The keys in the user's agent, for as long as the block lasts; none where no agent tells any in time."""
    agent, keys = None, []
    try:
        try:
            async with asyncio.timeout(min(AGENT_SECONDS, seconds)):
                agent = await asyncssh.connect_agent(path) if path else None
                keys = list(await agent.get_keys()) if agent is not None else []
        except (OSError, ValueError, asyncssh.Error):  # a stale SSH_AUTH_SOCK, or one whose link is dead, is no agent
            keys = []
        yield keys
    finally:
        if agent is not None:
            agent.close()
            await agent.wait_closed()


def _no_port(error: OSError, address: str, port: int, seconds: float) -> ProbeFailed:
    if isinstance(error, TimeoutError):
        return Silent(address, port, seconds)
    if isinstance(error, ConnectionRefusedError):
        return ProbeFailed(f"Port {port} refuses: sshd is not up yet.", rung="port")
    if isinstance(error, socket.gaierror):
        return ProbeFailed(f"{clean(address)} is no address, and no name that can be found.", rung="port")
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return ProbeFailed(f"There is no way from here to {address}.", rung="port")
    return ProbeFailed(f"{address} port {port}: {error.strerror or error}.", rung="port")
