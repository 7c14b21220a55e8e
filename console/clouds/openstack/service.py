"""A session with one OpenStack service: which version it speaks, said with every request.

We ask for the lower of the service's newest microversion and the newest whose shape we read. A service without
microversions is asked plainly. One that refuses the version it promised (a 406 of an older node behind the same
address) is stepped down to what its refusal names, once.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from console.errors import BadReply, CloudError, CloudFault, Forbidden, NotFound, Unauthorized
from console.text import clean
from console.wire.message import Reply, read_json
from console.wire.session import Params, Session

_REFUSED = re.compile(r"maximum is (\d+)\.(\d+)", re.IGNORECASE)


class Version(NamedTuple):
    """A microversion; compares as one."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Spoken(NamedTuple):
    """What a service's version document says: the path step of its version, and its microversions, if it has any."""

    step: str
    lowest: Version | None
    highest: Version | None


class Service(Session):
    """A session whose requests name the microversion that both sides know."""

    kind = "compute"
    newest = Version(2, 96)  # the newest whose shape this code reads
    version: Version | None = None
    patient = True  # whether listings may take longer than the deadline, since the user has set none

    def settle(self, spoken: Spoken) -> None:
        """Ask for the newest microversion that both sides know; one that only knows newer ones cannot be asked."""
        if spoken.highest is None:
            self.version = None
            return
        if spoken.lowest is not None and spoken.lowest > self.newest:
            raise CloudFault(f"the {self.kind} service speaks {spoken.lowest} and later, we up to {self.newest}.")
        self.version = min(spoken.highest, self.newest)

    def knows(self, major: int, minor: int) -> bool:
        """Whether requests are sent with this microversion or a later one."""
        return self.version is not None and self.version >= Version(major, minor)

    async def send(
        self,
        method: str,
        path: str,
        params: Params = (),
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        most: Version | None = None,
    ) -> Reply:
        """As `Session.send`, at the microversion settled on, or at `most` if that is lower."""

        async def once() -> Reply:
            named = {**self._naming(most), **(headers or {})}
            return await super(Service, self).send(method, path, params, json=json, headers=named, deadline=deadline)

        try:
            return await once()
        except CloudFault as error:
            if error.status != 406 or not self._step_down(error):
                raise
        return await once()

    def _naming(self, most: Version | None) -> dict[str, str]:
        if self.version is None:
            return {}
        version = min(self.version, most) if most else self.version
        named = {"OpenStack-API-Version": f"{self.kind} {version}"}
        return named | ({"X-OpenStack-Nova-API-Version": str(version)} if self.kind == "compute" else {})

    def _step_down(self, error: CloudFault) -> bool:
        found = _REFUSED.search(error.message)
        if self.version is None or not found:
            return False
        highest = Version(int(found[1]), int(found[2]))
        if highest >= self.version:
            return False
        self.version = highest
        return True


async def discover(session: Session, wanted: str) -> Spoken:
    """What the service at this address speaks: one version's own document, or the best of a list (`wanted` first).

    A service that tells nothing is one without microversions. Raises a `CloudError` when it is not there at all.
    """
    try:
        reply = await session.get("/")
        tree = read_json(reply, session.place)
    except (NotFound, Forbidden, Unauthorized):
        return Spoken(wanted, None, None)
    except (BadReply, CloudFault) as error:
        if error.status >= 500 or not error.status:  # it has failed, or its answer was lost on the way
            raise
        return Spoken(wanted, None, None)
    return best_version(tree, wanted)


def best_version(tree: Any, wanted: str) -> Spoken:
    """The choice among what a version document of any service lists."""
    listed = _versions(tree)
    if not listed:
        return Spoken(wanted, None, None)
    named = {str(version.get("id", "")): version for version in listed}
    best = named.get(wanted) or next((v for v in listed if v.get("status") == "CURRENT"), listed[-1])
    return Spoken(clean(str(best.get("id") or wanted)), *_range(best))


def _versions(tree: Any) -> list[dict[str, Any]]:
    if not isinstance(tree, dict):
        return []
    found = tree.get("versions", tree.get("choices", tree.get("version", [])))
    found = found.get("values", [found]) if isinstance(found, dict) else found
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _range(version: Mapping[str, Any]) -> tuple[Version | None, Version | None]:
    highest = _parse(version.get("version") or version.get("max_version"))
    return (_parse(version.get("min_version")), highest) if highest else (None, None)


def _parse(text: object) -> Version | None:
    found = re.fullmatch(r"(\d+)\.(\d+)", str(text or ""))
    return Version(int(found[1]), int(found[2])) if found else None


def not_offered(place: str, service: str) -> CloudError:
    """What is said of a service that the catalog does not list."""
    return NotFound(f"this cloud offers no {service} service here.", place=place)
