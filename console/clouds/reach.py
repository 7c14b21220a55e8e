"""How an entry's services are reached: what they speak, by which endpoints, how long and how often."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.clouds.files import is_there
from console.clouds.login import sentence
from console.errors import ConfigError
from console.text import clean
from console.wire.transport import Tls

_DIALECTS: Mapping[object, str] = {
    "cloudServers": "firstgen",
    "cloudServersOpenStack": "rackspace",
    "firstgen_apikey": "firstgen",
    "rackspace_apikey": "rackspace",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """How an account's services are reached, as its entry says."""

    interface: str = "public"
    interfaces: Mapping[str, str] = field(default_factory=dict)  # by service, where one has its own
    overrides: Mapping[str, str] = field(default_factory=dict)  # endpoints by service
    timeout: float | None = None  # seconds for one request
    dialect: str = "openstack"
    tls: Tls = field(default_factory=Tls)
    rate: float | None = None  # requests in a second that the entry allows us


@contextmanager
def reading(name: str = "") -> Iterator[None]:
    """Around the reader's own code alone, which raises of all kinds where an entry is not as it expects."""
    try:
        yield
    except Exception as error:
        raise ConfigError((f"cloud {clean(name)}: " if name else "") + sentence(error)) from error


def reach(region: Any, name: str) -> Reach:
    config = region.config
    overrides = {
        key.removesuffix("_endpoint_override").replace("_", "-"): str(value)
        for key, value in config.items()
        if key.endswith("_endpoint_override") and value
    }
    own = {
        key.removesuffix("_interface").replace("_", "-"): _interface(value)
        for key, value in config.items()
        if key.endswith("_interface") and isinstance(value, str) and key not in ("default_interface",)
    }
    timeout = _number(config.get("api_timeout"), name, "api_timeout")
    dialect = _dialect(config)
    rate = _number(_of_compute(config.get("rate_limit")), name, "rate_limit")
    return Reach(_interface(config.get("interface")), own, overrides, timeout, dialect, _tls(region, name), rate)


def _dialect(config: Mapping[str, Any]) -> str:
    """What the entry's service speaks: as it says, or as its login or the service's name in the catalog tells."""
    named = config.get("novadeck_dialect") or _DIALECTS.get(config.get("compute_service_name"))
    return str(named or _DIALECTS.get(config.get("auth_type")) or "openstack")


def _of_compute(value: object) -> object:
    """What an option says that may be one value, or one for each service."""
    return value.get("compute") if isinstance(value, dict) else value


def _interface(value: object) -> str:
    first = value[0] if isinstance(value, list) and value else value
    return str(first or "public").lower().removesuffix("url")


def _number(value: object, name: str, option: str) -> float | None:
    if value in (None, ""):
        return None
    try:
        return float(str(value))
    except ValueError:
        raise ConfigError(f"cloud {clean(name)}: {option} {clean(str(value))!r} is no number.") from None


def _tls(region: Any, name: str) -> Tls:
    with reading(name):
        verify, cert = region.get_requests_verify_args()
    if isinstance(verify, str) and not is_there(Path(verify)):
        raise ConfigError(f"cloud {clean(name)}: cacert {clean(verify)} does not exist.")
    files = [] if not cert else [cert] if isinstance(cert, str) else list(cert)
    for file in files:
        if not is_there(Path(file)):
            raise ConfigError(f"cloud {clean(name)}: the client certificate {clean(file)} does not exist.")
    return Tls(True if verify is None else verify, cert)
