"""One console over real HTTP: what is opened, what is not waited for, and what goes wrong in one sentence."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from small_cloud import SmallAccount, SmallCloud, connect

import console
from console.core.clock import Clock
from console.core.settings import Paths, save
from console.core.watch import Batch
from console.errors import ConfigError, NotFound, Unauthorized, Unreachable, WaitTimeout
from console.model.image import Image
from console.model.place import Key, Place
from console.model.server import Server
from console.session import choose
from console.session.opening import CloudFiles
from console.sim.estate import Estate
from console.testing import MovedClock


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config", tmp_path / "state", tmp_path / "runtime")


@pytest.fixture
async def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Estate]:
    """The embedded cloud, and no cloud but it in this test's environment."""
    for name in os.environ:
        if name.startswith(("OS_", "NOVADECK_")):
            monkeypatch.delenv(name)
    async with Estate(servers=28, guests=0) as estate:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(estate.write_clouds_yaml(tmp_path)))
        yield estate


class Accounts:
    """What a look at clouds.yaml gives, without one."""

    def __init__(self, *accounts: Any, problems: tuple[ConfigError, ...] = ()) -> None:
        self.accounts, self.problems = accounts, problems
        self.looked_for: tuple[str, ...] = ()
        self.names: tuple[str, ...] = ()


async def until(watch: Any, done: Any) -> None:
    """Follow a watch until this is true of what is known."""
    async with asyncio.timeout(30):
        async for _ in watch:
            if done():
                break
    await watch.aclose()


async def test_every_place_is_there_at_once_and_fills_by_itself(estate: Estate, paths: Paths) -> None:
    async with console.open(["nimbus", "lab"], paths=paths) as ops:
        assert [str(place) for place in ops.places] == ["nimbus/dfw", "nimbus/ord", "lab/ber"]
        assert {health.state for health in ops.health.values()} == {"asking"}
        await until(ops.servers.watch(), lambda: len(ops.servers.rows()) == 28)
        assert {str(row.place) for row in ops.servers.rows()} == set(map(str, ops.places))
        for place in ops.places:
            await state_of(ops, place, "well")
        assert ops.problems == ()


async def test_a_user_and_an_admin_of_two_regions_show_each_server_once(estate: Estate, paths: Paths) -> None:
    async with console.open(["nimbus", "nimbus-admin"], paths=paths, all_projects=True) as ops:
        nova = [place.nova for cloud, place in estate.places if cloud.name == "nimbus"]
        everything = {server.id for one in nova for server in one.servers.values()}
        found = await ops.servers.list()
        assert found.troubles == {}
        assert len(found.rows) == len({row.id for row in found.rows}) == len(everything)
        assert {row.place.cloud for row in found.rows} == {"nimbus-admin"}
        mine = [row for row in found.rows if len(ops.store.ways(row.key)) == 2]
        assert mine
        assert {place.cloud for place in ops.store.ways(mine[0].key)} == {"nimbus", "nimbus-admin"}


def name_no_region(cloud: str) -> None:
    """Take the regions out of an entry of clouds.yaml."""
    file = Path(os.environ["OS_CLIENT_CONFIG_FILE"])
    tree = yaml.safe_load(file.read_text())
    for name in ("regions", "region_name"):
        tree["clouds"][cloud].pop(name, None)
    file.write_text(yaml.safe_dump(tree))


async def test_an_entry_that_names_no_region_opens_all_that_its_catalog_lists(estate: Estate, paths: Paths) -> None:
    name_no_region("nimbus")
    both = {"dfw", "ord"}
    async with console.open(["nimbus"], paths=paths) as ops:
        found = await ops.servers.list()
        assert {row.key.region for row in found.rows} == both and found.troubles == {}
        assert [str(place) for place in ops.places] == ["nimbus", "nimbus/ord"]
        far = next(row for row in found.rows if row.key.region == "ord")
    async with console.open(["nimbus"], paths=paths) as ops:
        assert (await ops.servers.get(far.id)).key == far.key
    async with console.open(["nimbus"], paths=paths) as ops:
        await until(ops.servers.watch(), lambda: {row.key.region for row in ops.servers.rows()} == both)


