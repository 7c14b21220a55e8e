"""Whether the machine that answers is the one that was built: who vouches for the host key that it shows.

cloud-init prints a guest's host keys on its console, which the cloud hands out over its own verified connection: that
vouches for the very first contact. After it come the user's known_hosts, honoured and never written, and a file of
our own, keyed by the server's id, since clouds give addresses to one server after another. A key that nobody vouches
for is said to be a first use; one that contradicts a witness is never used.
"""

import asyncio
import base64
import fcntl
import functools
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import asyncssh

from console.errors import ProbeFailed

Grade = Literal["console", "known", "first-use", "changed", "revoked"]

_BEGIN = re.compile(r"-----BEGIN SSH HOST KEY (?:FINGERPRINTS|KEYS)-----")
END = re.compile(r"-----END SSH HOST KEY (?:FINGERPRINTS|KEYS)-----")
_FINGERPRINT = re.compile(
    r"\b\d{3,5} (?:(SHA256:[A-Za-z0-9+/]{43})|(?:MD5:)?((?:[0-9a-f]{2}:){15}[0-9a-f]{2}))(?![\w:])"
)
_KEY = re.compile(r"\b(?:ssh-\w+|ecdsa-sha2-\w+|sk-[\w@.-]+) (AAAA[A-Za-z0-9+/]+={0,3})")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9:._-]*")
_OUTDATED = "outdated"  # behind a key in our file that was there before a rebuild
_WRITING = threading.Lock()  # our own threads stand in line: only another process can be too slow to be waited for
HOLD_SECONDS = 1.0  # for whoever writes our file at the moment
_FINGERPRINT_ALONE = "fingerprint"  # stands for the algorithm of a key that only a console has told of
_LONGEST_BLOCK = 40  # lines; a block without an end is cut off there


