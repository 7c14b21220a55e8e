"""The files on a guest's disk, and what a shell tells of them.

An image brings a few. What a server was ordered with comes later: cloud-init writes what the user data tells it to, a
cloud that still takes files (its "personality") puts them there by itself.  /root is root's alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from fnmatch import fnmatch
from typing import Any

import yaml

RENAMED = re.compile(r"for f in (.+?); do .*\bmv \"\$f\" \"\$f\.bak\.")


@dataclass(frozen=True, slots=True)
class File:
    """One file: what is in it, and who may do what with it."""

    content: bytes
    mode: str = "644"
    owner: str = "root:root"

    def readable(self, path: str, user: str) -> bool:
        """Whether this user may read it."""
        return user == "root" or (int(self.mode[-1]) & 4 > 0 and reachable(path, user))


def reachable(path: str, user: str) -> bool:
    """Whether this user gets as far as the file, if it is there."""
    return user == "root" or not path.startswith("/root/")


def of_image(name: str) -> dict[str, File]:
    """What a disk has that was just made of an image."""
    welcome = File(f"Welcome to {name}\n".encode())
    return {"/etc/motd": welcome, "/srv/motd": welcome, "/etc/hosts": File(b"127.0.0.1 localhost\n")}


def put(disk: dict[str, File], given: Mapping[str, bytes], at: int, old: bool) -> None:
    """Write files as a cloud does: as the first generation did, with its mode and backups, or as Nova once did."""
    for number, (path, content) in enumerate(given.items()):
        if old and path in disk:
            disk[f"{path}.bak.{at}.{number}"] = disk[path]
        disk[path] = File(content, "440" if old else "644")


def set_up(disk: dict[str, File], user_data: str | None, stamp: str) -> None:
    """Write files as cloud-init does by this user data (base64), which renames first what our orders tell it to."""
    try:
        configs = list(_configs(base64.b64decode(user_data or "")))
    except (binascii.Error, yaml.YAMLError):  # cloud-init passes over what it cannot read
        return
    for command in (str(word) for config in configs for line in config.get("bootcmd") or () for word in line):
        for path in shlex.split(found[1]) if (found := RENAMED.search(command)) else ():
            if path in disk:
                disk[f"{path}.bak.{stamp}"] = disk.pop(path)
    for row in (row for config in configs for row in config.get("write_files") or ()):
        content = str(row.get("content") or "").encode()
        content = base64.b64decode(content) if row.get("encoding") in ("b64", "base64") else content
        mode = str(row.get("permissions") or "0644").lstrip("0")
        disk[str(row["path"])] = File(content, mode, str(row.get("owner") or "root:root"))


def _configs(data: bytes) -> Iterator[dict[str, Any]]:
    """The #cloud-config parts of user data."""
    document = message_from_bytes(data)
    if document.is_multipart():
        parts = [bytes(part.get_payload(decode=True) or b"") for part in document.walk() if not part.is_multipart()]
    else:
        parts = [data]
    for part in parts:
        config = yaml.safe_load(part) if part.startswith(b"#cloud-config") else None
        if isinstance(config, dict):
            yield config


# What a shell tells; each gives what is printed, what is complained of, and the exit code.


def condition(disk: Mapping[str, File], user: str, words: list[str]) -> int:
    """`[ -r PATH ]` and `[ "$(id -u)" = 0 ]`."""
    if words[:1] == ["-r"] and words[1:]:
        return 0 if words[1] in disk and disk[words[1]].readable(words[1], user) else 1
    return 0 if words[:3] == ["$(id -u)", "=", "0"] and user == "root" else 1


def stat(disk: Mapping[str, File], user: str, path: str) -> tuple[str, str, int]:
    """`stat -Lc '%a %U:%G %s' PATH`."""
    if not reachable(path, user):
        return "", f"stat: cannot statx '{path}': Permission denied\n", 1
    if path not in disk:
        return "", f"stat: cannot statx '{path}': No such file or directory\n", 1
    return f"{disk[path].mode} {disk[path].owner} {len(disk[path].content)}\n", "", 0


def sha256sum(disk: Mapping[str, File], user: str, path: str) -> tuple[str, str, int]:
    """`sha256sum -- PATH`."""
    wrong = "Permission denied" if path in disk else "No such file or directory"
    if path not in disk or not disk[path].readable(path, user):
        return "", f"sha256sum: {path}: {wrong}\n", 1
    return f"{hashlib.sha256(disk[path].content).hexdigest()}  {path}\n", "", 0


def ls(disk: Mapping[str, File], user: str, patterns: Iterable[str]) -> str:
    """`ls -d PATTERN...`, quietly."""
    found = sorted(path for path in disk if reachable(path, user) and any(fnmatch(path, one) for one in patterns))
    return "".join(f"{path}\n" for path in found)
