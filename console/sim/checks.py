"""Single values of a request's body, checked as Nova's schemas do: names, host names, addresses, files, metadata."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from console.sim.call import Fault

META_KEY = re.compile(r"^[a-zA-Z0-9-_:. ]{1,255}$")
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
DOMAIN = r"^[a-zA-Z0-9-._]*$"
HOSTNAME = r"^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$"


def invalid(field: str, value: Any, why: str) -> Fault:
    """The schema's complaint."""
    return Fault(400, f"Invalid input for field/attribute {field}. Value: {value}. {why}")


def unexpected(keys: list[str]) -> str:
    """The schema's words for keys that it does not know."""
    names, verb = ", ".join(f"'{key}'" for key in keys), "was" if len(keys) == 1 else "were"
    return f"Additional properties are not allowed ({names} {verb} unexpected)"


def _printable(character: str) -> bool:
    """Whether Nova takes a name with this character: no control or format codes, of separators the blanks alone."""
    kind = unicodedata.category(character)
    return kind == "Zs" or kind[0] not in "CZ"


def checked_name(name: Any) -> str:
    """A server's name, if it is a legal one."""
    if not isinstance(name, str):
        raise invalid("name", name, f"{name!r} is not of type 'string'")
    if not 1 <= len(name) <= 255:
        raise invalid("name", name, f"{name!r} " + ("is too long" if name else "should be non-empty"))
    if name != name.strip() or not all(map(_printable, name)):
        raise Fault(400, "An invalid 'name' value was provided. The name must be: printable characters. "
                         "Can not start or end with whitespace.")  # fmt: skip
    return name


def checked_hostname(name: Any, minor: int) -> str:
    """A host name, if it is a legal one; from 2.94 on it may be one with its domain."""
    if not isinstance(name, str):
        raise invalid("hostname", name, f"{name!r} is not of type 'string'")
    pattern = HOSTNAME if minor < 94 else DOMAIN
    if not re.match(pattern, name):
        raise invalid("hostname", name, f"{name!r} does not match '{pattern}'")
    if not name:
        raise invalid("hostname", name, "'' should be non-empty")
    if len(name) > (255 if minor >= 94 else 63):
        raise invalid("hostname", name, f"{name!r} is too long")
    return name


def checked_address(field: str, given: Any, may_be_empty: bool) -> str:
    """An access address in its shortest form; `field` is accessIPv4 or accessIPv6. Old clouds took "" to clear it."""
    if given == "" and may_be_empty:
        return ""
    if not isinstance(given, str):
        raise invalid(field, given, f"{given!r} is not of type 'string'")
    kind: type[IPv4Address | IPv6Address] = IPv4Address if field == "accessIPv4" else IPv6Address
    try:
        return str(kind(given))
    except ValueError:
        raise invalid(field, given, f"{given!r} is not a '{field[-4:].lower()}'") from None


def files(rows: Any) -> dict[str, bytes]:
    """The files of a personality by their paths."""
    found: dict[str, bytes] = {}
    for row in rows or ():
        contents = str(row.get("contents") or "")
        try:
            found[str(row.get("path"))] = base64.b64decode(contents, validate=True)
        except (binascii.Error, ValueError):
            raise invalid("contents", contents, f"{contents!r} is not a 'base64'") from None
    return found


def checked_metadata(found: Any, limit: int) -> dict[str, str]:
    """Metadata, if keys and values are legal and not too many."""
    if not isinstance(found, dict):
        raise invalid("metadata", found, f"{found!r} is not of type 'object'")
    for key, value in found.items():
        if not META_KEY.match(key):
            raise invalid(
                "metadata", found, f"{key!r} does not match any of the regexes: '^[a-zA-Z0-9-_:. ]{{1,255}}$'"
            )
        if not isinstance(value, str) or len(value) > 255:
            raise invalid(key, value, f"{value!r} is not of type 'string'")
    if len(found) > limit:
        raise Fault(403, f"Maximum number of metadata items exceeds {limit}")
    return dict(found)
