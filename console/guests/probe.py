"""Is this server ready? A ladder of rungs, each timed, that stops at the first that does not hold and says why.

address -> port -> banner -> host key -> login. One connection serves all rungs: the banner is looked at while it is
still in the socket, and then the same socket speaks SSH. It gets addresses, keys and evidence as arguments, fetches
nothing, trusts no key silently, and leaves no socket or task behind, whatever happens.
"""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import asyncssh

from console.errors import HostKeyChanged, ProbeFailed
from console.guests.hostkeys import Evidence, Judgement, Theirs, theirs
from console.guests.route import Identity, Route
from console.text import Secret, clean

RUNGS = ("address", "port", "banner", "host key", "login")
PORT_SECONDS = 5.0
BANNER_SECONDS = 6.0
LOGIN_SECONDS = 20.0

# The quick ones first, and none taken away: an old guest must still be reached.
KEX = "mlkem768x25519-sha256,curve25519-sha256"
CIPHERS = "aes128-gcm@openssh.com"
HOST_KEYS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa",
)  # fmt: skip
HOST_CERTIFICATES = (
    "ssh-ed25519-cert-v01@openssh.com", "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com",
)  # fmt: skip


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder: whether it held, how long it took (seconds), and what there is to say."""

    name: str
    state: Literal["ok", "failed", "skipped"]
    took: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Report:
    """What a check found out."""

    rungs: tuple[Rung, ...]
    address: str = ""
    port: int = 22
    user: str = ""
    banner: str = ""
    host_key: Judgement | None = None
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether every rung held."""
        return all(rung.state == "ok" for rung in self.rungs)

    @property
    def failed(self) -> Rung | None:
        """The rung that did not hold."""
        return next((rung for rung in self.rungs if rung.state == "failed"), None)

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        judged = self.host_key
        return {
            "ready": self.ready,
            "address": self.address or None,
            "port": self.port,
            "user": self.user or None,
            "banner": self.banner or None,
            "host_key": None
            if judged is None
            else {
                "grade": judged.grade,
                "fingerprint": judged.fingerprint,
                "algorithm": judged.algorithm,
                "expected": list(judged.expected),
            },
            "rungs": [
                {"name": rung.name, "state": rung.state, "seconds": round(rung.took, 3), "text": rung.text}
                for rung in self.rungs
            ],
            "notes": list(self.notes),
        }


Told = Callable[[Rung], None]


async def probe(
    route: Route,
    evidence: Evidence,
    *,
    password: Secret | None = None,
    deadline: float = 30.0,
    told: Told | None = None,
) -> Report:
    """Climb the ladder; `told` gets each rung as it is done. It never raises for what the guest does, it reports."""
    ladder = _Ladder(route, evidence, password, deadline, told)
    try:
        await ladder.climb()
    except ProbeFailed as failure:
        ladder.fail(failure)
    finally:
        await ladder.leave()
    return ladder.report()


