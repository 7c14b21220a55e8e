"""Is this server ready? A ladder of rungs, each timed, that stops at the first that does not hold and says why.

address -> jump hosts -> port -> banner -> host key -> login -> cloud-init -> the caller's own demands. One connection
serves all rungs: the banner is looked at while it is still in the socket, and then the same socket speaks SSH. It gets
addresses, keys and evidence as arguments, fetches nothing, trusts no key silently, and leaves no socket or task
behind, whatever happens.
"""

import asyncio
import functools
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

import asyncssh

from console.errors import ProbeFailed
from console.guests import inside, own
from console.guests.blame import broken, entrance, keyless, nobody
from console.guests.hostkeys import Evidence, Theirs, theirs
from console.guests.jump import Gateway, Proxy, carry, gateway, turns_at
from console.guests.line import Line
from console.guests.own import Demands
from console.guests.reach import Offer, Silent, agent_keys, first_socket, offers, open_socket
from console.guests.report import RUNGS, Report, Rung, Told
from console.guests.route import Route
from console.guests.trust import Trust
from console.text import Secret, clean

__all__ = ["RUNGS", "WINDOWS_PORTS", "Report", "Rung", "Told", "probe", "probe_windows"]

WINDOWS_PORTS = {3389: "Remote Desktop", 5985: "WinRM"}
PORT_SECONDS = 5.0
BANNER_SECONDS = 6.0
WHY_SECONDS = 5.0  # for the cloud to tell why nothing answers

# Why nothing answers at an address and port, in a sentence, as far as the cloud can tell; "" where it cannot.
Why = Callable[[str, int], Awaitable[str]]


async def probe(
    route: Route,
    evidence: Evidence,
    *,
    password: Secret | None = None,
    held: Secret | None = None,
    checks: Sequence[str] = (),
    demands: Demands | None = None,
    last: str = "",
    deadline: float = 30.0,
    entry: float | None = None,
    told: Told | None = None,
    why_silent: Why | None = None,
    within: "Callable[[Any], Awaitable[None]] | None" = None,
) -> Report:
    """Climb the ladder; `told` gets each rung as it is done. It never raises for what the guest does, it reports.

    All is over within `deadline` seconds, and the way in, up to the login, within `entry`, where that is less.
    `last` is the rung after which it is enough ("login"); `within` is called with the open connection at the top.
    `held` is a password that nobody has given for this check: only a host whose key is vouched for gets it.
    """
    wanted = replace(demands or Demands(), commands=(*(demands.commands if demands else ()), *checks))
    lasting = bool(password or held or within is not None)
    ladder = _Ladder(route, evidence, wanted, deadline, entry, told, last, password, held, lasting)
    try:
        await ladder.climb()
        if within is not None and ladder.connection is not None:
            await within(ladder.connection)
    except ProbeFailed as failure:
        await ladder.fail(failure, why_silent)
    finally:
        await ladder.leave()
    return ladder.report()


async def probe_windows(
    route: Route,
    *,
    demands: Demands | None = None,
    deadline: float = 30.0,
    entry: float | None = None,
    told: Told | None = None,
    why_silent: Why | None = None,
) -> Report:
    """The short ladder of a guest that is no SSH server: an address, one of Windows' two ports, HTTP checks."""
    ladder = _Ladder(route, Evidence(), demands or Demands(), deadline, entry, told, "port")
    try:
        await ladder.climb_windows()
    except ProbeFailed as failure:
        await ladder.fail(failure, why_silent)
    finally:
        await ladder.leave()
    return ladder.report()


