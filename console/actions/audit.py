"""The audit: what was asked of which cloud, and what became of it, one JSON line each.

A line is written before the order is sent; where it cannot be written, nothing is sent. The file is opened anew for
each line, so that it may be moved away or rotated by anybody at any time. It never holds a secret.
"""

import datetime as dt
import getpass
import json
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from console.errors import AuditError
from console.text import Secret, names_secret

VERSION = 1


class Audit:
    """The audit file: appended to, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.user = _user()
        self.listeners: list[Callable[[Mapping[str, Any]], object]] = []  # each gets every line that was written

    def write(self, event: str, order: str, **fields: Any) -> None:
        """Append one line; `event` is asked, accepted, failed or ended, `order` joins the lines of one order.

        Raises `AuditError` when the line cannot be written.
        """
        line = {
            "v": VERSION,
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "order": order,
            "user": self.user,
            "pid": os.getpid(),
            **{name: masked(value) for name, value in fields.items()},
        }
        data = (json.dumps(line, ensure_ascii=True) + "\n").encode()
        try:
            self._append(data)
        except OSError as error:
            raise AuditError(
                f"The audit file {self.path} cannot be written: {error.strerror or error}.",
                hint="Make its folder writable.",
            ) from error
        for listener in self.listeners:
            listener(line)

    def _append(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            mode = os.fstat(file).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                os.fchmod(file, 0o600)
            if _torn(file):
                data = b"\n" + data
            if os.write(file, data) != len(data):  # one write per line, so that processes never mix theirs
                raise OSError("the disk is full")
        finally:
            os.close(file)

    def lines(self, last: int | None = None) -> list[dict[str, Any]]:
        """The lines that can be read, oldest first; the `last` ones, or all."""
        return list(deque(read(self.path), maxlen=last))


def _torn(file: int) -> bool:
    """Whether the last line has no end, as a full disk leaves it: the next one must not be glued to it."""
    status = os.fstat(file)
    return stat.S_ISREG(status.st_mode) and status.st_size > 0 and os.pread(file, 1, status.st_size - 1) != b"\n"


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The readable lines of an audit file; a broken line, or one of a newer version, is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and line.get("v") == VERSION:
                yield line


def masked(value: Any, pairs: bool = False) -> Any:
    """A value fit for a file: secrets as dots, rows by their names, the rest as JSON has it.

    In `pairs` of the user's own, such as metadata, a name may tell that its value is a secret.
    """
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        secret = {name for name, item in value.items() if pairs and item and names_secret(name)}
        return {str(name): "••••" if name in secret else masked(item, True) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item, pairs) for item in value]
    identity = getattr(value, "id", None)
    return str(identity) if identity is not None else type(value).__name__


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number that has no name
        return str(os.getuid())
