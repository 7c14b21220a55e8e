"""What a guest's shell answers: enough of a small Linux that a health check believes it.

Pure text in, text out; the guest decides what a command that switches it off does.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

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
    }
    if words[1:] and words[1] in files:
        return Said(files[words[1]])
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
        "id": Said("uid=0(root) gid=0(root) groups=0(root)\n"),
        "uname": Said(f"Linux {seat.hostname} 6.1.0-18-cloud-amd64 x86_64 GNU/Linux\n" if words[1:] else "Linux\n"),
        "poweroff": Said(power="off"),
        "halt": Said(power="off"),
        "reboot": Said(power="reboot"),
        "df": Said(DISK),
        "ls": Said(),
        "sync": Said(),
    }  # fmt: skip
    if verb == "sudo" and words[1:]:
        return _one(seat, [word for word in words[1:] if word != "-n"] or ["true"])
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


def run(seat: Seat, command: str) -> Said:
    """Run a line: commands joined by `;`, `&&` and `||`, and `sh -c`."""
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return Said("", "sh: 1: Syntax error: Unterminated quoted string\n", 2)
    out = err = power = ""
    code, joint, current = 0, ";", list[str]()
    for word in [*words, ";"]:
        if word not in (";", "&&", "||"):
            current.append(word)
            continue
        if current and (joint == ";" or (joint == "&&") == (code == 0)):
            said = (
                run(seat, current[2])
                if current[:2] in (["sh", "-c"], ["bash", "-c"]) and current[2:]
                else _one(seat, current)
            )
            out, err, code, power = out + said.out, err + said.err, said.code, power or said.power
        joint, current = word, []
    return Said(out, err, code, power)
