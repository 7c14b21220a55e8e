"""What novadeck runs on and with: paths, settings, clouds and versions, each with its source; and what is wrong.

It is the doctor as well: it looks at files, variables and folders, logs in nowhere and asks no cloud. Whatever cannot
work is a problem in one sentence, and a problem is exit code 1. No secret is read, let alone shown.
"""

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from console.cli.main import Exit
from console.cli.output import text, write_objects
from console.cli.parse import Given
from console.errors import ConfigError

LIBRARIES = (
    "textual",
    "aiohttp",
    "asyncssh",
    "msgspec",
    "openstacksdk",
    "keystoneauth1",
    "platformdirs",
    "tomli-w",
    "pyyaml",
)
VARIABLES = (
    "OS_CLIENT_CONFIG_FILE",
    "OS_CLIENT_SECURE_FILE",
    "OS_CLOUD",
    "OS_AUTH_URL",
    "OS_REGION_NAME",
    "NOVADECK_THEME",
    "NOVADECK_ASCII",
    "NOVADECK_READ_ONLY",
    "NO_COLOR",
    "TERM",
    "COLORTERM",
    "TMUX",
    "LANG",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSH_AUTH_SOCK",
)


def run(given: Given) -> int:
    """Print what there is, and say by the exit code whether all is well."""
    found = gathered()
    form = given.get("format", "table")
    if form == "table":
        sys.stdout.write("".join(sections(found)))
    else:
        write_objects([found], form, alone=True)
    return Exit.FAILED if found["problems"] else Exit.DONE


def gathered() -> dict[str, Any]:
    """Everything, as plain values."""
    problems: list[str] = []
    return {
        "novadeck": _version("novadeck"),
        "package": _package(problems),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "environment": {name: _masked(os.environ[name]) for name in VARIABLES if os.environ.get(name)},
        "settings": _settings(problems),
        "files": _files(problems),
        "clouds": _clouds(problems),
        "problems": problems,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _package(problems: list[str]) -> str:
    from novadeck import foreign

    import console

    if reason := foreign():
        problems.append(reason)
    return str(Path(console.__file__ or "").parent)


def _masked(value: str) -> str:
    """A variable's value without the password that a proxy's address may hold."""
    scheme, joined, rest = value.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if joined and "@" in rest else value


def _settings(problems: list[str]) -> dict[str, dict[str, str]]:
    from console.core.settings import Paths, explain

    try:
        return {name: {"value": value, "from": source} for name, value, source in explain(Paths())}
    except ConfigError as error:
        problems.append(str(error))
        return {}


def _files(problems: list[str]) -> dict[str, dict[str, str]]:
    """Our own files and folders, and whether they can be used."""
    from console.core.settings import Paths

    paths = Paths()
    found = {
        "settings file": (paths.config_file, _state(paths.config_file)),
        "saved file": (paths.saved_file, _state(paths.saved_file)),
        "audit": (paths.audit_file, _state(paths.audit_file)),
        "timeline": (paths.timeline_file, _state(paths.timeline_file)),
    }
    for what, folder, lost in (
        ("config", paths.config, "the clouds and theme chosen last are not remembered"),
        ("state", paths.state, "no action can be written down, so none is done"),
    ):
        if not writable(folder):
            problems.append(f"The {what} folder {folder} cannot be written: {lost}.")
    return {name: {"path": str(path), "state": state} for name, (path, state) in found.items()}


def _state(path: Path) -> str:
    try:
        if not path.exists():
            return "not there yet"
        return "there" if os.access(path, os.R_OK) else "cannot be read"
    except OSError as error:
        return error.strerror or str(error)


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder that is there, or could be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _clouds(problems: list[str]) -> dict[str, Any]:
    """The cloud entries and where was looked for them."""
    from console.core.entries import look

    found = look()
    problems += [str(problem) for problem in found.problems]
    entries: dict[str, dict[str, Any]] = {name: {"regions": []} for name in found.names}
    for account in found.accounts:
        entry = entries.setdefault(account.place.cloud, {"regions": []})
        entry["login"] = account.entry.auth_type
        entry["regions"].append(account.region or "(as the catalog says)")
        if account.missing:
            entry["asks for"] = list(account.missing)
    if not found.names:
        problems.append("No cloud is configured.")
    return {
        "looked for": [_there(place) for place in found.looked_for],
        "by default": found.default,
        "entries": entries,
    }


def _there(place: str) -> str:
    if os.sep not in place or "=" in place:
        return place if "=" in place else f"{place} (not set)"
    return place if Path(place).is_file() else f"{place} (not there)"


def sections(found: Mapping[str, Any]) -> Iterator[str]:
    """The whole as text: a heading per subject, a line per fact."""
    for name in ("novadeck", "package", "python", "system"):
        yield f"{name:10}{text(found[name])}\n"
    yield "\nlibraries\n"
    yield from (f"  {name:24}{text(value)}\n" for name, value in found["libraries"].items())
    yield "\nsettings (value, and where it is from)\n"
    yield from (f"  {name:24}{text(s['value']) or '-'}  [{text(s['from'])}]\n" for name, s in found["settings"].items())
    yield "\nfiles\n"
    yield from (f"  {name:24}{text(file['path'])}  [{file['state']}]\n" for name, file in found["files"].items())
    yield "\nenvironment\n"
    yield from (f"  {name:24}{text(value)}\n" for name, value in found["environment"].items())
    yield "\nclouds were looked for in\n"
    yield from (f"  {text(place)}\n" for place in found["clouds"]["looked for"])
    yield "\nclouds\n"
    for name, entry in found["clouds"]["entries"].items():
        asks = f", asks for {text(entry['asks for'])}" if "asks for" in entry else ""
        chosen = "  [opened by default]" if name == found["clouds"]["by default"] else ""
        yield f"  {text(name):24}{text(entry['regions'])}, {text(entry.get('login', 'not usable'))}{asks}{chosen}\n"
    yield "\nproblems\n"
    yield from (f"  {text(problem)}\n" for problem in found["problems"] or ["none"])
