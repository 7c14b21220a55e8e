"""Where the clouds come from: the files and variables that a user of OpenStack already has.

openstacksdk's own reader finds and merges clouds.yaml, secure.yaml, clouds-public.yaml, vendor profiles and OS_*
variables, and keystoneauth1's plugins log in, so that every entry which works elsewhere works here. Both are heavy and
blocking: they are imported when first needed, run in worker threads, and nothing but the login goes through them. One
broken entry becomes a problem beside the good ones; what an entry lacks and a person knows is told as `missing`.
"""

import asyncio
import copy
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from console.clouds.files import (
    PYRAX_FILE,
    broken_files,
    cloud_folders,
    is_there,
    looked_for,
    open_to_others,
    paths,
    pyrax_entry,
)
from console.clouds.light import import_part
from console.clouds.login import Access, login
from console.clouds.reach import Reach, reach, reading
from console.errors import CloudError, ConfigError, Unauthorized
from console.model.place import Place
from console.text import clean
from console.wire.auth import Auth, Token
from console.wire.transport import Tls

Given = TypeVar("Given")
Own = Mapping[str, Mapping[str, Any]]

LOGIN_TIMEOUT = 10.0  # seconds, where the entry sets no api_timeout
_WHO = frozenset(
    (
        *("auth_url", "endpoint", "username", "user_id", "user_domain_name", "user_domain_id"),
        *("project_id", "project_name", "tenant_id", "tenant_name"),
        *("application_credential_id", "application_credential_name"),
    )
)
_TEXT = (str, type(None))
_SHAPES: tuple[tuple[str, Any, str], ...] = (
    ("auth", dict, "mapping"),
    ("auth_type", _TEXT, "text"),
    ("profile", _TEXT, "text"),
    ("region_name", _TEXT, "text"),
    ("regions", list, "list"),
    ("networks", list, "list"),
    ("cacert", _TEXT, "text"),
    ("cert", _TEXT, "text"),
)
_ASKED = "\0asked later"  # stands for a secret while the reader checks an entry


class Entry:
    """One entry of clouds.yaml: how to log in there. Its regions share it, and with it one token."""

    def __init__(self, name: str, auth_type: str, options: Mapping[str, Any], tls: Tls, timeout: float) -> None:
        self.name = name
        self.auth_type = auth_type
        self.tls = tls
        self.timeout = timeout
        self.access: Access | None = None
        self.auth = Auth(self._sign)
        self._options = dict(options)
        self._log_in: Callable[[], Access] | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what a person must still tell: password, passcode ..."""
        return tuple(name for name, value in self._options.items() if value == _ASKED)

    @property
    def who(self) -> tuple[str, ...]:
        """Whose account it is and where, in words that are no secret."""
        told = tuple(f"{key}={self._options[key]}" for key in sorted(_WHO & self._options.keys()))
        return told if len(told) > 1 else (self.name, *told)

    def tell(self, **given: str) -> None:
        """Keep what a person told, in memory alone."""
        self._options.update(given)
        self._log_in = None
        self.auth.retry()

    def same(self, other: "Entry") -> bool:
        """Whether both log in as the same user at the same door."""
        return (self.auth_type, self._options, self.tls) == (other.auth_type, other._options, other.tls)

    async def _sign(self) -> Token:
        if self.missing:
            raise Unauthorized(f"the entry lacks {', '.join(self.missing)}.", place=self.name, fault="missing")
        if self._log_in is None:
            self._log_in = await in_thread(
                lambda: login(self.name, self.auth_type, self._options, tls=self.tls, timeout=self.timeout)
            )
        self.access = await in_thread(self._log_in)
        return Token(self.access.headers, self.access.life)


@dataclass(frozen=True, slots=True)
class Account:
    """One cloud entry in one region; `region` is None where the entry names none, and the catalog tells."""

    place: Place
    region: str | None
    settings: Reach
    entry: Entry

    @property
    def missing(self) -> tuple[str, ...]:
        """What must be asked for before a login can be tried."""
        return self.entry.missing

    def with_secrets(self, **given: str) -> "Account":
        """The account with what was missing, kept in memory alone; it holds for the entry's other regions too."""
        self.entry.tell(**given)
        return self

    def at(self, region: str) -> "Account":
        """The same login in another region."""
        return replace(self, place=Place(self.place.cloud, region), region=region)


