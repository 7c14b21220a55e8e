"""One row for each thing, however many ways lead to it; and watchers hear of what moved, no more."""

import asyncio
import weakref
from typing import Any

import pytest

from console.core.health import Health
from console.core.store import Listing, Standing, Store
from console.core.watch import Batch, Watch
from console.model.place import Key, Place, Row
from console.model.server import Server
from console.testing import MovedClock

MEMBER, ADMIN, OTHER = Place("member", "one"), Place("admin", "one"), Place("other", "two")


def server(id: str, status: str = "ACTIVE", place: Place = MEMBER, **fields: Any) -> Server:
    key = Key("https://nova", place.region, "server", id)
    fields = {"name": id, "record": f"{id} {status}".encode()} | fields
    return Server(id=id, key=key, place=place, word=status, **fields)


@pytest.fixture
def store() -> Store:
    return Store(MovedClock())


def tell(store: Store, *rows: Server, at: float = 1.0, complete: bool = True, **given: Any) -> tuple[Row, ...]:
    place = given.pop("place", rows[0].place if rows else MEMBER)
    return store.apply(Listing(place, Server, rows, at, complete, **given))


async def next_of(watch: Watch[Server]) -> Batch[Server]:
    return await asyncio.wait_for(anext(watch), 5)


def quiet(watch: Watch[Server]) -> bool:
    """Whether the watch has nothing to tell."""
    return watch._take() is None


def shown(store: Store) -> dict[str, str]:
    return {row.id: f"{row.word} {row.place.cloud}" for row in store.rows(Server).values()}


async def test_the_first_batch_is_all_that_is_known(store: Store) -> None:
    tell(store, server("a"), server("b"))
    watch = store.watch(Server)
    batch = await next_of(watch)
    assert batch.reset
    assert [row.id for row in batch.changed] == ["a", "b"]


async def test_a_watch_that_nobody_reads_yet_remembers_nothing(store: Store) -> None:
    watch = store.watch(Server)
    for turn in range(50):
        tell(store, server(f"s{turn}"), at=1.0 + turn)
    assert not watch._moved
    first = await next_of(watch)
    assert ([row.id for row in first.changed], first.gone, first.reset) == (["s49"], (), True)
    tell(store, at=100.0)
    assert [key.id for key in (await next_of(watch)).gone] == ["s49"]


async def test_the_first_batch_comes_at_once_even_when_nothing_is_known(store: Store) -> None:
    batch = await next_of(store.watch(Server))
    assert batch.reset and batch.changed == ()


async def test_what_moved_is_told_in_order_with_what_it_was(store: Store) -> None:
    tell(store, server("a"), server("b"), server("c"))
    watch = store.watch(Server)
    await next_of(watch)
    tell(store, server("a"), server("b", "REBOOT"), server("d"), at=2)
    batch = await next_of(watch)
    assert not batch.reset
    assert [row.id for row in batch.changed] == ["b", "d"]
    assert [key.id for key in batch.gone] == ["c"]
    assert {key.id: row.status for key, row in batch.before.items()} == {"b": "ACTIVE", "c": "ACTIVE"}


async def test_equal_rows_tell_nobody(store: Store) -> None:
    same = server("a")
    tell(store, same, server("b"))
    watch = store.watch(Server)
    await next_of(watch)
    tell(store, same, server("b"), at=2)  # the one by identity, the other by its record
    tell(store, server("b"), server("a"), at=3)
    assert quiet(watch)


async def test_rows_without_a_record_are_compared_by_what_they_say(store: Store) -> None:
    tell(store, server("a", record=b""))
    watch = store.watch(Server)
    await next_of(watch)
    tell(store, server("a", record=b""), at=2)
    assert quiet(watch)
    tell(store, server("a", record=b"", name="b"), at=3)
    assert (await next_of(watch)).changed[0].name == "b"


async def test_a_burst_of_100000_changes_is_one_batch(store: Store) -> None:
    tell(store, *(server(str(number)) for number in range(1000)))
    watch = store.watch(Server)
    await next_of(watch)
    for turn in range(100):
        tell(store, *(server(str(number), f"TURN{turn}") for number in range(1000)), at=2.0 + turn)
    batch = await next_of(watch)
    assert len(batch.changed) == 1000
    assert {row.word for row in batch.changed} == {"TURN99"}
    assert quiet(watch)


async def test_what_changed_back_or_came_and_went_unseen_is_not_told(store: Store) -> None:
    before = server("a")
    tell(store, before)
    watch = store.watch(Server)
    await next_of(watch)
    tell(store, server("a", "REBOOT"), server("brief"), at=2)
    tell(store, before, at=3)
    assert quiet(watch)


async def test_a_closed_watch_ends_its_reader(store: Store) -> None:
    watch = store.watch(Server)
    await next_of(watch)
    reader = asyncio.create_task(anext(watch, None))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    watch.close()
    assert await reader is None


