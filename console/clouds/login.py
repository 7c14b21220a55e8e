"""Logging in by keystoneauth1's plugins: what a login gave, and what is said of one that failed.

Whoever has a login that works with OpenStack's other tools has one that works here. A plugin blocks, so that whoever
calls one does so in a worker thread; what it raises is told in our words and our tree.
"""

import datetime as dt
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.errors import CloudError, CloudFault, OverLimit, Unauthorized, Unreachable
from console.text import clean, clean_tree
from console.wire.message import DEFAULT_WAIT, mask, retry_after
from console.wire.transport import Tls

NO_TOKEN_LIFE = 10 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class Access:
    """What a login gave: the headers that sign requests, the catalog, and who we are there."""

    headers: Mapping[str, str] = field(repr=False)
    life: float
    catalog: Sequence[Mapping[str, Any]] = ()
    project_id: str = ""
    project: str = ""
    user_id: str = ""
    roles: frozenset[str] = frozenset()


def sentence(error: BaseException) -> str:
    """A foreign error as one sentence of ours; the facts that keystoneauth puts behind it are told otherwise."""
    told = re.sub(r" \((HTTP \d+|Request-ID: [^)]*)\)", "", str(getattr(error, "message", "") or error))
    text = clean(mask(" ".join(told.split())))[:300]
    return (text or type(error).__name__).rstrip(".") + "."


def login(name: str, auth_type: str, options: Mapping[str, Any], *, tls: Tls, timeout: float) -> Callable[[], Access]:
    """A blocking callable that logs in, each time anew; raises `Unauthorized` for options that no plugin can use."""
    from keystoneauth1 import loading, session

    logging.getLogger("keystoneauth").addHandler(logging.NullHandler())
    try:
        plugin: Any = loading.get_plugin_loader(auth_type).load_from_options(**options)
    except Exception as error:
        raise Unauthorized(f"the entry cannot be used to log in: {sentence(error)}", place=name) from error
    if tls.verify is False:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    verify = tls.verify
    keystone = session.Session(auth=plugin, verify=verify, cert=tls.cert, timeout=timeout)

    def log_in() -> Access:
        try:
            plugin.invalidate()
            return _access(plugin, keystone)
        except Exception as error:
            raise _login_error(error, name, str(options.get("auth_url") or "")) from error
        finally:
            keystone.session.close() if keystone.session is not None else None

    return log_in


def _access(plugin: Any, keystone: Any) -> Access:
    if not hasattr(plugin, "get_access"):
        return Access(dict(plugin.get_headers(keystone) or {}), NO_TOKEN_LIFE)
    found = plugin.get_access(keystone)
    headers = {"X-Auth-Token": found.auth_token}
    catalog = clean_tree(found.service_catalog.normalize_catalog()) if found.has_service_catalog() else []
    return Access(
        headers,
        _life(found),
        catalog,
        str(found.project_id or ""),
        clean(str(found.project_name or "")),
        str(found.user_id or ""),
        frozenset(str(role).lower() for role in found.role_names or ()),
    )


def _life(found: Any) -> float:
    """The seconds for which a token holds; an older Identity tells its end alone, and it began just now."""
    if found.expires is None:
        return NO_TOKEN_LIFE
    try:
        issued = found.issued
    except KeyError:
        issued = None
    return max(1.0, float((found.expires - (issued or dt.datetime.now(dt.UTC))).total_seconds()))


def _login_error(error: BaseException, name: str, auth_url: str) -> CloudError:
    """What keystoneauth says, in our words and our tree."""
    from keystoneauth1 import exceptions

    error = _underneath(error, exceptions.ConnectionError)
    door = clean(re.sub(r"//[^/@]*@", "//", auth_url)) or "the identity service"
    status = int(getattr(error, "http_status", 0) or 0)
    facts: dict[str, Any] = {"place": name, "request_id": clean(str(getattr(error, "request_id", "") or ""))}
    if isinstance(error, exceptions.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        why = re.search(r"certificate verify failed: ([^(\"']+)", str(error))
        hint = "Set cacert in clouds.yaml to the file of its authority."
        told = why.group(1).strip() if why else "it cannot be verified"
        return Unreachable(f"the certificate of {door} is not trusted: {told}.", hint=hint, fault="tls", **facts)
    if isinstance(error, exceptions.Unauthorized | exceptions.MissingAuthMethods):
        return Unauthorized(f"{door} refuses the login: {sentence(error)}", status=401, **facts)
    if isinstance(error, exceptions.ConnectTimeout):
        return Unreachable(f"{door} gave no answer in time.", fault="timeout", **facts)
    if isinstance(error, exceptions.ConnectionError):
        return Unreachable(f"{door} cannot be reached: {_cause(error)}.", fault="refused", **facts)
    wait = retry_after(getattr(getattr(error, "response", None), "headers", None) or {})
    if status in (413, 429) or (status == 503 and wait is not None):
        wait = wait or DEFAULT_WAIT
        told = f"{door} asks to wait {wait:g} s: {sentence(error)}"
        return OverLimit(told, retry_after=wait, status=status, **facts)
    if status in (400, 403, 404):
        return Unauthorized(f"{door} refuses the login: {sentence(error)}", status=status, **facts)
    if isinstance(error, exceptions.HttpError | exceptions.DiscoveryFailure | exceptions.ClientException):
        return CloudFault(f"{door} could not log us in: {sentence(error)}", status=status, **facts)
    return CloudFault(f"the login plugin failed: {sentence(error)}", **facts)


def _underneath(error: BaseException, kind: type[BaseException]) -> BaseException:
    """The failed connection that a failed discovery came from, or the error itself."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, kind):
        found = found.__cause__ or found.__context__
    return found or error


def _cause(error: BaseException) -> str:
    """The system's own words at the bottom of a chain of wrapped errors."""
    text = str(error)
    for pattern in (r"\[Errno -?\d+\] ([^')\"]+)", r"(Connection (?:refused|reset[^')\"]*|aborted))"):
        if found := re.search(pattern, text):
            return clean(found.group(1)).strip().rstrip(".").lower()
    return sentence(error).rstrip(".")
