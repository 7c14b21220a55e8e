"""The rate limits that a service tells of itself, as limits to be obeyed; of v1.0's shape and of v2's."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from console.wire.budget import Limit
from console.wire.pace import Pace

_SECONDS = {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86400.0}


def obey(pace: Pace, told: object) -> None:
    """Send no more than a service tells in its list of limits; what the entry itself allows still holds."""
    if found := rates(told):
        pace.obey([*(limit for limit in pace.limits if limit not in found and not limit.method), *found])


def rates(told: object) -> list[Limit]:
    """All limits of a list; those that cannot be understood are left out."""
    rules = told if isinstance(told, list) else []
    return [limit for rule in rules if isinstance(rule, dict) for limit in _of_rule(rule)]


def _of_rule(rule: Mapping[str, Any]) -> Iterator[Limit]:
    inner = rule.get("limit")
    pattern = str(rule.get("regex") or "")
    for told in inner if isinstance(inner, list) else [rule]:
        seconds = _SECONDS.get(str(told.get("unit")).upper()) if isinstance(told, dict) else None
        if seconds is not None and isinstance(told.get("value"), int) and _is_pattern(pattern):
            yield Limit(told["value"], seconds, str(told.get("verb") or "").upper(), "" if pattern == ".*" else pattern)


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True
