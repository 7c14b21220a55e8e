"""Faults planted in the embedded cloud, one by one: the comparison with the recordings of a real one finds each.

So that a cloud which passes `test_recorded` is known to have none of these: a comparison that finds nothing may just
be blind.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent / "recorded"))
from comparison import differences
from embedded import tape_of

from console.sim import effects, lives, nova_api
from console.sim.call import Call, Fault
from console.sim.glance_store import Images
from console.sim.keystone_api import Keystone
from console.sim.nova_actions import RULES, Actions
from console.sim.nova_actions_image import ImageActions
from console.sim.nova_api import Nova
from console.sim.nova_images import OldImages
from console.sim.nova_query import Query
from console.sim.nova_resources import Resources
from console.sim.nova_servers import Servers
from console.sim.nova_views import Views
from console.sim.nova_volumes import Plugs
from console.sim.records import Server

Plant = Callable[[pytest.MonkeyPatch], None]
PLANTED: dict[str, tuple[str, Plant]] = {}


def fault(flow: str, what: str) -> Callable[[Plant], Plant]:
    """Register a planted fault, and the flow that should come upon it."""

    def register(plant: Plant) -> Plant:
        PLANTED[what] = flow, plant
        return plant

    return register


def with_status(patch: pytest.MonkeyPatch, owner: type, name: str, status: int, wait: bool = False) -> None:
    """Let a method answer with another status."""
    real = getattr(owner, name)

    async def later(*given: Any) -> web.Response:
        answer: web.Response = await real(*given)
        answer.set_status(status)
        return answer

    def at_once(*given: Any) -> web.Response:
        answer: web.Response = real(*given)
        answer.set_status(status)
        return answer

    patch.setattr(owner, name, later if wait else at_once)


def without(patch: pytest.MonkeyPatch, owner: type, name: str, *keys: str, **other: Any) -> None:
    """Let a method's dictionary lack keys, or have others."""
    real = getattr(owner, name)

    def less(*given: Any) -> dict[str, Any]:
        found = {key: value for key, value in real(*given).items() if key not in keys}
        return found | other

    patch.setattr(owner, name, less)


def with_steps(patch: pytest.MonkeyPatch, life: str, *order: int) -> None:
    """Let a life have these of its steps only, in this order."""
    real = lives.LIVES[life]
    patch.setitem(lives.LIVES, life, replace(real, steps=tuple(real.steps[index] for index in order)))


@fault("resizes", "confirming a resize answers 202")
def _(patch: pytest.MonkeyPatch) -> None:
    real = RULES["confirmResize"]

    def accepted(actions: Actions, call: Call, server: Server, given: Any) -> web.Response:
        answer = real.do(actions, call, server, given)
        answer.set_status(202)
        return answer

    patch.setitem(RULES, "confirmResize", replace(real, do=accepted))


@fault("ends", "deleting a server answers 202")
def _(patch: pytest.MonkeyPatch) -> None:
    with_status(patch, Servers, "delete", 202, wait=True)


@fault("keypairs", "making a key pair answers 200")
def _(patch: pytest.MonkeyPatch) -> None:
    with_status(patch, Resources, "add_keypair", 200, wait=True)


@fault("volumes", "attaching a volume answers 202 before 2.101")
def _(patch: pytest.MonkeyPatch) -> None:
    with_status(patch, Plugs, "attach", 202, wait=True)


@fault("looks", "a server has no power state")
def _(patch: pytest.MonkeyPatch) -> None:
    without(patch, Views, "server", "OS-EXT-STS:power_state")


@fault("administration", "an administrator is not shown the host's status")
def _(patch: pytest.MonkeyPatch) -> None:
    without(patch, Views, "_since", "host_status")


@fault("catalogue", "a flavor's memory is a text")
def _(patch: pytest.MonkeyPatch) -> None:
    without(patch, Views, "flavor", ram="512")


@fault("looks", "a server's flavor is linked where it should be embedded")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Views, "embedded", Views._flavor_link)


@fault("looks", "a server's host name is shown in every microversion")
def _(patch: pytest.MonkeyPatch) -> None:
    without(patch, Views, "_core", **{"OS-EXT-SRV-ATTR:hostname": "web-1"})


@fault("ends", "addresses are shown while a server is building")
def _(patch: pytest.MonkeyPatch) -> None:
    shown = property(lambda server: {"private": [("10.0.0.7", "fixed", "fa:16:3e:00:00:01")]})
    patch.setattr(Server, "addresses", shown)


@fault("failures", "a server in error has no fault")
def _(patch: pytest.MonkeyPatch) -> None:
    without(patch, Views, "server", "fault")


@fault("failures", "a server without a host becomes active")
def _(patch: pytest.MonkeyPatch) -> None:
    real = effects.EFFECTS["place"]

    def anywhere(region: Any, server: Server, job: Any) -> Any:
        server.flavor = replace(server.flavor, name="m1.possible")
        return real(region, server, job)

    patch.setitem(effects.EFFECTS, "place", anywhere)