@dataclass(frozen=True, slots=True)
class Accounts:
    """What was found, what is wrong, and where was looked."""

    accounts: tuple[Account, ...] = ()
    problems: tuple[ConfigError, ...] = ()
    looked_for: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    default: str | None = None  # what OS_CLOUD says, or the only one there is


def cloud_names() -> list[str]:
    """The names of all cloud entries, in the files' order; may block."""
    return list(find_accounts(()).names)


def find_accounts(
    names: Sequence[str] | None = None, *, regions: Sequence[str] | None = None, own: Own | None = None
) -> Accounts:
    """The accounts of the named cloud entries, or of all; blocks, so call it in a worker thread.

    `own` are entries of the user's settings, in the shape of clouds.yaml, whose names go before. Raises nothing: what
    cannot be used, an unknown name too, is among the `problems`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _Search(own or {}).run(names, regions)


async def log_in(account: Account) -> Access:
    """What the login of an account gives; its failure names the account's place. Raises a `CloudError`."""
    try:
        await account.entry.auth.token()
    except CloudError as error:
        error.place = str(account.place)
        raise
    if account.entry.access is None:
        raise Unauthorized("the login gave nothing to go on with.", place=str(account.place))
    return account.entry.access


async def in_thread(function: Callable[[], Given]) -> Given:
    """Run a blocking function in a thread of its own, so that no hanging login takes a worker from another."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Given] = loop.create_future()

    def settle(result: Given | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        try:
            outcome: tuple[Given | None, BaseException | None] = (function(), None)
        except BaseException as error:
            outcome = (None, error)
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:
            return  # the loop is gone, and with it whoever asked

    threading.Thread(target=work, name="login", daemon=True).start()
    return await future


class _Search:
    """One look at the files and variables."""

    def __init__(self, own: Own) -> None:
        self._own = own
        folders = cloud_folders()
        self._files = {kind: paths(kind, folders) for kind in ("clouds", "secure", "clouds-public")}
        self.problems: list[ConfigError] = []
        self.looked_for = (*looked_for(self._files["clouds"]), str(Path(PYRAX_FILE).expanduser()))

    def run(self, names: Sequence[str] | None, regions: Sequence[str] | None) -> Accounts:
        """All that the contract of `find_accounts` promises."""
        broken = list(broken_files(self._files))
        self.problems += broken
        try:
            config = self._config()
        except ConfigError as error:
            self.problems.append(error)
            return Accounts(problems=tuple(self.problems), looked_for=self.looked_for)
        known = _known_names(config)
        wanted = list(known) if names is None else list(dict.fromkeys(names))
        if broken:  # what is not known may stand where nothing can be read
            wanted = [name for name in wanted if name in known]
        accounts = [account for name in wanted for account in self._accounts(config, name, known, regions)]
        default = config.default_cloud if config.default_cloud in known else None
        return Accounts(tuple(accounts), tuple(self.problems), self.looked_for, known, default)

    def _config(self) -> Any:
        with reading():
            # Named as text, since an import statement would open the front door.
            loader = import_part("openstack.config.loader")
            config = loader.OpenStackConfig(
                config_files=self._files["clouds"],
                secure_files=self._files["secure"],
                vendor_files=self._files["clouds-public"],
                pw_func=_ask_later,
            )
        config.cloud_config["clouds"].update(self._further(config.cloud_config["clouds"]))
        return config

    def _further(self, known: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The entries of the settings, and that of pyrax's file where no other one has its name."""
        own = dict(self._own)
        if "rackspace" not in {*known, *own} and is_there(Path(PYRAX_FILE).expanduser()):
            own["rackspace"] = {"pyrax_file": PYRAX_FILE}
        for name, told in own.items():
            entry = {key: copy.deepcopy(value) for key, value in told.items() if key != "pyrax_file"}
            if file := told.get("pyrax_file"):
                path = Path(file).expanduser()
                try:
                    entry = pyrax_entry(path) | entry
                except ConfigError as error:
                    self.problems.append(error)
                    continue
                if open_to_others(path):
                    self.problems.append(ConfigError(f"{path} holds a key and others may read it: chmod 600 it."))
            yield name, entry

    def _accounts(
        self, config: Any, name: str, known: Sequence[str], regions: Sequence[str] | None
    ) -> Iterator[Account]:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there is none at all"
            self.problems.append(ConfigError(f"no cloud named {clean(name)} was found: {there}."))
            return
        try:
            found = _regions(config, name)
            accounts = [account for region in found for account in _of_region(region, name, regions)]
        except ConfigError as error:
            self.problems.append(error)
        else:
            yield from _sharing(accounts)


