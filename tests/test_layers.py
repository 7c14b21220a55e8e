"""The floors of the house: a room imports only from the floors below it, and each library has its one room.

Every import counts: at the top of a file, inside a function, and for typing only. The checker reads the files and runs
none of them; that it sees what it should is proven on copies with an import planted in them.
"""

import ast
import shutil
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

CONSOLE = Path(__file__).parent.parent / "console"

# The rooms from the ground up; only on the first and the last floor may neighbours know each other.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"text", "errors", "model"}),
    frozenset({"wire"}),
    frozenset({"clouds"}),
    frozenset({"core"}),
    frozenset({"guests"}),
    frozenset({"actions"}),
    frozenset({"runbooks"}),
    frozenset({"session"}),
    frozenset({"replay"}),
    frozenset({"tui"}),
    frozenset({"cli", "testing"}),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}
TOP = len(FLOORS)

# What a room must not know although it stands above it.
BLIND = {
    "wire": {"model"},
    "guests": {"clouds", "core"},
    "tui": {"clouds", "wire"},
}

# Who may import a library; a name that ends in / is a whole room.
LIBRARIES = {
    "textual": ("tui/",),
    "rich": ("tui/",),
    "aiohttp": ("wire/transport.py", "sim/"),
    "asyncssh": ("guests/", "sim/"),
    "openstack": ("clouds/accounts.py",),
    "keystoneauth1": ("clouds/accounts.py", "clouds/login.py", "clouds/plugins.py"),
}


class Import(NamedTuple):
    """One imported module, and where it is imported."""

    importer: str  # a dotted module name, such as console.core.store
    path: str  # below console/, such as core/store.py
    line: int
    imported: str  # a dotted module name


def module_name(path: Path, root: Path) -> str:
    """The dotted name of a file below the package folder `root`."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(root: Path) -> Iterator[Import]:
    """All imports in the package, its own submodules resolved to their files."""
    files = {module_name(path, root): path for path in sorted(root.rglob("*.py"))}
    for importer, path in files.items():
        package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
        for node in statements(path.read_text()):
            for imported in _imported(node, package, files.keys()):
                yield Import(importer, path.relative_to(root).as_posix(), node.lineno, imported)


@cache  # the copies with something planted in them differ by one file
def statements(source: str) -> tuple[ast.Import | ast.ImportFrom | ast.Call, ...]:
    """All that imports in a file's text."""
    return tuple(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom) or (isinstance(node, ast.Call) and _is_import_call(node))
    )


