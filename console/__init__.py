"""novadeck: every server of every cloud, region and project in one live terminal table.

The names below are loaded when they are first used, so that importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from console.actions.action import ACTIONS
    from console.core.settings import Paths, Settings
    from console.errors import (
        ActionFailed,
        ActionRefused,
        AmbiguousName,
        AuditError,
        BadReply,
        CloudError,
        CloudFault,
        ConfigError,
        Conflict,
        ConsoleError,
        Forbidden,
        HostKeyChanged,
        NotFound,
        OverLimit,
        OverQuota,
        ProbeFailed,
        Unauthorized,
        Unreachable,
        WaitTimeout,
    )
    from console.model.flavor import Flavor
    from console.model.image import Image
    from console.model.keypair import KeyPair
    from console.model.place import Key, Place
    from console.model.server import Server
    from console.session import Batch, Collection, Console, Found, open, wait_for_build, wait_until

__all__ = [
    "ACTIONS",
    "ActionFailed",
    "ActionRefused",
    "AmbiguousName",
    "AuditError",
    "BadReply",
    "Batch",
    "CloudError",
    "CloudFault",
    "Collection",
    "ConfigError",
    "Conflict",
    "Console",
    "ConsoleError",
    "Flavor",
    "Forbidden",
    "Found",
    "HostKeyChanged",
    "Image",
    "Key",
    "KeyPair",
    "NotFound",
    "OverLimit",
    "OverQuota",
    "Paths",
    "Place",
    "ProbeFailed",
    "Server",
    "Settings",
    "Unauthorized",
    "Unreachable",
    "WaitTimeout",
    "open",
    "wait_for_build",
    "wait_until",
]

_HOMES = {
    "ACTIONS": "actions.action",
    "Paths": "core.settings",
    "Settings": "core.settings",
    "Flavor": "model.flavor",
    "Image": "model.image",
    "KeyPair": "model.keypair",
    "Key": "model.place",
    "Place": "model.place",
    "Server": "model.server",
    **dict.fromkeys(("Batch", "Collection", "Console", "Found", "open", "wait_for_build", "wait_until"), "session"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'console' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"console.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
