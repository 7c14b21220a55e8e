"""A guest that stands still for as long as its disk is looked at, and that lets go by itself whatever becomes of us.

First a timer is started inside the guest, in a session of its own: it thaws after so many seconds even if the console,
the link and the cloud are gone. Only then the guest's disks are synced and held: the user's own script, databases, file
systems, in this order, and let go the other way round. Everything is told to `sh` by its standard input, so that no
login shell, process list or file of the guest keeps any of it. Never the file system that the session itself stands on
is frozen: nobody could thaw it by the same way.
"""

import asyncio
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import asyncssh

from console.errors import ProbeFailed
from console.guests import inside
from console.guests.inside import Ran
from console.text import clean

Grade = Literal["crash-consistent", "file-system-consistent", "application-consistent"]

DATABASES = ("mysql", "postgresql")
SECONDS = 30  # that a guest stands still at most
SHORTEST, LONGEST = 1, 600
STEP_SECONDS = 20.0  # for one step inside; a disk that takes longer to sync is not quiet
LOCK_SECONDS = 5  # that a database may take to let its writers finish

_PATH = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH"
_SAYS = "novadeck: "
_UPTIME = re.compile(r"^(\d+\.\d\d) \d+\.\d\d$", re.MULTILINE)
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Wanted:
    """What shall stand still, and for how long at most."""

    mounts: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    script: str = ""  # called with "freeze" and with "thaw", as the hook of QEMU's guest agent is; perhaps twice
    seconds: int = SECONDS
    mark: str = "novadeck"  # tells our timer from all other processes

    def __post_init__(self) -> None:
        for path in (*self.mounts, *([self.script] if self.script else [])):
            if not path.startswith("/") or "\0" in path:
                raise ProbeFailed(f"{clean(path)!r} is no absolute path in the guest.", rung="freeze")
        for database in self.databases:
            if database not in DATABASES:
                known = " or ".join(DATABASES)
                raise ProbeFailed(f"{clean(database)!r} is no database that can be held: {known}.", rung="freeze")
        if not SHORTEST <= self.seconds <= LONGEST:
            raise ProbeFailed(f"A guest may stand still for {SHORTEST} to {LONGEST} s.", rung="freeze")

    @property
    def grade(self) -> Grade:
        """What an image is worth that is taken while all of this is held."""
        if self.databases or self.script:
            return "application-consistent"
        return "file-system-consistent" if self.mounts else "crash-consistent"

    def innermost_first(self) -> list[str]:
        """The mounts in the order to freeze: one that lies within another could not be written out after it."""
        return sorted(dict.fromkeys(posixpath.normpath(path) for path in self.mounts), key=_depth, reverse=True)


def _depth(path: str) -> int:
    return path.count("/")


class Thawed(NamedTuple):
    """How it went: `held` tells whether all stood still until we let go."""

    held: bool
    milliseconds: int | None  # by the guest's own clock; None where it was not told
    notes: tuple[str, ...] = ()


# What may be frozen


class Mount(NamedTuple):
    """One line of the guest's table of mounts."""

    device: str  # "8:1": the file system, also where several mounts or subvolumes show parts of it
    point: str
    kind: str
    options: str