def _imported(node: ast.Import | ast.ImportFrom | ast.Call, package: str, own: Set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{module}.{alias.name}"
            yield inner if inner in own else module
    else:
        argument = node.args[0] if node.args else None
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _is_import_call(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("import_module", "__import__")


def room_of(module: str) -> str:
    """The room of a module of ours; the package itself is the room ''."""
    return [*module.split("."), ""][1]


def fault(found: Import) -> str | None:
    """Why this import must not be, or None."""
    library, _, _ = found.imported.partition(".")
    allowed = LIBRARIES.get(library)
    if allowed is not None and not found.path.startswith(allowed):
        return f"{library} belongs to {' and '.join(allowed)}"
    if library != "console":
        return None
    return climbs(room_of(found.importer), room_of(found.imported))


def climbs(room: str, other: str) -> str | None:
    """Why a module in `room` must not import one in `other`, or None."""
    if room == "sim" and other != "sim":
        return "the embedded cloud is a witness: it imports nothing of console"
    if room == other:
        return None
    if room == "":
        return f"the package's face opens no {other}" if other in ("tui", "cli", "testing", "sim") else None
    if other == "sim":
        return None if FLOOR_OF[room] == TOP else "only the top floor may start the embedded cloud"
    if other == "":
        return None if FLOOR_OF[room] == TOP else "the package's face looks in from above"
    if other in BLIND.get(room, ()):
        return f"{room} must know nothing of {other}"
    same = FLOOR_OF[other] == FLOOR_OF[room] and FLOOR_OF[room] in (1, TOP)
    return None if FLOOR_OF[other] < FLOOR_OF[room] or same else f"{other} is not below {room}"


def faults(root: Path) -> list[str]:
    """Every import in the package that must not be, as one line each."""
    return [
        f"{found.path}:{found.line} imports {found.imported}: {reason}"
        for found in imports(root)
        if (reason := fault(found))
    ]


def circles(root: Path) -> list[list[str]]:
    """Modules that import each other in a ring, shortest rings first."""
    arrows: dict[str, set[str]] = {}
    for found in imports(root):
        if found.importer != found.imported and found.imported.startswith("console."):
            arrows.setdefault(found.importer, set()).add(found.imported)
    rings = [ring for start in sorted(arrows) if (ring := _ring(start, arrows)) and start == min(ring)]
    return sorted(rings, key=len)


def _ring(start: str, arrows: dict[str, set[str]]) -> list[str] | None:
    """The shortest way from a module back to itself."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for following in sorted(arrows.get(way[-1], ())):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return None


def test_every_room_stands_on_a_floor() -> None:
    rooms = {room_of(module_name(path, CONSOLE)) for path in CONSOLE.rglob("*.py")} - {"", "sim", "__main__"}
    assert rooms <= FLOOR_OF.keys()


def test_no_import_climbs() -> None:
    assert faults(CONSOLE) == []


def test_no_circles() -> None:
    assert circles(CONSOLE) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package to plant imports in."""
    return Path(shutil.copytree(CONSOLE, tmp_path / "console", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("core/planted.py", "from console.actions import action"),
        ("core/planted.py", "def late():\n    import console.tui"),
        ("core/planted.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from console import guests"),
        ("core/planted.py", "import importlib\nimportlib.import_module('console.session')"),
        ("model/planted.py", "from ..wire import message"),
        ("wire/planted.py", "from console.model import server"),
        ("clouds/openstack/planted.py", "from ...core import store"),
        ("guests/planted.py", "import console.clouds"),
        ("tui/planted.py", "from console.wire import transport"),
        ("tui/planted.py", "from console.sim import estate"),
        ("runbooks/planted.py", "import console.session"),
        ("session/planted.py", "import console.cli"),
        ("actions/planted.py", "import console"),
        ("__init__.py", "from console.tui import app"),
        ("sim/planted.py", "from console import text"),
        ("core/planted.py", "import rich.table"),
        ("cli/planted.py", "def late():\n    from textual.app import App"),
        ("wire/planted.py", "from aiohttp import ClientSession"),
        ("core/planted.py", "import asyncssh"),
        ("clouds/openstack/planted.py", "import openstack.config"),
        ("clouds/planted.py", "from keystoneauth1 import loading"),
    ],
)
def test_a_planted_import_is_found(copy: Path, path: str, code: str) -> None:
    before = faults(copy)
    planted = copy / path
    planted.parent.mkdir(exist_ok=True)
    with planted.open("a") as file:
        file.write(f"\n{code}\n")
    found = [line for line in faults(copy) if line not in before]
    assert len(found) == 1
    assert found[0].startswith(path)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("core/planted.py", "from console.clouds import connect\nfrom console import errors"),
        ("cli/planted.py", "from console.sim import estate\nfrom console import tui, open"),
        ("sim/planted.py", "import aiohttp.web, asyncssh\nfrom . import planted"),
        ("model/planted.py", "from ..text import Secret\nfrom . import server"),
    ],
)
def test_a_lawful_import_passes(copy: Path, path: str, code: str) -> None:
    before = faults(copy)
    (copy / path).write_text(code + "\n")
    assert faults(copy) == before


def test_a_planted_circle_is_found(copy: Path) -> None:
    (copy / "core" / "one.py").write_text("def late():\n    from console.core import two\n")
    (copy / "core" / "two.py").write_text("from console.core.one import late\n")
    assert ["console.core.one", "console.core.two"] in circles(copy)