async def test_a_fine_region_is_complete_while_others_are_dead_and_slow(estate: Estate, paths: Paths) -> None:
    estate.control.dead("dfw")
    slow = estate.control.cause("hang", region="ord", service="compute")
    async with console.open(["nimbus", "lab"], paths=paths) as ops:
        fine = next(len(place.nova.servers) for _, place in estate.places if place.name == "ber")
        await until(ops.servers.watch(), lambda: len(ops.servers.rows()) >= fine)
        assert {str(row.place) for row in ops.servers.rows()} == {"lab/ber"}
        await state_of(ops, Place("lab", "ber"), "well")
        async with asyncio.timeout(30):
            while not slow.met:  # noqa: ASYNC110 - the fine region may be complete before the slow one is asked
                await asyncio.sleep(0.01)
        assert ops.health[Place("nimbus", "ord")].state == "asking"
        estate.control.clear()


async def test_a_region_that_is_killed_says_why_and_heals_by_itself(estate: Estate, paths: Paths) -> None:
    async with console.open(["nimbus", "lab"], paths=paths) as ops:
        dfw = Place("nimbus", "dfw")
        watch = ops.servers.watch()
        await until_first(watch)
        await state_of(ops, dfw, "well")
        before = len(ops.servers.rows())
        estate.control.dead("dfw")
        ops.wake(dfw)
        await state_of(ops, dfw, "down")
        assert ops.health[dfw].reason
        assert len(ops.servers.rows()) >= before
        assert not ops.health[Place("lab", "ber")].mute
        estate.control.clear()
        await state_of(ops, dfw, "well")
        await watch.aclose()


async def until_first(watch: Any) -> None:
    """Begin to watch."""
    assert (await anext(watch)).reset


async def state_of(ops: console.Console, place: Place, *wanted: str) -> None:
    """Wait until a place is in one of these states; one that answers slowly is well too."""
    async with asyncio.timeout(30):
        async for _ in ops.store.watch_health():
            if ops.health[place].state.replace("slow", "well") in wanted:
                return


async def test_one_wrong_entry_hides_no_other(estate: Estate, paths: Paths) -> None:
    async with console.open(["lab", "nowhere"], paths=paths) as ops:
        assert [str(place) for place in ops.places] == ["lab/ber"]
        assert "nowhere" in str(ops.problems[0])
        assert (await ops.servers.list()).rows


