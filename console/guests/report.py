"""What a check of a guest found out: rung by rung, as plain values that any face can show."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # it is loaded with asyncssh, which the screen can do without until a check starts
    from console.guests.hostkeys import Judgement

RUNGS = ("address", "port", "banner", "host key", "login", "cloud-init")


def above(name: str) -> str:
    """The rung that is climbed once this one holds; of one's own checks it is that check again."""
    if name not in RUNGS:
        return "port" if name == "jump" else name
    return RUNGS[min(RUNGS.index(name) + 1, len(RUNGS) - 1)]


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder: whether it held, how long it took (seconds), and what there is to say."""

    name: str
    state: Literal["ok", "failed", "skipped"]
    took: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Report:
    """What a check found out."""

    rungs: tuple[Rung, ...]
    address: str = ""
    port: int = 22
    user: str = ""
    banner: str = ""
    host_key: "Judgement | None" = None
    notes: tuple[str, ...] = ()
    way: str = ""  # by which it let us in, in words

    @property
    def ready(self) -> bool:
        """Whether every rung held."""
        return all(rung.state == "ok" for rung in self.rungs)

    @property
    def failed(self) -> Rung | None:
        """The rung that did not hold."""
        return next((rung for rung in self.rungs if rung.state == "failed"), None)

    @property
    def final(self) -> bool:
        """Whether looking again would be wrong: ready, or a host key that nobody should get used to."""
        distrusted = self.host_key is not None and not self.host_key.trusted
        return self.ready or distrusted

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        judged = self.host_key
        return {
            "ready": self.ready,
            "address": self.address or None,
            "port": self.port,
            "user": self.user or None,
            "by": self.way.removeprefix("by ") or None,
            "banner": self.banner or None,
            "host_key": None
            if judged is None
            else {
                "grade": judged.grade,
                "fingerprint": judged.fingerprint,
                "algorithm": judged.algorithm,
                "expected": list(judged.expected),
            },
            "rungs": [
                {"name": rung.name, "state": rung.state, "seconds": round(rung.took, 3), "text": rung.text}
                for rung in self.rungs
            ],
            "notes": list(self.notes),
        }


Told = Callable[[Rung], None]
