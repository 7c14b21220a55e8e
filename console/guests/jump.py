"""Through a bastion: jump hosts and proxy commands, as sockets that the ladder climbs like any other.

A chain of jump hosts is connected once, shared by all checks that are under way through it, and closed with the last
of them. What comes through is carried to one half of a socket pair, so that a port behind a bastion is looked at in
the very same way as one before us. A jump host's own key is judged too: one that contradicts the user's known_hosts,
or what it showed before, is not spoken to. How many logins one sshd has under way at once is bounded here as well,
since OpenSSH begins to drop those beyond its MaxStartups (ten, as it comes).
"""

import asyncio
import os
import signal
import socket
import time
import weakref
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from console.errors import HostKeyChanged, ProbeFailed
from console.guests.hostkeys import Evidence, Judgement, KnownHosts, theirs
from console.guests.reach import Keys, Silent, agent_keys, offers, open_socket, quick_options
from console.guests.route import Hop
from console.text import clean

JUMP_SECONDS = 15.0
PROXY_SECONDS = 1.0  # for a proxy command to end
AT_ONCE = 8  # logins under way at one sshd
PER_SECOND = 25.0  # new ones at one sshd

Loop = asyncio.AbstractEventLoop
Keeping = asyncio.Task[None]


class Turns:
    """Whose turn it is to log in at one sshd."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._next = 0.0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the block lasts."""
        async with self._places:
            now = time.monotonic()
            self._next = max(now, self._next + 1 / PER_SECOND)
            if self._next > now:
                await asyncio.sleep(self._next - now)
            yield


_turns: "weakref.WeakKeyDictionary[Loop, weakref.WeakValueDictionary[Hashable, Turns]]" = weakref.WeakKeyDictionary()


def turns_at(sshd: Hashable) -> Turns:
    """The turns of one sshd, shared by all who hold them at the same time."""
    known = _turns.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    found = known.get(sshd)
    if found is None:
        found = known[sshd] = Turns()
    return found


@dataclass
class Gateway:
    """A chain of jump hosts that is connected, or about to be."""

    hops: tuple[Hop, ...]
    users: int = 0
    opening: "asyncio.Task[asyncssh.SSHClientConnection] | None" = None
    chain: list[asyncssh.SSHClientConnection] = field(default_factory=list)
    proxy: "Proxy | None" = None  # the command that speaks for the first of them
    keeping: "list[Keeping]" = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)  # of keys that nobody vouches for, in words

    async def connection(self, own: KnownHosts | None) -> asyncssh.SSHClientConnection:
        """The connection to the last jump host; raises `ProbeFailed` of the rung "jump"."""
        if self.opening is not None and self.opening.done() and self._lost():
            await self.close()
        if self.opening is None:
            self.opening = asyncio.create_task(self._open(own), name=f"jump {self.hops[-1].name}")
        return await asyncio.shield(self.opening)

    def _lost(self) -> bool:
        failed = self.opening is not None and (self.opening.cancelled() or self.opening.exception() is not None)
        return failed or not self.chain or any(one.is_closed() for one in self.chain)

    async def _open(self, own: KnownHosts | None) -> asyncssh.SSHClientConnection:
        chain = self.chain
        try:
            async with asyncio.timeout(JUMP_SECONDS * len(self.hops)):
                for hop in self.hops:
                    chain.append(await self._enter(hop, own))
        except TimeoutError:
            raise ProbeFailed(f"The jump host {clean(hop.name)} does not answer in time.", rung="jump") from None
        return chain[-1]

    async def _enter(self, hop: Hop, own: KnownHosts | None) -> asyncssh.SSHClientConnection:
        try:
            sock = await self._socket(hop)
        except ProbeFailed as failure:
            raise ProbeFailed(f"The jump host {clean(hop.name)}: {failure.message}", rung="jump") from failure
        try:
            connection, judged = await log_in(hop, sock, own, self.keeping)
        except BaseException:
            sock.close()
            raise
        if judged is not None and judged.grade == "first-use":
            self.notes[f"the jump host {clean(hop.name)} shows {judged.text}"] = None
        return connection

    async def _socket(self, hop: Hop) -> socket.socket:
        if self.chain:
            return await carry(self.chain[-1], hop.address, hop.port, JUMP_SECONDS)
        if hop.proxy:
            self.proxy = Proxy(hop.proxy)
            return await self.proxy.start()
        return await open_socket(hop.address, hop.port, JUMP_SECONDS)

    async def close(self) -> None:
        """End the chain, the last connection first; whoever needs one meanwhile begins a new one."""
        opening, self.opening = self.opening, None
        chain, self.chain = self.chain, []
        proxy, self.proxy = self.proxy, None
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
            if not opening.cancelled():
                opening.exception()  # it was told to those who waited for it
        while chain:
            connection = chain.pop()
            connection.abort()
            await connection.wait_closed()
        if proxy is not None:
            await proxy.close()
        await self._kept()

    async def _kept(self) -> None:
        """Wait until the keys are in our file, or cannot be kept."""
        while self.keeping:
            try:
                await self.keeping.pop()
            except OSError as error:
                self.notes[f"the key of a jump host could not be kept: {error.strerror}"] = None