class Judgement(NamedTuple):
    """Who vouches for a host key; `expected` are the fingerprints that witnesses gave."""

    grade: Grade
    fingerprint: str
    algorithm: str
    text: str
    expected: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether the connection may go on."""
        return self.grade not in ("changed", "revoked")


def fingerprint(blob: str) -> str:
    """The SHA256 fingerprint of a public key in base64, as ssh-keygen prints it; "" where it is no base64."""
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except ValueError:
        return ""
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def fingerprints(blob: str) -> frozenset[str]:
    """All forms in which a console may show a public key in base64; none where it is no base64."""
    try:
        digest = hashlib.md5(base64.b64decode(blob, validate=True), usedforsecurity=False).digest()
    except ValueError:
        return frozenset()
    return frozenset({fingerprint(blob), "MD5:" + digest.hex(":")})


def printed(console: str) -> list[frozenset[str]]:
    """The fingerprints in each block that cloud-init printed on this console, oldest first.

    Every block counts: the rescue system prints its own, and after it the older one is true again.
    """
    return [found for block in _blocks(console) if (found := frozenset(_prints(block)))]


def _blocks(console: str) -> Iterator[list[str]]:
    block: list[str] | None = None
    for line in console.splitlines():
        if _BEGIN.search(line):
            if block:
                yield block
            block = []
        elif block is not None and (END.search(line) or len(block) >= _LONGEST_BLOCK):
            yield block
            block = None
        elif block is not None:
            block.append(line)
    if block:
        yield block


def _prints(block: list[str]) -> Iterator[str]:
    for line in block:
        for match in _FINGERPRINT.finditer(line):
            yield match[1] or "MD5:" + match[2]
        for match in _KEY.finditer(line):
            if found := fingerprint(match[1]):
                yield found


class Kept(NamedTuple):
    """A host key that we have met before."""

    name: str
    algorithm: str
    blob: str
    grade: Grade
    outdated: bool = False  # we have rebuilt the server since


class KnownHosts:
    """Our own file of host keys that were met, in OpenSSH's format with the grade as the comment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._kept: dict[str, list[Kept]] = {}

    def find(self, name: str) -> list[Kept]:
        """The keys that this server has shown."""
        self._read()
        return list(self._kept.get(name, ()))

    def note(self, name: str, algorithm: str, blob: str, grade: Grade) -> None:
        """Keep this key; it takes the place of an older one of the same algorithm, and of outdated ones.

        One that is outdated, and is shown again, may be that of a guest which is yet to be rebuilt. Raises OSError.
        """
        kept = Kept(name, algorithm, blob, grade)
        if self.noted(kept):
            return
        with self._changing():
            mine = self._kept.get(name, [])
            self._kept[name] = [old for old in mine if old.algorithm != algorithm and not old.outdated] + [kept]

    def noted(self, kept: Kept) -> bool:
        """Whether there is nothing to note of this key."""
        mine = self.find(kept.name)
        return kept in mine or (kept.grade != "console" and kept._replace(outdated=True) in mine)

    def expect_another(self, name: str, shown: Iterable[str] = ()) -> None:
        """Another key than before is expected of this server from now on. Raises OSError.

        `shown` are the fingerprints on its console until now: whose they are could not be told any more later.
        """
        old = [Kept(name, _FINGERPRINT_ALONE, one, "first-use", outdated=True) for one in sorted(shown)]
        if old or self.find(name):
            with self._changing():
                met = [kept._replace(outdated=True) for kept in self._kept.get(name, ())]
                self._kept[name] = list(dict.fromkeys([*met, *old]))

    def shown(self, name: str) -> frozenset[str]:
        """The fingerprints of all that this server has shown, in all forms."""
        found = [fingerprints(kept.blob) or {kept.blob} for kept in self.find(name)]
        return frozenset[str]().union(*found)

    def another_expected(self, name: str) -> bool:
        """Whether another key is expected of this server than it has shown."""
        try:
            return any(kept.outdated for kept in self.find(name))
        except OSError:  # what cannot be read tells nothing
            return False

    def forget(self, name: str) -> None:
        """Forget a server's keys, as its rebuild demands. Raises OSError."""
        if self.find(name):
            with self._changing():
                self._kept.pop(name, None)

    def export(self, names: Mapping[str, Sequence[str]]) -> list[str]:
        """Lines for anybody's known_hosts: what we keep of each server, under the host names given for it.

        What is no plain name of a host, such as `*`, is left out: the key would be trusted for more than one.
        """
        self._read()
        plain = {name: [host for host in hosts if _PLAIN_HOST.fullmatch(host)] for name, hosts in names.items()}
        return [
            f"{','.join(hosts)} {kept.algorithm} {kept.blob} novadeck:{kept.grade}"
            for name, hosts in plain.items()
            for kept in self._kept.get(name, ())
            if hosts and not kept.outdated
        ]

    def _read(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._kept = None, {}
            return
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._stamp == stamp:
            return
        self._stamp, self._kept = stamp, {}
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            if len(words) >= 3 and not line.startswith("#"):
                grade: Grade = "console" if words[3:4] == ["console"] else "first-use"
                kept = Kept(words[0], words[1], words[2], grade, words[4:5] == [_OUTDATED])
                self._kept.setdefault(kept.name, []).append(kept)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Read anew, and write, while nobody else does: screen, keeper and commands share the file. May block."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _WRITING:
                _hold(folder)
                self._stamp = None
                self._read()
                yield
                self._write()
        finally:
            os.close(folder)

    def _write(self) -> None:
        file, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)  # made 0600
        try:
            with os.fdopen(file, "w", encoding="utf-8") as out:
                for one in (one for kept in self._kept.values() for one in kept):
                    told = [one.name, one.algorithm, one.blob, one.grade, *([_OUTDATED] if one.outdated else [])]
                    out.write(" ".join(told) + "\n")
            Path(name).replace(self.path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        self._stamp = None


def _hold(folder: int) -> None:
    """Lock it until it is closed; who holds it does so for a moment, and a second of that is no reason to stop."""
    until = time.monotonic() + HOLD_SECONDS
    while time.monotonic() < until:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:  # a file system without locks
            return


class Theirs(NamedTuple):
    """What the user's own known_hosts files say of a host."""

    trusted: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()


def theirs(files: Sequence[Path], host: str, port: int, alias: str = "") -> Theirs:
    """What these known_hosts files say of a host: hashed names, @cert-authority and @revoked included.

    As ssh looks for it: by the name or number that it was reached by, whatever else lies at that number; an `alias`
    takes the place of both, and of the port. A key that is revoked for any of them is revoked.
    """
    host = host.lower()
    names = [alias] if alias else [host] if port == 22 else [f"[{host}]:{port}", host]
    trusted: list[Any] = []
    authorities: list[Any] = []
    revoked: list[Any] = []
    for file in files:
        try:
            status = file.stat()
            known = _parsed(file, status.st_mtime_ns, status.st_size)
        except OSError:  # a file that is not there
            continue
        found = [known.match(name, "", None) for name in names]
        first = next((one for one in found if one[0] or one[1]), found[0])
        trusted += first[0]
        authorities += first[1]
        revoked += [key for one in found for key in one[2]]
    return Theirs(tuple(trusted), tuple(authorities), tuple(revoked))


@functools.lru_cache(maxsize=16)
def _parsed(file: Path, _changed: int, _size: int) -> asyncssh.SSHKnownHosts:
    """A known_hosts file, read once until it changes; lines that ssh would pass over, too, are. Raises OSError."""
    known = asyncssh.SSHKnownHosts()
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            known.load(line)
    return known


@dataclass(frozen=True)
class Evidence:
    """All that is known beforehand of the keys of one server."""

    name: str = ""  # what our own file calls it: the server's id
    console: str = ""  # the whole console log
    own: KnownHosts | None = None
    files: Sequence[Path] = field(default=())  # the user's known_hosts
    renewed: bool = False  # we have rebuilt it: another key than before is expected

    def known(self, said: Theirs) -> frozenset[str]:
        """The algorithms of the keys that are known: a host with several keys is to show one of those, as to ssh."""
        met = self._kept()
        return frozenset([key.algorithm.decode() for key in said.trusted] or [kept.algorithm for kept in met])

    def judge(self, key: asyncssh.SSHKey, said: Theirs) -> Judgement:
        """Who vouches for this key."""
        words = key.export_public_key().decode().split()
        algorithm, shown = words[0], key.get_fingerprint("sha256")
        blocks = printed(self.console)
        vouched = frozenset[str]().union(*blocks)
        if key in said.revoked:
            return Judgement("revoked", shown, algorithm, f"the key {shown} is revoked in your known_hosts")
        if shown in vouched or key.get_fingerprint("md5") in vouched:
            return Judgement("console", shown, algorithm, f"{shown}, as on the console")
        if key in said.trusted:
            return Judgement("known", shown, algorithm, f"{shown}, as in your known_hosts")
        if blocks:
            return _changed(shown, algorithm, "the console says", sorted(blocks[-1]))
        if said.trusted and not self.renewed:
            prints = [known.get_fingerprint("sha256") for known in said.trusted]
            return _changed(shown, algorithm, "your known_hosts says", prints)
        return self._met(shown, algorithm, words[1])

    def _met(self, shown: str, algorithm: str, blob: str) -> Judgement:
        met = self._kept()
        for kept in met:
            if kept.blob == blob:
                how = "as on the console before" if kept.grade == "console" else "as at the first use"
                return Judgement(kept.grade, shown, algorithm, f"{shown}, {how}")
        if self.renewed:
            return Judgement("first-use", shown, algorithm, f"{shown}, new since our rebuild: nobody vouches for it")
        if met:
            return _changed(shown, algorithm, "before it was", [fingerprint(kept.blob) for kept in met])
        return Judgement("first-use", shown, algorithm, f"{shown}, first use: nobody vouches for it")

    def _kept(self) -> list[Kept]:
        """The keys that we have met. Raises `ProbeFailed`: without them a changed key would look like a first one."""
        try:
            return self.own.find(self.name) if self.own is not None and self.name else []
        except OSError as error:
            text = f"The host keys that we have met cannot be read: {error.filename}: {error.strerror}."
            raise ProbeFailed(text, rung="host key") from error

    async def keep(self, judgement: Judgement, key: asyncssh.SSHKey) -> None:
        """Keep a trusted key in our own file, for which others may have to be waited for. Raises OSError."""
        if self.own is None or not self.name or judgement.grade not in ("console", "first-use"):
            return
        words = key.export_public_key().decode().split()
        kept = Kept(self.name, words[0], words[1], judgement.grade)
        if not self.own.noted(kept):  # a thread of its own needs an object of its own
            await asyncio.to_thread(KnownHosts(self.own.path).note, *kept[:4])


def _changed(shown: str, algorithm: str, who: str, expected: Sequence[str]) -> Judgement:
    text = f"it shows {shown}, {who} {' or '.join(expected)}"
    return Judgement("changed", shown, algorithm, text, tuple(expected))
