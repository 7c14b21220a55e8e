"""The screen from the command line: which clouds it opens, and the embedded cloud beside it where that is asked for.

It opens the clouds named, else OS_CLOUD, else those chosen last, else the only one; where that leaves a choice it asks
on the terminal, and remembers the answer. With no cloud at all the screen itself says what was looked for.
"""

import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cli import reach
from console.cli.demo import beside, knobs_of, serve_here
from console.cli.main import Exit
from console.cli.parse import Given, UsageError
from console.cli.voice import asked, complain, say
from console.core.settings import Paths, Settings, load_saved, load_settings, save
from console.errors import ConfigError

if TYPE_CHECKING:
    from console.clouds.accounts import Accounts
    from console.tui.app import ExitRequest

OF_THE_SCREEN = ("theme", "ascii", "mouse", "lean", "differences", "columns", "notify", "keys")  # settings
Opener = Callable[[], AbstractAsyncContextManager[Any]]


def run(given: Given) -> int:
    """Open the screen on the clouds of this user."""
    demand_terminal()
    paths = Paths()
    with _leaving_a_keeper(paths):
        request = _show_again(given, paths)
    if request is not None:
        return _demo(given)
    return Exit.DONE


def _show_again(given: Given, paths: Paths) -> "ExitRequest | None":
    """The screen, again for as long as it asks for other settings."""
    request = _show(given, _wanted(given, paths), paths)
    while request is not None and request.what == "config":
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(Path(request.value).expanduser())
        request = _show(given, _wanted(given, paths), paths)
    return request


@contextmanager
def _leaving_a_keeper(paths: Paths) -> Iterator[None]:
    """However the screen ends, operations that nobody else carries out go on without it."""
    from console.cli.keep import leave_behind

    def hung_up(number: int, frame: object) -> None:
        """The window was closed: nothing is left to be drawn, and the keeper goes on from the journal."""
        leave_behind(paths)
        os._exit(128 + number)

    before = signal.signal(signal.SIGHUP, hung_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
        leave_behind(paths)


def demo(given: Given) -> int:
    """Open the screen on the embedded cloud; or only serve it."""
    return serve_here(given) if given.get("serve") else _demo(given)


def _demo(given: Given) -> int:
    """The screen on the embedded cloud, with folders of its own that vanish afterwards."""
    demand_terminal()
    knobs = knobs_of(given)
    say("novadeck: starting the embedded cloud")
    with tempfile.TemporaryDirectory(prefix="novadeck-demo-") as folder, beside(knobs) as clouds_yaml:
        paths = Paths(Path(folder, "config"), Path(folder, "state"), Path(folder, "runtime"))
        with _only(clouds_yaml):
            names = [name for name in _found().names if not name.endswith("-admin")]
            _write_settings(paths, names, clouds_yaml.with_name("id_demo"), knobs["guest_port"])
            _show(given, reach.named_clouds(given) or names, paths)
    return Exit.DONE


def demand_terminal() -> None:
    """Raises `UsageError` where there is no terminal to show a screen on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The screen needs a terminal.", hint="Without one: novadeck server list, novadeck watch.")


def new_file(name: str) -> Path:
    """The file to record to. Raises `ConfigError` where there is one of that name: none is ever written over."""
    path = Path(name).expanduser()
    if path.exists():
        raise ConfigError(f"{path} exists already, and no recording is written over.", hint="Name a new file.")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent} is no folder.")
    return path


@contextmanager
def _only(clouds_yaml: Path) -> Iterator[None]:
    """No cloud but those of this file, whatever the environment says."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("OS_")}
    for name in kept:
        del os.environ[name]
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(clouds_yaml)
    try:
        yield
    finally:
        del os.environ["OS_CLIENT_CONFIG_FILE"]
        os.environ.update(kept)


def _write_settings(paths: Paths, names: Sequence[str], key: Path, port: int) -> None:
    """Settings for the embedded clouds: the way into their guests, and what the user's own say of the screen."""
    import msgspec
    import tomli_w

    own, themes = msgspec.to_builtins(load_settings()), Paths().config / "themes"
    told: dict[str, Any] = {"clouds": {name: {"ssh": {"key": str(key), "port": port}} for name in names}}
    told |= {name: own[name] for name in OF_THE_SCREEN if own[name] is not None}
    paths.config.mkdir(parents=True)
    paths.config_file.write_text(tomli_w.dumps(told))
    if themes.is_dir():
        shutil.copytree(themes, paths.config / "themes")


def _found() -> "Accounts":
    from console.core.entries import look

    return look(())


def _wanted(given: Given, paths: Paths) -> list[str]:
    """The clouds to open; none where there is none at all."""
    if named := reach.named_clouds(given):
        return named
    if os.environ.get("OS_CLOUD"):
        return [os.environ["OS_CLOUD"]]
    names = _found().names
    last = [name for name in load_saved(paths).clouds if name in names]
    if last or len(names) < 2:
        return last or list(names)
    return _ask(names, paths)


def _ask(names: Sequence[str], paths: Paths) -> list[str]:
    """Which of several; the answer is remembered where that can be."""
    say("Which clouds shall be opened?")
    for number, name in enumerate(names, 1):
        say(f"  {number}  {name}")
    answer = asked("Numbers or names, with commas; or all:")
    picked = list(names) if answer.casefold() == "all" else [_named(word, names) for word in _words(answer)]
    if not picked:
        raise UsageError("No cloud was chosen.", hint="Name one by --os-cloud, or set OS_CLOUD.")
    remember(picked, paths)
    return picked


def _words(answer: str) -> list[str]:
    return answer.replace(",", " ").split()


def _named(word: str, names: Sequence[str]) -> str:
    if word in names:
        return word
    if word.isdecimal() and 0 < int(word) <= len(names):
        return names[int(word) - 1]
    raise UsageError(f"There is no cloud {word} among {', '.join(names)}.")


def remember(names: Sequence[str], paths: Paths) -> None:
    """Keep the choice for the next start; where it cannot be kept that is said, and no more."""
    try:
        save(paths, lambda saved: {"clouds": list(names)})
    except ConfigError as error:
        complain(error)


def _show(given: Given, clouds: Sequence[str], paths: Paths) -> "ExitRequest | None":
    from console.tui.app import run as show

    logging.getLogger("console").addHandler(logging.NullHandler())  # the screen has lanes for what a log would say
    settings = load_settings(paths)
    gc.freeze()
    opener, folders = _opener(given, clouds, paths, settings), [paths.config / "themes"]
    record = new_file(given.get("record")) if given.get("record") else None
    more: dict[str, Any] = {"saved": load_saved(paths), "record": record, "lean": True if given.get("lean") else None}
    request = show(opener, settings, folders=folders, opening=clouds, **more)
    if request is None and given.get("os_cloud") and not given.command.words:
        remember(clouds, paths)
    return request


def _opener(given: Given, clouds: Sequence[str], paths: Paths, settings: Settings) -> Opener:
    import console

    def opened(ask: Callable[[str], Awaitable[str]] | None = None) -> AbstractAsyncContextManager[Any]:
        options = reach.options(given) | {"trace": None}
        return console.open(clouds, settings=settings, paths=paths, ask=ask, **options)

    return opened
