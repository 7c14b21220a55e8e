"""The one tree of errors: who catches one decides by its class what to do next.

ConsoleError                 anything that we tell a person in one sentence
├── ConfigError              the settings or clouds.yaml are wrong: mend the file named
├── CloudError               a cloud said no, or said nothing: place, request id, message
│   ├── Unreachable          no answer: name, port, TLS, timeout; ask again later
│   ├── BadReply             an answer that cannot be read
│   ├── Unauthorized         login refused: final until asked again, since accounts lock
│   ├── Forbidden            policy: this account may not
│   ├── NotFound             gone, or never ours
│   ├── Conflict             the answer to a race: read again, then decide
│   ├── OverLimit            too many requests: wait `retry_after` seconds
│   ├── OverQuota            final until something is freed
│   └── CloudFault           the cloud's own failure (5xx and what fits nowhere else)
├── ActionRefused            we would not send it, and say why
├── ActionFailed             it was sent, and the server or image ended badly
├── WaitTimeout              the deadline passed; what was seen last
├── AmbiguousName            a name that fits several things: the candidates
├── ProbeFailed              a rung of the guest's ladder that did not hold
│   └── HostKeyChanged       another key than the one that was vouched for
├── JournalError             the runbooks' journal cannot be used: nothing is sent that is not written there
└── AuditError               no audit line can be written, so nothing is done

Raised in wire, clouds, guests and actions; caught in three places only: the poller, `perform`
and the face. Plain values only, so that an error can cross a process or be kept in a file.
"""

from collections.abc import Sequence


class ConsoleError(Exception):
    """A failure that is told in one sentence; `hint` says what to do next, where that is known."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip() if self.hint else self.message


class ConfigError(ConsoleError):
    """Settings that cannot be used; the message names file and line, or the cloud."""


class CloudError(ConsoleError):
    """What a cloud answered, or that it did not; `place` is "cloud/region"."""

    def __init__(
        self,
        message: str,
        *,
        place: str = "",
        request_id: str = "",
        status: int = 0,
        fault: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.place = place
        self.request_id = request_id
        self.status = status
        self.fault = fault

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        request = f" ({self.request_id})" if self.request_id else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{where}{self.message}{request}{hint}"


class Unreachable(CloudError):
    """No answer at all: refused, timed out, name unknown, TLS not verified."""


class BadReply(CloudError):
    """An answer that is not what the API promises: HTML, empty, cut off, of wrong types."""


class Unauthorized(CloudError):
    """The login was refused, or a fresh token was: final until somebody says again."""


class Forbidden(CloudError):
    """A policy says no."""


class NotFound(CloudError):
    """There is no such thing, or it is another project's."""


class Conflict(CloudError):
    """The thing is in no state for this now."""


class OverLimit(CloudError):
    """Too many requests; `retry_after` seconds until the next may be sent."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float,
        place: str = "",
        request_id: str = "",
        status: int = 0,
        fault: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, place=place, request_id=request_id, status=status, fault=fault, hint=hint)
        self.retry_after = retry_after


class OverQuota(CloudError):
    """A quota is used up: asking again does not help."""


class CloudFault(CloudError):
    """The cloud failed (5xx), or answered what fits no other class."""


class ActionRefused(ConsoleError):
    """Not sent: not allowed now, read-only, or against a rule; the message says which."""


class ActionFailed(ConsoleError):
    """Accepted by the cloud, and then ended badly; the message has the cloud's reason."""


class WaitTimeout(ConsoleError):
    """A deadline passed; `last` is what was seen last."""

    def __init__(self, message: str, *, last: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.last = last


class AmbiguousName(ConsoleError):
    """Several things have that name; `candidates` are their ids with their places."""

    def __init__(self, message: str, *, candidates: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.candidates = tuple(candidates)


class ProbeFailed(ConsoleError):
    """A rung of the readiness ladder that did not hold; `rung` is its name."""

    def __init__(self, message: str, *, rung: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rung = rung


class HostKeyChanged(ProbeFailed):
    """The guest shows another host key than the one that was vouched for."""


class JournalError(ConsoleError):
    """The journal cannot be read or written, or holds no such operation."""


class AuditError(ConsoleError):
    """The audit file cannot be written: nothing may be done unrecorded."""