def test_a_partial_listing_takes_nothing_away(store: Store) -> None:
    tell(store, server("a"), server("b"))
    tell(store, server("a", "REBOOT"), at=2, complete=False)
    assert shown(store) == {"a": "REBOOT member", "b": "ACTIVE member"}


def test_where_cells_can_be_down_the_missing_are_named_and_kept(store: Store) -> None:
    tell(store, server("a"), server("b"))
    missed = tell(store, server("a"), at=2, partial_cells=True)
    assert [row.id for row in missed] == ["b"]
    assert "b" in shown(store)
    store.remove(missed[0].key)
    assert shown(store) == {"a": "ACTIVE member"}


def test_an_older_complete_listing_is_not_believed(store: Store) -> None:
    tell(store, server("a", "REBOOT"), at=5)
    tell(store, server("a", "ACTIVE"), server("b"), at=4)
    assert shown(store) == {"a": "REBOOT member"}


def test_a_touched_row_is_not_overwritten_by_what_was_asked_before(store: Store) -> None:
    row = server("a")
    tell(store, row, server("b"))
    tell(store, server("a", "VERIFY_RESIZE"), at=10, complete=False)
    store.touch(row.key, 20)
    tell(store, server("a", "STALE"), server("b", "FRESH"), at=19)
    assert shown(store) == {"a": "VERIFY_RESIZE member", "b": "FRESH member"}
    later = (server("a", "STALE"), server("b", "FRESH"))
    tell(store, *later, at=21)
    assert shown(store)["a"] == "STALE member"


def test_a_touched_row_is_not_taken_away_by_what_was_asked_before(store: Store) -> None:
    made = server("new")
    tell(store, made, at=10, complete=False)
    tell(store, server("a"), at=9)
    assert set(shown(store)) == {"a", "new"}
    tell(store, server("a"), at=11)
    assert set(shown(store)) == {"a"}


def test_a_way_that_was_asked_first_and_answers_last_leads_there_all_the_same(store: Store) -> None:
    store.admit(ADMIN, Standing(2))
    tell(store, server("a", "NEWER", ADMIN), at=2, complete=False)
    tell(store, server("a", "OLDER"), server("b"), at=1)
    assert store.ways(server("a").key) == (ADMIN, MEMBER)
    told = store.told(server("a"), MEMBER)
    assert told is not None and (told.word, told.place) == ("NEWER", MEMBER)
    tell(store, server("a", "OLDER"), server("b"), at=3)
    told = store.told(server("a"), MEMBER)
    assert told is not None and told.word == "OLDER"


async def test_gathered_changes_are_told_together_when_their_time_has_come() -> None:
    pace = MovedClock()
    store = Store(MovedClock(), pace)
    store.gather = 1.0
    watch, other = store.watch(Server), store.watch(Server)
    assert (await next_of(watch)).reset and (await next_of(other)).reset
    tell(store, server("a"))
    assert [row.id for row in (await next_of(watch)).changed] == ["a"]  # after a rest nothing is kept back
    assert (await next_of(other)).changed
    await pace.advance(0.5)
    tell(store, server("a", "REBOOT"), at=2.0)
    tell(store, server("a", "ERROR"), at=3.0)
    assert store.rows(Server)[server("a").key].word == "ERROR"  # to readers at once
    assert quiet(watch) and quiet(other)
    await pace.advance(0.4)
    assert quiet(watch)
    await pace.advance(0.1)
    for one in (watch, other):
        batch = await next_of(one)
        assert [(row.id, row.word) for row in batch.changed] == [("a", "ERROR")]
        assert batch.before[server("a").key].word == "ACTIVE"


async def test_a_change_shortly_before_its_time_is_told_with_all_that_was_gathered() -> None:
    pace = MovedClock()
    store = Store(MovedClock(), pace)
    store.gather = 1.0
    watch = store.watch(Server)
    await next_of(watch)
    tell(store, server("a"))
    await next_of(watch)
    await pace.advance(0.3)
    tell(store, server("b"), complete=False, at=2.0)
    await pace.advance(0.6)
    assert quiet(watch)
    tell(store, server("c"), complete=False, at=3.0)
    assert [row.id for row in (await next_of(watch)).changed] == ["b", "c"]
    assert pace.sleepers == 0


async def test_what_is_gathered_can_be_told_at_once() -> None:
    store = Store(MovedClock(), MovedClock())
    store.gather = 1.0
    watch = store.watch(Server)
    await next_of(watch)
    tell(store, server("a"))
    await next_of(watch)
    store.remove(server("a").key)
    assert quiet(watch)
    store.tell()
    assert (await next_of(watch)).gone == (server("a").key,)


def test_the_same_objects_are_looked_at_again_after_a_touch_was_in_their_way(store: Store) -> None:
    rows = (server("a", "NEW"),)
    tell(store, server("a", "OLD"), at=1)
    store.touch(rows[0].key, 5)
    tell(store, *rows, at=4)
    assert shown(store)["a"] == "OLD member"
    tell(store, *rows, at=6)
    assert shown(store)["a"] == "NEW member"


