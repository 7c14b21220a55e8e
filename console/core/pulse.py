"""How a place does, put together from its login and its pollers; logged when it turns, not while it lasts."""

import logging
from typing import Any

from console.clouds.dialect import Dialect
from console.core.clock import Clock
from console.core.health import Health, State
from console.core.kinds import KINDS
from console.core.store import Store
from console.errors import CloudError, OverLimit, Unauthorized
from console.model.place import Place

SLOW = 1.5  # seconds for one reply
NOTABLE = 1.0  # seconds that a request waits for its turn, before anybody is told

log = logging.getLogger("novadeck.health")
log.addHandler(logging.NullHandler())  # a library prints nothing by itself, least of all over a screen


def state_of(error: CloudError) -> State:
    """The state of a place that answers with this error."""
    if isinstance(error, Unauthorized):
        return "needs-secret" if error.fault == "missing" else "refused"
    return "throttled" if isinstance(error, OverLimit) else "down"


class Pulse:
    """The health of one place."""

    def __init__(self, place: Place, store: Store, clock: Clock) -> None:
        self.place = place
        self._store = store
        self._clock = clock
        self._errors: dict[str, tuple[CloudError, float | None]] = {}  # by kind; "" is the login
        self._latency: dict[str, float] = {}
        self._rows_at: dict[str, float] = {}
        self._dialect: Dialect | None = None
        self._asking = True
        self._since = clock.monotonic()
        self.tell()

    def connected(self, dialect: Dialect, *, asking: bool = True) -> None:
        """The login was granted; nothing was listed yet, and nothing will be where nobody is `asking`."""
        self._dialect = dialect
        self._asking = asking
        self._errors.clear()
        if (pace := self._pace) is not None:
            pace.turned = self.tell
        self.tell()

    def begun(self) -> None:
        """A kind is asked for from now on."""
        if not self._latency and not self._asking:
            self._asking = True
            self.tell()

    def answered(self, kind: str, latency: float, asked_at: float) -> None:
        """A question about this kind was answered; `latency` is the first reply's, in seconds."""
        self._asking = False
        self._errors.pop("", None)
        self._errors.pop(kind, None)
        self._latency[kind] = latency
        self._rows_at[kind] = asked_at
        self.tell()

    def failed(self, kind: str, error: CloudError, next_try: float | None) -> None:
        """It was not; "" is the login. `next_try` is when it will be asked again, None when nobody will by itself."""
        self._asking = False
        self._errors[kind] = (error, next_try)
        self.tell()

    def stopped(self, kind: str) -> None:
        """Nobody asks for this kind any more."""
        self._errors.pop(kind, None)
        self._latency.pop(kind, None)
        self._rows_at.pop(kind, None)
        self.tell()

    def tell(self) -> None:
        """Put the health together and give it to the store."""
        before = self._store.health.get(self.place)
        state, reason, next_try = self._state()
        if before is None or before.state != state:
            self._since = self._clock.monotonic()
        figure = getattr(self._pace, "figure", (None, None, None))
        health = Health(
            state=state,
            reason=reason,
            since=self._since,
            rows_at=self._rows_at.get("server", max(self._rows_at.values(), default=None)),
            latency=self._latency.get("server", max(self._latency.values(), default=None)),
            next_try=next_try,
            left=figure[0],
            most=figure[1],
            window=figure[2],
            counts={kind.name: count for row, kind in KINDS.items() if (count := self._store.count(row, self.place))},
        )
        self._log(before, health)
        self._store.set_health(self.place, health)

    def _state(self) -> tuple[State, str, float | None]:
        if not self._errors:
            return self._answering()
        # The login and the servers speak for the place; another kind does where nothing else answers.
        silent = not self._latency.keys() - self._errors.keys()
        for kind, (error, next_try) in sorted(self._errors.items()):
            if silent or kind in ("", "server"):
                return state_of(error), error.message, next_try
        kind, (error, _) = min(self._errors.items())
        return self._answering()[0], f"{kind}s: {error.message}", None

    @property
    def _pace(self) -> Any:
        """How fast the place may be asked, where its dialect knows."""
        return getattr(self._dialect, "pace", None)

    def _answering(self) -> tuple[State, str, float | None]:
        if (wait := getattr(self._pace, "wait", 0.0)) >= NOTABLE:
            return "throttled", "", self._clock.monotonic() + wait
        if self._asking:
            return "asking", "", None
        latency = self._latency.get("server", max(self._latency.values(), default=0.0))
        return ("slow", f"{latency:.1f} s for a reply", None) if latency > SLOW else ("well", "", None)

    def _log(self, before: Health | None, health: Health) -> None:
        if before is None or before.mute == health.mute:
            return
        if health.mute:
            log.warning("%s is %s: %s", self.place, health.state, health.reason)
        else:
            log.warning("%s answers again", self.place)
