"""Is this server ready? A ladder of rungs, each timed, that stops at the first that does not hold and says why.

address -> port -> banner -> host key -> login -> cloud-init -> the caller's own commands. One connection serves all
rungs: the banner is looked at while it is still in the socket, and then the same socket speaks SSH. It gets addresses,
keys and evidence as arguments, fetches nothing, trusts no key silently, and leaves no socket or task behind, whatever
happens.
"""

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import asyncssh

from console.errors import HostKeyChanged, ProbeFailed
from console.guests.hostkeys import Evidence, Judgement, Theirs, theirs
from console.guests.reach import agent_keys, first_socket, open_socket, read_banner
from console.guests.route import Identity, Route
from console.text import Secret, clean

RUNGS = ("address", "port", "banner", "host key", "login", "cloud-init")
PORT_SECONDS = 5.0
BANNER_SECONDS = 6.0
LOGIN_SECONDS = 20.0
COMMAND_SECONDS = 20.0

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
    checks: Sequence[str] = (),
    deadline: float = 30.0,
    told: Told | None = None,
) -> Report:
    """Climb the ladder; `told` gets each rung as it is done. It never raises for what the guest does, it reports."""
    ladder = _Ladder(route, evidence, password, tuple(checks), deadline, told)
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
    checks: tuple[str, ...]
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
        seconds = self._seconds(PORT_SECONDS)
        self.address, self.sock = await first_socket(self.route.addresses, self.route.port, seconds)
        self._held("port", f"{self.address} port {self.route.port}")
        self.banner = await read_banner(self.sock, self.route.port, self._seconds(BANNER_SECONDS))
        self._held("banner", self.banner)
        self.user = await self._login()
        self._held("login", self.user)
        self._held("cloud-init", await self._set_up())
        for command in self.checks:
            self._held("check", await self._check(command))

    def _first_address(self) -> str:
        if not self.route.addresses:
            raise ProbeFailed("It has no address yet.", rung="address")
        return self.route.addresses[0]

    async def _login(self) -> str:
        said = theirs(self.route.known_hosts, self.route.alias or self.address, self.address, self.route.port)
        async with agent_keys(self.route.agent) as agents:
            keys = _client_keys(self.route.identities, agents)
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
        sock = self.sock or await open_socket(self.address, self.route.port, self._seconds(PORT_SECONDS))
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

    async def _set_up(self) -> str:
        """Whether the guest has finished its own set-up, as far as cloud-init tells; raises `ProbeFailed`."""
        try:
            code, said = await self._run("cloud-init status --format json", "cloud-init")
        except _NoCommands:
            return "no command can be run here to ask"
        try:
            told = json.loads(said)
            status, errors = str(told["status"]), told.get("errors") or []
        except (ValueError, KeyError, TypeError, AttributeError):
            old = re.match(r"status: (\w+)", said)
            if old is None:
                return "there is no cloud-init here" if code else "cloud-init tells nothing"
            status, errors = old[1], []
        if status in ("done", "disabled"):
            return f"cloud-init is {status}" + (", with some errors it got over" if code else "")
        why = f": {clean(str(errors[0]))[:200]}" if errors else ""
        raise ProbeFailed(f"cloud-init is in status {clean(status)}{why}.", rung="cloud-init")

    async def _check(self, command: str) -> str:
        """One of the caller's own checks: a command that must end with 0; raises `ProbeFailed`."""
        code, said = await self._run(command, "check")
        last = clean(said.strip().rpartition("\n")[2])[:200]
        if code != 0:
            ended = f"ends with {code}" if code is not None else "was killed"
            raise ProbeFailed(f"{clean(command)!r} {ended}{': ' if last else ''}{last}.", rung="check")
        return f"{clean(command)}{': ' if last else ''}{last}"

    async def _run(self, command: str, rung: str) -> tuple[int | None, str]:
        """A command's exit code (None when it was killed) and the begin of what it said."""
        assert self.connection is not None
        seconds = self._seconds(COMMAND_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                done = await self.connection.run(command, stderr=asyncssh.STDOUT, errors="replace")
        except TimeoutError:
            raise ProbeFailed(f"{clean(command)!r} did not end within {seconds:.3g} s.", rung=rung) from None
        except asyncssh.ChannelOpenError as error:
            raise _NoCommands(f"No command can be run: {clean(error.reason)}.", rung=rung) from error
        except (asyncssh.Error, OSError) as error:
            why = clean(getattr(error, "reason", "") or str(error)).rstrip(".")
            raise ProbeFailed(f"{clean(command)!r} could not be run: {why}.", rung=rung) from error
        return done.exit_status, str(done.stdout or "")[:8000]

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
        for name in (*RUNGS, *("check" for _ in self.checks))[len(self.rungs) :]:
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


class _NoCommands(ProbeFailed):
    """The guest lets us in and runs nothing for us."""


class _Client(asyncssh.SSHClient):
    """Hands the host key to the ladder."""

    def __init__(self, ladder: _Ladder, said: Theirs) -> None:
        self._ladder, self._said = ladder, said

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._ladder.judge(key, self._said)


def _client_keys(identities: Sequence[Identity], agent_keys: Sequence[Any]) -> list[Any]:
    """Keys to offer: files that fit first, then the agent's, few enough for sshd's patience."""
    own: list[Any] = [(one.key, one.certificate) if one.certificate else one.key for one in identities]
    return [*own, *agent_keys][:5]
