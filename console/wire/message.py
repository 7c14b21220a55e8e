"""One request, one reply, and what a reply says: pure functions that do no I/O.

`decipher` lets a good reply pass, and turns any other into the one error of the tree that tells the caller what to do
next. It believes nothing: a fault may be JSON of five shapes, HTML of a proxy, or nothing at all. What it quotes is cut
short, cleaned and freed of secrets, since it goes to screens, logs and the audit file.
"""

import datetime as dt
import email.utils
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import msgspec

from console.errors import (
    BadReply,
    CloudError,
    CloudFault,
    Conflict,
    Forbidden,
    NotFound,
    OverLimit,
    OverQuota,
    Unauthorized,
)
from console.text import clean

QUOTED = 200  # characters of a body that may be told
DEFAULT_WAIT = 5.0  # seconds, where a service says "too many" and not for how long
LONGEST_WAIT = 3600.0
_YEARS = range(1970, 3000)

_REQUEST_ID_HEADERS = ("x-openstack-request-id", "x-compute-request-id", "openstack-request-id", "x-request-id")
_SECRET_HEADERS = re.compile(r".*(token|authorization|cookie|receipt|auth-key)", re.IGNORECASE)
_SECRET_FIELD = re.compile(
    r'("(?:\w*pass(?:word|code|phrase)?|adminPass|admin_pass|secret|apiKey|api_key|token|private_key|user_data|contents)"'
    r'\s*:\s*)"(?:[^"\\]|\\.)*("|$)',
    re.IGNORECASE,
)
_TOKEN = re.compile(r"gAAAA[\w\-]{16,}={0,2}|eyJ[\w\-]{10,}\.[\w\-]+(?:\.[\w\-]*)?")
_SECRET_QUERY = re.compile(r"((?:token|password|secret|signature|sig)(?:=|%3D))[^&\s\"']+", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@?#\s\"']+@")  # a name, and often a password, before the host of an address
_TAGS = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_QUOTA_WORDS = re.compile(r"quota|maximum number|exceeds? allowed|exceeded for", re.IGNORECASE)


class Request(NamedTuple):
    """What is sent: nothing is added to it but what HTTP itself needs."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None


@dataclass(slots=True)
class Reply:
    """What came back; header names are lower case, `asked_at` is monotonic, `took` is in seconds."""

    status: int
    headers: Mapping[str, str]
    parts: Sequence[bytes]  # the body as it came
    asked_at: float = 0.0
    took: float = 0.0
    method: str = "GET"
    url: str = ""

    @property
    def body(self) -> bytes:
        """The whole body, put together when first asked for: a page that is known by its digest never is."""
        if len(self.parts) != 1:
            self.parts = (b"".join(self.parts),)
        return self.parts[0]


class Fault(NamedTuple):
    """What an error body says: the service's name for it, its message, and its own wish to be left alone (seconds)."""

    name: str = ""
    message: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Facts:
    """The plain values that every error of one reply shares."""

    place: str
    request_id: str
    status: int
    fault: str

    def kwargs(self) -> dict[str, Any]:
        return {"place": self.place, "request_id": self.request_id, "status": self.status, "fault": self.fault}


def mask(text: str) -> str:
    """The text without passwords, tokens and keys."""
    text = _SECRET_FIELD.sub(r'\1"••••"', text)
    text = _SECRET_QUERY.sub(r"\1••••", text)
    text = _USER.sub("••••@", text)
    return _TOKEN.sub("••••", text)


def quote(body: bytes) -> str:
    """The first characters of a body as one clean line without secrets."""
    text = body[: QUOTED * 40].decode("utf-8", "replace")
    if "<" in text[:200]:
        text = _TAGS.sub(" ", text)
    text = clean(" ".join(mask(text).split()))
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"


def request_id(headers: Mapping[str, str]) -> str:
    """The service's name for this request, to be given to its operators; "" where it has none."""
    for name in _REQUEST_ID_HEADERS:
        if found := headers.get(name):
            return clean(found)[:80]
    return ""


def http_date(text: str | None) -> dt.datetime | None:
    """An HTTP date as aware UTC, or None for what is none, or of a year with which nobody can reckon."""
    if not text:
        return None
    try:
        found = email.utils.parsedate_to_datetime(text)
        found = found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return found if found.year in _YEARS else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that Retry-After asks for, given as a number or as a date (counted from the reply's own Date).

    The first generation's guide calls it Reply-After, and some of its servers do.
    """
    text = (headers.get("retry-after") or headers.get("reply-after") or "").strip()
    if not text:
        return None
    try:
        return _bounded(float(text))
    except ValueError:
        until = http_date(text)
    if until is None:
        return None
    now = http_date(headers.get("date")) or dt.datetime.now(dt.UTC)
    return _bounded((until - now).total_seconds())


def _bounded(seconds: float) -> float | None:
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else None


def read_fault(body: bytes) -> Fault:
    """What an error body says, in any of the shapes that services and their proxies use."""
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Fault(message=quote(body))
    if not isinstance(tree, dict) or not tree:
        return Fault(message=quote(body))
    return _fault_of(tree) or Fault(message=quote(body))


def _fault_of(tree: dict[str, Any]) -> Fault | None:
    if isinstance(tree.get("message"), str):
        return Fault(_told(tree.get("title") or ""), _told(tree["message"]))
    for name, inner in tree.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            inner = {"message": inner[0].get("detail"), **inner[0]}
        if isinstance(inner, str) and name.lower().endswith("error"):
            return Fault(_told(name), _told(inner))
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            kind = inner.get("type") or inner.get("title") or name if name in ("error", "NeutronError") else name
            return Fault(_told(kind), _told(inner["message"]), _wish(inner))
    return None


def _told(value: object) -> str:
    text = clean(" ".join(mask(str(value)).split()))
    return text if len(text) <= 2 * QUOTED else text[: 2 * QUOTED - 1] + "…"


def _wish(fault: dict[str, Any]) -> float | None:
    """A number of seconds or, in the first generation, the moment itself."""
    told = fault.get("retryAfter")
    try:
        if isinstance(told, str) and "T" in told:
            until = dt.datetime.fromisoformat(told)
            return _bounded((until - dt.datetime.now(until.tzinfo)).total_seconds())
        return None if told is None else _bounded(float(told))
    except (TypeError, ValueError):
        return None


def decipher(reply: Reply, place: str = "") -> None:
    """Let a reply pass that did what was asked; raises one error of the tree for every other."""
    if 200 <= reply.status < 300:
        if "html" in reply.headers.get("content-type", "") and reply.body:
            refuse_body(reply, place, "a page of HTML instead of data")
        return
    if reply.status in (300, 304):
        return  # a list of versions to choose from; nothing, since nothing has changed
    if reply.status < 400:
        refuse_body(reply, place, f"a redirect to {clean(mask(reply.headers.get('location', 'nowhere')))[:QUOTED]}")
    raise _error(reply, place)


def refuse_body(reply: Reply, place: str, what: str) -> NoReturn:
    """Raises the `BadReply` that says what was wrong with this answer, and how it began."""
    began = quote(reply.body)
    raise BadReply(
        f"{_asked(reply)} was answered {reply.status} with {what}" + (f": {began}" if began else ""),
        place=place,
        request_id=request_id(reply.headers),
        status=reply.status,
    )


def read_json(reply: Reply, place: str = "") -> Any:
    """The decoded body of a deciphered reply, not cleaned. Raises `BadReply`."""
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        refuse_body(reply, place, _why_not_json(reply.body))


def _why_not_json(body: bytes) -> str:
    if not body.strip():
        return "an empty body"
    if body.lstrip()[:1] in (b"{", b"["):
        return "JSON that is cut off or broken"
    return "something that is not JSON"


def _asked(reply: Reply) -> str:
    path = mask(reply.url.partition("://")[2].partition("/")[2]) if "://" in reply.url else mask(reply.url)
    return clean(f"{reply.method} /{path.lstrip('/')}")[:QUOTED]


def _error(reply: Reply, place: str) -> CloudError:
    fault = read_fault(reply.body)
    facts = _Facts(place, request_id(reply.headers), reply.status, fault.name)
    message = fault.message or f"{_asked(reply)} was answered {reply.status} without a word"
    if reply.status in (413, 429):
        return _too_much(reply, fault, message, facts)
    if reply.status == 503 and (wait := retry_after(reply.headers)) is not None:
        return OverLimit(f"the service asks to wait {wait:g} s: {message}", retry_after=wait, **facts.kwargs())
    if reply.status in (403, 409) and (_QUOTA_WORDS.search(message) or fault.name == "OverQuota"):
        return OverQuota(message, **facts.kwargs())
    kind = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict}.get(reply.status, CloudFault)
    if kind is CloudFault:
        message = f"{message} ({reply.status})" if fault.message else message
    return kind(message, **facts.kwargs())


def _too_much(reply: Reply, fault: Fault, message: str, facts: _Facts) -> CloudError:
    """413 is a rate limit or a quota: a quota speaks of one, or gives no time after which asking again would help."""
    wait = retry_after(reply.headers)
    wait = fault.retry_after if wait is None else wait
    final = bool(_QUOTA_WORDS.search(message)) or (reply.method != "GET" and not wait)
    if reply.status == 413 and final:
        return OverQuota(message, **facts.kwargs())
    return OverLimit(message, retry_after=wait or DEFAULT_WAIT, **facts.kwargs())


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply as the debug trace tells them: masked, one line each."""

    request: Request
    reply: Reply | None = None
    failure: str = ""
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        sent = f"{self.request.method} {mask(self.request.url)} {_shown(self.request.headers)}"
        if self.request.body:
            sent += f" {quote(self.request.body)}"
        if self.reply is None:
            return f"{sent} -> {self.failure}"
        got = self.reply
        return f"{sent} -> {got.status} in {got.took:.3f} s, {len(got.body)} B {_shown(got.headers)} {quote(got.body)}"


def _shown(headers: Mapping[str, str]) -> str:
    shown = (
        f"{name}: {'••••' if _SECRET_HEADERS.match(name) else clean(mask(value))}" for name, value in headers.items()
    )
    return "{" + ", ".join(shown) + "}"
