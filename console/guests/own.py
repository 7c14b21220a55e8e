"""What the user himself wants to hold before a server counts as ready: commands, HTTP answers, files.

Each may be tried several times, of which so many must hold, and all together may have to hold for some seconds. Only
what is looked for is decided here; how a command is run in the guest, or a socket opened to it, is the ladder's.
"""

import asyncio
import hashlib
import json
import re
import shlex
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from console.errors import ProbeFailed
from console.text import clean

HTTP_SECONDS = 10.0
BETWEEN = 0.5  # seconds between two tries
STATUS = "cloud-init status --format json"
OLDER = "unrecognized arguments"  # what a cloud-init before 22.4 says to that: it tells its status in one line
DONE = "cloud-init is done"  # how what `set_up` tells begins then
_STAT = re.compile(r"([0-7]{1,4}) (\S+:\S+) (\d+)")
_ONE_LINE = re.compile(r"^status: (\w[\w ]*)$", re.MULTILINE)
_OF_CLOUD_INIT = re.compile(r'"(?:boot_status_code|errors|status)"\s*:')
_DIGEST = re.compile(r"\\?([0-9a-f]{64}) ")

Run = Callable[[str], Awaitable[tuple[int | None, str]]]
Dial = Callable[[str, int], Awaitable[socket.socket]]


@dataclass(frozen=True)
class InGuest:
    """A file that must be in the guest: its contents, and who may do what with it where that is told."""

    path: str
    content: bytes
    mode: str = ""  # such as "600"
    owner: str = ""  # such as "root:root"
    backup: bool = False  # one that was there before must lie beside it
    asked: bool = True  # somebody asks for it in this check: that nobody can look at it is then a failure
    late: bool = True  # it may come after cloud-init is done


class Unseen(ProbeFailed):
    """A file that whoever logs in cannot look at, so that nothing can be said against it."""


@dataclass(frozen=True)
class Demands:
    """All own checks of one ladder."""

    commands: Sequence[str] = ()
    urls: Sequence[str] = ()  # http://:8080/health is one of the guest's own address
    files: Sequence[InGuest] = ()
    need: int = 1  # so many tries of
    of: int = 1  # so many must hold
    stable: float = 0.0  # seconds for which all must hold

    def rungs(self) -> list[str]:
        """The names of the rungs that these are."""
        many = ["file"] * len(self.files) + ["http"] * len(self.urls) + ["check"] * len(self.commands)
        return [*many, *(["stable"] if self.stable else [])]


async def often(demands: Demands, attempt: Callable[[], Awaitable[str]]) -> str:
    """Try until enough tries held, or too many did not; raises the last `ProbeFailed` then."""
    held = failed = 0
    text = ""
    while True:
        try:
            text = await attempt()
            held += 1
        except ProbeFailed as failure:
            failed += 1
            if failed > demands.of - demands.need:
                if demands.of == 1:
                    raise
                told = f"Only {held} of {held + failed} tries held: {failure.message}"
                raise ProbeFailed(told, rung=failure.rung) from failure
        if held >= demands.need:
            return text if demands.of == 1 else f"{text} ({held} of {held + failed})"
        await asyncio.sleep(BETWEEN)


def set_up(code: int | None, said: str) -> str:
    """What cloud-init told of its status, where that is well; raises `ProbeFailed`."""
    if code is not None and code < 0:
        raise ProbeFailed("cloud-init was killed when it was asked for its status.", rung="cloud-init")
    try:
        told = json.loads(said[said.find("{") : said.rfind("}") + 1])  # a login may greet before it
        status, errors = str(told["status"]), told.get("errors") or []
    except (ValueError, KeyError, TypeError, AttributeError):
        old = _ONE_LINE.search(said.replace("\r", ""))
        if old is None and _OF_CLOUD_INIT.search(said):
            raise ProbeFailed("cloud-init tells its status, and nobody can read it.", rung="cloud-init") from None
        if old is None:
            return "there is no cloud-init here" if code else "cloud-init tells nothing"
        status, errors = old[1], []
    if status in ("done", "disabled"):
        return (DONE if status == "done" else f"cloud-init is {status}") + (
            ", with some errors it got over" if code else ""
        )
    why = f": {clean(str(errors[0]))[:200]}" if errors else ""
    raise ProbeFailed(f"cloud-init is in status {clean(status)}{why}.", rung="cloud-init")


async def command(run: Run, line: str) -> str:
    """A command that must end with 0; raises `ProbeFailed`."""
    code, said = await run(line)
    last = clean(said.strip().rpartition("\n")[2])[:200]
    if code != 0:
        ended = "tells no exit code" if code is None else "was killed" if code < 0 else f"ends with {code}"
        raise ProbeFailed(f"{clean(line)!r} {ended}{': ' if last else ''}{last}.", rung="check")
    return f"{clean(line)}{': ' if last else ''}{last}"


class Target(NamedTuple):
    """Where an HTTP check goes."""

    secure: bool
    host: str  # "" is the guest's own address
    port: int
    path: str


