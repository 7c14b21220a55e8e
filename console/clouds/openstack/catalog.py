"""From a catalog to the address of a service, whatever shape the operator wrote it in.

Catalogs name a version or not, a project or not, end in a slash or not, list a service for several regions and
interfaces, and list old services beside new ones under one type. Pure functions; nothing is asked of anybody.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Catalog = Sequence[Mapping[str, Any]]

_VERSION = re.compile(r"v\d+(?:\.\d+)?")
_INTERFACES = ("public", "internal", "admin")
FIRST_GENERATION = "cloudServers"  # listed under the type compute too, and speaks another language
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(NamedTuple):
    """The address to use, the region that it is listed for, and the address that names the service for everybody."""

    url: str
    region: str
    public: str


class Address(NamedTuple):
    """An endpoint taken apart: what comes before the version, the version ("" where none), and what follows it."""

    root: str
    version: str
    project: str


def find_endpoint(
    catalog: Catalog,
    types: Sequence[str],
    *,
    interface: str = "public",
    region: str | None = None,
    name: str = "",
) -> Endpoint | None:
    """The first listed endpoint of these types in a region (any where None), its interface the next best there is.

    A service's `name` chooses among several of one type.
    """
    found = [listed for kind in types for listed in _listed(catalog, kind, name) if region in (None, listed.region)]
    if not found:
        return None
    first = min(listed.region for listed in found)
    here = [listed for listed in found if listed.region == first]
    by_interface = {listed.interface: listed.url for listed in reversed(here)}
    order = [name for name in (interface, *_INTERFACES) if name in by_interface]
    url = by_interface[order[0]] if order else here[0].url
    return Endpoint(url, first, by_interface.get("public", url))


def regions(catalog: Catalog, types: Sequence[str] = ("compute",), name: str = "") -> list[str]:
    """The regions that list such a service, in the catalog's order of names."""
    return sorted({listed.region for kind in types for listed in _listed(catalog, kind, name)})


class _Listed(NamedTuple):
    url: str
    region: str
    interface: str


def _listed(catalog: Catalog, kind: str, name: str) -> Iterator[_Listed]:
    for service in catalog:
        told = service.get("name")
        if service.get("type") != kind or (told != name if name else told == FIRST_GENERATION):
            continue
        for endpoint in service.get("endpoints") or ():
            url = endpoint.get("url")
            region = endpoint.get("region_id") or endpoint.get("region") or endpoint.get("region_name") or ""
            if url:
                yield _Listed(str(url), str(region), str(endpoint.get("interface") or "public").removesuffix("URL"))


def take_apart(url: str, project_id: str = "") -> Address:
    """An endpoint's root, version and project, without slashes at their ends."""
    parts = urlsplit(url)
    steps = [step for step in parts.path.split("/") if step]
    at = next((place for place in reversed(range(len(steps))) if _VERSION.fullmatch(steps[place])), None)
    base = f"{parts.scheme}://{parts.netloc}"
    if at is not None:
        return Address("/".join([base, *steps[:at]]), steps[at], "/".join(steps[at + 1 :]))
    project = steps.pop() if steps and project_id and steps[-1].removeprefix("AUTH_") == project_id else ""
    return Address("/".join([base, *steps]), "", project)


def put_together(root: str, version: str, project: str = "") -> str:
    """An endpoint without doubled slashes."""
    return "/".join(part for part in (root.rstrip("/"), version, project) if part)


def canonical(url: str, project_id: str = "") -> str:
    """What names a service for everybody: scheme, host, port and path, without version, project and default port."""
    parts = urlsplit(take_apart(url, project_id).root)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port and parts.port != _DEFAULT_PORTS.get(parts.scheme) else ""
    return f"{parts.scheme.lower()}://{host}{port}{parts.path}"
