"""The guests: real SSH servers on loopback that live and die with the servers they belong to.

At most a given number of servers has one; at every other server's address nothing listens, so that it refuses.
A guest has its own host keys (new ones after a rebuild), which its server's console log shows exactly as
cloud-init prints them.  Where port 22 of its own loopback address cannot be had, it listens on some port of
127.0.0.1, and the server's metadata says so under `lab_ssh_at`.

A server's metadata can make its guest difficult: `lab_ssh` (no, silent), `lab_ssh_delay`, `lab_hostkey` (lie),
`lab_console_delay` (seconds for which the console shows what it showed before), `lab_files` (no: none are written),
`lab_files_delay`, and `lab_sudo` (no: nobody but root is root).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import asyncssh

from console.sim import disk
from console.sim.clock import Clock
from console.sim.console_log import boot_text, first_boot_text
from console.sim.guest_login import Guest, Login, new_keys
from console.sim.records import Server
from console.sim.shell import Seat, run
from console.sim.stillness import Stillness

LOG = logging.getLogger(__name__)


class GuestHouse:
    """Every guest of an estate; `room` of them at most."""

    def __init__(self, clock: Clock, room: int, port: int = 22) -> None:
        self.clock = clock
        self.room = room
        self.port = port
        self.guests: dict[str, Guest] = {}
        self.image_name: Callable[[Server], str] = lambda server: "Linux"
        self.shut_down_from_inside: Callable[[Server, bool], None] = lambda server, again: None
        self._changed: asyncio.Queue[Guest] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._early: list[Guest] = []
        clock.settlers.append(self.settled)

    # What happens to servers

    def create(self, server: Server, old: bool = False) -> None:
        """A new disk boots for the first time: new host keys, a new console, its files (`old` as of the first days)."""
        if not (
            server.console and _seconds(server, "lab_console_delay")
        ):  # a late one shows the old disk's for a while
            server.console = ""
        guest = self.guests.get(server.id)
        if guest is None and len(self.guests) < self.room and server.ports:
            guest = self.guests[server.id] = Guest(server, still=Stillness(self.clock.time, self.clock.after))
        if guest is None:
            server.console = None
            return
        guest.keys, guest.shown, guest.rescued = new_keys(server.hostname), False, False
        guest.image = self.image_name(server)
        self._furnish(guest, old)
        self.boot(server, wait=1.5)

    def _furnish(self, guest: Guest, old: bool) -> None:
        """What the image brings is there at once; what was ordered may come late."""
        files = guest.files = disk.of_image(guest.image)
        server = guest.server

        def write() -> None:
            disk.put(files, server.personality, int(self.clock.time()), old)
            disk.set_up(files, server.user_data, self.clock.now().strftime("%Y%m%dT%H%M%SZ"))
            guest.written = True

        late = _seconds(server, "lab_files_delay")
        guest.written = server.metadata.get("lab_files") == "no"
        if not guest.written:
            self.clock.after(late, write) if late else write()

    def boot(self, server: Server, wait: float = 0.6) -> None:
        """Switched on: sshd answers after a while, and what the boot says is on the console."""
        guest = self.guests.get(server.id)
        if guest is None:
            if server.console is not None:
                server.console += boot_text(server.hostname, self.clock)
            return
        guest.serial += 1
        guest.still.boot()
        serial, guest.booted = guest.serial, self.clock.time()
        self._want(guest, "off")
        self.clock.after(wait + _seconds(server, "lab_ssh_delay"), lambda: self._up(guest, serial))

    def _up(self, guest: Guest, serial: int) -> None:
        if guest.serial != serial:
            return
        server = guest.server
        keys = guest.rescue_keys if guest.rescued else guest.keys
        if not guest.shown or guest.rescued:
            shown = new_keys(server.hostname) if server.metadata.get("lab_hostkey") == "lie" else keys
            self._print(guest, first_boot_text(server.hostname, shown, self.clock, guest.image))
            guest.shown = True
        else:
            self._print(guest, boot_text(server.hostname, self.clock))
        self._want(guest, {"no": "off", "silent": "silent"}.get(server.metadata.get("lab_ssh", ""), "ssh"))

    def _print(self, guest: Guest, text: str) -> None:
        """Onto the console, which may be slower than the guest."""
        server, serial, late = guest.server, guest.serial, _seconds(guest.server, "lab_console_delay")

        def come() -> None:
            if guest.serial == serial:
                server.console = (server.console or "") + text

        self.clock.after(late, come) if late else come()

    def off(self, server: Server) -> None:
        """Switched off: the port refuses."""
        self._turn(server, "off")

    def freeze(self, server: Server) -> None:
        """Paused or suspended: connections are accepted and nobody speaks."""
        self._turn(server, "silent")

    def thaw(self, server: Server) -> None:
        """Going on where it stood."""
        self._turn(server, "off" if server.metadata.get("lab_ssh") == "no" else "ssh")

    def _turn(self, server: Server, wanted: str) -> None:
        guest = self.guests.get(server.id)
        if guest is not None:
            guest.serial += 1
            self._want(guest, wanted)

    def rescue(self, server: Server) -> None:
        """Boots from the rescue image, which has keys of its own."""
        guest = self.guests.get(server.id)
        if guest is not None:
            guest.rescued, guest.rescue_keys = True, new_keys(server.hostname)
        self.boot(server)

    def unrescue(self, server: Server) -> None:
        """Boots from its own disk again."""
        guest = self.guests.get(server.id)
        if guest is not None:
            guest.rescued = False
        self.boot(server)

    def forget(self, server: Server) -> None:
        """The disk is gone."""
        guest = self.guests.pop(server.id, None)
        if guest is not None:
            guest.serial += 1
            self._want(guest, "off")

    def console(self, server: Server) -> str:
        """All that the server's console shows; a server without a guest has keys that nobody serves."""
        if server.console is None:
            server.console = first_boot_text(
                server.hostname, new_keys(server.hostname), self.clock, self.image_name(server), server.launched
            )
        return server.console

    # The network

    async def start(self) -> None:
        """Begin to listen where guests should."""
        self._changed = asyncio.Queue()
        for guest in self._early:
            self._changed.put_nowait(guest)
        self._early.clear()
        self._worker = asyncio.create_task(self._work(), name="guests")

    async def stop(self) -> None:
        """Every guest is gone when this returns."""
        for guest in list(self.guests.values()):
            guest.serial += 1
            self._want(guest, "off")
        await self.settled()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
        for guest in self.guests.values():
            await self._close(guest)
        self._changed = None
        await asyncio.sleep(0)  # those that were accepted at the very end are met now

    async def settled(self) -> None:
        """Wait until every guest is what it should be, or nobody is left to see to it."""
        if self._changed is None or self._worker is None:
            return
        joined = asyncio.ensure_future(self._changed.join())
        await asyncio.wait({joined, self._worker}, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()

    def _want(self, guest: Guest, wanted: str) -> None:
        guest.wanted = wanted
        if self._changed is None:
            self._early.append(guest)
        else:
            self._changed.put_nowait(guest)

    async def _work(self) -> None:
        queue = self._changed
        while queue is not None:
            guest = await queue.get()
            try:
                await self._apply(guest)
            except (OSError, asyncssh.Error) as error:
                LOG.warning("the guest of %s cannot listen: %s", guest.server.name, error)
            finally:
                queue.task_done()

    async def _apply(self, guest: Guest) -> None:
        wanted = guest.wanted
        await self._close(guest)
        if wanted == "off":
            return
        for address in guest_addresses(guest.server):
            await self._listen(guest, address, wanted)

    async def _close(self, guest: Guest) -> None:
        guest.era += 1
        for listener in guest.listeners:
            listener.close()
        for transport in list(guest.open):
            transport.abort() if isinstance(transport, asyncio.Transport) else transport.close()
        # A connection that was only just accepted belongs to nobody yet: it is not waited for, and ends when it is met.
        waits = [asyncio.ensure_future(listener.wait_closed()) for listener in guest.listeners]
        if waits:
            _, late = await asyncio.wait(waits, timeout=1)
            for wait in late:
                wait.cancel()
        guest.listeners.clear()
        guest.open.clear()

    async def _listen(self, guest: Guest, address: str, wanted: str) -> None:
        try:
            guest.listeners.append(await self._open(guest, address, self.port, wanted))
            guest.place = (address, self.port)
        except OSError:
            host, port = guest.place if guest.place and guest.place[0] == "127.0.0.1" else ("127.0.0.1", 0)
            try:
                listener = await self._open(guest, host, port, wanted)
            except OSError:  # while the guest was off, somebody else was given its port
                listener = await self._open(guest, host, 0, wanted)
            guest.listeners.append(listener)
            guest.place = ("127.0.0.1", listener.sockets[0].getsockname()[1])
            guest.server.metadata["lab_ssh_at"] = f"127.0.0.1:{guest.place[1]}"
            guest.server.stale()

    async def _open(self, guest: Guest, host: str, port: int, wanted: str) -> asyncssh.SSHAcceptor | asyncio.Server:
        plug = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            plug.bind((host, port))
            plug.listen(128)  # here it is told when somebody else listens there already
        except OSError:
            plug.close()
            raise
        era = guest.era
        if wanted == "silent":

            async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                guest.met(writer.transport, era)

            return await asyncio.start_server(mute, sock=plug)
        return await asyncssh.listen(
            sock=plug,
            server_factory=lambda: Login(guest, era),
            server_host_keys=guest.rescue_keys if guest.rescued else guest.keys,
            process_factory=lambda process: self._session(guest, process),
            allow_scp=False,
            server_version="OpenSSH_9.2p1 Debian-2+deb12u2",
            login_timeout=30,
            gss_host=None,  # else the machine's own name is looked up in the DNS at each login
            x509_trusted_certs=None,
        )

    # Inside

    def seat(self, guest: Guest, user: str) -> Seat:
        """The machine as a command sees it now."""
        up = max(1.0, self.clock.time() - guest.booted)
        settled = self.clock.speed == 0 or up * self.clock.speed >= 3.0
        settled = settled and (guest.written or not guest.server.user_data)
        clock = self.clock.now().strftime("%H:%M:%S")
        sudo = guest.server.metadata.get("lab_sudo") != "no"
        still, files = guest.still, guest.files
        return Seat(
            guest.server.hostname, user, up, clock, guest.server.id, settled, guest.image, still, files=files, sudo=sudo
        )

    async def _session(self, guest: Guest, process: asyncssh.SSHServerProcess[str]) -> None:
        user = process.get_extra_info("username") or "root"
        if process.command is not None:
            script = await process.stdin.read() if process.command.split()[-2:] == ["sh", "-s"] else ""
            said = run(self.seat(guest, user), script or process.command)
            process.stdout.write(said.out)
            process.stderr.write(said.err)
            process.exit(said.code)
            self._power(guest, said.power)
            return
        await self._interactive(guest, user, process)

    async def _interactive(self, guest: Guest, user: str, process: asyncssh.SSHServerProcess[str]) -> None:
        prompt = f"{user}@{guest.server.hostname}:~# "
        process.stdout.write(prompt)
        async for line in process.stdin:
            said = run(self.seat(guest, user), line.strip())
            process.stdout.write(said.out)
            process.stderr.write(said.err)
            if said.power or line.strip() in ("exit", "logout"):
                process.exit(said.code)
                self._power(guest, said.power)
                return
            process.stdout.write(prompt)
        process.exit(0)

    def _power(self, guest: Guest, asked: str) -> None:
        if asked:
            self.clock.after(0.2, lambda: self.shut_down_from_inside(guest.server, asked == "reboot"))

    def where(self, server_id: str) -> tuple[str, int] | None:
        """Where a server's guest listens; None where it has none, or it is off."""
        guest = self.guests.get(server_id)
        return guest.place if guest is not None and guest.listeners else None


def _seconds(server: Server, knob: str) -> float:
    """What a knob in a server's metadata says."""
    try:
        return float(server.metadata.get(knob, "0"))
    except ValueError:
        return 0.0


def guest_addresses(server: Server) -> list[str]:
    """The addresses that a guest can listen on: loopback ones."""
    found = [address for port in server.ports for _, address in port.fixed]
    found += [extra.address for port in server.ports for extra in port.floating]
    return [address for address in found if address.startswith("127.")]
