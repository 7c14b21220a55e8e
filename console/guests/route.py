"""The way into a guest as the user's own ssh would take it: address, port, users, keys, known hosts.

Reads ~/.ssh/config through asyncssh's reader, private keys from where ssh looks, and what the caller's settings say
above that. Reads only; keys are loaded once and kept as objects, since loading an RSA key costs as much as fifty
checks. All of it may block: call `find_route` in a worker thread.
"""

import base64
import functools
import getpass
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.config import SSHClientConfig

from console.errors import ConfigError
from console.text import clean

USUAL_USERS = (
    "ubuntu", "debian", "centos", "rocky", "almalinux", "cloud-user", "fedora", "opensuse", "root",
)  # fmt: skip
USUAL_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
# What ssh takes for a host's name. Anybody may have named a server, and a ProxyCommand hands names to a shell.
_NAME = re.compile(r"(?!-)[^\s\x00-\x1f\x7f'`\"$\\;&<>|(){},]+")
MOST_KEYS = 5  # sshd ends a connection after six failures
MOST_HOPS = 8


@dataclass(frozen=True)
class Identity:
    """A private key that may log in, and where it came from."""

    path: Path
    key: asyncssh.SSHKey
    certificate: asyncssh.SSHCertificate | None = None


@dataclass(frozen=True)
class Hop:
    """One jump host on the way."""

    name: str
    address: str
    port: int
    user: str
    identities: tuple[Identity, ...] = ()
    agent: str = ""
    known_hosts: tuple[Path, ...] = ()
    alias: str = ""
    proxy: str = ""  # a command that speaks for it
    key: Path | None = None  # one of its identities, of which ~/.ssh/config says nothing
    only: frozenset[str] = frozenset()  # as of a route


@dataclass(frozen=True)
class Route:
    """How to reach one guest."""

    addresses: tuple[str, ...]
    port: int
    users: tuple[str, ...]
    identities: tuple[Identity, ...]
    agent: str = ""  # the path of the agent's socket
    known_hosts: tuple[Path, ...] = ()
    alias: str = ""  # the name under which known_hosts has it
    notes: tuple[str, ...] = ()  # what was passed over, in words
    jumps: tuple[Hop, ...] = ()  # the nearest first
    proxy: str = ""  # a command that speaks for the guest
    host: str = ""  # what ~/.ssh/config was read for
    only: frozenset[str] = frozenset()  # the public halves of all that the agent may offer, where not everything
    pair: str = ""  # the name of the key pair that it was made with
    pair_key: str = ""  # that one's public half, in base64


def find_route(
    name: str,
    addresses: Sequence[str],
    *,
    users: Sequence[str] = (),
    port: int | None = None,
    key: Path | None = None,
    key_name: str | None = None,
    jump: str | None = None,
    home: Path | None = None,
) -> Route:
    """The way to a server of that name at these addresses; what is given here goes before ~/.ssh/config.

    `jump` names jump hosts as `ssh -J` takes them, "none" for a direct way. Raises `ConfigError` when
    ~/.ssh/config cannot be read, or leads in a circle. Blocks.
    """
    folder = (home or Path.home()) / ".ssh"
    config, label = _config(folder / "config", name, addresses, "", port)
    host = config.get("Hostname") if addresses else None
    asked: Any = config.get("User")
    paths = [Path(path).expanduser() for path in _strings(config.get("IdentityFile"))]
    keys = _key_paths(folder, key, key_name, paths)
    identities, notes = _identities(keys)
    agent, only = _agent(config, keys)
    through, proxy = (jump, "") if jump else _way(config)
    return Route(
        addresses=tuple(dict.fromkeys([*([str(host)] if host else []), *addresses])),
        port=port or _port(config.get("Port")),
        users=tuple(dict.fromkeys([*users, *([str(asked)] if asked else [])])) or USUAL_USERS,
        identities=tuple(identities[:MOST_KEYS]),
        agent=agent,
        known_hosts=_known_hosts(config, folder),
        alias=str(config.get("HostKeyAlias") or ""),
        notes=tuple(notes),
        jumps=tuple(_hops(through, folder, key, [])),
        proxy=proxy,
        host=label,
        only=only,
    )


def _way(config: SSHClientConfig) -> tuple[str, str]:
    """The jump hosts and the proxy command, of which the one that is said first leaves nothing to the other."""
    said = [name for name in config.get_options(False) if name in ("ProxyJump", "ProxyCommand")]
    way = str(config.get(said[0]) or "none") if said else "none"
    if way.lower() == "none":
        return "none", ""
    return (way, "") if said[0] == "ProxyJump" else ("none", way)


def _agent(config: SSHClientConfig, keys: Sequence[Path]) -> tuple[str, frozenset[str]]:
    """The agent's socket, and the public halves that it may offer; none of them stands for all.

    With IdentitiesOnly it still signs for those keys whose files are named, as it must where they are kept by it alone.
    """
    said = config.get("IdentityAgent", "SSH_AUTH_SOCK")
    word = "" if said is None else str(said)
    variable = word if word == "SSH_AUTH_SOCK" else word.removeprefix("$") if word.startswith("$") else ""
    path = os.environ.get(variable, "") if variable else os.path.expanduser(word)  # noqa: PTH111 - "" stays ""
    if config.get("IdentitiesOnly") is not True:
        return path, frozenset()
    only = frozenset(public for key in keys if (public := _public(key)))
    return (path if only else ""), only