def mount_table(text: str) -> list[Mount]:
    """The mounts of /proc/self/mountinfo; what is no line of it is passed over."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        words, more = before.split(" "), after.split(" ")
        if len(words) >= 6 and len(more) >= 3:
            found.append(Mount(words[2], _unescaped(words[4]), more[0], more[2]))
    return found


def _unescaped(text: str) -> str:
    raw = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
    return raw.encode("latin-1", "ignore").decode("utf-8", "replace") if raw.isascii() else raw


def against(table: Sequence[Mount], mount: str, stands_on: Sequence[str]) -> str:
    """Why this must not be frozen, or "". `stands_on` are the paths that the session itself needs."""
    mount = posixpath.normpath(mount)
    here = _holds(table, mount)
    if here is None or here.point != mount:
        return f"{clean(mount)} is no mount point in the guest"
    for path in (*stands_on, *_below_root(table)):
        needed = _holds(table, path)
        if needed is not None and needed.device == here.device:
            return f"{clean(mount)} holds {clean(path)}, on which this very session stands"
    return ""


def _holds(table: Sequence[Mount], path: str) -> Mount | None:
    """The mount that a path lies on; of several at one point the last covers the others."""
    found: Mount | None = None
    for mount in table:
        within = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if within and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def _below_root(table: Sequence[Mount]) -> list[str]:
    """Where an overlay keeps what is written to the root."""
    root = _holds(table, "/")
    options = root.options.split(",") if root is not None and root.kind == "overlay" else []
    return [_unescaped(option.partition("=")[2]) for option in options if option.startswith("upperdir=")]


# What is said to the guest's shell


def timer_script(wanted: Wanted) -> str:
    """Start the timer, which answers with its process id once nothing of this connection can take it along.

    Its session is its own, so no hang-up reaches it; where the system ends all of a user's processes at the logout,
    its signal lets go at once.
    """
    body = [
        f"sleep {wanted.seconds} </dev/null >/dev/null 2>&1 & nap=$!",
        "trap 'kill $nap' TERM HUP INT",  # one that comes before the wait must not be slept over either
        "echo $$",
        "exec </dev/null >/dev/null 2>&1",
        "wait $nap",
        "kill $nap",
        *_let_go(wanted),
    ]
    return f"{_PATH}\nsetsid sh -c {shlex.quote('; '.join(body))} {_mark(wanted)} &\n"


def freeze_script(wanted: Wanted) -> str:
    """Sync, and hold what is wanted, each named before it is tried; ends with 0 when all is held."""
    steps = [("sync", "sync")]
    steps += [("a checkpoint of PostgreSQL", _POSTGRESQL)] if "postgresql" in wanted.databases else []
    held = [(wanted.script, f"{shlex.quote(wanted.script)} freeze")] if wanted.script else []
    held += [(f"fsfreeze of {path}", f"fsfreeze -f {shlex.quote(path)}") for path in wanted.innermost_first()]
    lines = [f"{_say(what)} && {command}" for what, command in [*steps, ("the clock", _CLOCK), *held]]
    return f"{_PATH}\n" + " && ".join(lines) + "\n"


def thaw_script(wanted: Wanted, timer: int) -> str:
    """Let go of everything, tell the time, and call the timer off: it is the last that may go."""
    ours = f"grep -q {_mark(wanted)} /proc/{timer}/cmdline"
    lines = [
        _PATH,
        f"{ours} 2>/dev/null && {_say('armed')}",
        *(f"{one} || {_say('was not held')}" for one in _let_go(wanted)),
        _CLOCK,
        f"{ours} 2>/dev/null && kill -s KILL -- -{timer}",
        "true",
    ]
    return "\n".join(lines) + "\n"


def _let_go(wanted: Wanted) -> Iterator[str]:
    for path in reversed(wanted.innermost_first()):
        yield f"fsfreeze -u {shlex.quote(path)}"
    if wanted.script:
        yield f"{shlex.quote(wanted.script)} thaw"


def _say(text: str) -> str:
    return f"printf '%s\\n' {shlex.quote(_SAYS + text)}"


def _mark(wanted: Wanted) -> str:
    return shlex.quote(f"novadeck-thaw-{wanted.mark}")


_CLOCK = "cat /proc/uptime"
# PostgreSQL needs no lock: an image of one moment holds all that it ever confirmed. A checkpoint shortens its recovery.
_POSTGRESQL = "su postgres -s /bin/sh -c 'psql -X -q -v ON_ERROR_STOP=1 -c CHECKPOINT'"
_MYSQL = "mysql --no-auto-rehash --batch --skip-column-names --unbuffered"


# Doing it


@dataclass
class Quiet:
    """One guest that is held still over an open connection."""

    connection: asyncssh.SSHClientConnection
    wanted: Wanted
    timer: int = 0
    began: float | None = None  # the guest's uptime when it was held
    prefix: str = ""
    _lock: asyncssh.SSHClientProcess[str] | None = field(default=None, repr=False)

    async def enter(self) -> None:
        """Find out who we are there, and so how to become root."""
        me = (await self._said("id -u", "login")).output.strip()
        if not me.isdigit():
            raise ProbeFailed(f"The guest's shell answers {clean(me)[:60]!r}, not who we are.", rung="freeze")
        self.prefix = "" if me == "0" else "sudo -n "

    async def look(self) -> None:
        """Whether it can be done at all; raises `ProbeFailed` and changes nothing."""
        await self.enter()
        home, _, lines = (await self._said("pwd; cat /proc/self/mountinfo", "look")).output.partition("\n")
        table = mount_table(lines)
        for mount in self.wanted.mounts:
            if reason := against(table, mount, ("/", "/bin/sh", "/usr/bin", home)):
                raise ProbeFailed(f"{reason[0].upper()}{reason[1:]}: it cannot be frozen.", rung="freeze")
        needs = ["setsid", *(["fsfreeze"] if self.wanted.mounts else [])]
        needs += ["mysql"] if "mysql" in self.wanted.databases else []
        found = await self._said(f"{_PATH}\n" + " && ".join(f"command -v {need}" for need in needs), "look", root=True)
        if found.code != 0:
            raise ProbeFailed(f"The guest lacks what is needed of {', '.join(needs)}: {_last(found)}.", rung="freeze")

    async def freeze(self) -> None:
        """Start the timer, then hold everything; where a part fails all is let go again, and it raises."""
        started = await self._said(timer_script(self.wanted), "timer", root=True)
        first = started.output.split("\n")[0].strip()
        if not first.isdigit():
            raise ProbeFailed(f"No timer could be started in the guest: {_last(started)}.", rung="freeze")
        self.timer = int(first)
        try:
            await self._hold()
        except BaseException:
            await asyncio.shield(self._quietly_thaw())
            raise

    async def _hold(self) -> None:
        if "mysql" in self.wanted.databases:
            await self._lock_mysql()
        done = await self._said(freeze_script(self.wanted), "freeze", root=True)
        clock = _UPTIME.findall(done.output)
        self.began = float(clock[0]) if clock else None
        if done.code != 0:
            tried = [line for line in done.output.splitlines() if line.startswith(_SAYS)]
            what = tried[-1].removeprefix(_SAYS) if tried else "the shell"
            raise ProbeFailed(f"It cannot be held still: {clean(what)} failed: {_last(done)}.", rung="freeze")

    async def thaw(self) -> Thawed:
        """Let go of everything; also what another process froze, of whose timer this was told."""
        done = await self._said(thaw_script(self.wanted, self.timer), "thaw", root=True)
        held = f"{_SAYS}armed" in done.output and f"{_SAYS}was not held" not in done.output
        clock = _UPTIME.findall(done.output)
        ended = float(clock[-1]) if clock else None
        locked = await self._unlock_mysql()
        notes = () if held and locked else (f"the guest's own timer let go after {self.wanted.seconds} s",)
        if self.began is None or ended is None or ended < self.began:
            return Thawed(False, None, notes or ("the guest was started anew meanwhile",))
        return Thawed(held and locked, round((ended - self.began) * 1000), notes)

    async def _quietly_thaw(self) -> None:
        try:
            await self.thaw()
        except ProbeFailed:  # the timer in the guest does it
            pass

    async def _lock_mysql(self) -> None:
        """Hold MySQL's writers for as long as this session lives; the server itself ends one that is silent."""
        try:
            self._lock = await self.connection.create_process(self.prefix + _MYSQL, stderr=asyncssh.STDOUT)
        except (OSError, asyncssh.Error) as error:
            raise ProbeFailed(f"It cannot be held still: no MySQL: {clean(str(error))}.", rung="freeze") from error
        lines = [
            f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}, wait_timeout = {self.wanted.seconds};",
            "FLUSH TABLES WITH READ LOCK;",
            "SELECT 'novadeck';",
        ]
        self._lock.stdin.write("\n".join(lines) + "\n")
        try:
            async with asyncio.timeout(LOCK_SECONDS + STEP_SECONDS):
                said = await self._lock.stdout.readline()
        except TimeoutError:
            said = "it does not answer"
        if said.strip() != "novadeck":
            why = clean(said.strip()) or "it ended"
            raise ProbeFailed(f"It cannot be held still: MySQL says: {why.rstrip('.')}.", rung="freeze")

    async def _unlock_mysql(self) -> bool:
        """Let MySQL go on; whether its lock was still held."""
        if "mysql" not in self.wanted.databases:
            return True
        if self._lock is None:
            return False
        try:
            self._lock.stdin.write("UNLOCK TABLES;\nSELECT 'free';\n")
            self._lock.stdin.write_eof()
            async with asyncio.timeout(STEP_SECONDS):
                said = await self._lock.stdout.read()
        except (TimeoutError, OSError, asyncssh.Error):  # it has ended by itself, and so has its lock
            said = ""
        self._lock.close()
        return said.strip() == "free"

    async def _said(self, script: str, rung: str, *, root: bool = False) -> Ran:
        """Have the guest's shell do this; raises `ProbeFailed`."""
        command = f"{self.prefix if root else ''}sh -s"
        whole = f"{{\n{script}\n}} </dev/null\n"  # or a step that reads would eat those after it
        try:
            return await inside.run(self.connection, command, STEP_SECONDS, typed=whole)
        except ProbeFailed as error:
            raise ProbeFailed(f"At the {rung}: {error.message}", rung="freeze") from error


def _last(ran: Ran) -> str:
    """The last line that a command said of itself, without a full stop."""
    lines = [line for line in ran.output.splitlines() if line.strip() and not line.startswith(_SAYS)]
    return clean(lines[-1].strip().rstrip(".")) if lines else f"it ended with {ran.code}"
