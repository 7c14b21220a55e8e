"""All places at once: none waits for another, a refused login is final, and only what is watched is asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from small_cloud import SmallAccount, SmallCloud, connect, flavor_of

from console.core.fleet import Fleet
from console.core.settings import CloudSettings, Settings
from console.core.store import Store
from console.core.watch import Watch
from console.errors import ConfigError, OverLimit, Unauthorized, Unreachable
from console.model.flavor import Flavor
from console.model.image import Image
from console.model.place import Place, Row
from console.model.server import Server
from console.testing import MovedClock


class Harbour:
    """A fleet over small clouds."""

    def __init__(self, *names: str, clock: MovedClock | None = None) -> None:
        self.clock = clock or MovedClock()
        self.store = Store(self.clock)
        self.accounts = [SmallAccount(SmallCloud(self.clock, f"https://{name}"), name) for name in names]
        self.fleet: Fleet | None = None

    def account(self, name: str) -> SmallAccount:
        return next(account for account in self.accounts if account.place.cloud == name)

    @asynccontextmanager
    async def sailing(self, *kinds: type[Row], settings: Settings | None = None, **given: Any) -> AsyncIterator[Fleet]:
        accounts: Sequence[Any] = self.accounts
        fleet = Fleet(accounts, self.store, self.clock, settings or Settings(), connect=connect, **given)
        async with asyncio.TaskGroup() as group:
            fleet.start(group)
            with fleet.interest(*kinds):
                await self.clock.settle()
                yield fleet
            fleet.stop()

    def state(self, name: str) -> str:
        return next(health.state for place, health in self.store.health.items() if place.cloud == name)

    def shown(self) -> set[str]:
        return {row.id for row in self.store.rows(Server).values()}


async def test_places_are_there_before_any_cloud_answers() -> None:
    harbour = Harbour("a", "b")
    for account in harbour.accounts:
        account.gate.clear()
    async with harbour.sailing(Server) as fleet:
        assert [str(place) for place in fleet.places] == ["a/one", "b/one"]
        assert [health.state for health in harbour.store.health.values()] == ["asking", "asking"]
        with pytest.raises(Unreachable, match="still logging in"):
            fleet.dialect(fleet.places[0])


async def arrivals(watch: Watch[Server], cloud: str, count: int) -> int:
    """How many batches it takes until so many servers of a cloud are known."""
    known: set[str] = set()
    batches = 0
    while len(known) < count:
        batch = await asyncio.wait_for(anext(watch), 5)
        known |= {row.id for row in batch.changed if row.place.cloud == cloud}
        batches += 1
    return batches


async def fine_beside(*others: str) -> tuple[list[str], int]:
    """What the fine cloud was asked, and after how many batches it is complete, beside these others."""
    harbour = Harbour("fine", *others)
    for account in harbour.accounts:
        for number in range(10):
            account.cloud.server(f"{account.place.cloud}-{number}")
    if "unreachable" in others:
        harbour.account("unreachable").errors = [Unreachable("no route to host")] * 99
    if "slow" in others:
        harbour.account("slow").cloud.gate.clear()
    watch = harbour.store.watch(Server)
    async with harbour.sailing(Server):
        batches = await arrivals(watch, "fine", 10)
        # Not a second has passed on the clock, and the slow one still holds its first answer back.
        assert harbour.clock.monotonic() == 1000
        assert harbour.state("fine") == "well"
        if others:
            assert harbour.state("unreachable") == "down"
            assert harbour.state("slow") == "asking"
            assert harbour.account("slow").cloud.waiting == 1
            await harbour.clock.advance(5)
            harbour.account("slow").cloud.gate.set()
            await harbour.clock.settle()
            assert harbour.state("slow") == "slow"
            assert len(harbour.shown()) == 20
        return harbour.account("fine").cloud.asked[:1], batches


async def test_a_fine_cloud_is_complete_as_soon_as_when_it_is_alone() -> None:
    assert await fine_beside("unreachable", "slow") == await fine_beside()


async def test_a_killed_cloud_heals_by_itself_and_the_other_goes_on() -> None:
    harbour = Harbour("killed", "other")
    harbour.account("killed").cloud.server("k")
    async with harbour.sailing(Server):
        harbour.account("killed").cloud.error = Unreachable("connection refused")
        await harbour.clock.advance(11)
        assert (harbour.state("killed"), harbour.state("other")) == ("down", "well")
        assert harbour.shown() == {"k"}
        harbour.account("other").cloud.server("o")
        await harbour.clock.advance(11)
        assert harbour.shown() == {"k", "o"}
        harbour.account("killed").cloud.error = None
        await harbour.clock.advance(61)
        assert harbour.state("killed") == "well"
    assert [account.logins for account in harbour.accounts] == [1, 1]


async def test_images_that_fail_leave_the_servers_in_peace() -> None:
    harbour = Harbour("a")
    cloud = harbour.account("a").cloud
    cloud.errors["images"] = Unreachable("glance is not there")
    async with harbour.sailing(Server, Image) as fleet:
        health = harbour.store.health[fleet.places[0]]
        assert (health.state, health.reason) == ("well", "images: glance is not there")
        cloud.errors = {"servers": Unreachable("nova is not there"), "changes": Unreachable("nova is not there")}
        await harbour.clock.advance(70)
        health = harbour.store.health[fleet.places[0]]
        assert (health.state, health.reason) == ("down", "nova is not there")


async def test_a_login_that_finds_nobody_is_tried_again_and_again() -> None:
    harbour = Harbour("a")
    harbour.account("a").errors = [Unreachable("name unknown")] * 8
    harbour.account("a").cloud.server("s")
    async with harbour.sailing(Server) as fleet:
        assert harbour.store.health[fleet.places[0]].reason == "name unknown"
        assert harbour.store.health[fleet.places[0]].next_try is not None
        await harbour.clock.advance(400)
        assert harbour.shown() == {"s"}
        assert harbour.account("a").logins == 9


async def test_a_refused_login_is_final_until_somebody_says_again() -> None:
    harbour = Harbour("a", "b")
    harbour.account("a").errors = [Unauthorized("wrong password")]
    harbour.account("a").cloud.server("s")
    async with harbour.sailing(Server) as fleet:
        place = fleet.places[0]
        with fleet.interest(Image):
            await harbour.clock.advance(3600)
        fleet.wake(place)
        await harbour.clock.advance(3600)
        assert harbour.account("a").logins == 1
        assert harbour.state("a") == "refused"
        with pytest.raises(Unauthorized, match="wrong password"):
            await fleet.ready(place)
        fleet.retry(place)
        await harbour.clock.settle()
        assert harbour.state("a") == "well"
        assert harbour.shown() == {"s"}


async def test_a_login_that_is_asked_to_wait_waits_as_long() -> None:
    harbour = Harbour("a")
    harbour.account("a").errors = [OverLimit("too many logins", retry_after=600.0)]
    async with harbour.sailing(Server):
        for _ in range(59):
            await harbour.clock.advance(10)
        assert (harbour.account("a").logins, harbour.state("a")) == (1, "throttled")
        await harbour.clock.advance(20)
        assert (harbour.account("a").logins, harbour.state("a")) == (2, "well")


class EditedFile:
    """A file of accounts that somebody edits."""

    def __init__(self, *accounts: SmallAccount) -> None:
        self.accounts, self.edits, self.reads = accounts, 0, 0

    def stamp(self) -> int:
        return self.edits

    async def read(self, cloud: str) -> Sequence[Any]:
        self.reads += 1
        return self.accounts


async def test_a_refused_login_is_tried_again_when_its_file_has_changed() -> None:
    harbour = Harbour("a")
    harbour.account("a").errors = [Unauthorized("wrong password")]
    mended = SmallAccount(harbour.account("a").cloud, "a")
    file = EditedFile(mended)
    async with harbour.sailing(Server, files=file) as fleet:
        for _ in range(20):
            await harbour.clock.advance(5)
        assert (file.reads, mended.logins) == (0, 0)
        file.edits += 1
        async with asyncio.timeout(20):
            while harbour.state("a") != "well":
                await harbour.clock.advance(5)
        assert (file.reads, mended.logins) == (1, 1)
        assert fleet.lanes[0].account is mended


async def test_the_regions_that_only_a_login_told_log_in_by_the_changed_file_too() -> None:
    harbour = Harbour("a")
    first = harbour.account("a")
    first.place = Place("a")
    second = SmallAccount(SmallCloud(harbour.clock, "https://a", region="two"), "a")
    mended = SmallAccount(first.cloud, "a", region="")
    file = EditedFile(mended)
    async with harbour.sailing(Server, beside=lambda account: [second], files=file) as fleet:
        await harbour.clock.settle()
        assert [str(place) for place in fleet.places] == ["a/one", "a/two"]
        first.cloud.error = second.cloud.error = Unauthorized("the password was changed")
        await harbour.clock.advance(11)
        assert [lane.refused for lane in fleet.lanes] == [True, True]
        first.cloud.error = second.cloud.error = None
        file.edits += 1
        async with asyncio.timeout(20):
            while any(lane.dialect is None for lane in fleet.lanes):
                await harbour.clock.advance(5)
        assert second.logins == 1  # and no second time by the password that was refused
        assert fleet.lanes[0].account is mended
        assert str(fleet.lanes[1].account.place) == "a/two"


async def test_a_login_that_ends_while_polling_is_final_too() -> None:
    harbour = Harbour("a")
    cloud = harbour.account("a").cloud
    cloud.server("s")
    async with harbour.sailing(Server, Image) as fleet:
        cloud.error = Unauthorized("the password was changed")
        await harbour.clock.advance(11)
        assert harbour.state("a") == "refused"
        assert cloud.closed == 1
        cloud.asked.clear()
        await harbour.clock.advance(3600)
        assert cloud.asked == []
        cloud.error = None
        cloud.gate.clear()
        fleet.retry(fleet.places[0])
        await harbour.clock.settle()
        assert harbour.state("a") == "asking"
        cloud.gate.set()
        await harbour.clock.settle()
        assert harbour.state("a") == "well"
        assert cloud.asked == ["servers", "images"]


async def test_only_what_somebody_watches_is_asked_for() -> None:
    harbour = Harbour("a")
    cloud = harbour.account("a").cloud
    async with harbour.sailing() as fleet:
        await harbour.clock.advance(100)
        assert cloud.asked == []
        assert harbour.state("a") == "well"
        cloud.gate.clear()
        with fleet.interest(Server), fleet.interest(Server):
            await harbour.clock.settle()
            assert harbour.state("a") == "asking"
            cloud.gate.set()
            await harbour.clock.settle()
            assert cloud.asked == ["servers"]
        cloud.asked.clear()
        await harbour.clock.advance(100)
        assert cloud.asked == []
        with fleet.interest(Server):
            await harbour.clock.settle()
            assert cloud.asked == ["changes"]


async def test_what_an_entry_lacks_is_asked_for_once() -> None:
    harbour = Harbour("a")
    account = harbour.account("a")
    account.missing = ("password",)
    questions: list[str] = []

    async def ask(question: str) -> str:
        questions.append(question)
        return "secret"

    async with harbour.sailing(Server, ask=ask):
        assert questions == ["The password for a"]
        assert account.secrets == {"password": "secret"}
        assert harbour.state("a") == "well"


@pytest.mark.parametrize("answer", ["", ConfigError("no terminal")])
async def test_an_answer_that_nobody_gives_leaves_the_lane_in_need(answer: str | ConfigError) -> None:
    harbour = Harbour("a")
    account = harbour.account("a")
    account.missing = ("password",)
    account.errors = [Unauthorized("the entry lacks password.", fault="missing")]

    async def ask(question: str) -> str:
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    async with harbour.sailing(Server, ask=ask):
        assert harbour.state("a") == "needs-secret"


async def test_without_anybody_to_ask_the_lane_says_what_it_needs() -> None:
    harbour = Harbour("a")
    account = harbour.account("a")
    account.missing = ("password",)
    account.errors = [Unauthorized("the entry lacks password.", fault="missing")]
    async with harbour.sailing(Server) as fleet:
        assert harbour.state("a") == "needs-secret"
        fleet.tell(fleet.places[0], {"password": "secret"})
        await harbour.clock.settle()
        assert account.secrets == {"password": "secret"}
        assert harbour.state("a") == "well"


async def test_a_region_that_only_the_login_tells_and_those_beside_it() -> None:
    harbour = Harbour("a")
    harbour.account("a").place = Place("a")
    other = SmallAccount(SmallCloud(harbour.clock, "https://a", region="two"), "a")
    other.cloud.server("in-two")
    async with harbour.sailing(Server, beside=lambda account: [other]) as fleet:
        await harbour.clock.settle()
        assert [str(place) for place in fleet.places] == ["a/one", "a/two"]
        assert set(map(str, harbour.store.health)) == {"a/one", "a/two"}
        assert harbour.shown() == {"in-two"}


async def test_a_user_and_an_admin_of_one_cloud_show_each_server_once() -> None:
    harbour = Harbour("user")
    cloud = harbour.account("user").cloud
    harbour.accounts.append(SmallAccount(cloud, "admin", privilege=2, project="admin"))
    key = cloud.server("mine").key
    cloud.server("theirs", project_id="other")
    cloud.image("debian")
    async with harbour.sailing(Server, Image, all_projects=True) as fleet:
        assert harbour.shown() == {"mine", "theirs"}
        assert len(harbour.store.rows(Image)) == 1
        assert [str(place) for place in harbour.store.ways(key)] == ["admin/one", "user/one"]
        assert harbour.store.health[fleet.places[0]].counts == {"server": 1, "image": 1}


async def test_settings_say_which_cloud_is_read_only_and_which_shows_all_projects() -> None:
    harbour = Harbour("user")
    cloud = harbour.account("user").cloud
    harbour.accounts.append(SmallAccount(cloud, "admin", privilege=2, project="admin"))
    key = cloud.server("mine").key
    settings = Settings(clouds={"admin": CloudSettings(read_only=True, all_projects=True)})
    async with harbour.sailing(Server, settings=settings):
        assert [str(place) for place in harbour.store.ways(key)] == ["user/one", "admin/one"]


async def test_a_flavor_that_nobody_knows_is_asked_for_once() -> None:
    harbour = Harbour("a")
    cloud = harbour.account("a").cloud
    cloud.flavor("m1")
    async with harbour.sailing(Server, Flavor):
        cloud.asked.clear()
        cloud.flavor("new")
        cloud.server("s", flavor=flavor_of("new"))
        await harbour.clock.advance(11)
        assert cloud.asked.count("flavors") == 1
        assert {row.id for row in harbour.store.rows(Flavor).values()} == {"m1", "new"}
        cloud.server("t", flavor=flavor_of("deleted"))
        await harbour.clock.advance(60)
        assert cloud.asked.count("flavors") == 2


async def test_a_place_that_is_not_open_is_named() -> None:
    harbour = Harbour("a")
    async with harbour.sailing() as fleet:
        with pytest.raises(ConfigError, match="nowhere/x is not open"):
            fleet.dialect(Place("nowhere", "x"))


async def test_every_task_has_a_name_and_ends_with_the_fleet() -> None:
    harbour = Harbour("a")
    before = asyncio.all_tasks()
    async with harbour.sailing(Server):
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert {"lane a/one", "poll a/one Server"} <= names
    assert asyncio.all_tasks() == before
    assert harbour.account("a").cloud.closed == 1
