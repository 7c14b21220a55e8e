"""Import one part of a large package without all that its front door loads.

openstacksdk's front door loads every service that it knows, half a second of CPU on a small machine, before its
configuration reader can be had. Here the package is put in place first and its front door is opened only when
somebody asks for something behind it, so that a program that uses us and the whole SDK side by side notices nothing.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


def import_part(name: str) -> ModuleType:
    """The module of that dotted name, without running the `__init__` of its top package until that is needed."""
    top = name.partition(".")[0]
    if top in sys.modules:
        return importlib.import_module(name)
    spec = importlib.util.find_spec(top)
    if spec is None or spec.loader is None or spec.submodule_search_locations is None:
        return importlib.import_module(name)
    package = importlib.util.module_from_spec(spec)
    closed = _front_door(package, spec.loader)
    sys.modules[top] = package
    try:
        part = importlib.import_module(name)
    except BaseException:
        del sys.modules[top]
        raise
    closed["opens"] = True
    return part


def _front_door(package: ModuleType, loader: Any) -> dict[str, bool]:
    """Give the package a `__getattr__` that runs its `__init__` at the first name that is missing."""
    state = {"opens": False}

    def missing(name: str) -> Any:
        if state["opens"] and not name.startswith("__"):
            state["opens"] = False
            loader.exec_module(package)
            if name in vars(package):
                return vars(package)[name]
        raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")

    vars(package)["__getattr__"] = missing
    return state
