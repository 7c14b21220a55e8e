"""What a guest's shell answers: enough of a small Linux that a health check believes it.

Text in, text out; the guest decides what a command that switches it off does, and `stillness` has its disks.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from console.sim import disk
from console.sim.stillness import TABLE, Stillness

DISK = "Filesystem     1K-blocks    Used Available Use% Mounted on\n/dev/vda1       20509264 1894320  17730876  10% /\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed and how it ended; `power` is "off" or "reboot" where it asked for that."""

    out: str = ""
    err: str = ""
    code: int = 0
    power: str = ""


@dataclass(frozen=True, slots=True)
class Seat:
    """The machine that a command runs on, as it is at this moment."""

    hostname: str
    user: str
    up_seconds: float
    clock: str
    uuid: str
    settled: bool
    image: str
    still: Stillness = field(default_factory=Stillness)
    process: int = 0  # the process in the background that this is done by
    files: Mapping[str, disk.File] = field(default_factory=dict)
    sudo: bool = True  # whether the user may become root without a password


def uptime(seat: Seat) -> str:
    """The line that uptime(1) prints."""
    minutes = int(seat.up_seconds // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    since = f"{hours}:{rest:02d}" if hours else f"{rest} min"
    if days:
        since = f"{days} day{'s' if days > 1 else ''}, {since}"
    return f" {seat.clock} up {since},  1 user,  load average: 0.08, 0.03, 0.01\n"


def cloud_init(seat: Seat, words: list[str]) -> Said:
    """`cloud-init status`, as text or JSON."""
    status = "done" if seat.settled or "--wait" in words else "running"
    if "json" not in words and "--format=json" not in words:
        return Said(f"status: {status}\n")
    told = {
        "boot_status_code": "enabled-by-generator",
        "datasource": "openstack",
        "detail": "DataSourceOpenStack [net,ver=2]",
        "errors": [],
        "extended_status": status,
        "last_update": seat.clock,
        "recoverable_errors": {},
        "status": status,
    }
    return Said(json.dumps(told, indent=1) + "\n")


def _system(seat: Seat, words: list[str]) -> Said:
    verb = words[1] if len(words) > 1 else ""
    if verb == "is-system-running":
        return Said("running\n") if seat.settled or "--wait" in words else Said("starting\n", code=1)
    if verb in ("poweroff", "halt", "reboot"):
        return Said(power="reboot" if verb == "reboot" else "off")
    if verb == "is-active":
        return Said("active\n")
    return Said("", f"Unknown command verb {verb}.\n", 1)


def _cat(seat: Seat, words: list[str]) -> Said:
    files = {
        "/etc/hostname": f"{seat.hostname}\n",
        "/proc/uptime": f"{seat.up_seconds:.2f} {seat.up_seconds:.2f}\n",
        "/proc/loadavg": "0.08 0.03 0.01 1/86 412\n",
        "/etc/os-release": f'PRETTY_NAME="{seat.image}"\nNAME="{seat.image}"\nID=linux\n',
        "/var/lib/cloud/data/instance-id": f"{seat.uuid}\n",
        "/proc/self/mountinfo": TABLE,
    }
    if words[1:] and words[1] in files:
        return Said(files[words[1]])
    if words[1:] and words[1] in seat.files and seat.files[words[1]].readable(words[1], seat.user):
        return Said(seat.files[words[1]].content.decode("utf-8", "replace"))
    return Said("", f"cat: {' '.join(words[1:])}: No such file or directory\n", 1)


def _one(seat: Seat, words: list[str]) -> Said:
    verb = words[0]
    plain = {
        "true": Said(),
        ":": Said(),
        "false": Said(code=1),
        "uptime": Said(uptime(seat)),
        "hostname": Said(f"{seat.hostname}\n"),
        "whoami": Said(f"{seat.user}\n"),
        "id": Said("0\n" if words[1:] == ["-u"] else "uid=0(root) gid=0(root) groups=0(root)\n"),
        "head": Said(),  # what is before it is printed as it is
        "pwd": Said("/root\n"),
        "uname": Said(f"Linux {seat.hostname} 6.1.0-18-cloud-amd64 x86_64 GNU/Linux\n" if words[1:] else "Linux\n"),
        "poweroff": Said(power="off"),
        "halt": Said(power="off"),
        "reboot": Said(power="reboot"),
        "df": Said(DISK),
        "ls": Said(disk.ls(seat.files, seat.user, words[2:])),
        "sync": Said(),
    }  # fmt: skip
    if words[:2] in (["sh", "-c"], ["bash", "-c"]) and words[2:]:
        return run(seat, words[2])
    if verb == "sudo" and words[1:]:
        if not seat.sudo and seat.user != "root":
            return Said("", "sudo: a password is required\n", 1)
        return _one(replace(seat, user="root"), [word for word in words[1:] if word != "-n"] or ["true"])
    if verb == "[":
        return Said(code=disk.condition(seat.files, seat.user, words[1:-1]))
    if verb in ("stat", "sha256sum"):
        tell = disk.stat if verb == "stat" else disk.sha256sum
        return Said(*tell(seat.files, seat.user, words[-1]))
    if verb in _WORDS or "=" in verb:
        return Said()
    if verb in _QUIETING:
        return _QUIETING[verb](seat, words[1:])
    if verb == "shutdown":
        return Said(power="reboot" if "-r" in words else "off")
    if verb == "echo":
        return Said(" ".join(words[1:]) + "\n")
    if verb == "exit":
        return Said(code=int(words[1]) if words[1:] and words[1].isdigit() else 0)
    if verb == "cloud-init":
        return cloud_init(seat, words)
    if verb == "systemctl":
        return _system(seat, words)
    if verb == "cat":
        return _cat(seat, words)
    return plain.get(verb) or Said("", f"sh: 1: {verb}: not found\n", 127)


# What belongs to the shell itself, and changes nothing here.
_ASSIGNED = re.compile(r"([a-z]+)=([\w -]*)")
_WORDS = ("trap", "exec", "export", "wait")
_KNOWN = ("setsid", "fsfreeze", "sync", "sleep", "cloud-init", "systemctl")


def _freeze(seat: Seat, words: list[str]) -> Said:
    *flags, disk = words or [""]
    change = seat.still.freeze if "-f" in flags else seat.still.thaw
    wrong = change(disk, by_timer=bool(seat.process))
    return Said(err=wrong, code=1 if wrong else 0)


def _background(seat: Seat, words: list[str]) -> Said:
    """`setsid sh -c BODY NAME &`: what stands before the wait for its sleep is done now, the rest when it is over."""
    body, name = words[2], words[3] if words[3:] else ""
    seat = replace(seat, process=seat.still.begin(name))
    lines = list(_commands(body.replace("$$", str(seat.process))))
    seconds = next((float(line[1]) for _, line in lines if line[0] == "sleep"), 0.0)
    at = next((at for at, (_, line) in enumerate(lines) if line[0] == "wait"), len(lines))
    said = _all(seat, [line for line in lines[:at] if line[1][0] != "sleep"])

    def rest() -> None:
        _all(seat, lines[at + 1 :])

    seat.still.then(seat.process, seconds, rest)
    return said


def _grep(seat: Seat, words: list[str]) -> Said:
    *_, pattern, path = ["", "", *words]
    process = path.removeprefix("/proc/").removesuffix("/cmdline")
    found = process.isdigit() and pattern in seat.still.waiting.get(int(process), "")
    return Said(code=0 if found else 1)


def _kill(seat: Seat, words: list[str]) -> Said:
    number = words[-1].lstrip("-") if words else ""
    ended = number.isdigit() and seat.still.waiting.pop(int(number), None) is not None
    return Said() if ended else Said(err=f"sh: kill: {number}: No such process\n", code=1)


def _which(seat: Seat, words: list[str]) -> Said:
    name = words[-1] if words else ""
    return Said(f"/usr/bin/{name}\n") if name in _KNOWN else Said(code=127)


def _printf(seat: Seat, words: list[str]) -> Said:
    return Said((words[-1] if words[1:] else "") + "\n")


_QUIETING: dict[str, Callable[[Seat, list[str]], Said]] = {
    "fsfreeze": _freeze,
    "setsid": _background,
    "grep": _grep,
    "kill": _kill,
    "command": _which,
    "printf": _printf,
}


def _commands(command: str) -> Iterator[tuple[str, list[str]]]:
    """Each simple command of a line or a script, and what joins it to the one before; raises ValueError."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|<>\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    joint, current, drop = ";", list[str](), False
    for word in [*lexer, ";"]:
        if drop:
            drop = False
        elif set(word) & set("<>") and set(word) <= set("<>&"):  # nothing is ever written into a file
            drop = True
            if current and current[-1] in ("1", "2"):
                current.pop()
        elif set(word) <= set(";&|\n"):
            if current:
                yield joint, current
            joint, current = word.strip("\n") or ";", []
        else:
            current.append(word)


def run(seat: Seat, command: str) -> Said:
    """Run a line or a script: commands joined by `;`, `&&` and `||`, and `sh -c`."""
    try:
        return _all(seat, list(_commands(command)))
    except ValueError:
        return Said("", "sh: 1: Syntax error: Unterminated quoted string\n", 2)


def _all(seat: Seat, commands: list[tuple[str, list[str]]]) -> Said:
    out = err = power = ""
    code = 0
    known: dict[str, str] = {}  # what was assigned, for the word that a command begins with
    for joint, words in commands:
        if words in (["{"], ["}"]) or (joint == "&&" and code != 0) or (joint == "||" and code == 0):
            continue
        if found := _ASSIGNED.fullmatch(words[0]):
            known[found[1]] = found[2]
        negated = words[0] == "!"
        if words[0].startswith("$") and words[0][1:] in known:
            words = [*known[words[0][1:]].split(), *words[1:]]
        said = _one(seat, words[negated:] or ["true"])
        code = int(not said.code) if negated else said.code
        out, err, power = out + said.out, err + said.err, power or said.power
    return Said(out, err, code, power)