@dataclass
class _Ladder:
    route: Route
    evidence: Evidence
    password: Secret | None
    deadline: float
    told: Told | None
    rungs: list[Rung] = field(default_factory=list)
    address: str = ""
    user: str = ""
    banner: str = ""
    judged: Judgement | None = None
    host_key: asyncssh.SSHKey | None = None
    sock: socket.socket | None = None
    connection: asyncssh.SSHClientConnection | None = None

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.deadline
        self.rung_began = time.monotonic()

    # The rungs

    async def climb(self) -> None:
        """All rungs in turn; raises `ProbeFailed` at the first that does not hold."""
        self._held("address", self._first_address())
        await self._connect()
        self._held("port", f"{self.address} port {self.route.port}")
        self.banner = await self._banner()
        self._held("banner", self.banner)
        self.user = await self._login()
        self._held("login", self.user)

    def _first_address(self) -> str:
        if not self.route.addresses:
            raise ProbeFailed("It has no address yet.", rung="address")
        return self.route.addresses[0]

    async def _connect(self) -> None:
        """A socket to the first address that takes it; else the failure that tells most."""
        failures: list[ProbeFailed] = []
        for place, address in enumerate(self.route.addresses):
            left = len(self.route.addresses) - place
            try:
                self.sock = await self._socket(address, self._seconds(PORT_SECONDS if left == 1 else PORT_SECONDS / 2))
            except ProbeFailed as failure:
                failures.append(failure)
            else:
                self.address = address
                return
        raise next((failure for failure in failures if "refuses" in failure.message), failures[0])

    async def _socket(self, address: str, seconds: float) -> socket.socket:
        port = self.route.port
        loop = asyncio.get_running_loop()
        sock: socket.socket | None = None
        try:
            async with asyncio.timeout(seconds):
                found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
                sock = socket.socket(found[0][0], socket.SOCK_STREAM)
                sock.setblocking(False)
                await loop.sock_connect(sock, found[0][4])
                return sock
        except BaseException as error:
            if sock is not None:
                sock.close()
            if isinstance(error, OSError | TimeoutError):
                raise ProbeFailed(_no_port(error, address, port, seconds), rung="port") from error
            raise

    async def _banner(self) -> str:
        """The line that names the SSH server, left in the socket for asyncssh."""
        assert self.sock is not None
        seconds = self._seconds(BANNER_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                return await _peek_banner(self.sock, self.route.port)
        except TimeoutError:
            raise ProbeFailed(
                f"The banner never came: port {self.route.port} takes the connection and says nothing for"
                f" {seconds:.3g} s.",
                rung="banner",
            ) from None
        except OSError as error:
            raise ProbeFailed(f"The connection broke before the banner: {error.strerror}.", rung="banner") from error

    async def _login(self) -> str:
        said = theirs(self.route.known_hosts, self.route.alias or self.address, self.address, self.route.port)
        async with _agent_keys(self.route.agent) as agent_keys:
            keys = _client_keys(self.route.identities, agent_keys)
            tried: list[str] = []
            for user in self.route.users:
                tried.append(user)
                if await self._try(user, keys, said):
                    return user
                if not keys and self.password is None:
                    raise ProbeFailed(f"There is no key of yours to log in with.{self._passed_over()}", rung="login")
            raise ProbeFailed(self._nobody(tried, keys), rung="login")

    async def _try(self, user: str, keys: list[Any], said: Theirs) -> bool:
        """Log in as this user; False when the guest says no. Raises `ProbeFailed` for all else."""
        sock = self.sock or await self._socket(self.address, self._seconds(PORT_SECONDS))
        self.sock = None
        seconds = self._seconds(LOGIN_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                self.connection = await asyncssh.connect(
                    self.address, self.route.port, sock=sock, username=user, **self._options(keys, said)
                )
        except BaseException as error:
            sock.close()
            if isinstance(error, asyncssh.PermissionDenied):
                return False
            if isinstance(error, asyncssh.Error | OSError | TimeoutError | ValueError):
                raise self._broken(error, seconds) from error
            raise
        self._judge_certificate()
        return True

    def _options(self, keys: list[Any], said: Theirs) -> dict[str, Any]:
        return {
            "config": None,
            "client_keys": keys or None,
            "agent_path": None,
            "password": self.password.reveal() if self.password else None,
            "known_hosts": lambda _host, _address, _port: ([], list(said.authorities), list(said.revoked)),
            "client_factory": lambda: _Client(self, said),
            "server_host_key_algs": (*(HOST_CERTIFICATES if said.authorities else ()), *HOST_KEYS),
            "kex_algs": "^" + KEX,
            "encryption_algs": "^" + CIPHERS,
            "compression_algs": None,
            "gss_host": None,
            "x509_trusted_certs": None,
            "preferred_auth": ["publickey", "keyboard-interactive", "password"],
        }

    def judge(self, key: asyncssh.SSHKey, said: Theirs) -> bool:
        """Whether the host key that was shown is trusted; called once per connection."""
        judged = self.evidence.judge(key, said)
        if self.host_key is not None and key != self.host_key:
            judged = judged._replace(grade="changed", text="it shows another key than a moment ago")
        if self.judged is None or not judged.trusted:
            self.judged, self.host_key = judged, key
            if judged.trusted:
                self._keep(judged, key)
                self._held("host key", judged.text)
        return judged.trusted

    def _keep(self, judged: Judgement, key: asyncssh.SSHKey) -> None:
        try:
            self.evidence.keep(judged, key)
        except OSError as error:
            self.judged = judged._replace(text=f"{judged.text}; it could not be kept: {error.strerror}")

    def _judge_certificate(self) -> None:
        """A host that a certificate authority vouches for has shown no key to `judge`."""
        if self.judged is None and self.connection is not None:
            key = self.connection.get_server_host_key()
            shown = key.get_fingerprint("sha256") if key is not None else ""
            self.judged = Judgement("known", shown, "certificate", f"{shown}, signed by an authority of yours")
            self._held("host key", self.judged.text)

    # Failures in words

    def _broken(self, error: BaseException, seconds: float) -> ProbeFailed:
        if self.judged is not None and not self.judged.trusted:
            text = self.judged.text
            return HostKeyChanged(f"The host key is {self.judged.grade}: {text}.", rung="host key")
        rung = "login" if self.judged is not None else "host key"
        if isinstance(error, TimeoutError):
            return ProbeFailed(f"No {rung} within {seconds:.3g} s: sshd stopped answering.", rung=rung)
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return HostKeyChanged(f"The host key is not trusted: {clean(error.reason)}.", rung="host key")
        if isinstance(error, asyncssh.KeyExchangeFailed):
            return ProbeFailed(f"No common algorithm: {clean(error.reason)}.", rung="host key")
        if isinstance(error, asyncssh.ConnectionLost | ConnectionError):
            return ProbeFailed(f"The connection broke at the {rung}: sshd went away.", rung=rung)
        reason = getattr(error, "reason", "") or str(error) or type(error).__name__
        return ProbeFailed(f"At the {rung} sshd says: {clean(reason).rstrip('.')}.", rung=rung)

    def _nobody(self, tried: Sequence[str], keys: Sequence[Any]) -> str:
        users = " or ".join(tried)
        ways = [f"{len(keys)} key{'s' if len(keys) != 1 else ''}"] if keys else []
        ways += ["the password"] if self.password else []
        return f"Nobody lets {clean(users)} in with {' or '.join(ways)}.{self._passed_over()}"

    def _passed_over(self) -> str:
        return f" {'; '.join(self.route.notes)}." if self.route.notes else ""

    # Book-keeping

    def _seconds(self, most: float) -> float:
        return max(0.05, min(most, self.until - time.monotonic()))

    def _held(self, name: str, text: str) -> None:
        self._add(Rung(name, "ok", time.monotonic() - self.rung_began, text))

    def fail(self, failure: ProbeFailed) -> None:
        """Note the rung that did not hold, and the ones above it as not tried."""
        self._add(Rung(failure.rung, "failed", time.monotonic() - self.rung_began, failure.message))
        for name in RUNGS[len(self.rungs) :]:
            self._add(Rung(name, "skipped"))

    def _add(self, rung: Rung) -> None:
        self.rungs.append(rung)
        self.rung_began = time.monotonic()
        if self.told is not None:
            self.told(rung)

    async def leave(self) -> None:
        """Close whatever is open."""
        if self.sock is not None:
            self.sock.close()
        if self.connection is not None:
            self.connection.abort()
            await self.connection.wait_closed()

    def report(self) -> Report:
        """What was found out."""
        rungs, notes = tuple(self.rungs), self.route.notes
        return Report(rungs, self.address, self.route.port, self.user, self.banner, self.judged, notes)


class _Client(asyncssh.SSHClient):
    """Hands the host key to the ladder."""

    def __init__(self, ladder: _Ladder, said: Theirs) -> None:
        self._ladder, self._said = ladder, said

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._ladder.judge(key, self._said)


async def _peek_banner(sock: socket.socket, port: int) -> str:
    """Wait until the banner is in the socket; what comes stays there."""
    seen = 0
    while True:
        await _readable(sock)
        data = sock.recv(8192, socket.MSG_PEEK)
        for line in data.split(b"\n")[:-1]:
            if line.startswith(b"SSH-"):
                return clean(line.decode("utf-8", "replace").strip())
        if not data:
            raise ProbeFailed(
                f"Port {port} closes the connection before the banner: sshd is starting, or takes no more.",
                rung="banner",
            )
        if len(data) >= 8192 or data.startswith((b"HTTP/", b"RFB ", b"220 ")):
            first = clean(data.split(b"\n")[0].decode("utf-8", "replace").strip())
            raise ProbeFailed(f"Port {port} does not speak SSH: it says {first[:60]!r}.", rung="banner")
        if len(data) == seen:  # what is there stays readable: look again later rather than at once
            await asyncio.sleep(0.02)
        seen = len(data)


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


class _agent_keys:
    """The keys in the user's agent, for as long as the block lasts; none where there is no agent."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.agent: asyncssh.SSHAgentClient | None = None

    async def __aenter__(self) -> list[Any]:
        if not self.path:
            return []
        try:
            self.agent = await asyncssh.connect_agent(self.path)
            return list(await self.agent.get_keys())
        except (OSError, ValueError, asyncssh.Error):  # a stale SSH_AUTH_SOCK is as good as none
            return []

    async def __aexit__(self, *_: object) -> None:
        if self.agent is not None:
            self.agent.close()
            await self.agent.wait_closed()


def _client_keys(identities: Sequence[Identity], agent_keys: Sequence[Any]) -> list[Any]:
    """Keys to offer: files that fit first, then the agent's, few enough for sshd's patience."""
    own: list[Any] = [(one.key, one.certificate) if one.certificate else one.key for one in identities]
    return [*own, *agent_keys][:5]


def _no_port(error: OSError, address: str, port: int, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        silent = f"Times out: {address} port {port} does not answer for {seconds:.3g} s"
        return f"{silent}; it is off, or no security group rule lets tcp/{port} in."
    if isinstance(error, ConnectionRefusedError):
        return f"Port {port} refuses: sshd is not up yet."
    if isinstance(error, socket.gaierror):
        return f"{clean(address)} is no address, and no name that can be found."
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return f"There is no way from here to {address}."
    return f"{address} port {port}: {error.strerror or error}."