def _ask_later(prompt: str | None = None) -> str:
    return _ASKED


def _known_names(config: Any) -> tuple[str, ...]:
    clouds = config.cloud_config["clouds"]
    names = [str(name) for name in config.get_cloud_names()]
    if "defaults" in names and not clouds["defaults"].get("auth"):
        names.remove("defaults")
    environment = config.envvar_key
    if environment in names and not (os.environ.get("OS_AUTH_URL") or os.environ.get("OS_ENDPOINT")):
        names.remove(environment)
    return tuple(names)


def _regions(config: Any, name: str) -> list[Any]:
    """The entry merged with its profile and its secrets, once for each region that it names."""
    from keystoneauth1.exceptions.auth_plugins import OptionError

    alone = copy.copy(config)
    alone.cloud_config = {**config.cloud_config, "clouds": {name: copy.deepcopy(config.cloud_config["clouds"][name])}}
    _look_at_shape(name, alone.cloud_config["clouds"][name])
    with reading(name):
        if found := alone.get_all():
            return list(found)
        try:  # the reader passes over what it cannot use; asked for by name, it says why
            return [alone.get_one(name)]
        except OptionError:
            lacking = _lacking(alone, name)
            if not lacking:
                raise
    if told := ", ".join(option.dest for option in lacking if not option.secret):
        raise ConfigError(f"cloud {clean(name)}: the entry lacks {told}.")
    alone.cloud_config["clouds"][name].setdefault("auth", {}).update({option.dest: _ASKED for option in lacking})
    with reading(name):
        return list(alone.get_all())


def _look_at_shape(name: str, entry: object) -> None:
    """Refuse what the reader would stumble over without a word of its own."""
    if not isinstance(entry, dict):
        raise ConfigError(f"cloud {clean(name)}: the entry is no mapping.")
    for key, shape, word in _SHAPES:
        if key in entry and not isinstance(entry[key], shape):
            raise ConfigError(f"cloud {clean(name)}: {key} is no {word}.")


def _lacking(config: Any, name: str) -> list[Any]:
    """The login options that an entry must have and has not."""
    from keystoneauth1 import loading

    entry = config.get_one(name, validate=False).config
    told = {key.replace("-", "_") for key in (*entry, *(entry.get("auth") or {}))}
    options: list[Any] = loading.get_plugin_loader(entry["auth_type"]).get_options()
    return [option for option in options if option.required and option.dest not in told]


def _of_region(region: Any, name: str, wanted: Sequence[str] | None) -> Iterator[Account]:
    own = region.config.get("region_name") or None
    if own and wanted and own not in wanted:
        return
    settings = reach(region, name)
    timeout = settings.timeout or LOGIN_TIMEOUT
    entry = Entry(name, str(region.config["auth_type"]), region.config.get("auth") or {}, settings.tls, timeout)
    if not own and not wanted:
        yield Account(Place(name), None, settings, entry)
    for region_name in [own] if own else wanted or ():
        yield Account(Place(name, region_name), region_name, settings, entry)


def _sharing(accounts: Sequence[Account]) -> Iterator[Account]:
    """The accounts, those with the same login holding the same entry."""
    entries: list[Entry] = []
    for account in accounts:
        shared = next((entry for entry in entries if entry.same(account.entry)), None)
        if shared is None:
            entries.append(account.entry)
            shared = account.entry
        yield Account(account.place, account.region, account.settings, shared)