_gateways: "weakref.WeakKeyDictionary[Loop, dict[Hashable, Gateway]]" = weakref.WeakKeyDictionary()


@asynccontextmanager
async def gateway(hops: tuple[Hop, ...]) -> AsyncIterator[Gateway]:
    """The gateway through these jump hosts, shared with whoever else goes through it at the time."""
    known = _gateways.setdefault(asyncio.get_running_loop(), {})
    key = tuple((hop.user, hop.address, hop.port, hop.alias, hop.proxy) for hop in hops)
    found = known.setdefault(key, Gateway(hops))
    found.users += 1
    try:
        yield found
    finally:
        found.users -= 1
        if not found.users:
            known.pop(key, None)
            await found.close()


class _JumpClient(Keys):
    """Judges a jump host's key, and offers ours."""

    def __init__(self, hop: Hop, own: KnownHosts | None, keys: Sequence[Any], keeping: list[Keeping]) -> None:
        super().__init__(keys)
        self._evidence = Evidence(f"[{hop.address}]:{hop.port}", own=own)
        self._said = theirs(hop.known_hosts, hop.address, hop.port, hop.alias)
        self.judged: Judgement | None = None
        self._keeping = keeping

    def options(self) -> dict[str, Any]:
        """What asyncssh is to ask for, and whom it may believe without asking us."""
        said = self._said
        return quick_options(bool(said.authorities), self._evidence.known(said)) | {
            "known_hosts": lambda _host, _address, _port: ([], list(said.authorities), list(said.revoked)),
        }

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.judged = self._evidence.judge(key, self._said)
        if self.judged.trusted:
            task = asyncio.create_task(self._evidence.keep(self.judged, key), name=f"keep a key of {host}")
            self._keeping.append(task)
        return self.judged.trusted


async def log_in(
    hop: Hop, sock: socket.socket, own: KnownHosts | None, keeping: list[Keeping]
) -> tuple[asyncssh.SSHClientConnection, Judgement | None]:
    """Speak SSH to a jump host; raises `ProbeFailed` of the rung "jump" in words.

    Gives the connection, and who vouches for its key; None where that is an authority of the user's. What is still
    `keeping` the key is to be waited for at the end.
    """
    name = clean(hop.name)
    client: _JumpClient | None = None
    try:
        async with agent_keys(hop.agent) as agents:
            client = _JumpClient(hop, own, offers(hop.identities, agents, only=hop.only), keeping)
            connection = await asyncssh.connect(
                hop.address,
                hop.port,
                sock=sock,
                username=hop.user,
                client_factory=lambda: client,
                host_key_alias=hop.alias or None,
                keepalive_interval=15,
                **client.options(),
            )
            return connection, client.judged
    except ProbeFailed as failure:
        raise ProbeFailed(failure.message, rung="jump") from failure
    except asyncssh.PermissionDenied:
        text = f"The jump host {name} does not let {clean(hop.user)} in with a key of yours."
        raise ProbeFailed(text, rung="jump") from None
    except (asyncssh.Error, OSError, ValueError) as error:
        if client is not None and client.judged is not None and not client.judged.trusted:
            text = f"The host key of the jump host {name} is {client.judged.grade}: {client.judged.text}."
            raise HostKeyChanged(text, rung="jump") from error
        why = clean(getattr(error, "reason", "") or str(error) or type(error).__name__).rstrip(".")
        raise ProbeFailed(f"The jump host {name}: {why}.", rung="jump") from error


