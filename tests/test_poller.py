"""When a place is asked, for what, and what becomes of the answer; on a cloud in memory and a clock that is moved."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from small_cloud import SmallCloud, SmallDialect, flavor_of

from console.core.kinds import KINDS
from console.core.poller import CEILING, OVERLAP, Poller
from console.core.pulse import Pulse
from console.core.store import Store
from console.errors import BadReply, CloudFault, Forbidden, OverLimit, Unauthorized, Unreachable
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Place, Row
from console.model.server import Server
from console.testing import MovedClock
from console.wire.budget import Limit
from console.wire.pace import Pace

PLACE = Place("small", "one")


class Bench:
    """A cloud, a store, and a poller between them."""

    def __init__(self, kind: type[Row] = Server, **given: Any) -> None:
        self.clock = MovedClock()
        self.cloud = SmallCloud(self.clock)
        self.store = Store(self.clock)
        self.pulse = Pulse(PLACE, self.store, self.clock)
        self.dialect = SmallDialect(self.cloud, PLACE, privilege=given.pop("privilege", 1))
        self.seen: list[Row] = []
        self.kind = kind
        self.poller = self.another(**given)

    def another(self, **given: Any) -> Poller[Any]:
        """A poller for what the dialect offers now."""
        return Poller(
            KINDS[self.kind],
            self.dialect,
            self.store,
            self.clock,
            self.pulse,
            seen=self.seen.extend,
            chance=lambda: 0.5,
            **given,
        )

    @property
    def shown(self) -> dict[str, str]:
        return {row.id: getattr(row, "word", "") for row in self.store.rows(self.kind).values()}

    @property
    def health(self) -> Any:
        return self.store.health[PLACE]

    def asked(self) -> list[str]:
        asked, self.cloud.asked = self.cloud.asked, []
        return asked

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.poller.run())
        await self.clock.settle()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    for name in ("a", "b", "c"):
        bench.cloud.server(name)
    yield bench


async def test_first_all_then_what_changed_then_all_again(bench: Bench) -> None:
    async with bench.running():
        assert bench.asked() == ["servers"]
        assert set(bench.shown) == {"a", "b", "c"}
        await bench.clock.advance(35)
        assert bench.asked() == ["changes"] * 3
        await bench.clock.advance(265)
        assert bench.asked()[-1] == "servers"


async def test_turns_do_not_drift_though_answers_take_time(bench: Bench) -> None:
    times: list[float] = []
    bench.poller._chance = lambda: 0.5
    answer = bench.cloud.answer

    async def slow(what: str) -> None:
        times.append(bench.clock.monotonic() - 1000)
        await bench.clock.sleep(0.7)
        await answer(what)

    bench.cloud.answer = slow  # type: ignore[method-assign]
    async with bench.running():
        await bench.clock.advance(45)
    assert times == [0, 10, 20, 30, 40]


async def test_changes_are_asked_for_in_the_clouds_time_with_an_overlap(bench: Bench) -> None:
    since: list[Any] = []
    servers = bench.dialect.servers

    def noted(*, changes_since: Any = None, **given: Any) -> Any:
        since.append((changes_since, bench.clock.now()))
        return servers(changes_since=changes_since, **given)

    bench.dialect.servers = noted  # type: ignore[method-assign]
    async with bench.running():
        await bench.clock.advance(25)
    (_, first), (one, second), (two, _) = since
    assert one == first - OVERLAP
    assert two == second - OVERLAP


async def test_what_changes_is_there_after_one_turn(bench: Bench) -> None:
    async with bench.running():
        await bench.clock.advance(5)
        bench.cloud.server("b", "SHUTOFF")
        bench.cloud.server("new")
        await bench.clock.advance(6)
        assert bench.shown == {"a": "ACTIVE", "b": "SHUTOFF", "c": "ACTIVE", "new": "ACTIVE"}


async def test_a_server_that_the_list_of_changes_calls_deleted_leaves(bench: Bench) -> None:
    async with bench.running():
        bench.cloud.delete("b")
        await bench.clock.advance(11)
        assert set(bench.shown) == {"a", "c"}
        assert "server b" not in bench.asked()


async def test_a_server_that_only_vanished_leaves_after_a_404(bench: Bench) -> None:
    async with bench.running():
        bench.cloud.delete("b", told=False)
        await bench.clock.advance(200)
        assert "b" in bench.shown
        await bench.clock.advance(110)
        assert set(bench.shown) == {"a", "c"}
        assert "server b" in bench.asked()


async def test_a_server_that_is_out_of_sight_with_its_cell_stays(bench: Bench) -> None:
    async with bench.running():
        row = bench.cloud.rows.pop("b")
        bench.cloud.errors["server b"] = CloudFault("the cell is down", status=500)
        bench.poller.wake(whole=True)
        await bench.clock.advance(10)
        assert "b" in bench.shown
        assert bench.health.state == "well"
        bench.cloud.rows["b"] = row
        del bench.cloud.errors["server b"]
        bench.poller.wake(whole=True)
        await bench.clock.advance(10)
        assert "b" in bench.shown


async def test_a_server_whose_cell_is_down_keeps_what_was_known_of_it(bench: Bench) -> None:
    async with bench.running():
        bench.cloud.server("b", "UNKNOWN", name="", record=b"id and links", flavor=None)
        bench.poller.wake(whole=True)
        await bench.clock.advance(1)
        row = next(row for row in bench.store.rows(Server).values() if row.id == "b")
        assert (row.status, row.name) == ("UNKNOWN", "b")
        watch = bench.store.watch(Server)
        await anext(watch)
        bench.poller.wake(whole=True)
        await bench.clock.advance(1)
        assert watch._take() is None
        bench.cloud.server("b", "ACTIVE", name="b", record=b"all")
        await bench.clock.advance(10)
        assert bench.shown["b"] == "ACTIVE"


async def test_a_cell_of_many_servers_is_asked_for_by_samples(bench: Bench) -> None:
    for number in range(200):
        bench.cloud.server(f"n{number}")
        bench.cloud.errors[f"server n{number}"] = CloudFault("the cell is down", status=500)
    async with bench.running():
        for number in range(200):
            bench.cloud.delete(f"n{number}", told=False)
        bench.asked()
        bench.poller.wake(whole=True)
        await bench.clock.advance(14)
        asked = bench.asked()
        assert asked.count("servers") == 1
        assert 0 < sum(one.startswith("server n") for one in asked) <= 50
        assert len(bench.shown) == 203


async def test_many_that_are_really_gone_leave_turn_by_turn(bench: Bench) -> None:
    for number in range(120):
        bench.cloud.server(f"n{number}")
    async with bench.running():
        for number in range(120):
            bench.cloud.delete(f"n{number}", told=False)
        bench.poller.wake(whole=True)
        await bench.clock.advance(10)
        assert set(bench.shown) == {"a", "b", "c"}


async def test_rows_about_to_change_are_asked_for_often_and_by_themselves(bench: Bench) -> None:
    for number in range(60):
        bench.cloud.server(f"n{number}")
    async with bench.running():
        await bench.clock.advance(11)
        bench.cloud.server("b", "REBOOT", task_state="rebooting")
        await bench.clock.advance(10)
        assert bench.shown["b"] == "REBOOT"
        bench.asked()
        await bench.clock.advance(4.6)
        assert bench.asked() == ["server b"] * 3
        bench.cloud.server("b", "ACTIVE", task_state=None)
        await bench.clock.advance(1.6)
        assert bench.shown["b"] == "ACTIVE"
        bench.asked()
        await bench.clock.advance(9)
        assert "server b" not in bench.asked()


@pytest.mark.parametrize("changes", [True, False])
async def test_a_row_that_the_cloud_stumbles_over_makes_no_place_down(bench: Bench, changes: bool) -> None:
    for number in range(60):
        bench.cloud.server(f"n{number}")
    for name in ("b", "c"):
        bench.cloud.server(name, "REBOOT", task_state="rebooting")
    if not changes:
        bench.dialect.verbs -= {"server.changes"}
        bench.poller = bench.another(all_projects=True)
    bench.cloud.errors = {"server b": CloudFault("The server has erred.", status=500)}
    async with bench.running():
        await bench.clock.advance(3)
        bench.cloud.server("c", "ACTIVE", task_state=None)
        await bench.clock.advance(3)
        assert (bench.shown["c"], bench.health.state) == ("ACTIVE", "well")
        bench.cloud.errors["server b"] = Forbidden("not this one")
        await bench.clock.advance(3)
        assert (bench.poller.all_projects, bench.health.state) == (not changes, "well")


async def test_many_rows_about_to_change_are_asked_for_at_once(bench: Bench) -> None:
    for number in range(60):
        bench.cloud.server(f"n{number}", "BUILD")
    async with bench.running():
        bench.asked()
        await bench.clock.advance(4.6)
        assert bench.asked() == ["changes"] * 3


async def test_a_server_deleted_while_it_was_about_to_change_leaves(bench: Bench) -> None:
    for number in range(60):
        bench.cloud.server(f"n{number}")
    bench.cloud.server("b", "ACTIVE", task_state="deleting")
    async with bench.running():
        bench.cloud.delete("b", told=False)
        await bench.clock.advance(2)
        assert "b" not in bench.shown
        bench.asked()
        await bench.clock.advance(5)
        assert bench.asked() == []


async def test_a_server_that_is_stuck_for_long_is_no_reason_for_haste(bench: Bench) -> None:
    bench.cloud.server("b", "ACTIVE", task_state="image_uploading")
    async with bench.running():
        await bench.clock.advance(1000)
        bench.asked()
        await bench.clock.advance(100)
        assert len(bench.asked()) <= 22


async def test_a_wake_asks_at_once_and_often_for_some_seconds(bench: Bench) -> None:
    async with bench.running():
        await bench.clock.advance(3)
        bench.asked()
        bench.poller.wake()
        await bench.clock.settle()
        assert bench.asked() == ["changes"]
        await bench.clock.advance(6.1)
        assert bench.asked() == ["changes"] * 4
        await bench.clock.advance(30)
        assert len(bench.asked()) < 12


async def test_a_wake_that_comes_while_changes_are_asked_for_is_granted_afterwards(bench: Bench) -> None:
    for number in range(60):
        bench.cloud.server(f"n{number}")
    bench.cloud.server("b", "REBOOT", task_state="rebooting")
    await bench.poller.poll()
    await bench.clock.advance(10)
    bench.cloud.gate.clear()
    turn = asyncio.create_task(bench.poller.poll())
    await bench.clock.settle()
    assert bench.asked() == ["servers", "changes"]
    bench.poller.wake()  # an order was taken, which this answer does not show yet
    bench.cloud.gate.set()
    await turn
    await bench.poller.poll()
    assert bench.asked() == ["changes"]


async def test_a_wish_for_everything_that_comes_while_all_is_asked_for_is_granted_afterwards(bench: Bench) -> None:
    bench.cloud.server("b", "REBOOT", task_state="rebooting")
    bench.dialect.verbs -= {"server.changes"}
    bench.poller = bench.another()
    bench.cloud.gate.clear()
    async with bench.running():
        bench.poller.wake(whole=True)
        bench.cloud.gate.set()
        await bench.clock.settle()
        assert bench.asked() == ["servers"] * 2


async def test_a_question_that_fails_grants_no_wish(bench: Bench) -> None:
    await bench.poller.poll()
    bench.poller.wake(whole=True)
    bench.cloud.error = BadReply("half of it")
    await bench.poller.poll()
    bench.cloud.error = None
    bench.asked()
    await bench.poller.poll()
    assert bench.asked() == ["servers"]


async def test_rows_stream_in_page_by_page(bench: Bench) -> None:
    bench.cloud.page = 2
    watch = bench.store.watch(Server)
    await anext(watch)
    task = asyncio.create_task(bench.poller.poll())
    assert [row.id for row in (await anext(watch)).changed] == ["a", "b"]
    assert [row.id for row in (await anext(watch)).changed] == ["c"]
    await task


async def test_a_place_that_is_down_is_asked_ever_less_but_for_ever(bench: Bench) -> None:
    async with bench.running():
        bench.cloud.error = Unreachable("no route to host")
        await bench.clock.advance(10)
        assert bench.health.state == "down"
        assert bench.health.reason == "no route to host"
        assert set(bench.shown) == {"a", "b", "c"}
        bench.asked()
        await bench.clock.advance(2000)
        asked = len(bench.asked())
        assert 2000 / CEILING <= asked < 2000 / CEILING + 20
        assert bench.health.next_try - bench.clock.monotonic() <= CEILING
        bench.cloud.error = None
        bench.cloud.server("healed")
        await bench.clock.advance(CEILING)
        assert bench.health.state == "well"
        assert "healed" in bench.shown


async def test_health_is_logged_when_it_turns(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async with bench.running():
        bench.cloud.error = BadReply("HTML instead of JSON")
        await bench.clock.advance(600)
        bench.cloud.error = None
        await bench.clock.advance(120)
    assert caplog.messages == ["small/one is down: HTML instead of JSON", "small/one answers again"]


async def test_too_many_requests_wait_as_long_as_they_are_told(bench: Bench) -> None:
    async with bench.running():
        bench.cloud.error = OverLimit("slow down", retry_after=40)
        await bench.clock.advance(10)
        assert bench.health.state == "throttled"
        bench.asked()
        await bench.clock.advance(39)
        assert bench.asked() == []
        bench.cloud.error = None
        await bench.clock.advance(3)
        assert bench.health.state == "well"


async def test_a_place_whose_requests_wait_for_their_turn_says_for_how_long(bench: Bench) -> None:
    pace = bench.dialect.pace = Pace(clock=bench.clock.monotonic, sleep=bench.clock.sleep)  # type: ignore[attr-defined]
    pace.obey([Limit(100, 60)])
    bench.pulse.connected(bench.dialect)
    async with bench.running():
        assert (bench.health.state, bench.health.left, bench.health.most, bench.health.window) == ("well", 100, 100, 60)
        pace.hold(12)
        waiting = asyncio.create_task(pace.ready(30))
        await bench.clock.settle()
        assert bench.health.state == "throttled"
        assert bench.health.next_try - bench.clock.monotonic() == pytest.approx(12)
        await bench.clock.advance(12)
        await waiting
        assert bench.health.state == "well"


async def test_a_refused_login_ends_the_loop(bench: Bench) -> None:
    bench.cloud.error = Unauthorized("wrong password")
    with pytest.raises(Unauthorized):
        await bench.poller.run()
    assert bench.health.state == "refused"
    assert bench.health.next_try is None
    assert bench.asked() == ["servers"]


async def test_one_service_that_takes_no_token_is_asked_again_while_the_login_holds() -> None:
    bench = Bench(Image, refused=lambda: False)
    bench.cloud.image("debian")
    async with bench.running():
        bench.cloud.error = Unauthorized("a fresh token was refused", status=401)
        await bench.clock.advance(200)
        assert bench.health.reason == "a fresh token was refused"
        bench.cloud.error = None
        await bench.clock.advance(61)
        assert bench.health.state == "well"


async def test_a_reply_that_takes_long_makes_the_place_slow(bench: Bench) -> None:
    bench.cloud.gate.clear()
    async with bench.running():
        await bench.clock.advance(5)
        bench.cloud.gate.set()
        await bench.clock.settle()
        assert bench.health.state == "slow"
        assert bench.health.latency == 5
        await bench.clock.advance(11)
        assert bench.health.state == "well"


async def test_a_cloud_that_knows_no_changes_since_is_listed_whole(bench: Bench) -> None:
    bench.cloud.errors["changes"] = CloudFault("bad query", status=400)
    async with bench.running():
        bench.cloud.server("new")
        await bench.clock.advance(11)
        assert "new" in bench.shown
        assert bench.health.state == "well"


async def test_where_the_role_reaches_not_all_projects_the_own_is_shown() -> None:
    bench = Bench(all_projects=True)
    bench.cloud.server("mine")
    bench.cloud.server("theirs", project_id="other")
    bench.cloud.errors["servers"] = Forbidden("policy", status=403)
    async with bench.running():
        bench.cloud.errors.clear()
        await bench.clock.advance(0.1)
        assert set(bench.shown) == {"mine"}


async def test_images_every_minute_and_two_seconds_apart_while_one_is_saved() -> None:
    bench = Bench(Image)
    for number in range(20):
        bench.cloud.image(f"i{number}")
    async with bench.running():
        await bench.clock.advance(119)
        assert bench.asked() == ["images"] * 2
        bench.cloud.image("snapshot", "queued")
        await bench.clock.advance(2)
        bench.asked()
        await bench.clock.advance(4.3)
        assert bench.asked() == ["image snapshot"] * 2
        bench.cloud.image("snapshot", "active")
        await bench.clock.advance(2)
        assert bench.shown["snapshot"] == "active"
        bench.cloud.delete("snapshot")
        await bench.clock.advance(61)
        assert "snapshot" not in bench.shown


async def test_flavors_every_ten_minutes() -> None:
    bench = Bench(Flavor)
    bench.cloud.flavor("m1")
    async with bench.running():
        await bench.clock.advance(1300)
        assert bench.asked() == ["flavors"] * 3


async def test_changed_rows_are_shown_to_whoever_looks_for_unknown_flavors(bench: Bench) -> None:
    async with bench.running():
        bench.seen.clear()
        bench.cloud.server("new", flavor=flavor_of("unheard"))
        await bench.clock.advance(11)
        assert "new" in [row.id for row in bench.seen]