def target(url: str) -> Target:
    """The parts of an http or https address whose host may be left out; raises `ProbeFailed`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https"):
        raise ProbeFailed(f"{clean(url)!r} is no http address.", rung="http")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(secure, parts.hostname or "", port or (443 if secure else 80), path)


async def http(dial: Dial, url: str, address: str) -> str:
    """An HTTP GET that must be answered by 2xx or 3xx; raises `ProbeFailed`.

    A certificate is verified where the URL names a host; that of a bare address cannot be.
    """
    goal = target(url)
    host = goal.host or address
    try:
        async with asyncio.timeout(HTTP_SECONDS):
            line = await _status_line(goal, host, await dial(host, goal.port))
    except TimeoutError:
        raise ProbeFailed(f"{clean(url)} does not answer within {HTTP_SECONDS:g} s.", rung="http") from None
    except ProbeFailed as failure:
        raise ProbeFailed(f"{clean(url)}: {failure.message.replace(': sshd is not up yet', '')}", rung="http") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
        raise ProbeFailed(f"{clean(url)}: {clean(why).rstrip('.')}.", rung="http") from error
    found = re.match(r"HTTP/\d(?:\.\d)? (\d{3})", line)
    if found is None:
        raise ProbeFailed(f"{clean(url)} does not speak HTTP: it says {clean(line)[:60]!r}.", rung="http")
    if not 200 <= int(found[1]) < 400:
        raise ProbeFailed(f"{clean(url)} answers {clean(line)[:80]}.", rung="http")
    return f"{clean(url)}: {found[1]}"


async def _status_line(goal: Target, host: str, sock: socket.socket) -> str:
    context: ssl.SSLContext | None = None
    if goal.secure:
        context = ssl.create_default_context()
        if not goal.host:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=context, server_hostname=host if goal.secure else None
        )
    except BaseException:
        sock.close()
        raise
    try:
        where = f"[{host}]" if ":" in host else host
        lines = (f"GET {goal.path} HTTP/1.1", f"Host: {where}:{goal.port}", "User-Agent: novadeck", "Connection: close")
        writer.write("\r\n".join((*lines, "", "")).encode("ascii", "replace"))
        return (await reader.readline()).decode("latin-1").rstrip("\r\n")
    finally:
        writer.transport.abort()


async def file(run: Run, wanted: InGuest) -> str:
    """A file that must be in the guest as it was ordered; raises `ProbeFailed`, and `Unseen` where nobody can tell."""
    name = clean(wanted.path)
    _, said = await run(look_at(wanted.path))
    lines = said.splitlines()  # sudo may say something of its own between ours
    last = clean(lines[-1]) if lines else ""
    found = next(filter(None, map(_STAT.fullmatch, lines)), None)
    if found is None:
        raise _not_there(name, last)
    mode, owner, size = found[1], found[2], int(found[3])
    digest = next(filter(None, map(_DIGEST.match, lines)), None)
    if size != len(wanted.content) or (digest and digest[1] != hashlib.sha256(wanted.content).hexdigest()):
        raise ProbeFailed(f"{name} is there with other contents.", rung="file")
    if wanted.mode and mode != wanted.mode.lstrip("0"):
        raise ProbeFailed(f"{name} has mode {mode}, not {wanted.mode}.", rung="file")
    if wanted.owner and owner != wanted.owner:
        raise ProbeFailed(f"{name} is {clean(owner)}'s, not {wanted.owner}'s.", rung="file")
    told = f"{name}: {size} bytes, mode {mode}, {clean(owner)}"
    if digest is None:
        raise Unseen(f"{told}; its contents cannot be looked at{_why(last)}.", rung="file")
    backup = next((line for line in lines if line.startswith(wanted.path + ".")), "")
    if wanted.backup and not backup:
        raise ProbeFailed(f"{name} has no .bak beside it.", rung="file")
    return told + (f", before it {clean(backup)}" if backup else "")


def look_at(path: str) -> str:
    """The command that tells a file's mode, owner, size, digest and backup, in whatever shell the user has.

    What is root's alone is looked at as root, where one may be that without being asked.
    """
    name = shlex.quote(path)
    backup = shlex.quote(f"ls -d {name}.bak* {name}.*.bak* 2>/dev/null | head -n 1")
    by = f"""by=; [ -r {name} ] || [ "$(id -u)" = 0 ] || ! sudo -n true 2>/dev/null || by='sudo -n'"""
    look = f"$by stat -Lc '%a %U:%G %s' {name} && $by sha256sum -- {name} && $by sh -c {backup}"
    return f"sh -c {shlex.quote(f'LC_ALL=C; export LC_ALL; {by}; {look}')}"


def _not_there(name: str, said: str) -> ProbeFailed:
    """What is to be said of a file that was not seen: only a clear answer tells that it is not there."""
    if said.endswith("No such file or directory"):
        return ProbeFailed(f"{name} is not there.", rung="file")
    return Unseen(f"{name} cannot be looked at{_why(said)}.", rung="file")


def _why(said: str) -> str:
    """Why something cannot be looked at, by the last that was said of it."""
    if said.endswith("Permission denied"):
        return " by this user, nor by sudo"
    return f": {said[:120].rstrip('.')}" if said else ""