class _Near(asyncio.Protocol):
    """Our half of the socket pair: what is written to it goes through the channel."""

    channel: "asyncssh.SSHTCPChannel[bytes] | None" = None
    transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.channel is not None and not self.channel.is_closing():
            self.channel.write(data)

    def pause_writing(self) -> None:
        if self.channel is not None:
            self.channel.pause_reading()

    def resume_writing(self) -> None:
        if self.channel is not None:
            self.channel.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self.channel is not None:
            self.channel.abort()


class _Far(asyncssh.SSHTCPSession[bytes]):
    """The bastion's half: what comes out of the channel is written to the pair."""

    def __init__(self, near: _Near) -> None:
        self._near = near

    def connection_made(self, chan: "asyncssh.SSHTCPChannel[bytes]") -> None:
        self._near.channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._near.transport is not None:
            self._near.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._near.channel = None
        if self._near.transport is not None:
            self._near.transport.close()


async def carry(connection: asyncssh.SSHClientConnection, address: str, port: int, seconds: float) -> socket.socket:
    """A socket to this address as the jump host sees it; raises `ProbeFailed` of the rung "port" in words."""
    ours, pair = socket.socketpair()
    ours.setblocking(False)
    near = _Near()
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: near, sock=pair)
    try:
        async with asyncio.timeout(seconds):
            await connection.create_connection(lambda: _Far(near), address, port)
            return ours
    except BaseException as error:
        ours.close()
        transport.abort()
        if isinstance(error, asyncssh.ChannelOpenError | TimeoutError | asyncssh.Error | OSError):
            raise _no_way(error, address, port, seconds) from error
        raise


def _no_way(error: BaseException, address: str, port: int, seconds: float) -> ProbeFailed:
    reason = clean(getattr(error, "reason", "") or str(error))
    lower = reason.lower()
    if isinstance(error, TimeoutError) or "timed out" in lower:
        return Silent(address, port, seconds)
    if "refused" in lower:
        return ProbeFailed(f"Port {port} refuses: sshd is not up yet.", rung="port")
    # OpenSSH says "open failed" of both; only the code tells a refusal from a connection that came to nothing.
    if getattr(error, "code", None) == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return ProbeFailed("The jump host forwards nothing: AllowTcpForwarding is off there.", rung="port")
    if "route" in lower or "unreachable" in lower:
        return ProbeFailed(f"There is no way from the jump host to {address}.", rung="port")
    return ProbeFailed(f"The jump host reaches no {address} port {port}: {reason.rstrip('.')}.", rung="port")


class Proxy:
    """A proxy command under way: its end of a socket pair is its standard input and output."""

    def __init__(self, command: str) -> None:
        self.command = command
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> socket.socket:
        """Run it, as ssh would; raises `ProbeFailed` of the rung "port"."""
        ours, pair = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                os.environ.get("SHELL") or "/bin/sh",
                "-c",
                f"exec {self.command}",
                stdin=pair.fileno(),
                stdout=pair.fileno(),
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ProbeFailed(f"The ProxyCommand cannot be run: {error.strerror}.", rung="port") from error
        finally:
            pair.close()
        return ours

    async def close(self) -> None:
        """End it, and whatever it began; one that does not want to end is given a moment."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(PROXY_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.killpg(self._process.pid, number)