async def test_a_wrong_password_is_one_sentence_and_others_go_on(estate: Estate, paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text(file.read_text().replace("nimbus-secret", "wrong"))
    async with console.open(["nimbus", "lab"], paths=paths) as ops:
        found = await ops.servers.list()
        assert {row.place.cloud for row in found.rows} == {"lab"}
        assert {type(error) for error in found.troubles.values()} == {Unauthorized}
        assert ops.health[Place("nimbus", "dfw")].state == "refused"


async def test_a_wrong_password_that_was_put_right_in_the_file_is_seen(
    estate: Estate, paths: Paths, tmp_path: Path
) -> None:
    file = tmp_path / "clouds.yaml"
    right = file.read_text()
    file.write_text(right.replace("nimbus-secret", "wrong"))
    clock = MovedClock()
    async with console.open(["nimbus"], paths=paths, clock=clock) as ops:
        await ops.servers.list()
        dfw, ord = ops.places
        assert {health.state for health in ops.health.values()} == {"refused"}
        ops.fleet.retry(dfw)
        await state_of(ops, dfw, "asking", "refused")
        file.write_text(right)
        ops.fleet.retry(ord)
        found = await until_listed(ops)
        assert {row.place for row in found.rows} == {dfw, ord}


async def until_listed(ops: console.Console) -> Any:
    """List until every place answers."""
    async with asyncio.timeout(30):
        while True:
            found = await ops.servers.list()
            if not found.troubles:
                return found
            await asyncio.sleep(0.02)


def test_a_file_that_cannot_be_looked_at_has_not_changed(paths: Paths, tmp_path: Path) -> None:
    there = tmp_path / "clouds.yaml"
    there.touch()
    stamp = CloudFiles([str(tmp_path / ("x" * 300)), str(there)], None, paths).stamp()
    assert stamp.count(0) == len(stamp) - 1 and there.stat().st_mtime_ns in stamp


async def test_several_clouds_and_none_chosen_is_refused(estate: Estate, paths: Paths) -> None:
    with pytest.raises(ConfigError, match="several clouds: nimbus, nimbus-admin, lab, lab-admin"):
        async with console.open(paths=paths):
            pass


async def test_the_clouds_of_the_last_run_are_opened_again(
    estate: Estate, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(paths, lambda saved: {"clouds": ["lab", "long gone"]})
    async with console.open(paths=paths) as ops:
        assert [str(place) for place in ops.places] == ["lab/ber"]
    monkeypatch.setenv("OS_CLOUD", "nimbus")
    async with console.open(paths=paths) as ops:
        assert [place.cloud for place in ops.places] == ["nimbus", "nimbus"]


@pytest.mark.parametrize(
    ("names", "default", "last", "chosen"),
    [
        (["a", "b"], "b", ["a"], ["b"]),
        (["a", "b"], None, ["a"], ["a"]),
        (["a", "b"], None, ["gone"], None),
        ([], None, [], []),
    ],
)
def test_what_is_opened_when_nobody_names_a_cloud(
    names: list[str], default: str | None, last: list[str], chosen: list[str] | None
) -> None:
    assert choose(names, default, last) == chosen


async def test_no_cloud_at_all_opens_nothing_and_says_so(paths: Paths) -> None:
    async with console.open(paths=paths, accounts=Accounts(), connect=connect) as ops:
        assert ops.places == ()
        with pytest.raises(ConfigError, match="no cloud is open"):
            await ops.servers.list()


def test_looking_loads_no_face_and_nothing_to_log_in_with() -> None:
    code = "import sys, console; console.open; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "console.session" in loaded
    assert {"textual", "rich", "asyncssh", "openstack", "keystoneauth1", "aiohttp"}.isdisjoint(loaded)


def test_a_place_that_falls_silent_prints_nothing_over_the_screen(tmp_path: Path) -> None:
    code = """
import asyncio, sys, console
from small_cloud import SmallAccount, SmallCloud, connect
from test_session import Accounts
from console.testing import MovedClock

async def main():
    clock = MovedClock()
    account = SmallAccount(SmallCloud(clock), "a")
    account.errors = [console.Unreachable("no route to host")]
    folder = console.Paths(*[__import__("pathlib").Path(sys.argv[1])] * 3)
    async with console.open(accounts=Accounts(account), connect=connect, clock=clock, paths=folder) as ops:
        await clock.settle()
        assert ops.health[ops.places[0]].state == "down"

asyncio.run(main())
"""
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": here},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_an_error_in_the_body_comes_out_as_it_is(paths: Paths) -> None:
    with pytest.raises(ZeroDivisionError):
        async with console.open(paths=paths, accounts=Accounts(), connect=connect):
            _ = 1 / 0


async def test_a_bug_in_a_lane_ends_the_console_and_shows(paths: Paths) -> None:
    cloud = SmallCloud(MovedClock())

    async def broken(account: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as group:
        async with console.open(paths=paths, accounts=Accounts(SmallAccount(cloud, "a")), connect=broken):
            await asyncio.sleep(30)
    assert group.value.subgroup(ZeroDivisionError)


async def test_nothing_runs_on_after_the_console_is_left(estate: Estate, paths: Paths) -> None:
    before = asyncio.all_tasks()
    async with console.open(["lab"], paths=paths) as ops:
        await until(ops.servers.watch(), ops.servers.rows)
    assert {task for task in asyncio.all_tasks() - before if task.get_name().startswith(("lane", "poll"))} == set()


async def test_a_state_folder_that_cannot_be_written_is_told_and_does_no_harm(estate: Estate, paths: Paths) -> None:
    paths.state.write_text("a file where the folder should be")
    async with console.open(["lab"], paths=paths) as ops:
        await until(ops.servers.watch(), ops.servers.rows)
        await until(ops.images.watch(), ops.images.rows)
        await ops.history(ops.servers.rows()[0].key)
        (problem,) = ops.problems
        assert str(paths.timeline_file) in str(problem)


async def test_what_was_watched_is_remembered(estate: Estate, paths: Paths) -> None:
    async with console.open(["lab"], paths=paths) as ops:
        await until(ops.servers.watch(), ops.servers.rows)
        key = ops.servers.rows()[0].key
    async with console.open(["lab"], paths=paths) as ops:
        assert [change.what for change in await ops.history(key)] == ["seen"]


async def test_what_is_being_gathered_when_the_console_is_left_is_remembered(estate: Estate, paths: Paths) -> None:
    async with console.open(["lab"], paths=paths) as ops:
        watch = ops.servers.watch()
        await until(watch, ops.servers.rows)
        ops.store.gather = 3600.0
        first, key = (row.key for row in ops.servers.rows()[:2])
        ops.store.remove(first)
        ops.store.remove(key)
        await asyncio.sleep(0.2)
        assert [change.what for change in await ops.history(key)] == ["seen"]
    async with console.open(["lab"], paths=paths) as ops:
        assert [change.what for change in await ops.history(key)] == ["seen", "gone"]


async def test_no_cloud_is_asked_any_more_while_the_console_is_left(
    estate: Estate, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Server] = []
    heard = asyncio.Event()

    async def ask(stopped: Sequence[Server]) -> None:
        asked.extend(stopped)
        heard.set()

    async def leave_with_one_stopped(*, in_time: bool) -> None:
        async with console.open(["lab"], paths=paths) as ops:
            known, saw = set[Key](), ops.stops.saw

            def noted(batch: Batch[Server]) -> Sequence[Server]:
                known.update(row.key for row in batch.changed)
                return saw(batch)

            monkeypatch.setattr(ops.stops, "ask", ask)
            monkeypatch.setattr(ops.stops, "saw", noted)
            watch = ops.servers.watch()
            await until(watch, lambda: any(row.status == "ACTIVE" for row in ops.servers.rows()))
            row, other = [row for row in ops.servers.rows() if row.status == "ACTIVE" and not row.task_state][:2]
            for _ in range(3000):
                if {row.key, other.key} <= known:
                    break
                await asyncio.sleep(0.01)
            ops.store.gather = 0.0 if in_time else 3600.0
            ops.store.remove(other.key)  # told at once; what comes after it is gathered
            off = replace(row, word="SHUTOFF", record=b"off")
            ops.store.learn(Server, off, off.place, ops.clock.monotonic())
            if in_time:
                async with asyncio.timeout(30):
                    await heard.wait()

    await leave_with_one_stopped(in_time=True)
    assert len(asked) == 1
    await leave_with_one_stopped(in_time=False)
    assert len(asked) == 1


async def test_a_console_whose_holder_is_cancelled_lets_go_of_its_file(estate: Estate, paths: Paths) -> None:
    held = asyncio.Event()
    opened: list[console.Console] = []

    async def hold() -> None:
        async with console.open(["lab"], paths=paths) as ops:
            await until(ops.servers.watch(), ops.servers.rows)
            assert await ops.history(ops.servers.rows()[0].key)
            opened.append(ops)
            held.set()
            await asyncio.sleep(60)

    holder = asyncio.create_task(hold())
    await held.wait()
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    assert opened[0].timeline._file is None


async def test_what_nobody_watched_leaves_no_trace(estate: Estate, paths: Paths) -> None:
    async with console.open(["lab"], paths=paths) as ops:
        assert (await ops.servers.list()).rows
    assert not paths.state.exists()


async def test_a_password_that_the_file_lacks_is_asked_for_once_for_all_regions(
    estate: Estate, paths: Paths, tmp_path: Path
) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text(file.read_text().replace("      password: nimbus-secret\n", ""))
    questions: list[str] = []

    async def ask(question: str) -> str:
        questions.append(question)
        return "nimbus-secret"

    async with console.open(["nimbus"], paths=paths, ask=ask) as ops:
        found = await ops.servers.list()
        assert found.troubles == {}
        assert found.rows
    assert questions == ["The password for nimbus"]


async def test_read_only_refuses_before_any_call(estate: Estate, paths: Paths) -> None:
    async with console.open(["lab"], paths=paths, read_only=True) as ops:
        await ops.servers.list()
        server = next(row for row in ops.servers.rows() if row.status == "ACTIVE" and not row.task_state)
        assert "read-only" in ops.verdict("server.reboot", server)
        with pytest.raises(console.ActionRefused):
            await ops.perform("server.reboot", server)


async def test_an_act_goes_by_the_best_way_and_is_followed(estate: Estate, paths: Paths) -> None:
    estate.clock.speed = 20
    async with console.open(["lab"], paths=paths) as ops:
        await until(ops.servers.watch(), ops.servers.rows)
        server = next(row for row in ops.servers.rows() if not ops.verdict("server.reboot", row))
        outcome = await ops.perform("server.reboot", server, wait=True, timeout=60)
        assert outcome.ok
        assert [line["event"] for line in ops.audit.lines()] == ["asked", "accepted", "ended"]


class Small:
    """A console over one small cloud on a clock that is moved."""

    def __init__(self, paths: Paths) -> None:
        self.clock = MovedClock()
        self.cloud = SmallCloud(self.clock)
        self.accounts = Accounts(SmallAccount(self.cloud, "small"))
        self.paths = paths

    def open(self) -> Any:
        return console.open(accounts=self.accounts, connect=connect, clock=self.clock, paths=self.paths)


async def test_wait_until_reads_again_until_it_is_so(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    small = Small(paths)
    small.cloud.server("s", "BUILD", progress=7)
    async with small.open() as ops:
        server = await ops.servers.find("s")
        waiting = asyncio.create_task(
            console.wait_until(server, "status", ["ACTIVE", "ERROR"], verbose=True, verbose_atts=["progress"])
        )
        await small.clock.advance(11)
        assert not waiting.done()
        small.cloud.server("s", "ACTIVE")
        await small.clock.advance(5)
        assert (await waiting).status == "ACTIVE"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "s: status is BUILD, progress is 7 after 0 s"
    assert len(lines) == 4 and lines[-1].startswith("s: status is ACTIVE")


@pytest.mark.parametrize(("status", "given"), [("ACTIVE", {}), ("BUILD", {"attempts": 2})])
async def test_with_a_callback_nobody_waits_and_nothing_is_printed(
    paths: Paths, capsys: pytest.CaptureFixture[str], status: str, given: dict[str, Any]
) -> None:
    small = Small(paths)
    small.cloud.server("s", "BUILD")
    async with small.open() as ops:
        server = await ops.servers.find("s")
        told: list[str] = []
        task = await console.wait_for_build(server, callback=lambda row: told.append(row.status), verbose=True, **given)
        assert told == [] and isinstance(task, asyncio.Task)
        small.cloud.server("s", status)
        await small.clock.advance(60)
        assert (await task).status == status
        assert told == [status]
    assert capsys.readouterr().out == ""


async def test_what_still_waits_ends_with_the_console(paths: Paths) -> None:
    small = Small(paths)
    small.cloud.server("s", "BUILD")
    async with small.open() as ops:
        server = await ops.servers.find("s")
        task = await console.wait_until(server, "status", "ACTIVE", lambda row: None)
    assert task.cancelled()
    async with small.open() as ops:
        with pytest.raises(ConfigError, match="A server has no colour"):
            await console.wait_until(await ops.servers.find("s"), "colour", "red")


@pytest.mark.parametrize(("given", "seconds", "readings"), [({"attempts": 3}, 10, 3), ({"deadline": 12}, 12, 4)])
async def test_wait_until_ends_at_its_bounds_with_what_was_seen_last(
    paths: Paths, given: dict[str, Any], seconds: int, readings: int
) -> None:
    small = Small(paths)
    small.cloud.server("s", "BUILD")
    async with small.open() as ops:
        server = await ops.servers.find("s")
        waiting = asyncio.create_task(console.wait_until(server, "status", "ACTIVE", **given))
        await small.clock.advance(30)
        with pytest.raises(WaitTimeout, match=f"status is BUILD after {seconds} s, not ACTIVE") as error:
            await waiting
        assert error.value.last == "BUILD"
        assert small.cloud.asked.count("server s") == readings


async def test_a_deadline_before_the_next_reading_is_waited_for(paths: Paths) -> None:
    small = Small(paths)
    small.cloud.server("s", "BUILD")
    async with small.open() as ops:
        waiting = asyncio.create_task(console.wait_for_build(await ops.servers.find("s"), deadline=15))
        await small.clock.advance(10)
        assert not waiting.done()
        small.cloud.server("s", "ACTIVE")
        await small.clock.advance(5)
        assert (await waiting).status == "ACTIVE"


async def test_a_cloud_that_is_away_for_a_while_ends_no_wait_until(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    small = Small(paths)
    small.cloud.server("s", "BUILD")
    async with small.open() as ops:
        server = await ops.servers.find("s")
        given = {"verbose": True, "deadline": 60}
        waiting = asyncio.create_task(console.wait_until(server, "status", "ACTIVE", **given))
        await small.clock.advance(6)
        small.cloud.error = Unreachable("No answer.", place="small")
        await small.clock.advance(10)
        assert not waiting.done()
        small.cloud.error = None
        small.cloud.server("s", "ACTIVE")
        await small.clock.advance(5)
        assert (await waiting).status == "ACTIVE"
        assert "s: small: No answer. after 10 s" in capsys.readouterr().out
        small.cloud.error = Unauthorized("No.", place="small")
        with pytest.raises(Unauthorized):
            await console.wait_until(server, "status", "SHUTOFF", deadline=60)


async def test_wait_until_ends_when_it_is_gone(paths: Paths) -> None:
    small = Small(paths)
    small.cloud.server("s", "BUILD")
    async with small.open() as ops:
        server = await ops.servers.find("s")
        small.cloud.delete("s")
        with pytest.raises(NotFound):
            await console.wait_until(server, "status", "ACTIVE")
        assert ops.servers.rows() == []


async def test_wait_until_needs_the_console_to_be_open() -> None:
    lost = Server(id="s", name="web-1", key=Key("", "", "server", "s"), place=Place("closed"))
    with pytest.raises(ConfigError, match="web-1 came from a console that is no longer open"):
        await console.wait_until(lost, "status", "ACTIVE")


async def test_get_goes_by_another_way_when_the_best_one_is_silent(paths: Paths) -> None:
    small = Small(paths)
    silent = SmallAccount(small.cloud, "silent", privilege=2)
    small.accounts.accounts = (*small.accounts.accounts, silent)
    server = small.cloud.server("s")
    async with small.open() as ops:
        await ops.servers.list()
        assert ops.store.best(server.key) == Place("silent", "one")
        row = ops.servers.rows()[0]
        lane = ops.fleet.lane(Place("silent", "one"))
        lane.dialect, lane.error = None, Unauthorized("the token was revoked")
        assert (await ops.servers.get(row)).place == Place("small", "one")


async def test_a_place_that_was_down_is_asked_anew_by_a_list(paths: Paths) -> None:
    small = Small(paths)
    small.accounts.accounts[0].errors = [Unreachable("no route")]
    small.cloud.server("s")
    async with small.open() as ops:
        await small.clock.settle()
        assert ops.health[Place("small", "one")].state == "down"
        assert [row.id for row in (await ops.servers.list()).rows] == ["s"]


async def test_collections_are_found_by_their_noun(paths: Paths) -> None:
    small = Small(paths)
    async with small.open() as ops:
        assert ops.of(Server) is ops.servers
        assert ops.of(Image) is ops.images
        assert isinstance(ops.clock, Clock)
