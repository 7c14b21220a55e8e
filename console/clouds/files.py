"""The files that describe clouds: where they may be, and what is wrong with one that cannot be read."""

import configparser
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs
import yaml

from console.errors import ConfigError
from console.text import clean

_SUFFIXES = (".yaml", ".yml", ".json")
PYRAX_FILE = "~/.rackspace_cloud_credentials"  # where pyrax's own guide puts it
RACKSPACE_IDENTITY = "https://identity.api.rackspacecloud.com/v2.0"
_ENVIRONMENT = ("OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLOUD", "OS_AUTH_URL")


def cloud_folders() -> list[Path]:
    """The folders that OpenStack's own programs look into, in their order."""
    dirs = platformdirs.PlatformDirs("openstack", "OpenStack", multipath=True)
    home = Path(os.environ.get("SNAP_REAL_HOME") or "~").expanduser()
    named = [*_here(), Path(dirs.user_config_dir), home / ".config" / "openstack"]
    named += [Path(part) for part in dirs.site_config_dir.split(os.pathsep)] + [Path("/etc/openstack")]
    return list(dict.fromkeys(named))


def _here() -> list[Path]:
    """The folder that we are in, which may have been taken away meanwhile."""
    try:
        return [Path.cwd()]
    except OSError:
        return []


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder, as far as we may know: what lies in a closed folder is none of ours."""
    try:
        return path.exists()
    except OSError:
        return False


def paths(kind: str, folders: Sequence[Path]) -> list[str]:
    """Every path at which a file of this kind (clouds, secure, clouds-public) may be."""
    return [str(folder / f"{kind}{suffix}") for folder in folders for suffix in _SUFFIXES]


def looked_for(candidates: Sequence[str]) -> Iterator[str]:
    """What to tell a user without clouds: the variables, and the files that would have been read."""
    for name in _ENVIRONMENT:
        yield f"{name}={clean(os.environ[name])}" if os.environ.get(name) else name
    yield from (path for path in candidates if not path.endswith((".yml", ".json")))


def broken_files(files: Mapping[str, Sequence[str]]) -> Iterator[ConfigError]:
    """The reader passes over a file that it cannot parse; a person wants to know which, and where it is wrong."""
    overrides = {"clouds": "OS_CLIENT_CONFIG_FILE", "secure": "OS_CLIENT_SECURE_FILE"}
    for kind, candidates in files.items():
        named = os.environ.get(overrides.get(kind, ""))
        if named and not is_there(Path(named)):
            yield ConfigError(f"{overrides[kind]} names {clean(named)}, and there is no such file.")
        for path in [named, *candidates] if named else candidates:
            if is_there(Path(path)) and Path(path).is_file():
                if (problem := _broken(Path(path))) is not None:
                    yield problem
                break


def _broken(path: Path) -> ConfigError | None:
    try:
        tree = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return ConfigError(f"{path}{where}: {clean(str(getattr(error, 'problem', None) or 'this is not YAML'))}.")
    except (OSError, UnicodeDecodeError) as error:
        return ConfigError(f"{path} cannot be read: {clean(getattr(error, 'strerror', None) or str(error))}.")
    if tree is not None and not isinstance(tree, dict):
        return ConfigError(f"{path}, line 1: this is no mapping with a 'clouds' section.")
    return _broken_entries(path, tree or {})


def _broken_entries(path: Path, tree: Mapping[str, Any]) -> ConfigError | None:
    for section in ("clouds", "public-clouds"):
        entries = tree.get(section, {})
        if not isinstance(entries, dict):
            return ConfigError(f"{path}: '{section}' is no mapping of names to clouds.")
    return None


def pyrax_entry(path: Path) -> dict[str, Any]:
    """The entry that a credential file of pyrax stands for, its region as ~/.pyrax.cfg says. Raises `ConfigError`."""
    found = _ini(path)
    if "rackspace_cloud" not in found:
        raise ConfigError(f"{path} has no section [rackspace_cloud].")
    told = found["rackspace_cloud"]
    auth = {"auth_url": RACKSPACE_IDENTITY, "username": told.get("username", "")}
    if key := told.get("api_key"):
        auth["api_key"] = key
    if not auth["username"]:
        raise ConfigError(f"{path}: [rackspace_cloud] has no username.")
    entry: dict[str, Any] = {"auth_type": "rackspace_apikey", "auth": auth}
    own = Path("~/.pyrax.cfg").expanduser()
    parts = _ini(own) if is_there(own) else {}
    settings: Mapping[str, str] = next((part for name, part in parts.items() if name != "DEFAULT"), {})
    auth["auth_url"] = settings.get("auth_endpoint") or auth["auth_url"]
    return entry | ({"region_name": settings["region"]} if settings.get("region") else {})


def _ini(path: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    try:
        found.read_string(path.read_text(encoding="utf-8"))
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise ConfigError(f"{path}{where}: {clean(str(error).splitlines()[0])}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {clean(getattr(error, 'strerror', None) or str(error))}.") from error
    return found


def open_to_others(path: Path) -> bool:
    """Whether other users of this machine may read a file, which must not be where a key stands in it."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False