@fault("there_and_back", "stopping a server has no task state")
def _(patch: pytest.MonkeyPatch) -> None:
    with_steps(patch, "stop", 1)


@fault("there_and_back", "a shelved server is not offloaded")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(lives.LIVES, "shelve", lives.LIVES["shelve_keep"])


@fault("moves", "a soft reboot does not start")
def _(patch: pytest.MonkeyPatch) -> None:
    with_steps(patch, "reboot_soft", 2, 3)


@fault("resizes", "the states of a resize are in another order")
def _(patch: pytest.MonkeyPatch) -> None:
    with_steps(patch, "resize", 0, 1, 3, 2, 4, 5)


@fault("rebuilds", "a rebuilt server shows that it is rebooting")
def _(patch: pytest.MonkeyPatch) -> None:
    real = lives.LIVES["rebuild"]
    steps = (replace(real.steps[0], task="rebooting"), *real.steps[1:])
    patch.setitem(lives.LIVES, "rebuild", replace(real, steps=steps))


@fault("volumes", "a volume that is being detached shows that it is being attached")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(effects.EFFECTS, "detaching", effects.EFFECTS["attaching"])


@fault("moves", "a reboot has no event")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(lives.LIVES, "reboot_soft", replace(lives.LIVES["reboot_soft"], event=""))


@fault("resizes", "a resize is called a migration among what was asked")
def _(patch: pytest.MonkeyPatch) -> None:
    real = Actions.begin

    def renamed(self: Any, call: Call, server: Server, life: str, name: str, **given: Any) -> None:
        real(self, call, server, life, "migrate" if name == "resize" else name, **given)

    patch.setattr(Actions, "begin", renamed)


@fault("moves", "a conflict has another name")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(nova_api.KINDS, 409, "conflict")


@fault("there_and_back", "a conflict is told in other words")
def _(patch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, server: Server, rule: Any, what: str, state: str) -> None:
        raise Fault(409, f"Instance {server.id} cannot be asked to {rule.name} now")

    patch.setattr(Actions, "_refuse", refuse)


@fault("moves", "a locked server can be rebooted")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(RULES, "reboot", replace(RULES["reboot"], lock=False))


@fault("rebuilds", "a rebuild takes a flavor")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Actions, "_check_rebuild", lambda *given: None)


@fault("catalogue", "everybody is an administrator")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Nova, "only_admin", lambda *given: None)


@fault("catalogue", "an unknown server is a bad request")
def _(patch: pytest.MonkeyPatch) -> None:
    def bad(self: Nova, call: Call, key: str = "id") -> Server:
        raise Fault(400, f"Instance {call.names[key]} could not be found.")

    patch.setattr(Nova, "server", bad)


@fault("catalogue", "the proxy to images has no end")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OldImages, "_until", lambda *given: None)


@fault("looks", "replies do not vary by the microversion")
def _(patch: pytest.MonkeyPatch) -> None:
    real = Nova._say_version

    def less(self: Nova, call: Call, version: str) -> None:
        real(self, call, version)
        del call.headers["Vary"]

    patch.setattr(Nova, "_say_version", less)


@fault("discovery", "the newest microversion is one too old")
def _(patch: pytest.MonkeyPatch) -> None:
    real = Nova._choose_version

    def older(self: Nova, call: Call) -> None:
        self.maximum = 103
        real(self, call)

    patch.setattr(Nova, "_choose_version", older)


@fault("logins", "a wrong password is forbidden")
def _(patch: pytest.MonkeyPatch) -> None:
    with_status(patch, Keystone, "fault_reply", 403)


@fault("ends", "a deleted server is not among what has changed")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Query, "_times", lambda self: [lambda server: not server.deleted])


@fault("pictures", "an image does not say whose it is")
def _(patch: pytest.MonkeyPatch) -> None:
    real = ImageActions.new_image

    def less(self: Any, *given: Any) -> Any:
        image = real(self, *given)
        image.properties.pop("instance_uuid")
        return image

    patch.setattr(ImageActions, "new_image", less)


@fault("pictures", "an image is never saving")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Images, "saving", lambda self, id: None)


async def found_in(flow: str) -> list[str]:
    """What the comparison says of a flow; a flow that breaks off says so."""
    try:
        return differences(await tape_of(flow), flow)
    except (AssertionError, KeyError, TypeError, IndexError) as broken:
        return [f"{flow} broke off: {broken!r}"]


@pytest.mark.parametrize("what", PLANTED)
async def test_a_planted_fault_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, plant = PLANTED[what]
    plant(monkeypatch)
    found = await found_in(flow)
    print(*found, sep="\n")
    assert found, what


@pytest.mark.parametrize("flow", sorted({flow for flow, _ in PLANTED.values()}))
async def test_nothing_is_found_where_nothing_is_planted(flow: str) -> None:
    assert await found_in(flow) == []


def test_there_are_enough() -> None:
    assert len(PLANTED) >= 20