def _public(path: Path) -> str:
    """The public half of the key in this file, in base64, from the file beside it or its own; "" where none is told."""
    for file in (path, path.with_name(path.name + ".pub")):
        try:
            return base64.b64encode(asyncssh.read_public_key(file).public_data).decode("ascii")
        except (OSError, ValueError):
            continue
    return ""


def _known_hosts(config: SSHClientConfig, folder: Path) -> tuple[Path, ...]:
    files = [Path(path).expanduser() for path in _strings(config.get("UserKnownHostsFile"))]
    return (*(files or [folder / "known_hosts"]), Path("/etc/ssh/ssh_known_hosts"))


def _hops(through: str, folder: Path, key: Path | None, above: list[str]) -> list[Hop]:
    """The jump hosts of one ProxyJump, as ~/.ssh/config has each; those of the first one's own stand before it."""
    if through.strip().lower() in ("", "none"):
        return []
    hops: list[Hop] = []
    for place, word in enumerate(through.split(",")):
        user, name, port = _jump_host(word)
        if name in above or len(above) >= MOST_HOPS:
            raise ConfigError(f"The jump host {clean(name)} is reached through itself: {clean(' -> '.join(above))}.")
        config, _ = _config(folder / "config", name, [name], user, port)
        own, proxy = _way(config) if not place else ("none", "")
        hops += _hops(own, folder, key, [*above, name])
        hops.append(replace(_hop(name, user, port, config, folder, key), proxy=proxy))
    return hops


def _jump_host(word: str) -> tuple[str, str, int | None]:
    """The parts of [user@]host[:port], or of such an ssh:// address; raises `ConfigError`."""
    user, _, rest = word.strip().removeprefix("ssh://").rstrip("/").rpartition("@")
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?", rest)
    if found is None or rest.startswith("-") or user.startswith("-"):
        raise ConfigError(f"{clean(word)!r} is no jump host.", hint="It is user@host:port, several with commas.")
    return user, found[1] or found[2], int(found[3]) if found[3] else None


def _hop(name: str, user: str, port: int | None, config: SSHClientConfig, folder: Path, key: Path | None) -> Hop:
    paths = [Path(path).expanduser() for path in _strings(config.get("IdentityFile"))]
    keys = _key_paths(folder, key, None, paths)
    identities, _ = _identities(keys)
    agent, only = _agent(config, keys)
    asked: Any = config.get("User")
    return Hop(
        name,
        str(config.get("Hostname") or name),
        port or _port(config.get("Port")),
        user or str(asked or getpass.getuser()),
        tuple(identities[:MOST_KEYS]),
        agent,
        _known_hosts(config, folder),
        str(config.get("HostKeyAlias") or ""),
        key=key if any(identity.path == key for identity in identities) else None,
        only=only,
    )


def _config(
    path: Path, name: str, addresses: Sequence[str], user: str, port: int | None
) -> tuple[SSHClientConfig, str]:
    """The user's options for it, and what they are read for: its name where a Host line has it, or its address.

    A user and a port that are given are what a ProxyCommand's %r and %p, and Match lines, stand for.
    """
    host = addresses[0] if addresses else name
    given = (user or (), port or ())
    if not path.is_file() or not _NAME.fullmatch(host):
        return _load([], host, *given), host
    try:
        by_name = _load([path], name, *given) if _NAME.fullmatch(name) else None
        if by_name is not None and by_name.get("Hostname"):
            return by_name, name
        return _load([path], host, *given), host
    except (asyncssh.ConfigParseError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be used: {clean(str(error))}") from error


def _load(paths: list[Path], host: str, user: Any, port: Any) -> SSHClientConfig:
    loaded = SSHClientConfig.load(None, paths, False, False, False, getpass.getuser(), user, host, port)
    assert isinstance(loaded, SSHClientConfig)
    return loaded


def _port(port: object) -> int:
    return int(port) if isinstance(port, int) else 22


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)] if value else []


def _key_paths(folder: Path, key: Path | None, key_name: str | None, configured: list[Path]) -> list[Path]:
    """Where a key may lie, the likeliest first: asked for, of the server's key pair's name, configured, usual."""
    named = [folder / key_name, folder / f"{key_name}.pem"] if key_name and "/" not in key_name else []
    usual = configured or [folder / name for name in USUAL_KEYS]
    return list(dict.fromkeys([*([key] if key else []), *named, *usual]))


def _identities(paths: Sequence[Path]) -> tuple[list[Identity], list[str]]:
    found: list[Identity] = []
    notes: list[str] = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        identity = load_identity(path, status.st_mtime_ns, status.st_size)
        if isinstance(identity, str):
            notes += [identity] if identity else []
        else:
            found.append(identity)
    return found, notes


@functools.lru_cache(maxsize=64)
def load_identity(path: Path, _changed: int, _size: int) -> Identity | str:
    """The key in this file, or in words why it cannot be used; "" where it is the public half alone."""
    try:
        key = asyncssh.read_private_key(path)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        wants = "passphrase" in str(error).lower() or isinstance(error, asyncssh.KeyEncryptionError)
        if not wants and _public(path):  # the agent has the other half
            return ""
        return f"{path} wants a passphrase: load it into an agent" if wants else f"{path} holds no private key"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return Identity(path, key, _certificate(path))


def _certificate(path: Path) -> asyncssh.SSHCertificate | None:
    try:
        return asyncssh.read_certificate(path.with_name(path.name + "-cert.pub"))
    except (OSError, ValueError):
        return None


def new_key(path: Path, comment: str) -> str:
    """Make a private key in a new file that its owner alone can read; its public line. Raises OSError. Blocks."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(key.export_private_key())
    return key.export_public_key().decode().strip()
