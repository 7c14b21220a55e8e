"""The user's own settings, what the program keeps for itself, and where both lie.

`config.toml` is the user's: read, never written; a mistake in it is told with its file and line, and a word that
means nothing is a mistake too, since `read_onyl = true` must not leave a cloud writable. `saved.toml` is the
program's. Clouds and their logins stay where OpenStack's other tools look for them, but for those that such tools do
not know: they may stand in `config.toml`, and a key among them is shown to nobody.
"""

import os
import re
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import platformdirs

from console.core.jsonpath import parse_path
from console.errors import ConfigError
from console.text import clean

APP = "novadeck"
HEX = re.compile(r"#[0-9a-fA-F]{6}")
PATIENCE = 1.0  # seconds to wait for another console that is writing
BANNERS = ("accent", "busy", "error", "ok", "production", "warn")  # roles that a production cloud can be marked by
S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders: the user's settings, what the program remembers, and what is gone after a restart."""

    config: Path = field(default_factory=lambda: platformdirs.user_config_path(APP, appauthor=False))
    state: Path = field(default_factory=lambda: platformdirs.user_state_path(APP, appauthor=False))
    runtime: Path = field(default_factory=lambda: _runtime_folder())

    @property
    def config_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"

    @property
    def saved_file(self) -> Path:
        """What the program keeps: it writes this file and no other one in the config folder."""
        return self.config / "saved.toml"

    @property
    def audit_file(self) -> Path:
        """What was asked, and what became of it."""
        return self.state / "audit.ndjson"

    @property
    def timeline_file(self) -> Path:
        """What changed when."""
        return self.state / "timeline.sqlite"

    @property
    def journal_file(self) -> Path:
        """What the operations under way have done and are about to do."""
        return self.state / "journal.sqlite"


def _runtime_folder() -> Path:
    """The folder that is gone after a restart; where the system names none it is below /tmp, and nobody is warned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path(APP, appauthor=False)


class SshWay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The way into the guests of one network, or of one image."""

    user: str = ""
    port: int = 0  # 0: as ~/.ssh/config says, else 22
    jump: str = ""  # user@host:port, several with commas, the nearest first; or none
    key: str = ""  # a file


class SshSettings(SshWay, frozen=True, forbid_unknown_fields=True):
    """The way into the guests of a cloud; a network's or an image's own goes before it."""

    check: bool = True  # whether a server that we built, rebuilt or resized is checked by itself
    networks: dict[str, SshWay] = {}  # by name
    images: dict[str, SshWay] = {}  # by name (patterns) or id

    def ways(self, networks: Sequence[str], image: Sequence[str]) -> list[SshWay]:
        """What holds for a server on these networks, of an image with these names, the most special first."""
        of_image = [way for name, way in self.images.items() if any(fnmatchcase(word, name) for word in image)]
        of_network = [self.networks[name] for name in networks if name in self.networks]
        return [*of_image, *of_network, self]


class CloudSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for one entry of clouds.yaml; or the entry itself, for a cloud that clouds.yaml cannot hold."""

    production: bool = False
    colour: str = ""  # of a production cloud: like #e0a020, or a role of the themes
    read_only: bool = False
    all_projects: bool = False
    confirms_after: float = 0.0  # seconds after which it keeps a resize by itself; 0: never, or nobody knows
    ssh: SshSettings = SshSettings()
    auth_type: str = ""
    auth: dict[str, str] = {}
    dialect: str = ""
    regions: list[str] = []
    pyrax_file: str = ""  # a credential file of pyrax, whose login it is

    def __post_init__(self) -> None:
        if self.colour and not (HEX.fullmatch(self.colour) or self.colour in BANNERS):
            raise ValueError(f"colour must be like #e0a020, or one of {', '.join(BANNERS)}")
        if self.colour and not self.production:
            raise ValueError("a colour marks production, so production = true must stand beside it")

    @property
    def entry(self) -> dict[str, Any]:
        """The login in the shape of clouds.yaml; nothing where it stands there."""
        if not (self.auth_type or self.pyrax_file):
            return {}
        told = {"auth_type": self.auth_type, "auth": dict(self.auth), "novadeck_dialect": self.dialect}
        told |= {"regions": list(self.regions), "pyrax_file": self.pyrax_file}
        return {name: value for name, value in told.items() if value}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the user has forbidden himself: for these actions, clouds and names (patterns, all where none is given)."""

    actions: list[str] = []  # such as "server.delete" or "server.*"
    clouds: list[str] = []
    names: list[str] = []
    deny: str = ""  # why it is not done at all
    most: int = 0  # how many rows at once; 0 is any number
    type_name: bool = False  # the name must be typed
    ask_why: bool = False  # a reason must be given, which the audit keeps


class OwnColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column that the user adds to a pane: a value of the cloud's record, by its path (`metadata.role`)."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]+$")]  # so that the filter can say name:value
    path: str
    width: Annotated[int, msgspec.Meta(ge=4, le=80)] = 14  # cells, the gap to the right in it
    align: Literal["left", "right"] = "left"
    wide: bool = False  # only with `w`

    def __post_init__(self) -> None:
        parse_path(self.path)


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the user hears of what ended, broke or runs out while the eyes are elsewhere."""

    bell: bool = True
    desktop: Literal["off", "osc9", "osc777"] = "off"
    command: list[str] = []  # run with the facts in NOVADECK_* variables; no shell is between
    after: float = 10.0  # seconds that an operation must have lasted
    clock: float = 3600.0  # seconds before a resize confirms itself


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, with their defaults."""

    theme: str = ""
    ascii: bool = False
    mouse: bool = True  # false leaves it to the terminal
    lean: bool | None = None  # for thin links; by itself where nothing is said
    differences: bool = True  # send the terminal only what differs; false leaves the writing to Textual
    columns: dict[str, list[OwnColumn]] = {}  # by pane
    notify: Notify = Notify()
    read_only: bool = False
    clouds: dict[str, CloudSettings] = {}
    keys: dict[str, str] = {}
    rules: list[Rule] = []
    operations_kept: Annotated[int, msgspec.Meta(ge=1, le=36500)] = 365  # days that an ended one stays in the journal

    def cloud(self, name: str) -> CloudSettings:
        """What holds for this entry of clouds.yaml."""
        return self.clouds.get(name, CloudSettings())


class PaneView(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one pane is looked at."""

    filter: str = ""
    sort: str = ""  # a field; with "-" before it the other way round
    problems: bool = False
    wide: bool = False
    marks: list[list[str]] = []  # endpoint, region, kind and id of each


class SavedView(PaneView, frozen=True, omit_defaults=True):
    """A view that was given a name."""

    pane: str = "servers"


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the screen was left."""

    pane: str = "servers"
    zoomed: bool = False
    aside: bool = False
    panes: dict[str, PaneView] = {}


class Saved(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the program remembers between two runs; a key of a newer version is ignored."""

    clouds: list[str] = []  # those opened last
    theme: str = ""
    keys: dict[str, str] = {}
    views: dict[str, SavedView] = {}  # by the name that the user gave
    sessions: dict[str, Session] = {}  # by the clouds that were open, the latest last


_ENVIRONMENT = {"theme": "NOVADECK_THEME", "ascii": "NOVADECK_ASCII", "read_only": "NOVADECK_READ_ONLY"}


def load_settings(paths: Paths | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings: the environment's over the file's over the defaults. Raises `ConfigError` naming file and line."""
    file = (paths or Paths()).config_file
    text = _text(file)
    settings = _settings(_parse(text, file), text, file)
    return msgspec.structs.replace(settings, **_from_environment(environment))


def explain(paths: Paths, environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str, str]]:
    """Each path and setting as (name, value, where it came from), for `novadeck info`."""
    for name, variable in (("config", "XDG_CONFIG_HOME"), ("state", "XDG_STATE_HOME"), ("runtime", "XDG_RUNTIME_DIR")):
        yield f"{name} folder", str(getattr(paths, name)), variable if environment.get(variable) else "default"
    written = msgspec.to_builtins(load_settings(paths, environment))
    in_file = _parse(_text(paths.config_file), paths.config_file)
    for name, value in written.items():
        variable = _ENVIRONMENT.get(name, "")
        source = variable if environment.get(variable) else str(paths.config_file) if name in in_file else "default"
        if not isinstance(value, dict):
            yield name, str(value), source
        for inner, said in value.items() if isinstance(value, dict) else ():
            yield f"{name}.{inner}", str(_without_keys(said)), source


def _without_keys(said: Any) -> Any:
    """A cloud's settings with the names of what it logs in by, and not their values."""
    return {**said, "auth": sorted(said["auth"])} if isinstance(said, dict) and said.get("auth") else said


def load_saved(paths: Paths) -> Saved:
    """What the last run kept; nothing where the file is missing or broken, since it is no work of the user's."""
    try:
        return _kept(paths.saved_file)[1]
    except OSError:
        return Saved()


def save(paths: Paths, change: Callable[[Saved], Mapping[str, Any]]) -> None:
    """Keep for the next run the fields that `change` gives, made of what is kept at that moment; all or nothing.

    What other consoles keep meanwhile stays, and so does what only a newer version knows. Raises `ConfigError` where
    the file cannot be written.
    """
    file = paths.saved_file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.parent):
            tree, saved = _kept(file)
            changed = msgspec.to_builtins(msgspec.structs.replace(saved, **change(saved)))  # without the defaults
            others = {name: value for name, value in tree.items() if name not in Saved.__struct_fields__}
            _write(file, {**others, **changed})
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}.") from error


