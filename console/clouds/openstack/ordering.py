"""The body of an order for a server, from the names that the console uses."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from console.text import Secret

# Names that the console uses -> names that Nova uses, for what is passed on as it is.
_PLAIN = {
    "flavor_id": "flavorRef",
    "key_name": "key_name",
    "metadata": "metadata",
    "availability_zone": "availability_zone",
    "admin_pass": "adminPass",
    "config_drive": "config_drive",
    "description": "description",
    "tags": "tags",
    "hostname": "hostname",
    "host": "host",
    "access_ipv4": "accessIPv4",
    "access_ipv6": "accessIPv6",
    "disk_config": "OS-DCF:diskConfig",
    "volumes": "block_device_mapping_v2",
    "min_count": "min_count",
    "max_count": "max_count",
}


def new_server(
    name: str,
    *,
    image_id: str | None = None,
    networks: str | Iterable[str | Mapping[str, Any]] | None = None,
    security_groups: Iterable[str] | None = None,
    user_data: str | bytes | None = None,
    personality: Mapping[str, bytes] | None = None,
    hints: Mapping[str, Any] | None = None,
    **given: Any,
) -> dict[str, Any]:
    """The body of POST /servers. `networks` are ids (or whole entries), "auto", "none", or None for the only one."""
    server: dict[str, Any] = {"name": name, "imageRef": image_id or ""}
    for key, value in given.items():
        if key not in _PLAIN:
            raise TypeError(f"a server is not ordered with {key!r}")
        if value is not None:
            server[_PLAIN[key]] = value.reveal() if isinstance(value, Secret) else value
    if networks is not None:
        server["networks"] = networks if isinstance(networks, str) else [_network(network) for network in networks]
    if security_groups is not None:
        server["security_groups"] = [{"name": group} for group in security_groups]
    if user_data is not None:
        server["user_data"] = base64_text(user_data)
    if personality:
        server["personality"] = [{"path": path, "contents": base64_text(text)} for path, text in personality.items()]
    return {"server": server} | ({"os:scheduler_hints": dict(hints)} if hints else {})


def _network(network: str | Mapping[str, Any]) -> dict[str, Any]:
    return {"uuid": network} if isinstance(network, str) else dict(network)


def base64_text(text: str | bytes) -> str:
    """What Nova wants user data and files wrapped in."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode("ascii")