def test_a_removed_row_is_not_brought_back_by_what_was_asked_before(store: Store) -> None:
    row = server("a")
    tell(store, row, at=1)
    store.remove(row.key, 10)
    tell(store, server("a"), at=9, complete=False)
    assert shown(store) == {}


def test_what_was_found_gone_before_it_was_listed_is_not_shown_by_what_was_asked_before(store: Store) -> None:
    store.remove(server("a").key, at=5.0)
    tell(store, server("a"), server("b"), at=4.0)
    assert set(shown(store)) == {"b"}
    tell(store, server("a"), server("b"), at=6.0)
    assert set(shown(store)) == {"a", "b"}


async def test_a_watch_that_is_collected_while_others_are_told_takes_no_news_from_them(store: Store) -> None:
    class Careless(Watch[Server]):
        """One that lets go of its neighbour while it is told."""

        def note(self, moved: Any) -> None:
            neighbours.clear()

    neighbours = [store.watch(Server)]
    careless = Careless(Server, {})
    store._table(Server).watches.append(weakref.ref(careless))
    last = store.watch(Server)
    await next_of(last)
    tell(store, server("a"))
    assert len(last._moved) == 1


def test_two_ways_to_one_server_are_one_row_by_the_best_of_them(store: Store) -> None:
    store.admit(MEMBER, Standing(1))
    store.admit(ADMIN, Standing(2))
    mine, same = server("a"), server("a", place=ADMIN, host="compute-1", record=b"with host")
    tell(store, mine)
    tell(store, same, server("theirs", place=ADMIN), at=2)
    assert shown(store) == {"a": "ACTIVE admin", "theirs": "ACTIVE admin"}
    assert store.ways(mine.key) == (ADMIN, MEMBER)
    assert store.best(mine.key) == ADMIN
    tell(store, server("a", "REBOOT"), at=3)
    assert shown(store)["a"] == "ACTIVE admin"


def test_a_read_only_way_is_not_the_best_though_it_is_privileged(store: Store) -> None:
    store.admit(ADMIN, Standing(2, writable=False))
    row = server("a")
    tell(store, row)
    tell(store, server("a", place=ADMIN))
    assert store.best(row.key) == MEMBER


def test_one_id_at_two_endpoints_is_two_things(store: Store) -> None:
    tell(store, server("1"))
    tell(store, server("1", place=OTHER))
    assert len(store.rows(Server)) == 2


async def test_a_mute_way_gives_way_to_one_that_answers_and_takes_it_back(store: Store) -> None:
    store.admit(MEMBER, Standing(1))
    store.admit(ADMIN, Standing(2))
    for place in (MEMBER, ADMIN):
        store.set_health(place, Health(state="well"))
    row = server("a")
    tell(store, row)
    tell(store, server("a", place=ADMIN))
    watch = store.watch(Server)
    await next_of(watch)
    store.set_health(ADMIN, Health(state="down", reason="refused"))
    assert [row.place for row in (await next_of(watch)).changed] == [MEMBER]
    store.set_health(ADMIN, Health(state="well"))
    assert [row.place for row in (await next_of(watch)).changed] == [ADMIN]


def test_gone_by_one_way_is_gone_by_those_asked_before(store: Store) -> None:
    row = server("a")
    tell(store, row, at=1)
    tell(store, server("a", place=ADMIN), at=2)
    tell(store, at=3, place=ADMIN)
    assert shown(store) == {}
    tell(store, row, at=4)
    tell(store, at=3.5, place=ADMIN)
    assert set(shown(store)) == {"a"}


def test_gone_by_one_way_stays_by_one_that_was_asked_since(store: Store) -> None:
    row = server("a")
    tell(store, row, at=1)
    tell(store, server("a", place=ADMIN), at=2)
    tell(store, row, at=5)
    tell(store, at=4, place=ADMIN)
    assert shown(store) == {"a": "ACTIVE member"}


def test_a_forgotten_place_leaves_what_others_lead_to(store: Store) -> None:
    tell(store, server("a"), server("mine"))
    tell(store, server("a", place=ADMIN))
    store.set_health(MEMBER, Health())
    store.forget(MEMBER)
    assert shown(store) == {"a": "ACTIVE admin"}
    assert MEMBER not in store.health


async def test_health_is_told_when_a_reader_would_see_it(store: Store) -> None:
    store.set_health(MEMBER, Health(state="well", rows_at=1.0))
    watch = store.watch_health()
    assert set(await anext(watch)) == {MEMBER}
    store.set_health(MEMBER, Health(state="well", rows_at=2.0))
    store.set_health(ADMIN, Health(state="down", reason="no route"))
    assert set(await anext(watch)) == {ADMIN}
    assert store.health[MEMBER].rows_at == 2.0


def test_a_listing_of_the_very_same_objects_is_not_looked_at_row_by_row(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [server(str(number)) for number in range(10_000)]
    tell(store, *rows)
    monkeypatch.delattr(Store, "_take_in")
    tell(store, *rows, at=2)
    with pytest.raises(AttributeError):
        tell(store, *rows[:-1], server("9999", "REBOOT"), at=3)