def _kept(file: Path) -> tuple[dict[str, Any], Saved]:
    """The file as it stands, and what we know of it; a broken one holds nothing, one that is closed to us raises."""
    with suppress(FileNotFoundError, ValueError, msgspec.ValidationError):
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
        return tree, msgspec.convert(tree, Saved)
    return {}, Saved()


def _write(file: Path, tree: Mapping[str, Any]) -> None:
    import tomli_w

    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_text(tomli_w.dumps(tree), encoding="utf-8")
    new.chmod(0o600)
    new.replace(file)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; who has it does so for a moment, and a second of that is no reason to stop."""
    import fcntl

    held, until = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), time.monotonic() + PATIENCE
    try:
        while time.monotonic() < until:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.005)
            except OSError:  # a file system without locks
                break
        yield
    finally:
        os.close(held)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        what = clean(re.sub(r"\s*\(at .*\)$", "", str(error)))
        line = int(found[1]) if found else text.count("\n") + 1
        raise ConfigError(f"{file}, line {line}: {what}.") from error


def _settings(tree: dict[str, Any], text: str, file: Path) -> Settings:
    clouds = tree.get("clouds", {})
    read = _convert({name: value for name, value in tree.items() if name != "clouds"}, Settings, (), text, file)
    if not isinstance(clouds, dict):
        raise ConfigError(f"{file}, line {_line(text, (), 'clouds')}: clouds must be a table, as in [clouds.prod].")
    each = {name: _convert(value, CloudSettings, ("clouds", name), text, file) for name, value in clouds.items()}
    return msgspec.structs.replace(read, clouds=each)


def _convert(tree: Any, shape: type[S], table: tuple[str, ...], text: str, file: Path) -> S:
    try:
        return msgspec.convert(tree, shape)
    except msgspec.ValidationError as error:
        said = str(error)
        path = re.search(r"`\$\.?([^`]*)`$", said)
        inner = [part for part in (re.sub(r"\[[^]]*\]", "", path[1]) if path else "").split(".") if part]
        unknown = re.search(r"unknown field `([^`]*)`", said)
        key = unknown[1] if unknown else (inner.pop() if inner else "")
        where = f"{file}, line {_line(text, (*table, *inner), key)}"
        name = clean(".".join((*table, *inner, key)).strip("."))
        if unknown:
            raise ConfigError(f"{where}: nothing is known by the name of {name}.") from error
        raise ConfigError(f"{where}: {name}: {clean(said.split(' - at ')[0])}.") from error


def _line(text: str, table: tuple[str, ...], key: str) -> int:
    """The line of a key in a table, as near as the text tells."""
    current: tuple[str, ...] = ()
    best = 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            current = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            inside = bool(table) and current[: len(table)] == table
            best = number if inside or current[: len(table) + 1] == (*table, key) else best
        said = re.match(r"\s*([^=#]+?)\s*=", line)
        full = (*current, *(part.strip().strip("\"'") for part in said[1].split("."))) if said else ()
        if full and full[: len(table)] == table and full[-1] == key and (table or len(full) == 1):
            return number
    return best


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, variable in _ENVIRONMENT.items():
        value = environment.get(variable)
        if value:
            given[name] = value if name == "theme" else value.lower() not in ("0", "no", "false")
    return given