@dataclass
class _Ladder:
    route: Route
    evidence: Evidence
    demands: Demands
    deadline: float
    entry: float | None
    told: Told | None
    last: str = ""
    password: InitVar[Secret | None] = None
    held: InitVar[Secret | None] = None
    lasting: InitVar[bool] = False
    rungs: list[Rung] = field(default_factory=list)
    address: str = ""
    user: str = ""
    way: str = ""  # by which it let us in
    banner: str = ""
    line: Line | None = None
    connection: asyncssh.SSHClientConnection | None = None
    gateway: Gateway | None = None

    def __post_init__(self, password: Secret | None, held: Secret | None, lasting: bool) -> None:
        told = functools.partial(self._held, "host key")
        self.trust = Trust(self.evidence, self.route.alias, password, held, lasting, told)
        self.port = self.route.port
        self.rung_began = time.monotonic()
        self.until = self.rung_began + self.deadline
        self.in_by = self.rung_began + min(self.deadline, self.entry or self.deadline)
        self.inside, self.setting_up = False, True
        self.open = AsyncExitStack()
        self.names = [name for name in RUNGS if name != "cloud-init" or not self.last]
        if self.route.jumps:
            self.names.insert(1, "jump")
        self.names += [] if self.last else self.demands.rungs()

    # The rungs

    async def climb(self) -> None:
        """All rungs in turn; raises `ProbeFailed` at the first that does not hold."""
        self._held("address", self._first_address())
        if self.route.jumps:
            self._held("jump", await self._through())
        async with turns_at((tuple(hop.name for hop in self.route.jumps), self._first_address(), self.port)).taken():
            self.rung_began = time.monotonic()
            line = await self._arrive()
            self.banner = await line.banner(self.port, self._seconds(BANNER_SECONDS))
            self._held("banner", self.banner)
            self.user = await self._login()
            self.inside = True
            self._held("login", f"{self.user}, {self.way}")
            if self.last:
                return
            said = await self._set_up()
            self.setting_up = not said.startswith(own.DONE)
            self._held("cloud-init", said)
        await self._demanded()

    async def climb_windows(self) -> None:
        """An address, a port that answers, and what HTTP can tell."""
        self.names = [*(name for name in self.names if name in ("address", "jump", "port")), *self.demands.rungs()]
        self._held("address", self._first_address())
        if self.route.jumps:
            self._held("jump", await self._through())
        await self._arrive_windows()
        self.inside = True
        for wanted in self.demands.files:
            text = f"{clean(wanted.path)} cannot be looked at: nobody logs in here"
            if wanted.asked:
                raise ProbeFailed(f"{text}.", rung="file")
            self._held("file", text)
        for url in self.demands.urls:
            self._held("http", await own.often(self.demands, lambda url=url: self._http(url)))  # type: ignore[misc]

    async def _arrive(self) -> Line:
        self.address, sock = await self._first_socket()
        self._held("port", f"{self.address} port {self.port}")
        self.line = Line(sock)
        return self.line

    async def _arrive_windows(self) -> None:
        if self.route.proxy:
            text = (
                "A ProxyCommand leads to sshd alone, so no port of Windows can be looked at; a jump host leads there."
            )
            raise ProbeFailed(text, rung="port")
        failures: list[ProbeFailed] = []
        for self.port, what in WINDOWS_PORTS.items():
            try:
                self.address, sock = await self._first_socket()
                sock.close()
                return self._held("port", f"{self.address} port {self.port} ({what})")
            except ProbeFailed as failure:
                failures.append(failure)
        ports = " and ".join(f"{port} ({what})" for port, what in WINDOWS_PORTS.items())
        if isinstance(failures[0], Silent):
            raise failures[0]
        raise ProbeFailed(f"Ports {ports} take no connection: {failures[0].message}", rung="port")

    async def _first_socket(self) -> tuple[str, socket.socket]:
        return await first_socket(self.route.addresses, self.port, PORT_SECONDS, self._seconds(), self._open)

    def _first_address(self) -> str:
        if not self.route.addresses:
            raise ProbeFailed("It has no address yet.", rung="address")
        return self.route.addresses[0]

    async def _through(self) -> str:
        """The jump hosts, connected or shared."""
        self.gateway = await self.open.enter_async_context(gateway(self.route.jumps))
        try:
            async with asyncio.timeout(self._seconds()):
                await self.gateway.connection(self.evidence.own)
        except TimeoutError:
            name = clean(self.route.jumps[-1].name)
            raise ProbeFailed(f"The jump host {name} does not answer in time.", rung="jump") from None
        return " -> ".join(clean(hop.name) for hop in self.route.jumps)

    async def _open(self, address: str, port: int, seconds: float) -> socket.socket:
        """A socket to the guest by whichever way leads there."""
        if self.gateway is not None:
            return await carry(await self.gateway.connection(self.evidence.own), address, port, seconds)
        if self.route.proxy and self.connection is not None:  # it leads to sshd, and to nothing else of the guest
            return await carry(self.connection, address, port, seconds)
        if self.route.proxy:
            proxy = Proxy(self.route.proxy)
            self.open.push_async_callback(proxy.close)
            return await proxy.start()
        return await open_socket(address, port, seconds)

    async def _login(self) -> str:
        said = theirs(self.route.known_hosts, self.address, self.port, self.route.alias)
        async with agent_keys(self.route.agent, self._seconds() / 2) as agents:  # a silent one leaves time to log in
            keys = offers(self.route.identities, agents, self.route.pair_key, self.route.only)
            tried: list[str] = []
            for user in self.route.users:
                tried.append(user)
                if await self._try(user, keys, said):
                    return user
                if not keys and self.trust.password is None and self.trust.held is None:
                    raise keyless(self.route.notes)
            kept_back = self.trust.held is not None and self.trust.password is None and not self.trust.vouched
            password = self.trust.password is not None or (self.trust.held is not None and not kept_back)
            raise nobody(tried, len(keys), self.route.notes, password=password, kept_back=kept_back)

    async def _try(self, user: str, keys: list[Offer], said: Theirs) -> bool:
        """Log in as this user; False when the guest says no. Raises `ProbeFailed` for all else."""
        line = self.line or Line(await self._open(self.address, self.port, self._seconds(PORT_SECONDS)))
        self.line = line
        seconds = self._seconds()
        try:
            async with asyncio.timeout(seconds):
                self.connection = await asyncssh.connect(
                    self.address, self.port, tunnel=line, username=user, **self.trust.options(keys, said)
                )
        except BaseException as error:
            await self._hang_up()
            if isinstance(error, asyncssh.PermissionDenied):
                return False
            if isinstance(error, asyncssh.Error | OSError | TimeoutError | ValueError):
                raise broken(error, self.trust.judged, seconds) from error
            raise
        self.trust.believe(self.connection)
        assert self.trust.client is not None
        self.way = entrance(self.trust.client.offered, keys, self.trust.password_told, self.route.pair)
        return True

    async def _set_up(self) -> str:
        """Whether the guest has finished its own set-up, as far as cloud-init tells; raises `ProbeFailed`."""
        try:
            code, said = await self._run(own.STATUS, "cloud-init")
            if own.OLDER in said:
                code, said = await self._run(own.STATUS.partition(" --")[0], "cloud-init")
        except inside.NoCommands:
            return "no command can be run here to ask"
        return own.set_up(code, said)

    async def _demanded(self) -> None:
        """What the user himself wants to hold; raises `ProbeFailed`."""
        demands = self.demands
        for wanted in demands.files:
            self._held("file", await self._found(wanted))
        attempts = self._attempts()
        for name, attempt in attempts:
            self._held(name, await own.often(demands, attempt))
        if demands.stable:
            self._held("stable", await self._stable([attempt for _, attempt in attempts]))

    def _attempts(self) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
        urls = [("http", lambda url=url: self._http(url)) for url in self.demands.urls]
        return [
            *urls,
            *(("check", lambda line=line: own.command(self._in("check"), line)) for line in self.demands.commands),
        ]

    async def _found(self, wanted: own.InGuest) -> str:
        """Look until it is there or the time is over: files may come after the guest's start."""
        while True:
            began = time.monotonic()
            try:
                return await own.file(self._in("file"), wanted)
            except own.Unseen as unseen:
                if wanted.asked:
                    raise
                return unseen.message.rstrip(".")
            except inside.NoCommands as failure:
                if wanted.asked:
                    raise
                return f"{clean(wanted.path)} cannot be looked at: {failure.message.rstrip('.')}"
            except ProbeFailed:
                now = time.monotonic()  # another look must have the time that this one took, and more
                if now + 1 + 2 * (now - began) >= self.in_by or not (wanted.late or self.setting_up):
                    raise
            await asyncio.sleep(0.5)

    async def _stable(self, attempts: Sequence[Callable[[], Awaitable[str]]]) -> str:
        """All of it again and again, for as long as it must hold."""
        seconds, rounds = self.demands.stable, 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if time.monotonic() >= self.until:
                raise ProbeFailed(f"The deadline passed before {seconds:g} s were over.", rung="stable")
            for attempt in attempts or [lambda: own.command(self._in("stable"), "true")]:
                try:
                    await attempt()
                except ProbeFailed as failure:
                    raise ProbeFailed(f"It did not hold for {seconds:g} s: {failure.message}", rung="stable") from None
            rounds += 1
            await asyncio.sleep(min(1.0, seconds / 5))
        return f"held for {seconds:g} s, {rounds} times"

    async def _http(self, url: str) -> str:
        return await own.http(lambda host, port: self._open(host, port, self._seconds(PORT_SECONDS)), url, self.address)

    def _in(self, rung: str) -> own.Run:
        return lambda line: self._run(line, rung)

    async def _run(self, command: str, rung: str) -> tuple[int | None, str]:
        assert self.connection is not None
        return await inside.ask(self.connection, command, self._seconds(), rung)

    # Book-keeping

    def _seconds(self, most: float = float("inf")) -> float:
        until = self.until if self.inside else self.in_by
        return max(0.05, min(most, until - time.monotonic()))

    def _held(self, name: str, text: str) -> None:
        self._add(Rung(name, "ok", time.monotonic() - self.rung_began, text))

    async def fail(self, failure: ProbeFailed, why_silent: Why | None = None) -> None:
        """Note the rung that did not hold, and the ones above it as not tried."""
        took, text = time.monotonic() - self.rung_began, failure.message
        if isinstance(failure, Silent) and why_silent is not None:
            with suppress(TimeoutError):  # a cloud that is silent too tells nothing of it
                async with asyncio.timeout(WHY_SECONDS):
                    why = await why_silent(failure.address, failure.port)
                text = f"{failure.said}: {why}" if why else text
        self._add(Rung(failure.rung, "failed", took, text))
        for name in self.names[len(self.rungs) :]:
            self._add(Rung(name, "skipped"))

    def _add(self, rung: Rung) -> None:
        self.rungs.append(rung)
        self.rung_began = time.monotonic()
        if self.told is not None:
            self.told(rung)

    async def leave(self) -> None:
        """Close whatever is open."""
        if self.connection is not None:
            self.connection.abort()
            await self.connection.wait_closed()
        await self._hang_up()
        await self.open.aclose()
        await self.trust.kept()

    async def _hang_up(self) -> None:
        line, self.line = self.line, None
        if line is not None:
            line.close()
            await line.wait_closed()

    def report(self) -> Report:
        """What was found out."""
        rungs, notes = tuple(self.rungs), (*self.route.notes, *(self.gateway.notes if self.gateway else ()))
        return Report(rungs, self.address, self.port, self.user, self.banner, self.trust.judged, notes, self.way)
